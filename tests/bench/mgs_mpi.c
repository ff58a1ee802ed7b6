// SPDX-License-Identifier: BSD-2-Clause
/*
 * mgs_mpi.c - modified Gram-Schmidt written for MPI by hand: the yardstick for what the DSM costs. Same kernel, same
 * object file, same result to the bit. Rows are dealt in turn; who has normalised one sends it to all.
 */
#include <stdlib.h>
#include <string.h>

#include "apps/common/rows.h"
#include "apps/mgs/options.h"
#include "tests/bench/mpi.h"

/* Row i in its rank's memory; rows is all of this rank's. */
static double *row(double *rows, const struct mpi *m, long n, long i)
{
	return rows + (size_t)(i / m->ranks) * (size_t)n;
}

static void orthogonalise(double *rows, const struct mpi *m, long n, double *unit, const struct app *app)
{
	for (long i = 0; i < n; i++) {
		int owner = (int)(i % m->ranks);
		if (m->rank == owner) {
			vectors__normalise(row(rows, m, n, i), (size_t)n);
			memcpy(unit, row(rows, m, n, i), (size_t)n * sizeof(*unit));
		}
		MPI_Bcast(unit, (int)n, MPI_DOUBLE, owner, MPI_COMM_WORLD);
		for (long j = i + 1; j < n; j++)
			if (j % m->ranks == m->rank)
				vectors__orthogonalise(row(rows, m, n, j), unit, (size_t)n);
		app__progress(app, (double)(i + 1) / (double)n, "rows");
	}
	app__progress_end(app);
}

/* Rank 0 takes all rows in order. */
static void check_rows(double *rows, const struct mpi *m, long n, double *other, struct vectors_check *check)
{
	for (long i = 0; i < n; i++) {
		int owner = (int)(i % m->ranks);
		if (m->rank == 0 && owner == 0) {
			vectors_check__row(check, row(rows, m, n, i));
		} else if (m->rank == 0) {
			MPI_Recv(other, (int)n, MPI_DOUBLE, owner, 2, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
			vectors_check__row(check, other);
		} else if (m->rank == owner) {
			MPI_Send(row(rows, m, n, i), (int)n, MPI_DOUBLE, 0, 2, MPI_COMM_WORLD);
		}
	}
}

static int run(const struct mpi *m, int argc, char **argv)
{
	struct app app = {.name = "mgs-mpi", .speaks = m->rank == 0};
	struct vectors_check check = {0};
	struct mgs_options o;
	int status;

	if (mgs_options__read(&o, &app, argc, argv, &status))
		return status;
	if ((status = mpi__refuse(&app, &o.common)))
		return status;
	long n = o.common.size;
	double *rows = calloc((size_t)(n / m->ranks + 1) * (size_t)n, sizeof(double));
	double *unit = malloc((size_t)n * sizeof(double));
	if (!rows || !unit || (m->rank == 0 && vectors_check__open(&check, (size_t)n)))
		mpi__no_memory(&app, m);
	for (long i = m->rank; i < n; i += m->ranks)
		vectors__fill_row(row(rows, m, n, i), (size_t)n, (size_t)i);

	double start = mpi__now_together();
	orthogonalise(rows, m, n, unit, &app);
	double seconds = mpi__now_together() - start;
	check_rows(rows, m, n, unit, &check);
	if (m->rank == 0)
		status = mgs__finish(&check, &o, m->ranks, seconds);
	MPI_Bcast(&status, 1, MPI_INT, 0, MPI_COMM_WORLD);
	free(rows);
	free(unit);
	return app__end(&app, status);
}

int main(int argc, char **argv)
{
	struct mpi m = mpi__start(&argc, &argv);

	return mpi__end(run(&m, argc, argv));
}
