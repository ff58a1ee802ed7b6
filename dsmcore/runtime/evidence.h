/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evidence.h - turns what the protocol core reports into counters and records.
 */
#ifndef DSM_RUNTIME_EVIDENCE_H
#define DSM_RUNTIME_EVIDENCE_H

#include "dsm_events.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/protocol/core.h"
#include "dsmcore/transport/transport.h"

static inline dsm_ev_page evidence__page(uint32_t page)
{
	return DSM_EV_PAGE((uint64_t)page << DSM_PAGE_LOG2, DSM_PAGE_LOG2);
}

static inline struct dsm_ev_interval evidence__interval(const struct core_party *p)
{
	return (struct dsm_ev_interval){p->number, p->attempt, p->site};
}

/* A report of the core. msg and blobs: what the step was about, if a message. The caller holds node.lock. */
void evidence__emit(const struct core_action *report, const struct core_msg *msg,
		    const struct wire_blob *blobs);
/* An access fault was resolved. The caller holds node.lock. */
void evidence__fault(enum core_fault kind, uint32_t page, uint16_t offset, bool write, const void *pc,
		     uint64_t wait_ns);
/* So many ns went into making pages that are here usable for the running attempt. */
void evidence__local(uint64_t ns);
/* A barrier was passed. The caller holds node.lock. */
void evidence__barrier(uint64_t wait_ns);
/* What was written to a page: where it differs from what was there before; `head` has all but that. Without a difference
 * there is a record only if unchanged_too. The caller holds node.lock. */
void evidence__writes(const struct dsm_ev_writes *head, const uint8_t *page, const uint8_t *before,
		      bool unchanged_too);
/* Counts a meeting, and begins its record: without flags, who was met, model and pages. NULL: nobody wants it. The caller
 * holds node.lock. */
struct dsm_ev_meet *evidence__meet(const struct core_action *a);
/* An attempt has begun. The caller holds node.lock. */
void evidence__begin(void);

#endif
