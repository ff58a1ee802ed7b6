/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * txlog.h - what a transaction does besides writing pages: allocations to undo, frees and calls to
 * make at the commit. The mutator's own; lives outside the stack and DSM, so an abort keeps it.
 */
#ifndef DSM_RUNTIME_TXLOG_H
#define DSM_RUNTIME_TXLOG_H

#include <stddef.h>

typedef void (*txlog_fn)(const void *arg);

/* Remembers (a copy of) arg: commit is called in order after the transaction has committed, abort in
 * reverse order when it is undone; either may be NULL. Inside a transaction only. Out of memory ends
 * the program with a message. Mutator thread only. */
void *txlog__reserve(txlog_fn commit, txlog_fn abort,
		     size_t bytes); /* the argument's room, to be filled in */
void txlog__push(txlog_fn commit, txlog_fn abort, const void *arg, size_t bytes);
/* Runs and empties the log. Called by the runtime. */
void txlog__commit(void);
void txlog__abort(void);

#endif
