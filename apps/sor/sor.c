// SPDX-License-Identifier: BSD-2-Clause
/*
 * sor.c - red-black successive over-relaxation on a matrix that all nodes share.
 *
 * Each node owns a block of rows. A half-sweep updates the cells of one colour from cells of the other
 * colour only, so the rows of a half-sweep make sense as transactions of their own, in any order; the
 * barrier between two half-sweeps is what the algorithm itself asks for. The matrix is one plain C array
 * in row order, so the last row of a node and the first of the next usually meet on a page.
 */
#include <dsm.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apps/sor/sor_options.h"

struct block { /* of rows: first ... end - 1 */
	long first, end;
};

static struct block rows_of(int node, int nodes, long size)
{
	return (struct block){.first = size * node / nodes, .end = size * (node + 1) / nodes};
}

static void fill(double *cells, long n, struct block rows)
{
	DSM_TX_FOR(i, rows.first, rows.end)
		grid__fill_row(cells + i * n, (size_t)n, (size_t)i);
}

static void half_sweep(double *cells, long n, struct block rows, int colour)
{
	long first = rows.first > 1 ? rows.first : 1;
	long end = rows.end < n - 1 ? rows.end : n - 1;

	DSM_TX_FOR(i, first, end) {
		grid__relax_row(cells + i * n, (size_t)n, (size_t)i, colour);
		dsm_progress(1);
	}
}

static void iterate(double *cells, const struct sor_options *o, struct block rows, const struct app *app)
{
	for (long k = 0; k < o->iterations; k++) {
		for (int colour = 0; colour < 2; colour++) {
			half_sweep(cells, o->size, rows, colour);
			dsm_barrier();
		}
		app__progress(app, (double)(k + 1) / (double)o->iterations, "iterations");
	}
	app__progress_end(app);
}

/* One node reads everything in one order: the sum's last bits depend on it. */
static struct grid_sum reduce(const double *cells, long n)
{
	struct grid_sum sum;

	grid_sum__init(&sum);
	DSM_TX_FOR(i, 0, n)
		grid_sum__row(&sum, cells + i * n, (size_t)n, (size_t)i);
	return sum;
}

/* The yardstick is a program of its own, so that no part of the DSM is in its process. It is a child, not
 * an exec in place, because a node that vanishes in the middle of a run is an error to dsmrun. */
static int run_sequential(const struct app *app, char **argv)
{
	char path[4096];
	int status;

	if (dsm_nodes() > 1)
		return app__bad(app, "--sequential is one process: start it without dsmrun");
	int rc = app__own_file(path, sizeof(path), "sor-sequential");
	if (rc)
		return app__bad(app, "cannot find sor-sequential beside this program: %s (make builds it)",
				strerror(-rc));
	pid_t child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGTERM); /* it ends with us, however we end */
		execv(path, argv);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return app__bad(app, "cannot start %s: %s", path, strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) != 127)
		return WEXITSTATUS(status);
	return app__bad(app, WIFEXITED(status) ? "cannot run %s" : "%s was ended by a signal", path);
}

int main(int argc, char **argv)
{
	struct app app = {.name = "sor", .speaks = dsm_node() == 0};
	struct sor_result r = {.nodes = dsm_nodes()};
	struct sor_options o;
	int status;

	if (sor_options__read(&o, &app, argc, argv, &status))
		return status;
	if (o.sequential)
		return run_sequential(&app, argv);

	size_t count = (size_t)o.size * (size_t)o.size;
	if (dsm_node() == 0)
		dsm_root_set("matrix", dsm_new_flat(double, count));
	dsm_barrier();
	double *cells = dsm_root("matrix");
	struct block rows = rows_of(dsm_node(), dsm_nodes(), o.size);
	fill(cells, o.size, rows);
	dsm_barrier();

	double start = app__now();
	iterate(cells, &o, rows, &app);
	r.seconds = app__now() - start;
	if (dsm_node() == 0) {
		r.sum = reduce(cells, o.size);
		sor_result__print(&r, &o);
	}
	dsm_barrier(); /* the others keep serving pages until node 0 has read them */
	return 0;
}
