/* SPDX-License-Identifier: BSD-2-Clause */
#include "viewer/view_rows.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "collector/shown.h"
#include "viewer/text.h"

enum what { /* a column shows */
	    P_WASTED,
	    P_ABORTS,
	    P_WAITED,
	    P_FETCHES,
	    P_TRANSFERS,
	    P_INVALIDATIONS,
	    P_UPDATES,
	    P_NODES,
	    P_PAGE,
	    N_NODE,
	    N_COMMITS,
	    N_ABORTS,
	    N_WASTED,
	    N_INTERVALS,
	    N_CONFLICTS,
	    N_LOST,
	    N_WORK,
	    N_FETCHES,
	    N_TRANSFERS,
	    N_LOCKS,
	    N_FLUSHES,
	    N_BYTES,
	    N_PID,
	    N_HOST,
};

struct column {
	const char *heading; /* NULL: the list ends */
	enum what what;
	int width;     /* without the blank after it */
	int min_width; /* of the screen, for the column to be there */
	int key;       /* enum page_key or node_key; -1: none */
};

/* Of runs whose transactions abort, and of those whose intervals wait. */
static const struct column page_columns[2][10] = {
	{
		{"WASTED", P_WASTED, 7, 0, PAGE_WASTED},
		{"ABORT/s", P_ABORTS, 7, 36, PAGE_ABORTS},
		{"FETCH/s", P_FETCHES, 7, 56, PAGE_FETCHES},
		{"TRANSF", P_TRANSFERS, 6, 110, PAGE_TRANSFERS},
		{"INVAL", P_INVALIDATIONS, 6, 110, PAGE_INVALIDATIONS},
		{"UPDATE", P_UPDATES, 6, 110, PAGE_UPDATES},
		{"NODES", P_NODES, 8, 66, -1},
		{"PAGE", P_PAGE, 10, 76, PAGE_ADDRESS},
		{0},
	},
	{
		{"WAITED", P_WAITED, 7, 0, PAGE_WASTED},
		{"CONFL/s", P_ABORTS, 7, 36, PAGE_ABORTS},
		{"FETCH/s", P_FETCHES, 7, 56, PAGE_FETCHES},
		{"TRANSF", P_TRANSFERS, 6, 110, PAGE_TRANSFERS},
		{"INVAL", P_INVALIDATIONS, 6, 86, PAGE_INVALIDATIONS},
		{"UPDATE", P_UPDATES, 6, 86, PAGE_UPDATES},
		{"NODES", P_NODES, 8, 66, -1},
		{"PAGE", P_PAGE, 10, 76, PAGE_ADDRESS},
		{0},
	},
};

static const struct column node_columns[2][12] = {
	{
		{"NODE", N_NODE, 4, 0, NODE_NUMBER},
		{"COMMIT/s", N_COMMITS, 8, 30, NODE_COMMITS},
		{"ABORT/s", N_ABORTS, 7, 38, NODE_ABORTS},
		{"WASTED", N_WASTED, 6, 50, NODE_WASTED},
		{"WORK/s", N_WORK, 6, 70, NODE_WORK},
		{"FETCH/s", N_FETCHES, 7, 90, NODE_FETCHES},
		{"IN/s", N_BYTES, 6, 100, -1},
		{"PID", N_PID, 7, 110, -1},
		{"HOST", N_HOST, 12, 130, -1},
		{0},
	},
	{
		{"NODE", N_NODE, 4, 0, NODE_NUMBER},
		{"INTERV/s", N_INTERVALS, 8, 30, NODE_COMMITS},
		{"CONFL/s", N_CONFLICTS, 7, 38, NODE_ABORTS},
		{"LOST", N_LOST, 6, 50, NODE_WASTED},
		{"WORK/s", N_WORK, 6, 70, NODE_WORK},
		{"TRANSF/s", N_TRANSFERS, 8, 76, NODE_FETCHES},
		{"LOCK/s", N_LOCKS, 6, 90, -1},
		{"FLUSH/s", N_FLUSHES, 7, 100, -1},
		{"IN/s", N_BYTES, 6, 110, -1},
		{"PID", N_PID, 7, 120, -1},
		{"HOST", N_HOST, 12, 140, -1},
		{0},
	},
};

static int heading(struct canvas *c, const struct column *col, int y, int key)
{
	int x = 0;

	for (; col->heading; col++) {
		if (c->width < col->min_width)
			continue;
		canvas__right(c, x + col->width, y,
			      col->key >= 0 && col->key == key ? STYLE_SORTED : STYLE_HEADING, col->heading);
		x += col->width + 1;
	}
	return x;
}

static int put(struct canvas *c, const struct column *col, int x, int y, enum style style, const char *text)
{
	if (c->width < col->min_width)
		return x;
	if ((int)strlen(text) > col->width) /* figures never are; lists of nodes can be */
		canvas__text(c, x, y, x + col->width, style, text);
	else
		canvas__right(c, x + col->width, y, style, text);
	return x + col->width + 1;
}

