/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Advice that must not be given, or not twice: on too little evidence, for a gain that nobody could measure, where the cure
 * costs more than the illness, where the nodes share what it would part.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/analyzer/scene.h"

#define R    DSM_EV_ACCESS_READ
#define W    DSM_EV_ACCESS_WRITE
#define WAIT 50000u

/* As many programs have it: a part for each node in each of several arrays. */
struct figures {
	uint64_t requests[8], bytes[8];
};
static volatile struct figures kept_figures;

static void report(struct feed *f, struct report *r)
{
	static const char *path;
	static struct report_options o;

	path = scene__path("s.dsmt");
	assert_int_equal(feed__write(f, path, NULL, 0), 0);
	scene__report(r, &o, &path);
	feed__free(f);
}

static unsigned count_of(const struct report *r, enum advice_kind kind)
{
	unsigned n = 0;

	for (size_t i = 0; i < r->advice.all.n; i++)
		n += r->advice.all.at[i].kind == kind;
	return n;
}

/* Two objects beside each other, each of a node of its own. */
static void one_conflict_is_no_evidence(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 16; n *= 4) {
		struct report r;
		struct feed f;

		scene__start(&f, 31);
		feed__object(&f, 0, 0x2000, 1, WALKER, 1, 2, 0);
		feed__root(&f, 0, 0x2000, "left");
		feed__object(&f, 0, 0x2100, 1, 16, 2, 1, 0);
		feed__root(&f, 0, 0x2100, "right");
		for (unsigned i = 0; i < n; i++)
			scene__meet(&f, 100 + i, i % 2, 1 - i % 2, 2, i % 2 ? 0x100 : 0, i % 2 ? 0x108 : 8,
				    i % 2 ? 0 : 0x100, i % 2 ? 8 : 0x108, false);
		report(&f, &r);
		assert_int_equal(r.advice.all.n, n < 16 ? 0 : 1);
		assert_int_equal(scene__noted(&r, "no evidence to change a layout on"), n < 16);
		report__free(&r);
	}
}

/* The same conflicts in a second and in an hour: 80 ms of an hour are no gain that a run could show. */
static void what_no_run_could_show_is_not_advised(void **state)
{
	(void)state;
	for (int hour = 0; hour < 2; hour++) {
		struct report r;
		struct feed f;

		scene__start(&f, 2);
		feed__object(&f, 0, 0x1000, 8, WALKER, 1, 1, 0);
		feed__root(&f, 0, 0x1000, "walkers");
		for (unsigned i = 0; i < 80; i++) {
			unsigned a = i % 4, b = (i + 1 + i / 4 % 3) % 4;

			if (hour && i == 40)
				f.time_ns += 3600000000000;
			scene__meet(&f, 1000 + i, a, b, 1, a * (uint32_t)WALKER, a * (uint32_t)WALKER + 8,
				    b * (uint32_t)WALKER, b * (uint32_t)WALKER + 8, false);
		}
		report(&f, &r);
		assert_int_equal(scene__advice_for(&r, "walkers") == NULL, hour);
		assert_true(scene__noted(&r, "at most") == hour);
		report__free(&r);
	}
}

/* sc: node `b` wants a page that node `a` wrote [from, to) of, all of it under the microscope. */
static void hand_over(struct feed *f, uint64_t number, unsigned a, unsigned b, unsigned page, uint32_t from,
		      uint32_t to, uint32_t its_from, uint32_t its_to)
{
	struct feed_iv since = {a, number - 1, 0, 3}, holder = {a, number, 0, 3}, other = {b, number, 0, 3};
	struct byteset held = {0}, wanted = {0}, none = {0};

	byteset__add(&held, from, to);
	byteset__add(&wanted, its_from, its_to);
	feed__writes(f, since, page, &held, true);
	feed__meet(f, holder, other, page, R | W, W, number - 1);
	feed__wait(f, other, page, its_from, W, 0, WAIT, NOWHERE);
	feed__writes(f, other, page, &wanted, true);
	feed__accesses(f, other, page, &none, &wanted, true, NOWHERE);
	feed__accesses(f, since, page, &none, &held, true, NOWHERE);
	feed__accesses(f, holder, page, &none, &none, true, NOWHERE);
	feed__interval(f, holder, 0, true);
	feed__interval(f, other, 0, true);
	byteset__free(&held);
	byteset__free(&wanted);
}

