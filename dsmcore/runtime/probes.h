/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probes.h - the USDT points of provider "dsm", one a record type, all with the same five arguments:
 * record address, record bytes, node, page (dsm_ev_page), value (nanoseconds or bytes).
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

#endif
