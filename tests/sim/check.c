/* SPDX-License-Identifier: BSD-2-Clause */
/* check.c - what must hold at each abort, at any time, and when all is at rest. */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SHARE_LEAST 16u /* of the fastest one's transactions, at least one in so many */

#include "dsmcore/protocol/internal.h"

/* ---- aborts ---- */

/* An attempt with priority loses only to an older one with priority; and no two kill each other. */
void check__abort(struct world *w, struct node *n, const struct core_action *emit)
{
	uint32_t i;
	const struct node *winner = &w->nodes[emit->other.node];

	w->totals->conflicts += emit->cause == CORE_CAUSE_CONFLICT;
	w->totals->priorities += emit->cause == CORE_CAUSE_PRIORITY;
	w->totals->cancels += emit->cause == CORE_CAUSE_CANCEL;
	n->refused = emit->cause == CORE_CAUSE_PRIORITY || emit->cause == CORE_CAUSE_IRREVOCABLE;
	if (death__decided(n))
		world__fail(w, FAIL_INVARIANT, "node %u: its commit was decided, and is undone",
			    world__id(w, n));
	if (emit->cause == CORE_CAUSE_CANCEL || emit->cause == CORE_CAUSE_LOSS)
		return;
	if (!emit->other.number || !emit->nmeetings)
		world__fail(w, FAIL_INVARIANT, "node %u: an abort without winner or meeting",
			    world__id(w, n));
	if (emit->party.birth && (!emit->other.birth || !core_party__older(&emit->other, &emit->party)))
		world__fail(w, FAIL_INVARIANT,
			    "node %u: an attempt with priority lost to node %u, which has less",
			    world__id(w, n), emit->other.node);
	for (i = 0; i < RECENT; i++)
		if (winner->recent[i].loser.number &&
		    core_party__same(&winner->recent[i].loser, &emit->other) &&
		    core_party__same(&winner->recent[i].winner, &emit->party))
			world__fail(w, FAIL_INVARIANT, "nodes %u and %u: two attempts killed each other",
				    world__id(w, n), emit->other.node);
	n->recent[n->nrecent++ % RECENT] = (struct recent){.loser = emit->party, .winner = emit->other};
}

/* Nobody starves: node 0's long transaction, against neighbours that never stop writing what it reads, is
 * done in the time that each of its steps would take if all nodes went before it once. */
void check__duration(struct world *w, const struct node *n)
{
	double allowed = (double)w->worst * w->profile.nodes * (n->nops + 1), share;

	if (!w->profile.starve || n != w->nodes)
		return;
	share = (double)(w->now - n->first_begin) / allowed;
	if (share > w->totals->longest)
		w->totals->longest = share;
	if (share > 1)
		world__fail(w, FAIL_PROGRESS, "node 0: starved: its transaction took %.1f times what it may",
			    share);
}

/* Who wants the same page as all others gets it, as often as not much less. Links differ by a factor of 20, so
 * equal shares would be luck; a share of next to nothing is what must not be. The first to be done tells. */
void check__shares(struct world *w, const struct node *first)
{
	uint32_t least = w->profile.transactions / SHARE_LEAST, done;
	const struct node *n;

	if (!w->profile.fair || first == w->nodes)
		return;
	for (n = w->nodes + 1; n < w->nodes + w->profile.nodes; n++) {
		if (n->done)
			return; /* this is not the first */
	}
	for (n = w->nodes + 1; n < w->nodes + w->profile.nodes; n++) {
		done = w->profile.transactions - n->left - n->in_tx;
		if (done < least)
			world__fail(w, FAIL_PROGRESS,
				    "node %u has done %u transactions on the hot page, another one %u",
				    world__id(w, n), done, w->profile.transactions);
	}
}

/* ---- at any time ---- */

