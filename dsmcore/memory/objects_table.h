/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * objects_table.h - the live objects of this node's slab, by region offset. Pure; the caller holds its lock.
 */
#ifndef DSM_MEMORY_OBJECTS_TABLE_H
#define DSM_MEMORY_OBJECTS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct object {
	uint64_t offset; /* of the first byte; 0 = free place in the table (page 0 has no objects) */
	uint64_t serial; /* unlike any other object's, also at the same offset */
	uint64_t bytes;	 /* laid out */
	uint64_t count;
	uint32_t elem_size, stride, block, block_stride;
	uint32_t type, site; /* ids of events.h */
	uint32_t flags;	     /* DSM_EV_OBJECT_* */
	uint8_t arena;
	bool fresh;   /* its memory was never used before */
	bool leaving; /* freed by the running attempt */
};

struct objects_table {
	struct object *slot; /* open addressing; room is 0 or a power of two, at most 3/4 full */
	size_t room, count;
};

/* Copies *object in; its offset must not be there yet. Returns 0 or -ENOMEM. */
int objects_table__add(struct objects_table *t, const struct object *object);
/* The object that starts at offset, or NULL. Valid until the next add or remove. */
struct object *objects_table__get(const struct objects_table *t, uint64_t offset);
void objects_table__remove(struct objects_table *t, struct object *object);
void objects_table__clear(struct objects_table *t);

#endif
