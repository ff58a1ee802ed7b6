/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Advice to declare a loop independent, on synthetic traces: where copies of pages cost much, and nothing seen speaks
 * against it.
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

#define SITE  3
#define TIMES 100 /* transactions of a node's loop */

struct loop {
	uint32_t weight;     /* of each fault on a page that is here, 10 us */
	uint64_t opening_ns; /* pages opened at the begin of each transaction */
	uint64_t commit_ns;  /* the end of each, which needs no message */
	unsigned remote,
		shared; /* every so many-th commit needs messages (0: none), for so many of its 100 pages */
	bool independent;
};

/* Four nodes, each with pages of its own. */
static void run_loop(struct feed *f, const struct loop *l)
{
	for (unsigned i = 0; i < 4 * TIMES; i++) {
		unsigned node = i % 4;
		struct feed_iv iv = {node, 10000 + i, 0, SITE};
		struct dsm_ev_commit *c;
		bool remote = l->remote && i / 4 % l->remote == 0;
		struct byteset set = {0};

		if (l->weight)
			feed__local_fault(f, iv, 100 + i, l->weight, 10000);
		byteset__add(&set, node * 8, node * 8 + 8);
		for (unsigned k = 0; remote && k < l->shared; k++)
			feed__writes(f, iv, 50 + k, &set, true);
		byteset__free(&set);
		c = feed__add_commit(f, iv, false);
		c->flags = (uint16_t)((remote ? 0 : DSM_EV_COMMIT_LOCAL) |
				      (l->independent ? DSM_EV_COMMIT_INDEPENDENT : 0));
		c->pages_written = 100;
		c->iterations = 8;
		c->pieces = 10;
		c->commit_ns = l->commit_ns;
		c->between_ns = l->opening_ns + l->commit_ns + 1000;
		c->work_ns = 20000;
		c->duration_ns = l->opening_ns + c->work_ns + c->commit_ns;
		f->counters[node].local_ns += l->opening_ns;
		f->counters[node].commit_ns += l->commit_ns;
	}
}

static const struct loop dear = {.weight = 4, .opening_ns = 10000, .commit_ns = 10000};

/* Writes the trace and reads its report; NULL: not advised. */
static const struct advice *advised(struct feed *f, struct report *r)
{
	const char *trace = scene__path("promise.dsmt");
	struct report_options o;

	assert_int_equal(feed__write(f, trace, NULL, 0), 0);
	scene__report(r, &o, &trace);
	feed__free(f);
	return scene__advice_of(r, ADVICE_INDEPENDENT);
}

/* That, of a feed that is all there; `r` is freed. */
static bool is_advised(struct feed *f)
{
	struct report r;
	bool yes = advised(f, &r) != NULL;

	report__free(&r);
	return yes;
}

static void saved_is_what_undoing_costs(void **state)
{
	const struct advice *a;
	struct text plan = {0}, json = {0};
	struct report_options o = {.top = 10};
	struct report r;
	struct feed f;
	double ns;

	(void)state;
	scene__start(&f, 1);
	run_loop(&f, &dear);
	a = advised(&f, &r);
	assert_non_null(a);
	assert_ptr_equal(a, &r.advice.all.at[0]);
	assert_string_equal(advice__kind(a->kind), "declare-independent");
	assert_int_equal(a->site, model__site(&r.model, 0, 0, SITE));
	/* 4 * TIMES times: four faults of 10 us, 10 us of opening, 10 us of commit. */
	ns = a->predicted.ns_per_s * r.totals.seconds;
	assert_true(ns > 0.999 * 4 * TIMES * 60000 && ns < 1.001 * 4 * TIMES * 60000);
	assert_true(a->undoing.handling > 0.999 * 4 * TIMES * 50000);
	/* Sure is what 800 and 400 records say of a mean. */
	assert_true(a->predicted.low_ns_per_s > 0.8 * a->predicted.ns_per_s &&
		    a->predicted.low_ns_per_s < 0.95 * a->predicted.ns_per_s);
	assert_true(a->predicted.rates.work_per_s > r.advice.now.work_per_s);
	assert_non_null(strstr(a->why, "no true conflict in 400 attempts seen: at most 0.75 % at 95 %"));
	assert_non_null(strstr(a->text, "DSM_TX_FOR_INDEPENDENT instead of DSM_TX_FOR."));
	assert_non_null(strstr(a->text, "a promise which only the author can give"));
	assert_non_null(strstr(a->text, "between the same two barriers"));
	assert_non_null(strstr(a->text, "To check it"));
	/* A change of the source, never of a plan. */
	assert_true(a->rule == 0 && !a->plannable && r.advice.plan.ns_per_s == 0);
	report__plan(&r, &plan);
	assert_null(strstr(plan.at, "\"P1\""));
	report__json(&r, &o, &json);
	assert_non_null(strstr(json.at, "\"true_at_most\": 0.0075"));
	text__free(&plan);
	text__free(&json);
	report__free(&r);
}

