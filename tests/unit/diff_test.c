/* SPDX-License-Identifier: BSD-2-Clause */
/* diff.c: runs are exact, encoding and applying give the page back, damage is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "dsmcore/memory/diff.h"

static uint8_t page[DIFF_PAGE], twin[DIFF_PAGE], out[DIFF_PAGE];
static struct dsm_ev_run runs[DIFF_RUNS_MAX];

static size_t find_runs(void)
{
	uint64_t mask[DIFF_MASK_WORDS];

	diff__mask(page, twin, mask);
	return diff__mask_runs(mask, runs);
}

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
		size_t n = find_runs();

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
	assert_int_equal(find_runs(), DIFF_PAGE / 2);
	assert_int_equal(diff__encode(page, twin, out), 0); /* the page itself is shorter */
}

/* ---- byte by byte, as it must be ---- */

/* Runs of bytes that differ, with at most `gap` equal ones between two that are joined. Returns the bytes used. */
static size_t encode_simply(unsigned gap, uint8_t *to, size_t *nruns)
{
	size_t used = 0;

	*nruns = 0;
	for (unsigned at = 0, end; at < DIFF_PAGE; at = end) {
		if (page[at] == twin[at]) {
			end = at + 1;
			continue;
		}
		end = at + 1;
		for (unsigned i = end; i < DIFF_PAGE && i - end <= gap; i++)
			if (page[i] != twin[i])
				end = i + 1;
		struct dsm_ev_run run = {(uint16_t)at, (uint16_t)(end - at)};

		memcpy(to + used, &run, sizeof(run));
		memcpy(to + used + sizeof(run), page + at, run.length);
		used += sizeof(run) + run.length;
		(*nruns)++;
	}
	return used;
}

/* What is past the room must stay as it is. */
static void check_room(const uint8_t *room, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		assert_int_equal(room[i], 0xa5);
}

/* All that the bytes are told as is what the simple way says. */
static void check_like_simple(void)
{
	static uint8_t expected[3 * DIFF_PAGE], room[DIFF_EXACT_BYTES + 64];
	uint8_t copy[DIFF_PAGE];
	size_t nruns, bytes = 0, at = 0, n;
	bool mask;

	n = encode_simply(4, expected, &nruns);
	memset(room, 0xa5, sizeof(room));
	assert_int_equal(diff__encode(page, twin, room), n < DIFF_PAGE ? n : 0);
	check_room(room, DIFF_PAGE, sizeof(room));
	if (n < DIFF_PAGE) {
		assert_memory_equal(room, expected, n);
		memcpy(copy, twin, sizeof(copy));
		assert_int_equal(diff__apply(copy, room, n), 0);
		assert_memory_equal(copy, page, DIFF_PAGE);
	}

	n = encode_simply(0, expected, &nruns);
	assert_int_equal(find_runs(), nruns);
	for (size_t i = 0; i < nruns; i++) {
		assert_memory_equal(&runs[i], expected + at, sizeof(runs[i]));
		at += sizeof(runs[i]) + runs[i].length;
		bytes += runs[i].length;
	}
	memset(room, 0xa5, sizeof(room));
	size_t exact = diff__encode_exact(page, twin, room, &mask);

	check_room(room, DIFF_EXACT_BYTES, sizeof(room));
	assert_int_equal(mask, nruns > DIFF_MASK_BYTES / sizeof(runs[0]));
	assert_int_equal(exact, mask ? DIFF_MASK_BYTES + bytes : n);
	if (!mask) {
		assert_memory_equal(room, expected, n);
		return;
	}
	for (unsigned i = 0, next = DIFF_MASK_BYTES; i < DIFF_PAGE; i++) {
		assert_int_equal(room[i / 8] >> i % 8 & 1, page[i] != twin[i]);
		if (page[i] != twin[i])
			assert_int_equal(room[next++], page[i]);
	}
}

static void fill(unsigned seed)
{
	srand(seed);
	for (unsigned i = 0; i < DIFF_PAGE; i++)
		page[i] = twin[i] = (uint8_t)rand();
}

static void test_like_the_simple_way(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 400; seed++) { /* bytes one by one, from a few to nearly all */
		fill(seed);
		for (unsigned i = 0; i < DIFF_PAGE; i++)
			if ((unsigned)rand() % 400 < (seed < 200 ? seed / 8 : seed))
				page[i] ^= (uint8_t)(1 + rand() % 255);
		if (seed % 3 == 0)
			page[0] = (uint8_t)~twin[0];
		if (seed % 5 == 0)
			page[DIFF_PAGE - 1] = (uint8_t)~twin[DIFF_PAGE - 1];
		check_like_simple();
	}
	for (unsigned seed = 0; seed < 400; seed++) { /* rows and gaps, short ones and long ones */
		unsigned longest = 1 + seed % 100, widest = 2 + seed / 4 % 12;

		fill(seed);
		for (unsigned at = (unsigned)rand() % 8; at < DIFF_PAGE; at += 1 + (unsigned)rand() % widest)
			for (unsigned n = 1 + (unsigned)rand() % longest; n && at < DIFF_PAGE; n--, at++)
				page[at] = (uint8_t)~twin[at];
		check_like_simple();
	}
	for (unsigned of = 8; of <= 32;
	     of *= 2) /* so many bytes of each word, of each second, of each fourth */
		for (unsigned n = 1; n <= 8; n++) {
			fill(n);
			for (unsigned i = 0; i < DIFF_PAGE; i++)
				page[i] ^= i % of < n;
			check_like_simple();
		}
	for (unsigned n = 4000; n < DIFF_PAGE - 6; n++) { /* a few bytes when little room is left */
		fill(n);
		for (unsigned i = 0; i < n; i++)
			page[i] ^= 1;
		page[n + 5] ^= 1;
		check_like_simple();
	}
}

