/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * advice_waits.c - changes that save waiting rather than conflicts: parts of an array that lie with a node that
 * does not write them; locks that more is waited for than need be.
 */

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

/* Do critical sections under the lock meet each other on the same bytes? Those that begin at its site. */
static void conflicts_of_site(const struct tally *t, uint32_t site, double *truly, double *others)
{
	*truly = *others = 0;
	for (size_t i = 0; i < t->rows.n; i++) {
		const struct row *r = &t->rows.at[i];
		double n = r->seen + r->estimated;

		if (r->key.changed.site != site && r->key.touched.site != site)
			continue;
		if (r->key.verdict == VERDICT_TRUE || r->key.verdict == VERDICT_UNKNOWN)
			*truly += n;
		else
			*others += n;
	}
}

#define FEW_LOCKS 10.0 /* waits for a lock, to say anything of it */

static void advise_locks(struct work *w)
{
	const struct waits *x = &w->tally->waits;

	for (size_t i = 0; i < x->locks.n; i++) {
		const struct lock_sum *l = &x->locks.at[i];
		double truly, others, share;
		struct advice *a;

		if (l->ns < WORTH * w->lost_ns || l->count < FEW_LOCKS || !(l->nodes & (l->nodes - 1)))
			continue;
		conflicts_of_site(w->tally, l->site, &truly, &others);
		share = truly + others > 0 ? truly / (truly + others) : 0;
		if (l->of_object) /* it is named already: what is left is that it is handed over */
			share = 1;
		if (advice_work__larger_sections(w, l) && share >= 0.5)
			continue;
		a = advice_work__add(w, share < 0.5 ? ADVICE_LOCK_OBJECT : ADVICE_COARSER, GROUP_NONE,
				     l->site);
		a->lock = l;
		a->conflicts = l->count;
		/* Blocks on different objects do not wait for one another. A lock taken half as often is waited for half
		 * as often. */
		a->alone_ns = a->missed_ns = share < 0.5 ? l->ns * (1 - share) : l->ns / 2;
		advice_work__predict(w, &(struct stake){.added_ns = -a->alone_ns, .doubts = DOUBT_TRUE},
				     &a->predicted);
	}
}

void advice_work__waits(struct work *w)
{
	align_parts(w);
	advise_locks(w);
}
