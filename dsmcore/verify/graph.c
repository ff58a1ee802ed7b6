/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * graph.c - who must come before whom, and whether that is possible.
 *
 * Vertices are the attempts, plus one for each barrier and a chain that stands for real time, so that
 * "everything that had ended before this began" costs two edges and not millions. An aborted attempt
 * is a reader: it comes after the writers of what it read and before those who overwrote it. That all
 * of these together have one order is opacity; for the committed ones alone it is serializability.
 */
#include "dsmcore/verify/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum why { WHY_READ, WHY_OVERWRITTEN, WHY_REWRITTEN, WHY_NODE, WHY_BARRIER, WHY_TIME };

struct edge {
	uint32_t from, to;
	uint64_t page, version;
	enum why why;
};

struct graph {
	const struct verify *v;
	uint32_t nvertices;	   /* attempts first, then the barriers, then time */
	uint32_t *phases, nphases; /* the different numbers of barriers passed, ascending: barrier i lies
				    * behind phase i */
	struct edge *edges;
	size_t nedges, cap;
	uint32_t *start; /* by vertex: its first edge once sorted; nvertices + 1 of them */
};

static int add_edge(struct graph *g, uint32_t from, uint32_t to, enum why why, uint64_t page,
		    uint64_t version)
{
	if (from == to)
		return 0;
	if (verify__grow(&g->edges, &g->cap, g->nedges + 1, sizeof(*g->edges)))
		return -ENOMEM;
	g->edges[g->nedges++] =
		(struct edge){.from = from, .to = to, .why = why, .page = page, .version = version};
	return 0;
}

static int add_page_edges(struct graph *g)
{
	const struct verify *v = g->v;
	const struct write *w, *next;
	uint32_t i, k;
	int rc = 0;

	for (i = 0; i < v->nattempts && !rc; i++) {
		const struct attempt *a = &v->attempts[i];
		for (k = 0; verify__reads_count(a) && k < a->nreads && !rc; k++) {
			const struct dsm_history_page *p = &v->pages[a->first + k];
			w = verify__find(v, p->page, p->version);
			next = verify__find(v, p->page, p->version + 1);
			if (w)
				rc = add_edge(g, w->by, i, WHY_READ, p->page, p->version);
			if (next && !rc)
				rc = add_edge(g, i, next->by, WHY_OVERWRITTEN, p->page, p->version);
		}
	}
	for (i = 1; i < v->nwrites && !rc; i++) {
		w = &v->writes[i - 1];
		if (w[1].page == w->page && w[1].version == w->version + 1)
			rc = add_edge(g, w->by, w[1].by, WHY_REWRITTEN, w->page, w->version);
	}
	return rc;
}

