/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calls.h - what the files of the protocol core ask of one another, file by file. Included by internal.h, which has the
 * state that it is about.
 */
#ifndef DSM_PROTOCOL_CALLS_H
#define DSM_PROTOCOL_CALLS_H

#include "dsmcore/protocol/internal.h"

/* actions.c */
/* Makes room for `need` elements; false (and core->nomem) if there is none. */
bool core__grow(struct dsm_core *core, void *list, size_t *cap, size_t need, size_t elem);
struct core_action *core__do(struct dsm_core *core, enum core_action_type type, uint32_t page);
struct core_action *core__emit(struct dsm_core *core, enum core_emit_type type);
/* Asks for a TICK, unless one is under way. */
void core__ask_tick(struct dsm_core *core);
struct core_entry *core__entries(struct dsm_core *core, size_t count);
/* By page. */
void core__sort(struct core_entry *entries, size_t count);
struct core_msg core__msg(struct dsm_core *core, enum core_msg_type type, uint16_t to,
			  const struct core_party *tx);
void core__send(struct dsm_core *core, const struct core_msg *msg);
void core__send_entry(struct dsm_core *core, enum core_msg_type type, uint16_t to,
		      const struct core_party *tx, const struct core_entry *entry);
struct copy;
/* Sends the entries of the list, which it sorts, with as few messages as they take. */
void core__send_gathered(struct dsm_core *core, enum core_msg_type type, const struct core_party *tx,
			 struct copy *list, size_t count);
/* Rights of one page: now, or gathered and sent in ranges by core__flush_rights(). */
void core__protect(struct dsm_core *core, uint32_t page, enum core_rights rights);
void core__gather_rights(struct dsm_core *core, uint32_t page, enum core_rights rights);
/* The same of a page that is known to be CORE_TX, as all are that an attempt has touched. */
void core__gather_tx_rights(struct dsm_core *core, uint32_t page, enum core_rights rights);
void core__flush_rights(struct dsm_core *core);
/* Entry i of a message into FRAME, or NEXT, if it brings bytes. Returns the EMIT that says so, else NULL. */
struct core_action *core__store(struct dsm_core *core, const struct core_msg *msg, uint32_t i, bool next);
/* One action for pages in a row. */
void core__do_range(struct dsm_core *core, enum core_action_type type, uint32_t page);
/* Keeps what came with an entry of the event's message beyond the step: its number, 0 without memory. */
uint32_t core__hold(struct dsm_core *core, uint32_t entry);
/* Keeps what was written to a page since its twin was made or brought up to date: likewise. */
uint32_t core__take(struct dsm_core *core, uint32_t page);
void core__drop(struct dsm_core *core, uint32_t hold);
void core__reset_step(struct dsm_core *core);
void core__free_step(struct dsm_core *core);

/* rank.c */
bool core_rank__beats(const struct core_party *a, bool a_committing, const struct core_party *b);
bool core_rank__sole(const struct core_party *a);
bool core_party__same(const struct core_party *a, const struct core_party *b);
/* In logical time; of two of the same time, the lower node. */
bool core_party__older(const struct core_party *a, const struct core_party *b);

/* attempt.c */
int attempt__begin(struct dsm_core *core, const struct core_event *event);
/* TOUCH_* of a page in the running attempt, 0 when it is not listed. */
uint32_t attempt__flags(const struct dsm_core *core, uint32_t page);
struct touch *attempt__touch(struct dsm_core *core, uint32_t page, uint32_t flags);
void attempt__add_dirty(struct dsm_core *core, uint32_t page);
void attempt__doom(struct dsm_core *core, const struct core_party *winner, enum core_cause cause);
void attempt__meet(struct dsm_core *core, uint32_t page, uint64_t winner_version);
void attempt__abort(struct dsm_core *core);
void attempt__close(struct dsm_core *core, bool committed);

