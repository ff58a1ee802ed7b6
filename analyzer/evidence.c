/* SPDX-License-Identifier: BSD-2-Clause */
#include "evidence.h"

#include <errno.h>
#include <string.h>

#include "decode.h"
#include "window.h"

#define DEFAULT_WINDOW ((size_t)192 << 20)
#define SAMPLES	       8	  /* stand-ins kept for one (node, site, page) */
#define SAMPLE_KEYS    (1u << 16) /* beyond, no new ones: more conflicts stay unknown */

struct sample { /* what one transaction of a site accessed on one page, completely */
	struct byteset touched, wrote;
	VEC(struct touch) touches;
};

struct samples {
	unsigned n, next;
	struct sample at[SAMPLES];
};

struct evidence {
	struct model *model;
	struct layouts *layouts;
	struct symbols *symbols;
	struct evidence_sink sink;
	struct window window;
	struct table sample_keys;
	VEC(struct samples *) samples;
	struct table operand_keys; /* (code, access) -> operands */
	VEC(unsigned) operands;
};

const char *basis__name(enum basis b)
{
	static const char *const name[BASES] = {"own", "retry", "site", "none"};

	return name[b];
}

const char *why__text(enum why w)
{
	static const char *const text[WHY_MAX] = {
#define X(name, text) text,
		WHYS(X)
#undef X
	};

	return text[w];
}

struct evidence *evidence__new(struct model *m, struct layouts *l, struct symbols *s, size_t window_bytes,
			       const struct evidence_sink *sink)
{
	struct evidence *e = mem__alloc(sizeof(*e));

	e->model = m;
	e->layouts = l;
	e->symbols = s;
	e->sink = *sink;
	window__init(&e->window, (window_bytes ? window_bytes : DEFAULT_WINDOW) / WINDOW_GENERATIONS);
	return e;
}

static void free_sample(struct sample *s)
{
	byteset__free(&s->touched);
	byteset__free(&s->wrote);
	VEC_FREE(&s->touches);
}

void evidence__free(struct evidence *e)
{
	if (!e)
		return;
	window__free(&e->window);
	for (size_t i = 0; i < e->samples.n; i++) {
		for (unsigned k = 0; k < e->samples.at[i]->n; k++)
			free_sample(&e->samples.at[i]->at[k]);
		mem__free(e->samples.at[i]);
	}
	VEC_FREE(&e->samples);
	table__free(&e->sample_keys);
	table__free(&e->operand_keys);
	VEC_FREE(&e->operands);
	mem__free(e);
}

/* ---- reading byte sets out of records ---- */

static unsigned operand(struct evidence *e, struct code code, unsigned access)
{
	struct {
		struct code code;
		uint64_t access;
	} key = {code, access};
	uint32_t n;

	if (!code.image)
		return 0;
	n = table__intern(&e->operand_keys, &key, sizeof(key));
	if (n == e->operands.n) {
		unsigned char bytes[15];
		size_t got = symbols__bytes(e->symbols, code, bytes, sizeof(bytes));
		unsigned size = decode__operand(bytes, got, access);

		*VEC_ADD(&e->operands) = size;
	}
	return e->operands.at[n];
}

/* An access of unknown size covers its operand, decoded from the program, or else the rest of its scalar. */
static void add_access(struct evidence *e, const struct page_view *v, uint16_t node,
		       const struct dsm_ev_access *a, struct byteset *touched, struct byteset *wrote,
		       struct touch *t)
{
	uint32_t size = a->size, end;

	t->code = model__code(e->model, v->run, node, a->ip);
	if (!size)
		size = operand(e, t->code, a->access);
	if (!size)
		size = place__scalar_rest(v, a->offset);
	end = a->offset + size < v->bytes ? a->offset + size : (uint32_t)v->bytes;
	byteset__add(touched, a->offset, end);
	if (a->access & DSM_EV_ACCESS_WRITE)
		byteset__add(wrote, a->offset, end);
	t->offset = a->offset;
	t->size = (uint16_t)(size < UINT16_MAX ? size : UINT16_MAX);
	t->access = a->access;
}

