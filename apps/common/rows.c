// SPDX-License-Identifier: BSD-2-Clause
#include "apps/common/rows.h"

size_t rows__pages(size_t bytes)
{
	size_t pages = (bytes + 4095) / 4096;

	return (pages ? pages : 1) * 4096;
}

long rows__block(long count, long nodes, long node)
{
	return count * node / nodes;
}

/* The last node whose block begins at or before row i: the others that do have no rows. */
long rows__owner(long count, long nodes, long i)
{
	return ((i + 1) * nodes - 1) / count;
}

/* The first row of a part, with the shift. */
static long part_begin(const struct rows *r, long node)
{
	long first = rows__block(r->count, r->nodes, node) + r->shift;

	if (node == 0)
		return 0;
	return first < r->count ? first : r->count;
}

long rows__in_part(const struct rows *r, long node)
{
	switch (r->order) {
	case ROWS_BLOCK:
		return (node + 1 < r->nodes ? part_begin(r, node + 1) : r->count) - part_begin(r, node);
	case ROWS_CYCLIC:
		return (r->count - node + r->nodes - 1) / r->nodes;
	default:
		return node ? 0 : r->count;
	}
}

void rows__near(struct rows *r, long node)
{
	if (r->order != ROWS_BLOCK)
		return;
	r->near_first = part_begin(r, node);
	r->near_rows = rows__in_part(r, node);
	r->near = r->part[node];
}

void *rows__at(const struct rows *r, long i)
{
	long node = 0, index = i;

	if ((unsigned long)(i - r->near_first) < (unsigned long)r->near_rows)
		return r->near + (size_t)(i - r->near_first) * r->pitch;
	if (r->order == ROWS_BLOCK) {
		node = i >= r->shift ? rows__owner(r->count, r->nodes, i - r->shift) : 0;
		index = i - part_begin(r, node);
	} else if (r->order == ROWS_CYCLIC) {
		node = i % r->nodes;
		index = i / r->nodes;
	}
	return (char *)r->part[node] + (size_t)index * r->pitch;
}