/* sticky.c */
void sticky__carry(struct dsm_core *core);
void sticky__commit(struct dsm_core *core, uint32_t page);
void sticky__lose(struct dsm_core *core, uint32_t page, enum core_rights rights);

/* client.c */
/* Where committed bytes go: STORE, or STORE_NEXT while a doomed attempt sees the frame (invariant 2). */
struct core_action *client__store(struct dsm_core *core, uint32_t page);
int client__access(struct dsm_core *core, const struct core_event *event);
int client__on_recall(struct dsm_core *core, const struct core_msg *msg);
int client__on_exclusive(struct dsm_core *core, const struct core_msg *msg);
int client__on_invalidate(struct dsm_core *core, const struct core_msg *msg);
/* Its commit has failed, so the copies are as good as before: says no more than that it has come. */
void client__answer_over(struct dsm_core *core, const struct core_msg *msg);
/* The running attempt loses to the sender of this INVALIDATE. */
void client__yield(struct dsm_core *core, const struct core_msg *msg);
void client__downgrade(struct dsm_core *core, const struct core_entry *recall, uint16_t home);
/* Opens a page for the mutator; the caller flushes the rights. touched: TOUCH_* besides what that tells. */
void client__open(struct dsm_core *core, uint32_t page, bool write, uint32_t touched);

/* fetch.c */
/* NULL when no copy of the page is on its way. */
struct flight *fetch__find(const struct dsm_core *core, uint32_t page);
/* Asks for a page that is INVALID; if a copy flies already, only notes that the mutator wants it. */
void fetch__ask(struct dsm_core *core, uint32_t page, bool write, bool ahead);
/* Sends what was asked for. */
void fetch__send(struct dsm_core *core);
int fetch__on_page(struct dsm_core *core, const struct core_msg *msg);
void fetch__unwant(struct dsm_core *core);
bool fetch__wants(const struct dsm_core *core, uint16_t home);
void fetch__lose(struct dsm_core *core, uint16_t home);
/* Pages that were kept are valid again, those that the mutator waits for among them. */
void fetch__on_update(struct dsm_core *core, const struct core_msg *msg);

/* claim.c */
int claim__enter(struct dsm_core *core);
/* The transaction is over: gives the claim back. */
void claim__end(struct dsm_core *core);
int claim__on_claim(struct dsm_core *core, const struct core_msg *msg);
int claim__on_turn(struct dsm_core *core, const struct core_msg *msg);
int claim__on_pass(struct dsm_core *core, const struct core_msg *msg);
int retry__begin(struct dsm_core *core);
/* This node's copy of the page is lost or new; before its rights are taken away. */
void retry__changed(struct dsm_core *core, uint32_t page);
void retry__end(struct dsm_core *core);
/* A lost node (dying, or NOBODY, counts as one) without which nobody can change, or tell of, what a RETRY
 * waits for; or NOBODY. */
uint16_t retry__hopeless(const struct dsm_core *core, uint16_t dying);
void claim__lose(struct dsm_core *core, uint16_t node);

/* prefetch.c */
/* The mutator faulted on a page that was not here, or only because it was prefetched. */
void prefetch__fault(struct dsm_core *core, uint32_t page, bool write);
void prefetch__hit(struct dsm_core *core);
void prefetch__miss(struct dsm_core *core);
/* The mutator passes a barrier: all rows end. */
void prefetch__barrier(struct dsm_core *core);

/* ahead.c */
/* May it be opened for a write that has not come yet? */
bool ahead__may(const struct dsm_core *core, uint32_t page);
/* The same of a page that is CORE_TX. */
bool ahead__owned(const struct dsm_core *core, uint32_t page);
/* The mutator has a first write to a page that this node owns: opens those that will follow. */
void ahead__open(struct dsm_core *core, uint32_t page);
/* What became of a page in an attempt that committed: its TOUCH_* flags. */
void ahead__close(struct dsm_core *core, uint32_t flags);

