/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Advice on synthetic traces: it removes what is false, leaves alone what is true and costs no more than it must.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/analyzer/scene.h"

/* Each transaction meets on two pages, on one of them in two kinds of objects: only all changes together
 * help, and all are named. */
static void several_pages_are_cured_together(void **state)
{
	const char *trace = scene__path("joint.dsmt");
	struct byteset none = {0};
	struct report_options o;
	struct report r;
	struct feed f;

	(void)state;
	scene__start(&f, 9);
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
			feed__accesses(&f, loser, page, &none, &l, true, NOWHERE);
			byteset__free(&w);
			byteset__free(&l);
		}
		feed__abort(&f, loser, winner, DSM_EV_CAUSE_CONFLICT, 1000000, m, 2, true);
		feed__commit(&f, winner, false);
	}
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	scene__report(&r, &o, &trace);
	assert_non_null(scene__row(&r, "4 x struct tally_of_node", VERDICT_FALSE));
	assert_non_null(scene__row(&r, "4 x struct shared", VERDICT_FALSE));
	assert_non_null(scene__row(&r, "struct walker[4]", VERDICT_FALSE));
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

/* An object whose conflicts are mostly true stays, even where moving it would end some false ones. */
static void what_is_mostly_true_stays(void **state)
{
	const char *trace = scene__path("mostly.dsmt");
	struct report_options o;
	struct report r;
	struct feed f;

	(void)state;
	scene__start(&f, 11);
	feed__object(&f, 0, 0x1000, 4, WALKER, 1, 1, 0);
	feed__root(&f, 0, 0x1000, "walkers");
	for (unsigned i = 0; i < 90; i++) {
		unsigned a = i % 4, b = (i + 1) % 4;

		scene__meet(&f, 100 + i, a, b, 1, i % 3 ? 0 : a * 48, i % 3 ? 8 : a * 48 + 8,
			    i % 3 ? 0 : b * 48, i % 3 ? 8 : b * 48 + 8, false);
	}
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	scene__report(&r, &o, &trace);
	assert_non_null(scene__row(&r, "walkers", VERDICT_FALSE));
	assert_non_null(scene__row(&r, "walkers", VERDICT_TRUE));
	assert_null(scene__advice_for(&r, "walkers"));
	report__free(&r);
	feed__free(&f);
}

/* Different objects met on one page: charged to the one that is not truly shared, and one cure is enough. */
static void strangers_on_one_page_are_told_apart(void **state)
{
	const char *trace = scene__path("strangers.dsmt");
	struct report_options o;
	struct report r;
	struct feed f;

	(void)state;
	scene__start(&f, 12);
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

		scene__meet(&f, 1000 + i, a, b, 1, 0, 4, 0, 8, false);	       /* total, true */
		scene__meet(&f, 2000 + i, a, b, 1, 0, 4, 0x100, 0x108, false); /* total against alone */
		scene__meet(&f, 3000 + i, 0, 1, 2, 0, 8, 0x100, 0x108, false); /* left against right */
	}
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	scene__report(&r, &o, &trace);
	assert_null(scene__row(&r, "total", VERDICT_FALSE));
	assert_non_null(scene__row(&r, "alone", VERDICT_FALSE));
	assert_null(scene__advice_for(&r, "total"));
	assert_non_null(scene__advice_for(&r, "alone"));
	assert_true(!scene__advice_for(&r, "left") != !scene__advice_for(&r, "right"));
	report__free(&r);
	feed__free(&f);
}

/* A transaction whose conflicts are true on one object may be split; on two, one could see half of it done.
 */
