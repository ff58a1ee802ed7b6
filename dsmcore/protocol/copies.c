/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * copies.c - asking for copies of pages that are not CORE_TX: what sequential and release consistency share.
 *
 * An ACCESS opens what may be opened as it is here (sc.c and rc.c know what their states allow) and asks for the rest:
 * one ASK for each home and 128 pages. The mutator waits until all of them have come. ASK, COPY and whatever takes a copy
 * away again travel on one channel between this node and the home, so nothing overtakes a copy and no stamps are needed:
 * when a COPY comes it is what the home had given last.
 *
 * No attempt owns such a page. If one runs it waits like any other mutator; if it is doomed meanwhile, it is undone as soon
 * as the copies are here.
 */
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/internal.h"

/* Where the page is in the list of asks, or belongs. */
static size_t place(const struct asks *a, uint32_t page)
{
	size_t lo = 0, hi = a->count, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (a->list[mid].page < page)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct ask *find(struct dsm_core *core, uint32_t page)
{
	struct asks *a = &core->asks;
	size_t i = place(a, page);

	return i < a->count && a->list[i].page == page ? &a->list[i] : NULL;
}

static bool of_sc(const struct dsm_core *core, uint32_t page)
{
	return model__is(core, page, CORE_SC);
}

static bool open_page(struct dsm_core *core, uint32_t page, bool write)
{
	uint32_t *count = write ? &core->use.nwritten : &core->use.nread;

	if (!(of_sc(core, page) ? sc__open(core, page, write) : rc__open(core, page, write)))
		return false;
	++*count;
	return true;
}

/* ---- asking ---- */

/* The mutator waits for the page. It is asked for, unless it is on its way already: a mutator that was told of a loss did
 * not wait for all that it had asked for. */
static void want(struct dsm_core *core, uint32_t page, bool write)
{
	struct asks *a = &core->asks;
	struct ask *ask = find(core, page);
	size_t at;

	if (!ask) {
		if (!core__grow(core, &a->list, &a->cap, a->count + 1, sizeof(*a->list)))
			return;
		at = place(a, page);
		ask = &a->list[at];
		memmove(ask + 1, ask, (a->count - at) * sizeof(*ask));
		*ask = (struct ask){.page = page, .write = write, .gathered = true};
		a->count++;
	}
	ask->write |= write;
	a->wanted += !ask->wanted;
	ask->wanted = true;
}

static void send_asks(struct dsm_core *core)
{
	struct asks *a = &core->asks;
	struct core_msg msg = {0};
	struct core_entry *entries = NULL;
	struct ask *ask;
	uint16_t home;
	size_t i;

	for (i = 0; i < a->count; i++) {
		ask = &a->list[i];
		if (!ask->gathered)
			continue;
		ask->gathered = false;
		home = core__birth(core, ask->page);
		if (!entries || msg.to != home || msg.npages == CORE_MSG_PAGES ||
		    of_sc(core, entries[0].page) != of_sc(core, ask->page)) {
			if (entries)
				core__send(core, &msg);
			entries = core__entries(core, CORE_MSG_PAGES);
			if (!entries)
				return;
			msg = core__msg(core, CORE_MSG_ASK, home, &core->interval);
			msg.entries = entries;
		}
		entries[msg.npages++] = (struct core_entry){.page = ask->page,
							    .flags = ask->write ? CORE_ENTRY_WRITE : 0,
							    .version = core->client[ask->page].version};
	}
	if (entries)
		core__send(core, &msg);
}

/* What a fault on a page that is here was for. */
static enum core_fault local_fault(const struct client_page *cp, bool write)
{
	if (cp->rights == CORE_NONE)
		return CORE_FAULT_REARM;
	return write && cp->rights == CORE_READ ? CORE_FAULT_UPGRADE : CORE_FAULT_NONE;
}

static bool may_access(const struct dsm_core *core, uint32_t page, uint32_t count)
{
	uint32_t i;

	if (count > CORE_ACCESS_PAGES || count > core->config.pages - page)
		return false;
	for (i = 0; i < count; i++)
		if (model__is(core, page + i, CORE_TX))
			return false;
	return true;
}

int copies__access(struct dsm_core *core, const struct core_event *event)
{
	uint32_t count = event->count ? event->count : 1, page;
	enum core_fault kind;
	uint16_t home;

	if (!may_access(core, event->page, count))
		return -EINVAL;
	if (core->attempt.running && core->attempt.doomed && !event->pinned) {
		attempt__abort(core);
		return 0;
	}
	core->fetch.pinned = event->pinned;
	for (page = event->page; page < event->page + count; page++) {
		kind = local_fault(&core->client[page], event->write);
		if (open_page(core, page, event->write)) {
			if (kind != CORE_FAULT_NONE)
				core->fault = kind;
			continue;
		}
		home = core__birth(core, page);
		if (core->lost[home]) {
			core__flush_rights(core);
			copies__unwant(core);
			send_asks(core);
			loss__tell(core, home);
			return 0;
		}
		want(core, page, event->write);
	}
	core__flush_rights(core);
	if (core->asks.wanted)
		core->mutator = MUTATOR_ASKS;
	else
		core->verdict = VERDICT_RESUME;
	send_asks(core);
	return 0;
}

/* ---- copies ---- */

static bool fits(struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_entry *e;
	uint32_t i;

	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		if (!find(core, e->page))
			return false;
		if (msg->from != core->config.node && !(e->flags & CORE_ENTRY_LOST) &&
		    e->data == CORE_DATA_NONE && e->version != core->client[e->page].version)
			return false;
	}
	return true;
}

