/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock.c - the home's part of a commit: locks, invalidations, their answers, the new version.
 *
 * First all locks of a LOCK message are taken, in page order, waiting where another commit holds one.
 * Then all other holders are told at once, one INVALIDATE a holder, and all must answer before the GRANT:
 * so when the committer decides, nobody's attempt still depends on an old copy (invariant 4). A holder
 * whose attempt outranks the committer refuses; then all that this transaction has here is released.
 *
 * Waiting for a lock cannot go in a circle: locks are asked for in page order over all homes. (Between
 * homes the ranks alone would break a circle, since who has locked a page invalidates the one that waits
 * for it; within one LOCK nobody is told before all is locked.) Waiting for an answer cannot either: a
 * holder answers at once, whatever it is doing.
 */
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/internal.h"

/* NULL: out of memory. */
struct home_tx *lock__tx(struct dsm_core *core, uint16_t node)
{
	if (!core->tx[node]) {
		core->tx[node] = calloc(1, sizeof(*core->tx[node]));
		core->nomem |= !core->tx[node];
	}
	return core->tx[node];
}

static struct home_tx *find_tx(struct dsm_core *core, const struct core_party *party)
{
	struct home_tx *t = core->tx[party->node];

	return t && t->active && core_party__same(&t->party, party) ? t : NULL;
}

static void release(struct dsm_core *core, struct home_tx *t)
{
	struct dir_page *d;
	size_t i;

	for (i = 0; i < t->nlocked; i++) {
		d = home__page(core, t->pages[i].page);
		if (d && d->lock == t->party.node) {
			d->lock = NOBODY;
			home__serve_later(core, d->page);
		}
	}
	if (t->waiting) {
		d = home__page(core, t->waits);
		if (d)
			home__remove_waiting_lock(d, t->party.node);
	}
	t->waiting = t->active = false;
}

static void deny(struct dsm_core *core, struct home_tx *t, const struct core_entry *lost, uint32_t nlost,
		 const struct core_party *other, uint16_t flags)
{
	struct core_msg msg = core__msg(core, CORE_MSG_DENY, t->party.node, &t->party);
	struct core_entry *entries = core__entries(core, nlost);
	struct dir_page *d;
	uint32_t i;

	if (!entries)
		return;
	for (i = 0; i < nlost; i++) {
		d = home__page(core, lost[i].page);
		entries[i] = (struct core_entry){
			.page = lost[i].page, .flags = flags, .version = d ? d->version : 0};
	}
	msg.other = *other;
	msg.entries = entries;
	msg.npages = nlost;
	if (core_mutant(lock_kept))
		t->active = false;
	else
		release(core, t);
	core__send(core, &msg);
}

static void grant(struct dsm_core *core, struct home_tx *t)
{
	struct core_msg msg = core__msg(core, CORE_MSG_GRANT, t->party.node, &t->party);
	struct core_entry *entries = core__entries(core, t->npages - t->chunk);
	size_t i;

	if (!entries)
		return;
	for (i = t->chunk; i < t->npages; i++)
		entries[core_mutant(lock_order) && t->party.node % 2 ? t->npages - 1 - i : i - t->chunk] =
			t->pages[i];
	msg.entries = entries;
	msg.npages = (uint32_t)(t->npages - t->chunk);
	t->chunk = t->npages;
	core__send(core, &msg);
}

/* A holder of one of the pages just locked. */
struct victim {
	uint16_t node;
	size_t index; /* in t->pages */
};

