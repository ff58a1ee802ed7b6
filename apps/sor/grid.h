/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grid.h - successive over-relaxation as Java Grande defines it, on rows of doubles.
 *
 * The program with the DSM, the sequential one and the one with MPI run exactly these functions, so that
 * equal results are equal to the bit. A cell's new value is omega/4 * (up + down + left + right) + (1 -
 * omega) * cell, omega = 1.25; the border stays as it is. The matrix starts as
 * java.util.Random(10101010).nextDouble() * 1e-6. Red-black order: a cell has the colour (row + column) % 2.
 *
 * A matrix lies in memory as one array in row order (natural), or, as in TreadMarks, as two (tuned): the cells of
 * colour 0 and those of colour 1. Then who updates one colour never meets on a page with who reads the other, and
 * what a half-sweep writes lies in one piece.
 */
#ifndef APPS_SOR_GRID_H
#define APPS_SOR_GRID_H

#include <stddef.h>
#include <stdint.h>

#include "apps/common/app.h"

struct grid {
	size_t n; /* rows and columns */
	enum app_layout layout;
};

/* Where a row's cells of each colour are; in the natural layout both are the row. */
struct grid_row {
	double *colour[2];
};

/* What a row takes in one array; in the tuned layout whole pages. */
size_t grid__row_bytes(const struct grid *g);

/* Fills row i with Java Grande's start values. */
void grid__fill_row(const struct grid *g, struct grid_row row, size_t i);

/* Updates the cells of one colour of row i, which is not border, between its neighbours. */
void grid__relax_row(const struct grid *g, struct grid_row row, struct grid_row up, struct grid_row down,
		     size_t i, int colour);

/* What a matrix is reduced to, row by row in ascending order (the order decides the last bits). */
struct grid_sum {
	double inner;	/* Java Grande's Gtotal: the sum of the cells that are not border */
	uint64_t cells; /* a hash over all bits of all cells */
};
void grid_sum__init(struct grid_sum *sum);
void grid_sum__row(struct grid_sum *sum, const struct grid *g, struct grid_row row, size_t i);

#endif
