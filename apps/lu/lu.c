// SPDX-License-Identifier: BSD-2-Clause
/*
 * lu.c - blocked LU factorisation of a matrix that all nodes share, as in SPLASH-2.
 *
 * Natural: blocks are dealt to a grid of nodes, so that all have work until the end. Each step asks for two barriers:
 * the diagonal block must be factored before it divides, and those blocks must be divided before they are subtracted.
 * The next diagonal block is factored by the node that has just updated it, so it need not wait. Between two of the barriers
 * nodes read only blocks that nobody writes, beside their own, so all these loops are independent.
 *
 * Tuned: columns of blocks are dealt to the nodes in turn. Then all that a step needs of other nodes is its panel, the
 * diagonal block and those below it, which lie in one piece. Nobody waits at barriers: a panel has a lock, which its
 * owner keeps from the start until the panel is ready, so who needs it asks for the lock. The owner of the next panel
 * makes that one first and goes on with its other columns then (look-ahead), so it is mostly ready when it is
 * wanted, and a node with more to do in one step makes up for it in the next. A panel is read with no barrier since it was
 * written, so none of these loops may promise to be independent.
 */
#include <dsm.h>

#include <stdlib.h>
#include <string.h>

#include "apps/common/parts.h"
#include "apps/common/sequential.h"
#include "apps/lu/options.h"

struct place { /* of a block */
	long i, j;
};

/* Which blocks this node has to work on, in private memory. */
struct list {
	struct place *place;
	long count;
};

static void add_own(struct list *l, const struct blocks *b, long i, long j)
{
	if (blocks__owner(b, i, j) == dsm_node())
		l->place[l->count++] = (struct place){i, j};
}

/* All below and to the right of block (first, first), and itself. */
static void add_own_from(struct list *l, const struct blocks *b, long first)
{
	l->count = 0;
	for (long i = first; i < b->across; i++)
		for (long j = first; j < b->across; j++)
			add_own(l, b, i, j);
}

/* What this node's blocks are about: the first of them. No other node names it, so under sc and rc its lock stays here. */
static void *own(const struct blocks *b)
{
	long i = dsm_node() / b->wide, j = dsm_node() % b->wide;

	return i < b->across && j < b->across ? blocks__at(b, i, j).at : b->part[0];
}

static void fill(const struct blocks *b, struct list *mine)
{
	add_own_from(mine, b, 0);
	DSM_TX_FOR_INDEPENDENT(t, 0, mine->count)
		blocks__fill(b, mine->place[t].i, mine->place[t].j);
}

static void divide(const struct blocks *b, struct list *mine, long k)
{
	mine->count = 0;
	for (long j = k + 1; j < b->across; j++) {
		add_own(mine, b, k, j);
		add_own(mine, b, j, k);
	}
	DSM_TX_FOR_INDEPENDENT(t, 0, mine->count) {
		struct place p = mine->place[t];
		if (p.i == k)
			block__divide_left(blocks__at(b, p.i, p.j), blocks__at(b, k, k));
		else
			block__divide_right(blocks__at(b, p.i, p.j), blocks__at(b, k, k));
		dsm_progress(1);
	}
}

static void update(const struct blocks *b, struct list *mine, long k)
{
	add_own_from(mine, b, k + 1);
	DSM_TX_FOR_INDEPENDENT(t, 0, mine->count) {
		struct place p = mine->place[t];
		block__update(blocks__at(b, p.i, p.j), blocks__at(b, p.i, k), blocks__at(b, k, p.j));
		dsm_progress(1);
	}
}

static void factorise(const struct blocks *b, struct list *mine, const struct app *app)
{
	for (long k = 0; k < b->across; k++) {
		if (k == APP_FIRST)
			dsm_phase("steady");
		if (blocks__owner(b, k, k) == dsm_node())
			DSM_TX_INDEPENDENT {
				block__factor(blocks__at(b, k, k));
			}
		dsm_barrier();
		divide(b, mine, k);
		dsm_barrier();
		update(b, mine, k);
		app__progress(app, (double)(k + 1) / (double)b->across, "steps");
	}
	app__progress_end(app);
}

