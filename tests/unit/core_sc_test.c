/* SPDX-License-Identifier: BSD-2-Clause */
/* core_sc_test.c - sequential consistency: who has a page, who waits, what comes back, and what it takes. */
#include "tests/unit/core_port.h"

/* On each node, all of CORE_SC but the first. */
#define HOMED 8

static struct cluster *open_sc(unsigned nodes)
{
	return port__cluster(nodes, nodes * HOMED, HOMED, 1, HOMED);
}

/* What the mutator does when it has the right to. */
static void put(struct cluster *c, unsigned node, uint32_t page, unsigned at, uint8_t value)
{
	assert_int_equal(port_of(c, node)->rights[page], CORE_WRITE);
	port_of(c, node)->frame[page][at] = value;
}

static uint8_t get(struct cluster *c, unsigned node, uint32_t page, unsigned at)
{
	assert_int_not_equal(port_of(c, node)->rights[page], CORE_NONE);
	return port_of(c, node)->frame[page][at];
}

/* Delivers, and ticks wherever somebody asked for that, until nothing is under way. Returns the last verdict for node. */
static int settle(struct cluster *c, unsigned node)
{
	struct core_event tick = {.type = CORE_TICK};
	int verdict = -1, got;
	size_t i = 0;

	do {
		deliver(c, node, &verdict);
		for (; i < c->nlog; i++)
			if (c->log[i].action.type == CORE_DO_TICK) {
				assert_int_equal(step(c, c->log[i].node, &tick, &got), 0);
				i++;
				break;
			}
	} while (c->head < c->tail || i < c->nlog);
	return verdict;
}

static void tick(struct cluster *c, unsigned node)
{
	struct core_event event = {.type = CORE_TICK};
	int verdict;

	assert_int_equal(step(c, node, &event, &verdict), 0);
}

static struct core_event access_to(uint32_t page, bool write)
{
	return (struct core_event){.type = CORE_ACCESS, .page = page, .write = write};
}

/* An access of a node whose instruction before that has ended. */
static int do_access(struct cluster *c, unsigned node, uint32_t page, bool write)
{
	int first, later;

	SAFE(c, node);
	cluster__forget(c);
	first = begin_step(c, node, access_to(page, write));
	later = settle(c, node);
	return later >= 0 ? later : first;
}

static void test_one_writer_or_many_readers(void **state)
{
	struct cluster *c = open_sc(3);
	unsigned node;

	(void)state;
	assert_int_equal(do_access(c, 1, 2, true), CORE_DO_RESUME);
	put(c, 1, 2, 0, 11);
	for (node = 0; node < 3; node++) {
		assert_int_equal(do_access(c, node, 2, false), CORE_DO_RESUME);
		assert_int_equal(get(c, node, 2, 0), 11);
		assert_int_equal(port_of(c, node)->rights[2], CORE_READ);
	}
	assert_int_equal(do_access(c, 2, 2, true), CORE_DO_RESUME);
	assert_int_equal(port_of(c, 0)->rights[2], CORE_NONE);
	assert_int_equal(port_of(c, 1)->rights[2], CORE_NONE);
	put(c, 2, 2, 0, 12);
	assert_int_equal(do_access(c, 0, 2, true), CORE_DO_RESUME);
	assert_int_equal(get(c, 0, 2, 0), 12);
	assert_int_equal(port_of(c, 2)->rights[2], CORE_NONE);
	put(c, 0, 2, 1, 13);
	assert_int_equal(do_access(c, 1, 2, false), CORE_DO_RESUME);
	assert_int_equal(get(c, 1, 2, 0), 12);
	assert_int_equal(get(c, 1, 2, 1), 13);
	port__end(c);
}

