/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blocks.h - blocked LU factorisation without pivoting, as SPLASH-2 defines it: the steps that all programs of lu share.
 *
 * The n x n matrix is cut into blocks; those at the lower and right edge may be smaller. Step k factors the diagonal
 * block (k, k), divides the blocks of row k and column k by it, and subtracts their products from all blocks
 * below and to the right. What happens to a block does not depend on who does it, so the result is the same to
 * the bit for any number of nodes.
 */
#ifndef APPS_LU_BLOCKS_H
#define APPS_LU_BLOCKS_H

#include <stddef.h>
#include <stdint.h>

#include "apps/common/app.h"
#include "apps/common/rows.h"

/* How a matrix is cut, dealt to nodes, and laid out. */
struct blocks {
	long n, side; /* rows; rows of a block */
	long across;  /* blocks in a row of blocks */
	long high,
		wide; /* nodes form a grid; block (i, j) belongs to node (i % high, j % wide); apart: high is 1 */
	bool apart; /* each block in one piece on pages of its own, a node's blocks of a column one after the
			    * other; else plain rows in part[0] */
	size_t block_size; /* doubles from one block of a part to the next */
	double *part[ROWS_NODES];
};
void blocks__set(struct blocks *b, long n, long side, long nodes, enum app_layout layout);
long blocks__owner(const struct blocks *b, long i, long j);
/* Doubles that this node must provide; 0: nothing. */
size_t blocks__part(const struct blocks *b, long node);

/* One block and how to walk it. */
struct block {
	double *at;
	long rows, columns;
	size_t stride; /* doubles from a row to the next */
};
struct block blocks__at(const struct blocks *b, long i, long j);

/* Start values: uniform in [0, 1) from java.util.Random, with n added on the diagonal, so that no pivot is needed. */
void blocks__fill(const struct blocks *b, long i, long j);

void block__factor(struct block diagonal);
/* Blocks to the right of the diagonal one: L^-1 block; and below: block U^-1. */
void block__divide_left(struct block block, struct block diagonal);
void block__divide_right(struct block block, struct block diagonal);
/* block -= left * up */
void block__update(struct block block, struct block left, struct block up);

/* All blocks as plain rows of private memory; copy() is memcpy() or what the matrix needs in its place. */
void blocks__copy_out(const struct blocks *b, double *out,
		      void (*copy)(void *to, const void *from, size_t bytes));

/* Solves L U x = A (1, ..., 1) with the factors in plain rows, and gives the largest |x - 1|; -1: no memory. */
#define BLOCKS_TOLERANCE 1e-9
double blocks__check(const double *factors, long n);

#endif