static void transactions_are_split_where_it_is_safe(void **state)
{
	(void)state;
	for (int what = 0; what < 3; what++) { /* safe, two true objects, nothing else in it */
		bool two = what == 1, alone = what == 2;
		const char *trace = scene__path("split.dsmt");
		const struct advice *a;
		struct report_options o;
		struct report r;
		struct byteset none = {0}, some = {0};
		struct feed f;

		byteset__add(&some, 0, 48);
		scene__start(&f, 13);
		feed__object(&f, 0, 0x1000, 1, 8, 3, 3, 0);
		feed__root(&f, 0, 0x1000, "total");
		feed__object(&f, 0, 0x2000, 1, 16, 2, 2, 0);
		feed__root(&f, 0, 0x2000, "other");
		for (unsigned i = 0; i < 60; i++)
			scene__meet(&f, 100 + i, i % 4, (i + 1) % 4, two && i % 3 == 0 ? 2 : 1, 0, 4, 0, 8,
				    false);
		for (unsigned i = 0; i < 60 && !alone; i++)
			feed__accesses(&f, (struct feed_iv){(i + 1) % 4, 100 + i, 1, 3}, 3, &some, &none,
				       true, NOWHERE);
		assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
		scene__report(&r, &o, &trace);
		a = scene__advice_of(&r, ADVICE_SPLIT_TRANSACTION);
		assert_int_equal(a == NULL, two || alone);
		if (a) {
			assert_non_null(strstr(a->text, "safe for the observed conflicts"));
			assert_int_equal(a->rule, 0);
		} else if (two) {
			assert_true(r.advice.nnotes >= 1);
			assert_non_null(strstr(r.advice.notes[0], "is not advised"));
		} else {
			assert_true(scene__noted(&r, "really shared"));
		}
		byteset__free(&some);
		report__free(&r);
		feed__free(&f);
	}
}

static void long_transactions_should_commit_within(void **state)
{
	const char *trace = scene__path("long.dsmt");
	const struct advice *a;
	struct report_options o;
	struct report r;
	struct feed f;

	(void)state;
	scene__start(&f, 14);
	feed__object(&f, 0, 0x1000, 64, WALKER, 1, 1, 0);
	for (unsigned i = 0; i < 60; i++)
		scene__meet(&f, 100 + i, i % 4, (i + 1) % 4, 1, 0, 8, 0, 64 * WALKER, false);
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	scene__report(&r, &o, &trace);
	a = scene__advice_of(&r, ADVICE_COMMIT_EVERY_K);
	assert_non_null(a);
	assert_true(a && a->k >= 1 && a->k <= 32 && a->elements > 60);
	report__free(&r);
	feed__free(&f);
}

/* When neighbours belong to different nodes only a page for each helps. */
static void interleaved_elements_are_padded(void **state)
{
	const char *trace = scene__path("turns.dsmt");
	struct report_options o;
	struct report r;
	struct feed f;

	(void)state;
	scene__start(&f, 2);
	feed__object(&f, 0, 0x1000, 8, WALKER, 1, 1, 0);
	for (unsigned i = 0; i < 80; i++) {
		unsigned a = i % 4, b = (i + 1 + i / 4 % 3) % 4;
		uint32_t ea = (a + 4 * (i / 8 % 2)) * (uint32_t)WALKER,
			 eb = (b + 4 * (i / 16 % 2)) * (uint32_t)WALKER;

		scene__meet(&f, 1000 + i, a, b, 1, ea, ea + 8, eb, eb + 8, false);
	}
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	scene__report(&r, &o, &trace);
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
		const char *trace = scene__path("anybody.dsmt");
		struct report_options o;
		struct report r;
		struct feed f;

		scene__start(&f, 21);
		feed__object(&f, 0, 0x1000, 64, WALKER, 1, 1, 0);
		feed__root(&f, 0, 0x1000, "walkers");
		for (unsigned i = 0; i < (few ? 6 : 200); i++) {
			unsigned a = feed__random(&f, 4), b = (a + 1 + feed__random(&f, 3)) % 4;
			uint32_t ea = feed__random(&f, 64), eb = (ea + 1 + feed__random(&f, 63)) % 64;

			ea = few ? 10 * i : ea;
			eb = few ? 10 * i + 1 : eb;
			scene__meet(&f, 1000 + i, a, b, 1, ea * WALKER, ea * WALKER + 8, eb * WALKER,
				    eb * WALKER + 8, false);
		}
		assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
		scene__report(&r, &o, &trace);
		assert_non_null(scene__row(&r, "walkers", VERDICT_FALSE));
		assert_null(scene__advice_for(&r, "walkers"));
		assert_true(scene__noted(&r, few ? "too few writes" : "written by all nodes at random"));
		report__free(&r);
		feed__free(&f);
	}
}

