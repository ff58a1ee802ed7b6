/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * section.c - critical sections, and dsm_lock().
 *
 * Under sc and rc nothing is undone, so a block needs no copy of the stack and no attempt in the core: it holds a lock
 * while it runs. A lock stays where it was used last; taking it again there and giving it back asks the core under
 * node.lock, without a step.
 *
 * NAMES. A lock is a number that all nodes agree on. An object's is its offset in the region. A place's is a hash over its
 * file and line, with the top bit set, which an object's never has. The address of the code would not do: a compiler copies a
 * block (inline functions, loops taken apart), and all copies are about the same data. Places whose names are the same by
 * chance share a lock, which is slower, but right.
 */
#include "dsmcore/runtime/section.h"

#include <stdlib.h>
#include <string.h>

#include "dsm.h"
#include "dsmcore/memory/alloc_hooks.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/runtime/dispatch.h"
#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/intervals.h"
#include "dsmcore/runtime/pages.h"

#define PLACES	    64u /* remembered */
#define PLACE_NAMES (1ull << 63)
#define SOON_NS                                                                                              \
	5000u /* from a release to the next section of the same lock: less than to send it round takes */

struct place {
	const void *pc;
	const char *name;
	uint64_t lock;
	uint32_t site;
};

struct block {
	uint64_t lock;
	const void *pc;
	uint32_t site;
};

struct by_hand { /* dsm_lock() */
	uint64_t lock;
	uint32_t count;
	const void *pc;
};

struct deferred {
	struct deferred *next;
	void (*fn)(void *arg);
	size_t bytes;
	_Alignas(16) uint8_t arg[];
};

static struct {
	struct block *block;
	unsigned depth, room;
	struct by_hand *held;
	unsigned helds, held_room;
	struct deferred *first, **last;
	struct place place[PLACES];
	bool waits; /* for this lock: */
	uint64_t wanted;
	uint64_t left; /* the lock that was released last by a step, in which it may have gone, and when */
	uint64_t left_ns;
} section;

/* ---- names ---- */

static uint64_t name_of_place(const char *name)
{
	uint64_t h = 0xcbf29ce484222325ull;

	if (strrchr(name, '/')) /* hosts may have built it in folders of their own */
		name = strrchr(name, '/') + 1;
	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3ull;
	return (h ^ h >> 32) | PLACE_NAMES;
}

/* name: of its lock, or NULL. */
static const struct place *place_of(const void *pc, const char *name)
{
	struct place *p = &section.place[((uintptr_t)pc ^ (uintptr_t)pc >> 6) % PLACES];

	if (p->pc == pc && p->name == name)
		return p;
	alloc_hooks__enter();
	p->site = tx__site((const char *)pc + 1); /* sites are return addresses */
	p->lock = name ? name_of_place(name) : 0;
	p->pc = pc;
	p->name = name;
	alloc_hooks__leave();
	return p;
}

bool section__awaits(uint64_t *lock)
{
	*lock = section.wanted;
	return section.waits;
}

unsigned section__held(struct section_lock *held, unsigned most)
{
	unsigned n = 0;

	for (unsigned i = 0; i < section.helds && n < most; i++)
		if (section.held[i].count) /* else it is asked for */
			held[n++] = (struct section_lock){section.held[i].lock, section.held[i].pc};
	for (unsigned i = 0; i < section.depth && n < most; i++)
		held[n++] = (struct section_lock){section.block[i].lock, section.block[i].pc};
	return n;
}

void section__check_object(const void *object, const void *pc, const char *call)
{
	if (node.started && region__offset(node.region, object) < 0)
		node__fatal(pc, "%s of %p, which is no address in the DSM: name a shared object", call,
			    object);
}

static uint64_t name_of_object(const void *object)
{
	return (uint64_t)region__offset(node.region, object);
}

bool section__of_place(uint64_t lock)
{
	return lock & PLACE_NAMES;
}

/* ---- locks ---- */

static void acquire(uint64_t lock, uint32_t site, const void *pc)
{
	struct core_event event = {.type = CORE_ACQUIRE, .lock = lock, .site = site};

	if (node.transport)
		tx__look();
	tx.needs_pc = pc;
	pthread_mutex_lock(&node.lock);
	COUNT_LOCKED(locks, 1);
	if (!core__reacquire(node.core, lock, site)) {
		uint64_t start = events__now();

		event.soon = section.left == lock && start - section.left_ns < SOON_NS;
		section.waits = true;
		section.wanted = lock;
		dispatch__mutator(&event, NULL);
		section.waits = false;
		intervals__locked(lock, start);
	}
	intervals__next();
	pthread_mutex_unlock(&node.lock);
}

