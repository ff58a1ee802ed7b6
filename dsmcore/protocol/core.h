/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core.h - the protocol core: pure state machines for transactional consistency.
 *
 * One node's whole protocol state is a struct dsm_core. core_step() takes one event (something the
 * mutator did, or a message) and appends actions for the port to carry out, in order, before the
 * next step. The core has no threads, clocks, sockets, globals or page bytes: the runtime and the
 * simulator (tests/sim) drive the same code. docs/protocol.md explains the protocol; in short:
 *
 * - Each page has a home, which may move (migrate.c): it keeps the directory entry (committed version, copyset, exclusive owner,
 *   lock) and, unless a node owns the page exclusively, the committed bytes.
 * - Client states of a page: INVALID, SHARED (a copy of the committed version), EXCLUSIVE (the only
 *   copy; may commit without a message; the home recalls it when another node asks).
 * - A commit sends LOCK for its written pages to their homes, one home after the other in page order.
 *   The home locks the pages, invalidates the other holders and collects their answers, then GRANTs.
 *   A holder whose running attempt touched the page is doomed, unless it outranks the committer: then
 *   it refuses and the committer aborts. The last LOCK brings the changes along: its home decides the
 *   commit as soon as it could grant, and makes the new version. The committer learns it from the GRANT
 *   and PUBLISHes the changes to the other homes, which make their new versions and unlock.
 *   A fetch of a locked page waits at the home until then, so nobody sees half of a transaction.
 * - Rank: elevated attempts (that lost often) beat others, the older first; otherwise a committing
 *   attempt beats a running one, and of two committing the lower node wins.
 *
 * Memory of a page on a node, by port: FRAME (what the mutator sees; its view is protected), TWIN
 * (the committed bytes while the frame is dirty), NEXT (a newer committed version at the home while
 * a doomed attempt still sees the frame). The committed bytes are NEXT, else TWIN, else FRAME.
 */
#ifndef DSM_PROTOCOL_CORE_H
#define DSM_PROTOCOL_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dsm_core;

struct core_config {
	uint16_t node;
	uint16_t nodes;
	uint32_t pages;		 /* in the region */
	uint32_t pages_per_home; /* page p is born at node min(p / pages_per_home, nodes - 1) */
	/* Of each home's pages, counted from its first: from sc_from on they are CORE_SC, from rc_from on
	 * CORE_RC, those before CORE_TX. 0 <= sc_from <= rc_from <= pages_per_home; both 0: all are CORE_TX. */
	uint32_t sc_from, rc_from;
	uint32_t generation;
	uint32_t elevate_after; /* aborted attempts before a transaction gets priority; 0 = default 8 */
	uint32_t sticky_max; /* pages that stay writable between transactions; 0 = default 64, at most that */
	uint32_t sticky_clean; /* commits without a change after which one is closed; 0 = default 8 */
	uint32_t prefetch_max; /* pages asked for ahead of a row of faults; 0 = default 64, at most that */
	uint32_t ahead_max;    /* pages opened ahead of a row of first writes; 0 = default 32, at most that */
	uint32_t
		row_max; /* pages opened at once for a transaction of a loop; 0 = default 4096, at most that */
	uint32_t update_after;	/* times that a holder fetched a page again at once, after which it gets
				  updates; 0 = default 2; CORE_NEVER: copies are always invalidated */
	uint32_t migrate_after; /* messages that another node would have saved as a page's home before it
				   becomes that; 0 = default 8, at most 500; 1 = whenever it can,
				   for tests; CORE_NEVER: homes stay */
};

/* What a page promises: transactions (core.h, docs/protocol.md); sequential consistency (one writer or many
 * readers, sc.c); release consistency (many writers, changes exchanged at locks and barriers, rc.c). */
enum core_model { CORE_TX, CORE_SC, CORE_RC };

#define CORE_NEVER	   UINT32_MAX
#define CORE_ELEVATE_AFTER 8u

