/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does the gate keep its promise? Thousands of comparisons of simulated programs whose truth is known,
 * seeded, so that the counts are the same on every machine with the same libm.
 *
 * A simulated run has a probability of its own that an attempt aborts: beta-distributed around the
 * program's, with an intra-run correlation rho of 0.001 to 0.005 as measured between runs of one
 * program. Its transactions then abort independently. That is exactly what makes pooling wrong.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "analyzer/gate_stats.h"

#define TRIALS 3000
#define RUNS   40

static uint64_t rng;

static uint64_t next(void) /* splitmix64 */
{
	uint64_t z = (rng += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static double uniform(void)
{
	return ((double)(next() >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
	return sqrt(-2 * log(uniform())) * cos(2 * M_PI * uniform());
}

static double gamma_draw(double shape) /* Marsaglia and Tsang (2000), shape >= 1 */
{
	double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);

	for (;;) {
		double x = normal(), v = 1 + c * x;

		if (v <= 0)
			continue;
		v = v * v * v;
		if (log(uniform()) < 0.5 * x * x + d - d * v + d * log(v))
			return d * v;
	}
}

static double binomial(double n, double p) /* n p is large here: normal with the right variance */
{
	double k = floor(n * p + sqrt(n * p * (1 - p)) * normal() + 0.5);

	return k < 0 ? 0 : k > n ? n : k;
}

/* One run: aborts of `attempts`, given the program's probability. */
static double run(double attempts, double p, double rho)
{
	double total = (1 - rho) / rho, a = gamma_draw(p * total), b = gamma_draw((1 - p) * total);

	return binomial(attempts, a / (a + b));
}

struct setup {
	const char *name;
	int n_base, n_cand;
	double rho_base, rho_cand;
	double change; /* true ratio of aborts per commit */
	double margin;
};

struct shares {
	double pass, regression, pooled;
};

static struct shares simulate(const struct setup *s)
{
	const double attempts = 5000, apc = 0.2;
	const struct gate_rule rule = {.margin = s->margin, .alpha = 0.05, .floor = 0};
	struct shares out = {0};

	rng = 20261122;
	for (int t = 0; t < TRIALS; t++) {
		double base[RUNS], cand[RUNS], sum[2] = {0, 0}, p0 = apc / (1 + apc);
		double p1 = apc * s->change / (1 + apc * s->change), all, z;
		struct gate_result r;

		for (int i = 0; i < s->n_base; i++) {
			double aborts = run(attempts, p0, s->rho_base);

			base[i] = aborts / (attempts - aborts);
			sum[0] += aborts;
		}
		for (int i = 0; i < s->n_cand; i++) {
			double aborts = run(attempts, p1, s->rho_cand);

			cand[i] = aborts / (attempts - aborts);
			sum[1] += aborts;
		}
		if (gate__judge(base, (size_t)s->n_base, cand, (size_t)s->n_cand, &rule, &r))
			return (struct shares){NAN, NAN, NAN};
		out.pass += r.verdict == GATE_PASS;
		out.regression += r.verdict == GATE_REGRESSION;
		/* what a gate that pools would say: the two-proportion test on all attempts, one-sided 5 % */
		all = (sum[0] + sum[1]) / (attempts * (s->n_base + s->n_cand));
		z = (sum[1] / (attempts * s->n_cand) - sum[0] / (attempts * s->n_base)) /
		    sqrt(all * (1 - all) / attempts * (1.0 / s->n_base + 1.0 / s->n_cand));
		out.pooled += z > 1.644854;
	}
	out.pass /= TRIALS;
	out.regression /= TRIALS;
	out.pooled /= TRIALS;
	return out;
}

static int failures, checks;

static void expect(const char *what, const char *name, double share, double least, double most)
{
	checks++;
	if (share >= least && share <= most)
		return;
	failures++;
	printf("FAILED: %s: %s in %.4f of %d comparisons, not in %.3f to %.3f\n", name, what, share, TRIALS,
	       least, most);
}

/* alpha and three standard deviations of a count of TRIALS */
#define AT_MOST_ALPHA (0.05 + 3 * sqrt(0.05 * 0.95 / TRIALS))

static void false_alarms(void)
{
	static const struct setup setups[] = {
		{"3 runs, rho 0.001", 3, 3, 0.001, 0.001, 1, 0},
		{"3 runs, rho 0.005", 3, 3, 0.005, 0.005, 1, 0},
		{"5 runs, rho 0.001", 5, 5, 0.001, 0.001, 1, 0},
		{"5 runs, rho 0.002", 5, 5, 0.002, 0.002, 1, 0},
		{"5 runs, rho 0.005", 5, 5, 0.005, 0.005, 1, 0},
		{"10 runs, rho 0.001", 10, 10, 0.001, 0.001, 1, 0},
		{"10 runs, rho 0.005", 10, 10, 0.005, 0.005, 1, 0},
		{"3 against 12 runs", 3, 12, 0.002, 0.002, 1, 0},
		{"12 against 4 runs", 12, 4, 0.002, 0.002, 1, 0},
		{"unlike spreads", 6, 6, 0.001, 0.005, 1, 0},
		{"at the margin of 5 %", 8, 8, 0.002, 0.002, 1.05, 0.05},
		{"at the margin of 20 %", 8, 8, 0.002, 0.002, 1.2, 0.2},
	};
	double worst = 0, pooled = 0;

	for (size_t i = 0; i < sizeof(setups) / sizeof(setups[0]); i++) {
		struct shares s = simulate(&setups[i]);

		/* With no true change beyond the margin both wrong verdicts stay at alpha: "regression"
		 * is one, and at the very margin "pass" is the other. */
		expect("regression, wrongly,", setups[i].name, s.regression, 0.005, AT_MOST_ALPHA);
		expect("pass, wrongly,", setups[i].name, s.pass, 0, AT_MOST_ALPHA);
		worst = fmax(worst, s.regression);
		if (setups[i].change == 1) { /* the simulation bites: the same runs fool a gate that pools */
			expect("pooled alarm", setups[i].name, s.pooled, 0.15, 0.6);
			pooled = fmax(pooled, s.pooled);
		}
	}
	printf("false alarms: at most %.3f in any of the setups (alpha 0.05); a gate that pools: up to "
	       "%.3f\n",
	       worst, pooled);
}

static void the_default_margin(void)
{
	static const struct setup same = {"same program, default margin", 10, 10, 0.001, 0.001, 1, 0.05};
	static const struct setup wide = {"same program, margin 20 %", 10, 10, 0.001, 0.001, 1, 0.2};
	static const struct setup better = {"40 % better", 5, 5, 0.002, 0.002, 0.6, 0.05};
	struct shares s = simulate(&same);

	expect("regression, wrongly,", same.name, s.regression, 0, 0.02);
	s = simulate(&wide);
	expect("pass", wide.name, s.pass, 0.9, 1);
	s = simulate(&better);
	expect("pass", better.name, s.pass, 0.95, 1);
	expect("regression, wrongly,", better.name, s.regression, 0, 0.002);
}

static void power(void)
{
	static const struct setup half = {"50 % worse, 5 runs", 5, 5, 0.001, 0.001, 1.5, 0.05};
	static const struct setup doubled = {"twice as bad, 3 runs", 3, 3, 0.001, 0.001, 2, 0.05};
	static const struct setup noisy = {"50 % worse, 10 noisy runs", 10, 10, 0.005, 0.005, 1.5, 0.05};
	static const struct setup fifth = {"20 % worse, 20 runs", 20, 20, 0.001, 0.001, 1.2, 0.05};

	expect("regression", half.name, simulate(&half).regression, 0.95, 1);
	expect("regression", doubled.name, simulate(&doubled).regression, 0.95, 1);
	expect("regression", noisy.name, simulate(&noisy).regression, 0.85, 1);
	expect("regression", fifth.name, simulate(&fifth).regression, 0.95, 1);
	expect("pass, wrongly,", half.name, simulate(&half).pass, 0, 0.01);
}

/* The number of runs that is recommended does settle about 4 of 5 comparisons. */
static void recommendation(void)
{
	const struct gate_rule rule = {.margin = 0.05, .alpha = 0.05};
	struct setup s = {"recommended runs", 4, 4, 0.001, 0.001, 1.15, 0.05};
	double base[4], cand[4], wanted = 0;
	struct gate_result r;
	struct shares got;

	/* four runs whose logs have just the spread that such runs have: sd of log apc at p = 1/6 */
	double p = 0.2 / 1.2, sd = sqrt((0.001 + 1.0 / 5000) / (p * (1 - p)));

	for (int i = 0; i < 4; i++) {
		double x = sd * (i % 2 ? 1 : -1) * sqrt(3.0 / 4);

		base[i] = 0.2 * exp(x);
		cand[i] = 0.2 * 1.15 * exp(x);
	}
	checks++;
	if (gate__judge(base, 4, cand, 4, &rule, &r) || r.verdict != GATE_INCONCLUSIVE || !r.runs_wanted ||
	    r.runs_wanted > RUNS) {
		failures++;
		printf("FAILED: %zu runs recommended\n", r.runs_wanted);
		return;
	}
	wanted = (double)r.runs_wanted;
	s.n_base = s.n_cand = (int)wanted;
	got = simulate(&s);
	expect("regression", s.name, got.regression, 0.7, 0.92);
	printf("recommended %.0f runs a side; they settle %.3f of the comparisons\n", wanted, got.regression);
}

/* Long-tailed runs (one in ten is slow for reasons of its own): more inconclusive, never more wrong. */
static void long_tails(void)
{
	const struct gate_rule rule = {.margin = 0, .alpha = 0.05};
	double wrong = 0;

	rng = 7;
	for (int t = 0; t < TRIALS; t++) {
		double v[2][6];
		struct gate_result r;

		for (int i = 0; i < 12; i++)
			v[i / 6][i % 6] =
				0.2 * exp(0.05 * normal() + (uniform() < 0.1 ? -log(uniform()) : 0));
		gate__judge(v[0], 6, v[1], 6, &rule, &r);
		wrong += r.verdict == GATE_REGRESSION;
	}
	expect("regression, wrongly,", "long tails", wrong / TRIALS, 0.005, AT_MOST_ALPHA);
}

int main(void)
{
	false_alarms();
	the_default_margin();
	power();
	recommendation();
	long_tails();
	printf("gate simulation: %d checks, %d failed\n", checks, failures);
	return failures ? 1 : 0;
}
