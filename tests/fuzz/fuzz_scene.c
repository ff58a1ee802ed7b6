// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_scene.c - any bytes as a scene of the ray tracer: either refused with a message, or a scene that can be
 * rendered, in which every number is in its range.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "apps/raytracer/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct scene *s)
{
	uint32_t pixels[3];

	if (strlen(s->name) >= sizeof(s->name) || s->nlights < 1 || s->nlights > SCENE_LIGHTS ||
	    s->nspheres < 1 || s->nspheres > SCENE_SPHERES)
		abort();
	for (int i = 0; i < s->nspheres; i++)
		if (!(s->sphere[i].radius > 0) || !(s->sphere[i].surface.index > 0) ||
		    !isfinite(vec__length(s->sphere[i].centre)))
			abort();
	if (s->nspheres > 50) /* a ray may split seven times */
		return;
	trace__row(s, 3, 1, pixels);
	for (int i = 0; i < 3; i++)
		if (pixels[i] >> 24)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct app app = {.name = "fuzz"}; /* messages are built, not printed */
	static int fd = -1;
	static char path[64];
	struct scene scene;

	if (fd < 0) {
		fd = memfd_create("scene", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	if (!scene__read(&app, path, &scene)) {
		check(&scene);
		free(scene.sphere);
	} else if (scene.sphere) {
		abort();
	}
	return 0;
}
