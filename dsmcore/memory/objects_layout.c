/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/memory/objects_layout.h"

#include <errno.h>

#include "dsm.h"
#include "dsmcore/memory/objects.h"

#define ARENA_PAGES_MIN 16u

void objects_layout__zones(struct objects_zones *z, uint64_t heap_bytes, uint16_t nodes,
			   enum core_model model)
{
	uint32_t most = objects__pages_per_home(heap_bytes, nodes), other = (most + 5) / 6, at = 0;

	z->model = model;
	for (unsigned m = CORE_TX; m <= CORE_RC; m++) {
		z->from[m] = at;
		at += m == model ? most : other;
	}
	z->from[CORE_RC + 1] = at;
	z->region_pages = at * nodes;
}

int objects_layout__open(struct objects_layout *l, uint64_t heap_bytes, uint16_t nodes, enum core_model model,
			 const struct plan *plan)
{
	uint32_t zone_pages;

	if (!nodes || heap_bytes / DSM_PAGE_SIZE < nodes || heap_bytes / DSM_PAGE_SIZE > UINT32_MAX / 2)
		return -EINVAL;
	*l = (struct objects_layout){.narenas = plan ? plan->narenas : 1, .nodes = nodes};
	objects_layout__zones(&l->zones, heap_bytes, nodes, model);
	l->pages = l->zones.region_pages;
	l->slab_pages = l->zones.from[CORE_RC + 1];
	l->by_slab = reciprocal__of(l->slab_pages);
	if (!plan || l->narenas == 1)
		return 0;
	/* half of the zone is for natural layouts, the other half for the strided rules alike: pages are
	 * only reserved addresses until they are touched */
	zone_pages = l->zones.from[model + 1] - l->zones.from[model];
	l->arena_pages = zone_pages / 2 / (l->narenas - 1);
	l->strided_pages = l->arena_pages * (l->narenas - 1);
	if (l->arena_pages < ARENA_PAGES_MIN)
		return -ENOSPC;
	l->by_arena = reciprocal__of(l->arena_pages);
	for (uint32_t i = 0; i < plan->nrules; i++) {
		const struct plan_rule *rule = &plan->rules[i];

		if (!rule->arena)
			continue;
		l->arena[rule->arena] = rule->layout;
		l->by_block[rule->arena] = reciprocal__of(rule->layout.block);
	}
	return 0;
}

uint16_t objects_layout__home(const struct objects_layout *l, uint32_t page)
{
	uint32_t slab = reciprocal__divide(page, l->by_slab);

	return slab < l->nodes ? slab : l->nodes - 1u;
}

/* Page 0 has the roots. */
static void spare_roots(uint32_t *first, uint32_t *count)
{
	if (*first)
		return;
	++*first;
	--*count;
}

void objects_layout__zone(const struct objects_layout *l, uint16_t node, enum core_model model,
			  uint32_t *first, uint32_t *count)
{
	*first = node * l->slab_pages + l->zones.from[model];
	*count = l->zones.from[model + 1] - l->zones.from[model];
	spare_roots(first, count);
}

void objects_layout__arena(const struct objects_layout *l, uint16_t node, uint32_t arena, uint32_t *first,
			   uint32_t *count)
{
	const uint32_t *zone = &l->zones.from[l->zones.model];
	uint32_t start = arena ? (arena - 1) * l->arena_pages : l->strided_pages;
	uint32_t end = arena ? start + l->arena_pages : zone[1] - zone[0];

	*first = node * l->slab_pages + zone[0] + start;
	*count = end - start;
	spare_roots(first, count);
}

uint64_t objects_layout__bytes(const struct plan_layout *l, uint64_t count)
{
	unsigned __int128 last;

	if (!count)
		return 1;
	last = count - 1;
	last = l->block ? last / l->block * l->block_stride + last % l->block * l->stride : last * l->stride;
	return last > UINT64_MAX - l->elem_size ? UINT64_MAX : (uint64_t)last + l->elem_size;
}

bool objects_layout__between(const struct objects_layout *l, uint64_t offset, uint32_t *arena)
{
	const struct plan_layout *a;
	uint64_t unit, in_page = offset % DSM_PAGE_SIZE;

	*arena = l->narenas > 1 ? objects_layout__arena_of(l, (uint32_t)(offset / DSM_PAGE_SIZE)) : 0;
	if (!*arena)
		return false;
	a = &l->arena[*arena];
	unit = a->block ? (uint64_t)(a->block - 1) * a->stride + a->elem_size : a->elem_size;
	if ((a->block ? a->block_stride : a->stride) % DSM_PAGE_SIZE || unit > DSM_PAGE_SIZE)
		return false;
	return in_page >= unit || in_page % a->stride >= a->elem_size;
}
