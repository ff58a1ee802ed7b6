/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * waits.h - time spent waiting, apart from conflicts: for copies that nobody's use held up, for locks, for
 * flushes. By object, elements, line and home; and where pages are at home on a node that does not write them.
 */
#ifndef ANALYZER_WAITS_H
#define ANALYZER_WAITS_H

#include "evidence.h"

struct wait_row { /* of copies: by object, who waited, where the home was, and which line */
	uint32_t object,
		site; /* where the transaction or interval begins, if the line is in another file; else 0 */
	uint16_t node, home;
	uint32_t access;
	uint32_t roots; /* no object: the DSM's own table of roots */
	struct code code;
};

struct wait_sum {
	double ns, count;
	uint32_t objects; /* after finish: of one name, taken together; the row's is one of them */
	struct byteset elements;
};

#define WRITER_NONE 0xffffu
#define WRITER_MANY 0xfffeu
struct wait_page {
	uint32_t run, object;
	uint32_t first, last; /* elements on it */
	uint16_t home, writer;
	struct {
		uint16_t node;
		double ns, fetches;
	} waiter[4]; /* the first few; `fetches` 0: none */
	double flush_ns;
	bool away; /* its home had to fetch it: somebody else had written it */
};

/* Pages of one object that lie with one node and are written by another alone. */
struct misplaced {
	uint32_t object;
	uint16_t home, writer;
	double ns, fetches, pages;
	struct byteset elements; /* gaps between them that nobody else was seen to write belong to them */
};

struct lock_sum {
	uint32_t run;
	uint32_t site; /* where the critical section begins, interned; of several the costliest */
	uint64_t name;
	bool of_object;
	double ns, count;
	uint32_t nodes; /* how many took it: bits of the first 32 */
	int64_t time_ns;
	uint32_t object, element; /* after finish: that names it; PLACE_NONE: not known, or a block's */
	uint32_t byte;		  /* of the element */
	uint32_t locks;		  /* how many these are: more than 1 in `lock_sites` only */
};

struct lock_sums {
	struct lock_sum *at;
	size_t n, cap;
};

struct flush_part {
	uint32_t flush, page;
};

struct waits {
	struct model *model;
	struct table row_keys; /* struct wait_row */
	VEC(struct wait_sum) rows;
	struct table page_keys;
	VEC(struct wait_page) pages;
	struct table flush_keys; /* (run, node, number) */
	VEC(double) flush_ns;
	VEC(uint32_t) flush_pages; /* how many it wrote whose home is elsewhere; after finish */
	VEC(struct flush_part) flush_part;
	struct table lock_keys, lock_line_keys;
	struct lock_sums locks, lock_lines; /* by lock; by lock and the line that took it */
	struct lock_sums
		lock_sites;	  /* after finish: `locks`, those of one line and one kind of object as one */
	double copies_ns, copies; /* fetches that met nobody */
	double flushes_ns, flushes; /* flushes that met nobody */
	double flushed_ns;	    /* all of them */
	double locks_ns, nlocks;
	VEC(struct misplaced) misplaced; /* after finish, the costliest first */
};

void waits__init(struct waits *w, struct model *m);
void waits__free(struct waits *w);
/* A fetch (`f`, on the page of `v`; NULL when it cannot be told) or a flush (`ended`) that nobody's use explains. */
void waits__plain(struct waits *w, uint32_t run, double ns, const struct dsm_ev_fault *f,
		  const struct page_view *v, const struct dsm_ev_ended *ended);
/* Learns who writes a page. */
void waits__usage(struct waits *w, const struct usage_event *u);
/* A flush that was waited for, plain or not: whose pages had to travel? */
void waits__flushed(struct waits *w, uint32_t run, const struct dsm_ev_ended *ended);
void waits__lock(struct waits *w, uint32_t run, const struct dsm_ev_lock *lock);
void waits__finish(struct waits *w);

#endif
