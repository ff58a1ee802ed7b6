/* SPDX-License-Identifier: BSD-2-Clause */
/* core_update_test.c - commits decided elsewhere, and copies that are updated instead of lost. */
#include "tests/unit/core_util.h"

static int turn(struct cluster *c, unsigned node)
{
	assert_int_equal(BEGIN(c, node), CORE_DO_RESUME);
	assert_int_equal(READ(c, node, 1), CORE_DO_RESUME);
	assert_int_equal(WRITE(c, node, 1), CORE_DO_RESUME);
	return COMMIT(c, node);
}

static void look(struct cluster *c, unsigned node)
{
	assert_int_equal(BEGIN(c, node), CORE_DO_RESUME);
	assert_int_equal(READ(c, node, 1), CORE_DO_RESUME);
	assert_int_equal(COMMIT(c, node), CORE_DO_RESUME);
}

/* Nodes 0 and 1 write page 1, which lives on node 0, by turns until both get updates. */
static struct cluster *play(unsigned nodes, uint32_t elevate_after)
{
	struct cluster *c = cluster__open(nodes, 8, 8, elevate_after);
	unsigned i;

	for (i = 0; i < 8; i++)
		assert_int_equal(turn(c, i % 2), CORE_DO_RESUME);
	assert_non_null(find(c, 0, CORE_DO_EMIT, CORE_EMIT_ADOPT, 1));
	assert_null(find(c, 0, CORE_DO_EMIT, CORE_EMIT_ADOPT, 2));
	cluster__forget(c);
	return c;
}

static void test_two_messages_a_turn(void **state)
{
	struct cluster *c = play(2, 0);
	uint64_t version = core__version(c->core[0], 1);
	unsigned i;

	(void)state;
	for (i = 0; i < 10; i++)
		assert_int_equal(turn(c, i % 2), CORE_DO_RESUME);
	assert_int_equal(total_sent(c), 20);
	assert_int_equal(c->sent[CORE_MSG_INVALIDATE], 5); /* with changes, answered by ACK: decided there */
	assert_int_equal(c->sent[CORE_MSG_LOCK], 5);	   /* with changes, answered by GRANT: decided here */
	assert_non_null(find(c, 0, CORE_DO_EMIT, CORE_EMIT_PASS, 0));
	for (i = 0; i < 2; i++) {
		assert_int_equal(core__version(c->core[i], 1), version + 10);
		assert_int_equal(core__rights(c->core[i], 1), CORE_READ);
	}
	cluster__close(c);
}

/* A doomed attempt goes on seeing the page as it was; the update shows when it is undone. */
static void test_update_of_what_is_seen(void **state)
{
	struct cluster *c = play(2, 0);
	uint64_t version = core__version(c->core[1], 1);
	bool doomed;

	(void)state;
	BEGIN(c, 1);
	assert_int_equal(turn(c, 0), CORE_DO_RESUME);
	core__attempt(c->core[1], &doomed);
	assert_true(doomed);
	assert_null(find(c, 1, CORE_DO_STORE, 0, 0));
	assert_non_null(find(c, 1, CORE_DO_STORE_NEXT, 0, 0));
	assert_int_equal(core__version(c->core[1], 1), version);
	assert_int_equal(core__rights(c->core[1], 1), CORE_READ);
	assert_int_equal(SAFE(c, 1), CORE_DO_ABORT);
	assert_non_null(find(c, 1, CORE_DO_PROMOTE, 0, 0));
	assert_int_equal(core__version(c->core[1], 1), version + 1);
	assert_int_equal(core__rights(c->core[1], 1), CORE_READ); /* no fault on the next turn */
	cluster__close(c);
}

/* With a third holder only the home can know that all have answered. Until it says so, those who keep their
 * copies cannot use them, and do not fetch either. */
