/* SPDX-License-Identifier: BSD-2-Clause */
/* core_test.c - the protocol core, one rule at a time (all together: tests/sim). */
#include "tests/unit/core_util.h"

#include <errno.h>

static void test_alone(void **state)
{
	struct cluster *c = cluster__open(1, 8, 8, 0);

	(void)state;
	assert_int_equal(BEGIN(c, 0), CORE_DO_RESUME);
	assert_int_equal(READ(c, 0, 3), CORE_DO_RESUME);
	assert_int_equal(WRITE(c, 0, 3), CORE_DO_RESUME);
	assert_int_equal(COMMIT(c, 0), CORE_DO_RESUME);
	assert_int_equal(core__version(c->core[0], 3), 1);
	assert_int_equal(BARRIER(c, 0), CORE_DO_RESUME);
	assert_int_equal(total_sent(c), 0);
	assert_true(find(c, 0, CORE_DO_EMIT, CORE_EMIT_COMMIT, 0)->action.local);
	assert_int_equal(find(c, 0, CORE_DO_EMIT, CORE_EMIT_BARRIER, 0)->action.number, 1);
	cluster__close(c);
}

/* Node 1 writes a page of node 0 that nobody has: it may commit alone from then on. */
static void test_exclusive_needs_no_messages(void **state)
{
	struct cluster *c = cluster__open(2, 8, 8, 0);
	int i;

	(void)state;
	BEGIN(c, 1);
	assert_int_equal(WRITE(c, 1, 2), CORE_DO_RESUME);
	assert_int_equal(total_sent(c), 2); /* FETCH, PAGE */
	COMMIT(c, 1);
	for (i = 0; i < 5; i++) {
		BEGIN(c, 1);
		WRITE(c, 1, 2);
		assert_int_equal(COMMIT(c, 1), CORE_DO_RESUME);
	}
	assert_int_equal(total_sent(c), 2);
	assert_int_equal(core__version(c->core[1], 2), 6);

	/* Node 0 reads: the owner is recalled, and gives version 6 with its bytes. */
	cluster__forget(c);
	BEGIN(c, 0);
	assert_int_equal(READ(c, 0, 2), CORE_DO_RESUME);
	assert_int_equal(c->sent[CORE_MSG_RECALL], 1);
	assert_int_equal(c->sent[CORE_MSG_DOWNGRADE], 1);
	assert_int_equal(core__version(c->core[0], 2), 6);
	assert_non_null(find(c, 0, CORE_DO_STORE, 0, 0));
	COMMIT(c, 0);

	/* Node 1's next commit asks: node 0 has a copy. */
	cluster__forget(c);
	BEGIN(c, 1);
	WRITE(c, 1, 2);
	assert_int_equal(COMMIT(c, 1), CORE_DO_RESUME);
	assert_int_equal(total_sent(c), 2); /* LOCK with the changes, GRANT: decided there */
	assert_int_equal(core__rights(c->core[0], 2), CORE_NONE);
	BEGIN(c, 1);
	WRITE(c, 1, 2);
	COMMIT(c, 1);
	assert_int_equal(total_sent(c), 4); /* the GRANT said that nobody else had it */
	cluster__forget(c);
	BEGIN(c, 1);
	WRITE(c, 1, 2);
	COMMIT(c, 1);
	assert_int_equal(total_sent(c), 0);
	cluster__close(c);
}

/* Bytes that the client still has do not travel again. */
static void test_page_without_data(void **state)
{
	struct cluster *c = cluster__open(2, 8, 8, 0);

	(void)state;
	BEGIN(c, 1);
	READ(c, 1, 2); /* version 0: zeros, as everywhere */
	assert_null(find(c, 1, CORE_DO_STORE, 0, 0));
	COMMIT(c, 1);
	BEGIN(c, 0);
	WRITE(c, 0, 2);
	COMMIT(c, 0);
	BEGIN(c, 1);
	READ(c, 1, 2);
	assert_non_null(find(c, 1, CORE_DO_STORE, 0, 0));
	assert_int_equal(core__version(c->core[1], 2), 1);
	cluster__close(c);
}

static size_t position(const struct cluster *c, const struct logged *l)
{
	assert_non_null(l);
	return (size_t)(l - c->log);
}

