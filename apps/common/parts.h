/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parts.h - arrays in the DSM that consist of one part a node.
 *
 * A page's home is the node that allocated it, so who will work on a part allocates it, and its pages
 * cost that node no message as long as nobody else wants them.
 */
#ifndef APPS_COMMON_PARTS_H
#define APPS_COMMON_PARTS_H

#include "apps/common/rows.h"

/* Tells all nodes of this node's part of the array `name`, and learns of theirs: part[0 ... nodes - 1].
 * mine may be NULL: no part. Every node must call it (it holds barriers); outside transactions. */
void parts__share(const char *name, void *mine, void **part);

/* Allocates the rows' parts, each at its node and filled with zeros, and shares them. */
void parts__rows(const char *name, struct rows *rows);

#endif
