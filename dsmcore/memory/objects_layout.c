/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/memory/objects_layout.h"

#include <errno.h>

#include "dsm.h"
#include "dsmcore/memory/objects.h"

#define ARENA_PAGES_MIN 16u

int objects_layout__open(struct objects_layout *l, uint64_t region_bytes, uint16_t nodes,
			 const struct plan *plan)
{
	if (!nodes || region_bytes / DSM_PAGE_SIZE < nodes || region_bytes / DSM_PAGE_SIZE > UINT32_MAX)
		return -EINVAL;
	*l = (struct objects_layout){
		.narenas = plan ? plan->narenas : 1,
		.pages = region_bytes / DSM_PAGE_SIZE,
		.slab_pages = objects__pages_per_home(region_bytes, nodes),
		.nodes = nodes,
	};
	l->by_slab = reciprocal__of(l->slab_pages);
	if (!plan || l->narenas == 1)
		return 0;
	/* half of a slab is for natural layouts, the other half for the strided rules alike: pages are
	 * only reserved addresses until they are touched */
	l->arena_pages = l->slab_pages / 2 / (l->narenas - 1);
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

static uint32_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void objects_layout__arena(const struct objects_layout *l, uint16_t node, uint32_t arena, uint32_t *first,
			   uint32_t *count)
{
	uint64_t slab = (uint64_t)node * l->slab_pages;
	uint64_t start = arena ? slab + (uint64_t)(arena - 1) * l->arena_pages : slab + l->strided_pages;
	uint64_t end = arena ? start + l->arena_pages : slab + l->slab_pages;

	if (node == l->nodes - 1 && !arena)
		end = l->pages;
	*first = smaller(start, l->pages); /* the region may end within the slabs of the last nodes */
	*count = smaller(end, l->pages) - *first;
	if (!*first) { /* page 0 has the roots */
		++*first;
		--*count;
	}
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
