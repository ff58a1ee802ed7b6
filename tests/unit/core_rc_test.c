/* SPDX-License-Identifier: BSD-2-Clause */
/* core_rc_test.c - release consistency: who has a page, which messages its sharing costs, and that all bytes arrive. */
#include <errno.h>

#include "tests/unit/core_rc.h"

/* ---- exclusive pages ---- */

static void test_alone_it_costs_nothing(void **state)
{
	struct cluster *c = open_rc(2);
	uint32_t page = page_of(1, 0);
	unsigned round;

	(void)state;
	assert_int_equal(put(c, 0, page, 3, 1), 1);
	assert_int_equal(c->sent[CORE_MSG_ASK], 1);
	assert_int_equal(c->sent[CORE_MSG_COPY], 1);
	assert_null(find(c, 0, CORE_DO_TWIN, 0, 0));
	cluster__forget(c);
	for (round = 0; round < 20; round++) {
		assert_int_equal(put(c, 0, page, round % PAGE_BYTES, (uint8_t)round), 0);
		meet(c);
	}
	assert_int_equal(total_sent(c), c->sent[CORE_MSG_ARRIVE] + c->sent[CORE_MSG_GO]);
	port__end(c);
}

/* Who had it alone keeps writing when another node asks: only what comes after that is compared. */
static void test_revoked_owner_keeps_writing(void **state)
{
	struct cluster *c = open_rc(2);
	uint32_t page = page_of(0, 1);
	uint8_t value;

	(void)state;
	put(c, 0, page, 0, 11);
	put(c, 0, page, 1, 12);
	cluster__forget(c);
	get(c, 1, page, 0, &value);
	assert_int_equal(value, 11);
	assert_int_equal(c->sent[CORE_MSG_REVOKE], 0); /* to itself */
	assert_int_equal(c->sent[CORE_MSG_COPY], 1);
	assert_non_null(find(c, 0, CORE_DO_TWIN, 0, 0));
	assert_null(find(c, 0, CORE_DO_PROTECT, 0, 0));
	assert_int_equal(put(c, 0, page, 2, 13), 0);
	meet(c);
	expect(c, 1, page, 1, 12);
	expect(c, 1, page, 2, 13);
	port__end(c);
}

static void test_remote_owner_is_revoked(void **state)
{
	struct cluster *c = open_rc(3);
	uint32_t page = page_of(2, 0);

	(void)state;
	put(c, 0, page, 5, 55);
	cluster__forget(c);
	expect(c, 1, page, 5, 55);
	assert_int_equal(c->sent[CORE_MSG_REVOKE], 1);
	assert_int_equal(c->sent[CORE_MSG_REVOKED], 1);
	put(c, 0, page, 6, 66);
	meet(c);
	expect(c, 1, page, 6, 66);
	expect(c, 2, page, 6, 66);
	check_whole(c, page);
	port__end(c);
}

/* A FLUSH that finds the home unable to share ends in exclusivity again, when the others have left. */
static void test_exclusive_again(void **state)
{
	struct cluster *c = open_rc(2);
	uint32_t page = page_of(1, 2);
	unsigned round;
	uint8_t value;

	(void)state;
	put(c, 1, page, 0, 1); /* its home has used it once */
	put(c, 0, page, 1, 1);
	for (round = 2; round < 13;
	     round++) { /* two flushes until its twin goes, and seven until its copy does */
		put(c, 0, page, 1, (uint8_t)round);
		meet(c);
	}
	cluster__forget(c);
	for (; round < 30; round++) {
		assert_int_equal(put(c, 0, page, 1, (uint8_t)round), 0);
		meet(c);
	}
	assert_int_equal(c->sent[CORE_MSG_FLUSH], 0);
	assert_false(port_of(c, 0)->has_twin[page]);
	assert_int_equal(get(c, 1, page, 1, &value), 1);
	assert_int_equal(value, 29);
	port__end(c);
}

/* ---- many writers ---- */

static void test_two_writers_merge(void **state)
{
	struct cluster *c = open_rc(3);
	uint32_t page = page_of(2, 3);
	unsigned round;

	(void)state;
	put(c, 0, page, 0, 1);
	put(c, 1, page, 8, 2);
	expect(c, 2, page, 8, 0);
	for (round = 1; round < 6; round++) {
		put(c, 0, page, 0, (uint8_t)(10 * round));
		put(c, 0, page, 1, (uint8_t)(10 * round + 1));
		put(c, 1, page, 8, (uint8_t)(10 * round + 8));
		put(c, 2, page, 15, (uint8_t)(10 * round + 9));
		meet(c);
		expect(c, 0, page, 8, (uint8_t)(10 * round + 8));
		expect(c, 1, page, 1, (uint8_t)(10 * round + 1));
		expect(c, 2, page, 0, (uint8_t)(10 * round));
		expect(c, 0, page, 15, (uint8_t)(10 * round + 9));
		check_whole(c, page);
	}
	port__end(c);
}

