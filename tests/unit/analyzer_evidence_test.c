/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conflicts whose truth is known byte by byte, told to the analyzer in records of every degree of
 * completeness and in any order across nodes. Whatever is missing, true sharing is never called false by
 * evidence, and with everything there the verdict is the truth.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/evidence.h"
#include "tests/analyzer/feed.h"

#define CONFLICTS 60
#define PAGES	  6
#define SEEDS	  400

enum told { /* of the loser's accesses */
	    TOLD_OWN,
	    TOLD_RETRY,
	    TOLD_RETRY_LATER,	/* after a retry that was seen but aborted half way */
	    TOLD_RETRY_DIFFERS, /* the retry did something else */
	    TOLD_RETRY_ABORTS,
	    TOLD_PARTLY,
	    TOLD_NOTHING,
	    TOLDS,
};

struct planted {
	enum verdict truth;
	enum told told;
	bool writes_told, by_priority, own_diff_meets;
	double seen[VERDICTS][BASES], shares;
};

struct plot {
	struct feed f;
	struct planted planted[CONFLICTS];
};

static void some_bytes(struct feed *f, struct byteset *s, unsigned most)
{
	for (unsigned i = feed__random(f, most); i > 0; i--) {
		uint32_t from = feed__random(f, 4000);

		byteset__add(s, from, from + 1 + feed__random(f, 24));
	}
}

struct page_plan {
	struct byteset changed, read, wrote, touched; /* by the one side; by the other */
	unsigned page;
	bool untouched;
};

/* One page's bytes; half of all pages are true sharing on purpose. */
static void plan_page(struct feed *f, struct page_plan *p)
{
	memset(p, 0, sizeof(*p));
	p->page = 1 + feed__random(f, PAGES);
	do
		some_bytes(f, &p->changed, 6);
	while (!p->changed.n);
	p->untouched = !feed__random(f, 8);
	if (!p->untouched) {
		do {
			some_bytes(f, &p->read, 8);
			some_bytes(f, &p->wrote, 4);
		} while (!p->read.n && !p->wrote.n);
		if (feed__random(f, 2)) {
			const struct span *s = &p->changed.at[feed__random(f, (uint32_t)p->changed.n)];

			byteset__add(feed__random(f, 2) ? &p->read : &p->wrote, s->to - 1, s->to + 7);
		}
	}
	byteset__add_all(&p->touched, &p->read);
	byteset__add_all(&p->touched, &p->wrote);
}

static void forget_page(struct page_plan *p)
{
	byteset__free(&p->changed);
	byteset__free(&p->read);
	byteset__free(&p->wrote);
	byteset__free(&p->touched);
}

static enum verdict truth_of(const struct page_plan *p, unsigned n)
{
	bool is_false = false;

	for (unsigned i = 0; i < n; i++) {
		if (byteset__meets(&p[i].changed, &p[i].touched))
			return VERDICT_TRUE;
		is_false = is_false || !p[i].untouched;
	}
	return is_false ? VERDICT_FALSE : VERDICT_UNTOUCHED;
}

static const struct dsm_ev_ip nowhere = {0, 0};

static void tell_half(struct feed *f, struct feed_iv iv, const struct page_plan *p, bool complete)
{
	struct byteset none = {0}, half = {0};

	for (size_t i = 0; i < p->read.n / 2; i++)
		byteset__add(&half, p->read.at[i].from, p->read.at[i].to);
	feed__accesses(f, iv, p->page, &half, &none, complete, nowhere);
	byteset__free(&half);
}

/* A retry that did something else, as only chance outside of the DSM can make it: known by the first touch of
 * the attempt that was lost. */
static void tell_other(struct feed *f, struct feed_iv lost, struct feed_iv iv, const struct page_plan *p)
{
	struct byteset read = {0}, none = {0};

	if (p->touched.n)
		feed__fault(f, lost, p->page, p->touched.at[0].from, DSM_EV_ACCESS_READ, nowhere);

	byteset__add(&read, 4088, 4096); /* bytes that no plan uses */
	feed__accesses(f, iv, p->page, &read, &none, true, nowhere);
	byteset__free(&read);
}

