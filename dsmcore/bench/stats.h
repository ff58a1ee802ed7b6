/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stats.h - what can be said of a ratio that was measured many times on a machine that is not quiet.
 *
 * A measurement by windows cuts one long run into short windows, some with a listener and some without, and puts
 * neighbouring windows together to blocks. A block's ratio is that of its sums, not a median of its windows: what an
 * observer does once a second falls into one window of a hundred, and must count.
 */
#ifndef DSM_BENCH_STATS_H
#define DSM_BENCH_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The middle one of several numbers; low to high holds the true median with 95 %. */
struct spread {
	double least, low, middle, high, most;
};
/* Sorts x. Without a number all is NAN. */
struct spread stats__spread(double *x, size_t n);

/* Has the i-th window a listener? Of each pair of windows one has; which one is drawn, so that nothing that comes
 * round regularly can fall upon the same side each time. The same on all nodes. */
bool stats__listened(uint64_t i);

/* One window, all nodes together. */
struct window {
	uint64_t index;
	double seconds; /* that it took: more than planned where the nodes were off their cores at its end */
	double rate;	/* units of work a second */
	double cpu;	/* processor seconds a second */
	double events;	/* records a second */
	double microscope; /* seconds of it a second */
};

struct block {
	double time;  /* run time of the same work with a listener, without one = 1 */
	double cpu;   /* likewise, processor time */
	double probe; /* additional processor time a record, microseconds; NAN where there is no record */
};
/* Makes blocks of windows whose index lies in the same stretch of `each`, which is even. A block
 * needs a window of either kind, so `out` has room for n / 2 of them, however many windows are missing between. Returns how many blocks there are. */
size_t stats__blocks(const struct window *w, size_t n, size_t each, struct block *out);

#endif
