/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * internal.h - the state behind struct dsm_core; what its files ask of one another is in calls.h.
 *
 *   core.c     open and close, the one entry, queries        rank.c     who wins
 *   actions.c  the growing answer of a step                  message.c  checks of messages, names
 *   attempt.c  begin, what was touched, doom, undo           client.c   pages held here
 *   commit.c   the committer                                 home.c     directory: who holds what
 *   lock.c     the home's part of a commit                   barrier.c
 *   sticky.c   written pages that stay writable              rows.c     and pages that are written in rows
 *   doubt.c    a commit decided elsewhere
 *   fetch.c    copies that are on their way                  prefetch.c which ones to ask for early
 *   loss.c     a node is no more                             ahead.c    which ones to open early
 *   claim.c    irrevocable attempts; waiting for a change         update.c   copies that are updated
 *   migrate.c  homes that move to the writer              worth.c    when that saves messages
 *   directory.c  where the home keeps its entries             copyset.c  sets of nodes
 *   model.c    which page promises what, intervals            copies.c   asking for copies of sc and rc
 *   sc.c       sequential consistency                         rc.c       release consistency
 *   sc_home.c  its home side, as                             rc_home.c
 *   sc_bring.c its copies that come with barriers
 *   locks.c    named locks
 *
 * The client side (attempt, client, commit) and the home side (home, lock) of a node talk only by
 * messages, even to themselves: those go through an internal queue within the same step, so there is
 * one protocol and not a second one for "local" pages.
 *
 * Out of memory: an allocation that fails sets core->nomem, its caller goes on with something harmless,
 * and core_step() returns -ENOMEM; the node stops then, so the state need not make sense any more.
 */
#ifndef DSM_PROTOCOL_INTERNAL_H
#define DSM_PROTOCOL_INTERNAL_H

#include <errno.h>

#include "dsmcore/protocol/core.h"
#include "dsmcore/protocol/hooks.h"

#define NOBODY 0xffffu /* in place of a node */

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

#define CORE_MIGRATE_AFTER 8u	/* messages saved: what a move costs, and a little more */
#define CORE_MIGRATE_MAX   500u /* what dir_page.score can tell, in messages */

/* ---- client side ---- */

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
	uint8_t habit;	    /* attempts in a row that fetched it and changed it */
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

/* One attempt at a time: `running` from BEGIN to its end, `doomed` and `committing` within that.
 * The lists stay for queries until the next BEGIN. */
struct attempt {
	struct core_party party, winner;
	enum core_cause cause; /* of the doom */
	bool running, doomed, committing, retry, read_only;
	bool sole;	      /* it was told that it will commit */
	uint32_t aborts;      /* of this transaction */
	uint64_t first_begin; /* logical time of its first BEGIN */
	struct touch *touches;
	size_t ntouches, touches_cap;
	uint32_t *dirty; /* with a twin, ascending; sticky ones from the BEGIN on */
	size_t ndirty, dirty_cap;
	struct core_meeting *meetings;
	size_t nmeetings, meetings_cap;
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
	struct core_entry *ask; /* FETCHes being gathered, ascending */
	size_t nask, ask_cap;
	uint16_t also; /* another home that is asked together with this node's own, or NOBODY */
};

/* A copy of a page of sc or rc on its way, from its ASK to its COPY. */
struct ask {
	uint32_t page;
	bool write;
	bool wanted;   /* the mutator waits for it */
	bool gathered; /* not sent yet */
	bool ahead;    /* asked for before anybody needed it */
};

struct asks {
	struct ask *list; /* ascending by page */
	size_t count, cap;
	size_t wanted; /* that the mutator waits for */
};

/* What the mutator has opened in this interval. */
struct use {
	uint32_t nread, nwritten;
	bool met;
	/* With whom it has met in this step, and where. */
	struct core_party other;
	struct core_meeting meeting[CORE_MSG_PAGES];
	uint32_t nmeetings;
};

struct of_node {
	uint16_t node;
	uint32_t index; /* in pages[] */
};