/* rows.c */
/* At the BEGIN of an attempt: opens what it will write, if that is known. */
void rows__begin(struct dsm_core *core, const struct core_event *event);
/* It has a first write to a page that this node owns. True: its row was opened. */
bool rows__write(struct dsm_core *core, uint32_t page);
/* It has committed. */
void rows__learn(struct dsm_core *core);
/* Is it one of a loop that writes more pages in a row than may be sticky? */
bool rows__stream(const struct dsm_core *core);
/* Is the attempt a loop's that walks over few pages at a time? */
bool rows__short(const struct dsm_core *core);

/* independent.c */
/* May the running attempt write this page in place? */
bool independent__may(const struct dsm_core *core, uint32_t page);
void independent__open(struct dsm_core *core, uint32_t page);
/* The page gets a twin instead, and stays open whoever asks for it. */
void independent__keep(struct dsm_core *core, uint32_t page);
/* The page is not this node's alone any more; what it has now is committed. */
void independent__share(struct dsm_core *core, uint32_t page);
/* Closes all bare pages. */
void independent__close(struct dsm_core *core);
/* Puts what the attempt commits on top of what others have. False: that is on its way (MUTATOR_FETCHES). */
bool independent__rebase(struct dsm_core *core);
/* Does the attempt commit, through its home, one of the pages of this INVALIDATE? */
bool independent__meets(const struct dsm_core *core, const struct core_msg *msg);
/* This INVALIDATE takes pages that the attempt has in use: notes which, once for each commit. */
void independent__met(struct dsm_core *core, const struct core_msg *msg);
/* At the end of a step: reports those that it met. */
void independent__emit_meetings(struct dsm_core *core);
/* Its locks are given back. refused: by an attempt that has priority. */
void independent__denied(struct dsm_core *core, bool refused);
/* A moment has gone by. */
void independent__tick(struct dsm_core *core);
/* The attempt has ended, and its twins are gone: what came meanwhile may show. */
void independent__settle(struct dsm_core *core);

/* commit.c */
int commit__begin(struct dsm_core *core, const bool *changed);
int commit__on_grant(struct dsm_core *core, const struct core_msg *msg);
void commit__granted(struct dsm_core *core);
/* From the beginning, after something has come that others have committed. */
void commit__again(struct dsm_core *core);
int commit__on_deny(struct dsm_core *core, const struct core_msg *msg);
int commit__on_moved(struct dsm_core *core, const struct core_msg *msg);
/* The attempt dies while it commits: CANCELs wherever it holds or waits, `denied` (or NOBODY) excepted. */
void commit__give_up(struct dsm_core *core, uint16_t denied);
void commit__answer_deferred(struct dsm_core *core);

/* doubt.c */
void doubt__put_off(struct dsm_core *core, const struct core_msg *msg);
/* An UPDATE says that a commit has failed. True if its INVALIDATE is put off: then that is all. */
bool doubt__over(struct dsm_core *core, const struct core_msg *msg);
void doubt__resolved(struct dsm_core *core);
void doubt__free(struct dsm_core *core);

/* copyset.c */
bool copyset__has(const struct dsm_core *core, struct copyset set, uint16_t node);
uint32_t copyset__count(const struct dsm_core *core, struct copyset set);
uint16_t copyset__node(const struct dsm_core *core, struct copyset set, uint32_t i); /* ascending */
void copyset__add(struct dsm_core *core, struct copyset *set, uint16_t node);
void copyset__remove(struct dsm_core *core, struct copyset *set, uint16_t node);
void copyset__clear(struct dsm_core *core, struct copyset *set);
/* For a second owner, who clears it. */
struct copyset copyset__share(struct dsm_core *core, struct copyset set);
void copyset__free_all(struct dsm_core *core);