/* A page that is written no more loses its twin, and its right with it. */
static void test_clean_page_loses_its_twin(void **state)
{
	struct cluster *c = open_rc(2);
	uint32_t page = page_of(0, 0);
	unsigned round;

	(void)state;
	put(c, 0, page, 0, 1);
	share(c, 1, page);
	put(c, 0, page, 0, 2);
	meet(c);
	for (round = 0; round < 8; round++) {
		assert_true(port_of(c, 0)->has_twin[page]);
		meet(c);
	}
	assert_false(port_of(c, 0)->has_twin[page]);
	assert_int_equal(port_of(c, 0)->rights[page], CORE_READ);
	assert_int_equal(put(c, 0, page, 0, 3), 1);
	meet(c);
	expect(c, 1, page, 0, 3);
	port__end(c);
}

/* More receivers than an ARRIVE can name do not exist here; more pages than a message can have do. */
static void test_many_pages(void **state)
{
	struct cluster *c = port__cluster(2, 512, 400, 50, 50);
	unsigned i, pages = 300;

	(void)state;
	for (i = 0; i < pages; i++)
		put(c, 0, 50 + i, 0, 1);
	for (i = 0; i < pages; i++) { /* which comes ahead of it, too */
		expect(c, 1, 50 + i, 0, 1);
		put(c, 0, 50 + i, 1, (uint8_t)i);
		put(c, 1, 50 + i, 2, (uint8_t)(i + 1));
	}
	cluster__forget(c);
	meet(c);
	assert_int_equal(c->sent[CORE_MSG_SPREAD], 3);
	assert_int_equal(c->sent[CORE_MSG_FLUSH], 3);
	for (i = 0; i < pages; i++) {
		expect(c, 1, 50 + i, 1, (uint8_t)i);
		expect(c, 0, 50 + i, 2, (uint8_t)(i + 1));
		check_whole(c, 50 + i);
	}
	port__end(c);
}

/* ---- copies that nobody uses ---- */

static void test_unused_copy_leaves(void **state)
{
	struct cluster *c = open_rc(2);
	uint32_t page = page_of(0, 0);
	unsigned round;
	uint8_t value;

	(void)state;
	put(c, 0, page, 0, 1);
	get(c, 1, page, 0, &value);
	cluster__forget(c);
	for (round = 0; round < 20; round++) {
		put(c, 0, page, 0, (uint8_t)(2 + round));
		meet(c);
	}
	assert_int_equal(c->sent[CORE_MSG_SPREAD], 7);
	assert_int_equal(c->sent[CORE_MSG_SEEN], 1);
	assert_false(port_of(c, 0)->has_twin[page]);
	assert_int_equal(get(c, 1, page, 0, &value), 1);
	assert_int_equal(value, 21);
	port__end(c);
}

static void test_one_rearm_in_64(void **state)
{
	struct cluster *c = open_rc(2);
	uint32_t page = page_of(0, 0);
	unsigned round, faults = 0;
	uint8_t value;

	(void)state;
	put(c, 0, page, 0, 1);
	get(c, 1, page, 0, &value);
	for (round = 0; round < 4 + 3 * 64; round++) {
		put(c, 0, page, 0, (uint8_t)round);
		meet(c);
		faults += get(c, 1, page, 0, &value);
		assert_int_equal(value, (uint8_t)round);
		if (round == 3)
			assert_int_equal(faults, 1);
	}
	assert_int_equal(faults, 1 + 3);
	port__end(c);
}

/* A SPREAD that was on its way when the copy was given up, and a new copy, that was given behind it. */
static void test_given_up_and_asked_for_again(void **state)
{
	struct cluster *c = open_rc(2);
	uint32_t page = page_of(0, 0);
	unsigned round;

	(void)state;
	put(c, 0, page, 0, 1);
	share(c, 1, page);
	for (round = 0; round < 7; round++) {
		put(c, 0, page, 0, (uint8_t)(2 + round));
		if (round == 6)
			break;
		meet(c);
	}
	arrive(c, 0);
	deliver_type(c, 1, CORE_MSG_SPREAD); /* gives it up: SEEN flies */
	begin_step(c, 1, (struct core_event){.type = CORE_ACCESS, .page = page});
	deliver_type(c, 0, CORE_MSG_SEEN);
	deliver_type(c, 0, CORE_MSG_ASK);
	assert_int_equal(deliver_type(c, 1, CORE_MSG_COPY), CORE_DO_RESUME);
	assert_int_equal(port_of(c, 1)->frame[page][0], 8);
	port__end(c);
}

/* ---- loss ---- */

static void lose(struct cluster *c, unsigned dead)
{
	unsigned node;

	c->dead[dead] = true;
	for (node = 0; node < c->nodes; node++)
		if (!c->dead[node])
			hear(c, node, dead);
}

