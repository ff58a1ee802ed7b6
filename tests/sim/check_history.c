/* SPDX-License-Identifier: BSD-2-Clause */
/* check_history.c - what each attempt has read and written, for the verifier. */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/internal.h"

struct touched {
	struct world *w;
	struct node *n;
	struct dsm_history_page reads[512], writes[512];
	uint32_t nreads, nwrites;
	bool committed;
};

static void add_touched(void *arg, uint32_t page, uint64_t version, bool read, bool written, bool tracked)
{
	struct touched *t = arg;
	const struct memory *m = &t->n->memory[page];
	const struct view *v = &t->n->views[page];

	(void)read;
	(void)tracked;
	if (v->seen && v->version != version)
		world__fail(t->w, FAIL_INVARIANT,
			    "node %u: page %u seen as version %" PRIu64 ", the core says %" PRIu64,
			    world__id(t->w, t->n), page, v->version, version);
	if (t->w->profile.conservative)
		t->reads[t->nreads++] =
			(struct dsm_history_page){.page = page,
						  .version = version,
						  .hash = port__hash(m->has_twin ? m->twin : m->frame)};
	else if (v->seen || written)
		t->reads[t->nreads++] = (struct dsm_history_page){
			.page = page, .version = version, .hash = port__hash(v->seen ? v->image : m->frame)};
	if (t->committed && written)
		t->writes[t->nwrites++] = (struct dsm_history_page){
			.page = page, .version = version + 1, .hash = port__hash(m->frame)};
}

static int by_number(const void *a, const void *b)
{
	const struct dsm_history_page *x = a, *y = b;

	return x->page < y->page ? -1 : x->page > y->page;
}

static bool listed(const struct dsm_history_page *list, uint32_t count, uint32_t page)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		if (list[i].page == page)
			return true;
	return false;
}

/* The core must know of each page that the attempt looked at and each that it changed. */
static void check_known(struct world *w, struct node *n, const struct touched *t)
{
	uint32_t i;

	for (i = 0; i < n->nseen; i++) {
		const struct view *v = &n->views[n->seen[i]];
		if (!listed(t->reads, t->nreads, n->seen[i]))
			world__fail(w, FAIL_INVARIANT,
				    "node %u: the core does not know that page %u was accessed",
				    world__id(w, n), n->seen[i]);
		if (t->committed && memcmp(v->image, n->memory[n->seen[i]].frame, PAGE_BYTES) != 0 &&
		    !listed(t->writes, t->nwrites, n->seen[i]))
			world__fail(w, FAIL_INVARIANT,
				    "node %u: the change of page %u is not part of its commit",
				    world__id(w, n), n->seen[i]);
	}
}

void check__history(struct world *w, struct node *n, bool committed)
{
	static struct touched t; /* large */
	struct dsm_history_page pages[1024];
	struct core_party party = n->core->attempt.party; /* it has ended: no query tells it any more */
	struct dsm_history_attempt a = {.begin_ns = n->begin, .end_ns = w->now, .barriers = n->barriers};

	t.w = w;
	t.n = n;
	t.nreads = t.nwrites = 0;
	t.committed = committed;
	core__touched(n->core, add_touched, &t);
	check_known(w, n, &t);
	qsort(t.reads, t.nreads, sizeof(t.reads[0]), by_number);
	qsort(t.writes, t.nwrites, sizeof(t.writes[0]), by_number);
	memcpy(pages, t.reads, t.nreads * sizeof(pages[0]));
	memcpy(pages + t.nreads, t.writes, t.nwrites * sizeof(pages[0]));
	a.number = party.number;
	a.attempt = party.attempt;
	a.flags = (committed ? DSM_HISTORY_COMMITTED : 0) |
		  (n->unchecked && !committed ? DSM_HISTORY_PINNED : 0);
	a.nreads = t.nreads;
	a.nwrites = t.nwrites;
	if (verify__add(w->history, world__id(w, n), &a, pages))
		world__fail(w, FAIL_INVARIANT, "node %u: the verifier does not take an attempt",
			    world__id(w, n));
}

void check__whole_history(struct world *w)
{
	struct verify_result result;

	if (verify__check(w->history, w->verbose ? stdout : NULL, &result))
		abort();
	if (result.errors)
		world__fail(w, FAIL_HISTORY, "history: %" PRIu64 " errors in %" PRIu64 " attempts",
			    result.errors, result.attempts);
}
