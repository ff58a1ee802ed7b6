/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conflicts of intervals, under sequential and release consistency: each verdict from records that are fed, a
 * ledger of waits that balances, advice that is about the right object, partition or lock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/analyzer/scene.h"

#define R    DSM_EV_ACCESS_READ
#define W    DSM_EV_ACCESS_WRITE
#define WAIT 50000u
#define PAGE 1

struct told {				 /* by the two sides of one meeting */
	uint32_t held_from, held_to;	 /* the holder wrote */
	uint32_t wanted_from, wanted_to; /* the other accessed */
	bool writes;			 /* so it did, else it read */
	bool seen;			 /* under the microscope */
};

/* sc: node `b` wants a page that node `a` has written since interval `number` - 1; later it loses it itself, when what
 * it wrote is told. */
static void take_away(struct feed *f, uint64_t number, unsigned a, unsigned b, const struct told *t)
{
	struct feed_iv since = {a, number - 1, 0, 3}, holder = {a, number, 0, 3}, other = {b, number, 0, 3};
	struct byteset held = {0}, wanted = {0}, none = {0};

	byteset__add(&held, t->held_from, t->held_to);
	byteset__add(&wanted, t->wanted_from, t->wanted_to);
	feed__writes(f, since, PAGE, &held, true);
	feed__meet(f, holder, other, PAGE, R | W, t->writes ? W : R, number - 1);
	feed__wait(f, other, PAGE, t->wanted_from, t->writes ? W : R, 0, WAIT, NOWHERE);
	if (t->writes)
		feed__writes(f, other, PAGE, &wanted, true);
	if (t->seen) {
		feed__accesses(f, other, PAGE, t->writes ? &none : &wanted, t->writes ? &wanted : &none, true,
			       NOWHERE);
		for (uint64_t n = number - 1; n <= number; n++) {
			struct feed_iv iv = {a, n, 0, 3};

			feed__accesses(f, iv, PAGE, &none, n == number ? &none : &held, true, NOWHERE);
		}
	}
	feed__interval(f, holder, 0, t->seen);
	feed__interval(f, other, 0, t->seen);
	byteset__free(&held);
	byteset__free(&wanted);
}

/* rc: node `b` waits for its flush, which reaches a page that node `a` reads. */
static void spread(struct feed *f, uint64_t number, unsigned a, unsigned b, const struct told *t)
{
	struct feed_iv holder = {a, number, 0, 3}, other = {b, number, 0, 3};
	struct byteset held = {0}, wrote = {0}, none = {0};

	byteset__add(&held, t->held_from, t->held_to);
	byteset__add(&wrote, t->wanted_from, t->wanted_to);
	feed__writes(f, other, PAGE, &wrote, true);
	feed__meet(f, holder, other, PAGE, R, W, number);
	if (t->seen)
		feed__accesses(f, holder, PAGE, &held, &none, true, NOWHERE);
	feed__interval(f, other, WAIT, false);
	feed__interval(f, holder, 0, t->seen);
	byteset__free(&held);
	byteset__free(&wrote);
}

static void start(struct feed *f, enum dsm_ev_consistency c)
{
	scene__start_in(f, 7, c);
	feed__object(f, 0, 0x1000, 24, WALKER, 1, 1, 0);
	feed__root(f, 0, 0x1000, "walkers");
}

static void report(struct feed *f, struct report *r)
{
	static const char *path;
	static struct report_options o;
	double sum = 0;

	feed__shuffle(f);
	path = scene__path("t.dsmt");
	assert_int_equal(feed__write(f, path, NULL, 0), 0);
	scene__report(r, &o, &path);
	sum = scene__sum(&r->tally.ledger) + r->tally.ledger.copies + r->tally.ledger.locks +
	      r->tally.ledger.flushes;
	assert_float_equal(sum, r->tally.ledger.measured, 1);
	assert_float_equal(r->tally.ledger.remainder, 0, 1);
	feed__free(f);
}

#define ROUNDS 12

