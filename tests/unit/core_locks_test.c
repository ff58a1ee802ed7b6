/* SPDX-License-Identifier: BSD-2-Clause */
/* core_locks_test.c - named locks: who has one, in which order, what it costs, and that it comes behind what was written. */
#include "dsmcore/protocol/locks.h"
#include "tests/unit/core_port.h"

#include <errno.h>

#define HOMED 8

/* Pages of CORE_RC but the first of each node. */
static struct cluster *open_locks(unsigned nodes)
{
	return port__cluster(nodes, nodes * HOMED, HOMED, 1, 1);
}

/* A name whose manager is this node. */
static uint64_t managed_by(struct cluster *c, unsigned node)
{
	uint64_t name = 1000;

	while (core__manager(c->core[0], name) != node)
		name++;
	return name;
}

static int acquire(struct cluster *c, unsigned node, uint64_t name)
{
	return act(c, node, (struct core_event){.type = CORE_ACQUIRE, .lock = name});
}

static struct core_event release_of(struct cluster *c, unsigned node, uint64_t name)
{
	return (struct core_event){.type = CORE_RELEASE, .lock = name, .changed = port__changed(c, node)};
}

static int release(struct cluster *c, unsigned node, uint64_t name)
{
	return act(c, node, release_of(c, node, name));
}

static bool resumed(struct cluster *c, unsigned node)
{
	return find(c, node, CORE_DO_RESUME, 0, 0) != NULL;
}

static void test_cached(void **state)
{
	struct cluster *c = open_locks(3);
	uint64_t name = managed_by(c, 0), cached, fetched, interval;

	(void)state;
	assert_int_equal(acquire(c, 1, name), CORE_DO_RESUME);
	assert_int_equal(total_sent(c), 2);
	assert_int_equal(find(c, 1, CORE_DO_EMIT, CORE_EMIT_LOCK, 0)->action.number, name);
	assert_int_equal(find(c, 1, CORE_DO_EMIT, CORE_EMIT_LOCK, 0)->action.node, 0);
	release(c, 1, name);
	cluster__forget(c);
	interval = core__interval(c->core[1]).number;
	assert_int_equal(acquire(c, 1, name), CORE_DO_RESUME);
	assert_int_equal(core__interval(c->core[1]).number, interval + 1);
	assert_int_equal(release(c, 1, name), CORE_DO_RESUME);
	assert_int_equal(core__interval(c->core[1]).number, interval + 2);
	assert_int_equal(total_sent(c), 0);
	assert_null(find(c, 1, CORE_DO_EMIT, CORE_EMIT_LOCK, 0));
	core__locks(c->core[1], &cached, &fetched);
	assert_int_equal(cached, 1);
	assert_int_equal(fetched, 1);
	port__end(c);
}

static void test_recursion(void **state)
{
	struct cluster *c = open_locks(2);
	uint64_t name = managed_by(c, 0), interval;

	(void)state;
	acquire(c, 0, name);
	interval = core__interval(c->core[0]).number;
	assert_int_equal(acquire(c, 0, name), CORE_DO_RESUME);
	assert_int_equal(core__interval(c->core[0]).number, interval);
	assert_int_equal(acquire(c, 1, name), CORE_DO_WAIT);
	cluster__forget(c);
	assert_int_equal(release(c, 0, name), CORE_DO_RESUME);
	assert_false(resumed(c, 1));
	assert_int_equal(release(c, 0, name), CORE_DO_RESUME);
	assert_true(resumed(c, 1));
	port__end(c);
}

static void test_misuse(void **state)
{
	struct cluster *c = open_locks(2);
	uint64_t name = managed_by(c, 0);
	struct core_event event = {.type = CORE_RELEASE, .lock = name};
	int verdict;

	(void)state;
	assert_int_equal(step(c, 1, &event, &verdict), -EINVAL);
	acquire(c, 1, name);
	release(c, 1, name);
	assert_int_equal(step(c, 1, &event, &verdict), -EINVAL);
	BEGIN(c, 1);
	event.type = CORE_ACQUIRE;
	assert_int_equal(step(c, 1, &event, &verdict), -EINVAL);
	port__end(c);
}

