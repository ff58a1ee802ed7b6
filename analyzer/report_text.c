/* SPDX-License-Identifier: BSD-2-Clause */
/* report_text.c - the report for people: what it costs, who, what to change; then the details and how sure
 * all this is. */
#include <stdio.h>
#include <string.h>

#include "report.h"

static const struct style plain = {"", "", "", "", ""};
static const struct style colored = {"\033[1m", "\033[31m", "\033[32m", "\033[2m", "\033[0m"};

static const char *const meaning[VERDICTS] = {
	"different bytes of one page: moving data apart ends it",
	"the same bytes: moving data cures nothing",
	"met only in bytes stored without a change of value",
	"could not be judged",
	"the loser held the page but did not access it: a cost of read tracking",
};

static const char *meaning_of(const struct report *r, enum verdict v)
{
	return v == VERDICT_UNTOUCHED && r->totals.intervals
		       ? "one side had the page but did not access it then: a cost of keeping copies"
		       : meaning[v];
}

void report__wrapped(struct text *out, const char *first, const char *indent, const char *text)
{
	size_t len;

	/* "20 %" is one word. */
	for (; *text; text += len, first = indent) {
		size_t width = 100 - strlen(first);

		while (*text == ' ')
			text++;
		len = strlen(text);
		if (len > width) {
			for (len = width; len > 0 && (text[len] != ' ' || text[len + 1] == '%'); len--)
				;
			len = len ? len : width;
		}
		text__add(out, "%s%.*s\n", first, (int)len, text);
	}
}

const struct report_words *report__words(const struct report *r)
{
	return names__words(r->totals.consistency, r->model.intervals, r->model.kept);
}

static double percent(double part, double whole)
{
	return whole > 0 ? 100 * part / whole : 0;
}

static const char *kind_of_time(const struct report *r)
{
	return r->totals.intervals ? "waiting" : r->model.intervals || r->model.kept ? "lost" : "wasted";
}

static void head(const struct report *r, const struct report_options *o, const struct style *s,
		 struct text *out)
{
	const struct run *run = &r->model.runs.at[0];
	struct rates now;
	char a[40], b[40];

	advice__rates(&r->totals, &now);
	text__add(out, "%s%s%s", s->bold, run->program[0] ? run->program : "(unknown program)", s->off);
	text__add(out, " on %u node%s, ", r->totals.nodes, r->totals.nodes == 1 ? "" : "s");
	if (r->totals.intervals)
		text__add(out, "consistency %s, ", names__consistency(r->totals.consistency));
	if (r->model.runs.n > 1)
		text__add(out, "%zu runs, ", r->model.runs.n);
	text__add(out, "%.2f s recorded (", r->totals.recorded);
	for (size_t i = 0; i < o->ntraces; i++)
		text__add(out, "%s%s", i ? ", " : "", o->traces[i]);
	text__add(out, ")\n\n");
	if (!r->totals.measured) {
		text__add(out, "  too short to judge rates: the nodes' counters span too little of it\n");
		return;
	}
	if (r->totals.intervals) {
		names__count((double)r->totals.sum.intervals / r->totals.seconds, a, sizeof(a));
		text__add(out,
			  "  %s intervals/s, %.3f conflicts per interval, %s%.1f %%%s of the time waited for "
			  "copies, "
			  "locks and flushes",
			  a, now.conflicts_per_interval, now.wasted_share > 0.1 ? s->bad : "",
			  100 * now.wasted_share, s->off);
	} else {
		names__count(now.commits_per_s, a, sizeof(a));
		text__add(out,
			  "  %s commits/s, %.3f aborts per commit, %s%.1f %%%s of the time in transactions "
			  "wasted",
			  a, now.aborts_per_commit, now.wasted_share > 0.1 ? s->bad : "",
			  100 * now.wasted_share, s->off);
	}
	if (r->totals.sum.work) {
		names__count(now.work_per_s, b, sizeof(b));
		text__add(out, ", %s units of work/s", b);
	}
	text__add(out, "\n");
}