/* directory.c */
int directory__open(struct dsm_core *core);
void directory__close(struct dsm_core *core);
/* NULL: there is none (version 0, nobody has it). An entry never moves. */
struct dir_page *directory__find(const struct dsm_core *core, uint32_t page);
/* Makes it. NULL: out of memory. */
struct dir_page *directory__get(struct dsm_core *core, uint32_t page);
/* The next entry from *page on, which then is one behind it; NULL: no more. */
struct dir_page *directory__next(const struct dsm_core *core, uint32_t *page);
/* What the page has only for a while; NULL: nothing of it. */
struct dir_more *directory__more(const struct dsm_core *core, const struct dir_page *d);
struct dir_more *directory__make_more(struct dsm_core *core, struct dir_page *d);
/* Gives back the record if nothing is in it any more. */
/* Forgets the page. */
void directory__drop(struct dsm_core *core, uint32_t page);
void directory__tidy(struct dsm_core *core, struct dir_page *d);

/* home.c */
bool home__holds(const struct dsm_core *core, const struct dir_page *d, uint16_t node);
void home__add_holder(struct dsm_core *core, struct dir_page *d, uint16_t node);
void home__drop_holder(struct dsm_core *core, struct dir_page *d, uint16_t node);
/* Who owes a DOWNGRADE, or NOBODY. */
uint16_t home__recalled(const struct dsm_core *core, const struct dir_page *d);
void home__end_recall(struct dsm_core *core, struct dir_page *d);
/* Who waits for the page, in order. */
const struct waiter *home__queue(const struct dsm_core *core, const struct dir_page *d, size_t *count);
/* Everything that a page has stamps for happens after this. */
uint64_t home__stamp(struct dir_page *d);
/* Which other nodes hold those of the pages that a node's transaction has locked, have been told of its commit, or have kept
 * their copies for that: sorted, in a list that the caller frees. */
enum home_set { HOME_HOLDERS, HOME_TOLD, HOME_KEPT };
size_t home__collect(struct dsm_core *core, const struct core_entry *pages, size_t npages,
		     enum home_set which, uint16_t tx, struct of_node **list);
/* By node, then by page. */
void home__sort(struct of_node *list, size_t count);
void home__wait(struct dsm_core *core, struct dir_page *d, const struct waiter *waiter);
void home__remove_waiting_lock(struct dsm_core *core, struct dir_page *d, uint16_t node);
/* Does a node wait for a copy of the page? */
bool home__waits(const struct dsm_core *core, const struct dir_page *d, uint16_t node);
/* A lost node waits no more. */
void home__forget_waiter(struct dsm_core *core, struct dir_page *d, uint16_t node);
void home__remove_waiter(struct dsm_core *core, struct dir_page *d, size_t i);
void home__store(struct dsm_core *core, const struct core_msg *msg, uint32_t entry);
void home__take(struct dsm_core *core, const struct core_entry *e, uint16_t from);
void home__serve_later(struct dsm_core *core, uint32_t page);
void home__serve(struct dsm_core *core, uint32_t page);
void home__send_copy(struct dsm_core *core, uint16_t node, const struct core_entry *e);
/* Sends the PAGEs of this step: at its end, one message a node. */
void home__send_copies(struct dsm_core *core);
int home__on_fetch(struct dsm_core *core, const struct core_msg *msg);
int home__on_downgrade(struct dsm_core *core, const struct core_msg *msg);

/* lock.c */
void lock__advance(struct dsm_core *core, struct home_tx *t);
struct home_tx *lock__tx(struct dsm_core *core, uint16_t node);
int lock__on_lock(struct dsm_core *core, const struct core_msg *msg);
int lock__on_ack(struct dsm_core *core, const struct core_msg *msg);
int lock__on_refuse(struct dsm_core *core, const struct core_msg *msg);
int lock__on_cancel(struct dsm_core *core, const struct core_msg *msg);
int lock__on_publish(struct dsm_core *core, const struct core_msg *msg);
void lock__lose(struct dsm_core *core, uint16_t node);

