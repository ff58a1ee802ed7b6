/* SPDX-License-Identifier: BSD-2-Clause */
/* Advice on the iterations of loops, on synthetic traces: transactions that are too short, and critical sections of which it is
 * known how long the run would take without all that larger ones spare. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/analyzer/scene.h"

#define PAGE 1

/* The report heads its only advice with what that is about: tx has no locks. */
static void is_headed(struct report *r, const struct advice *a)
{
	const struct report_options o = {.top = 10};
	struct text text = {0};
	char name[192] = "lock", heading[256];
	struct source src;

	if (!a->lock) {
		names__site(r->symbols, &r->model, a->site, &src);
		names__place(&src, name, sizeof(name));
	}
	snprintf(heading, sizeof(heading), "\n  1. %s  coarser-chunks  [plan rule P1]\n",
		 strcmp(name, "?") ? name : "loop");
	report__text(r, &o, &text);
	if (!strstr(text.at, heading))
		fail_msg("no \"%s\" in:\n%s", heading, text.at);
	text__free(&text);
}

/* The advice for a loop of `pieces` transactions of 4 iterations, and the plan's text. */
static unsigned advised_chunk(uint16_t pieces, uint64_t between_ns, uint64_t work_ns, char *plan, size_t size)
{
	const char *trace = scene__path("loop.dsmt");
	struct text text = {0};
	struct report_options o;
	const struct advice *a;
	struct report r;
	struct feed f;
	unsigned chunk;

	scene__start(&f, 11);
	for (unsigned i = 0; i < 400; i++)
		feed__loop_commit(&f, (struct feed_iv){i % 4, 100 + i, 0, 3}, 4, pieces, between_ns, work_ns);
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	scene__report(&r, &o, &trace);
	a = scene__advice_of(&r, ADVICE_COARSER);
	chunk = a ? a->k : 0;
	if (a) {
		assert_true(a->rule == 1 && a->plannable);
		assert_true(a->predicted.ns_per_s > 0 &&
			    a->predicted.rates.work_per_s > r.advice.now.work_per_s);
		assert_true(a->predicted.rates.commits_per_s < r.advice.now.commits_per_s);
		assert_true(r.advice.plan.ns_per_s == a->predicted.ns_per_s);
		assert_null(a->lock);
		is_headed(&r, a);
	}
	report__plan(&r, &text);
	snprintf(plan, size, "%s", text.at);
	mem__free(text.at);
	report__free(&r);
	feed__free(&f);
	return chunk;
}

static void loops_that_commit_too_often_get_a_rule(void **state)
{
	char plan[4000];

	(void)state;
	assert_int_equal(advised_chunk(1000, 5000000, 50000000, plan, sizeof(plan)),
			 0); /* long enough as it is */
	assert_null(strstr(plan, "\"loop\""));
	assert_int_equal(advised_chunk(1000, 5000000, 1000000, plan, sizeof(plan)), 20); /* 5 ms of work */
	assert_non_null(strstr(plan, "\"loop\""));
	assert_non_null(strstr(plan, "\"chunk\": 20"));
	assert_null(strstr(plan, "\"type\""));
	assert_int_equal(advised_chunk(3, 5000000, 1000000, plan, sizeof(plan)), 12); /* all that it has */
	assert_int_equal(advised_chunk(1, 5000000, 1000000, plan, sizeof(plan)), 0);
	assert_int_equal(advised_chunk(1000, 50, 10, plan, sizeof(plan)), 0); /* not worth a rule */
}

#define PIECES 20000

/* Four nodes take turns under one lock, each as soon as it can. */
struct contention {
	unsigned turns;
	uint64_t travel_ns, page_ns,
		own_ns;	     /* of a section: until the lock is there; its page; what it computes */
	unsigned slow_every; /* 0: never; of so many one computes so long: */
	uint64_t slow_ns;
	unsigned more; /* sections in each turn that find the lock and the page there */
};