struct access_set {
	bool any, complete;
	uint32_t attempt;
	struct byteset touched, wrote;
	VEC(struct touch) touches;
};

static void free_access_set(struct access_set *s)
{
	byteset__free(&s->touched);
	byteset__free(&s->wrote);
	VEC_FREE(&s->touches);
}

/* Adds up the ACCESSES of one attempt on the view's page. A part may have been lost: without losses of that
 * type the flags decide; with losses each part must directly follow its predecessor. */
static void collect_accesses(struct evidence *e, const struct page_view *v, dsm_ev_page page, uint16_t node,
			     uint32_t generation, uint64_t number, uint32_t attempt, struct access_set *out)
{
	bool lossy = e->model->runs.at[v->run].lost[DSM_EV_ACCESSES];
	bool complete = true, last = true;
	struct window_cursor c;
	const struct entry *entry;

	out->attempt = attempt;
	window__find(&e->window, &c, v->run, node, generation, number, page);
	while ((entry = window__next(&c))) {
		const struct dsm_ev_accesses *a = (const void *)entry->record;

		if (a->hdr.type != DSM_EV_ACCESSES || a->interval.attempt != attempt)
			continue;
		complete =
			complete && (a->flags & DSM_EV_ACCESSES_COMPLETE) && a->basis == DSM_EV_BASIS_OPERAND;
		complete =
			complete && (!last || a->naccesses < DSM_EV_ACCESSES) && (!lossy || entry->follows);
		last = false; /* newest first: only the last part may be short */
		out->any = true;
		for (unsigned i = 0; i < a->naccesses; i++)
			add_access(e, v, node, &a->access[i], &out->touched, &out->wrote,
				   VEC_ADD(&out->touches));
	}
	out->complete = out->any && complete;
}

/* An attempt that aborted stopped half way: it proves what it accessed, not what it would not have. */
static bool ran_to_its_end(struct evidence *e, uint32_t run, uint16_t node, uint32_t generation,
			   uint64_t number, uint32_t attempt)
{
	const struct node *n = model__find_node(e->model, run, node);
	struct window_cursor c;
	const struct entry *entry;

	window__find(&e->window, &c, run, node, generation, number, 0);
	while ((entry = window__next(&c))) {
		const struct dsm_ev_hdr *hdr = entry__hdr(entry);
		const struct dsm_ev_interval *iv = (const void *)(hdr + 1);

		if (iv->attempt == attempt && (hdr->type == DSM_EV_COMMIT || hdr->type == DSM_EV_ABORT))
			return hdr->type == DSM_EV_COMMIT;
	}
	/* Local commits are sampled. Without one in the trace, the node must have gone on to another
	 * transaction, and no abort may be missing. */
	return n && n->last_number > number && !e->model->runs.at[run].lost[DSM_EV_ABORT];
}

static void add_runs(const struct dsm_ev_writes *w, struct byteset *out)
{
	for (unsigned i = 0; i < w->nruns; i++)
		byteset__add(out, w->run[i].offset, (uint32_t)w->run[i].offset + w->run[i].length);
}

/* The bytes an attempt wrote; returns whether they are all there. */
static bool collect_writes(struct evidence *e, const struct page_view *v, dsm_ev_page page, uint16_t node,
			   uint32_t generation, const struct dsm_ev_interval *iv, unsigned flags,
			   struct byteset *out)
{
	bool lossy = e->model->runs.at[v->run].lost[DSM_EV_WRITES];
	bool any = false, whole = true, last = true;
	struct window_cursor c;
	const struct entry *entry;

	window__find(&e->window, &c, v->run, node, generation, iv->number, page);
	while ((entry = window__next(&c))) {
		const struct dsm_ev_writes *w = (const void *)entry->record;

		if (w->hdr.type != DSM_EV_WRITES || w->interval.attempt != iv->attempt ||
		    (w->flags & DSM_EV_WRITES_COMMITTED) != flags)
			continue;
		any = true;
		whole = whole && (w->basis == DSM_EV_BASIS_CHANGED || w->basis == DSM_EV_BASIS_OPERAND);
		whole = whole && (!last || w->nruns < DSM_EV_RUNS) && (!lossy || entry->follows);
		last = false;
		if (w->basis != DSM_EV_BASIS_PAGE) /* "somewhere on the page" is not evidence of any byte */
			add_runs(w, out);
	}
	return any && whole;
}

