// SPDX-License-Identifier: BSD-2-Clause
#include "apps/lu/blocks.h"

#include <math.h>
#include <stdlib.h>

#include "apps/common/random.h"

#define SEED 19950622u

void blocks__set(struct blocks *b, long n, long side, long nodes, enum app_layout layout)
{
	*b = (struct blocks){
		.n = n, .side = side, .across = (n + side - 1) / side, .apart = layout == APP_TUNED};
	b->high = 1;
	for (long h = 2; h * h <= nodes && !b->apart; h++)
		if (nodes % h == 0)
			b->high = h;
	b->wide = nodes / b->high;
	b->block_size = rows__pages((size_t)(side * side) * sizeof(double)) / sizeof(double);
}

long blocks__owner(const struct blocks *b, long i, long j)
{
	return i % b->high * b->wide + j % b->wide;
}

/* Blocks of a node that lie one above the other, at most. */
static long part_height(const struct blocks *b)
{
	return (b->across + b->high - 1) / b->high;
}

size_t blocks__part(const struct blocks *b, long node)
{
	if (!b->apart)
		return node ? 0 : (size_t)b->n * (size_t)b->n;
	return (size_t)((b->across + b->wide - 1) / b->wide * part_height(b)) * b->block_size;
}

static long least(long a, long b)
{
	return a < b ? a : b;
}

struct block blocks__at(const struct blocks *b, long i, long j)
{
	struct block block = {.rows = least(b->side, b->n - i * b->side),
			      .columns = least(b->side, b->n - j * b->side),
			      .stride = (size_t)(b->apart ? b->side : b->n)};

	if (b->apart)
		block.at = b->part[blocks__owner(b, i, j)] +
			   (size_t)(j / b->wide * part_height(b) + i / b->high) * b->block_size;
	else
		block.at = b->part[0] + (size_t)(i * b->side) * block.stride + (size_t)(j * b->side);
	return block;
}

/* `count` start values of row i from column j on. */
static void fill_row(double *out, long n, long i, long j, long count)
{
	struct app_random r;

	app_random__seed(&r, SEED);
	app_random__skip(&r, (uint64_t)i * (uint64_t)n + (uint64_t)j);
	for (long c = 0; c < count; c++)
		out[c] = app_random__next(&r) + (j + c == i ? (double)n : 0);
}

void blocks__fill(const struct blocks *b, long i, long j)
{
	struct block block = blocks__at(b, i, j);

	for (long r = 0; r < block.rows; r++)
		fill_row(block.at + (size_t)r * block.stride, b->n, i * b->side + r, j * b->side,
			 block.columns);
}

/* row -= factor * other: the inner loop of all that follows. */
static void subtract(double *restrict row, const double *restrict other, double factor, long count)
{
	for (long c = 0; c < count; c++)
		row[c] -= factor * other[c];
}

void block__factor(struct block d)
{
	for (long k = 0; k < d.rows; k++) {
		const double *pivot = d.at + (size_t)k * d.stride;
		for (long r = k + 1; r < d.rows; r++) {
			double *row = d.at + (size_t)r * d.stride;
			row[k] /= pivot[k];
			subtract(row + k + 1, pivot + k + 1, row[k], d.columns - k - 1);
		}
	}
}

void block__divide_left(struct block b, struct block d)
{
	for (long k = 0; k < b.rows; k++)
		for (long r = k + 1; r < b.rows; r++)
			subtract(b.at + (size_t)r * b.stride, b.at + (size_t)k * b.stride,
				 d.at[(size_t)r * d.stride + (size_t)k], b.columns);
}

void block__divide_right(struct block b, struct block d)
{
	for (long r = 0; r < b.rows; r++) {
		double *row = b.at + (size_t)r * b.stride;
		for (long k = 0; k < b.columns; k++) {
			const double *pivot = d.at + (size_t)k * d.stride;
			row[k] /= pivot[k];
			subtract(row + k + 1, pivot + k + 1, row[k], b.columns - k - 1);
		}
	}
}

void block__update(struct block b, struct block left, struct block up)
{
	for (long r = 0; r < b.rows; r++)
		for (long k = 0; k < left.columns; k++)
			subtract(b.at + (size_t)r * b.stride, up.at + (size_t)k * up.stride,
				 left.at[(size_t)r * left.stride + (size_t)k], b.columns);
}

/* x := U^-1 L^-1 x */
static void solve(const double *factors, double *x, long n)
{
	for (long i = 0; i < n; i++)
		for (long j = 0; j < i; j++)
			x[i] -= factors[i * n + j] * x[j];
	for (long i = n - 1; i >= 0; i--) {
		for (long j = i + 1; j < n; j++)
			x[i] -= factors[i * n + j] * x[j];
		x[i] /= factors[i * n + i];
	}
}

void blocks__copy_out(const struct blocks *b, double *out,
		      void (*copy)(void *to, const void *from, size_t bytes))
{
	for (long i = 0; i < b->across; i++)
		for (long j = 0; j < b->across; j++) {
			struct block block = blocks__at(b, i, j);
			for (long r = 0; r < block.rows; r++)
				copy(out + (i * b->side + r) * b->n + j * b->side,
				     block.at + (size_t)r * block.stride,
				     (size_t)block.columns * sizeof(double));
		}
}

double blocks__check(const double *factors, long n)
{
	double *x = calloc((size_t)n, sizeof(*x)), *row = malloc((size_t)n * sizeof(*row)), worst = -1;

	if (x && row) {
		for (long i = 0; i < n; i++) {
			fill_row(row, n, i, 0, n);
			for (long j = 0; j < n; j++)
				x[i] += row[j];
		}
		solve(factors, x, n);
		worst = 0;
		for (long i = 0; i < n; i++)
			if (!(fabs(x[i] - 1) <= worst)) /* a NaN is the worst of all */
				worst = fabs(x[i] - 1);
	}
	free(x);
	free(row);
	return worst;
}
