// SPDX-License-Identifier: BSD-2-Clause
#include "apps/mgs/options.h"

#include <stdio.h>

static const char usage_text[] =
	"Usage: dsmrun -n NODES mgs [OPTION]...     or     mgs --sequential [OPTION]...\n"
	"Modified Gram-Schmidt: makes the rows of a matrix that all nodes share orthonormal. Row i is "
	"normalised,\n"
	"then each node takes its part out of those rows j > i that are its own (dealt in turn). Checked at "
	"the end.\n\n"
	"      --size N          rows and columns (default 512)\n"
	"      --layout natural  one C array in row order, at home on node 0: neighbouring rows belong to\n"
	"                        different nodes and share pages, unless a row is whole pages (the default)\n"
	"      --layout tuned    each row on pages of its own, at home on the node that works on it\n"
	"      --sequential      run mgs-sequential: one process, the same arithmetic, no DSM linked\n"
	"      --json            print the result as one JSON object (schema procope.mgs/1)\n"
	"  -h, --help            this text\n"
	"      --version         version\n\n"
	"Exit code: 0; 1 the rows are not orthonormal, or the result could not be written; 2 bad usage.\n";

int mgs_options__read(struct mgs_options *o, const struct app *app, int argc, char **argv, int *status)
{
	*o = (struct mgs_options){.common.size = 512};
	const struct app_option table[] = {
		APP_COMMON_OPTIONS(&o->common, 1l << 20),
		{0},
	};

	return app_options__read(app, usage_text, table, argc, argv, status);
}

int mgs__finish(struct vectors_check *check, const struct mgs_options *o, int nodes, double seconds)
{
	const struct app_result head = {"mgs", o->common.size, o->common.layout, nodes, seconds, check->hash};
	double off = vectors_check__close(check);
	bool correct = off <= VECTORS_TOLERANCE;

	app_result__print(&head, o->common.json);
	if (o->common.json)
		printf(",\"sum\":%.17g,\"deviation\":%.3g,\"tolerance\":%.3g,\"correct\":%s}\n", check->sum,
		       off, VECTORS_TOLERANCE, correct ? "true" : "false");
	else
		printf("%s: Q'Qx differs from x by %.3g at most (allowed %.3g)\n",
		       correct ? "orthonormal" : "NOT ORTHONORMAL", off, VECTORS_TOLERANCE);
	return correct ? 0 : 1;
}