/* Time that no conflict explains. */
static void plain_wait(const struct ledger *b, const char *what, double ns, const char *why,
		       const struct style *s, struct text *out)
{
	char time[40];

	if (ns <= 0)
		return;
	names__duration(ns, time, sizeof(time));
	text__add(out, "  %-9s %9s %5.1f %%  %16s  %s%s%s\n", what, time, percent(ns, b->measured), "",
		  s->dim, why, s->off);
}

static void by_class(const struct report *r, const struct style *s, struct text *out)
{
	const struct ledger *b = &r->tally.ledger;
	static const enum verdict order[] = {VERDICT_FALSE, VERDICT_TRUE, VERDICT_SILENT, VERDICT_UNTOUCHED,
					     VERDICT_UNKNOWN};
	double count[VERDICTS] = {0};
	char time[40], n[40];

	for (size_t i = 0; i < r->tally.rows.n; i++)
		count[r->tally.rows.at[i].key.verdict] +=
			r->tally.rows.at[i].seen + r->tally.rows.at[i].estimated;
	text__add(out, "\n%sWhere the %s time went%s\n", s->bold, kind_of_time(r), s->off);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		enum verdict v = order[i];
		double ns = b->verdict[v] + b->estimated[v];

		if (ns <= 0)
			continue;
		names__duration(ns, time, sizeof(time));
		names__count(count[v], n, sizeof(n));
		text__add(out, "  %s%-9s%s %9s %5.1f %%  %9s %s%s %s%s%s\n", v == VERDICT_FALSE ? s->bad : "",
			  verdict__name(v), s->off, time, percent(ns, b->measured), n,
			  report__words(r)->conflict, strcmp(n, "1") ? "s " : "  ", s->dim, meaning_of(r, v),
			  s->off);
	}
	plain_wait(b, "rebases", b->rebases, "commits that others were in the way of, it is not known where",
		   s, out);
	plain_wait(b, "copies", b->copies, "fetches of pages that nobody had in use", s, out);
	plain_wait(b, "locks", b->locks, "for locks that came from another node", s, out);
	plain_wait(b, "flushes", b->flushes, "until others had changes to pages that nobody had in use", s,
		   out);
	if (b->other > 0) {
		names__duration(b->other, time, sizeof(time));
		text__add(out,
			  "  %-9s %9s %5.1f %%  %16s  %saborts that no sharing caused (cancel, lock, node "
			  "loss)%s\n",
			  "other", time, percent(b->other, b->measured), "", s->dim, s->off);
	}
	if (b->lost > 0) {
		names__duration(b->lost, time, sizeof(time));
		text__add(out, "  %-9s %9s %5.1f %%  %16s  %s%s without a record%s\n", "lost", time,
			  percent(b->lost, b->measured), "", s->dim, report__words(r)->conflicts, s->off);
	}
}

/* A class that no conflict of its own evidence has. */
static const char *apportioned(enum verdict v)
{
	return v == VERDICT_UNTOUCHED ? "" : ", apportioned";
}

