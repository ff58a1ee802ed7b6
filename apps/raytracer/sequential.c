// SPDX-License-Identifier: BSD-2-Clause
/* sequential.c - the ray tracer in one process with private memory: the yardstick. Links no DSM. */
#include <stdlib.h>

#include "apps/raytracer/options.h"

int main(int argc, char **argv)
{
	struct app app = {.name = "raytracer-sequential", .speaks = true};
	struct raytracer_options o;
	struct scene scene;
	FILE *file;
	int status;

	/* The layout means nothing here: nobody else is on these pages. */
	if (raytracer_options__read(&o, &app, argc, argv, &status))
		return status;
	long size = o.common.size;
	status = raytracer__prepare(&app, &o, &scene, &file);
	if (status)
		return status;
	uint32_t *pixels = calloc((size_t)size * (size_t)size, sizeof(*pixels));
	if (!pixels) {
		free(scene.sphere);
		return app__bad(&app, "no memory for a picture of %ld x %ld pixels: take a smaller --size",
				size, size);
	}
	double start = app__now();
	for (long y = 0; y < size; y++) {
		trace__row(&scene, size, y, pixels + y * size);
		app__progress(&app, (double)(y + 1) / (double)size, "rows");
	}
	app__progress_end(&app);
	status = raytracer__finish(&app, &o, &scene, file, pixels, 0, app__now() - start);
	free(pixels);
	free(scene.sphere);
	return app__end(&app, status);
}
