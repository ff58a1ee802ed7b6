/* SPDX-License-Identifier: BSD-2-Clause */
/* written.c and who reads it: the bytes that changed, all of them and no others, come back out of the record. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/evidence_work.h"
#include "collector/trace.h"
#include "dsmcore/memory/written.h"

static uint8_t page[DIFF_PAGE], before[DIFF_PAGE];
static _Alignas(8) uint8_t buffer[WRITTEN_BYTES];
static struct dsm_ev_writes *const record = (void *)buffer;

/* Returns the number of runs. */
static size_t check_round_trip(void)
{
	struct byteset found = {0};
	size_t runs, bytes, expected = 0;

	memset(buffer, 0xa5, sizeof(buffer));
	bytes = written__describe(record, page, before, &runs);
	assert_true(bytes <= WRITTEN_BYTES && bytes % 8 == 0);
	record->hdr.type = DSM_EV_WRITES;
	record->hdr.size = (uint16_t)bytes;
	assert_true(trace_record__sane(&record->hdr, bytes));
	gather__runs(record, &found);
	for (uint32_t i = 0; i < DIFF_PAGE; i++) {
		assert_int_equal(byteset__has(&found, i, i + 1), page[i] != before[i]);
		expected += page[i] != before[i] && (!i || page[i - 1] == before[i - 1]);
	}
	assert_int_equal(runs, expected);
	byteset__free(&found);
	return runs;
}

static void test_random_changes(void **state)
{
	unsigned masks = 0, plain = 0;

	(void)state;
	srand(4711);
	for (unsigned round = 0; round < 400; round++) {
		unsigned changes = round % 4 ? (unsigned)rand() % 40 : (unsigned)rand() % 2000;

		for (unsigned i = 0; i < DIFF_PAGE; i++)
			page[i] = before[i] = (uint8_t)rand();
		for (unsigned c = 0; c < changes; c++)
			page[(unsigned)rand() % DIFF_PAGE] ^= (uint8_t)(rand() % 3);
		check_round_trip();
		masks += record->nmasks > 0;
		plain += record->nruns > 0;
	}
	assert_true(masks > 20 && plain > 20); /* both forms were chosen */
}

static void test_extremes(void **state)
{
	(void)state;
	memset(before, 0, sizeof(before));
	memset(page, 0, sizeof(page));
	assert_int_equal(check_round_trip(), 0);
	memset(page, 1, sizeof(page));
	assert_int_equal(check_round_trip(), 1);
	assert_int_equal(record->nruns, 1);
	for (unsigned i = 0; i < DIFF_PAGE; i++)
		page[i] = i % 2;
	assert_int_equal(check_round_trip(), DIFF_PAGE / 2);
	assert_int_equal(record->nmasks, DIFF_PAGE / 8);
	assert_int_equal(record->hdr.size, WRITTEN_BYTES);
	memset(page, 0, sizeof(page));
	page[0] = page[DIFF_PAGE - 1] = 1;
	assert_int_equal(check_round_trip(), 2);
}

/* Every second number of eight bytes, the highest of which does not change. */
static void test_masks_are_shorter(void **state)
{
	(void)state;
	memset(before, 0, sizeof(before));
	memset(page, 0, sizeof(page));
	for (unsigned i = 0; i < DIFF_PAGE; i += 16)
		memset(page + i, 1, 7);
	assert_int_equal(check_round_trip(), 256);
	assert_int_equal(record->nmasks, 256);
	assert_true(record->hdr.size < sizeof(*record) + 256 * sizeof(struct dsm_ev_run) / 2);
}

static void test_damaged_masks_are_refused(void **state)
{
	struct dsm_ev_masks *masks = (void *)(buffer + DSM_EV_MASKS_AT(0));
	size_t runs;

	(void)state;
	memset(before, 0, sizeof(before));
	for (unsigned i = 0; i < DIFF_PAGE; i++)
		page[i] = i % 2;
	memset(buffer, 0, sizeof(buffer));
	record->hdr.type = DSM_EV_WRITES;
	record->hdr.size = (uint16_t)written__describe(record, page, before, &runs);
	assert_true(trace_record__sane(&record->hdr, WRITTEN_BYTES));
	record->hdr.size -= 8; /* masks past the record's end */
	assert_false(trace_record__sane(&record->hdr, WRITTEN_BYTES));
	record->hdr.size += 8;
	masks->words[3] &= ~1ull; /* more masks than words */
	assert_false(trace_record__sane(&record->hdr, WRITTEN_BYTES));
	masks->words[3] |= 1;
	record->nruns = 1000; /* runs that would reach over the masks */
	assert_false(trace_record__sane(&record->hdr, WRITTEN_BYTES));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_changes),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_masks_are_shorter),
		cmocka_unit_test(test_damaged_masks_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
