/* SPDX-License-Identifier: BSD-2-Clause */
/* report_waits.c - where nodes waited though nobody's use was in the way: for copies, for locks, for flushes. */
#include <stdio.h>

#include "report.h"

static void one_copy(const struct report *r, uint32_t row, double all, struct text *out)
{
	const struct wait_row *key = table__key(&r->tally.waits.row_keys, row, NULL);
	const struct wait_sum *sum = &r->tally.waits.rows.at[row];
	char name[128] = "(no recorded object)", elements[128] = "", time[40], n[40], code[192];

	if (key->object != PLACE_NONE) {
		model__object_name(&r->model, key->object, name, sizeof(name));
		names__elements(&r->model, key->object, &sum->elements, elements, sizeof(elements));
	}
	names__duration(sum->ns, time, sizeof(time));
	names__count(sum->count, n, sizeof(n));
	names__code(r->symbols, &r->model, key->code, false, code, sizeof(code));
	text__add(out, "  %-16s %9s %5.1f %%  node %u, %s fetch%s (home: node %u) to %s %s at %s\n", name,
		  time, all > 0 ? 100 * sum->ns / all : 0, key->node, n, sum->count > 1 ? "es" : "",
		  key->home, key->access & DSM_EV_ACCESS_WRITE ? "write" : "read", elements, code);
}

static void copies(const struct report *r, const struct report_options *o, const struct style *s,
		   struct text *out)
{
	const struct waits *w = &r->tally.waits;
	char time[40];

	if (!w->rows.n)
		return;
	names__duration(w->copies_ns, time, sizeof(time));
	text__add(out, "\n%sWaiting for copies%s  (%s in %.0f fetches%s)\n", s->bold, s->off, time, w->copies,
		  r->totals.intervals ? " of pages that nobody had in use" : "");
	for (size_t i = 0; i < w->rows.n && i < o->top; i++)
		one_copy(r, r->waits[i], w->copies_ns, out);
	if (w->rows.n > o->top)
		text__add(out, "  ... and %zu more (--top shows more)\n", w->rows.n - o->top);
}

static void locks(const struct report *r, const struct report_options *o, const struct style *s,
		  struct text *out)
{
	const struct waits *w = &r->tally.waits;
	char time[40], n[40], where[192];

	if (!w->locks.n)
		return;
	names__duration(w->locks_ns, time, sizeof(time));
	text__add(out, "\n%sWaiting for locks%s  (%s in %.0f times that one came from another node)\n",
		  s->bold, s->off, time, w->nlocks);
	for (size_t i = 0; i < w->locks.n && i < o->top; i++) {
		const struct lock_sum *l = &w->locks.at[i];
		struct source src;

		names__site(r->symbols, &r->model, l->site, &src);
		names__place(&src, where, sizeof(where));
		names__duration(l->ns, time, sizeof(time));
		names__count(l->count, n, sizeof(n));
		text__add(out, "  %9s  %s time%s, lock of %s %s\n", time, n, l->count > 1 ? "s" : "",
			  l->of_object ? "an object, taken at" : "the block at", where);
	}
	if (w->locks.n > o->top)
		text__add(out, "  ... and %zu locks more (--top shows more)\n", w->locks.n - o->top);
}

void report__waits(const struct report *r, const struct report_options *o, const struct style *s,
		   struct text *out)
{
	copies(r, o, s, out);
	locks(r, o, s, out);
}
