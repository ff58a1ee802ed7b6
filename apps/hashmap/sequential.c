// SPDX-License-Identifier: BSD-2-Clause
/* sequential.c - the hash table in one process with private memory: the yardstick. Links no DSM. */
#include <stdlib.h>

#include "apps/hashmap/options.h"

static struct entry *make_entry(void)
{
	return calloc(1, sizeof(struct entry));
}

static bool open_table(struct table *t, struct chains *chains, const struct hashmap_options *o)
{
	uint64_t buckets = table__buckets(o->common.layout, o->common.size);

	*t = (struct table){.make = make_entry, .places = buckets};
	if (o->common.layout == APP_TUNED) {
		t->pages = (struct rows){.count = (long)buckets, .nodes = 1, .pitch = sizeof(struct bucket)};
		t->pages.part[0] = calloc(buckets, sizeof(struct bucket));
		return t->pages.part[0];
	}
	*chains = (struct chains){.buckets = buckets, .bucket = calloc(buckets, sizeof(struct entry *))};
	t->chains = chains;
	t->heads = chains->bucket;
	return chains->bucket;
}

static void close_table(struct table *t)
{
	free(t->pages.part[0]);
	for (uint64_t i = 0; t->chains && i < t->chains->buckets; i++)
		for (struct entry *e = t->chains->bucket[i], *next; e; e = next) {
			next = e->next;
			free(e);
		}
	if (t->chains)
		free(t->chains->bucket);
}

int main(int argc, char **argv)
{
	struct app app = {.name = "hashmap-sequential", .speaks = true};
	struct hashmap_result r = {.nodes = 0};
	struct hashmap_options o;
	struct chains chains;
	struct table t;
	int status;

	if (hashmap_options__read(&o, &app, argc, argv, &status))
		return status;
	long keys = o.common.size;
	if (!open_table(&t, &chains, &o))
		return app__bad(&app, "no memory for %ld keys: take a smaller --size", keys);
	double start = app__now();
	for (long i = 0; i < 2 * keys; i++) {
		if (!table__add(&t, key__of(i, keys), (uint64_t)i + 1)) {
			close_table(&t);
			return app__bad(&app, "no memory for %ld keys: take a smaller --size", keys);
		}
		app__progress(&app, (double)(i + 1) / (double)(4 * keys), "added");
	}
	r.insert = app__now() - start;
	for (long k = 0; k < 2 * keys; k++) {
		tally__look(&r.tally, &t, k, keys);
		app__progress(&app, (double)(2 * keys + k + 1) / (double)(4 * keys), "looked up");
	}
	app__progress_end(&app);
	r.look_up = app__now() - start - r.insert;
	status = hashmap_result__print(&r, &o);
	close_table(&t);
	return app__end(&app, status);
}
