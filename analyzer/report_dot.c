/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * report_dot.c - who meets whom, as a graph: nodes of the cluster around the objects that they met on. Where
 * transactions ran, the left side won and the right side aborted; where intervals of sc or rc ran, the left side had the
 * page in use, and the right side wanted it (sc) or changed it (rc), and waited. Graph
 * programs take time that explodes with dense graphs, so only the costliest edges are drawn and the legend
 * says what was left out. All names come from traces: identifiers are numbers and labels are escaped.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

struct edge {
	uint32_t group; /* GROUP_NONE: no object */
	uint16_t node;
	bool winner;
	enum verdict verdict;
	double ns;
};

struct edges {
	struct edge *at;
	size_t n, cap;
};

struct words {
	const char *left, *right, *legend, *cost;
};

static const struct words *words(const struct report *r)
{
	static const struct words transactions = {
		"won", "aborted",
		"left: nodes whose commits won; right: nodes whose transactions aborted for it", "wasted"};
	static const struct words sequential = {
		"had it", "waited",
		"left: nodes whose intervals had a page in use; right: nodes whose intervals waited for it",
		"waited"};
	static const struct words release = {"used it", "changed it",
					     "left: nodes whose intervals used a page; right: nodes whose "
					     "intervals changed it, and waited to "
					     "tell them",
					     "waited"};
	static const struct words either = {"had it", "waited",
					    "left: nodes whose intervals had a page in use; right: nodes "
					    "whose intervals wanted or changed it",
					    "waited"};

	static const struct words going_on = {"first", "on top",
					      "left: nodes whose commits came first; right: nodes whose "
					      "transactions aborted for it, or put their changes on top",
					      "lost"};

	if (!r->model.intervals)
		return r->model.kept ? &going_on : &transactions;
	return r->totals.consistency == DSM_EV_SC   ? &sequential
	       : r->totals.consistency == DSM_EV_RC ? &release
						    : &either;
}

/* Escapes for a double-quoted DOT string; \G and \N would expand, so every backslash is doubled. */
static void escaped(struct text *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			text__add(out, "\\%c", *text);
		else if (*text == '\n')
			text__add(out, "\\n");
		else if ((unsigned char)*text < ' ' || *text == 0x7f)
			text__add(out, " ");
		else
			text__add(out, "%c", *text);
	}
}

static void add_edge(struct edges *e, uint32_t group, uint16_t node, bool winner, enum verdict v, double ns)
{
	for (size_t i = 0; i < e->n; i++) {
		struct edge *x = &e->at[i];

		if (x->group == group && x->node == node && x->winner == winner && x->verdict == v) {
			x->ns += ns;
			return;
		}
	}
	*VEC_ADD(e) = (struct edge){group, node, winner, v, ns};
}

static int by_cost(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? 1 : -1;
	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	return (int)x->winner - (int)y->winner;
}

static void collect(const struct report *r, struct edges *e)
{
	size_t rows = r->tally.rows.n < 2000 ? r->tally.rows.n : 2000;

	for (size_t i = 0; i < rows; i++) {
		const struct row *row = &r->tally.rows.at[r->rows[i]];
		double pairs = 0;

		for (unsigned p = 0; p < row->npairs; p++)
			pairs += row->pair[p].ns;
		for (unsigned p = 0; p < row->npairs; p++) {
			double ns = pairs > 0 ? row__ns(row) * row->pair[p].ns / pairs : 0;

			add_edge(e, row->group, row->pair[p].winner, true, row->key.verdict, ns);
			add_edge(e, row->group, row->pair[p].loser, false, row->key.verdict, ns);
		}
	}
	if (e->n)
		qsort(e->at, e->n, sizeof(*e->at), by_cost);
}

static const char *const color[VERDICTS] = {"#c62828", "#1565c0", "#6a1b9a", "#757575", "#9e9e9e"};