static void end(struct dsm_core *core, uint32_t page)
{
	struct asks *a = &core->asks;
	size_t i = place(a, page);

	a->wanted -= a->list[i].wanted;
	a->count--;
	memmove(&a->list[i], &a->list[i + 1], (a->count - i) * sizeof(a->list[0]));
}

/* A copy that its home cannot keep up to date any more (rc__doubt()) is none. */
static uint16_t lost_in(const struct dsm_core *core, const struct core_msg *msg, const struct core_entry *e)
{
	if (e->flags & CORE_ENTRY_LOST)
		return (uint16_t)e->version;
	return core->rumour[msg->from] && !of_sc(core, e->page) ? msg->from : NOBODY;
}

/* A copy for reading may not do for one that has come to write since: that one asks again. */
static void land(struct dsm_core *core, const struct core_msg *msg, uint32_t i)
{
	const struct core_entry *e = &msg->entries[i];
	struct ask *ask = find(core, e->page);

	if (lost_in(core, msg, e) == NOBODY) {
		core__store(core, msg, i);
		if (of_sc(core, e->page))
			sc__arrived(core, e);
		else
			rc__arrived(core, e);
		if (ask->wanted && !open_page(core, e->page, ask->write)) {
			ask->gathered = true;
			return;
		}
	}
	end(core, e->page);
}

/* With whom something is lost that the mutator waits for, or NOBODY. */
static uint16_t find_loss(struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_entry *e;
	uint16_t with;
	uint32_t i;

	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		with = lost_in(core, msg, e);
		if (with != NOBODY && find(core, e->page)->wanted)
			return with;
	}
	return NOBODY;
}

static void go_on(struct dsm_core *core, uint16_t lost_with)
{
	const struct attempt *a = &core->attempt;

	if (core->mutator != MUTATOR_ASKS)
		return;
	if (lost_with != NOBODY) {
		loss__tell(core, lost_with);
	} else if (!core->asks.wanted) {
		core->mutator = MUTATOR_RUNS;
		core->fault = CORE_FAULT_FETCH;
		if (a->running && a->doomed && !core->fetch.pinned)
			attempt__abort(core);
		else
			core->verdict = VERDICT_RESUME;
	}
}

int copies__on_copy(struct dsm_core *core, const struct core_msg *msg)
{
	uint16_t lost_with;
	uint32_t i;

	if (!fits(core, msg))
		return -EPROTO;
	lost_with = find_loss(core, msg);
	for (i = 0; i < msg->npages; i++)
		land(core, msg, i);
	core__flush_rights(core);
	send_asks(core);
	go_on(core, lost_with);
	return 0;
}

/* ---- loss ---- */

/* The mutator does not wait any more; what is on its way lands all the same. */
void copies__unwant(struct dsm_core *core)
{
	size_t i;

	for (i = 0; i < core->asks.count; i++)
		core->asks.list[i].wanted = false;
	core->asks.wanted = 0;
}

bool copies__awaits(const struct dsm_core *core, uint32_t page)
{
	size_t i = place(&core->asks, page);

	return i < core->asks.count && core->asks.list[i].page == page && core->asks.list[i].wanted;
}

bool copies__wants(const struct dsm_core *core, uint16_t home)
{
	size_t i;

	for (i = 0; i < core->asks.count; i++)
		if (core->asks.list[i].wanted && core__birth(core, core->asks.list[i].page) == home)
			return true;
	return false;
}

/* Nothing that this home was asked for will come. */
void copies__lose(struct dsm_core *core, uint16_t home)
{
	struct asks *a = &core->asks;
	size_t i, n = 0;

	for (i = 0; i < a->count; i++) {
		if (core__birth(core, a->list[i].page) == home)
			a->wanted -= a->list[i].wanted;
		else
			a->list[n++] = a->list[i];
	}
	a->count = n;
}

void copies__free(struct dsm_core *core)
{
	free(core->asks.list);
}
