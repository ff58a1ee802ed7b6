/* SPDX-License-Identifier: BSD-2-Clause */
/* What dsmbench concludes from many windows: blocks, their ratios, the range of a median. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "dsmcore/bench/stats.h"

#define N 6000u
#define E 50u

static double noise(double most)
{
	return most * (2.0 * rand() / RAND_MAX - 1);
}

/* A machine that drifts from window to window and jumps every second, where a listener costs `cost` of the time always and
 * `burst` of one window in fifty. */
static size_t machine(struct window *w, double cost, double burst)
{
	double speed = 1000;
	size_t n = 0;

	for (uint64_t i = 0; i < N; i++) {
		double slower = 1;

		if (i % 50 == 0)
			speed = 1000 + noise(150);
		speed *= 1 + noise(0.01);
		if (stats__listened(i))
			slower += cost + (i % 50 < 2 ? burst : 0);
		if (i % 97 == 13) /* a node was off its core */
			continue;
		w[n++] = (struct window){
			.index = i, .seconds = 0.02, .rate = speed * (1 + noise(0.05)) / slower, .cpu = 2};
	}
	return n;
}

static struct spread ratio(const struct window *w, size_t n)
{
	static struct block blocks[N / E + 2];
	static double x[N / E + 2];
	size_t found = stats__blocks(w, n, E, blocks);

	assert_int_equal(found, N / E);
	for (size_t i = 0; i < found; i++)
		x[i] = blocks[i].time;
	return stats__spread(x, found);
}

static void one_of_each_pair_is_listened_to(void **state)
{
	unsigned first = 0;

	(void)state;
	for (uint64_t i = 0; i < 10000; i += 2) {
		assert_int_not_equal(stats__listened(i), stats__listened(i + 1));
		first += stats__listened(i);
	}
	assert_in_range(first, 2300, 2700); /* of 5000: seven standard deviations would be 247 */
}

/* Nothing that comes round every 2nd to 40th window meets windows of one kind alone. */
static void no_rhythm_meets_one_kind(void **state)
{
	(void)state;
	for (unsigned period = 2; period <= 40; period++)
		for (unsigned phase = 0; phase < period; phase++) {
			unsigned hits = 0;

			for (unsigned k = 0; k < 400; k++)
				hits += stats__listened((uint64_t)k * period + phase);
			assert_in_range(hits, 120, 280);
		}
}

static void no_cost_is_one(void **state)
{
	static struct window w[N];
	struct spread s;

	(void)state;
	srand(1);
	s = ratio(w, machine(w, 0, 0));
	assert_true(s.low <= 1 && 1 <= s.high);
	assert_true(s.high - s.low < 0.006);
	assert_true(s.least <= s.low && s.low <= s.middle && s.middle <= s.high && s.high <= s.most);
}

static void one_per_cent_shows(void **state)
{
	static struct window w[N];
	struct spread s;

	(void)state;
	srand(2);
	s = ratio(w, machine(w, 0.01, 0));
	assert_true(s.low > 1.005 && s.low <= 1.01 && s.high >= 1.01 && s.high < 1.015);
}

/* What comes once a second, in one window of fifty, is no outlier to be left out. */
static void rare_work_counts(void **state)
{
	static struct window w[N];
	struct spread s;

	(void)state;
	srand(3);
	/* The window takes half as long again, which is 2 % of the time with a listener in 25 windows. */
	s = ratio(w, machine(w, 0, 1));
	assert_true(s.low > 1.014 && s.high < 1.027);
}

static void price_of_a_probe(void **state)
{
	struct window w[] = {{.index = 0, .seconds = 1, .rate = 1000, .cpu = 2},
			     {.index = 1, .seconds = 1, .rate = 1000, .cpu = 2}};
	struct block b[3];
	int with = stats__listened(1);

	(void)state;
	w[with].cpu = 2.02; /* 20,000 us a second more, for 10,000 records */
	w[with].events = 10000;
	assert_int_equal(stats__blocks(w, 2, 2, b), 1);
	assert_float_equal(b[0].time, 1, 1e-9);
	assert_float_equal(b[0].cpu, 1.01, 1e-9);
	assert_float_equal(b[0].probe, 2, 1e-9);
	w[with].events = 0;
	assert_int_equal(stats__blocks(w, 2, 2, b), 1);
	assert_true(isnan(b[0].probe));
}

