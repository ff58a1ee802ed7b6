/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heap.c - size classes on shared pages for small requests, runs of whole pages for the others.
 *
 * A run is a row of consecutive pages with one use: FREE, LARGE (one object), or SMALL (equal slots).
 * Runs tile the range below `frontier`; pages from there on were never used. owner[page] names the run
 * of a page: for LARGE and SMALL at every page (any byte finds its object), for FREE at its two ends
 * (which is all that merging needs).
 *
 * Small slots are handed out lowest first from the run at the head of the class's list, as a plain malloc
 * would, on purpose: objects of different owners then share pages, and that is the false sharing which
 * the tools show and a plan removes.
 *
 * Freshness. A reused slot must be zeroed through the transaction protocol, which costs faults; memory
 * that nobody ever wrote is zero already. `ever` has a bit for each slot once handed out; a run taken
 * from the frontier starts with none.
 */
#include "dsmcore/memory/heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STEP	  16u /* class distance up to STEP_MAX */
#define STEP_MAX  1024u
#define STEP_BIG  256u /* and above: keeps the alignment to 64 */
#define CLASSES	  (STEP_MAX / STEP + (HEAP_SMALL_MAX - STEP_MAX) / STEP_BIG)
#define SLOTS_MAX (HEAP_PAGE / STEP)
#define RUN_PAGES 8u  /* most pages of a small run */
#define BINS	  40u /* free runs by log2 of their pages */
#define NONE	  UINT32_MAX

enum use { UNUSED, FREE, SMALL, LARGE };

struct run {
	uint64_t first, pages; /* in pages from the heap's start */
	uint32_t prev, next;   /* in its bin (FREE) or class (SMALL, while it has a free slot) */
	uint8_t use;
	uint8_t class;
	bool fresh; /* LARGE: taken from the frontier */
	uint16_t live;
	uint64_t taken[SLOTS_MAX / 64]; /* SMALL: slots in use */
	uint64_t ever[SLOTS_MAX / 64];	/* SMALL: slots ever used */
};

struct heap {
	uint64_t start, pages, frontier;
	uint32_t *owner; /* run + 1, by page; 0 = none */
	struct run *runs;
	uint32_t nruns, room, spare; /* spare: list of UNUSED runs through next */
	uint32_t bin[BINS];
	uint32_t class[CLASSES];
};

/* ---- size classes ---- */

static uint32_t class_of(uint64_t bytes)
{
	if (bytes <= STEP_MAX)
		return bytes ? (bytes + STEP - 1) / STEP - 1 : 0;
	return STEP_MAX / STEP + (bytes - STEP_MAX + STEP_BIG - 1) / STEP_BIG - 1;
}

static uint32_t class_bytes(uint32_t class)
{
	if (class < STEP_MAX / STEP)
		return (class + 1) * STEP;
	return STEP_MAX + (class - STEP_MAX / STEP + 1) * STEP_BIG;
}

/* The fewest pages that leave at most an eighth unused. */
static uint32_t class_pages(uint32_t class)
{
	uint32_t size = class_bytes(class), pages = 1;

	while (pages < RUN_PAGES && pages * HEAP_PAGE % size > pages * HEAP_PAGE / 8)
		pages++;
	return pages;
}

static uint32_t class_slots(uint32_t class)
{
	return class_pages(class) * HEAP_PAGE / class_bytes(class);
}

/* ---- runs and their lists ---- */

static uint32_t *list_of(struct heap *h, const struct run *r)
{
	if (r->use == SMALL)
		return &h->class[r->class];
	return &h->bin[63 - __builtin_clzll(r->pages)];
}

static void list_add(struct heap *h, uint32_t id)
{
	struct run *r = &h->runs[id];
	uint32_t *head = list_of(h, r);

	r->prev = NONE;
	r->next = *head;
	if (*head != NONE)
		h->runs[*head].prev = id;
	*head = id;
}

static void list_del(struct heap *h, uint32_t id)
{
	struct run *r = &h->runs[id];

	if (r->prev == NONE)
		*list_of(h, r) = r->next;
	else
		h->runs[r->prev].next = r->next;
	if (r->next != NONE)
		h->runs[r->next].prev = r->prev;
}