/* What is done under the lock, one after another: the run takes no less, however large the sections are. */
static uint64_t take_turns(struct feed *f, const struct contention *c)
{
	uint64_t now = f->time_ns, left[4] = {now, now, now, now}, number[4] = {0}, computed = 0;

	for (unsigned i = 0; i < c->turns; i++) {
		unsigned node = i % 4;
		uint64_t own = c->slow_every && i % c->slow_every == 0 ? c->slow_ns : c->own_ns;
		struct feed_iv outside = {node, ++number[node], 0, 3}, section = {node, ++number[node], 0, 3};
		struct dsm_ev_lock *l;

		now += c->travel_ns;
		f->time_ns = now;
		/* Another node met it while it waited, so what is between two sections is told of, too. */
		feed__interval(f, outside, 0, false)->duration_ns = now - left[node];
		l = feed__lock(f, section, 77, DSM_EV_LOCK_GIVEN, now - left[node]);
		l->iterations = 1;
		l->pieces = PIECES;
		if (c->page_ns)
			feed__wait(f, section, PAGE, 0, DSM_EV_ACCESS_WRITE, 0, c->page_ns, NOWHERE);
		feed__interval(f, section, 0, false)->duration_ns = c->page_ns + own;
		f->counters[node].locks += c->more;
		computed += own + c->more * c->own_ns;
		now += c->page_ns + own + c->more * c->own_ns;
		left[node] = now;
	}
	f->time_ns = now;
	return computed;
}

/* How much faster the run gets at least, as the report says (1: no advice), and as it is. */
static double predicted(const struct contention *c, double *truth)
{
	const char *trace = scene__path("turns.dsmt");
	struct report_options o;
	const struct advice *a;
	struct report r;
	struct feed f;
	uint64_t computed;
	double low;

	scene__start_in(&f, 13, DSM_EV_SC);
	computed = take_turns(&f, c);
	assert_int_equal(feed__write(&f, trace, NULL, 0), 0);
	scene__report(&r, &o, &trace);
	a = scene__advice_of(&r, ADVICE_COARSER);
	low = a ? a->predicted.low : 1;
	*truth = r.totals.seconds * 1e9 / (double)computed;
	if (a) {
		assert_true(a->rule == 1 && a->plannable && a->lock);
		assert_true(a->k > 1 && a->k * c->own_ns <= 1000000);
		assert_true(a->predicted.ns_per_s > 0);
		is_headed(&r, a);
	}
	report__free(&r);
	feed__free(&f);
	return low;
}

/* The least that is predicted: no more than the truth, and at least this part of it. */
static void nearly(const struct contention *c, double part)
{
	double truth, low = predicted(c, &truth);

	if (low > 1.001 * truth || low < part * truth)
		fail_msg("own %llu, page %llu, travel %llu: predicted %.3f, the truth is %.3f",
			 (unsigned long long)c->own_ns, (unsigned long long)c->page_ns,
			 (unsigned long long)c->travel_ns, low, truth);
}

/* No section was ever without a wait for its page: what it computes is told all the same. */
static void sections_that_always_wait_for_a_page(void **state)
{
	(void)state;
	nearly(&(struct contention){.turns = 40000, .travel_ns = 5000, .page_ns = 6000, .own_ns = 3000}, 0.9);
	nearly(&(struct contention){.turns = 40000, .travel_ns = 5000, .page_ns = 50000, .own_ns = 3000},
	       0.9);
	nearly(&(struct contention){.turns = 40000, .travel_ns = 25000, .own_ns = 3000}, 0.9);
}

/* What the holder computes stays, also where only some sections compute much. */
static void what_sections_compute_stays(void **state)
{
	double truth;

	(void)state;
	nearly(&(struct contention){.turns = 20000, .travel_ns = 10000, .page_ns = 10000, .own_ns = 100000},
	       0.9);
	nearly(&(struct contention){.turns = 20000,
				    .travel_ns = 10000,
				    .page_ns = 10000,
				    .own_ns = 3000,
				    .slow_every = 9,
				    .slow_ns = 400000},
	       0.9);
	assert_true(predicted(&(struct contention){.turns = 3000, .travel_ns = 5000, .own_ns = 700000},
			      &truth) == 1);
}

/* Sections that find the lock here are only counted, but compute as others do. */
static void sections_that_found_the_lock_here_stay(void **state)
{
	(void)state;
	nearly(
		&(struct contention){
			.turns = 40000, .travel_ns = 5000, .page_ns = 6000, .own_ns = 3000, .more = 4},
		0.9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loops_that_commit_too_often_get_a_rule),
		cmocka_unit_test(sections_that_always_wait_for_a_page),
		cmocka_unit_test(what_sections_compute_stays),
		cmocka_unit_test(sections_that_found_the_lock_here_stay),
	};

	return cmocka_run_group_tests(tests, scene__make_folder, scene__remove_folder);
}
