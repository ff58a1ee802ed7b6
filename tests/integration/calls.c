/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calls: pages that come from another node within calls of dsm.h; calls.sh looks for the calls' lines (marked) in the report.
 * Many rounds, so that pages are fetched again and again.
 */
#include <stdlib.h>

#include <dsm.h>

#define ROUNDS 60
#define LONGS  2048
#define PAGES  61

static long *all, *pages;

static void root_round(long round)
{
	if (dsm_node() == 0)
		dsm_root_set("moving", all + round % 8);
	dsm_barrier();
	if (dsm_node() == 1 && dsm_root("moving") != all + round % 8) /* root */
		exit(1);
	dsm_barrier();
	if (dsm_node() == 1)
		dsm_root_set("other", all + round % 4);
	dsm_barrier();
}

static void peek_round(long round)
{
	long seen = 0,
	     *at = pages + 512 * (round * 23 % PAGES); /* at no equal distances: nothing is prefetched */

	if (dsm_node() == 0)
		DSM_TX
			*at = round;
	dsm_barrier();
	if (dsm_node() == 1)
		dsm_peek(&seen, at, sizeof(seen)); /* peek */
	if (dsm_node() == 1 && seen != round)
		exit(1);
	dsm_barrier();
}

/* Memory that was used before is cleared when it is given again: its pages are elsewhere by then. */
static void new_round(void)
{
	static long *mine;

	if (dsm_node() == 1) {
		mine = dsm_new_flat(long, LONGS); /* new */
		DSM_TX
			for (int i = 0; i < LONGS; i += 64)
				mine[i] = 1;
		dsm_root_set("mine", mine);
	}
	dsm_barrier();
	if (dsm_node() == 0) {
		long *theirs = dsm_root("mine");

		DSM_TX
			for (int i = 0; i < LONGS; i += 64)
				theirs[i]++;
	}
	dsm_barrier();
	if (dsm_node() == 1)
		dsm_free(mine);
	dsm_barrier();
}

int main(void)
{
	if (dsm_node() == 0) {
		dsm_root_set("all", dsm_new_flat(long, LONGS));
		dsm_root_set("pages", dsm_new_flat(long, 512 * PAGES));
	}
	dsm_barrier();
	all = dsm_root("all");
	pages = dsm_root("pages");
	for (long round = 0; round < ROUNDS; round++) {
		root_round(round);
		peek_round(round);
		new_round();
	}
	return 0;
}
