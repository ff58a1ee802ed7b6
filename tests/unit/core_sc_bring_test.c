/* SPDX-License-Identifier: BSD-2-Clause */
/* core_sc_bring_test.c - sequential consistency at barriers: copies that come before they are asked for. */
#include <errno.h>

#include "tests/unit/core_port.h"

/* On each node, all of CORE_SC but the first. */
#define HOMED 8

static struct cluster *open_sc(unsigned nodes)
{
	return port__cluster(nodes, nodes * HOMED, HOMED, 1, HOMED);
}

static uint32_t page_of(unsigned node)
{
	return node * HOMED + 1;
}

/* The faults that it takes. */
static unsigned put(struct cluster *c, unsigned node, uint32_t page, uint8_t value)
{
	bool faults = port_of(c, node)->rights[page] != CORE_WRITE;

	if (faults)
		assert_int_equal(WRITE(c, node, page), CORE_DO_RESUME);
	port_of(c, node)->frame[page][0] = value;
	return faults;
}

static unsigned get(struct cluster *c, unsigned node, uint32_t page, uint8_t value)
{
	bool faults = port_of(c, node)->rights[page] == CORE_NONE;

	if (faults)
		assert_int_equal(READ(c, node, page), CORE_DO_RESUME);
	assert_int_equal(port_of(c, node)->frame[page][0], value);
	return faults;
}

static void meet(struct cluster *c)
{
	unsigned node;

	for (node = 0; node < c->nodes; node++)
		BARRIER(c, node);
}

/* Each node writes its page in one phase, and reads its neighbours' in the next. */
static unsigned two_phases(struct cluster *c, uint8_t value)
{
	unsigned node, faults = 0;

	for (node = 0; node < c->nodes; node++)
		faults += put(c, node, page_of(node), value);
	meet(c);
	for (node = 0; node + 1 < c->nodes; node++) {
		faults += get(c, node, page_of(node + 1), value);
		faults += get(c, node + 1, page_of(node), value);
	}
	meet(c);
	return faults;
}

static void test_two_colours(void **state)
{
	struct cluster *c = open_sc(3);
	unsigned round, faults = 0, pages = 4; /* brought in each round: two neighbours, both ways */

	(void)state;
	for (round = 1; round < 4; round++)
		two_phases(c, (uint8_t)round);
	cluster__forget(c);
	for (; round < 4 + 128; round++)
		faults += two_phases(c, (uint8_t)round);
	assert_int_equal(c->sent[CORE_MSG_BRING], 128 * pages);
	assert_int_equal(c->sent[CORE_MSG_BRING] + c->sent[CORE_MSG_ARRIVE] + c->sent[CORE_MSG_GO],
			 total_sent(c));
	assert_int_equal(c->sent[CORE_MSG_ARRIVE], 128 * 4); /* and nothing else */
	assert_in_range(faults, 1, 128 / 32 * (pages + 3));
	port__end(c);
}

/* Written and read in the same phase: the copies come, but to write is to take them away. */
static void test_one_colour(void **state)
{
	struct cluster *c = open_sc(2);
	unsigned round, reads = 0, writes = 0;

	(void)state;
	put(c, 0, page_of(0), 0);
	SAFE(c, 0);
	for (round = 0; round < 40; round++) {
		if (round == 3)
			reads = writes = 0;
		reads += get(c, 1, page_of(0), (uint8_t)round);
		SAFE(c, 1); /* its instruction has ended */
		writes += put(c, 0, page_of(0), (uint8_t)(round + 1));
		assert_int_equal(port_of(c, 1)->rights[page_of(0)], CORE_NONE);
		meet(c);
		assert_int_equal(port_of(c, 0)->rights[page_of(0)], CORE_READ);
	}
	assert_int_equal(writes, 37);
	assert_in_range(reads, 0, 1);
	port__end(c);
}