/* Shards of 10 elements, each mostly of one node, now and then used by another one, which then needs all of it: a page for
 * each element would be ten fetches instead of one, a page for each shard is one. */
static void what_goes_over_together_stays_together(void **state)
{
	const uint32_t shard = 10 * (uint32_t)WALKER;
	const struct advice *a;
	struct report r;
	struct feed f;

	(void)state;
	scene__start_in(&f, 7, DSM_EV_SC);
	feed__object(&f, 0, 0x1000, 80, WALKER, 1, 1, 0);
	feed__root(&f, 0, 0x1000, "walkers");
	for (unsigned i = 0; i < 400; i++) {
		unsigned n = i % 4, m = (n + 1 + i / 4 % 3) % 4, at = i / 3 % 2;
		uint32_t mine = (2 * n + at) * shard, its = i % 8 ? (2 * m + i / 7 % 2) * shard : mine;

		hand_over(&f, 100 + 10 * i, n, m, 1, mine, mine + shard, its, its + shard);
	}
	for (unsigned n = 0; n < 4; n++) {
		f.counters[n].fetch_ns = 100 * WAIT;
		f.counters[n].faults_fetch = 100;
	}
	report(&f, &r);
	a = scene__advice_for(&r, "walkers");
	assert_non_null(a);
	assert_int_equal(a->kind, ADVICE_PARTITION);
	assert_true(a->change.block % 10 == 0);
	report__free(&r);
}

/* Fields that one transaction uses together go into one struct, whichever nodes use the ends of the chain. */
static void fields_used_together_stay_together(void **state)
{
	(void)state;
	for (int chained = 0; chained < 2; chained++) {
		struct report r;
		struct feed f;

		scene__start(&f, 24);
		feed__object(&f, 0, 0x5000, 1, WALKER, 1, 2, 0);
		for (unsigned i = 0; i < 60; i++) {
			scene__meet(&f, 1000 + i, 0, 1, 5, 0, 8, 16, 24, false); /* x; steps */
			if (chained) { /* now and then node 2 uses x and y, node 3 y and steps */
				scene__meet(&f, 2000 + i, 2, 3, 5, 0, 12, 16, 24, false);
				scene__meet(&f, 3000 + i, 3, 2, 5, 12, 24, 0, 8, false);
			}
		}
		report(&f, &r);
		assert_int_equal(count_of(&r, ADVICE_SPLIT_STRUCT), !chained);
		report__free(&r);
	}
}

/* Each node has an element of arrays in one struct: field names say nothing of it, bytes do. Unless all nodes write all. */
static void a_struct_of_arrays_of_nodes_is_told(void **state)
{
	kept_figures.requests[0] = 0;
	(void)state;
	for (int mixed = 0; mixed < 2; mixed++) {
		const struct advice *a;
		struct report r;
		struct feed f;

		scene__start(&f, 26);
		for (unsigned n = 0; n < 4; n++)
			feed__type(&f, n, 4, "struct figures", sizeof(struct figures), 1);
		feed__object(&f, 0, 0x5000, 1, sizeof(struct figures), 4, 2, 0);
		feed__root(&f, 0, 0x5000, "figures");
		for (unsigned i = 0; i < 80; i++) {
			unsigned n = i % 4, m = (n + 1 + i / 4 % 3) % 4;
			uint32_t x = 8 * (mixed ? (n + i / 5) % 8 : n), y = 8 * (mixed ? (x / 8 + 3) % 8 : m);

			scene__meet(&f, 1000 + i, n, m, 5, x, x + 8, y, y + 8, false);
		}
		report(&f, &r);
		a = scene__advice_of(&r, ADVICE_SPLIT_STRUCT);
		assert_int_equal(a == NULL, mixed);
		if (a) {
			assert_non_null(strstr(a->text, "Give each node a struct of its own"));
			assert_non_null(strstr(a->text, "requests[]"));
			assert_null(strstr(a->text, "bytes[]")); /* nobody used them */
			assert_int_equal(a->rule, 0);
			assert_true(a->predicted.rates.aborts_per_commit < 0.01);
		}
		report__free(&r);
	}
}

