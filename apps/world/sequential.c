// SPDX-License-Identifier: BSD-2-Clause
/*
 * sequential.c - the world in one process with private memory: the yardstick for the parallel program. It links the same
 * object file with the avatars' step, and no DSM: what that file calls of dsm.h is below.
 *
 * The avatars of --groups nodes walk, by turns. What an avatar does depends on its group alone, so they end where those of
 * as many nodes do.
 */
#include <dsm.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "apps/world/options.h"
#include "apps/world/world.h"

/* ---- what a transaction is where nobody else is: its block, once ---- */

int dsm__tx_begin(const char *place)
{
	(void)place;
	return 1;
}

int dsm__tx_begin_on(const void *object);
int dsm__tx_begin_on(const void *object)
{
	(void)object;
	return 1;
}

void dsm__tx_leave(int *live)
{
	(void)live;
}

void *dsm__at(const void *array, size_t index, size_t size)
{
	return (char *)array + index * size;
}

/* ---- the walk ---- */

struct alone {
	struct world world; /* of the group that walks */
	struct stats *stats;
	struct score score;
	long groups;
};

static int enter(struct alone *a, const struct options *o, const struct app *app)
{
	struct world *w = &a->world;
	int status = scene__read(app, o->scene, &w->scene, &w->terrain);

	if (status)
		return status;
	a->groups = o->groups;
	w->group = o->avatars;
	w->seed = o->seed;
	w->score = &a->score;
	w->avatars = calloc((size_t)(a->groups * w->group), sizeof(*w->avatars));
	a->stats = calloc((size_t)a->groups, sizeof(*a->stats));
	if (!w->avatars || !a->stats)
		return app__bad(app, "no memory for %ld avatars", a->groups * w->group);
	for (long i = 0; i < a->groups * w->group; i++)
		avatar__place(&w->scene, &w->avatars[i], i, w->group);
	return 0;
}

/* Returns how many steps each group has made. */
static uint64_t walk(struct alone *a, const struct options *o, const struct app *app)
{
	struct world *w = &a->world;
	double start = app__now(), elapsed = 0;
	uint64_t steps = 0;

	while ((!o->steps || steps < (uint64_t)o->steps) && (!o->seconds || elapsed < o->seconds)) {
		for (long g = 0; g < a->groups; g++) {
			w->stats = &a->stats[g];
			walk__step(w, g * w->group + (long)(steps % (uint64_t)w->group));
		}
		steps++;
		elapsed = app__now() - start;
		app__progress(app, o->seconds ? elapsed / o->seconds : (double)steps / (double)o->steps,
			      "of the walk");
	}
	app__progress_end(app);
	return steps;
}

static void print_result(const struct alone *a, const struct options *o, uint64_t steps, double seconds)
{
	const struct world *w = &a->world;
	uint64_t positions = APP_HASH, all = steps * (uint64_t)a->groups;
	double rate = seconds > 0 ? (double)all / seconds : 0, metres = 0;

	for (long i = 0; i < a->groups * w->group; i++)
		positions = avatar__hash(positions, &w->avatars[i]);
	for (long g = 0; g < a->groups; g++)
		metres += a->stats[g].metres;
	if (o->json)
		printf("{\"schema\":\"procope.world/"
		       "1\",\"nodes\":0,\"groups\":%ld,\"avatars\":%ld,\"seconds\":%.6f,"
		       "\"steps\":%" PRIu64 ",\"steps_per_s\":%.1f,\"goals\":%" PRIu64 ",\"metres\":%.3f,"
		       "\"positions\":\"%016" PRIx64 "\"}\n",
		       a->groups, a->groups * w->group, seconds, all, rate, a->score.reached, metres,
		       positions);
	else
		printf("world %s, sequential: %ld avatars, %.2f s: %" PRIu64 " steps (%.0f/s), %" PRIu64
		       " goals, %.1f km, positions %016" PRIx64 "\n",
		       w->scene.name, a->groups * w->group, seconds, all, rate, a->score.reached,
		       metres * 1e-3, positions);
}

int main(int argc, char **argv)
{
	struct app app = {.name = "world-sequential", .speaks = true};
	struct alone a = {0};
	struct options o;
	int status;

	if (options__read(&o, &app, argc, argv, &status))
		return status;
	status = o.show >= 0 ? app__bad(&app, "--show is for runs with the DSM") : enter(&a, &o, &app);
	if (!status) {
		double start = app__now();
		uint64_t steps = walk(&a, &o, &app);
		print_result(&a, &o, steps, app__now() - start);
	}
	free(a.world.terrain);
	free(a.world.avatars);
	free(a.stats);
	return app__end(&app, status);
}