/* What is at hand costs no message, and an upgrade brings no bytes. */
static void test_what_it_costs(void **state)
{
	struct cluster *c = open_sc(2);
	size_t i, bytes = 0;

	(void)state;
	do_access(c, 1, 2, false);
	assert_int_equal(total_sent(c), 2); /* ASK, COPY */
	assert_int_equal(do_access(c, 1, 2, false), CORE_DO_RESUME);
	assert_int_equal(total_sent(c), 0);
	do_access(c, 0, 2, false);
	cluster__forget(c);
	do_access(c, 1, 2, true);
	assert_int_equal(total_sent(c), 2); /* node 0 is the home, and revokes its own copy */
	for (i = 0; i < c->nlog; i++)
		bytes += c->log[i].action.type == CORE_DO_STORE;
	assert_int_equal(bytes, 0);
	assert_int_equal(port_of(c, 0)->rights[2], CORE_NONE);
	do_access(c, 1, 2, true);
	assert_int_equal(total_sent(c), 0);
	port__end(c);
}

/* A page that nobody has changed comes back without its bytes. */
static void test_unchanged(void **state)
{
	struct cluster *c = open_sc(3);
	const struct logged *l;

	(void)state;
	do_access(c, 1, 2, false);
	do_access(c, 2, 2, true);
	put(c, 2, 2, 3, 5);
	do_access(c, 1, 2, false);
	l = find(c, 1, CORE_DO_STORE, 0, 0);
	assert_non_null(l);
	assert_int_equal(get(c, 1, 2, 3), 5);
	do_access(c, 1, 2, true);
	assert_null(find(c, 1, CORE_DO_STORE, 0, 0));
	port__end(c);
}

static struct core_event access_to_many(uint32_t page, uint32_t count, bool write)
{
	return (struct core_event){.type = CORE_ACCESS, .page = page, .count = count, .write = write};
}

/* Many pages that one node, not their home, has written: a message each way to the home, and one between home and writer,
 * however many they are, and rights that change together. */
static void test_many_at_once(void **state)
{
	struct cluster *c = port__cluster(3, 3 * 32, 32, 1, 32);
	const struct logged *l;
	uint32_t page;

	(void)state;
	assert_int_equal(begin_step(c, 1, access_to_many(2, 20, true)), CORE_DO_WAIT);
	settle(c, 1);
	for (page = 2; page < 22; page++)
		put(c, 1, page, 3, (uint8_t)page);
	SAFE(c, 1);
	cluster__forget(c);
	assert_int_equal(begin_step(c, 2, access_to_many(2, 20, false)), CORE_DO_WAIT);
	assert_int_equal(settle(c, 2), CORE_DO_RESUME);
	assert_int_equal(c->sent[CORE_MSG_ASK], 1);
	assert_int_equal(c->sent[CORE_MSG_REVOKE], 1);
	assert_int_equal(c->sent[CORE_MSG_REVOKED], 1);
	assert_int_equal(c->sent[CORE_MSG_COPY], 1);
	l = find(c, 1, CORE_DO_PROTECT, 0, 0);
	assert_non_null(l);
	assert_int_equal(l->action.count, 20);
	for (page = 2; page < 22; page++)
		assert_int_equal(get(c, 2, page, 3), page);
	/* The home has copies of them now. They go back to where they were written. */
	SAFE(c, 2);
	cluster__forget(c);
	assert_int_equal(begin_step(c, 1, access_to_many(2, 20, true)), CORE_DO_WAIT);
	assert_int_equal(settle(c, 1), CORE_DO_RESUME);
	assert_int_equal(c->sent[CORE_MSG_REVOKE], 1);
	assert_int_equal(c->sent[CORE_MSG_REVOKED], 1);
	assert_int_equal(c->sent[CORE_MSG_COPY], 1);
	for (page = 2; page < 22; page++) {
		assert_int_equal(port_of(c, 2)->rights[page], CORE_NONE);
		assert_int_equal(port_of(c, 0)->rights[page], CORE_NONE);
		assert_int_equal(get(c, 1, page, 3), page);
	}
	port__end(c);
}

