// SPDX-License-Identifier: BSD-2-Clause
/*
 * walk.c - one step of one avatar.
 *
 * The terrain knows how far each cell is from each goal, so the way is never lost. Around the shortest
 * direction the avatar compares a fan of paths: each is followed over the ground for some metres, and
 * costs what it climbs, what it leaves of the way and how close it comes to others of the group.
 */
#include <dsm.h>

#include <math.h>
#include <string.h>

#include "apps/world/world.h"

#define FAN	    15	 /* paths compared */
#define FAN_ANGLE   0.14 /* radians between two of them */
#define LOOK_AHEAD  12.0 /* metres */
#define LOOK_STRIDE 0.25 /* metres between two looks at the ground */
#define GROUP_SEEN  16	 /* others that an avatar minds */
#define ARM_LENGTH  1.5	 /* metres; nearer than that is uncomfortable */
#define GOAL_RADIUS 12	 /* tenths of a metre of way left: it has arrived */

struct point {
	double x, y;
};

struct others {
	int count;
	struct point at[GROUP_SEEN];
};

const struct tile *world__tile(const struct world *w, double x, double y)
{
	long column = (long)floor(x), row = (long)floor(y);

	if (column < 0 || row < 0 || column >= w->scene.columns || row >= w->scene.rows)
		return NULL;
	return dsm_at(w->terrain, row * w->scene.columns + column);
}

/* The ground between the middles of four tiles, so that slopes are smooth. Walls stand on their tile's
 * height, and the scene's edge goes on level. */
static double ground(const struct world *w, double x, double y)
{
	double u = fmax(0, fmin(x - 0.5, w->scene.columns - 1)),
	       v = fmax(0, fmin(y - 0.5, w->scene.rows - 1));
	long column = (long)u, row = (long)v, columns = w->scene.columns;
	long right = column + 1 < columns, below = row + 1 < w->scene.rows ? columns : 0;
	long at = row * columns + column;
	double fx = u - (double)column, fy = v - (double)row;
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a world always has its terrain */
	double top = dsm_at(w->terrain, at)->height * (1 - fx) + dsm_at(w->terrain, at + right)->height * fx;
	double low = dsm_at(w->terrain, at + below)->height * (1 - fx) +
		     dsm_at(w->terrain, at + below + right)->height * fx;

	return top * (1 - fy) + low * fy;
}

/* SplitMix64's mixing: a well spread number from a place in a sequence, with no state to keep. */
static uint64_t mixed(uint64_t n)
{
	n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9ull;
	n = (n ^ (n >> 27)) * 0x94d049bb133111ebull;
	return n ^ (n >> 31);
}

/* Where the others of the group stand who are near enough to matter on the path ahead. */
static struct others look_around(const struct world *w, long index, struct point from)
{
	long first = index - index % w->group;
	struct others o = {.count = 0};

	for (long i = first; i < first + w->group && o.count < GROUP_SEEN; i++) {
		const struct avatar *a = dsm_at(w->avatars, i);
		struct point at = {.x = a->x, .y = a->y};
		if (i != index && fabs(at.x - from.x) + fabs(at.y - from.y) < LOOK_AHEAD + ARM_LENGTH)
			o.at[o.count++] = at;
	}
	return o;
}

static double crowding(const struct others *o, double x, double y)
{
	double sum = 0;

	for (int i = 0; i < o->count; i++) {
		double dx = o->at[i].x - x, dy = o->at[i].y - y, d2 = dx * dx + dy * dy;
		if (d2 < ARM_LENGTH * ARM_LENGTH)
			sum += ARM_LENGTH - sqrt(d2);
	}
	return sum;
}

/* Follows a straight path over the ground. */
static double path_cost(const struct world *w, const struct others *o, struct point at, int goal,
			double heading)
{
	double dx = cos(heading) * LOOK_STRIDE, dy = sin(heading) * LOOK_STRIDE;
	double cost = 0, height = ground(w, at.x, at.y);
	unsigned way = world__tile(w, at.x, at.y)->way[goal];

	for (double ahead = LOOK_STRIDE; ahead <= LOOK_AHEAD; ahead += LOOK_STRIDE) {
		const struct tile *t = world__tile(w, at.x += dx, at.y += dy);
		if (!t || t->way[goal] == SCENE_WALL)
			return cost + 40 * (LOOK_AHEAD - ahead + 1) + way;
		double before = height;
		height = ground(w, at.x, at.y);
		cost += 20 * fmax(0, height - before) + 4 * crowding(o, at.x, at.y);
		way = t->way[goal];
		if (way <= GOAL_RADIUS)
			break;
	}
	return cost + way;
}

