/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * advice_waits.c - changes that save waiting rather than conflicts: parts of an array that lie with a node that
 * does not write them; locks that more is waited for than need be.
 */
#include <math.h>

#include "advice_work.h"

/* One shift of a partition misplaces parts of several arrays: they are worth a change together or not at all. */
static double saved_by_pair(const struct waits *x, const struct misplaced *p)
{
	double ns = 0;

	for (size_t i = 0; i < x->misplaced.n; i++)
		if (x->misplaced.at[i].home == p->home && x->misplaced.at[i].writer == p->writer)
			ns += x->misplaced.at[i].ns;
	return ns;
}

/* A page whose home is its only writer is never fetched by it. */
static void align_parts(struct work *w)
{
	const struct waits *x = &w->tally->waits;

	for (size_t i = 0; i < x->misplaced.n; i++) {
		const struct misplaced *p = &x->misplaced.at[i];
		struct advice *a;

		if (p->ns <= 0 || saved_by_pair(x, p) < WORTH * (x->copies_ns + x->flushed_ns))
			continue;
		a = advice_work__add(w, ADVICE_ALIGN, w->tally->model->objects.at[p->object].group, 0);
		a->misplaced = p;
		a->alone_ns = a->missed_ns = p->ns;
		a->conflicts = p->fetches;
		advice_work__predict(w, &(struct stake){.added_ns = -p->ns, .sure = 1}, &a->predicted);
	}
}

#define FEW_LOCKS  10.0 /* waits for a lock, to say anything of it */
#define FEW_MEETS  10.0 /* conflicts on an object, to say that it needs a lock or none */
#define SELDOM_MET 0.1	/* of the conflicts: blocks that truly meet as often need the lock that they have */

struct met { /* critical sections under one lock, on one group of objects */
	double truly, others, unknown;
};

/* Is the lock taken where this transaction begins? 0: nobody knows where that is. */
static bool takes(const struct waits *x, const struct lock_sum *l, uint32_t site)
{
	if (!site || site == l->site)
		return true;
	for (size_t i = 0; i < x->lock_lines.n; i++) {
		const struct lock_sum *line = &x->lock_lines.at[i];

		if (line->site == site && line->name == l->name && line->run == l->run &&
		    line->of_object == l->of_object)
			return true;
	}
	return false;
}

/* How often they truly met, on the object where that was most often: it is this one that the lock is for, whatever else lies
 * on the same pages. */
static double truly_met(const struct tally *t, const struct lock_sum *l, bool *known)
{
	struct met *met = mem__alloc((t->model->groups.n + 1) * sizeof(*met));
	double most = 0;

	for (size_t i = 0; i < t->rows.n; i++) {
		const struct row *r = &t->rows.at[i];
		struct met *m = &met[r->group == GROUP_NONE ? t->model->groups.n : r->group];
		double n = r->seen + r->estimated;

		/* Against what another lock guards this one helps nobody. */
		if (!takes(&t->waits, l, r->key.changed.site) || !takes(&t->waits, l, r->key.touched.site))
			continue;
		m->truly += r->key.verdict == VERDICT_TRUE ? n : 0;
		m->unknown += r->key.verdict == VERDICT_UNKNOWN ? n : 0;
		m->others += r->key.verdict != VERDICT_TRUE && r->key.verdict != VERDICT_UNKNOWN ? n : 0;
	}
	*known = false;
	for (size_t g = 0; g <= t->model->groups.n; g++) {
		const struct met *m = &met[g];
		double judged = m->truly + m->others;

		if (judged + m->unknown < FEW_MEETS)
			continue;
		*known = true;
		most = fmax(most, m->unknown > judged ? 1 : m->truly / judged);
	}
	mem__free(met);
	return *known ? most : 1;
}

static void advise_lock(struct work *w, const struct lock_sum *l)
{
	/* Of elements with a lock each, those with another lock meet on the same pages too: that says nothing of one. */
	bool known = l->locks == 1;
	double share = known ? truly_met(w->tally, l, &known) : 1;
	bool object = known && share < SELDOM_MET;
	size_t before = w->out->all.n;
	struct advice *a;

	/* One cure for one lock: a rule of the plan before a change of the source. */
	if (advice_work__larger_sections(w, l) && (!object || w->out->all.n > before))
		return;
	a = advice_work__add(w, object ? ADVICE_LOCK_OBJECT : ADVICE_COARSER, GROUP_NONE, l->site);
	a->lock = l;
	a->shared = known && !object;
	a->conflicts = l->count;
	/* Blocks on different objects do not wait for one another. A lock taken half as often is waited for half as often. */
	a->alone_ns = a->missed_ns = object ? l->ns * (1 - share) : l->ns / 2;
	advice_work__predict(w, &(struct stake){.added_ns = -a->alone_ns, .doubts = DOUBT_TRUE},
			     &a->predicted);
}

static void advise_locks(struct work *w)
{
	const struct lock_sums *all = &w->tally->waits.lock_sites;

	for (size_t i = 0; i < all->n; i++) {
		const struct lock_sum *l = &all->at[i];

		if (l->ns >= WORTH * w->lost_ns && l->count >= FEW_LOCKS && (l->nodes & (l->nodes - 1)))
			advise_lock(w, l);
	}
}

void advice_work__waits(struct work *w)
{
	align_parts(w);
	advise_locks(w);
}
