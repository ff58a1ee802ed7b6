/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * home.h - what a node keeps as the home of pages: who holds them, which transactions lock them, and which pages have
 * moved; at node 0 also whose turn it is. Part of struct dsm_core (internal.h).
 */
#ifndef DSM_PROTOCOL_HOME_H
#define DSM_PROTOCOL_HOME_H

#include "dsmcore/protocol/core.h"

#define CORE_MIGRATE_AFTER 8u	/* messages saved: what a move costs, and a little more */
#define CORE_MIGRATE_MAX   500u /* what dir_page.score can tell, in messages */

/* A set of nodes (copyset.c). */
struct copyset {
	uint64_t word;
};

struct large_set;

/* Those with more nodes than have room in the word. */
struct copysets {
	struct large_set **large; /* NULL: a free place */
	size_t nlarge, large_cap;
	uint32_t *free, *bucket, nbuckets;
	size_t nfree, free_cap;
	uint16_t *scratch;
	size_t scratch_cap;
};

/* One that has lost its copy, for the history: does it come back at once? */
struct past {
	uint16_t node;
	int16_t score : 5;     /* times in a row that it did */
	uint16_t version : 11; /* by which it was lost (its low bits) */
};

#define PAST 2u /* remembered of a page */

struct waiter {
	uint64_t version; /* FETCH: held by the client */
	uint16_t node;
	bool lock;  /* LOCK of this node, else FETCH */
	bool write; /* FETCH */
	bool take;  /* FETCH: and it waits for it, so who has it alone may as well hand it over */
	struct core_party party; /* ASK of a page of CORE_SC: whose */
};

/* What a home knows of a page; what it has only for a while is in struct dir_more. */
struct dir_page {
	uint64_t version : 48;	 /* 2^48 commits, locks and recalls take years */
	uint64_t candidate : 16; /* a writer that might be a better home (migrate.c) */
	uint64_t stamp : 44;	 /* of one page: 2^44 take months at a million a second */
	uint64_t npast : 2;
	uint64_t fresh : 1; /* copies were given since the stamp was last raised */
	uint64_t used : 1;
	uint64_t score : 12;	/* what the candidate as its home would have saved (worth.c) */
	uint64_t left : 3;	/* how often it has left its birth home */
	uint64_t moves : 1;	/* who fetched it last is going to write it */
	struct copyset holders; /* the owner is among them */
	struct copyset updated; /* of these: would fetch again what they lose, and are offered the changes */
	struct past past[PAST];
	uint32_t more;	/* its struct dir_more: 1 + index; 0: none */
	uint16_t owner; /* exclusive holder, or NOBODY */
	uint16_t lock;	/* whose transaction holds the lock, or NOBODY */
};

struct dir_more {
	struct waiter *waiters; /* first come, first served */
	size_t nwaiters, waiters_cap;
	struct copyset
		told; /* holders that were offered the running commit's changes, and must learn its end;
			 CORE_SC: that owe a REVOKED */
	struct copyset kept; /* and have kept their copies for them */
	uint16_t recall;     /* who owes a DOWNGRADE, or NOBODY */
	uint16_t moving;     /* who is becoming the page's home, or NOBODY */
	uint16_t open; /* INVALIDATEs that are not answered yet, also those of locks that were given up */
	bool leaves;   /* with the running commit, if nothing stands against it */
	bool drops;    /* CORE_SC: who is told shall drop its copy, not only stop writing */
};

#define DIR_LEAF 64u /* pages */

struct dir_leaf;

struct directory {
	struct dir_leaf **leaf; /* by page / DIR_LEAF */
	struct dir_more **more; /* the pool, in parts that never move */
	size_t nmore, more_cap;
	uint32_t *free; /* numbers of records that are not in use */
	size_t nfree, free_cap;
};

/* A node's transaction at this home: pages[0, nlocked) are locked, those from `chunk` on came with the
 * LOCK that is not answered yet (chunk == npages: it is). */
struct home_tx {
	bool active, waiting;
	bool decide, decided; /* the last chunk is that of a LOCK which asks this home to decide; it has */
	bool passed;	      /* and has asked the only other holder in turn */
	struct core_party party;
	struct core_entry *pages;
	size_t npages, pages_cap, nlocked, chunk, npublished;
	uint16_t also;	   /* another home that it asks, or NOBODY (migrate.c) */
	uint32_t waits;	   /* for this page's lock, while nlocked < npages */
	size_t unanswered; /* INVALIDATEs: they went to asked[0, unanswered), ascending */
	uint16_t *asked;
	size_t asked_cap;
	struct core_entry *wset;
	size_t nwset, wset_cap;
};

/* ---- homes that have moved (migrate.c) ---- */

/* A page whose home is not known, or not believed, to be where it was born. */
struct moved {
	uint32_t page;
	uint16_t home;
	uint8_t left; /* at its birth home: how often it has left it */
	bool used;
};

struct homes {
	struct moved *list; /* hashed by page */
	size_t count, cap;
	uint32_t *hands; /* pages that leave with this step */
	size_t nhands, hands_cap;
};

struct claimant {
	uint64_t number;
	uint16_t node;
};

/* Node 0: whose turn it is, and who comes next. */
struct turns {
	bool busy;
	struct claimant now;
	struct claimant *queue;
	size_t nqueue, queue_cap;
};

#endif
