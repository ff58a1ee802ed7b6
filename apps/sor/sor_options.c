// SPDX-License-Identifier: BSD-2-Clause
#include "apps/sor/sor_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage_text[] =
	"Usage: dsmrun -n NODES sor [OPTION]...     or     sor --sequential [OPTION]...\n"
	"Successive over-relaxation (Java Grande's definition, red-black order) of one matrix that all "
	"nodes\n"
	"share, and its checksum, which is the same to the bit for any number of nodes.\n\n"
	"      --size N          rows and columns (default 1000)\n"
	"      --iterations K    sweeps over the matrix (default 100)\n"
	"      --sequential      run sor-sequential: one process, the same arithmetic, no DSM linked\n"
	"      --json            print the result as one JSON object (schema procope.sor/1)\n"
	"  -h, --help            this text\n"
	"      --version         version\n\n"
	"Exit code: 0; 2 bad usage.\n";

enum { OPT_SIZE = 256, OPT_ITERATIONS, OPT_SEQUENTIAL, OPT_JSON, OPT_VERSION };

static const struct option option_table[] = {
	{"size", required_argument, NULL, OPT_SIZE},
	{"iterations", required_argument, NULL, OPT_ITERATIONS},
	{"sequential", no_argument, NULL, OPT_SEQUENTIAL},
	{"json", no_argument, NULL, OPT_JSON},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPT_VERSION},
	{0},
};

static int end_with(int *status, int value)
{
	*status = value;
	return -1;
}

int sor_options__read(struct sor_options *o, const struct app *app, int argc, char **argv, int *status)
{
	int code;

	*o = (struct sor_options){.size = 1000, .iterations = 100};
	opterr = 0;
	while ((code = getopt_long(argc, argv, ":h", option_table, NULL)) != -1) {
		int bad = 0;
		switch (code) {
		case OPT_SIZE: /* beyond 2^20 the matrix alone would be 8 TiB */
			bad = app__integer(app, "--size", optarg, 1, 1l << 20, &o->size);
			break;
		case OPT_ITERATIONS:
			bad = app__integer(app, "--iterations", optarg, 0, 1000000000, &o->iterations);
			break;
		case OPT_SEQUENTIAL:
			o->sequential = true;
			break;
		case OPT_JSON:
			o->json = true;
			break;
		case 'h':
			if (app->speaks)
				fputs(usage_text, stdout);
			return end_with(status, 0);
		case OPT_VERSION:
			if (app->speaks)
				printf("%s (Procope) " APP_VERSION "\n", app->name);
			return end_with(status, 0);
		default:
			bad = app__bad_option(app, code, argv);
		}
		if (bad)
			return end_with(status, bad);
	}
	if (optind < argc)
		return end_with(status, app__bad(app, "takes no argument: \"%s\"", argv[optind]));
	return 0;
}

void sor_result__print(const struct sor_result *r, const struct sor_options *o)
{
	unsigned long long bits;
	double inner = o->size > 2 ? (double)(o->size - 2) : 0;
	double rate = r->seconds > 0 ? inner * inner * (double)o->iterations / r->seconds : 0;

	memcpy(&bits, &r->sum.inner, sizeof(bits));
	if (o->json) {
		printf("{\"schema\":\"procope.sor/1\",\"size\":%ld,\"iterations\":%ld,\"nodes\":%d,"
		       "\"seconds\":%.6f,\"updates_per_s\":%.0f,\"sum\":%.17g,\"checksum\":\"%016llx\","
		       "\"cells\":\"%016llx\"}\n",
		       o->size, o->iterations, r->nodes, r->seconds, rate, r->sum.inner, bits,
		       (unsigned long long)r->sum.cells);
		return;
	}
	printf("sor %ld x %ld, %ld iterations, ", o->size, o->size, o->iterations);
	if (r->nodes)
		printf("%d node%s", r->nodes, r->nodes == 1 ? "" : "s");
	else
		printf("sequential");
	printf(": %.3f s, %.1f million updates/s\n", r->seconds, rate * 1e-6);
	printf("checksum %016llx (sum %.17g), cells %016llx\n", bits, r->sum.inner,
	       (unsigned long long)r->sum.cells);
}