/* Rows of one writer that lie with two homes: each row is told once. */
static void rows_are_aligned_once(void **state)
{
	struct report r;
	struct feed f;

	(void)state;
	scene__start_in(&f, 9, DSM_EV_SC);
	feed__type(&f, 0, 4, "double[]", 4096, 1);
	feed__object(&f, 0, 0x10000, 20, 4096, 4, 1, DSM_EV_OBJECT_FLAT);
	feed__root(&f, 0, 0x10000, "matrix");
	for (unsigned row = 0; row < 20; row++) { /* 0, 2, 0, ...; rows 4, 9, ... come ahead of their use */
		struct feed_iv far = {1, 5, 0, 3};

		if (row % 5 != 4)
			feed__wait(&f, far, 16 + row, 0, W, row % 2 ? 2 : 0, WAIT, NOWHERE);
	}
	report(&f, &r);
	assert_int_equal(count_of(&r, ADVICE_ALIGN), 2);
	for (uint32_t row = 0; row < 20; row++) {
		unsigned told = 0;

		for (size_t i = 0; i < r.advice.all.n; i++)
			told += byteset__has(&r.advice.all.at[i].misplaced->elements, row, row + 1);
		assert_true(told <= 1);
	}
	report__free(&r);
}

/* A line that takes a lock for each element is one place to change. */
static void locks_of_one_line_are_one_advice(void **state)
{
	const struct advice *a;
	struct report r;
	struct feed f;

	(void)state;
	scene__start_in(&f, 7, DSM_EV_SC);
	feed__object(&f, 0, 0x1000, 24, WALKER, 1, 1, 0);
	feed__root(&f, 0, 0x1000, "walkers");
	for (unsigned i = 0; i < 160; i++) {
		struct feed_iv iv = {i / 8 % 2, 100 + 10 * i, 0, 3};

		feed__lock(&f, iv, 0x1000 + i % 8 * WALKER, DSM_EV_LOCK_OBJECT, 4 * WAIT);
		feed__interval(&f, iv, 0, false);
	}
	report(&f, &r);
	assert_int_equal(count_of(&r, ADVICE_COARSER), 1);
	a = scene__advice_of(&r, ADVICE_COARSER);
	assert_true(a->lock->locks == 8 && a->lock->count == 160);
	assert_float_equal(a->alone_ns, 160 * 4 * WAIT / 2.0, 1);
	assert_non_null(strstr(a->text, "the locks of walkers (8 of them)"));
	assert_null(strstr(a->text, "really share")); /* nobody knows */
	report__free(&r);
}

/* Blocks under one lock truly meet on one object, and falsely on another one: the lock is for the first. */
static void a_lock_that_is_needed_stays(void **state)
{
	(void)state;
	for (int needed = 0; needed < 2; needed++) {
		struct report r;
		struct feed f;

		scene__start_in(&f, 7, DSM_EV_SC);
		feed__object(&f, 0, 0x1000, 24, WALKER, 1, 1, 0);
		feed__object(&f, 0, 0x2000, 1, 8, 3, 3, 0);
		for (unsigned i = 0; i < 60; i++) {
			unsigned n = i % 2;
			struct feed_iv iv = {1 - n, 100 + 10 * i, 0, 3};
			bool total = i % 3 == 0;

			feed__lock(&f, iv, 77, 0, 4 * WAIT);
			hand_over(&f, 100 + 10 * i, n, 1 - n, total && needed ? 2 : 1,
				  total && needed ? 0 : n * (uint32_t)WALKER,
				  total && needed ? 8 : n * (uint32_t)WALKER + 8,
				  total && needed ? 0 : (1 - n) * (uint32_t)WALKER,
				  total && needed ? 8 : (1 - n) * (uint32_t)WALKER + 8);
		}
		report(&f, &r);
		assert_int_equal(count_of(&r, ADVICE_LOCK_OBJECT), !needed);
		assert_int_equal(count_of(&r, ADVICE_COARSER), needed);
		report__free(&r);
	}
}

