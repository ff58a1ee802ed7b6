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

#define HOLDERS_FIRST 2u

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

struct holder *home__holder(const struct dir_page *d, uint16_t node)
{
	size_t i = find_holder(d, node);

	return i < d->nholders && d->holders[i].node == node ? &d->holders[i] : NULL;
}

bool home__holds(const struct dir_page *d, uint16_t node)
{
	return home__holder(d, node) != NULL;
}

void home__add_holder(struct dsm_core *core, struct dir_page *d, uint16_t node)
{
	size_t i = find_holder(d, node);

	if (i >= d->nholders || d->holders[i].node != node) {
		if (!d->holders) { /* most pages never have more */
			d->holders = malloc(HOLDERS_FIRST * sizeof(*d->holders));
			core->nomem |= !d->holders;
			d->holders_cap = HOLDERS_FIRST;
		}
		if (!d->holders ||
		    !core__grow(core, &d->holders, &d->holders_cap, d->nholders + 1, sizeof(*d->holders)))
			return;
		memmove(&d->holders[i + 1], &d->holders[i], (d->nholders - i) * sizeof(*d->holders));
		d->nholders++;
	}
	d->holders[i] = (struct holder){.node = node, .stamp = d->stamp};
}

/* Takes the node off the list, unless its copy was given at `before` or later. */
bool home__drop_holder(struct dir_page *d, uint16_t node, uint64_t before)
{
	size_t i = find_holder(d, node);

	if (i >= d->nholders || d->holders[i].node != node)
		return false;
	if (d->holders[i].stamp >= before && !core_mutant(late_ack))
		return false;
	d->nholders--;
	memmove(&d->holders[i], &d->holders[i + 1], (d->nholders - i) * sizeof(*d->holders));
	return true;
}

