// SPDX-License-Identifier: BSD-2-Clause
/*
 * kmeans.c - Lloyd's k-means on points that all nodes share.
 *
 * Each node has a block of points and adds them up in sums of its own, so no two nodes ever write the same bytes. In
 * the natural layout the sums of all nodes are one array all the same, and so all meet on its pages, at each point. Centres and
 * sums are read and written by turns, a barrier between: so all loops but the last one, which node 0 has for itself, are
 * independent.
 */
#include <dsm.h>

#include "apps/common/parts.h"
#include "apps/common/sequential.h"
#include "apps/kmeans/options.h"

struct shared {
	long size, clusters;
	struct rows points, labels; /* a row is one of them */
	/* For each node the sums of its clusters, and what it learns. In the natural layout all nodes' sums are one
	 * array, which sums[0] alone points to. */
	bool tuned;
	struct sum *sums[ROWS_NODES];
	struct tally *tally[ROWS_NODES];
	struct point *centres;
	struct tally *total;
};

/* Points in an iteration of the tuned layout's loop: one takes 0.1 us, and calls for each would add 6 %. */
#define GROUP 64

static struct sum *sum_of(const struct shared *s, int node, long cluster)
{
	if (s->tuned)
		return &s->sums[node][cluster];
	return dsm_at(s->sums[0], (size_t)(node * s->clusters + cluster));
}

static void share_sums(struct shared *s)
{
	size_t clusters = (size_t)s->clusters, nodes = (size_t)dsm_nodes();
	void *sums[ROWS_NODES], *tallies[ROWS_NODES];

	if (s->tuned) {
		/* whole pages, so that nothing else of this node gets on them */
		parts__share("sums", dsm_new_flat(struct sum, clusters < 64 ? 64 : clusters), sums);
		parts__share("tally", dsm_new(struct tally, DSM_PAGE_SIZE / sizeof(struct tally)), tallies);
		for (size_t i = 0; i < nodes; i++) {
			s->sums[i] = sums[i];
			s->tally[i] = dsm_at((struct tally *)tallies[i], 0);
		}
		return;
	}
	if (dsm_node() == 0) {
		dsm_root_set("sums", dsm_new(struct sum, clusters * nodes));
		dsm_root_set("tallies", dsm_new(struct tally, nodes));
	}
	dsm_barrier();
	s->sums[0] = dsm_root("sums");
	struct tally *all = dsm_root("tallies");
	for (size_t i = 0; i < nodes; i++)
		s->tally[i] = dsm_at(all, i);
}

static void enter(struct shared *s, const struct kmeans_options *o)
{
	bool tuned = o->common.layout == APP_TUNED;
	struct rows rows = {
		.order = tuned ? ROWS_BLOCK : ROWS_FLAT, .count = o->common.size, .nodes = dsm_nodes()};

	*s = (struct shared){.size = o->common.size,
			     .clusters = o->clusters,
			     .points = rows,
			     .labels = rows,
			     .tuned = tuned};
	s->points.pitch = sizeof(struct point);
	s->labels.pitch = sizeof(int32_t);
	parts__rows("points", &s->points, parts__new(struct point, &s->points));
	parts__rows("labels", &s->labels, parts__new(int32_t, &s->labels));
	share_sums(s);
	if (dsm_node() == 0) {
		dsm_root_set("centres", dsm_new_flat(struct point, (size_t)s->clusters));
		dsm_root_set("total", dsm_new(struct tally, 1));
	}
	dsm_barrier();
	s->centres = dsm_root("centres");
	s->total = dsm_root("total");
}

/* This node's points and labels lie side by side, in both layouts. */
static void fill(const struct shared *s, long first, long end)
{
	struct point *points = rows__at(&s->points, first);
	int32_t *labels = rows__at(&s->labels, first);

	DSM_TX_FOR_INDEPENDENT(i, first, end) {
		point__make(&points[i - first], i, s->clusters);
		labels[i - first] = -1;
	}
	dsm_barrier();
	if (dsm_node() == 0)
		DSM_TX_INDEPENDENT {
			for (long c = 0; c < s->clusters; c++)
				s->centres[c] =
					*(struct point *)rows__at(&s->points, c * s->size / s->clusters);
		}
	dsm_barrier();
}

