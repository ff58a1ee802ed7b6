/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * internal.h - the state behind struct dsm_core. What a node keeps as a user of pages is in client.h, what it keeps as their
 * home in home.h, what its files ask of one another in calls.h.
 *
 *   core.c       open and close, the one entry, queries       rank.c      who wins
 *   actions.c    the growing answer of a step                 message.c   checks of messages, names
 *   attempt.c    begin, what was touched, doom, undo          client.c    pages held here
 *   commit.c     the committer                                home.c      directory: who holds what
 *   lock.c       the home's part of a commit                  holders.c   whom a commit is told to
 *   sticky.c     written pages that stay writable             rows.c      and pages that are written in rows
 *   doubt.c      a commit decided elsewhere                   barrier.c   all nodes meet
 *   fetch.c      copies that are on their way                 prefetch.c  which ones to ask for early
 *   update.c     copies that are updated                      ahead.c     which ones to open early
 *   claim.c      irrevocable attempts; waiting for a change   loss.c      a node is no more
 *   migrate.c    homes that move to the writer                worth.c     when that saves messages
 *   independent.c  attempts that are not undone
 *   directory.c  where the home keeps its entries             copyset.c   sets of nodes
 *   model.c      which page promises what, intervals          copies.c    asking for copies of sc and rc
 *   sc.c         sequential consistency                       rc.c        release consistency
 *   sc_home.c      its home side                              rc_home.c     its home side
 *   sc_bring.c     its copies that come with barriers         locks.c     named locks
 *   sc_lend.c      and of those that live elsewhere
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

#include "dsmcore/protocol/client.h"
#include "dsmcore/protocol/core.h"
#include "dsmcore/protocol/home.h"
#include "dsmcore/protocol/hooks.h"

#define NOBODY 0xffffu /* in place of a node */

/* ---- intervals of sc and rc: copies, changes, barriers ---- */

/* A copy of a page of sc or rc on its way, from its ASK to its COPY. */
struct ask {
	uint32_t page;
	bool write;
	bool wanted;   /* the mutator waits for it */
	bool gathered; /* not sent yet */
	bool ahead;    /* asked for before anybody needed it */
	bool ended;    /* has come, and is no more but for its place in the list */
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

/* ---- sequential consistency (sc.c, sc_home.c) ---- */

#define SC_FRESH 32u /* pages that one instruction may need */

/* A REVOKE that waits. */
struct sc_wait {
	uint32_t page;
	uint16_t home;
	bool drop;	       /* else only stop writing */
	struct core_party who; /* the oldest of those who want the page */
};

/* A page that this node writes, and who wants to read that; or that lives here, and that its writer has lent to others.
 * Phases are counted like the barriers at their ends. (sc_bring.c, sc_lend.c) */
struct brought {
	uint32_t page;
	uint16_t lender;     /* 1 + who has told of `lent`, if that is not this node; else 0 */
	struct copyset to;   /* who had copies when it was written */
	struct copyset lent; /* who has one until the next barrier */
	struct copyset no;   /* who has said that it does not use it ... */
	uint64_t refused;    /* ... in this phase */
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
	uint16_t from;
	uint64_t barrier;
};

/* A REVOKE that has overtaken the copy which it is about, since another node lends it. */
struct early {
	uint32_t page;
	uint16_t home, lender;
	bool answered; /* the lender is lost, so that copy never comes */
	uint64_t version;
};

/* A REVOKE of one page that is not sent yet. */
struct sc_tell {
	struct core_entry entry;
	struct core_party who;
	uint32_t order; /* of making */
	uint16_t node;
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
	struct sc_tell *tells; /* likewise REVOKEs */
	size_t ntells, tells_cap;
	struct bringing bringing;
	struct loan *loans; /* copies that barriers have brought */
	size_t nloans, loans_cap;
	struct early *early;
	size_t nearly, early_cap;
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
	struct lock *kept;	     /* though others want it, for a few sections more */
	uint32_t kept_uses;	     /* that it had when that began */
	uint32_t kept_ticks;	     /* that were asked for since */
	bool brought;		     /* since the last of them the mutator has waited for pages */
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

struct core_right {
	uint32_t page, order; /* order: of gathering */
	enum core_rights rights;
};

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
	struct wary wary;
	struct claim claim;
	struct turns turns;
	struct commit commit;
	uint32_t commits;			   /* of this node */
	uint32_t sticky[CORE_STICKY_MAX], nsticky; /* ascending */
	uint32_t nbare;

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
