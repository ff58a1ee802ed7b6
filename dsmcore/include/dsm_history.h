/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dsm_history.h - what each attempt read and wrote, for dsmverify.
 *
 * A history is a folder with one file a node, DSM_HISTORY_FILE. Each file is a struct dsm_history_file
 * followed by records; integers are little-endian. docs/history.md explains how the checker decides.
 *
 * A record is a struct dsm_history_attempt, then `nreads` and `nwrites` struct dsm_history_page, in
 * the order in which the node's attempts ended. Pages ascend within reads and within writes.
 *
 * reads:  each page that the attempt accessed or may have accessed (core__touched()): the version it
 *	   saw and the hash of the page's committed bytes of that version as they stood before the
 *	   attempt's own writes (TWIN if the page is dirty, else FRAME), taken when the attempt has ended
 *	   but before anything is undone or given up (at CORE_EMIT_COMMIT or CORE_EMIT_ABORT).
 * writes: each page whose commit made a new version: that version, and the hash of the whole page
 *	   (FRAME). Such a page is among the reads too, with the version before. An aborted attempt has
 *	   no writes.
 *
 * The hash is any 64-bit hash of the page's bytes, the same function in all files of a history. A
 * file that ends without the record whose number is 0 was cut: the checker reads it up to there.
 */
#ifndef DSM_HISTORY_H
#define DSM_HISTORY_H

#include <stdint.h>

#define DSM_HISTORY_FILE    "node-%u.dsmh"	  /* in the history's folder; the node's number */
#define DSM_HISTORY_MAGIC   0x3148434f52505344ull /* "DSPROCH1" */
#define DSM_HISTORY_VERSION 1u

/* file.flags */
#define DSM_HISTORY_ONE_CLOCK                                                                                \
	0x1u /* begin_ns and end_ns of all nodes come from one clock (one host): the                         \
	      * order in real time is checked too */
#define DSM_HISTORY_SECTIONS                                                                                 \
	0x2u /* the run is sc or rc: its blocks are critical sections, which leave no record; there are only \
	      * transactions underneath and those on objects that are tx */

struct dsm_history_file {
	uint64_t magic;
	uint32_t version;
	uint32_t flags;	 /* DSM_HISTORY_* */
	uint64_t run_id; /* the same in all files of a run */
	uint32_t page_bytes;
	uint16_t node;
	uint16_t nodes;
	uint32_t generation;
	uint32_t reserved;
};

/* attempt.flags */
#define DSM_HISTORY_COMMITTED 0x1u
#define DSM_HISTORY_PINNED                                                                                   \
	0x2u /* a doomed attempt that was served pages inside library code: its reads                        \
	      * are not promised to fit together and are not checked */

struct dsm_history_attempt {
	uint32_t size; /* of the record, pages included, in bytes */
	uint32_t attempt;
	uint64_t number;   /* per node, from 1; 0 = the end of the file: nothing follows */
	uint64_t begin_ns; /* before CORE_BEGIN was handed to the core */
	uint64_t end_ns;   /* after the commit was decided (or the attempt undone) */
	uint32_t barriers; /* that this node had passed when the attempt began */
	uint32_t flags;	   /* DSM_HISTORY_* */
	uint32_t nreads, nwrites;
};

struct dsm_history_page {
	uint64_t page; /* number in the region, from 0 */
	uint64_t version;
	uint64_t hash;
};

#endif