static int run_new(struct heap *h, uint32_t *id)
{
	if (h->spare != NONE) {
		*id = h->spare;
		h->spare = h->runs[*id].next;
	} else {
		if (h->nruns == h->room) {
			uint32_t room = h->room ? h->room * 2 : 64;
			struct run *runs = realloc(h->runs, room * sizeof(*runs));

			if (!runs)
				return -ENOMEM;
			h->runs = runs;
			h->room = room;
		}
		*id = h->nruns++;
	}
	memset(&h->runs[*id], 0, sizeof(h->runs[*id]));
	return 0;
}

static void run_drop(struct heap *h, uint32_t id)
{
	h->runs[id].use = UNUSED;
	h->runs[id].next = h->spare;
	h->spare = id;
}

static void own(struct heap *h, uint32_t id)
{
	const struct run *r = &h->runs[id];

	if (r->use == FREE) {
		h->owner[r->first] = h->owner[r->first + r->pages - 1] = id + 1;
		return;
	}
	for (uint64_t p = r->first; p < r->first + r->pages; p++)
		h->owner[p] = id + 1;
}

static uint32_t bin_fit(const struct heap *h, uint64_t pages)
{
	for (uint32_t b = 63 - __builtin_clzll(pages); b < BINS; b++)
		for (uint32_t id = h->bin[b]; id != NONE; id = h->runs[id].next)
			if (h->runs[id].pages >= pages)
				return id;
	return NONE;
}

/* No free run is long enough and too few pages were never used; but both together may do, where the free
 * run ends at the frontier. */
static uint32_t stretch(struct heap *h, uint64_t pages)
{
	uint32_t id = h->frontier ? h->owner[h->frontier - 1] - 1 : NONE;

	if (id == NONE || h->runs[id].use != FREE || pages > h->pages - h->runs[id].first)
		return NONE;
	list_del(h, id);
	h->runs[id].pages = pages;
	h->frontier = h->runs[id].first + pages;
	own(h, id);
	list_add(h, id);
	return id;
}

/* Takes `pages` pages as a run with use and class unset. A split needs a second run, so get it first:
 * an error then leaves all as it was. */
static int run_take(struct heap *h, uint64_t pages, enum use use, uint32_t *out)
{
	uint32_t id = bin_fit(h, pages), rest;

	if (id == NONE && pages > h->pages - h->frontier) {
		id = stretch(h, pages);
		if (id == NONE)
			return -ENOSPC;
	}
	if (id == NONE) {
		if (run_new(h, out))
			return -ENOMEM;
		struct run *r = &h->runs[*out];
		r->first = h->frontier;
		r->pages = pages;
		r->use = use;
		r->fresh = true;
		h->frontier += pages;
		own(h, *out);
		return 0;
	}
	if (h->runs[id].pages > pages) {
		if (run_new(h, &rest))
			return -ENOMEM;
		list_del(h, id);
		struct run *r = &h->runs[id], *s = &h->runs[rest];
		s->first = r->first + pages;
		s->pages = r->pages - pages;
		s->use = FREE;
		r->pages = pages;
		list_add(h, rest);
		own(h, rest);
	} else {
		list_del(h, id);
	}
	struct run *r = &h->runs[id];
	*r = (struct run){.first = r->first, .pages = pages, .use = use};
	own(h, id);
	*out = id;
	return 0;
}

/* Makes the run free and merges it with free neighbours. */
static void run_release(struct heap *h, uint32_t id)
{
	struct run *r = &h->runs[id];
	uint64_t end = r->first + r->pages;
	uint32_t before = r->first ? h->owner[r->first - 1] : 0;
	uint32_t after = end < h->frontier ? h->owner[end] : 0;

	r->use = FREE;
	if (before && h->runs[before - 1].use == FREE) {
		list_del(h, before - 1);
		r->first = h->runs[before - 1].first;
		run_drop(h, before - 1);
	}
	if (after && h->runs[after - 1].use == FREE) {
		list_del(h, after - 1);
		end += h->runs[after - 1].pages;
		run_drop(h, after - 1);
	}
	r->pages = end - r->first;
	own(h, id);
	list_add(h, id);
}

/* An untouched run at the frontier becomes untouched pages again. */
static void run_retract(struct heap *h, uint32_t id)
{
	struct run *r = &h->runs[id];

	if (!r->fresh || r->first + r->pages != h->frontier) {
		run_release(h, id);
		return;
	}
	for (uint64_t p = r->first; p < h->frontier; p++)
		h->owner[p] = 0;
	h->frontier = r->first;
	run_drop(h, id);
}

