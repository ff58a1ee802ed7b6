/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * objects.c - dsm_new(), dsm_free() and dsm_at().
 *
 * Allocation is local: a node takes memory from its own slab under node.lock and sends no message. An object
 * may be freed on any node; the free travels to the object's home once the transaction has committed.
 *
 * Why freed memory may be reused at once (design, invariant 10: only when every attempt begun before the
 * free has ended). Let A be the transaction that freed object X, and C one that gets X's memory later.
 * - A has committed before X's home hears of the free, so C's commit follows A's.
 * - An attempt B that began before the free and can still reach X has read a pointer to X which A changed
 *   (a program that frees what is still reachable is wrong anyway). A's commit has doomed B before A was
 *   decided. So B never commits; what remains is what B may see or do until it notices.
 * - B's copies of X's pages stay as B knows them: no update goes into a page that a doomed attempt can see
 *   (invariant 2). If B touches such a page for the first time now, the fault is a safe point, and B ends
 *   there.
 * - C does not rely on X's old bytes: reused memory is zeroed through the mutator's view, inside a
 *   transaction. Those writes are ordinary transactional ones: they fetch, lock and invalidate X's pages as
 *   any other. A zeroing that changes nothing leaves no trace, and needs none.
 * - Memory that was never handed out is zero on every node and needs no write. An aborted attempt's writes
 *   to it are undone with the attempt, so undoing the allocation makes it fresh again.
 * So every attempt begun before the free has ended or can no longer commit or see X's new bytes. Nothing has
 * to wait. The one thing to respect here: a doomed attempt may still call dsm_free() on an object that its
 * winner has freed; that is no error of the program (see misuse()).
 */
#include "dsmcore/memory/objects.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dsm.h"
#include "dsmcore/launch/options.h"
#include "dsmcore/memory/alloc_hooks.h"
#include "dsmcore/memory/heap.h"
#include "dsmcore/memory/objects_foreign.h"
#include "dsmcore/memory/objects_layout.h"
#include "dsmcore/memory/objects_table.h"
#include "dsmcore/memory/plan.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/modules.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/tx.h"
#include "dsmcore/runtime/txlog.h"

struct ref { /* an object as the log remembers it: its offset may have been reused since */
	uint64_t offset, serial;
};

/* The plan's arenas, and one for each zone of another model than the run's. */
#define OTHER_ARENA(model) (PLAN_ARENAS_MAX + 1u + (model))
#define ARENAS		   OTHER_ARENA(CORE_RC + 1)

static struct {
	struct plan *plan;
	struct objects_layout layout;
	struct heap *arena[ARENAS];
	bool full[PLAN_ARENAS_MAX + 1]; /* warned that the arena is used up */
	struct objects_table table;
	uint64_t serial;
	uint16_t node;
} heap;

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
	int err = plan__open(&heap.plan, path, error, sizeof(error));

	if (err) {
		fprintf(stderr, "dsm: node %u: %s\n", self, error);
		return err;
	}
	if (!plan__retire(heap.plan, build_known, NULL) || self)
		return 0;
	for (uint32_t i = 0; i < heap.plan->nrules; i++)
		if (heap.plan->rules[i].stale)
			fprintf(stderr, "dsm: plan %s was made for another build of %s; rule %s is ignored\n",
				path, heap.plan->program, heap.plan->rules[i].id);
	return 0;
}

static int open_arena(uint32_t arena, uint32_t first, uint32_t count)
{
	int err = 0;

	if (count) /* its one page may have the roots */
		err = heap__open(&heap.arena[arena], (uint64_t)first * DSM_PAGE_SIZE, count);
	if (err)
		fprintf(stderr, "dsm: node %u: the heap's bookkeeping: %s\n", heap.node, strerror(-err));
	return err;
}

