/* SPDX-License-Identifier: BSD-2-Clause */
#include "replay.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "again.h"
#include "replay_work.h"

#define MANY_ELEMENTS (1u << 20)
#define MANY_PAGES    (1u << 16) /* of one side of one conflict */

struct spared { /* losers, and what their attempts had wasted */
	double count, ns;
};

unsigned replay__page_log2(const struct model *m)
{
	for (size_t r = 0; r < m->runs.n; r++)
		for (size_t i = 0; i < m->runs.at[r].nodes.n; i++)
			if (m->runs.at[r].nodes.at[i].page_log2 >= 12 &&
			    m->runs.at[r].nodes.at[i].page_log2 <= 16)
				return m->runs.at[r].nodes.at[i].page_log2;
	return 12;
}

static const struct shape *shape_at(const struct replay *r, size_t i)
{
	return table__key(&r->tally->shape_keys, (uint32_t)i, NULL);
}

static const struct piece *stored_of(const struct shape *s)
{
	return (const void *)(s + 1);
}

static const struct piece *touched_of(const struct shape *s)
{
	return stored_of(s) + s->nstored;
}

/* What the loser's node was ever seen to access on the pages that this attempt did not access; where nothing
 * was seen, what the winner stored, so that the conflict stays. */
static void fill_untouched(struct replay *r, size_t i)
{
	const struct shape *s = shape_at(r, i);
	const struct shape_sum *sum = &r->tally->shapes.at[i];
	struct pieces pieces = {0};
	uint64_t page;

	for (uint32_t k = 0; k < s->npages; k++) {
		struct {
			uint64_t page;
			uint32_t run, node;
		} key = {0, s->run, s->toucher};
		struct page_view v;
		uint32_t n;

		memcpy(&page, (const char *)(touched_of(s) + s->ntouched) + k * sizeof(page), sizeof(page));
		key.page = page;
		n = table__find(&r->tally->touch_keys, &key, sizeof(key));
		if (n != TABLE_NONE &&
		    place__load(&v, r->tally->model, r->tally->layouts, s->run, page, sum->time_ns))
			place__pieces(&v, &r->tally->node_touch.at[n], &pieces);
		else
			for (uint32_t p = 0; p < s->nstored; p++)
				*VEC_ADD(&pieces) = stored_of(s)[p];
	}
	r->untouched[i].at = pieces.at;
	r->untouched[i].n = pieces.n;
	r->untouched[i].cap = pieces.cap;
}

static void index_traffic(struct replay *r)
{
	for (uint32_t i = 0; i < r->tally->usage_keys.n; i++) {
		const struct usage_key *k = table__key(&r->tally->usage_keys, i, NULL);
		struct {
			uint64_t page, run;
		} key = {k->page, k->run};
		uint32_t n = table__intern(&r->traffic_keys, &key, sizeof(key));

		if (n == r->traffic.n)
			*VEC_ADD(&r->traffic) = (struct traffic){.run = k->run, .page = k->page};
		if (k->kind == USE_WRITE)
			*VEC_ADD(&r->traffic.at[n].writes) = i;
		else
			*VEC_ADD(&r->traffic.at[n].accesses) = i;
	}
}

static double attempts_unseen(const struct tally *t)
{
	double seen = t->ledger.microscope_commits + t->ledger.microscope_aborts;
	struct totals all;

	model__totals(t->model, &all);
	return seen > 0 ? fmax(1, ((double)all.sum.commits + (double)all.sum.aborts) / seen) : 1;
}

static void index_places(struct replay *r)
{
	size_t n = r->tally->shapes.n;

	r->again = again__new(r->tally);
	r->place = mem__alloc(n * sizeof(*r->place));
	for (size_t i = 0; i < n; i++) {
		const struct shape *s = shape_at(r, i);

		r->place[i] = again__place(r->again, s->run, (uint16_t)s->loser, s->loser_site);
		if (r->place[i] != TABLE_NONE && r->place[i] >= r->places)
			r->places = r->place[i] + 1;
	}
	r->spared = mem__alloc(r->places * sizeof(*r->spared));
}

struct replay *replay__new(struct tally *t)
{
	struct replay *r = mem__alloc(sizeof(*r));

	r->tally = t;
	r->log2 = replay__page_log2(t->model);
	r->untouched = mem__alloc(t->shapes.n * sizeof(*r->untouched));
	r->mostly = mem__alloc(t->model->groups.n * sizeof(*r->mostly));
	for (size_t i = 0; i < t->shapes.n; i++)
		if (shape_at(r, i)->npages)
			fill_untouched(r, i);
	index_traffic(r);
	index_places(r);
	r->unseen = attempts_unseen(t);
	return r;
}

