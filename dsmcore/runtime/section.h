/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * section.h - what dsm.h's blocks are under sc and rc: critical sections on named locks. See section.c.
 *
 * Mutator thread only, if nothing else is said.
 */
#ifndef DSM_RUNTIME_SECTION_H
#define DSM_RUNTIME_SECTION_H

#include <stdbool.h>
#include <stddef.h>

#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/tx.h"

/* Is a block of dsm.h that begins now a critical section? */
static inline bool section__wanted(void)
{
	return node.options.consistency != CORE_TX && !tx.depth;
}

/* Begins one on the lock of an object, or (NULL) of a place in the source, "file:line": waits until the lock is this node's.
 * pc: for records and messages. Returns 1. */
/* The same with a lock of the place that no other node takes. */
int section__enter_own(const void *pc, const char *call, const char *place);
int section__enter(const void *pc, const char *call, const void *object, const char *place);
/* Ends the innermost one; after the outermost runs what was deferred. Does nothing outside. */
void section__leave(void);
/* Does one run (and not a transaction within it)? */
bool section__inside(void);
/* dsm_defer() in one. */
void section__defer(void (*fn)(void *arg), const void *arg, size_t bytes);

/* End the program with a message: it exits within one, or with a lock from dsm_lock(); a call that must not stand in
 * one; what names a lock is no address in the DSM (checked under tx too, where it would not matter). */
void section__exit(int status);
void section__require_none(const void *pc, const char *call);
void section__check_object(const void *object, const void *pc, const char *call);

/* Is a lock named by a place in the program, not by an object? */
bool section__of_place(uint64_t lock);

struct section_lock {
	uint64_t lock;
	const void *pc; /* where it was asked for */
};

/* Both while the mutator waits, under node.lock, on any thread. Is it for a lock? */
bool section__awaits(uint64_t *lock);
/* The locks that this node holds, at most `most`. Returns how many. */
unsigned section__held(struct section_lock *held, unsigned most);

#endif
