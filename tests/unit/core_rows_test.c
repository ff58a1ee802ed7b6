/* SPDX-License-Identifier: BSD-2-Clause */
/* core_rows_test.c - what the transactions of a loop write, opened when they begin. */
#include "tests/unit/core_util.h"

#define ROW 4u /* pages that a transaction of the loop writes */

static void begin(struct cluster *c, uint32_t units, bool goes_on)
{
	cluster__forget(c);
	act(c, 0, (struct core_event){.type = CORE_BEGIN, .site = 9, .units = units, .goes_on = goes_on});
}

static uint32_t dirty(struct cluster *c)
{
	size_t n;

	core__dirty(c->core[0], &n);
	return (uint32_t)n;
}

/* Writes what is not open yet; how many faults that took. */
static unsigned write_row(struct cluster *c, uint32_t page, uint32_t count)
{
	unsigned faults = 0;

	for (uint32_t p = page; p < page + count; p++) {
		if (core__rights(c->core[0], p) == CORE_WRITE)
			continue;
		faults++;
		WRITE(c, 0, p);
	}
	return faults;
}

/* What was opened and not written does not differ from its twin. */
static void commit_both(struct cluster *c, uint32_t page, uint32_t other, uint32_t count)
{
	size_t n;
	const uint32_t *list = core__dirty(c->core[0], &n);
	bool changed[256];

	for (size_t i = 0; i < n; i++)
		changed[i] = list[i] - page < count || list[i] - other < count;
	act(c, 0, (struct core_event){.type = CORE_COMMIT, .changed = changed});
}

static void commit(struct cluster *c, uint32_t page, uint32_t count)
{
	commit_both(c, page, page, count);
}

static void own_all(struct cluster *c, uint32_t pages)
{
	for (uint32_t p = 0; p < pages; p++) {
		BEGIN(c, 0);
		WRITE(c, 0, p);
		COMMIT(c, 0);
	}
	for (int i = 0; i < 10; i++) { /* none of them stays writable */
		BEGIN(c, 0);
		COMMIT_SILENT(c, 0);
	}
}

static void test_rows(void **state)
{
	struct cluster *c = cluster__open(1, 128, 128, 0);
	uint64_t opened, used;

	(void)state;
	own_all(c, 128);
	begin(c, ROW, false);
	write_row(c, 0, ROW);
	commit(c, 0, ROW);
	for (uint32_t page = ROW; page < 10 * ROW; page += ROW) {
		begin(c, ROW, true);
		if (page > 2 * ROW) { /* it knows by now that nothing lies between */
			assert_int_equal(find(c, 0, CORE_DO_TWIN, 0, 0)->action.page, page);
			assert_int_equal(find(c, 0, CORE_DO_TWIN, 0, 0)->action.count, ROW + 1);
			assert_int_equal(write_row(c, page, ROW), 0);
		} else {
			write_row(c, page, ROW);
		}
		commit(c, page, ROW);
		assert_int_equal(find(c, 0, CORE_DO_EMIT, CORE_EMIT_COMMIT, 0)->action.nwritten, ROW);
		assert_int_equal(core__rights(c->core[0], page + ROW), CORE_READ);
	}
	/* Twice the work, twice the pages. */
	begin(c, 2 * ROW, true);
	assert_int_equal(dirty(c), 2 * ROW + 1);
	assert_int_equal(write_row(c, 10 * ROW, 2 * ROW), 0);
	commit(c, 10 * ROW, 2 * ROW);
	/* The loop runs again: one fault opens its first row. */
	begin(c, 2 * ROW, false);
	assert_int_equal(dirty(c), 0);
	assert_int_equal(write_row(c, 0, 2 * ROW), 1);
	commit(c, 0, 2 * ROW);
	core__ahead(c->core[0], &opened, &used);
	assert_in_range(used, 40, opened);
	cluster__close(c);
}

/* An attempt that is undone gives back what it opened; what it did not own it does not open. */
static void test_not_owned(void **state)
{
	struct cluster *c = cluster__open(2, 64, 64, 0);

	(void)state;
	own_all(c, 64);
	for (uint32_t page = 0; page < 4 * ROW; page += ROW) {
		begin(c, ROW, page > 0);
		write_row(c, page, ROW);
		commit(c, page, ROW);
	}
	BEGIN(c, 1);
	READ(c, 1, 4 * ROW + 1);
	COMMIT(c, 1);
	begin(c, ROW, true);
	assert_int_equal(core__rights(c->core[0], 4 * ROW), CORE_WRITE);
	assert_int_equal(core__rights(c->core[0], 4 * ROW + 1), CORE_READ);
	assert_int_equal(core__rights(c->core[0], 4 * ROW + 2), CORE_WRITE);
	CANCEL(c, 0);
	assert_non_null(find(c, 0, CORE_DO_RESTORE, 0, 0));
	assert_int_equal(core__rights(c->core[0], 4 * ROW), CORE_READ);
	cluster__close(c);
}

/* Every second page is another node's. What so many units will write is told from a transaction that was shorter. */
static void test_turns(void **state)
{
	struct cluster *c = cluster__open(2, 128, 128, 0);

	(void)state;
	own_all(c, 128);
	for (uint32_t page = 1; page < 128; page += 2) {
		BEGIN(c, 1);
		WRITE(c, 1, page);
		COMMIT(c, 1);
	}
	for (uint32_t page = 0; page < 32; page += 2 * ROW) {
		begin(c, ROW, page > 0);
		for (uint32_t p = page; p < page + 2 * ROW; p += 2)
			write_row(c, p, 1);
		commit(c, page, 2 * ROW - 1);
	}
	begin(c, 32, true);
	assert_in_range(dirty(c), 32, 33);
	for (uint32_t p = 32; p < 96; p += 2)
		assert_int_equal(core__rights(c->core[0], p), CORE_WRITE);
	CANCEL(c, 0);
	cluster__close(c);
}

