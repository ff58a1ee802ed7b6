/* SPDX-License-Identifier: BSD-2-Clause */
/* where.h - the source line of a place in a program or library, from its debug information. */
#ifndef DSM_LAUNCH_WHERE_H
#define DSM_LAUNCH_WHERE_H

#include <stdint.h>

struct where {
	char file[1024];    /* as compiled; relative when it lies below the current folder */
	char function[256]; /* innermost, inlined ones included; "" = unknown */
	int line;
};

/* The line of the instruction at `offset` in the file at `path` (not an address: what is loaded from
 * there). Separate debug files are found as the debugger finds them. Errors: -ENOENT (no such file or
 * not an ELF file), -ENODATA (no debug information for this place; function may be set all the same).
 * Slow: reads the file each time. */
int where__find(const char *path, uint64_t offset, struct where *w);

#endif
