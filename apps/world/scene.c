// SPDX-License-Identifier: BSD-2-Clause
#include "apps/world/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/common/lines.h"

struct reader {
	struct app_lines in;
	unsigned spawn_line[SCENE_SPAWNS], goal_line[SCENE_GOALS];
	struct scene *scene;
	struct tile *tiles;
};

/* Matches "WORD A B" and nothing else; -1 when the line is not so. */
static int two_numbers(const struct reader *r, const char *word, int *a, int *b)
{
	size_t n = strlen(word);
	int end = -1;

	if (strncmp(r->in.line, word, n) != 0 || r->in.line[n] != ' ')
		return -1;
	if (sscanf(r->in.line + n, " %6d %6d %n", a, b, &end) != 2 || end < 0 || r->in.line[n + (size_t)end])
		return -1;
	return 0;
}

static int read_size(struct reader *r)
{
	struct scene *s = r->scene;

	if (two_numbers(r, "size", &s->columns, &s->rows))
		return app_lines__bad(&r->in, r->in.number, "expected `size COLUMNS ROWS`, not \"%.40s\"",
				      r->in.line);
	if (s->columns < 4 || s->columns > SCENE_SIDE || s->rows < 4 || s->rows > SCENE_SIDE)
		return app_lines__bad(&r->in, r->in.number,
				      "a scene is 4 to %d cells wide and high, not %d x %d", SCENE_SIDE,
				      s->columns, s->rows);
	return 0;
}

static int read_spot(struct reader *r, const char *word, struct spot *spots, unsigned *lines, int *count,
		     int most)
{
	struct spot at;

	if (two_numbers(r, word, &at.column, &at.row))
		return app_lines__bad(&r->in, r->in.number, "expected `%s COLUMN ROW`, not \"%.40s\"", word,
				      r->in.line);
	if (!r->scene->columns)
		return app_lines__bad(&r->in, r->in.number, "`size` must come before `%s`", word);
	if (at.column < 0 || at.column >= r->scene->columns || at.row < 0 || at.row >= r->scene->rows)
		return app_lines__bad(&r->in, r->in.number,
				      "%s %d %d lies outside the scene of %d x %d cells", word, at.column,
				      at.row, r->scene->columns, r->scene->rows);
	if (*count == most)
		return app_lines__bad(&r->in, r->in.number, "more than %d lines `%s`", most, word);
	lines[*count] = r->in.number;
	spots[(*count)++] = at;
	return 0;
}

static int read_row(struct reader *r, int row)
{
	const struct scene *s = r->scene;

	if (!app_lines__next(&r->in))
		return app_lines__bad(&r->in, r->in.number, "the file ends after %d of %d rows of terrain",
				      row, s->rows);
	if (r->in.length != (size_t)s->columns)
		return app_lines__bad(&r->in, r->in.number,
				      "row %d of the terrain has %zu cells, the scene is %d wide", row,
				      r->in.length, s->columns);
	for (int column = 0; column < s->columns; column++) {
		struct tile *t = &r->tiles[row * s->columns + column];
		char c = r->in.line[column];
		if (c != '.' && c != '#' && (c < '1' || c > '9'))
			return app_lines__bad(&r->in, r->in.number,
					      "cell %d is '%c' (0x%02x); known are `.`, `1` to `9` and `#`",
					      column, c >= ' ' && c < 127 ? c : '?', (unsigned char)c);
		t->height = c >= '1' && c <= '9' ? 0.5f * (float)(c - '0') : 0;
		memset(t->way, c == '#' ? 0xff : 0, sizeof(t->way));
	}
	return 0;
}

static int read_terrain(struct reader *r)
{
	const struct scene *s = r->scene;
	int rc = 0;

	if (!s->columns)
		return app_lines__bad(&r->in, r->in.number, "`size` must come before `terrain`");
	if (r->tiles)
		return app_lines__bad(&r->in, r->in.number, "a second terrain");
	r->tiles = calloc((size_t)s->columns * (size_t)s->rows, sizeof(*r->tiles));
	if (!r->tiles)
		return app_lines__bad(&r->in, r->in.number, "no memory for a scene of %d x %d cells",
				      s->columns, s->rows);
	for (int row = 0; row < s->rows && !rc; row++)
		rc = read_row(r, row);
	return rc;
}

static int read_statements(struct reader *r)
{
	struct scene *s = r->scene;
	int rc = 0;

	if (!app_lines__next_statement(&r->in) || strcmp(r->in.line, "scene 1") != 0)
		return app_lines__bad(&r->in, r->in.number ? r->in.number : 1,
				      "a scene begins with the line `scene 1`");
	while (!rc) {
		if (!app_lines__next_statement(&r->in))
			return app_lines__bad(&r->in, r->in.number,
					      "the file ends without the line `end`: it is cut short");
		if (!strcmp(r->in.line, "end"))
			break;
		if (!strncmp(r->in.line, "name ", 5)) {
			if (r->in.length - 5 >= sizeof(s->name))
				return app_lines__bad(&r->in, r->in.number,
						      "a name has at most %zu characters",
						      sizeof(s->name) - 1);
			memcpy(s->name, r->in.line + 5, r->in.length - 4);
		} else if (!strncmp(r->in.line, "size", 4) && !s->columns) {
			rc = read_size(r);
		} else if (!strncmp(r->in.line, "spawn", 5)) {
			rc = read_spot(r, "spawn", s->spawn, r->spawn_line, &s->nspawns, SCENE_SPAWNS);
		} else if (!strncmp(r->in.line, "goal", 4)) {
			rc = read_spot(r, "goal", s->goal, r->goal_line, &s->ngoals, SCENE_GOALS);
		} else if (!strcmp(r->in.line, "terrain")) {
			rc = read_terrain(r);
		} else {
			rc = app_lines__bad(&r->in, r->in.number, "not a statement of a scene: \"%.40s\"",
					    r->in.line);
		}
	}
	return rc;
}

