/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROCOPE_VIEWER_LIVE_H
#define PROCOPE_VIEWER_LIVE_H

#include "viewer/model.h"

/* Reads one line of schema procope.live/1 into `out` (freed with live__free()). On an error `out` is
 * empty and why[size] says what is wrong with the line: -EBADMSG, -EPROTONOSUPPORT, -ENOMEM. Pure. */
int live__parse(const char *line, size_t length, struct model_sample *out, char *why, size_t size);
void live__free(struct model_sample *s);

/* The line written anew, so that no raw control byte of a string reaches a terminal. Freed by the
 * caller; NULL without memory, or when it is not JSON. */
char *live__rewrite(const char *line, size_t length);

#endif
