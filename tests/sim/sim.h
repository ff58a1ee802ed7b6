/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sim.h - a deterministic world in which real protocol cores run.
 *
 * One seed makes one world: how many nodes, which pages, how slow each link is, what each node's program
 * does and when. Time is virtual; nothing depends on the machine. The two channels of a pair of nodes
 * are first-in first-out each, but deliver independently of one another.
 *
 *   main.c, mutants.c  the two test programs     world.c    time, links, the loop
 *   pool.c             many seeds on all cores   port.c     memory and actions
 *   program.c          what the nodes run        core.c     the core, compiled with its mutants
 *   profile.c          the measures of a world   cover.c    which event met which state of the core,
 *   check.c            invariants, the end       cover_tx.c   with transactions
 *   check_history.c    what attempts have read     and cover_sync.c without
 *   death.c            nodes that die
 *   program_sync.c     programs on pages of sequential and release consistency, and their locks
 *   check_sync.c       what these must read, and what must hold at rest
 *   blocks.c           transactions without races, which are not undone or may be
 *
 * A seed makes three worlds, apart from one another: one of transactions, one of the other models, one of blocks.
 */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "dsmcore/bench/agenda.h"

#define CORE_MUTANTS /* the core here is the one of core.c */
#include "dsmcore/protocol/core.h"
#include "dsmcore/protocol/hooks.h"
#include "dsmcore/verify/verify.h"

#define WORDS	   8u
#define PAGE_BYTES (WORDS * 8u)
#define MAX_OPS	   400u
#define MORE	   3u
#define TICK_MIN   10u /* what the port must wait for a CORE_TICK: an instruction takes less */

struct rng {
	uint64_t state;
};
uint64_t rng__next(struct rng *rng);
uint32_t rng__below(struct rng *rng, uint32_t limit);		     /* [0, limit), limit > 0 */
uint32_t rng__between(struct rng *rng, uint32_t low, uint32_t high); /* [low, high] */
bool rng__chance(struct rng *rng, uint32_t percent);

enum world_kind {
	WORLD_TX,     /* transactions */
	WORLD_SYNC,   /* the other models */
	WORLD_BLOCKS, /* transactions without races */
	WORLDS
};

/* ---- one world's measures, all drawn from its seed ---- */

struct profile {
	const char *name;
	uint32_t nodes, pages, pages_per_home, elevate_after, sticky_max, sticky_clean, prefetch_max,
		ahead_max, row_max, update_after, migrate_after;
	uint32_t transactions; /* a node, in each phase */
	uint32_t phases;       /* separated by barriers */
	uint32_t ops_max, long_percent, long_ops;
	uint32_t write_percent, silent_percent, pinned_percent, touch_percent, safe_percent, cancel_percent,
		retry_percent, sole_percent, fickle_percent;
	uint32_t hot_pages, hot_percent;
	uint32_t walk_percent;	    /* transactions that go on where the last walk of their node ended */
	uint32_t loop_percent;	    /* transactions with which a loop begins: more that go on behind them */
	uint32_t read_only_percent; /* transactions */
	uint32_t think_max;
	uint32_t delay_max;  /* of a link's base delay */
	uint32_t jitter_max; /* on top, a message */
	uint32_t slow_links; /* percent of links that are 20 times slower */
	uint32_t slow_pairs,
		slow_factor;	    /* so many directed links, on one channel or on both, are far slower */
	uint32_t stalls, stall_max; /* of 10,000 messages so many hold up their link, up to so long */
	uint32_t deaths;	    /* nodes that die */
	bool conservative;	    /* history as the runtime writes it: all mapped pages count as read */
	bool starve;		    /* node 0 runs long transactions against short ones */
	bool slow_main;		    /* it is the main channel that is */
	bool relay;		    /* node 0 is the home of all pages, and runs nothing */
	bool fair;		    /* likewise, and all others want one page all the time */
	bool patient;		    /* who loses sleeps first, as the runtime does */
	enum world_kind world;
	/* A world without transactions, or without races: */
	bool sync;
	uint32_t sc_from, rc_from; /* of each home's pages */
	uint32_t locks;		   /* names */
	bool late;		   /* in each phase one node does more than the others */
	uint32_t locked_percent;   /* of what the nodes do is in critical sections */
	uint32_t stable_percent;   /* of the words have the same owner in all phases */
	uint32_t near_percent;	   /* of a node's accesses are to words of few pages */
	uint32_t free_percent;	   /* are to pages of sequential consistency, of whoever wants */
	uint32_t border_percent; /* are to pages of sequential consistency, as in a stencil of two colours */
	uint32_t border_shift;	 /* which live with the node so many places after their writer */
	uint32_t tick_max;	 /* until a CORE_TICK, at most */
	/* A world without races: */
	uint32_t undoable_percent; /* of its blocks */
	uint32_t private_percent;  /* of its pages have one owner */
};

