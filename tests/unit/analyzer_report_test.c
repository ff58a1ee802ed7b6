/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole reports of synthetic traces: objects, fields and classes named, the ledger balanced, all forms written, two
 * runs compared.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "analyzer/names.h"
#include "analyzer/proof.h"
#include "tests/analyzer/scene.h"

static void a_planted_world_is_seen_through(void **state)
{
	const char *trace = scene__path("world.dsmt");
	const struct advice *first = NULL;
	bool tallies = false;
	struct report_options o;
	const struct row *row;
	struct report r;
	struct text text = {0};
	struct feed f;

	(void)state;
	scene__start(&f, 1);
	scene__plant(&f, 200);
	feed__shuffle(&f);
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	scene__report(&r, &o, &trace);
	row = scene__row(&r, "walkers", VERDICT_FALSE);
	assert_non_null(row);
	assert_string_equal(tally__text(&r.tally, row->key.changed.fields), "x");
	assert_string_equal(tally__text(&r.tally, row->key.touched.fields), "x, y, steps");
	row = scene__row(&r, "total", VERDICT_TRUE);
	assert_non_null(row);
	assert_string_equal(tally__text(&r.tally, row->key.changed.fields), "total");
	assert_null(scene__row(&r, "total", VERDICT_FALSE));
	assert_null(scene__row(&r, "walkers", VERDICT_TRUE));
	assert_non_null(scene__row(&r, "4 x struct tally_of_node", VERDICT_FALSE));
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
	report__text(&r, &o, &text);
	assert_non_null(strstr(text.at, "How predictions are made"));
	text__free(&text);
	report__free(&r);
	feed__free(&f);
}

