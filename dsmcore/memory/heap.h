/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heap.h - a pure allocator over region offsets: which bytes of a range of pages are taken.
 *
 * It never looks at the memory it hands out and keeps all it knows in private memory, so that heap
 * metadata never shares a page with objects (design invariant 10). One struct heap manages one arena.
 * Not thread-safe; the caller holds its lock.
 */
#ifndef DSM_MEMORY_HEAP_H
#define DSM_MEMORY_HEAP_H

#include <stdbool.h>
#include <stdint.h>

#define HEAP_PAGE      4096u
#define HEAP_ALIGN     16u
#define HEAP_SMALL_MAX 2048u /* larger requests get pages of their own */

struct heap;

struct heap_extent {
	uint64_t offset; /* region offset of the first byte */
	uint64_t bytes;	 /* taken: the size class, or whole pages */
	bool fresh;	 /* never handed out before: still zero */
};

/* Manages [start, start + pages * HEAP_PAGE); start is a multiple of HEAP_PAGE. Errors: -EINVAL, -ENOMEM. */
int heap__open(struct heap **out, uint64_t start, uint64_t pages);
void heap__close(struct heap *heap);

/* Takes `bytes` (0 counts as 1), aligned to HEAP_ALIGN, and to 64 when `bytes` is a multiple of 64.
 * Requests of one size class made one after the other lie side by side on shared pages. `isolate`:
 * pages of its own, whatever the size. Errors: -ENOSPC (the range is used up), -ENOMEM. */
int heap__alloc(struct heap *heap, uint64_t bytes, bool isolate, struct heap_extent *out);

/* Gives back what heap__alloc() returned. Errors: -ENOENT: no live object starts at this offset. */
int heap__free(struct heap *heap, uint64_t offset);

/* Takes an allocation back whose memory has been restored to what it was before: as heap__free(), but
 * what was fresh is fresh again. */
int heap__undo(struct heap *heap, const struct heap_extent *extent);

/* The live object that owns the byte at `offset`. Errors: -ENOENT. */
int heap__find(const struct heap *heap, uint64_t offset, struct heap_extent *out);

/* Checks every internal invariant, for tests: 0 or -EBADMSG. */
int heap__check(const struct heap *heap);

#endif
