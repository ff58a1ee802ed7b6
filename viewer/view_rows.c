/* SPDX-License-Identifier: BSD-2-Clause */
#include "viewer/view_rows.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "viewer/text.h"

struct column {
	const char *heading;
	int width;     /* without the blank after it */
	int min_width; /* of the screen, for the column to be there */
	int key;       /* enum page_key or node_key; -1: none */
};

enum { P_WASTED, P_ABORTS, P_FETCHES, P_TRANSFERS, P_INVALIDATIONS, P_UPDATES, P_NODES, P_PAGE, P_COLUMNS };
static const struct column page_column[P_COLUMNS] = {
	[P_WASTED] = {"WASTED", 7, 0, PAGE_WASTED},
	[P_ABORTS] = {"ABORT/s", 7, 36, PAGE_ABORTS},
	[P_FETCHES] = {"FETCH/s", 7, 56, PAGE_FETCHES},
	[P_TRANSFERS] = {"TRANSF", 6, 110, PAGE_TRANSFERS},
	[P_INVALIDATIONS] = {"INVAL", 6, 110, PAGE_INVALIDATIONS},
	[P_UPDATES] = {"UPDATE", 6, 110, PAGE_UPDATES},
	[P_NODES] = {"NODES", 8, 66, -1},
	[P_PAGE] = {"PAGE", 10, 76, PAGE_ADDRESS},
};

enum { N_NODE, N_COMMITS, N_ABORTS, N_WASTED, N_WORK, N_FETCHES, N_BYTES, N_PID, N_HOST, N_COLUMNS };
static const struct column node_column[N_COLUMNS] = {
	[N_NODE] = {"NODE", 4, 0, NODE_NUMBER},
	[N_COMMITS] = {"COMMIT/s", 8, 30, NODE_COMMITS},
	[N_ABORTS] = {"ABORT/s", 7, 38, NODE_ABORTS},
	[N_WASTED] = {"WASTED", 6, 50, NODE_WASTED},
	[N_WORK] = {"WORK/s", 6, 70, NODE_WORK},
	[N_FETCHES] = {"FETCH/s", 7, 90, NODE_FETCHES},
	[N_BYTES] = {"IN/s", 6, 100, -1},
	[N_PID] = {"PID", 7, 110, -1},
	[N_HOST] = {"HOST", 12, 130, -1},
};

