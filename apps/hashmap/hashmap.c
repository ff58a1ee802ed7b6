// SPDX-License-Identifier: BSD-2-Clause
/*
 * hashmap.c - inserts and look-ups in one table that all nodes share.
 *
 * Natural: each operation is a transaction; no two nodes' operations have an order, and the result does not depend on it.
 * Nodes meet where keys happen to fall, and pages and locks go to and fro with each operation. Tuned: the table is cut
 * into parts that one node changes each, and operations travel in batches (batch.h).
 */
#include <dsm.h>

#include "apps/common/parts.h"
#include "apps/common/sequential.h"
#include "apps/hashmap/batch.h"
#include "apps/hashmap/options.h"

static struct entry *make_entry(void)
{
	return dsm_new(struct entry, 1); /* beside the other entries of the node that adds the key */
}

static void open_table(struct table *t, const struct hashmap_options *o)
{
	uint64_t buckets = table__buckets(o->common.layout, o->common.size);

	*t = (struct table){.make = make_entry, .places = buckets};
	if (o->common.layout == APP_TUNED) {
		t->pages = (struct rows){.order = ROWS_BLOCK,
					 .count = (long)buckets,
					 .nodes = dsm_nodes(),
					 .pitch = sizeof(struct bucket)};
		parts__rows("buckets", &t->pages, parts__new(struct bucket, &t->pages));
		return;
	}
	if (dsm_node() == 0)
		DSM_TX {
			struct chains *chains = dsm_new(struct chains, 1);
			*chains = (struct chains){.buckets = buckets,
						  .bucket = dsm_new_flat(struct entry *, buckets)};
			dsm_root_set("table", chains);
		}
	dsm_barrier();
	t->chains = dsm_root("table");
	DSM_TX_READ {
		t->heads = t->chains->bucket;
	}
}

/* Under sc and rc 64 neighbouring chains, which are eight bytes each, have a lock, and the count of all entries another. */
#define CHAINS_A_LOCK 64u
static void add(const struct table *t, uint64_t key, uint64_t amount)
{
	uint64_t place = table__first(t, key);

	DSM_TX_ON(table__place(t, place - place % CHAINS_A_LOCK)) {
		if (table__add_at(t, place, key, amount) == TABLE_MADE)
			DSM_TX_ON(&t->chains->used) {
				t->chains->used++;
			}
	}
}

static void add_all(const struct table *t, long keys, const struct app *app)
{
	for (long i = dsm_node(); i < 2 * keys; i += dsm_nodes()) {
		add(t, key__of(i, keys), (uint64_t)i + 1);
		dsm_progress(1);
		app__progress(app, (double)i / (double)(4 * keys), "added");
	}
}

/* Nobody adds any more, so a lock is for the form only: one that no other node names. */
static struct tally look_up_all(const struct table *t, long keys, const struct app *app)
{
	struct tally tally = {0};

	for (long k = dsm_node(); k < 2 * keys; k += dsm_nodes()) {
		DSM_TX_READ_ON(table__place(t, (uint64_t)dsm_node() % t->places)) {
			tally__look(&tally, t, k, keys);
		}
		dsm_progress(1);
		app__progress(app, (double)(2 * keys + k) / (double)(4 * keys), "looked up");
	}
	app__progress_end(app);
	return tally;
}

/* All nodes' tallies together, on every node. */
static struct tally add_up(struct tally *all, const struct tally *mine)
{
	struct tally sum;

	DSM_TX {
		all->found += mine->found;
		all->wrong += mine->wrong;
		all->absent += mine->absent;
		all->hash += mine->hash;
	}
	dsm_barrier();
	dsm_peek(&sum, all, sizeof(sum));
	return sum;
}

int main(int argc, char **argv)
{
	struct app app = {.name = "hashmap", .speaks = dsm_node() == 0};
	struct hashmap_result r = {.nodes = dsm_nodes()};
	struct hashmap_options o;
	struct outboxes boxes;
	struct table t;
	int status;

	if (hashmap_options__read(&o, &app, argc, argv, &status))
		return status;
	if (o.common.sequential)
		return app__run_sequential(&app, dsm_nodes(), argv);
	if (dsm_node() == 0)
		dsm_root_set("tally", dsm_new(struct tally, 1));
	bool tuned = o.common.layout == APP_TUNED;
	open_table(&t, &o);
	if (tuned)
		batch__open(&boxes);
	dsm_barrier();

	dsm_phase("first");
	double start = app__now();
	if (!tuned)
		add_all(&t, o.common.size, &app);
	else if (batch__add_all(&t, &boxes, o.common.size, &app))
		return app__bad(&app, "no memory for %ld keys: take a smaller --size", o.common.size);
	dsm_barrier();
	r.insert = app__now() - start;
	dsm_phase("steady");
	struct tally mine =
		tuned ? batch__look_up_all(&t, o.common.size, &app) : look_up_all(&t, o.common.size, &app);
	dsm_barrier();
	r.look_up = app__now() - start - r.insert;
	dsm_phase("result");
	r.tally = add_up(dsm_root("tally"), &mine);
	if (dsm_node() == 0)
		status = hashmap_result__print(&r, &o);
	return app__end(&app, status);
}