static void test_three_holders(void **state)
{
	struct cluster *c = play(3, 0);

	(void)state;
	look(c, 2);
	cluster__forget(c);
	BEGIN(c, 0);
	WRITE(c, 0, 1);
	assert_int_equal(START_COMMIT(c, 0), CORE_DO_WAIT);
	deliver_to(c, 1);
	assert_int_equal(core__rights(c->core[1], 1), CORE_NONE);
	begin_step(c, 1, (struct core_event){.type = CORE_BEGIN});
	assert_int_equal(begin_step(c, 1, (struct core_event){.type = CORE_ACCESS, .page = 1}), CORE_DO_WAIT);
	deliver_to(c, 2);
	assert_int_equal(deliver_to(c, 0), -1);
	assert_int_equal(deliver_to(c, 0), CORE_DO_RESUME); /* the last ACK: decided */
	assert_int_equal(deliver_to(c, 1), CORE_DO_RESUME);
	assert_int_equal(c->sent[CORE_MSG_INVALIDATE], 2);
	assert_int_equal(c->sent[CORE_MSG_ACK], 2);
	assert_int_equal(c->sent[CORE_MSG_UPDATE], 1);
	assert_int_equal(total_sent(c), 5);
	assert_int_equal(core__version(c->core[1], 1), core__version(c->core[0], 1));
	assert_int_equal(core__rights(c->core[1], 1), CORE_READ);
	cluster__close(c);
}

/* Somebody refuses: who kept its copy meanwhile has it back. */
static void test_failed_commit(void **state)
{
	struct cluster *c = play(3, 1);
	uint64_t version;

	(void)state;
	BEGIN(c, 2);
	READ(c, 2, 1);
	turn(c, 0);
	assert_int_equal(SAFE(c, 2), CORE_DO_ABORT);
	BEGIN(c, 2); /* with priority */
	READ(c, 2, 1);
	look(c, 1);
	version = core__version(c->core[1], 1);
	cluster__forget(c);
	assert_int_equal(turn(c, 0), CORE_DO_ABORT);
	assert_int_equal(c->sent[CORE_MSG_REFUSE], 1);
	assert_int_equal(c->sent[CORE_MSG_UPDATE], 1);
	look(c, 1);
	assert_int_equal(c->sent[CORE_MSG_FETCH], 0);
	assert_int_equal(core__version(c->core[1], 1), version);
	cluster__close(c);
}

/* Who does not use what it gets gives it up after some updates: then the writer is alone. */
static void test_unused(void **state)
{
	struct cluster *c = play(2, 0);
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++)
		turn(c, 0);
	assert_int_equal(core__rights(c->core[1], 1), CORE_READ);
	turn(c, 0); /* the fourth without a sign of use: it is closed to see */
	assert_int_equal(core__rights(c->core[1], 1), CORE_NONE);
	look(c, 1);
	assert_int_equal(find(c, 1, CORE_DO_RESUME, 0, 1)->action.fault, CORE_FAULT_REARM);
	for (i = 0; i < 7; i++) {
		assert_null(find(c, 1, CORE_DO_EMIT, CORE_EMIT_INVALIDATE, 0));
		turn(c, 0);
	}
	assert_true(find(c, 1, CORE_DO_EMIT, CORE_EMIT_INVALIDATE, 0)->action.unused);
	turn(c, 0);
	cluster__forget(c);
	turn(c, 0);
	assert_int_equal(total_sent(c), 0);
	cluster__close(c);
}

/* A page that node 0 alone ever fetches again is never updated at others, and never at all when that is off.
 */
static void test_history_decides(void **state)
{
	struct cluster *c = cluster__open(3, 8, 8, 0);
	unsigned i;

	(void)state;
	for (i = 0; i < 12; i++) { /* node 1 looks at each third version only */
		turn(c, 0);
		if (i % 3 == 0)
			look(c, 1);
	}
	assert_null(find(c, 0, CORE_DO_EMIT, CORE_EMIT_ADOPT, 0));
	for (i = 0; i < 2; i++) {
		look(c, 1);
		turn(c, 0);
	}
	look(c, 1);
	assert_non_null(find(c, 0, CORE_DO_EMIT, CORE_EMIT_ADOPT, 0));
	cluster__close(c);
}

