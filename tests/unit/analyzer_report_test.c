/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole reports of synthetic traces: objects, fields and classes named, the ledger balanced, advice that
 * removes what is false, leaves alone what is true and costs no more than it must.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "analyzer/proof.h"
#include "analyzer/report.h"
#include "tests/analyzer/feed.h"
#include "tests/analyzer/self.h"

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

static volatile struct walker kept_walker;
static volatile struct tally_of_node kept_tally;
static volatile struct shared kept_shared;

static char folder[] = "/tmp/procope-report-XXXXXX";
static const struct dsm_ev_ip nowhere = {0, 0};

static const char *path(const char *name)
{
	static char text[4][256];
	static int next;
	char *t = text[next++ % 4];

	snprintf(t, 256, "%s/%s", folder, name);
	return t;
}

/* Four nodes, as the runtime tells of them; types 1..3 and sites 1..3 on each. */
static void scene(struct feed *f, uint64_t seed)
{
	struct self self;
	uint32_t offset[3] = {0x1000, 0x2000, 0x3000};

	kept_walker.steps = kept_tally.count + kept_shared.total;
	self__find(&self);
	feed__start(f, 4, seed);
	feed__nodes(f);
	for (unsigned n = 0; n < 4; n++) {
		feed__module(f, n, 1, self.path, self.build_id, self.build_id_len);
		for (uint32_t s = 0; s < 3; s++)
			feed__site(f, n, s + 1, 1, &offset[s], 1);
		feed__type(f, n, 1, "struct walker", sizeof(struct walker), 1);
		feed__type(f, n, 2, "struct tally_of_node", sizeof(struct tally_of_node), 1);
		feed__type(f, n, 3, "struct shared", sizeof(struct shared), 1);
	}
}

/* Node `a` commits changes of [from, to) of a page, for which node `b` aborts, seen under the microscope. */
static void meet(struct feed *f, uint64_t number, unsigned a, unsigned b, unsigned page, uint32_t from,
		 uint32_t to, uint32_t other_from, uint32_t other_to, bool reads)
{
	struct feed_iv winner = {a, number, 0, 3}, loser = {b, number, 0, 3}, retry = {b, number, 1, 3};
	struct feed_meeting m = {page, reads ? 1 : 3, 1, 1};
	struct byteset changed = {0}, touched = {0}, none = {0};

	byteset__add(&changed, from, to);
	byteset__add(&touched, other_from, other_to);
	feed__writes(f, winner, page, &changed, true);
	if (!reads)
		feed__writes(f, loser, page, &touched, false);
	feed__abort(f, loser, winner, DSM_EV_CAUSE_CONFLICT, 1000000, &m, 1, false);
	feed__commit(f, winner, false);
	feed__accesses(f, retry, page, &touched, reads ? &none : &touched, true, nowhere);
	if (!reads)
		feed__writes(f, retry, page, &touched, true);
	feed__commit(f, retry, true);
	byteset__free(&changed);
	byteset__free(&touched);
}

static void make(struct report *r, struct report_options *o, const char *const *trace)
{
	*o = (struct report_options){.traces = trace, .ntraces = 1, .top = 10};
	assert_int_equal(report__make(r, o), 0);
}

static const struct row *find_row(const struct report *r, const char *object, enum verdict v)
{
	for (size_t i = 0; i < r->tally.rows.n; i++) {
		const struct row *row = &r->tally.rows.at[r->rows[i]];
		char name[128];

		names__object(&r->tally, row, name, sizeof(name));
		if (row->key.verdict == v && !strcmp(name, object))
			return row;
	}
	return NULL;
}

static double sum(const struct ledger *b)
{
	double ns = b->other + b->lost + b->remainder;

	for (int v = 0; v < VERDICTS; v++)
		ns += b->verdict[v] + b->estimated[v];
	return ns;
}

#define WALKER sizeof(struct walker)

/* `walkers` at page 1: 24 elements of 48 bytes, node n owns 6n .. 6n+5; four tallies on page 2, one a node;
 * the total on page 3. */
