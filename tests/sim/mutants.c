/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mutants.c - does the simulator bite? Breaks the protocol in each of the ways of hooks.h, one at a time,
 * and demands that some seed of the first 500 shows it. "history alone" tells how soon it shows without a
 * look into the cores: that is what dsmverify can see of a real run. (What breaks only progress or a priority
 * leaves no trace in a history.)
 */
#include "tests/sim/sim.h"

#include <inttypes.h>

#define SEEDS	      500u
#define SEEDS_HISTORY 200u

static const struct {
	const char *name, *what;
} mutants[] = {{"none", "the protocol as it is"},
#define X(name, what) {#name, what},
	       CORE_MUTANTS_LIST(X)
#undef X
};

/* The first seed that shows the active mutant, in any of its worlds, 0 if none does; history: in the history. */
static uint64_t hunt(struct world *w, uint64_t seeds, bool history)
{
	struct run run = {.history_only = history};
	struct totals t = {0};

	for (run.seed = 1; run.seed <= seeds; run.seed++) {
		run.world = WORLD_TX;
		if (!world__run(w, &run, &t) && (!history || w->kind == FAIL_HISTORY))
			return run.seed;
		run.world = WORLD_SYNC;
		if (!history && !world__run(w, &run, &t))
			return run.seed;
		run.world = WORLD_BLOCKS;
		if (!history && !world__run(w, &run, &t))
			return run.seed;
	}
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
		history = world__quick() ? 0 : hunt(&h, SEEDS_HISTORY, true);
		missed += !seed;
		by_history += history != 0;
		printf("%-26s ", mutants[i].name);
		if (!seed)
			printf("NOT FOUND in %u seeds: %s\n", SEEDS, mutants[i].what);
		else
			printf("seed %3" PRIu64 " (%s)", seed, world__kind(w.kind));
		if (seed && history)
			printf(", history alone: seed %3" PRIu64, history);
		if (seed)
			printf(": %s\n", w.failure);
	}
	printf("%u mutants, %u found", i - 1, i - 1 - missed);
	if (by_history)
		printf(", %u of them by the history alone", by_history);
	printf("\n");
	return missed != 0;
}
