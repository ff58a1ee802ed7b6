// SPDX-License-Identifier: BSD-2-Clause
/*
 * tsp.c - branch and bound with a queue of work and a bound that all nodes share.
 *
 * The bound is what nodes really share: whoever finds a shorter tour makes everybody's search shorter. In the natural
 * layout a search reads it as it goes, inside its transaction: a better bound makes the searches that have
 * read the old one run again. But the queue lies on the same page, so each piece that another node takes does, too. In
 * the tuned layout a node takes several pieces at a time, the fewer the fewer are left.
 */
#include <dsm.h>

#include <stdlib.h>
#include <string.h>

#include "apps/common/sequential.h"
#include "apps/tsp/options.h"

struct queue {
	long next, count;
};

/* The natural layout: what belongs together lies together. */
struct pool {
	struct queue queue;
	struct tour best;
};

/* The tuned one points to pages of their own. */
struct shared {
	const struct cities *cities; /* private: each node computes them */
	const struct work *work;     /* read only */
	struct queue *queue;
	struct tour *best;
	bool tuned;
};

static void publish(const struct work *work, long count, const struct tour *first, bool tuned)
{
	DSM_TX {
		struct work *all = dsm_new_flat(struct work, (size_t)count);
		struct queue *queue;
		struct tour *best;

		memcpy(all, work, (size_t)count * sizeof(*all));
		if (tuned) { /* objects of a page and more are on pages of their own */
			queue = dsm_new_flat(struct queue, DSM_PAGE_SIZE / sizeof(struct queue));
			best = dsm_new_flat(struct tour, DSM_PAGE_SIZE / sizeof(struct tour));
		} else {
			struct pool *pool = dsm_new(struct pool, 1);
			queue = &pool->queue;
			best = &pool->best;
		}
		*queue = (struct queue){0, count};
		*best = *first;
		dsm_root_set("work", all);
		dsm_root_set("queue", queue);
		dsm_root_set("best", best);
	}
}

/* What a node has taken from the queue. */
#define PIECES 16
struct taken {
	struct work piece[PIECES];
	long count, left; /* left: in the queue before */
};

/* So few pieces at the end that all nodes end at about the same time. */
static long share_of(long left, bool tuned)
{
	long share = left / (4l * dsm_nodes());

	return !tuned || share < 1 ? 1 : share < PIECES ? share : PIECES;
}

/* All that touches queue or bound stands in this one block. Under sc and rc it takes the lock of the one or the other: so
 * work is handed out while a search of the natural layout, which reads the bound as it goes, has the other lock. */
enum step { TAKE, SEARCH, REPORT };
static void step(const struct shared *s, enum step step, struct taken *t, struct tour *found)
{
	DSM_TX_ON(step == TAKE ? (const void *)s->queue : s->best) {
		switch (step) {
		case TAKE:
			t->left = s->queue->count - s->queue->next;
			t->count = t->left ? share_of(t->left, s->tuned) : 0;
			memcpy(t->piece, s->work + s->queue->next, (size_t)t->count * sizeof(*t->piece));
			s->queue->next += t->count;
			break;
		case SEARCH:
			cities__search(s->cities, &t->piece[0], s->best, found);
			/* fall through */
		case REPORT:
			if (found->length < s->best->length)
				*s->best = *found;
			break;
		}
	}
}

/* The bound is looked at before a search; what the search finds is reported. */
static void search(const struct shared *s, struct taken *t, const struct work *piece)
{
	struct tour bound, found;

	dsm_peek(&bound, s->best, sizeof(bound));
	cities__search(s->cities, piece, &bound, &found);
	if (found.length < bound.length)
		step(s, REPORT, t, &found);
}

static void run(const struct shared *s, long count, const struct app *app)
{
	struct tour found;
	struct taken t;

	for (long turn = 0;; turn++) {
		if (turn == APP_FIRST)
			dsm_phase("steady");
		step(s, TAKE, &t, &found);
		if (!t.count)
			break;
		if (!s->tuned)
			step(s, SEARCH, &t, &found);
		for (long i = 0; s->tuned && i < t.count; i++)
			search(s, &t, &t.piece[i]);
		dsm_progress((uint64_t)t.count);
		app__progress(app, (double)(count - t.left + t.count) / (double)count, "pieces of work");
	}
	app__progress_end(app);
}

int main(int argc, char **argv)
{
	struct app app = {.name = "tsp", .speaks = dsm_node() == 0};
	struct tsp_options o;
	struct cities cities;
	int status;
	long count;

	if (tsp_options__read(&o, &app, argc, argv, &status))
		return status;
	if (o.common.sequential)
		return app__run_sequential(&app, dsm_nodes(), argv);

	bool tuned = o.common.layout == APP_TUNED;
	cities__make(&cities, (int)o.common.size, (uint64_t)o.seed);
	struct work *work = cities__work(&cities, &count);
	if (!work)
		return app__bad(&app, "no memory");
	struct tour best = cities__greedy(&cities);
	if (dsm_node() == 0)
		publish(work, count, &best, tuned);
	free(work);
	dsm_barrier();
	struct shared s = {&cities, dsm_root("work"), dsm_root("queue"), dsm_root("best"), tuned};

	dsm_phase("first");
	double start = app__now();
	run(&s, count, &app);
	dsm_barrier();
	double seconds = app__now() - start;
	dsm_phase("result");
	if (dsm_node() == 0) {
		dsm_peek(&best, s.best, sizeof(best));
		status = tsp__finish(&best, &cities, &o, count, dsm_nodes(), seconds);
	}
	dsm_barrier(); /* the others keep serving pages until node 0 has read them */
	return app__end(&app, status);
}