/* Tenths of a metre from one cell to its neighbour; climbing costs as much as 2 m for each metre up. */
static unsigned stride_cost(const struct tile *from, const struct tile *to, bool diagonal)
{
	float climb = to->height - from->height;

	return (diagonal ? 14u : 10u) + (climb > 0 ? (unsigned)(20 * climb) : 0);
}

/* Shortens the cell's way by a step to each neighbour. Returns whether that changed it. */
static bool relax_way(const struct scene *s, struct tile *tiles, int goal, int column, int row)
{
	struct tile *t = &tiles[row * s->columns + column];
	bool shorter = false;

	for (int dr = -1; dr <= 1; dr++)
		for (int dc = -1; dc <= 1; dc++) {
			int c = column + dc, r = row + dr;
			if ((!dr && !dc) || c < 0 || r < 0 || c >= s->columns || r >= s->rows)
				continue;
			const struct tile *next = &tiles[r * s->columns + c];
			if (next->way[goal] == SCENE_WALL)
				continue;
			unsigned way = next->way[goal] + stride_cost(t, next, dr && dc);
			if (way < t->way[goal]) {
				t->way[goal] = (uint16_t)way;
				shorter = true;
			}
		}
	return shorter;
}

/* Sweeps to and fro until no way gets shorter; a plain scene needs a handful of sweeps. */
static void find_ways(const struct scene *s, struct tile *tiles, int goal, const bool *wall)
{
	int cells = s->columns * s->rows;
	bool again = true;

	for (int i = 0; i < cells; i++)
		tiles[i].way[goal] = SCENE_WALL;
	tiles[s->goal[goal].row * s->columns + s->goal[goal].column].way[goal] = 0;
	while (again) {
		again = false;
		for (int i = 0; i < cells; i++)
			if (!wall[i])
				again |= relax_way(s, tiles, goal, i % s->columns, i / s->columns);
		for (int i = cells - 1; i >= 0; i--)
			if (!wall[i])
				again |= relax_way(s, tiles, goal, i % s->columns, i / s->columns);
	}
}

static int check_spots(const struct reader *r)
{
	const struct scene *s = r->scene;

	if (!r->tiles)
		return app_lines__bad(&r->in, r->in.number, "the scene has no `terrain`");
	if (!s->nspawns)
		return app_lines__bad(&r->in, r->in.number, "the scene has no `spawn`: nobody could start");
	if (s->ngoals < 2)
		return app_lines__bad(&r->in, r->in.number,
				      "the scene has %d `goal`; avatars walk between at least 2", s->ngoals);
	for (int i = 0; i < s->nspawns; i++)
		if (r->tiles[s->spawn[i].row * s->columns + s->spawn[i].column].way[0] == SCENE_WALL)
			return app_lines__bad(&r->in, r->spawn_line[i], "this spawn point is in a wall");
	for (int i = 0; i < s->ngoals; i++)
		if (r->tiles[s->goal[i].row * s->columns + s->goal[i].column].way[0] == SCENE_WALL)
			return app_lines__bad(&r->in, r->goal_line[i], "this goal is in a wall");
	return 0;
}

static int check_ways(const struct reader *r)
{
	const struct scene *s = r->scene;

	for (int g = 0; g < s->ngoals; g++)
		for (int i = 0; i < s->nspawns; i++) {
			const struct spot *at = &s->spawn[i];
			if (r->tiles[at->row * s->columns + at->column].way[g] == SCENE_WALL)
				return app_lines__bad(
					&r->in, r->goal_line[g],
					"no way leads to this goal from the spawn point in line %u",
					r->spawn_line[i]);
		}
	return 0;
}

static int build_ways(struct reader *r)
{
	const struct scene *s = r->scene;
	int cells = s->columns * s->rows;
	bool *wall = calloc((size_t)cells, sizeof(*wall));

	if (!wall)
		return app_lines__bad(&r->in, r->in.number, "no memory for a scene of %d x %d cells",
				      s->columns, s->rows);
	for (int i = 0; i < cells; i++)
		wall[i] = r->tiles[i].way[0] == SCENE_WALL;
	for (int g = 0; g < s->ngoals; g++)
		find_ways(s, r->tiles, g, wall);
	free(wall);
	return check_ways(r);
}

int scene__read(const struct app *app, const char *path, struct scene *out, struct tile **tiles)
{
	struct reader r = {.scene = out};
	int rc;

	memset(out, 0, sizeof(*out));
	*tiles = NULL;
	rc = app_lines__open(&r.in, app, path, "scene", "--scene");
	if (rc)
		return rc;
	rc = read_statements(&r);
	if (!rc)
		rc = check_spots(&r);
	if (!rc)
		rc = build_ways(&r);
	if (rc)
		free(r.tiles);
	else
		*tiles = r.tiles;
	app_lines__close(&r.in);
	return rc;
}
