/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>

#include "analyzer/gate_stats.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct gate_rule rule = {.margin = 0.05, .alpha = 0.05};

static void near(double a, double b, double tolerance)
{
	if (!(fabs(a - b) <= tolerance))
		fail_msg("%.12g is not %.12g (+- %g)", a, b, tolerance);
}

/* Against printed tables of Student's t (one-sided). */
static void t_quantiles(void **state)
{
	(void)state;
	near(gate_t__quantile(0.95, 1), 6.313752, 1e-5);
	near(gate_t__quantile(0.95, 2), 2.919986, 1e-5);
	near(gate_t__quantile(0.95, 4), 2.131847, 1e-5);
	near(gate_t__quantile(0.975, 10), 2.228139, 1e-5);
	near(gate_t__quantile(0.995, 30), 2.749996, 1e-5);
	near(gate_t__quantile(0.95, 1e6), 1.644854, 1e-5);
	near(gate_t__quantile(0.5, 7), 0, 1e-9);
	near(gate_t__quantile(0.05, 4), -2.131847, 1e-5);
	for (double df = 0.7; df < 300; df *= 1.7)
		for (double p = 0.001; p < 1; p += 0.0499)
			near(gate_t__cdf(gate_t__quantile(p, df), df), p, 1e-9);
}

/* Welch's t by hand: logs 0,1,2 against 2,4,6: d = 3, se = sqrt(1/3 + 4/3), df = (5/3)^2/(1/18 + 16/18). */
static void interval(void **state)
{
	double a[3] = {1, exp(1), exp(2)}, b[3] = {exp(2), exp(4), exp(6)};
	double se = sqrt(5.0 / 3), df = (25.0 / 9) / (17.0 / 18), half = se * gate_t__quantile(0.95, df);
	struct gate_result r;

	(void)state;
	assert_int_equal(gate__judge(a, 3, b, 3, &rule, &r), 0);
	near(r.se, se, 1e-12);
	near(r.df, df, 1e-12);
	near(log(r.ratio), 3, 1e-12);
	near(log(r.low), 3 - half, 1e-9);
	near(log(r.high), 3 + half, 1e-9);
	near(r.baseline.geomean, exp(1), 1e-9);
	near(r.candidate.log_sd, 2, 1e-9);
}

static void three_verdicts(void **state)
{
	static const double base[] = {0.100, 0.102, 0.099, 0.101, 0.100};
	static const double same[] = {0.101, 0.099, 0.100, 0.102, 0.100};
	static const double worse[] = {0.121, 0.119, 0.120, 0.122, 0.118};
	static const double better[] = {0.081, 0.079, 0.080, 0.082, 0.078};
	static const double wild[] = {0.05, 0.20, 0.09, 0.15, 0.08};
	static const double slightly[] = {0.103, 0.105, 0.102, 0.104, 0.103}; /* 3 % worse, within 5 % */
	struct gate_result r;

	(void)state;
	assert_int_equal(gate__judge(base, 5, same, 5, &rule, &r), 0);
	assert_int_equal(r.verdict, GATE_PASS);
	gate__judge(base, 5, worse, 5, &rule, &r);
	assert_int_equal(r.verdict, GATE_REGRESSION);
	near(r.ratio, 1.195, 0.005);
	gate__judge(base, 5, better, 5, &rule, &r);
	assert_int_equal(r.verdict, GATE_PASS);
	gate__judge(base, 5, wild, 5, &rule, &r);
	assert_int_equal(r.verdict, GATE_INCONCLUSIVE);
	assert_false(r.significant);
	gate__judge(base, 5, slightly, 5, &rule, &r);
	assert_int_equal(r.verdict, GATE_PASS);
	assert_true(r.significant); /* worse for sure, but by less than is tolerated */
	assert_int_equal(GATE_PASS, 0);
	assert_int_equal(GATE_REGRESSION, 1);
	assert_int_equal(GATE_INCONCLUSIVE, 3);
}

/* Work per second: higher is better, and turning both sides of the ratio around changes nothing else. */
static void higher_is_better(void **state)
{
	static const double base[] = {500, 510, 495, 505}, slow[] = {400, 410, 395, 405};
	double inv_base[4], inv_slow[4];
	struct gate_rule up = rule;
	struct gate_result r, inverse;

	(void)state;
	up.higher_is_better = true;
	gate__judge(base, 4, slow, 4, &up, &r);
	assert_int_equal(r.verdict, GATE_REGRESSION);
	near(r.ratio, 0.8, 0.005);
	near(r.limit, 1 / 1.05, 1e-12);
	assert_true(r.low < r.ratio && r.ratio < r.high && r.high < r.limit);
	for (int i = 0; i < 4; i++) {
		inv_base[i] = 1 / base[i];
		inv_slow[i] = 1 / slow[i];
	}
	gate__judge(inv_base, 4, inv_slow, 4, &rule, &inverse);
	near(inverse.low, 1 / r.high, 1e-9);
	near(inverse.high, 1 / r.low, 1e-9);
	gate__judge(slow, 4, base, 4, &up, &r);
	assert_int_equal(r.verdict, GATE_PASS);
}

