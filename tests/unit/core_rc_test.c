/* SPDX-License-Identifier: BSD-2-Clause */
/* Release consistency: which messages the sharing of a page costs, and that all bytes arrive. */
#include <errno.h>

#include "tests/unit/core_port.h"

#define PER_HOME 32u
#define RC	 16u /* pages of each home from here on are of rc */

static struct cluster *open_rc(unsigned nodes)
{
	struct cluster *c = calloc(1, sizeof(*c));
	unsigned i;

	assert_non_null(c);
	c->nodes = nodes;
	for (i = 0; i < nodes; i++) {
		struct core_config config = {.node = (uint16_t)i,
					     .nodes = (uint16_t)nodes,
					     .pages = nodes * PER_HOME,
					     .pages_per_home = PER_HOME,
					     .sc_from = RC,
					     .rc_from = RC,
					     .generation = 7};
		assert_int_equal(core__open(&c->core[i], &config), 0);
	}
	port__open(c);
	return c;
}

static void close_rc(struct cluster *c)
{
	port__close(c);
	cluster__close(c);
}

/* The i-th page of rc that lives at a node. */
static uint32_t page_of(unsigned home, unsigned i)
{
	return home * PER_HOME + RC + i;
}

/* The mutator writes a byte, reads one: with the faults that this costs. */
static unsigned put(struct cluster *c, unsigned node, uint32_t page, unsigned at, uint8_t value)
{
	unsigned faults = 0;

	for (; port_of(c, node)->rights[page] != CORE_WRITE; faults++) {
		assert_true(faults < 2);
		assert_int_equal(WRITE(c, node, page), CORE_DO_RESUME);
	}
	port_of(c, node)->frame[page][at] = value;
	return faults;
}

static unsigned get(struct cluster *c, unsigned node, uint32_t page, unsigned at, uint8_t *value)
{
	unsigned faults = 0;

	for (; port_of(c, node)->rights[page] == CORE_NONE; faults++) {
		assert_true(faults < 2);
		assert_int_equal(READ(c, node, page), CORE_DO_RESUME);
	}
	*value = port_of(c, node)->frame[page][at];
	return faults;
}

static void expect(struct cluster *c, unsigned node, uint32_t page, unsigned at, uint8_t value)
{
	uint8_t got;

	get(c, node, page, at, &got);
	assert_int_equal(got, value);
}

/* All nodes come to a barrier and leave it. */
static void meet(struct cluster *c)
{
	struct core_event event = {.type = CORE_BARRIER};
	bool through[CLUSTER_MAX] = {false};
	unsigned node;
	size_t i;
	int verdict;

	c->nlog = 0;
	for (node = 0; node < c->nodes; node++) {
		event.changed = port__changed(c, node);
		assert_int_equal(step(c, node, &event, &verdict), 0);
		deliver(c, node, &verdict);
	}
	for (i = 0; i < c->nlog; i++)
		if (c->log[i].action.type == CORE_DO_RESUME)
			through[c->log[i].node] = true;
	for (node = 0; node < c->nodes; node++)
		assert_true(through[node]);
}

static void check_whole(struct cluster *c, uint32_t page)
{
	struct port_node *home = port_of(c, core__birth(c->core[0], page));
	unsigned node;

	for (node = 0; node < c->nodes; node++)
		if (port_of(c, node)->rights[page] != CORE_NONE)
			assert_memory_equal(port_of(c, node)->frame[page], home->frame[page], PAGE_BYTES);
}

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
	close_rc(c);
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
	close_rc(c);
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
	close_rc(c);
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
	close_rc(c);
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
	close_rc(c);
}

/* A page that is written no more loses its twin, and its right with it. */
static void test_clean_page_loses_its_twin(void **state)
{
	struct cluster *c = open_rc(2);
	uint32_t page = page_of(0, 0);
	unsigned round;
	uint8_t value;

	(void)state;
	put(c, 0, page, 0, 1);
	get(c, 1, page, 0, &value);
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
	close_rc(c);
}

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
	close_rc(c);
}

