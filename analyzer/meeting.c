/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * meeting.c - conflicts of intervals, where nothing is undone (sequential and release consistency).
 *
 * What is judged is a wait: of a fault for a copy (sc), or of a flush (rc). Those who had the page in use tell of it
 * by MEETs, which are filed under the interval that waited. Each is a conflict between the holder (as "winner") and
 * the one that waited (as "loser"); they share the wait. Under sc either may be the one that changed bytes which
 * the other accessed: the conflict is true if one way is, and false only if both are known to be.
 */
#include <string.h>

#include "evidence_work.h"

#define MOST_MEETS     64 /* of one wait: more share its cost unseen */
#define MOST_INTERVALS 64 /* of a stay, looked at for their sites */

static struct who holder_of(const struct dsm_ev_meet *m, const struct dsm_ev_met *met)
{
	return (struct who){.node = m->hdr.node,
			    .generation = m->hdr.generation,
			    .number = m->interval.number,
			    .interval = true,
			    .since = met->since ? met->since
						: 1, /* from the start on, for all that is known */
			    .opened = met->opened};
}

static struct who asker_of(const struct dsm_ev_meet *m)
{
	return (struct who){.node = m->other.node,
			    .generation = m->other.generation,
			    .number = m->other.interval.number,
			    .interval = true};
}

/* Does all that the accessing side was ever seen to do meet the changes? An unknown way that does not is the lesser
 * evil of two. 2: nothing was seen. */
static int stand_in_meets(struct evidence *e, const struct conflict *c, const struct met_page *p)
{
	const struct profile *s = judge__profile(e, c, p);

	if (!s || p->why == WHY_WRITES)
		return 2;
	return byteset__meets(&p->changed, &s->touched);
}

static int rank(enum verdict v)
{
	static const int by[VERDICTS] = {[VERDICT_UNTOUCHED] = 0,
					 [VERDICT_FALSE] = 1,
					 [VERDICT_SILENT] = 2,
					 [VERDICT_UNKNOWN] = 3,
					 [VERDICT_TRUE] = 4};

	return by[v];
}

/* Keeps in `p` the way that says more: true, unknown, silent, false. */
static void keep_worse(struct evidence *e, const struct conflict *c, struct met_page *p,
		       struct met_page *other)
{
	int better = rank(other->verdict) - rank(p->verdict);

	if (!better && p->verdict == VERDICT_UNKNOWN)
		better = stand_in_meets(e, c, other) - stand_in_meets(e, c, p);
	if (better > 0) {
		struct met_page kept = *other;

		*other = *p;
		*p = kept;
	}
	met_page__free(other);
}

static void judge_met(struct evidence *e, const struct conflict *c, struct met_page *p,
		      const struct dsm_ev_meet *m, const struct dsm_ev_met *met)
{
	struct who holder = holder_of(m, met), asker = asker_of(m);
	bool untouched = met->tracked && !met->access;
	bool forward = m->model == DSM_EV_SC && (met->access & DSM_EV_ACCESS_WRITE);
	bool backward = m->model == DSM_EV_RC || (met->wanted & DSM_EV_ACCESS_WRITE);
	struct met_page other;

	if (untouched || (!forward && !backward)) {
		p->verdict = VERDICT_UNTOUCHED;
		return;
	}
	if (forward)
		judge__sides(e, p, holder, asker, NULL, false);
	if (!backward || (forward && p->verdict == VERDICT_TRUE))
		return;
	other = met_page__like(p);
	other.reversed = true;
	judge__sides(e, &other, asker, holder, NULL, false);
	if (forward) {
		keep_worse(e, c, p, &other);
	} else {
		met_page__free(p);
		*p = other;
	}
}

/* Had the holder the page in intervals that began at other sites than its present one? Those without a record had
 * nothing to do with anybody else. */
static bool used_elsewhere(struct evidence *e, uint32_t run, const struct dsm_ev_meet *m,
			   const struct dsm_ev_met *met, uint32_t site)
{
	struct window_cursor c;
	const struct entry *entry;

	if (!met->since || m->interval.number - met->since > MOST_INTERVALS)
		return true;
	for (uint64_t i = met->since; i < m->interval.number; i++) {
		window__find(&e->window, &c, run, m->hdr.node, m->hdr.generation, number__of(i, true), 0);
		while ((entry = window__next(&c))) {
			const struct dsm_ev_ended *ended = (const void *)entry->record;

			if (ended->hdr.type == DSM_EV_INTERVAL &&
			    model__site(e->model, run, m->hdr.node, ended->interval.site) != site)
				return true;
		}
	}
	return false;
}