static int by_value(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static int find_phases(struct graph *g)
{
	const struct verify *v = g->v;
	uint32_t i;

	g->phases = malloc((v->nattempts + 1) * sizeof(*g->phases));
	if (!g->phases)
		return -ENOMEM;
	for (i = 0; i < v->nattempts; i++)
		g->phases[i] = v->attempts[i].barriers;
	if (v->nattempts > 1)
		qsort(g->phases, v->nattempts, sizeof(*g->phases), by_value);
	for (i = 0; i < v->nattempts; i++)
		if (!i || g->phases[i] != g->phases[g->nphases - 1])
			g->phases[g->nphases++] = g->phases[i];
	return 0;
}

static uint32_t phase_of(const struct graph *g, const struct attempt *a)
{
	const uint32_t *at = bsearch(&a->barriers, g->phases, g->nphases, sizeof(*g->phases), by_value);

	return (uint32_t)(at - g->phases);
}

/* A node runs one attempt after the other; at a barrier all nodes meet. */
static int add_program_edges(struct graph *g)
{
	const struct verify *v = g->v;
	uint32_t *last, i, b;
	int rc = 0;

	last = malloc((UINT16_MAX + 1) * sizeof(*last));
	if (!last)
		return -ENOMEM;
	memset(last, 0xff, (UINT16_MAX + 1) * sizeof(*last));
	for (i = 0; i < v->nattempts && !rc; i++) {
		const struct attempt *a = &v->attempts[i];
		if (last[a->node] != UINT32_MAX)
			rc = add_edge(g, last[a->node], i, WHY_NODE, 0, 0);
		last[a->node] = i;
		b = phase_of(g, a);
		if (!rc && b + 1 < g->nphases)
			rc = add_edge(g, i, (uint32_t)v->nattempts + b, WHY_BARRIER, 0, 0);
		if (!rc && b)
			rc = add_edge(g, (uint32_t)v->nattempts + b - 1, i, WHY_BARRIER, 0, 0);
	}
	for (b = 1; b + 1 < g->nphases && !rc; b++)
		rc = add_edge(g, (uint32_t)v->nattempts + b - 1, (uint32_t)v->nattempts + b, WHY_BARRIER, 0,
			      0);
	free(last);
	return rc;
}

struct point {
	uint64_t ns;
	uint32_t attempt;
	bool end;
};

static int by_time(const void *a, const void *b)
{
	const struct point *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? -1 : 1;
	return x->end - y->end; /* at the same instant neither came first: begins go before ends */
}

static int add_time_edges(struct graph *g)
{
	const struct verify *v = g->v;
	struct point *points = calloc(2 * v->nattempts + 1, sizeof(*points));
	bool have = false, used = true;
	uint32_t i;
	int rc = 0;

	if (!points)
		return -ENOMEM;
	for (i = 0; i < v->nattempts; i++) {
		points[2 * i] = (struct point){.ns = v->attempts[i].begin_ns, .attempt = i};
		points[2 * i + 1] = (struct point){.ns = v->attempts[i].end_ns, .attempt = i, .end = true};
	}
	qsort(points, 2 * v->nattempts, sizeof(*points), by_time);
	for (i = 0; i < 2 * v->nattempts && !rc; i++) {
		if (!points[i].end) {
			used = true;
			if (have)
				rc = add_edge(g, g->nvertices - 1, points[i].attempt, WHY_TIME, 0, 0);
			continue;
		}
		if (used) { /* a new moment: what ended up to now came before what begins from now on */
			g->nvertices++;
			if (have)
				rc = add_edge(g, g->nvertices - 2, g->nvertices - 1, WHY_TIME, 0, 0);
			have = true;
			used = false;
		}
		if (!rc)
			rc = add_edge(g, points[i].attempt, g->nvertices - 1, WHY_TIME, 0, 0);
	}
	free(points);
	return rc;
}

static int sort_edges(struct graph *g)
{
	struct edge *sorted = malloc((g->nedges + 1) * sizeof(*sorted));
	uint32_t i;
	size_t k;

	g->start = calloc(g->nvertices + 2u, sizeof(*g->start));
	if (!sorted || !g->start) {
		free(sorted);
		return -ENOMEM;
	}
	for (k = 0; k < g->nedges; k++)
		g->start[g->edges[k].from + 2]++;
	for (i = 2; i < g->nvertices + 2; i++)
		g->start[i] += g->start[i - 1];
	for (k = 0; k < g->nedges; k++)
		sorted[g->start[g->edges[k].from + 1]++] = g->edges[k];
	free(g->edges);
	g->edges = sorted;
	return 0;
}

/* Takes away, again and again, what nothing must precede. What is left lies on or behind cycles. */
static size_t peel(const struct graph *g, uint32_t *indegree, uint32_t *queue)
{
	size_t head = 0, tail = 0, k;
	uint32_t i, vertex;

	for (k = 0; k < g->nedges; k++)
		indegree[g->edges[k].to]++;
	for (i = 0; i < g->nvertices; i++)
		if (!indegree[i])
			queue[tail++] = i;
	while (head < tail) {
		vertex = queue[head++];
		for (k = g->start[vertex]; k < g->start[vertex + 1]; k++)
			if (!--indegree[g->edges[k].to])
				queue[tail++] = g->edges[k].to;
	}
	return g->nvertices - tail;
}

/* The shortest way from `from` back to itself: fills via[] with the edge by which each vertex was
 * reached. Returns its length, 0 if there is none. */
static size_t find_cycle(const struct graph *g, uint32_t from, const uint32_t *indegree, uint32_t *queue,
			 uint32_t *via)
{
	size_t head = 0, tail = 0, length = 0, k;
	uint32_t vertex;

	memset(via, 0xff, g->nvertices * sizeof(*via));
	queue[tail++] = from;
	while (head < tail) {
		vertex = queue[head++];
		for (k = g->start[vertex]; k < g->start[vertex + 1]; k++) {
			const struct edge *e = &g->edges[k];
			if (!indegree[e->to] || via[e->to] != UINT32_MAX)
				continue;
			via[e->to] = (uint32_t)k;
			if (e->to == from)
				goto found;
			queue[tail++] = e->to;
		}
	}
	return 0;
found:
	vertex = from;
	do {
		vertex = g->edges[via[vertex]].from;
		length++;
	} while (vertex != from);
	return length;
}

static void describe(const struct graph *g, uint32_t vertex, char *buf, size_t size)
{
	if (vertex < g->v->nattempts)
		verify__name(&g->v->attempts[vertex], buf, size);
	else if (vertex + 1 < g->v->nattempts + g->nphases)
		snprintf(buf, size, "barrier %u", g->phases[vertex - g->v->nattempts + 1]);
	else
		snprintf(buf, size, "(a moment)");
}

static void print_edge(const struct graph *g, const struct edge *e, FILE *to)
{
	char from[64], dest[64];

	describe(g, e->from, from, sizeof(from));
	describe(g, e->to, dest, sizeof(dest));
	fprintf(to, "    %s must come before %s: ", from, dest);
	switch (e->why) {
	case WHY_READ:
		fprintf(to, "it made version %" PRIu64 " of page %" PRIu64 ", which the other read\n",
			e->version, e->page);
		break;
	case WHY_OVERWRITTEN:
		fprintf(to,
			"it read version %" PRIu64 " of page %" PRIu64 ", the other made version %" PRIu64
			"\n",
			e->version, e->page, e->version + 1);
		break;
	case WHY_REWRITTEN:
		fprintf(to, "it made version %" PRIu64 " of page %" PRIu64 ", the other the next\n",
			e->version, e->page);
		break;
	case WHY_NODE:
		fprintf(to, "the node's own order\n");
		break;
	case WHY_BARRIER:
		fprintf(to, "the barrier\n");
		break;
	case WHY_TIME:
		fprintf(to, "it was over before the other began\n");
		break;
	}
}

static void print_cycle(const struct graph *g, uint32_t from, const uint32_t *via, size_t length, FILE *to)
{
	const struct edge **list = calloc(length, sizeof(const struct edge *));
	uint32_t vertex = from;
	size_t i;

	if (!list)
		return;
	for (i = length; i > 0; i--) {
		list[i - 1] = &g->edges[via[vertex]];
		vertex = list[i - 1]->from;
	}
	for (i = 0; i < length; i++)
		print_edge(g, list[i], to);
	free(list);
}

/* Not every vertex that is left lies on a cycle, but each has a predecessor that is left too: going back
 * often enough ends on one. */
static uint32_t go_back(const struct graph *g, const uint32_t *pred, uint32_t vertex)
{
	uint32_t i;

	for (i = 0; i < g->nvertices; i++)
		vertex = pred[vertex];
	return vertex;
}

#define STARTS 64u /* vertices from which a short cycle is looked for */

static int report_cycles(const struct graph *g, struct report *r)
{
	uint32_t *indegree = calloc(g->nvertices + 1u, sizeof(*indegree));
	uint32_t *queue = calloc(g->nvertices + 1u, sizeof(*queue));
	uint32_t *via = calloc(g->nvertices + 1u, sizeof(*via));
	uint32_t *pred = calloc(g->nvertices + 1u, sizeof(*pred));
	uint32_t i, on, tried = 0, best = 0;
	size_t left, length, shortest = 0, k;
	int rc = -ENOMEM;

	if (!indegree || !queue || !via || !pred)
		goto out;
	rc = 0;
	left = peel(g, indegree, queue);
	if (!left)
		goto out;
	for (k = 0; k < g->nedges; k++)
		if (indegree[g->edges[k].from])
			pred[g->edges[k].to] = g->edges[k].from;
	for (i = 0; i < g->nvertices && tried < STARTS; i++) {
		if (!indegree[i])
			continue;
		tried++;
		on = go_back(g, pred, i);
		length = find_cycle(g, on, indegree, queue, via);
		if (length && (!shortest || length < shortest)) {
			shortest = length;
			best = on;
		}
	}
	verify_report__error(r, "no order of the attempts explains the history; a cycle:");
	if (!shortest || !r->to)
		goto out;
	find_cycle(g, best, indegree, queue, via);
	print_cycle(g, best, via, shortest, r->to);
out:
	free(indegree);
	free(pred);
	free(queue);
	free(via);
	return rc;
}

int verify_graph__check(const struct verify *v, struct report *r)
{
	struct graph g = {.v = v};
	int rc;

	if (v->nattempts > UINT32_MAX / 8)
		return -ENOMEM;
	if (!v->nattempts)
		return 0;
	rc = find_phases(&g);
	if (rc)
		return rc;
	g.nvertices = (uint32_t)v->nattempts + g.nphases - 1;
	rc = add_page_edges(&g);
	if (!rc)
		rc = add_program_edges(&g);
	if (!rc && v->one_clock)
		rc = add_time_edges(&g);
	if (!rc)
		rc = sort_edges(&g);
	if (!rc)
		rc = report_cycles(&g, r);
	free(g.phases);
	free(g.edges);
	free(g.start);
	return rc;
}
