/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heap_test.c - the allocator against a model that remembers every byte, and the packing that it promises.
 */
#include "dsmcore/memory/heap.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define START (3ull * HEAP_PAGE)

static uint64_t state;

static uint64_t rnd(uint64_t n) /* xorshift64*: the seed is all that is needed to repeat a failure */
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1du % n;
}

static struct heap *open_heap(uint64_t pages)
{
	struct heap *h;

	assert_int_equal(heap__open(&h, START, pages), 0);
	return h;
}

/* ---- property: random use against a model ---- */

#define MODEL_PAGES 512u
#define MODEL_LIVE  2000u

struct live {
	struct heap_extent extent;
	uint64_t asked;
	bool isolated;
};

struct model {
	struct heap *heap;
	uint8_t taken[MODEL_PAGES * HEAP_PAGE];	  /* byte: belongs to a live object */
	uint8_t written[MODEL_PAGES * HEAP_PAGE]; /* byte: was once part of an object, and not undone */
	struct live live[MODEL_LIVE];
	uint32_t count;
};

static uint64_t random_size(void)
{
	switch (rnd(10)) {
	case 0:
		return rnd(40 * HEAP_PAGE);
	case 1:
		return rnd(HEAP_SMALL_MAX + 64);
	default:
		return rnd(300);
	}
}

static bool all_are(const uint8_t *bytes, uint64_t n, uint8_t value)
{
	return !n || (bytes[0] == value && !memcmp(bytes, bytes + 1, n - 1));
}

static void check_isolated(const struct model *m, const struct live *l)
{
	uint64_t at = l->extent.offset - START;

	assert_int_equal(at % HEAP_PAGE, 0);
	assert_int_equal(l->extent.bytes % HEAP_PAGE, 0);
	assert_true(all_are(m->taken + at, l->extent.bytes, 0));
}

static void model_alloc(struct model *m)
{
	struct live l = {.asked = random_size(), .isolated = !rnd(8)};
	int err;

	if (m->count == MODEL_LIVE)
		return;
	err = heap__alloc(m->heap, l.asked, l.isolated, &l.extent);
	if (err) {
		assert_int_equal(err, -ENOSPC);
		return;
	}
	uint64_t at = l.extent.offset - START;
	uint64_t align = l.asked && l.asked % 64 == 0 ? 64 : HEAP_ALIGN;

	assert_true(l.extent.offset >= START);
	assert_true(at + l.extent.bytes <= sizeof(m->taken));
	assert_true(l.extent.bytes >= l.asked && l.extent.bytes > 0);
	assert_int_equal(at % align, 0);
	assert_true(all_are(m->taken + at, l.extent.bytes, 0)); /* nobody else's */
	if (l.extent.fresh)
		assert_true(all_are(m->written + at, l.extent.bytes, 0));
	if (l.isolated)
		check_isolated(m, &l);
	memset(m->taken + at, 1, l.extent.bytes);
	memset(m->written + at, 1, l.extent.bytes);
	m->live[m->count++] = l;
}

static void model_free(struct model *m, bool undo)
{
	uint32_t i = undo ? m->count - 1 : rnd(m->count);
	struct live l = m->live[i];
	struct heap_extent found;
	uint64_t at = l.extent.offset - START;

	assert_int_equal(heap__find(m->heap, l.extent.offset + rnd(l.extent.bytes), &found), 0);
	assert_int_equal(found.offset, l.extent.offset);
	assert_int_equal(found.bytes, l.extent.bytes);
	if (l.extent.bytes > 1)
		assert_int_equal(heap__free(m->heap, l.extent.offset + 1 + rnd(l.extent.bytes - 1)), -ENOENT);
	assert_int_equal(undo ? heap__undo(m->heap, &l.extent) : heap__free(m->heap, l.extent.offset), 0);
	assert_int_equal(heap__free(m->heap, l.extent.offset), -ENOENT); /* twice */
	assert_int_equal(heap__find(m->heap, l.extent.offset, &found), -ENOENT);
	memset(m->taken + at, 0, l.extent.bytes);
	if (undo && l.extent.fresh)
		memset(m->written + at, 0, l.extent.bytes);
	m->live[i] = m->live[--m->count];
}

static void run_model(uint64_t seed)
{
	struct model *m = calloc(1, sizeof(*m));
	uint32_t bias = 30 + seed % 40;

	state = seed * 0x9e3779b97f4a7c15u + 1;
	m->heap = open_heap(MODEL_PAGES);
	for (int step = 0; step < 3000; step++) {
		uint64_t dice = rnd(100);
		struct heap_extent found;

		if (!m->count || dice < bias)
			model_alloc(m);
		else
			model_free(m, dice > 90);
		uint64_t at = rnd(sizeof(m->taken)); /* any byte: the heap and the model agree whose it is */
		assert_int_equal(heap__find(m->heap, START + at, &found), m->taken[at] ? 0 : -ENOENT);
		if (step % 50 == 0)
			assert_int_equal(heap__check(m->heap), 0);
	}
	while (m->count)
		model_free(m, false);
	assert_int_equal(heap__check(m->heap), 0);
	struct heap_extent all; /* everything merged back: the whole range is one piece again */
	assert_int_equal(heap__alloc(m->heap, (uint64_t)MODEL_PAGES * HEAP_PAGE, false, &all), 0);
	assert_int_equal(all.offset, START);
	heap__close(m->heap);
	free(m);
}

