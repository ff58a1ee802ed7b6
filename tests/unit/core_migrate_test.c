/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core_migrate_test.c - homes that move: what it saves, and that it never costs more than a constant.
 *
 * Programs of a few kinds run twice, with homes that move and with homes that stay, and their messages are counted.
 */
#include "tests/unit/core_util.h"

#define PAGES	 64
#define CONSTANT 40 /* messages a page that all moves of a run may cost together, however long it is */

static struct cluster *open_cluster(unsigned nodes, uint32_t per_home, uint32_t migrate_after,
				    uint32_t update_after)
{
	struct cluster *c = calloc(1, sizeof(*c));
	struct core_config config = {.nodes = (uint16_t)nodes,
				     .pages = PAGES,
				     .pages_per_home = per_home,
				     .generation = 7,
				     .migrate_after = migrate_after,
				     .update_after = update_after};

	assert_non_null(c);
	c->nodes = nodes;
	for (; config.node < nodes; config.node++)
		assert_int_equal(core__open(&c->core[config.node], &config), 0);
	return c;
}

struct range {
	uint32_t first, count;
	bool write, bulk;
};

static int access(struct cluster *c, unsigned node, const struct range *r)
{
	struct core_event event = {.type = CORE_ACCESS, .write = r->write, .count = r->bulk ? r->count : 1};
	int verdict = CORE_DO_RESUME;
	uint32_t i;

	for (i = 0; i < r->count && verdict == CORE_DO_RESUME; i += event.count) {
		event.page = r->first + i;
		if (r->bulk || core__rights(c->core[node], event.page) < (r->write ? CORE_WRITE : CORE_READ))
			verdict = act(c, node, event);
	}
	return verdict;
}

/* A transaction, tried until it commits. Returns its messages. */
static size_t transact(struct cluster *c, unsigned node, struct range r)
{
	size_t sent;
	unsigned i;
	int verdict = CORE_DO_ABORT;

	cluster__forget(c);
	for (i = 0; i < 4 && verdict == CORE_DO_ABORT; i++) {
		verdict = BEGIN(c, node);
		if (verdict == CORE_DO_RESUME)
			verdict = access(c, node, &r);
		if (verdict == CORE_DO_RESUME)
			verdict = r.write ? COMMIT(c, node) : COMMIT_SILENT(c, node);
	}
	assert_int_equal(verdict, CORE_DO_RESUME);
	sent = total_sent(c);
	cluster__forget(c);
	return sent;
}

/* ---- programs that repeat themselves ---- */

/* In each cycle node 1 writes the pages, in one transaction, `writes` times; then `readers` (a bit each) read them. Every
 * fourth time the `other` node writes, too, if there is one. All pages are born at node 0. */
struct pattern {
	unsigned nodes, pages, writes, readers;
	int other;
	bool bulk;
};

static size_t cycle(struct cluster *c, const struct pattern *p, unsigned number)
{
	struct range r = {.count = p->pages, .bulk = p->bulk};
	size_t sent = 0;
	unsigned i;

	r.write = true;
	for (i = 0; i < p->writes; i++)
		sent += transact(c, 1, r);
	r.write = false;
	for (i = 0; i < p->nodes; i++)
		if (p->readers & 1u << i)
			sent += transact(c, i, r);
	r.write = true;
	if (p->other >= 0 && number % 4 == 3)
		sent += transact(c, (unsigned)p->other, r);
	return sent;
}

/* *last: messages of the last cycle. */
static size_t run(const struct pattern *p, uint32_t migrate_after, unsigned cycles, size_t *last)
{
	struct cluster *c = open_cluster(p->nodes, PAGES, migrate_after, 0);
	size_t sent = 0;
	unsigned i;

	for (i = 0; i < cycles; i++) {
		*last = cycle(c, p, i);
		sent += *last;
	}
	cluster__close(c);
	return sent;
}

static void check(const struct pattern *p, unsigned cycles)
{
	size_t stay_last, move_last, stay = run(p, CORE_NEVER, cycles, &stay_last),
				     move = run(p, 0, cycles, &move_last);

	if (move > stay + CONSTANT * p->pages)
		fail_msg("%u nodes, %u pages, %u writes, readers %#x, other %d, bulk %d, %u cycles: "
			 "%zu messages, %zu if homes stay (the last cycle: %zu, %zu)",
			 p->nodes, p->pages, p->writes, p->readers, p->other, p->bulk, cycles, move, stay,
			 move_last, stay_last);
}

static void test_never_dearer(void **state)
{
	static const unsigned pages[] = {1, 3, 16, 40}, writes[] = {1, 2, 4};
	struct pattern p = {0};
	size_t i, k;

	(void)state;
	for (p.nodes = 2; p.nodes <= 4; p.nodes++)
		for (p.readers = 1; p.readers < 1u << p.nodes; p.readers += 2 - (p.readers & 1))
			for (i = 0; i < 4; i++)
				for (k = 0; k < 3; k++)
					for (p.other = -1; p.other < (int)p.nodes; p.other++) {
						p.pages = pages[i];
						p.writes = writes[k];
						p.bulk = true;
						check(&p, 100);
						p.bulk = p.other >=
							 0; /* how lucky prefetches are is another matter */
						check(&p, 300);
					}
}

