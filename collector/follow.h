/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * follow.h - traces that are still written, one of each host, become one live view: dsmcollect --follow. A trace
 * holds what the collectors' own live views are made of, so nothing else has to travel between the hosts. One thread.
 */
#ifndef PROCOPE_FOLLOW_H
#define PROCOPE_FOLLOW_H

#include "collector/collect.h"

/* Shows the traces at paths[n] (or PATH.partial, while a writer is at it) on the live socket until all have ended or stop_fd
 * is readable. A trace need not be there yet. Returns an exit code after a message: 0; 1: no memory; 2: no socket. */
int follow__traces(const struct collect_options *options, const char *const *paths, size_t n, int stop_fd);

#endif
