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

	/* Mostly they are neighbours. */
	if (hi && page >= a->list[0].page) {
		mid = page - a->list[0].page;
		if (mid < hi && a->list[mid].page == page)
			return mid;
	}
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

/* NULL: out of memory. */
static struct ask *add(struct dsm_core *core, uint32_t page)
{
	struct asks *a = &core->asks;
	struct ask *ask;
	size_t at;

	if (!core__grow(core, &a->list, &a->cap, a->count + 1, sizeof(*a->list)))
		return NULL;
	at = place(a, page);
	ask = &a->list[at];
	memmove(ask + 1, ask, (a->count - at) * sizeof(*ask));
	*ask = (struct ask){.page = page, .gathered = true};
	a->count++;
	return ask;
}

/* The mutator waits for the page. It is asked for, unless it is on its way already: a mutator that was told of a loss did
 * not wait for all that it had asked for, and some is asked for ahead. */
static void want(struct dsm_core *core, uint32_t page, bool write)
{
	struct asks *a = &core->asks;
	struct ask *ask = find(core, page);

	if (!ask)
		ask = add(core, page);
	if (!ask)
		return;
	ask->write |= write;
	a->wanted += !ask->wanted;
	ask->wanted = true;
	if (ask->ahead) /* late, but it comes sooner than without */
		prefetch__hit(core);
}

bool copies__ahead(struct dsm_core *core, uint32_t page)
{
	struct ask *ask;

	if (find(core, page) || core__birth(core, page) == core->config.node)
		return false;
	ask = add(core, page);
	if (ask)
		ask->ahead = true;
	return ask;
}

void copies__send(struct dsm_core *core)
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
							    .flags = ask->ahead	  ? CORE_ENTRY_AHEAD
								     : ask->write ? CORE_ENTRY_WRITE
										  : 0,
							    .version = core->client[ask->page].version};
	}
	if (entries)
		core__send(core, &msg);
}

/* What a fault on a page that is here was for. */
static enum core_fault local_fault(struct dsm_core *core, uint32_t page, bool write)
{
	struct client_page *cp = &core->client[page];

	if (cp->flags & CLIENT_AHEAD) {
		cp->flags &= (uint8_t)~CLIENT_AHEAD;
		prefetch__hit(core);
		return CORE_FAULT_PREFETCHED;
	}
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

/* Faults that read what lives elsewhere are looked at for streams. Who writes is not: a page that it writes alone needs no
 * twin, and asking for copies ahead would end that. */
static bool may_stream(const struct dsm_core *core, const struct core_event *event, uint32_t count)
{
	const struct client_page *cp = &core->client[event->page];

	return count == 1 && !event->write && core__birth(core, event->page) != core->config.node &&
	       (cp->state == CLIENT_INVALID || cp->flags & CLIENT_AHEAD);
}

int copies__access(struct dsm_core *core, const struct core_event *event)
{
	uint32_t count = event->count ? event->count : 1, page;
	enum core_fault kind;
	bool streams;
	uint16_t home;

	if (!may_access(core, event->page, count))
		return -EINVAL;
	streams = may_stream(core, event, count);
	if (core->attempt.running && core->attempt.doomed && !event->pinned) {
		attempt__abort(core);
		return 0;
	}
	core->fetch.pinned = event->pinned;
	for (page = event->page; page < event->page + count; page++) {
		kind = local_fault(core, page, event->write);
		if (open_page(core, page, event->write)) {
			if (kind != CORE_FAULT_NONE)
				core->fault = kind;
			continue;
		}
		home = core__birth(core, page);
		if (core->lost[home]) {
			core__flush_rights(core);
			copies__unwant(core);
			copies__send(core);
			loss__tell(core, home);
			return 0;
		}
		if (event->write && of_sc(core, page))
			sc_lend__call_in(core, page);
		want(core, page, event->write);
	}
	core__flush_rights(core);
	if (core->asks.wanted)
		core->mutator = MUTATOR_ASKS;
	else
		core->verdict = VERDICT_RESUME;
	copies__send(core);
	if (streams)
		prefetch__fault(core, event->page, false);
	return 0;
}

/* ---- copies ---- */

static bool fits(struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_entry *e;
	const struct ask *ask;
	uint32_t i;

	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		ask = find(core, e->page);
		if (!ask || (e->flags & CORE_ENTRY_REFUSED && (!ask->ahead || e->data != CORE_DATA_NONE)))
			return false;
		if (msg->from != core->config.node && !(e->flags & (CORE_ENTRY_LOST | CORE_ENTRY_REFUSED)) &&
		    e->data == CORE_DATA_NONE && e->version != core->client[e->page].version)
			return false;
	}
	return true;
}

static void end(struct dsm_core *core, struct ask *ask)
{
	core->asks.wanted -= ask->wanted;
	ask->wanted = ask->gathered = false;
	ask->ended = true;
}

/* All that a message has ended leaves the list at once. */
static void sweep(struct dsm_core *core)
{
	struct asks *a = &core->asks;
	size_t i, n = 0;

	for (i = 0; i < a->count; i++)
		if (!a->list[i].ended)
			a->list[n++] = a->list[i];
	a->count = n;
}

/* A copy that its home cannot keep up to date any more (rc__doubt()) is none. */
static uint16_t lost_in(const struct dsm_core *core, const struct core_msg *msg, const struct core_entry *e)
{
	if (e->flags & CORE_ENTRY_LOST)
		return (uint16_t)e->version;
	return core->rumour[msg->from] && !of_sc(core, e->page) ? msg->from : NOBODY;
}

/* Who waits for it asks again, and this time nobody may refuse. */
static void land_without(struct dsm_core *core, struct ask *ask)
{
	core->prefetch.stats.refused++;
	prefetch__miss(core);
	ask->ahead = false;
	ask->gathered = ask->wanted && !core_mutant(refusal_final);
	if (!ask->gathered)
		end(core, ask);
}

static void arrive(struct dsm_core *core, const struct core_msg *msg, uint32_t i, const struct ask *ask)
{
	const struct core_entry *e = &msg->entries[i];
	struct client_page *cp = &core->client[e->page];
	struct core_action *emit = core__store(core, msg, i, false);

	if (emit)
		emit->ahead = !ask->wanted;
	if (of_sc(core, e->page))
		sc__arrived(core, e);
	else
		rc__arrived(core, e);
	if (ask->ahead && !ask->wanted && cp->rights == CORE_NONE)
		cp->flags |= CLIENT_AHEAD;
}

/* A copy for reading may not do for one that has come to write since: that one asks again. */
static void land(struct dsm_core *core, const struct core_msg *msg, uint32_t i)
{
	const struct core_entry *e = &msg->entries[i];
	struct ask *ask = find(core, e->page);

	if (lost_in(core, msg, e) == NOBODY && e->flags & CORE_ENTRY_REFUSED) {
		land_without(core, ask);
		return;
	}
	if (lost_in(core, msg, e) == NOBODY) {
		arrive(core, msg, i, ask);
		if (ask->wanted && !open_page(core, e->page, ask->write)) {
			ask->ahead = false;
			ask->gathered = true;
			return;
		}
	}
	end(core, ask);
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
		core->locks.brought = true;
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
	sweep(core);
	core__flush_rights(core);
	copies__send(core);
	go_on(core, lost_with);
	return 0;
}

void copies__unused(struct dsm_core *core, uint32_t page)
{
	struct client_page *cp = &core->client[page];

	if (!(cp->flags & CLIENT_AHEAD))
		return;
	cp->flags &= (uint8_t)~CLIENT_AHEAD;
	core->prefetch.stats.lost++;
	prefetch__miss(core);
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
