// SPDX-License-Identifier: BSD-2-Clause
/*
 * world.c - virtual presence: the avatars of all nodes walk through one shared scene.
 *
 * Node 0 reads the scene and lays out what is shared, in the order and the shape that come to mind first:
 * the terrain, one array with everybody's avatars, a statistics object for each node, one score. Then
 * each node moves its own avatars, step by step, and at the end node 0 goes through the books.
 */
#include <dsm.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "apps/common/sequential.h"
#include "apps/world/options.h"
#include "apps/world/show.h"
#include "apps/world/terminal.h"
#include "apps/world/world.h"

/* What a node counted by itself, outside the DSM. */
struct count {
	uint64_t steps, goals;
};

/* ---- setting up ---- */

static void build_terrain(const struct scene *s, const struct tile *tiles)
{
	long cells = (long)s->columns * s->rows;
	struct tile *terrain = dsm_new(struct tile, (size_t)cells);

	DSM_TX_FOR(i, 0, cells)
		*dsm_at(terrain, i) = tiles[i];
	dsm_root_set("terrain", terrain);
}

static void build_avatars(const struct scene *s, long nodes, long group)
{
	struct avatar *avatars = dsm_new(struct avatar, (size_t)(nodes * group));

	DSM_TX_FOR(i, 0, nodes * group)
		avatar__place(s, dsm_at(avatars, i), i, group);
	dsm_root_set("avatars", avatars);
}

/* A statistics object for each node, and a table to find them by. */
static void build_stats(long nodes)
{
	DSM_TX {
		struct stats **table = dsm_new_flat(struct stats *, (size_t)nodes);
		for (long i = 0; i < nodes; i++)
			table[i] = dsm_new(struct stats, 1);
		dsm_root_set("stats", table);
	}
}

/* Node 0 builds; the others find no scene when that failed. */
static int build(const struct app *app, const struct options *o)
{
	struct scene read;
	struct tile *tiles;
	int status = scene__read(app, o->scene, &read, &tiles);

	if (status)
		return status;
	build_terrain(&read, tiles);
	build_avatars(&read, dsm_nodes(), o->avatars);
	build_stats(dsm_nodes());
	DSM_TX {
		struct scene *scene = dsm_new(struct scene, 1);
		*scene = read;
		dsm_root_set("scene", scene);
		dsm_root_set("score", dsm_new(struct score, 1));
	}
	free(tiles);
	return 0;
}

static void enter(struct world *w, const struct options *o)
{
	*w = (struct world){.group = o->avatars, .seed = o->seed};
	DSM_TX {
		w->scene = *(struct scene *)dsm_root("scene");
		w->terrain = dsm_root("terrain");
		w->avatars = dsm_root("avatars");
		w->score = dsm_root("score");
		w->stats = ((struct stats **)dsm_root("stats"))[dsm_node()];
	}
}

/* ---- showing ---- */

/* The node that is to show the scene opens its terminal. If it cannot, all nodes will know by the next barrier. */
static void open_view(const struct app *app, const struct world *w)
{
	const struct app here = {app->name, true};

	if (terminal__open(&here) || show__begin(w, dsm_nodes()))
		dsm_root_set("blind", dsm_new(char, 1));
}

/* ---- walking ---- */

static void show_progress(const struct app *app, const struct world *w, const struct options *o,
			  double elapsed, const struct count *mine)
{
	struct score score;
	char text[64];
	double by_time = o->seconds ? elapsed / o->seconds : 0;
	double by_steps = o->steps ? (double)mine->steps / (double)o->steps : 0;

	dsm_peek(&score, w->score, sizeof(score));
	snprintf(text, sizeof(text), "%" PRIu64 " goals reached, last by %.15s", score.reached, score.last);
	app__progress(app, fmax(by_time, by_steps), text);
}

static struct count walk(const struct app *app, const struct world *w, const struct options *o)
{
	struct count mine = {0};
	double start = app__now(), elapsed = 0, shown = 0;
	long first = dsm_node() * w->group;

	while ((!o->steps || mine.steps < (uint64_t)o->steps) && (!o->seconds || elapsed < o->seconds)) {
		mine.goals += walk__step(w, first + (long)(mine.steps % (uint64_t)w->group));
		if (++mine.steps == (uint64_t)(APP_FIRST * w->group))
			dsm_phase("steady");
		dsm_progress(1);
		elapsed = app__now() - start;
		show__step(w, mine.steps, elapsed);
		if (o->show < 0 && elapsed - shown > 0.1) {
			shown = elapsed;
			if (app__progress_wanted(app))
				show_progress(app, w, o, elapsed, &mine);
		}
	}
	app__progress_end(app);
	show__end();
	return mine;
}

/* ---- the end ---- */

struct books {
	uint64_t steps, goals, own_steps, own_goals, score, by_goal;
	uint64_t avatar_steps, avatar_goals, positions; /* a hash */
	double metres;
	long lost; /* avatars outside the scene or in a wall */
};

