/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * world.h - what the nodes of a virtual world share, and one node's view of it.
 */
#ifndef APPS_WORLD_WORLD_H
#define APPS_WORLD_WORLD_H

#include <stdint.h>

#include "apps/world/scene.h"

/* ---- in the DSM ---- */

struct avatar {
	char name[16];
	double x, y;	/* metres from the scene's top left corner */
	double heading; /* radians, 0 = to the right, growing downwards */
	double speed;	/* metres a step */
	double energy;	/* 0 ... 100 */
	double walked;	/* metres since the start */
	int goal;	/* the one it walks to now */
	int reached;	/* goals so far */
	uint64_t steps;
};

struct stats { /* one object for each node */
	uint64_t steps;
	uint64_t goals;
	double metres;
	double climbed;		       /* metres up */
	uint64_t own_steps, own_goals; /* what the node itself counted outside the DSM, written at the end */
};

struct score { /* one for all */
	uint64_t reached;
	uint64_t by_goal[SCENE_GOALS];
	char last[16]; /* the avatar that came last */
};

/* ---- private to each node ---- */

struct world {
	struct scene scene;	/* a copy: it never changes */
	struct tile *terrain;	/* columns x rows */
	struct avatar *avatars; /* `group` for each node, in order of the nodes */
	struct stats *stats;	/* this node's */
	struct score *score;
	long group; /* avatars of a node */
	uint64_t seed;
};

/* An avatar where it starts / the hash h with where it stands added. index: among all, group: avatars of a node. */
void avatar__place(const struct scene *s, struct avatar *a, long index, long group);
uint64_t avatar__hash(uint64_t h, const struct avatar *a);

/* Moves an avatar of this node one step, as one transaction. Returns whether it reached its goal. */
bool walk__step(const struct world *w, long index);

/* The tile under a point in metres, or NULL outside the scene. */
const struct tile *world__tile(const struct world *w, double x, double y);

#endif
