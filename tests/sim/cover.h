/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cover.h - tables of which event met which state of the core.
 *
 * Each cell of a table either must be met ('+') over the seeds of a run, or has a letter that says why it cannot be;
 * meeting such a cell is an error too, since then the reason is wrong. 'r' is for what few seeds meet.
 *
 * There are no tables of worlds without races, and nothing that happens there counts in these: an attempt that is not undone
 * meets in a state what others never do. That such worlds meet what they are for the mutants show (mutants.c).
 */
#ifndef SIM_COVER_H
#define SIM_COVER_H

#include "tests/sim/sim.h"

#include "dsmcore/protocol/internal.h"

struct cover_table {
	const char *name; /* NULL: the end of a list */
	const char *const *states, *const *events;
	const char *const *expected; /* by state: a letter for each event */
	const char *const *reasons;  /* by letter */
	unsigned nstates, nevents;
	uint64_t *met;
};

/* cover_tx.c: worlds of transactions */
extern const struct cover_table cover_tx[];
void cover_tx__mutator(const struct dsm_core *core, const struct core_event *event);
void cover_tx__message(const struct dsm_core *core, const struct core_msg *msg);
void cover_tx__end(const struct dsm_core *core, int committed);
void cover_tx__lost(const struct dsm_core *core, unsigned node);

/* cover_sync.c: worlds without */
extern const struct cover_table cover_sync[];
void cover_sync__mutator(const struct dsm_core *core, const struct core_event *event);
void cover_sync__message(const struct dsm_core *core, const struct core_msg *msg);
void cover_sync__lost(const struct dsm_core *core, unsigned node);

#endif