/* holders.c */
/* Collects the other holders of the pages just locked, by node; marks their pages as contended. The list is to be
 * freed. */
size_t holders__find(struct dsm_core *core, struct home_tx *t, struct of_node **list);
/* If there is one other holder, and it gets updates, then it can as well decide: its ACK is the last there is
 * to wait for. So the changes can go to it at once, and it goes on with them a message earlier. */
bool holders__decide(struct dsm_core *core, const struct home_tx *t, const struct of_node *list, size_t n);
/* Tells one of them: v[n] are its pages. */
void holders__tell(struct dsm_core *core, struct home_tx *t, const struct of_node *v, size_t n);

/* update.c */
bool update__keep(struct dsm_core *core, const struct core_msg *msg, uint32_t entry);
bool update__kept(const struct dsm_core *core, const struct core_msg *msg, uint32_t entry);
int update__on_update(struct dsm_core *core, const struct core_msg *msg);
void update__lost(struct dir_page *d, uint16_t node, bool unused);
bool update__returns(struct dsm_core *core, uint32_t page, uint16_t node);
void update__send(struct dsm_core *core, const struct core_party *tx, const struct core_entry *pages,
		  size_t npages, uint16_t what);
void update__lose(struct dsm_core *core, uint16_t home);
void update__commit_holders(struct dsm_core *core, struct dir_page *d, uint16_t committer);

/* migrate.c */
/* Does the page live at this node? */
bool migrate__here(const struct dsm_core *core, uint32_t page);
/* Who is becoming the home of a page that lives here, or NOBODY. */
uint16_t migrate__moving(const struct dsm_core *core, const struct dir_page *d);
/* Shall it move with the commit that runs? */
bool migrate__leaves(const struct dsm_core *core, const struct dir_page *d);
/* What a node may name as the home of a page that it was asked for. */
bool migrate__may_be(const struct dsm_core *core, uint32_t page, uint64_t home);
void migrate__learn(struct dsm_core *core, uint32_t page, uint16_t home);
/* The answer to who asks for a page that does not live here. */
struct core_entry migrate__elsewhere(struct dsm_core *core, uint32_t page);
void migrate__locked(struct dsm_core *core, struct home_tx *t);
void migrate__asked(struct dsm_core *core, struct dir_page *d);
void migrate__answered(struct dsm_core *core, const struct core_msg *msg);
/* The commit that held its lock has failed, or happened. */
void migrate__released(struct dsm_core *core, struct dir_page *d);
void migrate__committed(struct dsm_core *core, uint32_t page, struct dir_page *d, uint16_t committer);
void migrate__hand_over(struct dsm_core *core);
void migrate__bounce(struct dsm_core *core, struct home_tx *t);
int migrate__on_hand(struct dsm_core *core, const struct core_msg *msg);
int migrate__on_taken(struct dsm_core *core, const struct core_msg *msg);
void migrate__lose(struct dsm_core *core, uint16_t node);
/* A node is lost: nobody asks any more whether all have answered. */
void migrate__stays(struct dsm_core *core, struct dir_page *d);
void migrate__free(struct dsm_core *core);

/* model.c */
bool model__is(const struct dsm_core *core, uint32_t page, enum core_model model);
/* Another node's interval has changed, or wants, a page that this one has in use. */
void model__meet(struct dsm_core *core, const struct core_party *other, uint32_t page, uint64_t version,
		 bool write);
void model__emit_meetings(struct dsm_core *core);
/* The mutator synchronises: its interval is over, and the next one begins at `site`. */
void model__next_interval(struct dsm_core *core, uint32_t site);