/* Lent by its owner, who does not write it until it has been returned (check_sync__rights()). */
static bool is_lent(const struct world *w, uint32_t page, uint16_t node)
{
	uint32_t i;

	if (!w->profile.sync || !(w->nodes[node].core->client[page].flags & CLIENT_LENT))
		return false;
	for (i = 0; i < w->profile.nodes; i++)
		if (i != node && !w->nodes[i].dead && sc_lend__to(w->nodes[i].core, page, node))
			return true;
	return false;
}

/* It may commit the page alone. Not if it has asked the home for it: then it was told that it is alone since, and others may
 * have been given what the home has decided. */
static bool is_alone(const struct dsm_core *core, uint32_t page)
{
	return core->client[page].state == CLIENT_EXCLUSIVE &&
	       !(core->mutator == MUTATOR_COMMITS && attempt__flags(core, page) & TOUCH_LOCKED);
}

void check__exclusivity(struct world *w)
{
	uint32_t page, i, exclusive, copies;

	for (page = 0; page < w->profile.pages && w->profile.nodes * w->profile.pages < 512; page++) {
		exclusive = copies = 0;
		for (i = 0; i < w->profile.nodes; i++) {
			if (w->nodes[i].dead)
				continue;
			exclusive += is_alone(w->nodes[i].core, page);
			copies += w->nodes[i].core->client[page].state != CLIENT_INVALID &&
				  !is_lent(w, page, (uint16_t)i);
		}
		if (exclusive && copies > 1)
			world__fail(w, FAIL_INVARIANT, "page %u is exclusive on one node, and %u hold it",
				    page, copies);
	}
}

/* A page that stays writable between transactions is exclusive and has a twin; while no attempt runs, the
 * twin has its bytes. There are not too many, and each was changed not long ago. */
void check__sticky(struct world *w, const struct node *n)
{
	const struct dsm_core *core = n->core;
	const struct client_page *cp;
	const struct memory *m;
	uint32_t i;

	if (core->nsticky > core->config.sticky_max)
		world__fail(w, FAIL_INVARIANT, "node %u: %u pages stay writable", world__id(w, n),
			    core->nsticky);
	for (i = 0; i < core->nsticky; i++) {
		cp = &core->client[core->sticky[i]];
		m = &n->memory[core->sticky[i]];
		if (cp->state != CLIENT_EXCLUSIVE || !(cp->flags & CLIENT_STICKY) ||
		    !(cp->flags & CLIENT_DIRTY) || !m->has_twin || m->rights != CORE_WRITE)
			world__fail(w, FAIL_INVARIANT,
				    "node %u: page %u stays writable, but is not exclusive with a twin",
				    world__id(w, n), core->sticky[i]);
		if (!core->attempt.running && memcmp(m->frame, m->twin, PAGE_BYTES) != 0)
			world__fail(w, FAIL_INVARIANT,
				    "node %u: page %u stays writable, and its twin is not what is committed",
				    world__id(w, n), core->sticky[i]);
		if (core->commits - cp->wrote >= core->config.sticky_clean)
			world__fail(w, FAIL_INVARIANT,
				    "node %u: page %u stays writable, but has not changed for %u commits",
				    world__id(w, n), core->sticky[i], core->commits - cp->wrote);
	}
}

void check__sole(struct world *w, struct node *n)
{
	const struct turns *turns = &w->nodes[0].core->turns;
	uint32_t i;

	for (i = 0; i < w->profile.nodes; i++)
		if (w->nodes[i].sole && !w->nodes[i].dead && &w->nodes[i] != n)
			world__fail(w, FAIL_INVARIANT, "nodes %u and %u are irrevocable", i, world__id(w, n));
	if (!w->nodes[0].dead && (!turns->busy || turns->now.node != world__id(w, n) ||
				  turns->now.number != n->core->claim.number))
		world__fail(w, FAIL_INVARIANT, "node %u is irrevocable, and it is not its turn",
			    world__id(w, n));
	w->totals->soles += !n->sole;
	n->sole = true;
}