/* One LOCK for 16 pages is saved once, not 16 times: the home reads each of them, so they had better stay. */
static void test_one_lock_of_many_pages(void **state)
{
	const struct pattern p = {.nodes = 2, .pages = 16, .writes = 4, .readers = 1, .other = -1};
	size_t stay, move;

	(void)state;
	run(&p, CORE_NEVER, 400, &stay);
	run(&p, 0, 400, &move);
	assert_int_equal(stay, 36); /* two LOCKs with their GRANTs, 16 RECALLs with their DOWNGRADEs */
	assert_int_equal(move, stay);
}

/* Written by one node and read by another, at home with a third one: as many messages as in docs/protocol.md. */
static void test_saves(void **state)
{
	struct pattern p = {.nodes = 3, .pages = 1, .writes = 2, .readers = 4, .other = -1, .bulk = true};
	size_t stay, move;

	(void)state;
	run(&p, CORE_NEVER, 100, &stay);
	run(&p, 0, 100, &move);
	assert_int_equal(stay, 10); /* INVALIDATE, FETCH, two LOCKs, RECALL */
	assert_int_equal(move, 4);  /* INVALIDATE, FETCH */
	p.pages = 32;
	run(&p, 0, 100, &move);
	assert_int_equal(move, 4);
}

/* ---- where the home is ---- */

/* Nodes 1 and 2 write and read page 0, which is born at node 0, until node 1 is its home. */
static struct cluster *moved(void)
{
	struct cluster *c = open_cluster(3, PAGES, 0, CORE_NEVER);
	unsigned i;

	for (i = 0; i < 100 && core__home(c->core[0], 0) == 0; i++) {
		transact(c, 1, (struct range){.count = 1, .write = true, .bulk = true});
		if (core__home(c->core[0], 0) == 0)
			transact(c, 2, (struct range){.count = 1, .bulk = true});
	}
	assert_int_equal(core__home(c->core[0], 0), 1);
	assert_int_equal(core__home(c->core[1], 0), 1);
	return c;
}

/* Pages that are written together move together, with one message. */
static void test_together(void **state)
{
	struct cluster *c = open_cluster(3, PAGES, 0, 0);
	const struct logged *hand;
	size_t i, hands = 0, pages = 0, k;

	(void)state;
	for (i = 0; i < 60; i++) {
		for (k = 0; k < 2; k++) {
			assert_int_equal(BEGIN(c, 1), CORE_DO_RESUME);
			assert_int_equal(
				access(c, 1, &(struct range){.count = 16, .write = true, .bulk = true}),
				CORE_DO_RESUME);
			assert_int_equal(COMMIT(c, 1), CORE_DO_RESUME);
			hands += c->sent[CORE_MSG_HAND];
			for (size_t n = 0; (hand = find(c, 0, CORE_DO_SEND, 0, n)); n++)
				if (hand->action.msg.type == CORE_MSG_HAND)
					pages = hand->npages;
			cluster__forget(c);
		}
		transact(c, 2, (struct range){.count = 16, .bulk = true});
	}
	assert_int_equal(hands, 1);
	assert_int_equal(pages, 16);
	cluster__close(c);
}

/* When only the birth home reads what the writer has taken along, it costs more there (unless that gets updates): it goes back with the bytes, in
 * a commit of the writer, who is a holder like others then. */
static void test_goes_back(void **state)
{
	struct cluster *c = moved();
	const struct logged *l;
	const struct core_msg *hand = NULL;
	size_t i, n;

	(void)state;
	for (i = 0; i < 100 && core__home(c->core[1], 0) == 1; i++) {
		cluster__forget(c);
		transact(c, 0, (struct range){.count = 1});
		assert_int_equal(BEGIN(c, 1), CORE_DO_RESUME);
		assert_int_equal(WRITE(c, 1, 0), CORE_DO_RESUME);
		assert_int_equal(COMMIT(c, 1), CORE_DO_RESUME);
	}
	for (n = 0; (l = find(c, 1, CORE_DO_SEND, 0, n)); n++)
		if (l->action.msg.type == CORE_MSG_HAND)
			hand = &l->action.msg;
	if (!hand)
		abort(); /* it has not left */
	assert_int_equal(hand->to, 0);
	assert_int_equal(hand->number, 1);
	assert_int_equal(core__home(c->core[0], 0), 0);
	assert_int_equal(core__home(c->core[1], 0), 0);
	cluster__forget(c);
	assert_int_equal(transact(c, 0, (struct range){.count = 1}), 0); /* it has the bytes */
	assert_int_equal(transact(c, 1, (struct range){.count = 1, .write = true}), 2);
	cluster__close(c);
}

