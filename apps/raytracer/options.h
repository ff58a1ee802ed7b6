/* SPDX-License-Identifier: BSD-2-Clause */
/* options.h - command line and results, the same for all programs of the ray tracer. */
#ifndef APPS_RAYTRACER_OPTIONS_H
#define APPS_RAYTRACER_OPTIONS_H

#include <limits.h>

#include "apps/common/options.h"
#include "apps/raytracer/picture.h"
#include "apps/raytracer/trace.h"

struct raytracer_options {
	struct app_common common;
	const char *scene; /* never NULL after reading */
	const char *output;
	char own_scene[PATH_MAX];
};

/* Returns 0 to go on, or -1 when the program is to end at once with *status. */
int raytracer_options__read(struct raytracer_options *o, const struct app *app, int argc, char **argv,
			    int *status);

/* What is done before the work, by the process that speaks: reads the scene, opens the output (*file, or NULL).
 * Returns 0, or an exit status after a message; then nothing is left to free. */
int raytracer__prepare(const struct app *app, const struct raytracer_options *o, struct scene *scene,
		       FILE **file);

/* And after: prints the result of size x size pixels, and writes the picture. Returns the exit status. nodes: 0 in the
 * sequential program. */
int raytracer__finish(const struct app *app, const struct raytracer_options *o, const struct scene *scene,
		      FILE *file, const uint32_t *pixels, int nodes, double seconds);

#endif
