/* SPDX-License-Identifier: BSD-2-Clause */
/* charge.c - when all conflicts are counted: charges rows to objects, finds winners' lines, balances the
 * ledger. */
#include "tally.h"

#include <math.h>

#include "collector/lost_time.h"

static void find_line(const struct tally *t, struct row_side *side, bool write)
{
	const uint32_t sites[2] = {side->site, 0};

	for (int s = 0; s < 2 && !side->code.image; s++) {
		side->code = tally__line(t, sites[s], side->group, side->leaf, write);
		if (!side->code.image)
			side->code = tally__line(t, sites[s], side->group, UINT32_MAX, write);
		side->elsewhere = s == 1 && side->site && side->code.image;
	}
}

/* Two objects of different kinds met on one page without touching the same bytes: charged to the one that
 * moving would help, which is one that is written (once at the start does not count) and whose own conflicts
 * are not true. */
static uint32_t charge_to(const struct tally *t, const double *true_ns, const struct row *r)
{
	uint32_t w = r->key.changed.group, l = r->key.touched.group;

	if (w == GROUP_NONE || l == GROUP_NONE || w == l)
		return w == GROUP_NONE ? l : w;
	if (!r->wrote && t->groups[l].writes < 0.01 * t->groups[w].writes)
		return w;
	if (true_ns[w] != true_ns[l])
		return true_ns[w] < true_ns[l] ? w : l;
	return l;
}

static void note_written(struct tally *t)
{
	for (uint32_t i = 0; i < t->usage_keys.n; i++) {
		const struct usage_key *k = table__key(&t->usage_keys, i, NULL);

		const struct piece *p = (const void *)(k + 1);

		for (uint32_t j = 0; k->kind == USE_WRITE && j < k->n; j++)
			if (p[j].object != PLACE_NONE)
				t->groups[model__group(t->model, p[j].object)].writes += t->usages.at[i];
	}
	for (size_t i = 0; i < t->rows.n; i++) {
		const struct row *r = &t->rows.at[i];

		if (r->key.touched.group != GROUP_NONE && r->wrote)
			t->groups[r->key.touched.group].writes += r->seen + r->estimated;
		if (r->key.changed.group != GROUP_NONE && r->key.changed.fields)
			t->groups[r->key.changed.group].writes += r->seen + r->estimated;
	}
}

static void charge_rows(struct tally *t)
{
	double *true_ns = mem__alloc(t->model->groups.n * sizeof(double));

	for (size_t i = 0; i < t->rows.n; i++) {
		const struct row *r = &t->rows.at[i];

		if (r->key.verdict == VERDICT_TRUE && r->key.changed.group != GROUP_NONE)
			true_ns[r->key.changed.group] += row__ns(r);
	}
	for (size_t i = 0; i < t->rows.n; i++) {
		struct row *r = &t->rows.at[i];
		struct group_sum *g;

		r->group = charge_to(t, true_ns, r);
		g = r->group == GROUP_NONE ? &t->nobody : &t->groups[r->group];
		g->ns[r->key.verdict] += row__ns(r);
		g->seen[r->key.verdict] += r->seen;
		g->estimated[r->key.verdict] += r->estimated;
		g->squares += r->key.verdict == VERDICT_UNKNOWN ? 0 : r->squares;
		if (r->key.verdict != VERDICT_UNTOUCHED) {
			find_line(t, &r->key.changed, true);
			if (!r->key.touched.code.image)
				find_line(t, &r->key.touched, r->wrote);
		}
	}
	mem__free(true_ns);
}

/* Under rc nobody need wait for changes of others; they cost what it takes to find, pack and merge them. A meeting is a
 * page's changes merged where the page was in use, so each costs its share of that; the rest goes to copies in nobody's use. */
static void charge_changes(struct tally *t)
{
	struct ledger *b = &t->ledger;
	struct totals totals;
	double each;

	model__totals(t->model, &totals);
	b->changes = t->model->intervals ? (double)totals.sum.changes_ns : 0;
	if (totals.consistency != DSM_EV_RC || !totals.sum.merges)
		return;
	each = b->changes / fmax((double)totals.sum.merges, b->aborts);
	for (size_t i = 0; i < t->rows.n; i++) {
		struct row *r = &t->rows.at[i];
		double seen = r->seen * each, estimated = r->estimated * each;

		r->seen_ns += seen;
		r->estimated_ns += estimated;
		for (unsigned p = 0; p < r->npairs; p++)
			r->pair[p].ns += (seen + estimated) / r->npairs;
		b->verdict[r->key.verdict] += seen;
		b->estimated[r->key.verdict] += estimated;
		b->changes -= seen + estimated;
	}
	for (size_t i = 0; i < t->shapes.n; i++)
		t->shapes.at[i].ns += t->shapes.at[i].conflicts * each;
	t->stuck_ns += t->stuck * each;
}

/* Aborted attempts, and commits that others were in the way of; and where intervals of sc or rc ran, all waits: there they are
 * what conflicts cost. */
static double time_lost(const struct dsm_counters *c, bool waits)
{
	return (double)(waits ? lost_time__ns(c) : lost_time__conflicts(c));
}

static void balance(struct tally *t)
{
	struct ledger *b = &t->ledger;
	bool lossy = false, waits = t->model->intervals;
	double known, early = 0, missing, twice = 0;

	b->measured = 0;
	for (size_t r = 0; r < t->model->runs.n; r++) {
		const struct run *run = &t->model->runs.at[r];

		lossy = lossy || model__lossy(t->model, (uint32_t)r, DSM_EV_ABORT) || run->cut;
		if (t->model->kept || b->rebases > 0)
			lossy = lossy || model__lossy(t->model, (uint32_t)r, DSM_EV_MEET) ||
				model__lossy(t->model, (uint32_t)r, DSM_EV_COMMIT);
		for (unsigned type = DSM_EV_FAULT; waits && type <= DSM_EV_LOCK; type++)
			lossy = lossy || model__lossy(t->model, (uint32_t)r, type);
		for (size_t i = 0; i < run->nodes.n; i++) {
			const struct node *n = &run->nodes.at[i];

			b->measured += time_lost(&n->last.counters, waits);
			twice += (double)lost_time__twice(&n->last.counters);
			if (n->counted && !n->from_start) {
				early += time_lost(&n->first.counters, waits);
				twice -= (double)lost_time__twice(&n->first.counters);
			}
		}
	}
	b->copies = waits ? fmax(0, t->waits.copies_ns - twice) : 0;
	b->locks = waits ? t->waits.locks_ns : 0;
	b->flushes = (waits ? t->waits.flushes_ns : 0) + b->changes;
	known = b->other + b->rebases + b->copies + b->locks + b->flushes;
	for (int v = 0; v < VERDICTS; v++)
		known += b->verdict[v] + b->estimated[v];
	missing = fmax(0, b->measured - known);
	/* A collector that came late took its first sample a moment after the first records, so what was wasted
	 * before them is at most what that sample says. */
	b->before = lossy ? 0 : fmin(missing, early);
	b->measured -= b->before;
	/* Only where something is known to be missing may the difference be called lost. */
	b->lost = lossy ? missing : 0;
	b->remainder = b->measured - known - b->lost;
}

void tally__finish(struct tally *t)
{
	for (size_t i = 0; i < t->model->objects.n; i++)
		model__group(t->model, (uint32_t)i);
	mem__free(t->groups);
	t->groups = mem__alloc(t->model->groups.n * sizeof(*t->groups));
	note_written(t);
	charge_changes(t);
	charge_rows(t);
	waits__finish(&t->waits);
	loops__finish(&t->loops);
	balance(t);
}
