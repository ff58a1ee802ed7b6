/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * claim.c - attempts that cannot be aborted any more, one at a time in the cluster; and attempts that wait.
 *
 * Whoever wants to become irrevocable CLAIMs it at node 0, which gives TURNs in the order of the claims, and
 * gets a PASS when the transaction is over. With its TURN the attempt has a birth that is older than every
 * other's, so by the order of rank.c nobody's commit can doom it, and its own commit beats them all: nothing
 * else is needed, and the two rules that keep commits from waiting in a circle hold for it as for others.
 *
 * Until the TURN comes the attempt is like any other: it may be doomed while it waits, and runs again. Its
 * claim stays in the queue meanwhile. If the TURN comes then, the attempt has the rank at once, wherever it
 * is, if it is not doomed: others wait for their turns, with pages that they do not give to anybody of less
 * rank, so whoever has the turn must not be kept from going on. Only a commit is finished with the rank that
 * its messages carry; if it fails, the next attempt has the new rank from its begin.
 *
 * A transaction that waits for a change (RETRY) gives its claim back: what it waits for may need it.
 *
 * When node 0 is lost nobody gets a turn any more: who waits for one, or asks for one later, is told so.
 *
 * RETRY. The attempt is undone, but the list of what it touched stays, and so do its copies: this node is in
 * the copyset of each, so an INVALIDATE tells when one changes. A page that was mapped without having been
 * touched may have been read as well.
 */
#include <string.h>

#include "dsmcore/protocol/internal.h"

static void send(struct dsm_core *core, enum core_msg_type type, uint16_t to, uint64_t number)
{
	struct core_msg msg = core__msg(core, type, to, NULL);

	msg.number = number;
	core__send(core, &msg);
}

/* ---- the one who claims ---- */

static void take_rank(struct dsm_core *core)
{
	struct attempt *a = &core->attempt;

	if (a->running && !a->doomed && !a->committing && !core_mutant(irrevocable_outranked))
		a->party.birth = CORE_BIRTH_IRREVOCABLE;
}

int claim__enter(struct dsm_core *core)
{
	struct claim *c = &core->claim;

	if (!core->attempt.running || core->attempt.independent)
		return -EINVAL;
	if (core->attempt.doomed) {
		attempt__abort(core);
		return 0;
	}
	if (c->granted) {
		core->attempt.sole = true;
		core->verdict = VERDICT_RESUME;
		return 0;
	}
	if (core->lost[0]) {
		loss__tell(core, 0);
		return 0;
	}
	core->mutator = MUTATOR_CLAIMS;
	if (c->active)
		return 0;
	c->active = true;
	send(core, CORE_MSG_CLAIM, 0, ++c->number);
	return 0;
}

int claim__on_turn(struct dsm_core *core, const struct core_msg *msg)
{
	struct claim *c = &core->claim;

	if (msg->from != 0)
		return -EPROTO;
	if (!c->active || (msg->number != c->number && !core_mutant(stale_turn)))
		return 0; /* it was given back before the TURN came */
	if (c->granted)
		return core_mutant(stale_turn) ? 0 : -EPROTO;
	c->granted = true;
	take_rank(core);
	if (core->mutator == MUTATOR_CLAIMS) {
		core->attempt.sole = true;
		core->mutator = MUTATOR_RUNS;
		core->verdict = VERDICT_RESUME;
	}
	return 0;
}

void claim__end(struct dsm_core *core)
{
	struct claim *c = &core->claim;

	if (c->active && !core_mutant(claim_kept))
		send(core, CORE_MSG_PASS, 0, c->number);
	c->active = c->granted = false;
}

/* ---- node 0 ---- */

static void next_turn(struct dsm_core *core)
{
	struct turns *t = &core->turns;

	t->busy = t->nqueue > 0;
	if (!t->busy)
		return;
	t->now = t->queue[0];
	memmove(t->queue, t->queue + 1, --t->nqueue * sizeof(*t->queue));
	send(core, CORE_MSG_TURN, t->now.node, t->now.number);
}