/* A page that was just given is not taken away before a TICK at which nothing new was given. */
static void test_fresh(void **state)
{
	struct cluster *c = open_sc(2);
	int verdict = -1;

	(void)state;
	begin_step(c, 1, access_to(2, true));
	deliver(c, 1, &verdict);
	assert_int_equal(verdict, CORE_DO_RESUME);
	assert_int_equal(begin_step(c, 0, access_to(2, true)), CORE_DO_WAIT);
	deliver(c, 0, &verdict);
	assert_int_equal(port_of(c, 1)->rights[2], CORE_WRITE);
	assert_non_null(find(c, 1, CORE_DO_TICK, 0, 0));
	assert_null(find(c, 1, CORE_DO_TICK, 0, 1));
	begin_step(c, 1, access_to(9, true)); /* on its own home: given within the step */
	tick(c, 1);
	assert_int_equal(port_of(c, 1)->rights[2], CORE_WRITE);
	assert_non_null(find(c, 1, CORE_DO_TICK, 0, 1));
	tick(c, 1);
	assert_int_equal(port_of(c, 1)->rights[2], CORE_NONE);
	verdict = -1;
	deliver(c, 0, &verdict);
	assert_int_equal(verdict, CORE_DO_RESUME);
	assert_null(find(c, 1, CORE_DO_TICK, 0, 2));
	port__end(c);
}

/* Any event but an access ends it, too. */
static void test_fresh_until_an_event(void **state)
{
	struct cluster *c = open_sc(2);
	int verdict = -1;

	(void)state;
	begin_step(c, 1, access_to(2, true));
	deliver(c, 1, &verdict);
	begin_step(c, 0, access_to(2, false));
	deliver(c, 0, &verdict);
	assert_int_equal(port_of(c, 1)->rights[2], CORE_WRITE);
	begin_step(c, 1, (struct core_event){.type = CORE_ACQUIRE, .lock = 5});
	assert_int_equal(port_of(c, 1)->rights[2], CORE_READ);
	port__end(c);
}

/* Two nodes whose instructions need the same two pages, each of which has one: both end. */
static void test_two_pages(void **state)
{
	struct cluster *c = open_sc(2);
	unsigned winner;
	int verdict = -1;

	(void)state;
	begin_step(c, 0, access_to(2, true));
	begin_step(c, 1, access_to(9, true));
	deliver(c, 0, &verdict);
	assert_int_equal(begin_step(c, 0, access_to(9, true)), CORE_DO_WAIT);
	assert_int_equal(begin_step(c, 1, access_to(2, true)), CORE_DO_WAIT);
	deliver(c, 0, &verdict);
	winner = port_of(c, 0)->rights[2] == CORE_WRITE && port_of(c, 0)->rights[9] == CORE_WRITE ? 0 : 1;
	assert_int_equal(port_of(c, winner)->rights[2], CORE_WRITE);
	assert_int_equal(port_of(c, winner)->rights[9], CORE_WRITE);
	settle(c, 0); /* the loser is given what it waited for, and begins again */
	begin_step(c, !winner, access_to(winner ? 2 : 9, true));
	settle(c, 0);
	assert_int_equal(port_of(c, !winner)->rights[2], CORE_WRITE);
	assert_int_equal(port_of(c, !winner)->rights[9], CORE_WRITE);
	port__end(c);
}

/* Three nodes, three pages, each holds one and wants the next one's. */
static void test_three_in_a_circle(void **state)
{
	struct cluster *c = open_sc(3);
	unsigned node, done = 0, round;
	bool ended[3] = {false};
	int verdict;

	(void)state;
	for (node = 0; node < 3; node++)
		begin_step(c, node, access_to(2 + node, true));
	deliver(c, 0, &verdict);
	for (node = 0; node < 3; node++)
		begin_step(c, node, access_to(2 + (node + 1) % 3, true));
	for (round = 0; round < 20 && done < 3; round++) {
		deliver(c, 0, &verdict);
		for (node = 0; node < 3; node++) {
			struct port_node *n = port_of(c, node);

			if (ended[node])
				continue;
			if (n->rights[2 + node] == CORE_WRITE &&
			    n->rights[2 + (node + 1) % 3] == CORE_WRITE) {
				ended[node] = true;
				done++;
				SAFE(c, node);
			} else if (n->rights[2 + (node + 1) % 3] == CORE_WRITE) {
				begin_step(c, node, access_to(2 + node, true));
			}
		}
	}
	assert_int_equal(done, 3);
	port__end(c);
}