void replay__free(struct replay *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->tally->shapes.n; i++)
		VEC_FREE(&r->untouched[i]);
	for (size_t i = 0; i < r->traffic.n; i++) {
		VEC_FREE(&r->traffic.at[i].writes);
		VEC_FREE(&r->traffic.at[i].accesses);
	}
	VEC_FREE(&r->traffic);
	VEC_FREE(&r->a);
	VEC_FREE(&r->b);
	table__free(&r->traffic_keys);
	mem__free(r->untouched);
	again__free(r->again);
	mem__free(r->place);
	mem__free(r->spared);
	mem__free(r->met);
	for (size_t i = 0; i < r->tally->model->groups.n; i++)
		mem__free(r->mostly[i].of);
	mem__free(r->mostly);
	mem__free(r);
}

/* ---- bytes to pages under a layout ---- */

static void add_page(struct pages *out, uint64_t page)
{
	if ((out->n && out->at[out->n - 1] == page) || out->n >= MANY_PAGES)
		return;
	*VEC_ADD(out) = page;
}

static void add_range(struct pages *out, uint64_t base, uint64_t from, uint64_t to, unsigned log2)
{
	for (uint64_t p = from >> log2; from < to && p <= (to - 1) >> log2 && out->n < MANY_PAGES; p++)
		add_page(out, base + p);
}

static void add_piece_pages(const struct replay *r, const struct change *change, const struct piece *p,
			    struct pages *out)
{
	const struct object *o;
	const struct change *c;
	uint32_t stride, block, block_stride;
	uint64_t base = 0, start, elem;

	if (p->object == PLACE_NONE) {
		add_range(out, 0, p->from, p->to, r->log2);
		return;
	}
	o = &r->tally->model->objects.at[p->object];
	c = &change[o->group];
	stride = c->moved && c->stride ? c->stride : o->stride;
	block = c->moved && c->stride ? c->block : o->block;
	block_stride = c->moved && c->stride ? c->block_stride : o->block_stride;
	start = c->moved ? 0 : o->offset;
	if (c->moved) /* each on pages of its own: numbers beyond all real ones */
		base = (uint64_t)(p->object + 1) << 40;
	elem = o->elem_size;
	if (stride == elem && !block) {
		add_range(out, base, start + p->from, start + p->to, r->log2);
		return;
	}
	for (uint64_t i = p->from / elem; i * elem < p->to && out->n < MANY_PAGES; i++) {
		uint64_t from = p->from > i * elem ? p->from - i * elem : 0;
		uint64_t to = p->to - i * elem < elem ? p->to - i * elem : elem;
		uint64_t at = start + place__element(i, stride, block, block_stride);

		add_range(out, base, at + from, at + to, r->log2);
	}
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void replay_work__sort(struct pages *p)
{
	size_t n = 0;

	if (p->n > 1)
		qsort(p->at, p->n, sizeof(*p->at), by_number);
	for (size_t i = 0; i < p->n; i++)
		if (!n || p->at[n - 1] != p->at[i])
			p->at[n++] = p->at[i];
	p->n = n;
}

void replay_work__pages(const struct replay *r, const struct change *change, const struct piece *p, size_t n,
			struct pages *out)
{
	for (size_t i = 0; i < n; i++)
		add_piece_pages(r, change, &p[i], out);
}

static size_t common(const struct pages *a, const struct pages *b)
{
	size_t i = 0, j = 0, n = 0;

	while (i < a->n && j < b->n) {
		if (a->at[i] == b->at[j])
			n++, i++, j++;
		else if (a->at[i] < b->at[j])
			i++;
		else
			j++;
	}
	return n;
}

static bool moves(const struct replay *r, const struct change *change, const struct piece *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (p[i].object != PLACE_NONE && change[r->tally->model->objects.at[p[i].object].group].moved)
			return true;
	return false;
}

/* On how many pages the sides of a shape meet. */
static size_t meets_on(struct replay *r, const struct change *change, size_t i)
{
	const struct shape *s = shape_at(r, i);

	r->a.n = r->b.n = 0;
	replay_work__pages(r, change, stored_of(s), s->nstored, &r->a);
	replay_work__pages(r, change, touched_of(s), s->ntouched, &r->b);
	replay_work__pages(r, change, r->untouched[i].at, r->untouched[i].n, &r->b);
	replay_work__sort(&r->a);
	replay_work__sort(&r->b);
	return r->a.n && r->b.n ? common(&r->a, &r->b) : 1;
}

/* ---- whose elements are ---- */

struct claim { /* on an element: by the node that writes it most, and by all others */
	uint32_t node;
	double most, others;
};

static void claim_pieces(const struct replay *r, const struct piece *p, size_t n, uint32_t node,
			 double weight, uint32_t group, struct claim *claims, uint64_t count)
{
	for (size_t i = 0; i < n; i++) {
		const struct object *o =
			p[i].object == PLACE_NONE ? NULL : &r->tally->model->objects.at[p[i].object];

		if (!o || o->group != group)
			continue;
		for (uint64_t e = p[i].from / o->elem_size; e * o->elem_size < p[i].to && e < count; e++) {
			struct claim *c = &claims[e];

			if (c->most == 0 || c->node == node) {
				c->node = node;
				c->most += weight;
			} else if ((c->others += weight) > c->most) {
				double most = c->others;

				c->others = c->most;
				c->most = most;
				c->node = node;
			}
		}
	}
}

void replay__owners(const struct replay *r, uint32_t group, double foreign, struct owners *out)
{
	const struct tally *t = r->tally;
	const struct group *g = &t->model->groups.at[group];
	struct claim *claims;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < g->objects.n; i++) {
		const struct object *o = &t->model->objects.at[g->objects.at[i]];

