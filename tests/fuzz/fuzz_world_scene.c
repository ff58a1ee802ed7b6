// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_world_scene.c - any bytes as a scene of the world: either refused with a message, or one in which every start
 * and every goal lies inside, on ground from which all goals are reached.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "apps/world/scene.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_spot(const struct scene *s, const struct tile *tiles, struct spot at)
{
	if (at.column < 0 || at.column >= s->columns || at.row < 0 || at.row >= s->rows)
		abort();
	if (tiles[at.row * s->columns + at.column].way[0] == SCENE_WALL)
		abort();
}

static void check(const struct scene *s, const struct tile *tiles)
{
	if (strlen(s->name) >= sizeof(s->name) || s->columns < 4 || s->columns > SCENE_SIDE || s->rows < 4 ||
	    s->rows > SCENE_SIDE || s->nspawns < 1 || s->nspawns > SCENE_SPAWNS || s->ngoals < 2 ||
	    s->ngoals > SCENE_GOALS)
		abort();
	for (int i = 0; i < s->nspawns; i++)
		check_spot(s, tiles, s->spawn[i]);
	if (tiles[s->goal[0].row * s->columns + s->goal[0].column].way[0] != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct app app = {.name = "fuzz"}; /* messages are built, not printed */
	static int fd = -1;
	static char path[64];
	struct scene scene;
	struct tile *tiles;

	if (fd < 0) {
		fd = memfd_create("scene", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	if (!scene__read(&app, path, &scene, &tiles)) {
		check(&scene, tiles);
		free(tiles);
	} else if (tiles) {
		abort();
	}
	return 0;
}