/* copies.c: the client's side of pages that are not CORE_TX, as far as sc and rc do the same */
/* An ACCESS to pages that are not CORE_TX, whether an attempt runs or not. */
int copies__access(struct dsm_core *core, const struct core_event *event);
/* Asks for a page ahead of its use. False: it is on its way, or lives here. */
bool copies__ahead(struct dsm_core *core, uint32_t page);
void copies__send(struct dsm_core *core);
/* A copy goes that may have come ahead, and has not been used then. */
void copies__unused(struct dsm_core *core, uint32_t page);
int copies__on_copy(struct dsm_core *core, const struct core_msg *msg);
void copies__unwant(struct dsm_core *core);
/* Does the mutator wait for this page? */
bool copies__awaits(const struct dsm_core *core, uint32_t page);
/* Does the mutator wait for a word of this home? */
bool copies__wants(const struct dsm_core *core, uint16_t home);
void copies__lose(struct dsm_core *core, uint16_t home);
void copies__free(struct dsm_core *core);

/* sc.c */
/* May the mutator do that with the page as it is here? If so, opens it (the caller flushes the rights). */
bool sc__open(struct dsm_core *core, uint32_t page, bool write);
/* A copy has come (entry of a COPY). */
void sc__arrived(struct dsm_core *core, const struct core_entry *e);
int sc__on_ask(struct dsm_core *core, const struct core_msg *msg);
int sc__on_revoke(struct dsm_core *core, const struct core_msg *msg);
int sc__on_revoked(struct dsm_core *core, const struct core_msg *msg);
/* Was the mutator just given the page? */
bool sc__fresh(const struct dsm_core *core, uint32_t page);
int sc__tick(struct dsm_core *core);
int sc__on_bring(struct dsm_core *core, const struct core_msg *msg);
int sc__on_seen(struct dsm_core *core, const struct core_msg *msg);
/* The mutator goes on after a wait. */
void sc__resumed(struct dsm_core *core);
/* The right to write has gone to the home unasked: that answers a REVOKE of it that waits. (One of the copy waits on: the
 * home takes what it got for no answer to that.) */
void sc__given_back(struct dsm_core *core, uint32_t page);
/* The mutator has an event that is no access: the instructions that were given pages have ended. */
void sc__progress(struct dsm_core *core);
void sc__lose(struct dsm_core *core, uint16_t node);
void sc_home__lose(struct dsm_core *core, uint16_t node);
void sc__free(struct dsm_core *core);
/* As a home: a holder has given up its copy by itself. */
void sc_home__leaves(struct dsm_core *core, uint32_t page, uint16_t node);

/* sc_bring.c */
/* This node comes to a barrier, has left it. */
void sc_bring__arrive(struct dsm_core *core);
void sc_bring__opened(struct dsm_core *core);
/* As a home: this node's own mutator takes a page from others, or writes one that it owns and that is not open for that. */
void sc_bring__takes(struct dsm_core *core, uint32_t page, struct copyset from);
void sc_bring__writes(struct dsm_core *core, uint32_t page);
/* As a home: a node is given a copy that it has asked for; it has answered a REVOKE, of a copy that it had not used. */
void sc_bring__gives(struct dsm_core *core, uint32_t page, uint16_t node, bool write);
void sc_bring__revoked(struct dsm_core *core, uint32_t page, uint16_t node, bool unused);
/* A copy has come that was asked for; the mutator uses one. */
void sc_bring__asked_for(struct client_page *cp);
void sc_bring__used(struct client_page *cp);
void sc_bring__lose(struct dsm_core *core, uint16_t node);
void sc_bring__free(struct dsm_core *core);
/* The page's record, or NULL; get: made if there is none (NULL: out of memory). Others move by that. */
struct brought *sc_bring__find(const struct dsm_core *core, uint32_t page);
struct brought *sc_bring__get(struct dsm_core *core, uint32_t page);
/* The number of the barrier at the end of this phase. */
uint64_t sc_bring__phase(const struct dsm_core *core);
/* It would not have been right to lend the page: for some time it is not. */
void sc_bring__distrust(struct brought *p);
/* Has the node said in this phase that it does not use the page? */
bool sc_bring__refused(const struct dsm_core *core, const struct brought *p, uint16_t node);