/* A window that took ten times as long, for as much work, weighs ten times as much. */
static void long_windows_weigh_more(void **state)
{
	struct window w[8];
	struct block b[6];

	(void)state;
	for (uint64_t i = 0; i < 8; i++)
		w[i] = (struct window){.index = i, .seconds = 0.02, .rate = 1000, .cpu = 2};
	for (uint64_t i = 0; i < 2; i++)
		if (stats__listened(i)) {
			w[i].seconds = 0.2;
			w[i].rate = 100;
		}
	assert_int_equal(stats__blocks(w, 8, 8, b), 1);
	assert_float_equal(b[0].time, 3.25, 1e-9); /* (0.2 + 3 * 0.02) / (4 * 0.02) */
}

static void windows_of_one_kind_are_no_block(void **state)
{
	struct window w[] = {{.index = 4, .seconds = 1, .rate = 1000, .cpu = 2},
			     {.index = 6, .seconds = 1, .rate = 0, .cpu = 2},
			     {.index = 7, .seconds = 1, .rate = 1000, .cpu = 2}};
	struct block b[4];

	(void)state;
	assert_int_equal(stats__blocks(w, 0, 2, b), 0);
	assert_int_equal(stats__blocks(w, 1, 2, b), 0);
	assert_int_equal(stats__blocks(w, 3, 2, b), 0); /* nothing was done in one of the pair */
}

/* Hardly any window is there, but one of each kind in each block: there are half as many blocks as windows, no more. */
static void sparse_windows(void **state)
{
	struct window w[40];
	struct block b[20];
	size_t n = 0;

	(void)state;
	for (uint64_t i = 0; n < 40; i += 100)
		for (uint64_t k = i; k < i + 2; k++)
			w[n++] = (struct window){.index = k, .seconds = 0.01, .rate = 1000, .cpu = 2};
	assert_int_equal(stats__blocks(w, n, 100, b), 20);
	for (size_t i = 0; i < 20; i++)
		assert_float_equal(b[i].time, 1, 1e-9);
}

static void spread_of_few(void **state)
{
	double one[] = {3}, four[] = {4, 1, 3, 2};
	struct spread s = stats__spread(NULL, 0);

	(void)state;
	assert_true(isnan(s.middle) && isnan(s.low) && isnan(s.most));
	s = stats__spread(one, 1);
	assert_float_equal(s.least, 3, 0);
	assert_float_equal(s.middle, 3, 0);
	assert_float_equal(s.high, 3, 0);
	s = stats__spread(four, 4);
	assert_float_equal(s.least, 1, 0);
	assert_float_equal(s.middle, 2.5, 0);
	assert_float_equal(s.most, 4, 0);
}

/* The range holds the true median in about 95 of 100 cases, and not in all of them by being too wide. */
static void range_holds_the_median(void **state)
{
	unsigned held = 0;
	double x[41];

	(void)state;
	srand(4);
	for (int k = 0; k < 2000; k++) {
		for (int i = 0; i < 41; i++)
			x[i] = noise(1) + noise(1) + noise(1);
		struct spread s = stats__spread(x, 41);

		held += s.low <= 0 && 0 <= s.high;
	}
	assert_in_range(held, 1860, 1980);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_of_each_pair_is_listened_to),
		cmocka_unit_test(no_rhythm_meets_one_kind),
		cmocka_unit_test(no_cost_is_one),
		cmocka_unit_test(one_per_cent_shows),
		cmocka_unit_test(rare_work_counts),
		cmocka_unit_test(price_of_a_probe),
		cmocka_unit_test(long_windows_weigh_more),
		cmocka_unit_test(windows_of_one_kind_are_no_block),
		cmocka_unit_test(sparse_windows),
		cmocka_unit_test(spread_of_few),
		cmocka_unit_test(range_holds_the_median),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
