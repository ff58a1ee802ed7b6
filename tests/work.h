/* SPDX-License-Identifier: BSD-2-Clause */
/* work.h - what programs that are measured do between their accesses, and how long it took. */
#ifndef TESTS_WORK_H
#define TESTS_WORK_H

#include <time.h>

/* Seconds of CLOCK_MONOTONIC. */
static inline double work__now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Work that the compiler cannot leave out, if the result is used: about 1 ns a round. */
static inline unsigned long work__mix(unsigned long x, int rounds)
{
	while (rounds--)
		x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9ul + 1;
	return x;
}

#endif
