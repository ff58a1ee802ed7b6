/* SPDX-License-Identifier: BSD-2-Clause */
#include "waits.h"

#include <stdlib.h>
#include <string.h>

#define MOST_PARTS ((size_t)1 << 22) /* (flush, page) kept: beyond, flushes are not laid to pages */

void waits__init(struct waits *w, struct model *m)
{
	memset(w, 0, sizeof(*w));
	w->model = m;
}

void waits__free(struct waits *w)
{
	for (size_t i = 0; i < w->rows.n; i++)
		byteset__free(&w->rows.at[i].elements);
	for (size_t i = 0; i < w->misplaced.n; i++)
		byteset__free(&w->misplaced.at[i].elements);
	table__free(&w->row_keys);
	table__free(&w->page_keys);
	table__free(&w->flush_keys);
	table__free(&w->lock_keys);
	table__free(&w->lock_line_keys);
	VEC_FREE(&w->rows);
	VEC_FREE(&w->pages);
	VEC_FREE(&w->flush_ns);
	VEC_FREE(&w->flush_pages);
	VEC_FREE(&w->flush_part);
	VEC_FREE(&w->locks);
	VEC_FREE(&w->lock_lines);
	VEC_FREE(&w->lock_sites);
	VEC_FREE(&w->misplaced);
}

static uint32_t page_number(struct waits *w, uint32_t run, uint64_t start)
{
	struct {
		uint64_t page, run;
	} key = {start, run};
	uint32_t n = table__intern(&w->page_keys, &key, sizeof(key));

	if (n == w->pages.n)
		*VEC_ADD(&w->pages) = (struct wait_page){
			.run = run, .object = PLACE_NONE, .home = WRITER_NONE, .writer = WRITER_NONE};
	return n;
}

static uint32_t clip(uint64_t n)
{
	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX - 1;
}

/* Which elements of the object lie on the page, at least in part. */
static void place_page(struct wait_page *p, const struct page_view *v, uint32_t object)
{
	const struct object *o = &v->model->objects.at[object];
	uint64_t from = v->start > o->offset ? v->start - o->offset : 0, to = v->start + v->bytes - o->offset;

	p->object = object;
	if (o->block) {
		p->first = clip(from / o->block_stride * o->block + from % o->block_stride / o->stride);
		p->last =
			clip((to - 1) / o->block_stride * o->block + (to - 1) % o->block_stride / o->stride);
	} else {
		p->first = clip(from / o->stride);
		p->last = clip((to - 1) / o->stride);
	}
	if (p->last >= o->count)
		p->last = clip(o->count - 1);
	if (p->first > p->last)
		p->first = p->last;
}

static void add_row(struct waits *w, double ns, const struct dsm_ev_fault *f, uint32_t run, uint32_t object,
		    uint64_t element)
{
	struct wait_row key;
	uint32_t n;

	memset(&key, 0, sizeof(key));
	key.object = object;
	key.node = f->hdr.node;
	key.home = f->home;
	key.access = f->access;
	key.roots = place__is_roots(f->page);
	key.code = model__code(w->model, run, f->hdr.node, f->ip);
	key.site = model__site(w->model, run, f->hdr.node, f->interval.site);
	if (model__site_at(w->model, key.site)->frame[0].image == key.code.image)
		key.site = 0;
	n = table__intern(&w->row_keys, &key, sizeof(key));
	if (n == w->rows.n)
		memset(VEC_ADD(&w->rows), 0, sizeof(struct wait_sum));
	w->rows.at[n].ns += ns;
	w->rows.at[n].count++;
	if (element < UINT32_MAX)
		byteset__add(&w->rows.at[n].elements, (uint32_t)element, (uint32_t)element + 1);
}

static uint32_t flush_number(struct waits *w, uint32_t run, uint16_t node, uint64_t number)
{
	struct {
		uint64_t number;
		uint32_t run, node;
	} key = {number, run, node};
	uint32_t n = table__intern(&w->flush_keys, &key, sizeof(key));

	if (n == w->flush_ns.n) {
		*VEC_ADD(&w->flush_ns) = 0;
		*VEC_ADD(&w->flush_pages) = 0;
	}
	return n;
}

void waits__flushed(struct waits *w, uint32_t run, const struct dsm_ev_ended *e)
{
	w->flushed_ns += (double)e->flush_ns;
	w->flush_ns.at[flush_number(w, run, e->hdr.node, e->interval.number)] += (double)e->flush_ns;
}

