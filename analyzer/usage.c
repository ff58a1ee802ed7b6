/* SPDX-License-Identifier: BSD-2-Clause */
/* usage.c - what the window's records say of accesses in general, whether or not they met anybody. */
#include "evidence_work.h"

/* True for the newest part of an attempt's ACCESSES, so that each attempt is taken once. */
static bool newest_part(struct evidence *e, const struct entry *entry, dsm_ev_page page)
{
	const struct dsm_ev_accesses *a = (const void *)entry->record;
	struct window_cursor c;
	const struct entry *other;

	window__find(&e->window, &c, entry->run, a->hdr.node, a->hdr.generation,
		     number__of(a->interval.number, a->hdr.flags & DSM_EV_F_INTERVAL), page);
	while ((other = window__next(&c))) {
		const struct dsm_ev_accesses *b = (const void *)other->record;

		if (b->hdr.type == DSM_EV_ACCESSES && b->interval.attempt == a->interval.attempt)
			return other == entry;
	}
	return false;
}

/* Intervals count twice: for those that begin there, and for all of the node. */
static void add_to_profiles(struct evidence *e, const struct usage_event *u, dsm_ev_page page,
			    const struct access_set *set, bool whole, enum outcome how)
{
	struct profile *p = profile__get(e, u->run, u->node, u->site, page, true);

	if (p)
		profile__add(p, set, whole, how);
	p = u->interval ? profile__get(e, u->run, u->node, ANY_SITE, page, true) : NULL;
	if (p)
		profile__add(p, set, whole, how);
}

static void of_accesses(struct evidence *e, const struct entry *entry, struct usage_event u,
			const struct page_view *v)
{
	const struct dsm_ev_accesses *a = (const void *)entry->record;
	bool interval = a->hdr.flags & DSM_EV_F_INTERVAL, microscope;
	struct who who = {.node = a->hdr.node,
			  .generation = a->hdr.generation,
			  .number = a->interval.number,
			  .attempt = a->interval.attempt,
			  .interval = interval};
	struct access_set set = {0};

	if (!newest_part(e, entry, a->page))
		return;
	gather__accesses(e, v, a->page, who, &set);
	u.kind = USAGE_ACCESSES;
	u.bytes = &set.touched;
	u.touches = set.touches.at;
	u.ntouches = set.touches.n;
	e->sink.usage(e->sink.context, &u);
	if (!interval || set.touched.n) /* an interval that did nothing stands for none that did */
		add_to_profiles(e, &u, a->page, &set, set.complete,
				gather__outcome(e, u.run, who, &microscope));
	gather__free(&set);
}

static void of_fault(struct evidence *e, const struct entry *entry, struct usage_event u,
		     const struct page_view *v)
{
	const struct dsm_ev_fault *f = (const void *)entry->record;
	struct dsm_ev_access access = {f->offset, 0, f->access, f->ip};
	struct access_set set = {0};

	gather__access(e, v, f->hdr.node, &access, &set.touched, &set.wrote, VEC_ADD(&set.touches));
	u.kind = USAGE_FIRST_TOUCH;
	u.home = f->home;
	u.bytes = &set.touched;
	u.touches = set.touches.at;
	u.ntouches = 1;
	e->sink.usage(e->sink.context, &u);
	add_to_profiles(e, &u, f->page, &set, false, OUTCOME_UNKNOWN);
	gather__free(&set);
}

static void of_writes(struct evidence *e, const struct entry *entry, struct usage_event u,
		      const struct page_view *v)
{
	const struct dsm_ev_writes *w = (const void *)entry->record;
	struct byteset changed = {0};
	struct access_set set = {0};

	if (w->basis == DSM_EV_BASIS_PAGE)
		return;
	gather__runs(w, &changed);
	place__widen(v, &changed, &set.wrote);
	byteset__add_all(&set.touched, &set.wrote);
	u.kind = USAGE_COMMITTED_WRITE;
	u.bytes = &set.wrote;
	if (w->flags & DSM_EV_WRITES_COMMITTED)
		e->sink.usage(e->sink.context, &u);
	add_to_profiles(e, &u, w->page, &set, false, OUTCOME_UNKNOWN);
	byteset__free(&changed);
	gather__free(&set);
}

void usage__tell(struct evidence *e, const struct entry *entry)
{
	const struct dsm_ev_hdr *hdr = entry__hdr(entry);
	const struct dsm_ev_interval *iv = (const void *)(hdr + 1);
	dsm_ev_page page = hdr->type == DSM_EV_FAULT	  ? ((const struct dsm_ev_fault *)hdr)->page
			   : hdr->type == DSM_EV_ACCESSES ? ((const struct dsm_ev_accesses *)hdr)->page
			   : hdr->type == DSM_EV_WRITES	  ? ((const struct dsm_ev_writes *)hdr)->page
							  : 0;
	struct usage_event u = {.run = entry->run,
				.node = hdr->node,
				.weight = hdr->weight ? hdr->weight : 1,
				.interval = hdr->flags & DSM_EV_F_INTERVAL,
				.number = iv->number};
	struct page_view v;

	if (hdr->type == DSM_EV_MEET || !page)
		return;
	if (!place__load(&v, e->model, e->layouts, entry->run, page, entry->time_ns))
		return;
	u.site = model__site(e->model, entry->run, hdr->node, iv->site);
	u.view = &v;
	if (hdr->type == DSM_EV_ACCESSES)
		of_accesses(e, entry, u, &v);
	else if (hdr->type == DSM_EV_FAULT)
		of_fault(e, entry, u, &v);
	else if (hdr->type == DSM_EV_WRITES)
		of_writes(e, entry, u, &v);
}