static void test_owner_lost(void **state)
{
	struct cluster *c = open_rc(3);
	uint32_t page = page_of(1, 0);

	(void)state;
	put(c, 2, page, 0, 1);
	lose(c, 2);
	assert_int_equal(READ(c, 0, page), CORE_DO_LOST);
	assert_int_equal(READ(c, 1, page), CORE_DO_LOST);
	port__end(c);
}

/* Who waits for the owner's bytes when it dies is told. */
static void test_owner_lost_while_asked(void **state)
{
	struct cluster *c = open_rc(3);
	uint32_t page = page_of(1, 0);
	int verdict;

	(void)state;
	put(c, 2, page, 0, 1);
	begin_step(c, 0, (struct core_event){.type = CORE_ACCESS, .page = page});
	deliver_type(c, 1, CORE_MSG_ASK);
	c->dead[2] = true;
	assert_int_equal(step(c, 1, &(struct core_event){.type = CORE_LOST, .node = 2}, &verdict), 0);
	verdict = -1;
	deliver(c, 0, &verdict);
	assert_int_equal(verdict, CORE_DO_LOST);
	port__end(c);
}

/* Copies of a lost home's pages cannot be kept together: whoever uses one is told; what one node has alone stays. */
static void test_home_lost(void **state)
{
	struct cluster *c = open_rc(3);
	uint32_t shared = page_of(2, 0), alone = page_of(2, 1);

	(void)state;
	share(c, 0, shared);
	put(c, 1, shared, 0, 1);
	put(c, 0, alone, 0, 5);
	lose(c, 2);
	assert_int_equal(READ(c, 0, shared), CORE_DO_LOST);
	assert_int_equal(WRITE(c, 1, shared), CORE_DO_LOST);
	assert_int_equal(put(c, 0, alone, 1, 6), 0);
	expect(c, 0, alone, 0, 5);
	port__end(c);
}

/* ---- messages that contradict the protocol ---- */

static void test_refuses_nonsense(void **state)
{
	struct cluster *c = open_rc(2);
	struct core_entry e = {.page = page_of(0, 0)};
	struct core_msg msg = {.from = 1,
			       .to = 0,
			       .generation = 7,
			       .npages = 1,
			       .entries = &e,
			       .tx = {.node = 1, .number = 1}};
	struct core_event event = {.type = CORE_MESSAGE, .msg = &msg};
	static const uint8_t types[] = {CORE_MSG_REVOKED, CORE_MSG_FLUSH, CORE_MSG_SEEN};
	int verdict;
	size_t i;

	(void)state;
	put(c, 0, e.page, 0, 1);
	for (i = 0; i < sizeof(types); i++) {
		msg.type = types[i];
		msg.number = 1;
		e.data = types[i] == CORE_MSG_FLUSH ? CORE_DATA_CHANGES : CORE_DATA_NONE;
		assert_true(core_msg__sane(c->core[0], &msg));
		assert_int_equal(step(c, 0, &event, &verdict), -EPROTO);
	}
	e = (struct core_entry){.page = page_of(1, 0), .data = CORE_DATA_CHANGES};
	msg.type = CORE_MSG_SPREAD;
	msg.number = 3; /* a barrier that is not near */
	assert_int_equal(step(c, 0, &event, &verdict), -EPROTO);
	e.data = CORE_DATA_NONE;
	msg.type = CORE_MSG_FLUSHED;
	msg.tx.node = 0;
	assert_true(core_msg__sane(c->core[0], &msg));
	assert_int_equal(step(c, 0, &event, &verdict), -EPROTO);
	msg.type = CORE_MSG_REVOKE;
	assert_int_equal(step(c, 0, &event, &verdict), -EPROTO);
	msg.type = CORE_MSG_COPY;
	assert_int_equal(step(c, 0, &event, &verdict), -EPROTO);
	e.page = 3; /* a page of transactions */
	assert_false(core_msg__sane(c->core[0], &msg));
	port__end(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone_it_costs_nothing),
		cmocka_unit_test(test_revoked_owner_keeps_writing),
		cmocka_unit_test(test_remote_owner_is_revoked),
		cmocka_unit_test(test_exclusive_again),
		cmocka_unit_test(test_two_writers_merge),
		cmocka_unit_test(test_clean_page_loses_its_twin),
		cmocka_unit_test(test_many_pages),
		cmocka_unit_test(test_unused_copy_leaves),
		cmocka_unit_test(test_one_rearm_in_64),
		cmocka_unit_test(test_given_up_and_asked_for_again),
		cmocka_unit_test(test_owner_lost),
		cmocka_unit_test(test_owner_lost_while_asked),
		cmocka_unit_test(test_home_lost),
		cmocka_unit_test(test_refuses_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
