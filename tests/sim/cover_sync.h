/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cover_sync.h - the rows and the columns of the tables in cover_sync.c: in which states what is followed may be, and what may
 * happen to it.
 */
#ifndef TESTS_SIM_COVER_SYNC_H
#define TESTS_SIM_COVER_SYNC_H

/* ---- sequential consistency ---- */

#define SC_STATES(X)                                                                                         \
	X(INVALID, "no copy")                                                                                \
	X(ASKING, "no copy, one is asked for")                                                               \
	X(OVER, "no copy: what was lent has been returned")                                                  \
	X(OVER_ASKING, "the same, and one is asked for")                                                     \
	X(FLYING, "no copy, one comes ahead of its use")                                                     \
	X(AHEAD, "for reading, closed, came ahead of its use")                                               \
	X(SHARED, "for reading")                                                                             \
	X(SHARED_FRESH, "for reading, given to the instruction that runs")                                   \
	X(SHARED_ASKING, "for reading, and is to be written")                                                \
	X(SHARED_KEPT, "for reading, a REVOKE waits")                                                        \
	X(BROUGHT, "came with a barrier")                                                                    \
	X(BROUGHT_CLOSED, "came with a barrier, closed to see whether it is used")                           \
	X(LENT, "came with a barrier, until the next one")                                                   \
	X(LENT_CLOSED, "the same, closed to see whether it is used")                                         \
	X(EXCL, "the only copy")                                                                             \
	X(EXCL_FRESH, "the only copy, given to the instruction that runs")                                   \
	X(EXCL_KEPT, "the only copy, a REVOKE waits")                                                        \
	X(EXCL_LENT, "lent to others, until the next barrier")                                               \
	X(EXCL_READ, "the only copy, not open for writing")

#define SC_EVENTS(X)                                                                                         \
	X(READ)                                                                                              \
	X(WRITE)                                                                                             \
	X(COPY)                                                                                              \
	X(COPY_EXCL)                                                                                         \
	X(COPY_LOST)                                                                                         \
	X(COPY_REFUSED)                                                                                      \
	X(REVOKE)                                                                                            \
	X(REVOKE_WRITE)                                                                                      \
	X(REVOKE_EARLY) X(BRING) X(BRING_LENT) X(BRING_LATE) X(ENTER) X(HOME_LOST)

#define SC_HOME_STATES(X)                                                                                    \
	X(FREE, "nobody has a copy")                                                                         \
	X(SHARED, "copies for reading")                                                                      \
	X(OWNED, "one node writes it")                                                                       \
	X(SHARING, "who writes it was told to stop")                                                         \
	X(CLEARING, "all were told to drop it")                                                              \
	X(LOST, "a lost node owned it")

#define SC_HOME_EVENTS(X)                                                                                    \
	X(ASK)                                                                                               \
	X(ASK_WRITE)                                                                                         \
	X(ASK_AHEAD)                                                                                         \
	X(REVOKED)                                                                                           \
	X(REVOKED_UNUSED)                                                                                    \
	X(REVOKED_LENT)                                                                                      \
	X(UNASKED) X(SEEN) X(SEEN_LENT) X(LOST_HOLDER) X(LOST_OWNER) X(LOST_TOLD) X(LOST_WAITER)

/* ---- release consistency ---- */

#define RC_STATES(X)                                                                                         \
	X(INVALID, "no copy")                                                                                \
	X(ASKING, "no copy, one is asked for")                                                               \
	X(FLYING, "no copy, one comes ahead of its use")                                                     \
	X(AHEAD, "a copy, closed, came ahead of its use")                                                    \
	X(CLOSED, "a copy, closed to see whether it is used")                                                \
	X(READ, "a copy")                                                                                    \
	X(WRITTEN, "a copy with a twin")                                                                     \
	X(FLUSHING, "the same, and its home has not confirmed changes of it yet")                            \
	X(EXCL_READ, "the only copy, not open for writing")                                                  \
	X(EXCL, "the only copy")

#define RC_EVENTS(X)                                                                                         \
	X(READ)                                                                                              \
	X(WRITE)                                                                                             \
	X(COPY)                                                                                              \
	X(COPY_EXCL)                                                                                         \
	X(COPY_LOST)                                                                                         \
	X(COPY_REFUSED) X(REVOKE) X(SPREAD) X(COUNTED) X(CONFIRM) X(FLUSHED) X(FLUSHED_EXCL) X(HOME_LOST)

#define RC_HOME_STATES(X)                                                                                    \
	X(FREE, "nobody has a copy")                                                                         \
	X(SHARED, "copies")                                                                                  \
	X(OWNED, "one node has it alone")                                                                    \
	X(REVOKING, "that one was told to share it")                                                         \
	X(LOST, "a lost node owned it")

#define RC_HOME_EVENTS(X)                                                                                    \
	X(ASK)                                                                                               \
	X(ASK_WRITE)                                                                                         \
	X(ASK_AHEAD)                                                                                         \
	X(REVOKED_SAME)                                                                                      \
	X(REVOKED_NEWER) X(FLUSH) X(SEEN) X(SEEN_UNUSED) X(LOST_HOLDER) X(LOST_OWNER) X(LOST_WAITER)

/* ---- locks ---- */

#define LOCK_STATES(X)                                                                                       \
	X(ELSEWHERE, "not here")                                                                             \
	X(WAITED, "the mutator waits for it")                                                                \
	X(HELD, "the mutator has it")                                                                        \
	X(HELD_WANTED, "the mutator has it, others want it")                                                 \
	X(CACHED, "here and free")                                                                           \
	X(KEPT, "here and free, others want it, and it may be used some times more")                         \
	X(LEAVING, "on its way back, behind a flush")                                                        \
	X(LEAVING_WAITED, "the same, and the mutator waits for it")

#define LOCK_EVENTS(X) X(ACQUIRE) X(RELEASE) X(GIVE) X(GIVE_LOST) X(WANT) X(MANAGER_LOST)

#define MANAGER_STATES(X)                                                                                    \
	X(HERE, "nobody has it")                                                                             \
	X(OUT, "a node has it")                                                                              \
	X(ASKED, "a node has it that was told that others want it")                                          \
	X(LOST, "a lost node had it")

#define MANAGER_EVENTS(X) X(ACQUIRE) X(BACK) X(LOST_HOLDER) X(LOST_WAITER)

/* ---- the mutator ---- */

#define SYNC_STATES(X)                                                                                       \
	X(RUNS, "runs")                                                                                      \
	X(ASKS, "waits for pages")                                                                           \
	X(ACQUIRES, "waits for a lock")                                                                      \
	X(FLUSHES, "at a barrier, and its changes are not with all")                                         \
	X(ARRIVED, "at a barrier")                                                                           \
	X(COUNTS, "at a barrier that has opened, not all has come that it counts")

#define SYNC_EVENTS(X)                                                                                       \
	X(ACCESS)                                                                                            \
	X(ACQUIRE)                                                                                           \
	X(RELEASE) X(ENTER) X(COPY) X(GIVE) X(FLUSHED) X(COUNTED) X(COUNTED_NEXT) X(GO) X(LOSS) X(LOSS_NEEDED)

#endif