static void plant_world(struct feed *f, unsigned rounds)
{
	for (unsigned n = 0; n < 4; n++)
		feed__object(f, 0, 0x2000 + n * 16, 1, 16, 2, 2, 0);
	feed__object(f, 0, 0x1000, 24, WALKER, 1, 1, 0);
	feed__root(f, 0, 0x1000, "walkers");
	feed__object(f, 0, 0x3000, 1, 8, 3, 3, 0);
	feed__root(f, 0, 0x3000, "total");
	for (unsigned i = 0; i < rounds; i++) {
		unsigned a = i % 4, b = (i + 1 + i / 4 % 3) % 4;
		uint32_t ea = (6 * a + i % 6) * (uint32_t)WALKER, eb = (6 * b + i / 2 % 6) * (uint32_t)WALKER;

		meet(f, 1000 + 10 * i, a, b, 1, ea, ea + 6, eb, eb + 24, false);
		if (i % 2)
			meet(f, 1001 + 10 * i, a, b, 2, 16 * a, 16 * a + 2, 16 * b, 16 * b + 16, false);
		if (i % 5 == 0)
			meet(f, 1002 + 10 * i, a, b, 3, 0, 1, 0, 8, false);
	}
}

static void a_planted_world_is_seen_through(void **state)
{
	const char *trace = path("world.dsmt");
	const struct advice *first = NULL;
	bool tallies = false;
	struct report_options o;
	const struct row *row;
	struct report r;
	struct feed f;

	(void)state;
	scene(&f, 1);
	plant_world(&f, 200);
	feed__shuffle(&f);
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	make(&r, &o, &trace);
	row = find_row(&r, "walkers", VERDICT_FALSE);
	assert_non_null(row);
	assert_string_equal(tally__text(&r.tally, row->key.changed.fields), "x");
	assert_string_equal(tally__text(&r.tally, row->key.touched.fields), "x, y, steps");
	row = find_row(&r, "total", VERDICT_TRUE);
	assert_non_null(row);
	assert_string_equal(tally__text(&r.tally, row->key.changed.fields), "total");
	assert_null(find_row(&r, "total", VERDICT_FALSE));
	assert_null(find_row(&r, "walkers", VERDICT_TRUE));
	assert_non_null(find_row(&r, "4 x struct tally_of_node", VERDICT_FALSE));
	assert_true(r.tally.ledger.verdict[VERDICT_FALSE] == 300e6 &&
		    r.tally.ledger.verdict[VERDICT_TRUE] == 40e6);

	for (size_t i = 0; i < r.advice.all.n; i++) {
		const struct advice *a = &r.advice.all.at[i];
		char name[128];

		model__group_name(&r.model, a->group, name, sizeof(name));
		if (a->kind <= ADVICE_PAD)
			assert_string_not_equal(name, "total");
		if (!strcmp(name, "walkers") && a->kind <= ADVICE_PAD)
			first = a;
		tallies = tallies ||
			  (!strcmp(name, "4 x struct tally_of_node") && a->kind == ADVICE_ISOLATE && a->rule);
		assert_true(!i || a->predicted.ns_per_s <= r.advice.all.at[i - 1].predicted.ns_per_s);
	}
	if (!first)
		fail_msg("no layout for the walkers");
	first = first ? first : &r.advice.all.at[0];	 /* for analysers: fail_msg() does not return */
	assert_int_equal(first->kind, ADVICE_PARTITION); /* cheaper than a page for each of 24 */
	assert_int_equal(first->change.block, 6);
	assert_int_equal(first->change.block_stride, 4096);
	assert_int_equal(first->rule, 1);
	assert_true(tallies);
	assert_true(r.advice.plan_effect.saved_ns == 300e6);
	assert_true(r.advice.plan.rates.aborts_per_commit < r.advice.now.aborts_per_commit / 5);
	report__free(&r);
	feed__free(&f);
}

/* Each transaction meets on two pages, on one of them in two kinds of objects: only all changes together
 * help, and all are named. */
