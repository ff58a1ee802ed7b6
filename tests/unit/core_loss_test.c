/* SPDX-License-Identifier: BSD-2-Clause */
/* core_loss_test.c - what becomes of pages, commits and waits when a node is lost (all together: tests/sim).
 */
#include "tests/unit/core_util.h"

#include <errno.h>

/* The node dies: what it has sent and nobody has read yet is gone. */
static void kill_node(struct cluster *c, unsigned node)
{
	c->dead[node] = true;
}

static uint16_t lost_with(const struct cluster *c, unsigned node)
{
	const struct logged *l = find(c, node, CORE_DO_LOST, 0, 0);

	assert_non_null(l);
	return l->action.node;
}

static void test_misuse(void **state)
{
	struct cluster *c = cluster__open(3, 9, 3, 0);
	struct core_event event = {.type = CORE_LOST};
	int verdict;

	(void)state;
	event.node = 3;
	assert_int_equal(step(c, 0, &event, &verdict), -EINVAL);
	event.node = 0;
	assert_int_equal(step(c, 0, &event, &verdict), -EINVAL);
	event.node = 1;
	assert_int_equal(step(c, 0, &event, &verdict), 0);
	assert_int_equal(step(c, 0, &event, &verdict), -EINVAL);
	cluster__close(c);
}

static void test_silence_afterwards(void **state)
{
	struct cluster *c = cluster__open(2, 8, 4, 0);
	struct core_entry entry = {.page = 0};
	struct core_msg msg = {.type = CORE_MSG_FETCH,
			       .channel = CORE_CHANNEL_FETCH,
			       .from = 1,
			       .generation = 7,
			       .tx = {.node = 1, .number = 1},
			       .npages = 1,
			       .entries = &entry};
	struct core_event event = {.type = CORE_MESSAGE, .msg = &msg};
	int verdict;

	(void)state;
	assert_true(core_msg__sane(c->core[0], &msg));
	hear(c, 0, 1);
	assert_int_equal(step(c, 0, &event, &verdict), -EPROTO);
	cluster__close(c);
}

/* A fetch that waits for the lost home, and one that comes later; a page at hand stays good. */
static void test_lost_home(void **state)
{
	struct cluster *c = cluster__open(2, 8, 4, 0);

	(void)state;
	BEGIN(c, 0);
	READ(c, 0, 5);
	COMMIT(c, 0);
	kill_node(c, 1);
	BEGIN(c, 0);
	assert_int_equal(READ(c, 0, 4), CORE_DO_WAIT);
	assert_int_equal(hear(c, 0, 1), CORE_DO_LOST);
	assert_int_equal(lost_with(c, 0), 1);
	assert_int_equal(find(c, 0, CORE_DO_EMIT, CORE_EMIT_ABORT, 0)->action.cause, CORE_CAUSE_LOSS);
	cluster__forget(c);
	BEGIN(c, 0);
	assert_int_equal(READ(c, 0, 5), CORE_DO_RESUME);
	assert_int_equal(READ(c, 0, 4), CORE_DO_LOST);
	BEGIN(c, 0);
	assert_int_equal(WRITE(c, 0, 5), CORE_DO_RESUME);
	assert_int_equal(COMMIT(c, 0), CORE_DO_LOST);
	assert_int_equal(total_sent(c), 0);
	cluster__close(c);
}

/* Node 1 owned a page of node 0: nobody knows what it committed last. */
static void test_lost_owner(void **state)
{
	struct cluster *c = cluster__open(3, 8, 8, 0);

	(void)state;
	BEGIN(c, 1);
	WRITE(c, 1, 2);
	COMMIT(c, 1);
	kill_node(c, 1);
	BEGIN(c, 2);
	assert_int_equal(READ(c, 2, 2), CORE_DO_WAIT);
	hear(c, 0, 1);
	assert_int_equal(lost_with(c, 2), 1);
	BEGIN(c, 0);
	assert_int_equal(READ(c, 0, 2), CORE_DO_LOST);
	BEGIN(c, 0);
	assert_int_equal(WRITE(c, 0, 3), CORE_DO_RESUME);
	assert_int_equal(COMMIT(c, 0), CORE_DO_RESUME);
	cluster__close(c);
}

/* Pages 0 (node 0) and 4 (node 1) are on all three nodes; node 2 writes both. */
static struct cluster *about_to_commit(void)
{
	struct cluster *c = cluster__open(3, 8, 4, 0);
	unsigned node;

	for (node = 0; node < 3; node++) {
		BEGIN(c, node);
		READ(c, node, 0);
		READ(c, node, 4);
		COMMIT(c, node);
	}
	BEGIN(c, 2);
	WRITE(c, 2, 0);
	WRITE(c, 2, 4);
	cluster__forget(c);
	return c;
}

/* Its commit's first LOCK has arrived, but an answer of node 1 is missing: it cannot have decided. */
static void test_lock_that_was_not_granted(void **state)
{
	struct cluster *c = about_to_commit();
	struct core_event event = {.type = CORE_COMMIT, .changed = all_changed};
	struct core_event message = {.type = CORE_MESSAGE};
	int verdict;

	(void)state;
	step(c, 2, &event, &verdict);
	message.msg = &c->mail[0].msg; /* LOCK of page 0 */
	assert_int_equal(step(c, 0, &message, &verdict), 0);
	assert_int_equal(c->sent[CORE_MSG_INVALIDATE], 1);
	kill_node(c, 2);
	hear(c, 0, 2); /* before the answer comes */
	BEGIN(c, 1);
	assert_int_equal(READ(c, 1, 0), CORE_DO_RESUME);
	assert_int_equal(core__version(c->core[1], 0), 0);
	cluster__close(c);
}

