// SPDX-License-Identifier: BSD-2-Clause
#include "apps/world/picture.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void put(struct picture *p, int column, int row, char ch, enum picture_style style)
{
	if (column >= 0 && row >= 0 && column < p->width && row < p->height)
		p->cells[row * p->width + column] =
			(struct picture_cell){ch >= ' ' && ch < 127 ? ch : '?', (uint8_t)style};
}

int picture__fit(struct picture *p, int width, int height, const struct scene *scene)
{
	int rows = height > 3 ? height - 2 : 1;
	struct picture_cell *cells = calloc((size_t)width * (size_t)height, sizeof(*cells));

	if (!cells)
		return -ENOMEM;
	free(p->cells);
	*p = (struct picture){width, height, cells,
			      fmax((double)scene->columns / width, (double)scene->rows / (2.0 * rows))};
	for (int i = 0; i < width * height; i++)
		cells[i].ch = ' ';
	return 0;
}

void picture__free(struct picture *p)
{
	free(p->cells);
	*p = (struct picture){0};
}

static int column_of(const struct picture *p, double x)
{
	return (int)floor(x / p->scale);
}

static int row_of(const struct picture *p, double y)
{
	return 1 + (int)floor(y / (2 * p->scale));
}

static void put_tile(struct picture *p, int column, int row, const struct tile *t)
{
	static const char heights[] = " .,:;-=+*";
	int height = (int)lrintf(t->height * 2);

	if (t->way[0] == SCENE_WALL)
		put(p, column, row, '#', PICTURE_WALL);
	else if (height < 1)
		put(p, column, row, ' ', PICTURE_PLAIN);
	else
		put(p, column, row, heights[height < 9 ? height : 8], PICTURE_HILL);
}

void picture__ground(struct picture *p, const struct scene *scene, const struct tile *tiles)
{
	for (int row = 1; row < p->height - 1; row++)
		for (int column = 0; column < p->width; column++) {
			/* the tile under the character's middle */
			long x = (long)((column + 0.5) * p->scale), y = (long)((row - 0.5) * 2 * p->scale);
			if (x < scene->columns && y < scene->rows)
				put_tile(p, column, row, &tiles[y * scene->columns + x]);
			else
				put(p, column, row, ' ', PICTURE_PLAIN);
		}
	for (int i = 0; i < scene->ngoals; i++) {
		int row = row_of(p, scene->goal[i].row + 0.5);
		if (row < p->height - 1)
			put(p, column_of(p, scene->goal[i].column + 0.5), row, (char)('A' + i), PICTURE_GOAL);
	}
}

void picture__avatar(struct picture *p, const struct scene *scene, const struct avatar *a, int node)
{
	static const char names[] = "0123456789abcdefghijklmnopqrstuvwxyz";

	/* Written so that a NaN is outside, too. */
	if (!(a->x >= 0 && a->x < scene->columns && a->y >= 0 && a->y < scene->rows))
		return;
	int row = row_of(p, a->y);
	if (row < p->height - 1)
		put(p, column_of(p, a->x), row, names[node % (int)(sizeof(names) - 1)],
		    (enum picture_style)(PICTURE_NODE + node % PICTURE_NODES));
}

void picture__text(struct picture *p, int row, const char *text)
{
	if (row < 0)
		row += p->height;
	for (int column = 0; column < p->width; column++)
		put(p, column, row, *text ? *text++ : ' ', PICTURE_BAR);
}
