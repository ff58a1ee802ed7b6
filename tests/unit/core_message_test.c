/* SPDX-License-Identifier: BSD-2-Clause */
/* core_message_test.c - core_msg__sane(): what is let in, what is not, and garbage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "dsmcore/protocol/core.h"

#define NODES 3
#define PAGES 300 /* 100 on each node */

static struct dsm_core *core; /* node 1 */

static int open_core(uint32_t migrate_after, uint32_t sc_from, uint32_t rc_from)
{
	const struct core_config config = {.node = 1,
					   .nodes = NODES,
					   .pages = PAGES,
					   .pages_per_home = 100,
					   .sc_from = sc_from,
					   .rc_from = rc_from,
					   .generation = 5,
					   .migrate_after = migrate_after};

	return core__open(&core, &config);
}

static int setup(void **state)
{
	(void)state;
	return open_core(0, 0, 0);
}

/* With homes that stay where they were born. */
static int setup_fixed(void **state)
{
	(void)state;
	return open_core(CORE_NEVER, 0, 0);
}

/* A third of the pages has each model. */
static int setup_models(void **state)
{
	(void)state;
	return open_core(0, 34, 67);
}

static int teardown(void **state)
{
	(void)state;
	core__close(core);
	return 0;
}

static struct core_entry entries[CORE_MSG_PAGES + CORE_MSG_WSET + 2];

/* A LOCK from node 2 for pages 100, 101, ... of node 1, with the write set 210, 211, ... */
static struct core_msg lock(uint32_t npages, uint32_t nwset)
{
	struct core_msg msg = {.type = CORE_MSG_LOCK, .from = 2, .to = 1, .generation = 5};
	uint32_t i;

	memset(entries, 0, sizeof(entries));
	for (i = 0; i < npages + nwset && i < CORE_MSG_PAGES + CORE_MSG_WSET + 2; i++)
		entries[i].page = i < npages ? 100 + i % 100 : 210 + i - npages;
	msg.tx = (struct core_party){.node = 2, .number = 1};
	msg.entries = entries;
	msg.npages = npages;
	msg.nwset = nwset;
	return msg;
}

static void test_good(void **state)
{
	struct core_msg msg = lock(1, 0);

	(void)state;
	assert_true(core_msg__sane(core, &msg));
	msg = lock(100, CORE_MSG_WSET);
	assert_true(core_msg__sane(core, &msg));
}

#define REFUSED(change)                                                                                      \
	do {                                                                                                 \
		struct core_msg msg = lock(3, 2);                                                            \
		assert_true(core_msg__sane(core, &msg));                                                     \
		change;                                                                                      \
		assert_false(core_msg__sane(core, &msg));                                                    \
	} while (0)

/* A PAGE that names a node, with this flag, instead of bringing the page: it has nothing else to say. */
static void page_that_names(uint16_t flag, uint16_t other)
{
	struct core_msg msg = {.type = CORE_MSG_PAGE,
			       .channel = CORE_CHANNEL_FETCH,
			       .from = 2,
			       .to = 1,
			       .generation = 5,
			       .npages = 1,
			       .entries = entries};

	memset(entries, 0, sizeof(entries));
	entries[0] = (struct core_entry){.page = 200, .flags = flag, .version = NODES - 1};
	assert_true(core_msg__sane(core, &msg));
	entries[0].version = NODES;
	assert_false(core_msg__sane(core, &msg));
	entries[0].version = 0;
	entries[0].data = CORE_DATA_COMMITTED;
	assert_false(core_msg__sane(core, &msg));
	entries[0].data = CORE_DATA_NONE;
	entries[0].flags |= other;
	assert_false(core_msg__sane(core, &msg));
}

/* With whom it is lost. */
static void test_lost_page(void **state)
{
	(void)state;
	page_that_names(CORE_ENTRY_LOST, CORE_ENTRY_EXCLUSIVE);
}

/* Who has it. */
static void test_moved_page(void **state)
{
	(void)state;
	page_that_names(CORE_ENTRY_MOVED, CORE_ENTRY_LOST);
}

static void test_each_rule(void **state)
{
	(void)state;
	REFUSED(msg.type = 0);
	REFUSED(msg.type = 24);
	REFUSED(msg.type = 255);
	REFUSED(msg.channel = CORE_CHANNEL_FETCH);
	REFUSED(msg.generation = 4);
	REFUSED(msg.from = NODES);
	REFUSED(msg.from = 1);
	REFUSED(msg.to = 0);
	REFUSED(msg.tx.node = NODES);
	REFUSED(msg.tx.node = 0);
	REFUSED(msg.tx.number = 0);
	REFUSED(msg.npages = 0);
	REFUSED(msg.npages = CORE_MSG_PAGES + 1);
	REFUSED(msg.nwset = CORE_MSG_WSET + 1);
	REFUSED(msg.nwset = UINT32_MAX);
	REFUSED(msg.entries = NULL);
	REFUSED(entries[1].page = entries[0].page);
	REFUSED(entries[1].page = 0xffffffff);
	REFUSED(entries[0].flags = CORE_ENTRY_WRITE);
	REFUSED(entries[0].data = CORE_DATA_COMMITTED);
	REFUSED(entries[0].data = 7);
	REFUSED(entries[4].page = PAGES);
	REFUSED(entries[4].flags = 1);
	REFUSED(msg.type = CORE_MSG_CANCEL); /* which has no pages */
	REFUSED(msg.type = CORE_MSG_RECALL); /* which has one, of the sender */
	REFUSED(msg.type = CORE_MSG_GRANT);  /* which is for a transaction of ours */
	REFUSED(msg.type = CORE_MSG_ARRIVE);
}

