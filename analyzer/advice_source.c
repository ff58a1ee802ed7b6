/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * advice_source.c - what no layout cures: splitting a transaction whose conflict is true on one object only, committing
 * within a long one.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "advice_work.h"
#include "names.h"

#define MANY_ELEMENTS 16.0 /* touched by a transaction worth cutting into pieces */

void advice_work__note(struct work *w, char *text)
{
	struct advice_list *l = w->out;

	l->notes = mem__grow(l->notes, l->nnotes, &w->notes_cap, sizeof(*l->notes));
	l->notes[l->nnotes++] = text;
}

struct advice *advice_work__add(struct work *w, enum advice_kind kind, uint32_t group, uint32_t site)
{
	struct advice *a = VEC_ADD(&w->out->all);

	memset(a, 0, sizeof(*a));
	a->kind = kind;
	a->group = group;
	a->site = site;
	return a;
}

/* ---- transactions ---- */

struct true_loss { /* of one transaction site on one object */
	uint32_t site, group;
	double ns, conflicts, seen;
};

struct losses {
	struct true_loss *at;
	size_t n, cap;
};

static void collect_losses(const struct work *w, struct losses *out)
{
	for (size_t i = 0; i < w->tally->rows.n; i++) {
		const struct row *r = &w->tally->rows.at[i];
		size_t k;

		if (r->key.verdict != VERDICT_TRUE || r->group == GROUP_NONE || !row__loser(r)->site)
			continue;
		for (k = 0; k < out->n; k++)
			if (out->at[k].site == row__loser(r)->site && out->at[k].group == r->group)
				break;
		if (k == out->n)
			*VEC_ADD(out) = (struct true_loss){.site = row__loser(r)->site, .group = r->group};
		out->at[k].ns += row__ns(r);
		out->at[k].conflicts += r->seen + r->estimated;
		out->at[k].seen += r->seen;
	}
}

/* Another object on which transactions of this site truly meet others, as winner or as loser: with it the two
 * halves would both conflict with one transaction, which could then see one half done (an SC-cycle: Shasha et
 * al., "Transaction chopping", TODS 20 (1995)). GROUP_NONE: none was seen. */
static uint32_t forbids(const struct work *w, uint32_t site, uint32_t group, double *seen)
{
	uint32_t other = GROUP_NONE;

	*seen = 0;
	for (size_t i = 0; i < w->tally->rows.n; i++) {
		const struct row *r = &w->tally->rows.at[i];

		if (r->key.verdict != VERDICT_TRUE ||
		    (r->key.touched.site != site && r->key.changed.site != site))
			continue;
		*seen += r->seen;
		if (r->group != group && r->group != GROUP_NONE && r->seen > 0)
			other = r->group;
	}
	return other;
}

static void note_cycle(struct work *w, uint32_t site, uint32_t group, uint32_t other)
{
	char where[160], a[128], b[128];
	struct source src;

	names__site(w->symbols, w->tally->model, site, &src);
	names__place(&src, where, sizeof(where));
	model__group_name(w->tally->model, group, a, sizeof(a));
	model__group_name(w->tally->model, other, b, sizeof(b));
	advice_work__note(
		w,
		mem__format(
			"The transaction at %s truly meets others on %s and on %s: splitting it between the "
			"two "
			"is not advised, because a transaction that meets both halves could see one of them "
			"done.",
			where, a, b));
}

static bool holds_others(const struct work *w, const struct usage_key *k, uint32_t group)
{
	const struct piece *p = (const void *)(k + 1);

	for (uint32_t i = 0; i < k->n; i++)
		if (p[i].object == PLACE_NONE || w->tally->model->objects.at[p[i].object].group != group)
			return true;
	return false;
}

static bool holds(const struct work *w, const struct usage_key *k, uint32_t group)
{
	const struct piece *p = (const void *)(k + 1);

	for (uint32_t i = 0; i < k->n; i++)
		if (p[i].object != PLACE_NONE && w->tally->model->objects.at[p[i].object].group == group)
			return true;
	return false;
}

/* Is there anything else in transactions of the site that a split could spare? Only what was seen counts. */
static bool touches_others(const struct work *w, uint32_t site, uint32_t group)
{
	double here[2] = {0}, others[2] = {0}; /* writes, accesses */

	for (uint32_t i = 0; i < w->tally->usage_keys.n; i++) {
		const struct usage_key *k = table__key(&w->tally->usage_keys, i, NULL);

		if (k->site != site)
			continue;
		here[k->kind] += holds(w, k, group) ? w->tally->usages.at[i] : 0;
		others[k->kind] += holds_others(w, k, group) ? w->tally->usages.at[i] : 0;
	}
	return (here[USE_WRITE] > 0 && others[USE_WRITE] > here[USE_WRITE] / 2) ||
	       (here[USE_ACCESS] > 0 && others[USE_ACCESS] > here[USE_ACCESS] / 2);
}

