/* SPDX-License-Identifier: BSD-2-Clause */
#include "homes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The records of a page come from several nodes, in no sure order; its versions have one. */
void homes__take(struct model *m, uint32_t run, const struct dsm_ev_move *record, int64_t time_ns)
{
	const struct {
		uint64_t page, run;
	} key = {record->page, run};
	uint32_t number = table__intern(&m->home_ids, &key, sizeof(key));
	struct page_home *h;

	if (number == m->homes.n)
		*VEC_ADD(&m->homes) = (struct page_home){
			.run = run, .offset = DSM_EV_PAGE_OFFSET(record->page), .birth = record->birth};
	h = &m->homes.at[number];
	h->moves++;
	if (h->moves > 1 && record->version < h->version)
		return;
	h->version = record->version;
	h->home = record->to;
	h->time_ns = time_ns;
}

static void name_of(struct model *m, const struct page_home *h, char *out, size_t size)
{
	const struct node *node = model__find_node(m, h->run, h->birth);
	uint64_t bytes = 1ull << (node && node->page_log2 ? node->page_log2 : 12);
	uint32_t object;

	out[0] = 0;
	if (model__objects_at(m, h->run, h->offset, h->offset + bytes, h->time_ns, &object, 1))
		model__group_name(m, model__group(m, object), out, size);
}

static struct homes_row *row_of(struct homes *out, const char *object, uint16_t birth, uint16_t home)
{
	struct homes_row *row;

	for (size_t i = 0; i < out->rows.n; i++) {
		row = &out->rows.at[i];
		if (row->birth == birth && row->home == home && !strcmp(row->object, object))
			return row;
	}
	row = VEC_ADD(&out->rows);
	*row = (struct homes_row){.birth = birth, .home = home};
	snprintf(row->object, sizeof(row->object), "%s", object);
	return row;
}

static int by_pages(const void *a, const void *b)
{
	const struct homes_row *x = a, *y = b;

	if (x->pages != y->pages)
		return x->pages > y->pages ? -1 : 1;
	if (x->home != y->home)
		return x->home < y->home ? -1 : 1;
	return strcmp(x->object, y->object);
}

void homes__sum(struct model *m, struct homes *out)
{
	struct homes_row *row;
	struct totals totals;
	char name[HOMES_NAME];

	*out = (struct homes){0};
	model__totals(m, &totals);
	out->counted = totals.sum.homes_moved;
	for (size_t i = 0; i < m->homes.n; i++) {
		const struct page_home *h = &m->homes.at[i];

		name_of(m, h, name, sizeof(name));
		row = row_of(out, name, h->birth, h->home);
		row->pages++;
		row->moves += h->moves;
		out->pages++;
		out->moves += h->moves;
	}
	if (out->rows.n)
		qsort(out->rows.at, out->rows.n, sizeof(*out->rows.at), by_pages);
}

void homes__free(struct homes *h)
{
	VEC_FREE(&h->rows);
}
