/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parts.h - arrays in the DSM that consist of one part a node.
 *
 * A page's home is the node that allocated it, so who will work on a part allocates it, and its pages
 * cost that node no message as long as nobody else wants them.
 */
#ifndef APPS_COMMON_PARTS_H
#define APPS_COMMON_PARTS_H

#include <dsm.h>

#include "apps/common/rows.h"

/* Tells all nodes of this node's part of the array `name`, and learns of theirs: part[0 ... nodes - 1].
 * mine may be NULL: no part. Every node must call it (it holds barriers); outside transactions. */
void parts__share(const char *name, void *mine, void **part);

/* Allocates this node's part of the rows, as an array of a type: so its place and type are those that tools name. NULL
 * when the node has no rows. */
#define parts__new(type, rows)                                                                               \
	(parts__bytes(rows) ? dsm_new_flat(type, (parts__bytes(rows) + sizeof(type) - 1) / sizeof(type))     \
			    : NULL)
/* The same for rows of several elements, which tools then name. */
#define parts__new_rows(type, rows)                                                                          \
	(parts__bytes(rows)                                                                                  \
		 ? dsm_new_rows(type, parts__bytes(rows) / (rows)->pitch, (rows)->pitch / sizeof(type))      \
		 : NULL)
size_t parts__bytes(const struct rows *rows);

/* Makes the rows' parts known, as parts__share() does. */
void parts__rows(const char *name, struct rows *rows, void *mine);

#endif