static void one_object(const struct report *r, uint32_t group, const struct style *s, struct text *out)
{
	const struct group_sum *g = &r->tally.groups[group];
	double judged = g->seen[VERDICT_FALSE] + g->seen[VERDICT_TRUE] + g->seen[VERDICT_SILENT];
	enum verdict top = VERDICT_FALSE;
	char name[128], shape[160], time[40], n[40], share[40] = "", conflicts[40];
	double total = 0, all = 0, low, high;

	for (int v = 0; v < VERDICTS; v++) {
		double n = g->seen[v] + g->estimated[v], most = g->seen[top] + g->estimated[top];

		total += g->ns[v];
		all += n;
		if (g->ns[v] > g->ns[top] || (g->ns[v] == g->ns[top] && n > most))
			top = (enum verdict)v;
	}
	model__group_name(&r->model, group, name, sizeof(name));
	model__group_shape(&r->model, group, shape, sizeof(shape));
	names__duration(total, time, sizeof(time));
	names__count(judged, n, sizeof(n));
	if (strcmp(name, shape) != 0)
		text__add(out, "  %-16s %-24s", name, shape);
	else
		text__add(out, "  %-41s", name);
	text__add(out, " %9s %5.1f %%  ", time, percent(total, r->tally.ledger.measured));
	if (r->model.intervals || r->model.kept) { /* many of them cost nothing */
		names__count(all, conflicts, sizeof(conflicts));
		text__add(out, "%9s %s%s ", conflicts, report__words(r)->conflict,
			  strcmp(conflicts, "1") ? "s," : ", ");
	}
	if (top == VERDICT_UNKNOWN || judged <= 0) {
		text__add(out, "%s%s\n", top == VERDICT_UNKNOWN ? "not judged" : verdict__name(top),
			  top == VERDICT_UNKNOWN ? "" : apportioned(top));
		return;
	}
	verdict__interval(g->seen[top], judged, &low, &high);
	/* What was judged is mostly something else, and less: some verdicts need more evidence than others. */
	if (g->seen[top] <= 0 || (g->seen[top] < judged / 2 && g->estimated[top] > g->seen[top])) {
		names__count(judged - g->seen[top], n, sizeof(n));
		text__add(out, "%s%s; %s judged otherwise\n", verdict__name(top), apportioned(top), n);
		return;
	}
	snprintf(share, sizeof(share), " (%.0f-%.0f %%)", 100 * low, 100 * high);
	text__add(out, "%s%s%s in %.0f %%%s of %s judged\n", top == VERDICT_FALSE ? s->bad : "",
		  verdict__name(top), s->off, 100 * g->seen[top] / judged, share, n);
}

static void objects(const struct report *r, const struct report_options *o, const struct style *s,
		    struct text *out)
{
	text__add(out,
		  "\n%sOn which objects%s  (share of the %s time; class with 95 %% confidence interval)\n",
		  s->bold, s->off, kind_of_time(r));
	for (size_t i = 0; i < r->ngroups && i < o->top; i++)
		one_object(r, r->groups[i], s, out);
	if (r->ngroups > o->top)
		text__add(out, "  ... and %zu objects with less (--top shows more)\n", r->ngroups - o->top);
	if (!r->ngroups)
		text__add(out, "  (no object could be named)\n");
}

/* Nobody met anybody; loops and waits may be worth a word all the same. */
static void nothing_met(const struct report *r, const struct report_options *o, const struct style *s,
			struct text *out)
{
	if (r->totals.intervals)
		text__add(out, "\nNo interval had a page in use that another wanted.\n");
	else if (r->tally.ledger.measured > 0)
		text__add(out,
			  "\nTransactions aborted, but the trace holds no record of any abort: nothing can "
			  "be said about causes.\n");
	else
		text__add(out, "\n%s\n",
			  r->advice.all.n ? "No transaction aborted."
					  : "Nothing to report: no transaction aborted.");
	if (!r->tally.waits.misplaced.n && !r->totals.intervals && !r->advice.all.n)
		return;
	if (r->tally.ledger.measured > 0)
		by_class(r, s, out);
	report__waits(r, o, s, out);
	report__advice(r, o, s, out);
}

void report__text(struct report *r, const struct report_options *o, struct text *out)
{
	const struct style *s = o->color ? &colored : &plain;

	head(r, o, s, out);
	report__warnings(r, s, out);
	if (!r->tally.rows.n && !r->tally.ledger.other) {
		nothing_met(r, o, s, out);
		report__homes(r, o, s, out);
		report__sureness(r, s, out);
		return;
	}
	by_class(r, s, out);
	objects(r, o, s, out);
	report__waits(r, o, s, out);
	report__advice(r, o, s, out);
	report__meetings(r, o, s, out);
	report__homes(r, o, s, out);
	report__sureness(r, s, out);
}