static void several_pages_are_cured_together(void **state)
{
	const char *trace = path("joint.dsmt");
	struct byteset none = {0};
	struct report_options o;
	struct report r;
	struct feed f;

	(void)state;
	scene(&f, 9);
	feed__object(&f, 0, 0x1000, 4, WALKER, 1, 1, 0);
	for (unsigned n = 0; n < 4; n++) {
		feed__object(&f, 0, 0x2000 + n * 16, 1, 16, 2, 2, 0);
		feed__object(&f, 0, 0x2400 + n * 8, 1, 8, 3, 3, 0);
	}
	for (unsigned i = 0; i < 60; i++) {
		unsigned a = i % 4, b = (i + 1 + i / 4 % 3) % 4;
		struct feed_iv winner = {a, 100 + i, 0, 3}, loser = {b, 100 + i, 0, 3};
		struct feed_meeting m[2] = {{1, 3, 1, 1}, {2, 3, 1, 1}};

		for (unsigned page = 1; page <= 2; page++) {
			struct byteset w = {0}, l = {0};

			byteset__add(&w, page == 1 ? a * 48 : a * 16, page == 1 ? a * 48 + 8 : a * 16 + 8);
			byteset__add(&l, page == 1 ? b * 48 : b * 16, page == 1 ? b * 48 + 8 : b * 16 + 8);
			if (page == 2) {
				byteset__add(&w, 0x400 + a * 8, 0x400 + a * 8 + 8);
				byteset__add(&l, 0x400 + b * 8, 0x400 + b * 8 + 8);
			}
			feed__writes(&f, winner, page, &w, true);
			feed__accesses(&f, loser, page, &none, &l, true, nowhere);
			byteset__free(&w);
			byteset__free(&l);
		}
		feed__abort(&f, loser, winner, DSM_EV_CAUSE_CONFLICT, 1000000, m, 2, true);
		feed__commit(&f, winner, false);
	}
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	make(&r, &o, &trace);
	assert_non_null(find_row(&r, "4 x struct tally_of_node", VERDICT_FALSE));
	assert_non_null(find_row(&r, "4 x struct shared", VERDICT_FALSE));
	assert_non_null(find_row(&r, "struct walker[4]", VERDICT_FALSE));
	assert_int_equal(r.advice.all.n, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_true(r.advice.all.at[i].rule != 0);
		assert_true(r.advice.all.at[i].alone_ns <= 0 && r.advice.all.at[i].missed_ns > 0);
		assert_true(r.advice.all.at[i].predicted.ns_per_s > 0);
	}
	assert_true(r.advice.plan_effect.saved_ns == 60e6);
	report__free(&r);
	feed__free(&f);
}

static const struct advice *advice_for(const struct report *r, const char *object)
{
	for (size_t i = 0; i < r->advice.all.n; i++) {
		char name[128];

		model__group_name(&r->model, r->advice.all.at[i].group, name, sizeof(name));
		if (!strcmp(name, object) && r->advice.all.at[i].kind <= ADVICE_PAD)
			return &r->advice.all.at[i];
	}
	return NULL;
}

/* An object whose conflicts are mostly true stays, even where moving it would end some false ones. */
static void what_is_mostly_true_stays(void **state)
{
	const char *trace = path("mostly.dsmt");
	struct report_options o;
	struct report r;
	struct feed f;

	(void)state;
	scene(&f, 11);
	feed__object(&f, 0, 0x1000, 4, WALKER, 1, 1, 0);
	feed__root(&f, 0, 0x1000, "walkers");
	for (unsigned i = 0; i < 90; i++) {
		unsigned a = i % 4, b = (i + 1) % 4;

		meet(&f, 100 + i, a, b, 1, i % 3 ? 0 : a * 48, i % 3 ? 8 : a * 48 + 8, i % 3 ? 0 : b * 48,
		     i % 3 ? 8 : b * 48 + 8, false);
	}
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	make(&r, &o, &trace);
	assert_non_null(find_row(&r, "walkers", VERDICT_FALSE));
	assert_non_null(find_row(&r, "walkers", VERDICT_TRUE));
	assert_null(advice_for(&r, "walkers"));
	report__free(&r);
	feed__free(&f);
}

/* Different objects met on one page: charged to the one that is not truly shared, and one cure is enough. */
static void strangers_on_one_page_are_told_apart(void **state)
{
	const char *trace = path("strangers.dsmt");
	struct report_options o;
	struct report r;
	struct feed f;

	(void)state;
	scene(&f, 12);
	feed__object(&f, 0, 0x1000, 1, 8, 3, 3, 0);
	feed__root(&f, 0, 0x1000, "total");
	feed__object(&f, 0, 0x1100, 1, WALKER, 1, 1, 0);
	feed__root(&f, 0, 0x1100, "alone");
	feed__object(&f, 0, 0x2000, 1, WALKER, 1, 2, 0);
	feed__root(&f, 0, 0x2000, "left");
	feed__object(&f, 0, 0x2100, 1, 16, 2, 1, 0);
	feed__root(&f, 0, 0x2100, "right");
	for (unsigned i = 0; i < 30; i++) {
		unsigned a = i % 4, b = (i + 1) % 4;

		meet(&f, 1000 + i, a, b, 1, 0, 4, 0, 8, false);		/* total, true */
		meet(&f, 2000 + i, a, b, 1, 0, 4, 0x100, 0x108, false); /* total against alone */
		meet(&f, 3000 + i, 0, 1, 2, 0, 8, 0x100, 0x108, false); /* left against right */
	}
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	make(&r, &o, &trace);
	assert_null(find_row(&r, "total", VERDICT_FALSE));
	assert_non_null(find_row(&r, "alone", VERDICT_FALSE));
	assert_null(advice_for(&r, "total"));
	assert_non_null(advice_for(&r, "alone"));
	assert_true(!advice_for(&r, "left") != !advice_for(&r, "right"));
	report__free(&r);
	feed__free(&f);
}