/* A transaction attempt and its rank. */
struct core_party {
	uint64_t number; /* per node, from 1; kept over retries; 0 = none */
	uint64_t birth;	 /* logical time of its first begin when elevated, else 0 */
	uint32_t attempt;
	uint32_t site; /* opaque to the core */
	uint16_t node;
};

/* The birth of an attempt that cannot be aborted: older than any other's, and only one has it at a time. */
#define CORE_BIRTH_IRREVOCABLE 1u

enum core_rights { CORE_NONE, CORE_READ, CORE_WRITE };

/* ---- messages ---- */

/* Two channels a pair of nodes, each first-in first-out, not ordered with one another: FETCH and PAGE
 * travel on CORE_CHANNEL_FETCH (the mutator's synchronous calls), all else on CORE_CHANNEL_MAIN. */
enum core_channel { CORE_CHANNEL_MAIN, CORE_CHANNEL_FETCH };

#define CORE_MESSAGES(X)                                                                                     \
	X(FETCH, 1)  /* client -> home: copies of pages[], flag WRITE if to be written; version: it has */   \
	X(PAGE, 2)   /* home -> client: copies; data whole page or none if it has it */                      \
	X(RECALL, 3) /* home -> owner: end exclusivity of pages[0]; WRITE: give it up if it is not in use */ \
	X(DOWNGRADE, 4)	 /* owner -> home: committed bytes and version of pages[0], or "nothing newer" */    \
	X(LOCK, 5)	 /* committer -> home: lock pages[], write set attached; DECIDE: and commit them */  \
	X(GRANT, 6)	 /* home -> committer: all of them locked, others invalidated; DECIDE: committed */  \
	X(DENY, 7)	 /* home -> committer: lost to `other`; nothing is locked here any more */           \
	X(CANCEL, 8)	 /* committer -> home: release and forget; if it was to decide: unless it has */     \
	X(INVALIDATE, 9) /* home -> holder: `tx` commits pages[], write set attached; DECIDE: may it? */     \
	X(ACK, 10)	 /* holder -> home: done with all of them */                                         \
	X(REFUSE, 11)	 /* holder -> home: `other` outranks the committer */                                \
	X(PUBLISH, 12)	 /* committer -> home: changes of pages[], decided elsewhere */                      \
	X(EXCLUSIVE, 13) /* home -> committer: nobody else holds pages[0]: commit it alone */                \
	X(ARRIVE, 14)	 /* node -> node 0: at barrier `number` */                                           \
	X(GO, 15)	 /* node 0 -> node: barrier `number` is complete */                                  \
	X(CLAIM, 16)	 /* node -> node 0: wants to be irrevocable, its wish `number` */                    \
	X(TURN, 17)	 /* node 0 -> node: may be, until it passes the turn on */                           \
	X(PASS, 18)	 /* node -> node 0: wish `number` is over, granted or not */                         \
	X(UPDATE, 19)	 /* home -> holder: what became of the commit for which it kept pages[] */           \
	X(LOSS, 20)	 /* node -> node: node `number` is lost; both channels, before anything else */      \
	X(HAND, 21)	 /* home -> node: be the home of pages[]; node `number` has committed them last */   \
	X(TAKEN, 22)	 /* node -> old home: it is */                                                       \
	X(MOVED, 23)	 /* node -> committer: is not the home of pages[], and has locked nothing */         \
	/* Pages that are CORE_SC or CORE_RC; tx is the sender's interval. */                                \
	X(ASK, 24)    /* client -> home: copies of pages[]; WRITE: to be written; AHEAD */                   \
	X(COPY, 25)   /* home -> client: here they are (data: whole pages); EXCLUSIVE; LOST; REFUSED */      \
	X(REVOKE, 26) /* home -> holder, tx: who wants pages[]. SC: WRITE: drop it, else only read it */     \
	/* from now on. RC, to the owner: others have copies from now on */                                  \
	X(REVOKED,                                                                                           \
	  27)	     /* holder -> home: done; the bytes if it was the owner; REFUSED: it had not used it */  \
	X(FLUSH, 28) /* RC, writer -> home: changes of pages[]; its flush `number` */                        \
	X(FLUSHED, 29) /* RC, home -> writer: all copies have them; EXCLUSIVE: there is no other copy */     \
	X(SPREAD, 30)  /* RC, home -> holder: changes of pages[], made by tx; number: of the barrier that */ \
	/* counts it, or 0: to be answered (without changes: only that) */                                   \
	X(SEEN, 31) /* RC, holder -> home: has them; REFUSED: and gives the copy up, nobody uses it */       \
	/* SC, REFUSED: gives up what was brought; LENT: returns it anyhow, and does not want it again */    \
	X(ACQUIRE, 32) /* client -> manager: wants lock `number` */                                          \
	X(GIVE, 33)    /* manager -> client: has it, until it gives it back; a page: lost with that node */  \
	X(WANT, 34)    /* manager -> client: give lock `number` back as soon as it is free */                \
	X(BACK, 35)    /* client -> manager: all that was written under it has been seen; here it is */      \
	X(BRING,                                                                                             \
	  36) /* SC, home or owner -> node: copies that it is going to want, counted by barrier `number` */