static void release(uint64_t lock, uint32_t site)
{
	struct core_event event = {.type = CORE_RELEASE, .lock = lock, .site = site};

	pthread_mutex_lock(&node.lock);
	if (!core__keep(node.core, lock, site)) {
		event.changed = pages__written();
		dispatch__mutator(&event, NULL);
		section.left = lock;
		section.left_ns = events__now();
	}
	intervals__next();
	pthread_mutex_unlock(&node.lock);
}

static void *grow(void *list, unsigned need, unsigned *room, size_t size)
{
	if (need <= *room)
		return list;
	alloc_hooks__enter();
	*room = 2 * need + 8;
	list = realloc(list, *room * size);
	alloc_hooks__leave();
	if (!list)
		node__fatal(NULL, "out of memory for the locks that this node holds");
	return list;
}

/* ---- blocks ---- */

static int enter(const void *pc, const struct place *place, uint64_t lock)
{
	section.block = grow(section.block, section.depth + 1, &section.room, sizeof(*section.block));
	acquire(lock, place->site, pc);
	section.block[section.depth++] = (struct block){lock, pc, place->site};
	COUNT(sections, 1);
	return 1;
}

int section__enter(const void *pc, const char *call, const void *object, const char *name)
{
	tx__require_mutator(pc, call);
	const struct place *place = place_of(pc, name);

	return enter(pc, place, object ? name_of_object(object) : place->lock);
}

int section__enter_own(const void *pc, const char *call, const char *name)
{
	tx__require_mutator(pc, call);
	const struct place *place = place_of(pc, name);

	return enter(pc, place, (place->lock + (uint64_t)dsm_node() + 1) | PLACE_NAMES);
}

static void run_deferred(void)
{
	struct deferred *d = section.first;

	section.first = NULL;
	while (d) {
		struct deferred *next = d->next;

		d->fn(d->bytes ? d->arg : NULL);
		alloc_hooks__enter();
		free(d);
		alloc_hooks__leave();
		d = next;
	}
}

void section__leave(void)
{
	if (!section.depth)
		return;
	const struct block *b = &section.block[--section.depth];

	release(b->lock, b->site);
	if (!section.depth && section.first)
		run_deferred();
}

bool section__inside(void)
{
	return section.depth && !tx.depth && alloc_hooks__mutator();
}

void section__defer(void (*fn)(void *arg), const void *arg, size_t bytes)
{
	alloc_hooks__enter();
	struct deferred *d = malloc(sizeof(*d) + bytes);

	alloc_hooks__leave();
	if (!d)
		node__fatal(NULL, "out of memory for what dsm_defer() puts off");
	d->next = NULL;
	d->fn = fn;
	d->bytes = bytes;
	if (bytes)
		memcpy(d->arg, arg, bytes);
	if (!section.first)
		section.last = &section.first;
	*section.last = d;
	section.last = &d->next;
}

void section__require_none(const void *pc, const char *call)
{
	if (section.depth)
		node__fatal(pc,
			    "%s inside a critical section: a node that waits for its lock would never "
			    "arrive; put it "
			    "behind the block",
			    call);
}

void section__exit(int status)
{
	if (section.depth)
		node__fatal(section.block[section.depth - 1].pc,
			    "exit(%d) inside the critical section that begins", status);
	if (section.helds)
		node__fatal(
			section.held[section.helds - 1].pc,
			"exit(%d) with a lock that was not given back: dsm_unlock() what dsm_lock() takes",
			status);
}

/* ---- by hand ---- */

static struct by_hand *find(uint64_t lock)
{
	for (unsigned i = 0; i < section.helds; i++)
		if (section.held[i].lock == lock)
			return &section.held[i];
	return NULL;
}

static void require_outside(const void *object, const void *pc, const char *call)
{
	tx__require_mutator(pc, call);
	section__check_object(object, pc, call);
	if (tx.depth)
		node__fatal(
			pc,
			"%s inside a transaction, which could not undo it: put it before or behind the block",
			call);
}

void dsm_lock(const void *object)
{
	const void *pc = NODE_CALLER;

	require_outside(object, pc, "dsm_lock()");
	uint64_t lock = name_of_object(object);
	struct by_hand *held = find(lock);

	if (!held) {
		section.held =
			grow(section.held, section.helds + 1, &section.held_room, sizeof(*section.held));
		held = &section.held[section.helds++];
		*held = (struct by_hand){lock, 0, pc};
	}
	acquire(lock, place_of(pc, NULL)->site, pc);
	held->count++;
}

void dsm_unlock(const void *object)
{
	const void *pc = NODE_CALLER;

	require_outside(object, pc, "dsm_unlock()");
	uint64_t lock = name_of_object(object);
	struct by_hand *held = find(lock);

	if (!held)
		node__fatal(pc,
			    "dsm_unlock(%p): this node does not hold the lock of this object by dsm_lock()",
			    object);
	if (!--held->count)
		*held = section.held[--section.helds];
	release(lock, place_of(pc, NULL)->site);
}
