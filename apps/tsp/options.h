/* SPDX-License-Identifier: BSD-2-Clause */
/* options.h - command line and results, the same for both programs of tsp. */
#ifndef APPS_TSP_OPTIONS_H
#define APPS_TSP_OPTIONS_H

#include "apps/common/options.h"
#include "apps/tsp/tour.h"

struct tsp_options {
	struct app_common common; /* size: cities */
	long seed;
};

/* Returns 0 to go on, or -1 when the program is to end at once with *status. */
int tsp_options__read(struct tsp_options *o, const struct app *app, int argc, char **argv, int *status);

/* Prints the result, and returns the exit status: 0, or 1 if the tour is not one. nodes: 0 in the sequential
 * program. */
int tsp__finish(const struct tour *t, const struct cities *c, const struct tsp_options *o, long pieces,
		int nodes, double seconds);

#endif