static void little_is_not_worth_a_promise(void **state)
{
	/* 84 ms of all nodes' time: 1 % are 2 us of each transaction */
	static const struct loop cheap[] = {{.weight = 0, .opening_ns = 0, .commit_ns = 100},
					    {.weight = 0, .opening_ns = 1000, .commit_ns = 100},
					    {.weight = 0, .opening_ns = 0, .commit_ns = 1000}};
	struct feed f;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		scene__start(&f, 2);
		run_loop(&f, &cheap[i]);
		assert_false(is_advised(&f));
	}
}

/* Pages that others held had to be compared and sent all the same. */
static void what_others_had_is_not_saved(void **state)
{
	double ns[3], low[3];

	(void)state;
	for (unsigned i = 0; i < 3;
	     i++) { /* none, every fourth commit with half of its pages, all commits with all */
		struct loop l = dear;
		const struct advice *a;
		struct report r;
		struct feed f;

		l.remote = i == 0 ? 0 : i == 1 ? 4 : 1;
		l.shared = i == 1 ? 50 : 100;
		scene__start(&f, 3);
		run_loop(&f, &l);
		a = advised(&f, &r);
		assert_int_equal(a == NULL, i == 2);
		ns[i] = a ? a->undoing.handling : 0;
		low[i] = a ? a->predicted.low_ns_per_s / a->predicted.ns_per_s : 0;
		report__free(&r);
	}
	assert_true(ns[1] > 0.87 * ns[0] && ns[1] < 0.88 * ns[0]);
	assert_true(low[1] < 0.9 * low[0]); /* only of the commits without a message it is sure */
}

static void other_models_have_nothing_to_undo(void **state)
{
	static const uint8_t model[] = {DSM_EV_SC, DSM_EV_RC};
	struct feed f;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		scene__start_in(&f, 4, model[i]);
		run_loop(&f, &dear);
		assert_false(is_advised(&f));
	}
}

static void what_is_declared_is_not_advised(void **state)
{
	struct loop l = dear;
	struct feed f;

	(void)state;
	l.independent = true;
	scene__start(&f, 5);
	run_loop(&f, &l);
	assert_false(is_advised(&f));
}

/* The abort and the retry that tells of it are parted by a barrier, so that only the verdict says that they met. */
static void meet_truly(struct feed *f)
{
	struct feed_iv winner = {0, 900, 0, SITE}, loser = {1, 900, 0, SITE}, retry = {1, 900, 1, SITE};
	struct feed_meeting m = {2, DSM_EV_ACCESS_READ, 1, 1};
	struct byteset set = {0}, none = {0};

	byteset__add(&set, 0, 8);
	feed__writes(f, winner, 2, &set, true);
	feed__abort(f, loser, winner, DSM_EV_CAUSE_CONFLICT, 1000, &m, 1, false);
	feed__commit(f, winner, false);
	feed__barrier(f, 1);
	feed__accesses(f, retry, 2, &set, &none, true, NOWHERE);
	feed__commit(f, retry, true);
	byteset__free(&set);
}

/* One that is judged true is enough; false ones do no harm. */
static void true_conflicts_forbid_it(void **state)
{
	struct feed f;

	(void)state;
	for (unsigned truly = 0; truly < 2; truly++) {
		scene__start(&f, 6);
		run_loop(&f, &dear);
		for (unsigned i = 0; i < 20; i++)
			scene__meet(&f, 100 + i, i % 4, (i + 1) % 4, 1, i % 4 * 8, i % 4 * 8 + 8,
				    (i + 1) % 4 * 8, (i + 1) % 4 * 8 + 8, false);
		if (truly)
			meet_truly(&f);
		assert_int_equal(is_advised(&f), !truly);
	}
}

