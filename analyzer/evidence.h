/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evidence.h - joins an abort with what its winner wrote and what its loser accessed, and judges it.
 *
 * The parts of a conflict arrive apart: the winner's writes from another node, the loser's reads often only
 * with the microscoped retry after the abort. So records wait in a window of three generations of bounded
 * size; when the newest is full, the aborts of the middle one are judged with all three at hand and the
 * oldest is dropped. A trace smaller than the window is judged with everything known.
 */
#ifndef ANALYZER_EVIDENCE_H
#define ANALYZER_EVIDENCE_H

#include "place.h"
#include "verdict.h"

enum basis {		  /* of the loser's accesses, best first */
	     BASIS_OWN,	  /* its own attempt, access by access; or what is known of it was enough */
	     BASIS_RETRY, /* a later attempt of the same transaction */
	     BASIS_SITE,  /* another transaction begun at the same line on the same node: only apportions */
	     BASIS_NONE,
	     BASES,
};
const char *basis__name(enum basis b); /* "own", "retry", "site", "none" */

/* X(enumerator, text after "unknown: ") */
#define WHYS(X)                                                                                              \
	X(NOT, "")                                                                                           \
	X(WRITES, "the bytes that one side changed are not in the trace")                                    \
	X(READS, "the other side's reads were not seen: it did not run under the microscope")                \
	X(ENDED, "the other side was seen under the microscope, but not to its end")                         \
	X(DIFFERED, "the retry under the microscope went another way than the attempt that was lost")        \
	X(CUT, "the abort does not list all pages where they met")
enum why {
#define X(name, text) WHY_##name,
	WHYS(X)
#undef X
		WHY_MAX
};
const char *why__text(enum why w);

struct touch { /* one access, with its instruction */
	uint16_t offset;
	uint16_t size;
	uint8_t access;
	struct code code;
};

struct touches {
	struct touch *at;
	size_t n, cap;
};

/* One page of a conflict. One side's changes meet the other side's accesses: the winner's changes, or, where
 * the loser gave way at its own commit to a transaction that had accessed the page and had to win
 * (`reversed`), the loser's. */
struct met_page {
	struct page_view view;
	dsm_ev_page page;
	enum verdict verdict;
	enum basis basis;
	enum why why;
	bool reversed;
	struct byteset changed, stored; /* by the one side */
	struct byteset touched, wrote;	/* by the other; wrote is the part of touched that it wrote */
	struct touches touches;		/* of the other, with instructions */
};

struct conflict {
	uint32_t run;
	uint16_t winner, loser; /* nodes */
	bool has_winner;
	bool kept;		/* the loser was not undone: it put its changes on top of the winner's */
	bool interval;		/* of sc or rc: the winner had the pages in use, the loser waited for them */
	bool microscope;	/* the loser was slowed down by it */
	bool winner_microscope; /* the winner was, so they might not have met without it */
	uint32_t winner_site, loser_site; /* interned */
	bool winner_elsewhere;		  /* it also used the pages in intervals that began at other sites */
	uint32_t cause;			  /* enum dsm_ev_cause */
	int64_t time_ns;
	double weight; /* occurrences that this stands for */
	double wasted_ns;
	double share; /* of it that is told here: 1, or 1/k for each of k stand-ins */
	enum verdict verdict;
	enum basis basis;
	enum why why;
	bool cut;
	unsigned pages;
	struct met_page *page;
};

/* What was seen of accesses in general, whether or not they met anybody. */
struct usage_event {
	uint32_t run;
	uint16_t node;
	uint32_t site; /* where the transaction begins, interned */
	enum { USAGE_COMMITTED_WRITE, USAGE_ACCESSES, USAGE_FIRST_TOUCH } kind;
	double weight;
	uint16_t home; /* of the page, USAGE_FIRST_TOUCH */
	bool interval; /* of sc or rc, `number` */
	uint64_t number;
	const struct page_view *view;
	const struct byteset *bytes; /* written, or touched */
	const struct touch *touches;
	size_t ntouches;
};

struct evidence_sink {
	void *context;
	void (*conflict)(void *context, const struct conflict *c);
	void (*usage)(void *context, const struct usage_event *u);
	/* A transaction committed, or an interval ended (`record`: COMMIT or INTERVAL). */
	void (*commit)(void *context, uint32_t run, uint32_t site, const struct dsm_ev_hdr *record);
	/* A wait that nobody's use of a page explains: a copy was fetched (`f`, `v`: the page, or NULL), or a flush met
	 * nobody (`ended`). May be NULL. */
	void (*plain_wait)(void *context, uint32_t run, double ns, const struct dsm_ev_fault *f,
			   const struct page_view *v, const struct dsm_ev_ended *ended);
	/* Each flush that was waited for, whether it met anybody or not. May be NULL. */
	void (*flushed)(void *context, uint32_t run, const struct dsm_ev_ended *ended);
	/* What a commit had to wait for others' of which nothing more is known. May be NULL. */
	void (*rebased)(void *context, double ns);
	/* Each record as it comes, before anything is joined. May be NULL. */
	void (*seen)(void *context, uint32_t run, const struct dsm_ev_hdr *record);
	/* May be NULL. */
	void (*lock)(void *context, uint32_t run, const struct dsm_ev_lock *lock);
};

struct evidence;

/* `window_bytes`: memory for waiting records, 0 = default. */
struct evidence *evidence__new(struct model *m, struct layouts *l, struct symbols *s, size_t window_bytes,
			       const struct evidence_sink *sink);
/* Takes a sane record that model__record() has already seen. Not thread-safe. */
void evidence__record(struct evidence *e, uint32_t run, const struct dsm_ev_hdr *record);
/* Judges what still waits. */
void evidence__finish(struct evidence *e);
void evidence__free(struct evidence *e);

#endif
