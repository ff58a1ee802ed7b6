/* SPDX-License-Identifier: BSD-2-Clause */
#include "evidence.h"

#include <string.h>

#include "evidence_work.h"

#define DEFAULT_WINDOW ((size_t)192 << 20)
#define ENOUGH_ABORTED 3 /* transactions seen as far as they got, to stand in for others */

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

void evidence__free(struct evidence *e)
{
	if (!e)
		return;
	window__free(&e->window);
	for (size_t i = 0; i < e->profiles.n; i++)
		profile__free(e->profiles.at[i]);
	VEC_FREE(&e->profiles);
	table__free(&e->profile_keys);
	table__free(&e->operand_keys);
	VEC_FREE(&e->operands);
	mem__free(e);
}

/* ---- the two sides of one page ---- */

static struct who winner_of(const struct dsm_ev_abort *a)
{
	return (struct who){.node = a->winner.node,
			    .generation = a->winner.generation,
			    .number = a->winner.interval.number,
			    .attempt = a->winner.interval.attempt};
}

static struct who loser_of(const struct dsm_ev_abort *a)
{
	return (struct who){.node = a->hdr.node,
			    .generation = a->hdr.generation,
			    .number = a->interval.number,
			    .attempt = a->interval.attempt};
}

/* What one side changed and stored. Without its diff, all that it stored stands for what it changed: too
 * much, so that nothing true is called false. */
static bool changing_side(struct evidence *e, struct met_page *p, struct who who)
{
	struct access_set seen = {0};
	bool known = gather__writes(e, &p->view, p->page, who, &p->changed);

	gather__accesses(e, &p->view, p->page, who, &seen);
	if (!known && seen.complete) {
		byteset__add_all(&p->changed, &seen.wrote);
		known = true;
	}
	place__widen(&p->view, &p->changed, &p->stored);
	byteset__add_all(&p->stored, &seen.wrote); /* here silent stores are seen */
	gather__free(&seen);
	return known;
}

static void adopt(struct met_page *p, const struct byteset *touched, const struct byteset *wrote,
		  const struct touches *touches, enum basis basis)
{
	byteset__add_all(&p->touched, touched);
	byteset__add_all(&p->wrote, wrote);
	touches__add_all(&p->touches, touches, SIZE_MAX);
	p->basis = basis;
}

/* The earliest later attempt that was seen whole: complete, and committed. An attempt that aborted stopped
 * half way: it proves what it accessed, not what it would not have. Without a whole one, what partial ones
 * accessed is added to `partial`. */
static bool find_retry(struct evidence *e, const struct met_page *p, struct who who, struct access_set *whole,
		       struct access_set *partial)
{
	uint32_t tried[16], ntried = 0;
	struct window_cursor c;
	const struct entry *entry;
	uint32_t best = UINT32_MAX;

	window__find(&e->window, &c, p->view.run, who.node, who.generation,
		     number__of(who.number, who.interval), p->page);
	while ((entry = window__next(&c)) && ntried < 16) {
		const struct dsm_ev_accesses *s = (const void *)entry->record;
		struct who retry = who;
		struct access_set set = {0};
		bool microscope;
		uint32_t k;

		if (s->hdr.type != DSM_EV_ACCESSES || s->interval.attempt <= who.attempt)
			continue;
		for (k = 0; k < ntried && tried[k] != s->interval.attempt; k++)
			;
		if (k < ntried)
			continue;
		tried[ntried++] = retry.attempt = s->interval.attempt;
		gather__accesses(e, &p->view, p->page, retry, &set);
		if (set.complete && retry.attempt < best &&
		    gather__outcome(e, p->view.run, retry, &microscope) == OUTCOME_COMMITTED) {
			gather__free(whole);
			*whole = set;
			best = retry.attempt;
			continue;
		}
		partial->any = true;
		byteset__add_all(&partial->touched, &set.touched);
		byteset__add_all(&partial->wrote, &set.wrote);
		touches__add_all(&partial->touches, &set.touches, SIZE_MAX);
		gather__free(&set);
	}
	return best != UINT32_MAX;
}

/* May another attempt's accesses speak for this one? Registers, stack and DSM are restored, so a retry runs
 * as the lost attempt did until it reads a byte that somebody changed meanwhile: had the lost attempt read
 * what its winner changed, the retry reads it too. Only what is not restored (another random number, say) can
 * lead it elsewhere; then it misses something that the lost attempt is known to have done. */
static bool speaks_for(const struct met_page *p, const struct access_set *other,
		       const struct dsm_ev_meeting *m)
{
	if (!byteset__within(&p->touched, &other->touched))
		return false;
	if (m && m->access && !other->touched.n)
		return false;
	return !(m && m->tracked && (m->access & DSM_EV_ACCESS_WRITE)) || other->wrote.n;
}