enum op_kind {
	OP_READ,
	OP_WRITE,
	OP_SILENT,
	OP_ADD,
	OP_TOUCH,
	OP_SAFE,
	OP_CANCEL,
	OP_RETRY,
	OP_SOLE,
	OP_ACQUIRE,
	OP_RELEASE,
	OP_BEGIN, /* word: it is independent; page: it only looks */
	OP_COMMIT
};

struct op {
	enum op_kind kind;
	uint32_t page, word; /* ACQUIRE, RELEASE: page is the lock's number */
	uint32_t count;	     /* TOUCH: pages */
	bool pinned;
	uint32_t more[MORE], nmore; /* pages that the same instruction needs */
};

/* What one page looked like to the running attempt when it first saw it, and what it wrote since. */
struct view {
	bool seen;
	uint64_t version;
	uint64_t image[WORDS];
	uint8_t own; /* bit by word: written by the attempt itself */
	uint64_t written[WORDS];
};

struct memory {
	uint64_t frame[WORDS], twin[WORDS], next[WORDS];
	bool has_twin, has_next, kept; /* kept: the twin has outlived a commit */
	enum core_rights rights;
	uint32_t unused; /* changes of others since it was used */
};

#define RECENT 64u
struct recent { /* an aborted attempt and who won: no two may name each other */
	struct core_party loser, winner;
};

/* Bytes that go with an entry of a message. */
struct payload {
	uint64_t word[WORDS];
	uint8_t changed; /* CHANGES: bit by word */
};

struct held { /* kept beyond a step */
	struct payload data;
	bool used;
};

/* What a node dies of. */
enum death_kind {
	DEATH_NONE,
	DEATH_ACTION, /* its countdown-th action is its last */
	DEATH_SEND,   /* the countdown-th message of this type is the last that it sends */
	DEATH_WAIT,   /* it dies a while after it has sent the countdown-th one, perhaps before the answer */
	DEATH_RECEIVE /* it dies over the countdown-th message of this type that comes */
};

struct death {
	enum death_kind kind;
	enum core_msg_type type;
	uint32_t countdown;
};

struct node {
	struct dsm_core *core;
	struct held *held; /* by number - 1 */
	uint32_t nheld;
	struct memory *memory; /* by page */
	struct view *views;    /* by page */
	uint32_t *seen;	       /* pages with a view, in order */
	uint32_t nseen;
	struct rng rng;
	/* its program */
	uint32_t phase, left, nops, next_op;
	struct op ops[MAX_OPS];
	bool in_tx, blocked, cancelling, doomed, done, unchecked;
	uint32_t aborts; /* of the transaction it runs */
	bool refused;	 /* it was aborted by one with priority */
	bool read_only;	 /* it is to write nothing */
	bool asks, sole; /* wants to be, and is irrevocable */
	bool waits;	 /* for a change */
	uint32_t waited; /* so often in this transaction */
	uint64_t begin, first_begin;
	uint32_t barriers;
	uint64_t counter;	/* for unique values */
	uint32_t wants, nwants; /* pages that its access is for */
	struct walk {
		uint32_t at;
		int32_t stride;
	} walk[2];
	uint32_t loop_left, loop_at, loop_units; /* transactions of a loop; pages written in each */
	bool loops, goes_on;			 /* the running one is one of a loop; not its first */
	struct recent recent[RECENT];
	uint32_t nrecent;
	struct death death;
	bool dead;
	struct core_party decided; /* its attempt, in a message that says it has committed */
	bool *knows;		   /* by node: it was told of its death */
	bool *changed;		   /* by page: room for an event's */
	uint32_t *depth;	   /* of a world without transactions: by lock, how often it has it */
	bool ends;		   /* likewise: what it needs is lost */
	uint64_t kept, kept_since; /* likewise: the lock that it keeps from others, or 0 */
	bool independent;	   /* the block that runs */
	uint32_t begun;		   /* where it began, in ops[] */
	struct undo {
		uint64_t was;
		uint32_t page, word;
	} undo[MAX_OPS];
	uint32_t nundo;
	uint32_t fixed[MAX_OPS],
		nfixed; /* pages that must stay as open as they are until the block has ended */
};

/* What the words of a world without transactions must read as. */
struct oracle {
	uint64_t (*latest)[WORDS]; /* by page: what was written last */
	uint64_t entered, left;	   /* barriers, over all nodes */
};

/* What is due when it is no message: the mutator moves, it dies, some time has gone by (CORE_TICK), or it is told that node
 * what - DUE_LOSS is dead. */
enum { DUE_MOVE, DUE_DEATH, DUE_TICK, DUE_LOSS };

