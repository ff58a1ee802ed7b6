/* SPDX-License-Identifier: BSD-2-Clause */
/* core_rc_sync_test.c - release consistency: what barriers and locks bring, and what they wait for. */
#include "tests/unit/core_rc.h"

/* ---- barriers ---- */

/* Each node writes its own row, which lives with it, and reads the neighbours'. */
static void test_steady_stencil(void **state)
{
	struct cluster *c = open_rc(3);
	unsigned round, node;
	unsigned faults = 0;
	uint8_t value;

	(void)state;
	for (round = 0; round < 10; round++) {
		if (round == 3) {
			cluster__forget(c);
			faults = 0;
		}
		for (node = 0; node < 3; node++)
			put(c, node, page_of(node, 0), 0, (uint8_t)(100 * node + round));
		meet(c);
		for (node = 0; node < 3; node++) {
			if (node)
				faults += get(c, node, page_of(node - 1, 0), 0, &value);
			if (node)
				assert_int_equal(value, (uint8_t)(100 * (node - 1) + round));
			if (node < 2)
				faults += get(c, node, page_of(node + 1, 0), 0, &value);
			if (node < 2)
				assert_int_equal(value, (uint8_t)(100 * (node + 1) + round));
		}
		meet(c);
	}
	assert_int_equal(c->sent[CORE_MSG_SPREAD], 7 * 4); /* two inner borders, both ways, a round */
	assert_int_equal(total_sent(c), 7 * (4 + 2 * 4));
	assert_int_equal(faults, 4); /* one re-arm for each copy */
	port__end(c);
}

/* GO may overtake what other nodes have sent: the barrier waits for it all the same. */
static void test_barrier_waits_for_what_is_counted(void **state)
{
	struct cluster *c = open_rc(3);
	uint32_t page = page_of(1, 0);

	(void)state;
	put(c, 1, page, 0, 1);
	expect(c, 2, page, 0, 1);
	put(c, 1, page, 0, 2);
	arrive(c, 1);
	arrive(c, 0);
	arrive(c, 2);
	deliver_type(c, 0, CORE_MSG_ARRIVE);
	deliver_type(c, 0, CORE_MSG_ARRIVE);
	assert_int_equal(deliver_type(c, 2, CORE_MSG_GO), -1);
	assert_int_equal(port_of(c, 2)->frame[page][0], 1);
	assert_int_equal(deliver_type(c, 2, CORE_MSG_SPREAD), CORE_DO_RESUME);
	assert_int_equal(port_of(c, 2)->frame[page][0], 2);
	port__end(c);
}

/* The first one through writes again and arrives again before another has heard of the first GO. */
static void test_next_barrier_overtakes(void **state)
{
	struct cluster *c = open_rc(3);
	uint32_t page = page_of(1, 0);
	unsigned node;

	(void)state;
	put(c, 1, page, 0, 1);
	expect(c, 2, page, 0, 1);
	put(c, 1, page, 0, 2);
	for (node = 0; node < 3; node++)
		arrive(c, node);
	deliver_type(c, 0, CORE_MSG_ARRIVE);
	deliver_type(c, 0, CORE_MSG_ARRIVE);
	assert_int_equal(deliver_type(c, 1, CORE_MSG_GO), CORE_DO_RESUME);
	put(c, 1, page, 0, 3);
	arrive(c, 1);
	assert_int_equal(deliver_type(c, 2, CORE_MSG_SPREAD), -1);
	assert_int_equal(deliver_type(c, 2, CORE_MSG_SPREAD), -1); /* of the next one: not this one's */
	assert_int_equal(deliver_type(c, 2, CORE_MSG_GO), CORE_DO_RESUME);
	arrive(c, 2);
	arrive(c, 0);
	deliver_type(c, 0, CORE_MSG_ARRIVE);
	deliver_type(c, 0, CORE_MSG_ARRIVE);
	assert_int_equal(deliver_type(c, 2, CORE_MSG_GO), CORE_DO_RESUME);
	assert_int_equal(deliver_type(c, 1, CORE_MSG_GO), CORE_DO_RESUME);
	port__end(c);
}

