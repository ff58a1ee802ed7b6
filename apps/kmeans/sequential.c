// SPDX-License-Identifier: BSD-2-Clause
/* sequential.c - k-means in one process with private memory: the yardstick. Links no DSM. */
#include <stdlib.h>
#include <string.h>

#include "apps/kmeans/options.h"

static void run(const struct point *points, int32_t *labels, struct point *centres,
		const struct kmeans_options *o, struct kmeans_result *r, const struct app *app)
{
	struct sum sums[KMEANS_CLUSTERS];

	do {
		memset(sums, 0, sizeof(sums));
		r->last = (struct tally){0};
		for (long i = 0; i < o->common.size; i++) {
			int64_t square;
			int c = point__nearest(&points[i], centres, (int)o->clusters, &square);
			sum__add(&sums[c], &points[i]);
			tally__note(&r->last, &labels[i], c, square);
		}
		for (long c = 0; c < o->clusters; c++)
			centre__move(&centres[c], &sums[c]);
		r->iterations++;
		app__progress(app, (double)r->iterations / (double)o->iterations, "iterations");
	} while (r->last.moved && r->iterations < o->iterations);
	app__progress_end(app);
}

int main(int argc, char **argv)
{
	struct app app = {.name = "kmeans-sequential", .speaks = true};
	struct kmeans_result r = {.nodes = 0};
	struct point centres[KMEANS_CLUSTERS];
	struct kmeans_options o;
	int status;

	if (kmeans_options__read(&o, &app, argc, argv, &status))
		return status;
	size_t n = (size_t)o.common.size;
	struct point *points = calloc(n, sizeof(*points));
	int32_t *labels = malloc(n * sizeof(*labels));
	if (!points || !labels) {
		free(points);
		free(labels);
		return app__bad(&app, "no memory for %zu points: take a smaller --size", n);
	}
	memset(labels, -1, n * sizeof(*labels));
	for (size_t i = 0; i < n; i++)
		point__make(&points[i], (long)i, o.clusters);
	for (long c = 0; c < o.clusters; c++)
		centres[c] = points[c * o.common.size / o.clusters];

	double start = app__now();
	run(points, labels, centres, &o, &r, &app);
	r.seconds = app__now() - start;
	r.hash = app__hash(APP_HASH, centres, (size_t)o.clusters * sizeof(*centres));
	for (size_t i = 0; i < n; i++)
		r.hash = app__hash(r.hash, &labels[i], sizeof(labels[i]));
	kmeans_result__print(&r, &o);
	free(points);
	free(labels);
	return app__end(&app, 0);
}
