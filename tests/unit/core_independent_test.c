/* SPDX-License-Identifier: BSD-2-Clause */
/* core_independent_test.c - attempts that are never undone: what they write in place, what others may do to their pages meanwhile,
 * and how they commit all the same. Node i is home of pages 4i to 4i + 3. */
#include "tests/unit/core_port.h"

#include <errno.h>

#define PAGES	 12u
#define PER_HOME 4u

static struct cluster *open_three(void)
{
	return port__cluster_like(3, (struct core_config){.pages = PAGES,
							  .pages_per_home = PER_HOME,
							  .elevate_after = 1,
							  .migrate_after = CORE_NEVER});
}

static void begin(struct cluster *c, unsigned node)
{
	assert_int_equal(
		act(c, node, (struct core_event){.type = CORE_BEGIN, .site = 3, .independent = true}),
		CORE_DO_RESUME);
}

static enum core_rights rights(struct cluster *c, unsigned node, uint32_t page)
{
	assert_int_equal(port_of(c, node)->rights[page], core__rights(c->core[node], page));
	return port_of(c, node)->rights[page];
}

/* As the mutator does it: with a fault where the page is closed. */
static void set(struct cluster *c, unsigned node, uint32_t page, unsigned byte, uint8_t value)
{
	if (rights(c, node, page) != CORE_WRITE)
		assert_int_equal(WRITE(c, node, page), CORE_DO_RESUME);
	assert_int_equal(rights(c, node, page), CORE_WRITE);
	port_of(c, node)->frame[page][byte] = value;
}

static uint8_t get(struct cluster *c, unsigned node, uint32_t page, unsigned byte)
{
	if (rights(c, node, page) == CORE_NONE)
		assert_int_equal(READ(c, node, page), CORE_DO_RESUME);
	assert_true(rights(c, node, page) >= CORE_READ);
	return port_of(c, node)->frame[page][byte];
}

/* The end of the block: the changed pages are those that differ from their twins. */
static struct core_event end_of(struct cluster *c, unsigned node)
{
	struct port_node *n = port_of(c, node);
	const uint32_t *dirty;
	size_t i, count;

	dirty = core__dirty(c->core[node], &count);
	for (i = 0; i < count; i++)
		n->changed[i] = memcmp(n->frame[dirty[i]], n->twin[dirty[i]], PAGE_BYTES) != 0;
	return (struct core_event){.type = CORE_COMMIT, .changed = n->changed};
}

static void commit(struct cluster *c, unsigned node)
{
	assert_int_equal(act(c, node, end_of(c, node)), CORE_DO_RESUME);
}

static bool is_doomed(const struct cluster *c, unsigned node)
{
	bool doomed;

	core__attempt(c->core[node], &doomed);
	return doomed || find(c, node, CORE_DO_DOOM, 0, 0);
}

/* What has become of the page, by an attempt of its own. */
static uint8_t seen(struct cluster *c, unsigned node, uint32_t page, unsigned byte)
{
	uint8_t value;

	begin(c, node);
	value = get(c, node, page, byte);
	commit(c, node);
	return value;
}

/* ---- in place ---- */

static void test_in_place(void **state)
{
	struct cluster *c = open_three();
	size_t count;

	(void)state;
	begin(c, 0);
	get(c, 0, 0, 0);
	set(c, 0, 0, 0, 11);
	set(c, 0, 5, 0, 12);
	core__dirty(c->core[0], &count);
	assert_int_equal(count, 0);
	commit(c, 0);
	cluster__forget(c);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(rights(c, 0, 0), CORE_WRITE); /* so there is no fault either */
		assert_int_equal(rights(c, 0, 5), CORE_WRITE);
		begin(c, 0);
		set(c, 0, 5, 1, (uint8_t)i);
		commit(c, 0);
	}
	assert_int_equal(total_sent(c), 0);
	assert_null(find(c, 0, CORE_DO_TWIN, 0, 0));
	assert_null(find(c, 0, CORE_DO_PROTECT, 0, 0));
	port__end(c);
}

