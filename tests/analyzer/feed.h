/* SPDX-License-Identifier: BSD-2-Clause */
/* feed.h - synthetic records for the analyzer's tests: built field by field, kept in order, then given to the
 * analyzer directly or written as a trace. */
#ifndef TESTS_ANALYZER_FEED_H
#define TESTS_ANALYZER_FEED_H

#include "analyzer/byteset.h"
#include "analyzer/mem.h"
#include "collector/trace.h"

#define FEED_NODES   8
#define FEED_LOG2    12
#define FEED_PAGE(n) DSM_EV_PAGE((uint64_t)(n) << FEED_LOG2, FEED_LOG2)

struct feed {
	unsigned nodes;
	uint64_t seq[FEED_NODES], time_ns;
	struct dsm_counters counters[FEED_NODES];
	VEC(struct dsm_ev_hdr *) records;
	uint64_t random;
	uint64_t run_id;
	const char *program;
	uint8_t consistency; /* of the run: enum dsm_ev_consistency */
	bool intervals;	     /* what follows tells of intervals, not of attempts */
};

void feed__start(struct feed *f, unsigned nodes, uint64_t seed);
void feed__free(struct feed *f);
uint32_t feed__random(struct feed *f, uint32_t below);

/* Definitions. */
void feed__nodes(struct feed *f);
void feed__module(struct feed *f, unsigned node, uint32_t id, const char *path, const void *build_id,
		  uint32_t len);
void feed__site(struct feed *f, unsigned node, uint32_t id, uint32_t module, const uint32_t *offsets,
		uint32_t n);
void feed__type(struct feed *f, unsigned node, uint32_t id, const char *name, uint32_t size, uint32_t module);
void feed__object(struct feed *f, unsigned node, uint64_t offset, uint64_t count, uint32_t elem,
		  uint32_t type, uint32_t site, uint32_t flags);
void feed__root(struct feed *f, unsigned node, uint64_t offset, const char *name);

/* Activity. `iv` names the attempt. */
struct feed_iv {
	unsigned node;
	uint64_t number;
	uint32_t attempt, site;
};
struct feed_meeting {
	unsigned page;
	unsigned access, tracked;
	uint64_t winner_version;
};
void feed__writes(struct feed *f, struct feed_iv iv, unsigned page, const struct byteset *set,
		  bool committed);
/* `read` and `wrote` as accesses of one to eight bytes each. */
void feed__accesses(struct feed *f, struct feed_iv iv, unsigned page, const struct byteset *read,
		    const struct byteset *wrote, bool complete, struct dsm_ev_ip ip);
void feed__commit(struct feed *f, struct feed_iv iv, bool microscope);
/* Of an attempt that is not undone: others' commits were in its way so long. */
void feed__rebase(struct feed *f, struct feed_iv iv, uint64_t rebase_ns, bool microscope);
/* The same, to be filled in. */
struct dsm_ev_commit *feed__add_commit(struct feed *f, struct feed_iv iv, bool microscope);
/* Of a loop whose iterations somebody gave: `pieces` transactions of so many, which took these times (docs/events.md). */
void feed__loop_commit(struct feed *f, struct feed_iv iv, uint32_t iterations, uint16_t pieces,
		       uint64_t between_ns, uint64_t work_ns);
void feed__abort(struct feed *f, struct feed_iv loser, struct feed_iv winner, uint32_t cause,
		 uint64_t wasted_ns, const struct feed_meeting *m, unsigned n, bool microscope);
void feed__fault(struct feed *f, struct feed_iv iv, unsigned page, unsigned offset, unsigned access,
		 struct dsm_ev_ip ip);
void feed__wait(struct feed *f, struct feed_iv iv, unsigned page, unsigned offset, unsigned access,
		unsigned home, uint64_t wait_ns, struct dsm_ev_ip ip);
/* So many first writes to pages that were here, of which one was recorded. */
void feed__local_fault(struct feed *f, struct feed_iv iv, unsigned page, uint32_t weight, uint64_t wait_ns);
/* Passed by all nodes. */
void feed__barrier(struct feed *f, uint64_t number);
/* `holder` had a page in use since `since`, which `other` wanted (sc) or changed (rc); under tx `holder` is an attempt that is not
 * undone, and `since` says nothing. */
void feed__meet(struct feed *f, struct feed_iv holder, struct feed_iv other, unsigned page, unsigned access,
		unsigned wanted, uint64_t since);
/* These give what they have added: it may be filled in. */
struct dsm_ev_ended *feed__interval(struct feed *f, struct feed_iv iv, uint64_t flush_ns, bool microscope);
struct dsm_ev_lock *feed__lock(struct feed *f, struct feed_iv iv, uint64_t name, unsigned flags,
			       uint64_t wait_ns);
/* `node` leaves being the home of a page, made at that version, to another one. */
void feed__move(struct feed *f, unsigned node, unsigned page, uint64_t version, unsigned to, unsigned birth);
/* Exchanges neighbours of different nodes at random: only the order within a node is sure. */
void feed__shuffle(struct feed *f);

/* Writes a trace: records, counters (aborts and wasted_ns as fed, the rest from f->counters), losses. */
int feed__write(struct feed *f, const char *path, const struct trace_loss *losses, size_t nlosses);

#endif
