/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tx.h - the mutator's transaction: what dsm.h's blocks are made of. See tx.c for how an attempt starts,
 * ends and is undone.
 */
#ifndef DSM_RUNTIME_TX_H
#define DSM_RUNTIME_TX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include "dsmcore/memory/alloc_hooks.h"
#include "dsmcore/protocol/core.h"
#include "dsmcore/runtime/snapshot.h"

/* All of it lives outside the stack and DSM memory, so that undoing leaves it alone. The mutator writes;
 * the service thread reads under node.lock while the mutator waits, and sets `doomed`. */
struct tx {
	unsigned depth; /* of nested blocks; 0 = none */
	bool doomed;	/* must be undone at the next safe point */
	bool read_only; /* a DSM_TX_READ */
	bool looks;	/* dsm_peek(), which writes nothing by mistake */
	bool irrevocable;
	struct snapshot start;
	const void *begin_pc; /* in the program */
	uint32_t site;
	uint32_t units;	  /* iterations, in a DSM_TX_FOR; else 0 */
	bool units_given; /* by the program or a plan: the loop did not choose them */
	uint16_t pieces;  /* so large that the loop takes; UINT16_MAX: at least */
	uint64_t between_ns, run_ns,
		ran_ns; /* of a loop that goes on, see struct dsm_ev_commit: since when it runs, until when */
	bool goes_on;	/* likewise: not its first transaction */
	bool independent; /* likewise: it promises not to meet others in a byte */
	uint64_t begin_ns, commit_begin_ns;
	uint64_t compared_ns; /* independent: what it commits was known then */
	uint64_t
		asked_ns; /* and it asked for it, after others' commits had been in the way; 0: they were not */
	uint64_t progress; /* units to count at the commit */
	uint64_t barriers;
	bool at_barrier;	/* waits for the last one */
	const void *barrier_pc; /* where, in the program */
	const void *needs_pc;	/* where it was given, or waits for, a page or lock last */
	const void *retry_pc;	/* where it waits for a change, or NULL */
	const void *call_pc;	/* the program's call for which the runtime touches DSM memory now, or NULL */
};

extern struct tx tx;

/* Does an attempt run (not: a critical section)? Any thread. */
static inline bool tx__running(void)
{
	return tx.depth != 0 && alloc_hooks__mutator();
}

/* Of a loop or block that promises to be independent? It is undone all the same with --no-independent. */
static inline bool tx__independent(void)
{
	return tx.units && tx.independent;
}

/* Any thread; a doom that comes just now may be missed, and is found at the next safe point. */
static inline bool tx__doomed(void)
{
	return __atomic_load_n(&tx.doomed, __ATOMIC_ACQUIRE);
}

/* What snapshot__take() returns in tx.c. */
enum { TX_STARTED, TX_AGAIN, TX_CANCELLED };

/* Sets up the mutator's stack and the copy of it. Returns the end of the stack, NULL without memory. */
void *tx__open_stack(void);
/* Is this an address just below it, where a stack that is too deep ends up? Async-signal-safe. */
bool tx__beyond_stack(const void *address);
/* Starts a transaction, or an inner block of the running one. pc: where the program's block begins; call: its
 * name, for messages. Returns 1 to run the block (again after each abort), 0 when it was cancelled. */
int tx__begin(const void *pc, const char *call, bool read_only);
/* The same for a block of the runtime's own in the call of dsm.h at `pc` (with dsm.h: TX_OF_CALL(pc, call) { ... }): what it
 * touches is the program's doing there. */
#define TX_OF_CALL(pc, call) DSM__BLOCK(tx__begin_call(pc, call))
int tx__begin_call(const void *pc, const char *call);
/* Without a transaction: what the runtime touches from here on is the doing of the call at `pc`; NULL: no more. */
void tx__acts_for(const void *pc);
/* Makes a page usable for the mutator (from the fault handler or dsm_touch): waits for it if it is elsewhere.
 * pc: the instruction, pinned: it is not in the program's text. False: the attempt was undone and the caller
 * must unwind. */
bool tx__access(uint32_t page, uint16_t offset, bool write, bool pinned, const void *pc);
/* For a fault: if the core allows the access already, opens the page again and returns true. The view may be
 * more closed than the core's rights: the microscope and strict mode close pages behind the core's back, and
 * the kernel does when it reclaims memory. */
bool tx__reopen(uint32_t page, bool write, const void *pc);
/* Of the running attempt, or the one that begins: it is a loop's that promises to be independent, and the run believes that. */
bool tx__never_undone(void);
/* tx__access() for each page of a range; unwinds by itself. -EINVAL: not all DSM memory; -EPERM: outside a transaction, and it needs
 * one. */
int tx__touch(const void *ptr, size_t bytes, bool write, bool pinned, const void *pc);
/* Ends the run with a message: no node yet, a second thread, or a forked child, which is no node. Any thread. */
void tx__require_mutator(const void *pc, const char *call);
/* The same: the transaction is a DSM_TX_READ. */
void tx__require_writable(const void *pc, const char *call);
/* The id of a place in the program, for records. Without node.lock. */
uint32_t tx__site(const void *pc);
/* Receives what the mutator has kept for itself, if it has: await__look(). */
void tx__look(void);
/* Doomed? Then the attempt is undone and true returned: the caller must unwind. */
bool tx__check(void);
/* Unwinds to the start of the attempt: by editing the context that a signal handler returns to ... */
void tx__unwind_context(ucontext_t *context);
/* ... or at once. */
__attribute__((noreturn)) void tx__unwind(int how);

#endif
