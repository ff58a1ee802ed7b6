/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * node.h - dsmbench as a node: what the measurements share. Only dsm.h of the DSM is used here.
 *
 * A measurement goes block by block: so many samples of the DSM, then as many of the floor, in the same
 * thread, with the owner in the same state. So both see the same machine, minute by minute. The first sample
 * of each block wakes what has fallen asleep meanwhile, on both sides alike; it is not counted.
 */
#ifndef DSM_BENCH_NODE_H
#define DSM_BENCH_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dsm.h"
#include "dsmcore/bench/bench.h"
#include "dsmcore/bench/floor.h"

#define BLOCK 32

/* A DSM page of our own. */
struct page {
	uint64_t word[DSM_PAGE_SIZE / 8];
};

/* Ends the run with a message and exit status 1. */
__attribute__((noreturn, format(printf, 1, 2))) void node__fail(const char *format, ...);

/* ---- samples: kept by node 0, printed when nothing is measured ---- */

struct taken {
	uint64_t *ns;
	size_t n, room;
};
void taken__open(struct taken *t, size_t room);
/* Keeps it, or drops it when there is no more room. */
void taken__add(struct taken *t, uint64_t ns);
void taken__print(const struct taken *t, const char *name, const char *owner);
void taken__close(struct taken *t);
void node__value(const char *name, double number);
/* Share done, at most ten times a second. */
void node__progress(double share);

/* ---- the raw wires, one to each other node ---- */

struct mesh {
	int *fds;
	int core;      /* where this node's side of the floors runs */
	bool crowded;  /* several nodes on one core */
	bool separate; /* nodes 0 and 1 have a core each */
};
/* Collective. */
void mesh__open(struct mesh *m, const struct options *o);
/* Collective; wires that a server has taken over (fd = -1) are left alone. */
void mesh__close(struct mesh *m);

/* ---- counters of this node, from its shared memory (dsm_events.h) ---- */

struct dsm_counters;
/* Fills in *c; ends the run when there are none. */
void node__counters(struct dsm_counters *c);

void node__pause(unsigned us);
/* Computes so long, without a system call or a call of the DSM. */
void node__compute(uint64_t ns);

#endif
