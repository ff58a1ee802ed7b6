/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verify.h - decides whether a history (dsm_history.h) can be explained by running its attempts one
 * after the other: committed ones with their effects, aborted ones as readers of one consistent state.
 *
 * docs/history.md explains the method. In short: each read names a version of a page, each commit makes
 * the next version, so who must come before whom is known; the history is good if these orders, with
 * each node's own order, the barriers and (on one clock) real time, have no cycle, and every read found
 * exactly the bytes that the version's writer left.
 */
#ifndef DSM_VERIFY_H
#define DSM_VERIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "dsm_history.h"

struct verify;

struct verify_result {
	uint64_t attempts, committed, aborted, unchecked; /* unchecked: aborted, with pinned accesses */
	uint64_t reads, writes, pages;
	uint64_t orphans; /* of a partial history: reads of versions whose writer is not in it */
	uint64_t errors;  /* versions, contents, barriers and cycles; 0: the history is good */
};

/* one_clock: begin_ns and end_ns of all nodes can be compared. Errors: -ENOMEM. */
int verify__open(struct verify **out, bool one_clock);
void verify__one_clock(struct verify *v, bool one_clock);
/* Records at the end of some nodes' files are lost: a version without a writer is no contradiction then, but its
 * readers must still have found the same bytes. Before verify__check(). */
void verify__partial(struct verify *v);
void verify__close(struct verify *v);

/* Adds one attempt of a node, in the order in which that node's attempts ended; pages: nreads, then
 * nwrites. Errors: -ENOMEM, -EINVAL (a page twice in the reads or the writes, a node too large). */
int verify__add(struct verify *v, uint16_t node, const struct dsm_history_attempt *attempt,
		const struct dsm_history_page *pages);

/* Checks all that was added and writes what is wrong to `report` (NULL: nowhere), in words. Returns 0
 * when it could decide (result->errors tells), -ENOMEM. */
int verify__check(struct verify *v, FILE *report, struct verify_result *result);

/* The last version of each page that was written and the hash of its bytes, after verify__check(). */
void verify__last(const struct verify *v,
		  void (*fn)(void *arg, uint64_t page, uint64_t version, uint64_t hash), void *arg);

/* Reads the file of one node into the verifier (history.c). Errors go to `report` with file and remedy:
 * -errno (cannot be read), -EBADMSG (damaged). *cut: it ends without its last record; what was whole
 * was added. */
int verify__read_file(struct verify *v, const char *path, struct dsm_history_file *head, bool *cut,
		      FILE *report);

#endif