enum core_msg_type {
#define X(name, n) CORE_MSG_##name = n,
	CORE_MESSAGES(X)
#undef X
};

/* What the port attaches to an entry when it sends, at the time of the SEND action. */
enum core_data {
	CORE_DATA_NONE,
	CORE_DATA_COMMITTED, /* the whole page: its committed bytes */
	CORE_DATA_CHANGES,   /* FRAME against TWIN: changed runs, or the whole page if that is less; with
				entry.hold: the changes that a HOLD has kept */
};

#define CORE_ENTRY_WRITE     0x1u /* FETCH: for writing. RECALL: hand it over. DOWNGRADE: handed over */
#define CORE_ENTRY_EXCLUSIVE 0x2u /* PAGE, HAND: owner now. PUBLISH: wants to be. GRANT: no other holder */
#define CORE_ENTRY_CONTENDED 0x4u /* GRANT: an attempt was doomed or a copy lost: emit the write runs */
#define CORE_ENTRY_REFUSED   0x8u /* DENY: a holder's attempt outranks this one (else: the version is old) */
				  /* PAGE: no copy, it was asked for AHEAD and would have had to wait */
#define CORE_ENTRY_DECIDE 0x10u	  /* LOCK: the last pages, decide here. GRANT: it is decided, and done */
				  /* INVALIDATE: nobody else is asked, an ACK (that says so) commits it */
#define CORE_ENTRY_AHEAD  0x20u	  /* FETCH: nobody waits for it yet, so it must not cost others anything */
#define CORE_ENTRY_LOST	  0x40u	  /* PAGE: what is committed is lost, with node `version` */
#define CORE_ENTRY_UPDATE 0x80u	  /* INVALIDATE: may be kept, the changes come with it (DECIDE) or later */
				  /* ACK: was kept. UPDATE: the commit for which it was kept has happened */
#define CORE_ENTRY_MOVED 0x100u	  /* PAGE: it is not its home, ask node `version` */
#define CORE_ENTRY_LENT	 0x200u	  /* BRING: until the receiver comes to the next barrier */
/* REVOKED: the stamp says to whom; and with WRITE: nobody has asked for this */

/* The most subject pages of one message (a larger write set goes in several LOCK and PUBLISH messages
 * to the same home), and the most entries of the attached write set. */
#define CORE_MSG_PAGES 128u
#define CORE_MSG_WSET  64u
/* The most pages of a PAGE or COPY that the core makes. It takes more. */
#define CORE_COPY_PAGES 32u

struct core_entry {
	uint32_t page;
	uint16_t flags;	  /* CORE_ENTRY_* */
	uint16_t data;	  /* enum core_data */
	uint64_t version; /* committed version of the bytes, or the base of a write; LOST, MOVED: a node */
	uint64_t stamp;	  /* the home's order of grants and locks of this page */
	uint32_t hold;	  /* the sender's: which kept changes to attach, 0 = none; does not travel */
};

/* Fixed part + npages subject entries + nwset entries (the committer's whole write set: all homes
 * that take part, and what a loser needs to know where they met). */