static const struct logged *find_send(const struct cluster *c, unsigned node, enum core_msg_type type)
{
	const struct logged *l;
	size_t n = 0;

	while ((l = find(c, node, CORE_DO_SEND, 0, n++)))
		if (l->action.msg.type == type)
			return l;
	return NULL;
}

/* Both have pages 1 and 2. Node 1 writes 1 and commits while node 0's attempt has read it. */
static void test_loser_and_winner(void **state)
{
	struct cluster *c = cluster__open(2, 8, 8, 0);
	const struct logged *abort_, *writes;
	bool doomed;

	(void)state;
	BEGIN(c, 0);
	READ(c, 0, 1);
	WRITE(c, 0, 2);
	BEGIN(c, 1);
	WRITE(c, 1, 1);
	cluster__forget(c);
	assert_int_equal(COMMIT(c, 1), CORE_DO_RESUME);
	core__attempt(c->core[0], &doomed);
	assert_true(doomed);
	assert_non_null(find(c, 0, CORE_DO_DOOM, 0, 0));
	/* The winner's order: its evidence and its changes before the twin goes. */
	writes = find(c, 1, CORE_DO_EMIT, CORE_EMIT_WRITES, 0);
	assert_int_equal(writes->action.page, 1);
	assert_int_equal(writes->action.version, 1);
	assert_true(writes->action.committed);
	assert_true(position(c, writes) < position(c, find(c, 1, CORE_DO_UNTWIN, 0, 0)));
	assert_true(position(c, find_send(c, 1, CORE_MSG_LOCK)) <
		    position(c, find(c, 1, CORE_DO_UNTWIN, 0, 0)));
	assert_true(position(c, find(c, 1, CORE_DO_EMIT, CORE_EMIT_COMMIT, 0)) <
		    position(c, find(c, 1, CORE_DO_UNTWIN, 0, 0)));
	/* The doomed attempt still sees its frame: the new version waits. */
	assert_non_null(find(c, 0, CORE_DO_STORE_NEXT, 0, 0));
	assert_null(find(c, 0, CORE_DO_STORE, 0, 0));
	assert_int_equal(core__rights(c->core[0], 1), CORE_READ);
	cluster__forget(c);
	assert_int_equal(SAFE(c, 0), CORE_DO_ABORT);
	abort_ = find(c, 0, CORE_DO_EMIT, CORE_EMIT_ABORT, 0);
	assert_int_equal(abort_->action.cause, CORE_CAUSE_CONFLICT);
	assert_int_equal(abort_->action.other.node, 1);
	assert_int_equal(abort_->action.nmeetings, 1);
	assert_int_equal(abort_->meeting[0].page, 1);
	assert_int_equal(abort_->meeting[0].version, 0);
	assert_int_equal(abort_->meeting[0].winner_version, 1);
	assert_true(abort_->meeting[0].read && !abort_->meeting[0].written && abort_->meeting[0].tracked);
	assert_true(position(c, abort_) < position(c, find(c, 0, CORE_DO_RESTORE, 0, 0)));
	assert_true(position(c, find(c, 0, CORE_DO_RESTORE, 0, 0)) <
		    position(c, find(c, 0, CORE_DO_PROMOTE, 0, 0)));
	assert_int_equal(core__rights(c->core[0], 1), CORE_NONE);
	cluster__close(c);
}

/* A page left mapped dooms although this attempt never looked at it; after that it is closed each time,
 * until 64 commits have gone by without an invalidation. */
static void test_rearm(void **state)
{
	struct cluster *c = cluster__open(2, 8, 8, 0);
	const struct logged *abort_;
	int i;

	(void)state;
	BEGIN(c, 0);
	READ(c, 0, 1);
	COMMIT(c, 0);
	assert_int_equal(core__rights(c->core[0], 1), CORE_READ); /* carried into the next attempt */
	BEGIN(c, 0);
	BEGIN(c, 1);
	WRITE(c, 1, 1);
	COMMIT(c, 1);
	cluster__forget(c);
	assert_int_equal(SAFE(c, 0), CORE_DO_ABORT);
	abort_ = find(c, 0, CORE_DO_EMIT, CORE_EMIT_ABORT, 0);
	assert_false(abort_->meeting[0].tracked);
	assert_false(abort_->meeting[0].read);

	BEGIN(c, 0);
	READ(c, 0, 1);
	COMMIT(c, 0);
	assert_int_equal(core__rights(c->core[0], 1), CORE_NONE);
	BEGIN(c, 0);
	BEGIN(c, 1);
	WRITE(c, 1, 1);
	COMMIT(c, 1); /* now nobody is doomed who did not touch it */
	assert_int_equal(SAFE(c, 0), CORE_DO_RESUME);
	COMMIT(c, 0);

	for (i = 0; i < 64; i++) {
		BEGIN(c, 0);
		cluster__forget(c);
		READ(c, 0, 1);
		assert_int_equal(find(c, 0, CORE_DO_RESUME, 0, 0)->action.fault,
				 i ? CORE_FAULT_REARM : CORE_FAULT_FETCH);
		COMMIT(c, 0);
		assert_int_equal(core__rights(c->core[0], 1), i < 63 ? CORE_NONE : CORE_READ);
	}
	cluster__close(c);
}

