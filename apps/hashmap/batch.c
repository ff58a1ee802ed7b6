// SPDX-License-Identifier: BSD-2-Clause
#include "apps/hashmap/batch.h"

#include <dsm.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apps/common/parts.h"

#define BATCH	 (1l << 15) /* additions, of one node */
#define LOOK_UPS 4096l	    /* in one transaction */

struct addition {
	uint64_t key, amount;
};

/* What one node has for all the others, in the order of the places. */
struct outbox {
	long begin[DSM_PAGE_SIZE / sizeof(long)]; /* where a node's begin; ends where the next one's do */
	struct addition addition[BATCH];
};
_Static_assert(ROWS_NODES < DSM_PAGE_SIZE / sizeof(long), "the outbox has a beginning for each node");

/* This node's additions of one turn: where each goes in the outbox, and where each node's begin there. */
struct batch {
	long first, count;
	long *at;	/* of a place */
	uint32_t *slot; /* of an addition */
	long begin[ROWS_NODES + 1];
};

static long own_first(const struct table *t, int node)
{
	return rows__block((long)t->places, t->pages.nodes, node);
}

/* What this node's look-ups are about: its part of the table. No other node names it, so under sc and rc its lock stays
 * here. */
static void *own(const struct table *t)
{
	long first = own_first(t, dsm_node());

	return rows__at(&t->pages, first < (long)t->places ? first : 0);
}

/* Operations first, first + nodes ... of all 2 * keys: sorts them by place, and so by part. */
static void collect(struct batch *b, const struct table *t, long keys, long first)
{
	long step = dsm_nodes(), rest = first < 2 * keys ? (2 * keys - first + step - 1) / step : 0, sum = 0;

	b->first = first;
	b->count = rest < BATCH ? rest : BATCH;
	memset(b->at, 0, (t->places + 1) * sizeof(*b->at));
	for (long i = 0; i < b->count; i++) {
		b->slot[i] = (uint32_t)table__first(t, key__of(first + i * step, keys));
		b->at[b->slot[i]]++;
	}
	for (uint64_t place = 0; place <= t->places; place++) {
		long here = b->at[place];
		b->at[place] = sum;
		sum += here;
	}
	for (int node = 0; node <= dsm_nodes(); node++)
		b->begin[node] = b->at[own_first(t, node)];
	for (long i = 0; i < b->count; i++)
		b->slot[i] = (uint32_t)b->at[b->slot[i]]++;
}

static void publish(const struct batch *b, long keys, struct outbox *box)
{
	DSM_TX_INDEPENDENT {
		memcpy(box->begin, b->begin, sizeof(b->begin));
		for (long i = 0; i < b->count; i++) {
			long k = b->first + i * dsm_nodes();
			box->addition[b->slot[i]] = (struct addition){key__of(k, keys), (uint64_t)k + 1};
		}
	}
}

/* Additions to this node's part. A table that is full is found when all keys are looked up. */
static void take(const struct table *t, const struct addition *from, long count)
{
	DSM_TX_FOR_INDEPENDENT(i, 0, count) {
		table__add(t, from[i].key, from[i].amount);
		dsm_progress(1);
	}
}

static void take_from(const struct table *t, const struct outbox *box)
{
	long range[2];

	DSM_TX_INDEPENDENT {
		memcpy(range, &box->begin[dsm_node()], sizeof(range));
		if (range[0] < range[1])
			dsm_touch(&box->addition[range[0]],
				  (size_t)(range[1] - range[0]) * sizeof(struct addition), DSM_READ);
	}
	take(t, &box->addition[range[0]], range[1] - range[0]);
}

static void exchange(struct batch *b, const struct table *t, const struct outboxes *boxes, long keys,
		     const struct app *app)
{
	int me = dsm_node(), nodes = dsm_nodes();

	/* Two outboxes by turns: who is at a barrier has taken what came before the last one. So between two barriers nobody
	 * reads the box that is written, or writes one that is read, and all blocks here are independent. */
	for (long turn = 0, done = 0; done < 2 * keys; turn++, done += BATCH * nodes) {
		collect(b, t, keys, done + me);
		publish(b, keys, (struct outbox *)boxes->of[me] + turn % 2);
		dsm_barrier();
		for (int d = 0; d < nodes; d++)
			take_from(t, (struct outbox *)boxes->of[(me + d) % nodes] + turn % 2);
		app__progress(app, (double)done / (double)(4 * keys), "added");
	}
}

void batch__open(struct outboxes *boxes)
{
	parts__share("outbox", dsm_new_flat(struct outbox, 2), boxes->of);
}

int batch__add_all(const struct table *t, const struct outboxes *boxes, long keys, const struct app *app)
{
	struct batch b = {.at = malloc((t->places + 1) * sizeof(*b.at)),
			  .slot = malloc(BATCH * sizeof(*b.slot))};
	int rc = -ENOMEM;

	if (!b.at || !b.slot)
		goto out;
	exchange(&b, t, boxes, keys, app);
	rc = 0;
out:
	free(b.at);
	free(b.slot);
	return rc;
}

/* The others' parts, all their pages at once. */
static void bring(const struct table *t)
{
	for (int d = 1; d < dsm_nodes(); d++) {
		int node = (dsm_node() + d) % dsm_nodes();
		long buckets = own_first(t, node + 1) - own_first(t, node);
		if (buckets)
			DSM_TX_READ_ON(own(t)) {
				dsm_touch(rows__at(&t->pages, own_first(t, node)),
					  (size_t)buckets * sizeof(struct bucket), DSM_READ);
			}
	}
}

struct tally batch__look_up_all(const struct table *t, long keys, const struct app *app)
{
	struct tally tally = {0};
	long step = dsm_nodes();

	bring(t);
	for (long first = dsm_node(); first < 2 * keys; first += LOOK_UPS * step) {
		long end = first + LOOK_UPS * step < 2 * keys ? first + LOOK_UPS * step : 2 * keys;
		DSM_TX_READ_ON(own(t)) {
			for (long k = first; k < end; k += step)
				tally__look(&tally, t, k, keys);
		}
		dsm_progress((uint64_t)((end - first + step - 1) / step));
		app__progress(app, (double)(2 * keys + first) / (double)(4 * keys), "looked up");
	}
	app__progress_end(app);
	return tally;
}
