/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * written.h - which bytes of a page were changed, as a WRITES record says it (dsm_events.h). Pure.
 */
#ifndef DSM_MEMORY_WRITTEN_H
#define DSM_MEMORY_WRITTEN_H

#include <stddef.h>
#include <stdint.h>

#include "dsm_events.h"
#include "dsmcore/memory/diff.h"

/* The longest: a mask for each word. (Runs are only chosen where they are shorter.) */
#define WRITTEN_BYTES (DSM_EV_MASKS_AT(0) + sizeof(struct dsm_ev_masks) + DIFF_PAGE / 8)

/* Fills `nruns` and what follows it with the bytes in which the page (DIFF_PAGE bytes) differs from what was there before:
 * runs, or masks where these are shorter. record: WRITTEN_BYTES of room. *runs gets the number of runs, told as such or not;
 * 0: no difference. Returns the bytes of the record. */
size_t written__describe(struct dsm_ev_writes *record, const uint8_t *page, const uint8_t *before,
			 size_t *runs);

#endif
