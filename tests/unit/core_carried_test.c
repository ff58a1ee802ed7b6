/* SPDX-License-Identifier: BSD-2-Clause */
/* core_carried_test.c - pages that stay mapped from one attempt to the next, and dooms through them. */
#include "tests/unit/core_util.h"

static void begin(struct cluster *c, bool loop)
{
	act(c, 0, (struct core_event){.type = CORE_BEGIN, .site = 9, .units = loop, .goes_on = loop});
}

/* Node 0 has written the page; while its next attempt does something else, node 1 writes it. Was that attempt undone? */
static bool neighbour_follows(struct cluster *c, uint32_t page, bool loop)
{
	bool doomed;

	begin(c, loop);
	WRITE(c, 0, page);
	COMMIT(c, 0);
	begin(c, loop);
	BEGIN(c, 1);
	WRITE(c, 1, page);
	COMMIT(c, 1);
	core__attempt(c->core[0], &doomed);
	if (doomed) {
		assert_int_equal(SAFE(c, 0), CORE_DO_ABORT);
		begin(c, loop);
	}
	assert_int_equal(COMMIT(c, 0), CORE_DO_RESUME);
	return doomed;
}

/* It keeps what it writes open: nothing speaks against that. */
static void ends_open(struct cluster *c)
{
	begin(c, true);
	WRITE(c, 0, 30);
	COMMIT(c, 0);
	assert_int_equal(core__rights(c->core[0], 30), CORE_READ);
	cluster__close(c);
}

/* Always another page, so nothing is learnt of a page; the node learns that it does not come back. */
static void test_pages_left_behind(void **state)
{
	struct cluster *c = cluster__open(2, 64, 32, 0);
	unsigned doomed = 0;

	(void)state;
	for (uint32_t page = 0; page < 30; page++)
		doomed += neighbour_follows(c, page, true);
	assert_in_range(doomed, 1, 4);
	/* It closes what it writes, which costs a fault if it does come back, and nothing that it has read. */
	begin(c, true);
	WRITE(c, 0, 30);
	READ(c, 0, 31);
	COMMIT(c, 0);
	assert_int_equal(core__rights(c->core[0], 30), CORE_NONE);
	assert_int_equal(core__rights(c->core[0], 31), CORE_READ);
	cluster__close(c);
}

/* Not for ever: after so many commits it sees whether that has changed. */
static void test_ends(void **state)
{
	struct cluster *c = cluster__open(2, 64, 32, 0);

	(void)state;
	for (uint32_t page = 0; page < 6; page++)
		neighbour_follows(c, page, true);
	for (uint32_t i = 0; i < 200; i++) {
		begin(c, true);
		COMMIT_SILENT(c, 0);
	}
	ends_open(c);
}

/* One that it had touched is a conflict, and says nothing of this. */
static void test_touched(void **state)
{
	struct cluster *c = cluster__open(2, 64, 32, 0);
	bool doomed;

	(void)state;
	for (uint32_t page = 0; page < 20; page++) {
		begin(c, true);
		READ(c, 0, page);
		BEGIN(c, 1);
		WRITE(c, 1, page);
		COMMIT(c, 1);
		core__attempt(c->core[0], &doomed);
		assert_true(doomed);
		SAFE(c, 0);
		begin(c, true);
		COMMIT_SILENT(c, 0);
	}
	ends_open(c);
}

/* A transaction that is no loop's may well come back to its page. */
static void test_no_loop(void **state)
{
	struct cluster *c = cluster__open(2, 64, 32, 0);
	unsigned doomed = 0;

	(void)state;
	for (uint32_t page = 0; page < 30; page++)
		doomed += neighbour_follows(c, page, false);
	assert_int_equal(doomed, 30);
	cluster__close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages_left_behind),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_touched),
		cmocka_unit_test(test_no_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
