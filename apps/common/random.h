/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * random.h - java.util.Random, as its documentation fixes it: 48 bits, linear congruential. It can skip, so
 * that each node makes its part of an input that is the same for any number of nodes.
 */
#ifndef APPS_COMMON_RANDOM_H
#define APPS_COMMON_RANDOM_H

#include <stdint.h>

struct app_random {
	uint64_t state;
};
void app_random__seed(struct app_random *r, uint64_t seed);
/* nextDouble(): in [0, 1). It draws twice. */
double app_random__next(struct app_random *r);
/* The top `bits` (1 ... 32) of one draw. */
uint32_t app_random__bits(struct app_random *r, int bits);
/* Goes on as if next() had been called n times; about log2(n) steps. */
void app_random__skip(struct app_random *r, uint64_t n);

#endif