static int by_node(const void *a, const void *b)
{
	const struct of_node *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

size_t home__collect(struct dsm_core *core, const struct core_entry *pages, size_t npages, uint16_t flags,
		     uint16_t tx, struct of_node **list)
{
	const struct dir_page *d;
	const struct holder *h;
	size_t i, k, n = 0, cap = 0;

	for (i = 0; i < npages; i++) {
		d = home__page(core, pages[i].page);
		for (k = 0; d && d->lock == tx && k < d->nholders; k++) {
			h = &d->holders[k];
			if (h->node == tx || (h->flags & flags) != flags)
				continue;
			if (core__grow(core, list, &cap, n + 1, sizeof(**list)))
				(*list)[n++] = (struct of_node){.node = h->node, .index = (uint32_t)i};
		}
	}
	if (n > 1)
		qsort(*list, n, sizeof(**list), by_node);
	return n;
}

void home__wait(struct dsm_core *core, struct dir_page *d, const struct waiter *waiter)
{
	if (core__grow(core, &d->waiters, &d->waiters_cap, d->nwaiters + 1, sizeof(*d->waiters)))
		d->waiters[d->nwaiters++] = *waiter;
}

/* A queue without anybody takes no memory: each page that was ever asked for has had one. */
void home__remove_waiter(struct dir_page *d, size_t i)
{
	d->nwaiters--;
	memmove(&d->waiters[i], &d->waiters[i + 1], (d->nwaiters - i) * sizeof(*d->waiters));
	if (d->nwaiters)
		return;
	free(d->waiters);
	d->waiters = NULL;
	d->waiters_cap = 0;
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

/* Committed bytes that came with the event's message. */
void home__store(struct dsm_core *core, const struct core_msg *msg, uint32_t entry)
{
	const struct core_entry *e = &msg->entries[entry];
	struct core_action *a;

	if (e->data == CORE_DATA_NONE)
		return;
	client__store(core, e->page)->entry = entry;
	a = core__emit(core, CORE_EMIT_TRANSFER);
	a->page = e->page;
	a->version = msg->type == CORE_MSG_PUBLISH ? e->version + 1 : e->version;
	a->node = msg->from;
	a->changes = e->data == CORE_DATA_CHANGES;
}

/* The changes of a version decided here, which came with the LOCK and were kept. */
void home__take(struct dsm_core *core, const struct core_entry *e, uint16_t from)
{
	struct core_action *a;

	if (!e->hold) /* this node's own: they are in the frame */
		return;
	client__store(core, e->page)->hold = e->hold;
	a = core__emit(core, CORE_EMIT_TRANSFER);
	a->page = e->page;
	a->version = e->version + 1;
	a->node = from;
	a->changes = true;
	a->hold = e->hold;
}

static void recall_owner(struct dsm_core *core, struct dir_page *d)
{
	struct core_entry e = {.page = d->page, .version = d->version};

	e.stamp = ++d->stamp;
	d->recall = d->owner;
	core__send_entry(core, CORE_MSG_RECALL, d->owner, NULL, &e);
}

/* What a step gives to one node goes in one message, at the step's end. Until then nobody can publish a newer
 * version of the page: the node that the copy is for is a holder now, and would have to be asked. */
void home__send_copy(struct dsm_core *core, uint16_t node, const struct core_entry *e)
{
	if (node == core->config.node)
		core__send_entry(core, CORE_MSG_PAGE, node, NULL, e);
	else if (core__grow(core, &core->copies, &core->copies_cap, core->ncopies + 1, sizeof(*core->copies)))
		core->copies[core->ncopies++] = (struct copy){.entry = *e, .node = node};
}

static int by_receiver(const void *a, const void *b)
{
	const struct copy *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	return x->entry.page < y->entry.page ? -1 : x->entry.page > y->entry.page;
}

void home__send_copies(struct dsm_core *core)
{
	struct copy *list = core->copies;
	struct core_entry *entries;
	struct core_msg msg;
	size_t i, n;

	if (core->ncopies > 1)
		qsort(list, core->ncopies, sizeof(*list), by_receiver);
	for (i = 0; i < core->ncopies; i += n) {
		for (n = 1; i + n < core->ncopies && list[i + n].node == list[i].node && n < CORE_MSG_PAGES;)
			n++;
		entries = core__entries(core, n);
		if (!entries)
			return;
		msg = core__msg(core, CORE_MSG_PAGE, list[i].node, NULL);
		for (msg.npages = 0; msg.npages < n; msg.npages++)
			entries[msg.npages] = list[i + msg.npages].entry;
		msg.entries = entries;
		core__send(core, &msg);
	}
	core->ncopies = 0;
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
	if (update__returns(core, d, w->node) && d->owner == NOBODY && home__holds(d, w->node))
		home__holder(d, w->node)->flags |= HOLDER_UPDATE;
	if (!self && w->version != d->version)
		e.data = CORE_DATA_COMMITTED;
	home__send_copy(core, w->node, &e);
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

/* A node asks for a page once at a time. */
static bool waits_already(const struct dir_page *d, uint16_t node)
{
	size_t i;

	for (i = 0; i < d->nwaiters; i++)
		if (!d->waiters[i].lock && d->waiters[i].node == node)
			return true;
	return false;
}

/* Is there a copy that costs nobody anything? Not if it means waiting, or taking exclusivity away from
 * another node, or from this one while it uses it. */
static bool to_spare(const struct dsm_core *core, const struct dir_page *d)
{
	if (locked(d) || d->nwaiters || d->recall != NOBODY)
		return core_mutant(ahead_locked);
	if (d->owner == NOBODY)
		return true;
	return d->owner == core->config.node &&
	       !(core->client[d->page].flags & (CLIENT_DIRTY | CLIENT_STICKY));
}

static bool may_ask(struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_entry *e;
	const struct dir_page *d;
	uint32_t i;

	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		d = home__page(core, e->page);
		if (!d)
			return true; /* out of memory */
		if (d->owner == msg->from || e->version > d->version || waits_already(d, msg->from))
			return false;
	}
	return true;
}

int home__on_fetch(struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_entry *e;
	struct core_entry none;
	struct dir_page *d;
	struct waiter w;
	uint32_t i;

	if (!may_ask(core, msg))
		return -EPROTO;
	for (i = 0; i < msg->npages && !core->nomem; i++) {
		e = &msg->entries[i];
		d = home__page(core, e->page);
		w = (struct waiter){
			.node = msg->from, .write = e->flags & CORE_ENTRY_WRITE, .version = e->version};
		if (e->flags & CORE_ENTRY_AHEAD && !to_spare(core, d)) {
			none = (struct core_entry){.page = e->page, .flags = CORE_ENTRY_REFUSED};
			home__send_copy(core, w.node, &none);
			continue;
		}
		if ((core_mutant(locked_page_served) ||
		     (core_mutant(ahead_locked) && e->flags & CORE_ENTRY_AHEAD)) &&
		    locked(d) && d->owner == NOBODY) {
			w.write = false;
			give_copy(core, d, &w);
			continue;
		}
		home__wait(core, d, &w);
		home__serve(core, e->page);
	}
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
