/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * objects_foreign.c - one batch gathers the foreign frees of a transaction. Each free has its own entry in
 * the transaction's log; the batch is sent when as many entries have been committed as had joined it. So
 * nobody needs to know where a transaction's log begins or ends, and a transaction that dsm_defer() starts
 * while the log is being worked off may join the same batch, commit or abort, without harm.
 */
#include "dsmcore/memory/objects_foreign.h"

#include <errno.h>
#include <stdlib.h>

#include "dsm.h"
#include "dsmcore/memory/alloc_hooks.h"
#include "dsmcore/memory/objects.h"
#include "dsmcore/memory/offsets.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/tx.h"
#include "dsmcore/runtime/txlog.h"
#include "dsmcore/transport/transport.h"

#define NOTE_OFFSETS 4096u /* most in one note */

struct batch {
	const struct objects_layout *layout;
	uint32_t expected;
	struct offsets freed; /* has room for all that are expected */
};

struct entry { /* of the transaction's log */
	struct batch *batch;
	uint64_t offset;
};

static struct batch *open_batch;

/* Memory that is rc: what this node has written to it may not have left yet, and must not arrive when the home has
 * given the memory to another object. At a barrier everything arrives. */
static struct offsets later;

static int by_offset(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint16_t home_of(const struct objects_layout *layout, uint64_t offset)
{
	return objects_layout__home(layout, offset / DSM_PAGE_SIZE);
}

/* Sends sorted offsets: slabs ascend with offsets, so each home's are together. The caller holds the lock. */
static void send_frees(const struct objects_layout *layout, const uint64_t *offset, size_t count)
{
	for (size_t i = 0, n; i < count; i += n) {
		uint16_t home = home_of(layout, offset[i]);
		int err;

		for (n = 1; i + n < count && n < NOTE_OFFSETS && home_of(layout, offset[i + n]) == home;)
			n++;
		err = transport__note(node.transport, home, OBJECTS_NOTE_FREE, &offset[i],
				      n * sizeof(*offset));
		if (err == -ENOMEM) /* any other: the home is gone, and its objects with it */
			node__fatal(NULL, "out of private memory for messages");
	}
}

static void send_sorted(const struct objects_layout *layout, const struct offsets *freed)
{
	qsort(freed->at, freed->count, sizeof(*freed->at), by_offset);
	send_frees(layout, freed->at, freed->count);
}

static bool is_rc(const struct objects_layout *layout, uint64_t offset)
{
	return objects_layout__model(layout, (uint32_t)(offset / DSM_PAGE_SIZE)) == CORE_RC;
}

/* The caller holds the lock. */
static void put_off(uint64_t offset)
{
	if (offsets__add(&later, offset))
		node__fatal(NULL, "dsm_free(): out of private memory");
}

/* Everything that joined has been committed or undone. */
static void finish(struct batch *b)
{
	struct offsets *freed = &b->freed;

	objects__lock();
	if (open_batch == b)
		open_batch = NULL;
	for (size_t i = 0; i < freed->count; i++)
		if (is_rc(b->layout, freed->at[i])) {
			put_off(freed->at[i]);
			freed->at[i--] = freed->at[--freed->count];
		}
	send_sorted(b->layout, freed);
	free(freed->at);
	free(b);
	objects__unlock();
}

static void commit(const void *arg)
{
	const struct entry *e = arg;
	struct batch *b = e->batch;

	b->freed.at[b->freed.count++] = e->offset;
	if (b->freed.count == b->expected)
		finish(b);
}

static void undo(const void *arg)
{
	struct batch *b = ((const struct entry *)arg)->batch;

	if (--b->expected == b->freed.count)
		finish(b);
}

/* Reserves the place in the batch now, so that nothing can fail at the commit. */
static struct batch *join(const struct objects_layout *layout)
{
	struct batch *b = open_batch;

	if (!b)
		b = open_batch = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	b->layout = layout;
	if (offsets__reserve(&b->freed, b->expected + 1))
		return NULL;
	b->expected++;
	return b;
}

void objects_foreign__barrier(const struct objects_layout *layout)
{
	if (!later.count)
		return;
	send_sorted(layout, &later);
	later.count = 0;
}

void objects_foreign__free(const struct objects_layout *layout, uint64_t offset, const void *pc)
{
	struct entry e = {.offset = offset};

	if (!tx__running()) {
		objects__lock();
		if (is_rc(layout, offset))
			put_off(offset);
		else
			send_frees(layout, &offset, 1);
		objects__unlock();
		return;
	}
	alloc_hooks__enter();
	e.batch = join(layout);
	alloc_hooks__leave();
	if (!e.batch)
		node__fatal(pc, "dsm_free(): out of private memory");
	txlog__push(commit, undo, &e, sizeof(e));
}
