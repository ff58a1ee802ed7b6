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
	double sections,
		section_ns; /* of sc and rc, whose lock came from elsewhere, that are told of; what they took */
	double waits_ns;    /* of that for copies, and for what they wrote to arrive */
};

/* The section that a node is in since a lock came. Interval by interval because a site has others too: what comes after a
 * section, the wait for the next lock in it, bears the section's site. */
struct loop_section {
	uint64_t number;
	uint32_t generation;
	double waits_ns; /* for copies, so far */
};

struct loops {
	struct table keys; /* sites */
	VEC(struct loop_sum) all;
	struct table section_keys; /* (run, node) */
	VEC(struct loop_section) sections;
};

/* NULL: nothing began there. */
const struct loop_sum *loops__find(const struct loops *l, uint32_t site);
/* Records of a node in their order: a COMMIT or an INTERVAL of a site; */
void loops__ended(struct loops *l, uint32_t run, uint32_t site, const struct dsm_ev_hdr *record);
/* a LOCK that came from another node to a section that begins at the site; */
void loops__lock(struct loops *l, uint32_t run, uint32_t site, const struct dsm_ev_lock *lock);
/* a FAULT. */
void loops__fault(struct loops *l, uint32_t run, const struct dsm_ev_fault *fault);
void loops__finish(struct loops *l);
void loops__free(struct loops *l);

/* What the holder of a lock computes in a section, in the mean, with all that handling its pages costs but waits for them;
 * 0: none is told of. */
static inline double loop__held(const struct loop_sum *s)
{
	return s->sections > 0 ? (s->section_ns - s->waits_ns) / s->sections : 0;
}
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
