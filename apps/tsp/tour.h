/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tour.h - the travelling salesman's shortest tour by branch and bound: the steps that all programs of tsp share.
 *
 * Distances are whole numbers as TSPLIB's EUC_2D has them. A piece of work is the beginning of a tour; searching it
 * tries all ways to complete it, nearest city first, but leaves those that cannot be shorter than the bound.
 */
#ifndef APPS_TSP_TOUR_H
#define APPS_TSP_TOUR_H

#include <stdbool.h>
#include <stdint.h>

#define TOUR_CITIES 24
#define TOUR_BEGIN  4 /* cities of a piece of work, or fewer when there are not so many */

struct cities {
	int n;
	int distance[TOUR_CITIES][TOUR_CITIES];
	int shortest[TOUR_CITIES];	       /* way out of a city */
	int8_t near[TOUR_CITIES][TOUR_CITIES]; /* the others, nearest first */
};

struct tour {
	int32_t length;
	int8_t city[TOUR_CITIES];
};

/* The beginning of a tour; length is of its cities so far. */
struct work {
	int32_t length;
	int8_t city[TOUR_BEGIN];
};

/* n places on a square of 1000 x 1000, from java.util.Random. */
void cities__make(struct cities *c, int n, uint64_t seed);

/* All beginnings, most promising (shortest) first; malloc'ed, *count of them. NULL: no memory. */
struct work *cities__work(const struct cities *c, long *count);

/* A tour by always going to the nearest city: the first bound. */
struct tour cities__greedy(const struct cities *c);

/* Searches a piece of work for a tour shorter than bound->length. *best is set to the shortest, or its length to
 * INT32_MAX when there is none. bound may lie in shared memory: it is read over and over again. */
void cities__search(const struct cities *c, const struct work *w, const struct tour *bound,
		    struct tour *best);

/* Is it a tour through all cities, of the length that it says? */
bool tour__valid(const struct tour *t, const struct cities *c);

#endif
