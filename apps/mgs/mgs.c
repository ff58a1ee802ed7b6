// SPDX-License-Identifier: BSD-2-Clause
/*
 * mgs.c - modified Gram-Schmidt on a matrix that all nodes share.
 *
 * Rows are dealt to the nodes in turn, so that all have work until the end. Each step one row, just normalised by
 * its node, is read by all: one producer, all others consumers. The barrier between says that it is ready. No
 * second one is needed: row i + 1 is normalised by the node that has just worked on it, and row i never changes
 * again. So between two barriers nodes read row i and write rows of their own, which nobody reads: all blocks are
 * independent.
 */
#include <dsm.h>

#include <errno.h>
#include <stdlib.h>

#include "apps/common/parts.h"
#include "apps/common/sequential.h"
#include "apps/mgs/options.h"

static void fill(const struct rows *rows)
{
	long mine = (rows->count - dsm_node() + rows->nodes - 1) / rows->nodes;

	DSM_TX_FOR_INDEPENDENT(k, 0, mine) {
		long i = k * rows->nodes + dsm_node();
		vectors__fill_row(rows__at(rows, i), (size_t)rows->count, (size_t)i);
	}
}

/* Takes row i's part out of this node's rows after it. */
static void orthogonalise(const struct rows *rows, long i)
{
	size_t n = (size_t)rows->count;
	long first = i + 1 + ((dsm_node() - i - 1) % rows->nodes + rows->nodes) % rows->nodes;
	long mine = first < rows->count ? (rows->count - first + rows->nodes - 1) / rows->nodes : 0;

	/* All of another node's row in one round trip. */
	if (mine && i % rows->nodes != dsm_node())
		DSM_TX_INDEPENDENT {
			dsm_touch(rows__at(rows, i), n * sizeof(double), DSM_READ);
		}
	DSM_TX_FOR_INDEPENDENT(k, 0, mine) {
		vectors__orthogonalise(rows__at(rows, first + k * rows->nodes), rows__at(rows, i), n);
		dsm_progress(1);
	}
}

static void run(const struct rows *rows, const struct app *app)
{
	for (long i = 0; i < rows->count; i++) {
		if (i == APP_FIRST * rows->nodes)
			dsm_phase("steady");
		if (i % rows->nodes == dsm_node())
			DSM_TX_INDEPENDENT {
				vectors__normalise(rows__at(rows, i), (size_t)rows->count);
			}
		dsm_barrier();
		orthogonalise(rows, i);
		app__progress(app, (double)(i + 1) / (double)rows->count, "rows");
	}
	app__progress_end(app);
}

/* Node 0 reads all rows. Copies: what the check adds up in private memory would not be undone with an attempt. */
static int check_rows(struct vectors_check *check, const struct rows *rows)
{
	size_t n = (size_t)rows->count;
	double *copy = malloc(n * sizeof(*copy));

	if (!copy || vectors_check__open(check, n)) {
		free(copy);
		return -ENOMEM;
	}
	for (long i = 0; i < rows->count; i++) {
		dsm_peek(copy, rows__at(rows, i), n * sizeof(*copy));
		vectors_check__row(check, copy);
	}
	free(copy);
	return 0;
}

int main(int argc, char **argv)
{
	struct app app = {.name = "mgs", .speaks = dsm_node() == 0};
	struct vectors_check check;
	struct mgs_options o;
	int status;

	if (mgs_options__read(&o, &app, argc, argv, &status))
		return status;
	if (o.common.sequential)
		return app__run_sequential(&app, dsm_nodes(), argv);

	bool tuned = o.common.layout == APP_TUNED;
	size_t bytes = (size_t)o.common.size * sizeof(double);
	struct rows rows = {.order = tuned ? ROWS_CYCLIC : ROWS_FLAT,
			    .count = o.common.size,
			    .nodes = dsm_nodes(),
			    .pitch = tuned ? rows__pages(bytes) : bytes};
	parts__rows("vectors", &rows, parts__new_rows(double, &rows));
	fill(&rows);
	dsm_barrier();

	dsm_phase("first");
	double start = app__now();
	run(&rows, &app);
	dsm_barrier(); /* the last node has finished, too */
	double seconds = app__now() - start;
	dsm_phase("result");
	if (dsm_node() == 0) {
		if (check_rows(&check, &rows))
			return app__bad(&app, "no memory to check the result: take a smaller --size");
		status = mgs__finish(&check, &o, dsm_nodes(), seconds);
	}
	dsm_barrier(); /* the others keep serving pages until node 0 has read them */
	return app__end(&app, status);
}
