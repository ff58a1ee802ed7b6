/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pages.c - what becomes of pages in a step: their rights, and their bytes in frame, twin, next, or kept from
 * a message. dispatch.c calls in the order of the actions.
 */
#include "dsmcore/runtime/pages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dsmcore/memory/diff.h"
#include "dsmcore/memory/objects.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/memory/shadow.h"
#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/intervals.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/tx.h"

/* Which pages of a list differ from their twins, and where. */
struct comparison {
	bool *changed;	  /* by place in the list */
	uint64_t *blocks; /* the same: diff__blocks() */
	size_t room;
};

static struct {
	struct shadow *twin, *next;
	/* Two, since a lock may be wanted, and what was written flushed, while a commit waits. */
	struct comparison dirty, written;
	struct wire_blob *held; /* changes kept beyond a step, by number - 1 */
	size_t holds;
	struct region_row *row; /* whose rights change together */
	size_t rows;
} pages;

int pages__open(uint32_t count)
{
	int err = shadow__open(&pages.twin, count);

	return err ? err : shadow__open(&pages.next, count);
}

/* The committed bytes of a page on this node. */
static const uint8_t *committed_bytes(uint32_t page)
{
	uint8_t *bytes = shadow__get(pages.next, page);

	if (!bytes)
		bytes = shadow__get(pages.twin, page);
	return bytes ? bytes : region__frame(node.region, page);
}

const uint8_t *pages__twin(uint32_t page)
{
	return shadow__get(pages.twin, page);
}

/* ---- rights ---- */

/* Between transactions strict mode keeps all pages closed (strict__end()). */
static enum core_rights rights_for(const struct core_action *a)
{
	if (node.options.strict && core__model(node.core, a->page) == CORE_TX &&
	    !core__attempt(node.core, NULL).number)
		return CORE_NONE;
	return a->rights;
}

static void reserve_rows(size_t n)
{
	if (n <= pages.rows)
		return;
	pages.row = realloc(pages.row, 2 * n * sizeof(*pages.row));
	pages.rows = 2 * n;
	if (!pages.row)
		node__fatal(NULL, "out of memory for the rights of %zu rows of pages", n);
}

size_t pages__protect(const struct core_action *a, size_t n)
{
	enum core_rights rights = rights_for(a);
	size_t i = 0;

	do {
		reserve_rows(i + 1);
		pages.row[i] = (struct region_row){a[i].page, a[i].count};
		i++;
	} while (i < n && a[i].type == CORE_DO_PROTECT && a[i].page >= a[i - 1].page + a[i - 1].count &&
		 rights_for(&a[i]) == rights);
	int err = region__protect_rows(node.region, pages.row, i, rights);

	if (err)
		node__fatal(NULL, "page %u: rights cannot be set: %s", a->page, strerror(-err));
	for (size_t k = 0; k < i; k++)
		intervals__rights(a[k].page, a[k].count, rights);
	return i;
}

/* ---- bytes ---- */

static uint8_t *shadow_or_die(struct shadow *s, uint32_t page)
{
	uint8_t *copy = shadow__make(s, page);

	if (!copy)
		node__fatal(NULL, "out of memory for the twin of a page");
	return copy;
}

/* Keeps a copy of the blob as `hold`. */
static void keep(uint32_t hold, const struct wire_blob *blob)
{
	uint8_t *copy = malloc(blob->bytes + 1);

	if (hold > pages.holds) {
		pages.held = realloc(pages.held, 2 * hold * sizeof(*pages.held));
		pages.holds = 2 * hold;
	}
	if (!copy || !pages.held)
		node__fatal(NULL, "out of memory for the changes of a page");
	if (blob->bytes)
		memcpy(copy, blob->data, blob->bytes);
	struct wire_blob *to = &pages.held[hold - 1];

	*to = *blob;
	to->data = copy;
}

const struct wire_blob *pages__held(uint32_t hold)
{
	return &pages.held[hold - 1];
}

struct wire_blob pages__attach(const struct core_entry *e, uint8_t *room)
{
	if (e->data == CORE_DATA_NONE)
		return (struct wire_blob){.kind = WIRE_NONE};
	if (e->hold)
		return *pages__held(e->hold);
	if (e->data == CORE_DATA_CHANGES) {
		const uint8_t *twin = shadow__get(pages.twin, e->page);
		const uint8_t *frame = region__frame(node.region, e->page);
		size_t n = twin ? diff__encode(frame, twin, room) : 0;

		return n ? (struct wire_blob){WIRE_DIFF, (uint32_t)n, room}
			 : (struct wire_blob){WIRE_PAGE, TRANSPORT_PAGE, frame};
	}
	return (struct wire_blob){WIRE_PAGE, TRANSPORT_PAGE, committed_bytes(e->page)};
}