/* ---- judging ---- */

static void winner_side(struct evidence *e, struct met_page *p, const struct dsm_ev_abort *a, bool *known)
{
	const struct dsm_ev_party *w = &a->winner;
	struct access_set seen = {0};

	*known = collect_writes(e, &p->view, p->page, w->node, w->generation, &w->interval,
				DSM_EV_WRITES_COMMITTED, &p->changed);
	place__widen(&p->view, &p->changed, &p->stored);
	collect_accesses(e, &p->view, p->page, w->node, w->generation, w->interval.number,
			 w->interval.attempt, &seen);
	byteset__add_all(&p->stored, &seen.wrote); /* here silent stores are seen */
	free_access_set(&seen);
}

/* What is known of the lost attempt itself: first touches and changed bytes. */
static void own_traces(struct evidence *e, struct met_page *p, const struct dsm_ev_abort *a)
{
	struct byteset changed = {0};
	struct window_cursor c;
	const struct entry *entry;

	collect_writes(e, &p->view, p->page, a->hdr.node, a->hdr.generation, &a->interval, 0, &changed);
	place__widen(&p->view, &changed, &p->wrote);
	byteset__add_all(&p->touched, &p->wrote);
	byteset__free(&changed);
	window__find(&e->window, &c, p->view.run, a->hdr.node, a->hdr.generation, a->interval.number,
		     p->page);
	while ((entry = window__next(&c))) {
		const struct dsm_ev_fault *f = (const void *)entry->record;

		if (f->hdr.type == DSM_EV_FAULT && f->interval.attempt == a->interval.attempt) {
			struct dsm_ev_access access = {f->offset, 0, f->access, f->ip};

			add_access(e, &p->view, a->hdr.node, &access, &p->touched, &p->wrote,
				   VEC_ADD(&p->touches));
		}
	}
}

/* The microscoped retry that comes next after the lost attempt, if any. */
static bool find_retry(struct evidence *e, const struct met_page *p, const struct dsm_ev_abort *a,
		       uint32_t *attempt)
{
	struct window_cursor c;
	const struct entry *entry;
	bool found = false;

	*attempt = 0;
	window__find(&e->window, &c, p->view.run, a->hdr.node, a->hdr.generation, a->interval.number,
		     p->page);
	while ((entry = window__next(&c))) {
		const struct dsm_ev_accesses *s = (const void *)entry->record;

		if (s->hdr.type != DSM_EV_ACCESSES || s->interval.attempt <= a->interval.attempt)
			continue;
		if (!found || s->interval.attempt < *attempt)
			*attempt = s->interval.attempt;
		found = true;
	}
	return found;
}

static void adopt(struct met_page *p, const struct byteset *touched, const struct byteset *wrote,
		  const struct touch *touches, size_t ntouches, enum basis basis)
{
	byteset__add_all(&p->touched, touched);
	byteset__add_all(&p->wrote, wrote);
	for (size_t i = 0; i < ntouches; i++)
		*VEC_ADD(&p->touches) = touches[i];
	p->basis = basis;
}

/* May another attempt's accesses speak for the lost one? It must have done all that the lost one is known to
 * have done; a retry that drew another random number, say, has not. */
static bool speaks_for(const struct met_page *p, const struct byteset *touched, const struct byteset *wrote,
		       const struct dsm_ev_meeting *meeting)
{
	if (!byteset__within(&p->touched, touched))
		return false;
	if (meeting->access && !touched->n)
		return false;
	return !(meeting->tracked && (meeting->access & DSM_EV_ACCESS_WRITE)) || wrote->n;
}

