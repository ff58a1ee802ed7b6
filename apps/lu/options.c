// SPDX-License-Identifier: BSD-2-Clause
#include "apps/lu/options.h"

#include <stdio.h>

static const char usage_text[] =
	"Usage: dsmrun -n NODES lu [OPTION]...     or     lu --sequential [OPTION]...\n"
	"Blocked LU factorisation (SPLASH-2's definition, no pivoting) of a matrix that all nodes share. "
	"Checked\n"
	"at the end by solving a system whose answer is known.\n\n"
	"      --size N          rows and columns (default 512)\n"
	"      --block B         rows and columns of a block (default 32)\n"
	"      --layout natural  one C array in row order, at home on node 0: each row of a block lies "
	"beside rows\n"
	"                        of other nodes' blocks, which are dealt to a grid of nodes (the default)\n"
	"      --layout tuned    each block in one piece, on pages of its own, at home on its node; whole "
	"columns of\n"
	"                        blocks are dealt, and locks take the place of barriers\n"
	"      --sequential      run lu-sequential: one process, the same arithmetic, no DSM linked\n"
	"      --json            print the result as one JSON object (schema procope.lu/1)\n"
	"  -h, --help            this text\n"
	"      --version         version\n\n"
	"Exit code: 0; 1 the factors are wrong, or the result could not be written; 2 bad usage.\n";

int lu_options__read(struct lu_options *o, const struct app *app, int argc, char **argv, int *status)
{
	*o = (struct lu_options){.common.size = 512, .block = 32};
	const struct app_option table[] = {
		APP_COMMON_OPTIONS(&o->common, 1l << 20),
		{"block", APP_NUMBER, &o->block, 1, 1024},
		{0},
	};

	return app_options__read(app, usage_text, table, argc, argv, status);
}

int lu__finish(const struct app *app, const struct lu_options *o, const double *factors, int nodes,
	       double seconds)
{
	size_t n = (size_t)o->common.size;
	const struct app_result head = {
		"lu",  o->common.size, o->common.layout,
		nodes, seconds,	       app__hash(APP_HASH, factors, n * n * sizeof(*factors))};
	double off = blocks__check(factors, o->common.size);

	if (off == -1)
		return app__bad(app, "no memory to check the result: take a smaller --size");
	bool correct = off <= BLOCKS_TOLERANCE;
	app_result__print(&head, o->common.json);
	if (o->common.json)
		printf(",\"block\":%ld,\"deviation\":%.3g,\"tolerance\":%.3g,\"correct\":%s}\n", o->block,
		       off, BLOCKS_TOLERANCE, correct ? "true" : "false");
	else
		printf("%s: with blocks of %ld, the answer of a known system is off by %.3g at most (allowed "
		       "%.3g)\n",
		       correct ? "right" : "WRONG", o->block, off, BLOCKS_TOLERANCE);
	return correct ? 0 : 1;
}
