/* SPDX-License-Identifier: BSD-2-Clause */
/* intervals.h - records of intervals that met, under sequential and release consistency, for the tests of reports on them. */
#ifndef PROCOPE_TESTS_ANALYZER_INTERVALS_H
#define PROCOPE_TESTS_ANALYZER_INTERVALS_H

#include "tests/analyzer/scene.h"

#define R      DSM_EV_ACCESS_READ
#define W      DSM_EV_ACCESS_WRITE
#define WAIT   50000u
#define PAGE   1
#define ROUNDS 12

struct told {				 /* by the two sides of one meeting */
	uint32_t held_from, held_to;	 /* the holder wrote */
	uint32_t wanted_from, wanted_to; /* the other accessed */
	bool writes;			 /* so it did, else it read */
	bool seen;			 /* under the microscope */
};

/* The scene of a run under `c`, with 24 walkers from page 1 on. */
void intervals__start(struct feed *f, enum dsm_ev_consistency c);
/* sc: node `b` wants a page that node `a` has written since interval `number` - 1; later it loses it itself, when what
 * it wrote is told. */
void intervals__take_away(struct feed *f, uint64_t number, unsigned a, unsigned b, const struct told *t);
/* rc: node `b` waits for its flush, which reaches a page that node `a` reads. */
void intervals__spread(struct feed *f, uint64_t number, unsigned a, unsigned b, const struct told *t);
/* What is made of the records that were fed, in whatever order; the ledger of waits balances. */
void intervals__report(struct feed *f, struct report *r);

#endif