/* A written page without a change is not published, but its reader is still doomed by who changes it. */
static void test_silent_page_stays_read(void **state)
{
	struct cluster *c = cluster__open(2, 8, 8, 0);
	int verdict;
	struct core_event commit = {.type = CORE_COMMIT};
	const bool changed[] = {false, true};

	(void)state;
	BEGIN(c, 1); /* node 1 has pages 1 and 2, shared with node 0 */
	READ(c, 1, 1);
	READ(c, 1, 2);
	COMMIT(c, 1);
	BEGIN(c, 0);
	READ(c, 0, 1);
	READ(c, 0, 2);
	COMMIT(c, 0);
	BEGIN(c, 1);
	WRITE(c, 1, 1);
	WRITE(c, 1, 2);
	BEGIN(c, 0);
	WRITE(c, 0, 1);
	cluster__forget(c);
	commit.changed = changed; /* page 1 silent, page 2 changed */
	assert_int_equal(step(c, 1, &commit, &verdict), 0);
	assert_int_equal(verdict, CORE_DO_WAIT);
	assert_int_equal(find_send(c, 1, CORE_MSG_LOCK)->npages, 1);
	/* Node 0, of the lower number, commits page 1 first: node 1's commit loses although it only read it.
	 */
	commit.changed = all_changed;
	assert_int_equal(step(c, 0, &commit, &verdict), 0);
	verdict = -1;
	deliver(c, 1, &verdict);
	assert_int_equal(verdict, CORE_DO_ABORT);
	assert_int_equal(core__version(c->core[0], 1), 1);
	cluster__close(c);
}

/* Who loses often gets priority: then a running attempt refuses even one that commits. */
static void test_elevation(void **state)
{
	struct cluster *c = cluster__open(2, 8, 8, 2);
	const struct logged *abort_;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		BEGIN(c, 0);
		READ(c, 0, 1);
		BEGIN(c, 1);
		WRITE(c, 1, 1);
		assert_int_equal(COMMIT(c, 1), CORE_DO_RESUME);
		assert_int_equal(SAFE(c, 0), CORE_DO_ABORT);
	}
	BEGIN(c, 0);
	assert_true(core__attempt(c->core[0], NULL).birth != 0);
	assert_int_equal(core__attempt(c->core[0], NULL).attempt, 2);
	assert_int_equal(core__attempt(c->core[0], NULL).number, 1);
	READ(c, 0, 1);
	BEGIN(c, 1);
	WRITE(c, 1, 1);
	cluster__forget(c);
	assert_int_equal(COMMIT(c, 1), CORE_DO_ABORT);
	abort_ = find(c, 1, CORE_DO_EMIT, CORE_EMIT_ABORT, 0);
	assert_int_equal(abort_->action.cause, CORE_CAUSE_PRIORITY);
	assert_int_equal(abort_->action.other.node, 0);
	assert_int_equal(COMMIT(c, 0), CORE_DO_RESUME);
	BEGIN(c, 0); /* a new transaction starts without priority */
	assert_int_equal(core__attempt(c->core[0], NULL).birth, 0);
	cluster__close(c);
}

