/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dsm.h - all that a program needs to share memory between the nodes of a cluster.
 *
 *	#include <dsm.h>
 *	#include <stdio.h>
 *
 *	struct counter { long value; };
 *
 *	int main(void)
 *	{
 *		if (dsm_node() == 0)
 *			dsm_root_set("counter", dsm_new(struct counter, 1));
 *		dsm_barrier();
 *		struct counter *c = dsm_root("counter");
 *		for (int i = 0; i < 1000; i++)
 *			DSM_TX { c->value++; }
 *		dsm_barrier();
 *		long v;
 *		dsm_peek(&v, &c->value, sizeof(v));
 *		printf("node %d of %d sees %ld\n", dsm_node(), dsm_nodes(), v);
 *	}
 *
 *	cc -g -O2 counter.c $(pkg-config --cflags --libs dsm) -o counter && dsmrun -n 4 ./counter
 *
 * Each node runs main(). DSM addresses are valid on every node. All access to DSM memory happens in
 * transactions: `DSM_TX { ... }` runs its block as if nothing else ran, and runs it again when another
 * node's commit came first. Transactions are serializable, and no attempt, not even one that will be
 * undone, sees half of another.
 *
 * THE STATE RULE. An attempt that loses is undone: DSM memory, the stack and the registers are as they
 * were at the start of the block, so locals need no care. Nothing else is undone: globals, statics,
 * files and other output keep what the attempt did to them. Put output and other effects into
 * dsm_defer(), which runs at the commit only, after the block, or behind dsm_irrevocable(). malloc() and
 * free() inside a block are undone or deferred. `dsmrun --strict` names writes to globals and statics,
 * private pointers that become visible to other nodes, and DSM memory handed to system calls; it does not
 * see output, or writes to memory from malloc().
 *
 * Caveats
 * - One thread a node, the one that runs main(), may touch DSM memory; a second one is stopped with a
 *   message. So is access outside a transaction; where the page happens to be mapped, only under
 *   `--strict`.
 * - Leaving the block by return, break or goto commits. longjmp() out of it is not supported. exit()
 *   in it ends the program with an error.
 * - read(), write(), pread(), pwrite(), readv(), writev(), send(), recv(), sendto(), recvfrom(), fread(),
 *   fwrite(), poll(), getrandom() and the usual calls that take a path or a struct stat (docs/api.md has the list)
 *   take DSM memory inside a transaction. Another system call that is handed a DSM pointer gives EFAULT when
 *   the page is not mapped: dsm_touch() it first, or copy.
 * - An attempt that must be undone while it is inside library code (printf, ...) is undone when it comes back
 *   to the program's own code, so that no lock of the library is left held. It is undone out of a callback
 *   (qsort's comparison), too: do not begin transactions or touch DSM memory in pthread_once() and other
 *   callbacks of a library that holds a lock meanwhile.
 * - SIGBUS, SIGTRAP and SIGURG are the runtime's in the thread that runs main(), and so is its alternate
 *   stack: sigaction() on these gives EINVAL, and they cannot be blocked. SIGSEGV is the program's if it wants
 *   it, but until then long rows of pages are opened faster. While a signal handler of the
 *   program runs, nothing is undone; it should set a flag and leave DSM memory alone: where it came while the
 *   runtime or a library was at work, touching that ends the program with a message. A call that sleeps inside
 *   a block may return EINTR.
 * - dsm_new() arrays of more than one element are reached through dsm_at(), because a plan may put
 *   distance between the elements; dsm_new_flat() gives a plain C array.
 */
#ifndef DSM_H
#define DSM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DSM_API __attribute__((visibility("default")))

#define DSM_PAGE_SIZE 4096

/* This node's number (0 ...) and how many there are (1 without dsmrun). Any thread, any time. */
DSM_API int dsm_node(void);
DSM_API int dsm_nodes(void);

#define DSM__BLOCK(begin)                                                                                    \
	for (int dsm__live __attribute__((cleanup(dsm__tx_leave), unused)) = begin; dsm__live; dsm__live = 0)

/* What names a place in the source: the same on all nodes, and in all copies that a compiler makes of it. */
#define DSM__STRING(x)	#x
#define DSM__LINE(line) DSM__STRING(line)
#define DSM__HERE	__FILE__ ":" DSM__LINE(__LINE__)

/* Runs the following block as a transaction. Nested blocks belong to the outermost one. Under sc and rc: as a
 * critical section, see below. */
#define DSM_TX DSM__BLOCK(dsm__tx_begin(DSM__HERE))

/* The same for a block that only reads: it keeps no copies to undo, and its commit needs no message. What
 * would change DSM memory in it (a write, dsm_new(), dsm_free(), dsm_root_set()) ends the program with a
 * message. Within a DSM_TX it is a part of that, and nothing is checked; a DSM_TX within it must not write
 * either. */
#define DSM_TX_READ DSM__BLOCK(dsm__tx_begin_read(DSM__HERE))

/* Runs the following block for i (a long) = from ... to - 1, committing now and then within the loop,
 * so that a long loop does not lose all its work to one conflict. How often follows from what commits cost
 * and from how much is lost to aborts, here and now. Iterations must make sense as transactions of their own.
 * Inside a DSM_TX it belongs to that transaction. */
#define DSM_TX_FOR(i, from, to) DSM_TX_FOR_EVERY(i, from, to, 0)
/* The same with a number of the program's own: it commits every `chunk` iterations; 0: as above. A plan's
 * number for a loop (docs/plan.md) goes before both. */
#define DSM_TX_FOR_EVERY(i, from, to, chunk) DSM__LOOP(dsm__loop_begin((from), (to), (chunk), DSM__HERE), i)
/* DSM_TX_FOR for a loop that promises to be independent (High Performance Fortran's INDEPENDENT), and is not
 * undone: between the same two barriers no other node writes a byte that the loop reads or writes, nor reads
 * one that it writes. Nodes may meet in a page, but never in a byte. Each node's loop over the rows that it
 * owns is like that, where barriers keep writers and readers apart. What this node has alone is then written
 * in place, without the copy that undoing takes; what others have, too, is put together to the byte. The
 * loop is one transaction, unless a plan gives it a number; dsm_defer() and dsm_progress() wait for its end.
 * For who breaks the promise there is no isolation, as in a program with races. Two nodes that change a byte
 * at the same time, each without the other's change, end the program with a message; nothing else is
 * noticed. `dsmrun --no-independent` makes it an ordinary DSM_TX_FOR, whose conflicts dsmreport explains,
 * and so do --strict and --history (docs/api.md tells how to check a program).
 * dsm_cancel(), dsm_retry() and dsm_root_set() in it end the program with a message, dsm_irrevocable() has
 * nothing to do.
 * Inside another block it is a part of that. Under sc and rc its lock is one that no other node takes, and
 * nothing is noticed. */
#define DSM_TX_FOR_INDEPENDENT(i, from, to) DSM__LOOP(dsm__loop_begin_independent((from), (to), DSM__HERE), i)
/* The same for a block. */
#define DSM_TX_INDEPENDENT DSM_TX_FOR_INDEPENDENT(dsm__once, 0, 1)
#define DSM__LOOP(begin, i)                                                                                  \
	for (struct dsm__loop dsm__l __attribute__((cleanup(dsm__loop_leave))) = begin;                      \
	     dsm__loop_more(&dsm__l);)                                                                       \
		for (long i = dsm__l.at; i < dsm__l.stop; dsm__l.at = ++i)

/* ---- three consistency models ----
 *
 * `dsmrun --consistency tx|sc|rc` chooses what shared memory promises; the same source runs under all three. tx is
 * what this header describes everywhere else. Under sc (sequential consistency: one writer or many readers of a page)
 * and rc (release consistency: many writers of a page; what they write is seen elsewhere after a lock has gone over
 * or at a barrier) a block is a critical section: nothing is undone, nothing runs twice. A block takes a lock, which
 * has a name: of the place in the source where the block stands (its file's name and its line) or, with the forms
 * below, of an object. Blocks on different objects run side by side. So name the object that the block is about; a loop over this node's own part
 * names that part: nobody else takes its lock, which then costs some 50 ns. All blocks that touch the same data must
 * name the same object (or be the same place). Nested blocks take their own lock, too; the same one again is fine.
 * Access outside blocks is allowed (between barriers that keep writers and readers apart, say). Under tx the object is
 * ignored.
 *
 * Under sc and rc dsm_cancel() and dsm_retry() end the program with a message, dsm_irrevocable() has nothing to do,
 * dsm_peek() is a plain copy, dsm_defer() runs after the outermost block, and dsm_barrier() must stand outside blocks.
 * dsm_root_set(), dsm_root() and dsm_new() work as ever, at once; give a root its name before a barrier, or under a
 * lock that its readers take. docs/api.md has a table of all calls. */
#define DSM_TX_ON(object)		   DSM__BLOCK(dsm__tx_begin_on(object))
#define DSM_TX_READ_ON(object)		   DSM__BLOCK(dsm__tx_begin_read_on(object))
#define DSM_TX_FOR_ON(object, i, from, to) DSM__LOOP(dsm__loop_begin_on((from), (to), (object)), i)

/* A transaction in every run: for objects that are DSM_TXN (below) although the run is not. */
#define DSM_TX_ALWAYS DSM__BLOCK(dsm__tx_begin_always())

/* The lock of an object by hand (any address in the DSM): waits until it is this node's. Counts; give it back as often.
 * Not inside a transaction, which could not undo it (a critical section is fine). dsm_unlock() of what dsm_lock() has
 * not taken ends the program with a message. It stays cached where it was used last, so taking it again there costs no
 * message. For memory that is sc or rc in a run that is tx, too. */
DSM_API void dsm_lock(const void *object);
DSM_API void dsm_unlock(const void *object);

/* Allocates n elements of a type, zeroed, on pages whose home is this node. Records the type's name
 * and the call chain for the tools. Inside a transaction an abort undoes it. Elements are reached
 * through dsm_at(). Ends the program with a message when the node's share of the DSM is used up. */
#define dsm_new(type, n) ((type *)dsm__new(sizeof(type), (n), #type, 0))
/* The same as a plain C array, for code that indexes or walks it directly. */
#define dsm_new_flat(type, n) ((type *)dsm__new(sizeof(type), (n), #type, 1))
/* A plain C array of rows, each of `columns` elements: reports then name rows. Element (i, j) is at
 * [i * columns + j]. */
#define dsm_new_rows(type, rows, columns) ((type *)dsm__new(sizeof(type) * (columns), (rows), #type "[]", 1))
/* The same for an object that is to have a consistency model of its own, whatever the run's is. Memory that is sc or
 * rc is not undone: so not inside a transaction, and writing to it inside one ends the program with a message as soon
 * as the runtime notices (reading is fine). Objects of different models never share a page; a plan's layouts are for
 * the run's model only. Each model but the run's has a sixth of --heap in room of its own. */
enum dsm_consistency { DSM_DEFAULT, DSM_TXN, DSM_SEQ, DSM_REL };
#define dsm_new_in(consistency, type, n) ((type *)dsm__new(sizeof(type), (n), #type, (consistency) << 1))
#define dsm_new_flat_in(consistency, type, n)                                                                \
	((type *)dsm__new(sizeof(type), (n), #type, (consistency) << 1 | 1))
/* Address of element i of an array from dsm_new(). Does not touch DSM memory. */
#define dsm_at(array, i) ((__typeof__(&(array)[0]))dsm__at((array), (i), sizeof((array)[0])))
/* Frees what dsm_new() gave, from any node; inside a transaction at its commit. (Memory that is rc, and another node's:
 * at this node's next barrier, when all that was written to it has arrived.) NULL is ignored. An
 * address that is not the start of a live object ends the program with a message. */
DSM_API void dsm_free(void *object);

/* Gives a DSM address a name (at most 47 bytes) for other nodes and for reports; NULL removes it.
 * Transactional. Returns 0, -ENAMETOOLONG, -EINVAL (not a DSM address), -ENOSPC (the table is full). */
DSM_API int dsm_root_set(const char *name, const void *object);
/* The address, or NULL when no such name was committed. */
DSM_API void *dsm_root(const char *name);

/* Waits until all nodes are here; then every commit made before any arrival is visible to all.
 * Outside transactions only. */
DSM_API void dsm_barrier(void);

/* Copies committed values for printing, outside (or inside) transactions. dst is private memory. */
DSM_API void dsm_peek(void *dst, const void *src, size_t bytes);

/* Brings [ptr, ptr + bytes) here for reading, or for writing too, inside a transaction: all pages that are
 * elsewhere are asked for at once, and the call waits once for up to 4 MiB of them. It is also what system
 * calls need. The pages count as read (written, if they change). Returns 0 or -EINVAL (not all DSM memory); a mode
 * that is neither ends the program.
 * (A program that walks over pages at equal distances is followed without it: the runtime then asks for the
 * next ones by itself, and such a page counts as read only when it is touched.) */
enum dsm_touch_mode { DSM_READ, DSM_WRITE };
DSM_API int dsm_touch(const void *ptr, size_t bytes, enum dsm_touch_mode mode);

/* Calls fn(copy of arg) once the transaction has committed, never when it aborts; at once outside
 * transactions. bytes (1 GiB at most) may be 0 with arg NULL. fn runs outside any transaction, and may start one. */
DSM_API void dsm_defer(void (*fn)(void *arg), const void *arg, size_t bytes);

/* Undoes the transaction and goes on after its block, without running it again. Not after dsm_irrevocable().
 */
DSM_API __attribute__((noreturn)) void dsm_cancel(void);

/* Undoes the transaction, waits until another node's commit has changed something that this attempt has read,
 * and runs the block again: the way to wait for a condition.
 *	DSM_TX { if (!queue->length) dsm_retry(); take(queue); }
 * It sleeps meanwhile. It may wake up for nothing (pages are watched, not variables), and a signal handler of
 * the program that runs meanwhile makes the block run again, too. Waiting for what nobody will ever change is
 * the program's mistake; only when all other nodes have ended, or there are none, it ends with a message. Not
 * after dsm_irrevocable(). In a DSM_TX_FOR the iterations since its last commit are undone. */
DSM_API __attribute__((noreturn)) void dsm_retry(void);

/* Of several calls in a function that do not return gcc makes one, and messages would name the line of any of them. An
 * empty instruction that differs from place to place keeps them apart. */
#define DSM__APART(call)                                                                                     \
	__extension__({                                                                                      \
		__asm__ volatile("" : : "i"(__COUNTER__));                                                   \
		call;                                                                                        \
	})
#define dsm_cancel() DSM__APART(dsm_cancel())
#define dsm_retry()  DSM__APART(dsm_retry())

/* From here on this attempt will commit, whatever others do: output, system calls and writes to globals that
 * follow happen exactly once. What came before may still run several times. One transaction in the whole
 * cluster is irrevocable at a time; the call waits for its turn, first come, first served, and others that
 * meet the pages of an irrevocable one run again (cause `irrevocable`). So do not stay in it longer than
 * needed. It ends with the transaction; in a DSM_TX_FOR that is the next commit within the loop. Calling it
 * again does nothing. dsm_cancel() and dsm_retry() after it end the program with a message. */
DSM_API void dsm_irrevocable(void);

/* Is a block running: a transaction, under sc and rc a critical section? */
DSM_API bool dsm_in_tx(void);

/* Counts units of the program's own work (frames, rows, orders), for the tools. Inside a transaction
 * it counts at the commit. */
DSM_API void dsm_progress(uint64_t units);

/* From here on this node is in the phase of this name (1 to 23 bytes), for `dsmrun --stats`, which writes what the
 * counters grew by in each phase: so set-up and result can be told from the work between. A name that comes again goes
 * on with that phase; at most 8 names. Before the first call the node is in none. Outside transactions only. It tells
 * nobody else, and waits for nobody. */
DSM_API void dsm_phase(const char *name);

/* ---- what the macros above use ---- */
struct dsm__loop {
	long at, stop, upto, end, chunk; /* upto: where its transaction ends; chunk: the program's, or 0 */
	const void *pc;			 /* the place of the loop, and what the runtime knows of it */
	void *site;
	const void *object; /* NULL: the loop's place names its lock: */
	const char *place;
	int open, goes_on, independent;
};
DSM_API int dsm__tx_begin(const char *place);
DSM_API int dsm__tx_begin_read(const char *place);
DSM_API int dsm__tx_begin_on(const void *object);
DSM_API int dsm__tx_begin_read_on(const void *object);
DSM_API int dsm__tx_begin_always(void);
DSM_API void dsm__tx_leave(int *live);
DSM_API struct dsm__loop dsm__loop_begin(long from, long to, long chunk, const char *place);
DSM_API struct dsm__loop dsm__loop_begin_on(long from, long to, const void *object);
DSM_API struct dsm__loop dsm__loop_begin_independent(long from, long to, const char *place);
DSM_API int dsm__loop_more(struct dsm__loop *loop);
DSM_API void dsm__loop_leave(struct dsm__loop *loop);
DSM_API void *dsm__new(size_t size, size_t count, const char *type, int flags);
DSM_API __attribute__((const)) void *dsm__at(const void *array, size_t index, size_t size);

/* Static analysers take a transaction for a block that runs once, and dsm_at() for an index: else they
 * warn of blocks that might never run (only after dsm_cancel()), and some stumble over the cast. */
#if defined(__clang_analyzer__) || defined(__cppcheck__)
#undef DSM__BLOCK
#undef DSM_TX_INDEPENDENT
#undef dsm_at
#define DSM__BLOCK(begin)  for (int dsm__once = (begin, 1); dsm__once; dsm__once = 0)
#define DSM_TX_INDEPENDENT DSM__BLOCK(dsm__tx_begin(DSM__HERE))
#define dsm_at(array, i)   ((array) + (i))
#endif

#ifdef __cplusplus
}
#endif

#endif