/* Where a page lives when all is at rest: where it was born, or where its birth home has sent it. */
static struct node *home_of(const struct world *w, uint32_t page)
{
	struct node *birth = &w->nodes[core__birth(w->nodes[0].core, page)];
	uint32_t i;

	for (i = 0; i < w->profile.nodes; i++)
		if (!w->nodes[i].dead && core__home(w->nodes[i].core, page) == i)
			return &w->nodes[i];
	return birth->dead ? birth : &w->nodes[core__home(birth->core, page)];
}

/* False when it is lost, with a node. */
static bool committed_version(const struct world *w, uint32_t page, uint64_t *version)
{
	const struct node *home = home_of(w, page);
	const struct dir_page *d = directory__find(home->core, page);

	*version = d ? d->version : 0;
	if (home->dead || (d && loss__of_page(home->core, d) != NOBODY))
		return false;
	if (d && d->owner != NOBODY)
		*version = w->nodes[d->owner].core->client[page].version;
	return true;
}

void check__waits(struct world *w)
{
	const struct node *n;
	uint64_t version;
	uint32_t i, page;

	for (n = w->nodes; n < w->nodes + w->profile.nodes; n++)
		for (i = 0; i < n->nseen && n->waits && !n->dead; i++) {
			page = n->seen[i];
			if (committed_version(w, page, &version) && n->views[page].version != version)
				world__fail(
					w, FAIL_INVARIANT,
					"node %u waits for a change, and was not told that page %u has one",
					world__id(w, n), page);
		}
}

void check__ahead(struct world *w, const struct node *n, const struct core_msg *msg)
{
	uint32_t i, ahead = 0;

	for (i = 0; i < msg->npages && (msg->type == CORE_MSG_FETCH || msg->type == CORE_MSG_ASK); i++)
		ahead += !!(msg->entries[i].flags & CORE_ENTRY_AHEAD);
	if (ahead > n->core->config.prefetch_max)
		world__fail(w, FAIL_INVARIANT, "node %u: %u pages asked for ahead of their use",
			    world__id(w, n), ahead);
}

/* Does it matter to its receiver? (An UPDATE that says that a commit has failed does not, to who has kept nothing.) */
static bool matters(const struct world *w, const struct core_msg *m, uint32_t page)
{
	uint32_t i;

	for (i = 0; i < m->npages; i++)
		if (m->entries[i].page == page)
			return m->type != CORE_MSG_UPDATE ||
			       w->nodes[m->to].core->client[page].flags & CLIENT_KEPT;
	return false;
}

/* An entry leaves its home: of what that has ever said to holders of the page nothing is under way any more. */
void check__hand(struct world *w, const struct core_msg *msg)
{
	const struct core_msg *m;
	uint32_t i;
	size_t k;

	for (k = 0; k < w->agenda.count && msg->type == CORE_MSG_HAND; k++) {
		m = w->agenda.heap[k].packet ? &w->agenda.heap[k].packet->msg : NULL;
		if (!m || m->from != msg->from ||
		    (m->type != CORE_MSG_INVALIDATE && m->type != CORE_MSG_RECALL &&
		     m->type != CORE_MSG_UPDATE && (m->type != CORE_MSG_EXCLUSIVE || m->to == msg->to)))
			continue;
		for (i = 0; i < msg->npages; i++)
			if (matters(w, m, msg->entries[i].page))
				world__fail(
					w, FAIL_INVARIANT,
					"page %u: its home moves to node %u while its %s to node %u flies",
					msg->entries[i].page, msg->to, core_msg__name(m->type), m->to);
	}
}

/* ---- at rest ---- */

