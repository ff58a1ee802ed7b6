/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * grid.h - successive over-relaxation as Java Grande defines it, on rows of doubles.
 *
 * The parallel and the sequential program run exactly these functions, so that equal results are equal to
 * the bit. A cell's new value is omega/4 * (up + down + left + right) + (1 - omega) * cell, omega = 1.25;
 * the border stays as it is. The matrix starts as java.util.Random(10101010).nextDouble() * 1e-6.
 */
#ifndef APPS_SOR_GRID_H
#define APPS_SOR_GRID_H

#include <stddef.h>
#include <stdint.h>

/* java.util.Random: 48 bits, linear congruential. */
struct grid_random {
	uint64_t state;
};
void grid_random__seed(struct grid_random *r, uint64_t seed);
double grid_random__next(struct grid_random *r);
/* Goes on as if next() had been called n times; about log2(n) steps. */
void grid_random__skip(struct grid_random *r, uint64_t n);

/* Fills n cells from row `row` on with Java Grande's start values. */
void grid__fill_row(double *cells, size_t n, size_t row);

/* Updates the cells of one colour of a row: columns with (row + column) % 2 == colour. n columns, the
 * first and the last are border. */
void grid__relax_row(double *cells, size_t n, size_t row, int colour);

/* What a matrix is reduced to, row by row in ascending order (the order decides the last bits). */
struct grid_sum {
	double inner;	/* Java Grande's Gtotal: the sum of the cells that are not border */
	uint64_t cells; /* a hash over all bits of all cells */
};
void grid_sum__init(struct grid_sum *sum);
void grid_sum__row(struct grid_sum *sum, const double *cells, size_t n, size_t row);

#endif