static bool ask_retries(struct evidence *e, struct met_page *p, struct who who,
			const struct dsm_ev_meeting *m)
{
	struct access_set whole = {0}, partial = {0};
	bool known = false;

	if (find_retry(e, p, who, &whole, &partial)) {
		if (speaks_for(p, &whole, m)) {
			adopt(p, &whole.touched, &whole.wrote, &whole.touches, BASIS_RETRY);
			known = true;
		} else {
			p->why = WHY_DIFFERED;
		}
	} else if (partial.any) {
		adopt(p, &partial.touched, &partial.wrote, &partial.touches, BASIS_RETRY);
		p->why = WHY_ENDED;
	}
	gather__free(&whole);
	gather__free(&partial);
	return known;
}

/* Fills what the other side accessed and says whether that is all; p->why says why not. `m` is what the
 * runtime noted of the loser's access; NULL when the other side is the winner. */
static bool touching_side(struct evidence *e, struct met_page *p, struct who who,
			  const struct dsm_ev_meeting *m)
{
	struct access_set own = {0};
	struct byteset changed = {0};
	bool known;

	gather__writes(e, &p->view, p->page, who, &changed);
	place__widen(&p->view, &changed, &p->wrote);
	byteset__add_all(&p->touched, &p->wrote);
	byteset__free(&changed);
	gather__first_touches(e, &p->view, p->page, who, &p->touched, &p->wrote, &p->touches);
	p->why = WHY_READS;
	p->basis = p->touched.n ? BASIS_OWN : BASIS_NONE;
	gather__accesses(e, &p->view, p->page, who, &own);
	known = own.complete;
	if (own.any) {
		p->why = WHY_ENDED;
		adopt(p, &own.touched, &own.wrote, &own.touches, BASIS_OWN);
	}
	gather__free(&own);
	if (!known && !byteset__meets(&p->changed, &p->touched))
		known = ask_retries(e, p, who, m);
	if (known)
		p->why = WHY_NOT;
	return known;
}

void met_page__free(struct met_page *p)
{
	byteset__free(&p->changed);
	byteset__free(&p->stored);
	byteset__free(&p->touched);
	byteset__free(&p->wrote);
	VEC_FREE(&p->touches);
}

/* ---- judging ---- */

void judge__sides(struct evidence *e, struct met_page *p, struct who changer, struct who toucher,
		  const struct dsm_ev_meeting *m, bool untouched)
{
	struct meeting_evidence me = {
		.changed = &p->changed, .stored = &p->stored, .touched = &p->touched, .untouched = untouched};

	me.winner_known = changing_side(e, p, changer);
	if (!untouched)
		me.loser_known = touching_side(e, p, toucher, m);
	p->verdict = verdict__page(&me);
	if (p->verdict != VERDICT_UNKNOWN)
		p->why = WHY_NOT;
	else if (!me.winner_known)
		p->why = WHY_WRITES;
}

static void judge_one_way(struct evidence *e, struct met_page *p, const struct dsm_ev_abort *a,
			  const struct dsm_ev_meeting *m, bool reversed)
{
	struct who winner = winner_of(a), loser = loser_of(a);

	p->reversed = reversed;
	if (reversed)
		judge__sides(e, p, loser, winner, NULL, false);
	else
		judge__sides(e, p, winner, loser, m,
			     a->cause == DSM_EV_CAUSE_UNTOUCHED || (m->tracked && !m->access));
}

struct met_page met_page__like(const struct met_page *p)
{
	struct met_page other;

	other.view = p->view;
	memset(&other.page, 0, sizeof(other) - offsetof(struct met_page, page));
	other.page = p->page;
	return other;
}

/* A loser that gave way at its commit did so because it wanted to change what the other had accessed. If the
 * other was at its commit too (it has a version to make), both ways count. */
static void judge_page(struct evidence *e, struct met_page *p, const struct dsm_ev_abort *a,
		       const struct dsm_ev_meeting *m)
{
	bool gave_way = a->cause == DSM_EV_CAUSE_PRIORITY || a->cause == DSM_EV_CAUSE_IRREVOCABLE;
	struct met_page forward;

	judge_one_way(e, p, a, m, gave_way);
	if (!gave_way || p->verdict == VERDICT_TRUE || (!m->winner_version && p->why != WHY_WRITES))
		return;
	forward = met_page__like(p);
	judge_one_way(e, &forward, a, m, false);
	if (p->why == WHY_WRITES || forward.verdict == VERDICT_TRUE || forward.verdict == VERDICT_UNKNOWN) {
		met_page__free(p);
		*p = forward;
		return;
	}
	met_page__free(&forward);
}

