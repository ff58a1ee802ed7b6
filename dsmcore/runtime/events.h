/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * events.h - filling and emitting the records of dsm_events.h.
 */
#ifndef DSM_RUNTIME_EVENTS_H
#define DSM_RUNTIME_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dsm_events.h"

/* Does anybody listen to records of this type (a tracer's semaphore, or the ring)? Cheap. */
bool events__wanted(enum dsm_ev_type type);
/* Sends a record: fills size, type, version, node, generation, sequence number and time (hdr.flags and
 * hdr.weight are the caller's; weight 0 counts as 1). `bytes` is rounded up to a multiple of 8; the
 * record's memory must be writable up to there and stay valid during the call. page and value are the
 * probe's scalars. The caller holds node.lock. */
void events__emit(struct dsm_ev_hdr *record, enum dsm_ev_type type, size_t bytes, dsm_ev_page page,
		  uint64_t value);

/* Monotonic nanoseconds, the clock of all records. */
uint64_t events__now(void);
/* Start: emits this node's NODE record. End: its END record. The caller holds node.lock. */
void events__init(void);
void events__end(int status);
/* Repeats what is true (nodes, modules, sites, types, live objects, roots) when a listener has come since
 * the last call. The caller holds node.lock. */
void events__rundown_if_due(void);

/* Interning: the same chain, module or type always gives the same id; a new one emits its record.
 * The caller holds node.lock. */
uint32_t events__site(const void *const *pcs, size_t n); /* return addresses, innermost first */
struct dsm_ev_ip events__ip(const void *pc);
uint32_t events__type(const char *name, uint32_t size,
		      const void *pc); /* pc: in the module that declares it */
/* Module path, build-id and file offset of a code address; NULL path when unknown. Async-signal-safe
 * after events__init(). */
struct events_place {
	const char *path;
	const uint8_t *build_id;
	uint32_t build_id_len;
	uint64_t offset; /* in the file */
};
struct events_place events__place(const void *pc);
/* Fills pcs with the caller's chain of return addresses, program code only from the innermost frame
 * outside libdsm; returns the count (at most max). */
size_t events__backtrace(const void **pcs, size_t max);

#endif
