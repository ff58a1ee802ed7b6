/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cputime.h - what attempts cost in processor time, by a sample of them.
 *
 * An attempt's duration says little where nodes share cores: it waits for messages and for its turn. What a
 * program needs of a core tells how fast it can be with fewer waits. The clock is a system call, so few attempts are
 * looked at: one that begins at least CPUTIME_EVERY_NS after the last one, whatever it turns out to be. Its time lasts
 * until the next one begins: undoing belongs to it, and what the program does between transactions.
 */
#ifndef DSM_RUNTIME_CPUTIME_H
#define DSM_RUNTIME_CPUTIME_H

#include <stdbool.h>
#include <stdint.h>

#define CPUTIME_EVERY_NS 400000u

/* From the mutator, before its first transaction. */
void cputime__init(void);
/* An attempt begins. */
void cputime__begin(uint64_t now_ns);
/* It is over; `fetched`: it had to wait for pages. From any thread, under the node's lock. */
void cputime__committed(bool local, bool fetched);
void cputime__aborted(void);
/* The node's totals, as counters. */
void cputime__publish(void);

#endif
