/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * update.c - copies that are brought up to date instead of being lost.
 *
 * An invalidated copy that is fetched again costs two messages more than one that gets the changes, and its
 * node waits for them. The home sees who comes back: a node that fetched a page again before its next version
 * was made, and did so update_after times in a row, is offered the changes of the next commits.
 *
 * Who is offered changes keeps its copy: it dooms its attempt if that depends on the page, as for any
 * INVALIDATE, and closes the page until it is told what became of the commit (UPDATE). If it is the only
 * one that is asked, nobody's answer but its own is open: then the home passes the decision on to it, with
 * the changes, and it goes on with the new version at once (holders.c). Nothing of a version is
 * anywhere visible before it is decided, and where a doomed attempt still sees the frame, it goes to NEXT.
 *
 * Whether a copy is used is known to its own node alone, and for nothing: by the fault that opens it, or by a
 * commit that changes it. An update without such a sign since the last one counts as idle. After some the
 * page is closed, so that its next use is seen; after some more it is given up, by dropping it like any
 * other. The home takes that for a reason to be slower in offering it again.
 */
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/internal.h"

/* ---- at the home: who comes back? ---- */

#define SCORE_MOST   15
#define SCORE_UNUSED (-4) /* of who gave up a copy that was updated for nothing */

static struct past *find_past(struct dir_page *d, uint16_t node)
{
	uint32_t i;

	for (i = 0; i < d->npast; i++)
		if (d->past[i].node == node)
			return &d->past[i];
	return NULL;
}

/* Only the low bits of a version are remembered. One so far back that they mislead costs an offer too many.
 */
#define PAST_VERSION 0x7ffu

/* By how many versions `now` is later than `then`. */
static int32_t later(uint64_t now, uint16_t then)
{
	uint32_t by = ((uint32_t)now - then) & PAST_VERSION;

	return by > PAST_VERSION / 2 ? (int32_t)by - (int32_t)PAST_VERSION - 1 : (int32_t)by;
}

/* Room for one more: who was lost by an earlier version and did not come back is forgotten. */
static struct past *new_past(struct dir_page *d, uint16_t version)
{
	uint32_t i;

	if (d->npast < PAST)
		return &d->past[d->npast++];
	for (i = 0; i < PAST; i++)
		if (d->past[i].version != version)
			return &d->past[i];
	return NULL;
}

/* The running commit has taken its copy away. */
void update__lost(struct dir_page *d, uint16_t node, bool unused)
{
	uint16_t version = (d->version + 1) & PAST_VERSION;
	struct past *p = find_past(d, node);

	if (!p) {
		p = new_past(d, version);
		if (!p)
			return;
		*p = (struct past){.node = node};
	}
	p->version = version & PAST_VERSION;
	if (unused)
		p->score = SCORE_UNUSED;
}

/* Gives a node a copy again. True if it shall get updates from now on. */
bool update__returns(struct dsm_core *core, uint32_t page, uint16_t node)
{
	struct dir_page *d = directory__find(core, page);
	struct past *p = find_past(d, node);
	struct core_action *emit;
	int32_t missed;

	if (!p || core->config.update_after == CORE_NEVER)
		return false;
	missed = later(d->version, p->version);
	if (missed > 0)
		p->score = p->score < 0 ? p->score : 0;
	else if (missed == 0 && p->score < SCORE_MOST) /* less: the commit that took it away has failed */
		p->score++;
	if (p->score < 0 || (uint32_t)p->score < core->config.update_after)
		return false;
	d->npast--;
	*p = d->past[d->npast];
	emit = core__emit(core, CORE_EMIT_ADOPT);
	emit->page = page;
	emit->node = node;
	return true;
}

/* ---- at the home: what became of a commit ---- */