		out->count = o->count > out->count ? o->count : out->count;
	}
	if (out->count > MANY_ELEMENTS)
		return;
	out->of = mem__alloc(out->count * sizeof(*out->of));
	claims = mem__alloc(out->count * sizeof(*claims));
	for (uint32_t i = 0; i < t->usage_keys.n; i++) {
		const struct usage_key *k = table__key(&t->usage_keys, i, NULL);

		if (k->kind == USE_WRITE)
			claim_pieces(r, (const void *)(k + 1), k->n, k->node, t->usages.at[i], group, claims,
				     out->count);
	}
	for (size_t i = 0; i < t->shapes.n; i++)
		claim_pieces(r, stored_of(shape_at(r, i)), shape_at(r, i)->nstored, shape_at(r, i)->changer,
			     t->shapes.at[i].conflicts, group, claims, out->count);
	for (uint64_t e = 0; e < out->count; e++)
		out->of[e] = claims[e].most == 0			   ? OWNER_NONE
			     : claims[e].others > claims[e].most * foreign ? OWNER_MANY
									   : claims[e].node;
	mem__free(claims);
}

/* ---- which conflicts stay, and on how many pages ---- */

/* Which node mostly writes each element of a group, or NULL where there are too many; found once. */
static const uint32_t *most_writers(struct replay *r, uint32_t group, uint64_t *count)
{
	struct owners *o = &r->mostly[group];

	if (!o->count)
		replay__owners(r, group, 1, o);
	*count = o->count;
	return o->of;
}

/* Pages of one piece's elements that are mostly another node's: that one has written them since this node was there, however
 * long ago that was. */
static void pages_of_others(struct replay *r, const struct change *change, const struct piece *p,
			    uint16_t node, struct pages *out)
{
	const struct object *o = p->object == PLACE_NONE ? NULL : &r->tally->model->objects.at[p->object];
	const uint32_t *owner;
	uint64_t count;

	owner = o && change[o->group].moved ? most_writers(r, o->group, &count) : NULL;
	if (!owner)
		return;
	for (uint64_t e = p->from / o->elem_size;
	     e * o->elem_size < p->to && e < count && out->n < MANY_PAGES; e++) {
		struct piece one = {
			.object = p->object, .from = e * o->elem_size, .to = (e + 1) * o->elem_size};

		one.from = one.from > p->from ? one.from : p->from;
		one.to = one.to < p->to ? one.to : p->to;
		if (owner[e] != OWNER_NONE && owner[e] != node)
			add_piece_pages(r, change, &one, out);
	}
}

/* On how many pages the sides still meet under a layout, and of a true conflict, which stays wherever its bytes lie, how many
 * have to come: pages that the other side changed, or that others mostly write. */
static size_t remains_on(struct replay *r, const struct change *change, size_t i)
{
	const struct shape *s = shape_at(r, i);
	bool stays = s->verdict == VERDICT_TRUE || s->verdict == VERDICT_SILENT;
	size_t n;

	if (stays && !moves(r, change, touched_of(s), s->ntouched))
		return 1;
	n = meets_on(r, change, i);
	if (!stays)
		return n;
	r->b.n = 0;
	for (uint32_t k = 0; k < s->ntouched; k++)
		pages_of_others(r, change, &touched_of(s)[k], s->toucher, &r->b);
	replay_work__sort(&r->b);
	n = n + r->b.n - common(&r->a, &r->b);
	return n ? n : 1;
}

static bool survives(struct replay *r, const struct change *change, size_t i)
{
	const struct shape *s = shape_at(r, i);

	return s->verdict == VERDICT_TRUE || s->verdict == VERDICT_SILENT || meets_on(r, change, i);
}