/* Elements that have an owner, to which others come now and then. Whether a page for each pays depends on what a fetch costs
 * beside what is lost while the nodes take turns on one page. */
static void rare_foreign_writes_may_cost_more_than_turns(void **state)
{
	(void)state;
	for (int dear = 0; dear < 2; dear++) {
		const char *trace = scene__path("owned.dsmt");
		struct report_options o;
		struct report r;
		struct feed f;

		scene__start(&f, 23);
		feed__object(&f, 0, 0x1000, 64, WALKER, 1, 1, 0);
		feed__root(&f, 0, 0x1000, "walkers");
		for (unsigned i = 0; i < 600; i++) {
			unsigned a = feed__random(&f, 4), b = (a + 1 + feed__random(&f, 3)) % 4;
			uint32_t ea = feed__random(&f, 10) ? 16 * a + feed__random(&f, 16)
							   : feed__random(&f, 64),
				 eb = 16 * b + feed__random(&f, 16);

			if (ea != eb)
				scene__meet(&f, 1000 + i, a, b, 1, ea * WALKER, ea * WALKER + 8, eb * WALKER,
					    eb * WALKER + 8, false);
		}
		for (unsigned n = 0; n < 4; n++) { /* a second of fetches, of 100 ms or of 10 us each */
			f.counters[n].fetch_ns = 250000000;
			f.counters[n].faults_fetch = dear ? 3 : 25000;
		}
		assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
		scene__report(&r, &o, &trace);
		assert_int_equal(scene__advice_of(&r, ADVICE_PAD) != NULL, !dear);
		assert_int_equal(scene__noted(&r, "one fetch of a shared page serves many commits"), dear);
		report__free(&r);
		feed__free(&f);
	}
}

/* One fetch of a dense page serves many attempts. Apart, each visit of an element that somebody else wrote
 * meanwhile is a fetch of its own, though an open page shows none of these visits. */