static void object_box(const struct report *r, uint32_t group, struct text *out)
{
	char name[128], shape[160], born[192], time[40];
	double ns = 0;
	struct source src;

	if (group == GROUP_NONE) {
		text__add(out, "  o0 [shape=box, style=\"rounded,dashed\", label=\"no object\"];\n");
		return;
	}
	for (int v = 0; v < VERDICTS; v++)
		ns += r->tally.groups[group].ns[v];
	model__group_name(&r->model, group, name, sizeof(name));
	model__group_shape(&r->model, group, shape, sizeof(shape));
	names__site(r->symbols, &r->model, r->model.groups.at[group].site, &src);
	names__place(&src, born, sizeof(born));
	names__duration(ns, time, sizeof(time));
	text__add(out, "  o%u [shape=box, style=rounded, label=\"", group + 1);
	escaped(out, name);
	if (strcmp(name, shape) != 0) {
		text__add(out, "\\n");
		escaped(out, shape);
	}
	text__add(out, "\\n");
	escaped(out, born);
	text__add(out, "\\n%s %s\"];\n", time, words(r)->cost);
}

static void draw_edge(const struct edge *e, double most, struct text *out)
{
	double width = most > 0 ? 0.6 + 5.4 * e->ns / most : 1;
	unsigned object = e->group == GROUP_NONE ? 0 : e->group + 1;
	char time[40];

	names__duration(e->ns, time, sizeof(time));
	if (e->winner)
		text__add(out, "  w%u -> o%u", e->node, object);
	else
		text__add(out, "  o%u -> l%u", object, e->node);
	text__add(out, " [color=\"%s\", fontcolor=\"%s\", penwidth=%.2f, label=\"%s%s\"];\n",
		  color[e->verdict], color[e->verdict], width, time,
		  e->verdict == VERDICT_FALSE || e->verdict == VERDICT_TRUE ? "" : " ?");
}

/* A node stands on both sides: once for what it won, once for what it lost. */
static void draw_node(const struct report *r, const struct edge *e, struct text *out)
{
	text__add(out,
		  "  %c%u [shape=ellipse, style=filled, fillcolor=\"#eeeeee\", label=\"node %u\\n%s\"];\n",
		  e->winner ? 'w' : 'l', e->node, e->node, e->winner ? words(r)->left : words(r)->right);
}

void report__dot(struct report *r, const struct report_options *o, struct text *out)
{
	struct edges e = {0};
	size_t shown, most = (size_t)o->top * 4;
	double cut = 0, all = 0;
	char time[40];

	collect(r, &e);
	shown = e.n < most ? e.n : most;
	for (size_t i = 0; i < e.n; i++) {
		all += e.at[i].ns;
		cut += i >= shown ? e.at[i].ns : 0;
	}
	text__add(out, "digraph procope {\n  rankdir=LR;\n  node [fontname=\"sans-serif\", fontsize=11];\n"
		       "  edge [fontname=\"sans-serif\", fontsize=9];\n  labelloc=t;\n  label=\"");
	escaped(out,
		r->model.runs.n && r->model.runs.at[0].program[0] ? r->model.runs.at[0].program : "program");
	text__add(out,
		  ": who met whom, and on what\\n"
		  "%s\\n"
		  "red: false sharing, blue: true, violet: silent, grey: unknown or untouched; "
		  "width: time %s",
		  words(r)->legend, words(r)->cost);
	if (shown < e.n) {
		names__duration(cut, time, sizeof(time));
		text__add(out, "\\nleft out: %zu of %zu arrows, %.1f %% of the time %s", e.n - shown, e.n,
			  all > 0 ? 100 * cut / all : 0, words(r)->cost);
	}
	text__add(out, "\";\n");
	for (size_t i = 0; i < shown; i++) {
		bool object = true, node = true;

		for (size_t k = 0; k < i; k++) {
			object = object && e.at[k].group != e.at[i].group;
			node = node && (e.at[k].node != e.at[i].node || e.at[k].winner != e.at[i].winner);
		}
		if (object)
			object_box(r, e.at[i].group, out);
		if (node)
			draw_node(r, &e.at[i], out);
	}
	for (size_t i = 0; i < shown; i++)
		draw_edge(&e.at[i], e.at[0].ns, out);
	if (!e.n)
		text__add(out, "  empty [shape=plaintext, label=\"no conflicts\"];\n");
	text__add(out, "}\n");
	VEC_FREE(&e);
}