/* Two hosts' clocks differ by an hour; each wrote a trace of its own. */
static void traces_of_several_hosts_are_merged(void **state)
{
	const char *traces[2] = {scene__path("host1.dsmt"), scene__path("host2.dsmt")};
	struct report_options o = {.traces = traces, .ntraces = 2, .top = 10};
	const uint64_t hour = 3600000000000ull;
	struct report r;
	struct feed f, part;

	(void)state;
	scene__start(&f, 10);
	scene__plant(&f, 40);
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

/* Aborts without a record: with losses known they are `lost`, else the remainder shows them. */
static void the_ledger_shows_what_is_missing(void **state)
{
	const struct trace_loss loss = {.type = DSM_EV_ABORT, .count = 3};

	(void)state;
	for (int known = 0; known < 2; known++) {
		const char *trace = scene__path("lost.dsmt");
		struct report_options o;
		struct report r;
		struct feed f;

		scene__start(&f, 4);
		scene__plant(&f, 20);
		f.counters[2].wasted_ns += 7000000;
		f.counters[2].aborts += 3;
		assert_int_equal(feed__write(&f, trace, &loss, (size_t)known), 0);
		scene__report(&r, &o, &trace);
		assert_true((known ? r.tally.ledger.lost : r.tally.ledger.remainder) == 7e6);
		assert_true((known ? r.tally.ledger.remainder : r.tally.ledger.lost) == 0);
		assert_true(scene__sum(&r.tally.ledger) == r.tally.ledger.measured);
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
	const char *trace = scene__path("forms.dsmt");
	struct text json = {0}, text = {0}, dot = {0}, plan = {0};
	struct json_object *o, *v, *rule;
	struct report_options ro;
	struct report r;
	struct feed f;

	(void)state;
	scene__start(&f, 5);
	scene__plant(&f, 60);
	feed__root(&f, 0, 0x2000, "a \"quoted\" \\name\nof two lines");
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	scene__report(&r, &ro, &trace);
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
	assert_non_null(strstr(text.at, "This is the best case"));
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
	const char *trace = scene__path("moment.dsmt");
	struct text text = {0}, plan = {0};
	struct json_object *o;
	struct report_options ro;
	struct report r;
	struct feed f;

	(void)state;
	scene__start(&f, 23);
	scene__plant(&f, 40);
	for (size_t i = 0; i < f.records.n; i++)
		if (f.records.at[i]->type < DSM_EV_BEGIN)
			f.records.at[i]->flags |= DSM_EV_F_RUNDOWN;
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	scene__report(&r, &ro, &trace);
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
	const char *trace = scene__path("quiet.dsmt");
	struct text text = {0};
	struct report_options o;
	struct report r;
	struct feed f;

	(void)state;
	scene__start(&f, 6);
	feed__object(&f, 0, 0x1000, 24, WALKER, 1, 1, 0);
	feed__root(&f, 0, 0x1000, "walkers");
	feed__commit(&f, (struct feed_iv){0, 1, 0, 3}, false);
	f.time_ns = 2000000000;
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	scene__report(&r, &o, &trace);
	report__text(&r, &o, &text);
	assert_non_null(strstr(text.at, "Nothing to report: no transaction aborted"));
	assert_int_equal(r.advice.nnotes, 0); /* nobody met on the walkers: no word of them */
	text__free(&text);
	report__free(&r);
	feed__free(&f);
}

/* The same bytes prove themselves, different ones only under the microscope: the few that were judged may say otherwise. */
static void what_was_judged_may_say_otherwise(void **state)
{
	const char *trace = scene__path("otherwise.dsmt");
	struct text text = {0};
	struct report_options o;
	struct group_sum *g;
	struct report r;
	struct feed f;

	(void)state;
	scene__start(&f, 6);
	scene__plant(&f, 100);
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	scene__report(&r, &o, &trace);
	g = &r.tally.groups[scene__row(&r, "walkers", VERDICT_FALSE)->group];
	g->seen[VERDICT_FALSE] = 20;
	g->estimated[VERDICT_FALSE] = 100000;
	g->seen[VERDICT_TRUE] = 12000;
	report__text(&r, &o, &text);
	assert_non_null(strstr(text.at, "false, apportioned; 12,000 judged otherwise"));
	text__free(&text);
	report__free(&r);
	feed__free(&f);
}

/* The transactions that met begin at site 3; the line that writes walkers was seen in one that begins at `site`. */
static bool told_elsewhere(uint32_t site)
{
	const char *trace = scene__path("elsewhere.dsmt");
	struct byteset all = {0}, none = {0};
	struct text text = {0};
	struct report_options o;
	struct report r;
	struct feed f;
	bool told;

	scene__start(&f, 6);
	scene__plant(&f, 40);
	byteset__add(&all, 0, 24 * WALKER);
	feed__accesses(&f, (struct feed_iv){0, 5, 0, site}, 1, &none, &all, true,
		       (struct dsm_ev_ip){1, 0x1100});
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	scene__report(&r, &o, &trace);
	report__text(&r, &o, &text);
	told = strstr(text.at, ", seen in another transaction");
	assert_int_equal(scene__row(&r, "walkers", VERDICT_FALSE)->key.changed.elsewhere, told);
	assert_true(scene__row(&r, "walkers", VERDICT_FALSE)->key.changed.code.image);
	byteset__free(&all);
	text__free(&text);
	report__free(&r);
	feed__free(&f);
	return told;
}

static void a_line_seen_elsewhere_is_told_so(void **state)
{
	(void)state;
	assert_true(told_elsewhere(2));
	assert_false(told_elsewhere(3));
}

/* A number stays with its "%", wherever the line ends. */
static void numbers_keep_their_sign(void **state)
{
	char words[300] = "";

	(void)state;
	for (unsigned n = 0; n < 40; n++) {
		struct text text = {0};

		memset(words, 'x', 60 + n);
		snprintf(words + 60 + n, sizeof(words) - 60 - n, " and +20 %% of it, or so it is said; more");
		report__wrapped(&text, "  - ", "    ", words);
		assert_non_null(strstr(text.at, "+20 %"));
		for (const char *line = text.at; *line; line = strchr(line, '\n') + 1)
			assert_true(strcspn(line, "\n") <= 100);
		text__free(&text);
	}
}

/* Each node has a lock of its own at site 3, all have one at site 2. */
static void locks_of_a_block_are_one_row(void **state)
{
	const char *trace = scene__path("locks.dsmt");
	struct text text = {0};
	struct report_options o;
	struct report r;
	struct feed f;

	(void)state;
	scene__start_in(&f, 6, DSM_EV_SC);
	for (unsigned n = 0; n < 4; n++)
		feed__lock(&f, (struct feed_iv){n, 10, 0, 3}, 77 + n, 0, 50000);
	feed__lock(&f, (struct feed_iv){0, 20, 0, 2}, 99, 0, 50000);
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	scene__report(&r, &o, &trace);
	report__text(&r, &o, &text);
	assert_non_null(strstr(text.at, "200 us  4 times, 4 locks of the block at"));
	assert_non_null(strstr(text.at, " 50 us  1 time, lock of the block at"));
	text__free(&text);
	report__free(&r);
	feed__free(&f);
}

/* The ledger of time waited has the longest words. */
static void the_ledger_is_one_column(void **state)
{
	const char *trace = scene__path("column.dsmt"), *line;
	struct text text = {0};
	struct report_options o;
	struct report r;
	struct feed f;
	unsigned lines = 0;

	(void)state;
	scene__start_in(&f, 6, DSM_EV_SC);
	feed__interval(&f, (struct feed_iv){0, 1, 0, 3}, 0, false);
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	scene__report(&r, &o, &trace);
	r.tally.ledger.met_microscope = r.tally.ledger.microscope = 1000;
	report__text(&r, &o, &text);
	line = strstr(text.at, "  Ledger of time waited");
	assert_non_null(line);
	for (line = strchr(line, '\n') + 1; !strncmp(line, "    ", 4); line = strchr(line, '\n') + 1, lines++)
		assert_int_equal(strcspn(line, "\n"), 81);
	assert_true(lines > 10);
	text__free(&text);
	report__free(&r);
	feed__free(&f);
}

static void before_predicted_and_after_are_compared(void **state)
{
	const char *before = scene__path("before.dsmt"), *after = scene__path("after.dsmt");
	struct text text = {0};
	struct proof p;
	struct feed f;

	(void)state;
	scene__start(&f, 7);
	scene__plant(&f, 100);
	f.time_ns = 2000000000;
	assert_int_equal(feed__write(&f, before, NULL, 0), 0);
	feed__free(&f);
	scene__start(&f, 8);
	for (unsigned i = 0; i < 500; i++)
		feed__commit(&f, (struct feed_iv){i % 4, i, 0, 3}, false);
	f.time_ns = 2000000000;
	assert_int_equal(feed__write(&f, after, NULL, 0), 0);
	feed__free(&f);
	assert_int_equal(proof__make(&p, before, after, NULL, NULL), 0);
	assert_true(p.before.rates.aborts_per_commit > 0.4 && p.after.rates.aborts_per_commit == 0);
	assert_true(p.predicted.aborts_per_commit < p.before.rates.aborts_per_commit / 5);
	assert_true(p.predicted.commits_per_s > p.before.rates.commits_per_s);
	assert_true(p.after.rates.work_per_s > 490 && p.after.rates.work_per_s < 510);
	p.after.rates.work_per_s = p.before.rates.work_per_s = 0; /* then commits speak */
	p.before.rates.commits_per_s = 100;
	p.after.rates.commits_per_s = 90;
	proof__text(&p, &text);
	assert_non_null(strstr(text.at, "The plan did NOT help: commits per second fell by 10 %"));
	assert_non_null(strstr(text.at, "Yet far less time is wasted, so something else may have had"));
	text__free(&text);
	p.after.rates.wasted_share = p.before.rates.wasted_share;
	proof__text(&p, &text);
	assert_null(strstr(text.at, "Yet far less"));
	text__free(&text);
}

/* A number that is rounded to nothing has no sign. */
static void nothing_has_no_sign(void **state)
{
	char text[40];

	(void)state;
	names__duration(-400, text, sizeof(text));
	assert_string_equal(text, "0 us");
	names__duration(-600, text, sizeof(text));
	assert_string_equal(text, "-1 us");
	names__duration(499, text, sizeof(text));
	assert_string_equal(text, "0 us");
	names__duration(-2.5e9, text, sizeof(text));
	assert_string_equal(text, "-2.50 s");
}

/* Pages 1 and 2 go to node 2, page 3 to node 1 and back; the records of different nodes come in any order. */
static void homes_that_moved_are_listed(void **state)
{
	const char *trace = scene__path("homes.dsmt");
	struct json_object *json, *homes, *rows, *row, *x;
	struct text text = {0}, forms = {0};
	struct report_options o;
	struct report r;
	struct feed f;

	(void)state;
	scene__start(&f, 3);
	scene__plant(&f, 20);
	feed__move(&f, 1, 3, 9, 0, 0);
	feed__move(&f, 0, 3, 5, 1, 0);
	feed__move(&f, 0, 1, 7, 2, 0);
	feed__move(&f, 0, 2, 8, 2, 0);
	feed__move(&f, 0, 200, 1, 3, 0); /* where no object is */
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	scene__report(&r, &o, &trace);
	report__text(&r, &o, &text);
	assert_non_null(strstr(text.at, "Pages whose home moved to another node (5 moves)"));
	assert_non_null(strstr(text.at, "1 page of walkers: from node 0 to node 2\n"));
	assert_non_null(strstr(text.at, "1 page of total: back at node 0 (2 moves)\n"));
	assert_non_null(strstr(text.at, "1 page of (no known object): from node 0 to node 3\n"));
	report__json(&r, &o, &forms);
	json = json_tokener_parse(forms.at);
	assert_true(json_object_object_get_ex(json, "homes", &homes));
	assert_true(json_object_object_get_ex(homes, "moves", &x) && json_object_get_int(x) == 5);
	assert_true(json_object_object_get_ex(homes, "pages", &x) && json_object_get_int(x) == 4);
	assert_true(json_object_object_get_ex(homes, "moved", &rows));
	assert_int_equal(json_object_array_length(rows), 4);
	row = json_object_array_get_idx(rows, 0); /* of equally many pages, the lowest home first */
	assert_true(json_object_object_get_ex(row, "object", &x));
	assert_string_equal(json_object_get_string(x), "total");
	assert_true(json_object_object_get_ex(row, "to", &x) && json_object_get_int(x) == 0);
	json_object_put(json);
	text__free(&text);
	text__free(&forms);
	report__free(&r);
	feed__free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_planted_world_is_seen_through),
		cmocka_unit_test(nothing_has_no_sign),
		cmocka_unit_test(traces_of_several_hosts_are_merged),
		cmocka_unit_test(the_ledger_shows_what_is_missing),
		cmocka_unit_test(every_form_is_written),
		cmocka_unit_test(a_moment_is_too_short_for_rates),
		cmocka_unit_test(a_run_without_aborts_is_a_report),
		cmocka_unit_test(what_was_judged_may_say_otherwise),
		cmocka_unit_test(a_line_seen_elsewhere_is_told_so),
		cmocka_unit_test(numbers_keep_their_sign),
		cmocka_unit_test(locks_of_a_block_are_one_row),
		cmocka_unit_test(the_ledger_is_one_column),
		cmocka_unit_test(before_predicted_and_after_are_compared),
		cmocka_unit_test(homes_that_moved_are_listed),
	};

	return cmocka_run_group_tests(tests, scene__make_folder, scene__remove_folder);
}
