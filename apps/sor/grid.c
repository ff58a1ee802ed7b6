// SPDX-License-Identifier: BSD-2-Clause
#include "apps/sor/grid.h"

#include <string.h>

#define OMEGA 1.25
#define SEED  10101010u

/* The generator of java.util.Random: x' = (A x + C) mod 2^48, as its documentation fixes it. */
#define LCG_A	 0x5deece66dull
#define LCG_C	 0xbull
#define LCG_MASK ((1ull << 48) - 1)

void grid_random__seed(struct grid_random *r, uint64_t seed)
{
	r->state = (seed ^ LCG_A) & LCG_MASK;
}

static uint64_t random_bits(struct grid_random *r, int bits)
{
	r->state = (r->state * LCG_A + LCG_C) & LCG_MASK;
	return r->state >> (48 - bits);
}

double grid_random__next(struct grid_random *r)
{
	uint64_t high = random_bits(r, 26);

	return (double)((high << 27) + random_bits(r, 27)) * 0x1.0p-53;
}

/* Steps compose: doing (a, c) twice is (a a, a c + c). So n steps are the product over n's binary digits. */
void grid_random__skip(struct grid_random *r, uint64_t n)
{
	uint64_t a = LCG_A, c = LCG_C;

	for (uint64_t steps = 2 * n; steps; steps >>= 1) { /* next() draws twice */
		if (steps & 1)
			r->state = (r->state * a + c) & LCG_MASK;
		c = (a * c + c) & LCG_MASK;
		a = (a * a) & LCG_MASK;
	}
}

void grid__fill_row(double *cells, size_t n, size_t row)
{
	struct grid_random r;

	grid_random__seed(&r, SEED);
	grid_random__skip(&r, (uint64_t)row * n);
	for (size_t j = 0; j < n; j++)
		cells[j] = grid_random__next(&r) * 1e-6;
}

void grid__relax_row(double *cells, size_t n, size_t row, int colour)
{
	const double *up = cells - n, *down = cells + n;
	const double quarter = OMEGA * 0.25, rest = 1.0 - OMEGA;

	for (size_t j = 1 + ((row + 1 + (size_t)colour) & 1); j + 1 < n; j += 2)
		cells[j] = quarter * (up[j] + down[j] + cells[j - 1] + cells[j + 1]) + rest * cells[j];
}

void grid_sum__init(struct grid_sum *sum)
{
	sum->inner = 0;
	sum->cells = 0xcbf29ce484222325ull; /* FNV-1a's offset basis */
}

void grid_sum__row(struct grid_sum *sum, const double *cells, size_t n, size_t row)
{
	for (size_t j = 0; j < n; j++) {
		uint64_t bits;
		memcpy(&bits, &cells[j], sizeof(bits));
		/* FNV-1a by words, then a shift: a multiplication alone never moves a high bit down. */
		sum->cells = (sum->cells ^ bits) * 0x100000001b3ull;
		sum->cells ^= sum->cells >> 32;
		if (row > 0 && row + 1 < n && j > 0 && j + 1 < n)
			sum->inner += cells[j];
	}
}
