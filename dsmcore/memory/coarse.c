/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * coarse.c - rights by mapping, for long rows of pages that one program writes row by row.
 *
 * With userfaultfd each page has rights of its own, and a page that is opened costs dear: UFFDIO_WRITEPROTECT
 * takes its mark away but does not make its entry writable in a shared mapping, so the first write traps into
 * the kernel once more (0.8 us a page; to unmap and map it again by UFFDIO_CONTINUE, 0.4). mprotect() writes
 * the entries at once: 0.1 us a page to open and less to close. But it splits mappings, of which a process
 * may have 65,530; that is why the rights of single pages are not made of it.
 *
 * So a block of 64 pages that is opened in a long row becomes coarse: it is registered for missing and minor
 * faults only, and its pages are readable or writable as their mapping is (a write to one that is not is a
 * SIGSEGV instead of a SIGBUS). Neighbours with the same rights are one mapping. A page that is closed (NONE) has
 * no entry, whatever its mapping allows: any access is a minor fault. So rows with nothing but closed pages in
 * between, as when the rows of a matrix belong to two nodes by turns, are opened and closed by one mprotect() of
 * all: 0.2 us a page of rows of 4, where three calls for each row (unmap, map, protect) took 1.4, to unmap all
 * rows by one process_madvise() and map each 0.75, and mprotect() row by row 0.8 to 1.8. A block
 * of which single pages are asked for again and again becomes fine once more; the third time for good.
 *
 * Where 2 MiB are coarse and are opened again and again, their memory is made one piece (MADV_COLLAPSE, which
 * needs no setting of the system). The view keeps its small pages, but the kernel looks up one piece instead of
 * 512 to change their rights: less than half as long; and the runtime's view has one entry for all, which
 * makes the twins cheaper. It costs some 5 ms, once: not before the openings have cost as much more.
 *
 * On its way from one to the other no page is ever more open than its rights, whatever the mutator does
 * meanwhile: a block is readable only while it becomes coarse (which happens when the mutator itself opens
 * pages), and its pages are marked before the mapping becomes writable when it becomes fine.
 */
#include "dsmcore/memory/coarse.h"

#include <errno.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "dsmcore/memory/region.h"

#define BLOCK	   64u	 /* pages */
#define ROW_LEAST  32u	 /* pages opened at once */
#define ROW_SHARE  8u	 /* of these in a block, so that it becomes coarse */
#define FEW	   8u	 /* pages: a part of a block that is opened or closed alone */
#define FEW_MOST   5u	 /* times */
#define ROUGH_MOST 3u	 /* times that a block became fine again */
#define BLOCKS	   4096u /* coarse at a time: so many blocks cannot come near the limit of mappings */

#define UNIT  512u /* pages that can be one piece */
#define WORTH 64u  /* openings: each costs some 60 us more than of one piece */

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define MODES_COARSE (UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR)
#define MODES_FINE   (MODES_COARSE | UFFDIO_REGISTER_MODE_WP)

struct block {
	uint8_t coarse : 1;
	uint8_t rough : 3; /* so often it became fine again */
	uint8_t few : 4;   /* so often a few of its pages were opened or closed alone */
};

struct coarse {
	int uffd;
	uint8_t *app, *frames;
	const uint8_t *rights;
	struct block *block;
	uint8_t *opened;	/* by unit: so often; WORTH + 1: no more to be done */
	uint32_t blocks, taken; /* there are; coarse */
	bool allow;
};

