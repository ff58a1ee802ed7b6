/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * objects.h - the typed heap: which objects live where, for dsm_new(), dsm_free(), dsm_at(), roots and the
 * plan. All metadata is private memory of the node that allocated; the DSM holds objects only.
 *
 * Layout of the region: page 0 is the table of roots (home: node 0). Node k's slab is the pages whose home
 * is k. A slab is cut into arenas: arena 0 for natural layouts, arena r for strided rule r of the plan, all
 * by fixed arithmetic, so that every node finds an array's stride from its address alone.
 */
#ifndef DSM_MEMORY_OBJECTS_H
#define DSM_MEMORY_OBJECTS_H

#include <stdint.h>

/* Reads the plan (node.options.plan) and sets up this node's slab of the region. Errors: negative errno
 * after a message (a damaged plan names file and what is wrong). */
int objects__open(uint64_t region_bytes, uint16_t node, uint16_t nodes);
void objects__close(void);
/* Re-emits OBJECT and ROOT records with DSM_EV_F_RUNDOWN. The caller holds node.lock. */
void objects__rundown(void);
/* A note from another node: it freed objects of ours (offsets), its transaction has committed. The
 * caller holds node.lock. */
void objects__foreign_free(const uint64_t *offsets, uint32_t count);
#define OBJECTS_NOTE_FREE 1 /* transport note type */

#endif