/* All rounds alike: the verdict that one of them gets, and that all of the waiting is laid to it. */
static void expect(enum dsm_ev_consistency c, const struct told *t, enum verdict v)
{
	struct report r;
	struct feed f;

	start(&f, c);
	for (unsigned i = 0; i < ROUNDS; i++)
		(c == DSM_EV_SC ? take_away : spread)(&f, 100 + 10 * i, i % 2, 1 - i % 2, t);
	report(&f, &r);
	for (int k = 0; k < VERDICTS; k++)
		assert_float_equal(r.tally.ledger.verdict[k], k == (int)v ? ROUNDS * WAIT : 0, 1);
	assert_non_null(scene__row(&r, "walkers", v));
	assert_true(r.advice.now.conflicts_per_interval > 0.4 && r.advice.now.conflicts_per_interval < 0.6);
	report__free(&r);
}

/* Bytes of `x` and `y` of one walker are told from those of another. */
static void test_true(void **state)
{
	(void)state;
	expect(DSM_EV_SC, &(struct told){0, 8, 4, 12, false, true}, VERDICT_TRUE);
	expect(DSM_EV_SC, &(struct told){0, 8, 0, 8, true, true}, VERDICT_TRUE);
	expect(DSM_EV_RC, &(struct told){0, 8, 0, 8, true, true}, VERDICT_TRUE);
}

static void test_true_without_microscope(void **state)
{
	(void)state; /* the first touch and the changes are known without it, and are enough */
	expect(DSM_EV_SC, &(struct told){0, 8, 0, 8, false, false}, VERDICT_TRUE);
}

static void test_false(void **state)
{
	(void)state;
	expect(DSM_EV_SC, &(struct told){0, 8, 48, 56, false, true}, VERDICT_FALSE);
	expect(DSM_EV_SC, &(struct told){0, 8, 48, 56, true, true}, VERDICT_FALSE);
	expect(DSM_EV_RC, &(struct told){48, 72, 0, 8, true, true}, VERDICT_FALSE);
}

static void test_unknown(void **state)
{
	(void)state; /* what else was read is not known: never false */
	expect(DSM_EV_SC, &(struct told){0, 8, 48, 56, false, false}, VERDICT_UNKNOWN);
	expect(DSM_EV_SC, &(struct told){0, 8, 48, 56, true, false}, VERDICT_UNKNOWN);
	expect(DSM_EV_RC, &(struct told){48, 56, 0, 8, true, false}, VERDICT_UNKNOWN);
}

/* The first byte of `x` changes; `x` is stored whole. */
static void test_silent(void **state)
{
	struct byteset changed = {0}, stored = {0}, read = {0}, none = {0};
	struct report r;
	struct feed f;

	(void)state;
	byteset__add(&changed, 0, 8);
	byteset__add(&stored, 0, 16); /* `y` too, with the value that it had */
	byteset__add(&read, 8, 16);
	start(&f, DSM_EV_SC);
	for (uint64_t n = 10; n < 20; n += 2) {
		struct feed_iv holder = {0, n, 0, 3}, other = {1, n, 0, 3};

		feed__writes(&f, holder, PAGE, &changed, true);
		feed__accesses(&f, holder, PAGE, &none, &stored, true, NOWHERE);
		feed__meet(&f, holder, other, PAGE, R | W, R, n);
		feed__wait(&f, other, PAGE, 8, R, 0, WAIT, NOWHERE);
		feed__accesses(&f, other, PAGE, &read, &none, true, NOWHERE);
		feed__interval(&f, holder, 0, true);
		feed__interval(&f, other, 0, true);
	}
	report(&f, &r);
	assert_float_equal(r.tally.ledger.verdict[VERDICT_SILENT], 5 * WAIT, 1);
	report__free(&r);
	byteset__free(&changed);
	byteset__free(&stored);
	byteset__free(&read);
}

static void test_untouched(void **state)
{
	struct feed_iv holder = {0, 10, 0, 3}, other = {1, 10, 0, 3};
	struct report r;
	struct feed f;

	(void)state;
	start(&f, DSM_EV_SC);
	feed__meet(&f, holder, other, PAGE, R, R, 10); /* two readers: nobody changes anything */
	feed__wait(&f, other, PAGE, 8, R, 0, WAIT, NOWHERE);
	feed__interval(&f, other, 0, false);
	report(&f, &r);
	assert_float_equal(r.tally.ledger.verdict[VERDICT_UNTOUCHED], WAIT, 1);
	report__free(&r);
}