/* Who stops reading is brought it no more, and asks if it wants it again. */
static void test_stops_reading(void **state)
{
	struct cluster *c = open_sc(2);
	unsigned round;

	(void)state;
	for (round = 1; round < 10; round++)
		two_phases(c, (uint8_t)round);
	cluster__forget(c);
	for (; round < 10 + 70; round++) {
		put(c, 0, page_of(0), (uint8_t)round);
		meet(c);
		meet(c);
	}
	assert_true(c->sent[CORE_MSG_SEEN] >= 1);
	cluster__forget(c);
	for (; round < 100; round++) {
		put(c, 0, page_of(0), (uint8_t)round);
		meet(c);
		meet(c);
	}
	assert_int_equal(c->sent[CORE_MSG_BRING], 0);
	assert_int_equal(get(c, 1, page_of(0), (uint8_t)(round - 1)), 1);
	port__end(c);
}

/* Whoever reads in both phases would have kept what was lent: it is not lent again. */
static void test_lent_in_vain(void **state)
{
	struct cluster *c = open_sc(2);
	unsigned round, node, faults;

	(void)state;
	for (round = 1; round < 10; round++)
		two_phases(c, (uint8_t)round);
	for (faults = 0; round < 20; round++) {
		for (node = 0; node < 2; node++)
			faults += get(c, node, page_of(1 - node), (uint8_t)(round < 11 ? 9 : 10));
		meet(c);
		if (round == 10)
			for (node = 0; node < 2; node++)
				put(c, node, page_of(node), 10);
		meet(c);
	}
	assert_in_range(faults, 2, 4);
	port__end(c);
}

/* A third node writes while a copy that was lent is being returned: whoever has it, or had it, answers. */
static void test_revoked_while_returned(void **state)
{
	struct cluster *c = open_sc(3);
	uint32_t page = page_of(0);
	unsigned round;
	int verdict = -1;

	(void)state;
	for (round = 1; round < 6; round++)
		two_phases(c, (uint8_t)round);
	put(c, 0, page, 77);
	meet(c); /* lent to node 1 */
	assert_int_equal(port_of(c, 1)->rights[page], CORE_READ);
	begin_step(c, 2, (struct core_event){.type = CORE_ACCESS, .page = page, .write = true});
	deliver_type(c, 0, CORE_MSG_ASK); /* the REVOKE flies */
	begin_step(c, 1, (struct core_event){.type = CORE_BARRIER});
	assert_int_equal(port_of(c, 1)->rights[page], CORE_NONE);
	deliver(c, 2, &verdict);
	assert_int_equal(verdict, CORE_DO_RESUME);
	assert_int_equal(port_of(c, 2)->frame[page][0], 77);
	put(c, 2, page, 78);
	BARRIER(c, 2);
	BARRIER(c, 0);
	get(c, 0, page, 78);
	get(c, 1, page, 78);
	port__end(c);
}

/* Written by one, at home with the next one, read by the third: the owner lends it, and nobody takes a fault. */
static void test_lives_elsewhere(void **state)
{
	struct cluster *c = open_sc(3);
	unsigned round, faults = 0;
	uint32_t page = page_of(1);

	(void)state;
	for (round = 0; round < 40; round++) {
		if (round == 8) { /* after a copy was closed, to see whether it is used */
			faults = 0;
			memset(c->sent, 0, sizeof(c->sent));
		}
		faults += put(c, 0, page, (uint8_t)round);
		meet(c);
		faults += get(c, 2, page, (uint8_t)round);
		meet(c);
	}
	assert_int_equal(faults, 0);
	assert_int_equal(c->sent[CORE_MSG_BRING], 32);
	assert_int_equal(c->sent[CORE_MSG_ASK] + c->sent[CORE_MSG_REVOKED], 0);
	put(c, 0, page, 41);
	meet(c);
	get(c, 2, page, 41);
	put(c, 0, page, 42); /* sooner than it may */
	assert_int_equal(port_of(c, 2)->rights[page], CORE_NONE);
	meet(c);
	assert_int_equal(get(c, 2, page, 42), 0);
	put(c, 1, page, 43); /* somebody else, while it is lent */
	assert_int_equal(port_of(c, 2)->rights[page], CORE_NONE);
	meet(c);
	get(c, 2, page, 43);
	get(c, 0, page, 43);
	port__end(c);
}