static void assign(const struct shared *s, long first, long end)
{
	int me = dsm_node();
	struct tally *tally = s->tally[me];
	struct point *points = rows__at(&s->points, first);
	int32_t *labels = rows__at(&s->labels, first);

	/* All of it is this node's own until the barrier. */
	DSM_TX_INDEPENDENT {
		for (long c = 0; c < s->clusters; c++)
			*sum_of(s, me, c) = (struct sum){0};
		*tally = (struct tally){0};
	}
	long count = end - first, group = s->tuned ? GROUP : 1;
	DSM_TX_FOR_INDEPENDENT(g, 0, (count + group - 1) / group) {
		long begin = g * group, stop = begin + group < count ? begin + group : count;
		for (long i = begin; i < stop; i++) {
			int64_t square;
			int c = point__nearest(&points[i], s->centres, (int)s->clusters, &square);
			sum__add(sum_of(s, me, c), &points[i]);
			tally__note(tally, &labels[i], c, square);
		}
		dsm_progress((uint64_t)(stop - begin));
	}
}

static void move_centres(const struct shared *s)
{
	DSM_TX_INDEPENDENT {
		struct tally all = {0};
		for (int i = 0; i < dsm_nodes(); i++) {
			all.moved += s->tally[i]->moved;
			all.distance += s->tally[i]->distance;
		}
		*s->total = all;
		for (long c = 0; c < s->clusters; c++) {
			struct sum sum = {0};
			for (int i = 0; i < dsm_nodes(); i++)
				sum__join(&sum, sum_of(s, i, c));
			centre__move(&s->centres[c], &sum);
		}
	}
}

static void run(const struct shared *s, const struct kmeans_options *o, struct kmeans_result *r,
		const struct app *app, long first, long end)
{
	do {
		if (r->iterations == APP_FIRST)
			dsm_phase("steady");
		assign(s, first, end);
		dsm_barrier();
		if (dsm_node() == 0)
			move_centres(s);
		dsm_barrier();
		dsm_peek(&r->last, s->total, sizeof(r->last));
		r->iterations++;
		app__progress(app, (double)r->iterations / (double)o->iterations, "iterations");
	} while (r->last.moved && r->iterations < o->iterations);
	app__progress_end(app);
}

static uint64_t reduce(const struct shared *s)
{
	uint64_t hash = APP_HASH;

	DSM_TX_READ_ON(s->total) {
		hash = app__hash(hash, s->centres, (size_t)s->clusters * sizeof(*s->centres));
	}
	DSM_TX_FOR_ON(s->total, i, 0, s->size)
		hash = app__hash(hash, rows__at(&s->labels, i), sizeof(int32_t));
	return hash;
}

int main(int argc, char **argv)
{
	struct app app = {.name = "kmeans", .speaks = dsm_node() == 0};
	struct kmeans_result r = {.nodes = dsm_nodes()};
	struct kmeans_options o;
	struct shared s;
	int status;

	if (kmeans_options__read(&o, &app, argc, argv, &status))
		return status;
	if (o.common.sequential)
		return app__run_sequential(&app, dsm_nodes(), argv);
	enter(&s, &o);
	long first = rows__block(s.size, dsm_nodes(), dsm_node());
	long end = rows__block(s.size, dsm_nodes(), dsm_node() + 1);
	fill(&s, first, end);

	dsm_phase("first");
	double start = app__now();
	run(&s, &o, &r, &app, first, end);
	r.seconds = app__now() - start;
	dsm_phase("result");
	if (dsm_node() == 0) {
		r.hash = reduce(&s);
		kmeans_result__print(&r, &o);
	}
	dsm_barrier(); /* the others keep serving pages until node 0 has read them */
	return app__end(&app, 0);
}
