/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * objects_foreign.h - freeing objects of other nodes: the free travels with the commit.
 */
#ifndef DSM_MEMORY_OBJECTS_FOREIGN_H
#define DSM_MEMORY_OBJECTS_FOREIGN_H

#include <stdint.h>

#include "dsmcore/memory/objects_layout.h"

/* Frees the object that starts at offset, in another node's slab: outside a transaction at once, inside at
 * its commit, all of a transaction's frees for one home in one note (or few, if they are thousands). Whether
 * the object is live is for its home to say. pc: the program's call, for messages. layout must stay as it is
 * until the commit. Mutator thread only, without node.lock. */
void objects_foreign__free(const struct objects_layout *layout, uint64_t offset, const void *pc);
/* This node has passed a barrier: sends the frees of memory that is rc, which waited for it. The caller holds
 * node.lock. */
void objects_foreign__barrier(const struct objects_layout *layout);

#endif
