// SPDX-License-Identifier: BSD-2-Clause
#include "apps/raytracer/options.h"

#include <inttypes.h>
#include <stdlib.h>

static const char usage_text[] =
	"Usage: dsmrun -n NODES raytracer [OPTION]...     or     raytracer --sequential [OPTION]...\n"
	"Java Grande's ray tracer: a picture of 64 spheres that all nodes share, rows dealt in turn, and its "
	"checksum,\n"
	"which is the same to the bit for any number of nodes.\n\n"
	"      --size N          pixels to a side (default 150)\n"
	"      --scene FILE      the scene (default spheres.scene, which comes with the program)\n"
	"      --output FILE     write the picture as PNG\n"
	"      --layout natural  one C array of pixels in row order, at home on node 0: neighbouring rows "
	"belong to\n"
	"                        different nodes and share pages (the default)\n"
	"      --layout tuned    nodes take blocks of rows while they draw, smaller ones towards the end, so "
	"that "
	"none\n"
	"                        waits for a slower one; a node's rows one after the other, on pages at home "
	"there\n"
	"      --sequential      run raytracer-sequential: one process, the same arithmetic, no DSM linked\n"
	"      --json            print the result as one JSON object (schema procope.raytracer/1)\n"
	"  -h, --help            this text\n"
	"      --version         version\n\n"
	"Exit code: 0; 1 the result could not be written; 2 bad usage, a bad scene, or a picture that cannot "
	"be\n"
	"written.\n";

int raytracer_options__read(struct raytracer_options *o, const struct app *app, int argc, char **argv,
			    int *status)
{
	*o = (struct raytracer_options){.common.size = 150};
	const struct app_option table[] = {
		APP_COMMON_OPTIONS(&o->common, 1l << 15),
		{"scene", APP_TEXT, &o->scene, 0, 0},
		{"output", APP_TEXT, &o->output, 0, 0},
		{0},
	};

	if (app_options__read(app, usage_text, table, argc, argv, status))
		return -1;
	if (!o->scene) {
		o->scene = o->own_scene;
		if (app__own_file(o->own_scene, sizeof(o->own_scene), "scenes/spheres.scene")) {
			*status =
				app__bad(app, "cannot find scenes/spheres.scene beside this program: name a "
					      "scene with --scene FILE");
			return -1;
		}
	}
	return 0;
}

int raytracer__prepare(const struct app *app, const struct raytracer_options *o, struct scene *scene,
		       FILE **file)
{
	int status = scene__read(app, o->scene, scene);

	*file = NULL;
	if (!status && o->output) {
		status = picture__open(app, o->output, file);
		if (status)
			free(scene->sphere);
	}
	return status;
}

int raytracer__finish(const struct app *app, const struct raytracer_options *o, const struct scene *scene,
		      FILE *file, const uint32_t *pixels, int nodes, double seconds)
{
	long size = o->common.size, count = size * size;
	const struct app_result head = {
		"raytracer", size,    o->common.layout,
		nodes,	     seconds, app__hash(APP_HASH, pixels, (size_t)count * sizeof(*pixels))};
	uint64_t sum = trace__checksum(pixels, count);

	app_result__print(&head, o->common.json);
	if (o->common.json)
		printf(",\"spheres\":%d,\"lights\":%d,\"pixel_sum\":%" PRIu64 "}\n", scene->nspheres,
		       scene->nlights, sum);
	else
		printf("%d spheres, %d lights, sum of all pixels %" PRIu64 "\n", scene->nspheres,
		       scene->nlights, sum);
	return file ? picture__write(app, o->output, file, pixels, size) : 0;
}