/* Fills touched and says whether it is complete; p->why says why not. */
static bool loser_side(struct evidence *e, struct met_page *p, const struct dsm_ev_abort *a,
		       const struct dsm_ev_meeting *meeting)
{
	struct access_set own = {0}, retry = {0};
	bool known = false;
	uint32_t attempt = 0;

	own_traces(e, p, a);
	p->why = WHY_READS;
	p->basis = p->touched.n ? BASIS_OWN : BASIS_NONE;
	collect_accesses(e, &p->view, p->page, a->hdr.node, a->hdr.generation, a->interval.number,
			 a->interval.attempt, &own);
	if (own.any) {
		known = own.complete;
		p->why = known ? WHY_NOT : WHY_BUDGET;
		adopt(p, &own.touched, &own.wrote, own.touches.at, own.touches.n, BASIS_OWN);
	}
	if (!known && !byteset__meets(&p->changed, &p->touched) && find_retry(e, p, a, &attempt)) {
		collect_accesses(e, &p->view, p->page, a->hdr.node, a->hdr.generation, a->interval.number,
				 attempt, &retry);
		known = retry.complete && ran_to_its_end(e, p->view.run, a->hdr.node, a->hdr.generation,
							 a->interval.number, attempt);
		p->why = known ? WHY_NOT : WHY_BUDGET;
		if (known && !speaks_for(p, &retry.touched, &retry.wrote, meeting)) {
			known = false;
			p->why = WHY_DIFFERED;
		} else {
			adopt(p, &retry.touched, &retry.wrote, retry.touches.at, retry.touches.n,
			      BASIS_RETRY);
		}
	}
	free_access_set(&own);
	free_access_set(&retry);
	return known;
}

static void judge_page(struct evidence *e, struct met_page *p, const struct dsm_ev_abort *a,
		       const struct dsm_ev_meeting *meeting)
{
	struct meeting_evidence me = {.changed = &p->changed, .stored = &p->stored, .touched = &p->touched};

	winner_side(e, p, a, &me.winner_known);
	me.untouched = a->cause == DSM_EV_CAUSE_UNTOUCHED || (meeting->tracked && !meeting->access);
	if (!me.untouched)
		me.loser_known = loser_side(e, p, a, meeting);
	p->verdict = verdict__page(&me);
	if (p->verdict != VERDICT_UNKNOWN)
		p->why = WHY_NOT;
	else if (!me.winner_known)
		p->why = WHY_WINNER;
}

static void free_page(struct met_page *p)
{
	byteset__free(&p->changed);
	byteset__free(&p->stored);
	byteset__free(&p->touched);
	byteset__free(&p->wrote);
	VEC_FREE(&p->touches);
}

static const struct samples *samples_of(const struct evidence *e, uint32_t run, uint16_t node, uint32_t site,
					dsm_ev_page page)
{
	struct {
		uint64_t page;
		uint32_t run, node, site, zero;
	} key = {page, run, node, site, 0};
	uint32_t n = table__find(&e->sample_keys, &key, sizeof(key));

	return n == TABLE_NONE ? NULL : e->samples.at[n];
}

/* Judges an unknown page again with a stand-in's accesses. */
static void judge_standin(struct met_page *p, const struct sample *s)
{
	struct meeting_evidence me = {.changed = &p->changed, .stored = &p->stored, .touched = &p->touched};

	adopt(p, &s->touched, &s->wrote, s->touches.at, s->touches.n, BASIS_SITE);
	me.winner_known = me.loser_known = true;
	p->verdict = verdict__page(&me);
}

static void copy_page(struct met_page *to, const struct met_page *from)
{
	*to = *from;
	memset(&to->changed, 0, sizeof(to->changed));
	memset(&to->stored, 0, sizeof(to->stored));
	memset(&to->touched, 0, sizeof(to->touched));
	memset(&to->wrote, 0, sizeof(to->wrote));
	memset(&to->touches, 0, sizeof(to->touches));
	byteset__add_all(&to->changed, &from->changed);
	byteset__add_all(&to->stored, &from->stored);
	byteset__add_all(&to->touched, &from->touched);
	byteset__add_all(&to->wrote, &from->wrote);
	for (size_t i = 0; i < from->touches.n; i++)
		*VEC_ADD(&to->touches) = from->touches.at[i];
}