struct core_msg {
	uint8_t type; /* enum core_msg_type */
	uint8_t channel;
	uint16_t from, to;
	uint32_t generation;
	uint64_t clock;		 /* logical (Lamport) */
	uint64_t number;	 /* ARRIVE, GO: which barrier. LOSS: which node. HAND: a node */
	struct core_party tx;	 /* whose transaction */
	struct core_party other; /* DENY, REFUSE: who won */
	uint32_t npages, nwset;
	const struct core_entry *entries; /* npages + nwset */
};

/* ---- events ---- */

enum core_event_type {
	CORE_BEGIN,   /* a first attempt, or a retry after CORE_DO_ABORT; never waits */
	CORE_ACCESS,  /* the mutator faulted on `page` (or wants it: dsm_touch) */
	CORE_COMMIT,  /* the block ended; changed[] tells which dirty pages differ from their twin */
	CORE_CANCEL,  /* the program aborts: answers ABORT (no retry: the next BEGIN is a new transaction) */
	CORE_SAFE,    /* a safe point: answers ABORT if doomed, else RESUME */
	CORE_BARRIER, /* outside transactions only */
	CORE_IRREVOCABLE, /* answers RESUME (this attempt will commit) or ABORT */
	CORE_RETRY,	  /* undo, and ABORT as soon as a page that the attempt may have read changes */
	CORE_WAKE,	  /* ends the wait of a RETRY, if it still waits: ABORT */
	CORE_ACQUIRE,	  /* lock `lock`: RESUME when it is this node's; again by its holder: counts */
	CORE_RELEASE,	  /* lock `lock`: RESUME at once. -EINVAL if it is not held */
	/* So much time has gone by that an instruction which was given pages of CORE_SC has retired. The port
	 * raises it once for each CORE_DO_TICK; answers nothing to the mutator. */
	CORE_TICK,
	CORE_MESSAGE,
	/* `node` runs no instruction any more, and all that still comes from it has come. To be told once,
	 * and only of a node that has really stopped: from here on its silence counts as consent. */
	CORE_LOST,
};

struct core_event {
	enum core_event_type type;
	uint32_t site;	/* BEGIN, ACQUIRE, RELEASE, BARRIER */
	uint32_t units; /* BEGIN: how much work it is, by the program's measure; 0: not known */
	bool goes_on;	/* BEGIN: where the last one of this site ended (both in loops, rows.c) */
	bool read_only; /* BEGIN: it will not write */
	bool looks; /* BEGIN: likewise, and nobody need be told if it does: pages may stay open for writing */
	/* BEGIN: until the next barrier no other node writes a byte that it touches, nor reads one that it writes: it is not
	 * undone, and CANCEL, RETRY and IRREVOCABLE are refused (independent.c) */
	bool independent;
	uint32_t page;	/* ACCESS */
	uint32_t count; /* ACCESS: pages from that one on, at most CORE_ACCESS_PAGES; 0 = one */
	bool write;	/* ACCESS */
	bool pinned;	/* ACCESS: cannot unwind here (library code): serve even if doomed */
	bool stays; /* ACCESS: the kernel will write there, which cannot fault: open until the attempt has ended */
	const bool *changed; /* COMMIT: one for each of core__dirty() in its order. BARRIER, RELEASE, and a
				       MESSAGE or TICK for which core__flushes() says so: of core__written() */
	uint64_t lock;	     /* ACQUIRE, RELEASE */
	bool soon; /* ACQUIRE: it comes so soon after the RELEASE of this lock that it were better not gone */
	const struct core_msg *msg; /* MESSAGE: already checked by core_msg__sane() */
	uint16_t node;		    /* LOST */
};

/* The most pages of one ACCESS. */
#define CORE_ACCESS_PAGES 1024u

/* ---- actions ---- */

/* RESUME, WAIT, ABORT or LOST, if the step has one, is the last action: a mutator's event always ends with
 * one; another's step only when it ends a wait. EMIT_COMMIT and EMIT_ABORT come before the attempt's
 * UNTWIN, RESTORE, REFRESH, RESET and PROMOTE: there TWIN (else FRAME) still is what the attempt read. */
