/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * advice.h - what to change, ranked by the nanoseconds it is predicted to save each second.
 *
 * Layout changes are sought together, because a conflict may meet on several pages: whatever is not missed
 * when it is left out is left out, so that two cures of one page are not both advised. The rest, that no
 * layout removes, is looked at for changes of the source.
 */
#ifndef ANALYZER_ADVICE_H
#define ANALYZER_ADVICE_H

#include "replay.h"

enum advice_kind {
	ADVICE_ISOLATE,
	ADVICE_PARTITION,
	ADVICE_PAD,
	ADVICE_SPLIT_STRUCT,
	ADVICE_SPLIT_TRANSACTION,
	ADVICE_COMMIT_EVERY_K,
	ADVICE_ALIGN,
	ADVICE_LOCK_OBJECT,
	ADVICE_COARSER,
	ADVICE_INDEPENDENT,
};
const char *advice__kind(enum advice_kind k); /* "relocate/isolate", ..., "commit-every-k" */

/* Of a run, or predicted. wasted_share: of the time in attempts; under sc and rc what was waited, of all time. */
struct rates {
	double aborts_per_commit, commits_per_s, wasted_share, work_per_s;
	double conflicts_per_interval; /* meets / intervals; 0 where only transactions ran */
};

/* Why the ends of a range lie where they do. */
enum doubt {
	DOUBT_STEP = 1,	    /* nodes make the same progress: they may wait for one another */
	DOUBT_AGAIN = 2,    /* losers that are spared may meet another node on the same bytes */
	DOUBT_FEW = 4,	    /* few conflicts were judged */
	DOUBT_MOVES = 8,    /* parts change their writer: pages of their own move, too */
	DOUBT_TRUE = 16,    /* what is truly shared is met more often by faster nodes */
	DOUBT_OPEN = 32,    /* what is saved besides was not measured: there is no high end */
	DOUBT_TRAFFIC = 64, /* handling the pages takes time that no wait accounts for */
	DOUBT_CACHES = 128, /* the same as DOUBT_OPEN: caches, and translations of addresses */
	DOUBT_SAMPLED = 256 /* what it saves was measured of a sample */
};
const char *advice__doubt(enum doubt d); /* in plain words */

struct prediction {
	double ns_per_s; /* saved, all nodes together, each second of run time */
	struct rates rates;
	double low_ns_per_s,
		high_ns_per_s; /* what is sure, and what is possible; high: INFINITY when not known */
	double low, high;      /* times as much work or commits a second as now; rates lie between */
	unsigned doubts;       /* enum doubt */
	bool unsure;	       /* the trace cannot tell whether anything is gained */
};

/* What a change of a loop saves of what was wasted, adds to what commits cost, and adds to their number. */
struct gain {
	double saved_ns, added_ns, commits;
};

/* What it cost that the transactions of a site can be undone, on pages that no other node had, ns of the whole run. */
struct undoing {
	double handling, commits; /* faults and opening pages; comparing what was written */
};

struct advice {
	enum advice_kind kind;
	uint32_t group;		     /* the object */
	uint32_t site;		     /* of the transaction, for changes of transactions */
	struct change change;	     /* layout changes */
	bool plannable;		     /* the runtime can do it at allocation */
	unsigned rule;		     /* of the plan, from 1; 0 = none */
	struct effect effect;	     /* alone */
	double worst_ns;	     /* more that its layout may cost than the replay says */
	double alone_ns, missed_ns;  /* saved by it alone; that the others save less without it */
	double pages;		     /* more memory */
	struct prediction predicted; /* alone */
	double elements;	     /* commit-every-k: that the transaction touches */
	double conflicts;	     /* seen, that changes of transactions rest on */
	unsigned k;
	const struct loop_sum *loop; /* commit-every-k, coarser: k iterations, by a rule of the plan */
	struct gain gain;
	const struct misplaced *misplaced;  /* align */
	const struct lock_sum *lock;	    /* lock-object, coarser */
	const struct promise_site *promise; /* independent */
	struct undoing undoing;
	bool shared;  /* lock: blocks under it were seen to meet on the same bytes */
	char *fields; /* split-struct: which nodes access what */
	bool by_node; /* of it: fields are arrays that each node has a part of */
	char *text, *why;
};

struct advice_list {
	VEC(struct advice) all; /* best first */
	struct prediction plan; /* with all rules of the plan */
	struct effect plan_effect;
	double plan_pages;
	struct rates now;
	double seconds;
	char **notes; /* what is not advised and why */
	size_t nnotes;
};

/* How the prediction is made, for the report: lines of plain text. */
extern const char advice__method[];

/* Of a site that may be declared independent: attempts seen, and which part of them may truly have met another node's, at 95 %. */
double advice__attempts(const struct promise_site *s);
double advice__true_at_most(const struct promise_site *s);
void advice__rates(const struct totals *t, struct rates *out);
void advice__make(struct tally *t, struct replay *r, struct symbols *s, struct advice_list *out);
void advice__free(struct advice_list *list);

#endif
