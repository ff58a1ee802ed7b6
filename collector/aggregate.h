/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * aggregate.h - what is known about one run: nodes, pages, objects, losses. Pure: no file, no clock,
 * no process; time comes in with the samples. One thread.
 *
 * Both sources feed it, so a page has the same numbers whether the kernel counted or this program.
 */
#ifndef PROCOPE_AGGREGATE_H
#define PROCOPE_AGGREGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/trace.h"
#include "dsm_events.h"

struct aggregate;

struct agg_rates {					 /* over the last sample interval */
	bool known;					 /* two samples exist */
	double commits, aborts, work, fetches, bytes_in; /* per second */
	double aborts_per_commit, wasted_share;
	/* Under sc and rc; lock waits are for locks that came from another node, flushes messages with changes. */
	double intervals, meets, transfers, lock_waits, flushes;
	double conflicts_per_interval, lost_share;
};

struct agg_node {
	uint16_t node, nodes;
	uint32_t pid;
	bool described;	     /* its NODE record was seen */
	bool ended, crashed; /* crashed: it went away without an END record */
	int32_t status;	     /* of END */
	uint64_t run_id;
	unsigned consistency; /* enum dsm_ev_consistency, by its NODE record; 0: not known */
	char host[64];
	char program[128];
	uint64_t sampled_ns; /* time of the counters; 0 = none yet */
	uint64_t before_ns;
	struct dsm_counters counters, before;
	bool has_last; /* its END record had its counters: */
	struct dsm_counters last;
	struct agg_rates rates;
};

struct agg_page { /* one page, all nodes together */
	dsm_ev_page page;
	struct trace_page_stat total; /* its node is unused */
	uint64_t fetches_before, aborts_before;
	double fetches_per_s, aborts_per_s; /* negative: not known yet */
	uint64_t home_moves;
	uint64_t home_version; /* of the page at the last of them */
	uint16_t home;	       /* after it */
};

struct agg_object { /* an object with the names that are known of it */
	uint64_t offset, bytes, count;
	uint16_t node; /* whose ids these are */
	uint32_t type, elem_size;
};

struct aggregate *aggregate__new(void); /* NULL: no memory */
void aggregate__free(struct aggregate *a);

/* Takes notice of a sane record: counts it, learns names, notes ends. Returns 1 when it is a rundown's
 * repetition of what an earlier record of this run said (leave it out of the trace), else 0; -ENOMEM. */
int aggregate__record(struct aggregate *a, const struct dsm_ev_hdr *record);
/* What a sane record says about a page: false when it says nothing. */
bool aggregate__page_of(const struct dsm_ev_hdr *record, struct trace_page_stat *stat);
/* Adds counts of one (node, page). -ENOMEM. */
int aggregate__add_page(struct aggregate *a, const struct trace_page_stat *delta);
/* What was added since the last call, one element a (node, page); *count may be 0. The array is valid
 * until the next call. -ENOMEM: nothing is taken, the next call has it all. */
int aggregate__take_pages(struct aggregate *a, const struct trace_page_stat **pages, size_t *count);

/* Adds a node that is known otherwise than by its NODE record. -ENOMEM. */
int aggregate__add_node(struct aggregate *a, uint16_t node, uint16_t nodes, uint32_t pid, uint64_t run_id);
/* The node's process is gone; `clean`: it said in its shared memory that it had ended. */
void aggregate__node_gone(struct aggregate *a, uint16_t node, bool clean);
/* NULL: never seen. */
const struct agg_node *aggregate__node(const struct aggregate *a, uint16_t node);
/* In ascending order; returns how many there are. Valid until a node is added. */
size_t aggregate__nodes(const struct aggregate *a, const struct agg_node *const **nodes);

/* One node's counters as read at c->time_ns (absolute). Rates are over the time between two calls. */
void aggregate__sample_node(struct aggregate *a, const struct trace_counters *c);
/* Ends a sample interval of `seconds` for the pages. */
void aggregate__sample_pages(struct aggregate *a, double seconds);
/* All nodes together, from their last samples. */
struct agg_rates aggregate__total(const struct aggregate *a);

void aggregate__add_loss(struct aggregate *a, unsigned type, uint64_t count);
/* Types with loss only; valid until the next call. */
size_t aggregate__losses(const struct aggregate *a, const struct trace_loss **losses);
uint64_t aggregate__lost(const struct aggregate *a);
/* Records noticed, by type (index 0: types of 32 and more), without those left out as repetitions. */
const uint64_t *aggregate__counts(const struct aggregate *a);
uint64_t aggregate__repeated(const struct aggregate *a);

/* Hottest first (wasted_ns, then aborts, then fetches, then the page's own order), at most `most`. Returns the count. */
size_t aggregate__hottest(struct aggregate *a, const struct agg_page **pages, size_t most);
/* The nodes on which something happened to this page, ascending, at most `most`. */
size_t aggregate__page_nodes(const struct aggregate *a, dsm_ev_page page, uint16_t *nodes, size_t most);
/* The object that covers most of the page and how many touch it; NULL: none is known. */
const struct agg_object *aggregate__object_on(struct aggregate *a, dsm_ev_page page, size_t *count);
/* "struct avatar", or NULL. */
const char *aggregate__type_name(const struct aggregate *a, const struct agg_object *object);
/* The name that a root gives to an address within the object, or NULL. */
const char *aggregate__root_name(struct aggregate *a, const struct agg_object *object);

#endif