/* Node 2 was granted page 0 and dies: it may have decided, so page 0 is lost. Page 4 it had not asked for. */
static void test_lock_that_was_granted(void **state)
{
	struct cluster *c = about_to_commit();
	struct core_event event = {.type = CORE_COMMIT, .changed = all_changed};
	struct core_event message = {.type = CORE_MESSAGE};
	size_t i;
	int verdict;

	(void)state;
	step(c, 2, &event, &verdict);
	for (i = 0; i < 3; i++) { /* LOCK to 0, INVALIDATE to 1, ACK to 0 */
		message.msg = &c->mail[i].msg;
		assert_int_equal(step(c, message.msg->to, &message, &verdict), 0);
	}
	assert_int_equal(c->sent[CORE_MSG_GRANT], 1);
	for (i = 0; i < 3; i++)
		c->mail[i].msg.to = 2; /* they have arrived */
	kill_node(c, 2);
	deliver(c, 1, &verdict);
	hear(c, 0, 2);
	hear(c, 1, 2);
	BEGIN(c, 1);
	assert_int_equal(READ(c, 1, 4), CORE_DO_RESUME);
	assert_int_equal(READ(c, 1, 0), CORE_DO_LOST);
	assert_int_equal(lost_with(c, 1), 2);
	cluster__close(c);
}

/* Node 1 commits; node 2, which has a copy, dies without an answer. */
static void test_silence_is_consent(void **state)
{
	struct cluster *c = about_to_commit();

	(void)state;
	CANCEL(c, 2);
	kill_node(c, 2);
	BEGIN(c, 1);
	WRITE(c, 1, 0);
	assert_int_equal(COMMIT(c, 1), CORE_DO_WAIT);
	hear(c, 0, 2);
	assert_non_null(find(c, 1, CORE_DO_EMIT, CORE_EMIT_COMMIT, 0));
	assert_int_equal(core__version(c->core[1], 0), 1);
	cluster__close(c);
}

/* A commit that waits for a lost home gives up what it has locked elsewhere. */
static void test_commit_cannot_go_on(void **state)
{
	struct cluster *c = cluster__open(4, 16, 4, 0);

	(void)state;
	BEGIN(c, 0); /* or node 3 would own the pages alone */
	READ(c, 0, 4);
	READ(c, 0, 8);
	COMMIT(c, 0);
	BEGIN(c, 2);
	READ(c, 2, 0);
	COMMIT(c, 2);
	cluster__forget(c);
	BEGIN(c, 3);
	WRITE(c, 3, 0);
	WRITE(c, 3, 4);
	WRITE(c, 3, 8);
	kill_node(c, 1);
	assert_int_equal(COMMIT(c, 3), CORE_DO_WAIT);
	assert_int_equal(hear(c, 3, 1), CORE_DO_LOST);
	assert_false(find(c, 3, CORE_DO_LOST, 0, 0)->action.doubt);
	assert_int_equal(c->sent[CORE_MSG_CANCEL], 1);
	assert_int_equal(c->sent[CORE_MSG_PUBLISH], 0);
	BEGIN(c, 0);
	assert_int_equal(WRITE(c, 0, 0), CORE_DO_RESUME);
	assert_int_equal(COMMIT(c, 0), CORE_DO_RESUME);
	cluster__close(c);
}

/* The home that decides is lost: nobody can know what it did, so nothing is undone, and nothing is shown. */
static void test_doubt_for_ever(void **state)
{
	struct cluster *c = about_to_commit();

	(void)state;
	kill_node(c, 1);
	hear(c, 0, 1);
	assert_int_equal(COMMIT(c, 2), CORE_DO_WAIT);
	assert_int_equal(hear(c, 2, 1), CORE_DO_LOST);
	assert_true(find(c, 2, CORE_DO_LOST, 0, 0)->action.doubt);
	assert_int_equal(c->sent[CORE_MSG_CANCEL], 0);
	assert_int_equal(c->sent[CORE_MSG_PUBLISH], 0);
	assert_null(find(c, 2, CORE_DO_RESTORE, 0, 0));
	BEGIN(c, 0);
	assert_int_equal(READ(c, 0, 0), CORE_DO_WAIT);
	kill_node(c, 2); /* as its runtime does */
	assert_int_equal(hear(c, 0, 2), CORE_DO_LOST);
	assert_int_equal(lost_with(c, 0), 2);
	cluster__close(c);
}

static void test_barrier(void **state)
{
	struct cluster *c = cluster__open(3, 8, 4, 0);

	(void)state;
	assert_int_equal(BARRIER(c, 1), CORE_DO_WAIT);
	kill_node(c, 2);
	assert_int_equal(hear(c, 1, 2), CORE_DO_LOST);
	assert_int_equal(BARRIER(c, 1), CORE_DO_LOST);
	hear(c, 0, 2);
	assert_int_equal(BARRIER(c, 0), CORE_DO_LOST);
	assert_int_equal(lost_with(c, 0), 2);
	cluster__close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_misuse),
		cmocka_unit_test(test_silence_afterwards),
		cmocka_unit_test(test_lost_home),
		cmocka_unit_test(test_lost_owner),
		cmocka_unit_test(test_lock_that_was_not_granted),
		cmocka_unit_test(test_lock_that_was_granted),
		cmocka_unit_test(test_silence_is_consent),
		cmocka_unit_test(test_commit_cannot_go_on),
		cmocka_unit_test(test_doubt_for_ever),
		cmocka_unit_test(test_barrier),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