/* The pane that has the keyboard is marked in its heading, not only by a colour. */
static void mark(struct canvas *c, int x, int y, bool active, const char *name)
{
	canvas__text(c, x, y, 0, STYLE_HEADING, name);
	canvas__style_row(c, y, active ? STYLE_HEADING : STYLE_DIM, true);
}

void view_rows__page_heading(struct canvas *c, const struct model *m, int y, bool active)
{
	int x = heading(c, page_columns[m->shown.intervals], y, (int)m->page_key);

	mark(c, x, y, active, active ? "*OBJECT" : " OBJECT");
	if (m->page_key == PAGE_OBJECT)
		canvas__text(c, x + 1, y, 0, STYLE_SORTED, "OBJECT");
}

static enum style page_text(const struct model_page *p, enum what what, char *t, size_t size)
{
	switch (what) {
	case P_WASTED:
		text__nanos(t, size, (double)p->wasted_ns);
		return p->wasted_ns ? STYLE_WASTE : STYLE_PLAIN;
	case P_WAITED:
		text__nanos(t, size, (double)p->fetch_ns);
		return p->fetch_ns ? STYLE_WASTE : STYLE_PLAIN;
	case P_ABORTS:
		text__count(t, size, p->aborts_per_s);
		return STYLE_PLAIN;
	case P_FETCHES:
		text__count(t, size, p->fetches_per_s);
		return STYLE_PLAIN;
	case P_TRANSFERS:
		text__count(t, size, (double)p->transfers);
		return STYLE_PLAIN;
	case P_INVALIDATIONS:
		text__count(t, size, (double)p->invalidations);
		return STYLE_PLAIN;
	case P_UPDATES:
		text__count(t, size, (double)p->updates);
		return STYLE_PLAIN;
	case P_NODES:
		snprintf(t, size, "%s", p->nodes);
		return STYLE_PLAIN;
	default:
		snprintf(t, size, "0x%llx", (unsigned long long)p->offset);
		return STYLE_DIM;
	}
}

void view_rows__page(struct canvas *c, const struct model *m, const struct model_page *p, int y)
{
	char t[300];
	int x = 0;

	for (const struct column *col = page_columns[m->shown.intervals]; col->heading; col++) {
		enum style style = page_text(p, col->what, t, sizeof(t));

		x = put(c, col, x, y, style, t);
	}
	model_page__describe(p, t, sizeof(t));
	canvas__text(c, x + 1, y, 0, p->named ? STYLE_OBJECT : STYLE_DIM, t);
}

/* ---- the selected page ---- */

/* A line of parts, the least important of which are left out whole where they do not all fit. */
#define PARTS 6

struct part {
	int weight; /* the least goes first; 0: stays */
	enum style style;
	char text[300];
};

static int columns(const char *text)
{
	int n = 0;
	uint32_t ch;

	for (; *text; n++) {
		size_t bytes = shown__decode(text, &ch);

		text += bytes ? bytes : 1;
	}
	return n;
}

__attribute__((format(printf, 4, 5))) static void part(struct part *p, int weight, enum style style,
						       const char *fmt, ...)
{
	va_list ap;

	p->weight = weight;
	p->style = style;
	va_start(ap, fmt);
	vsnprintf(p->text, sizeof(p->text), fmt, ap);
	va_end(ap);
}

/* Until the line is `width` long, or only what stays is left. Returns its length. */
static int drop_parts(struct part *p, int n, int width)
{
	for (;;) {
		int sum = 0, least = -1;

		for (int i = 0; i < n; i++) {
			sum += columns(p[i].text);
			if (p[i].weight && p[i].text[0] && (least < 0 || p[i].weight < p[least].weight))
				least = i;
		}
		if (sum <= width || least < 0)
			return sum;
		p[least].text[0] = 0;
	}
}

/* What it cost: where nothing is undone, the waits for it. */
static void cost_parts(struct part p[2], const struct model *m, const struct model_page *page)
{
	unsigned long long aborts = page->aborts, fetches = page->fetches, updates = page->updates;
	char t[32];

	if (m->shown.intervals) {
		text__nanos(t, sizeof(t), (double)page->fetch_ns);
		part(&p[0], 5, STYLE_DIM, "; %llu conflicts, %s waited in %llu fetches", aborts, t, fetches);
		part(&p[1], 3, STYLE_DIM, ", %llu updates, %llu invalidations", updates,
		     (unsigned long long)page->invalidations);
	} else {
		text__nanos(t, sizeof(t), (double)page->wasted_ns);
		part(&p[0], 5, STYLE_DIM, "; %llu aborts, %s wasted", aborts, t);
		part(&p[1], 3, STYLE_DIM, ", %llu fetches, %llu invalidations", fetches,
		     (unsigned long long)page->invalidations);
	}
}

