// SPDX-License-Identifier: BSD-2-Clause
/* clockfit_test.c - clocks that drift, wander, stand still and are measured badly: what is found is as near as it says. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/clockfit.h"

#define S  1000000000ll
#define US 1000ll

/* A host's clock against real time: what it shows is exact, so every error is the fit's. */
struct world {
	double rate, swing; /* gain; and a slow wave on it, as of temperature */
	double period_s;
	int64_t ahead;
	int64_t step_at, step_ns; /* from then on it is so much behind */
	int64_t least, jitter;	  /* of one way */
	double slow;		  /* the way back is so many times longer */
	uint64_t state;
};

static uint64_t any(struct world *w)
{
	w->state ^= w->state << 13;
	w->state ^= w->state >> 7;
	w->state ^= w->state << 17;
	return w->state;
}

static int64_t shown(const struct world *w, int64_t t)
{
	double wave = w->period_s > 0 ? w->swing * w->period_s / (2 * M_PI) *
						(1 - cos(2 * M_PI * (double)t / 1e9 / w->period_s)) * 1e9
				      : 0;

	return t + w->ahead + (int64_t)((double)t * w->rate + wave) -
	       (w->step_ns && t >= w->step_at ? w->step_ns : 0);
}

static int64_t way(struct world *w, bool back)
{
	/* Most are quick, few very slow. */
	double late = -log(((double)(any(w) % 1000000) + 1) / 1000001) * (double)w->jitter;

	return (int64_t)(((double)w->least + late) * (back ? w->slow : 1));
}

/* The first clock shows real time. By turns each asks the other. */
static void measure(struct world *w, struct clockfit_samples *s, int64_t from, int64_t to, int64_t every)
{
	bool turn = false;

	for (int64_t t = from; t < to; t += every, turn = !turn) {
		int64_t there = t + way(w, turn), back = there + way(w, !turn);
		int64_t half, mid;

		if (!turn) {
			half = (back - t) / 2 + 1;
			mid = shown(w, there) - (t + half);
			assert_int_equal(clockfit__add(s, back - half, mid - half, mid + half), 0);
			continue;
		}
		/* The other one asks: as the first one sees it. */
		half = (shown(w, back) - shown(w, t)) / 2 + 1;
		mid = there - (shown(w, t) + half);
		assert_int_equal(clockfit__add(s, shown(w, back) - half + mid, -mid - half, -mid + half), 0);
	}
}

/* The furthest that it is off, within [from, to); times must never run back. */
static int64_t worst(const struct world *w, const struct clockfit *f, int64_t from, int64_t to)
{
	int64_t most = 0, last = INT64_MIN, forth = INT64_MIN;

	for (int64_t t = from; t < to; t += (to - from) / 50000 + 1) {
		int64_t own = clockfit__own(f, shown(w, t)), other = clockfit__other(f, t);

		assert_true(own >= last);
		assert_true(other >= forth);
		last = own;
		forth = other;
		if (llabs(own - t) > most)
			most = llabs(own - t);
	}
	return most;
}

static struct world even(double rate)
{
	return (struct world){.rate = rate,
			      .ahead = 86400 * S,
			      .least = 20 * US,
			      .jitter = 30 * US,
			      .slow = 1,
			      .state = 88172645463325252u};
}

static void drift(void **state)
{
	static const double rates[] = {0, 1e-6, -20e-6, 50e-6, 100e-6, -200e-6};

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct world w = even(rates[i]);
		struct clockfit_samples s = {0};
		struct clockfit f = {0};
		int64_t off;

		measure(&w, &s, S, 300 * S, S);
		assert_int_equal(clockfit__solve(&f, &s), 0);
		off = worst(&w, &f, S, 300 * S);
		assert_true(off <= (int64_t)f.error_ns);
		assert_true(
			f.error_ns <
			40000); /* the quickest round trips took 42 us; one shift for all would be off by 30 ms */
		assert_true(off < 10000);
		assert_true(fabs(f.rate - rates[i]) < 1e-6);
		assert_int_equal(f.steps, 0);
		assert_int_equal(f.left_out, 0);
		clockfit__free(&f);
		clockfit__forget(&s);
	}
}

