// SPDX-License-Identifier: BSD-2-Clause
/*
 * sor_mpi.c - SOR written for MPI by hand: the yardstick for what the DSM costs. Same kernel, same object file, same
 * result to the bit. Each rank keeps its block of rows and a copy of the row before and after it; after each
 * half-sweep neighbours exchange the cells that have changed there.
 */
#include <stdlib.h>

#include "apps/common/rows.h"
#include "apps/sor/options.h"
#include "tests/bench/mpi.h"

struct part {
	struct grid grid;
	size_t pitch;
	long first, end; /* rows of this rank; row i is at i - first + 1, for there is one more before them */
	int before, after; /* neighbours, or MPI_PROC_NULL */
	double *colour[2]; /* in the natural layout both are the same array */
};

static struct grid_row row(const struct part *p, long i)
{
	size_t at = (size_t)(i - p->first + 1) * (p->pitch / sizeof(double));

	return (struct grid_row){{p->colour[0] + at, p->colour[1] + at}};
}

/* The cells that neighbours need after a half-sweep. */
static void exchange(const struct part *p, int colour)
{
	int bytes = (int)p->pitch;

	MPI_Sendrecv(row(p, p->first).colour[colour], bytes, MPI_BYTE, p->before, 0,
		     row(p, p->end).colour[colour], bytes, MPI_BYTE, p->after, 0, MPI_COMM_WORLD,
		     MPI_STATUS_IGNORE);
	MPI_Sendrecv(row(p, p->end - 1).colour[colour], bytes, MPI_BYTE, p->after, 1,
		     row(p, p->first - 1).colour[colour], bytes, MPI_BYTE, p->before, 1, MPI_COMM_WORLD,
		     MPI_STATUS_IGNORE);
}

static void iterate(const struct part *p, const struct sor_options *o, const struct app *app)
{
	long n = (long)p->grid.n;

	for (long k = 0; k < o->iterations; k++) {
		for (int colour = 0; colour < 2 && p->first < p->end; colour++) {
			for (long i = p->first > 1 ? p->first : 1; i < p->end && i < n - 1; i++)
				grid__relax_row(&p->grid, row(p, i), row(p, i - 1), row(p, i + 1), (size_t)i,
						colour);
			exchange(p, colour);
		}
		app__progress(app, (double)(k + 1) / (double)o->iterations, "iterations");
	}
	app__progress_end(app);
}

/* Rank 0 takes all rows in order. */
static void reduce(const struct part *p, const struct mpi *m, struct grid_sum *sum)
{
	long n = (long)p->grid.n;
	int bytes = (int)p->pitch;
	struct grid_row other = {{malloc(p->pitch), malloc(p->pitch)}}, mine;

	if (!other.colour[0] || !other.colour[1])
		MPI_Abort(MPI_COMM_WORLD, 1);
	grid_sum__init(sum);
	for (long i = 0; i < n; i++) {
		int owner = (int)rows__owner(n, m->ranks, i);
		if (m->rank == owner) {
			mine = row(p, i);
			if (owner == 0)
				grid_sum__row(sum, &p->grid, mine, (size_t)i);
			for (int c = 0; c < 2 && owner; c++)
				MPI_Send(mine.colour[c], bytes, MPI_BYTE, 0, 2, MPI_COMM_WORLD);
		} else if (m->rank == 0) {
			struct grid_row got = other;
			for (int c = 0; c < 2; c++)
				MPI_Recv(got.colour[c], bytes, MPI_BYTE, owner, 2, MPI_COMM_WORLD,
					 MPI_STATUS_IGNORE);
			grid_sum__row(sum, &p->grid, got, (size_t)i);
		}
	}
	free(other.colour[0]);
	free(other.colour[1]);
}

static int run(const struct mpi *m, int argc, char **argv)
{
	struct app app = {.name = "sor-mpi", .speaks = m->rank == 0};
	struct sor_result r = {.nodes = m->ranks};
	struct sor_options o;
	int status;

	if (sor_options__read(&o, &app, argc, argv, &status))
		return status;
	if ((status = mpi__refuse(&app, &o.common)))
		return status;
	if (o.misalign)
		return app__bad(&app, "--misalign: with MPI rows have no home");
	long n = o.common.size, ranks = m->ranks;
	struct part p = {.grid = {(size_t)n, o.common.layout},
			 .first = rows__block(n, ranks, m->rank),
			 .end = rows__block(n, ranks, m->rank + 1)};
	p.pitch = grid__row_bytes(&p.grid);
	p.before = p.first > 0 && p.first < p.end ? (int)rows__owner(n, ranks, p.first - 1) : MPI_PROC_NULL;
	p.after = p.end < n && p.first < p.end ? (int)rows__owner(n, ranks, p.end) : MPI_PROC_NULL;
	bool tuned = o.common.layout == APP_TUNED;
	p.colour[0] = calloc((size_t)(p.end - p.first) + 2, p.pitch);
	p.colour[1] = tuned ? calloc((size_t)(p.end - p.first) + 2, p.pitch) : p.colour[0];
	if (!p.colour[0] || !p.colour[1])
		mpi__no_memory(&app, m);
	for (long i = p.first > 0 ? p.first - 1 : 0; i <= p.end && i < n; i++)
		grid__fill_row(&p.grid, row(&p, i), (size_t)i);

	double start = mpi__now_together();
	iterate(&p, &o, &app);
	r.seconds = mpi__now_together() - start;
	reduce(&p, m, &r.sum);
	if (m->rank == 0)
		sor_result__print(&r, &o);
	if (tuned)
		free(p.colour[1]);
	free(p.colour[0]);
	return app__end(&app, 0);
}

int main(int argc, char **argv)
{
	struct mpi m = mpi__start(&argc, &argv);

	return mpi__end(run(&m, argc, argv));
}