static void tell_met(struct evidence *e, const struct entry *entry, const struct dsm_ev_meet *m,
		     const struct dsm_ev_met *met, double ns, unsigned share, bool microscope)
{
	struct met_page page;
	struct conflict c = {
		.run = entry->run,
		.winner = m->hdr.node,
		.loser = m->other.node,
		.has_winner = true,
		.interval = true,
		.microscope = microscope,
		.winner_microscope = m->hdr.flags & DSM_EV_F_MICROSCOPE,
		.winner_site = model__site(e->model, entry->run, m->hdr.node, m->interval.site),
		.loser_site = model__site(e->model, entry->run, m->other.node, m->other.interval.site),
		.cause = DSM_EV_CAUSE_CONFLICT,
		.time_ns = entry->time_ns,
		.weight = 1,
		.wasted_ns = ns / share,
		.share = 1,
		.page = &page,
	};

	c.winner_elsewhere = used_elsewhere(e, entry->run, m, met, c.winner_site);
	memset(&page.page, 0, sizeof(page) - offsetof(struct met_page, page));
	if (place__load(&page.view, e->model, e->layouts, entry->run, met->page, entry->time_ns)) {
		c.pages = 1;
		page.page = met->page;
		judge_met(e, &c, &page, m, met);
	} else {
		c.cut = true;
	}
	judge__conclude(&c);
	judge__tell(e, &c);
	if (c.pages)
		met_page__free(&page);
}

struct met {
	const struct dsm_ev_meet *meet;
	const struct dsm_ev_met *met;
};

/* Those who had pages of a wait in use: all pages (0), or one, wanted for `access`. */
static unsigned find_meets(struct evidence *e, uint32_t run, const struct dsm_ev_hdr *hdr,
			   const struct dsm_ev_interval *iv, dsm_ev_page page, unsigned access,
			   struct met *out)
{
	struct window_cursor c;
	const struct entry *entry;
	unsigned n = 0;

	window__find(&e->window, &c, run, hdr->node, hdr->generation, number__of(iv->number, true), page);
	while ((entry = window__next(&c)) && n < MOST_MEETS) {
		const struct dsm_ev_meet *m = (const void *)entry->record;

		if (m->hdr.type != DSM_EV_MEET || m->hdr.node == hdr->node)
			continue;
		for (unsigned i = 0; i < m->nmet && n < MOST_MEETS; i++)
			if (!page || (m->met[i].page == page && (m->met[i].wanted & access)))
				out[n++] = (struct met){m, &m->met[i]};
	}
	return n;
}

static void tell_plain(struct evidence *e, const struct entry *entry, double ns, const struct dsm_ev_fault *f,
		       const struct dsm_ev_ended *ended)
{
	struct page_view v;
	bool placed = f && place__load(&v, e->model, e->layouts, entry->run, f->page, entry->time_ns);

	e->sink.plain_wait(e->sink.context, entry->run, ns, f, placed ? &v : NULL, ended);
}

void meeting__judge(struct evidence *e, const struct entry *entry)
{
	const struct dsm_ev_hdr *hdr = entry__hdr(entry);
	const struct dsm_ev_fault *f = (const void *)hdr;
	const struct dsm_ev_ended *ended = (const void *)hdr;
	bool flush = hdr->type == DSM_EV_INTERVAL;
	uint64_t ns = flush ? ended->flush_ns : f->wait_ns;
	struct met met[MOST_MEETS];
	unsigned n = 0;

	if (!flush && f->kind != DSM_EV_FAULT_FETCH)
		return;
	if (flush && ns && e->sink.flushed)
		e->sink.flushed(e->sink.context, entry->run, ended);
	if (hdr->flags & DSM_EV_F_INTERVAL)
		n = flush ? find_meets(e, entry->run, hdr, &ended->interval, 0, 0, met)
			  : find_meets(e, entry->run, hdr, &f->interval, f->page, f->access, met);
	for (unsigned i = 0; i < n; i++)
		tell_met(e, entry, met[i].meet, met[i].met, (double)ns, n, hdr->flags & DSM_EV_F_MICROSCOPE);
	if (!n && ns && e->sink.plain_wait)
		tell_plain(e, entry, (double)ns, flush ? NULL : f, flush ? ended : NULL);
}