/* Most meetings are not seen; what a node was ever seen to do stands for them. */
static void test_apportioned(void **state)
{
	const struct told seen = {0, 8, 48, 56, true, true}, unseen = {0, 8, 48, 56, true, false};
	struct report r;
	struct feed f;

	(void)state;
	start(&f, DSM_EV_SC);
	for (unsigned i = 0; i < 40; i++)
		take_away(&f, 100 + 10 * i, 0, 1, i % 10 ? &unseen : &seen);
	report(&f, &r);
	assert_float_equal(r.tally.ledger.verdict[VERDICT_FALSE], 4 * WAIT, 1);
	assert_float_equal(r.tally.ledger.estimated[VERDICT_FALSE], 36 * WAIT, 1);
	report__free(&r);
}

/* Once in a while, in intervals that begin at another site (4), node 1 reads what node 0 writes all the time: a sum over
 * the parts of all nodes, say. That is no evidence that it does so where it works on its own part (3). */
static void rare_reader(struct feed *f, unsigned rounds)
{
	const struct told seen = {0, 8, 48, 56, true, true}, unseen = {0, 8, 48, 56, true, false};
	struct byteset sum = {0}, none = {0};

	byteset__add(&sum, 0, 8);
	for (unsigned i = 0; i < rounds; i++) {
		struct feed_iv reader = {1, 104 + 10 * i, 0, 4};

		take_away(f, 100 + 10 * i, 0, 1, i == rounds / 2 ? &seen : &unseen);
		feed__accesses(f, reader, PAGE, &sum, &none, true, NOWHERE);
		feed__interval(f, reader, 0, true);
	}
	byteset__free(&sum);
}

static void test_apportioned_by_site(void **state)
{
	struct report r;
	struct feed f;

	(void)state;
	start(&f, DSM_EV_SC);
	rare_reader(&f, 20);
	report(&f, &r);
	assert_float_equal(r.tally.ledger.estimated[VERDICT_TRUE], 0, 1);
	assert_true(r.tally.ledger.estimated[VERDICT_FALSE] >
		    8 * WAIT); /* those after the one that was seen */
	report__free(&r);
}

/* A holder that used the page at several sites since it came: any of its intervals may stand for it. */
static void test_apportioned_by_all_sites(void **state)
{
	struct byteset x = {0}, none = {0};
	struct report r;
	struct feed f;

	(void)state;
	byteset__add(&x, 0, 8);
	start(&f, DSM_EV_RC);
	for (unsigned i = 0; i < 20; i++) {
		struct feed_iv before = {0, 99 + 10 * i, 0, 4}, holder = {0, 100 + 10 * i, 0, 3},
			       other = {1, 100 + 10 * i, 0, 3};

		feed__writes(&f, other, PAGE, &x, true);
		feed__meet(&f, holder, other, PAGE, R, W, before.number);
		if (!i) {
			feed__accesses(&f, before, PAGE, &x, &none, true, NOWHERE);
			feed__accesses(&f, holder, PAGE, &none, &none, true, NOWHERE);
		}
		feed__interval(&f, before, 0, !i);
		feed__interval(&f, other, WAIT, false);
		feed__interval(&f, holder, 0, !i);
	}
	report(&f, &r);
	assert_true(r.tally.ledger.estimated[VERDICT_TRUE] > 15 * WAIT);
	report__free(&r);
	byteset__free(&x);
}

