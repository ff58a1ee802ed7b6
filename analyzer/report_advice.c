/* SPDX-License-Identifier: BSD-2-Clause */
/* report_advice.c - what to change, and what that is predicted to give. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report.h"

/* A factor as a change: "-3 %", "+80 %", "3.1 times". */
static void show_factor(double x, char *out, size_t size)
{
	double percent = 100 * (x - 1);

	if (fabs(percent) < 0.5)
		snprintf(out, size, "+0 %%"); /* never "-0 %" */
	else if (x < 2)
		snprintf(out, size, "%+.0f %%", percent);
	else
		snprintf(out, size, "%.1f times", x);
}

static void saved_between(const struct prediction *p, struct text *out)
{
	char low[40], high[40];

	names__duration(fabs(p->low_ns_per_s), low, sizeof(low));
	names__duration(p->high_ns_per_s, high, sizeof(high));
	if (isinf(p->high_ns_per_s))
		text__add(out, " (%s%s at least)", p->low_ns_per_s < 0 ? "-" : "", low);
	else if (p->low_ns_per_s < 0 || strcmp(low, high) != 0) /* else the range says nothing more */
		text__add(out, " (between %s%s and %s)", p->low_ns_per_s < 0 ? "-" : "", low, high);
}

/* Between what the work a second is predicted to lie, and why it is not one figure. */
static void work_between(const struct prediction *p, const char *indent, struct text *out)
{
	char low[40], high[40], *line;
	struct text why = {0};

	show_factor(p->low, low, sizeof(low));
	show_factor(p->high, high, sizeof(high));
	text__add(&why, "%s",
		  p->unsure ? "Whether this gains anything cannot be told from this trace: " : "");
	if (isinf(p->high))
		text__add(&why, "work a second: %s at least", low);
	else if (!strcmp(low, high))
		text__add(&why, "work a second: %s", low);
	else
		text__add(&why, "work a second: between %s and %s", low, high);
	for (unsigned d = 1, n = 0; d <= p->doubts; d <<= 1)
		if (p->doubts & d)
			text__add(&why, "%s%s", n++ ? "; " : ". Because ", advice__doubt(d));
	line = why.at;
	report__wrapped(out, indent, indent, line);
	text__free(&why);
}

/* What an advice is about: an object, a lock, or where a loop or a block begins. */
static void subject_of(const struct report *r, const struct advice *a, char *name, size_t size)
{
	struct source src;

	if (a->misplaced) {
		model__object_name(&r->model, a->misplaced->object, name, size);
	} else if (a->group != GROUP_NONE) {
		model__group_name(&r->model, a->group, name, size);
	} else if (a->lock) {
		snprintf(name, size, "lock");
	} else {
		names__site(r->symbols, &r->model, a->site, &src);
		if (src.line || src.function[0])
			names__place(&src, name, size);
		else
			snprintf(name, size, "%s", a->loop ? "loop" : "block");
	}
}

static void one_advice(const struct report *r, const struct advice *a, unsigned number, const struct style *s,
		       struct text *out)
{
	char name[192], saved[40], pages[40];
	const struct rates *p = &a->predicted.rates, *now = &r->advice.now;

	subject_of(r, a, name, sizeof(name));
	names__duration(a->predicted.ns_per_s, saved, sizeof(saved));
	text__add(out, "  %u. %s%s%s  %s", number, s->bold, name, s->off, advice__kind(a->kind));
	if (a->rule)
		text__add(out, "  [plan rule P%u]", a->rule);
	text__add(out, "\n     predicted: saves %s%s%s of node time each second", s->good, saved, s->off);
	saved_between(&a->predicted, out);
	if (a->kind <= ADVICE_PAD) {
		names__count(a->pages, pages, sizeof(pages));
		text__add(out, ", costs %s page%s of memory", pages, a->pages == 1 ? "" : "s");
	}
	if (r->totals.intervals)
		text__add(out, "; conflicts per interval %.3f -> %.3f\n", now->conflicts_per_interval,
			  p->conflicts_per_interval);
	else
		text__add(out, "; aborts per commit %.3f -> %.3f\n", now->aborts_per_commit,
			  p->aborts_per_commit);
	work_between(&a->predicted, "     ", out);
	report__wrapped(out, "     ", "     ", a->text);
	report__wrapped(out, "     because ", "     ", a->why);
}

/* Where nothing commits, there is no column for it. */
static void rates_line(const struct report *r, const char *what, const struct rates *x, struct text *out)
{
	char commits[40], work[40];

	names__count(x->commits_per_s, commits, sizeof(commits));
	names__count(x->work_per_s, work, sizeof(work));
	text__add(out, "    %-22s %18.3f ", what,
		  r->totals.intervals ? x->conflicts_per_interval : x->aborts_per_commit);
	if (!r->totals.intervals)
		text__add(out, "%12s ", commits);
	text__add(out, "%10.1f %% %12s\n", 100 * x->wasted_share, work);
}

/* What replaying cannot know: how often nodes meet on what they share once nothing else holds them up. */
static void best_case(const struct report *r, struct text *out)
{
	char name[128], text[400];

	for (size_t i = 0; i < r->tally.rows.n; i++) {
		const struct row *row = &r->tally.rows.at[r->rows[i]];

		if (row->key.verdict != VERDICT_TRUE)
			continue;
		names__object(&r->tally, row, name, sizeof(name));
		snprintf(text, sizeof(text),
			 "This is the best case: nodes that no longer hold each other up may meet more often "
			 "on %s, which they really share. Run it and compare.",
			 name);
		report__wrapped(out, "  ", "  ", text);
		return;
	}
}

void report__advice(const struct report *r, const struct report_options *o, const struct style *s,
		    struct text *out)
{
	unsigned rules = 0;

	text__add(
		out,
		"\n%sWhat to change%s  (first what is surest to help; predictions by replaying this trace)\n",
		s->bold, s->off);
	for (size_t i = 0; i < r->advice.all.n; i++)
		rules += r->advice.all.at[i].rule != 0;
	for (size_t i = 0; i < r->advice.all.n && i < o->top; i++)
		one_advice(r, &r->advice.all.at[i], (unsigned)i + 1, s, out);
	if (!r->advice.all.n && r->totals.measured)
		text__add(out, "  Nothing: no change of layout or %s would save 1 %% of the time lost.\n",
			  report__words(r)->unit);
	for (size_t i = 0; i < r->advice.nnotes; i++)
		report__wrapped(out, "  - ", "    ", r->advice.notes[i]);
	if (!rules)
		return;
	text__add(out, "\n  The plan (%u rule%s, %.0f more pages): dsmrun --plan=plan.json ...\n", rules,
		  rules == 1 ? "" : "s", r->advice.plan_pages);
	if (r->totals.intervals)
		text__add(out, "    %-22s %18s %12s %12s\n", "", "conflicts/interval", "waited", "work/s");
	else
		text__add(out, "    %-22s %18s %12s %12s %12s\n", "", "aborts/commit", "commits/s", "wasted",
			  "work/s");
	rates_line(r, "now", &r->advice.now, out);
	rates_line(r, "predicted with the plan", &r->advice.plan.rates, out);
	work_between(&r->advice.plan, "    ", out);
	best_case(r, out);
}