static const struct advice *advice_of(const struct report *r, enum advice_kind kind)
{
	for (size_t i = 0; i < r->advice.all.n; i++)
		if (r->advice.all.at[i].kind == kind)
			return &r->advice.all.at[i];
	return NULL;
}

static bool noted(const struct report *r, const char *words)
{
	for (size_t i = 0; i < r->advice.nnotes; i++)
		if (strstr(r->advice.notes[i], words))
			return true;
	return false;
}

/* A transaction whose conflicts are true on one object may be split; on two, one could see half of it done.
 */
static void transactions_are_split_where_it_is_safe(void **state)
{
	(void)state;
	for (int what = 0; what < 3; what++) { /* safe, two true objects, nothing else in it */
		bool two = what == 1, alone = what == 2;
		const char *trace = path("split.dsmt");
		const struct advice *a;
		struct report_options o;
		struct report r;
		struct byteset none = {0}, some = {0};
		struct feed f;

		byteset__add(&some, 0, 48);
		scene(&f, 13);
		feed__object(&f, 0, 0x1000, 1, 8, 3, 3, 0);
		feed__root(&f, 0, 0x1000, "total");
		feed__object(&f, 0, 0x2000, 1, 16, 2, 2, 0);
		feed__root(&f, 0, 0x2000, "other");
		for (unsigned i = 0; i < 60; i++)
			meet(&f, 100 + i, i % 4, (i + 1) % 4, two && i % 3 == 0 ? 2 : 1, 0, 4, 0, 8, false);
		for (unsigned i = 0; i < 60 && !alone; i++)
			feed__accesses(&f, (struct feed_iv){(i + 1) % 4, 100 + i, 1, 3}, 3, &some, &none,
				       true, nowhere);
		assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
		make(&r, &o, &trace);
		a = advice_of(&r, ADVICE_SPLIT_TRANSACTION);
		assert_int_equal(a == NULL, two || alone);
		if (a) {
			assert_non_null(strstr(a->text, "safe for the observed conflicts"));
			assert_int_equal(a->rule, 0);
		} else if (two) {
			assert_true(r.advice.nnotes >= 1);
			assert_non_null(strstr(r.advice.notes[0], "is not advised"));
		} else {
			assert_true(noted(&r, "really shared"));
		}
		byteset__free(&some);
		report__free(&r);
		feed__free(&f);
	}
}

static void long_transactions_should_commit_within(void **state)
{
	const char *trace = path("long.dsmt");
	const struct advice *a;
	struct report_options o;
	struct report r;
	struct feed f;

	(void)state;
	scene(&f, 14);
	feed__object(&f, 0, 0x1000, 64, WALKER, 1, 1, 0);
	for (unsigned i = 0; i < 60; i++)
		meet(&f, 100 + i, i % 4, (i + 1) % 4, 1, 0, 8, 0, 64 * WALKER, false);
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	make(&r, &o, &trace);
	a = advice_of(&r, ADVICE_COMMIT_EVERY_K);
	assert_non_null(a);
	assert_true(a && a->k >= 1 && a->k <= 32 && a->elements > 60);
	report__free(&r);
	feed__free(&f);
}