/* A phase of writing by node 0, one of reading by all but it and the page's home, node 1. How many faults? */
static unsigned written_and_read(struct cluster *c, uint32_t page, uint8_t value)
{
	unsigned faults = put(c, 0, page, value);

	c->nlog = 0; /* it is long enough for one round */
	meet(c);
	for (uint16_t node = 2; node < c->nodes; node++)
		faults += get(c, node, page, value);
	meet(c);
	return faults;
}

/* However many read it; and all lose it when it is written too soon, by its owner or by somebody else. */
static void test_many_readers(void **state)
{
	struct cluster *c = open_sc(CLUSTER_MAX);
	unsigned readers = CLUSTER_MAX - 2, faults;
	uint32_t page = page_of(1);

	(void)state;
	for (uint16_t writer = 0; writer < 2; writer++) {
		for (unsigned i = 0; i < 16; i++)
			written_and_read(c, page, (uint8_t)i);
		memset(c->sent, 0, sizeof(c->sent));
		faults = 0;
		for (unsigned i = 0; i < 32; i++)
			faults += written_and_read(c, page, (uint8_t)i);
		assert_in_range(faults, 0, 1); /* is it still written? */
		assert_int_equal(c->sent[CORE_MSG_BRING], 32 * readers);
		assert_int_equal(c->sent[CORE_MSG_ASK] + c->sent[CORE_MSG_REVOKED], 0);
		put(c, 0, page, 100);
		meet(c);
		put(c, writer, page, 101);
		for (uint16_t node = 2; node < c->nodes; node++)
			assert_int_equal(port_of(c, node)->rights[page], CORE_NONE);
		meet(c);
		for (uint16_t node = 0; node < c->nodes; node++)
			get(c, node, page, 101);
		meet(c);
	}
	port__end(c);
}

/* The reader stops reading, and says so as it arrives, when the owner has not come to the barrier yet and writes once more: for
 * that the loan is called in, but who has given it up has lost nothing. */
static void test_refused_and_called_in(void **state)
{
	struct cluster *c = open_sc(3);
	uint32_t page = page_of(1), round;

	(void)state;
	for (round = 0; round < 8; round++) {
		put(c, 0, page, (uint8_t)round);
		meet(c);
		get(c, 2, page, (uint8_t)round);
		meet(c);
	}
	memset(c->sent, 0, sizeof(c->sent));
	for (round = 8; round < 200; round++) {
		BARRIER(c, 2);
		put(c, 0, page, (uint8_t)round);
		BARRIER(c, 0);
		BARRIER(c, 1);
	}
	assert_in_range(c->sent[CORE_MSG_BRING], 1, 66);
	assert_int_equal(c->sent[CORE_MSG_SEEN], 1);
	port__end(c);
}

/* The owner has just read what it has lent, so who asks for that waits for its instruction to end. That instruction writes the
 * page, too, and the loan is called in: that was the answer, and there is no other. */
static void test_called_in_while_asked_for(void **state)
{
	struct cluster *c = open_sc(4);
	uint32_t page = page_of(1), round;
	int verdict = -1;

	(void)state;
	for (round = 1; round < 8; round++) {
		put(c, 0, page, (uint8_t)round);
		meet(c);
		get(c, 2, page, (uint8_t)round);
		meet(c);
	}
	put(c, 0, page, 50);
	meet(c);
	assert_int_equal(READ(c, 0, page), CORE_DO_RESUME);
	begin_step(c, 3, (struct core_event){.type = CORE_ACCESS, .page = page});
	deliver_type(c, 1, CORE_MSG_ASK);
	deliver_type(c, 0, CORE_MSG_REVOKE);
	assert_int_equal(c->tail - c->head, 0);
	begin_step(c, 0, (struct core_event){.type = CORE_ACCESS, .page = page, .write = true});
	begin_step(c, 0, (struct core_event){.type = CORE_TICK});
	deliver(c, 0, &verdict);
	assert_int_equal(port_of(c, 3)->rights[page], CORE_READ);
	assert_int_equal(port_of(c, 3)->frame[page][0], 50);
	begin_step(c, 3, (struct core_event){.type = CORE_TICK});
	deliver(c, 0, &verdict);
	assert_int_equal(verdict, CORE_DO_RESUME);
	put(c, 0, page, 51);
	meet(c);
	get(c, 3, page, 51);
	get(c, 2, page, 51);
	port__end(c);
}