/* Nobody saw what the loser accessed. */
static void unknown_conflicts_count_against_it(void **state)
{
	(void)state;
	for (unsigned n = 0; n <= 60; n += 20) {
		const struct advice *a;
		struct report r;
		struct feed f;

		scene__start(&f, 7);
		run_loop(&f, &dear);
		for (unsigned i = 0; i < n; i++) {
			struct feed_iv winner = {i % 4, 100 + i, 0, SITE},
				       loser = {(i + 1) % 4, 200 + i, 0, SITE};
			struct feed_meeting m = {1, DSM_EV_ACCESS_READ, 1, 1};
			struct byteset set = {0};

			byteset__add(&set, i % 4 * 8, i % 4 * 8 + 8);
			feed__writes(&f, winner, 1, &set, true);
			feed__abort(&f, loser, winner, DSM_EV_CAUSE_CONFLICT, 1000, &m, 1, false);
			feed__commit(&f, winner, false);
			feed__barrier(&f, 1 + i);
			byteset__free(&set);
		}
		a = advised(&f, &r);
		assert_int_equal(a != NULL, n <= 20); /* 20 of 440 are 7 % at 95 %, 40 of 480 are 11 % */
		if (n == 20)
			assert_non_null(strstr(a->why, "20 of their 20 conflicts could not be judged and "
						       "count as true: at most 6.9 % at 95 %"));
		report__free(&r);
	}
}

/* The promise is about all that lies between two barriers, not about attempts that ran at the same time. */
static void bytes_of_two_nodes_between_barriers_forbid_it(void **state)
{
	enum { LATER, OTHER_BYTE, READ, READ_BEFORE, WRITTEN, CASES };

	(void)state;
	for (int what = 0; what < CASES; what++) {
		struct feed_iv writer = {0, 500, 0, SITE}, other = {1, 501, 0, 2};
		unsigned at = what == OTHER_BYTE ? 16 : 12;
		struct byteset set = {0}, meets = {0};
		struct feed f;

		byteset__add(&set, 8, 16);
		byteset__add(&meets, 12, 20);
		scene__start(&f, 8);
		run_loop(&f, &dear);
		feed__barrier(&f, 1);
		if (what == READ_BEFORE)
			feed__fault(&f, other, 1, at, DSM_EV_ACCESS_READ, NOWHERE);
		feed__writes(&f, writer, 1, &set, true);
		feed__commit(&f, writer, false);
		if (what == LATER)
			feed__barrier(&f, 2);
		if (what == WRITTEN)
			feed__writes(&f, other, 1, &meets, true);
		else if (what != READ_BEFORE)
			feed__fault(&f, other, 1, at, DSM_EV_ACCESS_READ, NOWHERE);
		assert_int_equal(is_advised(&f), what <= OTHER_BYTE);
		byteset__free(&set);
		byteset__free(&meets);
	}
}

static void lost_records_may_speak_against_it(void **state)
{
	static const uint16_t types[] = {DSM_EV_ABORT, DSM_EV_WRITES, DSM_EV_FAULT};
	const char *trace = scene__path("lossy.dsmt");

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct trace_loss loss = {.type = types[i], .count = 1};
		struct report_options o;
		struct report r;
		struct feed f;

		scene__start(&f, 10);
		run_loop(&f, &dear);
		assert_int_equal(feed__write(&f, trace, &loss, 1), 0);
		scene__report(&r, &o, &trace);
		assert_int_equal(scene__advice_of(&r, ADVICE_INDEPENDENT) != NULL, i == 2);
		assert_int_equal(scene__noted(&r, "may have spoken against it"), i < 2);
		report__free(&r);
		feed__free(&f);
	}
}

/* dsm_cancel() and dsm_retry() need the undoing. */
static void who_cancels_must_be_undone(void **state)
{
	struct feed_iv iv = {0, 500, 0, SITE}, nobody = {0};
	struct feed f;

	(void)state;
	scene__start(&f, 9);
	run_loop(&f, &dear);
	feed__abort(&f, iv, nobody, DSM_EV_CAUSE_CANCEL, 1000, NULL, 0, false);
	assert_false(is_advised(&f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(saved_is_what_undoing_costs),
		cmocka_unit_test(little_is_not_worth_a_promise),
		cmocka_unit_test(what_others_had_is_not_saved),
		cmocka_unit_test(other_models_have_nothing_to_undo),
		cmocka_unit_test(what_is_declared_is_not_advised),
		cmocka_unit_test(true_conflicts_forbid_it),
		cmocka_unit_test(unknown_conflicts_count_against_it),
		cmocka_unit_test(bytes_of_two_nodes_between_barriers_forbid_it),
		cmocka_unit_test(lost_records_may_speak_against_it),
		cmocka_unit_test(who_cancels_must_be_undone),
	};

	return cmocka_run_group_tests(tests, scene__make_folder, scene__remove_folder);
}
