/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * intervals.h - evidence of pages that are sc or rc: who had what in use, since when, and what was written.
 *
 * Nothing is undone under these models, so there is no commit at which a twin could be compared. A page of sc
 * has no twin at all: while somebody listens, a copy is kept when the right to write is granted and compared when it is
 * lost, for as many pages as there is room. The caller of each function holds node.lock.
 */
#ifndef DSM_RUNTIME_INTERVALS_H
#define DSM_RUNTIME_INTERVALS_H

#include "dsm_events.h"
#include "dsmcore/protocol/core.h"

/* The mutator's rights to pages are as said now. */
void intervals__rights(uint32_t page, uint32_t count, enum core_rights rights);
/* Reports of the core: MEET, INTERVAL. */
void intervals__meet(const struct core_action *report);
void intervals__ended(const struct core_action *report);
/* LOCK: the lock that the mutator waits for has come from another node. */
void intervals__lock_came(const struct core_action *report);
/* The mutator has the lock that it began to ask for at `start_ns`. */
void intervals__locked(uint64_t name, uint64_t start_ns);
/* A barrier begins; an answer to its flush has come. */
void intervals__barrier(void);
void intervals__flushed(void);
/* The next interval begins: the mutator has passed an acquire, a release or a barrier. */
void intervals__next(void);

#endif