/* Gaps of so many bytes as are joined, and one more and one less, wherever they are. */
static void test_gaps(void **state)
{
	static uint8_t expected[3 * DIFF_PAGE];
	size_t nruns;

	(void)state;
	fill(1);
	for (unsigned gap = 1; gap <= 6; gap++)
		for (unsigned at = 0; at + gap + 1 < DIFF_PAGE; at += at % 64 > 6 && at % 64 < 50 ? 7 : 1) {
			unsigned far = at + gap + 1;

			page[at] ^= 1;
			page[far] ^= 1;
			size_t n = encode_simply(4, expected, &nruns);

			assert_int_equal(nruns, gap <= 4 ? 1 : 2);
			assert_int_equal(diff__encode(page, twin, out), n);
			assert_memory_equal(out, expected, n);
			page[at] ^= 1;
			page[far] ^= 1;
		}
}

/* The page and the room may be the last ones that there are. */
static void test_nothing_past_the_ends(void **state)
{
	uint8_t *pages = mmap(NULL, 4 * (size_t)DIFF_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *last = pages, *room = pages + 2 * DIFF_PAGE;

	(void)state;
	assert_true(pages != MAP_FAILED);
	assert_int_equal(mprotect(last, DIFF_PAGE, PROT_READ | PROT_WRITE), 0);
	assert_int_equal(mprotect(room, DIFF_PAGE, PROT_READ | PROT_WRITE), 0);
	for (unsigned step = 1; step < 200; step++) {
		fill(step);
		for (unsigned i = DIFF_PAGE - 1; i < DIFF_PAGE;
		     i -= step) /* a long one and then short ones */
			page[i] ^= 1;
		for (unsigned i = 0; i < 20 * step && i < DIFF_PAGE; i++)
			page[i] = (uint8_t)~twin[i];
		memcpy(last, page, DIFF_PAGE);
		size_t n = diff__encode(last, twin, room);

		assert_int_equal(n, diff__encode(page, twin, out));
		assert_memory_equal(room, out, n);
		memcpy(last, twin, DIFF_PAGE);
		memmove(room + DIFF_PAGE - n, room, n);
		assert_int_equal(diff__apply(last, room + DIFF_PAGE - n, n), 0);
		if (n)
			assert_memory_equal(last, page, DIFF_PAGE);
	}
	munmap(pages, 4 * (size_t)DIFF_PAGE);
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

	static uint8_t empty[(DIFF_RUNS_MAX + 1) * sizeof(past)]; /* more runs than a page can have */

	assert_int_equal(diff__apply(copy, empty, sizeof(empty)), -EBADMSG);
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

/* Two versions of one page; each byte is changed by nobody, by one or by both of them. */
static void test_rebase(void **state)
{
	uint8_t other[DIFF_PAGE], copy[DIFF_PAGE];

	(void)state;
	for (unsigned seed = 0; seed < 300; seed++) {
		unsigned first = DIFF_PAGE, of = 2 + seed % 60, both = seed % 4 ? DIFF_PAGE : 3000;

		fill(seed);
		memcpy(other, twin, sizeof(other));
		for (unsigned i = 0; i < DIFF_PAGE; i++) {
			unsigned who = (unsigned)rand() % of;

			if (who == 0)
				page[i] ^= 1;
			else if (who == 1)
				other[i] ^= 2;
			else if (who == 2 && (unsigned)rand() % both == 0)
				page[i] = other[i] = (uint8_t)~twin[i]; /* to the same value, too */
			if (page[i] != twin[i] && other[i] != twin[i] && first == DIFF_PAGE)
				first = i;
		}
		assert_int_equal(diff__both(page, other, twin), first);
		assert_int_equal(diff__both(other, page, twin), first);
		memcpy(copy, page, sizeof(copy));
		diff__rebase(copy, twin, other);
		for (unsigned i = 0; i < DIFF_PAGE; i++)
			assert_int_equal(copy[i], page[i] != twin[i] ? page[i] : other[i]);
	}
	memset(page, 1, sizeof(page));
	memset(twin, 0, sizeof(twin));
	for (unsigned at = 0; at < DIFF_PAGE; at++) { /* one byte, wherever it is */
		memset(other, 0, sizeof(other));
		other[at] = other[DIFF_PAGE - 1] = 3;
		assert_int_equal(diff__both(page, other, twin), at);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs_are_exact),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_alternating_bytes_fit),
		cmocka_unit_test(test_like_the_simple_way),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_nothing_past_the_ends),
		cmocka_unit_test(test_rebase),
		cmocka_unit_test(test_encode_apply_round_trip),
		cmocka_unit_test(test_damage_is_refused_and_writes_nothing),
		cmocka_unit_test(test_exact_diffs_touch_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
