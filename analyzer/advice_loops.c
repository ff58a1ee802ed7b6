/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * advice_loops.c - how many iterations loops shall give a transaction or a critical section. The runtime obeys such a
 * number in a plan (docs/plan.md), so this is advice that needs no change of the source.
 *
 * A transaction's end costs the same whatever it has done, and an abort costs in proportion to what it throws away: with
 * m times as many iterations the ends cost one m-th, the aborts m times as much. So the best m is the root of the
 * ratio of what both cost now. It is kept to what a loop has, to MOST_NS, and to what is worth it: ends that cost little
 * need not cost less.
 *
 * A critical section is waited for while the lock travels, while what its holder needs travels to it, and while the
 * holder computes. Larger sections make the first two rarer; the third stays.
 */
#include <math.h>

#include "advice_work.h"

#define FEW_COMMITS  50.0 /* seen of a loop, to say anything of it */
#define MOST_NS	     5e6  /* a longer transaction is ever more likely to be aborted by readers */
#define MOST_HELD_NS 1e6  /* others wait for a lock meanwhile */
#define MOST_TIMES   4096.0
#define MOST_PAGES   256.0 /* written: they are copied, and shall still be near */
#define LITTLE	     0.01  /* of the work: ends that cost so little are good enough */
#define GAIN	     0.02  /* of the run's time */
#define LEAST_TIMES  1.5

/* A plan names code by build-id and offset. */
static bool can_name(const struct model *m, uint32_t site)
{
	const struct site *x = model__site_at(m, site);

	return x->nframes && model__image_at(m, x->frame[0].image)->build_id_len;
}

struct advice *advice_work__add_loop(struct work *w, enum advice_kind kind, uint32_t group,
				     const struct loop_sum *s, double times)
{
	struct advice *a = advice_work__add(w, kind, group, s->site);
	double chunk = loop__iterations(s) * times;

	a->loop = s;
	a->k = (unsigned)fmax(1, fmin(1e9, floor(chunk + 0.5)));
	a->conflicts = s->commits;
	a->plannable = can_name(w->tally->model, s->site);
	return a;
}

/* Saved and added are of the whole run; what a plan of several rules saves is their sum. */
void advice_work__gain(struct work *w, struct advice *a, const struct gain *g)
{
	a->gain = *g;
	a->alone_ns = a->missed_ns = g->saved_ns * w->scale - g->added_ns;
	/* Shorter transactions leave what is truly shared, and it is met more often; what longer ones save besides, in the
	 * program's own loop and in entering the runtime, nobody measured. */
	advice_work__predict(w,
			     &(struct stake){.saved_ns = g->saved_ns,
					     .added_ns = g->added_ns,
					     .added_commits = g->commits,
					     .doubts = a->kind == ADVICE_COARSER ? DOUBT_OPEN : DOUBT_TRUE,
					     .sure = a->kind == ADVICE_COARSER},
			     &a->predicted);
}

/* Ends of transactions that cost more than they save. A loop that chooses by itself weighs the same, and goes on doing so. */
static void commit_rarely(struct work *w, const struct loop_sum *s)
{
	double k = loop__iterations(s), ends = loop__between(s) * s->commits;
	double work = s->timed > 0 ? s->work_ns / s->timed * s->commits : 0, each, times, saved, lost;
	struct remains left;
	struct advice *a;

	if (!s->given || s->commits < FEW_COMMITS || ends <= 0 || work <= 0)
		return;
	replay__remains(w->replay, w->change, s->site, &left);
	lost = left.ns * w->scale;
	each = work / s->commits;
	times = fmin(MOST_TIMES, ends / (LITTLE * work));
	times = fmin(times, lost > 0 ? sqrt(ends / lost) : times);
	times = fmin(times, loop__pieces(s));
	times = fmin(times, MOST_NS / each);
	if (s->pages > 0)
		times = fmin(times, MOST_PAGES / (s->pages / s->timed));
	times = floor(times * k) / k;
	if (times < LEAST_TIMES)
		return;
	saved = ends * (1 - 1 / times);
	lost = lost * (times - 1);
	if (saved - lost < GAIN * w->totals.node_seconds * 1e9)
		return;
	a = advice_work__add_loop(w, ADVICE_COARSER, GROUP_NONE, s, times);
	advice_work__gain(w, a,
			  &(struct gain){.added_ns = lost - saved, .commits = -s->commits * (1 - 1 / times)});
}

/* What is done under a lock is done one after another, however large the sections are: what they compute. Those that found the
 * lock here are counted, not timed. They compute no more than those that wait for pages too, and all nodes no more than what
 * they do besides waiting. */
static double in_turn(const struct work *w, const struct lock_sum *l, double pure)
{
	const struct dsm_counters *c = &w->totals.sum;
	double came = l->count * pure, all = w->totals.node_seconds * 1e9;
	double taken = w->tally->waits.nlocks > 0 ? (double)c->locks * l->count / w->tally->waits.nlocks : 0;
	double busy =
		all - (double)c->lock_ns - (double)c->fetch_ns - (double)c->barrier_ns - (double)c->retry_ns;

	return fmax(came, fmin(taken * pure, busy)) / l->locks;
}

/* Larger critical sections of a loop whose lock goes to and fro. False: nothing is known of its iterations. */
bool advice_work__larger_sections(struct work *w, const struct lock_sum *l)
{
	const struct loop_sum *s = loops__find(&w->tally->loops, l->site);
	double pure, waits, travels, times, saved;
	struct advice *a;

	if (!s || s->commits < FEW_COMMITS || s->sections <= 0)
		return false;
	pure = loop__held(s);
	waits = s->waits_ns * fmin(1, l->count / s->commits);
	travels = fmax(0, l->ns - l->count * pure) + waits;
	times = fmin(fmin(MOST_TIMES, loop__pieces(s)), pure > 0 ? MOST_HELD_NS / pure : MOST_TIMES);
	if (pure > 0)
		times = fmin(times, travels / (LITTLE * pure * l->count));
	if (times < LEAST_TIMES)
		return true;
	saved = travels * (1 - 1 / times);
	saved = fmin(saved, (w->totals.seconds * 1e9 - in_turn(w, l, pure)) * advice_work__nodes(w));
	if (saved < GAIN * w->totals.node_seconds * 1e9)
		return true;
	a = advice_work__add_loop(w, ADVICE_COARSER, GROUP_NONE, s, times);
	a->lock = l;
	a->conflicts = l->count;
	advice_work__gain(w, a, &(struct gain){.added_ns = -saved});
	return true;
}

void advice_work__loops(struct work *w)
{
	if (w->totals.intervals)
		return; /* see advice_waits.c */
	for (size_t i = 0; i < w->tally->loops.all.n; i++) {
		const struct loop_sum *s = &w->tally->loops.all.at[i];
		bool advised = false;

		for (size_t k = 0; k < w->out->all.n; k++)
			advised = advised || w->out->all.at[k].loop == s;
		if (!advised)
			commit_rarely(w, s);
	}
}
