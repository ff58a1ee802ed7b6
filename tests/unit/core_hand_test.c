/* SPDX-License-Identifier: BSD-2-Clause */
/* core_hand_test.c - exclusive pages that are handed over as a whole, and who is thought to write what it reads. */
#include "tests/unit/core_util.h"

#define FETCH_TO_WRITE(c, node, p)                                                                           \
	begin_step(c, node, (struct core_event){.type = CORE_ACCESS, .page = (p), .write = true})

/* Page 1 lives on node 0; node 1 has it alone. */
static struct cluster *owned(void)
{
	struct cluster *c = cluster__open(3, 8, 8, 0);

	BEGIN(c, 1);
	WRITE(c, 1, 1);
	assert_int_equal(COMMIT(c, 1), CORE_DO_RESUME);
	assert_int_equal(c->sent[CORE_MSG_LOCK], 0);
	cluster__forget(c);
	return c;
}

static void test_whole(void **state)
{
	struct cluster *c = owned();

	(void)state;
	BEGIN(c, 2);
	assert_int_equal(WRITE(c, 2, 1), CORE_DO_RESUME);
	assert_int_equal(COMMIT(c, 2), CORE_DO_RESUME);
	assert_non_null(find(c, 1, CORE_DO_EMIT, CORE_EMIT_HAND, 0));
	assert_int_equal(core__rights(c->core[1], 1), CORE_NONE);
	assert_int_equal(core__version(c->core[2], 1), 2);
	assert_int_equal(c->sent[CORE_MSG_FETCH] + c->sent[CORE_MSG_RECALL] + c->sent[CORE_MSG_DOWNGRADE] +
				 c->sent[CORE_MSG_PAGE],
			 4);
	assert_int_equal(total_sent(c), 4); /* the commit asked nobody */
	BEGIN(c, 2);
	WRITE(c, 2, 1);
	assert_int_equal(COMMIT(c, 2), CORE_DO_RESUME);
	assert_int_equal(total_sent(c), 4);
	cluster__close(c);
}

/* A reader is given a copy, as ever. */
static void test_reader(void **state)
{
	struct cluster *c = owned();

	(void)state;
	BEGIN(c, 2);
	READ(c, 2, 1);
	assert_null(find(c, 1, CORE_DO_EMIT, CORE_EMIT_HAND, 0));
	assert_int_equal(core__rights(c->core[1], 1), CORE_READ);
	cluster__close(c);
}

/* What an attempt has read stays with it: it is shared, and the two commits decide. */
static void test_in_use(void **state)
{
	struct cluster *c = owned();
	bool doomed;

	(void)state;
	BEGIN(c, 1); /* it is mapped, so it counts as read */
	BEGIN(c, 2);
	assert_int_equal(WRITE(c, 2, 1), CORE_DO_RESUME);
	assert_null(find(c, 1, CORE_DO_EMIT, CORE_EMIT_HAND, 0));
	core__attempt(c->core[1], &doomed);
	assert_false(doomed);
	assert_int_equal(core__rights(c->core[1], 1), CORE_READ);
	assert_int_equal(COMMIT(c, 2), CORE_DO_RESUME);
	assert_int_equal(c->sent[CORE_MSG_LOCK], 1);
	core__attempt(c->core[1], &doomed);
	assert_true(doomed);
	cluster__close(c);
}

/* Who has handed it over wants it back at once: its FETCH is faster than its DOWNGRADE. */
static void test_back_at_once(void **state)
{
	struct cluster *c = owned();

	(void)state;
	begin_step(c, 2, (struct core_event){.type = CORE_BEGIN});
	FETCH_TO_WRITE(c, 2, 1);
	deliver_type(c, 0, CORE_MSG_FETCH);
	deliver_type(c, 1, CORE_MSG_RECALL);
	begin_step(c, 1, (struct core_event){.type = CORE_BEGIN});
	assert_int_equal(FETCH_TO_WRITE(c, 1, 1), CORE_DO_WAIT);
	deliver_type(c, 0, CORE_MSG_FETCH);
	deliver_type(c, 0, CORE_MSG_DOWNGRADE);
	assert_int_equal(deliver_type(c, 2, CORE_MSG_PAGE), CORE_DO_RESUME);
	assert_int_equal(START_COMMIT(c, 2), CORE_DO_RESUME);
	deliver_type(c, 2, CORE_MSG_RECALL);
	deliver_type(c, 0, CORE_MSG_DOWNGRADE);
	assert_int_equal(deliver_type(c, 1, CORE_MSG_PAGE), CORE_DO_RESUME);
	assert_int_equal(START_COMMIT(c, 1), CORE_DO_RESUME);
	assert_int_equal(core__version(c->core[1], 1), 3);
	assert_int_equal(c->sent[CORE_MSG_LOCK], 0);
	cluster__close(c);
}

static void turn(struct cluster *c, unsigned node)
{
	assert_int_equal(BEGIN(c, node), CORE_DO_RESUME);
	assert_int_equal(READ(c, node, 1), CORE_DO_RESUME);
	if (core__rights(c->core[node], 1) != CORE_WRITE)
		assert_int_equal(WRITE(c, node, 1), CORE_DO_RESUME);
	assert_int_equal(COMMIT(c, node), CORE_DO_RESUME);
}

/* Three nodes change it by turns: after some rounds a read brings it as a whole, open for the write to come. */
static void test_habit(void **state)
{
	struct cluster *c = cluster__open(3, 8, 8, 0);
	unsigned i;

	(void)state;
	for (i = 0; i < 15; i++)
		turn(c, i % 3);
	cluster__forget(c);
	for (i = 0; i < 6; i++)
		turn(c, i % 3);
	assert_int_equal(c->sent[CORE_MSG_LOCK] + c->sent[CORE_MSG_INVALIDATE], 0);
	BEGIN(c, 0);
	READ(c, 0, 1);
	assert_int_equal(core__rights(c->core[0], 1), CORE_WRITE);
	assert_int_equal(COMMIT_SILENT(c, 0),
			 CORE_DO_RESUME); /* not this time: it was no more than a guess */
	assert_int_equal(core__version(c->core[0], 1), 21);
	turn(c, 1);
	BEGIN(c, 0);
	READ(c, 0, 1);
	assert_int_equal(core__rights(c->core[0], 1), CORE_READ);
	cluster__close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),  cmocka_unit_test(test_reader),
		cmocka_unit_test(test_in_use), cmocka_unit_test(test_back_at_once),
		cmocka_unit_test(test_habit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
