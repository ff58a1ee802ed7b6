/* SPDX-License-Identifier: BSD-2-Clause */
/* diff.c: runs are exact, encoding and applying give the page back, damage is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#include <cmocka.h>

#include "dsmcore/memory/diff.h"

static uint8_t page[DIFF_PAGE], twin[DIFF_PAGE], out[DIFF_PAGE];
static struct dsm_ev_run runs[DIFF_RUNS_MAX];

static void scramble(unsigned seed, unsigned changes, unsigned longest)
{
	srand(seed);
	for (unsigned i = 0; i < DIFF_PAGE; i++)
		page[i] = twin[i] = (uint8_t)rand();
	for (unsigned c = 0; c < changes; c++) {
		unsigned at = (unsigned)rand() % DIFF_PAGE, n = 1 + (unsigned)rand() % longest;

		for (unsigned i = at; i < at + n && i < DIFF_PAGE; i++)
			page[i] = (uint8_t)rand();
	}
}

static void test_runs_are_exact(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 300; seed++) {
		uint8_t expected[DIFF_PAGE] = {0}, got[DIFF_PAGE] = {0};

		scramble(seed, seed % 50, 1 + seed % 200);
		size_t n = diff__runs(page, twin, 0, runs);

		for (unsigned i = 0; i < DIFF_PAGE; i++)
			expected[i] = page[i] != twin[i];
		for (size_t i = 0; i < n; i++) {
			assert_true(runs[i].length > 0);
			if (i)
				assert_true(runs[i].offset > runs[i - 1].offset + runs[i - 1].length);
			memset(got + runs[i].offset, 1, runs[i].length);
		}
		assert_memory_equal(expected, got, DIFF_PAGE);
		assert_int_equal(diff__any(page, twin), n > 0);
	}
}

static void test_blocks(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 300; seed++) {
		uint64_t expected = 0;

		scramble(seed, seed % 20, 1 + seed % 200);
		for (unsigned i = 0; i < DIFF_PAGE; i++)
			expected |= (uint64_t)(page[i] != twin[i]) << (i / 64);
		assert_true(diff__blocks(page, twin) == expected);
		diff__copy_blocks(twin, page, expected);
		assert_memory_equal(page, twin, DIFF_PAGE);
		assert_true(diff__blocks(page, twin) == 0);
	}
}

static void test_alternating_bytes_fit(void **state)
{
	(void)state;
	memset(twin, 0, sizeof(twin));
	for (unsigned i = 0; i < DIFF_PAGE; i++)
		page[i] = i % 2;
	assert_int_equal(diff__runs(page, twin, 0, runs), DIFF_PAGE / 2);
	assert_int_equal(diff__encode(page, twin, out), 0); /* the page itself is shorter */
}

static void test_encode_apply_round_trip(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 300; seed++) {
		uint8_t copy[DIFF_PAGE];

		scramble(seed, seed % 40, 60);
		size_t n = diff__encode(page, twin, out);

		if (!diff__any(page, twin)) {
			assert_int_equal(n, 0);
			continue;
		}
		if (!n)
			continue;
		memcpy(copy, twin, sizeof(copy));
		assert_int_equal(diff__apply(copy, out, n), 0);
		assert_memory_equal(copy, page, DIFF_PAGE);
	}
}

static void test_damage_is_refused_and_writes_nothing(void **state)
{
	uint8_t copy[DIFF_PAGE];

	(void)state;
	scramble(7, 10, 40);
	size_t n = diff__encode(page, twin, out);

	assert_true(n > 8);
	for (size_t cut = 1; cut < n; cut++) {
		memcpy(copy, twin, sizeof(copy));
		int err = diff__apply(copy, out, cut);

		if (err) {
			assert_int_equal(err, -EBADMSG);
			assert_memory_equal(copy, twin, DIFF_PAGE);
		}
	}
	struct dsm_ev_run past = {4000, 200};

	memcpy(out, &past, sizeof(past));
	assert_int_equal(diff__apply(copy, out, 204), -EBADMSG);
}

/* Applies to a copy where others write the bytes that do not differ: these must stay as they are. */
static void check_exact(bool expect_mask)
{
	static uint8_t exact[DIFF_EXACT_BYTES + 64];
	uint8_t copy[DIFF_PAGE], others[DIFF_PAGE];
	bool mask;

	memset(exact, 0xa5, sizeof(exact));
	size_t n = diff__encode_exact(page, twin, exact, &mask);

	assert_true(n <= DIFF_EXACT_BYTES);
	for (size_t i = DIFF_EXACT_BYTES; i < sizeof(exact); i++)
		assert_int_equal(exact[i], 0xa5);
	assert_int_equal(n == 0, !diff__any(page, twin));
	if (expect_mask)
		assert_true(mask);
	for (unsigned i = 0; i < DIFF_PAGE; i++)
		copy[i] = others[i] = page[i] == twin[i] ? (uint8_t)~twin[i] : twin[i];
	assert_int_equal(!n ? 0 : mask ? diff__apply_mask(copy, exact, n) : diff__apply(copy, exact, n), 0);
	for (unsigned i = 0; i < DIFF_PAGE; i++)
		assert_int_equal(copy[i], page[i] == twin[i] ? others[i] : page[i]);
	if (mask && n) {
		memcpy(copy, others, sizeof(copy));
		assert_true(diff__mask_sane(exact, n));
		assert_int_equal(diff__apply_mask(copy, exact, n - 1), -EBADMSG);
		exact[0] ^= 1;
		assert_int_equal(diff__apply_mask(copy, exact, n), -EBADMSG);
		assert_memory_equal(copy, others, DIFF_PAGE);
	}
}

static void test_exact_diffs_touch_nothing_else(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 300; seed++) {
		scramble(seed, seed % 200, 30);
		check_exact(false);
	}
	for (unsigned step = 2; step <= 16; step *= 2) { /* every second byte, word of 2, 4, 8 */
		memcpy(page, twin, DIFF_PAGE);
		for (unsigned i = 0; i < DIFF_PAGE; i++)
			page[i] ^= i % step >= step / 2;
		check_exact(true);
	}
	for (unsigned i = 0; i < DIFF_PAGE; i++) /* all of them: one run */
		page[i] = (uint8_t)~twin[i];
	check_exact(false);
	memcpy(page, twin, DIFF_PAGE);
	check_exact(false);
	page[0] ^= 1;
	page[63] ^= 1;
	page[64] ^= 1;
	page[DIFF_PAGE - 1] ^= 1;
	check_exact(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs_are_exact),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_alternating_bytes_fit),
		cmocka_unit_test(test_encode_apply_round_trip),
		cmocka_unit_test(test_damage_is_refused_and_writes_nothing),
		cmocka_unit_test(test_exact_diffs_touch_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
