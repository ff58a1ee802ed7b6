// SPDX-License-Identifier: BSD-2-Clause
#include "apps/sor/options.h"

#include <stdio.h>
#include <string.h>

static const char usage_text[] =
	"Usage: dsmrun -n NODES sor [OPTION]...     or     sor --sequential [OPTION]...\n"
	"Successive over-relaxation (Java Grande's definition, red-black order) of one matrix that all "
	"nodes\n"
	"share, and its checksum, which is the same to the bit for any number of nodes.\n\n"
	"      --size N          rows and columns (default 1000)\n"
	"      --iterations K    sweeps over the matrix (default 100)\n"
	"      --layout natural  one C array in row order, at home on node 0: the rows at the border of two "
	"nodes'\n"
	"                        blocks share pages, and red and black cells do (the default)\n"
	"      --layout tuned    red and black cells in arrays of their own, each row on pages of its own, "
	"at home on\n"
	"                        the node that computes it\n"
	"      --misalign R      with the tuned layout: the first R rows of each block are at home on the "
	"node\n"
	"                        before (default 0)\n"
	"      --sequential      run sor-sequential: one process, the same arithmetic, no DSM linked\n"
	"      --json            print the result as one JSON object (schema procope.sor/1)\n"
	"  -h, --help            this text\n"
	"      --version         version\n\n"
	"Exit code: 0; 1 the result could not be written; 2 bad usage.\n";

int sor_options__read(struct sor_options *o, const struct app *app, int argc, char **argv, int *status)
{
	*o = (struct sor_options){.common.size = 1000, .iterations = 100};
	const struct app_option table[] = {
		/* beyond 2^20 the matrix alone would be 8 TiB */
		APP_COMMON_OPTIONS(&o->common, 1l << 20),
		{"iterations", APP_NUMBER, &o->iterations, 0, 1000000000},
		{"misalign", APP_NUMBER, &o->misalign, 0, 1l << 20},
		{0},
	};

	if (app_options__read(app, usage_text, table, argc, argv, status))
		return -1;
	if (o->misalign && o->common.layout != APP_TUNED) {
		*status = app__bad(app,
				   "--misalign needs --layout tuned: in the natural layout all rows are at "
				   "home on node 0");
		return -1;
	}
	return 0;
}

void sor_result__print(const struct sor_result *r, const struct sor_options *o)
{
	uint64_t bits;
	long size = o->common.size;
	double inner = size > 2 ? (double)(size - 2) : 0;
	double rate = r->seconds > 0 ? inner * inner * (double)o->iterations / r->seconds : 0;

	memcpy(&bits, &r->sum.inner, sizeof(bits));
	const struct app_result head = {"sor", size, o->common.layout, r->nodes, r->seconds, bits};
	app_result__print(&head, o->common.json);
	if (o->common.json)
		printf(",\"iterations\":%ld,\"misalign\":%ld,\"updates_per_s\":%.0f,\"sum\":%.17g,"
		       "\"cells\":\"%016llx\"}\n",
		       o->iterations, o->misalign, rate, r->sum.inner, (unsigned long long)r->sum.cells);
	else
		printf("%ld iterations, %.1f million updates/s, sum %.17g, cells %016llx\n", o->iterations,
		       rate * 1e-6, r->sum.inner, (unsigned long long)r->sum.cells);
}