/* The accesses of the side that accessed, by the ways in which a runtime can tell of them. */
static void tell_accesses(struct feed *f, struct feed_iv iv, struct feed_iv third, const struct page_plan *p,
			  unsigned n, enum told told)
{
	struct feed_iv retry = iv, later = iv;
	struct feed_meeting m = {.page = p[0].page, .access = 1, .tracked = 1};

	retry.attempt++;
	later.attempt += 2;
	for (unsigned i = 0; i < n; i++) {
		if (told == TOLD_OWN)
			feed__accesses(f, iv, p[i].page, &p[i].read, &p[i].wrote, true, nowhere);
		if (told == TOLD_PARTLY)
			tell_half(f, iv, &p[i], false);
		if (told == TOLD_RETRY_ABORTS || told == TOLD_RETRY_LATER)
			tell_half(f, retry, &p[i], true); /* complete as far as it ran */
		if (told == TOLD_RETRY_DIFFERS)
			tell_other(f, iv, retry, &p[i]);
		if (told == TOLD_RETRY || told == TOLD_RETRY_LATER)
			feed__accesses(f, told == TOLD_RETRY ? retry : later, p[i].page, &p[i].read,
				       &p[i].wrote, true, nowhere);
	}
	if (told == TOLD_RETRY || told == TOLD_RETRY_DIFFERS)
		feed__commit(f, retry, true);
	if (told == TOLD_RETRY_ABORTS || told == TOLD_RETRY_LATER)
		feed__abort(f, retry, third, DSM_EV_CAUSE_CANCEL, 0, &m, 1, true);
	if (told == TOLD_RETRY_LATER)
		feed__commit(f, later, true);
}

static void plant(struct plot *plot, unsigned number)
{
	struct feed *f = &plot->f;
	struct planted *x = &plot->planted[number];
	unsigned n = 1 + feed__random(f, 3), a = feed__random(f, f->nodes),
		 b = (a + 1 + feed__random(f, f->nodes - 1)) % f->nodes;
	struct feed_iv one = {a, 1000 + number, 0, 0}, other = {b, 1000 + number, feed__random(f, 3), 0},
		       none = {0};
	struct feed_meeting m[3];
	struct page_plan p[3];

	x->told = (enum told)feed__random(f, TOLDS);
	x->writes_told = feed__random(f, 10) != 0;
	x->by_priority = !feed__random(f, 3);
	for (unsigned i = 0; i < n; i++) {
		plan_page(f, &p[i]);
		p[i].page += i * PAGES;			/* all different */
		if (x->by_priority && p[i].untouched) { /* nobody knows that of a winner */
			p[i].untouched = false;
			byteset__add(&p[i].touched, 4080, 4088);
			byteset__add(&p[i].read, 4080, 4088);
		}
		m[i] = (struct feed_meeting){p[i].page,
					     p[i].wrote.n  ? 3
					     : p[i].read.n ? 1
							   : 0,
					     1, x->by_priority ? 0 : 1};
	}
	x->truth = truth_of(p, n);
	for (unsigned i = 0; x->writes_told && i < n; i++)
		feed__writes(f, one, p[i].page, &p[i].changed, !x->by_priority);
	if (x->by_priority) { /* `one` wanted to commit and gave way to `other` */
		for (unsigned i = 0; i < n; i++)
			m[i].access = 3;
		feed__abort(f, one, other, DSM_EV_CAUSE_PRIORITY, 1000 + number, m, n, false);
	} else {
		for (unsigned i = 0; i < n; i++)
			if (p[i].wrote.n)
				feed__writes(f, other, p[i].page, &p[i].wrote, false);
		for (unsigned i = 0; i < n; i++)
			x->own_diff_meets = x->own_diff_meets || byteset__meets(&p[i].changed, &p[i].wrote);
		feed__abort(f, other, one, DSM_EV_CAUSE_CONFLICT, 1000 + number, m, n, x->told == TOLD_OWN);
		feed__commit(f, one, false);
	}
	tell_accesses(f, other, none, p, n, x->told);
	if (x->told == TOLD_OWN && x->by_priority)
		feed__commit(f, other, true);
	for (unsigned i = 0; i < n; i++)
		forget_page(&p[i]);
}

