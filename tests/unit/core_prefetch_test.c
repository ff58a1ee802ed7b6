/* SPDX-License-Identifier: BSD-2-Clause */
/* core_prefetch_test.c - pages that come ahead of their use, and many that are fetched at once. */
#include "tests/unit/core_port.h"

/* Three faults in a row, of an attempt that begins: the next one makes it a row. */
static void begin_a_row(struct cluster *c, unsigned node)
{
	BEGIN(c, node);
	for (uint32_t page = 9; page < 12; page++)
		READ(c, node, page);
}

/* Four faults in a row: two pages are asked for, come, and stay closed and out of the read set. */
static void test_prefetch(void **state)
{
	struct cluster *c = cluster__open(2, 64, 64, 0);
	const struct core_prefetch *p = core__prefetch(c->core[1]);

	(void)state;
	begin_a_row(c, 1);
	assert_int_equal(p->asked, 0);
	cluster__forget(c);
	READ(c, 1, 12);
	assert_int_equal(p->asked, 2);
	assert_int_equal(c->sent[CORE_MSG_FETCH], 2); /* 12, and 13 with 14 */
	assert_int_equal(c->sent[CORE_MSG_PAGE], 2);
	assert_int_equal(core__rights(c->core[1], 13), CORE_NONE);

	/* Node 0 changes both: whoever has not used them loses nothing. */
	BEGIN(c, 0);
	WRITE(c, 0, 14);
	assert_int_equal(COMMIT(c, 0), CORE_DO_RESUME);
	assert_int_equal(p->lost, 1);
	assert_int_equal(SAFE(c, 1), CORE_DO_RESUME);

	cluster__forget(c);
	assert_int_equal(READ(c, 1, 13), CORE_DO_RESUME);
	assert_int_equal(find(c, 1, CORE_DO_RESUME, 0, 0)->action.fault, CORE_FAULT_PREFETCHED);
	assert_int_equal(p->used, 1);
	assert_int_equal(READ(c, 1, 14), CORE_DO_RESUME);
	assert_int_equal(COMMIT(c, 1), CORE_DO_RESUME);
	cluster__close(c);
}

/* A page that is on its way, ahead of its use, is opened for writing if that is what it is wanted for when it comes. */
static void test_prefetch_written(void **state)
{
	struct cluster *c = cluster__open(2, 64, 64, 0);
	struct core_event write = {.type = CORE_ACCESS, .page = 13, .write = true, .count = 2};
	int verdict = -1;

	(void)state;
	begin_a_row(c, 1);
	begin_step(c, 1, (struct core_event){.type = CORE_ACCESS, .page = 12});
	deliver_to(c, 0); /* FETCH of 12 */
	assert_int_equal(deliver_to(c, 1), CORE_DO_RESUME);
	assert_int_equal(begin_step(c, 1, write), CORE_DO_WAIT);
	deliver(c, 1, &verdict);
	assert_int_equal(verdict, CORE_DO_RESUME);
	assert_int_equal(core__prefetch(c->core[1])->asked, 2); /* 13 and 14, and not again */
	assert_int_equal(core__rights(c->core[1], 13), CORE_WRITE);
	assert_int_equal(core__rights(c->core[1], 14), CORE_WRITE);
	cluster__close(c);
}

/* Backwards, by 5 and across two homes; and no further than the region. */
static void test_prefetch_strides(void **state)
{
	struct cluster *c = cluster__open(3, 64, 20, 0);
	const struct core_prefetch *p = core__prefetch(c->core[2]);
	int i;

	(void)state;
	BEGIN(c, 2);
	for (i = 37; i >= 7; i -= 5)
		assert_int_equal(READ(c, 2, (uint32_t)i), CORE_DO_RESUME);
	assert_true(p->asked >= 3); /* from the fifth fault on: 17 */
	assert_true(p->used >= 2);
	cluster__forget(c);
	READ(c, 2, 2);
	assert_int_equal(find(c, 2, CORE_DO_RESUME, 0, 0)->action.fault, CORE_FAULT_PREFETCHED);
	COMMIT(c, 2);
	cluster__close(c);
}

/* What is never used lowers the limit: many short rows make hardly more requests than they have pages. */
static void test_prefetch_gives_up(void **state)
{
	struct cluster *c = cluster__open(2, 20000, 20000, 0);
	const struct core_prefetch *p = core__prefetch(c->core[1]);
	uint64_t before;
	uint32_t row, i;

	(void)state;
	for (row = 0; row < 400; row++) {
		BEGIN(c, 1);
		before = p->asked;
		for (i = 0; i < 7; i++)
			READ(c, 1, row * 47 + i);
		COMMIT(c, 1);
		if (row == 0)
			assert_true(p->asked - before >= 4);
	}
	assert_true(p->asked - before <= 6);
	assert_true(p->used >= 400 * 2);
	cluster__close(c);
}

/* Random pages, as dsmbench's faults: next to nothing is asked for. */
static void test_prefetch_random(void **state)
{
	struct cluster *c = cluster__open(2, 4000, 4000, 0);
	uint64_t x = 88172645463325252ull;
	int i;

	(void)state;
	for (i = 0; i < 2000; i++) {
		cluster__forget(c);
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		BEGIN(c, 1);
		READ(c, 1, (uint32_t)(x % 4000));
		COMMIT(c, 1);
	}
	assert_true(core__prefetch(c->core[1])->asked < 20);
	cluster__close(c);
}