enum core_action_type {
	CORE_DO_RESUME, /* the mutator goes on (`fault` tells what an ACCESS was); after a COMMIT: committed
			 */
	CORE_DO_WAIT,	/* the mutator blocks until a later step says RESUME, ABORT or LOST */
	CORE_DO_ABORT,	/* all undone (by the actions before this one); unwind and BEGIN again */
	CORE_DO_LOST, /* what the mutator needs is lost with `node`. An attempt is undone (ABORT), and not to
			 be retried: the next BEGIN is a new transaction. After a BARRIER: it never opens.
			 `doubt`: nobody can know whether the attempt has committed; the node must end */
	CORE_DO_DOOM, /* the running attempt is doomed: tell the mutator (flag, signal) */
	CORE_DO_SEND, /* msg; attach the entries' data now */
	CORE_DO_PROTECT,    /* set the mutator's rights on [page, page + count) */
	CORE_DO_TWIN,	    /* TWIN <- FRAME on [page, page + count), before the first write */
	CORE_DO_UNTWIN,	    /* drop TWIN (committed), likewise */
	CORE_DO_RESTORE,    /* FRAME <- TWIN, drop TWIN (aborted), likewise */
	CORE_DO_REFRESH,    /* TWIN <- FRAME on [page, page + count): committed, and it stays writable */
	CORE_DO_RESET,	    /* FRAME <- TWIN on [page, page + count): aborted, and it stays writable */
	CORE_DO_STORE,	    /* write entry `entry` of the event's message (hold: what was kept) into FRAME */
	CORE_DO_STORE_NEXT, /* NEXT <- committed bytes with entry `entry` of the event's message applied */
	CORE_DO_HOLD,	 /* keep the changes that came with entry `entry` of the event's message, as `hold` */
	CORE_DO_DROP,	 /* forget the changes kept as `hold` */
	CORE_DO_PROMOTE, /* FRAME <- NEXT, drop NEXT (after RESTORE if it was dirty) */
	CORE_DO_REBASE, /* FRAME <- NEXT with the changes FRAME against TWIN, exact to the byte; TWIN <- NEXT; drop NEXT. A
			    byte that differs in both is written by two nodes, which the program has promised not to do */
	/* Pages of CORE_RC: */
	CORE_DO_TAKE,  /* keep the changes FRAME against TWIN, exact to the byte, as `hold`, and bring TWIN up
			   to what was taken (the mutator may be writing meanwhile: what comes later stays a
			   difference) */
	CORE_DO_MERGE, /* write the changes of entry `entry` of the event's message (hold: those kept so) into
			   FRAME, and into TWIN if there is one */
	CORE_DO_TICK,  /* raise CORE_TICK when the mutator has had some 50 us since the last RESUME of an
			  ACCESS: at once (in a step of its own) if it has had them */
	CORE_DO_EMIT,  /* report */
};

enum core_emit_type {
	CORE_EMIT_COMMIT, /* party, local, nread, nwritten */
	CORE_EMIT_ABORT,  /* party, other (winner), cause, meetings */
	CORE_EMIT_WRITES, /* party, page, version, committed: the runs FRAME against TWIN, now; changes: it
			     may have none (a page left writable from earlier) */
	CORE_EMIT_INVALIDATE, /* page, version lost, other (winner); unused: it could have been updated */
	CORE_EMIT_TRANSFER,   /* page, version, node it came from, changes: diff, ahead */
	CORE_EMIT_UPDATE,     /* page, version it has now, other (winner) */
	CORE_EMIT_ADOPT,      /* page, node: as its home, sends it updates from now on */
	CORE_EMIT_HAND,	      /* page: given up to a node that is going to write it */
	CORE_EMIT_PASS,	      /* node: the home has passed the decision on to the only other holder */
	CORE_EMIT_MOVE,	      /* page, version, node: as its home, makes that node its home */
	CORE_EMIT_REDIRECT,   /* page, node: somebody has asked here, and is sent there */
	CORE_EMIT_BARRIER,    /* number */
	CORE_EMIT_INTERVAL,   /* party: this node's interval is over: nread, nwritten (pages opened in it) */
	CORE_EMIT_MEET,	  /* other's interval has changed, or wants, pages that this node's interval (party)
				 has in use: meetings; no attempt is lost by it. Likewise of two attempts, when
				 an independent one (party) has pages in use that other commits: once for
				 each of other's commits, however many homes tell of it */
	CORE_EMIT_REBASE, /* party: a commit that others' were in the way of asks (again); after its REBASEs */
	CORE_EMIT_LOCK,	  /* number: lock that came from another node; node: from which manager */
};