int coarse__open(struct coarse **out, int uffd, uint8_t *app, uint8_t *frames, uint32_t pages,
		 const uint8_t *rights)
{
	struct coarse *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	*c = (struct coarse){
		.uffd = uffd, .app = app, .frames = frames, .rights = rights, .blocks = pages / BLOCK};
	c->block = calloc(c->blocks + 1, sizeof(*c->block));
	c->opened = calloc(pages / UNIT + 1, sizeof(*c->opened));
	if (!c->block || !c->opened) {
		coarse__close(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}

void coarse__close(struct coarse *c)
{
	if (!c)
		return;
	free(c->block);
	free(c->opened);
	free(c);
}

static int set_mapping(struct coarse *c, uint32_t page, uint32_t count, bool write)
{
	void *at = c->app + ((uint64_t)page << DSM_PAGE_LOG2);

	return mprotect(at, (size_t)count << DSM_PAGE_LOG2, write ? PROT_READ | PROT_WRITE : PROT_READ)
		       ? -errno
		       : 0;
}

static struct uffdio_range range_of(const struct coarse *c, uint32_t page, uint32_t count)
{
	return (struct uffdio_range){(uint64_t)c->app + ((uint64_t)page << DSM_PAGE_LOG2),
				     (uint64_t)count << DSM_PAGE_LOG2};
}

static int watch_as(struct coarse *c, uint32_t page, uint32_t count, uint64_t modes)
{
	struct uffdio_register reg = {.range = range_of(c, page, count), .mode = modes};

	return ioctl(c->uffd, UFFDIO_REGISTER, &reg) ? -errno : 0;
}

static int mark(struct coarse *c, uint32_t page, uint32_t count)
{
	struct uffdio_writeprotect wp = {.range = range_of(c, page, count),
					 .mode = UFFDIO_WRITEPROTECT_MODE_WP};

	while (ioctl(c->uffd, UFFDIO_WRITEPROTECT, &wp))
		if (errno != EAGAIN)
			return -errno;
	return 0;
}

/* One past the last page from `page` on that has the same rights. */
static uint32_t run_end(const struct coarse *c, uint32_t page, uint32_t end)
{
	uint8_t rights = c->rights[page];

	while (page < end && c->rights[page] == rights)
		page++;
	return page;
}

static int for_runs(struct coarse *c, uint32_t page, uint32_t end, enum core_rights rights,
		    int (*fn)(struct coarse *c, uint32_t page, uint32_t count))
{
	int err = 0;

	for (uint32_t next; page < end && !err; page = next) {
		next = run_end(c, page, end);
		if (c->rights[page] == rights)
			err = fn(c, page, next - page);
	}
	return err;
}

static int open_mapping(struct coarse *c, uint32_t page, uint32_t count)
{
	return set_mapping(c, page, count, true);
}

/* Blocks [first, end) become fine, whatever became of them so far. */
static int refine(struct coarse *c, uint32_t first, uint32_t end)
{
	uint32_t page = first * BLOCK, count = (end - first) * BLOCK;
	int err = watch_as(c, page, count, MODES_FINE);

	if (!err)
		err = for_runs(c, page, page + count, CORE_READ, mark);
	if (!err)
		err = set_mapping(c, page, count, true);
	for (uint32_t b = first; b < end && !err; b++) {
		c->taken -= c->block[b].coarse;
		c->block[b].coarse = 0;
		c->block[b].few = 0;
	}
	return err;
}

static int coarsen(struct coarse *c, uint32_t first, uint32_t end)
{
	uint32_t page = first * BLOCK, count = (end - first) * BLOCK;
	struct uffdio_range range = range_of(c, page, count);
	int err = set_mapping(c, page, count, false);

	/* To register for fewer modes than before would change nothing. */
	if (!err && ioctl(c->uffd, UFFDIO_UNREGISTER, &range))
		err = -errno;
	if (!err)
		err = watch_as(c, page, count, MODES_COARSE);
	if (!err)
		err = for_runs(c, page, page + count, CORE_WRITE, open_mapping);
	for (uint32_t b = first; b < end && !err; b++) {
		c->block[b].coarse = 1;
		c->taken++;
	}
	return err;
}

static bool may_be(const struct coarse *c, uint32_t b, uint32_t page, uint32_t end)
{
	uint32_t low = b * BLOCK, high = low + BLOCK;
	uint32_t from = page > low ? page : low, to = end < high ? end : high;

	return b < c->blocks && !c->block[b].coarse && c->block[b].rough < ROUGH_MOST &&
	       to - from >= ROW_SHARE;
}

int coarse__take(struct coarse *c, uint32_t page, uint32_t count)
{
	uint32_t end = page + count, last = (end - 1) / BLOCK;

	if (!c->allow || count < ROW_LEAST || c->taken + count / BLOCK + 2 > BLOCKS)
		return 0;
	for (uint32_t b = page / BLOCK, next; b <= last; b = next + 1) {
		for (next = b; next <= last && may_be(c, next, page, end); next++)
			;
		if (next == b || !coarsen(c, b, next))
			continue;
		/* No memory for mappings: as before, and not again. */
		c->allow = false;
		return refine(c, b, next);
	}
	return 0;
}

/* Maps what the view has lost, as its mappings say. */
static int map_again(struct coarse *c, uint32_t page, uint32_t count)
{
	struct uffdio_continue cont = {.range = range_of(c, page, count)};

	return ioctl(c->uffd, UFFDIO_CONTINUE, &cont) ? -errno : 0;
}

static bool whole(const struct coarse *c, uint32_t unit)
{
	uint32_t b = unit * (UNIT / BLOCK), end = b + UNIT / BLOCK;

	if (end > c->blocks)
		return false;
	while (b < end && c->block[b].coarse)
		b++;
	return b == end;
}

/* Where pages were never used the kernel refuses to make one piece: it would fill holes behind the back of who wants to
 * hear of missing pages. So they are filled before. What lies between rows costs its memory then. */
static void fill_holes(struct coarse *c, uint64_t at, uint64_t bytes)
{
	for (uint64_t end = at + bytes; at < end; at += DSM_PAGE_BYTES)
		__atomic_fetch_add(c->frames + at, 0, __ATOMIC_RELAXED);
}

/* What fails here costs time only: a page that the view has lost comes back when it is touched. */
static void make_one_piece(struct coarse *c, uint32_t unit)
{
	uint32_t page = unit * UNIT;
	uint64_t at = (uint64_t)page << DSM_PAGE_LOG2, bytes = (uint64_t)UNIT << DSM_PAGE_LOG2;

	if (c->opened[unit] < WORTH) {
		c->opened[unit]++;
		return;
	}
	if (c->opened[unit] > WORTH || !whole(c, unit))
		return;
	c->opened[unit]++;
	fill_holes(c, at, bytes);
	if (madvise(c->frames + at, bytes, MADV_COLLAPSE))
		return;
	if (madvise(c->app + at, bytes, MADV_DONTNEED))
		return;
	for_runs(c, page, page + UNIT, CORE_READ, map_again);
	for_runs(c, page, page + UNIT, CORE_WRITE, map_again);
}

/* Pages of coarse blocks, one row. */
static int set_row(struct coarse *c, uint32_t page, uint32_t count, bool write)
{
	struct block *b = &c->block[page / BLOCK];
	int err;

	if (count < FEW && b->few++ >= FEW_MOST) {
		err = coarse__leave(c, page);
		return err ? err : coarse__leave(c, page + count - 1);
	}
	if (count >= FEW)
		for (uint32_t i = page / BLOCK; i <= (page + count - 1) / BLOCK; i++)
			c->block[i].few = 0;
	for (uint32_t u = page / UNIT; write && u <= (page + count - 1) / UNIT; u++)
		make_one_piece(c, u);
	err = set_mapping(c, page, count, write);
	return err == -ENOMEM ? coarse__allow(c, false) : err; /* too many mappings */
}

int coarse__set(struct coarse *c, uint32_t page, uint32_t count, bool write)
{
	uint32_t end = page + count, next;
	int err = 0;

	for (; page < end && !err; page = next) {
		bool coarse = coarse__has(c, page);

		next = coarse__same(c, page, end);
		if (coarse)
			err = set_row(c, page, next - page, write);
	}
	return err;
}

int coarse__leave(struct coarse *c, uint32_t page)
{
	uint32_t b = page / BLOCK;

	if (!coarse__has(c, page))
		return 0;
	c->block[b].rough++;
	return refine(c, b, b + 1);
}

bool coarse__has(const struct coarse *c, uint32_t page)
{
	return page / BLOCK < c->blocks && c->block[page / BLOCK].coarse;
}

uint32_t coarse__same(const struct coarse *c, uint32_t page, uint32_t end)
{
	bool coarse = coarse__has(c, page);

	while (page < end && coarse__has(c, page) == coarse)
		page = (page / BLOCK + 1) * BLOCK;
	return page < end ? page : end;
}

int coarse__allow(struct coarse *c, bool allow)
{
	int err = 0;

	c->allow = allow;
	for (uint32_t b = 0, end; b < c->blocks && !allow && !err; b = end + 1) {
		for (end = b; end < c->blocks && c->block[end].coarse; end++)
			;
		if (end > b)
			err = refine(c, b, end);
	}
	return err;
}