/* An hour in which the rate goes up and down by 2 ppm: no line fits. */
static void wander(void **state)
{
	struct world w = even(30e-6);
	struct clockfit_samples s = {0};
	struct clockfit f = {0};

	(void)state;
	w.swing = 2e-6;
	w.period_s = 1200;
	measure(&w, &s, S, 3600 * S, S / 2);
	assert_int_equal(clockfit__solve(&f, &s), 0);
	assert_true(s.n <= CLOCKFIT_SAMPLES);
	assert_true(worst(&w, &f, S, 3600 * S) <= (int64_t)f.error_ns);
	assert_true(f.error_ns < 50000);
	assert_true(worst(&w, &f, S, 3600 * S) < 25000);
	assert_true(f.least_rate <= 28e-6 + 1e-7 && f.most_rate >= 32e-6 - 1e-7);
	clockfit__free(&f);
	clockfit__forget(&s);
}

static void stands_still(void **state)
{
	static const int64_t steps[] = {3600 * S, 100000000, -7 * S}; /* < 0: the first host sleeps */

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct world w = even(40e-6);
		struct clockfit_samples s = {0};
		struct clockfit f = {0};

		w.step_at = 50 * S + S / 3;
		w.step_ns = steps[i];
		/* Nobody answers while one sleeps. */
		measure(&w, &s, S, 50 * S, S);
		measure(&w, &s, 50 * S + S / 3 + (steps[i] > 0 ? steps[i] : 0),
			150 * S + (steps[i] > 0 ? steps[i] : 0), S);
		assert_int_equal(clockfit__solve(&f, &s), 0);
		assert_int_equal(f.steps, 1);
		assert_true(llabs(f.step[0].ns + steps[i]) <
			    S / 5); /* what it would have gained meanwhile is not told from it */
		assert_true(f.error_ns < 60000);
		assert_true(worst(&w, &f, S, 49 * S) <= (int64_t)f.error_ns);
		assert_true(worst(&w, &f, 52 * S + (steps[i] > 0 ? steps[i] : 0),
				  150 * S + (steps[i] > 0 ? steps[i] : 0)) <= (int64_t)f.error_ns);
		clockfit__free(&f);
		clockfit__forget(&s);
	}
}

/* One measurement that cannot be: the others hold. */
static void one_is_wrong(void **state)
{
	struct world w = even(-15e-6);
	struct clockfit_samples s = {0};
	struct clockfit f = {0};

	(void)state;
	measure(&w, &s, S, 60 * S, S);
	s.at[20].lo += S;
	s.at[20].hi += S;
	assert_int_equal(clockfit__solve(&f, &s), 0);
	assert_int_equal(f.left_out, 1);
	assert_int_equal(f.steps, 0);
	assert_true(worst(&w, &f, S, 60 * S) <= (int64_t)f.error_ns);
	assert_true(f.error_ns < 60000);
	clockfit__free(&f);
	clockfit__forget(&s);
}

static void slow_back(void **state)
{
	struct world w = even(25e-6);
	struct clockfit_samples s = {0};
	struct clockfit f = {0};

	(void)state;
	w.slow = 4; /* one way 20 us, the other 80 */
	measure(&w, &s, S, 100 * S, S);
	assert_int_equal(clockfit__solve(&f, &s), 0);
	assert_true(worst(&w, &f, S, 100 * S) <= (int64_t)f.error_ns);
	assert_true(f.error_ns < 110000);
	clockfit__free(&f);
	clockfit__forget(&s);
}