static int open_arenas(uint16_t self)
{
	uint32_t first, count;
	int err = 0;

	for (uint32_t a = 0; a < heap.layout.narenas && !err; a++) {
		objects_layout__arena(&heap.layout, self, a, &first, &count);
		err = open_arena(a, first, count);
	}
	for (unsigned m = CORE_TX; m <= CORE_RC && !err; m++) {
		if (m == heap.layout.zones.model)
			continue;
		objects_layout__zone(&heap.layout, self, (enum core_model)m, &first, &count);
		err = open_arena(OTHER_ARENA(m), first, count);
	}
	return err;
}

int objects__open(uint64_t heap_bytes, uint16_t self, uint16_t nodes)
{
	int err = 0;

	heap.node = self;
	if (node.options.plan[0] && (err = open_plan(node.options.plan, self)))
		goto out;
	err = objects_layout__open(&heap.layout, heap_bytes, nodes, (enum core_model)node.options.consistency,
				   heap.plan);
	if (err == -ENOSPC)
		fprintf(stderr,
			"dsm: node %u: a heap of %llu MiB is too small for the %u strides of plan %s; "
			"run with a larger --heap\n",
			self, (unsigned long long)heap_bytes >> 20, heap.plan->narenas - 1,
			node.options.plan);
	else if (err)
		fprintf(stderr, "dsm: node %u: a heap of %llu bytes is too small for %u nodes\n", self,
			(unsigned long long)heap_bytes, nodes);
	if (!err)
		err = open_arenas(self);
out:
	if (err)
		objects__close();
	return err;
}

void objects__close(void)
{
	roots__close();
	for (uint32_t a = 0; a < ARENAS; a++)
		heap__close(heap.arena[a]);
	objects_table__clear(&heap.table);
	plan__close(heap.plan);
	memset(&heap, 0, sizeof(heap));
}

/* ---- common ---- */

static void lock(void)
{
	alloc_hooks__enter();
	pthread_mutex_lock(&node.lock);
}

static void unlock(void)
{
	pthread_mutex_unlock(&node.lock);
	alloc_hooks__leave();
}

/* A message for a misuse, unless the attempt is doomed: it may act on what its winner has overwritten or
 * freed, and is undone instead. Called without the lock. */
__attribute__((noreturn, format(printf, 2, 3))) static void misuse(const void *pc, const char *format, ...)
{
	char text[512];
	va_list ap;

	if (tx__running() && tx__check())
		tx__unwind(TX_AGAIN);
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	node__fatal(pc, "%s", text);
}

void objects__check_caller(const void *pc, const char *call)
{
	if (!node.started)
		node__fatal(pc, "%s before main() has begun: the DSM is not there yet", call);
	if (!alloc_hooks__mutator())
		node__fatal(pc, "%s in a second thread: only the thread that runs main() may use the DSM",
			    call);
}

static void emit_object(const struct object *o)
{
	struct dsm_ev_object r = {
		.offset = o->offset,
		.bytes = o->bytes,
		.count = o->count,
		.elem_size = o->elem_size,
		.stride = o->stride,
		.block = o->block,
		.block_stride = o->block_stride,
		.type = o->type,
		.site = o->site,
		.flags = o->flags,
	};

	if (events__wanted(DSM_EV_OBJECT))
		events__emit(&r.hdr, DSM_EV_OBJECT, sizeof(r), DSM_EV_PAGE(o->offset & -4096ull, 12),
			     o->bytes);
}

void objects__rundown(void)
{
	for (size_t i = 0; i < heap.table.room; i++)
		if (heap.table.slot[i].offset)
			emit_object(&heap.table.slot[i]);
	roots__rundown();
}

/* The object is gone for good (undo: as if it had never been). The caller holds the lock. */
static void drop(struct object *o, bool undo)
{
	struct dsm_ev_free r = {.offset = o->offset};
	struct heap_extent extent = {.offset = o->offset, .fresh = o->fresh};
	int err = undo ? heap__undo(heap.arena[o->arena], &extent)
		       : heap__free(heap.arena[o->arena], o->offset);

	if (err)
		node__fatal(NULL, "the heap has lost the object at %p: its bookkeeping was overwritten",
			    region__address(node.region, o->offset));
	if (events__wanted(DSM_EV_FREE))
		events__emit(&r.hdr, DSM_EV_FREE, sizeof(r), DSM_EV_PAGE(o->offset & -4096ull, 12), o->bytes);
	COUNT(objects, -1ull);
	COUNT(object_bytes, -o->bytes);
	objects_table__remove(&heap.table, o);
}