/* Node 1 has pages 2 and 3 and waits for page 4, which node 2 keeps. Node 3 wants page 2 and is younger than node 1: it waits.
 * Then node 2, which is older, wants page 2, too, behind node 3: it must not wait for it. */
static void test_older_one_in_the_queue(void **state)
{
	struct cluster *c = open_sc(4);
	int verdict = -1;

	(void)state;
	do_access(c, 1, 5, false); /* their logical clocks are ahead of node 2's */
	do_access(c, 3, 5, false);
	SAFE(c, 1);
	SAFE(c, 3);
	begin_step(c, 2, access_to(4, true)); /* the oldest */
	deliver(c, 2, &verdict);
	begin_step(c, 1, access_to(2, true));
	deliver(c, 1, &verdict);
	assert_int_equal(begin_step(c, 1, access_to(4, true)), CORE_DO_WAIT);
	deliver(c, 1, &verdict);
	assert_int_equal(begin_step(c, 3, access_to(2, true)), CORE_DO_WAIT);
	deliver(c, 3, &verdict);
	assert_int_equal(port_of(c, 1)->rights[2], CORE_WRITE);
	assert_int_equal(begin_step(c, 2, access_to(2, true)), CORE_DO_WAIT);
	deliver(c, 2, &verdict);
	assert_int_equal(port_of(c, 1)->rights[2], CORE_NONE);
	settle(c, 2);
	assert_int_equal(port_of(c, 2)->rights[2], CORE_WRITE);
	port__end(c);
}

/* Who waits to write what it reads gives its copy up: both want the same. */
static void test_two_upgrades(void **state)
{
	struct cluster *c = open_sc(3);
	unsigned first;

	(void)state;
	do_access(c, 1, 2, false);
	do_access(c, 2, 2, false);
	begin_step(c, 1, access_to(2, true));
	begin_step(c, 2, access_to(2, true));
	settle(c, 0);
	first = port_of(c, 1)->rights[2] == CORE_WRITE ? 1 : 2;
	assert_int_equal(port_of(c, first)->rights[2], CORE_WRITE);
	assert_int_equal(port_of(c, 3 - first)->rights[2], CORE_NONE);
	port__end(c);
}

/* A lost owner takes the page along; a lost reader is not waited for. */
static void test_loss(void **state)
{
	struct cluster *c = open_sc(3);

	(void)state;
	do_access(c, 2, 2, true);
	do_access(c, 2, 3, false);
	do_access(c, 1, 3, false);
	c->dead[2] = true;
	assert_int_equal(begin_step(c, 1, access_to(2, false)), CORE_DO_WAIT);
	settle(c, 1);
	hear(c, 0, 2);
	assert_non_null(find(c, 1, CORE_DO_LOST, 0, 0));
	assert_int_equal(do_access(c, 0, 2, false), CORE_DO_LOST);
	assert_int_equal(do_access(c, 0, 3, true), CORE_DO_RESUME);
	assert_int_equal(port_of(c, 1)->rights[3], CORE_NONE);
	port__end(c);
}

/* The home is lost while it waits for a page that is fresh: the copy stays. */
static void test_lost_home(void **state)
{
	struct cluster *c = open_sc(2);
	int verdict = -1;

	(void)state;
	begin_step(c, 1, access_to(2, true));
	deliver(c, 1, &verdict);
	begin_step(c, 0, access_to(2, true));
	deliver(c, 0, &verdict);
	c->dead[0] = true;
	hear(c, 1, 0);
	tick(c, 1);
	assert_int_equal(port_of(c, 1)->rights[2], CORE_WRITE);
	assert_int_equal(begin_step(c, 1, access_to(3, false)), CORE_DO_LOST);
	port__end(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_writer_or_many_readers),
		cmocka_unit_test(test_what_it_costs),
		cmocka_unit_test(test_unchanged),
		cmocka_unit_test(test_fresh),
		cmocka_unit_test(test_fresh_until_an_event),
		cmocka_unit_test(test_two_pages),
		cmocka_unit_test(test_three_in_a_circle),
		cmocka_unit_test(test_older_one_in_the_queue),
		cmocka_unit_test(test_two_upgrades),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_lost_home),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