/* First come, first served; who has just given it back comes last. */
static void test_order(void **state)
{
	struct cluster *c = open_locks(4);
	uint64_t name = managed_by(c, 2);

	(void)state;
	acquire(c, 1, name);
	assert_int_equal(acquire(c, 3, name), CORE_DO_WAIT);
	assert_int_equal(acquire(c, 0, name), CORE_DO_WAIT);
	assert_int_equal(acquire(c, 2, name), CORE_DO_WAIT);
	assert_int_equal(c->sent[CORE_MSG_WANT], 1);
	cluster__forget(c);
	assert_int_equal(release(c, 1, name), CORE_DO_RESUME);
	assert_true(resumed(c, 3));
	assert_int_equal(acquire(c, 1, name), CORE_DO_WAIT);
	assert_false(resumed(c, 0));
	release(c, 3, name);
	assert_true(resumed(c, 0));
	assert_false(resumed(c, 2));
	release(c, 0, name);
	assert_true(resumed(c, 2));
	cluster__forget(c);
	release(c, 2, name);
	assert_true(resumed(c, 1));
	port__end(c);
}

/* A cached lock that somebody wants goes at once, whatever its holder does. */
static void test_wanted_while_free(void **state)
{
	struct cluster *c = open_locks(2);
	uint64_t name = managed_by(c, 0);

	(void)state;
	acquire(c, 0, name);
	release(c, 0, name);
	assert_int_equal(acquire(c, 1, name), CORE_DO_RESUME);
	assert_int_equal(c->sent[CORE_MSG_WANT] + c->sent[CORE_MSG_BACK], 0); /* to itself */
	release(c, 1, name);
	cluster__forget(c);
	assert_int_equal(acquire(c, 0, name), CORE_DO_RESUME);
	assert_int_equal(c->sent[CORE_MSG_WANT], 1);
	assert_int_equal(c->sent[CORE_MSG_BACK], 1);
	assert_int_equal(total_sent(c), 2);
	port__end(c);
}

static void write_byte(struct cluster *c, unsigned node, uint32_t page, uint8_t value)
{
	assert_int_equal(WRITE(c, node, page), CORE_DO_RESUME);
	port_of(c, node)->frame[page][3] = value;
}

/* What was written under a lock is there when the next one has it, and its holder does not wait for that. */
static void test_flush_before_back(void **state)
{
	struct cluster *c = open_locks(3);
	uint64_t name = managed_by(c, 0);
	uint32_t page = 2 * HOMED + 3;
	int verdict = -1;

	(void)state;
	READ(c, 0, page);
	READ(c, 1, page);
	acquire(c, 1, name);
	write_byte(c, 1, page, 77);
	assert_int_equal(acquire(c, 0, name), CORE_DO_WAIT);
	cluster__forget(c);
	assert_int_equal(begin_step(c, 1, release_of(c, 1, name)), CORE_DO_RESUME);
	assert_int_equal(c->sent[CORE_MSG_FLUSH], 1);
	assert_int_equal(c->sent[CORE_MSG_BACK], 0);
	deliver_type(c, 2, CORE_MSG_FLUSH);
	assert_int_equal(c->sent[CORE_MSG_SPREAD], 1);
	assert_int_equal(c->sent[CORE_MSG_BACK], 0);
	/* Wanted again before it has gone: that is a request like any other. */
	assert_int_equal(begin_step(c, 1, (struct core_event){.type = CORE_ACQUIRE, .lock = name}),
			 CORE_DO_WAIT);
	deliver(c, 0, &verdict);
	assert_int_equal(verdict, CORE_DO_RESUME);
	assert_int_equal(port_of(c, 0)->frame[page][3], 77);
	release(c, 0, name);
	assert_int_equal(find(c, 1, CORE_DO_EMIT, CORE_EMIT_LOCK, 0)->action.number, name);
	port__end(c);
}

/* ---- kept from others ---- */

static int acquire_soon(struct cluster *c, unsigned node, uint64_t name)
{
	return act(c, node, (struct core_event){.type = CORE_ACQUIRE, .lock = name, .soon = true});
}

static void tick(struct cluster *c, unsigned node)
{
	act(c, node, (struct core_event){.type = CORE_TICK});
}