/* Another node wants it meanwhile: it is given as it is, and written like any other from then on. */
static void test_recalled(void **state)
{
	struct cluster *c = open_three();

	(void)state;
	begin(c, 0);
	set(c, 0, 5, 0, 11);
	cluster__forget(c);
	begin(c, 2);
	assert_int_equal(get(c, 2, 5, 0), 11);
	assert_int_equal(c->sent[CORE_MSG_RECALL], 1);
	assert_int_equal(rights(c, 0, 5), CORE_READ);
	assert_int_equal(core__version(c->core[0], 5), 1);
	assert_int_equal(core__version(c->core[2], 5), 1);
	assert_null(find(c, 0, CORE_DO_TWIN, 0, 0));
	set(c, 0, 5, 1, 12);
	assert_non_null(find(c, 0, CORE_DO_TWIN, 0, 0));
	set(c, 2, 5, 2, 13);
	commit(c, 0);
	commit(c, 2);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(seen(c, i, 5, 0), 11);
		assert_int_equal(seen(c, i, 5, 1), 12);
		assert_int_equal(seen(c, i, 5, 2), 13);
	}
	port__end(c);
}

/* An attempt that may be undone must not write in place; and undoing it leaves what was there before. */
static void test_closed(void **state)
{
	struct cluster *c = open_three();

	(void)state;
	begin(c, 0);
	set(c, 0, 0, 0, 11);
	set(c, 0, 5, 0, 12);
	commit(c, 0);
	cluster__forget(c);
	assert_int_equal(BEGIN(c, 0), CORE_DO_RESUME);
	assert_int_equal(rights(c, 0, 0), CORE_READ);
	assert_int_equal(rights(c, 0, 5), CORE_READ);
	assert_int_equal(core__version(c->core[0], 0), 1);
	assert_int_equal(core__version(c->core[0], 5), 1);
	set(c, 0, 0, 0, 99);
	set(c, 0, 5, 0, 99);
	assert_int_equal(CANCEL(c, 0), CORE_DO_ABORT);
	assert_int_equal(total_sent(c), 0);
	assert_int_equal(seen(c, 2, 0, 0), 11);
	assert_int_equal(seen(c, 2, 5, 0), 12);
	port__end(c);
}

/* ---- others commit what it has ---- */

static void test_not_doomed(void **state)
{
	struct cluster *c = open_three();

	(void)state;
	begin(c, 0);
	assert_int_equal(get(c, 0, 5, 0), 0);
	begin(c, 2);
	set(c, 2, 5, 0, 13);
	cluster__forget(c);
	commit(c, 2);
	assert_int_equal(c->sent[CORE_MSG_INVALIDATE], 1);
	assert_false(is_doomed(c, 0));
	assert_int_equal(SAFE(c, 0), CORE_DO_RESUME);
	assert_int_equal(rights(c, 0, 5), CORE_READ);
	assert_int_equal(get(c, 0, 5, 0), 0); /* until it ends */
	commit(c, 0);
	assert_int_equal(rights(c, 0, 5), CORE_NONE);
	assert_int_equal(seen(c, 0, 5, 0), 13);
	port__end(c);
}

/* Two nodes write the same page, and one is first. */
static void write_both(struct cluster *c, uint8_t value)
{
	begin(c, 0);
	begin(c, 2);
	get(c, 0, 5, 0);
	set(c, 2, 5, 2, value);
	set(c, 0, 5, 0, value);
	commit(c, 2);
	cluster__forget(c);
	assert_false(is_doomed(c, 0));
	assert_int_equal(port_of(c, 0)->frame[5][2], value - 1);
	commit(c, 0);
	assert_non_null(find(c, 0, CORE_DO_REBASE, 0, 0));
	assert_null(find(c, 0, CORE_DO_REBASE, 0, 1));
}

static void check_both(struct cluster *c, uint8_t value)
{
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(seen(c, i, 5, 0), value);
		assert_int_equal(seen(c, i, 5, 2), value);
	}
}

static void test_fetched_and_rebased(void **state)
{
	struct cluster *c = open_three();

	(void)state;
	write_both(c, 1);
	assert_int_equal(c->sent[CORE_MSG_FETCH], 1);
	assert_int_equal(c->sent[CORE_MSG_DENY], 0);
	check_both(c, 1);
	port__end(c);
}

/* Who has come back for the page several times is sent the changes: then they are here already. */
static void test_updated_and_rebased(void **state)
{
	struct cluster *c = open_three();
	uint8_t value = 0;

	(void)state;
	do {
		assert_true(++value < 10);
		write_both(c, value);
		assert_int_equal(seen(c, 2, 5, 0), value);
	} while (c->sent[CORE_MSG_FETCH]);
	assert_int_equal(c->sent[CORE_MSG_DENY], 0);
	check_both(c, value);
	port__end(c);
}

