/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * barrier.c - all nodes meet; node 0 counts.
 *
 * Transactions. Every commit that was decided before a node arrived is visible to all when the barrier opens, without
 * anything being sent for it here: its INVALIDATEs were answered before its decision, and a fetch of a
 * page whose PUBLISH is still on its way waits at the home.
 *
 * Release consistency. What a node has written is flushed before it arrives. What lives at other homes is confirmed first:
 * a round trip; but not what lives at node 0, whose GO travels behind its SPREADs (a program whose node 0 allocates
 * everything has all its pages there). What lives at home is SPREAD to those who have copies, and nobody confirms that: the ARRIVE says how many
 * SPREADs went to whom, node 0 adds that up, and the GO tells each node how many it must have got. So in a steady stencil
 * whose parts live at their writers, who reads a row gets its changes by one message, beside the barrier's own two, and
 * nobody waits for an answer. A node may pass this barrier and send the next one's SPREADs before others have heard of
 * this one's end, but it cannot pass the next one without them: two counters are enough, by the barrier's parity.
 * A lock that this node has may be wanted by one that has not come to the barrier yet, and that could use it before it has
 * got what is counted. So before such a lock goes back that is confirmed after all (rc_home__confirm()).
 *
 * When a node is lost, whoever waits at a barrier is told so, and whoever comes to one later: it was to meet
 * that node. Those who hear of the loss late may still see the last barrier open at which it had arrived.
 */
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/internal.h"

static void arrive(struct dsm_core *core)
{
	struct core_msg msg = core__msg(core, CORE_MSG_ARRIVE, 0, NULL);
	struct count *c = &core->count;
	struct core_entry *entries;

	msg.number = core->barrier + 1;
	if (c->nsent) {
		entries = core__entries(core, c->nsent);
		if (!entries)
			return;
		core__sort(c->sent, c->nsent);
		for (; msg.npages < c->nsent; msg.npages++) {
			entries[msg.npages].page = c->sent[msg.npages].page;
			entries[msg.npages].version = c->sent[msg.npages].version;
		}
		msg.entries = entries;
	}
	core__send(core, &msg);
}

int barrier__enter(struct dsm_core *core, const struct core_event *event)
{
	struct count *c = &core->count;
	uint16_t node;

	if (core->attempt.running)
		return -EINVAL;
	for (node = 0; core->any_lost && node < core->config.nodes; node++)
		if (core->lost[node]) {
			loss__tell(core, node);
			return 0;
		}
	core->mutator = MUTATOR_BARRIER;
	sc_bring__arrive(core);
	c->site = event->site;
	c->flush = rc__flush(core, event->changed, core->barrier + 1);
	if (!c->flush)
		arrive(core);
	return 0;
}

void barrier__flushed(struct dsm_core *core, uint64_t upto)
{
	if (!core->count.flush || core->count.flush > upto)
		return;
	core->count.flush = 0;
	if (core->mutator == MUTATOR_BARRIER)
		arrive(core);
}

/* An ARRIVE has room for so many receivers. */
bool barrier__counts(struct dsm_core *core, uint16_t node, uint32_t page)
{
	struct count *c = &core->count;
	size_t i = 0;

	while (i < c->nsent && c->sent[i].page != node)
		i++;
	if (i == c->nsent) {
		if (i == CORE_MSG_PAGES || !core__grow(core, &c->sent, &c->sent_cap, i + 1, sizeof(*c->sent)))
			return false;
		c->sent[c->nsent++] = (struct core_entry){.page = node, .stamp = NOWHERE};
	}
	if (page != NOWHERE)
		c->sent[i].stamp = page;
	c->sent[i].version++;
	return true;
}

/* ---- node 0 ---- */

static bool add_up(struct dsm_core *core, const struct core_msg *msg)
{
	struct count *c = &core->count;
	uint32_t i;

	if (!c->toll)
		c->toll = calloc(core->config.nodes, sizeof(*c->toll));
	if (!c->toll) {
		core->nomem = true;
		return false;
	}
	for (i = 0; i < msg->npages; i++)
		c->toll[msg->entries[i].page] += msg->entries[i].version;
	return true;
}

static void go(struct dsm_core *core, uint16_t node, uint64_t number)
{
	struct core_msg msg = core__msg(core, CORE_MSG_GO, node, NULL);
	uint64_t toll = core->count.toll ? core->count.toll[node] : 0;
	struct core_entry *e;

	msg.number = number;
	if (toll) {
		core->count.toll[node] = 0;
		e = core__entries(core, 1);
		if (!e)
			return;
		*e = (struct core_entry){.page = node, .version = toll};
		msg.entries = e;
		msg.npages = 1;
	}
	core__send(core, &msg);
}

int barrier__on_arrive(struct dsm_core *core, const struct core_msg *msg)
{
	uint32_t all = core->config.nodes;
	uint16_t node;

	if (core->config.node != 0 || msg->number != core->gathered + 1 || core->arrived[msg->from])
		return -EPROTO;
	if (msg->npages && !add_up(core, msg))
		return 0;
	core->arrived[msg->from] = true;
	core->narrived++;
	if (core_mutant(barrier_early) && all > 2)
		all--;
	if (core->narrived < all)
		return 0;
	core->gathered++;
	core->narrived = 0;
	memset(core->arrived, 0, core->config.nodes * sizeof(*core->arrived));
	for (node = 0; node < core->config.nodes; node++)
		go(core, node, msg->number);
	return 0;
}

/* ---- the end ---- */

/* It is open, if all has come that was sent to this node before. */
static void pass(struct dsm_core *core)
{
	struct count *c = &core->count;
	uint64_t *got = &c->got[(core->barrier + 1) % 2];

	if (!c->go || (*got < c->due && !core_mutant(go_without_counts)) || core->mutator != MUTATOR_BARRIER)
		return;
	*got = 0;
	c->nsent = 0;
	c->go = false;
	core->barrier++;
	core->mutator = MUTATOR_RUNS;
	core->verdict = VERDICT_RESUME;
	sc_bring__opened(core);
	prefetch__barrier(core);
	model__next_interval(core, c->site);
	core__emit(core, CORE_EMIT_BARRIER)->number = core->barrier;
}

int barrier__got(struct dsm_core *core, uint64_t number)
{
	if (number != core->barrier + 1 && number != core->barrier + 2)
		return -EPROTO;
	core->count.got[(core_mutant(counts_of_any_barrier) ? core->barrier + 1 : number) % 2]++;
	pass(core);
	return 0;
}

int barrier__on_go(struct dsm_core *core, const struct core_msg *msg)
{
	struct count *c = &core->count;

	if (core->any_lost && core->mutator != MUTATOR_BARRIER)
		return 0; /* all had come, but this node was told of a loss before it heard so */
	if (msg->from != 0 || core->mutator != MUTATOR_BARRIER || msg->number != core->barrier + 1 || c->go ||
	    c->flush || (msg->npages && msg->entries[0].page != core->config.node))
		return -EPROTO;
	c->due = msg->npages ? msg->entries[0].version : 0;
	c->go = true;
	pass(core);
	return 0;
}

void barrier__free(struct dsm_core *core)
{
	free(core->count.sent);
	free(core->count.toll);
}