/* A REVOKE of a copy that its lender has not got through yet. The home waits for the answer, and would for ever if the lender
 * is lost with what it had sent. */
static void revoke_early(struct cluster *c, uint32_t page, uint64_t version)
{
	struct core_entry e = {.page = page,
			       .flags = CORE_ENTRY_WRITE,
			       .version = version,
			       .stamp = 1 /* node 0 has lent it */};
	struct core_msg msg = {.type = CORE_MSG_REVOKE,
			       .from = 1,
			       .to = 2,
			       .generation = 7,
			       .npages = 1,
			       .entries = &e,
			       .tx = {.number = 1, .birth = 1, .node = 1}};
	struct core_event event = {.type = CORE_MESSAGE, .msg = &msg};
	int verdict;

	assert_true(core_msg__sane(c->core[2], &msg));
	assert_int_equal(step(c, 2, &event, &verdict), 0);
}

static void test_lender_lost(void **state)
{
	struct cluster *c = open_sc(3);
	struct core_event lost = {.type = CORE_LOST, .node = 0};

	(void)state;
	revoke_early(c, page_of(1), 5);
	assert_int_equal(c->sent[CORE_MSG_REVOKED], 0);
	begin_step(c, 2, lost);
	assert_int_equal(c->sent[CORE_MSG_REVOKED], 1);
	assert_int_equal(c->mail[c->tail - 1].msg.type, CORE_MSG_REVOKED);
	assert_int_equal(c->mail[c->tail - 1].msg.to, 1);
	assert_int_equal(c->mail[c->tail - 1].entries[0].version, 5);
	/* The same again, for an older asker, has been answered; a newer one is answered at once. */
	revoke_early(c, page_of(1), 5);
	assert_int_equal(c->sent[CORE_MSG_REVOKED], 1);
	revoke_early(c, page_of(1), 6);
	assert_int_equal(c->sent[CORE_MSG_REVOKED], 2);
	port__end(c);
}

/* What no home, and no holder, would say. */
static void test_lies(void **state)
{
	struct cluster *c = open_sc(2);
	struct core_entry e = {.page = page_of(1), .data = CORE_DATA_COMMITTED, .version = 1};
	struct core_msg msg = {.type = CORE_MSG_BRING,
			       .from = 1,
			       .to = 0,
			       .generation = 7,
			       .number = 3,
			       .npages = 1,
			       .entries = &e,
			       .tx = {.number = 1, .node = 1}};
	struct core_event event = {.type = CORE_MESSAGE, .msg = &msg};
	int verdict;

	(void)state;
	assert_true(core_msg__sane(c->core[0], &msg));
	assert_int_equal(step(c, 0, &event, &verdict), -EPROTO); /* a barrier that is not near */
	msg.number = 1;
	e.data = CORE_DATA_NONE;
	assert_int_equal(step(c, 0, &event, &verdict), -EPROTO);
	get(c, 0, page_of(1), 0);
	e.data = CORE_DATA_COMMITTED;
	assert_int_equal(step(c, 0, &event, &verdict), -EPROTO); /* it has it */
	e = (struct core_entry){.page = page_of(0), .flags = CORE_ENTRY_REFUSED};
	msg.type = CORE_MSG_SEEN;
	assert_true(core_msg__sane(c->core[0], &msg));
	assert_int_equal(step(c, 0, &event, &verdict), -EPROTO); /* it never had it */
	port__end(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_colours),
		cmocka_unit_test(test_one_colour),
		cmocka_unit_test(test_stops_reading),
		cmocka_unit_test(test_lent_in_vain),
		cmocka_unit_test(test_revoked_while_returned),
		cmocka_unit_test(test_lives_elsewhere),
		cmocka_unit_test(test_many_readers),
		cmocka_unit_test(test_refused_and_called_in),
		cmocka_unit_test(test_called_in_while_asked_for),
		cmocka_unit_test(test_lender_lost),
		cmocka_unit_test(test_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