/* One wait, three readers: they share it. Without any, it is a fetch like others. */
static void test_shared_wait(void **state)
{
	struct feed_iv other = {3, 10, 0, 3};
	struct byteset eight = {0}, none = {0};
	struct report r;
	struct feed f;

	(void)state;
	byteset__add(&eight, 0, 8);
	start(&f, DSM_EV_SC);
	for (unsigned n = 0; n < 3; n++) {
		struct feed_iv reader = {n, 10, 0, 3};

		feed__accesses(&f, reader, PAGE, &eight, &none, true, NOWHERE);
		feed__meet(&f, reader, other, PAGE, R, W, 10);
		feed__interval(&f, reader, 0, true);
	}
	feed__wait(&f, other, PAGE, 0, W, 0, WAIT, NOWHERE);
	feed__writes(&f, other, PAGE, &eight, true);
	other.number++;
	feed__wait(&f, other, PAGE, 0, R, 0, WAIT, NOWHERE);
	feed__interval(&f, other, 0, false);
	report(&f, &r);
	assert_float_equal(r.tally.ledger.verdict[VERDICT_TRUE], WAIT, 1);
	assert_float_equal(r.tally.ledger.aborts, 3, 0.01);
	assert_float_equal(r.tally.ledger.copies, WAIT, 1);
	report__free(&r);
	byteset__free(&eight);
}

/* Four nodes, each with its own walkers, all on one page: the plan parts them, and what is saved is what was waited. */
static void test_relocated(void **state)
{
	const struct advice *a;
	struct report r;
	struct feed f;

	(void)state;
	start(&f, DSM_EV_SC);
	for (unsigned i = 0; i < 200; i++) {
		unsigned n = i % 4, m = (n + 1 + i / 4 % 3) % 4;
		uint32_t mine = 6 * n * (uint32_t)WALKER, its = 6 * m * (uint32_t)WALKER;

		take_away(&f, 100 + 10 * i, n, m, &(struct told){mine, mine + 8, its, its + 8, true, true});
	}
	report(&f, &r);
	a = scene__advice_for(&r, "walkers");
	assert_non_null(a);
	assert_true(a->plannable && a->rule);
	assert_true(r.advice.plan.rates.conflicts_per_interval < 0.05);
	assert_float_equal(r.advice.plan.ns_per_s * r.advice.seconds, 200.0 * WAIT, 0.2 * 200 * WAIT);
	report__free(&r);
}

/* What is really shared is not moved. */
static void test_not_relocated(void **state)
{
	struct report r;
	struct feed f;

	(void)state;
	start(&f, DSM_EV_SC);
	for (unsigned i = 0; i < 100; i++)
		take_away(&f, 100 + 10 * i, i % 2, 1 - i % 2, &(struct told){0, 8, 0, 8, true, true});
	report(&f, &r);
	assert_null(scene__advice_for(&r, "walkers"));
	report__free(&r);
}

/* Node 1 writes elements whose home is node 0: they are named, and the gain is what it waited. */
static void test_aligned(void **state)
{
	const enum dsm_ev_consistency each[] = {DSM_EV_TX, DSM_EV_SC, DSM_EV_RC};

	(void)state;
	for (unsigned c = 0; c < 3; c++) {
		const struct advice *a;
		struct report r;
		struct feed f;

		scene__start_in(&f, 9, each[c]);
		feed__type(&f, 0, 4, "double[]", 4096, 1);
		feed__object(&f, 0, 0x10000, 20, 4096, 4, 1, DSM_EV_OBJECT_FLAT);
		feed__root(&f, 0, 0x10000, "matrix");
		for (unsigned row = 0; row < 20; row++) {
			struct feed_iv own = {0, 5, 0, 3}, far = {1, 5, 0, 3}, reader = {2, 5, 0, 3};

			feed__wait(&f, row < 14 ? own : far, 16 + row, 0, W, 0, row < 14 ? 0 : WAIT, NOWHERE);
			feed__wait(&f, reader, 16 + row, 0, R, 0, WAIT / 10, NOWHERE);
		}
		report(&f, &r);
		a = &r.advice.all.at[0];
		assert_int_equal(r.advice.all.n, 1);
		assert_int_equal(a->kind, ADVICE_ALIGN);
		assert_non_null(strstr(a->text, "rows 14 to 19 of matrix"));
		assert_non_null(strstr(a->text, "only node 1 writes"));
		assert_float_equal(a->predicted.ns_per_s * r.advice.seconds, 6 * WAIT, 1);
		report__free(&r);
	}
}

