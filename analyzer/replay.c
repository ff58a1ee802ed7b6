/* SPDX-License-Identifier: BSD-2-Clause */
#include "replay.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "again.h"

#define MANY_ELEMENTS (1u << 20)
#define MANY_PAGES    (1u << 16) /* of one side of one conflict */

struct pages {
	uint64_t *at;
	size_t n, cap;
};

struct traffic { /* of one page of one run */
	uint32_t run;
	uint64_t page;
	VEC(uint32_t) writes, accesses; /* usage numbers */
};

struct replay {
	struct tally *tally;
	unsigned log2;
	struct pages a, b; /* scratch */
	double unseen;	   /* attempts for each that the microscope saw */
	struct table traffic_keys;
	VEC(struct traffic) traffic;
	VEC(struct piece) * untouched; /* by shape: what its loser may have had there */
	struct again *again;
	uint32_t *place;       /* by shape: of its loser's attempts */
	struct spared *spared; /* by place, scratch */
	size_t places;
};

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

static void sort_pages(struct pages *p)
{
	size_t n = 0;

	if (p->n > 1)
		qsort(p->at, p->n, sizeof(*p->at), by_number);
	for (size_t i = 0; i < p->n; i++)
		if (!n || p->at[n - 1] != p->at[i])
			p->at[n++] = p->at[i];
	p->n = n;
}

static void pages_of(const struct replay *r, const struct change *change, const struct piece *p, size_t n,
		     struct pages *out)
{
	for (size_t i = 0; i < n; i++)
		add_piece_pages(r, change, &p[i], out);
}

static bool meet(const struct pages *a, const struct pages *b)
{
	size_t i = 0, j = 0;

	while (i < a->n && j < b->n) {
		if (a->at[i] == b->at[j])
			return true;
		if (a->at[i] < b->at[j])
			i++;
		else
			j++;
	}
	return false;
}

static bool survives(struct replay *r, const struct change *change, size_t i)
{
	const struct shape *s = shape_at(r, i);

	if (s->verdict == VERDICT_TRUE || s->verdict == VERDICT_SILENT)
		return true; /* the same bytes meet wherever they lie */
	r->a.n = r->b.n = 0;
	pages_of(r, change, stored_of(s), s->nstored, &r->a);
	pages_of(r, change, touched_of(s), s->ntouched, &r->b);
	pages_of(r, change, r->untouched[i].at, r->untouched[i].n, &r->b);
	sort_pages(&r->a);
	sort_pages(&r->b);
	return !r->a.n || !r->b.n || meet(&r->a, &r->b);
}

/* ---- fetches ---- */

static bool any_moved(const struct replay *r, const struct change *change, const struct traffic *t)
{
	for (int kind = 0; kind < 2; kind++) {
		const uint32_t *list = kind ? t->accesses.at : t->writes.at;
		size_t n = kind ? t->accesses.n : t->writes.n;

		for (size_t i = 0; i < n; i++) {
			const struct usage_key *k = table__key(&r->tally->usage_keys, list[i], NULL);
			const struct piece *p = (const void *)(k + 1);

			for (uint32_t j = 0; j < k->n; j++)
				if (p[j].object != PLACE_NONE &&
				    change[r->tally->model->objects.at[p[j].object].group].moved)
					return true;
		}
	}
	return false;
}

/* The share of foreign writes that touch each new page, into `r->b` (pages) and `*share`. */
static double foreign_writes(struct replay *r, const struct change *change, const struct traffic *t,
			     uint16_t node, double **share)
{
	double total = 0, *weight = NULL;
	size_t cap = 0, n = 0;

	r->b.n = 0;
	for (size_t i = 0; i < t->writes.n; i++) {
		const struct usage_key *k = table__key(&r->tally->usage_keys, t->writes.at[i], NULL);
		double w = r->tally->usages.at[t->writes.at[i]];

		if (k->node == node)
			continue;
		total += w;
		r->a.n = 0;
		pages_of(r, change, (const void *)(k + 1), k->n, &r->a);
		sort_pages(&r->a);
		for (size_t p = 0; p < r->a.n; p++) {
			size_t q = 0;

			while (q < n && r->b.at[q] != r->a.at[p])
				q++;
			if (q == n) {
				if (n >= 4096)
					continue;
				weight = mem__grow(weight, n++, &cap, sizeof(*weight));
				weight[q] = 0;
				*VEC_ADD(&r->b) = r->a.at[p];
			}
			weight[q] += w;
		}
	}
	for (size_t q = 0; q < n; q++)
		weight[q] /= total;
	*share = weight;
	return total;
}

