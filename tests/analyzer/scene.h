/* SPDX-License-Identifier: BSD-2-Clause */
/* scene.h - a small world of synthetic records, whose truth is known, for the tests of reports and of advice. */
#ifndef PROCOPE_TESTS_ANALYZER_SCENE_H
#define PROCOPE_TESTS_ANALYZER_SCENE_H

#include "analyzer/report.h"
#include "tests/analyzer/feed.h"

/* The objects' types: compiled into the test with debug information, which the analyzer reads. */
struct walker {
	double x, y;
	uint64_t steps;
	uint64_t padding[3];
};

struct tally_of_node {
	uint64_t count, sum;
};

struct shared {
	uint64_t total;
};

#define WALKER	sizeof(struct walker)
#define NOWHERE ((struct dsm_ev_ip){0, 0}) /* an access whose instruction nobody saw */

const char *scene__path(const char *name);
/* Four nodes, as the runtime tells of them; types 1..3 and sites 1..3 on each. */
void scene__start(struct feed *f, uint64_t seed);
/* The same of a run under `sc` or `rc`. */
void scene__start_in(struct feed *f, uint64_t seed, enum dsm_ev_consistency consistency);
/* Node `a` commits changes of [from, to) of a page, for which node `b` aborts, seen under the microscope. */
void scene__meet(struct feed *f, uint64_t number, unsigned a, unsigned b, unsigned page, uint32_t from,
		 uint32_t to, uint32_t other_from, uint32_t other_to, bool reads);
void scene__report(struct report *r, struct report_options *o, const char *const *trace);
const struct row *scene__row(const struct report *r, const char *object, enum verdict v);
double scene__sum(const struct ledger *b);
/* `walkers` at page 1: 24 elements of 48 bytes, node n owns 6n .. 6n+5; four tallies on page 2, one a node;
 * the total on page 3. */
void scene__plant(struct feed *f, unsigned rounds);
const struct advice *scene__advice_for(const struct report *r, const char *object);
const struct advice *scene__advice_of(const struct report *r, enum advice_kind kind);
bool scene__noted(const struct report *r, const char *words);

/* For cmocka_run_group_tests(): the folder that scene__path() is about. */
int scene__make_folder(void **state);
int scene__remove_folder(void **state);

#endif