void judge__conclude(struct conflict *c)
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
	if (c->verdict == VERDICT_UNKNOWN && !c->pages && !c->cut)
		c->why = WHY_CUT;
}

/* ---- stand-ins ---- */

struct standin {
	const struct byteset *touched, *wrote;
	const struct touches *touches;
};

static void judge_standin(struct met_page *p, const struct standin *s)
{
	struct meeting_evidence me = {.changed = &p->changed, .stored = &p->stored, .touched = &p->touched};

	adopt(p, s->touched, s->wrote, s->touches, BASIS_SITE);
	me.winner_known = me.loser_known = true;
	p->verdict = verdict__page(&me);
	p->why = WHY_NOT;
}

static void copy_page(struct met_page *to, const struct met_page *from)
{
	*to = met_page__like(from);
	to->reversed = from->reversed;
	to->verdict = from->verdict;
	to->basis = from->basis;
	byteset__add_all(&to->changed, &from->changed);
	byteset__add_all(&to->stored, &from->stored);
	byteset__add_all(&to->touched, &from->touched);
	byteset__add_all(&to->wrote, &from->wrote);
	touches__add_all(&to->touches, &from->touches, SIZE_MAX);
}

static bool can_stand_in(const struct profile *s)
{
	return s && (s->committed || s->aborted >= ENOUGH_ABORTED);
}

/* What is known in general of the side that accessed. Intervals that began at its site come first; for want of those, and
 * where the holder of a copy used it in intervals of several sites, all of that node. But what a node does elsewhere, once
 * in a while, must not make a conflict true of which those of the site show no sign. */
const struct profile *judge__profile(struct evidence *e, const struct conflict *c, const struct met_page *p)
{
	uint16_t node = p->reversed ? c->winner : c->loser;
	uint32_t site = p->reversed ? c->winner_site : c->loser_site;
	const struct profile *all = NULL, *own;

	if (c->interval)
		all = profile__get(e, c->run, node, ANY_SITE, p->page, false);
	if (p->reversed && c->winner_elsewhere)
		return all;
	own = profile__get(e, c->run, node, site, p->page, false);
	if (can_stand_in(own) || !can_stand_in(all))
		return own;
	if (own && byteset__meets(&p->changed, &all->touched) && !byteset__meets(&p->changed, &own->touched))
		return own;
	return all;
}

/* An attempt that is not undone has promised to meet nobody in a byte. One of the same site that did other things at another
 * time, as the next sweep over a grid does, says nothing against that. */
static bool likely(const struct conflict *c, const struct met_page *p, const struct sample *s)
{
	return !c->kept || !byteset__meets(&p->changed, &s->touched);
}

/* Finds stand-ins for an unknown page. If all that the site was ever seen to access does not meet the other
 * side's changes, that stands for every one of its transactions; else single transactions share. */
static unsigned find_standins(struct evidence *e, const struct conflict *c, const struct met_page *p,
			      struct standin *out)
{
	const struct profile *s = judge__profile(e, c, p);
	unsigned n = 0;

	if (p->why == WHY_WRITES || !can_stand_in(s))
		return 0;
	out[0] = (struct standin){&s->touched, &s->wrote, &s->touches};
	if (!byteset__meets(&p->changed, &s->touched))
		return 1;
	for (unsigned i = 0; i < s->n; i++)
		if ((s->sample[i].committed || !s->committed) && likely(c, p, &s->sample[i]))
			out[n++] = (struct standin){&s->sample[i].touched, &s->sample[i].wrote,
						    &s->sample[i].touches};
	return n || c->kept ? n : 1;
}

/* Splits an unknown conflict among the stand-ins for its unknown pages. Returns false when a page has none.
 */
static bool apportion(struct evidence *e, const struct conflict *c)
{
	struct standin fit[DSM_EV_MEETINGS][SAMPLES];
	unsigned nfit[DSM_EV_MEETINGS] = {0}, k = 1;

	if (c->cut || !c->pages)
		return false;
	for (unsigned i = 0; i < c->pages; i++) {
		if (c->page[i].verdict != VERDICT_UNKNOWN)
			continue;
		nfit[i] = find_standins(e, c, &c->page[i], fit[i]);
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
				judge_standin(&pages[i], &fit[i][j % nfit[i]]);
		}
		judge__conclude(&part);
		part.basis = BASIS_SITE;
		part.why = c->why;
		e->sink.conflict(e->sink.context, &part);
		for (unsigned i = 0; i < c->pages; i++)
			met_page__free(&pages[i]);
	}
	return true;
}