static struct object *find(struct ref ref)
{
	struct object *o = objects_table__get(&heap.table, ref.offset);

	return o && o->serial == ref.serial ? o : NULL;
}

/* ---- dsm_new ---- */

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

	if (!heap.plan || !plan__has_type(heap.plan, type))
		return NULL;
	for (size_t i = 0; i < npcs; i++)
		frame[i] = frame_of(pcs[i]);
	return plan__match(heap.plan, type, size, frame, npcs);
}

uint32_t objects__loop_chunk(const void *pc)
{
	struct plan_frame frame;

	if (!heap.plan)
		return 0;
	frame = frame_of((const char *)pc + 1); /* sites are return addresses */
	return plan__chunk(heap.plan, &frame);
}

static int take(struct object *o, uint32_t arena, const struct plan_layout *l, bool isolate)
{
	struct heap_extent extent;
	uint64_t bytes = objects_layout__bytes(l, o->count);
	int err = -ENOSPC;

	if (heap.arena[arena])
		err = heap__alloc(heap.arena[arena], bytes, isolate, &extent);
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
	return model == heap.layout.zones.model ? 0 : OTHER_ARENA(model);
}

static int place(struct object *o, enum core_model model, const struct plan_rule *rule)
{
	struct plan_layout natural = {.elem_size = o->elem_size, .stride = o->elem_size};
	bool isolate = rule && rule->isolate;
	int err;

	if (rule && rule->arena && model == heap.layout.zones.model && !(o->flags & DSM_EV_OBJECT_FLAT)) {
		err = take(o, rule->arena, &rule->layout, isolate);
		if (err != -ENOSPC) {
			o->flags |= err ? 0 : DSM_EV_OBJECT_PLANNED;
			return err;
		}
		if (!heap.full[rule->arena])
			fprintf(stderr,
				"dsm: node %u: no room left for rule %s of plan %s; from here on %s is laid "
				"out "
				"naturally (run with a larger --heap)\n",
				heap.node, rule->id, node.options.plan, rule->type);
		heap.full[rule->arena] = true;
	}
	err = take(o, natural_arena(model), &natural, isolate);
	if (!err && isolate)
		o->flags |= DSM_EV_OBJECT_PLANNED;
	return err;
}

static void undo_new(const void *arg)
{
	struct object *o;

	lock();
	o = find(*(const struct ref *)arg);
	if (o)
		drop(o, true);
	unlock();
}

/* All that happens under the lock. */
static int make(struct object *o, enum core_model model, size_t size, const char *type)
{
	const void *pcs[DSM_EV_FRAMES];
	size_t npcs;
	int err;

	lock();
	npcs = events__backtrace(pcs, DSM_EV_FRAMES);
	err = place(o, model, match(type, size, pcs, npcs));
	if (!err) {
		o->serial = ++heap.serial;
		o->site = events__site(pcs, npcs);
		o->type = events__type(type, o->elem_size, npcs ? pcs[0] : NULL);
		err = objects_table__add(&heap.table, o);
		if (err)
			heap__free(heap.arena[o->arena], o->offset);
	}
	if (!err) {
		COUNT(objects, 1);
		COUNT(object_bytes, o->bytes);
		emit_object(o);
	}
	unlock();
	return err;
}

/* What an allocation asks for. flags: as of dsm__new(). */
static enum core_model model_of(unsigned flags, const void *pc, const char *type)
{
	unsigned consistency = flags >> 1;
	enum core_model model =
		consistency ? (enum core_model)(consistency - DSM_TXN) : heap.layout.zones.model;

