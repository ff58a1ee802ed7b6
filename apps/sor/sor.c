// SPDX-License-Identifier: BSD-2-Clause
/*
 * sor.c - red-black successive over-relaxation on a matrix that all nodes share.
 *
 * Each node owns a block of rows. A half-sweep updates the cells of one colour from cells of the other
 * colour only, so the rows of a half-sweep make sense as transactions of their own, in any order; the
 * barrier between two half-sweeps is what the algorithm itself asks for. In the natural layout the matrix is
 * one plain C array in row order, so the last row of a node and the first of the next usually meet on a page.
 */
#include <dsm.h>

#include "apps/common/parts.h"
#include "apps/common/sequential.h"
#include "apps/sor/options.h"

struct block { /* of rows: first ... end - 1 */
	long first, end;
};

static void fill(const struct grid *g, const struct rows *rows, struct block mine)
{
	DSM_TX_FOR(i, mine.first, mine.end)
		grid__fill_row(g, rows__at(rows, i), (size_t)i);
}

static void half_sweep(const struct grid *g, const struct rows *rows, struct block mine, int colour)
{
	long last = (long)g->n - 1;
	long first = mine.first > 1 ? mine.first : 1;
	long end = mine.end < last ? mine.end : last;

	DSM_TX_FOR(i, first, end) {
		grid__relax_row(g, rows__at(rows, i), rows__at(rows, i - 1), rows__at(rows, i + 1), (size_t)i,
				colour);
		dsm_progress(1);
	}
}

static void iterate(const struct grid *g, const struct rows *rows, const struct sor_options *o,
		    struct block mine, const struct app *app)
{
	for (long k = 0; k < o->iterations; k++) {
		for (int colour = 0; colour < 2; colour++) {
			half_sweep(g, rows, mine, colour);
			dsm_barrier();
		}
		app__progress(app, (double)(k + 1) / (double)o->iterations, "iterations");
	}
	app__progress_end(app);
}

/* One node reads everything in one order: the sum's last bits depend on it. */
static struct grid_sum reduce(const struct grid *g, const struct rows *rows)
{
	struct grid_sum sum;

	grid_sum__init(&sum);
	DSM_TX_FOR(i, 0, (long)g->n)
		grid_sum__row(&sum, g, rows__at(rows, i), (size_t)i);
	return sum;
}

int main(int argc, char **argv)
{
	struct app app = {.name = "sor", .speaks = dsm_node() == 0};
	struct sor_result r = {.nodes = dsm_nodes()};
	struct sor_options o;
	int status;

	if (sor_options__read(&o, &app, argc, argv, &status))
		return status;
	if (o.common.sequential)
		return app__run_sequential(&app, dsm_nodes(), argv);

	struct grid g = {(size_t)o.common.size, o.common.layout};
	struct rows rows = {.order = g.layout == APP_TUNED ? ROWS_BLOCK : ROWS_FLAT,
			    .count = o.common.size,
			    .nodes = dsm_nodes(),
			    .shift = o.misalign,
			    .pitch = grid__row_bytes(&g)};
	struct block mine = {rows__block(rows.count, rows.nodes, dsm_node()),
			     rows__block(rows.count, rows.nodes, dsm_node() + 1)};
	parts__rows("matrix", &rows);
	fill(&g, &rows, mine);
	dsm_barrier();

	double start = app__now();
	iterate(&g, &rows, &o, mine, &app);
	r.seconds = app__now() - start;
	if (dsm_node() == 0) {
		r.sum = reduce(&g, &rows);
		sor_result__print(&r, &o);
	}
	dsm_barrier(); /* the others keep serving pages until node 0 has read them */
	return 0;
}