static void on_conflict(void *context, const struct conflict *c)
{
	struct plot *plot = context;
	double number = c->wasted_ns - 1000;

	if (c->cause == DSM_EV_CAUSE_CANCEL)
		return;
	assert_true(number >= 0 && number < CONFLICTS);
	plot->planted[(int)number].seen[c->verdict][c->basis] += c->share;
	plot->planted[(int)number].shares += c->share;
}

static void on_usage(void *context, const struct usage_event *u)
{
	(void)context;
	(void)u;
}

static void on_commit(void *context, uint32_t run, uint32_t site, const struct dsm_ev_hdr *record)
{
	(void)context, (void)run, (void)site, (void)record;
}

static double by_evidence(const struct planted *x, enum verdict v)
{
	return x->seen[v][BASIS_OWN] + x->seen[v][BASIS_RETRY];
}

enum losses { NO_LOSSES, LOSSES, LOSSES_OF_NO_TYPE }; /* that the trace tells */

static void analyze(struct plot *plot, size_t window, enum losses losses)
{
	struct evidence_sink sink = {
		.context = plot, .conflict = on_conflict, .usage = on_usage, .commit = on_commit};
	struct symbols *s;
	struct layouts *l;
	struct evidence *e;
	struct model m;

	model__init(&m);
	model__run(&m, 1, "test");
	s = symbols__new(&m, NULL);
	l = layouts__new(&m, s);
	e = evidence__new(&m, l, s, window, &sink);
	if (losses == LOSSES)
		m.runs.at[0].lost[DSM_EV_ACCESSES] = m.runs.at[0].lost[DSM_EV_WRITES] = 1;
	if (losses == LOSSES_OF_NO_TYPE) /* the rest of a batch that could not be read */
		m.runs.at[0].lost[0] = 1;
	for (size_t i = 0; i < plot->f.records.n; i++) {
		model__record(&m, 0, plot->f.records.at[i]);
		evidence__record(e, 0, plot->f.records.at[i]);
	}
	evidence__finish(e);
	evidence__free(e);
	layouts__free(l);
	symbols__free(s);
	model__free(&m);
}

static void never_false(const struct plot *plot, uint64_t seed)
{
	for (unsigned i = 0; i < CONFLICTS; i++) {
		const struct planted *x = &plot->planted[i];

		assert_true(x->shares > 0.999 &&
			    x->shares < 1.001); /* told once, or in parts that make one */
		if (x->truth == VERDICT_TRUE && by_evidence(x, VERDICT_FALSE) +
								by_evidence(x, VERDICT_SILENT) +
								by_evidence(x, VERDICT_UNTOUCHED) >
							0)
			fail_msg("seed %llu, conflict %u: true sharing called something else (told %d)",
				 (unsigned long long)seed, i, x->told);
		if (x->truth == VERDICT_FALSE && by_evidence(x, VERDICT_TRUE) > 0)
			fail_msg("seed %llu, conflict %u: false sharing called true (told %d)",
				 (unsigned long long)seed, i, x->told);
	}
}

static bool all_told(const struct planted *x)
{
	return x->writes_told &&
	       (x->told == TOLD_OWN || x->told == TOLD_RETRY || x->told == TOLD_RETRY_LATER);
}

static void start(struct plot *plot, uint64_t seed)
{
	memset(plot, 0, sizeof(*plot));
	feed__start(&plot->f, 4, seed);
	feed__nodes(&plot->f);
	for (unsigned i = 0; i < CONFLICTS; i++)
		plant(plot, i);
	for (unsigned n = 0; n < 4; n++) /* all went on to other transactions */
		feed__commit(&plot->f, (struct feed_iv){n, 100000, 0, 0}, false);
}

