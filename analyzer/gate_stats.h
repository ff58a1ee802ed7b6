/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gate_stats.h - is the candidate worse than the baseline? The statistics of dsmgate; pure.
 *
 * The unit is the run. Transactions of one run share its timing, its placement and its luck, so they
 * are no independent trials: a test that pools them sees thousands of samples where there are a few
 * runs, and raises a false alarm in a third of all comparisons of a program with itself. So each run
 * gives one number, and only the spread between runs says how sure a difference is.
 *
 * Method. x = log(value + floor) of each run; d = mean(candidate) - mean(baseline), turned so that
 * positive is worse; its confidence interval from Welch's t (the two sides may differ in spread and in
 * number of runs). Against one limit, log(1 + margin):
 *     interval wholly above the limit -> regression   (wrong in at most alpha of the cases)
 *     interval wholly below the limit -> pass         (wrong in at most alpha of the cases)
 *     otherwise                       -> inconclusive
 * Both bounds are one-sided at 1 - alpha, so the interval printed is a two-sided 1 - 2 alpha one. The
 * logarithm makes "10 % worse" the same step everywhere and tames the long tail that abort rates have.
 *
 * B. L. Welch, "The generalization of Student's problem when several different population variances are
 * involved", Biometrika 34 (1947); F. E. Satterthwaite, Biometrics Bulletin 2 (1946), for the degrees
 * of freedom; D. J. Schuirmann, J. Pharmacokinet. Biopharm. 15 (1987), for deciding by two one-sided
 * bounds.
 */
#ifndef PROCOPE_GATE_STATS_H
#define PROCOPE_GATE_STATS_H

#include <stdbool.h>
#include <stddef.h>

#define GATE_MIN_RUNS	3    /* of each side: fewer say nothing about the spread between runs */
#define GATE_RUNS_LIMIT 1000 /* more are never recommended */

enum gate_verdict { GATE_PASS = 0, GATE_REGRESSION = 1, GATE_INCONCLUSIVE = 3 }; /* the exit codes */

struct gate_rule {
	double margin; /* 0.05: up to 5 % worse is tolerated */
	double alpha;  /* chance of each kind of wrong verdict, 0 < alpha < 0.5 */
	double floor;  /* added to each value: differences far below it do not count */
	bool higher_is_better;
};

struct gate_side {
	size_t n;
	double geomean; /* of the values, the floor taken off again */
	double log_sd;	/* of log(value + floor) between runs: 0.05 is about 5 % */
	double least, most;
};

struct gate_result {
	enum gate_verdict verdict;
	struct gate_side baseline, candidate;
	bool judged;		 /* false: too few runs, the fields below mean nothing */
	double ratio, low, high; /* candidate / baseline with its interval */
	double limit;		 /* the ratio at which the margin ends */
	double se, df;		 /* of the log ratio; df 0 when no run differed from another */
	bool significant;	 /* the interval leaves 1 out, on the worse side */
	size_t runs_wanted; /* inconclusive: runs a side that would settle it in 4 of 5 cases; 0: unknown,
			       or more than GATE_RUNS_LIMIT */
};

/* Judges n_base and n_cand values, one a run. Returns 0, -EDOM when a value is not finite or value +
 * floor is not positive (bad values must be refused before: they are no measurements), or -EINVAL for a
 * rule out of range. Thread-safe. */
int gate__judge(const double *base, size_t n_base, const double *cand, size_t n_cand,
		const struct gate_rule *rule, struct gate_result *out);

/* Student's t: the distribution and its quantile, for df > 0 (not only whole) and 0 < p < 1. */
double gate_t__cdf(double t, double df);
double gate_t__quantile(double p, double df);

#endif