/* Node 1 has the lock, node 0 waits for it; so often node 1 has asked for it again as soon as it had given it away. */
static void make_hot(struct cluster *c, uint64_t name, unsigned times)
{
	unsigned i;

	assert_int_equal(acquire(c, 1, name), CORE_DO_RESUME);
	assert_int_equal(acquire(c, 0, name), CORE_DO_WAIT);
	for (i = 0; i < times; i++) {
		for (release(c, 1, name); !resumed(c, 0); release(c, 1, name))
			acquire(c, 1, name);
		tick(c, 1); /* which may have been asked for */
		acquire_soon(c, 1, name);
		cluster__forget(c);
		release(c, 0, name);
		assert_true(resumed(c, 1));
		assert_int_equal(acquire(c, 0, name), CORE_DO_WAIT);
		cluster__forget(c);
	}
	cluster__forget(c);
}

/* So many sections, one after the other, and then it goes without being asked again. */
static void test_kept_for_sections(void **state)
{
	struct cluster *c = open_locks(2);
	uint64_t name = managed_by(c, 0);
	unsigned sections = 1;

	(void)state;
	make_hot(c, name, 4); /* it may have four */
	assert_int_equal(release(c, 1, name), CORE_DO_RESUME);
	assert_non_null(find(c, 1, CORE_DO_TICK, 0, 0));
	for (; core__reacquire(c->core[1], name, 0); sections++)
		if (!core__keep(c->core[1], name, 0))
			release(c, 1, name);
	assert_int_equal(sections, 4);
	assert_true(resumed(c, 0));
	assert_int_equal(c->sent[CORE_MSG_BACK], 1);
	assert_int_equal(total_sent(c), 1);
	port__end(c);
}

/* Who asks for it later than soon has had no use for it meanwhile: it is kept for half as many. */
static void test_kept_for_fewer(void **state)
{
	struct cluster *c = open_locks(2);
	uint64_t name = managed_by(c, 0);

	(void)state;
	make_hot(c, name, 2);
	release(c, 1, name);
	assert_false(resumed(c, 0));
	acquire(c, 1, name);
	release(c, 1, name);
	assert_true(resumed(c, 0));
	acquire(c, 1, name);
	cluster__forget(c);
	release(c, 0, name);
	assert_true(resumed(c, 1));
	acquire(c, 0, name);
	cluster__forget(c);
	release(c, 1, name);
	assert_true(resumed(c, 0));
	port__end(c);
}

/* It is not used again after all, so it goes with the TICK, behind what was written under it. */
static void test_kept_until_tick(void **state)
{
	struct cluster *c = open_locks(3);
	uint64_t name = managed_by(c, 0);
	uint32_t page = 2 * HOMED + 3;

	(void)state;
	READ(c, 0, page);
	READ(c, 1, page);
	make_hot(c, name, 4);
	write_byte(c, 1, page, 55);
	release(c, 1, name);
	assert_int_equal(total_sent(c), 0);
	assert_true(core__flushes(c->core[1], NULL));
	tick(c, 1);
	assert_true(resumed(c, 0));
	assert_int_equal(port_of(c, 0)->frame[page][3], 55);
	/* And next time it is not kept. */
	acquire_soon(c, 1, name);
	release(c, 0, name);
	acquire(c, 0, name);
	cluster__forget(c);
	release(c, 1, name);
	assert_true(resumed(c, 0));
	port__end(c);
}

/* When the TICK comes it is in use: it goes at the release. */
static void test_tick_while_held(void **state)
{
	struct cluster *c = open_locks(2);
	uint64_t name = managed_by(c, 0);

	(void)state;
	make_hot(c, name, 8);
	release(c, 1, name);
	assert_int_equal(acquire(c, 1, name), CORE_DO_RESUME);
	assert_false(core__flushes(c->core[1], NULL));
	tick(c, 1);
	assert_int_equal(total_sent(c), 0);
	assert_false(core__keep(c->core[1], name, 0));
	release(c, 1, name);
	assert_true(resumed(c, 0));
	tick(c, 1); /* nothing is kept any more */
	port__end(c);
}