static void planted_truths_are_found(void **state)
{
	static struct plot plot;
	unsigned judged = 0, full = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		start(&plot, seed);
		feed__shuffle(&plot.f);
		analyze(&plot, 0, NO_LOSSES);
		never_false(&plot, seed);
		for (unsigned i = 0; i < CONFLICTS; i++) {
			const struct planted *x = &plot.planted[i];

			/* What needs no microscope: the loser's own diff, and pages that it did not access.
			 */
			if (x->writes_told && x->own_diff_meets)
				assert_true(by_evidence(x, VERDICT_TRUE) > 0.999);
			if (x->truth == VERDICT_UNTOUCHED)
				assert_true(by_evidence(x, VERDICT_UNTOUCHED) > 0.999);
			full += all_told(x);
			judged += all_told(x) && by_evidence(x, x->truth) > 0.999;
			if (all_told(x) && by_evidence(x, x->truth) < 0.999)
				fail_msg("seed %llu, conflict %u (truth %s, told %d, priority %d): not "
					 "judged so",
					 (unsigned long long)seed, i, verdict__name(x->truth), x->told,
					 x->by_priority);
		}
		feed__free(&plot.f);
	}
	assert_true(full > SEEDS * CONFLICTS / 4);
	assert_int_equal(judged, full);
}

/* A window that holds a few records loses counterparts: that may cost verdicts, not truth. */
static void a_small_window_forgets_but_does_not_lie(void **state)
{
	static struct plot plot;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS / 4; seed++) {
		start(&plot, seed);
		analyze(&plot, 3 * (1500 + seed * 50), NO_LOSSES);
		never_false(&plot, seed);
		feed__free(&plot.f);
	}
}

/* Any record may be lost, if the losses are known of. */
static void lost_records_do_not_make_true_false(void **state)
{
	static struct plot plot;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS / 2; seed++) {
		size_t kept = 0;

		start(&plot, seed);
		for (size_t i = 0; i < plot.f.records.n; i++) {
			struct dsm_ev_hdr *h = plot.f.records.at[i];

			if ((h->type == DSM_EV_ACCESSES || h->type == DSM_EV_WRITES) &&
			    !feed__random(&plot.f, 3))
				mem__free(h);
			else
				plot.f.records.at[kept++] = h;
		}
		plot.f.records.n = kept;
		analyze(&plot, 0, seed % 2 ? LOSSES : LOSSES_OF_NO_TYPE);
		never_false(&plot, seed);
		feed__free(&plot.f);
	}
}

static unsigned count_verdicts(struct plot *plot, unsigned i, enum verdict v)
{
	double n = 0;

	for (int b = 0; b < BASES; b++)
		n += plot->planted[i].seen[v][b];
	return (unsigned)(n + 0.5);
}

/* A store that changed no byte is silent only where the store itself was seen. */
static void silent_stores_are_told_apart(void **state)
{
	static struct plot plot;
	struct feed_meeting m = {1, 1, 1, 1};
	struct byteset changed = {0}, stored = {0}, read = {0}, none = {0};

	(void)state;
	memset(&plot, 0, sizeof(plot));
	feed__start(&plot.f, 2, 1);
	feed__nodes(&plot.f);
	byteset__add(&changed, 0, 4);
	byteset__add(&stored, 0, 16);
	byteset__add(&read, 8, 16);
	for (unsigned i = 0; i < 2; i++) {
		struct feed_iv winner = {0, 10 + i, 0, 0}, loser = {1, 10 + i, 0, 0};

		feed__writes(&plot.f, winner, 1, &changed, true);
		if (i)
			feed__accesses(&plot.f, winner, 1, &none, &stored, true, nowhere);
		feed__accesses(&plot.f, loser, 1, &read, &none, true, nowhere);
		feed__abort(&plot.f, loser, winner, DSM_EV_CAUSE_CONFLICT, 1000 + i, &m, 1, true);
		feed__commit(&plot.f, winner, false);
	}
	analyze(&plot, 0, NO_LOSSES);
	assert_int_equal(count_verdicts(&plot, 0, VERDICT_FALSE), 1);
	assert_int_equal(count_verdicts(&plot, 1, VERDICT_SILENT), 1);
	byteset__free(&changed);
	byteset__free(&stored);
	byteset__free(&read);
	feed__free(&plot.f);
}

