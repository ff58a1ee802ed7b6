/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hooks.h - what the simulator's build of the core adds to it; nothing of it exists in libdsm.
 *
 * core_mutant(M) is where the protocol can be broken on purpose, each place named after the invariant
 * that it breaks (docs/protocol.md has the table); the simulator must find every one of them.
 * core_cover__*() count which event met which state.
 */
#ifndef DSM_PROTOCOL_HOOKS_H
#define DSM_PROTOCOL_HOOKS_H

#define CORE_MUTANTS_LIST(X)                                                                                 \
	X(skip_ack, "GRANT without waiting for the holders' answers")                                        \
	X(early_publish, "the decision falls at the first GRANT, other homes are not asked")                 \
	X(lost_doom, "an INVALIDATE of a touched page does not doom the attempt")                            \
	X(doomed_commits, "COMMIT does not look at the doom")                                                \
	X(stale_fetch, "a PAGE that an INVALIDATE overtook is accepted")                                     \
	X(read_untracked, "a page left mapped from earlier does not count as read")                          \
	X(mutual_abort, "two committers that meet both die")                                                 \
	X(both_refuse, "two committers that meet refuse each other")                                         \
	X(silent_dropped, "a written page with an empty diff leaves the read set too")                       \
	X(recall_served, "a RECALL is served while a commit with messages runs")                             \
	X(exclusivity_kept, "the owner answers a RECALL but goes on committing alone")                       \
	X(exclusive_shared, "exclusivity is granted while others hold copies")                               \
	X(stale_grant_of_page, "a PAGE's grant that a RECALL overtook still counts")                         \
	X(zombie_frame_overwritten, "a PUBLISH goes into a frame that a doomed attempt sees")                \
	X(locked_page_served, "a FETCH does not wait for the lock of a commit")                              \
	X(dirty_served, "(in the port) a dirty page is served without its twin")                             \
	X(twin_not_restored, "an abort leaves what it wrote")                                                \
	X(lock_order, "a home locks the pages of odd nodes in descending order")                             \
	X(lock_kept, "a DENY forgets to release what was locked")                                            \
	X(late_grant, "a GRANT for a dead attempt counts for the next one")                                  \
	X(doubt_ignored, "who waits for the decision of its commit elsewhere is doomed like others")         \
	X(withdrawal_ignored, "a home does not tell that it has not decided yet")                            \
	X(passed_to_one_of_many, "the decision is passed on though several have copies")                     \
	X(passed_withdrawn, "a home lets a commit be withdrawn whose decision it has passed on")             \
	X(update_seen_early, "who keeps its copy for an update goes on using the old one")                   \
	X(update_not_sent, "who kept its copy does not get the update")                                      \
	X(update_left_open, "who kept its copy is not told that the commit failed")                          \
	X(loss_not_spread, "who hears of a loss does not tell others first")                                 \
	X(lost_passed_released, "the lock of a lost node is released though a holder decides its commit")    \
	X(told_forgotten, "a late ACK takes a holder off the list that waits to be told more")               \
	X(update_into_frame, "an update goes into a frame that a doomed attempt sees")                       \
	X(update_unused, "who does not use what is updated does not say so")                                 \
	X(late_ack, "an ACK takes away a copy that was given after it")                                      \
	X(no_elevation, "who keeps losing gets no priority")                                                 \
	X(sticky_served, "(in the port) a page left writable is served from the frame, not from its twin")   \
	X(sticky_kept, "a page stays writable after the RECALL that ends its exclusivity")                   \
	X(sticky_stale_twin, "the twin of a page left writable is not refreshed at the commit")              \
	X(sticky_left_out, "a changed page left writable is not part of the write set")                      \
	X(sticky_not_reset, "an abort leaves what it wrote in a page left writable")                         \
	X(sticky_unbounded, "pages stay writable though nothing changes them any more")                      \
	X(row_unlisted, "what was opened because a loop will write it is not compared at the commit")        \
	X(row_unowned, "what a loop will write is opened though it is not here")                             \
	X(bare_left_open, "an attempt that may be undone writes in place what one before it wrote so")       \
	X(bare_for_kernel, "what the kernel will write may be closed before it does")                        \
	X(bare_kept, "a page that is written in place stays so when it is shared")                           \
	X(denied_at_once, "who cannot be undone asks again at once for what it was denied")                  \
	X(recalls_kept, "who cannot be undone keeps RECALLs waiting while its commit begins anew")           \
	X(never_refuses, "two that cannot be undone, and commit the same pages, never refuse each other")    \
	X(not_rebased, "changes are committed without what others have changed in the page")                 \
	X(bare_unversioned, "what was written in place counts as the version that it was written over")      \
	X(bare_closed, "a page that is written in place is closed at the end of each attempt")               \
	X(independent_met, "an INVALIDATE dooms an attempt that cannot be undone")                           \
	X(denied_undone, "a DENY undoes an attempt that cannot be undone")                                   \
	X(moved_undone, "one that cannot be undone, has withdrawn and is sent to another home, is undone")   \
	X(asks_alike,                                                                                        \
	  "who asks again under the number under which it was denied takes late answers for new ones")       \
	X(answers_kept, "who cannot be undone keeps INVALIDATEs waiting while its commit begins anew")       \
	X(newer_into_frame,                                                                                  \
	  "a newer version that is fetched for a commit goes into the frame that it changed")                \
	X(next_kept,                                                                                         \
	  "a newer version that came during an attempt that is not undone does not show at its end")         \
	X(lost_independent_undone, "the loss of a node undoes an attempt that cannot be undone")             \
	X(barrier_early, "a barrier opens before the last node is there")                                    \
	X(handed_in_use, "a page that the running attempt may have read is handed over")                     \
	X(handed_not_dropped, "who hands a page over keeps a copy")                                          \
	X(handed_unheard, "who waits for a change hands over what it waits for")                             \
	X(ahead_stale, "a prefetched PAGE that an INVALIDATE overtook is accepted")                          \
	X(ahead_locked, "a prefetch is served from a page that a commit has locked")                         \
	X(ahead_open, "a prefetched page is mapped when it comes")                                           \
	X(ahead_unbounded, "a stream asks for more than it may")                                             \
	X(irrevocable_outranked, "an irrevocable attempt has no rank")                                       \
	X(two_turns, "node 0 gives a turn while another has one")                                            \
	X(stale_turn, "a TURN for a wish that was given back counts for the next one")                       \
	X(lost_turn_kept, "the turn of a lost node is not given to the next one")                            \
	X(claim_kept, "a transaction that is over does not pass its turn on")                                \
	X(retry_deaf, "who waits for a change does not hear of pages that it had mapped already")            \
	X(refusal_final, "who waits for a page that was refused to its prefetch does not ask again")         \
	X(bulk_early, "an access to several pages goes on when the first of them is here")                   \
	X(lost_lock_released, "pages that a lost node may have committed are unlocked")                      \
	X(lost_lock_kept, "locks that a lost node had not been granted yet are kept")                        \
	X(lost_owner_served, "a page that a lost node owned is served as the home knows it")                 \
	X(lost_answer_awaited, "a lost node's answer to an INVALIDATE is waited for")                        \
	X(lost_waiter_served, "a lost node that waits for a page is given it")                               \
	X(lost_holder_kept, "a lost node stays in the copysets")                                             \
	X(lost_page_kept_waiting, "who waits for a page that is lost is not told")                           \
	X(lost_home_kept_waiting, "who waits for a lost home's answer is not told")                          \
	X(lost_home_asked, "a lost home is asked for pages")                                                 \
	X(lost_home_granted, "a commit that waits for a lost home takes its silence for a grant")            \
	X(lost_doubt_undone, "a commit whose home is lost while it decides is undone")                       \
	X(lost_commit_not_cancelled, "a commit that a lost home ends leaves its locks elsewhere")            \
	X(lost_barrier_kept_waiting, "who waits at a barrier is not told of a loss")                         \
	X(moved_unanswered, "a home moves while an answer to an INVALIDATE is open")                         \
	X(moved_shared, "a home moves though others have copies")                                            \
	X(moved_stamp, "a new home begins with stamps of its own")                                           \
	X(moved_owned, "who commits while the home moves elsewhere is made the owner")                       \
	X(moved_at_once, "the old home sends others to the new one before that has the entry")               \
	X(moved_queue_forgotten, "who waits in the queue of a page that moves is forgotten")                 \
	X(moved_lock_kept, "a LOCK that is sent elsewhere leaves what was locked")                           \
	X(moved_to_lost_kept, "a home that was moving to a node that is lost waits for ever")                \
	X(sc_reader_kept, "a copy that was to be dropped can still be read")                                 \
	X(sc_writer_kept, "who was to stop writing can go on")                                               \
	X(sc_grant_early, "a page is given to a writer before all copies are gone")                          \
	X(sc_fresh_forever, "who waits for a page keeps others, whoever needs them")                         \
	X(sc_not_urged, "who keeps a page does not hear that an older one wants it, too")                    \
	X(sc_bringer_kept, "who brings a page to others can go on writing it")                               \
	X(sc_bring_uncounted, "a barrier does not count the copies that are brought with it")                \
	X(sc_lent_kept, "a copy that was lent is used beyond the barrier")                                   \
	X(sc_return_unanswered, "who has returned what was lent does not answer a REVOKE of it")             \
	X(sc_brought_unused, "who does not use what is brought does not say so")                             \
	X(sc_lender_writes, "who has lent a page that lives elsewhere goes on writing it")                   \
	X(sc_loan_untold, "who gives up what it has lent does not say to whom")                              \
	X(sc_early_answered, "a REVOKE that has overtaken what was lent does not wait for it")               \
	X(sc_old_answered, "a REVOKE that was answered is taken for one of what was lent since")             \
	X(sc_late_used, "what was lent is used though it has come, and was revoked, meanwhile")              \
	X(sc_asked_back_forgotten,                                                                           \
	  "what was lent and is asked back is taken for returned when the barrier opens")                    \
	X(sc_taken_back_early, "what is lent is taken back at the barrier at which it was lent")             \
	X(sc_not_alone, "who was lent copies counts as alone again though others have some")                 \
	X(ahead_taken, "who asks ahead of its use is given what others write, or wait for")                  \
	X(lock_two_holders, "a lock is given to the next one before it has come back")                       \
	X(lock_back_before_flush, "a lock goes back before what was written has been seen")                  \
	X(lock_want_forgotten, "who is asked for a lock that it holds forgets that at the release")          \
	X(lock_kept_late, "who keeps a lock that others want does not give it when the time is over")        \
	X(lock_kept_on, "who keeps a lock that others want does not count its sections")                     \
	X(lost_lock_awaited, "who waits for a lock that is lost with its holder is not told")                \
	X(flush_forgotten, "what was written last is not flushed before a lock goes back")                   \
	X(spread_unconfirmed, "a home does not wait for the holders' answers to a SPREAD")                   \
	X(merge_not_in_twin, "(in the port) changes of others are merged into the frame only")               \
	X(taken_not_refreshed, "(in the port) the twin is not brought up to what was taken")                 \
	X(exclusive_kept, "an owner that is told to share goes on without a twin")                           \
	X(go_without_counts, "a barrier opens before what it counts has come")                               \
	X(barrier_before_flush,                                                                              \
	  "a node arrives at a barrier before other homes than node 0 have its changes")                     \
	X(counts_of_any_barrier, "a SPREAD of the next barrier counts for this one")                         \
	X(dropped_in_use, "a copy is given up without having been closed, to see whether it is used")        \
	X(unused_kept, "a copy that nobody uses is kept for ever")                                           \
	X(counted_unconfirmed, "a lock goes back though a barrier counts what was written under it")         \
	X(doubtful_kept, "copies of pages of a lost home are used on")                                       \
	X(lost_confirmation_awaited, "a lost node's answer to a SPREAD is waited for")

#ifdef CORE_MUTANTS
enum core_mutant {
	CORE_MUTANT_none,
#define X(name, what) CORE_MUTANT_##name,
	CORE_MUTANTS_LIST(X)
#undef X
		CORE_MUTANT_COUNT
};
extern enum core_mutant core_mutant_active;
#define core_mutant(name) (core_mutant_active == CORE_MUTANT_##name)

struct dsm_core;
struct core_event;
struct core_msg;
void core_cover__mutator(const struct dsm_core *core, const struct core_event *event);
void core_cover__message(const struct dsm_core *core, const struct core_msg *msg);
void core_cover__end(const struct dsm_core *core, int committed);
void core_cover__lost(const struct dsm_core *core, unsigned node);
#else
#define core_mutant(name)		 0
#define core_cover__mutator(core, event) ((void)0)
#define core_cover__message(core, msg)	 ((void)0)
#define core_cover__end(core, committed) ((void)0)
#define core_cover__lost(core, node)	 ((void)0)
#endif

#endif
