/* SPDX-License-Identifier: BSD-2-Clause */
/* options.h - command line and results, the same for all programs of SOR. */
#ifndef APPS_SOR_OPTIONS_H
#define APPS_SOR_OPTIONS_H

#include "apps/common/options.h"
#include "apps/sor/grid.h"

struct sor_options {
	struct app_common common;
	long iterations;
	long misalign; /* rows */
};

/* Returns 0 to go on, or -1 when the program is to end at once with *status. */
int sor_options__read(struct sor_options *o, const struct app *app, int argc, char **argv, int *status);

struct sor_result {
	struct grid_sum sum;
	double seconds; /* of the iterations, without filling and summing */
	int nodes;	/* 0: sequential program */
};
void sor_result__print(const struct sor_result *r, const struct sor_options *o);

#endif