/* Two hosts' clocks differ by an hour; each wrote a trace of its own. */
static void traces_of_several_hosts_are_merged(void **state)
{
	const char *traces[2] = {path("host1.dsmt"), path("host2.dsmt")};
	struct report_options o = {.traces = traces, .ntraces = 2, .top = 10};
	const uint64_t hour = 3600000000000ull;
	struct report r;
	struct feed f, part;

	(void)state;
	scene(&f, 10);
	plant_world(&f, 40);
	for (unsigned host = 0; host < 2; host++) {
		struct dsm_ev_clock clock = {.hdr = {.size = sizeof(clock),
						     .type = DSM_EV_CLOCK,
						     .version = 1,
						     .weight = 1,
						     .node = (uint16_t)(host * 2),
						     .time_ns = 1000000000 + host * hour},
					     .offset_ns = host ? -(int64_t)hour : (int64_t)hour,
					     .rtt_ns = 40000,
					     .peer = (uint16_t)(host ? 0 : 2)};
		struct dsm_ev_clock inside = clock;

		part = f;
		memset(&part.records, 0, sizeof(part.records));
		*VEC_ADD(&part.records) = &clock.hdr;
		inside.peer = (uint16_t)(host * 2 + 1);
		inside.offset_ns = 100;
		*VEC_ADD(&part.records) = &inside.hdr;
		for (size_t i = 0; i < f.records.n; i++) {
			struct dsm_ev_hdr *h = f.records.at[i];

			if (h->node / 2 != host)
				continue;
			h->time_ns += host * hour;
			*VEC_ADD(&part.records) = h;
		}
		assert_int_equal(feed__write(&part, traces[host], NULL, 0), 0);
		VEC_FREE(&part.records);
	}
	assert_int_equal(report__make(&r, &o), 0);
	assert_int_equal(r.model.runs.n, 1);
	assert_int_equal(r.model.runs.at[0].nodes.n, 4);
	assert_true(r.model.runs.at[0].last_ns - r.model.runs.at[0].first_ns < (int64_t)(hour / 2));
	assert_true(r.tally.ledger.verdict[VERDICT_FALSE] == 60e6 &&
		    r.tally.ledger.verdict[VERDICT_TRUE] == 8e6);
	report__free(&r);
	feed__free(&f);
}

/* When neighbours belong to different nodes only a page for each helps. */
static void interleaved_elements_are_padded(void **state)
{
	const char *trace = path("turns.dsmt");
	struct report_options o;
	struct report r;
	struct feed f;

	(void)state;
	scene(&f, 2);
	feed__object(&f, 0, 0x1000, 8, WALKER, 1, 1, 0);
	for (unsigned i = 0; i < 80; i++) {
		unsigned a = i % 4, b = (i + 1 + i / 4 % 3) % 4;
		uint32_t ea = (a + 4 * (i / 8 % 2)) * (uint32_t)WALKER,
			 eb = (b + 4 * (i / 16 % 2)) * (uint32_t)WALKER;

		meet(&f, 1000 + i, a, b, 1, ea, ea + 8, eb, eb + 8, false);
	}
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	make(&r, &o, &trace);
	assert_true(r.advice.all.n >= 1);
	assert_int_equal(r.advice.all.at[0].kind, ADVICE_PAD);
	assert_int_equal(r.advice.all.at[0].change.stride, 4096);
	assert_true(r.advice.all.at[0].pages >= 7);
	report__free(&r);
	feed__free(&f);
}

/* 64 elements that any node writes: a page for each would turn each access into a fetch. With few writes seen
 * nobody knows, and then nothing is advised either. */
static void elements_without_an_owner_stay_together(void **state)
{
	(void)state;
	for (int few = 0; few < 2; few++) {
		const char *trace = path("anybody.dsmt");
		struct report_options o;
		struct report r;
		struct feed f;

		scene(&f, 21);
		feed__object(&f, 0, 0x1000, 64, WALKER, 1, 1, 0);
		feed__root(&f, 0, 0x1000, "walkers");
		for (unsigned i = 0; i < (few ? 6 : 200); i++) {
			unsigned a = feed__random(&f, 4), b = (a + 1 + feed__random(&f, 3)) % 4;
			uint32_t ea = feed__random(&f, 64), eb = (ea + 1 + feed__random(&f, 63)) % 64;

			ea = few ? 10 * i : ea;
			eb = few ? 10 * i + 1 : eb;
			meet(&f, 1000 + i, a, b, 1, ea * WALKER, ea * WALKER + 8, eb * WALKER,
			     eb * WALKER + 8, false);
		}
		assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
		make(&r, &o, &trace);
		assert_non_null(find_row(&r, "walkers", VERDICT_FALSE));
		assert_null(advice_for(&r, "walkers"));
		assert_true(noted(&r, few ? "too few writes" : "written by all nodes at random"));
		report__free(&r);
		feed__free(&f);
	}
}

/* One fetch of a dense page serves many attempts. Apart, each visit of an element that somebody else wrote
 * meanwhile is a fetch of its own, though an open page shows none of these visits. */