static void random_use_agrees_with_the_model(void **arg)
{
	(void)arg;
	for (uint64_t seed = 1; seed <= 400; seed++)
		run_model(seed);
}

/* ---- what programs and tools rely on ---- */

static void small_objects_lie_next_to_one_another(void **arg)
{
	struct heap *h = open_heap(16);
	struct heap_extent a, b, c;

	(void)arg;
	assert_int_equal(heap__alloc(h, 40, false, &a), 0);
	assert_int_equal(heap__alloc(h, 48, false, &b), 0); /* of the same class */
	assert_int_equal(heap__alloc(h, 33, false, &c), 0);
	assert_int_equal(b.offset, a.offset + 48);
	assert_int_equal(c.offset, b.offset + 48);
	assert_int_equal(a.offset / HEAP_PAGE, c.offset / HEAP_PAGE);
	heap__close(h);
}

static void isolated_objects_share_no_page(void **arg)
{
	struct heap *h = open_heap(16);
	struct heap_extent a, b, c;

	(void)arg;
	assert_int_equal(heap__alloc(h, 48, false, &a), 0);
	assert_int_equal(heap__alloc(h, 48, true, &b), 0);
	assert_int_equal(heap__alloc(h, 48, false, &c), 0);
	assert_int_equal(b.offset % HEAP_PAGE, 0);
	assert_int_equal(b.bytes, HEAP_PAGE);
	assert_int_not_equal(a.offset / HEAP_PAGE, b.offset / HEAP_PAGE);
	assert_int_equal(c.offset, a.offset + 48);
	heap__close(h);
}

static void a_used_up_range_says_so_and_recovers(void **arg)
{
	struct heap *h = open_heap(4);
	struct heap_extent a, b;

	(void)arg;
	assert_int_equal(heap__alloc(h, 5 * HEAP_PAGE, false, &a), -ENOSPC);
	assert_int_equal(heap__alloc(h, UINT64_MAX - 5, false, &a), -ENOSPC);
	assert_int_equal(heap__alloc(h, 3 * HEAP_PAGE + 1, false, &a), 0);
	assert_int_equal(heap__alloc(h, 16, false, &b), -ENOSPC);
	assert_int_equal(heap__free(h, a.offset), 0);
	assert_int_equal(heap__alloc(h, 16, false, &b), 0);
	assert_false(b.fresh);
	heap__close(h);
}

static void freshness_comes_back_with_an_undo_only(void **arg)
{
	struct heap *h = open_heap(8);
	struct heap_extent a, b, big;

	(void)arg;
	assert_int_equal(heap__alloc(h, 64, false, &a), 0);
	assert_int_equal(heap__alloc(h, 64, false, &b), 0);
	assert_true(a.fresh && b.fresh);
	assert_int_equal(heap__undo(h, &b), 0);
	assert_int_equal(heap__alloc(h, 64, false, &b), 0);
	assert_true(b.fresh);
	assert_int_equal(heap__free(h, b.offset), 0);
	assert_int_equal(heap__alloc(h, 64, false, &b), 0);
	assert_false(b.fresh);
	assert_int_equal(heap__undo(h, &b), 0); /* undoing an allocation of used memory leaves it used */
	assert_int_equal(heap__alloc(h, 64, false, &b), 0);
	assert_false(b.fresh);
	assert_int_equal(heap__alloc(h, 3 * HEAP_PAGE, false, &big), 0);
	assert_int_equal(heap__undo(h, &big), 0);
	assert_int_equal(heap__alloc(h, 3 * HEAP_PAGE, false, &big), 0);
	assert_true(big.fresh);
	assert_int_equal(heap__free(h, big.offset), 0);
	assert_int_equal(heap__alloc(h, 3 * HEAP_PAGE, false, &big), 0);
	assert_false(big.fresh);
	heap__close(h);
}

static void foreign_addresses_are_refused(void **arg)
{
	struct heap *h = open_heap(8);
	struct heap_extent a, found;

	(void)arg;
	assert_int_equal(heap__alloc(h, 64, false, &a), 0);
	assert_int_equal(heap__free(h, 0), -ENOENT);
	assert_int_equal(heap__free(h, START - 16), -ENOENT);
	assert_int_equal(heap__free(h, a.offset + 16), -ENOENT);
	assert_int_equal(heap__free(h, a.offset + 64), -ENOENT);
	assert_int_equal(heap__free(h, START + 8 * HEAP_PAGE), -ENOENT);
	assert_int_equal(heap__free(h, UINT64_MAX), -ENOENT);
	assert_int_equal(heap__find(h, a.offset, &found), 0);
	heap__close(h);
}

static void bad_ranges_are_refused(void **arg)
{
	struct heap *h;

	(void)arg;
	assert_int_equal(heap__open(&h, 100, 4), -EINVAL);
	assert_int_equal(heap__open(&h, 0, 0), -EINVAL);
	assert_int_equal(heap__open(&h, 0, UINT64_MAX), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_use_agrees_with_the_model),
		cmocka_unit_test(small_objects_lie_next_to_one_another),
		cmocka_unit_test(isolated_objects_share_no_page),
		cmocka_unit_test(a_used_up_range_says_so_and_recovers),
		cmocka_unit_test(freshness_comes_back_with_an_undo_only),
		cmocka_unit_test(foreign_addresses_are_refused),
		cmocka_unit_test(bad_ranges_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
