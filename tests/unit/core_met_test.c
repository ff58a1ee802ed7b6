/* SPDX-License-Identifier: BSD-2-Clause */
/* core_met_test.c - what is told of attempts that are never undone, when another node commits pages that they have in use. */
#include "tests/unit/core_util.h"

#define BEGIN_INDEPENDENT(c, node)                                                                           \
	act(c, node, (struct core_event){.type = CORE_BEGIN, .site = 9, .units = 1, .independent = true})

enum { HOME_1 = 32 }; /* the first page of node 1 */

/* A transaction of another node writes pages. */
static void commits(struct cluster *c, unsigned node, unsigned n, const uint32_t *page)
{
	BEGIN(c, node);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(WRITE(c, node, page[i]), CORE_DO_RESUME);
	cluster__forget(c);
	assert_int_equal(COMMIT(c, node), CORE_DO_RESUME);
}

static const struct core_action *nth_meeting(const struct cluster *c, size_t n,
					     const struct core_meeting **at)
{
	const struct logged *l = find(c, 0, CORE_DO_EMIT, CORE_EMIT_MEET, n);

	*at = l ? l->meeting : NULL;
	return l ? &l->action : NULL;
}

static void nobody_lost(struct cluster *c)
{
	bool doomed;

	core__attempt(c->core[0], &doomed);
	assert_false(doomed);
	assert_int_equal(COMMIT(c, 0), CORE_DO_RESUME);
	for (unsigned node = 0; node < c->nodes; node++)
		assert_null(find(c, node, CORE_DO_EMIT, CORE_EMIT_ABORT, 0));
}

/* What it did to each page is told as an abort would tell it. */
static void test_pages_and_flags(void **state)
{
	struct cluster *c = cluster__open(2, 64, 32, 0);
	const struct core_meeting *at;
	const struct core_action *meet;

	(void)state;
	BEGIN(c, 0);
	READ(c, 0, 3);
	COMMIT(c, 0); /* it stays mapped */
	BEGIN(c, 1);
	READ(c, 1, 2); /* else node 0 has it alone, and nothing is known of what it writes in place */
	COMMIT(c, 1);
	BEGIN_INDEPENDENT(c, 0);
	READ(c, 0, 1);
	WRITE(c, 0, 2);
	WRITE(c, 0, 5);
	commits(c, 1, 5, (const uint32_t[]){1, 2, 3, 4, 5});
	meet = nth_meeting(c, 0, &at);
	assert_non_null(meet);
	assert_int_equal(meet->party.node, 0);
	assert_int_equal(meet->party.number, core__attempt(c->core[0], NULL).number);
	assert_int_equal(meet->party.site, 9);
	assert_int_equal(meet->other.node, 1);
	assert_int_equal(meet->other.site, 3);
	assert_int_equal(meet->nmeetings, 4); /* not page 4, of which it has seen nothing */
	assert_int_equal(at[0].page, 1);
	assert_true(at[0].read && !at[0].written && at[0].tracked && at[0].wanted_write);
	assert_int_equal(at[1].page, 2);
	assert_true(at[1].written);
	assert_int_equal(at[2].page, 3);
	assert_true(!at[2].read && !at[2].written && !at[2].tracked);
	assert_int_equal(at[2].winner_version, at[2].version + 1);
	assert_int_equal(at[3].page, 5); /* written in place: maybe by an earlier attempt */
	assert_false(at[3].tracked);
	assert_null(nth_meeting(c, 1, &at));
	nobody_lost(c);
	cluster__close(c);
}

/* It has a copy, but a closed one: it has not looked at it. */
static void test_closed_copy(void **state)
{
	struct cluster *c = cluster__open(2, 64, 32, 0);
	const struct core_meeting *at;

	(void)state;
	BEGIN(c, 0);
	READ(c, 0, 5);
	COMMIT(c, 0);
	BEGIN(c,
	      0); /* loses to a page that it has from before: from now on that page is closed at each end */
	commits(c, 1, 1, (const uint32_t[]){5});
	assert_int_equal(SAFE(c, 0), CORE_DO_ABORT);
	BEGIN(c, 0);
	READ(c, 0, 5);
	COMMIT(c, 0);
	assert_int_equal(core__rights(c->core[0], 5), CORE_NONE);
	BEGIN_INDEPENDENT(c, 0);
	commits(c, 1, 1, (const uint32_t[]){5});
	assert_non_null(find(c, 0, CORE_DO_EMIT, CORE_EMIT_INVALIDATE, 0));
	assert_null(nth_meeting(c, 0, &at));
	nobody_lost(c);
	cluster__close(c);
}

