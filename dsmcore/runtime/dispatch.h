/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dispatch.h - carries out what the protocol core decides.
 */
#ifndef DSM_RUNTIME_DISPATCH_H
#define DSM_RUNTIME_DISPATCH_H

#include "dsmcore/protocol/core.h"
#include "dsmcore/transport/transport.h"

enum outcome { OUTCOME_RESUME, OUTCOME_ABORT };

/* One step for the mutator; blocks until the core lets it go on. The caller holds node.lock; it is released
 * while waiting and held again on return. fault: what an access turned out to be (may be NULL). */
enum outcome dispatch__mutator(const struct core_event *event, enum core_fault *fault);
/* One step for a message. The caller holds node.lock. */
void dispatch__message(const struct core_msg *msg, const struct wire_blob *blobs);
/* Raises CORE_TICK if the core has asked for one and it is due. Any thread, without node.lock. */
void dispatch__tick(void);
/* The peer has stopped for good, and all that it had sent has been handled. The caller holds node.lock. A
 * mutator that needs it ends the run (node__depends_on_lost()). */
void dispatch__lost(uint16_t peer);
/* A signal handler of the program has run in the mutator: a wait for a change ends. Async-signal-safe. */
void dispatch__interrupt(void);
/* Is the mutator blocked in dispatch__mutator()? */
bool dispatch__waiting(void);

#endif
