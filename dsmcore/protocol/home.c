/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * home.c - the directory: who holds which page, and serving those who ask for it.
 *
 * An entry is free, locked (by one committer, lock.c), or being recalled (from its exclusive owner).
 * Whoever asks meanwhile waits in its queue, first come, first served. Every lock and every recall
 * raises the page's stamp; a PAGE carries the stamp at which the copy was given, so that what
 * overtook what on the other channel can be told.
 *
 * The copyset may list a node that has lost its copy (its ACK came too late to be told from an older
 * one); it never misses one that has a copy.
 */
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/internal.h"

#define WAITERS_KEPT 8u

bool home__holds(const struct dsm_core *core, const struct dir_page *d, uint16_t node)
{
	return copyset__has(core, d->holders, node);
}

uint64_t home__stamp(struct dir_page *d)
{
	d->fresh = false;
	return ++d->stamp;
}

/* With a copy of the version that there is: whatever it had before, and was told of it, is over. */
void home__add_holder(struct dsm_core *core, struct dir_page *d, uint16_t node)
{
	struct dir_more *m = directory__more(core, d);

	copyset__add(core, &d->holders, node);
	copyset__remove(core, &d->updated, node);
	if (m) {
		copyset__remove(core, &m->told, node);
		copyset__remove(core, &m->kept, node);
	}
	d->fresh = true;
}

void home__drop_holder(struct dsm_core *core, struct dir_page *d, uint16_t node)
{
	struct dir_more *m = directory__more(core, d);

	copyset__remove(core, &d->holders, node);
	copyset__remove(core, &d->updated, node);
	if (!m)
		return;
	copyset__remove(core, &m->told, node);
	copyset__remove(core, &m->kept, node);
	directory__tidy(core, d);
}