void waits__plain(struct waits *w, uint32_t run, double ns, const struct dsm_ev_fault *f,
		  const struct page_view *v, const struct dsm_ev_ended *ended)
{
	struct wait_page *p;
	uint64_t element;
	uint32_t in, object;

	if (ended) {
		w->flushes_ns += ns;
		w->flushes++;
		return;
	}
	w->copies_ns += ns;
	w->copies++;
	object = v ? place__at(v, f->offset, &element, &in) : PLACE_NONE;
	add_row(w, ns, f, run, object, object == PLACE_NONE ? UINT64_MAX : element);
	if (object == PLACE_NONE)
		return;
	p = &w->pages.at[page_number(w, run, v->start)];
	if (p->object == PLACE_NONE)
		place_page(p, v, object);
	p->away = p->away || f->home == f->hdr.node;
	for (size_t i = 0; i < sizeof(p->waiter) / sizeof(p->waiter[0]); i++) {
		if (p->waiter[i].fetches > 0 && p->waiter[i].node != f->hdr.node)
			continue;
		p->waiter[i].node = f->hdr.node;
		p->waiter[i].ns += ns;
		p->waiter[i].fetches++;
		break;
	}
}

static void count_writer(struct wait_page *p, uint16_t node)
{
	p->writer = p->writer == WRITER_NONE || p->writer == node ? node : WRITER_MANY;
}

void waits__usage(struct waits *w, const struct usage_event *u)
{
	bool writes = u->kind == USAGE_COMMITTED_WRITE ||
		      (u->ntouches && (u->touches[0].access & DSM_EV_ACCESS_WRITE));
	uint32_t page, in, object;
	struct wait_page *p;
	uint64_t element;

	if (!u->bytes->n)
		return;
	page = page_number(w, u->run, u->view->start);
	p = &w->pages.at[page];
	object = place__at(u->view, u->bytes->at[0].from, &element, &in);
	if (p->object == PLACE_NONE && object != PLACE_NONE)
		place_page(p, u->view, object);
	if (u->kind == USAGE_FIRST_TOUCH)
		p->home = u->home; /* where it is now: homes move */
	if (!writes)
		return;
	count_writer(p, u->node);
	if (u->kind != USAGE_COMMITTED_WRITE || !u->interval || w->flush_part.n >= MOST_PARTS)
		return;
	*VEC_ADD(&w->flush_part) = (struct flush_part){flush_number(w, u->run, u->node, u->number), page};
}

struct lock_key {
	uint64_t name;
	uint32_t run, of_object;
	uint32_t site, zero; /* PLACE_NONE: wherever it was taken */
};

static void add_lock(struct lock_sums *sums, struct table *keys, const struct lock_key *key, uint32_t site,
		     int64_t time_ns, const struct dsm_ev_lock *lock)
{
	uint32_t n = table__intern(keys, key, sizeof(*key));
	struct lock_sum *l;

	if (n == sums->n)
		*VEC_ADD(sums) = (struct lock_sum){.run = key->run,
						   .site = site,
						   .name = key->name,
						   .of_object = key->of_object,
						   .locks = 1,
						   .object = PLACE_NONE};
	l = &sums->at[n];
	l->time_ns = time_ns;
	l->ns += (double)lock->wait_ns;
	l->count++;
	l->nodes |= 1u << (lock->hdr.node % 32);
}

void waits__lock(struct waits *w, uint32_t run, const struct dsm_ev_lock *lock)
{
	struct lock_key key = {lock->name, run, lock->flags & DSM_EV_LOCK_OBJECT, PLACE_NONE, 0};
	uint32_t site = model__site(w->model, run, lock->hdr.node, lock->interval.site);
	int64_t time_ns = model__time(w->model, run, lock->hdr.node, lock->hdr.time_ns);

	add_lock(&w->locks, &w->lock_keys, &key, site, time_ns, lock);
	key.site = site;
	add_lock(&w->lock_lines, &w->lock_line_keys, &key, site, time_ns, lock);
	w->locks_ns += (double)lock->wait_ns;
	w->nlocks++;
}

static int by_lock_ns(const void *a, const void *b)
{
	double x = ((const struct lock_sum *)a)->ns, y = ((const struct lock_sum *)b)->ns;

	return x < y ? 1 : x > y ? -1 : 0;
}

static uint32_t element_at(const struct object *o, uint64_t byte)
{
	if (!o->block)
		return clip(byte / o->stride);
	return clip(byte / o->block_stride * o->block + byte % o->block_stride / o->stride);
}

