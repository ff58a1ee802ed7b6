/* SPDX-License-Identifier: BSD-2-Clause */
/* put_file.h - a result as a whole file: never half of one, and never instead of a device. */
#ifndef DSMCORE_LAUNCH_PUT_FILE_H
#define DSMCORE_LAUNCH_PUT_FILE_H

#include <stddef.h>

/* Writes `size` bytes to `path`. A file is written beside its place and renamed, so what stood there stays whole
 * until then; what is no file (a device, a pipe) is written to. Returns 0 or a negative errno. Any thread. */
int put_file(const char *path, const char *text, size_t size);
/* Whether it could be put there, before the work that makes it. Returns 0 or a negative errno. Any thread. */
int put_file__check(const char *path);

#endif
