// SPDX-License-Identifier: BSD-2-Clause
/* sequential.c - modified Gram-Schmidt in one process with private memory: the yardstick. Links no DSM. */
#include <stdlib.h>

#include "apps/common/rows.h"
#include "apps/mgs/options.h"

int main(int argc, char **argv)
{
	struct app app = {.name = "mgs-sequential", .speaks = true};
	struct vectors_check check;
	struct mgs_options o;
	int status;

	if (mgs_options__read(&o, &app, argc, argv, &status))
		return status;
	size_t n = (size_t)o.common.size, bytes = n * sizeof(double);
	struct rows rows = {.count = o.common.size,
			    .nodes = 1,
			    .pitch = o.common.layout == APP_TUNED ? rows__pages(bytes) : bytes};
	rows.part[0] = calloc(n, rows.pitch);
	if (!rows.part[0] || vectors_check__open(&check, n)) {
		free(rows.part[0]);
		return app__bad(
			&app,
			"a matrix of %zu x %zu needs %zu MiB, more than there is: take a smaller --size", n,
			n, n * rows.pitch >> 20);
	}
	for (size_t i = 0; i < n; i++)
		vectors__fill_row(rows__at(&rows, (long)i), n, i);
	double start = app__now();
	for (long i = 0; i < rows.count; i++) {
		vectors__normalise(rows__at(&rows, i), n);
		for (long j = i + 1; j < rows.count; j++)
			vectors__orthogonalise(rows__at(&rows, j), rows__at(&rows, i), n);
		app__progress(&app, (double)(i + 1) / (double)n, "rows");
	}
	app__progress_end(&app);
	double seconds = app__now() - start;
	for (long i = 0; i < rows.count; i++)
		vectors_check__row(&check, rows__at(&rows, i));
	status = mgs__finish(&check, &o, 0, seconds);
	free(rows.part[0]);
	return app__end(&app, status);
}