static int heading(struct canvas *c, const struct column *col, int n, int y, int key)
{
	int x = 0;

	for (int i = 0; i < n; i++) {
		if (c->width < col[i].min_width)
			continue;
		canvas__right(c, x + col[i].width, y,
			      col[i].key >= 0 && col[i].key == key ? STYLE_SORTED : STYLE_HEADING,
			      col[i].heading);
		x += col[i].width + 1;
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
	int x = heading(c, page_column, P_COLUMNS, y, (int)m->page_key);

	mark(c, x, y, active, active ? "*OBJECT" : " OBJECT");
	if (m->page_key == PAGE_OBJECT)
		canvas__text(c, x + 1, y, 0, STYLE_SORTED, "OBJECT");
}

void view_rows__page(struct canvas *c, const struct model_page *p, int y)
{
	char t[300];
	int x = 0;

	x = put(c, &page_column[P_WASTED], x, y, p->wasted_ns ? STYLE_WASTE : STYLE_PLAIN,
		text__nanos(t, sizeof(t), (double)p->wasted_ns));
	x = put(c, &page_column[P_ABORTS], x, y, STYLE_PLAIN, text__count(t, sizeof(t), p->aborts_per_s));
	x = put(c, &page_column[P_FETCHES], x, y, STYLE_PLAIN, text__count(t, sizeof(t), p->fetches_per_s));
	x = put(c, &page_column[P_TRANSFERS], x, y, STYLE_PLAIN,
		text__count(t, sizeof(t), (double)p->transfers));
	x = put(c, &page_column[P_INVALIDATIONS], x, y, STYLE_PLAIN,
		text__count(t, sizeof(t), (double)p->invalidations));
	x = put(c, &page_column[P_UPDATES], x, y, STYLE_PLAIN, text__count(t, sizeof(t), (double)p->updates));
	x = put(c, &page_column[P_NODES], x, y, STYLE_PLAIN, p->nodes);
	snprintf(t, sizeof(t), "0x%llx", (unsigned long long)p->offset);
	x = put(c, &page_column[P_PAGE], x, y, STYLE_DIM, t);
	model_page__describe(p, t, sizeof(t));
	canvas__text(c, x + 1, y, 0, p->named ? STYLE_OBJECT : STYLE_DIM, t);
}

void view_rows__detail(struct canvas *c, const struct model_page *p, int y)
{
	char t[300], wasted[32], size[32];
	int x;

	model_page__describe(p, t, sizeof(t));
	x = canvas__textf(c, 0, y, STYLE_DIM, "page 0x%llx (%s) ", (unsigned long long)p->offset,
			  text__bytes(size, sizeof(size), ldexp(1, (int)p->log2)));
	x = canvas__text(c, x, y, 0, STYLE_OBJECT, t);
	x = canvas__textf(c, x, y, STYLE_DIM,
			  "; nodes %s; %llu aborts, %s wasted, %llu fetches, %llu invalidations",
			  p->nodes[0] ? p->nodes : "-", (unsigned long long)p->aborts,
			  text__nanos(wasted, sizeof(wasted), (double)p->wasted_ns),
			  (unsigned long long)p->fetches, (unsigned long long)p->invalidations);
	if (p->home_moves)
		canvas__textf(c, x, y, STYLE_DIM, "; home: node %u, %llu move%s", p->home,
			      (unsigned long long)p->home_moves, p->home_moves == 1 ? "" : "s");
}

void view_rows__node_heading(struct canvas *c, const struct model *m, int y, bool active)
{
	int x = heading(c, node_column, N_COLUMNS, y, (int)m->node_key);

	mark(c, x, y, active, active ? "*TIME" : " TIME");
}

/* # committed, x wasted, - waiting at barriers: readable without colours too. */
static void bar(struct canvas *c, const struct model_node *n, int x, int y)
{
	const double share[3] = {n->committed, n->wasted, n->barrier};
	static const char ascii[3] = {'#', 'x', '-'};
	static const enum style style[3] = {STYLE_GOOD, STYLE_WASTE, STYLE_WAIT};
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
	for (int i = 0; i < 3; i++) {
		sum += isnan(share[i]) ? 0 : share[i];
		/* rounding the sums, not the parts, keeps the whole bar right */
		for (int end = (int)(sum * width + 0.5); at < end && at < width; at++)
			canvas__cell(c, x + 1 + at, y, style[i], (uint32_t)ascii[i]);
	}
}

void view_rows__node(struct canvas *c, const struct model_node *n, int y)
{
	char t[80];
	int x = 0;

	snprintf(t, sizeof(t), "%u", n->node);
	x = put(c, &node_column[N_NODE], x, y, STYLE_BOLD, t);
	x = put(c, &node_column[N_COMMITS], x, y, STYLE_PLAIN, text__count(t, sizeof(t), n->rate.commits));
	x = put(c, &node_column[N_ABORTS], x, y, STYLE_PLAIN, text__count(t, sizeof(t), n->rate.aborts));
	x = put(c, &node_column[N_WASTED], x, y, n->wasted > 0.1 ? STYLE_WASTE : STYLE_PLAIN,
		text__share(t, sizeof(t), n->wasted));
	x = put(c, &node_column[N_WORK], x, y, STYLE_PLAIN, text__count(t, sizeof(t), n->rate.work));
	x = put(c, &node_column[N_FETCHES], x, y, STYLE_PLAIN, text__count(t, sizeof(t), n->rate.fetches));
	x = put(c, &node_column[N_BYTES], x, y, STYLE_PLAIN, text__bytes(t, sizeof(t), n->rate.bytes_in));
	snprintf(t, sizeof(t), "%ld", n->pid);
	x = put(c, &node_column[N_PID], x, y, STYLE_DIM, t);
	x = put(c, &node_column[N_HOST], x, y, STYLE_DIM, n->host);
	bar(c, n, x, y);
}
