/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fetch.c - copies that are on their way to this node.
 *
 * A FETCH asks one home for any number of pages; they come in as many PAGEs as the home likes. Some the
 * mutator waits for (wanted), others were asked for ahead of their use and land whenever they come: during
 * another attempt, during a commit, or while the mutator computes. Such a page is stored but stays closed: it
 * is no part of any attempt until somebody touches it, so losing it dooms nobody.
 *
 * While a copy flies, the page is INVALID here and nobody looks at its frame. Two things may overtake it on
 * the other channel: an INVALIDATE (the data are old) and a RECALL (the data are good, exclusivity is not).
 * The flight remembers the newest stamp of each, whoever waits for it.
 */
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/internal.h"

/* Index of the page's flight, or where it belongs. */
static size_t flight_place(const struct fetch *f, uint32_t page)
{
	size_t lo = 0, hi = f->nflights, mid;

	/* Mostly they are neighbours. */
	if (hi && page >= f->flights[0].page) {
		mid = page - f->flights[0].page;
		if (mid < hi && f->flights[mid].page == page)
			return mid;
	}
	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (f->flights[mid].page < page)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct flight *fetch__find(const struct dsm_core *core, uint32_t page)
{
	const struct fetch *f = &core->fetch;

	return core->client[page].flags & CLIENT_FLIES ? &f->flights[flight_place(f, page)] : NULL;
}

static void sweep(struct fetch *f)
{
	size_t i, n = 0;

	for (i = 0; f->flights && f->nlanded && i < f->nflights; i++)
		if (!f->flights[i].landed)
			f->flights[n++] = f->flights[i];
	if (f->nlanded)
		f->nflights = n;
	f->nlanded = 0;
}

static void take_off(struct dsm_core *core, const struct flight *new)
{
	struct fetch *f = &core->fetch;
	size_t at;

	sweep(f);
	if (!core__grow(core, &f->flights, &f->flights_cap, f->nflights + 1, sizeof(*f->flights)))
		return;
	at = flight_place(f, new->page);
	memmove(&f->flights[at + 1], &f->flights[at], (f->nflights - at) * sizeof(*f->flights));
	f->flights[at] = *new;
	f->nflights++;
	core->client[new->page].flags |= CLIENT_FLIES;
}

static void want(struct dsm_core *core, struct flight *f)
{
	if (f->wanted)
		return;
	f->wanted = true;
	core->fetch.wanted++;
	if (f->ahead) /* late, but it comes sooner than without */
		prefetch__hit(core);
}

static void end(struct dsm_core *core, struct flight *f)
{
	core->fetch.wanted -= f->wanted;
	core->fetch.nlanded++;
	f->landed = true;
	core->client[f->page].flags &= (uint8_t)~CLIENT_FLIES;
}

/* ---- asking ---- */

static void gather(struct dsm_core *core, const struct flight *f)
{
	struct fetch *q = &core->fetch;

	if (!core__grow(core, &q->ask, &q->ask_cap, q->nask + 1, sizeof(*q->ask)))
		return;
	q->ask[q->nask++] = (struct core_entry){
		.page = f->page,
		.flags = (uint16_t)((f->write ? CORE_ENTRY_WRITE : 0) | (f->ahead ? CORE_ENTRY_AHEAD : 0)),
		.version = core->client[f->page].version};
}

void fetch__ask(struct dsm_core *core, uint32_t page, bool write, bool ahead)
{
	struct flight new = {.page = page, .write = write, .ahead = ahead}, *f = fetch__find(core, page);

	if (!f) {
		new.guess = !write && !ahead && core->client[page].habit >= CORE_HABIT &&
			    !core->attempt.read_only;
		new.write |= new.guess;
		new.kept = core->client[page].flags &CLIENT_KEPT;
		new.home = core__home(core, page); /* of one that is kept: who will tell */
		take_off(core, &new);
		if (!new.kept) /* else its UPDATE is under way */
			gather(core, &new);
		f = fetch__find(core, page);
	}
	if (ahead || !f || core->nomem)
		return;
	/* One that was asked for ahead is opened as it is wanted now: dsm_touch() has promised that. */
	if (write) {
		f->write = true;
		f->guess = false;
	}
	want(core, f);
}

static uint16_t another_home(const struct dsm_core *core)
{
	size_t i;

	for (i = 0; i < core->fetch.nask; i++)
		if (!migrate__here(core, core->fetch.ask[i].page))
			return core__home(core, core->fetch.ask[i].page);
	return NOBODY;
}

/* Whose homes have moved may alternate: each is asked once for all of its pages. */
static void sort_by_home(struct dsm_core *core)
{
	struct fetch *f = &core->fetch;
	struct core_entry *sorted;
	uint16_t home, next;
	size_t i, n = 0;

	for (i = 1; i < f->nask; i++)
		if (core__home(core, f->ask[i].page) != core__home(core, f->ask[0].page))
			break;
	if (i >= f->nask)
		return;
	sorted = core__entries(core, f->nask);
	for (home = 0; sorted && n < f->nask; home = next) {
		next = NOBODY; /* the least that comes after this one */
		for (i = 0; i < f->nask; i++) {
			uint16_t h = core__home(core, f->ask[i].page);

			if (h == home)
				sorted[n++] = f->ask[i];
			else if (h > home && h < next)
				next = h;
		}
	}
	if (sorted)
		memcpy(f->ask, sorted, f->nask * sizeof(*sorted));
}

void fetch__send(struct dsm_core *core)
{
	struct fetch *f = &core->fetch;
	struct core_entry *entries;
	struct core_msg msg;
	size_t i, k, n;
	uint16_t home;

	f->also = another_home(core);
	sort_by_home(core);
	for (i = 0; i < f->nask; i += n) {
		home = core__home(core, f->ask[i].page);
		for (n = 1; i + n < f->nask && n < CORE_MSG_PAGES; n++)
			if (core__home(core, f->ask[i + n].page) != home)
				break;
		entries = core__entries(core, n);
		if (!entries)
			break;
		memcpy(entries, &f->ask[i], n * sizeof(*entries));
		for (k = 0; k < n && !core->nomem; k++)
			fetch__find(core, entries[k].page)->home = home;
		msg = core__msg(core, CORE_MSG_FETCH, home, &core->attempt.party);
		msg.entries = entries;
		msg.npages = (uint32_t)n;
		core__send(core, &msg);
	}
	f->nask = 0;
}

/* ---- landing ---- */

static bool fits(const struct dsm_core *core, const struct core_msg *msg)
{
	bool self = msg->from == core->config.node;
	const struct core_entry *e;
	const struct flight *f;
	uint32_t i;

	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		f = fetch__find(core, e->page);
		if (!f || f->kept || f->home != msg->from || (e->flags & CORE_ENTRY_REFUSED && !f->ahead))
			return false;
		if (e->flags & CORE_ENTRY_MOVED && !migrate__may_be(core, e->page, e->version))
			return false;
		if (!self && !(e->flags & (CORE_ENTRY_REFUSED | CORE_ENTRY_LOST | CORE_ENTRY_MOVED)) &&
		    e->data == CORE_DATA_NONE && e->version != core->client[e->page].version &&
		    e->stamp >=
			    f->invalidated) /* else the page may have lived here since, and its bytes be newer */
			return false;
	}
	return true;
}