/* A lock that several lines take is told by the one that waited most. */
static void find_locks_lines(struct waits *w)
{
	double *most;

	if (!w->locks.n)
		return;
	most = mem__alloc(w->locks.n * sizeof(*most));
	for (size_t i = 0; i < w->lock_lines.n; i++) {
		const struct lock_sum *line = &w->lock_lines.at[i];
		struct lock_key key = {line->name, line->run, line->of_object, PLACE_NONE, 0};
		uint32_t n = table__find(&w->lock_keys, &key, sizeof(key));

		if (line->ns > most[n]) {
			most[n] = line->ns;
			w->locks.at[n].site = line->site;
		}
	}
	mem__free(most);
}

static void find_locks_objects(struct waits *w, struct lock_sums *sums)
{
	for (size_t i = 0; i < sums->n; i++) {
		struct lock_sum *l = &sums->at[i];
		const struct object *o;

		if (!l->of_object ||
		    !model__objects_at(w->model, l->run, l->name, l->name + 1, l->time_ns, &l->object, 1))
			continue;
		o = &w->model->objects.at[l->object];
		if (l->name <= o->offset)
			continue;
		l->element = element_at(o, l->name - o->offset);
		l->byte = clip((o->block ? (l->name - o->offset) % o->block_stride : l->name - o->offset) %
			       o->stride);
	}
}

static uint32_t group_of(const struct model *m, const struct lock_sum *l)
{
	return l->object == PLACE_NONE ? PLACE_NONE : m->objects.at[l->object].group;
}

/* A line that takes a lock for each element of a table is one place to change, however many locks these are. The costliest
 * stands for all: `locks` is sorted. */
static void join_locks(struct waits *w)
{
	struct table keys = {0};

	for (size_t i = 0; i < w->locks.n; i++) {
		const struct lock_sum *l = &w->locks.at[i];
		struct {
			uint64_t name;
			uint32_t run, site, of_object, group;
		} key = {0, l->run, l->site, l->of_object, group_of(w->model, l)};
		struct lock_sum *sum;
		uint32_t n;

		if (key.group == PLACE_NONE)
			key.name = l->name; /* nothing says that it belongs to the others */
		n = table__intern(&keys, &key, sizeof(key));
		if (n == w->lock_sites.n) {
			*VEC_ADD(&w->lock_sites) = *l;
			continue;
		}
		sum = &w->lock_sites.at[n];
		sum->ns += l->ns;
		sum->count += l->count;
		sum->nodes |= l->nodes;
		sum->locks++;
	}
	table__free(&keys);
	if (w->lock_sites.n)
		qsort(w->lock_sites.at, w->lock_sites.n, sizeof(*w->lock_sites.at), by_lock_ns);
}

/* ---- objects that a reader cannot tell apart are one row ---- */

/* The first object that is called the same. */
static uint32_t namesake(const struct model *m, uint32_t object)
{
	const struct group *g;
	char own[128], all[128];

	if (object == PLACE_NONE)
		return object;
	g = &m->groups.at[m->objects.at[object].group];
	if (g->objects.n < 2)
		return object;
	model__object_name(m, object, own, sizeof(own));
	model__group_name(m, m->objects.at[object].group, all, sizeof(all));
	return strcmp(own, all) ? object : g->objects.at[0];
}

static void join_rows(struct waits *w)
{
	struct waits all = {.model = w->model};
	struct table objects = {0}; /* (row, object) */

	for (uint32_t i = 0; i < w->rows.n; i++) {
		struct wait_row key = *(const struct wait_row *)table__key(&w->row_keys, i, NULL);
		struct {
			uint32_t row, object;
		} pair = {0, key.object};
		size_t known = objects.n;
		uint32_t n;

		key.object = namesake(w->model, key.object);
		n = table__intern(&all.row_keys, &key, sizeof(key));
		if (n == all.rows.n)
			memset(VEC_ADD(&all.rows), 0, sizeof(struct wait_sum));
		all.rows.at[n].ns += w->rows.at[i].ns;
		all.rows.at[n].count += w->rows.at[i].count;
		pair.row = n;
		if (table__intern(&objects, &pair, sizeof(pair)) == known)
			all.rows.at[n].objects++;
		byteset__add_all(&all.rows.at[n].elements, &w->rows.at[i].elements);
		byteset__free(&w->rows.at[i].elements);
	}
	table__free(&objects);
	table__free(&w->row_keys);
	VEC_FREE(&w->rows);
	w->row_keys = all.row_keys;
	w->rows.at = all.rows.at;
	w->rows.n = all.rows.n;
	w->rows.cap = all.rows.cap;
}

