/* SPDX-License-Identifier: BSD-2-Clause */
/* report_meetings.c - who met whom: both sides of each kind of conflict, with fields and lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

static void side(const struct report *r, const struct row *row, bool winner, struct text *out)
{
	const struct row_side *x = winner ? row__winner(row) : row__loser(row);
	const struct node_pair *pair = report__pair(row);
	const char *fields = tally__text(&r->tally, x->fields);
	static const char *const verbs[] = {"", "read", "wrote", "used"};
	const char *did = verbs[row__access(row, x) & 3];
	char code[336], line[64], other[128], what[256];
	struct source src = {0};

	/* What had a page in use may have done so in intervals before the one that is told. */
	names__access(r->symbols, &r->model, x->code, winner && r->totals.intervals ? 0 : x->site, code,
		      sizeof(code));
	other[0] = 0;
	if (x->group != GROUP_NONE && x->group != row->group)
		model__group_name(&r->model, x->group, other, sizeof(other));
	if (!strcmp(fields, "[]")) /* rows of dsm_new_rows() are values, side by side */
		fields = "values of its rows";
	snprintf(what, sizeof(what), "%s%s%s", other, other[0] ? ": " : "",
		 fields[0] ? fields : "(bytes not known)");
	text__add(out, "               node %-2u %-8s %-5s %-28s %s%s%s", winner ? pair->winner : pair->loser,
		  winner ? report__words(r)->won : report__words(r)->lost, did, what, code,
		  x->elsewhere ? ", seen in another " : "", x->elsewhere ? report__words(r)->unit : "");
	if (x->code.image && symbols__source(r->symbols, x->code, false, &src)) {
		names__line_text(&src, line, sizeof(line));
		if (line[0])
			text__add(out, "   | %s", line);
	}
	text__add(out, "\n");
}

/* Apportioned conflicts are parts of some. */
static void count_text(double n, char *out, size_t size)
{
	if (n > 0 && n < 0.5)
		snprintf(out, size, "less than 1");
	else
		names__count(n, out, size);
}

/* Rows that read alike (they differ in bytes that have no name of their own) are told as one. */
struct kind {
	struct text text;
	double ns, count;
};

struct kinds {
	struct kind *at;
	size_t n, cap;
};

#define LOOKED_AT 4 /* times as many rows as are shown: the costliest */

static void describe(const struct report *r, const struct row *row, struct text *out)
{
	char where[2][192];
	struct source tx;

	for (int k = 0; k < 2; k++) {
		names__site(r->symbols, &r->model, k ? row__loser(row)->site : row__winner(row)->site, &tx);
		names__place(&tx, where[k], sizeof(where[k]));
	}
	if (!strcmp(where[0], "?") && !strcmp(where[1], "?")) /* since a barrier, or the start */
		text__add(out, "\n");
	else if (!strcmp(where[0], where[1]))
		text__add(out, ", both in the %s at %s\n", report__words(r)->unit, where[0]);
	else
		text__add(out, "; %.*s: %s at %s, %.*s: at %s\n", (int)strlen(report__words(r)->won) - 1,
			  report__words(r)->won, report__words(r)->unit, where[0],
			  (int)strlen(report__words(r)->lost) - 1, report__words(r)->lost, where[1]);
	if (row->key.why)
		text__add(out, "               %s\n", why__text(row->key.why));
	side(r, row, true, out);
	side(r, row, false, out);
}

static void add_kind(const struct report *r, const struct row *row, struct kinds *kinds)
{
	struct kind *kind = NULL;
	struct text text = {0};

	describe(r, row, &text);
	for (size_t i = 0; i < kinds->n && !kind; i++)
		if (!strcmp(kinds->at[i].text.at, text.at))
			kind = &kinds->at[i];
	if (kind) {
		text__free(&text);
	} else {
		kind = VEC_ADD(kinds);
		*kind = (struct kind){.text = text};
	}
	kind->ns += row__ns(row);
	kind->count += row->seen + row->estimated;
}

static int by_cost(const void *a, const void *b)
{
	const struct kind *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? 1 : -1;
	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return strcmp(x->text.at, y->text.at);
}

/* The costliest `most`; returns how many are left, and adds up their time. */
static unsigned show_kinds(const struct report *r, struct kinds *kinds, unsigned most, double *rest,
			   struct text *out)
{
	char time[40], n[40];
	unsigned left = 0;

