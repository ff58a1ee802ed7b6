/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * points.h - Lloyd's k-means on whole numbers, the steps that all programs of kmeans share.
 *
 * Coordinates and sums are integers, so sums do not depend on their order, and the result is the same to the bit for
 * any number of nodes.
 */
#ifndef APPS_KMEANS_POINTS_H
#define APPS_KMEANS_POINTS_H

#include <stdint.h>

#define POINT_DIMENSIONS 8

struct point {
	int32_t x[POINT_DIMENSIONS]; /* 0 ... 65535 */
};

/* What the points of one cluster add up to. */
struct sum {
	int64_t x[POINT_DIMENSIONS], count;
};

/* What a node learns in a sweep over its points. */
struct tally {
	int64_t moved;	  /* points that changed their cluster */
	int64_t distance; /* sum of the squared distances to the nearest centre */
};

/* Point i: around one of `groups` places, which do not depend on i. */
void point__make(struct point *p, long i, long groups);

/* The cluster whose centre is nearest (of equals the first), and the square of its distance. */
int point__nearest(const struct point *p, const struct point *centre, int clusters, int64_t *square);

void sum__add(struct sum *sum, const struct point *p);
void sum__join(struct sum *sum, const struct sum *other);

/* Notes a point's cluster in its label, and what that means for the tally. */
void tally__note(struct tally *tally, int32_t *label, int cluster, int64_t square);

/* The middle of a cluster's points, rounded down; an empty cluster stays where it is. */
void centre__move(struct point *centre, const struct sum *sum);

#endif
