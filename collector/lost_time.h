/* SPDX-License-Identifier: BSD-2-Clause */
/* lost_time.h - what a node's counters say it has lost: one answer for all tools. */
#ifndef PROCOPE_COLLECTOR_LOST_TIME_H
#define PROCOPE_COLLECTOR_LOST_TIME_H

#include <stdint.h>

#include "dsm_events.h"

/* Where intervals of sc or rc run: ns waited for copies, locks and flushes, spent on changes of pages (rc), and as in
 * lost_time__conflicts(): transactions run there too (roots, allocations). Of what c counts, so also of what counters grew by. */
uint64_t lost_time__ns(const struct dsm_counters *c);
/* Where transactions run: ns in attempts that aborted, and, of those that are not undone, in commits that others were in the
 * way of. */
uint64_t lost_time__conflicts(const struct dsm_counters *c);
/* What of it is in the waits for copies and in the aborted attempts, and counts once. */
uint64_t lost_time__twice(const struct dsm_counters *c);

#endif
