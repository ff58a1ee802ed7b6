// SPDX-License-Identifier: BSD-2-Clause
/*
 * raytracer_mpi.c - the ray tracer written for MPI by hand: the yardstick for what the DSM costs. Same kernel, same
 * object file, same result to the bit. Rank 0 reads the scene and sends it to all; rows are dealt in turn, and
 * rank 0 takes them when all are done.
 */
#include <stdlib.h>

#include "apps/raytracer/options.h"
#include "tests/bench/mpi.h"

/* Every rank gets the scene, or the status with which all end. */
static int share_scene(const struct app *app, const struct mpi *m, struct scene *scene, int status)
{
	MPI_Bcast(&status, 1, MPI_INT, 0, MPI_COMM_WORLD);
	if (status)
		return status;
	struct sphere *mine = scene->sphere;
	MPI_Bcast(scene, sizeof(*scene), MPI_BYTE, 0, MPI_COMM_WORLD);
	size_t bytes = (size_t)scene->nspheres * sizeof(struct sphere);
	scene->sphere = m->rank == 0 ? mine : malloc(bytes);
	if (!scene->sphere)
		mpi__no_memory(app, m);
	MPI_Bcast(scene->sphere, (int)bytes, MPI_BYTE, 0, MPI_COMM_WORLD);
	return 0;
}

static void render(const struct mpi *m, const struct scene *scene, long size, uint32_t *pixels,
		   const struct app *app)
{
	for (long y = m->rank; y < size; y += m->ranks) {
		trace__row(scene, size, y, pixels + y * size);
		app__progress(app, (double)(y + 1) / (double)size, "rows of this rank");
	}
	app__progress_end(app);
}

static void gather(const struct mpi *m, long size, uint32_t *pixels)
{
	for (long y = 0; y < size; y++) {
		int owner = (int)(y % m->ranks);
		if (m->rank == 0 && owner)
			MPI_Recv(pixels + y * size, (int)size, MPI_UINT32_T, owner, 2, MPI_COMM_WORLD,
				 MPI_STATUS_IGNORE);
		else if (m->rank == owner && owner)
			MPI_Send(pixels + y * size, (int)size, MPI_UINT32_T, 0, 2, MPI_COMM_WORLD);
	}
}

static int run(const struct mpi *m, int argc, char **argv)
{
	struct app app = {.name = "raytracer-mpi", .speaks = m->rank == 0};
	struct raytracer_options o;
	struct scene scene = {0};
	FILE *file = NULL;
	int status;

	if (raytracer_options__read(&o, &app, argc, argv, &status))
		return status;
	if ((status = mpi__refuse(&app, &o.common)))
		return status;
	if (m->rank == 0)
		status = raytracer__prepare(&app, &o, &scene, &file);
	if ((status = share_scene(&app, m, &scene, status)))
		return status;
	long size = o.common.size;
	uint32_t *pixels = calloc((size_t)size * (size_t)size, sizeof(*pixels));
	if (!pixels)
		mpi__no_memory(&app, m);
	double start = mpi__now_together();
	render(m, &scene, size, pixels, &app);
	double seconds = mpi__now_together() - start;
	gather(m, size, pixels);
	if (m->rank == 0)
		status = raytracer__finish(&app, &o, &scene, file, pixels, m->ranks, seconds);
	MPI_Bcast(&status, 1, MPI_INT, 0, MPI_COMM_WORLD);
	free(scene.sphere);
	free(pixels);
	return app__end(&app, status);
}

int main(int argc, char **argv)
{
	struct mpi m = mpi__start(&argc, &argv);

	return mpi__end(run(&m, argc, argv));
}
