/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dispatch.h - carries out what the protocol core decides.
 */
#ifndef DSM_RUNTIME_DISPATCH_H
#define DSM_RUNTIME_DISPATCH_H

#include "dsmcore/protocol/core.h"
#include "dsmcore/transport/transport.h"

enum outcome { OUTCOME_RESUME, OUTCOME_ABORT };

int dispatch__open(uint32_t pages);
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
/* The committed bytes behind a dirty page, or NULL. The caller holds node.lock. */
const uint8_t *dispatch__twin(uint32_t page);
/* The changes that the core keeps under this number. The caller holds node.lock. */
const struct wire_blob *dispatch__held(uint32_t hold);
/* A signal handler of the program has run in the mutator: a wait for a change ends. Async-signal-safe. */
void dispatch__interrupt(void);
/* Is the mutator blocked in dispatch__mutator()? */
bool dispatch__waiting(void);

/* For each page of core__dirty(): does it differ from its twin? For CORE_COMMIT, which follows at once; valid
 * until the next call. The caller holds node.lock. */
const bool *dispatch__changes(void);
/* The same for core__written(), for an event that needs it. */
const bool *dispatch__written(void);

#endif