/* What lives elsewhere is confirmed before the arrival. */
static void test_arrives_when_flushed(void **state)
{
	struct cluster *c = open_rc(3);
	uint32_t page = page_of(2, 0);

	(void)state;
	share(c, 0, page);
	put(c, 1, page, 0, 7);
	cluster__forget(c);
	arrive(c, 1);
	assert_int_equal(c->sent[CORE_MSG_FLUSH], 1);
	assert_int_equal(c->sent[CORE_MSG_ARRIVE], 0);
	deliver_type(c, 2, CORE_MSG_FLUSH);
	assert_int_equal(c->sent[CORE_MSG_FLUSHED], 0);
	deliver_type(c, 0, CORE_MSG_SPREAD);
	deliver_type(c, 2, CORE_MSG_SEEN);
	assert_int_equal(c->sent[CORE_MSG_ARRIVE], 0);
	deliver_type(c, 1, CORE_MSG_FLUSHED);
	assert_int_equal(c->sent[CORE_MSG_ARRIVE], 1);
	assert_int_equal(port_of(c, 0)->frame[page][0], 7);
	port__end(c);
}

/* ---- locks ---- */

#define LOCK 0x1234u

static int acquire(struct cluster *c, unsigned node)
{
	return act(c, node, (struct core_event){.type = CORE_ACQUIRE, .lock = LOCK});
}

static int release(struct cluster *c, unsigned node)
{
	return act(
		c, node,
		(struct core_event){.type = CORE_RELEASE, .lock = LOCK, .changed = port__changed(c, node)});
}

static void test_lock_brings_changes(void **state)
{
	struct cluster *c = open_rc(3);
	uint32_t page[3] = {page_of(0, 0), page_of(1, 0), page_of(2, 0)};
	unsigned round, node, i;
	uint8_t value;

	(void)state;
	for (round = 1; round < 8; round++)
		for (node = 0; node < 3; node++) {
			assert_int_equal(acquire(c, node), CORE_DO_RESUME);
			for (i = 0; i < 3; i++) {
				get(c, node, page[i], i, &value);
				assert_int_equal(value, 3 * (round - 1) + node);
				put(c, node, page[i], i, (uint8_t)(value + 1));
			}
			assert_int_equal(release(c, node), CORE_DO_RESUME);
		}
	meet(c);
	for (i = 0; i < 3; i++)
		check_whole(c, page[i]);
	port__end(c);
}

/* A cached lock that nobody wants costs no message, whatever is written under it. */
static void test_cached_lock_is_silent(void **state)
{
	struct cluster *c = open_rc(2);
	uint32_t page = page_of(1, 0);
	unsigned round;

	(void)state;
	share(c, 0, page);
	acquire(c, 1);
	put(c, 1, page, 0, 1);
	release(c, 1);
	cluster__forget(c);
	for (round = 0; round < 20; round++) {
		acquire(c, 1);
		put(c, 1, page, 0, (uint8_t)round);
		release(c, 1);
	}
	assert_int_equal(total_sent(c), 0);
	assert_int_equal(acquire(c, 0), CORE_DO_RESUME);
	expect(c, 0, page, 0, 19);
	port__end(c);
}

/* A name that node 0 manages. */
static uint64_t lock_of_0(struct cluster *c, unsigned i)
{
	uint64_t name = 1;

	for (;; name++)
		if (core__manager(c->core[0], name) == 0 && !i--)
			return name;
}

static struct core_event lock_event(struct cluster *c, unsigned node, enum core_event_type type,
				    uint64_t name)
{
	return (struct core_event){.type = type, .lock = name, .changed = port__changed(c, node)};
}

/* A lock that leaves a barrier does not arrive before what the barrier counts. */
static void test_lock_waits_for_what_is_counted(void **state)
{
	struct cluster *c = open_rc(3);
	uint64_t lock = lock_of_0(c, 0);
	uint32_t page = page_of(1, 0);

	(void)state;
	put(c, 1, page, 0, 1);
	expect(c, 2, page, 0, 1);
	act(c, 1, lock_event(c, 1, CORE_ACQUIRE, lock));
	put(c, 1, page, 0, 2);
	act(c, 1, lock_event(c, 1, CORE_RELEASE, lock));
	cluster__forget(c);
	arrive(c, 1);
	begin_step(c, 2, lock_event(c, 2, CORE_ACQUIRE, lock));
	deliver_type(c, 0, CORE_MSG_ACQUIRE);
	deliver_type(c, 1, CORE_MSG_WANT);
	assert_int_equal(c->sent[CORE_MSG_BACK], 0);
	assert_int_equal(c->sent[CORE_MSG_SPREAD], 2);
	deliver_type(c, 2, CORE_MSG_SPREAD);
	deliver_type(c, 2, CORE_MSG_SPREAD);
	assert_int_equal(c->sent[CORE_MSG_SEEN], 1);
	deliver_type(c, 1, CORE_MSG_SEEN);
	assert_int_equal(c->sent[CORE_MSG_BACK], 1);
	deliver_type(c, 0, CORE_MSG_BACK);
	assert_int_equal(deliver_type(c, 2, CORE_MSG_GIVE), CORE_DO_RESUME);
	expect(c, 2, page, 0, 2);
	port__end(c);
}