/* Node 0 wrote page 1 and read page 2, node 1 the reverse; both commit at once. Node 1 is in doubt when it is
 * told to give up page 1: it withdraws and answers then. */
static void test_withdrawal(void **state)
{
	struct cluster *c = cluster__open(3, 12, 4, 0); /* pages 8 and 9 live on node 2 */
	const struct logged *abort_;

	(void)state;
	BEGIN(c, 0);
	READ(c, 0, 9);
	WRITE(c, 0, 8);
	BEGIN(c, 1);
	READ(c, 1, 8);
	WRITE(c, 1, 9);
	cluster__forget(c);
	assert_int_equal(START_COMMIT(c, 0), CORE_DO_WAIT);
	assert_int_equal(START_COMMIT(c, 1), CORE_DO_WAIT);
	deliver_to(c, 2);
	deliver_to(c, 2);
	assert_int_equal(deliver_to(c, 1), -1); /* INVALIDATE: nobody can say yet who has lost */
	assert_int_equal(c->sent[CORE_MSG_CANCEL], 1);
	assert_int_equal(c->sent[CORE_MSG_ACK], 0);
	deliver_to(c, 2);
	assert_int_equal(c->sent[CORE_MSG_DENY], 1);
	assert_int_equal(deliver_to(c, 1), CORE_DO_ABORT);
	assert_int_equal(c->sent[CORE_MSG_ACK], 1);
	abort_ = find(c, 1, CORE_DO_EMIT, CORE_EMIT_ABORT, 0);
	assert_int_equal(abort_->action.cause, CORE_CAUSE_CONFLICT);
	assert_int_equal(abort_->action.other.node, 0);
	assert_int_equal(deliver_to(c, 0),
			 -1); /* INVALIDATE: it outranks node 1 and refuses, in doubt or not */
	assert_int_equal(c->sent[CORE_MSG_REFUSE], 1);
	deliver_to(c, 2);
	assert_int_equal(deliver_to(c, 0), CORE_DO_RESUME);
	cluster__close(c);
}

/* The same, but node 2 has decided for node 1 before the INVALIDATE of another home comes there. */
static void test_too_late_to_withdraw(void **state)
{
	struct cluster *c = cluster__open(3, 12, 4, 0);

	(void)state;
	BEGIN(c, 1);
	READ(c, 1, 1); /* lives on node 0, which writes it */
	WRITE(c, 1, 8);
	BEGIN(c, 2);
	READ(c, 2, 8);
	COMMIT(c, 2);
	BEGIN(c, 0);
	READ(c, 0, 1);
	WRITE(c, 0, 1);
	cluster__forget(c);
	assert_int_equal(START_COMMIT(c, 1), CORE_DO_WAIT);
	deliver_to(c, 2); /* decided: its own copy was the only other one */
	assert_int_equal(c->sent[CORE_MSG_GRANT], 1);
	assert_int_equal(START_COMMIT(c, 0), CORE_DO_WAIT);
	assert_int_equal(deliver_type(c, 1, CORE_MSG_INVALIDATE), -1); /* node 0's link is faster */
	assert_int_equal(deliver_to(c, 1), CORE_DO_RESUME); /* GRANT: it has committed, and answers */
	deliver_type(c, 2, CORE_MSG_CANCEL);
	assert_int_equal(c->sent[CORE_MSG_DENY], 0);
	assert_int_equal(deliver_type(c, 0, CORE_MSG_ACK), CORE_DO_RESUME);
	assert_int_equal(core__rights(c->core[1], 1), CORE_NONE);
	cluster__close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_messages_a_turn),
		cmocka_unit_test(test_update_of_what_is_seen),
		cmocka_unit_test(test_three_holders),
		cmocka_unit_test(test_failed_commit),
		cmocka_unit_test(test_unused),
		cmocka_unit_test(test_history_decides),
		cmocka_unit_test(test_withdrawal),
		cmocka_unit_test(test_too_late_to_withdraw),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
