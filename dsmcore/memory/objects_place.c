/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/memory/objects_place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dsm.h"
#include "dsmcore/memory/heap.h"
#include "dsmcore/memory/objects.h"
#include "dsmcore/memory/plan.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/modules.h"
#include "dsmcore/runtime/node.h"

/* The plan's arenas, and one for each zone of another model than the run's. */
#define OTHER_ARENA(model) (PLAN_ARENAS_MAX + 1u + (model))
#define ARENAS		   OTHER_ARENA(CORE_RC + 1)

static struct {
	struct plan *plan;
	struct objects_layout layout;
	struct heap *arena[ARENAS];
	bool full[PLAN_ARENAS_MAX + 1]; /* warned that the arena is used up */
	uint16_t node;
} slab;

/* ---- open, close ---- */

static bool build_known(void *arg, const uint8_t *build_id, uint32_t len)
{
	const struct module *m;

	(void)arg;
	for (unsigned i = 0; (m = modules__get(i)); i++)
		if (m->build_id_len == len && !memcmp(m->build_id, build_id, len))
			return true;
	return false;
}

static int open_plan(const char *path, uint16_t self)
{
	char error[4096 + 600];
	int err = plan__open(&slab.plan, path, error, sizeof(error));
	bool other;

	if (err) {
		fprintf(stderr, "dsm: node %u: %s\n", self, error);
		return err;
	}
	if (!plan__retire(slab.plan, build_known, NULL) || self)
		return 0;
	other = strcmp(slab.plan->program, program_invocation_short_name);
	for (uint32_t i = 0; i < slab.plan->nrules; i++)
		if (slab.plan->rules[i].stale)
			fprintf(stderr, "dsm: plan %s was made for %s%s%s; rule %s is ignored\n", path,
				other ? "" : "another build of ", slab.plan->program,
				other ? ", another program" : "", slab.plan->rules[i].id);
	return 0;
}

static int open_arena(uint32_t arena, uint32_t first, uint32_t count)
{
	int err = 0;

	if (count) /* its one page may have the roots */
		err = heap__open(&slab.arena[arena], (uint64_t)first * DSM_PAGE_SIZE, count);
	if (err)
		fprintf(stderr, "dsm: node %u: the heap's bookkeeping: %s\n", slab.node, strerror(-err));
	return err;
}

static int open_arenas(uint16_t self)
{
	uint32_t first, count;
	int err = 0;

	for (uint32_t a = 0; a < slab.layout.narenas && !err; a++) {
		objects_layout__arena(&slab.layout, self, a, &first, &count);
		err = open_arena(a, first, count);
	}
	for (unsigned m = CORE_TX; m <= CORE_RC && !err; m++) {
		if (m == slab.layout.zones.model)
			continue;
		objects_layout__zone(&slab.layout, self, (enum core_model)m, &first, &count);
		err = open_arena(OTHER_ARENA(m), first, count);
	}
	return err;
}

int objects_place__open(uint64_t heap_bytes, uint16_t self, uint16_t nodes)
{
	int err = 0;

	slab.node = self;
	if (node.options.plan[0] && (err = open_plan(node.options.plan, self)))
		goto out;
	err = objects_layout__open(&slab.layout, heap_bytes, nodes, (enum core_model)node.options.consistency,
				   slab.plan);
	if (err == -ENOSPC)
		fprintf(stderr,
			"dsm: node %u: a heap of %llu MiB is too small for the %u strides of plan %s; "
			"run with a larger --heap\n",
			self, (unsigned long long)heap_bytes >> 20, slab.plan->narenas - 1,
			node.options.plan);
	else if (err)
		fprintf(stderr, "dsm: node %u: a heap of %llu bytes is too small for %u nodes\n", self,
			(unsigned long long)heap_bytes, nodes);
	if (!err)
		err = open_arenas(self);
out:
	if (err)
		objects_place__close();
	return err;
}

void objects_place__close(void)
{
	for (uint32_t a = 0; a < ARENAS; a++)
		heap__close(slab.arena[a]);
	plan__close(slab.plan);
	memset(&slab, 0, sizeof(slab));
}

const struct objects_layout *objects_place__layout(void)
{
	return &slab.layout;
}

/* ---- memory for an object ---- */

static struct plan_frame frame_of(const void *pc)
{
	struct events_place place = events__place(pc);
	struct plan_frame f = {.offset = place.offset};

	f.build_id_len = place.build_id_len < PLAN_BUILD_ID ? place.build_id_len : PLAN_BUILD_ID;
	if (place.build_id)
		memcpy(f.build_id, place.build_id, f.build_id_len);
	return f;
}

static const struct plan_rule *match(const char *type, size_t size, const void *const *pcs, size_t npcs)
{
	struct plan_frame frame[DSM_EV_FRAMES];

	if (!slab.plan || !plan__has_type(slab.plan, type))
		return NULL;
	for (size_t i = 0; i < npcs; i++)
		frame[i] = frame_of(pcs[i]);
	return plan__match(slab.plan, type, size, frame, npcs);
}