/* Each turn adds as much as the other takes off. */
static void test_by_turns(void **state)
{
	struct cluster *c = open_cluster(2, PAGES, 0, 0);
	unsigned i;

	(void)state;
	for (i = 0; i < 400; i++) {
		transact(c, i % 2, (struct range){.count = 1 + i % 2, .write = true});
		assert_int_equal(core__home(c->core[0], 0), 0);
	}
	cluster__close(c);
}

/* A program that changes its ways again and again: node 1 writes for node 2, and then once for each read of node 0. */
static void test_phases(void **state)
{
	const struct pattern
		there = {.nodes = 3, .pages = 8, .writes = 4, .readers = 4, .other = -1, .bulk = true},
		back = {.nodes = 3, .pages = 8, .writes = 1, .readers = 1, .other = -1, .bulk = true};
	struct cluster *c[2] = {open_cluster(3, PAGES, CORE_NEVER, 0), open_cluster(3, PAGES, 0, 0)};
	size_t sent[2] = {0};
	unsigned i, k, homes = 0;

	(void)state;
	for (i = 0; i < 2000; i++) {
		for (k = 0; k < 2; k++)
			sent[k] += cycle(c[k], i / 50 % 2 ? &back : &there, i);
		homes |= 1u << core__home(c[1]->core[0], 0);
	}
	assert_int_equal(homes, 3);
	assert_true(sent[1] <= sent[0] + CONSTANT * 8);
	for (k = 0; k < 2; k++)
		cluster__close(c[k]);
}

/* The own pages of a commit are locked first: so the other home decides, and no PUBLISH is needed. */
static void test_own_home_first(void **state)
{
	struct cluster *c = open_cluster(2, PAGES / 2, 0, 0);
	const struct range both = {.first = PAGES / 2 - 1, .count = 2},
			   write = {both.first, 2, .write = true};

	(void)state;
	transact(c, 0, both);
	transact(c, 1, both);
	BEGIN(c, 1);
	assert_int_equal(access(c, 1, &write), CORE_DO_RESUME);
	assert_int_equal(COMMIT(c, 1), CORE_DO_RESUME);
	assert_int_equal(c->sent[CORE_MSG_LOCK], 1);
	assert_int_equal(c->sent[CORE_MSG_GRANT], 1);
	assert_int_equal(c->sent[CORE_MSG_INVALIDATE], 1); /* of node 1's own page, at node 0 */
	assert_int_equal(c->sent[CORE_MSG_PUBLISH], 0);
	cluster__close(c);
}

/* ---- programs without a pattern ---- */

static uint32_t draw(uint64_t *rng, uint32_t n)
{
	*rng = *rng * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((*rng >> 33) % n);
}

#define GROUPS	   4u
#define NODES_MOST 4u

/* Each node reads and writes each of four groups of pages, or parts of it, with a likelihood of its own. */
static size_t run_any(uint64_t rng, unsigned nodes, uint32_t migrate_after)
{
	struct cluster *c = open_cluster(nodes, PAGES / nodes, migrate_after, 0);
	uint32_t i, g, node, often[NODES_MOST][GROUPS], span[GROUPS];
	struct range r = {.bulk = draw(&rng, 2)};
	size_t sent = 0;

	for (i = 0; i < NODES_MOST * GROUPS; i++)
		often[i / GROUPS][i % GROUPS] = draw(&rng, draw(&rng, 3) ? 4 : 100);
	for (g = 0; g < GROUPS; g++)
		span[g] = 1 + draw(&rng, PAGES / GROUPS);
	for (i = 0; i < 3000; i++) {
		node = draw(&rng, nodes);
		g = draw(&rng, GROUPS);
		r.first = draw(&rng, 3) ? 0 : draw(&rng, span[g]);
		r.count = span[g] - r.first;
		r.first += g * PAGES / GROUPS;
		r.write = draw(&rng, 100) < often[node][g];
		sent += transact(c, node, r);
	}
	cluster__close(c);
	return sent;
}

/* No rule can foresee what is drawn; but taken together it must hardly cost anything. */
static void test_any(void **state)
{
	size_t stay = 0, move = 0;
	uint64_t seed;
	unsigned nodes;

	(void)state;
	for (seed = 1; seed <= 40; seed++)
		for (nodes = 2; nodes <= NODES_MOST; nodes++) {
			stay += run_any(seed * 77773, nodes, CORE_NEVER);
			move += run_any(seed * 77773, nodes, 0);
		}
	print_message("drawn: %zu messages if homes stay, %zu if they move\n", stay, move);
	assert_true(move <= stay + stay / 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never_dearer), cmocka_unit_test(test_one_lock_of_many_pages),
		cmocka_unit_test(test_saves),	     cmocka_unit_test(test_together),
		cmocka_unit_test(test_goes_back),    cmocka_unit_test(test_by_turns),
		cmocka_unit_test(test_phases),	     cmocka_unit_test(test_own_home_first),
		cmocka_unit_test(test_any),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