/* More runs than one record holds come in several; if the rest is missing the set is not whole. */
static void many_runs_add_up(void **state)
{
	static struct plot plot;
	struct byteset changed = {0}, read = {0}, none = {0};
	struct feed_meeting m = {1, 1, 1, 1};

	(void)state;
	for (uint32_t i = 0; i < 1500; i++)
		byteset__add(&changed, 2 * i, 2 * i + 1);
	byteset__add(&read, 2 * 1400, 2 * 1400 + 1);
	for (enum losses lose = NO_LOSSES; lose <= LOSSES_OF_NO_TYPE; lose++) {
		struct feed_iv winner = {0, 10, 0, 0}, loser = {1, 10, 0, 0};

		memset(&plot, 0, sizeof(plot));
		feed__start(&plot.f, 2, 1);
		feed__nodes(&plot.f);
		feed__writes(&plot.f, winner, 1, &changed, true);
		if (lose) {
			plot.f.records.n--;
			mem__free(plot.f.records.at[plot.f.records.n]);
		}
		feed__accesses(&plot.f, loser, 1, &read, &none, true, nowhere);
		feed__abort(&plot.f, loser, winner, DSM_EV_CAUSE_CONFLICT, 1000, &m, 1, true);
		analyze(&plot, 0, NO_LOSSES);
		assert_int_equal(count_verdicts(&plot, 0, lose ? VERDICT_UNKNOWN : VERDICT_TRUE), 1);
		feed__free(&plot.f);
	}
	byteset__free(&changed);
	byteset__free(&read);
}

/* The same for accesses: with losses, a part whose predecessor is missing does not count as whole. */
static void a_lost_part_of_the_accesses_is_noticed(void **state)
{
	static struct plot plot;
	struct byteset changed = {0}, read = {0}, none = {0};
	struct feed_meeting m = {1, 1, 1, 1};

	(void)state;
	for (uint32_t i = 0; i < 400; i++) /* 400 accesses: two records */
		byteset__add(&read, 10 * i, 10 * i + 1);
	byteset__add(&changed, 0, 1);
	for (enum losses lose = NO_LOSSES; lose <= LOSSES_OF_NO_TYPE; lose++) {
		struct feed_iv winner = {0, 10, 0, 0}, loser = {1, 10, 0, 0};
		size_t first;

		memset(&plot, 0, sizeof(plot));
		feed__start(&plot.f, 2, 1);
		feed__nodes(&plot.f);
		feed__writes(&plot.f, winner, 1, &changed, true);
		first = plot.f.records.n;
		feed__accesses(&plot.f, loser, 1, &read, &none, true, nowhere);
		assert_int_equal(plot.f.records.n, first + 2);
		if (lose) { /* the part with the one access that meets */
			mem__free(plot.f.records.at[first]);
			plot.f.records.at[first] = plot.f.records.at[first + 1];
			plot.f.records.n--;
		}
		feed__abort(&plot.f, loser, winner, DSM_EV_CAUSE_CONFLICT, 1000, &m, 1, true);
		analyze(&plot, 0, lose);
		assert_int_equal(count_verdicts(&plot, 0, lose ? VERDICT_UNKNOWN : VERDICT_TRUE), 1);
		feed__free(&plot.f);
	}
	byteset__free(&changed);
	byteset__free(&read);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(planted_truths_are_found),
		cmocka_unit_test(a_small_window_forgets_but_does_not_lie),
		cmocka_unit_test(lost_records_do_not_make_true_false),
		cmocka_unit_test(silent_stores_are_told_apart),
		cmocka_unit_test(many_runs_add_up),
		cmocka_unit_test(a_lost_part_of_the_accesses_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
