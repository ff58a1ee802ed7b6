/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * objects_layout.h - which slab and arena a region offset belongs to, by arithmetic alone. Pure.
 *
 *	region:  | slab of node 0 | slab of node 1 | ...
 *	slab:    | zone of tx | zone of sc | zone of rc |
 *	zone of the run's default model, 3/4 of the slab:
 *	         | arena 1 | arena 2 | ... | arena 0 (natural layouts) up to the zone's end |
 *
 * A page promises what its zone's model says (protocol/core.h: core_config.sc_from, rc_from), so no page has two. The
 * two zones of 1/8 are for objects that ask for another model, and the tx one also for what the runtime keeps.
 *
 * All sizes follow from the region's size, the number of nodes and the plan, which are the same on every
 * node; so dsm_at() finds the layout of an array of any node without asking. Page 0, the first of node 0's
 * slab, is the table of roots. Immutable once open, so any thread may ask.
 */
#ifndef DSM_MEMORY_OBJECTS_LAYOUT_H
#define DSM_MEMORY_OBJECTS_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "dsmcore/memory/plan.h"
#include "dsmcore/protocol/core.h"

/* Division of a 32-bit number by one that is fixed at open: a multiplication instead of 20 cycles. */
struct reciprocal {
	uint64_t magic; /* 0: divide by 1 */
};

static inline struct reciprocal reciprocal__of(uint32_t divisor)
{
	return (struct reciprocal){divisor > 1 ? UINT64_MAX / divisor + 1 : 0};
}

static inline uint32_t reciprocal__divide(uint32_t x, struct reciprocal r)
{
	/* exact: magic exceeds 2^64/divisor by less than 1, so the error stays below x/2^64 < 1/divisor */
	return r.magic ? (uint32_t)((unsigned __int128)x * r.magic >> 64) : x;
}

/* Of a region whose default model has room for heap_bytes in all. */
struct objects_zones {
	uint32_t from[CORE_RC + 2]; /* first page of each model's zone in a slab, and the slab's end */
	uint32_t region_pages;
	enum core_model model; /* default */
};
void objects_layout__zones(struct objects_zones *zones, uint64_t heap_bytes, uint16_t nodes,
			   enum core_model model);

struct objects_layout {
	struct objects_zones zones;
	uint32_t narenas; /* 1: no strided rule, all is natural */
	uint32_t pages;	  /* of the region */
	uint32_t slab_pages;
	uint32_t arena_pages;	/* of every arena but arena 0 */
	uint32_t strided_pages; /* arena_pages * (narenas - 1) */
	uint16_t nodes;
	struct reciprocal by_slab, by_arena;
	struct plan_layout arena[PLAN_ARENAS_MAX + 1];
	struct reciprocal by_block[PLAN_ARENAS_MAX + 1];
};

/* plan may be NULL. Errors: -EINVAL (fewer pages than nodes), -ENOSPC (slabs too small for the plan's
 * strided rules: less than 16 pages for each). */
int objects_layout__open(struct objects_layout *l, uint64_t heap_bytes, uint16_t nodes, enum core_model model,
			 const struct plan *plan);

/* Node whose slab holds the page, and first page and number of pages of a node's zone of a model, and of its arenas. */
uint16_t objects_layout__home(const struct objects_layout *l, uint32_t page);
void objects_layout__zone(const struct objects_layout *l, uint16_t node, enum core_model model,
			  uint32_t *first, uint32_t *count);
void objects_layout__arena(const struct objects_layout *l, uint16_t node, uint32_t arena, uint32_t *first,
			   uint32_t *count);

static inline enum core_model objects_layout__model(const struct objects_layout *l, uint32_t page)
{
	uint32_t at = page - reciprocal__divide(page, l->by_slab) * l->slab_pages;

	return at < l->zones.from[CORE_SC] ? CORE_TX : at < l->zones.from[CORE_RC] ? CORE_SC : CORE_RC;
}

static inline uint32_t objects_layout__arena_of(const struct objects_layout *l, uint32_t page)
{
	uint32_t slab = reciprocal__divide(page, l->by_slab);

	if (slab >= l->nodes)
		slab = l->nodes - 1u;
	page -= slab * l->slab_pages + l->zones.from[l->zones.model]; /* huge in a zone before */
	return page < l->strided_pages ? 1 + reciprocal__divide(page, l->by_arena) : 0;
}

/* Does a region offset lie where a strided arena has no element, as far as its page alone tells (elements, or blocks of
 * them, that lie at whole pages)? *arena: which one. Any thread. */
bool objects_layout__between(const struct objects_layout *l, uint64_t offset, uint32_t *arena);

/* Bytes from the first byte of element 0 to the last of element count - 1 (1 when there is none);
 * UINT64_MAX when that is beyond 64 bits. */
uint64_t objects_layout__bytes(const struct plan_layout *layout, uint64_t count);

#endif