static bool serves(const struct dsm_core *core)
{
	return !core->attempt.doomed || core->fetch.pinned;
}

/* No copy, or an old one. Who waits for it asks again, and this time nobody may refuse. */
static void land_without(struct dsm_core *core, struct flight *f, bool refused)
{
	core->prefetch.stats.refused += refused;
	if (refused)
		prefetch__miss(core);
	if (!f->wanted || !serves(core) || core_mutant(refusal_final)) {
		end(core, f);
		return;
	}
	f->ahead = false;
	gather(core, f);
}

static void keep(struct dsm_core *core, const struct core_msg *msg, uint32_t i)
{
	uint32_t page = msg->entries[i].page;
	bool zombie = core->client[page].flags & CLIENT_ZOMBIE &&
		      !core_mutant(newer_into_frame); /* to be rebased (independent.c) */
	struct core_action *emit = core__store(core, msg, i, zombie);

	if (!emit)
		return;
	if (zombie)
		core->client[page].flags |= CLIENT_NEXT;
	emit->ahead = !fetch__find(core, page)->wanted;
}

/* With whom a page is lost, as this answer says; or NOBODY. */
static uint16_t lost_in(const struct dsm_core *core, const struct core_entry *e)
{
	uint16_t node = (uint16_t)e->version;

	if (e->flags & CORE_ENTRY_MOVED) {
		if (node == core->config.node)
			node = core__home(core, e->page);
		return core->lost[node] ? node : NOBODY;
	}
	return e->flags & CORE_ENTRY_LOST ? node : NOBODY;
}

/* The mutator has what it waited for. Of a page that is only thought to be written it has seen a read; if it is
 * alone, opening it for both saves the next fault, else nothing; and if it is not, because its owner used it, the
 * attempt came too early to tell whether the thought is right. */
static void open_landed(struct dsm_core *core, const struct flight *f)
{
	bool alone = core->client[f->page].state == CLIENT_EXCLUSIVE;
	uint32_t flags = f->guess && !alone ? 0 : TOUCH_FETCHED;

	if (f->guess)
		flags |= alone ? TOUCH_READ | TOUCH_STUCK : TOUCH_READ;
	client__open(core, f->page, f->write && (!f->guess || alone), flags);
}

/* A doomed attempt that cannot be unwound here is content with old data: if it had to ask again, others who
 * lock the page again and again could keep it waiting for ever. It is not a copy: it goes with the attempt.
 */
