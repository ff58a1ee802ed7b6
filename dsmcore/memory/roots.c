/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * roots.c - dsm_root_set() and dsm_root(): names for addresses, in page 0 of the region.
 *
 * The table is DSM memory like any other: every access is made in a transaction, so naming an object and
 * filling it become visible together. Open addressing over the page; a removed name keeps its slot (a search
 * must go on past it) until another name takes it.
 *
 * A copy of what this node named is kept in private memory for the rundown, which runs in the service
 * thread and must not touch the mutator's view.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dsm.h"
#include "dsmcore/memory/objects.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/tx.h"
#include "dsmcore/runtime/txlog.h"

#define NAME 48

struct root {
	char name[NAME];
	uint64_t offset; /* 0 with a name: removed */
};

#define SLOTS (DSM_PAGE_SIZE / sizeof(struct root))

static struct {
	struct root *list;
	size_t count, room;
} named;

static char missing[NAME]; /* what dsm_root() did not find */

const char *roots__missing(void)
{
	return missing[0] ? missing : NULL;
}

static struct root *table(void)
{
	return region__address(node.region, 0);
}

const char *roots__before(const void *page, uint64_t offset, uint64_t *bytes)
{
	const struct root *t = page, *best = NULL;

	for (size_t i = 0; i < SLOTS; i++)
		if (t[i].offset && t[i].offset <= offset && (!best || t[i].offset > best->offset))
			best = &t[i];
	if (best)
		*bytes = offset - best->offset;
	return best ? best->name : NULL;
}

static uint32_t hash(const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	return h;
}

/* The name's slot, or NULL; *vacant: where it would go, or NULL when the table is full. */
static struct root *find(const char *name, struct root **vacant)
{
	struct root *t = table();
	size_t first = hash(name) % SLOTS;

	*vacant = NULL;
	for (size_t i = 0; i < SLOTS; i++) {
		struct root *slot = &t[(first + i) % SLOTS];

		if (!slot->offset && !*vacant)
			*vacant = slot;
		if (!slot->name[0])
			return NULL;
		if (!strncmp(slot->name, name, NAME))
			return slot;
	}
	return NULL;
}

static void emit(const struct root *root)
{
	struct dsm_ev_root r = {.offset = root->offset};

	if (!events__wanted(DSM_EV_ROOT))
		return;
	memcpy(r.name, root->name, sizeof(r.name));
	events__emit(&r.hdr, DSM_EV_ROOT, sizeof(r), DSM_EV_PAGE(root->offset & -4096ull, 12), 0);
}

/* The caller holds the lock. */
static void remember(const struct root *root)
{
	for (size_t i = 0; i < named.count; i++) {
		if (strcmp(named.list[i].name, root->name) != 0)
			continue;
		named.list[i] = root->offset ? *root : named.list[--named.count];
		return;
	}
	if (!root->offset)
		return;
	if (named.count == named.room) {
		size_t room = named.room ? 2 * named.room : 16;
		struct root *list = realloc(named.list, room * sizeof(*list));

		if (!list)
			node__fatal(NULL, "out of private memory for the names of roots");
		named.list = list;
		named.room = room;
	}
	named.list[named.count++] = *root;
}

static void committed(const void *arg)
{
	objects__lock();
	remember(arg);
	emit(arg);
	objects__unlock();
}

void roots__rundown(void)
{
	for (size_t i = 0; i < named.count; i++)
		emit(&named.list[i]);
}

void roots__close(void)
{
	free(named.list);
	memset(&named, 0, sizeof(named));
}

static int set(const struct root *root)
{
	struct root *vacant, *slot = find(root->name, &vacant);

	if (!root->offset && (!slot || !slot->offset))
		return 0;
	if (!slot)
		slot = vacant;
	if (!slot)
		return -ENOSPC;
	if (strncmp(slot->name, root->name, NAME) != 0) /* an unneeded write would be a write of the page */
		memcpy(slot->name, root->name, NAME);
	if (slot->offset != root->offset)
		slot->offset = root->offset;
	txlog__push(committed, NULL, root, sizeof(*root));
	return 0;
}

int dsm_root_set(const char *name, const void *object)
{
	const void *pc = NODE_CALLER;
	struct root root = {0};
	int64_t offset = 0;
	int err = 0;

	objects__check_caller(pc, "dsm_root_set()");
	tx__require_writable(pc, "dsm_root_set()");
	if (tx__independent()) /* the names of all nodes are next to each other, and may take each other's places */
		node__fatal(pc, "dsm_root_set() in a DSM_TX_FOR_INDEPENDENT, while other nodes may name "
				"something, too: "
				"put it before or behind the loop");
	if (!name || !name[0])
		return -EINVAL;
	if (strlen(name) >= NAME)
		return -ENAMETOOLONG;
	if (object && (offset = region__offset(node.region, object)) < DSM_PAGE_SIZE)
		return -EINVAL;
	strncpy(root.name, name, NAME - 1);
	root.offset = offset;
	TX_OF_CALL(pc, "dsm_root_set()")
		err = set(&root);
	return err;
}

void *dsm_root(const char *name)
{
	const void *pc = NODE_CALLER;
	struct root *slot = NULL, *vacant;
	uint64_t offset = 0;

	objects__check_caller(pc, "dsm_root()");
	if (!name || !name[0] || strlen(name) >= NAME)
		return NULL;
	TX_OF_CALL(pc, "dsm_root()") {
		slot = find(name, &vacant);
		offset = slot ? slot->offset : 0;
	}
	if (!offset)
		strcpy(missing, name);
	else if (missing[0] && !strcmp(missing, name))
		missing[0] = 0;
	return offset ? region__address(node.region, offset) : NULL;
}