static void check_client_page(struct world *w, struct node *n, uint32_t page, const struct dir_page *d)
{
	const struct client_page *cp = &n->core->client[page];
	const struct memory *m = &n->memory[page];
	uint16_t id = world__id(w, n);
	uint64_t version = d ? d->version : 0;
	bool flies = cp->flags & CLIENT_FLIES || n->core->fetch.wanted;
	bool owner = d && d->owner == id, sticky = cp->flags & CLIENT_STICKY; /* check__sticky() */

	if (cp->flags & (CLIENT_NEXT | CLIENT_ZOMBIE | CLIENT_KEPT) || m->has_next ||
	    (!sticky && (cp->flags & CLIENT_DIRTY || m->has_twin)))
		world__fail(w, FAIL_INVARIANT, "node %u: page %u is left with a twin or a newer version", id,
			    page);
	if (flies)
		world__fail(w, FAIL_INVARIANT, "node %u: page %u is left on its way", id, page);
	if (cp->flags & CLIENT_AHEAD && !(cp->flags & CLIENT_KEPT) &&
	    (cp->state == CLIENT_INVALID || m->rights != CORE_NONE))
		world__fail(w, FAIL_INVARIANT, "node %u: page %u is lost or open, and was never used", id,
			    page);
	if (m->rights != (enum core_rights)cp->rights || (m->rights == CORE_WRITE) != sticky)
		world__fail(w, FAIL_INVARIANT, "node %u: page %u has rights %d, the core says %d", id, page,
			    m->rights, cp->rights);
	if (m->rights != CORE_NONE && cp->state == CLIENT_INVALID)
		world__fail(w, FAIL_INVARIANT, "node %u: page %u is mapped, but invalid", id, page);
	if (home_of(w, page)->dead)
		return; /* check_orphan() */
	if ((cp->state == CLIENT_EXCLUSIVE) != owner)
		world__fail(w, FAIL_INVARIANT, "node %u: page %u: client and directory disagree on the owner",
			    id, page);
	if (cp->state != CLIENT_INVALID && !(d && home__holds(home_of(w, page)->core, d, id)))
		world__fail(w, FAIL_INVARIANT, "node %u: page %u: a copy that the directory does not know",
			    id, page);
	if (cp->idle > CORE_UPDATE_UNUSED)
		world__fail(w, FAIL_INVARIANT, "node %u: page %u was updated %u times for nothing", id, page,
			    cp->idle);
	if (cp->state == CLIENT_SHARED && cp->version != version)
		world__fail(w, FAIL_INVARIANT,
			    "node %u: page %u: a copy of version %" PRIu64 ", but %" PRIu64 " is current", id,
			    page, cp->version, version);
}

/* A page whose home has died: the copies that are left agree, and an exclusive one is alone. */
static void check_orphan(struct world *w, uint32_t page)
{
	const struct node *first = NULL;
	const struct client_page *cp;
	uint32_t i, copies = 0, exclusive = 0;

	for (i = 0; i < w->profile.nodes; i++) {
		cp = &w->nodes[i].core->client[page];
		if (w->nodes[i].dead || cp->state == CLIENT_INVALID)
			continue;
		copies++;
		exclusive += cp->state == CLIENT_EXCLUSIVE;
		if (first && first->core->client[page].version != cp->version)
			world__fail(w, FAIL_INVARIANT,
				    "page %u: copies of two versions, and its home is dead", page);
		first = &w->nodes[i];
	}
	if (exclusive && copies > 1)
		world__fail(w, FAIL_INVARIANT, "page %u: exclusive, with other copies, and its home is dead",
			    page);
}

/* A page that its living home calls lost: for a reason, and nobody has a copy. */
static void check_lost_page(struct world *w, const struct node *home, uint32_t page, const struct dir_page *d)
{
	const struct home_tx *t = d->lock != NOBODY ? home->core->tx[d->lock] : NULL;
	size_t waiters;
	uint32_t i;

	w->totals->lost_pages++;
	home__queue(home->core, d, &waiters);
	if (waiters)
		world__fail(w, FAIL_INVARIANT, "page %u is lost, and its home is left with a queue", page);
	if (t && (!w->nodes[d->lock].dead || !t->active || t->chunk < t->npages))
		world__fail(w, FAIL_INVARIANT, "page %u is kept locked without a reason", page);
	if (!t && !w->nodes[d->owner].dead)
		world__fail(w, FAIL_INVARIANT, "page %u: its owner lives, but the page is called lost", page);
	for (i = 0; i < w->profile.nodes; i++)
		if (!w->nodes[i].dead && w->nodes[i].core->client[page].state != CLIENT_INVALID)
			world__fail(w, FAIL_INVARIANT, "page %u is lost, but node %u has a copy", page, i);
}

