/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunks MODE SECONDS: loops whose number of iterations in a transaction was badly chosen by hand. Each mode checks its
 * result; chunks.sh asks the report for a better number.
 *	fine	each node counts in its own table and commits after each iteration
 *	coarse	all nodes count in one table and commit after ten thousand
 *	locked	all nodes count in one table, in a critical section for each iteration (sc and rc)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dsm.h>

#include "tests/work.h"

#define CELLS 64
#define LOOP  20000

static void fine(long *own, long from, long to)
{
	DSM_TX_FOR_EVERY(i, from, to, 1) {
		own[work__mix((unsigned long)i, 60) % CELLS]++;
		dsm_progress(1);
	}
}

static void coarse(long *shared, long from, long to)
{
	DSM_TX_FOR_EVERY(i, from, to, 10000) {
		shared[work__mix((unsigned long)i, 100) % CELLS]++;
		dsm_progress(1);
	}
}

static void locked(long *shared, long from, long to)
{
	DSM_TX_FOR_EVERY(i, from, to, 1) {
		shared[work__mix((unsigned long)i, 100) % CELLS]++;
		dsm_progress(1);
	}
}

static long total(const long *table)
{
	long cells[CELLS], sum = 0;

	dsm_peek(cells, table, sizeof(cells));
	for (int i = 0; i < CELLS; i++)
		sum += cells[i];
	return sum;
}

int main(int argc, char **argv)
{
	const char *mode = argc == 3 ? argv[1] : "";
	void (*run)(long *, long, long) = !strcmp(mode, "fine")	    ? fine
					  : !strcmp(mode, "coarse") ? coarse
					  : !strcmp(mode, "locked") ? locked
								    : NULL;
	long *shared, *own, *done, sum = 0, n;
	double end;

	if (!run)
		return fprintf(stderr, "chunks: no mode %s\n", mode), 2;
	own = dsm_new_flat(long, CELLS);
	if (!dsm_node()) {
		dsm_root_set("shared", dsm_new_flat(long, CELLS));
		dsm_root_set("done", dsm_new_flat(long, 512 * (size_t)dsm_nodes()));
	}
	dsm_barrier();
	shared = dsm_root("shared");
	done = dsm_root("done");
	end = work__now() + atof(argv[2]);
	for (n = 0; work__now() < end; n += LOOP)
		run(run == fine ? own : shared, n, n + LOOP);
	DSM_TX
		done[512 * dsm_node()] = n;
	dsm_barrier();
	for (int k = 0; k < dsm_nodes(); k++) {
		dsm_peek(&n, &done[512 * k], sizeof(n));
		sum += run != fine || k == dsm_node() ? n : 0;
	}
	if (total(run == fine ? own : shared) != sum)
		return fprintf(stderr, "chunks: node %d: %ld counted, not %ld\n", dsm_node(),
			       total(run == fine ? own : shared), sum),
		       1;
	dsm_barrier();
	return 0;
}