static void test_cancel_is_not_retried(void **state)
{
	struct cluster *c = cluster__open(2, 8, 8, 0);

	(void)state;
	BEGIN(c, 1);
	WRITE(c, 1, 4);
	assert_int_equal(CANCEL(c, 1), CORE_DO_ABORT);
	assert_non_null(find(c, 1, CORE_DO_RESTORE, 0, 0));
	assert_int_equal(find(c, 1, CORE_DO_EMIT, CORE_EMIT_ABORT, 0)->action.cause, CORE_CAUSE_CANCEL);
	BEGIN(c, 1);
	assert_int_equal(core__attempt(c->core[1], NULL).number, 2);
	assert_int_equal(core__attempt(c->core[1], NULL).attempt, 0);
	cluster__close(c);
}

/* 300 pages on two homes: messages of at most CORE_MSG_PAGES, rights in ranges. */
static void test_many_pages(void **state)
{
	struct cluster *c = cluster__open(3, 400, 200, 0);
	const struct logged *l;
	uint32_t p;
	size_t n, pages = 0;

	(void)state;
	BEGIN(c, 1);
	for (p = 50; p < 350; p++)
		READ(c, 1, p);
	COMMIT(c, 1);
	BEGIN(c, 2);
	for (p = 50; p < 350; p++)
		WRITE(c, 2, p);
	cluster__forget(c);
	assert_int_equal(COMMIT(c, 2), CORE_DO_RESUME);
	assert_int_equal(c->sent[CORE_MSG_LOCK], 4);	   /* 150 = 128 + 22 on each of the homes 0 and 1 */
	assert_int_equal(c->sent[CORE_MSG_PUBLISH], 3);	   /* the last LOCK has brought its changes along */
	assert_int_equal(c->sent[CORE_MSG_INVALIDATE], 2); /* of node 1's copies on home 0 */
	for (n = 0; (l = find(c, 2, CORE_DO_SEND, 0, n)); n++)
		if (l->action.msg.type == CORE_MSG_PUBLISH) {
			assert_in_range(l->npages, 1, CORE_MSG_PAGES);
			pages += l->npages;
		}
	assert_int_equal(pages, 278);
	l = find(c, 2, CORE_DO_PROTECT, 0, 0);
	assert_int_equal(l->action.page, 50);
	assert_int_equal(l->action.count, 300);
	assert_int_equal(l->action.rights, CORE_READ);
	assert_null(find(c, 2, CORE_DO_PROTECT, 0, 1));
	cluster__close(c);
}

static void count_touched(void *arg, uint32_t page, uint64_t version, bool read, bool written, bool tracked)
{
	unsigned *counts = arg;

	(void)page;
	(void)version;
	counts[0]++;
	counts[1] += read;
	counts[2] += written;
	counts[3] += tracked;
}

static void test_touched(void **state)
{
	struct cluster *c = cluster__open(2, 8, 8, 0);
	unsigned counts[4] = {0};

	(void)state;
	BEGIN(c, 0);
	READ(c, 0, 1);
	READ(c, 0, 2);
	COMMIT(c, 0);
	BEGIN(c, 0);
	WRITE(c, 0, 3);
	READ(c, 0, 4);
	core__touched(c->core[0], count_touched, counts);
	assert_int_equal(counts[0], 4); /* two carried, two opened */
	assert_int_equal(counts[1], 1);
	assert_int_equal(counts[2], 1);
	assert_int_equal(counts[3], 2);
	COMMIT_SILENT(c, 0);
	memset(counts, 0, sizeof(counts));
	core__touched(c->core[0], count_touched, counts); /* of the attempt that has just ended */
	assert_int_equal(counts[0], 4);
	assert_int_equal(counts[2], 0); /* nothing was written */
	cluster__close(c);
}

static void misuse(struct cluster *c, struct core_event event)
{
	int verdict;

	assert_int_equal(step(c, 0, &event, &verdict), -EINVAL);
}

