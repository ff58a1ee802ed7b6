// SPDX-License-Identifier: BSD-2-Clause
/*
 * sor.c - red-black successive over-relaxation on a matrix that all nodes share.
 *
 * Each node owns a block of rows. A half-sweep updates the cells of one colour from cells of the other
 * colour only, so the rows of a half-sweep make sense as transactions of their own, in any order; the
 * barrier between two half-sweeps is what the algorithm itself asks for. A node writes its own rows, and what it reads of
 * its neighbours' rows is of the colour that nobody writes: the loops are independent. In the natural layout the matrix is
 * one plain C array in row order, so the last row of a node and the first of the next usually meet on a page.
 */
#include <dsm.h>

#include "apps/common/parts.h"
#include "apps/common/sequential.h"
#include "apps/sor/options.h"

struct matrix {
	struct grid grid;
	struct rows colour[2]; /* in the natural layout both are the same array */
	long first, end;       /* rows of this node's block */
};

static struct grid_row row(const struct matrix *m, long i)
{
	return (struct grid_row){{rows__at(&m->colour[0], i), rows__at(&m->colour[1], i)}};
}

static void open_matrix(struct matrix *m, const struct sor_options *o)
{
	bool tuned = o->common.layout == APP_TUNED;
	long n = o->common.size;

	*m = (struct matrix){.grid = {(size_t)n, o->common.layout},
			     .first = rows__block(n, dsm_nodes(), dsm_node()),
			     .end = rows__block(n, dsm_nodes(), dsm_node() + 1)};
	m->colour[0] = (struct rows){.order = tuned ? ROWS_BLOCK : ROWS_FLAT,
				     .count = n,
				     .nodes = dsm_nodes(),
				     .shift = o->misalign,
				     .pitch = grid__row_bytes(&m->grid)};
	m->colour[1] = m->colour[0];
	parts__rows(tuned ? "red" : "matrix", &m->colour[0], parts__new_rows(double, &m->colour[0]));
	if (tuned)
		parts__rows("black", &m->colour[1], parts__new_rows(double, &m->colour[1]));
	else
		m->colour[1] = m->colour[0];
	for (int colour = 0; colour < 2; colour++)
		rows__near(&m->colour[colour], dsm_node());
}

static void fill(const struct matrix *m)
{
	DSM_TX_FOR_INDEPENDENT(i, m->first, m->end)
		grid__fill_row(&m->grid, row(m, i), (size_t)i);
}

static void half_sweep(const struct matrix *m, int colour)
{
	long last = (long)m->grid.n - 1;
	long first = m->first > 1 ? m->first : 1;
	long end = m->end < last ? m->end : last;

	DSM_TX_FOR_INDEPENDENT(i, first, end) {
		grid__relax_row(&m->grid, row(m, i), row(m, i - 1), row(m, i + 1), (size_t)i, colour);
		dsm_progress(1);
	}
}

static void iterate(const struct matrix *m, long iterations, const struct app *app)
{
	for (long k = 0; k < iterations; k++) {
		if (k == APP_FIRST)
			dsm_phase("steady");
		for (int colour = 0; colour < 2; colour++) {
			half_sweep(m, colour);
			dsm_barrier();
		}
		app__progress(app, (double)(k + 1) / (double)iterations, "iterations");
	}
	app__progress_end(app);
}

/* One node reads everything in one order: the sum's last bits depend on it. */
static struct grid_sum reduce(const struct matrix *m)
{
	struct grid_sum sum;

	grid_sum__init(&sum);
	DSM_TX_FOR_INDEPENDENT(i, 0, (long)m->grid.n)
		grid_sum__row(&sum, &m->grid, row(m, i), (size_t)i);
	return sum;
}

int main(int argc, char **argv)
{
	struct app app = {.name = "sor", .speaks = dsm_node() == 0};
	struct sor_result r = {.nodes = dsm_nodes()};
	struct sor_options o;
	struct matrix m;
	int status;

	if (sor_options__read(&o, &app, argc, argv, &status))
		return status;
	if (o.common.sequential)
		return app__run_sequential(&app, dsm_nodes(), argv);
	open_matrix(&m, &o);
	fill(&m);
	dsm_barrier();

	dsm_phase("first");
	double start = app__now();
	iterate(&m, o.iterations, &app);
	r.seconds = app__now() - start;
	dsm_phase("result");
	if (dsm_node() == 0) {
		r.sum = reduce(&m);
		sor_result__print(&r, &o);
	}
	dsm_barrier(); /* the others keep serving pages until node 0 has read them */
	return app__end(&app, 0);
}