static void conclude(struct conflict *c)
{
	enum verdict v[DSM_EV_MEETINGS];

	c->basis = BASIS_OWN;
	c->why = c->cut ? WHY_CUT : WHY_NOT;
	for (unsigned i = 0; i < c->pages; i++) {
		v[i] = c->page[i].verdict;
		if (c->page[i].why != WHY_NOT)
			c->why = c->page[i].why;
	}
	c->verdict = verdict__conflict(v, c->pages, c->cut);
	for (unsigned i = 0; i < c->pages; i++)
		if ((v[i] == c->verdict || c->verdict != VERDICT_TRUE) && v[i] != VERDICT_UNTOUCHED &&
		    c->page[i].basis > c->basis)
			c->basis = c->page[i].basis;
}

/* Splits an unknown conflict among the stand-ins for its unknown pages. Returns false when a page has none.
 */
static bool apportion(struct evidence *e, const struct conflict *c)
{
	const struct sample *fit[DSM_EV_MEETINGS][SAMPLES];
	unsigned nfit[DSM_EV_MEETINGS] = {0}, k = 1;

	if (c->cut)
		return false;
	for (unsigned i = 0; i < c->pages; i++) {
		const struct met_page *p = &c->page[i];
		const struct samples *s;

		if (p->verdict != VERDICT_UNKNOWN)
			continue;
		s = p->why == WHY_WINNER ? NULL : samples_of(e, c->run, c->loser, c->loser_site, p->page);
		for (unsigned j = 0; s && j < s->n; j++)
			if (byteset__within(&p->touched, &s->at[j].touched))
				fit[i][nfit[i]++] = &s->at[j];
		if (!nfit[i])
			return false;
		k = nfit[i] > k ? nfit[i] : k;
	}
	for (unsigned j = 0; j < k; j++) {
		struct met_page pages[DSM_EV_MEETINGS];
		struct conflict part = *c;

		part.page = pages;
		part.share = 1.0 / k;
		for (unsigned i = 0; i < c->pages; i++) {
			copy_page(&pages[i], &c->page[i]);
			if (nfit[i])
				judge_standin(&pages[i], fit[i][j % nfit[i]]);
			pages[i].why = WHY_NOT;
		}
		conclude(&part);
		part.basis = BASIS_SITE;
		part.why = c->why;
		e->sink.conflict(e->sink.context, &part);
		for (unsigned i = 0; i < c->pages; i++)
			free_page(&pages[i]);
	}
	return true;
}

static void judge(struct evidence *e, const struct entry *entry)
{
	const struct dsm_ev_abort *a = (const void *)entry->record;
	struct met_page pages[DSM_EV_MEETINGS];
	struct conflict c = {
		.run = entry->run,
		.loser = a->hdr.node,
		.winner = a->winner.node,
		.has_winner = a->winner.interval.number != 0,
		.microscope = a->hdr.flags & DSM_EV_F_MICROSCOPE,
		.loser_site = model__site(e->model, entry->run, a->hdr.node, a->interval.site),
		.winner_site = model__site(e->model, entry->run, a->winner.node, a->winner.interval.site),
		.cause = a->cause,
		.time_ns = entry->time_ns,
		.weight = a->hdr.weight ? a->hdr.weight : 1,
		.share = 1,
		.cut = a->total > a->nmeetings,
		.page = pages,
	};

	c.wasted_ns = c.weight * (double)a->wasted_ns;
	for (unsigned i = 0; i < a->nmeetings && i < DSM_EV_MEETINGS; i++) {
		struct met_page *p = &pages[c.pages];

		memset(&p->page, 0, sizeof(*p) - offsetof(struct met_page, page));
		if (!place__load(&p->view, e->model, e->layouts, entry->run, a->meeting[i].page,
				 entry->time_ns)) {
			c.cut = true;
			continue;
		}
		c.pages++;
		p->page = a->meeting[i].page;
		judge_page(e, p, a, &a->meeting[i]);
	}
	conclude(&c);
	if (c.verdict == VERDICT_UNKNOWN && !c.pages && !c.cut)
		c.why = WHY_CUT;
	if (c.verdict != VERDICT_UNKNOWN || !apportion(e, &c))
		e->sink.conflict(e->sink.context, &c);
	for (unsigned i = 0; i < c.pages; i++)
		free_page(&pages[i]);
}