/* ---- pages that lie with one node and are written by another alone ---- */

static struct misplaced *misplaced_at(struct waits *w, const struct wait_page *p)
{
	for (size_t i = 0; i < w->misplaced.n; i++) {
		struct misplaced *x = &w->misplaced.at[i];

		if (x->object == p->object && x->home == p->home && x->writer == p->writer)
			return x;
	}
	*VEC_ADD(&w->misplaced) =
		(struct misplaced){.object = p->object, .home = p->home, .writer = p->writer};
	return &w->misplaced.at[w->misplaced.n - 1];
}

static int by_ns(const void *a, const void *b)
{
	double x = ((const struct misplaced *)a)->ns, y = ((const struct misplaced *)b)->ns;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* What lives with its writer goes along with the barrier's own messages; only pages of other homes are answered for, and
 * so they alone are waited for. */
static bool travels(const struct wait_page *p)
{
	return p->writer < WRITER_MANY && p->home < WRITER_MANY && p->home != p->writer;
}

static void spread_flushes(struct waits *w)
{
	for (size_t i = 0; i < w->flush_part.n; i++) {
		const struct flush_part *f = &w->flush_part.at[i];
		const struct wait_page *p = &w->pages.at[f->page];

		/* Of several writers one may be its home: that is left out. */
		w->flush_pages.at[f->flush] += travels(p) || p->writer == WRITER_MANY;
	}
	for (size_t i = 0; i < w->flush_part.n; i++) {
		const struct flush_part *f = &w->flush_part.at[i];
		struct wait_page *p = &w->pages.at[f->page];

		if (travels(p))
			p->flush_ns += w->flush_ns.at[f->flush] / w->flush_pages.at[f->flush];
	}
}

/* Many pages come ahead of their use, without a record of their own. */
static void fill_gaps(struct waits *w, struct misplaced *x)
{
	struct byteset foreign = {0}, gaps = {0};

	for (size_t i = 0; i < w->pages.n; i++) {
		const struct wait_page *p = &w->pages.at[i];

		if (p->object != x->object)
			continue;
		/* What lies with another home is told with that one, though the writer is the same: no element twice. */
		if ((p->writer != WRITER_NONE && p->writer != x->writer) ||
		    (p->home < WRITER_MANY && p->home != x->home))
			byteset__add(&foreign, p->first, p->last + 1);
		else if (p->away && p->home == x->home)
			byteset__add(&x->elements, p->first, p->last + 1);
	}
	for (size_t i = 1; i < x->elements.n; i++) {
		uint32_t from = x->elements.at[i - 1].to, to = x->elements.at[i].from;

		if (!byteset__has(&foreign, from, to))
			byteset__add(&gaps, from, to);
	}
	byteset__add_all(&x->elements, &gaps);
	byteset__free(&foreign);
	byteset__free(&gaps);
}

void waits__finish(struct waits *w)
{
	spread_flushes(w);
	join_rows(w);
	find_locks_lines(w);
	find_locks_objects(w, &w->locks);
	find_locks_objects(w, &w->lock_lines);
	if (w->locks.n) {
		qsort(w->locks.at, w->locks.n, sizeof(*w->locks.at), by_lock_ns);
		qsort(w->lock_lines.at, w->lock_lines.n, sizeof(*w->lock_lines.at), by_lock_ns);
	}
	join_locks(w);
	for (size_t i = 0; i < w->pages.n; i++) {
		const struct wait_page *p = &w->pages.at[i];
		struct misplaced *x;

		if (p->object == PLACE_NONE || p->writer >= WRITER_MANY || p->home >= WRITER_MANY ||
		    p->home == p->writer)
			continue;
		x = misplaced_at(w, p);
		/* Whoever else reads it would fetch it from its writer all the same. */
		for (size_t k = 0; k < sizeof(p->waiter) / sizeof(p->waiter[0]); k++) {
			if (p->waiter[k].fetches <= 0 || p->waiter[k].node != p->writer)
				continue;
			x->ns += p->waiter[k].ns;
			x->fetches += p->waiter[k].fetches;
		}
		x->ns += p->flush_ns;
		x->pages++;
		byteset__add(&x->elements, p->first, p->last + 1);
	}
	for (size_t i = 0; i < w->misplaced.n; i++)
		fill_gaps(w, &w->misplaced.at[i]);
	if (w->misplaced.n)
		qsort(w->misplaced.at, w->misplaced.n, sizeof(*w->misplaced.at), by_ns);
}