/* The lock of panel k. Its name is the diagonal block's second number, since the first one's address may be own(). */
static const void *ready(const struct blocks *b, long k)
{
	return blocks__at(b, k, k).at + 1;
}

/* Before anybody may ask for one. */
static void lock_panels(const struct blocks *b)
{
	for (long k = dsm_node(); k < b->across; k += b->wide)
		dsm_lock(ready(b, k));
}

static void make_panel(const struct blocks *b, long k)
{
	DSM_TX_FOR_ON(own(b), i, k, b->across) {
		if (i == k)
			block__factor(blocks__at(b, k, k));
		else
			block__divide_right(blocks__at(b, i, k), blocks__at(b, k, k));
		dsm_progress(1);
	}
	dsm_unlock(ready(b, k));
}

/* Waits for another node's panel, and brings it at once. */
static void await_panel(const struct blocks *b, long k)
{
	dsm_lock(ready(b, k));
	dsm_unlock(ready(b, k));
	DSM_TX_READ_ON(own(b)) {
		dsm_touch(blocks__at(b, k, k).at, (size_t)(b->across - k) * b->block_size * sizeof(double),
			  DSM_READ);
	}
}

/* Step k of column j. */
static void update_column(const struct blocks *b, long k, long j)
{
	DSM_TX_FOR_ON(own(b), i, k, b->across) {
		if (i == k)
			block__divide_left(blocks__at(b, k, j), blocks__at(b, k, k));
		else
			block__update(blocks__at(b, i, j), blocks__at(b, i, k), blocks__at(b, k, j));
		dsm_progress(1);
	}
}

static void factorise_columns(const struct blocks *b, const struct app *app)
{
	long me = dsm_node(), next = me; /* the first of this node's columns that has steps ahead of it */

	if (me == 0)
		make_panel(b, 0);
	for (long k = 0; k < b->across; k++) {
		if (k == APP_FIRST)
			dsm_phase("steady");
		if (next <= k)
			next += b->wide;
		if (next < b->across && k % b->wide != me)
			await_panel(b, k);
		for (long j = next; j < b->across; j += b->wide) {
			update_column(b, k, j);
			if (j == k + 1)
				make_panel(b, j);
		}
		app__progress(app, (double)(k + 1) / (double)b->across, "steps");
	}
	app__progress_end(app);
}

static void share(struct blocks *b)
{
	size_t count = blocks__part(b, dsm_node());
	void *part[ROWS_NODES];

	parts__share("matrix", count ? dsm_new_flat(double, count) : NULL, part);
	for (int i = 0; i < dsm_nodes(); i++)
		b->part[i] = part[i];
}

int main(int argc, char **argv)
{
	struct app app = {.name = "lu", .speaks = dsm_node() == 0};
	struct lu_options o;
	struct blocks b;
	int status;

	if (lu_options__read(&o, &app, argc, argv, &status))
		return status;
	if (o.common.sequential)
		return app__run_sequential(&app, dsm_nodes(), argv);
	size_t n = (size_t)o.common.size;
	blocks__set(&b, o.common.size, o.block, dsm_nodes(), o.common.layout);
	struct list mine = {.place = calloc((size_t)(b.across * b.across), sizeof(struct place))};
	double *factors = dsm_node() == 0 ? malloc(n * n * sizeof(double)) : NULL;
	if (!mine.place || (dsm_node() == 0 && !factors)) {
		free(mine.place);
		free(factors);
		return app__bad(&app, "no memory for a matrix of %zu x %zu: take a smaller --size", n, n);
	}
	share(&b);
	if (b.apart)
		lock_panels(&b);
	fill(&b, &mine);
	dsm_barrier();

	dsm_phase("first");
	double start = app__now();
	if (b.apart)
		factorise_columns(&b, &app);
	else
		factorise(&b, &mine, &app);
	dsm_barrier();
	double seconds = app__now() - start;
	dsm_phase("result");
	if (dsm_node() == 0) {
		blocks__copy_out(&b, factors, dsm_peek);
		status = lu__finish(&app, &o, factors, dsm_nodes(), seconds);
	}
	free(mine.place);
	free(factors);
	dsm_barrier(); /* the others keep serving pages until node 0 has read them */
	return app__end(&app, status);
}
