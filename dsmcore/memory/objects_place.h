/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * objects_place.h - where this node's objects go: the plan's rules, this node's arenas, and dsm_at(), which finds an
 * element where the plan has put it. What becomes of an object afterwards is the matter of objects.c.
 */
#ifndef DSM_MEMORY_OBJECTS_PLACE_H
#define DSM_MEMORY_OBJECTS_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "dsmcore/memory/objects_layout.h"
#include "dsmcore/memory/objects_table.h"

/* As objects__open() and objects__close(), which call them. */
int objects_place__open(uint64_t heap_bytes, uint16_t node, uint16_t nodes);
void objects_place__close(void);
/* Of the whole region. Constant between open and close: any thread. */
const struct objects_layout *objects_place__layout(void);

/* Memory for o->count elements of o->elem_size bytes, as the plan's rule for this type and chain of calls (pcs, the
 * innermost first) wants it, else one behind the other; fills in offset, bytes, strides, arena, fresh and the flag
 * DSM_EV_OBJECT_PLANNED. Errors: those of heap__alloc(). The caller holds node.lock. */
int objects_place__take(struct object *o, enum core_model model, const char *type, const void *const *pcs,
			size_t npcs);
/* The memory of an object that is no more; undo: as if it had never been handed out. Errors: -EINVAL, the bookkeeping
 * does not know it. The caller holds node.lock. */
int objects_place__give_back(const struct object *o, bool undo);

#endif
