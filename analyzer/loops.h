/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loops.h - loops that commit within themselves (DSM_TX_FOR): by the place where their transactions or critical sections
 * begin, how many iterations these have, and what the ends of them cost.
 */
#ifndef ANALYZER_LOOPS_H
#define ANALYZER_LOOPS_H

#include "evidence.h"

struct loop_sum { /* of one site, all nodes and runs */
	uint32_t site;
	bool given; /* the iterations, by the program or a plan, in most transactions */
	double commits,
		iterations; /* those with iterations; 0: it is no loop, or its lock never came from elsewhere */
	double loops;	    /* how often the loop was begun */
	double givens;	    /* of the commits */
	double timed;	    /* commits whose times are known, and that the microscope left alone: */
	double work_ns, pages; /* computing; pages written */
	double locals_ns,
		locals; /* from the last iteration of one, which needs no message, to the next one */
	double log_between, remotes; /* of the others: the logarithms */
	double least_ns;	     /* the quickest commit with messages; 0: none */
	double sections, section_ns; /* intervals of sc and rc that began here, and how long they took */
	double shortest_ns;	     /* the shortest of them */
	double waits_ns;	     /* of that for copies, and for what they wrote to arrive */
};

struct loops {
	struct table keys; /* sites */
	VEC(struct loop_sum) all;
};

/* NULL: nothing began there. */
const struct loop_sum *loops__find(const struct loops *l, uint32_t site);
/* A COMMIT or an INTERVAL of a site. */
void loops__ended(struct loops *l, uint32_t site, const struct dsm_ev_hdr *record);
/* A LOCK came from another node to a section that begins at the site. */
void loops__lock(struct loops *l, uint32_t site, const struct dsm_ev_lock *lock);
/* An interval of the site waited for a copy or for its flush. */
void loops__waited(struct loops *l, uint32_t site, double ns);
void loops__finish(struct loops *l);
void loops__free(struct loops *l);

/* What the end of a transaction and the begin of the next take, ns. Of those that need messages
 * the geometric mean: a few wait long for others, and go on doing so. */
double loop__between(const struct loop_sum *s);
/* Iterations in a transaction, and transactions in a loop, in the mean. */
static inline double loop__iterations(const struct loop_sum *s)
{
	return s->commits > 0 ? s->iterations / s->commits : 0;
}
static inline double loop__pieces(const struct loop_sum *s)
{
	return s->loops > 0 ? s->commits / s->loops : 1;
}

#endif
