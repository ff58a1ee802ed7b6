/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * home.c - the directory: who holds which page, and serving those who ask for it.
 *
 * An entry is free, locked (by one committer, lock.c), or being recalled (from its exclusive owner).
 * Whoever asks meanwhile waits in its queue, first come, first served. Every lock and every recall
 * raises the page's stamp; a PAGE and a holder carry the stamp at which the copy was given, so that what
 * overtook what on the other channel can be told.
 *
 * The copyset may list a node that has lost its copy (its ACK came too late to be told from an older
 * one); it never misses one that has a copy.
 */
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/internal.h"

/* NULL: out of memory. */
struct dir_page *home__page(struct dsm_core *core, uint32_t page)
{
	struct dir_page *d = core->dir[page - core->home_first];

	if (d)
		return d;
	d = calloc(1, sizeof(*d));
	if (!d) {
		core->nomem = true;
		return NULL;
	}
	d->page = page;
	d->owner = d->recall = d->lock = NOBODY;
	core->dir[page - core->home_first] = d;
	return d;
}

/* Index of the node, or where it belongs. */
static size_t find_holder(const struct dir_page *d, uint16_t node)
{
	size_t lo = 0, hi = d->nholders, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (d->holders[mid].node < node)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool home__holds(const struct dir_page *d, uint16_t node)
{
	size_t i = find_holder(d, node);

	return i < d->nholders && d->holders[i].node == node;
}

void home__add_holder(struct dsm_core *core, struct dir_page *d, uint16_t node)
{
	size_t i = find_holder(d, node);

	if (i >= d->nholders || d->holders[i].node != node) {
		if (!core__grow(core, &d->holders, &d->holders_cap, d->nholders + 1, sizeof(*d->holders)))
			return;
		memmove(&d->holders[i + 1], &d->holders[i], (d->nholders - i) * sizeof(*d->holders));
		d->nholders++;
	}
	d->holders[i] = (struct holder){.node = node, .stamp = d->stamp};
}

/* Takes the node off the list, unless its copy was given at `before` or later. */
void home__drop_holder(struct dir_page *d, uint16_t node, uint64_t before)
{
	size_t i = find_holder(d, node);

	if (i >= d->nholders || d->holders[i].node != node)
		return;
	if (d->holders[i].stamp >= before && !core_mutant(late_ack))
		return;
	d->nholders--;
	memmove(&d->holders[i], &d->holders[i + 1], (d->nholders - i) * sizeof(*d->holders));
}

void home__wait(struct dsm_core *core, struct dir_page *d, const struct waiter *waiter)
{
	if (core__grow(core, &d->waiters, &d->waiters_cap, d->nwaiters + 1, sizeof(*d->waiters)))
		d->waiters[d->nwaiters++] = *waiter;
}

void home__remove_waiter(struct dir_page *d, size_t i)
{
	d->nwaiters--;
	memmove(&d->waiters[i], &d->waiters[i + 1], (d->nwaiters - i) * sizeof(*d->waiters));
}

void home__remove_waiting_lock(struct dir_page *d, uint16_t node)
{
	size_t i;

	for (i = 0; i < d->nwaiters; i++)
		if (d->waiters[i].lock && d->waiters[i].node == node) {
			home__remove_waiter(d, i);
			return;
		}
}

/* Committed bytes that came with the event's message. A doomed attempt of this node may still look at the
 * frame (invariant 2): then they wait in NEXT for its undoing. */
void home__store(struct dsm_core *core, const struct core_msg *msg, uint32_t entry)
{
	const struct core_entry *e = &msg->entries[entry];
	struct client_page *cp = &core->client[e->page];
	bool zombie = cp->flags & CLIENT_ZOMBIE && !core_mutant(zombie_frame_overwritten);
	struct core_action *a;

	if (e->data == CORE_DATA_NONE)
		return;
	if (zombie)
		cp->flags |= CLIENT_NEXT;
	a = core__do(core, zombie ? CORE_DO_STORE_NEXT : CORE_DO_STORE, e->page);
	a->entry = entry;
	a = core__emit(core, CORE_EMIT_TRANSFER);
	a->page = e->page;
	a->version = msg->type == CORE_MSG_PUBLISH ? e->version + 1 : e->version;
	a->node = msg->from;
	a->changes = e->data == CORE_DATA_CHANGES;
}

static void recall_owner(struct dsm_core *core, struct dir_page *d)
{
	struct core_entry e = {.page = d->page, .version = d->version};

	e.stamp = ++d->stamp;
	d->recall = d->owner;
	core__send_entry(core, CORE_MSG_RECALL, d->owner, NULL, &e);
}

/* Nobody else may hold a copy of an exclusive page. A reader gets exclusivity only on its own home, where
 * it costs nothing to take it back. */
static void give_copy(struct dsm_core *core, struct dir_page *d, const struct waiter *w)
{
	struct core_entry e = {.page = d->page, .version = d->version, .stamp = d->stamp};
	bool self = w->node == core->config.node;
	bool alone = d->nholders == 0 || (d->nholders == 1 && d->holders[0].node == w->node);

	if ((alone || core_mutant(exclusive_shared)) && (w->write || self)) {
		e.flags = CORE_ENTRY_EXCLUSIVE;
		d->owner = w->node;
	}
	home__add_holder(core, d, w->node);
	if (!self && w->version != d->version)
		e.data = CORE_DATA_COMMITTED;
	core__send_entry(core, CORE_MSG_PAGE, w->node, NULL, &e);
}

static bool locked(const struct dir_page *d)
{
	return d->lock != NOBODY;
}

void home__serve_later(struct dsm_core *core, uint32_t page)
{
	if (core__grow(core, &core->serve, &core->serve_cap, core->nserve + 1, sizeof(*core->serve)))
		core->serve[core->nserve++] = page;
}

/* Lets the queue of a page move on as far as it can. A waiting LOCK does not wait for a recall: the owner
 * may defer the recall until the end of its commit, which may be waiting for this very LOCK. */
void home__serve(struct dsm_core *core, uint32_t page)
{
	struct dir_page *d = home__page(core, page);
	uint16_t lost_with = d ? loss__of_page(core, d) : NOBODY;
	struct waiter w;
	size_t i = 0;

	if (lost_with != NOBODY) {
		loss__refuse(core, d, lost_with);
		return;
	}
	while (d && i < d->nwaiters && !locked(d)) {
		w = d->waiters[i];
		if (w.lock) {
			home__remove_waiter(d, i);
			lock__advance(core, lock__tx(core, w.node));
		} else if (d->recall != NOBODY) {
			i++;
		} else if (d->owner != NOBODY) {
			recall_owner(core, d);
			i++;
		} else {
			home__remove_waiter(d, i);
			give_copy(core, d, &w);
		}
	}
}

/* A node makes one fetch at a time. */
static bool waits_already(const struct dir_page *d, uint16_t node)
{
	size_t i;

	for (i = 0; i < d->nwaiters; i++)
		if (!d->waiters[i].lock && d->waiters[i].node == node)
			return true;
	return false;
}

int home__on_fetch(struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_entry *e = &msg->entries[0];
	struct dir_page *d = home__page(core, e->page);
	struct waiter w = {.node = msg->from, .write = e->flags & CORE_ENTRY_WRITE, .version = e->version};

	if (!d)
		return 0;
	if (d->owner == msg->from || w.version > d->version || waits_already(d, msg->from))
		return -EPROTO;
	if (core_mutant(locked_page_served) && locked(d) && d->owner == NOBODY) {
		w.write = false;
		give_copy(core, d, &w);
		return 0;
	}
	home__wait(core, d, &w);
	home__serve(core, e->page);
	return 0;
}

int home__on_downgrade(struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_entry *e = &msg->entries[0];
	struct dir_page *d = home__page(core, e->page);

	if (!d)
		return 0;
	if (d->recall != msg->from)
		return -EPROTO;
	if (d->owner == msg->from) {
		if (e->version > d->version) {
			if (msg->from != core->config.node && e->data == CORE_DATA_NONE)
				return -EPROTO;
			home__store(core, msg, 0);
			d->version = e->version;
			d->last = msg->tx;
		}
		d->owner = NOBODY;
	}
	d->recall = NOBODY;
	home__serve_later(core, e->page);
	return 0;
}