/* A TICK that was asked for before, for another lock, says nothing about this one; the next one does. */
static void test_tick_of_before(void **state)
{
	struct cluster *c = open_locks(2);
	uint64_t name = managed_by(c, 0);

	(void)state;
	make_hot(c, name, 2);
	release(c, 1, name);
	acquire(c, 1, name);
	release(c, 1, name); /* gone, and its TICK is still to come */
	acquire_soon(c, 1, name);
	release(c, 0, name);
	acquire(c, 0, name);
	cluster__forget(c);
	release(c, 1, name);
	assert_null(find(c, 1, CORE_DO_TICK, 0, 0));
	tick(c, 1);
	assert_false(resumed(c, 0));
	assert_non_null(find(c, 1, CORE_DO_TICK, 0, 0));
	tick(c, 1);
	assert_true(resumed(c, 0));
	port__end(c);
}

/* As long as its sections wait for pages the next TICK is waited for, but not for ever. */
static void test_kept_while_pages_come(void **state)
{
	struct cluster *c = port__cluster(2, 2 * 32, 32, 1, 1);
	uint64_t name = managed_by(c, 0);
	uint32_t page = 2, ticks = 0;

	(void)state;
	make_hot(c, name, 12);
	release(c, 1, name);
	for (; !resumed(c, 0); ticks++) {
		acquire(c, 1, name);
		write_byte(c, 1, page++, 1); /* who writes is brought nothing ahead */
		release(c, 1, name);
		tick(c, 1);
	}
	assert_int_equal(ticks, LOCK_TICKS);
	port__end(c);
}

/* One lock is kept at a time. */
static void test_one_kept(void **state)
{
	struct cluster *c = open_locks(3);
	uint64_t name = managed_by(c, 0), other = managed_by(c, 2);

	(void)state;
	make_hot(c, name, 4);
	acquire(c, 1, other);
	assert_int_equal(acquire(c, 2, other), CORE_DO_WAIT);
	release(c, 1, other); /* once given away, so that it is asked for soon */
	acquire_soon(c, 1, other);
	release(c, 2, other);
	acquire(c, 2, other);
	release(c, 1, other);
	acquire_soon(c, 1, other);
	release(c, 2, other);
	acquire(c, 2, other);
	release(c, 1, name); /* this one is kept */
	assert_false(resumed(c, 0));
	cluster__forget(c);
	release(c, 1, other);
	assert_true(resumed(c, 2));
	tick(c, 1);
	assert_true(resumed(c, 0));
	port__end(c);
}

/* The manager gives away a lock that it has cached itself: the step of the ACQUIRE flushes. */
static void test_manager_flushes(void **state)
{
	struct cluster *c = open_locks(3);
	uint64_t name = managed_by(c, 0);
	uint32_t page = 2 * HOMED + 3;

	(void)state;
	READ(c, 1, page);
	READ(c, 0, page);
	acquire(c, 0, name);
	write_byte(c, 0, page, 78);
	release(c, 0, name);
	assert_int_equal(port_of(c, 1)->frame[page][3], 0);
	assert_int_equal(acquire(c, 1, name), CORE_DO_RESUME);
	assert_int_equal(port_of(c, 1)->frame[page][3], 78);
	port__end(c);
}

static void test_many(void **state)
{
	struct cluster *c = open_locks(3);
	uint64_t name, cached, fetched;
	unsigned node;

	(void)state;
	for (name = 16; name < 16 * 1000; name += 16) {
		for (node = 0; node < 2; node++) {
			assert_int_equal(acquire(c, node, name), CORE_DO_RESUME);
			release(c, node, name);
		}
		cluster__forget(c);
	}
	for (name = 16; name < 16 * 1000; name += 16) {
		assert_int_equal(acquire(c, 1, name), CORE_DO_RESUME);
		assert_int_equal(acquire(c, 2, name), CORE_DO_WAIT);
		release(c, 1, name);
		assert_true(resumed(c, 2));
		release(c, 2, name);
		cluster__forget(c);
	}
	core__locks(c->core[1], &cached, &fetched);
	assert_int_equal(fetched, 999);
	assert_int_equal(cached, 999);
	port__end(c);
}