/* A lock that is named by its site, though nobody meets under it; and one whose users really share. */
/* rc: a flush is waited for because of what is at home elsewhere, whoever met it: of two pages, one. */
static void test_aligned_flush(void **state)
{
	struct byteset bytes = {0};
	const struct advice *a;
	struct report r;
	struct feed f;

	(void)state;
	byteset__add(&bytes, 0, 64);
	scene__start_in(&f, 9, DSM_EV_RC);
	feed__type(&f, 0, 4, "double[]", 4096, 1);
	feed__object(&f, 0, 0x10000, 20, 4096, 4, 1, DSM_EV_OBJECT_FLAT);
	feed__root(&f, 0, 0x10000, "matrix");
	for (uint64_t n = 1; n <= ROUNDS; n++) {
		struct feed_iv writer = {1, 10 * n, 0, 3}, reader = {2, 10 * n, 0, 3};

		for (unsigned row = 13; row <= 14; row++) {
			if (n == 1)
				feed__wait(&f, writer, 16 + row, 0, W, row == 13 ? 1 : 0, 0, NOWHERE);
			feed__writes(&f, writer, 16 + row, &bytes, true);
			feed__meet(&f, reader, writer, 16 + row, R, W, 10 * n);
		}
		feed__interval(&f, writer, WAIT, false);
		feed__interval(&f, reader, 0, false);
	}
	report(&f, &r);
	a = &r.advice.all.at[0];
	assert_int_equal(a->kind, ADVICE_ALIGN);
	assert_non_null(strstr(a->text, "rows 14 to 14 of matrix") ? a->text
								   : strstr(a->text, "row 14 of matrix"));
	assert_float_equal(a->predicted.ns_per_s * r.advice.seconds, ROUNDS * WAIT, 1);
	report__free(&r);
	byteset__free(&bytes);
}

/* rc: what nobody waits for costs what it takes to pack and merge it; little of that is told, and no layout advised. */
static void test_changes(void **state)
{
	const struct told apart = {0, 8, 48, 56, true, true};

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		uint64_t ns = k ? 20000000 : 200000;
		unsigned layouts = 0;
		struct report r;
		struct feed f;

		start(&f, DSM_EV_RC);
		for (unsigned i = 0; i < ROUNDS; i++)
			spread(&f, 100 + 10 * i, 0, 1, &apart);
		f.counters[0].changes_ns = ns;
		f.counters[1].merges = 2 * ROUNDS; /* half of them met nobody */
		report(&f, &r);
		assert_float_equal(r.tally.ledger.verdict[VERDICT_FALSE], ROUNDS * WAIT + (double)ns / 2, 1);
		assert_float_equal(r.tally.ledger.flushes, (double)ns / 2, 1);
		assert_int_equal(scene__noted(&r, "under rc nodes write one page at once"), !k);
		for (size_t i = 0; i < r.advice.all.n; i++)
			layouts += r.advice.all.at[i].kind <= ADVICE_PAD;
		assert_true(k || !layouts);
		report__free(&r);
	}
}

static void test_locks(void **state)
{
	static const char *const named[] = {"the block at", "the lock of the block at",
					    "the lock of walkers element 3"};

	for (int shared = 0; shared < 3; shared++) { /* 2: by an object's lock */
		const struct advice *a;
		struct report r;
		struct feed f;

		(void)state;
		start(&f, DSM_EV_SC);
		for (unsigned i = 0; i < 40; i++) {
			unsigned n = i % 2;
			struct feed_iv iv = {1 - n, 100 + 10 * i, 0, 3};
			uint32_t its = shared ? 0 : 48;

			feed__lock(&f, iv, shared < 2 ? 77 : 0x1000 + 3 * WALKER,
				   shared < 2 ? 0 : DSM_EV_LOCK_OBJECT, 4 * WAIT);
			take_away(&f, 100 + 10 * i, n, 1 - n, &(struct told){0, 8, its, its + 8, true, true});
		}
		report(&f, &r);
		assert_float_equal(r.tally.ledger.locks, 40 * 4 * WAIT, 1);
		a = scene__advice_of(&r, shared ? ADVICE_COARSER : ADVICE_LOCK_OBJECT);
		assert_non_null(a);
		assert_non_null(strstr(a->text, named[shared]));
		assert_non_null(strstr(a->why, shared < 2 ? "the lock of the block at" : named[shared]));
		assert_null(scene__advice_of(&r, shared ? ADVICE_LOCK_OBJECT : ADVICE_COARSER));
		report__free(&r);
	}
}

