/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rows.h - where the rows of an array lie that nodes share: in one piece, or in one part a node.
 *
 * Arithmetic only, the same on every node; no DSM in it. rows__at() is called for each row, never for each
 * element. Still its divisions were 4 % of the time of a sweep over rows of 4 KiB, so who stays in one part says so.
 */
#ifndef APPS_COMMON_ROWS_H
#define APPS_COMMON_ROWS_H

#include <stddef.h>

#define ROWS_NODES 256 /* the most that dsmrun starts */

enum rows_order {
	ROWS_FLAT,   /* row by row in part 0 */
	ROWS_BLOCK,  /* a part holds the rows of a node's block */
	ROWS_CYCLIC, /* a part holds the rows n, n + nodes, n + 2 nodes ... */
};

struct rows {
	enum rows_order order;
	long count, nodes;
	long shift;   /* ROWS_BLOCK: so many rows at the start of each block lie in the part before */
	size_t pitch; /* bytes from one row of a part to the next */
	void *part[ROWS_NODES];
	/* A part that rows__at() finds without a division: rows__near() */
	long near_first, near_rows;
	char *near;
};

/* The smallest multiple of a page that holds so many bytes (at least one page). */
size_t rows__pages(size_t bytes);

/* Block `node` of `count` rows dealt to `nodes` nodes: rows first ... first(node + 1) - 1. */
long rows__block(long count, long nodes, long node);

/* In whose block row i is. */
long rows__owner(long count, long nodes, long i);

/* How many rows a part has, in what order they lie there. */
long rows__in_part(const struct rows *r, long node);

/* Once the parts are known: rows__at() will mostly be asked for rows of this one. */
void rows__near(struct rows *r, long node);

/* The address of row i, once the parts are known. */
void *rows__at(const struct rows *r, long i);

#endif
