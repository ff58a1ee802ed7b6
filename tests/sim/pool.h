/* SPDX-License-Identifier: BSD-2-Clause */
/* pool.h - many seeds on all cores. */
#ifndef SIM_POOL_H
#define SIM_POOL_H

#include <stdatomic.h>
#include <stddef.h>

#include "tests/sim/sim.h"

#define POOL_SHOWN 10u /* failures; with so many the rest of the seeds is not run */

struct pool_failure {
	bool crashed; /* the worker itself: nothing but the seed and the text is known */
	enum world_kind world;
	char profile[16];
	uint32_t nodes, pages;
	enum fail kind;
	char text[512];
};

struct pool_options {
	uint64_t first, last; /* seeds */
	uint32_t jobs;	      /* processes; 1: this one */
	struct run run;	      /* all but the seed and the kind of world */
	unsigned kinds;	      /* of worlds: a bit for each enum world_kind */
	bool progress;	      /* a bar on stderr, which is a terminal */
	/* Called in this process, once a failure. */
	void (*failed)(const struct pool_options *o, uint64_t seed, const struct pool_failure *what);
};

uint32_t pool__cores(void);
/* Runs all the seeds. Returns how many failed, or -errno; totals and coverage hold the sums. */
int pool__run(const struct pool_options *o, struct totals *totals);

#endif
