// SPDX-License-Identifier: BSD-2-Clause
#include "apps/tsp/options.h"

#include <limits.h>
#include <stdio.h>

static const char usage_text[] =
	"Usage: dsmrun -n NODES tsp [OPTION]...     or     tsp --sequential [OPTION]...\n"
	"The shortest tour through all cities, by branch and bound: nodes take beginnings of tours from one "
	"queue and\n"
	"search them, all against the shortest length that any has found.\n\n"
	"      --size N          cities, at most 24 (default 14; the work grows fast)\n"
	"      --seed S          other cities (default 1)\n"
	"      --layout natural  queue and bound in one object; a search is one transaction, which reads the "
	"bound\n"
	"                        itself (the default)\n"
	"      --layout tuned    queue and bound on pages of their own; a node takes up to 16 pieces at a "
	"time; a "
	"search is\n"
	"                        no transaction: it asks for the bound before it begins (dsm_peek), and "
	"reports "
	"what it found\n"
	"      --sequential      run tsp-sequential: one process, the same search, no DSM linked\n"
	"      --json            print the result as one JSON object (schema procope.tsp/1)\n"
	"  -h, --help            this text\n"
	"      --version         version\n\n"
	"Exit code: 0; 1 the result is no tour, or could not be written; 2 bad usage.\n";

int tsp_options__read(struct tsp_options *o, const struct app *app, int argc, char **argv, int *status)
{
	*o = (struct tsp_options){.common.size = 14, .seed = 1};
	const struct app_option table[] = {
		APP_COMMON_OPTIONS(&o->common, TOUR_CITIES),
		{"seed", APP_NUMBER, &o->seed, 0, LONG_MAX},
		{0},
	};

	return app_options__read(app, usage_text, table, argc, argv, status);
}

int tsp__finish(const struct tour *t, const struct cities *c, const struct tsp_options *o, long pieces,
		int nodes, double seconds)
{
	/* The length alone: of several tours of that length any may be found. */
	const struct app_result head = {
		"tsp", o->common.size, o->common.layout,
		nodes, seconds,	       app__hash(APP_HASH, &t->length, sizeof(t->length))};
	bool correct = tour__valid(t, c);

	app_result__print(&head, o->common.json);
	if (o->common.json) {
		printf(",\"seed\":%ld,\"length\":%d,\"pieces\":%ld,\"correct\":%s}\n", o->seed, t->length,
		       pieces, correct ? "true" : "false");
		return correct ? 0 : 1;
	}
	printf("shortest tour %d, found in %ld pieces of work:", t->length, pieces);
	for (int i = 0; i < c->n; i++)
		printf(" %d", t->city[i]);
	printf("%s\n", correct ? "" : " (THIS IS NO TOUR OF THAT LENGTH)");
	return correct ? 0 : 1;
}
