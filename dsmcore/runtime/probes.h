/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probes.h - the USDT points of provider "dsm", one a record type, all with the same five arguments:
 * record address, record bytes, node, page (dsm_ev_page), value (nanoseconds or bytes); and two for batches of records.
 *
 * They are plain one-nop points. (A five-byte nop would let current kernels put an optimised uprobe there,
 * which pushes onto the caller's red zone.) The semaphores count the tracers.
 */
#ifndef DSM_RUNTIME_PROBES_H
#define DSM_RUNTIME_PROBES_H

#include <stdbool.h>
#include <stdint.h>

#include "dsm_events.h"

bool probes__attached(enum dsm_ev_type type);
/* Tracers at the probe `node`, which a collector attaches last: when this grows, all its probes are in place.
 */
unsigned probes__tracers(void);
void probes__fire(const struct dsm_ev_hdr *record, dsm_ev_page page, uint64_t value);

/* Batches of all records, and of those that names and page counts need. */
bool probes__batch_attached(void);
bool probes__batch_pages_attached(void);
/* Both probes; entries: `bytes` of struct dsm_ev_entry, each with its record, `count` in all. */
void probes__fire_batch(const void *entries, uint32_t bytes, uint32_t node, uint64_t count);

#endif
