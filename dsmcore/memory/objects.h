/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * objects.h - the typed heap: which objects live where, for dsm_new(), dsm_free(), dsm_at(), roots and the
 * plan. All metadata is private memory of the node that allocated; the DSM holds objects only.
 *
 * Layout of the region: page 0 is the table of roots (home: node 0). Node k's slab is the pages whose home
 * is k. A slab is cut into a zone for each consistency model, and that of the run's model into arenas: arena 0 for
 * natural layouts, arena r for strided rule r of the plan, all by fixed arithmetic, so that every node finds a page's
 * model and an array's stride from its address alone.
 */
#ifndef DSM_MEMORY_OBJECTS_H
#define DSM_MEMORY_OBJECTS_H

#include <stdint.h>

#include "dsmcore/protocol/core.h"

/* Pages of the default model's zone at each node. */
static inline uint32_t objects__pages_per_home(uint64_t heap_bytes, uint16_t nodes)
{
	return (heap_bytes / 4096 + nodes - 1) / nodes;
}

/* Reads the plan (node.options.plan) and sets up this node's slab of the region. Errors: negative errno
 * after a message (a damaged plan names file and what is wrong). */
int objects__open(uint64_t heap_bytes, uint16_t node, uint16_t nodes);
void objects__close(void);
/* Re-emits OBJECT and ROOT records with DSM_EV_F_RUNDOWN. The caller holds node.lock. */
void objects__rundown(void);
/* A note from another node: it freed objects of ours (offsets), its transaction has committed. The
 * caller holds node.lock. */
void objects__foreign_free(const uint64_t *offsets, uint32_t count);
/* From now on what others free stays allocated; false: what was held so is free now. The caller holds node.lock. */
void objects__hold_freed(bool on);
#define OBJECTS_NOTE_FREE 1 /* transport note type */

/* This node has passed a barrier. The caller holds node.lock. */
void objects__barrier(void);
/* Pages of a node's zone of a model, but for the roots. Any thread. */
void objects__pages(uint16_t node, enum core_model model, uint32_t *first, uint32_t *count);
/* What the memory at a region offset promises. Any thread. */
enum core_model objects__model(uint64_t offset);

/* Ends the run with a message when the program's own code touches what lies between the elements of an array that the plan
 * has spread: it indexes the array as if it were a plain one, and would get other bytes than it means. A doomed attempt
 * may: see there. Mutator thread, without node.lock. */
void objects__check_between(uint64_t offset, const void *pc);

/* Iterations that the plan gives a transaction of the loop that begins at `pc` (in its call); 0: the plan says nothing
 * of it. Any thread, between objects__open() and objects__close(). */
uint32_t objects__loop_chunk(const void *pc);

/* node.lock, with the program's own malloc() out of the way. Mutator thread. */
void objects__lock(void);
void objects__unlock(void);

/* A message for a misuse at `pc`, unless the attempt is doomed: it may act on what its winner has overwritten or freed,
 * and is undone instead. Called without the lock. */
__attribute__((noreturn, format(printf, 2, 3))) void objects__misuse(const void *pc, const char *format, ...);
/* Ends the run with a message when the DSM cannot be used here: before main(), in a second thread, or in a
 * forked child. */
void objects__check_caller(const void *pc, const char *call);

/* The names this node gave (roots.c), for objects__rundown() and objects__close(). The caller holds
 * node.lock. */
void roots__rundown(void);
void roots__close(void);
/* For a message: of the roots in a copy of page 0 the one next to a region offset among those not beyond it, and how many bytes
 * lie between. NULL: there is none. Any thread. */
const char *roots__before(const void *page, uint64_t offset, uint64_t *bytes);
/* The name for which dsm_root() has given NULL last and that it has not found since, or NULL. For the message about a crash:
 * async-signal-safe, of the mutator. */
const char *roots__missing(void);

#endif