/* A newer version of a page that the attempt has only read shows when it ends. */
static void test_updated_and_promoted(void **state)
{
	struct cluster *c = open_three();
	uint8_t value = 0;

	(void)state;
	do {
		assert_true(++value < 10);
		begin(c, 0);
		assert_int_equal(get(c, 0, 5, 2), value - 1);
		begin(c, 2);
		set(c, 2, 5, 2, value);
		cluster__forget(c);
		commit(c, 2);
		assert_int_equal(get(c, 0, 5, 2), value - 1);
		commit(c, 0);
	} while (!find(c, 0, CORE_DO_PROMOTE, 0, 0));
	assert_int_equal(rights(c, 0, 5), CORE_READ);
	assert_int_equal(port_of(c, 0)->frame[5][2], value);
	port__end(c);
}

/* ---- they meet while they commit ---- */

/* Both ask for the page's lock; the first one has the higher rank. The other one is denied, and asks again with what that has
 * made of the page. */
static void test_denied(void **state)
{
	struct cluster *c = open_three();
	uint32_t attempt;
	int verdict;

	(void)state;
	begin(c, 0);
	begin(c, 2);
	get(c, 0, 5, 0);
	set(c, 2, 5, 2, 13);
	set(c, 0, 5, 0, 11);
	cluster__forget(c);
	assert_int_equal(begin_step(c, 0, end_of(c, 0)), CORE_DO_WAIT);
	verdict = begin_step(c, 2, end_of(c, 2));
	assert_int_equal(verdict, CORE_DO_WAIT);
	attempt = core__attempt(c->core[2], NULL).attempt;
	deliver(c, 2, &verdict);
	assert_int_equal(verdict, CORE_DO_RESUME);
	assert_non_null(find(c, 0, CORE_DO_RESUME, 0, 0));
	assert_int_equal(c->sent[CORE_MSG_DENY], 1);
	assert_int_equal(c->sent[CORE_MSG_LOCK], 3);
	assert_non_null(find(c, 2, CORE_DO_REBASE, 0, 0));
	assert_null(find(c, 2, CORE_DO_EMIT, CORE_EMIT_ABORT, 0));
	assert_int_equal(find(c, 2, CORE_DO_EMIT, CORE_EMIT_COMMIT, 0)->action.party.attempt, attempt + 1);
	assert_int_equal(seen(c, 1, 5, 0), 11);
	assert_int_equal(seen(c, 1, 5, 2), 13);
	port__end(c);
}

static int tick(struct cluster *c, unsigned node)
{
	assert_non_null(find(c, node, CORE_DO_TICK, 0, 0)); /* who has not asked for it gets none */
	cluster__forget(c);
	return act(c, node, (struct core_event){.type = CORE_TICK});
}

/* The same, and the other one's LOCK comes first: who has the higher rank refuses it, or they would undo one another's locks for
 * ever. */
static void test_refuses(void **state)
{
	struct cluster *c = open_three();
	int verdict = CORE_DO_WAIT;

	(void)state;
	begin(c, 0);
	begin(c, 2);
	get(c, 0, 5, 0);
	set(c, 2, 5, 2, 13);
	set(c, 0, 5, 0, 11);
	cluster__forget(c);
	assert_int_equal(begin_step(c, 2, end_of(c, 2)), CORE_DO_WAIT);
	assert_int_equal(begin_step(c, 0, end_of(c, 0)), CORE_DO_WAIT);
	deliver(c, 0, &verdict);
	assert_int_equal(verdict, CORE_DO_RESUME);
	assert_int_equal(c->sent[CORE_MSG_REFUSE], 1);
	assert_null(find(c, 2, CORE_DO_RESUME, 0, 0));
	assert_int_equal(tick(c, 2), CORE_DO_RESUME);
	assert_int_equal(seen(c, 1, 5, 0), 11);
	assert_int_equal(seen(c, 1, 5, 2), 13);
	port__end(c);
}

/* Somebody's next attempt has priority, since this one of it is undone. It reads the page. */
static void elevate(struct cluster *c, unsigned node, uint32_t page)
{
	assert_int_equal(BEGIN(c, node), CORE_DO_RESUME);
	get(c, node, page, 0);
	begin(c, 0);
	set(c, 0, page, 1, 1);
	commit(c, 0);
	assert_int_equal(SAFE(c, node), CORE_DO_ABORT);
	assert_int_equal(BEGIN(c, node), CORE_DO_RESUME);
	get(c, node, page, 0);
}

