/* SPDX-License-Identifier: BSD-2-Clause */
/* options.h - command line and results, the same for both programs of lu. */
#ifndef APPS_LU_OPTIONS_H
#define APPS_LU_OPTIONS_H

#include "apps/common/options.h"
#include "apps/lu/blocks.h"

struct lu_options {
	struct app_common common;
	long block;
};

/* Returns 0 to go on, or -1 when the program is to end at once with *status. */
int lu_options__read(struct lu_options *o, const struct app *app, int argc, char **argv, int *status);

/* Checks the factors (plain rows), prints the result, and returns the exit status: 0, or 1 if they are wrong. seconds:
 * of the factorisation alone. nodes: 0 in the sequential program. */
int lu__finish(const struct app *app, const struct lu_options *o, const double *factors, int nodes,
	       double seconds);

#endif