struct link {
	uint64_t last; /* delivery of the newest message */
	uint64_t held; /* it stalls: nothing is delivered before */
	uint32_t base;
};

struct totals {
	uint64_t seeds, steps, messages, commits, local, aborts, conflicts, priorities, cancels, barriers,
		pinned, slow, stalls, ahead, ahead_used, opened, opened_used, deaths, lost, lost_pages,
		doubts, soles, waits;
	uint64_t handed;
	uint64_t updates, adopted, passed; /* copies updated; decisions to do so, and to pass on a decision */
	uint64_t moves, redirects;	   /* homes that moved; questions sent on to a home that had */
	uint64_t sections, checked;	   /* without transactions: critical sections; words that were read */
	uint64_t spreads, left;		   /* pages updated; copies given up since nobody used them */
	uint64_t cached, fetched, kept;	   /* locks */
	uint64_t blocks, undone, rebased;  /* without races: pages rebased */
	uint32_t most_aborts;		   /* of one transaction */
	double longest; /* long transaction against short ones: share of the time that it may take */
};

/* What found a failure. */
enum fail {
	FAIL_CORE,	/* the core itself: -EPROTO, a message that is not sane */
	FAIL_PORT,	/* an action that makes no sense */
	FAIL_INVARIANT, /* an invariant, at any time or at rest */
	FAIL_HISTORY,	/* no order explains what was read */
	FAIL_PROGRESS,	/* deadlock, livelock, starvation */
};

struct world {
	uint64_t seed, now, steps, last_progress;
	struct profile profile;
	struct rng rng,
		wild; /* wild: slow links, stalls; apart, so that they change nothing else of a seed */
	struct node *nodes;
	struct link *links; /* [from][to][channel] */
	struct agenda agenda;
	uint64_t worst;	  /* delay of a message, or of a thought */
	uint32_t running; /* nodes whose program is not done */
	struct verify *history;
	struct oracle oracle;
	struct totals *totals;
	bool verbose, history_only, failed;
	enum fail kind;
	char failure[512];
};

/* What one seed must keep to: anything else is a failure. */
#define STEPS_MAX  3000000u /* and so many more for each pair of nodes, who may meet: */
#define STEPS_PAIR 1000u
#define PATIENCE   2000000u /* virtual time without a commit or a barrier, and */
#define ROUNDS	   8u /* on top, for each step of the longest transaction: so many times the worst delay */