static void test_homes_that_stay(void **state)
{
	(void)state;
	REFUSED(entries[0].page = 99);
	REFUSED(entries[2].page = 200);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(core_msg__name(CORE_MSG_FETCH), "FETCH");
	assert_string_equal(core_msg__name(CORE_MSG_GO), "GO");
	assert_string_equal(core_msg__name(0), "unknown");
	assert_string_equal(core_msg__name(4711), "unknown");
}

static uint64_t random_state = 42;

static uint64_t draw(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Values near what is right, so that some get through; what does must not harm the core. */
static struct core_msg garbage(void)
{
	struct core_msg msg = {0};
	uint32_t i;

	msg.type = (uint8_t)(draw() % 38);
	msg.channel =
		draw() % 4 ? (msg.type == CORE_MSG_FETCH || msg.type == CORE_MSG_PAGE) : (uint8_t)draw();
	msg.from = (uint16_t)(draw() % 8 ? (draw() % 2) * 2 : draw());
	msg.to = (uint16_t)(draw() % 8 ? 1 : draw());
	msg.generation = draw() % 8 ? 5 : (uint32_t)draw();
	msg.clock = draw();
	msg.number = draw() % 5;
	msg.tx = (struct core_party){
		.node = (uint16_t)(draw() % 4), .number = draw() % 3, .attempt = draw() % 2};
	msg.other = (struct core_party){.node = (uint16_t)(draw() % 4), .number = draw() % 3};
	msg.npages = draw() % 16 ? (uint32_t)(draw() % 4) : (uint32_t)(draw() % (CORE_MSG_PAGES + 2));
	msg.nwset = draw() % 4 ? 0 : (uint32_t)(draw() % (CORE_MSG_WSET + 2));
	for (i = 0; i < msg.npages + msg.nwset && i < sizeof(entries) / sizeof(entries[0]); i++)
		entries[i] = (struct core_entry){.page = (uint32_t)(draw() % 310),
						 .flags = draw() % 3 ? 0 : (uint16_t)(draw() % 16),
						 .data = draw() % 2 ? 0 : (uint16_t)(draw() % 4),
						 .version = draw() % 3,
						 .stamp = draw() % 5};
	if (draw() % 2) /* ascending on one home */
		for (i = 0; i < msg.npages && i < sizeof(entries) / sizeof(entries[0]); i++)
			entries[i].page = i ? entries[i - 1].page + 1 : (uint32_t)(draw() % 300);
	msg.entries = entries;
	return msg;
}

/* So that some of it finds copies, and questions that are open. */
static void access_some(void)
{
	static const uint32_t pages[] = {140, 180, 241}; /* sc and rc at home, sc of another */
	struct core_event event = {.type = CORE_ACCESS, .write = true};
	const struct core_actions *actions;
	size_t i;

	for (i = 0; core__model(core, pages[0]) != CORE_TX && i < 3; i++) {
		event.page = pages[i];
		assert_int_equal(core_step(core, &event, &actions), 0);
	}
}

static void test_garbage(void **state)
{
	const struct core_actions *actions;
	struct core_event event = {.type = CORE_MESSAGE};
	struct core_msg msg;
	unsigned sane = 0, refused = 0, i;
	int rc;

	(void)state;
	access_some();
	for (i = 0; i < 400000; i++) {
		msg = garbage();
		if (!core_msg__sane(core, &msg))
			continue;
		sane++;
		event.msg = &msg;
		rc = core_step(core, &event, &actions);
		assert_true(rc == 0 || rc == -EPROTO);
		refused += rc != 0;
	}
	assert_true(sane > 1000);
	assert_true(refused > 100 && refused < sane);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_good, setup, teardown),
		cmocka_unit_test_setup_teardown(test_each_rule, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_page, setup, teardown),
		cmocka_unit_test_setup_teardown(test_moved_page, setup, teardown),
		cmocka_unit_test_setup_teardown(test_homes_that_stay, setup_fixed, teardown),
		cmocka_unit_test_setup_teardown(test_garbage, setup_fixed, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_garbage, setup_models, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