uint32_t check__owned(const struct node *home, uint16_t node)
{
	const struct dir_page *d;
	uint32_t next = 0, n = 0;

	while ((d = directory__next(home->core, &next)))
		n += d->owner == node;
	return n;
}

void check__forgotten(struct world *w, const struct node *home, uint16_t dead, uint32_t owned)
{
	const struct dsm_core *core = home->core;
	const struct waiter *queue;
	const struct dir_page *d;
	uint32_t next = 0;
	size_t k, n;

	if (check__owned(home, dead) > owned)
		world__fail(w, FAIL_INVARIANT, "node %u: a page is given to node %u, which is dead",
			    world__id(w, home), dead);
	while ((d = directory__next(core, &next))) {
		queue = home__queue(core, d, &n);
		for (k = 0; k < n; k++)
			if (queue[k].node == dead)
				world__fail(w, FAIL_INVARIANT, "page %u: node %u is dead, but in its queue",
					    next - 1, dead);
		if (migrate__moving(core, d) == dead)
			world__fail(w, FAIL_INVARIANT, "page %u: node %u is dead, but is to become its home",
				    next - 1, dead);
		if (home__recalled(core, d) == dead)
			world__fail(w, FAIL_INVARIANT, "page %u: node %u is dead, but owes an answer",
				    next - 1, dead);
		if (home__holds(core, d, dead) && loss__of_page(core, d) == NOBODY)
			world__fail(w, FAIL_INVARIANT, "page %u: node %u is dead, but in its copyset",
				    next - 1, dead);
	}
}

static bool is_lost(const struct node *home, const struct dir_page *d)
{
	return d && loss__of_page(home->core, d) != NOBODY;
}

/* Nothing that is there for a while only is left, and what is left agrees. */
static void check_entry(struct world *w, const struct node *home, uint32_t page, const struct dir_page *d)
{
	uint32_t i, n = copyset__count(home->core, d->holders);
	uint16_t node;

	if (d->lock != NOBODY || d->more)
		world__fail(w, FAIL_INVARIANT,
			    "page %u: its home is left with a lock, a recall, a queue or an offer", page);
	for (i = 0; i < n; i++) {
		node = copyset__node(home->core, d->holders, i);
		if (w->nodes[node].dead)
			world__fail(w, FAIL_INVARIANT, "page %u: node %u is dead, but in its copyset", page,
				    node);
	}
	for (i = 0; i < copyset__count(home->core, d->updated); i++)
		if (!home__holds(home->core, d, copyset__node(home->core, d->updated, i)))
			world__fail(w, FAIL_INVARIANT, "page %u: updates for who has no copy", page);
	if (d->owner != NOBODY && n != 1)
		world__fail(w, FAIL_INVARIANT, "page %u: an owner, and %u holders", page, n);
}

static void check_home_page(struct world *w, struct node *home, uint32_t page)
{
	const struct dir_page *d = directory__find(home->core, page);
	uint32_t i, homes = 0;

	for (i = 0; i < w->profile.nodes; i++)
		homes += !w->nodes[i].dead && core__home(w->nodes[i].core, page) == i;
	if (homes > 1)
		world__fail(w, FAIL_INVARIANT, "page %u has %u homes", page, homes);
	if (d && !home->dead && migrate__moving(home->core, d) != NOBODY)
		world__fail(w, FAIL_INVARIANT, "page %u: its home never finished moving", page);
	if (home->dead)
		check_orphan(w, page);
	else if (is_lost(home, d))
		check_lost_page(w, home, page, d);
	else if (d)
		check_entry(w, home, page, d);
	for (i = 0; i < w->profile.nodes && !is_lost(home, d); i++)
		if (!w->nodes[i].dead)
			check_client_page(w, &w->nodes[i], page, d);
}

