/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clockfit.h - how one host's clock runs against another's, from moments at which their difference is known within bounds.
 *
 * No two quartz clocks run alike (1 to 50 ppm), and their rates move with the temperature, so a difference that is measured
 * once is wrong by milliseconds minutes later. What is known are exchanges of messages: each bounds the difference at a
 * moment, and causality says that the bounds are never wrong (an answer is not there before it was asked for). Duda, Harrus,
 * Haddad and Bernard ("Estimating global time in distributed systems", 1987) put a line through such bounds; here rates may
 * change, so it is a broken line:
 *
 *   1. What rate can the difference have at most and at least, that all bounds can be kept? Any two of them limit it, and
 *      functions of limited rate exist through all bounds as soon as any two bounds can be kept.
 *   2. With these rates each bound reaches as far as it is tighter than what is known there itself: what is left between
 *      the upper and the lower ones is a tunnel, and its middle keeps all bounds and all rates, so no time ever runs back.
 *
 * Where two bounds cannot be kept with any rate that clocks have, a clock has stepped (its host was suspended).
 * Pure; one thread at a time for each object.
 */
#ifndef PROCOPE_CLOCKFIT_H
#define PROCOPE_CLOCKFIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOCKFIT_RATE_MOST                                                                                   \
	500e-6 /* of a difference: two quartzes of 100 ppm, and as much again for a clock being set */
#define CLOCKFIT_SAMPLES 1024 /* kept at most, the best of equal spans of time */

struct clockfit_sample { /* at time `at` of one clock the other one was ahead by lo to hi */
	int64_t at, lo, hi;
};

struct clockfit_samples {
	struct clockfit_sample *at;
	size_t n, room, most; /* most: 0: CLOCKFIT_SAMPLES */
};

/* Keeps it, and forgets worse ones beside it when there are too many; impossible ones are left out. -ENOMEM. */
int clockfit__add(struct clockfit_samples *all, int64_t at, int64_t lo, int64_t hi);
void clockfit__forget(struct clockfit_samples *all);

struct clockfit_knot { /* the same moment on both clocks */
	int64_t own, other;
};

#define CLOCKFIT_STEPS 16
struct clockfit_step {
	int64_t at,
		ns; /* on the own clock; by how much the other one has come nearer (+) or fallen behind (-) */
	int64_t span_ns; /* it was somewhere in this time before `at` */
};

struct clockfit {
	struct clockfit_knot *knot; /* both ascending; between them time runs evenly */
	size_t n;
	double rate; /* of the difference at the ends, and typical: 1e-6 = 1 ppm */
	double least_rate,
		most_rate; /* between which it must have been; equal bounds: not known better than clocks are */
	uint64_t error_ns; /* of the times between the first and the last knot, away from steps: at most */
	size_t used, left_out; /* measurements; left out: contradict those before and after them */
	unsigned steps;	       /* of which step[] has the first */
	struct clockfit_step step[CLOCKFIT_STEPS];
};

/* -ENODATA: no measurement; -ENOMEM. Sorts and thins `all`. The former result in `fit` is replaced: {0} at first. */
int clockfit__solve(struct clockfit *fit, struct clockfit_samples *all);
void clockfit__free(struct clockfit *fit);
/* The own clock when the other showed `other`, and the reverse; never runs back. */
int64_t clockfit__own(const struct clockfit *fit, int64_t other);
int64_t clockfit__other(const struct clockfit *fit, int64_t own);

#endif
