/* SPDX-License-Identifier: BSD-2-Clause */
/* replay.h - a recorded trace as if it were live: the same lines, at the speed of the run or another. */
#ifndef PROCOPE_VIEWER_REPLAY_H
#define PROCOPE_VIEWER_REPLAY_H

#include <sys/types.h>

#include "viewer/source.h"

/* Opens the trace and starts a child that plays it into `s`, one line a recorded sample; `speed` 0 is as
 * fast as they are taken. On an error why[size] names the file and the remedy. One thread. */
int replay__open(struct source *s, const char *path, double speed, pid_t *child, char *why, size_t size);
/* Ends the child. */
void replay__close(pid_t child);

#endif