/* Names that are addresses are spread over all managers. */
static void test_managers(void **state)
{
	struct cluster *c = open_locks(4);
	unsigned count[4] = {0}, i;

	(void)state;
	for (i = 0; i < 4000; i++)
		count[core__manager(c->core[0], 0x100000000000ull + 4096ull * i)]++;
	for (i = 0; i < 4; i++)
		assert_in_range(count[i], 800, 1200);
	port__end(c);
}

/* A lock is lost with who has it; a lost node that waits is passed over. */
static void test_lost_holder(void **state)
{
	struct cluster *c = open_locks(4);
	uint64_t name = managed_by(c, 0), other = name + 1;

	(void)state;
	while (core__manager(c->core[0], other) != 0)
		other++;
	acquire(c, 1, other);
	acquire(c, 3, name);
	assert_int_equal(acquire(c, 2, name), CORE_DO_WAIT);
	cluster__forget(c);
	c->dead[3] = true;
	hear(c, 0, 3);
	assert_non_null(find(c, 2, CORE_DO_LOST, 0, 0));
	assert_int_equal(find(c, 2, CORE_DO_LOST, 0, 0)->action.node, 3);
	assert_int_equal(acquire(c, 0, name), CORE_DO_LOST);
	assert_int_equal(acquire(c, 2, other), CORE_DO_WAIT);
	assert_int_equal(acquire(c, 0, other), CORE_DO_WAIT);
	c->dead[2] = true;
	hear(c, 0, 2);
	hear(c, 1, 2);
	cluster__forget(c);
	release(c, 1, other);
	assert_true(resumed(c, 0));
	port__end(c);
}

static void test_lost_manager(void **state)
{
	struct cluster *c = open_locks(3);
	uint64_t name = managed_by(c, 0), other = name + 1;

	(void)state;
	while (core__manager(c->core[0], other) != 0)
		other++;
	acquire(c, 1, name);
	release(c, 1, name);
	c->dead[0] = true;
	assert_int_equal(acquire(c, 2, other), CORE_DO_WAIT);
	assert_int_equal(hear(c, 2, 0), CORE_DO_LOST);
	assert_int_equal(acquire(c, 2, name), CORE_DO_LOST);
	hear(c, 1, 0);
	assert_int_equal(acquire(c, 1, name), CORE_DO_RESUME);
	assert_int_equal(release(c, 1, name), CORE_DO_RESUME);
	port__end(c);
}

/* What no manager, no client would say. */
static void test_lies(void **state)
{
	struct cluster *c = open_locks(2);
	uint64_t name = managed_by(c, 0);
	struct core_msg msg = {
		.from = 1, .to = 0, .generation = 7, .number = name, .tx = {.number = 1, .node = 1}};
	struct core_event event = {.type = CORE_MESSAGE, .msg = &msg};
	int verdict;

	(void)state;
	for (msg.type = CORE_MSG_GIVE; msg.type <= CORE_MSG_BACK; msg.type++) {
		assert_true(core_msg__sane(c->core[0], &msg));
		assert_int_equal(step(c, 0, &event, &verdict), -EPROTO);
	}
	msg.type = CORE_MSG_ACQUIRE;
	msg.number = managed_by(c, 1);
	assert_int_equal(step(c, 0, &event, &verdict), -EPROTO);
	acquire(c, 0, name);
	msg.number = name;
	assert_int_equal(step(c, 0, &event, &verdict), 0);
	assert_int_equal(step(c, 0, &event, &verdict), -EPROTO); /* waits already */
	port__end(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cached),
		cmocka_unit_test(test_recursion),
		cmocka_unit_test(test_misuse),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_wanted_while_free),
		cmocka_unit_test(test_flush_before_back),
		cmocka_unit_test(test_kept_for_sections),
		cmocka_unit_test(test_kept_for_fewer),
		cmocka_unit_test(test_kept_until_tick),
		cmocka_unit_test(test_tick_while_held),
		cmocka_unit_test(test_tick_of_before),
		cmocka_unit_test(test_kept_while_pages_come),
		cmocka_unit_test(test_one_kept),
		cmocka_unit_test(test_manager_flushes),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_managers),
		cmocka_unit_test(test_lost_holder),
		cmocka_unit_test(test_lost_manager),
		cmocka_unit_test(test_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