static void test_misuse(void **state)
{
	struct cluster *c = cluster__open(2, 8, 4, 0);
	struct core_config bad = {.node = 2, .nodes = 2, .pages = 8, .pages_per_home = 4};
	struct dsm_core *none;
	int verdict;

	(void)state;
	assert_int_equal(core__open(&none, &bad), -EINVAL);
	bad.node = 0;
	bad.pages_per_home = 0;
	assert_int_equal(core__open(&none, &bad), -EINVAL);
	misuse(c, (struct core_event){.type = CORE_ACCESS, .page = 1});
	misuse(c, (struct core_event){.type = CORE_COMMIT});
	misuse(c, (struct core_event){.type = CORE_CANCEL});
	BEGIN(c, 0);
	misuse(c, (struct core_event){.type = CORE_BEGIN});
	misuse(c, (struct core_event){.type = CORE_BARRIER});
	misuse(c, (struct core_event){.type = CORE_ACCESS, .page = 8});
	WRITE(c, 0, 1);
	misuse(c, (struct core_event){.type = CORE_COMMIT}); /* without changed[] */
	misuse(c, (struct core_event){.type = (enum core_event_type)99});
	/* Waiting for page 5 of node 1: the mutator cannot do anything else. */
	assert_int_equal(step(c, 0, &(struct core_event){.type = CORE_ACCESS, .page = 5}, &verdict), 0);
	assert_int_equal(verdict, CORE_DO_WAIT);
	misuse(c, (struct core_event){.type = CORE_SAFE});
	deliver(c, 0, &verdict);
	assert_int_equal(verdict, CORE_DO_RESUME);
	assert_int_equal(COMMIT(c, 0), CORE_DO_RESUME);
	cluster__close(c);
}

/* Sane messages that fit no state: refused, and nothing has changed. */
static void contradict(struct cluster *c, enum core_msg_type type, struct core_entry entry,
		       struct core_party tx, uint64_t number)
{
	struct core_msg msg = {
		.type = (uint8_t)type, .from = 1, .to = 0, .generation = 7, .number = number, .tx = tx};
	struct core_event event = {.type = CORE_MESSAGE, .msg = &msg};
	int verdict;

	msg.channel =
		type == CORE_MSG_FETCH || type == CORE_MSG_PAGE ? CORE_CHANNEL_FETCH : CORE_CHANNEL_MAIN;
	msg.other = (struct core_party){.node = 1, .number = 1};
	if (type != CORE_MSG_ARRIVE && type != CORE_MSG_GO) {
		msg.entries = &entry;
		msg.npages = 1;
	}
	assert_true(core_msg__sane(c->core[0], &msg));
	assert_int_equal(step(c, 0, &event, &verdict), -EPROTO);
}

static void test_contradictions(void **state)
{
	struct cluster *c = cluster__open(2, 8, 4, 0);
	const struct core_party theirs = {.node = 1, .number = 1}, none = {0};

	(void)state;
	contradict(c, CORE_MSG_PAGE, (struct core_entry){.page = 5}, none, 0);
	contradict(c, CORE_MSG_EXCLUSIVE, (struct core_entry){.page = 5}, none, 0);
	contradict(c, CORE_MSG_DOWNGRADE, (struct core_entry){.page = 1}, theirs, 0);
	contradict(c, CORE_MSG_PUBLISH, (struct core_entry){.page = 1, .data = CORE_DATA_CHANGES}, theirs, 0);
	contradict(c, CORE_MSG_FETCH, (struct core_entry){.page = 1, .version = 9}, theirs, 0);
	contradict(c, CORE_MSG_ARRIVE, (struct core_entry){0}, none, 2);
	BEGIN(c, 1);
	WRITE(c, 1, 1); /* node 1 owns page 1 now: it cannot ask for it */
	contradict(c, CORE_MSG_FETCH, (struct core_entry){.page = 1}, theirs, 0);
	assert_int_equal(COMMIT(c, 1), CORE_DO_RESUME);
	BEGIN(c, 0);
	assert_int_equal(READ(c, 0, 1), CORE_DO_RESUME);
	assert_int_equal(core__version(c->core[0], 1), 1);
	cluster__close(c);
}

static void test_barrier(void **state)
{
	struct cluster *c = cluster__open(3, 8, 4, 0);

	(void)state;
	assert_int_equal(BARRIER(c, 2), CORE_DO_WAIT);
	assert_int_equal(BARRIER(c, 0), CORE_DO_WAIT);
	assert_null(find(c, 2, CORE_DO_EMIT, CORE_EMIT_BARRIER, 0));
	assert_int_equal(BARRIER(c, 1), CORE_DO_RESUME);
	assert_non_null(find(c, 0, CORE_DO_EMIT, CORE_EMIT_BARRIER, 0));
	assert_non_null(find(c, 2, CORE_DO_EMIT, CORE_EMIT_BARRIER, 0));
	assert_int_equal(c->sent[CORE_MSG_ARRIVE], 2);
	assert_int_equal(c->sent[CORE_MSG_GO], 2);
	cluster__close(c);
}

