/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * picture.h - the scene as a grid of characters, from above. Pure: no terminal and no DSM in it.
 */
#ifndef APPS_WORLD_PICTURE_H
#define APPS_WORLD_PICTURE_H

#include <stdint.h>

#include "apps/world/world.h"

/* How a character is shown. The avatars of node n have PICTURE_NODE + n % PICTURE_NODES. */
enum picture_style { PICTURE_PLAIN, PICTURE_WALL, PICTURE_HILL, PICTURE_GOAL, PICTURE_BAR, PICTURE_NODE };
#define PICTURE_NODES 6

struct picture_cell {
	char ch; /* ASCII */
	uint8_t style;
};

struct picture {
	int width, height;
	struct picture_cell *cells; /* row by row */
	double scale;		    /* tiles to a column; a row is two columns high */
};

/* Makes it fit a terminal of this size, empty; zero it before the first call. Returns 0 or -ENOMEM. */
int picture__fit(struct picture *p, int width, int height, const struct scene *scene);
void picture__free(struct picture *p);

/* The ground, its walls and goals: all that an avatar can stand before. The first and the last row are for text. */
void picture__ground(struct picture *p, const struct scene *scene, const struct tile *tiles);
/* An avatar of this node; 0 ... 9, a ... z and so on are the nodes. Outside the scene it draws nothing. */
void picture__avatar(struct picture *p, const struct scene *scene, const struct avatar *a, int node);
/* A row of text, to its end; row -1 is the last one. Control bytes become `?`. */
void picture__text(struct picture *p, int row, const char *text);

#endif
