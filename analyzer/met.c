/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * met.c - conflicts of attempts that are never undone (DSM_TX_FOR_INDEPENDENT).
 *
 * Each is judged as the abort that it would have been otherwise: what the other commit changed against what this attempt
 * accessed. It costs what its own commit had to wait and to do until the other was in its way no more (`rebase_ns`), which the
 * pages share that it met others on, and had written. One that was refused asks again under the next attempt's number, but is
 * the same: so the transaction's number alone tells who is meant. It is not run again, so no retry can speak for it.
 */
#include <string.h>

#include "evidence_work.h"

static uint64_t rebase_ns(const struct dsm_ev_hdr *record)
{
	const struct dsm_ev_commit *c = (const void *)record;

	return record->type == DSM_EV_COMMIT && record->size >= sizeof(*c) ? c->rebase_ns : 0;
}

bool met__costs(const struct dsm_ev_hdr *commit)
{
	return rebase_ns(commit) != 0;
}

/* Of an attempt: what its commit had to wait, and the pages on which it met others. */
struct cost {
	double ns;
	unsigned pages, written;
};

static struct cost cost_of(struct evidence *e, const struct entry *entry, const struct dsm_ev_interval *iv)
{
	const struct dsm_ev_hdr *hdr = entry__hdr(entry);
	struct window_cursor c;
	const struct entry *other;
	struct cost cost = {0};

	window__find(&e->window, &c, entry->run, hdr->node, hdr->generation, number__of(iv->number, false),
		     0);
	while ((other = window__next(&c))) {
		const struct dsm_ev_meet *m = (const void *)other->record;

		cost.ns += (double)rebase_ns(entry__hdr(other));
		if (m->hdr.type != DSM_EV_MEET)
			continue;
		cost.pages += m->nmet;
		for (unsigned i = 0; i < m->nmet; i++)
			cost.written += m->met[i].access & DSM_EV_ACCESS_WRITE ? 1 : 0;
	}
	return cost;
}

/* Only pages that it was going to commit can have been in its way, as far as is known which these were. */
static double share_of(const struct cost *cost, const struct dsm_ev_met *met)
{
	if (!cost->written)
		return cost->pages ? cost->ns / cost->pages : 0;
	return met->access & DSM_EV_ACCESS_WRITE ? cost->ns / cost->written : 0;
}

void met__judge(struct evidence *e, const struct entry *entry)
{
	const struct dsm_ev_meet *m = (const void *)entry->record;
	struct cost cost = cost_of(e, entry, &m->interval);

	for (unsigned i = 0; i < m->nmet; i++) {
		struct dsm_ev_abort a = {
			.hdr = m->hdr,
			.interval = m->interval,
			.winner = m->other,
			.wasted_ns = (uint64_t)share_of(&cost, &m->met[i]),
			.cause = DSM_EV_CAUSE_CONFLICT,
			.nmeetings = 1,
			.total = 1,
			.meeting[0] = {.page = m->met[i].page,
				       .access = m->met[i].access,
				       .tracked = m->met[i].tracked},
		};

		a.interval.attempt = a.winner.interval.attempt = ANY_ATTEMPT;
		judge__attempt(e, entry, &a, true);
	}
}

void met__judge_commit(struct evidence *e, const struct entry *entry)
{
	const struct dsm_ev_commit *c = (const void *)entry->record;
	struct cost cost = cost_of(e, entry, &c->interval);

	if (!cost.pages && cost.ns > 0 && e->sink.rebased)
		e->sink.rebased(e->sink.context, cost.ns);
}