static void spreading_costs_fetches(void **state)
{
	const char *trace = path("spread.dsmt");
	struct trace_page_stat stat = {.page = FEED_PAGE(1), .node = 1, .fetches = 50};
	struct change change[8] = {{0}};
	struct effect apart, owned;
	struct report_options o;
	struct report r;

	(void)state;
	for (int owner = 0; owner < 2; owner++) {
		struct byteset none = {0};
		struct feed f;

		scene(&f, 22);
		feed__object(&f, 0, 0x1000, 64, WALKER, 1, 1, 0);
		for (unsigned i = 0; i < 800; i++) {
			uint32_t e = feed__random(&f, owner ? 32 : 64) + (owner ? 32 * (i % 2) : 0);
			struct feed_iv iv = {i % 2, 100 + i, 0, 3};
			struct byteset set = {0};

			byteset__add(&set, e * WALKER, e * WALKER + 8);
			feed__accesses(&f, iv, 1, &none, &set, true, nowhere);
			feed__writes(&f, iv, 1, &set, true);
			feed__commit(&f, iv, true);
			byteset__free(&set);
		}
		meet(&f, 5000, 0, 1, 1, 0, 8, 40 * WALKER, 40 * WALKER + 8, false);
		assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
		make(&r, &o, &trace);
		assert_true(r.model.groups.n == 1);
		model__pages(&r.model, 0, &stat, 1);
		change[0] = (struct change){.moved = true, .stride = 4096};
		replay__run(r.replay, change, owner ? &owned : &apart);
		report__free(&r);
		feed__free(&f);
	}
	assert_true(apart.fetches_before == 50 && owned.fetches_before == 50);
	assert_true(apart.fetches_after > 150 && apart.fetches_after <= 400);
	assert_true(owned.fetches_after < 5);
}

/* A plain C array can be moved, not padded; fields of one element that part nodes need another struct. */
static void what_a_plan_cannot_do_is_a_source_change(void **state)
{
	const char *trace = path("flat.dsmt");
	bool split = false;
	struct report_options o;
	struct report r;
	struct feed f;

	(void)state;
	scene(&f, 3);
	feed__object(&f, 0, 0x1000, 8, WALKER, 1, 1, DSM_EV_OBJECT_FLAT);
	feed__object(&f, 0, 0x5000, 1, WALKER, 1, 2, 0);
	for (unsigned i = 0; i < 80; i++) {
		unsigned a = i % 4, b = (i + 1 + i / 4 % 3) % 4;

		meet(&f, 1000 + i, a, b, 1, a * 96, a * 96 + 8, b * 96, b * 96 + 8, false);
		meet(&f, 2000 + i, 0, 1, 5, 0, 8, 16, 24, i % 2);
		if (i % 4 == 0)
			meet(&f, 3000 + i, 0, 2, 5, 0, 8, 8, 16, false);
	}
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	make(&r, &o, &trace);
	for (size_t i = 0; i < r.advice.all.n; i++) {
		const struct advice *a = &r.advice.all.at[i];

		if (r.model.groups.at[a->group].flat)
			assert_true(a->kind == ADVICE_ISOLATE || !a->rule);
		if (a->kind == ADVICE_SPLIT_STRUCT) {
			split = true;
			assert_int_equal(a->rule, 0);
			assert_non_null(strstr(a->text, "{x} (node 0)"));
			assert_non_null(strstr(a->text, "{steps} (node 1)"));
			assert_non_null(
				strstr(a->text, "{y} (node 2)")); /* all of them, not the costliest pair */
			assert_non_null(strstr(a->text, "pages of its own"));
		}
	}
	assert_true(split);
	report__free(&r);
	feed__free(&f);
}