static void split_transaction(struct work *w, const struct true_loss *l)
{
	double each = l->conflicts > 0 ? l->ns / l->conflicts : 0;
	double after = w->commit_ns + w->fetch_ns, saved, seen;
	uint32_t other = forbids(w, l->site, l->group, &seen);
	const struct loop_sum *loop = loops__find(&w->tally->loops, l->site);
	struct advice *a;

	/* A part of each iteration cannot be put off to the end of the loop's transaction; see commit_often(). */
	if (loop && loop__iterations(loop) > 1)
		return;
	saved = each > 0 ? l->ns * (1 - fmin(1, after / each)) : 0;
	if (saved < WORTH * w->wasted_ns || after > each / 2 || !touches_others(w, l->site, l->group))
		return;
	if (seen < FEW_CONFLICTS) /* few, or only stand-ins, say so: too little to change a program for */
		return;
	if (other != GROUP_NONE) {
		note_cycle(w, l->site, l->group, other);
		return;
	}
	a = advice_work__add(w, ADVICE_SPLIT_TRANSACTION, l->group, l->site);
	a->alone_ns = a->missed_ns = saved * w->scale;
	a->conflicts = seen;
	advice_work__predict(w,
			     &(struct stake){.saved_ns = saved,
					     .added_ns = l->conflicts * w->commit_ns,
					     .added_commits = l->conflicts,
					     .doubts = DOUBT_TRUE},
			     &a->predicted);
	if (!advice_work__worthwhile(w, &a->predicted))
		w->out->all.n--;
}

static double commits_of(const struct work *w, uint32_t site)
{
	double n = 0;

	for (uint32_t i = 0; i < w->tally->commit_keys.n; i++) {
		const uint32_t *key = table__key(&w->tally->commit_keys, i, NULL); /* run, node, site */

		n += key[2] == site ? w->tally->commits.at[i] : 0;
	}
	return n;
}

/* What a commit more costs: its own time, and where transactions meet, a page that has to come again. */
static double commit_cost(const struct work *w, const struct loop_sum *s)
{
	const struct dsm_counters *c = &w->totals.sum;
	double tried = (double)c->commits + (double)c->aborts;
	double fetches = tried > 0 ? fmin(1, (double)c->faults_fetch / tried) : 0;
	/* A commit of a long transaction may wait for that of another one: one of a short transaction does not. */
	double own = s && s->least_ns > 0 ? s->least_ns : w->commit_ns;

	return fmax(own, 1000) + (s ? fetches * w->fetch_ns : 0);
}

/* A transaction over many elements loses them all at each abort. Cut into m pieces it loses one m-th and pays
 * m - 1 commits more each time: least where m is the root of their ratio. In a loop the pieces are of iterations. */
static void commit_often(struct work *w, uint32_t site, uint32_t group)
{
	const struct loop_sum *s = loops__find(&w->tally->loops, site);
	struct remains left;
	double commits = commits_of(w, site), commit, m, saved, added, pieces;
	struct advice *a;

	s = s && s->commits > 0 ? s : NULL;
	if (s && !s->given) /* it sees to that itself */
		return;
	replay__remains(w->replay, w->change, site, &left);
	commit = commit_cost(w, s) * fmax(commits, left.conflicts);
	pieces = s ? loop__iterations(s) : left.elements;
	if (left.ns < WORTH * w->wasted_ns || pieces < MANY_ELEMENTS || !left.conflicts)
		return;
	m = fmin(pieces, floor(sqrt(left.ns / commit)));
	if (m < 2)
		return;
	saved = left.ns * (1 - 1 / m);
	added = (m - 1) * commit;
	if (saved - added < WORTH * w->wasted_ns)
		return;
	a = s ? advice_work__add_loop(w, ADVICE_COMMIT_EVERY_K, group, s, 1 / m)
	      : advice_work__add(w, ADVICE_COMMIT_EVERY_K, group, site);
	a->elements = left.elements;
	a->conflicts = left.conflicts;
	if (!s)
		a->k = (unsigned)fmax(1, floor(left.elements / m));
	advice_work__gain(w, a, &(struct gain){saved, added, (m - 1) * commits});
}

/* For what is really shared and got no advice: say so, and what people do about it. */
static void note_true(struct work *w)
{
	for (uint32_t g = 0; g < w->tally->model->groups.n; g++) {
		const struct group_sum *sum = &w->tally->groups[g];
		bool advised = false;
		char name[128], time[40];

		for (size_t i = 0; i < w->out->all.n; i++)
			advised = advised || w->out->all.at[i].group == g;
		if (advised || sum->ns[VERDICT_TRUE] <= 0 || sum->ns[VERDICT_TRUE] < 0.1 * w->wasted_ns)
			continue;
		model__group_name(w->tally->model, g, name, sizeof(name));
		names__duration(sum->ns[VERDICT_TRUE], time, sizeof(time));
		advice_work__note(
			w,
			mem__format("%s is really shared (%s %s): no layout helps. What can: touch it "
				    "last and only "
				    "when needed, keep a part per node and add the parts up when the whole "
				    "is read, or "
				    "let one node do the work that needs it.",
				    name, time, w->totals.intervals ? "lost" : "wasted"));
	}
}

void advice_work__source(struct work *w)
{
	struct losses losses = {0};
	struct table done = {0};

	advice_work__structs(w);
	if (!w->totals.intervals) /* else nothing is lost that a shorter transaction would save */
		collect_losses(w, &losses);
	for (size_t i = 0; i < losses.n; i++) {
		size_t before = done.n;

		split_transaction(w, &losses.at[i]);
		if (table__intern(&done, &losses.at[i].site, sizeof(uint32_t)) == before)
			commit_often(w, losses.at[i].site, losses.at[i].group);
	}
	note_true(w);
	table__free(&done);
	VEC_FREE(&losses);
}