/* One commit with pages of two homes, which both tell of it, is one meeting. */
static void test_once_for_each_commit(void **state)
{
	struct cluster *c = cluster__open(3, 96, 32, 0);
	const struct core_meeting *at;
	const struct core_action *meet;

	(void)state;
	BEGIN_INDEPENDENT(c, 0);
	READ(c, 0, 1);
	READ(c, 0, 2);
	READ(c, 0, 3);
	READ(c, 0, HOME_1);
	commits(c, 1, 2, (const uint32_t[]){1, HOME_1});
	assert_true(c->sent[CORE_MSG_INVALIDATE] >= 1);
	assert_non_null(find(c, 0, CORE_DO_EMIT, CORE_EMIT_INVALIDATE, 1));
	meet = nth_meeting(c, 0, &at);
	assert_non_null(meet);
	assert_int_equal(meet->nmeetings, 2);
	assert_int_equal(at[0].page + at[1].page, 1 + HOME_1);
	assert_null(nth_meeting(c, 1, &at));
	/* Another commit of the same node, and one of another node, are others. */
	commits(c, 1, 1, (const uint32_t[]){2});
	meet = nth_meeting(c, 0, &at);
	assert_non_null(meet);
	assert_int_equal(meet->other.node, 1);
	assert_int_equal(at[0].page, 2);
	commits(c, 2, 1, (const uint32_t[]){3});
	meet = nth_meeting(c, 0, &at);
	assert_non_null(meet);
	assert_int_equal(meet->other.node, 2);
	assert_int_equal(at[0].page, 3);
	nobody_lost(c);
	cluster__close(c);
}

/* An attempt that is undone tells by its ABORT, as ever. */
static void test_ordinary_attempts_abort(void **state)
{
	struct cluster *c = cluster__open(2, 64, 32, 0);
	const struct core_meeting *at;

	(void)state;
	BEGIN(c, 0);
	READ(c, 0, 1);
	commits(c, 1, 1, (const uint32_t[]){1});
	assert_int_equal(SAFE(c, 0), CORE_DO_ABORT);
	assert_non_null(find(c, 0, CORE_DO_EMIT, CORE_EMIT_ABORT, 0));
	assert_null(nth_meeting(c, 0, &at));
	cluster__close(c);
}

/* A commit says when others' were in its way, after it has put its changes on top of theirs; else not. */
static void test_hindered_commits(void **state)
{
	struct cluster *c = cluster__open(2, 64, 32, 0);
	const struct logged *rebase, *told;

	(void)state;
	BEGIN_INDEPENDENT(c, 0);
	READ(c, 0, 1);
	WRITE(c, 0, 2);
	commits(c, 1, 1, (const uint32_t[]){1}); /* read only: nothing to put on top of it */
	cluster__forget(c);
	COMMIT(c, 0);
	assert_null(find(c, 0, CORE_DO_EMIT, CORE_EMIT_REBASE, 0));
	BEGIN_INDEPENDENT(c, 0);
	WRITE(c, 0, 2);
	BEGIN(c, 1);
	READ(c, 1, 2); /* now both have a copy */
	COMMIT_SILENT(c, 1);
	COMMIT(c, 0);
	BEGIN_INDEPENDENT(c, 0);
	WRITE(c, 0, 2);
	commits(c, 1, 1, (const uint32_t[]){2});
	cluster__forget(c);
	assert_int_equal(COMMIT(c, 0), CORE_DO_RESUME);
	rebase = find(c, 0, CORE_DO_REBASE, 0, 0);
	told = find(c, 0, CORE_DO_EMIT, CORE_EMIT_REBASE, 0);
	assert_non_null(rebase);
	assert_non_null(told);
	assert_true(rebase < told);
	if (told)
		assert_int_equal(told->action.party.node, 0);
	cluster__close(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages_and_flags),	     cmocka_unit_test(test_closed_copy),
		cmocka_unit_test(test_once_for_each_commit), cmocka_unit_test(test_ordinary_attempts_abort),
		cmocka_unit_test(test_hindered_commits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