/* GO may overtake what other nodes have sent: the barrier waits for it all the same. */
static void test_barrier_waits_for_what_is_counted(void **state)
{
	struct cluster *c = open_rc(3);
	uint32_t page = page_of(1, 0);
	struct core_event event = {.type = CORE_BARRIER};

	(void)state;
	put(c, 1, page, 0, 1);
	expect(c, 2, page, 0, 1);
	put(c, 1, page, 0, 2);
	event.changed = port__changed(c, 1);
	begin_step(c, 1, event);
	event.changed = NULL;
	begin_step(c, 0, event);
	begin_step(c, 2, event);
	deliver_type(c, 0, CORE_MSG_ARRIVE);
	deliver_type(c, 0, CORE_MSG_ARRIVE);
	assert_int_equal(deliver_type(c, 2, CORE_MSG_GO), -1);
	assert_int_equal(port_of(c, 2)->frame[page][0], 1);
	assert_int_equal(deliver_type(c, 2, CORE_MSG_SPREAD), CORE_DO_RESUME);
	assert_int_equal(port_of(c, 2)->frame[page][0], 2);
	close_rc(c);
}

/* The first one through writes again and arrives again before another has heard of the first GO. */
static void test_next_barrier_overtakes(void **state)
{
	struct cluster *c = open_rc(3);
	uint32_t page = page_of(1, 0);
	struct core_event event = {.type = CORE_BARRIER};
	unsigned node;

	(void)state;
	put(c, 1, page, 0, 1);
	expect(c, 2, page, 0, 1);
	put(c, 1, page, 0, 2);
	for (node = 0; node < 3; node++) {
		event.changed = port__changed(c, node);
		begin_step(c, node, event);
	}
	deliver_type(c, 0, CORE_MSG_ARRIVE);
	deliver_type(c, 0, CORE_MSG_ARRIVE);
	assert_int_equal(deliver_type(c, 1, CORE_MSG_GO), CORE_DO_RESUME);
	put(c, 1, page, 0, 3);
	event.changed = port__changed(c, 1);
	begin_step(c, 1, event);
	assert_int_equal(deliver_type(c, 2, CORE_MSG_SPREAD), -1);
	assert_int_equal(deliver_type(c, 2, CORE_MSG_SPREAD), -1); /* of the next one: not this one's */
	assert_int_equal(deliver_type(c, 2, CORE_MSG_GO), CORE_DO_RESUME);
	event.changed = port__changed(c, 2);
	begin_step(c, 2, event);
	event.changed = NULL;
	begin_step(c, 0, event);
	deliver_type(c, 0, CORE_MSG_ARRIVE);
	deliver_type(c, 0, CORE_MSG_ARRIVE);
	assert_int_equal(deliver_type(c, 2, CORE_MSG_GO), CORE_DO_RESUME);
	assert_int_equal(deliver_type(c, 1, CORE_MSG_GO), CORE_DO_RESUME);
	close_rc(c);
}

/* What lives elsewhere is confirmed before the arrival. */
static void test_arrives_when_flushed(void **state)
{
	struct cluster *c = open_rc(3);
	uint32_t page = page_of(2, 0);
	struct core_event event = {.type = CORE_BARRIER};
	uint8_t value;

	(void)state;
	get(c, 0, page, 0, &value);
	put(c, 1, page, 0, 7);
	cluster__forget(c);
	event.changed = port__changed(c, 1);
	begin_step(c, 1, event);
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
	close_rc(c);
}