static void apply(uint8_t *to, const struct wire_blob *blob)
{
	if (blob->kind == WIRE_PAGE)
		memcpy(to, blob->data, DSM_PAGE_BYTES);
	else if (blob->kind == WIRE_DIFF && diff__apply(to, blob->data, blob->bytes))
		node__fatal(NULL, "another node sent a damaged diff");
}

/* What came with the message, or was kept. */
static const struct wire_blob *blob_of(const struct core_action *a, const struct wire_blob *blobs)
{
	if (!blobs && !a->hold)
		node__fatal(NULL, "the protocol stores a page without a message");
	return a->hold ? pages__held(a->hold) : &blobs[a->entry];
}

static void store(const struct core_action *a, const struct wire_blob *blobs)
{
	const struct wire_blob *blob = blob_of(a, blobs);

	if (a->type == CORE_DO_STORE) {
		apply(region__frame(node.region, a->page), blob);
		return;
	}
	const uint8_t *committed = committed_bytes(a->page);
	uint8_t *next = shadow_or_die(pages.next, a->page);

	if (next != committed)
		memcpy(next, committed, DSM_PAGE_BYTES);
	apply(next, blob);
}

/* What changes of pages cost the processors, which nobody need wait for: false sharing costs no more than that. */
static void count_changes(uint64_t since, unsigned merges)
{
	COUNT(changes_ns, events__now() - since);
	COUNT(merges, merges);
}

/* The mutator may be writing: what is compared and what the twin becomes must be the same bytes. */
static void take(const struct core_action *a)
{
	uint64_t begin = events__now();
	uint8_t now[DSM_PAGE_BYTES], diff[DIFF_EXACT_BYTES], *twin = shadow__get(pages.twin, a->page);
	bool mask;

	if (!twin)
		node__fatal(NULL, "the protocol takes changes of page %u, which has no twin", a->page);
	memcpy(now, region__frame(node.region, a->page), sizeof(now));
	size_t n = diff__encode_exact(now, twin, diff, &mask);

	memcpy(twin, now, sizeof(now));
	keep(a->hold, &(struct wire_blob){mask ? WIRE_MASK : WIRE_DIFF, (uint32_t)n, diff});
	count_changes(begin, 0);
}

static void apply_exactly(uint8_t *to, const struct wire_blob *blob)
{
	int err = blob->kind == WIRE_MASK   ? diff__apply_mask(to, blob->data, blob->bytes)
		  : blob->kind == WIRE_DIFF ? diff__apply(to, blob->data, blob->bytes)
					    : -EBADMSG;

	if (err)
		node__fatal(NULL, "another node sent damaged changes of a page");
}

/* The twin, too: what came from elsewhere is no change of this node. */
static void merge(const struct core_action *a, const struct wire_blob *blobs)
{
	const struct wire_blob *blob = blob_of(a, blobs);
	uint8_t *twin = shadow__get(pages.twin, a->page);
	uint64_t begin = events__now();

	apply_exactly(region__frame(node.region, a->page), blob);
	if (twin)
		apply_exactly(twin, blob);
	count_changes(begin, 1);
}

/* A page and a byte alone say little: they are told by a name that the program has given. */
static void promise_broken(uint32_t page, size_t byte)
{
	uint64_t offset = (uint64_t)page * DSM_PAGE_BYTES + byte, bytes = 0;
	const char *root = roots__before(region__frame(node.region, 0), offset, &bytes);
	char where[96] = "";

	if (root)
		snprintf(where, sizeof(where), " (\"%s\" + %llu)", root, (unsigned long long)bytes);
	node__fatal(
		tx.begin_pc,
		"this node and another one have both changed the byte at %p%s since the last barrier, but "
		"DSM_TX_FOR_INDEPENDENT promises that no two nodes do: let each node write bytes of its "
		"own, or use DSM_TX_FOR (dsmrun --no-independent --monitor, and dsmreport names both "
		"sides); the loop or block begins",
		(void *)(DSM_BASE + offset), where);
}

static void make_twins(uint32_t page, uint32_t count)
{
	for (uint32_t i = page; i < page + count; i++)
		memcpy(shadow_or_die(pages.twin, i), region__frame(node.region, i), DSM_PAGE_BYTES);
}

/* The last one first: the next twins lie where these lay, and in the same order. */
static void drop_twins(uint32_t page, uint32_t count)
{
	for (uint32_t i = page + count; i-- > page;)
		shadow__drop(pages.twin, i);
}

static void take_back(struct shadow *s, uint32_t page)
{
	const uint8_t *copy = shadow__get(s, page);

	if (copy)
		memcpy(region__frame(node.region, page), copy, DSM_PAGE_BYTES);
	shadow__drop(s, page);
}