static void too_few_runs(void **state)
{
	static const double a[] = {1, 1.1, 0.9, 1}, b[] = {9, 9.1, 8.9, 9};
	struct gate_result r;

	(void)state;
	for (size_t n = 1; n < GATE_MIN_RUNS; n++) {
		assert_int_equal(gate__judge(a, n, b, 4, &rule, &r), 0);
		assert_int_equal(r.verdict, GATE_INCONCLUSIVE);
		assert_false(r.judged);
		assert_int_equal(gate__judge(a, 4, b, n, &rule, &r), 0);
		assert_int_equal(r.verdict, GATE_INCONCLUSIVE);
	}
	gate__judge(a, 3, b, 3, &rule, &r);
	assert_int_equal(r.verdict, GATE_REGRESSION);
}

static void no_spread(void **state)
{
	static const double zero[] = {0, 0, 0}, tenth[] = {0.1, 0.1, 0.1}, some[] = {0.02, 0.02, 0.02};
	struct gate_rule floored = rule, sharp = rule;
	struct gate_result r;

	(void)state;
	floored.floor = 0.001;
	gate__judge(tenth, 3, tenth, 3, &rule, &r);
	assert_int_equal(r.verdict, GATE_PASS);
	near(r.ratio, 1, 0);
	near(r.se, 0, 0);
	gate__judge(zero, 3, zero, 3, &floored, &r);
	assert_int_equal(r.verdict, GATE_PASS);
	near(r.baseline.geomean, 0, 1e-15);
	gate__judge(zero, 3, some, 3, &floored, &r);
	assert_int_equal(r.verdict, GATE_REGRESSION);
	sharp.margin = 0; /* exactly at the limit: nobody can say */
	gate__judge(tenth, 3, tenth, 3, &sharp, &r);
	assert_int_equal(r.verdict, GATE_INCONCLUSIVE);
	assert_int_equal(r.runs_wanted, 0);
	assert_int_equal(gate__judge(zero, 3, tenth, 3, &rule, &r), -EDOM);
}

/* Far below the floor nothing counts: 1 abort in a million against 9 is nobody's regression. */
static void floor_hides_trifles(void **state)
{
	static const double a[] = {1e-6, 1.1e-6, 0.9e-6, 1e-6}, b[] = {9e-6, 9.1e-6, 8.9e-6, 9e-6};
	struct gate_rule floored = rule;
	struct gate_result r;

	(void)state;
	gate__judge(a, 4, b, 4, &rule, &r);
	assert_int_equal(r.verdict, GATE_REGRESSION);
	floored.floor = 0.001;
	gate__judge(a, 4, b, 4, &floored, &r);
	assert_int_equal(r.verdict, GATE_PASS);
}

static void recommended_runs(void **state)
{
	static const double base[] = {0.100, 0.110, 0.090, 0.105}, cand[] = {0.115, 0.125, 0.105, 0.120};
	static const double close[] = {0.105, 0.1155, 0.0945, 0.11025}; /* exactly the margin */
	struct gate_result r;

	(void)state;
	gate__judge(base, 4, cand, 4, &rule, &r);
	assert_int_equal(r.verdict, GATE_INCONCLUSIVE);
	assert_true(r.runs_wanted > 4 && r.runs_wanted < 100);
	gate__judge(base, 4, close, 4, &rule, &r);
	assert_int_equal(r.verdict, GATE_INCONCLUSIVE);
	assert_int_equal(r.runs_wanted, 0);
}

static void bad_values_and_rules(void **state)
{
	static const double a[] = {1, 2, 3}, nan_[] = {1, NAN, 3}, inf_[] = {1, INFINITY, 3},
			    neg[] = {1, -2, 3};
	struct gate_rule bad;
	struct gate_result r;

	(void)state;
	assert_int_equal(gate__judge(a, 3, nan_, 3, &rule, &r), -EDOM);
	assert_int_equal(gate__judge(inf_, 3, a, 3, &rule, &r), -EDOM);
	assert_int_equal(gate__judge(a, 3, neg, 3, &rule, &r), -EDOM);
	bad = rule, bad.alpha = 0.5;
	assert_int_equal(gate__judge(a, 3, a, 3, &bad, &r), -EINVAL);
	bad = rule, bad.alpha = NAN;
	assert_int_equal(gate__judge(a, 3, a, 3, &bad, &r), -EINVAL);
	bad = rule, bad.margin = -0.01;
	assert_int_equal(gate__judge(a, 3, a, 3, &bad, &r), -EINVAL);
	bad = rule, bad.floor = -1;
	assert_int_equal(gate__judge(a, 3, a, 3, &bad, &r), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(t_quantiles),		cmocka_unit_test(interval),
		cmocka_unit_test(three_verdicts),	cmocka_unit_test(higher_is_better),
		cmocka_unit_test(too_few_runs),		cmocka_unit_test(no_spread),
		cmocka_unit_test(floor_hides_trifles),	cmocka_unit_test(recommended_runs),
		cmocka_unit_test(bad_values_and_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
