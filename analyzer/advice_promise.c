/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * advice_promise.c - loops that pay for being undone, and never need it. A page is copied before an attempt writes it, so that
 * it can be undone, and compared with the copy at the commit. Attempts of a loop or block that its program has declared
 * independent (DSM_TX_FOR_INDEPENDENT, DSM_TX_INDEPENDENT) are never undone, so pages that the node has alone need neither.
 *
 * That it is independent only its author can know. What is advised here is a loop of which no record says the contrary.
 */
#include <math.h>

#include "advice_work.h"
#include "names.h"

#define MET_AT_MOST 0.1 /* of the attempts may have truly met another one, at 95 % */

/* Conflicts beside commits are attempts that were undone, or undid another one. */
double advice__attempts(const struct promise_site *s)
{
	return s->commits + s->conflicts;
}

/* What could not be judged counts as true. */
double advice__true_at_most(const struct promise_site *s)
{
	double low, high;

	verdict__interval(s->unknown, advice__attempts(s), &low, &high);
	return high;
}

/* Copies are part of what faults and opening pages ahead take, which the counters have in all and samples by site. A commit
 * that needs no message hardly looks at them; one with messages compares each page with its copy. That cannot be told from its
 * waiting, but it touches the same memory as making the copy did, so it is taken to cost the same, if there is as much. */
static void measure(const struct work *w, const struct promise_site *s, struct undoing *out)
{
	const struct dsm_counters *c = &w->totals.sum;
	double handling = c->local_ns > c->wasted_local_ns ? (double)(c->local_ns - c->wasted_local_ns) : 0;
	double all = w->tally->promises.handling_ns, alone = promise__share_alone(s), compared;

	handling *= all > 0 ? fmin(1, s->handling_ns / all) : 0;
	compared = s->written > 0 ? handling * (1 - s->alone / s->written) : 0;
	*out = (struct undoing){
		.handling = alone * handling,
		.commits = fmin((double)c->commit_ns, s->locals_ns + alone * fmin(s->remotes_ns, compared)),
	};
}

/* Of a mean of so many times that differ as much as they are long, the part that is sure at 95 %. */
static double sure_of(double records)
{
	return records > 0 ? fmax(0, 1 - 2 / sqrt(records)) : 0;
}

/* Only pages of commits without a message were surely the node's alone. */
static double sure_part(const struct promise_site *s, const struct undoing *u)
{
	double alone = s->written > 0 ? s->alone / s->written : 0, all = u->handling + u->commits;
	double least =
		sure_of(s->handled) * u->handling * fmin(1, alone / fmax(1e-9, promise__share_alone(s))) +
		sure_of(s->looked) * fmin(u->commits, s->locals_ns);

	return all > 0 ? fmin(1, least / all) : 0;
}

static bool may_be_independent(const struct promise_site *s)
{
	return s->site && !s->met && s->truly <= 0 && s->cancelled <= 0 && s->written > 0 &&
	       s->independents <= s->commits / 2 && advice__true_at_most(s) <= MET_AT_MOST;
}

static void declare(struct work *w, const struct promise_site *s)
{
	struct stake stake = {.doubts = DOUBT_CACHES | DOUBT_SAMPLED, .computing = true};
	struct undoing u;
	struct advice *a;

	measure(w, s, &u);
	stake.added_ns = -(u.handling + u.commits);
	stake.sure = sure_part(s, &u);
	a = advice_work__add(w, ADVICE_INDEPENDENT, GROUP_NONE, s->site);
	a->promise = s;
	a->undoing = u;
	a->alone_ns = a->missed_ns = -stake.added_ns;
	a->conflicts = s->conflicts;
	advice_work__predict(w, &stake, &a->predicted);
	if (!advice_work__worthwhile(w, &a->predicted))
		w->out->all.n--;
}

/* What speaks against a promise may have been in them. */
static bool lost_evidence(const struct model *m)
{
	for (uint32_t r = 0; r < m->runs.n; r++)
		if (model__lossy(m, r, DSM_EV_ABORT) || model__lossy(m, r, DSM_EV_WRITES))
			return true;
	return false;
}

void advice_work__promises(struct work *w)
{
	const struct promises *p = &w->tally->promises;
	size_t before = w->out->all.n;

	if (w->totals.intervals) /* nothing is undone there */
		return;
	for (size_t i = 0; i < p->all.n; i++)
		if (may_be_independent(&p->all.at[i]))
			declare(w, &p->all.at[i]);
	if (w->out->all.n == before || !lost_evidence(w->tally->model))
		return;
	w->out->all.n = before;
	advice_work__note(w,
			  mem__string("Some loop might gain from being declared independent "
				      "(DSM_TX_FOR_INDEPENDENT), but it is not advised: records of aborts or "
				      "of changes were lost, and may have spoken against it."));
}

static void say_conflicts(const struct promise_site *s, struct text *t)
{
	char attempts[40], all[40], unknown[40];

	names__count(advice__attempts(s), attempts, sizeof(attempts));
	names__count(s->conflicts, all, sizeof(all));
	names__count(s->unknown, unknown, sizeof(unknown));
	text__add(t, "no true conflict in %s attempts seen", attempts);
	if (s->unknown > 0)
		text__add(t, ", but %s of their %s conflicts could not be judged and count as true", unknown,
			  all);
	text__add(t, ": at most %.2g %% at 95 %%", 100 * advice__true_at_most(s));
}

void advice_work__say_promise(struct work *w, struct advice *a, const char *where)
{
	const struct promise_site *s = a->promise;
	const struct loop_sum *l = loops__find(&w->tally->loops, s->site);
	bool loop = l && loop__iterations(l) * loop__pieces(l) > 1;
	char handling[40], commits[40];
	struct text why = {0};

	a->text = mem__format(
		"Declare the %s at %s independent, if it is: %s. Its attempts are then never undone, and "
		"pages that the node has alone are written without a copy. That is a promise which only the "
		"author can give: no byte that it reads or writes is written by another node, and none that "
		"it writes is read by another node, between the same two barriers. This run cannot prove it: "
		"accesses that no record tells of, and other inputs, were not seen. Where it is broken "
		"results "
		"may be wrong without a message; only where changes of two nodes to one byte come together "
		"the program ends with one. To check it: look for who else reads and writes the same data "
		"between these barriers; then compare the results with those of dsmrun --no-independent, "
		"which makes such loops ordinary ones, with --monitor for the true conflicts that dsmreport "
		"finds, over several inputs and numbers of nodes. It must not call dsm_cancel() nor "
		"dsm_retry(). Source change. (If it is declared already, this run was made with "
		"--no-independent, --strict or --history.)",
		loop ? "loop" : "block", where,
		loop ? "DSM_TX_FOR_INDEPENDENT instead of DSM_TX_FOR"
		     : "DSM_TX_INDEPENDENT instead of DSM_TX");
	say_conflicts(s, &why);
	names__duration(a->undoing.handling, handling, sizeof(handling));
	names__duration(a->undoing.commits, commits, sizeof(commits));
	text__add(&why,
		  "; %.3g %% of the pages that they changed no other node had, and to be able to undo these "
		  "took %s in faults and opening pages and %s in commits",
		  100 * promise__share_alone(s), handling, commits);
	a->why = why.at;
}
