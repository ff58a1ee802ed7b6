/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * deal.h - rows of the picture, handed out while the nodes draw: the tuned layout.
 *
 * Rows that are dealt beforehand keep the fast nodes waiting for the slowest one. So nodes take blocks of rows from a
 * counter, each a part of what is left, so that the blocks get smaller: many rows at a time while there are many, single
 * ones at the end (C. D. Polychronopoulos, D. J. Kuck, "Guided self-scheduling", IEEE Trans. Comp. C-36(12), 1987). A
 * node puts the rows that it draws one after the other into memory of its own, and their numbers beside them.
 */
#ifndef APPS_RAYTRACER_DEAL_H
#define APPS_RAYTRACER_DEAL_H

#include <stdint.h>

#include "apps/common/rows.h"
#include "apps/raytracer/trace.h"

struct deal {
	long size;		 /* rows, and pixels in a row */
	long *next;		 /* shared: the first row that nobody has taken */
	long count;		 /* private: rows that this node has drawn */
	void *rows[ROWS_NODES];	 /* of each node: those that it drew ... */
	void *drawn[ROWS_NODES]; /* ... how many (long), and their numbers */
};

/* Every node calls it (it holds barriers), outside transactions. Memory for all rows on each node: any of them may draw
 * nearly all. Only what is used is touched. */
void deal__open(struct deal *d, long size);

/* Draws until no row is left. scene: in private memory, since a row is drawn outside transactions; so is line, of a row.
 * Then the rows of all nodes are complete at the next barrier. */
void deal__draw(struct deal *d, const struct scene *scene, uint32_t *line, const struct app *app);

/* All rows in their order, into private memory. On one node, after the barrier. */
void deal__gather(const struct deal *d, uint32_t *pixels);

#endif