static void add_avatar(const struct world *w, struct books *b, const struct avatar *a)
{
	const struct tile *t = world__tile(w, a->x, a->y);

	b->avatar_steps += a->steps;
	b->avatar_goals += (uint64_t)a->reached;
	b->lost += !t || t->way[0] == SCENE_WALL;
	b->positions = avatar__hash(b->positions, a);
}

/* Reads all the books in one transaction: they must agree as they stand together. */
static struct books close_books(const struct world *w, long nodes)
{
	struct books b = {.positions = APP_HASH};

	DSM_TX {
		struct stats **table = dsm_root("stats");
		for (long i = 0; i < nodes; i++) {
			b.steps += table[i]->steps;
			b.goals += table[i]->goals;
			b.own_steps += table[i]->own_steps;
			b.own_goals += table[i]->own_goals;
			b.metres += table[i]->metres;
		}
		b.score = w->score->reached;
		for (int i = 0; i < w->scene.ngoals; i++)
			b.by_goal += w->score->by_goal[i];
		for (long i = 0; i < nodes * w->group; i++)
			add_avatar(w, &b, dsm_at(w->avatars, i));
	}
	return b;
}

static int compare(const struct app *app, const char *what, uint64_t found, uint64_t expected)
{
	if (found == expected)
		return 0;
	fprintf(stderr, "%s: inconsistent: %s: %" PRIu64 " instead of %" PRIu64 "\n", app->name, what, found,
		expected);
	return 1;
}

static int audit(const struct app *app, const struct books *b)
{
	int wrong = 0;

	wrong |= compare(app, "steps in the statistics objects, by the nodes' own count", b->steps,
			 b->own_steps);
	wrong |= compare(app, "steps in the avatars", b->avatar_steps, b->own_steps);
	wrong |= compare(app, "goals in the statistics objects, by the nodes' own count", b->goals,
			 b->own_goals);
	wrong |= compare(app, "goals in the avatars", b->avatar_goals, b->own_goals);
	wrong |= compare(app, "the shared score", b->score, b->own_goals);
	wrong |= compare(app, "the shared score by goal", b->by_goal, b->own_goals);
	wrong |= compare(app, "avatars outside the scene or in a wall", (uint64_t)b->lost, 0);
	return wrong;
}

static void print_result(const struct world *w, const struct options *o, const struct books *b,
			 double seconds, bool consistent)
{
	double rate = seconds > 0 ? (double)b->own_steps / seconds : 0;

	if (o->json) {
		printf("{\"schema\":\"procope.world/1\",\"nodes\":%d,\"avatars\":%ld,\"seconds\":%.6f,"
		       "\"steps\":%" PRIu64 ",\"steps_per_s\":%.1f,\"goals\":%" PRIu64 ",\"metres\":%.3f,"
		       "\"positions\":\"%016" PRIx64 "\",\"consistent\":%s}\n",
		       dsm_nodes(), dsm_nodes() * w->group, seconds, b->own_steps, rate, b->own_goals,
		       b->metres, b->positions, consistent ? "true" : "false");
		return;
	}
	printf("world %s: %ld avatars of %d node%s, %.2f s: %" PRIu64 " steps (%.0f/s), %" PRIu64
	       " goals, %.1f km, positions %016" PRIx64 "\n",
	       w->scene.name, dsm_nodes() * w->group, dsm_nodes(), dsm_nodes() == 1 ? "" : "s", seconds,
	       b->own_steps, rate, b->own_goals, b->metres * 1e-3, b->positions);
	printf("world: %s\n", consistent ? "consistent" : "INCONSISTENT");
}

int main(int argc, char **argv)
{
	struct app app = {.name = "world", .speaks = dsm_node() == 0};
	struct options o;
	struct world w;
	int status, wrong = 0;

	if (options__read(&o, &app, argc, argv, &status))
		return status;
	if (o.sequential)
		return app__run_sequential(&app, dsm_nodes(), argv);
	if (o.show >= dsm_nodes())
		return app__bad(&app, "--show %d: this run has only the nodes 0 to %d", o.show,
				dsm_nodes() - 1);
	status = dsm_node() == 0 ? build(&app, &o) : 0;
	dsm_barrier();
	if (!dsm_root("score"))
		return APP_USAGE; /* node 0 has said why */

	enter(&w, &o);
	if (o.show == dsm_node())
		open_view(&app, &w);
	dsm_barrier();
	if (dsm_root("blind"))
		return APP_USAGE; /* that node has said why */
	dsm_phase("first");
	double start = app__now();
	struct count mine = walk(&app, &w, &o);
	DSM_TX_ON(w.stats) {
		w.stats->own_steps = mine.steps;
		w.stats->own_goals = mine.goals;
	}
	dsm_barrier();
	double seconds = app__now() - start;
	dsm_phase("result");
	if (dsm_node() == 0) {
		struct books b = close_books(&w, dsm_nodes());
		wrong = audit(&app, &b);
		print_result(&w, &o, &b, seconds, !wrong);
	}
	dsm_barrier(); /* the others keep serving pages until node 0 has read the books */
	return app__end(&app, wrong);
}
