/* SPDX-License-Identifier: BSD-2-Clause */
/* options.h - command line and results, the same for all programs of mgs. */
#ifndef APPS_MGS_OPTIONS_H
#define APPS_MGS_OPTIONS_H

#include "apps/common/options.h"
#include "apps/mgs/vectors.h"

struct mgs_options {
	struct app_common common;
};

/* Returns 0 to go on, or -1 when the program is to end at once with *status. */
int mgs_options__read(struct mgs_options *o, const struct app *app, int argc, char **argv, int *status);

/* Closes the check, prints the result, and returns the exit status: 0, or 1 if the rows are not orthonormal. seconds:
 * of the steps, without filling and checking. nodes: 0 in the sequential program. */
int mgs__finish(struct vectors_check *check, const struct mgs_options *o, int nodes, double seconds);

#endif