/* A block at another place wants what one under the lock wrote. */
static void meet_elsewhere(struct feed *f, uint64_t number, unsigned a, unsigned b)
{
	struct feed_iv since = {a, number - 1, 0, 3}, holder = {a, number, 0, 3}, other = {b, number, 0, 1};
	struct byteset same = {0}, none = {0};

	byteset__add(&same, 0, 8);
	feed__writes(f, since, 3, &same, true);
	feed__meet(f, holder, other, 3, R | W, W, number - 1);
	feed__wait(f, other, 3, 0, W, 0, WAIT, NOWHERE);
	feed__writes(f, other, 3, &same, true);
	feed__accesses(f, other, 3, &none, &same, true, NOWHERE);
	feed__accesses(f, since, 3, &none, &same, true, NOWHERE);
	feed__interval(f, holder, 0, true);
	feed__interval(f, other, 0, true);
	byteset__free(&same);
}

/* An object's lock taken for all of its elements, of which each block uses one. */
static void a_lock_of_a_whole_may_be_of_parts(void **state)
{
	struct report r;
	struct feed f;

	(void)state;
	scene__start_in(&f, 7, DSM_EV_SC);
	feed__object(&f, 0, 0x1000, 24, WALKER, 1, 1, 0);
	feed__root(&f, 0, 0x1000, "walkers");
	feed__object(&f, 0, 0x3000, 1, 8, 3, 3, 0);
	for (unsigned i = 0; i < 60; i++) {
		unsigned n = i % 2;
		struct feed_iv iv = {1 - n, 100 + 10 * i, 0, 3};
		uint32_t mine = n * (uint32_t)WALKER, its = (1 - n) * (uint32_t)WALKER;

		feed__lock(&f, iv, 0x1000, DSM_EV_LOCK_OBJECT, 4 * WAIT);
		hand_over(&f, 100 + 10 * i, n, 1 - n, 1, mine, mine + 8, its, its + 8);
		if (i % 3 == 0) /* truly, but with blocks that this lock does not keep apart */
			meet_elsewhere(&f, 103 + 10 * i, n, 1 - n);
	}
	report(&f, &r);
	assert_int_equal(count_of(&r, ADVICE_LOCK_OBJECT), 1);
	assert_int_equal(count_of(&r, ADVICE_COARSER), 0);
	assert_non_null(strstr(scene__advice_of(&r, ADVICE_LOCK_OBJECT)->text, "Name less than a whole"));
	report__free(&r);
}

/* Two true conflicts among many false ones: no reason to split a transaction. Where they are many, the reason says how many. */
static void a_transaction_is_split_for_true_conflicts(void **state)
{
	(void)state;
	for (unsigned n = 2; n <= 60; n += 58) {
		struct byteset none = {0}, some = {0};
		const struct advice *a;
		struct report r;
		struct feed f;

		byteset__add(&some, 0, 48);
		scene__start(&f, 13);
		feed__object(&f, 0, 0x1000, 1, 8, 3, 3, 0);
		feed__root(&f, 0, 0x1000, "total");
		for (unsigned i = 0; i < n; i++)
			scene__meet(&f, 100 + i, i % 4, (i + 1) % 4, 1, 0, 4, 0, 8, false);
		for (unsigned i = 0; i < n; i++)
			feed__accesses(&f, (struct feed_iv){(i + 1) % 4, 100 + i, 1, 3}, 3, &some, &none,
				       true, NOWHERE);
		report(&f, &r);
		a = scene__advice_of(&r, ADVICE_SPLIT_TRANSACTION);
		assert_int_equal(a == NULL, n == 2);
		if (a)
			assert_non_null(strstr(a->why, "100 % of 60 conflicts judged were true"));
		byteset__free(&some);
		report__free(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_conflict_is_no_evidence),
		cmocka_unit_test(what_no_run_could_show_is_not_advised),
		cmocka_unit_test(what_goes_over_together_stays_together),
		cmocka_unit_test(fields_used_together_stay_together),
		cmocka_unit_test(a_struct_of_arrays_of_nodes_is_told),
		cmocka_unit_test(rows_are_aligned_once),
		cmocka_unit_test(a_transaction_is_split_for_true_conflicts),
		cmocka_unit_test(locks_of_one_line_are_one_advice),
		cmocka_unit_test(a_lock_that_is_needed_stays),
		cmocka_unit_test(a_lock_of_a_whole_may_be_of_parts),
	};

	return cmocka_run_group_tests(tests, scene__make_folder, scene__remove_folder);
}
