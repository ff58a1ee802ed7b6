/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * node_undo.c - a loop that can be undone, beside one that has promised that it need not be, and the same loop on plain memory.
 *
 * All nodes do the same thing at the same time, since they share caches and memory: the ways take turns, a barrier before
 * each block. A sample is one sweep, a page that it writes. Nobody shares a page, so the loop's commits send nothing. An
 * ordinary transaction closes what independent ones have written in place: that, and opening it again, falls into the first
 * sweeps of the blocks, which are not counted.
 */
#include "dsmcore/bench/node.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "dsmcore/bench/floor_undo.h"

#define SWEEPS	   8   /* a block; the first is not counted */
#define WARM	   200 /* the loop learns its chunk, its rows and its rights */
#define PAGE_COUNT ((uint64_t)((UNDO_ROWS - 2) * UNDO_PAGES))

static const char *const names[UNDO_WAYS] = {"bare", "twins", "rights", "pieces"};

struct arrays {
	double *cells[2];
	int second;
	bool independent;
};

static double *row_of(const struct arrays *a, int second, long row)
{
	return a->cells[second] + row * UNDO_ROW;
}

static void relax(const struct arrays *a, long row)
{
	int to = a->second, from = !to;

	floor_undo__row(row_of(a, to, row), row_of(a, from, row - 1), row_of(a, from, row),
			row_of(a, from, row + 1));
}

static void dsm_sweep(struct arrays *a)
{
	if (a->independent)
		DSM_TX_FOR_INDEPENDENT(row, 1, UNDO_ROWS - 1)
			relax(a, row);
	else
		DSM_TX_FOR(row, 1, UNDO_ROWS - 1)
			relax(a, row);
	a->second = !a->second;
}

static void prepare(struct arrays *a, bool independent)
{
	*a = (struct arrays){.independent = independent};
	for (int k = 0; k < 2; k++) {
		a->cells[k] = dsm_new_flat(double, UNDO_ROWS *UNDO_ROW);
		DSM_TX_FOR(row, 0, UNDO_ROWS) {
			for (long j = 0; j < UNDO_ROW; j++)
				row_of(a, k, row)[j] = (double)((row * UNDO_ROW + j) * 31 % 1000) * 1e-9;
		}
	}
	for (int i = 0; i < WARM; i++)
		dsm_sweep(a);
}

static void dsm_block(struct arrays *a, struct taken *t)
{
	dsm_barrier();
	for (int i = 0; i < SWEEPS; i++) {
		uint64_t start = floor__now();

		dsm_sweep(a);
		if (i)
			taken__add(t, (floor__now() - start) / PAGE_COUNT);
	}
}

static void floor_block(struct floor_undo *u, struct taken *t)
{
	dsm_barrier();
	for (int i = 0; i < SWEEPS; i++) {
		uint64_t start = floor__now();
		int rc = floor_undo__sweep(u);

		if (rc)
			node__fail("rights of plain memory: %s", strerror(-rc));
		if (i)
			taken__add(t, (floor__now() - start) / PAGE_COUNT);
	}
}

/* Without pieces of 2 MiB three ways are left; the nodes of one machine agree on that. */
static int open_ways(struct floor_undo **ways)
{
	int n = 0;

	for (; n < UNDO_WAYS; n++) {
		int rc = floor_undo__open(&ways[n], (enum undo_way)n);

		if (rc == -ENOTSUP && n == UNDO_PIECES)
			break;
		if (rc)
			node__fail("plain memory: %s", strerror(-rc));
	}
	return n;
}

/* All nodes must stop at the same block, so only a count ends it, not the clock. */
int node_undo__main(const struct options *o)
{
	struct floor_undo *ways[UNDO_WAYS];
	struct taken bare[UNDO_WAYS], dsm[2];
	struct arrays a[2]; /* the second one's loop is independent */
	int n = open_ways(ways);

	for (int k = 0; k < 2; k++) {
		prepare(&a[k], k);
		taken__open(&dsm[k], o->count);
	}
	for (int i = 0; i < n; i++)
		taken__open(&bare[i], o->count);
	for (unsigned done = 0; done < o->count; done += SWEEPS - 1) {
		for (int k = 0; k < 2; k++)
			dsm_block(&a[k], &dsm[k]);
		for (int i = 0; i < n; i++)
			floor_block(ways[i], &bare[i]);
		if (dsm_node() == 0)
			node__progress((double)done / o->count);
	}
	dsm_barrier();
	for (int k = 0; k < 2; k++) {
		if (dsm_node() == 0)
			taken__print(&dsm[k], k ? "independent" : "tx", "-");
		taken__close(&dsm[k]);
	}
	for (int i = 0; i < n; i++) {
		if (dsm_node() == 0)
			taken__print(&bare[i], names[i], "-");
		taken__close(&bare[i]);
		floor_undo__close(ways[i]);
	}
	return 0;
}