	if (consistency > DSM_REL)
		misuse(pc,
		       "dsm_new_in(%u, %s): no such consistency: give DSM_DEFAULT, DSM_TXN, DSM_SEQ or "
		       "DSM_REL",
		       consistency, type);
	if (model != CORE_TX && tx__running())
		misuse(pc,
		       "dsm_new() of %s with consistency %s inside a transaction: it could not be undone; "
		       "allocate it "
		       "before",
		       type, options__model(model));
	return model;
}

/* The end of the row of pages that begins at this offset and is all touched, or all untouched. Looks at so many pages at
 * most, since the lock is held. */
#define LOOK_PAGES 65536u
static uint64_t row_end(uint64_t offset, uint64_t end, bool *untouched)
{
	uint32_t page = (uint32_t)(offset >> DSM_PAGE_LOG2), first = page;

	lock();
	*untouched = core__untouched(node.core, page);
	do
		page++;
	while (page - first < LOOK_PAGES && (uint64_t)page << DSM_PAGE_LOG2 < end &&
	       core__untouched(node.core, page) == *untouched);
	unlock();
	return (uint64_t)page << DSM_PAGE_LOG2 < end ? (uint64_t)page << DSM_PAGE_LOG2 : end;
}

/* Pages of the object that was here before which nobody has ever touched are zero: of a large one, that may be most. */
static void clear_touched(uint64_t offset, size_t bytes)
{
	uint64_t end = offset + bytes, next;

	for (; offset < end; offset = next) {
		bool untouched;

		next = row_end(offset, end, &untouched);
		if (!untouched)
			memset(region__address(node.region, offset), 0, next - offset);
	}
}

/* Memory that was used before. Nobody else may know it, so that sc and rc need no lock. */
static void clear(enum core_model model, uint64_t offset, size_t bytes)
{
	if (model == CORE_TX)
		DSM_TX_ALWAYS
			clear_touched(offset, bytes);
	else
		memset(region__address(node.region, offset), 0, bytes);
}

void *dsm__new(size_t size, size_t count, const char *type, int flags)
{
	const void *pc = NODE_CALLER;
	struct object o = {.elem_size = size, .count = count, .flags = flags & 1 ? DSM_EV_OBJECT_FLAT : 0};
	enum core_model model;
	struct ref ref;
	void *address;
	int err;

	objects__check_caller(pc, "dsm_new()");
	tx__require_writable(pc, "dsm_new()");
	model = model_of((unsigned)flags, pc, type);
	err = size > PLAN_STRIDE_MAX ? -E2BIG : make(&o, model, size, type);
	if (err == -E2BIG)
		misuse(pc,
		       "dsm_new(%s, %zu): an element of %zu bytes is more than the %u MiB that one may have",
		       type, count, size, PLAN_STRIDE_MAX >> 20);
	if (err == -ENOSPC)
		misuse(pc,
		       "dsm_new(%s, %zu): node %u's share of the DSM (%llu MiB) is used up; run with a "
		       "larger --heap",
		       type, count, heap.node,
		       (unsigned long long)(heap.layout.zones.from[model + 1] -
					    heap.layout.zones.from[model]) *
				       DSM_PAGE_SIZE >>
			       20);
	if (err)
		node__fatal(pc, "dsm_new(%s, %zu): out of private memory for the heap's bookkeeping", type,
			    count);
	ref = (struct ref){o.offset, o.serial};
	if (tx__running())
		txlog__push(NULL, undo_new, &ref, sizeof(ref));
	address = region__address(node.region, o.offset);
	if (!o.fresh)
		clear(model, o.offset, o.bytes);
	return address;
}

/* ---- dsm_free ---- */

static void commit_free(const void *arg)
{
	const struct ref *ref = arg;
	struct object *o;

	lock();
	o = find(*ref);
	if (!o)
		node__fatal(NULL,
			    "the object at %p was freed by two transactions, of this node and of another",
			    region__address(node.region, ref->offset));
	drop(o, false);
	unlock();
}