static void few(void **state)
{
	struct clockfit_samples s = {0};
	struct clockfit f = {0};

	(void)state;
	assert_int_equal(clockfit__solve(&f, &s), -ENODATA);
	assert_int_equal(clockfit__own(&f, 77), 77);
	assert_int_equal(clockfit__add(&s, 10 * S, 5 * S - 100, 5 * S + 300), 0);
	assert_int_equal(clockfit__solve(&f, &s), 0);
	assert_int_equal(f.error_ns, 200);
	assert_int_equal(clockfit__other(&f, 0), 5 * S + 100);
	assert_int_equal(clockfit__own(&f, 20 * S), 15 * S - 100);
	/* A bad one beside it changes nothing, and a clock that cannot be told from the own one is that. */
	assert_int_equal(clockfit__add(&s, 11 * S, 4 * S, 6 * S), 0);
	assert_int_equal(clockfit__solve(&f, &s), 0);
	assert_int_equal(clockfit__other(&f, 0), 5 * S + 100);
	clockfit__forget(&s);
	assert_int_equal(clockfit__add(&s, 10 * S, -900, 300), 0);
	assert_int_equal(clockfit__add(&s, 12 * S, -100, 900), 0);
	assert_int_equal(clockfit__solve(&f, &s), 0);
	assert_int_equal(clockfit__other(&f, 11 * S), 11 * S);
	/* What no clock shows is not taken. */
	assert_int_equal(clockfit__add(&s, INT64_MAX, 0, 1), 0);
	assert_int_equal(clockfit__add(&s, 0, INT64_MIN, INT64_MAX), 0);
	assert_int_equal(clockfit__add(&s, 0, 2, 1), 0);
	assert_int_equal(s.n, 2);
	clockfit__free(&f);
	clockfit__forget(&s);
}

/* Whatever the clocks and the line do: no time runs back, no bound is broken, and the error said holds. */
static void random_worlds(void **state)
{
	int n = getenv("PROCOPE_QUICK") ? 40 : 200;

	(void)state;
	for (int seed = 1; seed <= n; seed++) {
		struct world w = {.state = (uint64_t)seed * 0x9e3779b97f4a7c15u};
		struct clockfit_samples s = {0};
		struct clockfit f = {0};
		int64_t length, off;

		w.rate = ((double)(any(&w) % 2001) - 1000) * 2e-7;
		w.ahead = (int64_t)(any(&w) % (uint64_t)(1000000 * S)) - 500000 * S;
		w.least = (int64_t)(1000 + any(&w) % 300000);
		w.jitter = (int64_t)(any(&w) % 1000000);
		w.slow = 1 + (double)(any(&w) % 100) / 50;
		length = (int64_t)(2 + any(&w) % 300) * S;
		measure(&w, &s, 1000000 * S, 1000000 * S + length, S / (int64_t)(1 + any(&w) % 4));
		assert_int_equal(clockfit__solve(&f, &s), 0);
		off = worst(&w, &f, f.knot[0].own, f.knot[f.n - 1].own);
		if (off > (int64_t)f.error_ns + 2 || f.steps || f.left_out)
			fail_msg("seed %d: off by %lld ns, said %llu, %u steps, %zu left out", seed,
				 (long long)off, (unsigned long long)f.error_ns, f.steps, f.left_out);
		for (size_t i = 0; i < s.n; i++) {
			int64_t d = clockfit__other(&f, s.at[i].at) - s.at[i].at;

			if (d < s.at[i].lo - 2 || d > s.at[i].hi + 2)
				fail_msg("seed %d: a bound is broken", seed);
		}
		clockfit__free(&f);
		clockfit__forget(&s);
	}
}

/* Bounds that no clocks have made: any answer, but times that do not run back. */
static void nonsense(void **state)
{
	struct world w = {.state = 77};

	(void)state;
	for (int round = 0; round < 100; round++) {
		struct clockfit_samples s = {0};
		struct clockfit f = {0};

		for (int i = 0; i < 50; i++) {
			int64_t at = (int64_t)(any(&w) >> (1 + any(&w) % 60)),
				lo = (int64_t)any(&w) >> any(&w) % 60;

			assert_int_equal(clockfit__add(&s, at, lo, lo + (int64_t)(any(&w) % 100000)), 0);
		}
		if (clockfit__solve(&f, &s) == 0) {
			int64_t last = INT64_MIN, t = 0;

			for (int i = 0; i < 5000; i++, t += (int64_t)(any(&w) >> (20 + any(&w) % 40))) {
				int64_t own = clockfit__own(&f, t);

				assert_true(own >= last);
				last = own;
			}
		}
		clockfit__free(&f);
		clockfit__forget(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drift),	 cmocka_unit_test(wander),    cmocka_unit_test(stands_still),
		cmocka_unit_test(one_is_wrong),	 cmocka_unit_test(slow_back), cmocka_unit_test(few),
		cmocka_unit_test(random_worlds), cmocka_unit_test(nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