/* More receivers than an ARRIVE can name do not exist here; more pages than a message can have do. */
static void test_many_pages(void **state)
{
	struct cluster *c = calloc(1, sizeof(*c));
	unsigned node, i, pages = 300;

	(void)state;
	c->nodes = 2;
	for (node = 0; node < 2; node++) {
		struct core_config config = {.node = (uint16_t)node,
					     .nodes = 2,
					     .pages = 512,
					     .pages_per_home = 400,
					     .sc_from = 50,
					     .rc_from = 50,
					     .generation = 7};
		assert_int_equal(core__open(&c->core[node], &config), 0);
	}
	port__open(c);
	for (i = 0; i < pages; i++) {
		put(c, 0, 50 + i, 0, 1);
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
	close_rc(c);
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
	close_rc(c);
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
	close_rc(c);
}

/* A SPREAD that was on its way when the copy was given up, and a new copy, that was given behind it. */
static void test_given_up_and_asked_for_again(void **state)
{
	struct cluster *c = open_rc(2);
	uint32_t page = page_of(0, 0);
	struct core_event event = {.type = CORE_BARRIER};
	unsigned round;
	uint8_t value;

	(void)state;
	put(c, 0, page, 0, 1);
	get(c, 1, page, 0, &value);
	for (round = 0; round < 7; round++) {
		put(c, 0, page, 0, (uint8_t)(2 + round));
		if (round == 6)
			break;
		meet(c);
	}
	event.changed = port__changed(c, 0);
	begin_step(c, 0, event);
	deliver_type(c, 1, CORE_MSG_SPREAD); /* gives it up: SEEN flies */
	begin_step(c, 1, (struct core_event){.type = CORE_ACCESS, .page = page});
	deliver_type(c, 0, CORE_MSG_SEEN);
	deliver_type(c, 0, CORE_MSG_ASK);
	assert_int_equal(deliver_type(c, 1, CORE_MSG_COPY), CORE_DO_RESUME);
	assert_int_equal(port_of(c, 1)->frame[page][0], 8);
	close_rc(c);
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
	close_rc(c);
}

/* A cached lock that nobody wants costs no message, whatever is written under it. */
static void test_cached_lock_is_silent(void **state)
{
	struct cluster *c = open_rc(2);
	uint32_t page = page_of(1, 0);
	unsigned round;
	uint8_t value;

	(void)state;
	get(c, 0, page, 0, &value);
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
	close_rc(c);
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
	begin_step(c, 1, (struct core_event){.type = CORE_BARRIER, .changed = port__changed(c, 1)});
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
	close_rc(c);
}

/* A second FLUSH of one that has become the owner comes when that is about to end: it does not make it the owner again. */
static void test_owner_flushes_again(void **state)
{
	struct cluster *c = open_rc(4);
	uint64_t first = lock_of_0(c, 0), second = lock_of_0(c, 1);
	uint32_t page = page_of(0, 0);
	int verdict = -1;
	uint8_t value;

	(void)state;
	get(c, 1, page, 0, &value);
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
	close_rc(c);
}

/* ---- loss ---- */

static void lose(struct cluster *c, unsigned dead)
{
	unsigned node;
	int verdict;

	c->dead[dead] = true;
	for (node = 0; node < c->nodes; node++)
		if (!c->dead[node])
			assert_int_equal(step(c, node,
					      &(struct core_event){.type = CORE_LOST, .node = (uint16_t)dead},
					      &verdict),
					 0);
	deliver(c, 0, &verdict);
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
	close_rc(c);
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
	close_rc(c);
}

/* A holder that is lost is not waited for. */
static void test_holder_lost_while_spread(void **state)
{
	struct cluster *c = open_rc(4);
	uint32_t page = page_of(1, 0);
	struct core_event event = {.type = CORE_RELEASE, .lock = LOCK};
	uint8_t value;
	int verdict = -1;

	(void)state;
	get(c, 1, page, 0, &value);
	get(c, 2, page, 0, &value);
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
	close_rc(c);
}

/* Copies of a lost home's pages cannot be kept together: whoever uses one is told; what one node has alone stays. */
static void test_home_lost(void **state)
{
	struct cluster *c = open_rc(3);
	uint32_t shared = page_of(2, 0), alone = page_of(2, 1);
	uint8_t value;

	(void)state;
	get(c, 0, shared, 0, &value);
	put(c, 1, shared, 0, 1);
	put(c, 0, alone, 0, 5);
	lose(c, 2);
	assert_int_equal(READ(c, 0, shared), CORE_DO_LOST);
	assert_int_equal(WRITE(c, 1, shared), CORE_DO_LOST);
	assert_int_equal(put(c, 0, alone, 1, 6), 0);
	expect(c, 0, alone, 0, 5);
	close_rc(c);
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
	close_rc(c);
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
		cmocka_unit_test(test_steady_stencil),
		cmocka_unit_test(test_barrier_waits_for_what_is_counted),
		cmocka_unit_test(test_next_barrier_overtakes),
		cmocka_unit_test(test_arrives_when_flushed),
		cmocka_unit_test(test_many_pages),
		cmocka_unit_test(test_unused_copy_leaves),
		cmocka_unit_test(test_one_rearm_in_64),
		cmocka_unit_test(test_given_up_and_asked_for_again),
		cmocka_unit_test(test_lock_brings_changes),
		cmocka_unit_test(test_cached_lock_is_silent),
		cmocka_unit_test(test_lock_waits_for_what_is_counted),
		cmocka_unit_test(test_owner_flushes_again),
		cmocka_unit_test(test_owner_lost),
		cmocka_unit_test(test_owner_lost_while_asked),
		cmocka_unit_test(test_holder_lost_while_spread),
		cmocka_unit_test(test_home_lost),
		cmocka_unit_test(test_refuses_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
