// SPDX-License-Identifier: BSD-2-Clause
/* sequential.c - branch and bound in one process with private memory: the yardstick. Links no DSM. */
#include <stdlib.h>

#include "apps/tsp/options.h"

int main(int argc, char **argv)
{
	struct app app = {.name = "tsp-sequential", .speaks = true};
	struct tsp_options o;
	struct cities cities;
	struct tour found;
	int status;
	long count;

	if (tsp_options__read(&o, &app, argc, argv, &status))
		return status;
	cities__make(&cities, (int)o.common.size, (uint64_t)o.seed);
	struct work *work = cities__work(&cities, &count);
	if (!work)
		return app__bad(&app, "no memory");
	double start = app__now();
	struct tour best = cities__greedy(&cities);
	for (long i = 0; i < count; i++) {
		cities__search(&cities, &work[i], &best, &found);
		if (found.length < best.length)
			best = found;
		app__progress(&app, (double)(i + 1) / (double)count, "pieces of work");
	}
	app__progress_end(&app);
	status = tsp__finish(&best, &cities, &o, count, 0, app__now() - start);
	free(work);
	return app__end(&app, status);
}