static void land(struct dsm_core *core, const struct core_msg *msg, uint32_t i)
{
	const struct core_entry *e = &msg->entries[i];
	struct client_page *cp = &core->client[e->page];
	struct flight *f = fetch__find(core, e->page);
	bool stale = e->stamp < f->invalidated && !core_mutant(stale_fetch) &&
		     !(core_mutant(ahead_stale) && f->ahead && !f->wanted);
	bool current = e->stamp >= f->recalled || core_mutant(stale_grant_of_page);

	if (e->flags & CORE_ENTRY_MOVED)
		migrate__learn(core, e->page, (uint16_t)e->version);
	if (lost_in(core, e) != NOBODY) {
		end(core, f);
		return;
	}
	if (e->flags & CORE_ENTRY_MOVED) {
		land_without(core, f, false);
		return;
	}
	if (stale && f->wanted && core->attempt.doomed && core->fetch.pinned &&
	    !migrate__here(core, e->page)) {
		keep(core, msg, i);
		cp->version = e->version;
		cp->flags |= CLIENT_ZOMBIE;
		open_landed(core, f);
		end(core, f);
		return;
	}
	if (stale || e->flags & CORE_ENTRY_REFUSED) {
		land_without(core, f, e->flags & CORE_ENTRY_REFUSED);
		return;
	}
	keep(core, msg, i);
	cp->version = e->version;
	cp->idle = 0;
	cp->state = e->flags & CORE_ENTRY_EXCLUSIVE && current ? CLIENT_EXCLUSIVE : CLIENT_SHARED;
	if (f->wanted && serves(core))
		open_landed(core, f);
	else if (core_mutant(ahead_open) && core->attempt.running)
		core__gather_rights(core, e->page, CORE_READ);
	else if (f->ahead)
		cp->flags |= CLIENT_AHEAD;
	end(core, f);
}

/* The mutator does not wait any more; what is on its way lands all the same. */
void fetch__unwant(struct dsm_core *core)
{
	size_t i;

	for (i = 0; i < core->fetch.nflights; i++)
		core->fetch.flights[i].wanted = false;
	core->fetch.wanted = 0;
}

/* Does the mutator wait for a word of this home? */
bool fetch__wants(const struct dsm_core *core, uint16_t home)
{
	const struct fetch *f = &core->fetch;
	size_t i;

	for (i = 0; i < f->nflights; i++)
		if (f->flights[i].wanted && !f->flights[i].landed && f->flights[i].home == home)
			return true;
	return false;
}

/* Nothing that this home was asked for will come. */
void fetch__lose(struct dsm_core *core, uint16_t home)
{
	struct fetch *f = &core->fetch;
	size_t i;

	for (i = 0; i < f->nflights && !core_mutant(lost_home_kept_waiting); i++)
		if (!f->flights[i].landed && f->flights[i].home == home)
			end(core, &f->flights[i]);
}

/* With whom something is lost that the mutator waits for, or NOBODY. */
static uint16_t find_loss(const struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_entry *e;
	const struct flight *f;
	uint32_t i;

	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		f = fetch__find(core, e->page);
		if (f && f->wanted && lost_in(core, e) != NOBODY)
			return lost_in(core, e);
	}
	return NOBODY;
}

/* Something has landed: does the mutator go on? */
static void go_on(struct dsm_core *core, uint16_t with)
{
	core__flush_rights(core);
	if (core->mutator != MUTATOR_FETCHES)
		return;
	if (!serves(core)) {
		fetch__unwant(core);
		attempt__abort(core);
	} else if (with != NOBODY) {
		loss__tell(core, with);
	} else if (!core->fetch.wanted && core->commit.rebasing) {
		if (core->commit.later)
			return;
		commit__again(core);
	} else if (!core->fetch.wanted || core_mutant(bulk_early)) {
		core->mutator = MUTATOR_RUNS;
		core->fault = CORE_FAULT_FETCH;
		core->verdict = VERDICT_RESUME;
	}
}

int fetch__on_page(struct dsm_core *core, const struct core_msg *msg)
{
	uint16_t with;
	uint32_t i;

	if (!fits(core, msg))
		return -EPROTO;
	with = find_loss(core, msg);
	for (i = 0; i < msg->npages; i++)
		land(core, msg, i);
	fetch__send(core);
	go_on(core, with);
	return 0;
}

void fetch__on_update(struct dsm_core *core, const struct core_msg *msg)
{
	uint16_t with = find_loss(core, msg);
	struct flight *f;
	uint32_t i;

	for (i = 0; i < msg->npages; i++) {
		f = fetch__find(core, msg->entries[i].page);
		if (!f || !f->kept || core->client[f->page].flags & CLIENT_KEPT)
			continue;
		if (f->wanted && serves(core) && !(msg->entries[i].flags & CORE_ENTRY_LOST))
			open_landed(core, f);
		end(core, f);
	}
	go_on(core, with);
}