/* Same numbers as enum dsm_ev_fault_kind. PREFETCHED: the copy was here, brought by a prefetch. */
enum core_fault {
	CORE_FAULT_NONE,
	CORE_FAULT_FETCH,
	CORE_FAULT_UPGRADE,
	CORE_FAULT_REARM,
	CORE_FAULT_PREFETCHED
};

/* Same numbers as enum dsm_ev_cause. */
enum core_cause {
	CORE_CAUSE_CONFLICT = 1,
	CORE_CAUSE_UNTOUCHED = 2,
	CORE_CAUSE_PRIORITY = 3,
	CORE_CAUSE_IRREVOCABLE = 4,
	CORE_CAUSE_CANCEL = 5,
	CORE_CAUSE_LOSS = 7 /* of a node that it depends on; no winner, no meetings */
};

struct core_meeting {
	uint32_t page;
	uint64_t version;	 /* the loser's */
	uint64_t winner_version; /* the winner's commit makes */
	bool read, written;	 /* by the loser in this attempt */
	bool tracked;		 /* false: the page was left mapped from earlier, `read` is a guess (false) */
	bool wanted_write;	 /* EMIT_MEET: the other wants to write it (sc), or has (rc, tx) */
	bool sticky; /* it was left writable too: `written` is a guess (true), FRAME and TWIN tell */
};

struct core_action {
	enum core_action_type type;
	enum core_emit_type emit;
	enum core_fault fault;	 /* RESUME of an ACCESS */
	enum core_cause cause;	 /* EMIT_ABORT */
	enum core_rights rights; /* PROTECT */
	uint32_t page, count;	 /* PROTECT, TWIN, UNTWIN, RESTORE, REFRESH, RESET: count pages; else one */
	uint32_t entry;		 /* STORE, STORE_NEXT, HOLD: index into the event's message entries */
	uint32_t
		hold; /* HOLD, DROP; STORE, STORE_NEXT, EMIT_TRANSFER, EMIT_UPDATE: those kept so, if not 0 */
	uint16_t node;
	bool committed, local, changes, doubt, unused;
	bool ahead; /* EMIT_TRANSFER: of a page that nobody waited for */
	uint64_t version, number;
	uint32_t nread, nwritten;
	/* Valid in an EMIT only: */
	struct core_party party, other;
	const struct core_meeting *meetings; /* EMIT_ABORT, EMIT_MEET; until the next core_step() */
	uint32_t nmeetings;
	struct core_msg msg; /* SEND only; entries live until the next core_step() */
};

struct core_actions {
	struct core_action *list; /* grown by the core, reused, freed by core__close() */
	size_t count;
};

/* Makes a core. Memory: O(pages touched), not O(pages of the region) beyond a few bytes a page.
 * Errors: -EINVAL (config), -ENOMEM. */
int core__open(struct dsm_core **out, const struct core_config *config);
void core__close(struct dsm_core *core);

/* One step. The returned actions (valid until the next call) must be carried out in order before the
 * next step. Never blocks. Errors: -EPROTO: the message contradicts the protocol (a bug or a hostile
 * peer), state unchanged; -EINVAL: the mutator misused it (ACCESS or COMMIT outside a transaction,
 * BARRIER or BEGIN inside one), state unchanged; -ENOMEM, -ELOOP (it would not end): the node must stop.
 * Thread rules: one caller at a time. */