/* Pages now, of each shape. */
static void count_meets(struct replay *r)
{
	struct change *none = mem__alloc((r->tally->model->groups.n + 1) * sizeof(*none));

	r->met = mem__alloc(r->tally->shapes.n * sizeof(*r->met));
	for (size_t i = 0; i < r->tally->shapes.n; i++)
		r->met[i] = (uint32_t)meets_on(r, none, i);
	mem__free(none);
}

/* ---- the whole ---- */

static void count_memory(const struct replay *r, const struct change *change, struct effect *out)
{
	const struct model *m = r->tally->model;
	double page = (double)((uint64_t)1 << r->log2);

	for (size_t i = 0; i < m->objects.n; i++) {
		const struct object *o = &m->objects.at[i];
		const struct change *c = &change[o->group];
		uint64_t extent = o->bytes;

		if (!c->moved || (o->died_ns != INT64_MAX && m->runs.n == 1))
			continue;
		if (c->stride)
			extent = place__element(o->count - 1, c->stride, c->block, c->block_stride) +
				 o->elem_size;
		out->pages_before += (double)o->bytes / page;
		out->pages_after += ceil((double)extent / page);
	}
	out->pages_before /= (double)(m->runs.n ? m->runs.n : 1);
	out->pages_after /= (double)(m->runs.n ? m->runs.n : 1);
}

void replay__run(struct replay *r, const struct change *change, struct effect *out)
{
	const struct tally *t = r->tally;
	double kept = t->shapes_kept > 0 ? (t->shapes_kept + t->shapes_dropped) / t->shapes_kept : 1;

	memset(out, 0, sizeof(*out));
	if (!r->met)
		count_meets(r);
	if (r->places)
		memset(r->spared, 0, r->places * sizeof(*r->spared));
	for (size_t i = 0; i < t->shapes.n; i++) {
		size_t pages = remains_on(r, change, i);

		if (pages > r->met[i] && pages > 1)
			out->spread += t->shapes.at[i].conflicts * kept *
				       (double)(pages - (r->met[i] ? r->met[i] : 1));
		if (pages)
			continue;
		out->saved_ns += t->shapes.at[i].ns * kept;
		out->saved_conflicts += t->shapes.at[i].conflicts * kept;
		if (r->place[i] == TABLE_NONE)
			continue;
		r->spared[r->place[i]].ns += t->shapes.at[i].ns * kept;
		r->spared[r->place[i]].count += t->shapes.at[i].conflicts * kept;
	}
	out->sure_ns = out->saved_ns;
	for (size_t i = 0; i < r->places; i++)
		out->sure_ns -= r->spared[i].ns * again__share(r->again, (uint32_t)i, r->spared[i].count);
	replay_work__fetches(r, change, out);
	count_memory(r, change, out);
}

static bool share_element(const struct replay *r, const struct piece *a, const struct piece *b,
			  uint32_t group)
{
	const struct object *o;

	if (a->object != b->object || a->object == PLACE_NONE)
		return false;
	o = &r->tally->model->objects.at[a->object];
	return o->group == group && a->from / o->elem_size <= (b->to - 1) / o->elem_size &&
	       b->from / o->elem_size <= (a->to - 1) / o->elem_size;
}

double replay__within_element(struct replay *r, const struct change *change, uint32_t group)
{
	const struct tally *t = r->tally;
	double ns = 0;

	for (size_t i = 0; i < t->shapes.n; i++) {
		const struct shape *s = shape_at(r, i);
		bool found = false;

		if (s->verdict != VERDICT_FALSE || !survives(r, change, i))
			continue;
		for (uint32_t a = 0; a < s->nstored && !found; a++)
			for (uint32_t b = 0; b < s->ntouched && !found; b++)
				found = share_element(r, &stored_of(s)[a], &touched_of(s)[b], group);
		ns += found ? t->shapes.at[i].ns : 0;
	}
	return ns;
}

void replay__remains(struct replay *r, const struct change *change, uint32_t loser_site, struct remains *out)
{
	const struct tally *t = r->tally;
	double elements = 0;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < t->shapes.n; i++) {
		const struct shape *s = shape_at(r, i);
		double touched = 0;

		if ((loser_site && s->loser_site != loser_site) || !survives(r, change, i))
			continue;
		for (uint32_t b = 0; b < s->ntouched; b++) {
			const struct piece *p = &touched_of(s)[b];

			if (p->object != PLACE_NONE)
				touched += ceil((double)(p->to - p->from) /
						(double)t->model->objects.at[p->object].elem_size);
		}
		out->ns += t->shapes.at[i].ns;
		out->conflicts += t->shapes.at[i].conflicts;
		elements += touched * t->shapes.at[i].ns;
	}
	out->elements = out->ns > 0 ? elements / out->ns : 0;
}