/* Nothing newer is to be had: it waits for a while, each time a longer one, and keeps nobody waiting. */
static void test_refused(void **state)
{
	struct cluster *c = open_three();

	(void)state;
	elevate(c, 2, 5);
	begin(c, 0);
	set(c, 0, 5, 0, 11);
	cluster__forget(c);
	assert_int_equal(act(c, 0, end_of(c, 0)), CORE_DO_WAIT);
	assert_int_equal(c->sent[CORE_MSG_REFUSE], 1);
	assert_int_equal(tick(c, 0), -1);
	assert_int_equal(c->sent[CORE_MSG_LOCK], 1);
	assert_int_equal(c->sent[CORE_MSG_REFUSE], 1);
	assert_int_equal(tick(c, 0), -1); /* of two */
	assert_int_equal(c->sent[CORE_MSG_LOCK], 0);
	assert_int_equal(COMMIT_SILENT(c, 2), CORE_DO_RESUME);
	assert_int_equal(c->sent[CORE_MSG_LOCK], 0);
	assert_int_equal(tick(c, 0), CORE_DO_RESUME);
	assert_null(find(c, 0, CORE_DO_TICK, 0, 0));
	assert_int_equal(seen(c, 2, 5, 0), 11);
	port__end(c);
}

/* While it waits it gives away what it has alone, though it has changed it: who refuses it may want just that. */
static void test_refused_and_recalled(void **state)
{
	struct cluster *c = open_three();
	int verdict = CORE_DO_WAIT;

	(void)state;
	elevate(c, 2, 5);
	for (unsigned i = 0; i < 3; i++) { /* so page 0 stays writable, with a twin */
		assert_int_equal(BEGIN(c, 0), CORE_DO_RESUME);
		set(c, 0, 0, 0, (uint8_t)(i + 1));
		commit(c, 0);
	}
	assert_true(core__stays(c->core[0], 0));
	begin(c, 0);
	set(c, 0, 5, 0, 11);
	set(c, 0, 0, 0, 12);
	cluster__forget(c);
	assert_int_equal(begin_step(c, 0, end_of(c, 0)), CORE_DO_WAIT);
	/* Its LOCK is on its way when the other one asks; the answer waits for what becomes of it. */
	assert_int_equal(begin_step(c, 2, (struct core_event){.type = CORE_ACCESS, .page = 0}), CORE_DO_WAIT);
	deliver_type(c, 0, CORE_MSG_FETCH);
	assert_int_equal(c->sent[CORE_MSG_PAGE], 0);
	deliver(c, 2, &verdict);
	assert_int_equal(verdict, CORE_DO_RESUME);
	assert_int_equal(port_of(c, 2)->frame[0][0], 3); /* what is committed */
	assert_int_equal(COMMIT_SILENT(c, 2), CORE_DO_RESUME);
	assert_int_equal(tick(c, 0), CORE_DO_RESUME);
	assert_int_equal(seen(c, 2, 0, 0), 12);
	assert_int_equal(seen(c, 2, 5, 0), 11);
	port__end(c);
}

/* ---- what it may not ---- */

static void test_misuse(void **state)
{
	static const enum core_event_type refused[] = {CORE_CANCEL, CORE_RETRY, CORE_IRREVOCABLE};
	struct cluster *c = open_three();
	int verdict;

	(void)state;
	begin(c, 0);
	set(c, 0, 5, 0, 11);
	for (unsigned i = 0; i < 3; i++) {
		struct core_event event = {.type = refused[i]};

		assert_int_equal(step(c, 0, &event, &verdict), -EINVAL);
		assert_int_equal(SAFE(c, 0), CORE_DO_RESUME);
	}
	commit(c, 0);
	assert_int_equal(seen(c, 2, 5, 0), 11);
	/* The next one that promises nothing may. */
	assert_int_equal(BEGIN(c, 0), CORE_DO_RESUME);
	assert_int_equal(CANCEL(c, 0), CORE_DO_ABORT);
	port__end(c);
}

/* ---- a node is lost ---- */