int core_step(struct dsm_core *core, const struct core_event *event, const struct core_actions **actions);

/* Pages of the running attempt with a twin, ascending, for CORE_COMMIT's changed[]: those that it opened for
 * writing, and those that are left writable from earlier (sticky), which only a comparison tells. The list
 * stays until the next BEGIN. */
const uint32_t *core__dirty(const struct dsm_core *core, size_t *count);
/* Pages of CORE_RC with a twin, ascending: those that may differ from what others have. Valid until the next step. */
const uint32_t *core__written(const struct dsm_core *core, size_t *count);
/* Will the step of this message (NULL: of a TICK) send what was written, so that it needs event.changed? */
bool core__flushes(const struct dsm_core *core, const struct core_msg *msg);
enum core_model core__model(const struct dsm_core *core, uint32_t page);
/* The short ways of ACQUIRE and RELEASE, without a step, where nothing is to be sent: the lock is here and free, or
 * the mutator holds it already; and nobody wants it before it is used again, or the mutator holds it once more. False: nothing was done. Between
 * steps, while the mutator runs. */
bool core__reacquire(struct dsm_core *core, uint64_t lock, uint32_t site);
bool core__keep(struct dsm_core *core, uint64_t lock, uint32_t site);
/* Which node keeps the queue of a named lock. */
uint16_t core__manager(const struct dsm_core *core, uint64_t lock);
/* Locks acquired without a message, and with. */
void core__locks(const struct dsm_core *core, uint64_t *cached, uint64_t *fetched);
/* The interval that runs: what happens between two of the mutator's ACQUIREs, RELEASEs and BARRIERs. */
struct core_party core__interval(const struct dsm_core *core);
/* How many pages stay writable between transactions now. */
uint32_t core__sticky(const struct dsm_core *core);
/* What prefetching did so far. */
struct core_prefetch {
	uint64_t bulk;	  /* pages fetched together with others by one ACCESS */
	uint64_t asked;	  /* pages asked for ahead of their use */
	uint64_t refused; /* of these: not to be had without waiting */
	uint64_t used;	  /* brought and used, or waited for while they were on their way */
	uint64_t lost;	  /* brought, and invalidated before anybody used them */
};
const struct core_prefetch *core__prefetch(const struct dsm_core *core);
/* Pages opened for writing ahead of a row of first writes, and how many of them changed. */
void core__ahead(const struct dsm_core *core, uint64_t *opened, uint64_t *used);
/* The running attempt (number 0 = none), and whether it is doomed. */
struct core_party core__attempt(const struct dsm_core *core, bool *doomed);
/* Version and rights of a page as the mutator sees it, for records and checks. */
uint64_t core__version(const struct dsm_core *core, uint32_t page);
enum core_rights core__rights(const struct dsm_core *core, uint32_t page);
/* Is it left writable from one transaction to the next? */
bool core__stays(const struct dsm_core *core, uint32_t page);
/* Pages the running attempt has in its read or write set (tracked or carried over), for history and
 * records: calls fn(arg, page, version, read, written, tracked), in no order. After the step that ended the
 * attempt it describes that attempt (versions as it saw them; `written`: it made version + 1 if it
 * committed) until the next step. */
void core__touched(const struct dsm_core *core,
		   void (*fn)(void *arg, uint32_t page, uint64_t version, bool read, bool written,
			      bool tracked),
		   void *arg);
/* Has nobody ever accessed the page? Only the node where it was born can know: elsewhere false. */
bool core__untouched(const struct dsm_core *core, uint32_t page);
/* The page's home as far as this node knows, and where it was born. */
uint16_t core__home(const struct dsm_core *core, uint32_t page);
uint16_t core__birth(const struct dsm_core *core, uint32_t page);
/* Checks a message from the wire: type, channel, counts, page numbers, node ids, generation, that
 * entries ascend where they must. Data lengths are the port's to check. */
bool core_msg__sane(const struct dsm_core *core, const struct core_msg *msg);
const char *core_msg__name(unsigned type);

#endif