/* sc_lend.c */
/* The set's nodes for an entry's stamp; 0 if there are none. In clusters of more than 16 * SC_LIST nodes there is room for
 * SC_LIST of them; 0 if there are more. */
#define SC_LIST 3u
uint64_t sc_lend__pack(const struct dsm_core *core, struct copyset set, uint16_t without);
/* Does the entry's stamp name nodes of this cluster? A list of them, or in a REVOKE the lender. */
bool sc_lend__sane(const struct dsm_core *core, const struct core_msg *msg, const struct core_entry *e);
/* This node may write a page that lives elsewhere (entry of a COPY): who has lost it? */
void sc_lend__granted(struct dsm_core *core, const struct core_entry *e);
/* Has this node lent the page, which it owns? (To whom: NOBODY, to anybody.) */
bool sc_lend__to(const struct dsm_core *core, uint32_t page, uint16_t node);
/* It gives the page up: says in the answer to whom it is lent. who: for whom */
void sc_lend__give_up(struct dsm_core *core, struct core_entry *e, const struct sc_wait *w);
/* It is going to write what it has lent: leaves that to the home, which it is about to ask. */
void sc_lend__call_in(struct dsm_core *core, uint32_t page);
/* A REVOKE comes: is it for a copy that is not here yet? Then it is put off. */
bool sc_lend__early(struct dsm_core *core, uint16_t home, const struct core_entry *e);
/* A copy has come that is lent: was it revoked before? Then that is answered. */
bool sc_lend__revoked(struct dsm_core *core, const struct core_entry *e);
/* As a home: who owned the page has lent it (entry of its REVOKED). True: there are new holders. */
bool sc_lend__hear(struct dsm_core *core, const struct core_entry *e, uint16_t from);
void sc_lend__lose(struct dsm_core *core, uint16_t node);

/* rc.c, rc_home.c */
bool rc__open(struct dsm_core *core, uint32_t page, bool write);
void rc__arrived(struct dsm_core *core, const struct core_entry *e);
int rc__on_ask(struct dsm_core *core, const struct core_msg *msg);
int rc__on_revoke(struct dsm_core *core, const struct core_msg *msg);
int rc__on_revoked(struct dsm_core *core, const struct core_msg *msg);
int rc__on_flush(struct dsm_core *core, const struct core_msg *msg);
int rc__on_flushed(struct dsm_core *core, const struct core_msg *msg);
int rc__on_spread(struct dsm_core *core, const struct core_msg *msg);
int rc__on_seen(struct dsm_core *core, const struct core_msg *msg);
/* Sends all that was written here and that others have copies of. changed: as in the event. Returns 0 if every copy has
 * all of it already, else a number: locks__flushed() and barrier__flushed() are told when that flush and all before it
 * are done. barrier: 0, or the number of the barrier that this node is about to arrive at: then what its own home spreads
 * is counted there, and need not be answered. */
uint64_t rc__flush(struct dsm_core *core, const bool *changed, uint64_t barrier);
/* A node is said to be lost: what is shared of its pages cannot be kept together any more. */
void rc__doubt(struct dsm_core *core, uint16_t home);
void rc__lose(struct dsm_core *core, uint16_t node);
void rc__free(struct dsm_core *core);
/* Changes reach a copy here, by a message of `other`. True: it is given up, because nobody has used it for long. */
bool rc__update(struct dsm_core *core, const struct core_party *other, uint32_t page, uint64_t version);
/* As a home: nobody but this node has a copy, or waits for one, so it may be exclusive. */
bool rc_home__own(struct dsm_core *core, uint32_t page);
/* As a home: makes a new version of the page. */
uint64_t rc_home__version(struct dsm_core *core, uint32_t page);
/* As a home: sends changes (entries with holds) to all others that have copies. False: nobody has to confirm them. */
bool rc_home__spread(struct dsm_core *core, const struct core_party *tx, const struct core_entry *pages,
		     uint32_t npages, uint64_t number, uint64_t barrier);