static void abort_free(const void *arg)
{
	struct object *o;

	lock();
	o = find(*(const struct ref *)arg);
	if (o)
		o->leaving = false;
	unlock();
}

static void free_own(const void *pc, void *address, uint64_t offset)
{
	bool in_tx = tx__running(), live, twice;
	struct ref ref = {.offset = offset};
	struct object *o;

	lock();
	o = objects_table__get(&heap.table, offset);
	twice = o && o->leaving;
	live = o && !twice;
	if (live && in_tx) {
		o->leaving = true;
		ref.serial = o->serial;
	} else if (live) {
		drop(o, false);
	}
	unlock();
	if (twice)
		misuse(pc, "dsm_free(%p): this transaction has freed it already", address);
	if (!live)
		misuse(pc,
		       "dsm_free(%p): not a live object's start (freed twice, or not what dsm_new() "
		       "returned)",
		       address);
	if (in_tx)
		txlog__push(commit_free, abort_free, &ref, sizeof(ref));
}

void dsm_free(void *object)
{
	const void *pc = NODE_CALLER;
	int64_t offset;

	if (!object)
		return;
	objects__check_caller(pc, "dsm_free()");
	tx__require_writable(pc, "dsm_free()");
	offset = region__offset(node.region, object);
	if (offset < DSM_PAGE_SIZE)
		misuse(pc, "dsm_free(%p): not a DSM object; what malloc() gave goes to free()", object);
	if (objects_layout__home(&heap.layout, offset / DSM_PAGE_SIZE) == heap.node)
		free_own(pc, object, offset);
	else
		objects_foreign__free(&heap.layout, offset, pc);
}

void objects__barrier(void)
{
	objects_foreign__barrier(&heap.layout);
}

void objects__pages(uint16_t home, enum core_model model, uint32_t *first, uint32_t *count)
{
	objects_layout__zone(&heap.layout, home, model, first, count);
}

enum core_model objects__model(uint64_t offset)
{
	return objects_layout__model(&heap.layout, (uint32_t)(offset / DSM_PAGE_SIZE));
}

void objects__foreign_free(const uint64_t *offsets, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct object *o;
		uint64_t offset;

		memcpy(&offset, (const char *)offsets + i * sizeof(offset),
		       sizeof(offset)); /* may be unaligned */
		o = objects_table__get(&heap.table, offset);
		if (!o)
			node__fatal(NULL,
				    "another node has freed %p, where no live object of node %u starts "
				    "(freed twice, or not what dsm_new() returned)",
				    region__address(node.region, offset), heap.node);
		/* also when our running attempt frees it (`leaving`): that attempt read what the committed
		 * free made stale, so it is doomed */
		drop(o, false);
	}
}

/* ---- dsm_at ---- */

static __attribute__((noinline)) void *at_planned(const void *array, size_t index, size_t size,
						  const void *pc)
{
	uint64_t offset = (uintptr_t)array - DSM_BASE;
	const struct plan_layout *l;
	uint32_t arena, q;

	if (offset / DSM_PAGE_SIZE >= heap.layout.pages)
		return (char *)array + index * size;
	arena = objects_layout__arena_of(&heap.layout, offset / DSM_PAGE_SIZE);
	if (!arena)
		return (char *)array + index * size;
	l = &heap.layout.arena[arena];
	if (l->elem_size != size)
		misuse(pc, "dsm_at() with elements of %zu bytes on an array whose elements have %u", size,
		       l->elem_size);
	if (!l->block)
		return (char *)array + index * l->stride;
	if (index > UINT32_MAX)
		return (char *)array + plan_layout__distance(l, index);
	q = reciprocal__divide(index, heap.layout.by_block[arena]);
	return (char *)array + (uint64_t)q * l->block_stride +
	       (uint64_t)(index - (uint64_t)q * l->block) * l->stride;
}

void *dsm__at(const void *array, size_t index, size_t size)
{
	if (__builtin_expect(heap.layout.strided_pages == 0, 1))
		return (char *)array + index * size;
	return at_planned(array, index, size, NODE_CALLER);
}
