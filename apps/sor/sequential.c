// SPDX-License-Identifier: BSD-2-Clause
/*
 * sequential.c - SOR in one process with private memory: the yardstick that the parallel program's
 * speed and result are held against. Links no DSM.
 */
#include <stdlib.h>

#include "apps/common/rows.h"
#include "apps/sor/options.h"

/* One array, or one for each colour. */
static bool open_matrix(const struct grid *g, struct rows *colour)
{
	int arrays = g->layout == APP_TUNED ? 2 : 1;

	for (int c = 0; c < 2; c++) {
		colour[c] = (struct rows){.count = (long)g->n, .nodes = 1, .pitch = grid__row_bytes(g)};
		colour[c].part[0] = c < arrays ? calloc(g->n, colour[c].pitch) : colour[0].part[0];
	}
	return colour[0].part[0] && colour[1].part[0];
}

static void close_matrix(struct rows *colour)
{
	if (colour[1].part[0] != colour[0].part[0])
		free(colour[1].part[0]);
	free(colour[0].part[0]);
}

static struct grid_row row(const struct rows *colour, size_t i)
{
	return (struct grid_row){{rows__at(&colour[0], (long)i), rows__at(&colour[1], (long)i)}};
}

static void iterate(const struct rows *rows, const struct grid *g, const struct sor_options *o,
		    const struct app *app)
{
	for (long k = 0; k < o->iterations; k++) {
		for (int colour = 0; colour < 2; colour++)
			for (size_t i = 1; i + 1 < g->n; i++)
				grid__relax_row(g, row(rows, i), row(rows, i - 1), row(rows, i + 1), i,
						colour);
		app__progress(app, (double)(k + 1) / (double)o->iterations, "iterations");
	}
	app__progress_end(app);
}

int main(int argc, char **argv)
{
	struct app app = {.name = "sor-sequential", .speaks = true};
	struct sor_options o;
	struct sor_result r = {.nodes = 0};
	int status;

	/* Run through `sor --sequential` or by its own name: the option is understood by both. */
	if (sor_options__read(&o, &app, argc, argv, &status))
		return status;
	struct grid g = {(size_t)o.common.size, o.common.layout};
	struct rows rows[2];
	if (!open_matrix(&g, rows)) {
		close_matrix(rows);
		return app__bad(&app, "no memory for a matrix of %zu x %zu: take a smaller --size", g.n, g.n);
	}
	for (size_t i = 0; i < g.n; i++)
		grid__fill_row(&g, row(rows, i), i);
	double start = app__now();
	iterate(rows, &g, &o, &app);
	r.seconds = app__now() - start;
	grid_sum__init(&r.sum);
	for (size_t i = 0; i < g.n; i++)
		grid_sum__row(&r.sum, &g, row(rows, i), i);
	sor_result__print(&r, &o);
	close_matrix(rows);
	return app__end(&app, 0);
}
