// SPDX-License-Identifier: BSD-2-Clause
/*
 * raytracer.c - Java Grande's ray tracer on a picture that all nodes share.
 *
 * Rows are dealt to the nodes in turn, as in Java Grande's own parallel version: neighbouring rows cost about
 * the same, so all nodes have about the same to do, without a counter that all would fight for. Each row makes
 * sense as a transaction of its own. Tuned: nodes take rows while they draw (deal.h), since cores are not equally
 * fast, even if they are of one kind. Node 0 reads the scene and puts it into the DSM, where all only read it; the others need no
 * file.
 */
#include <dsm.h>

#include <stdlib.h>
#include <string.h>

#include "apps/common/parts.h"
#include "apps/common/sequential.h"
#include "apps/raytracer/deal.h"
#include "apps/raytracer/options.h"

static void publish(const struct scene *read)
{
	size_t n = (size_t)read->nspheres;

	DSM_TX {
		struct scene *scene = dsm_new(struct scene, 1);
		*scene = *read;
		scene->sphere = dsm_new_flat(struct sphere, n);
		memcpy(scene->sphere, read->sphere, n * sizeof(*read->sphere));
		dsm_root_set("scene", scene);
	}
}

/* A row takes milliseconds; it is put into the picture when it is ready, so that its page is in use for a moment only and
 * not while another node writes the next row, which lies on the same page. Nobody reads the picture before the barrier, and
 * nobody writes the scene: the loop is independent. line: of a row, private. */
static void render(const struct scene *scene, const struct rows *rows, uint32_t *line, const struct app *app)
{
	long mine = (rows->count - dsm_node() + rows->nodes - 1) / rows->nodes;

	/* A loop of loops, so that the bar moves: progress is not for the inside of transactions. */
	for (long first = 0; first < mine; first += 64) {
		if (first)
			dsm_phase("steady");
		long end = first + 64 < mine ? first + 64 : mine;
		DSM_TX_FOR_INDEPENDENT(k, first, end) {
			long y = k * rows->nodes + dsm_node();
			trace__row(scene, rows->count, y, line);
			memcpy(rows__at(rows, y), line, rows->pitch);
			dsm_progress(1);
		}
		app__progress(app, (double)end / (double)mine, "rows of this node");
	}
	app__progress_end(app);
}

/* Both layouts: where the picture is, and who draws what. */
struct canvas {
	bool tuned;
	struct rows rows;
	struct deal deal;
};

static void open_canvas(struct canvas *c, const struct raytracer_options *o)
{
	long size = o->common.size;

	c->tuned = o->common.layout == APP_TUNED;
	if (c->tuned) {
		deal__open(&c->deal, size);
		return;
	}
	c->rows = (struct rows){.order = ROWS_FLAT,
				.count = size,
				.nodes = dsm_nodes(),
				.pitch = (size_t)size * sizeof(uint32_t)};
	parts__rows("picture", &c->rows, parts__new_rows(uint32_t, &c->rows));
}

/* The scene as the other nodes have it, to be read outside transactions. Returns what the caller frees; NULL: no memory. */
static struct sphere *copy_scene(struct scene *copy, const struct scene *scene)
{
	dsm_peek(copy, scene, sizeof(*copy));
	size_t bytes = (size_t)copy->nspheres * sizeof(struct sphere);
	struct sphere *spheres = malloc(bytes);
	if (spheres)
		dsm_peek(spheres, copy->sphere, bytes);
	copy->sphere = spheres;
	return spheres;
}

static int finish(const struct app *app, const struct raytracer_options *o, const struct canvas *c,
		  const struct scene *read, FILE *file, double seconds)
{
	long size = o->common.size;
	size_t row = (size_t)size * sizeof(uint32_t);
	uint32_t *pixels = malloc((size_t)size * row);

	if (!pixels)
		return app__bad(app, "no memory for a copy of the picture: take a smaller --size");
	if (c->tuned)
		deal__gather(&c->deal, pixels);
	else
		for (long y = 0; y < size; y++)
			dsm_peek(pixels + y * size, rows__at(&c->rows, y), row);
	int status = raytracer__finish(app, o, read, file, pixels, dsm_nodes(), seconds);
	free(pixels);
	return status;
}

int main(int argc, char **argv)
{
	struct app app = {.name = "raytracer", .speaks = dsm_node() == 0};
	struct raytracer_options o;
	struct scene read = {0}, copy;
	struct canvas canvas;
	FILE *file = NULL;
	int status;

	if (raytracer_options__read(&o, &app, argc, argv, &status))
		return status;
	if (o.common.sequential)
		return app__run_sequential(&app, dsm_nodes(), argv);

	if (dsm_node() == 0 && !(status = raytracer__prepare(&app, &o, &read, &file)))
		publish(&read);
	dsm_barrier();
	const struct scene *scene = dsm_root("scene");
	if (!scene)
		return APP_USAGE; /* node 0 has said why */
	uint32_t *line = malloc((size_t)o.common.size * sizeof(*line));
	struct sphere *spheres = copy_scene(&copy, scene);
	if (!line || !spheres) {
		free(line);
		free(spheres);
		return app__bad(&app, "no memory for a row and the scene: take a smaller --size");
	}
	open_canvas(&canvas, &o);
	dsm_barrier();

	dsm_phase("first");
	double start = app__now();
	if (canvas.tuned)
		deal__draw(&canvas.deal, &copy, line, &app);
	else
		render(scene, &canvas.rows, line, &app);
	dsm_barrier();
	double seconds = app__now() - start;
	dsm_phase("result");
	if (dsm_node() == 0)
		status = finish(&app, &o, &canvas, &read, file, seconds);
	free(line);
	free(spheres);
	free(read.sphere);
	dsm_barrier(); /* the others keep serving pages until node 0 has read them */
	return app__end(&app, status);
}