/* It can be neither undone nor finished: its node must end. */
static void check_end(const struct cluster *c, unsigned node, unsigned with)
{
	const struct logged *l = find(c, node, CORE_DO_LOST, 0, 0);

	assert_non_null(l);
	assert_int_equal(l->action.node, with);
	assert_true(l->action.doubt);
	assert_null(find(c, node, CORE_DO_LOST, 0, 1));
	assert_null(find(c, node, CORE_DO_EMIT, CORE_EMIT_ABORT, 0));
	assert_null(find(c, node, CORE_DO_EMIT, CORE_EMIT_COMMIT, 0));
}

static void test_lost_at_access(void **state)
{
	struct cluster *c = open_three();

	(void)state;
	begin(c, 0);
	set(c, 0, 0, 0, 11);
	c->dead[1] = true;
	assert_int_equal(hear(c, 0, 1), -1);
	assert_int_equal(READ(c, 0, 5), CORE_DO_LOST);
	check_end(c, 0, 1);
	port__end(c);
}

static void test_lost_at_fetch(void **state)
{
	struct cluster *c = open_three();

	(void)state;
	begin(c, 0);
	set(c, 0, 0, 0, 11);
	c->dead[1] = true;
	assert_int_equal(READ(c, 0, 5), CORE_DO_WAIT);
	assert_int_equal(hear(c, 0, 1), CORE_DO_LOST);
	check_end(c, 0, 1);
	port__end(c);
}

/* Nodes 0 and 2 have written pages 5 (of node 1) and 9 (of node 2); node 0 is to commit them. */
static struct cluster *open_shared(bool first)
{
	struct cluster *c = open_three();

	begin(c, 0);
	begin(c, 2);
	get(c, 0, 5, 0);
	get(c, 0, 9, 0);
	set(c, 2, 5, 2, 13);
	get(c, 2, 9, 0);
	set(c, 0, 5, 0, 11);
	set(c, 0, 9, 0, 12);
	if (first)
		commit(c, 2);
	cluster__forget(c);
	c->dead[1] = true;
	return c;
}

static void test_lost_before_commit(void **state)
{
	struct cluster *c = open_shared(false);

	(void)state;
	assert_int_equal(hear(c, 0, 1), -1);
	assert_int_equal(act(c, 0, end_of(c, 0)), CORE_DO_LOST);
	check_end(c, 0, 1);
	port__end(c);
}

static void test_lost_while_it_asks(void **state)
{
	struct cluster *c = open_shared(false);

	(void)state;
	assert_int_equal(act(c, 0, end_of(c, 0)), CORE_DO_WAIT);
	assert_int_equal(hear(c, 0, 1), CORE_DO_LOST);
	c->dead[2] = true; /* nothing more is heard of it */
	assert_int_equal(hear(c, 0, 2), -1);
	check_end(c, 0, 1);
	port__end(c);
}

/* The newer version that its changes would go on top of. */
static void test_lost_while_it_fetches(void **state)
{
	struct cluster *c = open_shared(true);

	(void)state;
	assert_int_equal(act(c, 0, end_of(c, 0)), CORE_DO_WAIT);
	assert_int_equal(c->sent[CORE_MSG_FETCH], 1);
	assert_int_equal(c->sent[CORE_MSG_LOCK], 0);
	assert_int_equal(hear(c, 0, 1), CORE_DO_LOST);
	check_end(c, 0, 1);
	port__end(c);
}

static void test_lost_before_it_fetches(void **state)
{
	struct cluster *c = open_shared(true);

	(void)state;
	assert_int_equal(hear(c, 0, 1), -1);
	assert_int_equal(act(c, 0, end_of(c, 0)), CORE_DO_LOST);
	assert_int_equal(c->sent[CORE_MSG_FETCH], 0);
	check_end(c, 0, 1);
	port__end(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_place),
		cmocka_unit_test(test_recalled),
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_not_doomed),
		cmocka_unit_test(test_fetched_and_rebased),
		cmocka_unit_test(test_updated_and_rebased),
		cmocka_unit_test(test_updated_and_promoted),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_and_recalled),
		cmocka_unit_test(test_misuse),
		cmocka_unit_test(test_lost_at_access),
		cmocka_unit_test(test_lost_at_fetch),
		cmocka_unit_test(test_lost_before_commit),
		cmocka_unit_test(test_lost_while_it_asks),
		cmocka_unit_test(test_lost_while_it_fetches),
		cmocka_unit_test(test_lost_before_it_fetches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
