/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * contention.h - nodes that want the same page, and threads that want the same core.
 *
 * Both are settled elsewhere, by the protocol's ranks and by the kernel. This is what a node does so that they
 * are settled soon. For the mutator and the service thread, as named.
 */
#ifndef DSM_RUNTIME_CONTENTION_H
#define DSM_RUNTIME_CONTENTION_H

#include "dsmcore/protocol/core.h"

/* The calling thread is the service thread: it shall run as soon as a message comes. */
void contention__service(void);
/* The attempt that ends here was lost to another, or cancelled. Returns how long it will pause for that, in ns.
 * Under node.lock. */
uint64_t contention__lost(enum core_cause cause);
/* Before the next attempt at the transaction: lets those go first that it would only lose to. Mutator, without
 * node.lock. */
void contention__pause(void);
/* A new transaction begins. */
void contention__forget(void);

#endif
