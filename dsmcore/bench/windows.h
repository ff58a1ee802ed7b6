/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * windows.h - one long run of a load, in which a collector listens and does not listen by turns, a hundred windows a
 * second. Each node counts the work that it did in each window.
 *
 * Nothing is left out between windows: what a listener causes at their edges is in the figures. While nobody is to listen the
 * probes are muted (mute.h) and the collector is stopped, so that its work, too, falls into the windows that it belongs to.
 */
#ifndef DSM_BENCH_WINDOWS_H
#define DSM_BENCH_WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WINDOWS_MAX    16384 /* of one order */
#define WINDOWS_WARM_S 1     /* before the first that counts */

/* What node 0 orders; times of floor__now(). */
struct windows_order {
	uint64_t start_ns, window_ns, total_ns;
	int64_t collector; /* its process, 0: there is none */
	uint64_t plant; /* thousandths by which work with a listener is made slower, to see that it shows */
};

struct windows_part { /* of one node in one window */
	uint64_t units, ns, cpu_ns, events, microscope_ns;
};

struct windows {
	struct windows_order order;
	bool chief;		       /* this node stops the collector and lets it go on */
	struct windows_part *part;     /* WINDOWS_MAX */
	struct windows_part now, then; /* in this window; the clocks and counters at its beginning */
	uint64_t at;		       /* number of this window */
	uint64_t ticked_ns;
	int64_t owed_ns; /* of what is planted */
	bool listened;
};

/* Errors: ends the run with a message. */
void windows__begin(struct windows *w, const struct windows_order *order);
/* So many units of work were done since the last call. False when the time is over. */
bool windows__tick(struct windows *w, uint64_t units);
/* Everything listens again. The window that was not over yet is dropped. */
void windows__end(struct windows *w);

#endif
