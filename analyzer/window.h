/* SPDX-License-Identifier: BSD-2-Clause */
/* window.h - the records that wait for their counterparts, found by transaction and page. */
#ifndef ANALYZER_WINDOW_H
#define ANALYZER_WINDOW_H

#include "model.h"

/* Entries of one key are scanned one by one: a key with more belongs to a broken or hostile trace. */
#define WINDOW_CHAIN 1024

struct entry {
	struct entry *same_key; /* older entry of the same transaction and page */
	int64_t time_ns;
	uint32_t run;
	bool follows;	   /* the node's record before this one is here too: nothing was lost between */
	uint64_t record[]; /* struct dsm_ev_hdr and what follows it */
};

static inline const struct dsm_ev_hdr *entry__hdr(const struct entry *e)
{
	return (const void *)e->record;
}

#define WINDOW_GENERATIONS 3
struct window {
	size_t limit; /* bytes a generation */
	struct generation {
		struct table keys;
		VEC(struct entry *) newest; /* by key */
		VEC(uint32_t) length;	    /* of its chain */
		VEC(struct entry *) order;  /* all entries, as they came */
		size_t bytes;
	} generation[WINDOW_GENERATIONS]; /* 0 = newest */
};

void window__init(struct window *w, size_t limit);
void window__free(struct window *w);
/* Keeps a copy. Page 0 (no page has that name: its size would be 1) files how an attempt ended. */
void window__add(struct window *w, uint32_t run, int64_t time_ns, bool follows,
		 const struct dsm_ev_hdr *record, uint16_t node, uint64_t number, dsm_ev_page page);
bool window__full(const struct window *w);
/* Drops the oldest generation and opens a new one. */
void window__advance(struct window *w);

/* Walks the entries of a key, newest first, at most WINDOW_CHAIN a generation. */
struct window_cursor {
	const struct window *w;
	struct {
		uint64_t number, page;
		uint32_t run, generation, node, zero;
	} key;
	int generation;
	const struct entry *at;
};
void window__find(const struct window *w, struct window_cursor *c, uint32_t run, uint16_t node,
		  uint32_t generation, uint64_t number, dsm_ev_page page);
const struct entry *window__next(struct window_cursor *c);

#endif
