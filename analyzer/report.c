/* SPDX-License-Identifier: BSD-2-Clause */
#include "report.h"

#include <stdlib.h>
#include <string.h>

#include "ingest.h"

const struct node_pair *report__pair(const struct row *row)
{
	unsigned best = 0;

	for (unsigned i = 1; i < row->npairs; i++)
		if (row->pair[i].ns > row->pair[best].ns)
			best = i;
	return &row->pair[best];
}

static const struct tally *sorting;

static int compare(double x, double y, uint32_t a, uint32_t b)
{
	if (x != y)
		return x < y ? 1 : -1;
	return a < b ? -1 : a > b;
}

static double row_count(uint32_t row)
{
	const struct row *r = &sorting->rows.at[row];

	return r->seen + r->estimated;
}

/* By count where they cost the same: under rc most conflicts cost nobody a wait. */
static int by_row_cost(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	double p = row__ns(&sorting->rows.at[x]), q = row__ns(&sorting->rows.at[y]);

	return p != q ? compare(p, q, x, y) : compare(row_count(x), row_count(y), x, y);
}

static int by_wait(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return compare(sorting->waits.rows.at[x].ns, sorting->waits.rows.at[y].ns, x, y);
}

static double group_cost(const struct tally *t, uint32_t g)
{
	double ns = 0;

	for (int v = 0; v < VERDICTS; v++)
		ns += t->groups[g].ns[v];
	return ns;
}

static double group_count(const struct tally *t, uint32_t g)
{
	double n = 0;

	for (int v = 0; v < VERDICTS; v++)
		n += t->groups[g].seen[v] + t->groups[g].estimated[v];
	return n;
}

static int by_group_cost(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	double p = group_cost(sorting, x), q = group_cost(sorting, y);

	return p != q ? compare(p, q, x, y) : compare(group_count(sorting, x), group_count(sorting, y), x, y);
}

static void sort(struct report *r)
{
	struct tally *t = &r->tally;

	sorting = t;
	r->rows = mem__alloc(t->rows.n * sizeof(*r->rows));
	for (size_t i = 0; i < t->rows.n; i++) {
		r->rows[i] = (uint32_t)i;
		r->conflicts += t->rows.at[i].seen + t->rows.at[i].estimated;
	}
	if (t->rows.n)
		qsort(r->rows, t->rows.n, sizeof(*r->rows), by_row_cost);
	r->waits = mem__alloc(t->waits.rows.n * sizeof(*r->waits));
	for (size_t i = 0; i < t->waits.rows.n; i++)
		r->waits[i] = (uint32_t)i;
	if (t->waits.rows.n)
		qsort(r->waits, t->waits.rows.n, sizeof(*r->waits), by_wait);
	r->groups = mem__alloc(r->model.groups.n * sizeof(*r->groups));
	for (uint32_t g = 0; g < r->model.groups.n; g++)
		if (group_cost(t, g) > 0 ||
		    group_count(t, g) > 0) /* a conflict that cost nothing is told, too */
			r->groups[r->ngroups++] = g;
	if (r->ngroups)
		qsort(r->groups, r->ngroups, sizeof(*r->groups), by_group_cost);
}

void report__begin(struct report *r, const char *debug_dir, struct evidence_sink *sink)
{
	memset(r, 0, sizeof(*r));
	model__init(&r->model);
	r->symbols = symbols__new(&r->model, debug_dir);
	r->layouts = layouts__new(&r->model, r->symbols);
	tally__init(&r->tally, &r->model, r->layouts);
	tally__sink(&r->tally, sink);
}

void report__end(struct report *r)
{
	tally__finish(&r->tally);
	model__totals(&r->model, &r->totals);
	r->replay = replay__new(&r->tally);
	advice__make(&r->tally, r->replay, r->symbols, &r->advice);
	sort(r);
}

int report__make(struct report *r, const struct report_options *o)
{
	struct ingest_options io = {0};
	struct evidence_sink sink;
	struct evidence *e;
	int err;

	report__begin(r, o->debug_dir, &sink);
	e = evidence__new(&r->model, r->layouts, r->symbols, o->window_bytes, &sink);
	err = ingest__files(&r->model, e, o->traces, o->ntraces, &io);
	if (!err) {
		evidence__finish(e);
		report__end(r);
	}
	evidence__free(e);
	if (err)
		report__free(r);
	return err;
}

void report__free(struct report *r)
{
	advice__free(&r->advice);
	replay__free(r->replay);
	tally__free(&r->tally);
	layouts__free(r->layouts);
	symbols__free(r->symbols);
	model__free(&r->model);
	mem__free(r->rows);
	mem__free(r->groups);
	mem__free(r->waits);
}
