// SPDX-License-Identifier: BSD-2-Clause
/*
 * sequential.c - SOR in one process with private memory: the yardstick that the parallel program's
 * speed and result are held against. Links no DSM.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/sor/sor_options.h"

static void iterate(double *cells, size_t n, const struct sor_options *o, const struct app *app)
{
	for (long k = 0; k < o->iterations; k++) {
		for (int colour = 0; colour < 2; colour++)
			for (size_t i = 1; i + 1 < n; i++)
				grid__relax_row(cells + i * n, n, i, colour);
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
	size_t n = (size_t)o.size;
	double *cells = calloc(n * n, sizeof(*cells));
	if (!cells)
		return app__bad(
			&app,
			"a matrix of %zu x %zu needs %zu MiB, more than there is: take a smaller --size", n,
			n, n * n * sizeof(*cells) >> 20);
	for (size_t i = 0; i < n; i++)
		grid__fill_row(cells + i * n, n, i);
	double start = app__now();
	iterate(cells, n, &o, &app);
	r.seconds = app__now() - start;
	grid_sum__init(&r.sum);
	for (size_t i = 0; i < n; i++)
		grid_sum__row(&r.sum, cells + i * n, n, i);
	sor_result__print(&r, &o);
	free(cells);
	return 0;
}
