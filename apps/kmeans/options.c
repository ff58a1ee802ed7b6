// SPDX-License-Identifier: BSD-2-Clause
#include "apps/kmeans/options.h"

#include <inttypes.h>
#include <stdio.h>

static const char usage_text[] =
	"Usage: dsmrun -n NODES kmeans [OPTION]...     or     kmeans --sequential [OPTION]...\n"
	"Lloyd's k-means: each node assigns its block of points to the nearest centres and adds them up, "
	"node 0 moves\n"
	"the centres, until no point changes its cluster. Whole numbers: the same result for any number of "
	"nodes.\n\n"
	"      --size N          points, of 8 coordinates each (default 20000)\n"
	"      --clusters K      clusters, at most 256 (default 16)\n"
	"      --iterations I    at most so many (default 20)\n"
	"      --layout natural  one array of points, one of labels, and one of all nodes' sums, where nodes "
	"add\n"
	"                        side by side (the default)\n"
	"      --layout tuned    each node's points, labels and sums on pages of its own, at home there\n"
	"      --sequential      run kmeans-sequential: one process, the same arithmetic, no DSM linked\n"
	"      --json            print the result as one JSON object (schema procope.kmeans/1)\n"
	"  -h, --help            this text\n"
	"      --version         version\n\n"
	"Exit code: 0; 1 the result could not be written; 2 bad usage.\n";

int kmeans_options__read(struct kmeans_options *o, const struct app *app, int argc, char **argv, int *status)
{
	*o = (struct kmeans_options){.common.size = 20000, .clusters = 16, .iterations = 20};
	const struct app_option table[] = {
		APP_COMMON_OPTIONS(&o->common, 1l << 30),
		{"clusters", APP_NUMBER, &o->clusters, 1, KMEANS_CLUSTERS},
		{"iterations", APP_NUMBER, &o->iterations, 1, 1000000},
		{0},
	};

	if (app_options__read(app, usage_text, table, argc, argv, status))
		return -1;
	if (o->clusters > o->common.size) {
		*status =
			app__bad(app, "%ld clusters of %ld points: take fewer --clusters or a larger --size",
				 o->clusters, o->common.size);
		return -1;
	}
	return 0;
}

void kmeans_result__print(const struct kmeans_result *r, const struct kmeans_options *o)
{
	const struct app_result head = {"kmeans", o->common.size, o->common.layout,
					r->nodes, r->seconds,	  r->hash};

	app_result__print(&head, o->common.json);
	printf(o->common.json ? ",\"clusters\":%ld,\"iterations\":%ld,\"moved_last\":%" PRId64
				",\"distance\":%" PRId64 "}\n"
			      : "%ld clusters, %ld iterations, %" PRId64
				" points moved in the last, sum of squared "
				"distances %" PRId64 "\n",
	       o->clusters, r->iterations, r->last.moved, r->last.distance);
}