static int by_node(const void *a, const void *b)
{
	const struct of_node *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

void home__sort(struct of_node *list, size_t count)
{
	if (count > 1)
		qsort(list, count, sizeof(*list), by_node);
}

size_t home__collect(struct dsm_core *core, const struct core_entry *pages, size_t npages,
		     enum home_set which, uint16_t tx, struct of_node **list)
{
	const struct dir_page *d;
	const struct dir_more *m;
	struct copyset set;
	uint32_t i, k;
	uint16_t node;
	size_t n = 0, cap = 0;

	for (i = 0; i < npages; i++) {
		d = directory__find(core, pages[i].page);
		m = d ? directory__more(core, d) : NULL;
		if (!d || d->lock != tx || (which != HOME_HOLDERS && !m))
			continue;
		set = which == HOME_HOLDERS ? d->holders : which == HOME_TOLD ? m->told : m->kept;
		for (k = 0; k < copyset__count(core, set); k++) {
			node = copyset__node(core, set, k);
			if (node != tx && core__grow(core, list, &cap, n + 1, sizeof(**list)))
				(*list)[n++] = (struct of_node){.node = node, .index = i};
		}
	}
	home__sort(*list, n);
	return n;
}

/* ---- the queue, and a recall: only while there is one ---- */

const struct waiter *home__queue(const struct dsm_core *core, const struct dir_page *d, size_t *count)
{
	const struct dir_more *m = directory__more(core, d);

	*count = m ? m->nwaiters : 0;
	return m ? m->waiters : NULL;
}

void home__wait(struct dsm_core *core, struct dir_page *d, const struct waiter *waiter)
{
	struct dir_more *m = directory__make_more(core, d);

	if (m && core__grow(core, &m->waiters, &m->waiters_cap, m->nwaiters + 1, sizeof(*m->waiters)))
		m->waiters[m->nwaiters++] = *waiter;
}

/* The list stays with its record, unless it is a long one. */
void home__remove_waiter(struct dsm_core *core, struct dir_page *d, size_t i)
{
	struct dir_more *m = directory__more(core, d);

	m->nwaiters--;
	memmove(&m->waiters[i], &m->waiters[i + 1], (m->nwaiters - i) * sizeof(*m->waiters));
	if (!m->nwaiters && m->waiters_cap > WAITERS_KEPT) {
		free(m->waiters);
		m->waiters = NULL;
		m->waiters_cap = 0;
	}
	directory__tidy(core, d);
}

/* A node asks for a page once at a time. */
bool home__waits(const struct dsm_core *core, const struct dir_page *d, uint16_t node)
{
	const struct waiter *queue;
	size_t i, n;

	queue = home__queue(core, d, &n);
	for (i = 0; i < n; i++)
		if (!queue[i].lock && queue[i].node == node)
			return true;
	return false;
}

void home__forget_waiter(struct dsm_core *core, struct dir_page *d, uint16_t node)
{
	const struct waiter *queue;
	size_t i = 0, n;

	while (queue = home__queue(core, d, &n), i < n && !core_mutant(lost_waiter_served))
		if (queue[i].node == node)
			home__remove_waiter(core, d, i);
		else
			i++;
}

void home__remove_waiting_lock(struct dsm_core *core, struct dir_page *d, uint16_t node)
{
	const struct waiter *w;
	size_t i, n;

	w = home__queue(core, d, &n);
	for (i = 0; i < n; i++)
		if (w[i].lock && w[i].node == node) {
			home__remove_waiter(core, d, i);
			return;
		}
}

uint16_t home__recalled(const struct dsm_core *core, const struct dir_page *d)
{
	const struct dir_more *m = directory__more(core, d);

	return m ? m->recall : NOBODY;
}

void home__end_recall(struct dsm_core *core, struct dir_page *d)
{
	struct dir_more *m = directory__more(core, d);

	if (!m)
		return;
	m->recall = NOBODY;
	directory__tidy(core, d);
}

/* If it is for one who is going to write, the owner would have to be invalidated next: let it give the page up
 * at once. Not if others wait, too, who will be given copies. */
static void recall_owner(struct dsm_core *core, uint32_t page, struct dir_page *d, const struct waiter *w)
{
	struct core_entry e = {.page = page, .version = d->version};
	struct dir_more *m = directory__make_more(core, d);

	if (!m)
		return;
	worth__used(core, page, d, d->owner, worth__share(core, 1));
	if (w->take && m->nwaiters == 1)
		e.flags = CORE_ENTRY_WRITE;
	e.stamp = home__stamp(d);
	m->recall = d->owner;
	core__send_entry(core, CORE_MSG_RECALL, d->owner, NULL, &e);
}

/* ---- copies ---- */

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

/* What a step gives to one node goes in one message, at the step's end. Until then nobody can publish a newer
 * version of the page: the node that the copy is for is a holder now, and would have to be asked. */
void home__send_copy(struct dsm_core *core, uint16_t node, const struct core_entry *e)
{
	if (node == core->config.node)
		core__send_entry(core, CORE_MSG_PAGE, node, NULL, e);
	else if (core__grow(core, &core->copies, &core->copies_cap, core->ncopies + 1, sizeof(*core->copies)))
		core->copies[core->ncopies++] = (struct copy){.entry = *e, .node = node};
}

void home__send_copies(struct dsm_core *core)
{
	core__send_gathered(core, CORE_MSG_PAGE, NULL, core->copies, core->ncopies);
	core->ncopies = 0;
}

/* Nobody else may hold a copy of an exclusive page. A reader gets exclusivity only on its own home, where
 * it costs nothing to take it back. */
static void give_copy(struct dsm_core *core, uint32_t page, struct dir_page *d, const struct waiter *w)
{
	struct core_entry e = {.page = page, .version = d->version, .stamp = d->stamp};
	bool self = w->node == core->config.node;
	bool alone = copyset__count(core, d->holders) == home__holds(core, d, w->node);

	if ((alone || core_mutant(exclusive_shared)) && (w->write || self)) {
		e.flags = CORE_ENTRY_EXCLUSIVE;
		d->owner = w->node;
	}
	home__add_holder(core, d, w->node);
	if (update__returns(core, page, w->node) && d->owner == NOBODY && home__holds(core, d, w->node))
		copyset__add(core, &d->updated, w->node);
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
 * may defer the recall until the end of its commit, which may be waiting for this very LOCK. While the home moves
 * all wait, but for LOCKs of those who have no copy any more: they can be told so. */
void home__serve(struct dsm_core *core, uint32_t page)
{
	struct dir_page *d = directory__find(core, page);
	uint16_t lost_with = d ? loss__of_page(core, d) : NOBODY;
	const struct waiter *queue;
	struct waiter w;
	size_t i = 0, n;

	if (lost_with != NOBODY) {
		loss__refuse(core, page, lost_with);
		return;
	}
	while (d && !locked(d) && !core->nomem) {
		queue = home__queue(core, d, &n);
		if (i >= n)
			break;
		w = queue[i];
		if (migrate__moving(core, d) != NOBODY && (!w.lock || home__holds(core, d, w.node))) {
			i++;
		} else if (w.lock) {
			home__remove_waiter(core, d, i);
			lock__advance(core, lock__tx(core, w.node));
		} else if (home__recalled(core, d) != NOBODY) {
			i++;
		} else if (d->owner != NOBODY) {
			recall_owner(core, page, d, &w);
			i++;
		} else {
			home__remove_waiter(core, d, i);
			give_copy(core, page, d, &w);
		}
	}
}

/* Can it be given away at once? */
static bool idle(const struct dsm_core *core, const struct dir_page *d)
{
	size_t n;

	home__queue(core, d, &n);
	return !locked(d) && !n && home__recalled(core, d) == NOBODY && migrate__moving(core, d) == NOBODY;
}

/* Is there a copy that costs nobody anything? Not if it means waiting, or taking exclusivity away from
 * another node, or from this one while it uses it. */
static bool to_spare(const struct dsm_core *core, uint32_t page, const struct dir_page *d)
{
	if (!idle(core, d))
		return core_mutant(ahead_locked) && migrate__moving(core, d) == NOBODY;
	if (d->owner == NOBODY)
		return true;
	return d->owner == core->config.node && !(core->client[page].flags & (CLIENT_DIRTY | CLIENT_STICKY));
}

/* Who has handed the page over may ask for it again before its DOWNGRADE has come, which is on the other
 * channel; it knows a version then that this home does not. */
static bool may_ask(struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_entry *e;
	const struct dir_page *d;
	uint32_t i;

	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		if (!migrate__here(core, e->page))
			continue;
		d = directory__get(core, e->page);
		if (!d)
			return true; /* out of memory */
		if (home__waits(core, d, msg->from))
			return false;
		if ((d->owner == msg->from || e->version > d->version) &&
		    home__recalled(core, d) != msg->from)
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
	int32_t share = worth__share(core, msg->npages);

	if (!may_ask(core, msg))
		return -EPROTO;
	for (i = 0; i < msg->npages && !core->nomem; i++) {
		e = &msg->entries[i];
		if (!migrate__here(core, e->page)) {
			none = migrate__elsewhere(core, e->page);
			home__send_copy(core, msg->from, &none);
			continue;
		}
		d = directory__get(core, e->page);
		worth__fetched(core, e->page, d, msg->from, share);
		w = (struct waiter){
			.node = msg->from, .write = e->flags & CORE_ENTRY_WRITE, .version = e->version};
		w.take = w.write && !(e->flags & CORE_ENTRY_AHEAD);
		d->moves = w.take;
		if (e->flags & CORE_ENTRY_AHEAD && !to_spare(core, e->page, d)) {
			none = (struct core_entry){.page = e->page, .flags = CORE_ENTRY_REFUSED};
			home__send_copy(core, w.node, &none);
			continue;
		}
		if ((core_mutant(locked_page_served) ||
		     (core_mutant(ahead_locked) && e->flags & CORE_ENTRY_AHEAD)) &&
		    locked(d) && d->owner == NOBODY) {
			w.write = false;
			give_copy(core, e->page, d, &w);
			continue;
		}
		if (idle(core, d) && d->owner == NOBODY && loss__of_page(core, d) == NOBODY) {
			give_copy(core, e->page, d, &w);
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
	struct dir_page *d = directory__find(core, e->page);

	if (!d)
		return -EPROTO;
	if (home__recalled(core, d) != msg->from)
		return -EPROTO;
	if (d->owner == msg->from) {
		if (e->version > d->version) {
			if (msg->from != core->config.node && e->data == CORE_DATA_NONE)
				return -EPROTO;
			home__store(core, msg, 0);
			d->version = e->version;
		}
		d->owner = NOBODY;
		if (e->flags & CORE_ENTRY_WRITE)
			home__drop_holder(core, d, msg->from);
	}
	home__end_recall(core, d);
	home__serve_later(core, e->page);
	return 0;
}