/* The last committed bytes must be where the directory says, and every copy must have them. */
static void check_last(void *arg, uint64_t page, uint64_t version, uint64_t hash)
{
	struct world *w = arg;
	struct node *home = home_of(w, (uint32_t)page);
	const struct dir_page *d = directory__find(home->core, (uint32_t)page);
	uint32_t i;

	for (i = 0; i < w->profile.nodes && d; i++) {
		struct node *n = &w->nodes[i];
		const struct client_page *cp = &n->core->client[page];
		bool holds =
			cp->state != CLIENT_INVALID || (n == home && d->owner == NOBODY && !is_lost(home, d));
		if (!holds || n->dead)
			continue;
		if (cp->state != CLIENT_INVALID && cp->version != version)
			world__fail(w, FAIL_INVARIANT,
				    "page %" PRIu64 ": node %u ends with version %" PRIu64
				    ", the last is %" PRIu64,
				    page, i, cp->version, version);
		if (port__hash(n->memory[page].frame) != hash)
			world__fail(w, FAIL_INVARIANT,
				    "page %" PRIu64
				    ": node %u does not end with the bytes of version %" PRIu64,
				    page, i, version);
	}
}

void check__stuck(struct world *w)
{
	char list[200] = "";
	uint32_t i;
	size_t len;

	for (i = 0; i < w->profile.nodes; i++) {
		len = strlen(list);
		if (!w->nodes[i].done && len < sizeof(list) - 24)
			snprintf(list + len, sizeof(list) - len, " %u (%s)", i,
				 w->nodes[i].core->mutator == MUTATOR_FETCHES	 ? "fetch"
				 : w->nodes[i].core->mutator == MUTATOR_COMMITS	 ? "commit"
				 : w->nodes[i].core->mutator == MUTATOR_BARRIER	 ? "barrier"
				 : w->nodes[i].core->mutator == MUTATOR_CLAIMS	 ? "claim"
				 : w->nodes[i].core->mutator == MUTATOR_ASKS	 ? "copy"
				 : w->nodes[i].core->mutator == MUTATOR_ACQUIRES ? "lock"
										 : "runs");
	}
	world__fail(w, FAIL_PROGRESS, "deadlock: nothing is under way, but these nodes wait:%s", list);
}

void check__end(struct world *w)
{
	uint32_t page, i, k;

	death__end(w);
	check__whole_history(w);
	if (w->running) {
		check__stuck(w);
		return;
	}
	for (i = 0; i < w->profile.nodes; i++)
		for (k = 0; k < w->profile.nodes; k++)
			if (!w->nodes[i].dead && !w->nodes[k].dead && w->nodes[i].core->tx[k] &&
			    w->nodes[i].core->tx[k]->active)
				world__fail(w, FAIL_INVARIANT,
					    "node %u: a transaction of node %u is left over", i, k);
	for (i = 0; i < w->profile.nodes; i++)
		for (k = 0; k < w->nodes[i].nheld; k++)
			if (w->nodes[i].held[k].used && !w->nodes[i].dead)
				world__fail(w, FAIL_INVARIANT, "node %u: changes are kept for ever", i);
	for (i = 0; i < w->profile.nodes; i++)
		if (!w->nodes[i].dead && (w->nodes[i].core->claim.active || w->nodes[i].core->turns.busy))
			world__fail(w, FAIL_INVARIANT, "node %u: a claim or a turn is left over", i);
	for (page = 0; page < w->profile.pages; page++)
		check_home_page(w, home_of(w, page), page);
	verify__last(w->history, check_last, w);
}
