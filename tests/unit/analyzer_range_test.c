/* SPDX-License-Identifier: BSD-2-Clause */
/* analyzer_range_test.c - between what is sure and what is possible: how much faster nodes get by what they save. */
#include "analyzer/range.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define S 1e9

/* Nodes of different progress go on by themselves: each gains what it saves, and the quick one counts more. */
static void each_at_its_own_pace(void **state)
{
	const struct range_node nodes[] = {
		{.work = 900, .ns = S, .low_ns = 0, .best_ns = 0, .high_ns = 0},
		{.work = 100, .ns = S, .low_ns = S / 2, .best_ns = S * 3 / 4, .high_ns = S * 9 / 10},
	};
	struct range r;

	(void)state;
	range__factor(nodes, 2, &r);
	assert_false(r.together);
	assert_float_equal(r.low, (900 + 200) / 1000.0, 1e-9);
	assert_float_equal(r.best, (900 + 400) / 1000.0, 1e-9);
	assert_float_equal(r.high, (900 + 1000) / 1000.0, 1e-9);
}

/* Nodes in step: what one of them saves alone may all be waited for the other, and gains nothing for sure. */
static void what_one_saves_another_may_wait_for(void **state)
{
	const struct range_node nodes[] = {
		{.work = 500, .ns = S, .low_ns = 0, .best_ns = 0, .high_ns = 0},
		{.work = 500, .ns = S, .low_ns = S / 2, .best_ns = S / 2, .high_ns = S / 2},
	};
	struct range r;

	(void)state;
	range__factor(nodes, 2, &r);
	assert_true(r.together);
	assert_float_equal(r.low, 1, 1e-9);
	assert_float_equal(r.best, 1, 1e-9); /* the other one computes all the time */
	assert_float_equal(r.high, 1.5,
			   1e-9); /* if they were dealt the same and do not wait: the mean of 1 and 2 */
}

/* Where both save and wait for each other, the waits may end or stay. */
static void waits_end_or_stay(void **state)
{
	const struct range_node nodes[] = {
		{.work = 500,
		 .ns = S,
		 .waits_ns = 0.3 * S,
		 .low_ns = 0.2 * S,
		 .best_ns = 0.3 * S,
		 .high_ns = 0.3 * S},
		{.work = 501,
		 .ns = S,
		 .waits_ns = 0.3 * S,
		 .low_ns = 0.2 * S,
		 .best_ns = 0.3 * S,
		 .high_ns = 0.3 * S},
	};
	struct range r;

	(void)state;
	range__factor(nodes, 2, &r);
	assert_true(r.together);
	assert_float_equal(r.low, 1 / 0.8, 1e-9);
	assert_float_equal(r.best, 1 / 0.7, 1e-9);
	assert_float_equal(r.high, 1 / 0.4, 1e-9);
}

/* A change that costs makes it slower; one that saves all does not make it faster without end; nothing known is no gain. */
static void ends_of_the_scale(void **state)
{
	struct range_node node = {.work = 1, .ns = S, .low_ns = -S, .best_ns = 0, .high_ns = 2 * S};
	struct range r;

	(void)state;
	range__factor(&node, 1, &r);
	assert_false(r.together);
	assert_float_equal(r.low, 0.5, 1e-9);
	assert_float_equal(r.best, 1, 1e-9);
	assert_float_equal(r.high, 50, 1e-9);
	range__factor(&node, 0, &r);
	assert_float_equal(r.low, 1, 1e-9);
	assert_float_equal(r.high, 1, 1e-9);
}

/* Two nodes that did a handful each did not do the same because they had to. */
static void little_work_says_nothing(void **state)
{
	const struct range_node nodes[] = {{.work = 3, .ns = S}, {.work = 3, .ns = S}};
	struct range r;

	(void)state;
	range__factor(nodes, 2, &r);
	assert_false(r.together);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_at_its_own_pace),
		cmocka_unit_test(what_one_saves_another_may_wait_for),
		cmocka_unit_test(waits_end_or_stay),
		cmocka_unit_test(ends_of_the_scale),
		cmocka_unit_test(little_work_says_nothing),
	};

	return cmocka_run_group_tests_name("analyzer_range", tests, NULL, NULL);
}
