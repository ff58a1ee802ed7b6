/* SPDX-License-Identifier: BSD-2-Clause */
/* place.h - from bytes of a page to objects, elements and fields. */
#ifndef ANALYZER_PLACE_H
#define ANALYZER_PLACE_H

#include "byteset.h"
#include "layout.h"

#define PLACE_NONE UINT32_MAX
#define PLACE_MAX  512

/* The objects on one page at one time. */
struct page_view {
	struct model *model;
	struct layouts *layouts;
	uint32_t run;
	uint64_t start, bytes;
	int64_t time_ns;
	size_t n;
	uint32_t object[PLACE_MAX];
};

/* A stretch of an object, in bytes of its elements laid end to end (padding left out), so that it means the
 * same under every layout; outside of objects (object PLACE_NONE) plain region offsets. */
struct piece {
	uint32_t object;
	uint32_t reserved;
	uint64_t from, to;
};

/* Is it the DSM's own table of roots (dsm_root_set(), dsm_root()), in which no object can lie? */
static inline bool place__is_roots(dsm_ev_page page)
{
	return page == DSM_EV_PAGE(0, 12);
}

/* False when the page's size is not one that offsets of 16 bits can address. */
bool place__load(struct page_view *v, struct model *m, struct layouts *l, uint32_t run, dsm_ev_page page,
		 int64_t time_ns);
/* The object at a byte of the page, or PLACE_NONE; element and byte in it (element UINT64_MAX: padding). */
uint32_t place__at(const struct page_view *v, uint32_t byte, uint64_t *element, uint32_t *in_element);
/* Adds to `out` each span of `in`, widened to the scalars it touches and clipped to the page. */
void place__widen(const struct page_view *v, const struct byteset *in, struct byteset *out);
/* The scalar at a byte: length from that byte to its end, at least 1. */
uint32_t place__scalar_rest(const struct page_view *v, uint32_t byte);

struct pieces {
	struct piece *at;
	size_t n, cap;
};
/* Appends the set as pieces, in address order, neighbours joined. */
void place__pieces(const struct page_view *v, const struct byteset *set, struct pieces *out);
/* Names the fields that a set touches in objects of one group: "pos.x, pos.y and 2 more". */
void place__fields(const struct page_view *v, const struct byteset *set, uint32_t group, char *out,
		   size_t size);

/* Where element i of an object begins, from its first byte, under a layout. */
uint64_t place__element(uint64_t i, uint32_t stride, uint32_t block, uint32_t block_stride);

#endif
