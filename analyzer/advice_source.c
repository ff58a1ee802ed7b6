/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * advice_source.c - what no layout cures: splitting a struct whose fields belong to different nodes,
 * splitting a transaction whose conflict is true on one object only, committing within a long one.
 */
#include <math.h>
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

static struct advice *add(struct work *w, enum advice_kind kind, uint32_t group, uint32_t site)
{
	struct advice *a = VEC_ADD(&w->out->all);

	memset(a, 0, sizeof(*a));
	a->kind = kind;
	a->group = group;
	a->site = site;
	return a;
}

/* ---- structs ---- */

static void name_fields(const struct work *w, struct advice *a)
{
	double most = 0;

	for (size_t i = 0; i < w->tally->rows.n; i++) {
		const struct row *r = &w->tally->rows.at[i];

		if (r->key.verdict != VERDICT_FALSE || r->key.changed.group != a->group ||
		    r->key.touched.group != a->group || r->key.changed.fields == r->key.touched.fields ||
		    row__ns(r) <= most)
			continue;
		most = row__ns(r);
		a->fields[0] = r->key.changed.fields;
		a->fields[1] = r->key.touched.fields;
	}
}

static void split_structs(struct work *w)
{
	for (uint32_t g = 0; g < w->tally->model->groups.n; g++) {
		struct advice a = {.group = g}, *new;
		double ns;

		if (w->tally->groups[g].ns[VERDICT_FALSE] < WORTH * w->wasted_ns)
			continue;
		ns = replay__within_element(w->replay, w->change, g);
		name_fields(w, &a);
		if (ns < WORTH * w->wasted_ns || !a.fields[0] || !a.fields[1])
			continue;
		new = add(w, ADVICE_SPLIT_STRUCT, g, 0);
		new->fields[0] = a.fields[0];
		new->fields[1] = a.fields[1];
		new->alone_ns = new->missed_ns = ns * w->scale;
		new->conflicts = w->tally->groups[g].seen[VERDICT_FALSE];
		advice_work__predict(w, ns,
				     w->wasted_ns > 0 ? ns / w->wasted_ns * (double)w->totals.sum.aborts : 0,
				     0, 0, &new->predicted);
	}
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

static void split_transaction(struct work *w, const struct true_loss *l)
{
	double each = l->conflicts > 0 ? l->ns / l->conflicts : 0;
	double after = w->commit_ns + w->fetch_ns, saved, seen;
	uint32_t other = forbids(w, l->site, l->group, &seen);
	struct advice *a;

	saved = each > 0 ? l->ns * (1 - fmin(1, after / each)) : 0;
	if (saved < WORTH * w->wasted_ns || after > each / 2)
		return;
	if (other != GROUP_NONE) {
		note_cycle(w, l->site, l->group, other);
		return;
	}
	a = add(w, ADVICE_SPLIT_TRANSACTION, l->group, l->site);
	a->alone_ns = a->missed_ns = saved * w->scale;
	a->conflicts = seen;
	advice_work__predict(w, saved, 0, l->conflicts * w->commit_ns, l->conflicts, &a->predicted);
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

/* A transaction over many elements loses them all at each abort. Cut into m pieces it loses one m-th and pays
 * m - 1 commits more each time: least where m is the root of their ratio. */
static void commit_often(struct work *w, uint32_t site, uint32_t group)
{
	struct remains left;
	double commits = commits_of(w, site), commit, m, saved, added;
	struct advice *a;

	replay__remains(w->replay, w->change, site, &left);
	commit = fmax(w->commit_ns, 1000) * fmax(commits, left.conflicts);
	if (left.ns < WORTH * w->wasted_ns || left.elements < MANY_ELEMENTS || !left.conflicts)
		return;
	m = fmin(left.elements, floor(sqrt(left.ns / commit)));
	if (m < 2)
		return;
	saved = left.ns * (1 - 1 / m);
	added = (m - 1) * commit;
	if (saved - added < WORTH * w->wasted_ns)
		return;
	a = add(w, ADVICE_COMMIT_EVERY_K, group, site);
	a->elements = left.elements;
	a->conflicts = left.conflicts;
	a->k = (unsigned)fmax(1, floor(left.elements / m));
	a->alone_ns = a->missed_ns = (saved - added) * w->scale;
	advice_work__predict(w, saved, 0, added, (m - 1) * commits, &a->predicted);
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
		if (advised || sum->ns[VERDICT_TRUE] < 0.1 * w->wasted_ns)
			continue;
		model__group_name(w->tally->model, g, name, sizeof(name));
		names__duration(sum->ns[VERDICT_TRUE], time, sizeof(time));
		advice_work__note(
			w,
			mem__format("%s is really shared (%s wasted): no layout helps. What can: touch it "
				    "last and only "
				    "when needed, keep a part per node and add the parts up when the whole "
				    "is read, or "
				    "let one node do the work that needs it.",
				    name, time));
	}
}

void advice_work__source(struct work *w)
{
	struct losses losses = {0};
	struct table done = {0};

	split_structs(w);
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