static void send_part(struct dsm_core *core, const struct core_party *tx, const struct core_entry *pages,
		      const struct of_node *part, uint32_t n, uint16_t what)
{
	struct core_msg msg = core__msg(core, CORE_MSG_UPDATE, part->node, tx);
	struct core_entry *entries = core__entries(core, n), *e;
	uint32_t i;

	for (i = 0; entries && i < n; i++) {
		e = &entries[core_mutant(lock_order) && tx->node % 2 ? n - 1 - i : i];
		*e = (struct core_entry){.page = pages[part[i].index].page,
					 .version = pages[part[i].index].version};
		e->flags = what;
		if (what == CORE_ENTRY_LOST)
			e->version = tx->node;
		if (what != CORE_ENTRY_UPDATE || msg.to == core->config.node)
			continue;
		e->data = CORE_DATA_CHANGES;
		e->hold = pages[part[i].index].hold;
	}
	msg.entries = entries;
	msg.npages = n;
	if (entries)
		core__send(core, &msg);
}

/* Tells those who kept their copies of these pages what became of the commit: CORE_ENTRY_UPDATE: here are the
 * changes (the held ones, or this node's own); 0: it has failed, which goes to all who were offered to keep
 * theirs; CORE_ENTRY_LOST: nobody knows, its node is lost. */
void update__send(struct dsm_core *core, const struct core_party *tx, const struct core_entry *pages,
		  size_t npages, uint16_t what)
{
	bool committed = what == CORE_ENTRY_UPDATE;
	struct of_node *list = NULL;
	struct dir_page *d;
	struct dir_more *m;
	size_t n, i, j;

	n = home__collect(core, pages, npages, committed ? HOME_KEPT : HOME_TOLD, tx->node, &list);
	for (i = 0; i < n; i = j) {
		for (j = i + 1; j < n && list[j].node == list[i].node && j - i < CORE_MSG_PAGES;)
			j++;
		if (!core_mutant(update_not_sent) || !committed)
			if (!core_mutant(update_left_open) || committed)
				send_part(core, tx, pages, &list[i], (uint32_t)(j - i), what);
	}
	for (i = 0; i < npages && !committed; i++) {
		d = directory__find(core, pages[i].page);
		m = d && d->lock == tx->node ? directory__more(core, d) : NULL;
		if (!m)
			continue;
		copyset__clear(core, &m->told);
		copyset__clear(core, &m->kept);
		directory__tidy(core, d);
	}
	free(list);
}

/* Who has a copy of the version just made: the committer, and those who have kept theirs for it. */
void update__commit_holders(struct dsm_core *core, struct dir_page *d, uint16_t committer)
{
	struct dir_more *m = directory__more(core, d);
	bool updated = copyset__has(core, d->updated, committer);

	copyset__clear(core, &d->holders);
	copyset__clear(core, &d->updated);
	if (m) {
		d->holders = m->kept;
		d->updated = copyset__share(core, m->kept);
		m->kept = (struct copyset){0};
		copyset__clear(core, &m->told);
		directory__tidy(core, d);
		d->fresh = true;
	}
	if (core->lost[committer]) { /* it is the one that the decision was passed on to who has made it */
		copyset__remove(core, &d->holders, committer);
		copyset__remove(core, &d->updated, committer);
		return;
	}
	home__add_holder(core, d, committer);
	if (updated)
		copyset__add(core, &d->updated, committer);
}

/* ---- at the holder ---- */

static void take(struct dsm_core *core, const struct core_msg *msg, uint32_t entry)
{
	const struct core_entry *e = &msg->entries[entry];
	struct core_action *a;

	if (msg->from != core->config.node) { /* else it is the home itself, which stores what it decides */
		if (core_mutant(update_into_frame))
			a = core__do(core, CORE_DO_STORE, e->page);
		else
			a = client__store(core, e->page);
		a->entry = entry;
		a->hold = e->hold;
	}
	core->client[e->page].version = e->version + 1;
	a = core__emit(core, CORE_EMIT_UPDATE);
	a->page = e->page;
	a->version = e->version + 1;
	a->other = msg->tx;
	a->hold = e->hold;
}

static bool unused(struct client_page *cp)
{
	if (cp->idle && cp->idle < CORE_UPDATE_PROBE && cp->rights == CORE_NONE)
		cp->idle = CORE_UPDATE_PROBE;
	return ++cp->idle >= CORE_UPDATE_UNUSED && !core_mutant(update_unused);
}

/* An INVALIDATE: is this copy kept, or (if the decision is left to this node) updated? The attempt is doomed
 * already if it depends on the page. */