static int by_node(const void *a, const void *b)
{
	const struct victim *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* Collects the other holders of the pages just locked, by node; marks their pages as contended. */
static size_t find_victims(struct dsm_core *core, struct home_tx *t, struct victim **list)
{
	struct dir_page *d;
	size_t i, h, n = 0, cap = 0;

	for (i = t->chunk; i < t->npages; i++) {
		d = home__page(core, t->pages[i].page);
		t->pages[i].stamp = ++d->stamp;
		t->pages[i].flags = CORE_ENTRY_EXCLUSIVE;
		for (h = 0; h < d->nholders; h++) {
			if (d->holders[h].node == t->party.node)
				continue;
			t->pages[i].flags = CORE_ENTRY_CONTENDED;
			if (core__grow(core, list, &cap, n + 1, sizeof(**list)))
				(*list)[n++] = (struct victim){.node = d->holders[h].node, .index = i};
		}
	}
	if (n > 1)
		qsort(*list, n, sizeof(**list), by_node);
	return n;
}

static void invalidate(struct dsm_core *core, struct home_tx *t, const struct victim *v, size_t n)
{
	struct core_msg msg = core__msg(core, CORE_MSG_INVALIDATE, v->node, &t->party);
	struct core_entry *entries = core__entries(core, n + t->nwset), *e;
	size_t i;

	if (!entries)
		return;
	for (i = 0; i < n; i++) {
		e = &entries[core_mutant(lock_order) && t->party.node % 2 ? n - 1 - i : i];
		*e = t->pages[v[i].index];
		e->flags = 0;
	}
	for (i = 0; i < t->nwset; i++)
		entries[n + i] = t->wset[i];
	msg.entries = entries;
	msg.npages = (uint32_t)n;
	msg.nwset = (uint32_t)t->nwset;
	core__send(core, &msg);
	if (core__grow(core, &t->asked, &t->asked_cap, t->unanswered + 1, sizeof(*t->asked)))
		t->asked[t->unanswered++] = v->node;
}

static void all_locked(struct dsm_core *core, struct home_tx *t)
{
	struct victim *list = NULL;
	size_t n = find_victims(core, t, &list), i, j;

	t->unanswered = 0;
	for (i = 0; i < n; i = j) {
		for (j = i + 1; j < n && list[j].node == list[i].node;)
			j++;
		invalidate(core, t, &list[i], j - i);
	}
	free(list);
	if (!t->unanswered || core_mutant(skip_ack))
		grant(core, t);
}

/* May this node still write the page on the version that it has? */
static bool current(const struct dir_page *d, uint16_t node, uint64_t version)
{
	return d->version == version && home__holds(d, node) && (d->owner == NOBODY || d->owner == node);
}

/* Takes the locks that are left, as far as they are free. */
void lock__advance(struct dsm_core *core, struct home_tx *t)
{
	struct waiter w = {.lock = true};
	struct dir_page *d;

	if (!t)
		return;
	t->waiting = false;
	while (t->nlocked < t->npages) {
		d = home__page(core, t->pages[t->nlocked].page);
		if (!d)
			return;
		if (!current(d, t->party.node, t->pages[t->nlocked].version)) {
			deny(core, t, &t->pages[t->nlocked], 1, &d->last, 0);
			return;
		}
		if (d->lock != NOBODY) {
			w.node = t->party.node;
			t->waiting = true;
			t->waits = d->page;
			home__wait(core, d, &w);
			return;
		}
		d->lock = t->party.node;
		t->nlocked++;
	}
	all_locked(core, t);
}

int lock__on_lock(struct dsm_core *core, const struct core_msg *msg)
{
	struct home_tx *t = lock__tx(core, msg->from);
	struct dir_page *d;
	uint32_t i;

	if (!t)
		return 0;
	if (msg->tx.node != msg->from || (t->active && !core_party__same(&t->party, &msg->tx)) ||
	    (t->active && (t->chunk < t->npages || t->npublished)))
		return -EPROTO;
	for (i = 0; i < msg->npages; i++) {
		d = home__page(core, msg->entries[i].page);
		if (d && d->lock == msg->from && !core_mutant(lock_kept))
			return -EPROTO;
	}
	if (!t->active) {
		t->active = true;
		t->party = msg->tx;
		t->npages = t->nlocked = t->chunk = t->npublished = 0;
	}
	if (!core__grow(core, &t->pages, &t->pages_cap, t->npages + msg->npages, sizeof(*t->pages)) ||
	    !core__grow(core, &t->wset, &t->wset_cap, msg->nwset, sizeof(*t->wset)))
		return 0;
	for (i = 0; i < msg->npages; i++)
		t->pages[t->npages++] =
			msg->entries[core_mutant(lock_order) && msg->from % 2 ? msg->npages - 1 - i : i];
	for (i = 0; i < msg->nwset; i++)
		t->wset[i] = msg->entries[msg->npages + i];
	t->nwset = msg->nwset;
	t->unanswered = 0;
	lock__advance(core, t);
	return 0;
}

/* Its place among those who have not answered yet, or their number. */
static size_t find_asked(const struct home_tx *t, uint16_t node)
{
	size_t lo = 0, hi = t->unanswered, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (t->asked[mid] < node)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < t->unanswered && t->asked[lo] == node ? lo : t->unanswered;
}

static void take_answer(struct dsm_core *core, struct home_tx *t, size_t at)
{
	if (at == t->unanswered)
		return;
	t->unanswered--;
	memmove(&t->asked[at], &t->asked[at + 1], (t->unanswered - at) * sizeof(*t->asked));
	if (!t->unanswered && t->chunk < t->npages)
		grant(core, t);
}

/* The holder has no copy any more, unless it was given a new one after the INVALIDATE: its FETCH may have
 * overtaken this ACK when the lock was given up before. */
int lock__on_ack(struct dsm_core *core, const struct core_msg *msg)
{
	struct home_tx *t = find_tx(core, &msg->tx);
	struct dir_page *d;
	uint32_t i;

	if (t && find_asked(t, msg->from) == t->unanswered && !core_mutant(skip_ack))
		return -EPROTO;
	for (i = 0; i < msg->npages; i++) {
		d = home__page(core, msg->entries[i].page);
		if (d)
			home__drop_holder(d, msg->from, msg->entries[i].stamp);
	}
	if (t)
		take_answer(core, t, find_asked(t, msg->from));
	return 0;
}

int lock__on_refuse(struct dsm_core *core, const struct core_msg *msg)
{
	struct home_tx *t = find_tx(core, &msg->tx);

	if (!t || core_mutant(skip_ack))
		return 0; /* it has given up already */
	if (find_asked(t, msg->from) == t->unanswered)
		return -EPROTO;
	deny(core, t, msg->entries, msg->npages, &msg->other, CORE_ENTRY_REFUSED);
	return 0;
}

int lock__on_cancel(struct dsm_core *core, const struct core_msg *msg)
{
	struct home_tx *t = find_tx(core, &msg->tx);

	if (msg->tx.node != msg->from)
		return -EPROTO;
	if (t)
		release(core, t);
	return 0;
}

static bool may_publish(struct dsm_core *core, struct home_tx *t, const struct core_msg *msg)
{
	const struct core_entry *e;
	const struct dir_page *d;
	uint32_t i;

	if (!t || msg->tx.node != msg->from || t->nlocked < t->npages || t->chunk < t->npages)
		return false;
	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		d = core->dir[e->page - core->home_first];
		if (!d || d->lock != msg->from || d->version != e->version)
			return false;
		if (msg->from != core->config.node && e->data == CORE_DATA_NONE)
			return false;
	}
	return true;
}