/* Nothing in a report of sc or rc speaks of what does not happen there; locks are told by the object that names them, and
 * those that one line takes are one row; rows that read alike are one. */
static void tells_in_words(enum dsm_ev_consistency c)
{
	static const char *const never[] = {"abort",  "commit",	       "transaction won", "wasted time",
					    "winner", "read tracking", "0 us  0 "};
	struct report_options o = {.top = 10};
	struct feed_iv iv = {0, 100, 0, 3};
	struct text text = {0};
	struct report r;
	struct feed f;

	start(&f, c);
	for (unsigned i = 0; i < ROUNDS; i++)
		(c == DSM_EV_SC ? take_away : spread)(&f, 100 + 10 * i, i % 2, 1 - i % 2,
						      &(struct told){0, 8, 0, 8, true, true});
	feed__lock(&f, iv, 0x1000 + 3 * WALKER, DSM_EV_LOCK_OBJECT, WAIT);
	report(&f, &r);
	report__text(&r, &o, &text);
	assert_non_null(strstr(text.at, "1 time, lock of walkers element 3, taken at"));
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		const char *before = strstr(text.at, "How predictions are made");
		const char *at = strstr(text.at, never[i]);

		while (at && !strncmp(at, "aborts of the runtime's own", 27))
			at = strstr(at + 1, never[i]);
		if (at && at < before)
			fail_msg("\"%s\" in a report of %s: %.80s", never[i], c == DSM_EV_SC ? "sc" : "rc",
				 at);
	}
	assert_non_null(strstr(text.at, c == DSM_EV_SC ? "waited,  wrote" : "flushed, wrote"));
	assert_non_null(strstr(text.at, "share of the waiting time"));
	text__free(&text);
	report__free(&r);
}

/* The DSM's own page of roots is no object, and not just any place that nobody knows. */
static void test_table_of_roots(void **state)
{
	struct feed_iv holder = {0, 10, 0, 3}, other = {1, 10, 0, 3}, third = {2, 10, 0, 3};
	struct report_options o = {.top = 10};
	struct byteset entry = {0}, none = {0};
	struct text text = {0};
	const char *met;
	struct report r;
	struct feed f;

	(void)state;
	byteset__add(&entry, 64, 128);
	start(&f, DSM_EV_SC);
	for (unsigned page = 0; page < 70; page += 60) { /* at 60 there is no object either */
		feed__accesses(&f, holder, page, &none, &entry, true, NOWHERE);
		feed__writes(&f, holder, page, &entry, true);
		feed__meet(&f, holder, other, page, R | W, W, 10);
		feed__wait(&f, other, page, 64, W, 0, WAIT, NOWHERE);
		feed__accesses(&f, other, page, &none, &entry, true, NOWHERE);
		feed__writes(&f, other, page, &entry, true);
		feed__wait(&f, third, page, 64, R, 0, WAIT, NOWHERE);
	}
	feed__interval(&f, holder, 0, true);
	feed__interval(&f, other, 0, true);
	feed__interval(&f, third, 0, false);
	report(&f, &r);
	report__text(&r, &o, &text);
	met = strstr(text.at, "Who met whom");
	assert_non_null(met);
	assert_non_null(strstr(met, "  " NAMES_ROOTS ": true"));
	assert_non_null(strstr(met, "  " NAMES_NO_OBJECT ": true"));
	assert_non_null(strstr(text.at, NAMES_ROOTS "  "));
	assert_non_null(strstr(text.at, NAMES_NO_OBJECT "  "));
	text__free(&text);
	report__free(&r);
	byteset__free(&entry);
}