/* Fetches of one new page by one node. It goes there in a share of the attempts that went to the old page
 * (`seen` of these under the microscope, of which there were more without it), and a share of the foreign
 * writes goes there. Accesses of an open page do not fault, so a dense page that each attempt needs is
 * fetched once for many of them; the less often a page is needed, the surer somebody else has written it
 * meanwhile. */
static double page_fetches(const struct replay *r, double goes, double seen, double share, double writes,
			   double fetches)
{
	double attempts = fmax(fetches, seen * r->unseen), visits = goes * attempts;
	double each, batched = pow(fetches / fmax(fetches, fmin(attempts, writes)), goes);

	if (visits <= 0)
		return 0;
	each = 1 - pow(1 - share, fmax(1, writes / visits));
	return batched * fmin(visits * each, writes * share);
}

/* Fetches of one page by one node, played again. Its accesses are those seen under the microscope, or else
 * its own writes; with neither nothing can be said, and nothing is. */
static double played_fetches(struct replay *r, const struct change *change, const struct traffic *t,
			     uint16_t node, double fetches)
{
	double *share = NULL, total = foreign_writes(r, change, t, node, &share);
	double expected = 0, weights = 0, *own;

	if (total <= 0 || !share) {
		mem__free(share);
		return fetches;
	}
	own = mem__alloc(r->b.n * sizeof(*own));
	for (int kind = 0; kind < 2 && weights == 0; kind++) {
		const uint32_t *list = kind ? t->writes.at : t->accesses.at;
		size_t n = kind ? t->writes.n : t->accesses.n;

		for (size_t i = 0; i < n; i++) {
			const struct usage_key *k = table__key(&r->tally->usage_keys, list[i], NULL);
			double w = r->tally->usages.at[list[i]];

			if (k->node != node)
				continue;
			weights += w;
			r->a.n = 0;
			pages_of(r, change, (const void *)(k + 1), k->n, &r->a);
			sort_pages(&r->a);
			for (size_t p = 0; p < r->a.n; p++)
				for (size_t q = 0; q < r->b.n; q++)
					if (r->a.at[p] == r->b.at[q])
						own[q] += w;
		}
		for (size_t q = 0; weights > 0 && q < r->b.n; q++)
			expected += page_fetches(r, own[q] / weights, kind ? 0 : weights, share[q],
						 fmax(total, fetches), fetches);
	}
	mem__free(share);
	mem__free(own);
	return weights > 0 ? expected : fetches;
}

static void play_fetches(struct replay *r, const struct change *change, struct effect *out)
{
	const struct model *m = r->tally->model;

	for (size_t i = 0; i < m->pages.n; i++) {
		const struct page_stat *s = &m->pages.at[i];
		struct {
			uint64_t page, run;
		} key = {DSM_EV_PAGE_OFFSET(s->stat.page), s->run};
		uint32_t n = table__find(&r->traffic_keys, &key, sizeof(key));
		double fetches = (double)s->stat.fetches;

		out->fetches_before += fetches;
		if (n != TABLE_NONE && fetches > 0 && any_moved(r, change, &r->traffic.at[n]))
			fetches = played_fetches(r, change, &r->traffic.at[n], s->stat.node, fetches);
		out->fetches_after += fetches;
	}
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
	if (r->places)
		memset(r->spared, 0, r->places * sizeof(*r->spared));
	for (size_t i = 0; i < t->shapes.n; i++) {
		if (survives(r, change, i))
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
	play_fetches(r, change, out);
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

void replay__owners(struct replay *r, uint32_t group, struct owners *out)
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
	/* Whoever wrote one time in twenty or less, at the start say, does not own. */
	for (uint64_t e = 0; e < out->count; e++)
		out->of[e] = claims[e].most == 0			? OWNER_NONE
			     : claims[e].others > claims[e].most * 0.05 ? OWNER_MANY
									: claims[e].node;
	mem__free(claims);
}
