/* SPDX-License-Identifier: BSD-2-Clause */
/* options.h - the command line of world. */
#ifndef APPS_WORLD_OPTIONS_H
#define APPS_WORLD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "apps/common/app.h"

struct options {
	double seconds; /* 0: no limit */
	long steps;	/* of each node; 0: no limit */
	long avatars;	/* of each node */
	uint64_t seed;
	long groups; /* sequential: nodes whose avatars walk */
	bool sequential, json;
	int show; /* the node that draws the scene; -1: none */
	char scene[4096];
};

/* Returns 0 to go on, or -1 when the program is to end at once with *status. */
int options__read(struct options *o, const struct app *app, int argc, char **argv, int *status);

#endif
