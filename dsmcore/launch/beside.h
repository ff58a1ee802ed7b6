/* SPDX-License-Identifier: BSD-2-Clause */
/* beside.h - where this program's file lies, and those that were built with it. Any thread. */
#ifndef DSM_LAUNCH_BESIDE_H
#define DSM_LAUNCH_BESIDE_H

#include <stddef.h>

/* The path of this program. Errors: negative errno, -ENAMETOOLONG when it may have been cut. */
int beside__self(char *path, size_t size);
/* A program of that name in the same folder. Errors: negative errno, with the path filled in as far as it is known. */
int beside__find(const char *name, char *path, size_t size);

#endif
