/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * promise.h - by the place where transactions begin: what it costs that they can be undone, and whether they kept, as far
 * as the trace shows, what an independent loop promises (DSM_TX_FOR_INDEPENDENT): no byte that it reads or writes is
 * written by another node, and none that it writes is read by another one, between the same two barriers.
 */
#ifndef ANALYZER_PROMISE_H
#define ANALYZER_PROMISE_H

#include "evidence.h"

struct promise_site { /* of one site, all nodes and runs */
	uint32_t site;
	bool met;		      /* between two barriers, with another node, on the same byte */
	double commits, independents; /* of these: attempts of which that was promised already */
	double written, alone;	      /* pages that they changed; of these in commits without a message */
	double shared;		      /* pages changed that others held */
	/* Faults on pages that were here, and opening pages ahead of them: seen, and how many records say so. */
	double handling_ns, handled;
	double locals_ns, looked; /* commits without a message: their protocol, and how many records say so */
	double remotes_ns;	  /* that of the others */
	/* Conflicts with other nodes: of one that was judged true, or where bytes were stored that the other accessed; that
	 * could be so; all. */
	double truly, unknown, conflicts;
	double cancelled; /* attempts that the program itself took back */
};

struct promise_node {
	uint64_t barriers; /* that it has passed, as its records say, and one */
	bool known;
};

/* What a node was seen to do with a page between two barriers, in transactions of one site: a bit for each byte. */
struct promise_use {
	uint32_t node, site;
	uint32_t next; /* of the same page, + 1 */
	uint64_t *wrote, *read;
};

struct promise_epoch { /* between two barriers of a run */
	uint32_t run;
	uint64_t number;
	struct table pages;
	VEC(uint32_t) first; /* by page: use + 1 */
	VEC(struct promise_use) uses;
	size_t bytes;
};

struct promises {
	struct model *model;
	struct table keys; /* sites */
	VEC(struct promise_site) all;
	struct table node_keys; /* run, node */
	VEC(struct promise_node) nodes;
	struct promise_epoch epoch[2];	  /* nodes are at most one barrier apart */
	double handling_ns, independents; /* of all sites */
};

void promise__init(struct promises *p, struct model *m);
/* Each record of a run, in the order of its node. */
void promise__record(struct promises *p, uint32_t run, const struct dsm_ev_hdr *record);
void promise__conflict(struct promises *p, const struct conflict *c);
void promise__free(struct promises *p);

/* Of the pages that it changed: those that no other node had, 0..1. */
double promise__share_alone(const struct promise_site *s);

#endif
