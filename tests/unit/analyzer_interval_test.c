/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conflicts of intervals, under sequential and release consistency: each verdict from records that are fed, and a
 * ledger of waits that balances. What is advised and told of them: analyzer_interval_advice_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/analyzer/intervals.h"

/* All rounds alike: the verdict that one of them gets, and that all of the waiting is laid to it. */
static void expect(enum dsm_ev_consistency c, const struct told *t, enum verdict v)
{
	struct report r;
	struct feed f;

	intervals__start(&f, c);
	for (unsigned i = 0; i < ROUNDS; i++)
		(c == DSM_EV_SC ? intervals__take_away : intervals__spread)(&f, 100 + 10 * i, i % 2,
									    1 - i % 2, t);
	intervals__report(&f, &r);
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
	intervals__start(&f, DSM_EV_SC);
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
	intervals__report(&f, &r);
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
	intervals__start(&f, DSM_EV_SC);
	feed__meet(&f, holder, other, PAGE, R, R, 10); /* two readers: nobody changes anything */
	feed__wait(&f, other, PAGE, 8, R, 0, WAIT, NOWHERE);
	feed__interval(&f, other, 0, false);
	intervals__report(&f, &r);
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
	intervals__start(&f, DSM_EV_SC);
	for (unsigned i = 0; i < 40; i++)
		intervals__take_away(&f, 100 + 10 * i, 0, 1, i % 10 ? &unseen : &seen);
	intervals__report(&f, &r);
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

		intervals__take_away(f, 100 + 10 * i, 0, 1, i == rounds / 2 ? &seen : &unseen);
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
	intervals__start(&f, DSM_EV_SC);
	rare_reader(&f, 20);
	intervals__report(&f, &r);
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
	intervals__start(&f, DSM_EV_RC);
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
	intervals__report(&f, &r);
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
	intervals__start(&f, DSM_EV_SC);
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
	intervals__report(&f, &r);
	assert_float_equal(r.tally.ledger.verdict[VERDICT_TRUE], WAIT, 1);
	assert_float_equal(r.tally.ledger.aborts, 3, 0.01);
	assert_float_equal(r.tally.ledger.copies, WAIT, 1);
	report__free(&r);
	byteset__free(&eight);
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
		cmocka_unit_test(test_apportioned_by_site),
		cmocka_unit_test(test_apportioned_by_all_sites),
	};

	return cmocka_run_group_tests(tests, scene__make_folder, scene__remove_folder);
}