/* ---- what is seen of accesses apart from conflicts ---- */

static void keep_sample(struct evidence *e, const struct usage_event *u, dsm_ev_page page,
			struct access_set *set)
{
	struct {
		uint64_t page;
		uint32_t run, node, site, zero;
	} key = {page, u->run, u->node, u->site, 0};
	struct samples *s;
	struct sample *into;
	uint32_t n;

	if (e->samples.n >= SAMPLE_KEYS && table__find(&e->sample_keys, &key, sizeof(key)) == TABLE_NONE)
		return;
	n = table__intern(&e->sample_keys, &key, sizeof(key));
	if (n == e->samples.n)
		*VEC_ADD(&e->samples) = mem__alloc(sizeof(struct samples));
	s = e->samples.at[n];
	into = &s->at[s->next];
	s->next = (s->next + 1) % SAMPLES;
	if (s->n < SAMPLES)
		s->n++;
	else
		free_sample(into);
	memset(into, 0, sizeof(*into));
	byteset__add_all(&into->touched, &set->touched);
	byteset__add_all(&into->wrote, &set->wrote);
	for (size_t i = 0; i < set->touches.n; i++)
		*VEC_ADD(&into->touches) = set->touches.at[i];
}

/* True for the newest part of an attempt's ACCESSES, so that each attempt is taken once. */
static bool newest_part(struct evidence *e, const struct entry *entry, dsm_ev_page page)
{
	const struct dsm_ev_accesses *a = (const void *)entry->record;
	struct window_cursor c;
	const struct entry *other;

	window__find(&e->window, &c, entry->run, a->hdr.node, a->hdr.generation, a->interval.number, page);
	while ((other = window__next(&c))) {
		const struct dsm_ev_accesses *b = (const void *)other->record;

		if (b->hdr.type == DSM_EV_ACCESSES && b->interval.attempt == a->interval.attempt)
			return other == entry;
	}
	return false;
}

static void use_accesses(struct evidence *e, const struct entry *entry, struct usage_event *u,
			 struct page_view *v)
{
	const struct dsm_ev_accesses *a = (const void *)entry->record;
	struct access_set set = {0};

	if (!newest_part(e, entry, a->page))
		return;
	collect_accesses(e, v, a->page, a->hdr.node, a->hdr.generation, a->interval.number,
			 a->interval.attempt, &set);
	u->kind = USAGE_ACCESSES;
	u->bytes = &set.touched;
	u->touches = set.touches.at;
	u->ntouches = set.touches.n;
	e->sink.usage(e->sink.context, u);
	if (set.complete &&
	    ran_to_its_end(e, u->run, u->node, a->hdr.generation, a->interval.number, a->interval.attempt))
		keep_sample(e, u, a->page, &set);
	free_access_set(&set);
}

static void use_fault(struct evidence *e, const struct entry *entry, struct usage_event *u,
		      struct page_view *v)
{
	const struct dsm_ev_fault *f = (const void *)entry->record;
	struct dsm_ev_access access = {f->offset, 0, f->access, f->ip};
	struct byteset touched = {0}, wrote = {0};
	struct touch t;

	add_access(e, v, f->hdr.node, &access, &touched, &wrote, &t);
	u->kind = USAGE_FIRST_TOUCH;
	u->bytes = &touched;
	u->touches = &t;
	u->ntouches = 1;
	e->sink.usage(e->sink.context, u);
	byteset__free(&touched);
	byteset__free(&wrote);
}

static void use_writes(struct evidence *e, const struct entry *entry, struct usage_event *u,
		       struct page_view *v)
{
	const struct dsm_ev_writes *w = (const void *)entry->record;
	struct byteset changed = {0}, wide = {0};