/* One question a home and 128 pages, answers of CORE_COPY_PAGES, and one wait. */
static void test_bulk(void **state)
{
	struct cluster *c = cluster__open(3, 400, 150, 0);
	struct core_event touch = {.type = CORE_ACCESS, .page = 10, .count = 200};
	uint32_t i;

	(void)state;
	BEGIN(c, 2);
	READ(c, 2, 20);
	cluster__forget(c);
	assert_int_equal(act(c, 2, touch), CORE_DO_RESUME);
	assert_int_equal(c->sent[CORE_MSG_FETCH], 3); /* 10 to 137, 138 to 149, 150 to 209 */
	assert_int_equal(c->sent[CORE_MSG_PAGE], 4 + 1 + 2);
	assert_int_equal(core__prefetch(c->core[2])->bulk, 199);
	for (i = 10; i < 210; i++)
		assert_int_equal(core__rights(c->core[2], i), CORE_READ);
	BEGIN(c, 0);
	WRITE(c, 0, 100);
	assert_int_equal(COMMIT(c, 0), CORE_DO_RESUME);
	assert_int_equal(SAFE(c, 2), CORE_DO_ABORT); /* all of it counts as read */
	cluster__close(c);
}

/* Pages whose homes have moved lie by turns at two nodes: each of the two is asked once. */
static void test_bulk_by_turns(void **state)
{
	struct core_config config = {
		.pages = 64, .pages_per_home = 64, .migrate_after = 1, .update_after = CORE_NEVER};
	struct core_event touch = {.type = CORE_ACCESS, .page = 10, .count = 20};
	struct cluster *c = cluster__open_like(3, config);
	uint32_t page, moved = 0;

	(void)state;
	for (int round = 0; round < 4; round++)
		for (page = 10; page < 30; page += 2) {
			BEGIN(c, 1);
			WRITE(c, 1, page);
			COMMIT(c, 1);
			BEGIN(c, 2);
			READ(c, 2, page);
			COMMIT_SILENT(c, 2);
		}
	for (page = 10; page < 30; page++) {
		moved += core__home(c->core[0], page) == 1;
		BEGIN(c, 2); /* it learns where they are */
		READ(c, 2, page);
		COMMIT_SILENT(c, 2);
		BEGIN(c, page % 2 ? 0 : 1);
		WRITE(c, page % 2 ? 0 : 1, page);
		COMMIT(c, page % 2 ? 0 : 1);
	}
	assert_int_equal(moved, 10);
	BEGIN(c, 2);
	cluster__forget(c);
	assert_int_equal(act(c, 2, touch), CORE_DO_RESUME);
	assert_int_equal(c->sent[CORE_MSG_FETCH], 2);
	assert_int_equal(c->sent[CORE_MSG_PAGE], 2);
	for (page = 10; page < 30; page++)
		assert_int_equal(core__rights(c->core[2], page), CORE_READ);
	cluster__close(c);
}

/* ---- pages of sc and rc: read one after the other, without saying so before ---- */

#define HOMED 64u

static void put(struct cluster *c, unsigned node, uint32_t page)
{
	assert_int_equal(WRITE(c, node, page), CORE_DO_RESUME);
	port_of(c, node)->frame[page][0] = (uint8_t)page;
	SAFE(c, node);
}

static void get(struct cluster *c, unsigned node, uint32_t page)
{
	if (port_of(c, node)->rights[page] == CORE_NONE)
		assert_int_equal(READ(c, node, page), CORE_DO_RESUME);
	assert_int_equal(port_of(c, node)->frame[page][0], (uint8_t)page);
}

/* Pages that their home has written and does not write any more. */
static void walk(uint32_t rc_from)
{
	struct cluster *c = port__cluster(2, 2 * HOMED, HOMED, 1, rc_from);
	const struct core_prefetch *p = core__prefetch(c->core[1]);
	uint32_t page;

	for (page = 1; page < HOMED; page++)
		put(c, 0, page);
	cluster__forget(c);
	for (page = 1; page < HOMED; page++)
		get(c, 1, page);
	assert_true(c->sent[CORE_MSG_ASK] < HOMED / 4);
	assert_true(p->used > HOMED / 2);
	assert_int_equal(p->refused, 0);
	port__end(c);
}

static void test_walk_sc(void **state)
{
	(void)state;
	walk(HOMED);
}

static void test_walk_rc(void **state)
{
	(void)state;
	walk(1);
}

/* Pages that a third node writes: nobody takes them from it before they are really wanted. */
static void others(uint32_t rc_from)
{
	struct cluster *c = port__cluster(3, 3 * HOMED, HOMED, 1, rc_from);
	const struct core_prefetch *p = core__prefetch(c->core[1]);
	uint32_t page;

	for (page = 1; page < HOMED; page++)
		put(c, 2, page);
	cluster__forget(c);
	for (page = 1; page < HOMED / 2; page++) {
		get(c, 1, page);
		assert_int_equal(port_of(c, 2)->rights[page + 1], CORE_WRITE);
		assert_false(port_of(c, 2)->has_twin[page + 1]);
	}
	assert_int_equal(c->sent[CORE_MSG_REVOKE], HOMED / 2 - 1);
	assert_true(p->refused > 0);
	assert_int_equal(p->refused, p->asked);
	port__end(c);
}

static void test_others_sc(void **state)
{
	(void)state;
	others(HOMED);
}

static void test_others_rc(void **state)
{
	(void)state;
	others(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefetch),	 cmocka_unit_test(test_prefetch_written),
		cmocka_unit_test(test_prefetch_strides), cmocka_unit_test(test_prefetch_gives_up),
		cmocka_unit_test(test_prefetch_random),	 cmocka_unit_test(test_bulk),
		cmocka_unit_test(test_bulk_by_turns),	 cmocka_unit_test(test_walk_sc),
		cmocka_unit_test(test_walk_rc),		 cmocka_unit_test(test_others_sc),
		cmocka_unit_test(test_others_rc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
