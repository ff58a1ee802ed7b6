/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * objects.c - dsm_new() and dsm_free(): what becomes of an object from its allocation to its end.
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
 * - An attempt that is not undone (DSM_TX_FOR_INDEPENDENT) goes on with stale copies instead of being doomed, and zeroes
 *   written into such a copy may change nothing there. So what other nodes free while it runs is held until it has ended.
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
#include "dsmcore/memory/objects_foreign.h"
#include "dsmcore/memory/objects_layout.h"
#include "dsmcore/memory/objects_place.h"
#include "dsmcore/memory/objects_table.h"
#include "dsmcore/memory/offsets.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/tx.h"
#include "dsmcore/runtime/txlog.h"

struct ref { /* an object as the log remembers it: its offset may have been reused since */
	uint64_t offset, serial;
};

static struct {
	struct objects_table table;
	uint64_t serial;
	uint16_t node;
	bool hold;
	struct offsets freed; /* by others, and held */
} heap;

/* ---- open, close ---- */

int objects__open(uint64_t heap_bytes, uint16_t self, uint16_t nodes)
{
	heap.node = self;
	return objects_place__open(heap_bytes, self, nodes);
}

void objects__close(void)
{
	roots__close();
	objects_table__clear(&heap.table);
	objects_place__close();
	free(heap.freed.at);
	memset(&heap, 0, sizeof(heap));
}

/* ---- common ---- */

void objects__lock(void)
{
	alloc_hooks__enter();
	pthread_mutex_lock(&node.lock);
}

void objects__unlock(void)
{
	pthread_mutex_unlock(&node.lock);
	alloc_hooks__leave();
}

void objects__misuse(const void *pc, const char *format, ...)
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
		node__not_the_mutator(pc, call);
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
	int err = objects_place__give_back(o, undo);

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

static void undo_new(const void *arg)
{
	struct object *o;

	objects__lock();
	o = find(*(const struct ref *)arg);
	if (o)
		drop(o, true);
	objects__unlock();
}

static void amount(double bytes, char *out, size_t room)
{
	if (bytes < 1 << 20)
		snprintf(out, room, "%.0f KiB", bytes / 1024 + 0.499);
	else
		snprintf(out, room, "%.0f MiB", bytes / (1 << 20));
}

/* With both sizes: whether there is a mistake in the one or too little of the other is then plain to see. */
__attribute__((noreturn)) static void used_up(const void *pc, const char *type, size_t size, size_t count,
					      enum core_model model)
{
	const uint32_t *from = objects_place__layout()->zones.from;
	char wanted[32], share[32];

	amount((double)size * (double)count, wanted, sizeof(wanted));
	amount((double)(from[model + 1] - from[model]) * DSM_PAGE_SIZE, share, sizeof(share));
	objects__misuse(
		pc,
		"dsm_new(%s, %zu): no room for %s; node %u's share of the DSM (%s) is used up; run with a "
		"larger --heap (DSM_HEAP), of which each node has an equal part",
		type, count, wanted, heap.node, share);
}

/* All that happens under the lock. */
static int make(struct object *o, enum core_model model, const char *type)
{
	const void *pcs[DSM_EV_FRAMES];
	size_t npcs;
	int err;

	objects__lock();
	npcs = events__backtrace(pcs, DSM_EV_FRAMES);
	err = objects_place__take(o, model, type, pcs, npcs);
	if (!err) {
		o->serial = ++heap.serial;
		o->site = events__site(pcs, npcs);
		o->type = events__type(type, o->elem_size, npcs ? pcs[0] : NULL);
		err = objects_table__add(&heap.table, o);
		if (err)
			objects_place__give_back(o, false);
	}
	if (!err) {
		COUNT(objects, 1);
		COUNT(object_bytes, o->bytes);
		emit_object(o);
	}
	objects__unlock();
	return err;
}

/* What an allocation asks for. flags: as of dsm__new(). */
static enum core_model model_of(unsigned flags, const void *pc, const char *type)
{
	unsigned consistency = flags >> 1;
	enum core_model model =
		consistency ? (enum core_model)(consistency - DSM_TXN) : objects_place__layout()->zones.model;

	if (consistency > DSM_REL)
		objects__misuse(
			pc,
			"dsm_new_in(%u, %s): no such consistency: give DSM_DEFAULT, DSM_TXN, DSM_SEQ or "
			"DSM_REL",
			consistency, type);
	if (model != CORE_TX && tx__running())
		objects__misuse(
			pc,
			"dsm_new() of %s with consistency %s inside a transaction: it could not be undone; "
			"allocate it before",
			type, options__model(model));
	return model;
}

