/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core_memory_test.c - memory runs out at each allocation in turn: core__open() and core_step() say
 * -ENOMEM and nothing is touched that is not there (run under the sanitizers by `make asan`).
 */
#include "tests/unit/core_util.h"

#include <errno.h>

static long left = -1; /* allocations of the core until one fails; -1: never */

static bool fails(void)
{
	return left >= 0 && left-- == 0;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

#define PAGES 200u

/* One mutator's event and what follows, message by message. Returns -ENOMEM when that came. */
static int try_act(struct cluster *c, unsigned node, struct core_event event, long *budget)
{
	struct core_event message = {.type = CORE_MESSAGE};
	const struct core_actions *actions;
	struct mail m;
	size_t i;
	int rc = 0;

	for (;;) {
		left = *budget;
		rc = core_step(c->core[node], &event, &actions);
		*budget = left;
		left = -1;
		if (rc)
			return rc;
		for (i = 0; i < actions->count; i++)
			if (actions->list[i].type == CORE_DO_SEND)
				post(c, &actions->list[i].msg);
		if (event.type == CORE_MESSAGE)
			free(c->mail[c->head - 1].entries);
		if (c->head == c->tail)
			break;
		m = c->mail[c->head++];
		node = m.msg.to;
		message.msg = &c->mail[c->head - 1].msg;
		event = message;
	}
	c->head = c->tail = 0;
	return 0;
}

/* All have many pages; then each commits, while the others' attempts still run. */
static int scenario(struct cluster *c, long *budget)
{
	unsigned node;
	uint32_t p;
	int rc = 0;

	for (node = 0; node < 3 && !rc; node++) {
		rc = try_act(c, node, (struct core_event){.type = CORE_BEGIN}, budget);
		for (p = 20; p < 180 && !rc; p += 5)
			rc = try_act(c, node,
				     (struct core_event){.type = CORE_ACCESS, .page = p, .write = p % 2},
				     budget);
	}
	for (node = 0; node < 3 && !rc; node++)
		rc = try_act(c, node, (struct core_event){.type = CORE_COMMIT, .changed = all_changed},
			     budget);
	return rc;
}

/* Attempts that are not undone: the same, and each puts what it has changed on top of what the others have. One that may be undone
 * comes last, and finds pages that the last one has alone, and written in place. */
static int scenario_independent(struct cluster *c, long *budget)
{
	unsigned node;
	uint32_t p;
	int rc = 0;

	for (node = 0; node < 3 && !rc; node++) {
		rc = try_act(c, node, (struct core_event){.type = CORE_BEGIN, .independent = true}, budget);
		for (p = 20 + node; p < 180 && !rc; p += 5)
			rc = try_act(c, node,
				     (struct core_event){.type = CORE_ACCESS, .page = p, .write = true},
				     budget);
		for (p = 19; p < 180 && !rc; p += 5)
			rc = try_act(c, node, (struct core_event){.type = CORE_ACCESS, .page = p}, budget);
	}
	for (node = 0; node < 3; node++)
		for (p = 19; p < 180 && !rc; p += 5)
			rc = try_act(c, node,
				     (struct core_event){.type = CORE_ACCESS, .page = p, .write = true},
				     budget);
	for (node = 0; node < 3 && !rc; node++)
		rc = try_act(c, node, (struct core_event){.type = CORE_COMMIT, .changed = all_changed},
			     budget);
	if (!rc)
		rc = try_act(c, 2, (struct core_event){.type = CORE_BEGIN}, budget);
	return rc;
}

/* Sequential and release consistency and locks: all have many pages, each writes some, all meet. */
static int scenario_sync(struct cluster *c, long *budget)
{
	unsigned node;
	uint32_t p;
	int rc = 0;

	for (node = 0; node < 3 && !rc; node++) {
		rc = try_act(c, node, (struct core_event){.type = CORE_ACQUIRE, .lock = node}, budget);
		for (p = 1; p < 180 && !rc; p += 5)
			rc = try_act(c, node,
				     (struct core_event){.type = CORE_ACCESS, .page = p, .write = p % 2},
				     budget);
		if (!rc)
			rc = try_act(c, node, (struct core_event){.type = CORE_TICK}, budget);
		if (!rc)
			rc = try_act(c, node, (struct core_event){.type = CORE_RELEASE, .lock = node},
				     budget);
	}
	for (p = 0; p < 300 && !rc; p++) {
		rc = try_act(c, p % 3, (struct core_event){.type = CORE_ACQUIRE, .lock = p / 2}, budget);
		if (!rc)
			rc = try_act(c, p % 3, (struct core_event){.type = CORE_RELEASE, .lock = p / 2},
				     budget);
	}
	for (node = 0; node < 3 && !rc; node++)
		rc = try_act(c, node, (struct core_event){.type = CORE_BARRIER}, budget);
	return rc;
}

struct kind {
	int (*scenario)(struct cluster *c, long *budget);
	uint32_t rc_from;
};

static int run(long budget, const struct kind *kind)
{
	struct cluster *c = calloc(1, sizeof(*c));
	unsigned i;
	int rc = 0;

	c->nodes = 3;
	for (i = 0; i < 3 && !rc; i++) {
		struct core_config config = {.node = (uint16_t)i,
					     .nodes = 3,
					     .pages = PAGES,
					     .pages_per_home = 70,
					     .sc_from = 0,
					     .rc_from = kind->rc_from,
					     .migrate_after = 1};
		left = budget;
		rc = core__open(&c->core[i], &config);
		budget = left;
		left = -1;
	}
	if (!rc)
		rc = kind->scenario(c, &budget);
	if (c->head) /* the message that was being handled */
		free(c->mail[c->head - 1].entries);
	cluster__close(c);
	return rc;
}

static void test_all(const struct kind *kind)
{
	long k;
	int rc;

	for (k = 0; k < 100000; k++) {
		rc = run(k, kind);
		if (!rc)
			break;
		assert_int_equal(rc, -ENOMEM);
	}
	assert_in_range(k, 50, 99999); /* so many allocations there are, and the last run had enough */
}

static void test_each_allocation(void **state)
{
	(void)state;
	test_all(&(struct kind){scenario, 0});
}

static void test_each_allocation_without_transactions(void **state)
{
	(void)state;
	test_all(&(struct kind){scenario_sync, 35});
}

static void test_each_allocation_independent(void **state)
{
	(void)state;
	test_all(&(struct kind){scenario_independent, 0});
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation),
					   cmocka_unit_test(test_each_allocation_independent),
					   cmocka_unit_test(test_each_allocation_without_transactions)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