/* Whatever is planted, nothing whose conflicts are true is ever moved, and the ledger balances. */
static void true_sharing_is_never_moved(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		const char *trace = path("random.dsmt");
		unsigned objects = 0;
		bool is_true[16];
		struct report_options o;
		struct report r;
		struct feed f;
		uint32_t at = 0x1000;

		scene(&f, seed);
		for (; objects < 16; objects++) { /* packed as they come, each of its own allocation site */
			uint32_t type = 1 + feed__random(&f, 3), site = 10 + objects,
				 code = 0x4000 + 16 * objects;
			uint32_t size = type == 1 ? WALKER : type == 2 ? 16 : 8;

			for (unsigned n = 0; n < 4; n++)
				feed__site(&f, n, site, 1, &code, 1);
			feed__object(&f, 0, at, 4, size, type, site, 0);
			is_true[objects] = feed__random(&f, 2);
			for (unsigned i = 0; i < 24; i++) {
				unsigned a = feed__random(&f, 4), b = (a + 1 + feed__random(&f, 3)) % 4;
				uint32_t from = at % 4096 + (is_true[objects] ? 0 : a * size);
				uint32_t to = at % 4096 + (is_true[objects] ? 0 : b * size);

				meet(&f, 1000 * (objects + 1) + i, a, b, at / 4096, from, from + 8, to,
				     to + 8, i % 3 == 0);
			}
			at += 4 * size;
			if ((at % 4096) + 4 * WALKER > 4096)
				at = (at + 4095) / 4096 * 4096;
		}
		feed__shuffle(&f);
		assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
		make(&r, &o, &trace);
		assert_true(r.tally.ledger.measured == 16 * 24 * 1e6);
		assert_true(sum(&r.tally.ledger) == r.tally.ledger.measured);
		assert_true(r.tally.ledger.remainder == 0 && r.tally.ledger.lost == 0);
		for (size_t i = 0; i < r.advice.all.n; i++) {
			const struct advice *a = &r.advice.all.at[i];
			uint32_t site = r.model.groups.at[a->group].site;
			uint32_t object = (model__site_at(&r.model, site)->frame[0].offset - 0x4000) / 16;

			assert_true(object < 16);
			if (a->kind <= ADVICE_SPLIT_STRUCT)
				assert_false(is_true[object]);
		}
		report__free(&r);
		feed__free(&f);
	}
}

/* Aborts without a record: with losses known they are `lost`, else the remainder shows them. */
static void the_ledger_shows_what_is_missing(void **state)
{
	const struct trace_loss loss = {.type = DSM_EV_ABORT, .count = 3};

	(void)state;
	for (int known = 0; known < 2; known++) {
		const char *trace = path("lost.dsmt");
		struct report_options o;
		struct report r;
		struct feed f;

		scene(&f, 4);
		plant_world(&f, 20);
		f.counters[2].wasted_ns += 7000000;
		f.counters[2].aborts += 3;
		assert_int_equal(feed__write(&f, trace, &loss, (size_t)known), 0);
		make(&r, &o, &trace);
		assert_true((known ? r.tally.ledger.lost : r.tally.ledger.remainder) == 7e6);
		assert_true((known ? r.tally.ledger.remainder : r.tally.ledger.lost) == 0);
		assert_true(sum(&r.tally.ledger) == r.tally.ledger.measured);
		report__free(&r);
		feed__free(&f);
	}
}

static struct json_object *get(struct json_object *o, const char *key)
{
	struct json_object *x = NULL;

	if (!json_object_object_get_ex(o, key, &x))
		fail_msg("no key \"%s\"", key);
	return x;
}

static void every_form_is_written(void **state)
{
	static const char *const forms[] = {"verdicts", "advice", "ledger", "losses",
					    "totals",	"run",	  "schema"};
	const char *trace = path("forms.dsmt");
	struct text json = {0}, text = {0}, dot = {0}, plan = {0};
	struct json_object *o, *v, *rule;
	struct report_options ro;
	struct report r;
	struct feed f;

	(void)state;
	scene(&f, 5);
	plant_world(&f, 60);
	feed__root(&f, 0, 0x2000, "a \"quoted\" \\name\nof two lines");
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	make(&r, &ro, &trace);
	report__json(&r, &ro, &json);
	o = json_tokener_parse(json.at);
	assert_non_null(o);
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		get(o, forms[i]);
	v = json_object_array_get_idx(get(o, "verdicts"), 0);
	assert_string_equal(json_object_get_string(get(v, "class")), "false");
	assert_string_equal(json_object_get_string(get(v, "type")), "struct walker");
	assert_int_equal(json_object_array_length(get(v, "sides")), 2);
	json_object_put(o);
	report__plan(&r, &plan);
	o = json_tokener_parse(plan.at);
	assert_string_equal(json_object_get_string(get(o, "schema")), "procope.plan/1");
	rule = json_object_array_get_idx(get(o, "rules"), 0);
	assert_string_equal(json_object_get_string(get(get(rule, "match"), "type")), "struct walker");
	assert_int_equal(json_object_get_int(get(get(rule, "layout"), "block")), 6);
	assert_int_equal(json_object_array_length(get(get(rule, "match"), "site")), 1);
	json_object_put(o);
	report__dot(&r, &ro, &dot);
	assert_non_null(strstr(dot.at, "a \\\"quoted\\\" \\\\name?of"));
	report__text(&r, &ro, &text);
	assert_non_null(strstr(text.at, "walkers"));
	assert_null(strchr(text.at, '\033'));
	text__free(&json);
	text__free(&text);
	text__free(&dot);
	text__free(&plan);
	report__free(&r);
	feed__free(&f);
}

