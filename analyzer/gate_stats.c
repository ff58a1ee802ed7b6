/* SPDX-License-Identifier: BSD-2-Clause */
#include "analyzer/gate_stats.h"

#include <errno.h>
#include <math.h>

#define SETTLE_POWER 0.8 /* the recommended number of runs settles it so often */

/* ---- Student's t ---- */

/* The continued fraction of the incomplete beta function (modified Lentz), for x < (a+1)/(a+b+2). */
static double beta_fraction(double a, double b, double x)
{
	const double tiny = 1e-300;
	double c = 1, d = 1 - (a + b) * x / (a + 1), h;

	d = 1 / (fabs(d) < tiny ? tiny : d);
	h = d;
	for (int m = 1; m < 500; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
		double step;

		d = 1 + even * d;
		c = 1 + even / c;
		d = 1 / (fabs(d) < tiny ? tiny : d);
		c = fabs(c) < tiny ? tiny : c;
		h *= d * c;
		d = 1 + odd * d;
		c = 1 + odd / c;
		d = 1 / (fabs(d) < tiny ? tiny : d);
		c = fabs(c) < tiny ? tiny : c;
		step = d * c;
		h *= step;
		if (fabs(step - 1) < 1e-15)
			break;
	}
	return h;
}

/* Regularised incomplete beta function I_x(a, b). */
static double beta_share(double a, double b, double x)
{
	double front;

	if (x <= 0)
		return 0;
	if (x >= 1)
		return 1;
	front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
	if (x < (a + 1) / (a + b + 2))
		return front * beta_fraction(a, b, x) / a;
	return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double gate_t__cdf(double t, double df)
{
	double square = t * t, half;

	/* the one of two equal forms that loses no digits: near the middle, or in the tails */
	if (square < df)
		half = 0.5 * beta_share(0.5, df / 2, square / (df + square));
	else
		half = 0.5 - 0.5 * beta_share(df / 2, 0.5, df / (df + square));
	return t > 0 ? 0.5 + half : 0.5 - half;
}

static double density(double t, double df)
{
	return exp(lgamma((df + 1) / 2) - lgamma(df / 2) - 0.5 * log(df * M_PI) -
		   (df + 1) / 2 * log1p(t * t / df));
}

/* Newton's steps, kept within a bracket that shrinks: few where they work, safe where they do not. */
double gate_t__quantile(double p, double df)
{
	double low = -1, high = 1, t = 0;

	while (gate_t__cdf(low, df) > p && low > -1e12)
		low *= 4;
	while (gate_t__cdf(high, df) < p && high < 1e12)
		high *= 4;
	for (int i = 0; i < 100; i++) {
		double error = gate_t__cdf(t, df) - p, step = error / density(t, df);

		if (error > 0)
			high = t;
		else
			low = t;
		if (fabs(step) <= 1e-13 * (1 + fabs(t)))
			break;
		t = t - step > low && t - step < high ? t - step : (low + high) / 2;
	}
	return t;
}

/* ---- the two sides ---- */

struct logs {
	double mean, variance; /* of log(value + floor); variance of one run, not of the mean */
};

static int summarise(const double *v, size_t n, double floor, struct gate_side *side, struct logs *l)
{
	double sum = 0, squares = 0;

	*side = (struct gate_side){.n = n};
	*l = (struct logs){0};
	for (size_t i = 0; i < n; i++) {
		if (!isfinite(v[i]) || v[i] + floor <= 0)
			return -EDOM;
		sum += log(v[i] + floor);
		side->least = !i || v[i] < side->least ? v[i] : side->least;
		side->most = !i || v[i] > side->most ? v[i] : side->most;
	}
	if (!n)
		return 0;
	l->mean = sum / (double)n;
	for (size_t i = 0; i < n; i++) {
		double d = log(v[i] + floor) - l->mean;

		squares += d * d;
	}
	/* equal values must give no spread at all, in spite of the mean's rounding */
	l->variance = n > 1 && side->most > side->least ? squares / (double)(n - 1) : 0;
	side->log_sd = sqrt(l->variance);
	side->geomean = exp(l->mean) - floor;
	if (side->geomean < side->least) /* rounding again */
		side->geomean = side->least;
	if (side->geomean > side->most)
		side->geomean = side->most;
	return 0;
}

/* Welch and Satterthwaite: standard error of the difference of the means and its degrees of freedom. */
static double standard_error(double var_a, double n_a, double var_b, double n_b, double *df)
{
	double a = var_a / n_a, b = var_b / n_b, sum = a + b;

	*df = sum > 0 ? sum * sum / (a * a / (n_a - 1) + b * b / (n_b - 1)) : 0;
	return sqrt(sum);
}

static enum gate_verdict decide(double low, double high, double limit)
{
	return low > limit ? GATE_REGRESSION : high < limit ? GATE_PASS : GATE_INCONCLUSIVE;
}

static bool settles(double distance, double var_a, double var_b, size_t n, double alpha)
{
	double df, se = standard_error(var_a, (double)n, var_b, (double)n, &df);

	return distance > se * (gate_t__quantile(1 - alpha, df) + gate_t__quantile(SETTLE_POWER, df));
}

/* How many runs a side would put an interval around the same estimate, with the same spread, clear of
 * the limit in SETTLE_POWER of the cases: the least n that settles it, by bisection. */
static size_t runs_wanted(double distance, double var_a, double var_b, size_t have, double alpha)
{
	size_t low = have, high = GATE_RUNS_LIMIT;

	if (have >= high || !settles(distance, var_a, var_b, high, alpha))
		return 0;
	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (settles(distance, var_a, var_b, mid, alpha))
			high = mid;
		else
			low = mid;
	}
	return high;
}

int gate__judge(const double *base, size_t n_base, const double *cand, size_t n_cand,
		const struct gate_rule *rule, struct gate_result *out)
{
	double sign = rule->higher_is_better ? -1 : 1, worse, limit, half;
	struct logs b, c;
	int rc;

	if (!(rule->margin >= 0 && rule->margin <= 10) || !(rule->alpha > 0 && rule->alpha < 0.5) ||
	    !(rule->floor >= 0))
		return -EINVAL;
	*out = (struct gate_result){.verdict = GATE_INCONCLUSIVE};
	rc = summarise(base, n_base, rule->floor, &out->baseline, &b);
	if (!rc)
		rc = summarise(cand, n_cand, rule->floor, &out->candidate, &c);
	if (rc)
		return rc;
	limit = log1p(rule->margin);
	out->limit = exp(sign * limit);
	if (n_base < GATE_MIN_RUNS || n_cand < GATE_MIN_RUNS)
		return 0;
	worse = sign * (c.mean - b.mean);
	out->judged = true;
	out->se = standard_error(b.variance, (double)n_base, c.variance, (double)n_cand, &out->df);
	half = out->se > 0 ? out->se * gate_t__quantile(1 - rule->alpha, out->df) : 0;
	out->verdict = decide(worse - half, worse + half, limit);
	out->significant = worse - half > 0;
	out->ratio = exp(sign * worse);
	out->low = exp(sign * worse - half);
	out->high = exp(sign * worse + half);
	if (out->verdict == GATE_INCONCLUSIVE && out->se > 0)
		out->runs_wanted = runs_wanted(fabs(worse - limit), b.variance, c.variance,
					       n_base > n_cand ? n_base : n_cand, rule->alpha);
	return 0;
}