static void spreading_costs_fetches(void **state)
{
	const char *trace = scene__path("spread.dsmt");
	struct trace_page_stat stat = {.page = FEED_PAGE(1), .node = 1, .fetches = 50};
	struct change change[8] = {{0}};
	struct effect apart, owned;
	struct report_options o;
	struct report r;

	(void)state;
	for (int owner = 0; owner < 2; owner++) {
		struct byteset none = {0};
		struct feed f;

		scene__start(&f, 22);
		feed__object(&f, 0, 0x1000, 64, WALKER, 1, 1, 0);
		for (unsigned i = 0; i < 800; i++) {
			uint32_t e = feed__random(&f, owner ? 32 : 64) + (owner ? 32 * (i % 2) : 0);
			struct feed_iv iv = {i % 2, 100 + i, 0, 3};
			struct byteset set = {0};

			byteset__add(&set, e * WALKER, e * WALKER + 8);
			feed__accesses(&f, iv, 1, &none, &set, true, NOWHERE);
			feed__writes(&f, iv, 1, &set, true);
			feed__commit(&f, iv, true);
			byteset__free(&set);
		}
		scene__meet(&f, 5000, 0, 1, 1, 0, 8, 40 * WALKER, 40 * WALKER + 8, false);
		assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
		scene__report(&r, &o, &trace);
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

/* Each transaction writes a row of elements: a page for each would be 30 faults instead of one. */
static void rows_of_elements_stay_together(void **state)
{
	const char *trace = scene__path("rows.dsmt");
	struct report_options o;
	struct report r;
	struct feed f;

	(void)state;
	scene__start(&f, 25);
	feed__object(&f, 0, 0x1000, 80, WALKER, 1, 1, 0);
	feed__root(&f, 0, 0x1000, "walkers");
	for (unsigned i = 0; i < 90; i++) {
		static const uint32_t from[] = {0, 31, 60, 80}; /* no blocks fit these parts */
		unsigned a = i % 3, b = (i + 1) % 3;

		scene__meet(&f, 1000 + i, a, b, 1, from[a] * WALKER, from[a + 1] * WALKER, from[b] * WALKER,
			    from[b + 1] * WALKER, false);
	}
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	scene__report(&r, &o, &trace);
	assert_null(scene__advice_of(&r, ADVICE_PAD));
	report__free(&r);
	feed__free(&f);
}

/* Fields that all nodes use: another struct would part nobody. */
static void fields_of_everybody_stay_together(void **state)
{
	const char *trace = scene__path("fields.dsmt");
	struct report_options o;
	struct report r;
	struct feed f;

	(void)state;
	scene__start(&f, 24);
	feed__object(&f, 0, 0x5000, 1, WALKER, 1, 2, 0);
	for (unsigned i = 0; i < 80; i++) {
		uint32_t a = i / 4 % 2 * 8;

		scene__meet(&f, 2000 + i, i % 4, (i + 1) % 4, 5, a, a + 8, 8 - a, 16 - a, false);
	}
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	scene__report(&r, &o, &trace);
	assert_null(scene__advice_of(&r, ADVICE_SPLIT_STRUCT));
	report__free(&r);
	feed__free(&f);
}

/* A plain C array can be moved, not padded; fields of one element that part nodes need another struct. */
static void what_a_plan_cannot_do_is_a_source_change(void **state)
{
	const char *trace = scene__path("flat.dsmt");
	bool split = false;
	struct report_options o;
	struct report r;
	struct feed f;

	(void)state;
	scene__start(&f, 3);
	feed__object(&f, 0, 0x1000, 8, WALKER, 1, 1, DSM_EV_OBJECT_FLAT);
	feed__object(&f, 0, 0x5000, 1, WALKER, 1, 2, 0);
	for (unsigned i = 0; i < 80; i++) {
		unsigned a = i % 4, b = (i + 1 + i / 4 % 3) % 4;

		scene__meet(&f, 1000 + i, a, b, 1, a * 96, a * 96 + 8, b * 96, b * 96 + 8, false);
		scene__meet(&f, 2000 + i, 0, 1, 5, 0, 8, 16, 24, i % 2);
		if (i % 4 == 0)
			scene__meet(&f, 3000 + i, 0, 2, 5, 0, 8, 8, 16, false);
	}
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	scene__report(&r, &o, &trace);
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
		const char *trace = scene__path("random.dsmt");
		unsigned objects = 0;
		bool is_true[16];
		struct report_options o;
		struct report r;
		struct feed f;
		uint32_t at = 0x1000;

		scene__start(&f, seed);
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

				scene__meet(&f, 1000 * (objects + 1) + i, a, b, at / 4096, from, from + 8, to,
					    to + 8, i % 3 == 0);
			}
			at += 4 * size;
			if ((at % 4096) + 4 * WALKER > 4096)
				at = (at + 4095) / 4096 * 4096;
		}
		feed__shuffle(&f);
		assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
		scene__report(&r, &o, &trace);
		assert_true(r.tally.ledger.measured == 16 * 24 * 1e6);
		assert_true(scene__sum(&r.tally.ledger) == r.tally.ledger.measured);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_pages_are_cured_together),
		cmocka_unit_test(what_is_mostly_true_stays),
		cmocka_unit_test(strangers_on_one_page_are_told_apart),
		cmocka_unit_test(transactions_are_split_where_it_is_safe),
		cmocka_unit_test(long_transactions_should_commit_within),
		cmocka_unit_test(interleaved_elements_are_padded),
		cmocka_unit_test(elements_without_an_owner_stay_together),
		cmocka_unit_test(rare_foreign_writes_may_cost_more_than_turns),
		cmocka_unit_test(spreading_costs_fetches),
		cmocka_unit_test(what_a_plan_cannot_do_is_a_source_change),
		cmocka_unit_test(fields_of_everybody_stay_together),
		cmocka_unit_test(rows_of_elements_stay_together),
		cmocka_unit_test(true_sharing_is_never_moved),
	};

	return cmocka_run_group_tests(tests, scene__make_folder, scene__remove_folder);
}
