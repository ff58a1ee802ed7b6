/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symbols.h - from (image, file offset) to function and source line, through libdw. The file is found by the
 * path in the trace or in a folder given by the user, and used only if its build-id is the recorded one:
 * a newer build would give wrong lines with a straight face.
 */
#ifndef ANALYZER_SYMBOLS_H
#define ANALYZER_SYMBOLS_H

#include <elfutils/libdw.h>

#include "model.h"

struct symbols;

struct source {
	char function[96]; /* "" = unknown */
	char file[256];	   /* as the compiler recorded it; "" = unknown */
	unsigned line;	   /* 0 = unknown */
};

/* `debug_dir` may be NULL: a folder searched first, for NAME, NAME.debug and .build-id/xx/rest.debug. */
struct symbols *symbols__new(const struct model *m, const char *debug_dir);
void symbols__free(struct symbols *s);

/* Resolves an instruction's address; for a return address the call before it. Returns false and leaves what
 * is unknown empty when nothing is known. Results are remembered. */
bool symbols__source(struct symbols *s, struct code code, bool return_address, struct source *out);

/* The debug information of an image, NULL when there is none. */
Dwarf *symbols__dwarf(struct symbols *s, uint32_t image);
/* The compilation unit that holds an address; false when unknown. */
bool symbols__unit(struct symbols *s, struct code code, Dwarf_Die *cu);
/* Copies up to `size` code bytes at a file offset; returns how many. */
size_t symbols__bytes(struct symbols *s, struct code code, void *out, size_t size);

/* True when a source file was changed after the program was built: its lines may be others now. */
bool symbols__outdated(struct symbols *s, struct code code, const struct source *src);

/* What could not be used and what to do about it, one line each. */
size_t symbols__notes(const struct symbols *s, const char *const **notes);

#endif