	if (kinds->n)
		qsort(kinds->at, kinds->n, sizeof(*kinds->at), by_cost);
	for (size_t i = 0; i < kinds->n; i++) {
		const struct kind *k = &kinds->at[i];

		if (i >= most) {
			left++;
			*rest += k->ns;
			continue;
		}
		names__duration(k->ns, time, sizeof(time));
		count_text(k->count, n, sizeof(n));
		text__add(out, "    %9s  %s %s%s%s", time, n, report__words(r)->conflict,
			  strcmp(n, "1") && n[0] != 'l' ? "s" : "", k->text.at);
	}
	return left;
}

/* Of one object (or none, or the table of roots) and class? */
static bool in_block(const struct row *row, uint32_t group, bool roots, enum verdict v)
{
	return row->group == group && row->key.verdict == v &&
	       (group != GROUP_NONE || row->key.roots == roots);
}

/* All its rows. */
static void one_block(const struct report *r, uint32_t group, bool roots, enum verdict v, unsigned most,
		      const struct style *s, struct text *out)
{
	double ns = 0, seen = 0, estimated = 0, rest = 0;
	char name[160], time[40], n[40], born[192] = "";
	const struct row *first = NULL;
	unsigned looked = 0, left = 0;
	struct kinds kinds = {0};
	struct source src;

	for (size_t i = 0; i < r->tally.rows.n; i++) {
		const struct row *row = &r->tally.rows.at[r->rows[i]];

		if (!in_block(row, group, roots, v))
			continue;
		first = first ? first : row;
		ns += row__ns(row);
		seen += row->seen;
		estimated += row->estimated;
	}
	if (!first)
		return;
	names__object(&r->tally, first, name, sizeof(name));
	names__duration(ns, time, sizeof(time));
	names__count(seen + estimated, n, sizeof(n));
	text__add(out, "\n  %s%s%s: %s%s%s, %s in %s %s%s", s->bold, name, s->off,
		  v == VERDICT_FALSE ? s->bad : "", verdict__name(v), s->off, time, n,
		  report__words(r)->conflict, strcmp(n, "1") ? "s" : "");
	if (estimated > 0)
		text__add(out, " (%.0f judged, %.0f apportioned)", seen, estimated);
	if (group != GROUP_NONE) {
		names__site(r->symbols, &r->model, r->model.groups.at[group].site, &src);
		names__place(&src, born, sizeof(born));
		text__add(out, ", allocated at %s", born);
	}
	text__add(out, "\n");
	for (size_t i = 0; i < r->tally.rows.n && v != VERDICT_UNTOUCHED; i++) {
		const struct row *row = &r->tally.rows.at[r->rows[i]];

		if (!in_block(row, group, roots, v))
			continue;
		if (looked++ < LOOKED_AT * most) {
			add_kind(r, row, &kinds);
		} else {
			left++;
			rest += row__ns(row);
		}
	}
	left += show_kinds(r, &kinds, most, &rest, out);
	for (size_t i = 0; i < kinds.n; i++)
		text__free(&kinds.at[i].text);
	VEC_FREE(&kinds);
	if (left) {
		names__duration(rest, time, sizeof(time));
		text__add(out, "    %9s  in %u more combination%s of fields and lines\n", time, left,
			  left == 1 ? "" : "s");
	}
}

void report__meetings(const struct report *r, const struct report_options *o, const struct style *s,
		      struct text *out)
{
	static const enum verdict order[] = {VERDICT_FALSE, VERDICT_TRUE, VERDICT_SILENT, VERDICT_UNKNOWN};
	unsigned most = o->top < 3 ? o->top : 3 + (o->top - 3) / 4;

	text__add(out, "\n%sWho met whom%s  (costliest first; %s; used: read and wrote)\n", s->bold, s->off,
		  report__words(r)->parties);
	for (size_t i = 0; i < r->ngroups && i < o->top; i++)
		for (size_t v = 0; v < sizeof(order) / sizeof(order[0]); v++)
			one_block(r, r->groups[i], false, order[v], most, s, out);
	for (int v = 0; v < VERDICTS; v++)
		for (int roots = 1; roots >= 0; roots--)
			one_block(r, GROUP_NONE, roots, (enum verdict)v, most, s, out);
	if (r->ngroups > o->top)
		text__add(out, "\n  ... and %zu objects more (--top shows more)\n", r->ngroups - o->top);
}