static int take(struct object *o, uint32_t arena, const struct plan_layout *l, bool isolate)
{
	struct heap_extent extent;
	uint64_t bytes = objects_layout__bytes(l, o->count);
	int err = -ENOSPC;

	if (slab.arena[arena])
		err = heap__alloc(slab.arena[arena], bytes, isolate, &extent);
	if (err)
		return err;
	o->offset = extent.offset;
	o->fresh = extent.fresh;
	o->bytes = bytes;
	o->stride = l->stride;
	o->block = l->block;
	o->block_stride = l->block_stride;
	o->arena = arena;
	return 0;
}

/* Its model's zone: a plan lays out objects of the run's model only, but may give any pages of its own. */
static uint32_t natural_arena(enum core_model model)
{
	return model == slab.layout.zones.model ? 0 : OTHER_ARENA(model);
}

int objects_place__take(struct object *o, enum core_model model, const char *type, const void *const *pcs,
			size_t npcs)
{
	const struct plan_rule *rule = match(type, o->elem_size, pcs, npcs);
	struct plan_layout natural = {.elem_size = o->elem_size, .stride = o->elem_size};
	bool isolate = rule && rule->isolate;
	int err;

	if (rule && rule->arena && model == slab.layout.zones.model && !(o->flags & DSM_EV_OBJECT_FLAT)) {
		err = take(o, rule->arena, &rule->layout, isolate);
		if (err != -ENOSPC) {
			o->flags |= err ? 0 : DSM_EV_OBJECT_PLANNED;
			return err;
		}
		if (!slab.full[rule->arena])
			fprintf(stderr,
				"dsm: node %u: no room left for rule %s of plan %s; from here on %s is laid "
				"out naturally (run with a larger --heap)\n",
				slab.node, rule->id, node.options.plan, rule->type);
		slab.full[rule->arena] = true;
	}
	err = take(o, natural_arena(model), &natural, isolate);
	if (!err && isolate)
		o->flags |= DSM_EV_OBJECT_PLANNED;
	return err;
}

int objects_place__give_back(const struct object *o, bool undo)
{
	struct heap_extent extent = {.offset = o->offset, .fresh = o->fresh};

	return undo ? heap__undo(slab.arena[o->arena], &extent) : heap__free(slab.arena[o->arena], o->offset);
}

/* ---- what follows from an address ---- */

uint32_t objects__loop_chunk(const void *pc)
{
	struct plan_frame frame;

	if (!slab.plan)
		return 0;
	frame = frame_of((const char *)pc + 1); /* sites are return addresses */
	return plan__chunk(slab.plan, &frame);
}

void objects__pages(uint16_t home, enum core_model model, uint32_t *first, uint32_t *count)
{
	objects_layout__zone(&slab.layout, home, model, first, count);
}

enum core_model objects__model(uint64_t offset)
{
	return objects_layout__model(&slab.layout, (uint32_t)(offset / DSM_PAGE_SIZE));
}

void objects__check_between(uint64_t offset, const void *pc)
{
	const struct plan_rule *rule;
	uint32_t arena;

	if (__builtin_expect(slab.layout.strided_pages == 0, 1) ||
	    !objects_layout__between(&slab.layout, offset, &arena))
		return;
	for (rule = slab.plan->rules; rule->arena != arena;)
		rule++;
	if (rule->isolate) /* else its objects begin anywhere in a page */
		node__fatal(pc,
			    "access between two elements of an array of %s, which rule %s of the plan has "
			    "spread: "
			    "reach elements of dsm_new() through dsm_at(), or take dsm_new_flat(), which "
			    "plans do "
			    "not spread",
			    rule->type, rule->id);
}

static __attribute__((noinline)) void *at_planned(const void *array, size_t index, size_t size,
						  const void *pc)
{
	uint64_t offset = (uintptr_t)array - DSM_BASE;
	const struct plan_layout *l;
	uint32_t arena, q;

	if (offset / DSM_PAGE_SIZE >= slab.layout.pages)
		return (char *)array + index * size;
	arena = objects_layout__arena_of(&slab.layout, offset / DSM_PAGE_SIZE);
	if (!arena)
		return (char *)array + index * size;
	l = &slab.layout.arena[arena];
	if (l->elem_size != size)
		objects__misuse(pc, "dsm_at() with elements of %zu bytes on an array whose elements have %u",
				size, l->elem_size);
	if (!l->block)
		return (char *)array + index * l->stride;
	if (index > UINT32_MAX)
		return (char *)array + plan_layout__distance(l, index);
	q = reciprocal__divide(index, slab.layout.by_block[arena]);
	return (char *)array + (uint64_t)q * l->block_stride +
	       (uint64_t)(index - (uint64_t)q * l->block) * l->stride;
}

void *dsm__at(const void *array, size_t index, size_t size)
{
	if (__builtin_expect(slab.layout.strided_pages == 0, 1))
		return (char *)array + index * size;
	return at_planned(array, index, size, NODE_CALLER);
}