/* What was written here on top of what others have written meanwhile. That both have changed a byte to the same value is no
 * excuse: each may have counted one. */
static void rebase(const struct core_action *a)
{
	uint8_t *frame = region__frame(node.region, a->page), *twin = shadow__get(pages.twin, a->page);
	const uint8_t *next = shadow__get(pages.next, a->page);

	if (!twin || !next)
		node__fatal(NULL, "the protocol rebases page %u, of which there is no other version",
			    a->page);
	size_t both = diff__both(frame, next, twin);

	if (both < DSM_PAGE_BYTES)
		promise_broken(a->page, both);
	diff__rebase(frame, twin, next);
	memcpy(twin, next, DSM_PAGE_BYTES);
	shadow__drop(pages.next, a->page);
	COUNT_LOCKED(rebased, 1);
}

/* ---- pages that stay writable ---- */

static void reserve_changes(struct comparison *c, size_t n)
{
	if (n <= c->room)
		return;
	free(c->changed);
	free(c->blocks);
	c->room = 2 * n;
	c->changed = malloc(c->room * sizeof(*c->changed));
	c->blocks = malloc(c->room * sizeof(*c->blocks));
	if (!c->changed || !c->blocks)
		node__fatal(NULL, "out of memory for a write set of %zu pages", n);
}

/* What stays writable has its twin brought up to date, block by block; of others it is enough to know whether
 * they differ, and mostly their first bytes tell. */
static uint64_t changed_blocks(uint32_t page)
{
	const uint8_t *frame = region__frame(node.region, page), *twin = shadow__get(pages.twin, page);

	if (core__stays(node.core, page))
		return diff__blocks(frame, twin);
	return diff__any(frame, twin) ? ~0ull : 0;
}

static const bool *compare(struct comparison *c, const uint32_t *page, size_t n)
{
	reserve_changes(c, n);
	for (size_t i = 0; i < n; i++) {
		c->blocks[i] = changed_blocks(page[i]);
		c->changed[i] = c->blocks[i] != 0;
	}
	return c->changed;
}

const bool *pages__changes(void)
{
	size_t n;
	const uint32_t *page = core__dirty(node.core, &n);

	return compare(&pages.dirty, page, n);
}

const bool *pages__written(void)
{
	size_t n;
	const uint32_t *page = core__written(node.core, &n);
	uint64_t begin = n ? events__now() : 0;
	const bool *changed = compare(&pages.written, page, n);

	if (n)
		count_changes(begin, 0);
	return changed;
}

/* Its place in core__dirty(). */
static size_t place_of(uint32_t page)
{
	size_t low = 0, high;
	const uint32_t *list = core__dirty(node.core, &high);

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (list[middle] <= page)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* The mutator has waited since pages__changes() compared the pages, so no other block has changed. */
static void refresh(uint32_t page, uint32_t count)
{
	size_t at = place_of(page);

	for (uint32_t i = 0; i < count; i++)
		diff__copy_blocks(shadow__get(pages.twin, page + i), region__frame(node.region, page + i),
				  pages.dirty.blocks[at + i]);
}

static void reset(uint32_t page, uint32_t count)
{
	for (uint32_t i = page; i < page + count; i++) {
		uint8_t *frame = region__frame(node.region, i);
		const uint8_t *twin = shadow__get(pages.twin, i);

		diff__copy_blocks(frame, twin, diff__blocks(frame, twin));
	}
}

void pages__carry_out(const struct core_action *a, const struct wire_blob *blobs)
{
	switch (a->type) {
	case CORE_DO_TWIN:
		make_twins(a->page, a->count);
		break;
	case CORE_DO_UNTWIN:
		drop_twins(a->page, a->count);
		break;
	case CORE_DO_RESTORE:
		for (uint32_t p = a->page; p < a->page + a->count; p++)
			take_back(pages.twin, p);
		break;
	case CORE_DO_REFRESH:
		COUNT_LOCKED(sticky_writes, a->count);
		refresh(a->page, a->count);
		break;
	case CORE_DO_RESET:
		reset(a->page, a->count);
		break;
	case CORE_DO_PROMOTE:
		take_back(pages.next, a->page);
		break;
	case CORE_DO_REBASE:
		rebase(a);
		break;
	case CORE_DO_STORE:
	case CORE_DO_STORE_NEXT:
		store(a, blobs);
		break;
	case CORE_DO_HOLD:
		if (!blobs)
			node__fatal(NULL, "the protocol keeps a page without a message");
		keep(a->hold, &blobs[a->entry]);
		break;
	case CORE_DO_TAKE:
		take(a);
		break;
	case CORE_DO_MERGE:
		merge(a, blobs);
		break;
	case CORE_DO_DROP:
		free((void *)pages__held(a->hold)->data);
		break;
	default:
		break;
	}
}
