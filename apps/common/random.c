// SPDX-License-Identifier: BSD-2-Clause
#include "apps/common/random.h"

/* x' = (A x + C) mod 2^48 */
#define LCG_A	 0x5deece66dull
#define LCG_C	 0xbull
#define LCG_MASK ((1ull << 48) - 1)

void app_random__seed(struct app_random *r, uint64_t seed)
{
	r->state = (seed ^ LCG_A) & LCG_MASK;
}

uint32_t app_random__bits(struct app_random *r, int bits)
{
	r->state = (r->state * LCG_A + LCG_C) & LCG_MASK;
	return (uint32_t)(r->state >> (48 - bits));
}

double app_random__next(struct app_random *r)
{
	uint64_t high = app_random__bits(r, 26);

	return (double)((high << 27) + app_random__bits(r, 27)) * 0x1.0p-53;
}

/* Steps compose: doing (a, c) twice is (a a, a c + c). So n steps are the product over n's binary digits. */
void app_random__skip(struct app_random *r, uint64_t n)
{
	uint64_t a = LCG_A, c = LCG_C;

	for (uint64_t steps = 2 * n; steps; steps >>= 1) { /* next() draws twice */
		if (steps & 1)
			r->state = (r->state * a + c) & LCG_MASK;
		c = (a * c + c) & LCG_MASK;
		a = (a * a) & LCG_MASK;
	}
}
