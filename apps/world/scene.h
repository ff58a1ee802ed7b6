/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scene.h - a scene file: the ground that avatars walk on. Private memory only; the world copies it into
 * the DSM.
 *
 * The format is text, one statement a line, `#` at a line's start begins a comment:
 *
 *	scene 1                 first: format and its version
 *	name plaza              at most 31 characters
 *	size COLUMNS ROWS       of the terrain, 4 ... 256 each; a cell is a square of 1 m
 *	spawn COLUMN ROW        where avatars start; 1 ... 16 of them, counted from 0 at the top left
 *	goal COLUMN ROW         where they walk to; 2 ... 6 of them, each reachable from each spawn point
 *	terrain                 then ROWS lines of COLUMNS characters: `.` ground at height 0, `1` ... `9`
 *	                        ground that many half metres up, `#` a wall
 *	end                     last
 */
#ifndef APPS_WORLD_SCENE_H
#define APPS_WORLD_SCENE_H

#include <stddef.h>
#include <stdint.h>

#include "apps/common/app.h"

#define SCENE_GOALS  6
#define SCENE_SPAWNS 16
#define SCENE_SIDE   256
#define SCENE_WALL   UINT16_MAX /* a tile's way, where there is none */

struct spot {
	int column, row;
};

struct tile {
	float height;		   /* metres */
	uint16_t way[SCENE_GOALS]; /* to each goal, in tenths of a metre walked; SCENE_WALL: none */
};

/* All of a scene but its tiles. */
struct scene {
	char name[32];
	int columns, rows, nspawns, ngoals;
	struct spot spawn[SCENE_SPAWNS], goal[SCENE_GOALS];
};

/* Reads a scene; tiles (malloc'ed, row by row) is the caller's to free. Returns 0, or APP_USAGE after a
 * message naming file, line and remedy. */
int scene__read(const struct app *app, const char *path, struct scene *out, struct tile **tiles);

#endif
