/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client.h - what a node keeps as a user of pages: their copies here, the running attempt and its commit, copies on their
 * way, and the rows of accesses from which it guesses what comes next. Part of struct dsm_core (internal.h).
 */
#ifndef DSM_PROTOCOL_CLIENT_H
#define DSM_PROTOCOL_CLIENT_H

#include "dsmcore/protocol/core.h"

#define CORE_STICKY_MAX	   64u	 /* pages that stay writable */
#define CORE_STICKY_CLEAN  8u	 /* commits: see sticky.c */
#define CORE_PREFETCH_MAX  64u	 /* pages asked for ahead of a row of faults */
#define CORE_AHEAD_MAX	   32u	 /* pages opened ahead of a row of first writes */
#define CORE_ROW_MAX	   4096u /* pages opened at once for one attempt */
#define CORE_ROWS	   64u	 /* sites whose rows are known */
#define CORE_UPDATE_AFTER  2u	 /* times that a copy was fetched again at once */
#define CORE_UPDATE_PROBE  4u	 /* updates without a known use: then the page is closed, to see */
#define CORE_UPDATE_UNUSED 7u	 /* the same, and the last ones found it closed: then it is given up */
#define CORE_HABIT	   3u	 /* fetched and changed so often: it will be again. Updates are tried first */
#define CORE_REARM_CLEAN   64u /* commits without an invalidation before a re-armed page stays mapped again */

enum client_state { CLIENT_INVALID, CLIENT_SHARED, CLIENT_EXCLUSIVE };

#define CLIENT_DIRTY  0x1u  /* TWIN exists */
#define CLIENT_NEXT   0x2u  /* NEXT exists (only at the page's home) */
#define CLIENT_ZOMBIE 0x4u  /* invalidated, but a doomed attempt still sees the old frame */
#define CLIENT_STICKY 0x10u /* exclusive; writable with a twin whether an attempt runs or not */
#define CLIENT_REARM  0x8u  /* close it at the end of each attempt, so that the next one's reads are known */
#define CLIENT_FLIES  0x20u /* INVALID, and a copy is on its way: there is a struct flight */
#define CLIENT_AHEAD  0x40u /* a copy that nobody waited for, closed and not used yet */
#define CLIENT_KEPT   0x80u /* INVALID until the UPDATE that tells what became of a commit */
/* Of pages of CORE_SC, which have nothing of the above (sc_bring.c): */
#define CLIENT_LOAN 0x8u /* brought with a barrier, and looked at at the next one: in sc.loans */
#define CLIENT_LENT 0x4u /* it ends there */
#define CLIENT_OVER 0x2u /* INVALID: it has ended, and a REVOKE may be on its way */

/* For each page of the region, all zeros until touched. Its 20 bytes count: so it is aligned to 4. */
struct __attribute__((packed, aligned(4))) client_page {
	uint64_t version;   /* of the bytes in TWIN, else FRAME, unless this node is the home and INVALID */
	uint32_t slot;	    /* 1 + index in attempt.touches; 0: not there */
	uint32_t wrote;	    /* dsm_core.commits at its last changed commit here; 0: none */
	uint8_t state : 2;  /* enum client_state */
	uint8_t rights : 2; /* enum core_rights */
	uint8_t idle : 4;   /* updates since a fault or a commit told that it is in use */
	uint8_t flags;	    /* CLIENT_* */
	uint8_t clean;	    /* commits since it was re-armed or last invalidated */
	uint8_t habit : 2;  /* attempts in a row that fetched it and changed it */
	uint8_t bare : 1;   /* EXCLUSIVE, writable, and without a twin: independent.c */
};

_Static_assert(sizeof(struct client_page) == 20, "see docs/ARCHITECTURE.md, What that costs");

#define TOUCH_READ    0x01u
#define TOUCH_WRITTEN 0x02u  /* it has a twin */
#define TOUCH_TRACKED 0x04u  /* it was closed when the attempt came to it */
#define TOUCH_CHANGED 0x08u  /* it is committing and differs from its twin */
#define TOUCH_LOCKED  0x10u  /* it commits through its home */
#define TOUCH_MET     0x20u  /* a winner met the attempt here */
#define TOUCH_EMIT    0x40u  /* others lost a copy to this attempt: its write runs are evidence */
#define TOUCH_STUCK   0x80u  /* sticky and recalled, or opened for a write to come: written for all we know */
#define TOUCH_AHEAD   0x100u /* opened for writing ahead of a row of first writes */
#define TOUCH_FETCHED 0x200u /* it waited for a copy */
#define TOUCH_ROW     0x400u /* opened for writing because attempts of its site write a row of pages */

struct touch {
	uint64_t version; /* that the attempt sees */
	uint32_t page;
	uint16_t flags; /* TOUCH_* */
	uint16_t pause; /* commits since its last change, while it commits; 0: too many to count */
};

/* Another attempt whose commit has met this one, which goes on (independent.c). */
struct met {
	struct core_party other;
	size_t first; /* in attempt.meetings; up to that of the next one */
};

/* One attempt at a time: `running` from BEGIN to its end, `doomed` and `committing` within that.
 * The lists stay for queries until the next BEGIN. */
