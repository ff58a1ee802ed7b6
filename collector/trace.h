/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.h - the trace file: one run as a collector saw it. docs/trace.md has the format in bytes.
 *
 * A file is a header and chunks. Each chunk has a length, a type, a checksum and, for records, the
 * losses known when it was written, so that a cut file is good up to its last whole chunk. The
 * writer works on PATH.partial and renames it on close: a good file is never replaced by half of one.
 */
#ifndef PROCOPE_TRACE_H
#define PROCOPE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dsm_events.h"

#define TRACE_VERSION 1

/* What happened to one page on one node since the last statistics chunk, counted at the source
 * (in the kernel for BPF), so it is complete even where records were lost. */
struct trace_page_stat {
	dsm_ev_page page;
	uint16_t node;
	uint16_t reserved[3];
	uint64_t fetches, fetch_ns; /* faults served by another node */
	uint64_t transfers, bytes;  /* page bytes arrived */
	uint64_t invalidations, updates;
	uint64_t aborts, wasted_ns; /* charged to the first page where they met; and MEETs of sc, rc */
};

struct trace_counters { /* one node's counter page at one time */
	uint64_t time_ns;
	uint16_t node;
	uint16_t reserved[3];
	struct dsm_counters counters;
};

struct trace_loss { /* records of one type lost so far in the whole run, exact */
	uint16_t type;
	uint16_t reserved[3];
	uint64_t count;
};

enum trace_item_kind {
	TRACE_END_OF_FILE = 0,
	TRACE_RECORD,	/* item.record: one record, valid until the next call */
	TRACE_PAGES,	/* item.pages[count]: deltas, to be added up */
	TRACE_COUNTERS, /* item.counters[count]: absolute; the last of each node holds */
	TRACE_LOSSES,	/* item.losses[count]: absolute */
	TRACE_INFO,	/* item.json: NUL-terminated object: host, command, source, plan, start, ... */
	TRACE_SUMMARY,	/* item.json: how the run ended; only in a file that was closed properly */
};

struct trace_item {
	enum trace_item_kind kind;
	size_t count;
	union {
		const struct dsm_ev_hdr *record;
		const struct trace_page_stat *pages;
		const struct trace_counters *counters;
		const struct trace_loss *losses;
		const char *json;
	};
};

struct trace_writer;
struct trace_reader;

/* Opens PATH.partial for writing. Errors: negative errno. Not thread-safe; one writer, one thread. */
int trace_writer__open(struct trace_writer **out, const char *path);
/* Each appends; full chunks are compressed and written at once. Errors (disk full: -ENOSPC) are
 * sticky: the file then ends at the last whole chunk and close reports the error. */
int trace_writer__record(struct trace_writer *w, const struct dsm_ev_hdr *record);
int trace_writer__pages(struct trace_writer *w, const struct trace_page_stat *pages, size_t count);
int trace_writer__counters(struct trace_writer *w, const struct trace_counters *c, size_t count);
int trace_writer__losses(struct trace_writer *w, const struct trace_loss *losses, size_t count);
int trace_writer__info(struct trace_writer *w, const char *json);
int trace_writer__summary(struct trace_writer *w, const char *json);
/* Ends the open records chunk and flushes, so that a reader of the partial file sees all so far. */
int trace_writer__flush(struct trace_writer *w);
/* Flushes, syncs, renames to PATH and frees. Returns the first error met; then PATH is untouched
 * and PATH.partial is removed if it holds no record, else kept and named in the caller's message. */
int trace_writer__close(struct trace_writer *w);
/* Frees and removes PATH.partial. */
void trace_writer__abandon(struct trace_writer *w);

/* Opens a trace; "-" is standard input. -ENOENT, -EACCES..., -EBADMSG: not a trace,
 * -EPROTONOSUPPORT: a newer version. */
int trace_reader__open(struct trace_reader **out, const char *path);
/* Next item in file order. Returns 0 with item->kind (TRACE_END_OF_FILE at the end), -ENODATA when
 * the file was cut (everything before was good and was returned), -EBADMSG for a damaged chunk
 * (skipped; calling again goes on with the next). Every record returned is sane: hdr.size is within
 * the chunk, a multiple of 8, at least the fixed part of its type, counts fit in size, strings end. */
int trace_reader__next(struct trace_reader *r, struct trace_item *item);
/* Whether the file still grows: then -EAGAIN comes where it ends now, and the next call goes on from there. */
void trace_reader__follow(struct trace_reader *r, bool follow);
/* Takes a list of losses: what each type has lost since the one before, by which *told is brought up to date. Types that this version
 * does not know count as 0, together. */
void trace_losses__since(uint64_t told[DSM_EV_TYPE_MAX], const struct trace_loss *losses, size_t n,
			 uint64_t since[DSM_EV_TYPE_MAX]);
/* Records lost so far in the run, all types, as of the last chunk read: also known in a cut file. */
uint64_t trace_reader__lost(const struct trace_reader *r);
void trace_reader__close(struct trace_reader *r);

/* True when `size` bytes at `record` form a sane record as described at trace_reader__next(). Types
 * that this version does not know are sane if their header is. */
bool trace_record__sane(const struct dsm_ev_hdr *record, size_t size);
/* "abort", ... or "type-N" in a static buffer per thread. */
const char *trace_record__name(unsigned type);

#endif