bool update__keep(struct dsm_core *core, const struct core_msg *msg, uint32_t entry)
{
	const struct core_entry *e = &msg->entries[entry];
	struct client_page *cp = &core->client[e->page];
	bool mapped = cp->rights != CORE_NONE;

	if (!(e->flags & CORE_ENTRY_UPDATE) || cp->state != CLIENT_SHARED || cp->version != e->version)
		return false;
	if (core->rumour[msg->tx.node] ||
	    unused(cp)) /* its node is lost: nobody decides its commits any more */
		return false;
	if (mapped && (core->attempt.running || core->ended)) /* with the version that it sees */
		attempt__touch(core, e->page, 0);
	if (mapped && core->attempt.running)
		cp->flags |= CLIENT_ZOMBIE;
	cp->clean = 0;
	retry__changed(core, e->page);
	migrate__learn(core, e->page, msg->from); /* who will tell more */
	if (e->flags & CORE_ENTRY_DECIDE) {
		take(core, msg, entry);
	} else if (!core_mutant(update_seen_early)) {
		cp->state = CLIENT_INVALID;
		cp->flags |= CLIENT_KEPT;
	}
	if (mapped && !core->attempt.running &&
	    (cp->state == CLIENT_INVALID || cp->idle >= CORE_UPDATE_PROBE))
		core__protect(core, e->page, CORE_NONE);
	return true;
}

/* Was it, just now? */
bool update__kept(const struct dsm_core *core, const struct core_msg *msg, uint32_t entry)
{
	const struct core_entry *e = &msg->entries[entry];
	const struct client_page *cp = &core->client[e->page];

	if (!(e->flags & CORE_ENTRY_UPDATE) || core->rumour[msg->tx.node])
		return false;
	if (e->flags & CORE_ENTRY_DECIDE)
		return cp->state == CLIENT_SHARED && cp->version == e->version + 1;
	return cp->flags & CLIENT_KEPT;
}

/* What became of the commit for which copies were kept. Those that were not (the home had not heard so) are
 * none of its business. */
int update__on_update(struct dsm_core *core, const struct core_msg *msg)
{
	struct client_page *cp;
	uint32_t i;

	for (i = 0; i < msg->npages; i++)
		if ((msg->entries[i].data != CORE_DATA_NONE) !=
		    (msg->entries[i].flags == CORE_ENTRY_UPDATE && msg->from != core->config.node))
			return -EPROTO;
	if (doubt__over(core, msg))
		return 0;
	for (i = 0; i < msg->npages; i++) {
		cp = &core->client[msg->entries[i].page];
		if (!(cp->flags & CLIENT_KEPT) || core__home(core, msg->entries[i].page) != msg->from)
			continue; /* an old home's UPDATE may come late, to who had not kept its copy then */
		cp->flags &= (uint8_t)~CLIENT_KEPT;
		if (msg->entries[i].flags & CORE_ENTRY_LOST) {
			cp->flags &= (uint8_t)~CLIENT_AHEAD;
			continue;
		}
		cp->state = CLIENT_SHARED;
		if (msg->entries[i].flags)
			take(core, msg, i);
	}
	fetch__on_update(core, msg);
	return 0;
}

static void lose_kept(struct dsm_core *core, uint32_t page)
{
	if (core->client[page].flags & CLIENT_KEPT && !core_mutant(lost_home_kept_waiting))
		core->client[page].flags &= (uint8_t) ~(CLIENT_KEPT | CLIENT_AHEAD);
}

/* A home is no more: nobody will say what became of the commits for which copies of its pages were kept. */
void update__lose(struct dsm_core *core, uint16_t home)
{
	uint64_t page = (uint64_t)home * core->config.pages_per_home;
	size_t i;

	for (; page < core->config.pages && core__birth(core, (uint32_t)page) == home; page++)
		if (core__home(core, (uint32_t)page) == home)
			lose_kept(core, (uint32_t)page);
	for (i = 0; i < core->homes.cap; i++)
		if (core->homes.list[i].used && core->homes.list[i].home == home)
			lose_kept(core, core->homes.list[i].page);
}