/* The middle of the neighbouring cell that is nearest to the goal: going there always leads on. */
static struct point next_cell(const struct world *w, struct point at, int goal)
{
	unsigned best = SCENE_WALL;
	struct point middle = at;

	for (int dr = -1; dr <= 1; dr++)
		for (int dc = -1; dc <= 1; dc++) {
			struct point p = {.x = floor(at.x) + dc + 0.5, .y = floor(at.y) + dr + 0.5};
			const struct tile *t = world__tile(w, p.x, p.y);
			if (t && t->way[goal] < best) {
				best = t->way[goal];
				middle = p;
			}
		}
	return middle;
}

/* Turns to the cheapest of the paths around the shortest one. */
static void turn(const struct world *w, struct avatar *a, const struct others *o, struct point at,
		 struct point next)
{
	double shortest = atan2(next.y - at.y, next.x - at.x), before = a->heading;
	double best = INFINITY, heading = shortest;
	int goal = a->goal;

	for (int i = 0; i < FAN; i++) {
		double candidate = shortest + (i - FAN / 2) * FAN_ANGLE;
		double cost = path_cost(w, o, at, goal, candidate) +
			      3 * fabs(remainder(candidate - before, 2 * M_PI));
		if (cost < best) {
			best = cost;
			heading = candidate;
		}
	}
	a->heading = remainder(heading, 2 * M_PI);
}

/* Returns the metres climbed. */
static double advance(const struct world *w, struct avatar *a, struct point at, struct point next)
{
	struct point to = {.x = at.x + cos(a->heading) * a->speed, .y = at.y + sin(a->heading) * a->speed};
	const struct tile *t = world__tile(w, to.x, to.y);

	if (!t || t->way[a->goal] == SCENE_WALL)
		to = next; /* cutting a corner: walk through the cell's middle */
	a->walked += hypot(to.x - at.x, to.y - at.y);
	a->x = to.x;
	a->y = to.y;
	return fmax(0, ground(w, to.x, to.y) - ground(w, at.x, at.y));
}

static void tire(struct avatar *a, double climbed)
{
	a->energy = fmax(10, a->energy - 0.05 * a->speed - 0.5 * climbed);
	a->speed = 0.6 + 0.008 * a->energy;
}

/* It has come to its goal: everybody's score counts it, then it picks another. */
static void arrive(const struct world *w, struct avatar *a, long index)
{
	DSM_TX_ON(w->score) {
		w->score->reached++;
		w->score->by_goal[a->goal]++;
		memcpy(w->score->last, a->name, sizeof(w->score->last));
	}
	w->stats->goals++;
	a->reached++;
	a->energy = 100;
	int other = 1 + (int)(mixed(w->seed + ((uint64_t)index << 32) + (uint64_t)a->reached) %
			      (uint64_t)(w->scene.ngoals - 1));
	a->goal = (a->goal + other) % w->scene.ngoals;
}

bool walk__step(const struct world *w, long index)
{
	bool arrived = false;

	/* Its group and the statistics are this node's own; only the score is everybody's. */
	DSM_TX_ON(w->stats) {
		struct avatar *a = dsm_at(w->avatars, index);
		struct point at = {.x = a->x, .y = a->y}, next = next_cell(w, at, a->goal);
		struct others o = look_around(w, index, at);
		double walked = a->walked;

		turn(w, a, &o, at, next);
		double climbed = advance(w, a, at, next);
		tire(a, climbed);
		a->steps++;
		w->stats->steps++;
		w->stats->metres += a->walked - walked;
		w->stats->climbed += climbed;
		arrived = world__tile(w, a->x, a->y)->way[a->goal] <= GOAL_RADIUS;
		if (arrived)
			arrive(w, a, index);
	}
	return arrived;
}