/* profile.c */
void profile__draw(struct profile *p, struct rng *rng, uint32_t nodes_forced);
void profile__draw_wild(struct profile *p, struct rng *rng);
void profile__draw_homes(struct profile *p, struct rng *rng);
/* world.c */
/* Runs a seed. Returns false and says what failed in w->kind and w->failure. */
struct run {
	uint64_t seed;
	enum world_kind world;
	uint32_t nodes;	   /* 0: the seed decides */
	bool verbose;	   /* print every message and the history's errors */
	bool history_only; /* look only at the history and at progress, not at the state of the cores */
};
bool world__run(struct world *w, const struct run *run, struct totals *totals);
const char *world__kind(enum fail kind);
bool world__quick(void); /* PROCOPE_QUICK is set and not empty: under a sanitizer */
void world__step(struct world *w, struct node *n, struct core_event *event, struct packet *packet);
void world__fail(struct world *w, enum fail kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void world__send(struct world *w, struct node *n, const struct core_msg *msg);
void world__push(struct world *w, struct due due);
void world__wake(struct world *w, struct node *n, uint32_t after);
uint16_t world__id(const struct world *w, const struct node *n);

/* A message on its way: entries and their data are copies. */
struct packet {
	bool dropped; /* its sender has died */
	struct core_msg msg;
	struct core_entry *entries;
	struct payload *data; /* by entry */
};

/* port.c */
void port__run(struct world *w, struct node *n, const struct core_actions *actions,
	       const struct packet *packet);
const uint64_t *port__committed(const struct memory *m);
/* NULL, and the seed has failed: nothing is kept under this number. */
const struct payload *port__held(struct world *w, const struct node *n, uint32_t hold);
uint64_t port__hash(const uint64_t *words);
/* Which of core__written() differ from their twins: for an event that may flush them. */
const bool *port__changed(struct node *n);

/* program.c */
void program__start(struct world *w, struct node *n);
void program__move(struct world *w, struct node *n);
void program__resumed(struct world *w, struct node *n);
void program__aborted(struct world *w, struct node *n);
void program__lost(struct world *w, struct node *n, const struct core_action *a);

/* program_sync.c */
void profile__draw_sync(struct profile *p, struct rng *rng, uint32_t nodes_forced);
void sync__start(struct world *w, struct node *n);
void sync__move(struct world *w, struct node *n);
void sync__resumed(struct world *w, struct node *n);
void sync__lost(struct world *w, struct node *n, const struct core_action *a);
void sync__aborted(struct world *w, struct node *n);
void sync__add(struct node *n, enum op_kind kind, uint32_t page, uint32_t word);
/* An access, without a race, to a page of this model. */
void sync__draw_own(struct world *w, struct node *n, enum core_model model);

/* blocks.c */
void profile__draw_blocks(struct profile *p, struct rng *rng);
void blocks__draw(struct world *w, struct node *n);
void blocks__step(struct world *w, struct node *n, const struct op *op);
/* A doomed block is told: it has ended, if this returns true. */
bool blocks__told(struct world *w, struct node *n);
/* It is about to write; all of that is undone. */
void blocks__writes(struct world *w, struct node *n, uint32_t page, uint32_t word);
/* The kernel is about to write there: true if the page is not open for that yet, and was asked for. */
bool blocks__fix(struct world *w, struct node *n, uint32_t page);
void blocks__undo(struct world *w, struct node *n);
void blocks__check(struct world *w, const struct node *n);
void blocks__end(struct world *w);

/* check_sync.c */
void check_sync__open(struct world *w);
void check_sync__close(struct world *w);
/* The mutator looks at a word, or writes it. */
void check_sync__read(struct world *w, struct node *n, uint32_t page, uint32_t word);
void check_sync__write(struct world *w, struct node *n, uint32_t page, uint32_t word, uint64_t value);
/* A copy has come that nobody had asked for. Is it one of those? */
void check_sync__came(struct world *w, struct node *n, uint32_t page);
bool check_sync__brought(const struct node *n, uint32_t page);
/* Changes of others have come to a page. */
void check_sync__merged(struct world *w, struct node *n, uint32_t page);
void check_sync__acquired(struct world *w, struct node *n, uint32_t lock);
/* It is about to come to a barrier; it has left it. */
void check_sync__enter(struct world *w);
void check_sync__left(struct world *w, struct node *n);
/* Rights on a page of sequential consistency have changed: one writer, or many readers. */
void check_sync__rights(struct world *w, uint32_t page);
/* An ASK has come: who asks ahead of its use has its answer. */
void check_sync__asked(struct world *w, struct node *n, const struct core_msg *msg);
void check_sync__step(struct world *w, struct node *n);
void check_sync__end(struct world *w);

/* death.c */
void death__draw(struct world *w);
/* Does the node die now? Then it is dead. Before a message is looked at; and after an action, with those that
 * would have come next. */
bool death__at_message(struct world *w, struct node *n, const struct core_msg *msg);
bool death__after_action(struct world *w, struct node *n, const struct core_actions *actions, size_t at);
void death__now(struct world *w, struct node *n);
/* A message leaves: it may tell that a commit is decided. */
void death__sent(struct world *w, const struct core_msg *msg);
/* Did one tell so of the node's present attempt, or its last one? */
bool death__decided(const struct node *n);
/* At the end: commits that were decided, and whose nodes did not live to report them. */
void death__end(struct world *w);
/* Everything is at rest: those who wait for a change run again. False if there are none. */
bool program__wake(struct world *w);

/* check.c */
void check__abort(struct world *w, struct node *n, const struct core_action *emit);
void check__duration(struct world *w, const struct node *n);
void check__shares(struct world *w, const struct node *first);
void check__exclusivity(struct world *w);
/* How many pages of this home a node owns. */
uint32_t check__owned(const struct node *home, uint16_t node);
/* Just after a home was told of a death: nothing there waits for the dead, nothing is promised to it; owned:
 * what it owned before. */
void check__forgotten(struct world *w, const struct node *home, uint16_t dead, uint32_t owned);
/* It has become irrevocable: nobody else is. */
void check__sole(struct world *w, struct node *n);
void check__sticky(struct world *w, const struct node *n);
/* Of a FETCH or an ASK: not more ahead of its use than allowed. */
void check__ahead(struct world *w, const struct node *n, const struct core_msg *msg);
/* Of a HAND: nothing else is under way about its pages. */
void check__hand(struct world *w, const struct core_msg *msg);
/* Nothing is under way: is there a node that waits for a change which has happened? */
void check__waits(struct world *w);
void check__end(struct world *w);
/* Nothing is under way, and not all programs are done. */
void check__stuck(struct world *w);
/* check_history.c: an attempt has ended; all have */
void check__history(struct world *w, struct node *n, bool committed);
void check__whole_history(struct world *w);

/* cover.c: counts over all seeds of this process; all cells of all tables as one list, to be added up over processes */
size_t cover__cells(void);
void cover__save(uint64_t *to);
void cover__add(const uint64_t *from);
/* Prints what was never met though it can be, or was met though it cannot; returns how many. */
unsigned cover__report(bool table);

#endif