/* FLUSHes that one home has not answered yet. */
struct flush {
	uint64_t number; /* several of a time of writing have the same */
	uint16_t home;
	uint32_t open;
};

/* At a home: changes that not all who have copies have confirmed. */
struct spread {
	uint64_t id;	      /* stamp of its SPREADs' entries */
	uint64_t number;      /* the writer's flush */
	struct core_party tx; /* the writer */
	struct core_entry *pages;
	uint32_t npages;
	uint16_t *asked; /* who owes a SEEN, once for each SPREAD */
	size_t nasked;
};

struct rc {
	uint32_t *written; /* pages with a twin, ascending */
	size_t nwritten, written_cap;
	uint64_t flushed;      /* number of the newest flush */
	struct flush *flushes; /* ascending by number */
	size_t nflushes, flushes_cap;
	struct core_entry *out, *own; /* changes being gathered: for other homes, of pages that live here */
	size_t nout, out_cap, nown, own_cap;
	uint64_t spread;	/* id of the newest one */
	struct spread *spreads; /* ascending by id */
	size_t nspreads, spreads_cap;
	struct of_node *to; /* to whom something is spread: scratch */
	size_t to_cap;
	struct copy *gives, *revokes; /* COPYs and REVOKEs being gathered */
	size_t ngives, gives_cap, nrevokes, revokes_cap;
};

/* SPREADs that barriers count. Those of the next barrier may come before this one has opened, those of the one after
 * that cannot: so it takes two counters. */
struct count {
	uint64_t flush; /* that this node waits for before it arrives, or 0 */
	uint32_t site;	/* of the barrier */
	/* SPREADs of this node's own home, by receiver (`page`), until the barrier opens; `stamp`: one of their pages */
	struct core_entry *sent;
	size_t nsent, sent_cap;
	uint64_t got[2]; /* by the barrier's parity */
	uint64_t due;	 /* at the barrier whose GO has come */
	bool go;	 /* it has */
	uint64_t *toll;	 /* node 0: what each node must have got, or NULL */
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
	uint8_t pause;	  /* attempts until the next guess */
};

struct rows {
	struct row of[CORE_ROWS];
	/* Of the running attempt: */
	uint32_t units; /* 0: it is not one of a loop */
	uint32_t opened;
	bool goes_on, tried, streams;
};

struct core_right {
	uint32_t page;
	enum core_rights rights;
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
	struct core_entry *locks;
	size_t nlocks, locks_cap, lo, hi;
	uint16_t *homes; /* who was asked for locks[0, hi) */
	size_t homes_cap;
	struct copy *deferred; /* RECALLs that wait for the decision, with who sent them */
	size_t ndeferred, deferred_cap;
	struct put_off *put_off; /* INVALIDATEs, likewise */
	size_t nput_off, put_off_cap;
};

/* ---- home side ---- */

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

/* ---- sequential consistency (sc.c, sc_home.c) ---- */

#define SC_FRESH 32u /* pages that one instruction may need */

/* A REVOKE that waits. */
struct sc_wait {
	uint32_t page;
	uint16_t home;
	bool drop;	       /* else only stop writing */
	struct core_party who; /* the oldest of those who want the page */
};

/* At the home: a page that this node writes, and who wants to read that. Phases are counted like the barriers at their
 * ends. (sc_bring.c) */
struct brought {
	uint32_t page;
	struct copyset to;   /* who had copies when it was written */
	struct copyset lent; /* of these: who has one until the next barrier */
	uint64_t written;    /* in this phase */
	uint64_t barrier;    /* that it was last brought with; 0: none */
	uint64_t returned;   /* to this phase it was lent, and came back */
	uint32_t times;	     /* that it came back */
	int8_t trust;	     /* in that it may be lent */
	bool lend;
};

struct bringing {
	struct brought *list; /* ascending by page */
	size_t count, cap;
};

/* A copy that was brought with a barrier. */
struct loan {
	uint32_t page;
	uint64_t barrier;
};