/* A second FLUSH of one that has become the owner comes when that is about to end: it does not make it the owner again. */
static void test_owner_flushes_again(void **state)
{
	struct cluster *c = open_rc(4);
	uint64_t first = lock_of_0(c, 0), second = lock_of_0(c, 1);
	uint32_t page = page_of(0, 0);
	int verdict = -1;

	(void)state;
	share(c, 1, page);
	act(c, 1, lock_event(c, 1, CORE_ACQUIRE, first));
	act(c, 1, lock_event(c, 1, CORE_RELEASE, first));
	act(c, 1, lock_event(c, 1, CORE_ACQUIRE, second));
	act(c, 1, lock_event(c, 1, CORE_RELEASE, second));
	put(c, 1, page, 1, 1);
	begin_step(c, 2, lock_event(c, 2, CORE_ACQUIRE, first));
	deliver_type(c, 0, CORE_MSG_ACQUIRE);
	deliver_type(c, 1, CORE_MSG_WANT);
	put(c, 1, page, 2, 2);
	begin_step(c, 0, lock_event(c, 0, CORE_ACQUIRE, second));
	deliver_type(c, 1, CORE_MSG_WANT);
	assert_int_equal(c->sent[CORE_MSG_FLUSH], 2);
	deliver_type(c, 0, CORE_MSG_FLUSH);
	begin_step(c, 3, (struct core_event){.type = CORE_ACCESS, .page = page});
	deliver_type(c, 0, CORE_MSG_ASK);
	assert_int_equal(c->sent[CORE_MSG_REVOKE], 1);
	deliver(c, 3, &verdict);
	assert_int_equal(verdict, CORE_DO_RESUME);
	expect(c, 3, page, 1, 1);
	expect(c, 3, page, 2, 2);
	put(c, 1, page, 3, 3);
	meet(c);
	expect(c, 3, page, 3, 3);
	check_whole(c, page);
	port__end(c);
}

/* A holder that is lost is not waited for. */
static void test_holder_lost_while_spread(void **state)
{
	struct cluster *c = open_rc(4);
	uint32_t page = page_of(1, 0);
	struct core_event event = {.type = CORE_RELEASE, .lock = LOCK};
	int verdict = -1;

	(void)state;
	share(c, 1, page);
	share(c, 2, page);
	acquire(c, 3);
	put(c, 3, page, 0, 9);
	begin_step(c, 0, (struct core_event){.type = CORE_ACQUIRE, .lock = LOCK});
	while (c->tail > c->head && !c->sent[CORE_MSG_WANT]) /* to the manager, wherever that is */
		deliver_to(c, c->mail[c->head].msg.to);
	if (c->tail > c->head)
		deliver_to(c, 3);
	event.changed = port__changed(c, 3);
	begin_step(c, 3, event);
	deliver_type(c, 1, CORE_MSG_FLUSH);
	c->dead[2] = true;
	assert_int_equal(step(c, 1, &(struct core_event){.type = CORE_LOST, .node = 2}, &verdict), 0);
	verdict = -1;
	deliver(c, 0, &verdict);
	assert_int_equal(verdict, CORE_DO_RESUME);
	expect(c, 0, page, 0, 9);
	port__end(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steady_stencil),
		cmocka_unit_test(test_barrier_waits_for_what_is_counted),
		cmocka_unit_test(test_next_barrier_overtakes),
		cmocka_unit_test(test_arrives_when_flushed),
		cmocka_unit_test(test_lock_brings_changes),
		cmocka_unit_test(test_cached_lock_is_silent),
		cmocka_unit_test(test_lock_waits_for_what_is_counted),
		cmocka_unit_test(test_owner_flushes_again),
		cmocka_unit_test(test_holder_lost_while_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
