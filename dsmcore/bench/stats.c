/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/bench/stats.h"

#include <math.h>
#include <stdlib.h>

#include "dsmcore/bench/bench.h"

/* By counting: how many of n samples lie below the median is a matter of tossing coins. */
struct spread stats__spread(double *x, size_t n)
{
	double aside = 0.98 * sqrt((double)n);
	size_t low = (double)n / 2 > aside ? (size_t)((double)n / 2 - aside) : 0;

	if (!n)
		return (struct spread){NAN, NAN, NAN, NAN, NAN};
	qsort(x, n, sizeof(*x), bench__ascending);
	return (struct spread){x[0], x[low], (x[(n - 1) / 2] + x[n / 2]) / 2, x[n - 1 - low], x[n - 1]};
}

bool stats__listened(uint64_t i)
{
	uint64_t drawn = (i / 2 + 1) * 0x9e3779b97f4a7c15ull;

	drawn = (drawn ^ drawn >> 29) * 0xbf58476d1ce4e5b9ull;
	return (drawn >> 63) == (i & 1);
}

struct sum {
	double seconds, work, cpu, events;
};

static void add(struct sum *s, const struct window *w)
{
	s->seconds += w->seconds;
	s->work += w->rate * w->seconds;
	s->cpu += w->cpu * w->seconds;
	s->events += w->events * w->seconds;
}

static bool close_block(const struct sum *with, const struct sum *without, struct block *b)
{
	double unit_with = with->cpu / with->work, unit_without = without->cpu / without->work;

	if (with->work <= 0 || without->work <= 0)
		return false;
	b->time = with->seconds / with->work / (without->seconds / without->work);
	b->cpu = unit_with / unit_without;
	b->probe = with->events > 0 ? (unit_with - unit_without) / (with->events / with->work) * 1e6 : NAN;
	return true;
}

size_t stats__blocks(const struct window *w, size_t n, size_t each, struct block *out)
{
	size_t blocks = 0;

	for (size_t i = 0; i < n;) {
		uint64_t at = w[i].index / each;
		struct sum sums[2] = {0};

		for (; i < n && w[i].index / each == at; i++)
			add(&sums[stats__listened(w[i].index)], &w[i]);
		blocks += close_block(&sums[1], &sums[0], &out[blocks]);
	}
	return blocks;
}
