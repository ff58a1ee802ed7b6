/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vectors.h - modified Gram-Schmidt on the rows of a square matrix, the steps that all programs of mgs share.
 *
 * For i = 0, 1, ...: row i is normalised, then its part is taken out of each row j > i. What happens to a row
 * does not depend on who does it, so the result is the same to the bit for any number of nodes.
 */
#ifndef APPS_MGS_VECTORS_H
#define APPS_MGS_VECTORS_H

#include <stddef.h>
#include <stdint.h>

/* Start values of row i of n x n: uniform in [-1, 1) / sqrt(n), from java.util.Random, with 2 added on the diagonal.
 * So the matrix is well conditioned at any size, and what is left of the error is rounding alone. */
void vectors__fill_row(double *row, size_t n, size_t i);

void vectors__normalise(double *row, size_t n);

/* row -= (row . unit) unit */
void vectors__orthogonalise(double *row, const double *unit, size_t n);

/* Is the result orthonormal? For a random vector x, Q^T (Q x) must be x again: two passes' worth of work instead of
 * the n^3 steps of Q^T Q - I, and a matrix that is not orthonormal passes with probability 0. Rows are
 * given in ascending order. */
#define VECTORS_TOLERANCE 1e-10
struct vectors_check {
	size_t n;
	double *x, *back; /* n each */
	double sum;	  /* of all elements */
	uint64_t hash;	  /* of all bits */
};
/* Returns 0 or -ENOMEM. */
int vectors_check__open(struct vectors_check *c, size_t n);
void vectors_check__row(struct vectors_check *c, const double *row);
/* The largest |Q^T Q x - x|; frees what open() took. */
double vectors_check__close(struct vectors_check *c);

#endif