static size_t find_claimant(const struct turns *t, uint16_t node)
{
	size_t i = 0;

	while (i < t->nqueue && t->queue[i].node != node)
		i++;
	return i;
}

int claim__on_claim(struct dsm_core *core, const struct core_msg *msg)
{
	struct turns *t = &core->turns;

	if (core->config.node != 0 || find_claimant(t, msg->from) < t->nqueue ||
	    (t->busy && t->now.node == msg->from))
		return core_mutant(claim_kept) || core_mutant(two_turns) ? 0 : -EPROTO;
	if (!core__grow(core, &t->queue, &t->queue_cap, t->nqueue + 1, sizeof(*t->queue)))
		return 0;
	t->queue[t->nqueue++] = (struct claimant){.node = msg->from, .number = msg->number};
	if (!t->busy || core_mutant(two_turns))
		next_turn(core);
	return 0;
}

int claim__on_pass(struct dsm_core *core, const struct core_msg *msg)
{
	struct turns *t = &core->turns;
	size_t i = find_claimant(t, msg->from);

	if (core->config.node != 0)
		return -EPROTO;
	if (t->busy && t->now.node == msg->from && t->now.number == msg->number) {
		next_turn(core);
		return 0;
	}
	if (i == t->nqueue || t->queue[i].number != msg->number)
		return core_mutant(two_turns) ? 0 : -EPROTO;
	t->nqueue--;
	memmove(&t->queue[i], &t->queue[i + 1], (t->nqueue - i) * sizeof(*t->queue));
	return 0;
}

void claim__lose(struct dsm_core *core, uint16_t node)
{
	struct turns *t = &core->turns;
	size_t i = find_claimant(t, node);

	if (core_mutant(lost_turn_kept))
		return;
	if (i < t->nqueue) {
		t->nqueue--;
		memmove(&t->queue[i], &t->queue[i + 1], (t->nqueue - i) * sizeof(*t->queue));
	}
	if (t->busy && t->now.node == node)
		next_turn(core);
}

/* ---- waiting for a change ---- */

int retry__begin(struct dsm_core *core)
{
	struct attempt *a = &core->attempt;
	bool doomed = a->doomed;
	uint16_t lost_with;

	if (!a->running || a->sole || a->independent)
		return -EINVAL;
	if (!doomed) {
		memset(&a->winner, 0, sizeof(a->winner));
		a->nmeetings = 0;
		a->cause = CORE_CAUSE_CANCEL;
	}
	attempt__abort(core);
	a->retry = true;
	if (doomed) /* something has changed already */
		return 0;
	claim__end(core);
	core->verdict = VERDICT_NONE;
	core->mutator = MUTATOR_RETRIES;
	lost_with = retry__hopeless(core, NOBODY);
	if (lost_with != NOBODY)
		loss__tell(core, lost_with);
	return 0;
}

uint16_t retry__hopeless(const struct dsm_core *core, uint16_t dying)
{
	const struct attempt *a = &core->attempt;
	uint16_t node, home, left = 0, lost = dying;
	size_t i;

	for (node = 0; node < core->config.nodes; node++)
		if (core->lost[node])
			lost = node;
		else
			left += node != dying;
	if (lost == NOBODY || left == 1)
		return lost;
	for (i = 0; i < a->ntouches; i++) {
		home = core__home(core, a->touches[i].page);
		if (home == dying || core->lost[home])
			return home;
		/* Its birth home may have got it back, without a word to us. */
		home = core__birth(core, a->touches[i].page);
		if (home == dying || core->lost[home])
			return home;
	}
	return NOBODY;
}

void retry__changed(struct dsm_core *core, uint32_t page)
{
	const struct client_page *cp = &core->client[page];

	if (core->mutator != MUTATOR_RETRIES || (cp->rights == CORE_NONE && !cp->slot))
		return;
	if (core_mutant(retry_deaf) && !cp->slot)
		return;
	retry__end(core);
}

void retry__end(struct dsm_core *core)
{
	core->mutator = MUTATOR_RUNS;
	core->verdict = VERDICT_ABORT;
}
