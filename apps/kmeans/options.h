/* SPDX-License-Identifier: BSD-2-Clause */
/* options.h - command line and results, the same for both programs of kmeans. */
#ifndef APPS_KMEANS_OPTIONS_H
#define APPS_KMEANS_OPTIONS_H

#include "apps/common/options.h"
#include "apps/kmeans/points.h"

#define KMEANS_CLUSTERS 256

struct kmeans_options {
	struct app_common common; /* size: points */
	long clusters, iterations;
};

/* Returns 0 to go on, or -1 when the program is to end at once with *status. */
int kmeans_options__read(struct kmeans_options *o, const struct app *app, int argc, char **argv, int *status);

struct kmeans_result {
	uint64_t hash;	 /* over centres, then labels */
	long iterations; /* done */
	struct tally last;
	int nodes; /* 0: sequential program */
	double seconds;
};
void kmeans_result__print(const struct kmeans_result *r, const struct kmeans_options *o);

#endif