/* A lock that two lines take: each with its own waits, and the advice names the one that waited more. */
static void test_lock_of_two_lines(void **state)
{
	struct report_options o = {.top = 10};
	struct text text = {0};
	struct report r;
	struct feed f;

	(void)state;
	start(&f, DSM_EV_SC);
	for (unsigned i = 0; i < 40; i++) {
		struct feed_iv put = {1 - i % 2, 100 + 10 * i, 0, 3}, get = {i % 2, 105 + 10 * i, 0, 4};

		feed__lock(&f, put, 0x1000, DSM_EV_LOCK_OBJECT, WAIT);
		feed__lock(&f, get, 0x1000, DSM_EV_LOCK_OBJECT, 8 * WAIT);
		take_away(&f, 100 + 10 * i, i % 2, 1 - i % 2, &(struct told){0, 8, 0, 8, true, true});
	}
	report(&f, &r);
	assert_int_equal(r.tally.waits.lock_lines.n, 2);
	assert_float_equal(r.tally.waits.lock_lines.at[0].ns, 40 * 8 * WAIT, 1);
	assert_float_equal(r.tally.waits.lock_lines.at[1].ns, 40 * WAIT, 1);
	assert_int_equal(r.tally.waits.locks.n, 1);
	assert_int_equal(r.tally.waits.locks.at[0].site, r.tally.waits.lock_lines.at[0].site);
	report__text(&r, &o, &text);
	assert_non_null(strstr(text.at, "16.0 ms  40 times, lock of walkers element 0, taken at"));
	assert_non_null(strstr(text.at, " 2.0 ms  40 times, lock of walkers element 0, taken at"));
	text__free(&text);
	report__free(&r);
}

static void tells_locks(void)
{
	struct feed_iv iv[2] = {{0, 100, 0, 3}, {1, 200, 0, 3}};
	struct report_options o = {.top = 10};
	struct text text = {0};
	struct report r;
	struct feed f;

	start(&f, DSM_EV_RC);
	for (unsigned i = 0; i < 5; i++)
		feed__lock(&f, iv[i % 2], 0x1000 + i * WALKER, DSM_EV_LOCK_OBJECT, WAIT);
	feed__lock(&f, iv[0], 0x1000 + WALKER + 8, DSM_EV_LOCK_OBJECT, WAIT);
	feed__lock(&f, iv[0], 0x900000, DSM_EV_LOCK_OBJECT, WAIT); /* where no object is */
	feed__lock(&f, iv[0], 77, 0, WAIT);
	report(&f, &r);
	report__text(&r, &o, &text);
	assert_non_null(strstr(text.at, "5 times, 5 locks of walkers, taken at"));
	assert_non_null(strstr(text.at, "1 time, lock of walkers element 1 +8, taken at"));
	assert_non_null(strstr(text.at, "1 time, lock of an object, taken at"));
	assert_non_null(strstr(text.at, "1 time, lock of the block at"));
	text__free(&text);
	report__free(&r);
}

static void test_told(void **state)
{
	struct text text = {0}, json = {0};
	struct report_options o = {.top = 10};
	struct report r;
	struct feed f;

	(void)state;
	start(&f, DSM_EV_RC);
	for (unsigned i = 0; i < ROUNDS; i++)
		spread(&f, 100 + 10 * i, 0, 1, &(struct told){0, 8, 0, 8, true, true});
	report(&f, &r);
	report__text(&r, &o, &text);
	assert_non_null(strstr(text.at, "consistency rc"));
	assert_non_null(strstr(text.at, "conflicts per interval"));
	assert_non_null(strstr(text.at, "had it,"));
	assert_null(strstr(text.at, "aborted"));
	report__json(&r, &o, &json);
	assert_non_null(strstr(json.at, "\"consistency\": \"rc\""));
	text__free(&text);
	text__free(&json);
	report__free(&r);
	tells_in_words(DSM_EV_SC);
	tells_in_words(DSM_EV_RC);
	tells_locks();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_true),
		cmocka_unit_test(test_true_without_microscope),
		cmocka_unit_test(test_false),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_untouched),
		cmocka_unit_test(test_apportioned),
		cmocka_unit_test(test_shared_wait),
		cmocka_unit_test(test_relocated),
		cmocka_unit_test(test_not_relocated),
		cmocka_unit_test(test_aligned),
		cmocka_unit_test(test_locks),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_aligned_flush),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_apportioned_by_site),
		cmocka_unit_test(test_apportioned_by_all_sites),
		cmocka_unit_test(test_table_of_roots),
		cmocka_unit_test(test_lock_of_two_lines),
	};

	return cmocka_run_group_tests(tests, scene__make_folder, scene__remove_folder);
}
