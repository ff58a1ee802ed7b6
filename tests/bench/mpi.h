/* SPDX-License-Identifier: BSD-2-Clause */
/* mpi.h - what the MPI twins of the apps share: start, end, and what they refuse. */
#ifndef TESTS_BENCH_MPI_H
#define TESTS_BENCH_MPI_H

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

#include "apps/common/options.h"

struct mpi {
	int rank, ranks;
};

/* MPI is as it comes: its errors end the run with its own message. */
static inline struct mpi mpi__start(int *argc, char ***argv)
{
	struct mpi m;

	MPI_Init(argc, argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &m.rank);
	MPI_Comm_size(MPI_COMM_WORLD, &m.ranks);
	return m;
}

static inline int mpi__end(int status)
{
	MPI_Finalize();
	return status;
}

/* --sequential is for the app itself. */
static inline int mpi__refuse(const struct app *app, const struct app_common *common)
{
	return common->sequential ? app__bad(app, "--sequential: run the app itself, or its sequential twin")
				  : 0;
}

/* Ends all ranks. */
__attribute__((noreturn)) static inline void mpi__no_memory(const struct app *app, const struct mpi *m)
{
	fprintf(stderr, "%s: rank %d has no memory: take a smaller --size\n", app->name, m->rank);
	MPI_Abort(MPI_COMM_WORLD, 1);
	exit(1); /* it has not returned; but its header does not say so */
}

static inline double mpi__now_together(void)
{
	MPI_Barrier(MPI_COMM_WORLD);
	return app__now();
}

#endif
