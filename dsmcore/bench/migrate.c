/* SPDX-License-Identifier: BSD-2-Clause */
/* migrate.c - a page that one node writes and another reads, with a home that moves, and the same with one that stays. */
#include "dsmcore/bench/bench.h"

#include <json-c/json.h>

#define NODES 3

static struct json_object *figure(const struct options *o, const struct results *r)
{
	struct json_object *f =
		figure__json("migrate", o->transport, NODES, "", results__series(r, "migrate", "", NODES),
			     results__series(r, "wire", "", NODES));

	json_object_object_add(f, "migration", json_object_new_boolean(!o->no_migration));
	json_object_object_add(f, "updates", json_object_new_boolean(!o->no_updates));
	json__number(f, "messages", results__number(r, "messages"), 2);
	json__number(f, "homes_moved", results__number(r, "moved"), 0);
	json__number(f, "write_us", series__quantile(results__series(r, "write", "", NODES), 0.5), 3);
	json__number(f, "read_us", series__quantile(results__series(r, "read", "", NODES), 0.5), 3);
	return f;
}

/* One of the two; the samples of the one that moves are numbered 1, of the other 0. */
static int once(const struct options *o, bool stay, struct results *r, struct json_object **out)
{
	struct results part = {0};
	struct options one = *o;
	int rc;

	one.no_migration = stay;
	rc = launch__nodes(&one, NODES, &part, stay ? "migrate, staying" : "migrate, moving");
	if (!rc && results__merge(r, &part, !stay))
		rc = BENCH_FAILED;
	if (!rc)
		*out = figure(&one, &part);
	results__free(&part);
	return rc;
}

int migrate__run(const struct options *o, struct results *r, struct json_object **out)
{
	struct json_object *moves = NULL, *stays = NULL, *also;
	int rc = once(o, false, r, &moves);

	if (!rc)
		rc = once(o, true, r, &stays);
	if (rc) {
		json_object_put(moves);
		return rc;
	}
	also = json_object_new_array();
	json_object_array_add(also, stays);
	json_object_object_add(moves, "also", also);
	*out = moves;
	return 0;
}