/* As a home: has all confirm what a barrier that is not open yet counts. False: there is nothing of it. */
bool rc_home__confirm(struct dsm_core *core, uint64_t number);
void rc_home__lose(struct dsm_core *core, uint16_t node);
void rc_home__free(struct dsm_core *core);

/* locks.c */
int locks__open(struct dsm_core *core);
int locks__acquire(struct dsm_core *core, const struct core_event *event);
int locks__release(struct dsm_core *core, const struct core_event *event);
int locks__on_acquire(struct dsm_core *core, const struct core_msg *msg);
int locks__on_give(struct dsm_core *core, const struct core_msg *msg);
int locks__on_want(struct dsm_core *core, const struct core_msg *msg);
int locks__on_back(struct dsm_core *core, const struct core_msg *msg);
/* All that flush `upto` and those before it have sent is with everybody: locks that wait for one of them go back. */
void locks__flushed(struct dsm_core *core, uint64_t upto);
/* The time is over for which a lock may be kept from others. */
void locks__tick(struct dsm_core *core);
/* Does the mutator wait for a lock of this manager? */
bool locks__waits_for(const struct dsm_core *core, uint16_t manager);
void locks__lose(struct dsm_core *core, uint16_t node);
void locks__free(struct dsm_core *core);

/* worth.c */
/* The part of each page in what a question about several costs. */
int32_t worth__share(const struct dsm_core *core, size_t npages);
uint32_t worth__price(const struct dsm_core *core, const struct dir_page *d);
/* A node has asked about a page that lives here, or was asked: a LOCK, an INVALIDATE, a FETCH, a RECALL. */
void worth__locked(const struct dsm_core *core, struct home_tx *t);
void worth__told(const struct dsm_core *core, uint32_t page, struct dir_page *d, const struct home_tx *t,
		 uint16_t node, int32_t share);
void worth__fetched(const struct dsm_core *core, uint32_t page, struct dir_page *d, uint16_t node,
		    int32_t share);
void worth__used(const struct dsm_core *core, uint32_t page, struct dir_page *d, uint16_t node,
		 int32_t share);

/* barrier.c */
int barrier__enter(struct dsm_core *core, const struct core_event *event);
/* This flush and those before it are done: arrives, if it waits for one of them. */
void barrier__flushed(struct dsm_core *core, uint64_t upto);
/* A SPREAD, of this page and others, or a BRING (NOWHERE) that this node's home sends to another one before its arrival: may
 * it be counted? Then it is. */
#define NOWHERE UINT32_MAX
bool barrier__counts(struct dsm_core *core, uint16_t node, uint32_t page);
/* A SPREAD has come that is counted by a barrier. -EPROTO: by none that could be. */
int barrier__got(struct dsm_core *core, uint64_t number);
void barrier__free(struct dsm_core *core);
int barrier__on_arrive(struct dsm_core *core, const struct core_msg *msg);
int barrier__on_go(struct dsm_core *core, const struct core_msg *msg);

/* loss.c */
int loss__of_node(struct dsm_core *core, uint16_t node);
/* The mutator needs something that is lost with the node: ends its attempt, if there is one, and its wait. */
void loss__tell(struct dsm_core *core, uint16_t node);
/* Does the mutator wait for a word of this node? */
bool loss__waits_for(const struct dsm_core *core, uint16_t node);
/* With whom the committed bytes of a page are lost, or NOBODY. */
int loss__on_loss(struct dsm_core *core, const struct core_msg *msg);
uint16_t loss__of_page(const struct dsm_core *core, const struct dir_page *d);
/* Answers those who wait for a page that is lost. */
void loss__refuse(struct dsm_core *core, uint32_t page, uint16_t with);

#endif
