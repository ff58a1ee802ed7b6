// SPDX-License-Identifier: BSD-2-Clause
#include "apps/hashmap/options.h"

#include <stdio.h>

static const char usage_text[] =
	"Usage: dsmrun -n NODES hashmap [OPTION]...     or     hashmap --sequential [OPTION]...\n"
	"A hash table that all nodes share: each key is added twice, by nodes in turn, each time in a "
	"transaction; then\n"
	"all keys, and as many that are not there, are looked up. Checked: each key has its count and "
	"sum.\n\n"
	"      --size N          keys (default 10000)\n"
	"      --layout natural  an array of pointers to chains of entries, and a count of all entries, "
	"which every\n"
	"                        new key changes (the default)\n"
	"      --layout tuned    buckets of one page each that hold their entries, a part of them at home on "
	"each "
	"node,\n"
	"                        which alone adds to it; what others have for it comes in batches, and "
	"look-ups "
	"bring\n"
	"                        all pages of a part at once\n"
	"      --sequential      run hashmap-sequential: one process, the same table, no DSM linked\n"
	"      --json            print the result as one JSON object (schema procope.hashmap/1)\n"
	"  -h, --help            this text\n"
	"      --version         version\n\n"
	"Exit code: 0; 1 a key is missing or wrong, or the result could not be written; 2 bad usage.\n";

int hashmap_options__read(struct hashmap_options *o, const struct app *app, int argc, char **argv,
			  int *status)
{
	*o = (struct hashmap_options){.common.size = 10000};
	const struct app_option table[] = {
		APP_COMMON_OPTIONS(&o->common, 1l << 32),
		{0},
	};

	return app_options__read(app, usage_text, table, argc, argv, status);
}

void tally__look(struct tally *tally, const struct table *t, long k, long keys)
{
	uint64_t key = key__make((uint64_t)k);
	const struct value *v = table__find(t, key);

	if (k >= keys) {
		tally->absent += !v;
		return;
	}
	if (!v)
		return;
	uint64_t all[] = {key, v->count, v->sum};
	tally->found++;
	tally->wrong += !value__right(v, k, keys);
	tally->hash += app__hash(APP_HASH, all, sizeof(all));
}

int hashmap_result__print(const struct hashmap_result *r, const struct hashmap_options *o)
{
	long n = o->common.size;
	const struct app_result head = {"hashmap",    n, o->common.layout, r->nodes, r->insert + r->look_up,
					r->tally.hash};
	bool correct = r->tally.found == n && r->tally.absent == n && !r->tally.wrong;

	app_result__print(&head, o->common.json);
	if (o->common.json)
		printf(",\"insert_seconds\":%.6f,\"look_up_seconds\":%.6f,\"found\":%ld,\"wrong\":%ld,"
		       "\"absent\":%ld,"
		       "\"correct\":%s}\n",
		       r->insert, r->look_up, r->tally.found, r->tally.wrong, r->tally.absent,
		       correct ? "true" : "false");
	else
		printf("%ld keys added in %.3f s, looked up in %.3f s: %ld found, %ld of them wrong, %ld of "
		       "%ld others "
		       "absent%s\n",
		       n, r->insert, r->look_up, r->tally.found, r->tally.wrong, r->tally.absent, n,
		       correct ? "" : " (NOT RIGHT)");
	return correct ? 0 : 1;
}
