/* SPDX-License-Identifier: BSD-2-Clause */
/* analyzer_met_test.c - what is said of attempts that are never undone, when others commit pages that they have in use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/analyzer/scene.h"

#define WAIT	1000000
#define ROUNDS	6
#define R	DSM_EV_ACCESS_READ
#define W	DSM_EV_ACCESS_WRITE
#define PAGE	1u
#define ANOTHER 2u

static struct report_options options;

static void start(struct feed *f)
{
	scene__start_in(f, 7, DSM_EV_TX);
	feed__object(f, 0, 0x1000, 24, WALKER, 1, 1, 0);
	feed__root(f, 0, 0x1000, "walkers");
	feed__object(f, 0, 0x2000, 4, sizeof(struct tally_of_node), 2, 2, 0);
	feed__root(f, 0, 0x2000, "tallies");
}

/* Whatever happened, the ledger balances and nobody is said to have aborted. */
static void report(struct feed *f, struct report *r)
{
	static const char *path;
	const struct ledger *b = &r->tally.ledger;

	feed__shuffle(f);
	path = scene__path("t.dsmt");
	assert_int_equal(feed__write(f, path, NULL, 0), 0);
	scene__report(r, &options, &path);
	assert_float_equal(scene__sum(b) + b->rebases, b->measured, 100);
	assert_float_equal(b->remainder, 0, 100);
	assert_true(b->lost == 0 && b->copies == 0);
	for (int cause = 0; cause < DSM_EV_CAUSE_MAX; cause++)
		assert_true(b->by_cause[cause] == 0);
	assert_int_equal(r->totals.sum.aborts, 0);
	assert_false(r->model.intervals);
	feed__free(f);
}

/* Node 0 commits bytes of the page; the attempt of node 1 wrote [from, to) of it, and was refused once before it could commit.
 * `read`: it also read [0, 8), which node 0 writes. */
static void meet(struct feed *f, uint64_t number, uint32_t from, uint32_t to, bool read, bool seen)
{
	struct feed_iv first = {0, number, 0, 3}, here = {1, number, 0, 3}, again = {1, number, 1, 3};
	struct byteset changed = {0}, wrote = {0}, reads = {0};

	byteset__add(&changed, 0, 8);
	byteset__add(&wrote, from, to);
	if (read)
		byteset__add(&reads, 0, 8);
	feed__fault(f, here, PAGE, from, W, NOWHERE);
	feed__writes(f, first, PAGE, &changed, true);
	feed__commit(f, first, false);
	feed__meet(f, here, first, PAGE, R | W, W, 0);
	feed__writes(f, again, PAGE, &wrote, true);
	if (seen)
		feed__accesses(f, again, PAGE, &reads, &wrote, true, NOWHERE);
	feed__rebase(f, again, WAIT, seen);
	byteset__free(&changed);
	byteset__free(&wrote);
	byteset__free(&reads);
}

static void expect(bool read, enum verdict v)
{
	struct text text = {0};
	struct report r;
	struct feed f;

	start(&f);
	for (unsigned i = 0; i < ROUNDS; i++)
		meet(&f, 100 + i, 8, 16, read, true);
	report(&f, &r);
	for (int k = 0; k < VERDICTS; k++)
		assert_float_equal(r.tally.ledger.verdict[k], k == (int)v ? ROUNDS * WAIT : 0, 1);
	assert_non_null(scene__row(&r, "walkers", v));
	assert_true(r.totals.sum.meets == ROUNDS && r.totals.sum.rebased == ROUNDS);
	report__text(&r, &options, &text);
	assert_non_null(strstr(text.at, "6 conflicts"));
	assert_non_null(strstr(text.at, "put its changes on top"));
	assert_null(strstr(text.at, "6 aborts"));
	text__free(&text);
	report__free(&r);
}

/* Both wrote bytes of their own: x and y of one walker. */
static void test_false(void **state)
{
	(void)state;
	expect(false, VERDICT_FALSE);
}

/* It read what the other wrote: it has promised more than it keeps, and that is not hidden. */
static void test_true(void **state)
{
	(void)state;
	expect(true, VERDICT_TRUE);
}

/* What others of its site did stands for what was not seen of it; but not against its promise: these may have been sweeps over
 * other bytes. */
static void test_stand_ins(void **state)
{
	struct report r;
	struct feed f;

	(void)state;
	start(&f);
	meet(&f, 100, 8, 16, false, true);
	meet(&f, 101, 8, 16, false, false);
	report(&f, &r);
	assert_float_equal(r.tally.ledger.verdict[VERDICT_FALSE], WAIT, 1);
	assert_float_equal(r.tally.ledger.estimated[VERDICT_FALSE], WAIT, 1);
	report__free(&r);
	start(&f);
	meet(&f, 100, 8, 16, true, true);
	meet(&f, 101, 8, 16, false, false);
	report(&f, &r);
	assert_float_equal(r.tally.ledger.verdict[VERDICT_TRUE], WAIT, 1);
	assert_float_equal(r.tally.ledger.estimated[VERDICT_TRUE], 0, 1);
	assert_float_equal(r.tally.ledger.verdict[VERDICT_UNKNOWN], WAIT, 1);
	report__free(&r);
}

/* Only what it was going to commit can have been in its way. */
static void test_cost_of_what_it_wrote(void **state)
{
	struct feed_iv first = {2, 100, 0, 3}, here = {1, 100, 0, 3};
	struct byteset changed = {0}, reads = {0}, none = {0};
	const struct row *tallies;
	struct report r;
	struct feed f;

	(void)state;
	start(&f);
	byteset__add(&changed, 0, 8);
	byteset__add(&reads, 16, 24);
	feed__writes(&f, first, ANOTHER, &changed, true);
	feed__meet(&f, here, first, ANOTHER, R, W, 0);
	feed__accesses(&f, (struct feed_iv){1, 100, 1, 3}, ANOTHER, &reads, &none, true, NOWHERE);
	meet(&f, 100, 8, 16, false, true);
	report(&f, &r);
	tallies = scene__row(&r, "tallies", VERDICT_FALSE);
	assert_non_null(tallies);
	assert_float_equal(tallies->seen, 1, 0);
	assert_float_equal(row__ns(tallies), 0, 0);
	assert_float_equal(row__ns(scene__row(&r, "walkers", VERDICT_FALSE)), WAIT, 1);
	byteset__free(&changed);
	byteset__free(&reads);
	report__free(&r);
}

/* A commit that others were in the way of, without a meeting: two that wanted to commit at once. Its cost has no place. */
static void test_cost_without_meeting(void **state)
{
	struct report r;
	struct feed f;

	(void)state;
	start(&f);
	feed__rebase(&f, (struct feed_iv){1, 100, 2, 3}, WAIT, false);
	report(&f, &r);
	assert_float_equal(r.tally.ledger.measured, WAIT, 0);
	assert_float_equal(r.tally.ledger.rebases, WAIT, 0);
	report__free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_false),
		cmocka_unit_test(test_true),
		cmocka_unit_test(test_stand_ins),
		cmocka_unit_test(test_cost_of_what_it_wrote),
		cmocka_unit_test(test_cost_without_meeting),
	};

	return cmocka_run_group_tests(tests, scene__make_folder, scene__remove_folder);
}
