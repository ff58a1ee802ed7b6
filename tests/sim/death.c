/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * death.c - nodes that die: at any moment, also between two messages of one step.
 *
 * What a dying node had under way arrives up to some point, drawn for each channel, as a kernel delivers what
 * it still has. Each survivor hears of the death at a time of its own, after what arrives. A commit counts as
 * committed from the moment that it is decided, whoever lives to report it.
 */
#include "tests/sim/sim.h"

#include <inttypes.h>

#include "dsmcore/protocol/internal.h"

/* The same without transactions: while others wait for an answer, or have been told half. */
static void draw_sync(struct world *w, struct node *n)
{
	static const enum core_msg_type types[] = {
		CORE_MSG_ASK,	  CORE_MSG_COPY,   CORE_MSG_REVOKE, CORE_MSG_REVOKED, CORE_MSG_FLUSH,
		CORE_MSG_FLUSHED, CORE_MSG_SPREAD, CORE_MSG_SPREAD, CORE_MSG_SEEN,    CORE_MSG_ACQUIRE,
		CORE_MSG_GIVE,	  CORE_MSG_WANT,   CORE_MSG_BACK,   CORE_MSG_ARRIVE,  CORE_MSG_GO};
	enum core_msg_type type = types[rng__below(&w->wild, sizeof(types) / sizeof(types[0]))];
	uint32_t kind = rng__below(&w->wild, 10), countdown = rng__between(&w->wild, 1, 12);

	if (kind < 2)
		n->death = (struct death){DEATH_ACTION, 0, rng__between(&w->wild, 1, 500)};
	else
		n->death = (struct death){kind < 5   ? DEATH_SEND
					  : kind < 7 ? DEATH_WAIT
						     : DEATH_RECEIVE,
					  type, countdown};
}

/* Where a death hurts most: in the middle of a commit, as home of locked pages, with others waiting. */
static void draw_one(struct world *w, struct node *n)
{
	static const enum core_msg_type sent[] = {
		CORE_MSG_PUBLISH, CORE_MSG_PUBLISH, CORE_MSG_LOCK,	 CORE_MSG_LOCK,	 CORE_MSG_GRANT,
		CORE_MSG_GRANT,	  CORE_MSG_GRANT,   CORE_MSG_ACK,	 CORE_MSG_PAGE,	 CORE_MSG_CANCEL,
		CORE_MSG_FETCH,	  CORE_MSG_FETCH,   CORE_MSG_INVALIDATE, CORE_MSG_CLAIM, CORE_MSG_PASS,
		CORE_MSG_HAND,	  CORE_MSG_HAND,    CORE_MSG_TAKEN,	 CORE_MSG_MOVED};
	static const enum core_msg_type received[] = {
		CORE_MSG_GRANT,	 CORE_MSG_GRANT, CORE_MSG_FETCH, CORE_MSG_INVALIDATE, CORE_MSG_RECALL,
		CORE_MSG_LOCK,	 CORE_MSG_LOCK,	 CORE_MSG_ACK,	 CORE_MSG_PUBLISH,    CORE_MSG_EXCLUSIVE,
		CORE_MSG_CANCEL, CORE_MSG_GO,	 CORE_MSG_PAGE,	 CORE_MSG_TURN,	      CORE_MSG_CLAIM,
		CORE_MSG_HAND,	 CORE_MSG_TAKEN, CORE_MSG_MOVED};
	uint32_t kind = rng__below(&w->wild, 10);

	if (w->profile.relay && kind < 8) /* before it hears what became of its commit */
		n->death = (struct death){DEATH_WAIT, CORE_MSG_LOCK, rng__between(&w->wild, 3, 14)};
	else if (kind < 2)
		n->death = (struct death){DEATH_ACTION, 0, rng__between(&w->wild, 1, 500)};
	else if (kind < 4)
		n->death =
			(struct death){DEATH_WAIT, rng__chance(&w->wild, 60) ? CORE_MSG_FETCH : CORE_MSG_LOCK,
				       rng__between(&w->wild, 1, 10)};
	else if (kind < 7)
		n->death =
			(struct death){DEATH_SEND, sent[rng__below(&w->wild, sizeof(sent) / sizeof(sent[0]))],
				       rng__between(&w->wild, 1, 10)};
	else
		n->death = (struct death){
			DEATH_RECEIVE, received[rng__below(&w->wild, sizeof(received) / sizeof(received[0]))],
			rng__between(&w->wild, 1, 10)};
	if (n->death.kind == DEATH_SEND &&
	    n->death.type == CORE_MSG_PUBLISH) /* few commits have more than one */
		n->death.countdown = 1 + n->death.countdown % 3;
}

void death__draw(struct world *w)
{
	uint32_t left = w->profile.deaths;
	struct node *n;

	while (left) {
		n = &w->nodes[rng__below(&w->wild, w->profile.nodes)];
		if (n->death.kind != DEATH_NONE)
			continue;
		if (w->profile.world == WORLD_SYNC)
			draw_sync(w, n);
		else
			draw_one(w, n);
		left--;
	}
}