/* The end of the row of pages that begins at this offset and is all touched, or all untouched. Looks at so many pages at
 * most, since the lock is held. */
#define LOOK_PAGES 65536u
static uint64_t row_end(uint64_t offset, uint64_t end, bool *untouched)
{
	uint32_t page = (uint32_t)(offset >> DSM_PAGE_LOG2), first = page;

	objects__lock();
	*untouched = core__untouched(node.core, page);
	do
		page++;
	while (page - first < LOOK_PAGES && (uint64_t)page << DSM_PAGE_LOG2 < end &&
	       core__untouched(node.core, page) == *untouched);
	objects__unlock();
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
static void clear(enum core_model model, uint64_t offset, size_t bytes, const void *pc)
{
	if (model == CORE_TX) {
		TX_OF_CALL(pc, "dsm_new()")
			clear_touched(offset, bytes);
	} else {
		tx__acts_for(pc);
		memset(region__address(node.region, offset), 0, bytes);
		tx__acts_for(NULL);
	}
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
	err = size > PLAN_STRIDE_MAX ? -E2BIG : make(&o, model, type);
	if (err == -E2BIG)
		objects__misuse(
			pc,
			"dsm_new(%s, %zu): an element of %zu bytes is more than the %u MiB that one may have",
			type, count, size, PLAN_STRIDE_MAX >> 20);
	if (err == -ENOSPC)
		used_up(pc, type, size, count, model);
	if (err)
		node__fatal(pc, "dsm_new(%s, %zu): out of private memory for the heap's bookkeeping", type,
			    count);
	ref = (struct ref){o.offset, o.serial};
	if (tx__running())
		txlog__push(NULL, undo_new, &ref, sizeof(ref));
	address = region__address(node.region, o.offset);
	if (!o.fresh)
		clear(model, o.offset, o.bytes, pc);
	return address;
}

/* ---- dsm_free ---- */

static void commit_free(const void *arg)
{
	const struct ref *ref = arg;
	struct object *o;

	objects__lock();
	o = find(*ref);
	if (!o)
		node__fatal(NULL,
			    "the object at %p was freed by two transactions, of this node and of another",
			    region__address(node.region, ref->offset));
	drop(o, false);
	objects__unlock();
}

static void abort_free(const void *arg)
{
	struct object *o;

	objects__lock();
	o = find(*(const struct ref *)arg);
	if (o)
		o->leaving = false;
	objects__unlock();
}

static void free_own(const void *pc, void *address, uint64_t offset)
{
	bool in_tx = tx__running(), live, twice;
	struct ref ref = {.offset = offset};
	struct object *o;

	objects__lock();
	o = objects_table__get(&heap.table, offset);
	twice = o && o->leaving;
	live = o && !twice;
	if (live && in_tx) {
		o->leaving = true;
		ref.serial = o->serial;
	} else if (live) {
		drop(o, false);
	}
	objects__unlock();
	if (twice)
		objects__misuse(pc, "dsm_free(%p): this transaction has freed it already", address);
	if (!live)
		objects__misuse(pc,
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
		objects__misuse(pc, "dsm_free(%p): not a DSM object; what malloc() gave goes to free()",
				object);
	if (objects_layout__home(objects_place__layout(), offset / DSM_PAGE_SIZE) == heap.node)
		free_own(pc, object, offset);
	else
		objects_foreign__free(objects_place__layout(), offset, pc);
}

void objects__barrier(void)
{
	objects_foreign__barrier(objects_place__layout());
}

static void free_for_another(uint64_t offset)
{
	struct object *o = objects_table__get(&heap.table, offset);

	if (!o)
		node__fatal(NULL,
			    "another node has freed %p, where no live object of node %u starts "
			    "(freed twice, or not what dsm_new() returned)",
			    region__address(node.region, offset), heap.node);
	/* also when our running attempt frees it (`leaving`): that attempt read what the committed
	 * free made stale, so it is doomed */
	drop(o, false);
}

static void hold(uint64_t offset)
{
	if (offsets__add(&heap.freed, offset))
		node__fatal(NULL, "out of private memory for the heap's bookkeeping");
}

void objects__foreign_free(const uint64_t *offsets, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		uint64_t offset;

		memcpy(&offset, (const char *)offsets + i * sizeof(offset),
		       sizeof(offset)); /* may be unaligned */
		if (heap.hold)
			hold(offset);
		else
			free_for_another(offset);
	}
}

void objects__hold_freed(bool on)
{
	heap.hold = on;
	if (on)
		return;
	for (size_t i = 0; i < heap.freed.count; i++)
		free_for_another(heap.freed.at[i]);
	heap.freed.count = 0;
}