/* ---- the interface ---- */

int heap__open(struct heap **out, uint64_t start, uint64_t pages)
{
	struct heap *h;

	if (start % HEAP_PAGE || !pages || pages >= 1ull << (BINS - 1))
		return -EINVAL;
	h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	h->owner = calloc(pages, sizeof(*h->owner));
	if (!h->owner) {
		free(h);
		return -ENOMEM;
	}
	h->start = start;
	h->pages = pages;
	h->spare = NONE;
	memset(h->bin, 0xff, sizeof(h->bin));
	memset(h->class, 0xff, sizeof(h->class));
	*out = h;
	return 0;
}

void heap__close(struct heap *h)
{
	if (!h)
		return;
	free(h->owner);
	free(h->runs);
	free(h);
}

static int alloc_large(struct heap *h, uint64_t bytes, struct heap_extent *out)
{
	uint64_t pages = bytes / HEAP_PAGE + (bytes % HEAP_PAGE != 0);
	uint32_t id;
	int err = run_take(h, pages, LARGE, &id);

	if (err)
		return err;
	*out = (struct heap_extent){
		.offset = h->start + h->runs[id].first * HEAP_PAGE,
		.bytes = pages * HEAP_PAGE,
		.fresh = h->runs[id].fresh,
	};
	return 0;
}

static uint32_t lowest_free(const struct run *r)
{
	for (uint32_t w = 0; w < SLOTS_MAX / 64; w++)
		if (~r->taken[w])
			return w * 64 + __builtin_ctzll(~r->taken[w]);
	return NONE;
}

static bool bit(const uint64_t *bits, uint32_t i)
{
	return bits[i / 64] >> i % 64 & 1;
}

static int alloc_small(struct heap *h, uint32_t class, struct heap_extent *out)
{
	uint32_t id = h->class[class], slot;
	struct run *r;

	if (id == NONE) {
		int err = run_take(h, class_pages(class), SMALL, &id);

		if (err)
			return err;
		r = &h->runs[id];
		r->class = class;
		if (!r->fresh)
			memset(r->ever, 0xff, sizeof(r->ever));
		list_add(h, id);
	}
	r = &h->runs[id];
	slot = lowest_free(r);
	*out = (struct heap_extent){
		.offset = h->start + r->first * HEAP_PAGE + (uint64_t)slot * class_bytes(class),
		.bytes = class_bytes(class),
		.fresh = !bit(r->ever, slot),
	};
	r->taken[slot / 64] |= 1ull << slot % 64;
	r->ever[slot / 64] |= 1ull << slot % 64;
	if (++r->live == class_slots(class))
		list_del(h, id);
	return 0;
}

int heap__alloc(struct heap *h, uint64_t bytes, bool isolate, struct heap_extent *out)
{
	if (!bytes)
		bytes = 1;
	if (bytes > h->pages * HEAP_PAGE)
		return -ENOSPC;
	if (isolate || bytes > HEAP_SMALL_MAX)
		return alloc_large(h, bytes, out);
	return alloc_small(h, class_of(bytes), out);
}

/* The run of a byte and, in a small run, its slot (live or not). */
static uint32_t locate(const struct heap *h, uint64_t offset, uint32_t *slot)
{
	uint64_t page;
	uint32_t id;

	*slot = 0;
	if (offset < h->start || offset - h->start >= h->frontier * HEAP_PAGE)
		return NONE;
	page = (offset - h->start) / HEAP_PAGE;
	id = h->owner[page] - 1;
	/* inside a free run owner[] is stale: believe it only where the run agrees */
	if (id == NONE || id >= h->nruns || page < h->runs[id].first ||
	    page >= h->runs[id].first + h->runs[id].pages)
		return NONE;
	const struct run *r = &h->runs[id];
	if (r->use == LARGE)
		return id;
	if (r->use != SMALL)
		return NONE;
	*slot = (offset - h->start - r->first * HEAP_PAGE) / class_bytes(r->class);
	return *slot < class_slots(r->class) && bit(r->taken, *slot) ? id : NONE;
}