/* Of what is under way to this survivor, the rest is dropped. Returns when the last of it arrives. */
static uint64_t cut(struct world *w, uint16_t from, uint16_t to)
{
	const struct link *link = &w->links[(from * w->profile.nodes + to) * 2u];
	uint64_t last = w->now, until[2];
	uint32_t i, how;
	size_t k;

	for (i = 0; i < 2; i++) {
		how = rng__below(&w->wild, 4);
		until[i] = how == 0 || link[i].last <= w->now ? w->now
			   : how == 1			      ? link[i].last
				      : w->now + rng__next(&w->wild) % (link[i].last - w->now + 1);
	}
	for (k = 0; k < w->agenda.count; k++) {
		struct packet *p = w->agenda.heap[k].packet;
		if (!p || p->msg.from != from || p->msg.to != to)
			continue;
		p->dropped = w->agenda.heap[k].time > until[p->msg.channel];
		if (!p->dropped && w->agenda.heap[k].time > last)
			last = w->agenda.heap[k].time;
	}
	return last;
}

void death__now(struct world *w, struct node *n)
{
	uint16_t id = world__id(w, n), to;
	uint32_t wait;
	uint64_t at;

	if (w->verbose)
		printf("%8" PRIu64 "  node %u DIES\n", w->now, id);
	n->dead = true;
	w->totals->deaths++;
	w->last_progress = w->now;
	if (!n->done)
		w->running--;
	for (to = 0; to < w->profile.nodes; to++) {
		if (w->nodes[to].dead)
			continue;
		at = cut(w, id, to);
		wait = rng__below(&w->wild, w->profile.delay_max * (rng__chance(&w->wild, 10) ? 100 : 4));
		world__push(w, (struct due){.time = at + 1 + wait, .node = to, .what = DUE_LOSS + id});
	}
}

static bool counts_down(struct death *death)
{
	if (--death->countdown)
		return false;
	death->kind = DEATH_NONE;
	return true;
}

bool death__at_message(struct world *w, struct node *n, const struct core_msg *msg)
{
	if (n->death.kind != DEATH_RECEIVE || msg->type != n->death.type || !counts_down(&n->death))
		return false;
	death__now(w, n);
	return true;
}

static bool reports_commit(const struct core_action *a)
{
	return a->type == CORE_DO_EMIT && a->emit == CORE_EMIT_COMMIT;
}

/* This step commits, which was not reported yet. Another node has decided it, or a message that tells so of
 * what this one has decided has left. */
static bool half_committed(const struct node *n, const struct core_actions *actions, size_t at)
{
	bool commits = false;
	size_t i;

	for (i = 0; i < actions->count; i++) {
		if (i <= at && reports_commit(&actions->list[i]))
			return false;
		commits |= reports_commit(&actions->list[i]);
	}
	return commits && death__decided(n);
}

void death__sent(struct world *w, const struct core_msg *msg)
{
	uint16_t flags = msg->npages ? msg->entries[0].flags : 0;
	bool grant = msg->type == CORE_MSG_GRANT && flags & CORE_ENTRY_DECIDE;
	bool passed = msg->type == CORE_MSG_ACK && flags & CORE_ENTRY_DECIDE;
	bool update = msg->type == CORE_MSG_UPDATE && flags & CORE_ENTRY_UPDATE;

	if (grant || passed || update || msg->type == CORE_MSG_PUBLISH)
		w->nodes[msg->tx.node].decided = msg->tx;
}

bool death__decided(const struct node *n)
{
	return n->decided.number && core_party__same(&n->decided, &n->core->attempt.party);
}

void death__end(struct world *w)
{
	struct attempt *a;
	uint32_t i;

	for (i = 0; i < w->profile.nodes; i++) {
		a = &w->nodes[i].core->attempt;
		if (!w->nodes[i].dead || !a->running || !death__decided(&w->nodes[i]))
			continue;
		a->running = false; /* for core__touched(): it has ended, committed */
		check__history(w, &w->nodes[i], true);
	}
}

bool death__after_action(struct world *w, struct node *n, const struct core_actions *actions, size_t at)
{
	const struct core_action *a = &actions->list[at];
	bool late;

	if (n->death.kind != DEATH_ACTION && ((n->death.kind != DEATH_SEND && n->death.kind != DEATH_WAIT) ||
					      a->type != CORE_DO_SEND || a->msg.type != n->death.type))
		return false;
	late = n->death.kind == DEATH_WAIT;
	if (!counts_down(&n->death))
		return false;
	if (late) {
		world__push(w, (struct due){.time = w->now + rng__below(&w->wild, 3 * w->profile.delay_max),
					    .node = world__id(w, n),
					    .what = DUE_DEATH});
		return false;
	}
	if (half_committed(n, actions, at))
		check__history(w, n, true);
	death__now(w, n);
	return true;
}
