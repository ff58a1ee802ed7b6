/* SPDX-License-Identifier: BSD-2-Clause */
#include "window.h"

#include <string.h>

struct window_key {
	uint64_t number, page;
	uint32_t run, generation, node, zero;
};

static struct window_key key_of(uint32_t run, uint16_t node, uint32_t generation, uint64_t number,
				dsm_ev_page page)
{
	return (struct window_key){number, page, run, generation, node, 0};
}

static void clear(struct generation *g)
{
	for (size_t i = 0; i < g->order.n; i++)
		mem__free(g->order.at[i]);
	table__free(&g->keys);
	VEC_FREE(&g->newest);
	VEC_FREE(&g->length);
	VEC_FREE(&g->order);
	g->bytes = 0;
}

void window__init(struct window *w, size_t limit)
{
	memset(w, 0, sizeof(*w));
	w->limit = limit;
}

void window__free(struct window *w)
{
	for (int i = 0; i < WINDOW_GENERATIONS; i++)
		clear(&w->generation[i]);
}

void window__add(struct window *w, uint32_t run, int64_t time_ns, bool follows,
		 const struct dsm_ev_hdr *record, uint16_t node, uint64_t number, dsm_ev_page page)
{
	struct generation *g = &w->generation[0];
	struct window_key key = key_of(run, node, record->generation, number, page);
	struct entry *e = mem__alloc(sizeof(*e) + record->size);
	uint32_t n = table__intern(&g->keys, &key, sizeof(key));

	if (n == g->newest.n) {
		*VEC_ADD(&g->newest) = NULL;
		*VEC_ADD(&g->length) = 0;
	}
	e->run = run;
	e->time_ns = time_ns;
	e->follows = follows;
	memcpy(e->record, record, record->size);
	if (g->length.at[n]++ < WINDOW_CHAIN) {
		e->same_key = g->newest.at[n];
		g->newest.at[n] = e;
	}
	*VEC_ADD(&g->order) = e;
	g->bytes += sizeof(*e) + record->size + 96; /* 96: its part of the tables */
}

bool window__full(const struct window *w)
{
	return w->generation[0].bytes >= w->limit;
}

void window__advance(struct window *w)
{
	clear(&w->generation[WINDOW_GENERATIONS - 1]);
	memmove(w->generation + 1, w->generation, (WINDOW_GENERATIONS - 1) * sizeof(w->generation[0]));
	memset(&w->generation[0], 0, sizeof(w->generation[0]));
}

void window__find(const struct window *w, struct window_cursor *c, uint32_t run, uint16_t node,
		  uint32_t generation, uint64_t number, dsm_ev_page page)
{
	struct window_key key = key_of(run, node, generation, number, page);

	memset(c, 0, sizeof(*c));
	c->w = w;
	memcpy(&c->key, &key, sizeof(key));
	c->generation = -1;
}

const struct entry *window__next(struct window_cursor *c)
{
	const struct entry *e = c->at;

	while (!e) {
		const struct generation *g;
		uint32_t n;

		if (++c->generation >= WINDOW_GENERATIONS)
			return NULL;
		g = &c->w->generation[c->generation];
		n = table__find(&g->keys, &c->key, sizeof(c->key));
		e = n == TABLE_NONE ? NULL : g->newest.at[n];
	}
	c->at = e->same_key;
	return e;
}
