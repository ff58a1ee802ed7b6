/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model.h - what dsmtop knows: the newest sample, the one before, and the history of aborts (sc, rc: conflicts) a
 * second.
 *
 * Pure: lines of the live socket (schema procope.live/1) go in, rows in the wanted order come out. It
 * owns no descriptor, clock or terminal. A line is data from another process: strings are made safe on
 * the way in, wrong types count as "not given", and a line that is no object of this schema changes
 * nothing. One thread.
 */
#ifndef PROCOPE_VIEWER_MODEL_H
#define PROCOPE_VIEWER_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dsm_events.h"

#define LIVE_SCHEMA	"procope.live/1"
#define MODEL_PAGES_MAX 4096  /* a server sends 256 */
#define MODEL_NODES_MAX 65536 /* node numbers have 16 bits */
#define MODEL_HISTORY	1024  /* samples of the graph */

struct model_rates { /* per second; NAN until two samples exist */
	double commits, aborts, work, fetches, bytes_in;
	double intervals, conflicts, transfers, lock_waits, flushes; /* of sc and rc */
};

struct model_node {
	unsigned node;
	long pid;
	bool ended;
	char host[64];
	struct dsm_counters counters;
	struct model_rates rate;
	/* Shares of the last interval's wall time, from the counters of two samples; NAN before. */
	double committed, wasted, barrier;
	double fetching, locking, flushing; /* of sc and rc */
	double lost;			    /* these three, and what was wasted */
};

struct model_page {
	uint64_t offset;
	unsigned log2;
	char object[128], type[128], root[64];
	bool named;
	uint64_t object_offset; /* region offset where the object begins */
	unsigned objects;	/* on this page */
	char nodes[64];		/* "0,1,2" or "0-3", cut with "+" */
	unsigned nnodes;
	uint64_t fetches, transfers, invalidations, updates, aborts, wasted_ns;
	uint64_t fetch_ns; /* waited for it */
	double fetches_per_s, aborts_per_s;
	uint64_t home_moves;
	unsigned home; /* after the last of them */
};

struct model_sample {
	bool valid, ended, has_rates;
	uint64_t time_ns;
	double elapsed_s;
	char source[16], program[128], run_id[24], consistency[8];
	bool intervals;		 /* it is sc or rc: intervals that wait, in place of attempts that abort */
	struct model_rates rate; /* of all nodes */
	double aborts_per_commit, wasted_share, conflicts_per_interval, lost_share;
	uint64_t lost_total, events;
	uint64_t clock_hosts, clock_error_ns, clock_steps; /* hosts whose clocks are joined; 0: of one host */
	char lost[256];					   /* "abort 12, fault 3" */
	size_t nnodes, npages;
	struct model_node *nodes;
	struct model_page *pages;
};

/* Of sc and rc WASTED is what was waited, ABORTS are conflicts, COMMITS of nodes intervals, FETCHES of nodes transfers. */
enum page_key {
	PAGE_WASTED,
	PAGE_ABORTS,
	PAGE_FETCHES,
	PAGE_TRANSFERS,
	PAGE_INVALIDATIONS,
	PAGE_UPDATES,
	PAGE_ADDRESS,
	PAGE_OBJECT,
	PAGE_KEYS
};
enum node_key { NODE_NUMBER, NODE_COMMITS, NODE_ABORTS, NODE_WASTED, NODE_WORK, NODE_FETCHES, NODE_KEYS };

struct model {
	struct model_sample shown; /* what is drawn; stands still while paused */
	struct model_sample last;  /* the newest, when `shown` stands still */
	bool paused;
	bool ended;	    /* a line said so */
	uint64_t samples;   /* good lines */
	uint64_t bad_lines; /* lines that were none */
	char error[160];    /* about the newest bad line */
	double history[MODEL_HISTORY];
	size_t nhistory; /* samples ever pushed; the newest is at (nhistory - 1) % MODEL_HISTORY */
	enum page_key page_key;
	bool page_key_chosen; /* by model__sort_pages(); else it follows from the run's model */
	enum node_key node_key;
};

void model__init(struct model *m);
void model__free(struct model *m);

/* Takes one line (without its newline). Returns 1 when it brought a sample, -EBADMSG when it is not
 * JSON or not an object of the schema, -EPROTONOSUPPORT for a later version of the schema, -ENOMEM; the
 * state is then unchanged but for bad_lines and error. */
int model__line(struct model *m, const char *line, size_t length);

/* Freezes what is shown, or lets it go on with the newest sample. History is kept meanwhile. */
void model__pause(struct model *m, bool paused);

/* Orders the rows of what is shown; model__line() keeps to the key that was set last. Until one is set pages are in the
 * order of what they cost: under rc, where hardly anybody waits for a page, of their conflicts. */
void model__sort_pages(struct model *m, enum page_key key);
void model__sort_nodes(struct model *m, enum node_key key);

/* The words for --sort and menus: "wasted", "aborts", ...; `intervals`: those of sc and rc. Key of a word, of either:
 * -EINVAL when there is none. */
const char *model__page_key_name(enum page_key key, bool intervals);
const char *model__node_key_name(enum node_key key, bool intervals);
int model__page_key(const char *name);

/* "avatars: struct avatar[64] +0x1000, 2 more", or words that say that no object is known. */
void model_page__describe(const struct model_page *p, char *dst, size_t size);

#endif
