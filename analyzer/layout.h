/* SPDX-License-Identifier: BSD-2-Clause */
/* layout.h - the fields of a program's type, from its debug information (DWARF through libdw). */
#ifndef ANALYZER_LAYOUT_H
#define ANALYZER_LAYOUT_H

#include "symbols.h"

struct layouts;

/* A tree: a struct's members, an array's element (one child, repeated), or a scalar (no child). */
struct field {
	char *name; /* NULL for an array's element */
	uint32_t offset, size;
	uint32_t count, stride; /* count > 0: an array of children[0] */
	struct field *child;
	uint32_t children;
};

struct layouts *layouts__new(const struct model *m, struct symbols *s);
void layouts__free(struct layouts *l);

/* The layout of a group's element type; NULL when the debug information does not describe a type of that
 * name and size. The allocation site decides between types of one name in several files. */
const struct field *layouts__of(struct layouts *l, uint32_t type, uint32_t site);

/* The scalar that holds byte `at` of a type of `size` bytes: its first byte and length. False for padding. */
bool layout__scalar(const struct field *f, uint32_t at, uint32_t *first, uint32_t *length);
/* "pos.x", "hist[3]" (or "hist[]" when `fold`), "" for a scalar type itself, "(padding)". */
void layout__path(const struct field *f, uint32_t at, bool fold, char *out, size_t size);

#endif
