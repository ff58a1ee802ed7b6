/* SPDX-License-Identifier: BSD-2-Clause */
/* lost_time.h - what a node's counters say it has lost, where intervals of sc or rc run: one answer for all tools. */
#ifndef PROCOPE_COLLECTOR_LOST_TIME_H
#define PROCOPE_COLLECTOR_LOST_TIME_H

#include <stdint.h>

#include "dsm_events.h"

/* ns waited for copies, locks and flushes, spent on changes of pages (rc), and in attempts that aborted: those run there
 * too (roots, allocations). Of what c counts, so also of what counters grew by. */
uint64_t lost_time__ns(const struct dsm_counters *c);
/* What of it is in the waits for copies and in the aborted attempts, and counts once. */
uint64_t lost_time__twice(const struct dsm_counters *c);

#endif
