/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * source.h - where records come from. Two sources, one shape: BPF programs on the DSM's probes, and
 * the ring in each node's shared memory.
 */
#ifndef PROCOPE_SOURCE_H
#define PROCOPE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "collector/nodes.h"
#include "collector/trace.h"

/* What a source tells. `pid` is the sender; deciding whether it belongs to the run is not the source's. */
struct source_sink {
	void *ctx;
	/* A sane record, valid during the call. */
	void (*record)(void *ctx, pid_t pid, const struct dsm_ev_hdr *record);
	/* Counts of one (node, page) since the last poll; only from a source that `counts_pages`. */
	void (*page)(void *ctx, pid_t pid, const struct trace_page_stat *delta);
	/* Records lost since the last poll. */
	void (*loss)(void *ctx, pid_t pid, unsigned type, uint64_t count);
};

struct source;

struct source_ops {
	const char *name;
	bool counts_pages; /* else the receiver counts from the records */
	/* Is readable when it is better not to wait until the next look. NULL: never. */
	int (*wake_fd)(const struct source *s);
	/* Delivers what has come. With `all`, also counts that are cheap to leave for a while. */
	void (*poll)(struct source *s, const struct source_sink *sink, bool all);
	/* Delivers what a node that has died had gathered and not told; after a poll. `view`: its memory, NULL if nobody has it. The op is
	 * NULL where nothing is gathered. */
	void (*node_died)(struct source *s, pid_t pid, const struct node_view *view,
			  const struct source_sink *sink);
	/* Nodes come and go; NULL where the source does not care. */
	void (*node_found)(struct source *s, struct node_view *view);
	void (*node_dropped)(struct source *s, struct node_view *view);
	void (*free)(struct source *s);
};

struct source {
	const struct source_ops *ops;
	uint64_t ring_bytes; /* 0: each node has its own */
	unsigned late_ms;    /* for so long nodes may keep records before they tell them */
};

struct source_options {
	uint64_t ring_bytes; /* BPF ring buffer; power of two and whole pages */
	bool all;	     /* records of every type, not only those that the evidence needs */
	bool names_only;     /* no trace: only the records that say what is what; the rest is counted */
	uid_t user;	     /* only processes of this user */
	const char *probe_file;
};

/* Types that a trace has: all but BEGIN, TRANSFER, INVALIDATE and UPDATE, which are counted unless --all. */
bool source__keeps(unsigned type, bool all);

/* `why` gets a line that says what failed, on what, and what to do. Errors: negative errno. */
int source_bpf__new(struct source **out, const struct source_options *options, char *why, size_t why_size);
int source_ring__new(struct source **out, const struct source_options *options, char *why, size_t why_size);

#endif