	if (!(w->flags & DSM_EV_WRITES_COMMITTED) || w->basis == DSM_EV_BASIS_PAGE)
		return;
	add_runs(w, &changed);
	place__widen(v, &changed, &wide);
	u->kind = USAGE_COMMITTED_WRITE;
	u->bytes = &wide;
	e->sink.usage(e->sink.context, u);
	byteset__free(&changed);
	byteset__free(&wide);
}

static void use(struct evidence *e, const struct entry *entry)
{
	const struct dsm_ev_hdr *hdr = entry__hdr(entry);
	const struct dsm_ev_interval *iv = (const void *)(hdr + 1);
	dsm_ev_page page = hdr->type == DSM_EV_FAULT	  ? ((const struct dsm_ev_fault *)hdr)->page
			   : hdr->type == DSM_EV_ACCESSES ? ((const struct dsm_ev_accesses *)hdr)->page
			   : hdr->type == DSM_EV_WRITES	  ? ((const struct dsm_ev_writes *)hdr)->page
							  : 0;
	struct usage_event u = {
		.run = entry->run, .node = hdr->node, .weight = hdr->weight ? hdr->weight : 1};
	struct page_view v;

	if (!place__load(&v, e->model, e->layouts, entry->run, page, entry->time_ns))
		return;
	u.site = model__site(e->model, entry->run, hdr->node, iv->site);
	u.view = &v;
	if (hdr->type == DSM_EV_ACCESSES)
		use_accesses(e, entry, &u, &v);
	else if (hdr->type == DSM_EV_FAULT)
		use_fault(e, entry, &u, &v);
	else if (hdr->type == DSM_EV_WRITES)
		use_writes(e, entry, &u, &v);
}

static void use_generation(struct evidence *e, int g)
{
	for (size_t i = 0; i < e->window.generation[g].order.n; i++)
		use(e, e->window.generation[g].order.at[i]);
}

static void judge_generation(struct evidence *e, int g)
{
	for (size_t i = 0; i < e->window.generation[g].order.n; i++)
		if (entry__hdr(e->window.generation[g].order.at[i])->type == DSM_EV_ABORT)
			judge(e, e->window.generation[g].order.at[i]);
}

void evidence__record(struct evidence *e, uint32_t run, const struct dsm_ev_hdr *record)
{
	struct node *n = model__node(e->model, run, record->node);
	const struct dsm_ev_interval *iv = (const void *)(record + 1);
	bool follows = n->last_seq && record->seq == n->last_seq + 1;
	dsm_ev_page page = 0;

	n->last_seq = record->seq;
	switch (record->type) {
	case DSM_EV_BEGIN:
		n->last_number = iv->number > n->last_number ? iv->number : n->last_number;
		return;
	case DSM_EV_COMMIT:
		n->last_number = iv->number > n->last_number ? iv->number : n->last_number;
		e->sink.commit(e->sink.context, run, record->node,
			       model__site(e->model, run, record->node, iv->site),
			       record->weight ? record->weight : 1, record->flags & DSM_EV_F_MICROSCOPE);
		if (!(record->flags & DSM_EV_F_MICROSCOPE))
			return; /* only a microscoped attempt is ever asked how it ended */
		break;
	case DSM_EV_ABORT:
		break;
	case DSM_EV_FAULT:
		page = ((const struct dsm_ev_fault *)record)->page;
		break;
	case DSM_EV_WRITES:
		page = ((const struct dsm_ev_writes *)record)->page;
		break;
	case DSM_EV_ACCESSES:
		page = ((const struct dsm_ev_accesses *)record)->page;
		break;
	default:
		return;
	}
	n->last_number = iv->number > n->last_number ? iv->number : n->last_number;
	window__add(&e->window, run, model__time(e->model, run, record->node, record->time_ns), follows,
		    record, record->node, iv->number, page);
	if (window__full(&e->window)) {
		use_generation(e, 0);
		judge_generation(e, 1);
		window__advance(&e->window);
	}
}

void evidence__finish(struct evidence *e)
{
	use_generation(e, 0);
	for (int g = WINDOW_GENERATIONS - 2; g >= 0; g--)
		judge_generation(e, g);
	for (int g = 0; g < WINDOW_GENERATIONS; g++)
		window__advance(&e->window);
}
