// SPDX-License-Identifier: BSD-2-Clause
/* sequential.c - blocked LU factorisation in one process with private memory: the yardstick. Links no DSM. */
#include <stdlib.h>
#include <string.h>

#include "apps/lu/options.h"

static void factorise(const struct blocks *b, const struct app *app)
{
	for (long k = 0; k < b->across; k++) {
		struct block diagonal = blocks__at(b, k, k);
		block__factor(diagonal);
		for (long j = k + 1; j < b->across; j++) {
			block__divide_left(blocks__at(b, k, j), diagonal);
			block__divide_right(blocks__at(b, j, k), diagonal);
		}
		for (long i = k + 1; i < b->across; i++)
			for (long j = k + 1; j < b->across; j++)
				block__update(blocks__at(b, i, j), blocks__at(b, i, k), blocks__at(b, k, j));
		app__progress(app, (double)(k + 1) / (double)b->across, "steps");
	}
	app__progress_end(app);
}

static void copy(void *to, const void *from, size_t bytes)
{
	memcpy(to, from, bytes);
}

int main(int argc, char **argv)
{
	struct app app = {.name = "lu-sequential", .speaks = true};
	struct lu_options o;
	struct blocks b;
	int status;

	if (lu_options__read(&o, &app, argc, argv, &status))
		return status;
	size_t n = (size_t)o.common.size;
	blocks__set(&b, o.common.size, o.block, 1, o.common.layout);
	b.part[0] = calloc(blocks__part(&b, 0), sizeof(double));
	double *factors = malloc(n * n * sizeof(double));
	if (!b.part[0] || !factors) {
		free(b.part[0]);
		free(factors);
		return app__bad(&app, "no memory for a matrix of %zu x %zu: take a smaller --size", n, n);
	}
	for (long i = 0; i < b.across; i++)
		for (long j = 0; j < b.across; j++)
			blocks__fill(&b, i, j);
	double start = app__now();
	factorise(&b, &app);
	double seconds = app__now() - start;
	blocks__copy_out(&b, factors, copy);
	status = lu__finish(&app, &o, factors, 0, seconds);
	free(b.part[0]);
	free(factors);
	return app__end(&app, status);
}