int lock__on_publish(struct dsm_core *core, const struct core_msg *msg)
{
	struct home_tx *t = find_tx(core, &msg->tx);
	struct core_entry reply;
	struct dir_page *d;
	uint32_t i;

	if (!may_publish(core, t, msg))
		return -EPROTO;
	for (i = 0; i < msg->npages; i++) {
		d = home__page(core, msg->entries[i].page);
		home__store(core, msg, i);
		d->version++;
		d->last = msg->tx;
		d->lock = d->owner = NOBODY;
		d->nholders = 0;
		home__add_holder(core, d, msg->from);
		home__serve_later(core, d->page);
		if (!(msg->entries[i].flags & CORE_ENTRY_EXCLUSIVE) || d->nwaiters || d->recall != NOBODY)
			continue;
		d->owner = msg->from;
		reply = (struct core_entry){.page = d->page, .version = d->version, .stamp = d->stamp};
		core__send_entry(core, CORE_MSG_EXCLUSIVE, msg->from, &msg->tx, &reply);
	}
	t->npublished += msg->npages;
	if (t->npublished >= t->npages)
		t->active = false;
	return 0;
}

/* A node is no more. What it had not been granted here it has not decided, and never will: its locks go.
 * What it had been granted may be decided, and others may have seen a part of it: that stays locked
 * (loss.c). From everybody else's point of view it holds nothing, so its answers are not waited for. */
void lock__lose(struct dsm_core *core, uint16_t node)
{
	struct home_tx *t = core->tx[node];
	uint32_t i;

	if (t && t->active && (t->chunk < t->npages || core_mutant(lost_lock_released)) &&
	    !core_mutant(lost_lock_kept))
		release(core, t);
	for (i = 0; i < core->config.nodes && !core_mutant(lost_answer_awaited); i++) {
		t = core->tx[i];
		if (t && t->active && i != node)
			take_answer(core, t, find_asked(t, node));
	}
}
