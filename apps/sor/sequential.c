// SPDX-License-Identifier: BSD-2-Clause
/*
 * sequential.c - SOR in one process with private memory: the yardstick that the parallel program's
 * speed and result are held against. Links no DSM.
 */
#include <stdlib.h>

#include "apps/sor/options.h"

static void iterate(char *cells, const struct grid *g, const struct sor_options *o, const struct app *app)
{
	size_t pitch = grid__row_bytes(g);

	for (long k = 0; k < o->iterations; k++) {
		for (int colour = 0; colour < 2; colour++)
			for (size_t i = 1; i + 1 < g->n; i++) {
				char *row = cells + i * pitch;
				grid__relax_row(g, (double *)row, (const double *)(row - pitch),
						(const double *)(row + pitch), i, colour);
			}
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
	size_t pitch = grid__row_bytes(&g);
	char *cells = calloc(g.n, pitch);
	if (!cells)
		return app__bad(
			&app,
			"a matrix of %zu x %zu needs %zu MiB, more than there is: take a smaller --size", g.n,
			g.n, g.n * pitch >> 20);
	for (size_t i = 0; i < g.n; i++)
		grid__fill_row(&g, (double *)(cells + i * pitch), i);
	double start = app__now();
	iterate(cells, &g, &o, &app);
	r.seconds = app__now() - start;
	grid_sum__init(&r.sum);
	for (size_t i = 0; i < g.n; i++)
		grid_sum__row(&r.sum, &g, (const double *)(cells + i * pitch), i);
	sor_result__print(&r, &o);
	free(cells);
	return 0;
}