struct attempt {
	struct core_party party, winner;
	enum core_cause cause; /* of the doom */
	bool running, doomed, committing, retry, read_only;
	bool independent;     /* it is not undone, whatever others commit */
	bool sole;	      /* it was told that it will commit */
	bool vain;	      /* its doom came through a page that it has not touched */
	uint32_t aborts;      /* of this transaction */
	uint64_t first_begin; /* logical time of its first BEGIN */
	struct touch *touches;
	size_t ntouches, touches_cap;
	uint32_t *dirty; /* with a twin, ascending; sticky ones from the BEGIN on */
	size_t ndirty, dirty_cap;
	struct core_meeting *meetings;
	size_t nmeetings, meetings_cap;
	struct met *met;
	size_t nmet, met_cap, told; /* of these: reported */
};

/* Dooms of loops through pages that they had from before and did not touch (attempt.c). */
struct wary {
	uint16_t left;	/* of a loop's commits, for which this node is wary */
	uint16_t spell; /* so many the last time */
	uint8_t score;	/* of such dooms, less commits */
};

/* A copy on its way, from its FETCH to its PAGE, whatever becomes of the attempt that asked. */
struct flight {
	uint64_t invalidated; /* newest stamp of an INVALIDATE that met it: older data is refused */
	uint64_t recalled; /* newest stamp of a RECALL that met it: an older grant of exclusivity is void */
	uint32_t page;
	uint16_t home; /* that was asked */
	bool write;
	bool guess;  /* to be written, but that is only what happened to it so far */
	bool ahead;  /* asked for before anybody needed it */
	bool kept;   /* not asked for at all: the copy here waits for its UPDATE */
	bool wanted; /* the mutator waits for it */
	bool landed; /* over */
};

struct fetch {
	struct flight *flights; /* ascending by page; landed ones are swept out before others are added */
	size_t nflights, flights_cap, nlanded;
	size_t wanted;		/* flights that the mutator waits for */
	bool pinned;		/* it cannot unwind where it waits */
	bool stays;		/* what it waits for stays open until the attempt has ended */
	struct core_entry *ask; /* FETCHes being gathered, ascending */
	size_t nask, ask_cap;
	uint16_t also; /* another home that is asked together with this node's own, or NOBODY */
};

#define CORE_STREAMS	   8u
#define CORE_STREAM_FAULTS 16u

/* A row of faults with the same distance, and how far it was asked ahead of. */
struct stream {
	int32_t stride; /* pages; 0 = none */
	uint32_t last;	/* fault */
	uint32_t next;	/* page that was not asked for yet */
	uint32_t window;
	uint32_t used; /* prefetch.faults at its last fault */
};

/* This node's wish for a TURN. */
struct claim {
	uint64_t number; /* of the newest */
	bool active;	 /* asked for and not given back */
	bool granted;
};

struct prefetch {
	struct stream stream[CORE_STREAMS];
	uint32_t recent[CORE_STREAM_FAULTS]; /* faults that belong to no stream, a ring */
	uint32_t nrecent, faults;
	uint32_t limit;	       /* of a window, at present */
	uint32_t hits, misses; /* since the limit was last looked at */
	struct core_prefetch stats;
};

/* A row of first writes (ahead.c). */
struct ahead {
	uint32_t next;	 /* first page that it has not opened */
	uint32_t window; /* opened with the last fault */
	uint32_t limit;	 /* of the window, at present */
	uint32_t outcomes, hits;
	uint64_t opened, used;
};

/* What the transactions of one site write: so many pages in a row for so much work. rows.c */
struct row {
	uint32_t site;
	uint32_t units;	  /* of work in the last one */
	uint32_t span;	  /* pages from the first that it changed to the last; 0: they were not in a row */
	uint32_t last;	  /* the last of these */
	uint32_t gap;	  /* from there to where the next one began */
	uint32_t longest; /* pages that one changed, of late */
	uint8_t wrong;	  /* guesses in a row that were */
	uint8_t pause;	  /* chances to guess that are let pass */
};

struct rows {
	struct row of[CORE_ROWS];
	/* Of the running attempt: */
	uint32_t units; /* 0: it is not one of a loop */
	uint32_t opened;
	bool goes_on, tried, streams;
};

/* A message that waits until the node knows what became of its commit. */
struct put_off {
	struct core_msg msg;
	struct core_entry *entries;
	bool over; /* its commit has failed, nobody waits for the answer any more */
};

struct copy {
	struct core_entry entry;
	uint16_t node;
};

/* The committer's side: locks[lo, hi) are asked for now, those below are granted. */
struct commit {
	bool doubt;	/* the last home was asked: it decides */
	bool withdrawn; /* and was asked not to, if it has not done so yet */
	bool rebasing;	/* it waits for versions that others have made of what it commits */
	bool hindered;	/* it has had to, or found some here, or was denied what it asked for */
	uint16_t later; /* or for so many TICKs */
	uint8_t denied; /* so often, of late, that it had to */
	struct core_entry *locks;
	size_t nlocks, locks_cap, lo, hi;
	uint16_t *homes; /* who was asked for locks[0, hi) */
	size_t homes_cap;
	struct copy *deferred; /* RECALLs that wait for the decision, with who sent them */
	size_t ndeferred, deferred_cap;
	struct put_off *put_off; /* INVALIDATEs, likewise */
	size_t nput_off, put_off_cap;
};

#endif
