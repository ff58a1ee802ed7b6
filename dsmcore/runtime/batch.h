/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * batch.h - records that are told together, by one probe (dsm_events.h, "batches").
 *
 * They are gathered in the node's shared memory: a collector finds there what a node that was killed had not told.
 */
#ifndef DSM_RUNTIME_BATCH_H
#define DSM_RUNTIME_BATCH_H

#include <stdbool.h>

#include "dsm_events.h"

/* Does anybody listen to batches with records of this type? Cheap. */
bool batch__wanted(enum dsm_ev_type type);
/* Adds a record, whose header is complete; tells the batch first if there is no room. The caller holds node.lock. */
void batch__put(const struct dsm_ev_hdr *record, dsm_ev_page page, uint64_t value);
/* Tells what there is. The caller holds node.lock. */
void batch__tell(void);
/* Tells it if its oldest record waits for long; now: nanoseconds of the records' clock. The caller holds node.lock. */
void batch__tell_old(uint64_t now);

#endif
