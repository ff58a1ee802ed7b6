/* SPDX-License-Identifier: BSD-2-Clause */
/* Byte sets against a bitmap, interning against itself, and verdicts and intervals by their definitions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/byteset.h"
#include "analyzer/place.h"
#include "analyzer/table.h"
#include "analyzer/verdict.h"
#include "tests/analyzer/feed.h"

#define BYTES 200

static void fill(struct feed *f, struct byteset *s, bool *map)
{
	memset(map, 0, BYTES);
	for (unsigned i = feed__random(f, 12); i > 0; i--) {
		uint32_t from = feed__random(f, BYTES), to = from + feed__random(f, 9);

		to = to < BYTES ? to : BYTES;
		byteset__add(s, from, to);
		for (uint32_t k = from; k < to; k++)
			map[k] = true;
	}
}

static void check_equal(const struct byteset *s, const bool *map)
{
	uint64_t n = 0;

	for (uint32_t k = 0; k < BYTES; k++) {
		assert_int_equal(byteset__has(s, k, k + 1), map[k]);
		n += map[k];
	}
	assert_int_equal(byteset__count(s), n);
	for (size_t i = 0; i < s->n; i++) {
		assert_true(s->at[i].from < s->at[i].to);
		assert_true(!i || s->at[i - 1].to < s->at[i].from); /* disjoint, not adjacent, ascending */
	}
}

static void sets_agree_with_bitmaps(void **state)
{
	bool ma[BYTES], mb[BYTES], common[BYTES];
	struct feed f;

	(void)state;
	feed__start(&f, 1, 7);
	for (int round = 0; round < 5000; round++) {
		struct byteset a = {0}, b = {0}, c = {0};
		bool meets = false, within = true;

		fill(&f, &a, ma);
		fill(&f, &b, mb);
		for (int k = 0; k < BYTES; k++) {
			common[k] = ma[k] && mb[k];
			meets = meets || common[k];
			within = within && (!ma[k] || mb[k]);
		}
		check_equal(&a, ma);
		assert_int_equal(byteset__meets(&a, &b), meets);
		assert_int_equal(byteset__within(&a, &b), within);
		byteset__common(&c, &a, &b);
		check_equal(&c, common);
		byteset__add_all(&a, &b);
		for (int k = 0; k < BYTES; k++)
			ma[k] = ma[k] || mb[k];
		check_equal(&a, ma);
		byteset__free(&a);
		byteset__free(&b);
		byteset__free(&c);
	}
	feed__free(&f);
}

static void interning_is_stable(void **state)
{
	struct table t = {0};
	uint32_t number[3000];

	(void)state;
	for (uint32_t i = 0; i < 3000; i++) {
		uint64_t key[2] = {i * 77, i % 3};

		number[i] = table__intern(&t, key, 8 + i % 9);
		assert_int_equal(number[i], i);
	}
	for (uint32_t i = 0; i < 3000; i++) {
		uint64_t key[2] = {i * 77, i % 3};
		size_t len;

		assert_int_equal(table__find(&t, key, 8 + i % 9), number[i]);
		assert_memory_equal(table__key(&t, i, &len), key, 8 + i % 9);
		assert_int_equal(len, 8 + i % 9);
		key[0]++;
		assert_int_equal(table__find(&t, key, 8 + i % 9), TABLE_NONE);
	}
	table__free(&t);
}

static enum verdict page(const struct byteset *changed, const struct byteset *stored, bool winner,
			 const struct byteset *touched, bool loser, bool untouched)
{
	struct meeting_evidence e = {changed, stored, winner, touched, loser, untouched};

	return verdict__page(&e);
}

static void a_page_is_judged_by_its_definition(void **state)
{
	struct byteset low = {0}, wide = {0}, high = {0}, none = {0}, edge = {0};

	(void)state;
	byteset__add(&low, 0, 4);
	byteset__add(&wide, 0, 8);
	byteset__add(&high, 8, 16);
	byteset__add(&edge, 4, 8);
	assert_int_equal(page(&low, &wide, true, &low, true, false), VERDICT_TRUE);
	assert_int_equal(page(&low, &wide, true, &edge, true, false), VERDICT_SILENT);
	assert_int_equal(page(&low, &wide, true, &high, true, false), VERDICT_FALSE);
	assert_int_equal(page(&low, &wide, true, &none, true, false), VERDICT_UNTOUCHED);
	assert_int_equal(page(&low, &wide, true, &none, false, true), VERDICT_UNTOUCHED);
	/* Too little known proves a true meeting, never a false one. */
	assert_int_equal(page(&low, &wide, true, &low, false, false), VERDICT_TRUE);
	assert_int_equal(page(&low, &wide, false, &low, false, false), VERDICT_TRUE);
	assert_int_equal(page(&low, &wide, true, &high, false, false), VERDICT_UNKNOWN);
	assert_int_equal(page(&low, &wide, false, &high, true, false), VERDICT_UNKNOWN);
	assert_int_equal(page(&none, &none, false, &none, false, false), VERDICT_UNKNOWN);
	byteset__free(&low);
	byteset__free(&wide);
	byteset__free(&high);
	byteset__free(&edge);
}

static void a_conflict_is_false_only_if_no_page_is_true(void **state)
{
	enum verdict p[3];
	unsigned seen_false = 0;

	(void)state;
	for (int code = 0; code < VERDICTS * VERDICTS * VERDICTS; code++) {
		bool is_true = false, unknown = false;
		enum verdict v;

		for (int i = 0, rest = code; i < 3; i++, rest /= VERDICTS) {
			p[i] = (enum verdict)(rest % VERDICTS);
			is_true = is_true || p[i] == VERDICT_TRUE;
			unknown = unknown || p[i] == VERDICT_UNKNOWN;
		}
		v = verdict__conflict(p, 3, false);
		assert_int_equal(v == VERDICT_TRUE, is_true);
		if (v == VERDICT_FALSE) {
			assert_false(unknown);
			seen_false++;
			assert_int_equal(verdict__conflict(p, 3, true),
					 VERDICT_UNKNOWN); /* a page is missing */
		}
	}
	assert_true(seen_false > 0);
	assert_int_equal(verdict__conflict(p, 0, false), VERDICT_UNKNOWN);
}

static void intervals_hold_known_values(void **state)
{
	double low, high;

	(void)state;
	verdict__interval(50, 100, &low, &high);
	assert_true(low > 0.4037 && low < 0.4039 && high > 0.5961 && high < 0.5963); /* Wilson, by hand */
	verdict__interval(0, 100, &low, &high);
	assert_true(low == 0 && high > 0.0299 && high < 0.0301); /* the rule of three */
	verdict__interval(0, 0, &low, &high);
	assert_true(low == 0 && high == 1);
	verdict__interval(10, 10, &low, &high);
	assert_true(low > 0.69 && low < 0.71 && high == 1);
}

static void elements_are_where_the_formula_says(void **state)
{
	(void)state;
	assert_int_equal(place__element(7, 48, 0, 0), 7 * 48);
	assert_int_equal(place__element(7, 48, 4, 4096), 4096 + 3 * 48);
	assert_int_equal(place__element(8, 64, 4, 8192), 2 * 8192);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_agree_with_bitmaps),
		cmocka_unit_test(interning_is_stable),
		cmocka_unit_test(a_page_is_judged_by_its_definition),
		cmocka_unit_test(a_conflict_is_false_only_if_no_page_is_true),
		cmocka_unit_test(intervals_hold_known_values),
		cmocka_unit_test(elements_are_where_the_formula_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