struct sc {
	uint32_t fresh[SC_FRESH]; /* given to the mutator, in the order of that */
	size_t nfresh;
	struct sc_wait *waits;
	size_t nwaits, waits_cap;
	bool ticking;	    /* a TICK is under way */
	bool given;	    /* the mutator was given something since it was asked for */
	struct copy *gives; /* at the home: COPYs being gathered */
	size_t ngives, gives_cap;
	struct bringing bringing;
	struct loan *loans; /* copies that barriers have brought */
	size_t nloans, loans_cap;
};

/* ---- named locks (locks.c) ---- */

struct lock;

/* A node waits for one lock at a time. */
struct lock_waiter {
	struct core_party party; /* its interval; number 0: it waits for nothing here */
	uint16_t next;		 /* in the queue of the same lock, or NOBODY */
};

struct locks {
	struct lock **bucket; /* hashed by name */
	size_t count, nbuckets;
	struct lock *wanted;	     /* that the mutator waits for */
	uint32_t site;		     /* where it wants it */
	struct lock *leaving;	     /* on their way back, when all that was written is flushed */
	struct lock_waiter *waiters; /* at this manager, by node */
	uint64_t cached, fetched;    /* acquired without a message, with */
};

/* ---- the core ---- */

enum mutator {
	MUTATOR_RUNS,
	MUTATOR_FETCHES,
	MUTATOR_COMMITS,
	MUTATOR_BARRIER,
	MUTATOR_CLAIMS,	 /* waits for its TURN */
	MUTATOR_RETRIES, /* waits for a change, undone */
	MUTATOR_ASKS,	 /* waits for copies of sc or rc */
	MUTATOR_ACQUIRES /* waits for a lock */
};
enum verdict { VERDICT_NONE, VERDICT_RESUME, VERDICT_ABORT, VERDICT_LOST };

struct chunk;

struct dsm_core {
	struct core_config config;
	uint64_t clock; /* logical */
	bool nomem;

	enum mutator mutator;
	struct client_page *client; /* by page */
	uint64_t *mapped;	    /* bit by page: rights other than NONE */
	struct attempt attempt;
	struct fetch fetch;
	struct prefetch prefetch;
	struct ahead ahead;
	struct rows rows;
	struct claim claim;
	struct turns turns;
	struct commit commit;
	uint32_t commits;			   /* of this node */
	uint32_t sticky[CORE_STICKY_MAX], nsticky; /* ascending */

	struct directory dir;
	struct copysets sets;
	struct homes homes;
	struct home_tx **tx; /* by node */
	uint32_t *serve;     /* pages whose queue may move on */
	size_t nserve, serve_cap;
	struct copy *copies; /* PAGEs of this step, to other nodes */
	size_t ncopies, copies_cap;

	struct core_party interval; /* that runs (model.c) */
	struct use use;		    /* in it */
	struct asks asks;
	struct rc rc;
	struct sc sc;
	struct locks locks;

	uint64_t barrier;  /* passed by this node */
	uint64_t gathered; /* node 0: barriers completed */
	struct count count;
	bool *arrived; /* node 0: at the next one, by node */
	uint32_t narrived;

	bool *lost;   /* by node */
	bool *rumour; /* likewise: somebody knows that it is lost */
	bool any_lost, any_rumour;

	/* of the running step */
	const bool *changed; /* of the event: which of core__written() differ */
	bool still;	     /* it is the mutator's own: it writes nothing meanwhile */
	enum verdict verdict;
	uint16_t lost_with; /* VERDICT_LOST: a node */
	bool ended;	    /* an attempt did */
	enum core_fault fault;
	struct core_actions actions;
	size_t actions_cap;
	struct core_action scratch; /* taken when memory is short */
	struct core_msg *queue;	    /* to itself */
	size_t nqueue, queue_cap;
	struct chunk *arena;	   /* message entries */
	struct core_right *rights; /* PROTECTs being gathered */
	size_t nrights, rights_cap;

	uint32_t *holds; /* numbers that are free, on top those that were in use */
	size_t nholds, holds_cap;
	uint32_t holds_made;
};

#include "dsmcore/protocol/calls.h"

#endif
