/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * microscope.h - sees each access to a few pages, one instruction at a time.
 *
 * After a conflict the retry of the transaction runs with the pages of the conflict closed. Each access
 * faults, the page is opened, the instruction runs alone under the trap flag, and the page is closed again:
 * (instruction, offset, read or write) of every access, without help from compiler or hardware. An access
 * costs some 20 us, so the time spent is bounded by a share of the run (options.microscope_permille), and the
 * number of accesses of one attempt is bounded too; what was cut is flagged incomplete.
 */
#ifndef DSM_RUNTIME_MICROSCOPE_H
#define DSM_RUNTIME_MICROSCOPE_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#include "dsmcore/protocol/core.h"

/* The attempt that was just undone, or another one, met its winner here; the next attempt may look closer. The caller holds
 * node.lock (as for begin and end). */
void microscope__suspect(const struct core_meeting *meetings, uint32_t n);
/* An attempt, or an interval, begins: closes the suspected pages if the budget allows. */
void microscope__begin(bool interval);
/* The attempt (or the interval) ends, committed or not: emits what was seen. */
void microscope__end(const struct core_party *attempt, bool interval, bool committed);
/* Would the next interval be looked at, as far as is known? */
bool microscope__wanted(void);
/* Is the page kept closed for the running one? */
bool microscope__watches(uint32_t page);
/* Did the microscope slow the running attempt, or the one that ends? */
bool microscope__used(void);
/* The mutator faulted on a page, which is accessible now. Records the access if the page is watched, and
 * makes the context run one instruction. Mutator's fault handler only. */
void microscope__open(uint32_t page, uint16_t offset, bool write, ucontext_t *context);
/* A page was opened for good (dsm_touch, a system call): what happens there is not seen. Mutator only. */
void microscope__overlook(uint32_t page);
/* The instruction has run (SIGTRAP). False: the trap was not ours. */
bool microscope__close(ucontext_t *context);

#endif