void judge__tell(struct evidence *e, const struct conflict *c)
{
	if (c->verdict != VERDICT_UNKNOWN || !apportion(e, c))
		e->sink.conflict(e->sink.context, c);
}

void judge__attempt(struct evidence *e, const struct entry *entry, const struct dsm_ev_abort *a, bool kept)
{
	struct met_page pages[DSM_EV_MEETINGS];
	struct conflict c = {
		.run = entry->run,
		.loser = a->hdr.node,
		.winner = a->winner.node,
		.has_winner = a->winner.interval.number != 0,
		.kept = kept,
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
	if (c.has_winner)
		gather__outcome(e, entry->run, winner_of(a), &c.winner_microscope);
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
	judge__conclude(&c);
	judge__tell(e, &c);
	for (unsigned i = 0; i < c.pages; i++)
		met_page__free(&pages[i]);
}

/* ---- the flow of records ---- */

static void use_generation(struct evidence *e, int g)
{
	for (size_t i = 0; i < e->window.generation[g].order.n; i++)
		usage__tell(e, e->window.generation[g].order.at[i]);
}

static bool is_of_attempts(const struct dsm_ev_hdr *meet)
{
	return ((const struct dsm_ev_meet *)meet)->model == DSM_EV_TX;
}

static void judge_generation(struct evidence *e, int g)
{
	for (size_t i = 0; i < e->window.generation[g].order.n; i++) {
		const struct entry *entry = e->window.generation[g].order.at[i];
		uint16_t type = entry__hdr(entry)->type;

		if (type == DSM_EV_ABORT)
			judge__attempt(e, entry, (const void *)entry->record, false);
		else if (type == DSM_EV_MEET && is_of_attempts(entry__hdr(entry)))
			met__judge(e, entry);
		else if (type == DSM_EV_COMMIT)
			met__judge_commit(e, entry);
		else if (type == DSM_EV_FAULT || type == DSM_EV_INTERVAL)
			meeting__judge(e, entry);
	}
}

/* Filed under the interval whose wait it explains, and that interval's pages; page 0: its flush. That of an attempt under this. */
static void keep_meet(struct evidence *e, uint32_t run, int64_t time_ns, bool follows,
		      const struct dsm_ev_meet *m)
{
	uint64_t number = number__of(m->other.interval.number, true);

	if (is_of_attempts(&m->hdr)) {
		window__add(&e->window, run, time_ns, follows, &m->hdr, m->hdr.node, m->interval.number, 0);
		return;
	}
	if (m->model == DSM_EV_RC)
		window__add(&e->window, run, time_ns, follows, &m->hdr, m->other.node, number, 0);
	for (unsigned i = 0; m->model != DSM_EV_RC && i < m->nmet; i++)
		window__add(&e->window, run, time_ns, follows, &m->hdr, m->other.node, number,
			    m->met[i].page);
}

void evidence__record(struct evidence *e, uint32_t run, const struct dsm_ev_hdr *record)
{
	struct node *n = model__node(e->model, run, record->node);
	const struct dsm_ev_interval *iv = (const void *)(record + 1);
	bool follows = n->last_seq && record->seq == n->last_seq + 1;
	bool interval = record->flags & DSM_EV_F_INTERVAL;
	int64_t time_ns = model__time(e->model, run, record->node, record->time_ns);
	dsm_ev_page page = 0;

	n->last_seq = record->seq;
	if (e->sink.seen)
		e->sink.seen(e->sink.context, run, record);
	switch (record->type) {
	case DSM_EV_BEGIN:
		n->last_number = iv->number > n->last_number ? iv->number : n->last_number;
		return;
	case DSM_EV_COMMIT:
		n->last_number = iv->number > n->last_number ? iv->number : n->last_number;
		e->sink.commit(e->sink.context, run, model__site(e->model, run, record->node, iv->site),
			       record);
		if (!(record->flags & DSM_EV_F_MICROSCOPE) && !met__costs(record))
			return; /* only a microscoped attempt is ever asked how it ended */
		break;
	case DSM_EV_INTERVAL:
		e->sink.commit(e->sink.context, run, model__site(e->model, run, record->node, iv->site),
			       record);
		break;
	case DSM_EV_MEET:
		keep_meet(e, run, time_ns, follows, (const void *)record);
		return;
	case DSM_EV_LOCK:
		if (e->sink.lock)
			e->sink.lock(e->sink.context, run, (const void *)record);
		return;
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
	if (!interval)
		n->last_number = iv->number > n->last_number ? iv->number : n->last_number;
	window__add(&e->window, run, time_ns, follows, record, record->node, number__of(iv->number, interval),
		    page);
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