void view_rows__detail(struct canvas *c, const struct model *m, const struct model_page *p, int y)
{
	char t[300], size[32], text[300];
	struct part line[PARTS] = {0};
	int x, left;

	model_page__describe(p, t, sizeof(t));
	text__bytes(size, sizeof(size), ldexp(1, (int)p->log2));
	snprintf(text, sizeof(text), "page 0x%llx", (unsigned long long)p->offset);
	part(&line[0], 1, STYLE_DIM, " (%s)", size);
	part(&line[1], 0, STYLE_OBJECT, " %s", t);
	part(&line[2], 4, STYLE_DIM, "; nodes %s", p->nodes[0] ? p->nodes : "-");
	cost_parts(&line[3], m, p);
	if (p->home_moves)
		part(&line[5], 2, STYLE_DIM, "; home: node %u, %llu move%s", p->home,
		     (unsigned long long)p->home_moves, p->home_moves == 1 ? "" : "s");
	left = c->width - columns(text);
	left -= drop_parts(line, PARTS, left);
	x = canvas__text(c, 0, y, 0, STYLE_DIM, text);
	for (int i = 0; i < PARTS; i++)
		x = canvas__text(c, x, y, 0, line[i].style, line[i].text);
	if (left < 0) /* a long name goes to the edge, and shows that it goes on */
		canvas__text(c, c->width - 3, y, 0, STYLE_DIM, "...");
}

void view_rows__node_heading(struct canvas *c, const struct model *m, int y, bool active)
{
	int x = heading(c, node_columns[m->shown.intervals], y, (int)m->node_key);

	mark(c, x, y, active, active ? "*TIME" : " TIME");
}

/* # committed, x wasted, - waiting at barriers; where nothing is undone f, l and w, waits for fetches, locks and
 * flushes, stand in place of the first two: readable without colours too. */
static void bar(struct canvas *c, const struct model *m, const struct model_node *n, int x, int y)
{
	const struct {
		double share;
		char ascii;
		enum style style;
	} part[2][4] = {
		{{n->committed, '#', STYLE_GOOD},
		 {n->wasted, 'x', STYLE_WASTE},
		 {n->barrier, '-', STYLE_WAIT}},
		{{n->fetching, 'f', STYLE_WASTE},
		 {n->locking, 'l', STYLE_WASTE},
		 {n->flushing, 'w', STYLE_WASTE},
		 {n->barrier, '-', STYLE_WAIT}},
	};
	int width = c->width - x - 2, at = 0;
	double sum = 0;

	if (width < 4)
		return;
	canvas__cell(c, x, y, STYLE_BOLD, '[');
	canvas__cell(c, x + width + 1, y, STYLE_BOLD, ']');
	if (n->ended) {
		canvas__text(c, x + 1, y, x + width + 1, STYLE_DIM, "ended");
		return;
	}
	for (int i = 0; i < 4; i++) {
		double share = part[m->shown.intervals][i].share;

		sum += isnan(share) ? 0 : share;
		/* rounding the sums, not the parts, keeps the whole bar right */
		for (int end = (int)(sum * width + 0.5); at < end && at < width; at++)
			canvas__cell(c, x + 1 + at, y, part[m->shown.intervals][i].style,
				     (uint32_t)part[m->shown.intervals][i].ascii);
	}
}

/* Columns that are one rate. */
static double node_rate(const struct model_node *n, enum what what)
{
	switch (what) {
	case N_COMMITS:
		return n->rate.commits;
	case N_ABORTS:
		return n->rate.aborts;
	case N_INTERVALS:
		return n->rate.intervals;
	case N_CONFLICTS:
		return n->rate.conflicts;
	case N_WORK:
		return n->rate.work;
	case N_FETCHES:
		return n->rate.fetches;
	case N_TRANSFERS:
		return n->rate.transfers;
	case N_LOCKS:
		return n->rate.lock_waits;
	default:
		return n->rate.flushes;
	}
}

static enum style node_text(const struct model_node *n, enum what what, char *t, size_t size)
{
	double share = what == N_LOST ? n->lost : n->wasted;

	switch (what) {
	case N_NODE:
		snprintf(t, size, "%u", n->node);
		return STYLE_BOLD;
	case N_WASTED:
	case N_LOST:
		text__share(t, size, share);
		return share > 0.1 ? STYLE_WASTE : STYLE_PLAIN;
	case N_BYTES:
		text__bytes(t, size, n->rate.bytes_in);
		return STYLE_PLAIN;
	case N_PID:
		snprintf(t, size, "%ld", n->pid);
		return STYLE_DIM;
	case N_HOST:
		snprintf(t, size, "%s", n->host);
		return STYLE_DIM;
	default:
		text__count(t, size, node_rate(n, what));
		return STYLE_PLAIN;
	}
}

void view_rows__node(struct canvas *c, const struct model *m, const struct model_node *n, int y)
{
	char t[80];
	int x = 0;

	for (const struct column *col = node_columns[m->shown.intervals]; col->heading; col++) {
		enum style style = node_text(n, col->what, t, sizeof(t));

		x = put(c, col, x, y, style, t);
	}
	bar(c, m, n, x, y);
}