/* A collector that came for a moment saw each node's counters once, a little apart: no time to divide by. */
static void a_moment_is_too_short_for_rates(void **state)
{
	const char *trace = path("moment.dsmt");
	struct text text = {0}, plan = {0};
	struct json_object *o;
	struct report_options ro;
	struct report r;
	struct feed f;

	(void)state;
	scene(&f, 23);
	plant_world(&f, 40);
	for (size_t i = 0; i < f.records.n; i++)
		if (f.records.at[i]->type < DSM_EV_BEGIN)
			f.records.at[i]->flags |= DSM_EV_F_RUNDOWN;
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	make(&r, &ro, &trace);
	assert_false(r.totals.measured);
	assert_true(r.totals.seconds == 0 && r.advice.plan.ns_per_s == 0);
	assert_int_equal(r.advice.all.n, 0);
	report__text(&r, &ro, &text);
	assert_non_null(strstr(text.at, "too short to judge"));
	assert_null(strstr(text.at, "predicted: saves"));
	report__plan(&r, &plan);
	o = json_tokener_parse(plan.at);
	assert_int_equal(json_object_array_length(get(o, "rules")), 0);
	json_object_put(o);
	text__free(&text);
	text__free(&plan);
	report__free(&r);
	feed__free(&f);
}

static void a_run_without_aborts_is_a_report(void **state)
{
	const char *trace = path("quiet.dsmt");
	struct text text = {0};
	struct report_options o;
	struct report r;
	struct feed f;

	(void)state;
	scene(&f, 6);
	feed__commit(&f, (struct feed_iv){0, 1, 0, 3}, false);
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	make(&r, &o, &trace);
	report__text(&r, &o, &text);
	assert_non_null(strstr(text.at, "no transaction aborted"));
	text__free(&text);
	report__free(&r);
	feed__free(&f);
}

static void before_predicted_and_after_are_compared(void **state)
{
	const char *before = path("before.dsmt"), *after = path("after.dsmt");
	struct text text = {0};
	struct proof p;
	struct feed f;

	(void)state;
	scene(&f, 7);
	plant_world(&f, 100);
	f.time_ns = 2000000000;
	assert_int_equal(feed__write(&f, before, NULL, 0), 0);
	feed__free(&f);
	scene(&f, 8);
	for (unsigned i = 0; i < 500; i++)
		feed__commit(&f, (struct feed_iv){i % 4, i, 0, 3}, false);
	f.time_ns = 2000000000;
	assert_int_equal(feed__write(&f, after, NULL, 0), 0);
	feed__free(&f);
	assert_int_equal(proof__make(&p, before, after, NULL, NULL), 0);
	assert_true(p.before.aborts_per_commit > 0.4 && p.after.aborts_per_commit == 0);
	assert_true(p.predicted.aborts_per_commit < p.before.aborts_per_commit / 5);
	assert_true(p.predicted.commits_per_s > p.before.commits_per_s);
	assert_true(p.after.work_per_s > 490 && p.after.work_per_s < 510);
	p.after.work_per_s = p.before.work_per_s = 0; /* then commits speak */
	p.before.commits_per_s = 100;
	p.after.commits_per_s = 90;
	proof__text(&p, &text);
	assert_non_null(strstr(text.at, "The plan did NOT help: commits per second fell by 10 %"));
	text__free(&text);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[300];

	(void)state;
	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_planted_world_is_seen_through),
		cmocka_unit_test(several_pages_are_cured_together),
		cmocka_unit_test(what_is_mostly_true_stays),
		cmocka_unit_test(strangers_on_one_page_are_told_apart),
		cmocka_unit_test(transactions_are_split_where_it_is_safe),
		cmocka_unit_test(long_transactions_should_commit_within),
		cmocka_unit_test(traces_of_several_hosts_are_merged),
		cmocka_unit_test(interleaved_elements_are_padded),
		cmocka_unit_test(elements_without_an_owner_stay_together),
		cmocka_unit_test(spreading_costs_fetches),
		cmocka_unit_test(what_a_plan_cannot_do_is_a_source_change),
		cmocka_unit_test(true_sharing_is_never_moved),
		cmocka_unit_test(the_ledger_shows_what_is_missing),
		cmocka_unit_test(every_form_is_written),
		cmocka_unit_test(a_moment_is_too_short_for_rates),
		cmocka_unit_test(a_run_without_aborts_is_a_report),
		cmocka_unit_test(before_predicted_and_after_are_compared),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