/* A page that its owner changes again and again stays writable, and is closed when it does so no more. */
static void test_sticky(void **state)
{
	struct cluster *c = cluster__open(2, 8, 8, 0);
	size_t n;
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		BEGIN(c, 0);
		WRITE(c, 0, 3);
		assert_non_null(find(c, 0, CORE_DO_TWIN, 0, (size_t)i));
		COMMIT(c, 0);
	}
	assert_int_equal(core__sticky(c->core[0]), 1);
	assert_int_equal(core__rights(c->core[0], 3), CORE_WRITE);
	cluster__forget(c);
	BEGIN(c, 0);
	assert_int_equal(core__dirty(c->core[0], &n)[0], 3);
	assert_int_equal(n, 1);
	COMMIT(c, 0);
	assert_non_null(find(c, 0, CORE_DO_REFRESH, 0, 0));
	assert_null(find(c, 0, CORE_DO_PROTECT, 0, 0));
	assert_int_equal(core__version(c->core[0], 3), 3);
	assert_int_equal(find(c, 0, CORE_DO_EMIT, CORE_EMIT_COMMIT, 0)->action.nwritten, 1);
	cluster__forget(c);
	BEGIN(c, 0);
	CANCEL(c, 0);
	assert_non_null(find(c, 0, CORE_DO_RESET, 0, 0));
	for (i = 0; i < 8; i++) {
		assert_int_equal(core__rights(c->core[0], 3), CORE_WRITE);
		BEGIN(c, 0);
		COMMIT_SILENT(c, 0);
	}
	assert_int_equal(core__sticky(c->core[0]), 0);
	assert_int_equal(core__rights(c->core[0], 3), CORE_READ);
	assert_non_null(find(c, 0, CORE_DO_UNTWIN, 0, 0));
	assert_int_equal(core__version(c->core[0], 3), 3);
	assert_int_equal(total_sent(c), 0);
	cluster__close(c);
}

static void make_sticky(struct cluster *c)
{
	int i;

	for (i = 0; i < 2; i++) {
		BEGIN(c, 0);
		WRITE(c, 0, 3);
		COMMIT(c, 0);
	}
	assert_int_equal(core__sticky(c->core[0]), 1);
	cluster__forget(c);
}

/* Another node's fetch ends it: at once between transactions, or by making it an ordinary written page. */
static void test_sticky_recalled(void **state)
{
	struct cluster *c = cluster__open(2, 8, 8, 0);

	(void)state;
	make_sticky(c);
	BEGIN(c, 1);
	READ(c, 1, 3);
	assert_int_equal(core__rights(c->core[0], 3), CORE_READ);
	assert_non_null(find(c, 0, CORE_DO_RESTORE, 0, 0));
	COMMIT(c, 1);
	cluster__close(c);

	c = cluster__open(2, 8, 8, 0);
	make_sticky(c);
	BEGIN(c, 0);
	BEGIN(c, 1);
	READ(c, 1, 3);
	assert_int_equal(core__sticky(c->core[0]), 0);
	assert_int_equal(core__rights(c->core[0], 3), CORE_WRITE);
	assert_null(find(c, 0, CORE_DO_RESTORE, 0, 0));
	COMMIT(c, 0); /* it did write it, so the reader loses its copy */
	assert_int_equal(c->sent[CORE_MSG_INVALIDATE], 1);
	assert_int_equal(core__rights(c->core[0], 3), CORE_READ);
	assert_int_equal(SAFE(c, 1), CORE_DO_ABORT);
	cluster__close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_exclusive_needs_no_messages),
		cmocka_unit_test(test_page_without_data),
		cmocka_unit_test(test_loser_and_winner),
		cmocka_unit_test(test_rearm),
		cmocka_unit_test(test_silent_page_stays_read),
		cmocka_unit_test(test_elevation),
		cmocka_unit_test(test_cancel_is_not_retried),
		cmocka_unit_test(test_many_pages),
		cmocka_unit_test(test_touched),
		cmocka_unit_test(test_misuse),
		cmocka_unit_test(test_contradictions),
		cmocka_unit_test(test_barrier),
		cmocka_unit_test(test_sticky),
		cmocka_unit_test(test_sticky_recalled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
