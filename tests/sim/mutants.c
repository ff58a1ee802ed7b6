/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mutants.c - does the simulator bite? Breaks the protocol in each of the ways of hooks.h, one at a time,
 * and demands that some seed of the first 500 shows it. The right-hand side tells how soon the history
 * alone shows it, without a look into the cores: that is what dsmverify could see in a real run.
 */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdlib.h>

#define SEEDS	      500u
#define SEEDS_HISTORY 150u

static const struct {
	const char *name, *what;
} mutants[] = {{"none", "the protocol as it is"},
#define X(name, what) {#name, what},
	       CORE_MUTANTS_LIST(X)
#undef X
};

/* The first seed that shows the active mutant, 0 if none does. */
static uint64_t hunt(struct world *w, uint64_t seeds, bool history_only)
{
	struct run run = {.history_only = history_only};
	struct totals t = {0};

	for (run.seed = 1; run.seed <= seeds; run.seed++)
		if (!world__run(w, &run, &t))
			return run.seed;
	return 0;
}

int main(void)
{
	unsigned i, missed = 0, by_history = 0;
	struct world w, h;
	uint64_t seed, history;

	for (i = CORE_MUTANT_none + 1; i < CORE_MUTANT_COUNT; i++) {
		core_mutant_active = (enum core_mutant)i;
		seed = hunt(&w, SEEDS, false);
		history = getenv("PROCOPE_QUICK") ? 0 : hunt(&h, SEEDS_HISTORY, true);
		missed += !seed;
		by_history += history != 0;
		printf("%-26s ", mutants[i].name);
		if (!seed)
			printf("NOT FOUND in %u seeds: %s\n", SEEDS, mutants[i].what);
		else
			printf("seed %3" PRIu64 " (%s)", seed, world__kind(w.kind));
		if (seed && history)
			printf("; looking from outside: seed %" PRIu64 " (%s)", history, world__kind(h.kind));
		if (seed)
			printf(": %s\n", w.failure);
	}
	printf("%u mutants, %u found, %u of them from outside too\n", i - 1, i - 1 - missed, by_history);
	return missed != 0;
}