int heap__find(const struct heap *h, uint64_t offset, struct heap_extent *out)
{
	uint32_t slot, id = locate(h, offset, &slot);
	const struct run *r;

	if (id == NONE)
		return -ENOENT;
	r = &h->runs[id];
	*out = (struct heap_extent){.offset = h->start + r->first * HEAP_PAGE, .bytes = r->pages * HEAP_PAGE};
	if (r->use == SMALL) {
		out->bytes = class_bytes(r->class);
		out->offset += slot * out->bytes;
	}
	return 0;
}

static int give_back(struct heap *h, uint64_t offset, bool restore_fresh)
{
	struct heap_extent object;
	uint32_t slot, id;
	struct run *r;

	if (heap__find(h, offset, &object) || object.offset != offset)
		return -ENOENT;
	id = locate(h, offset, &slot);
	r = &h->runs[id];
	if (r->use == SMALL) {
		if (r->live-- == class_slots(r->class))
			list_add(h, id);
		r->taken[slot / 64] &= ~(1ull << slot % 64);
		if (restore_fresh)
			r->ever[slot / 64] &= ~(1ull << slot % 64);
		if (r->live)
			return 0;
		list_del(h, id);
		for (uint32_t w = 0; w < SLOTS_MAX / 64; w++)
			if (r->ever[w])
				r->fresh = false;
	} else if (!restore_fresh) {
		r->fresh = false;
	}
	run_retract(h, id);
	return 0;
}

int heap__free(struct heap *h, uint64_t offset)
{
	return give_back(h, offset, false);
}

int heap__undo(struct heap *h, const struct heap_extent *extent)
{
	return give_back(h, extent->offset, extent->fresh);
}

/* ---- self-check ---- */

static int check_run(const struct heap *h, const struct run *r, uint32_t id, bool after_free)
{
	uint32_t live = 0;

	if (r->first + r->pages > h->frontier || !r->pages)
		return -EBADMSG;
	if (h->owner[r->first] != id + 1 || h->owner[r->first + r->pages - 1] != id + 1)
		return -EBADMSG;
	if (r->use == FREE)
		return after_free ? -EBADMSG : 0; /* two free neighbours should be one */
	for (uint64_t p = r->first; p < r->first + r->pages; p++)
		if (h->owner[p] != id + 1)
			return -EBADMSG;
	if (r->use == LARGE)
		return 0;
	for (uint32_t w = 0; w < SLOTS_MAX / 64; w++) {
		live += __builtin_popcountll(r->taken[w]);
		if (r->taken[w] & ~r->ever[w])
			return -EBADMSG;
	}
	return r->use == SMALL && live && live == r->live && live <= class_slots(r->class) &&
			       r->pages == class_pages(r->class)
		       ? 0
		       : -EBADMSG;
}

static int check_list(const struct heap *h, uint32_t head, enum use use, uint64_t *found)
{
	uint32_t prev = NONE;

	for (uint32_t id = head; id != NONE; prev = id, id = h->runs[id].next) {
		const struct run *r = &h->runs[id];

		if (r->use != use || r->prev != prev || (use == SMALL && r->live == class_slots(r->class)))
			return -EBADMSG;
		(*found)++;
	}
	return 0;
}

int heap__check(const struct heap *h)
{
	uint64_t listed = 0, expected = 0;
	bool free_before = false;

	for (uint64_t p = 0; p < h->frontier;) {
		uint32_t id = h->owner[p] - 1;
		const struct run *r;

		if (id >= h->nruns || h->runs[id].first != p)
			return -EBADMSG;
		r = &h->runs[id];
		if (check_run(h, r, id, free_before))
			return -EBADMSG;
		free_before = r->use == FREE;
		expected += r->use == FREE || (r->use == SMALL && r->live < class_slots(r->class));
		p += r->pages;
	}
	for (uint64_t p = h->frontier; p < h->pages && p < h->frontier + 64; p++)
		if (h->owner[p])
			return -EBADMSG;
	for (uint32_t b = 0; b < BINS; b++)
		if (check_list(h, h->bin[b], FREE, &listed))
			return -EBADMSG;
	for (uint32_t c = 0; c < CLASSES; c++)
		if (check_list(h, h->class[c], SMALL, &listed))
			return -EBADMSG;
	return listed == expected ? 0 : -EBADMSG;
}