/* Rows of 4 pages, dealt to 16 nodes in turn: three of them show how far apart they begin. */
static void test_far_rows(void **state)
{
	const uint32_t pitch = 16 * ROW, rows = 4;
	struct cluster *c = cluster__open(1, 20 * pitch, 20 * pitch, 0);

	(void)state;
	for (uint32_t row = 0; row < 20; row++)
		for (uint32_t p = 0; p < ROW; p++) {
			BEGIN(c, 0);
			WRITE(c, 0, row * pitch + p);
			COMMIT(c, 0);
		}
	for (int i = 0; i < 10; i++) {
		BEGIN(c, 0);
		COMMIT_SILENT(c, 0);
	}
	for (uint32_t row = 0; row < 3 * rows; row += rows) {
		begin(c, rows, row > 0);
		for (uint32_t i = row; i < row + rows; i++)
			write_row(c, i * pitch, ROW);
		commit(c, row * pitch, rows * pitch);
	}
	begin(c, rows, true);
	for (uint32_t i = 3 * rows; i < 4 * rows; i++)
		assert_int_equal(write_row(c, i * pitch, ROW), 0);
	assert_in_range(dirty(c), rows * ROW, rows * ROW + 1);
	CANCEL(c, 0);
	cluster__close(c);
}

/* Two arrays, one behind the other, are not rows of one: no more is opened than goes on. */
static void test_two_arrays(void **state)
{
	const uint32_t second = 60;
	struct cluster *c = cluster__open(1, 128, 128, 0);

	(void)state;
	own_all(c, 128);
	for (uint32_t row = 0; row < 4; row++) {
		begin(c, 1, row > 0);
		write_row(c, row * ROW, ROW);
		write_row(c, second + row * ROW, ROW);
		assert_in_range(dirty(c), 2 * ROW, 12 * ROW);
		commit_both(c, row * ROW, second + row * ROW, ROW);
	}
	cluster__close(c);
}

static void turn(struct cluster *c, unsigned node, uint32_t page)
{
	BEGIN(c, node);
	READ(c, node, page);
	WRITE(c, node, page);
	COMMIT(c, node);
}

/* A neighbour's page that is kept up to date here, and in use, dooms one transaction of a loop over long rows that has
 * not looked at it; not the next ones. */
static void test_neighbour(void **state)
{
	struct cluster *c = cluster__open(2, 512, 256, 0);
	uint32_t page, row = 70, neighbour = 300;
	bool doomed;

	(void)state;
	own_all(c, 256);
	for (unsigned i = 0; i < 8; i++)
		turn(c, i % 2, neighbour);
	BEGIN(c, 0);
	READ(c, 0, neighbour);
	COMMIT(c, 0);
	assert_int_equal(core__rights(c->core[0], neighbour), CORE_READ);
	for (page = 0; page < 2 * row; page += row) {
		begin(c, row, page > 0);
		write_row(c, page, row);
		commit(c, page, row);
	}
	begin(c, row, true);
	turn(c, 1, neighbour);
	core__attempt(c->core[0], &doomed);
	assert_true(doomed);
	assert_int_equal(SAFE(c, 0), CORE_DO_ABORT);
	assert_int_equal(core__rights(c->core[0], neighbour), CORE_NONE);
	for (int i = 0; i < 3; i++) {
		begin(c, row, i == 0);
		turn(c, 1, neighbour);
		core__attempt(c->core[0], &doomed);
		assert_false(doomed);
		READ(c, 0, neighbour); /* what its last one does */
		write_row(c, 0, row);
		commit(c, 0, row);
		assert_int_equal(core__rights(c->core[0], neighbour), CORE_NONE);
	}
	cluster__close(c);
}

/* Guesses that come to nothing become rare. */
static void test_wrong(void **state)
{
	struct cluster *c = cluster__open(1, 200, 200, 0);
	unsigned guesses = 0;

	(void)state;
	own_all(c, 200);
	for (uint32_t i = 0; i < 40; i++) {
		uint32_t page = i * 77 % 190;

		begin(c, ROW, i > 0);
		guesses += dirty(c) > 0;
		for (uint32_t p = page; p < page + ROW; p++)
			if (core__rights(c->core[0], p) != CORE_WRITE)
				WRITE(c, 0, p);
		commit(c, page, ROW);
	}
	assert_in_range(guesses, 0, 8);
	cluster__close(c);
}

/* Less than a row, after rows that lie far apart: it does not come to the gap between them, so a page is expected at least. */
static void test_part_of_row(void **state)
{
	const uint32_t pitch = 16, units = 64, parts[] = {1, 16, 44, 48};

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		struct cluster *c = cluster__open(1, 256, 256, 0);

		own_all(c, 256);
		for (uint32_t row = 0; row < 3; row++) {
			begin(c, units, row > 0);
			write_row(c, row * pitch, ROW);
			commit(c, row * pitch, ROW);
		}
		begin(c, parts[i], true);
		assert_in_range(dirty(c), 1, ROW + 1);
		CANCEL(c, 0);
		begin(c, parts[i], false);
		WRITE(c, 0, 0);
		assert_in_range(dirty(c), 1, ROW + 1);
		CANCEL(c, 0);
		cluster__close(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),	   cmocka_unit_test(test_not_owned),
		cmocka_unit_test(test_turns),	   cmocka_unit_test(test_far_rows),
		cmocka_unit_test(test_two_arrays), cmocka_unit_test(test_neighbour),
		cmocka_unit_test(test_wrong),	   cmocka_unit_test(test_part_of_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
