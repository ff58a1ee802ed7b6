/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * barrier.c - all nodes meet; node 0 counts.
 *
 * Every commit that was decided before a node arrived is visible to all when the barrier opens, without
 * anything being sent for it here: its INVALIDATEs were answered before its decision, and a fetch of a
 * page whose PUBLISH is still on its way waits at the home.
 *
 * When a node is lost, whoever waits at a barrier is told so, and whoever comes to one later: it was to meet
 * that node. Those who hear of the loss late may still see the last barrier open at which it had arrived.
 */
#include <string.h>

#include "dsmcore/protocol/internal.h"

int barrier__enter(struct dsm_core *core)
{
	struct core_msg msg;

	uint16_t node;

	if (core->attempt.running)
		return -EINVAL;
	for (node = 0; core->any_lost && node < core->config.nodes; node++)
		if (core->lost[node]) {
			loss__tell(core, node);
			return 0;
		}
	core->mutator = MUTATOR_BARRIER;
	msg = core__msg(core, CORE_MSG_ARRIVE, 0, NULL);
	msg.number = core->barrier + 1;
	core__send(core, &msg);
	return 0;
}

int barrier__on_arrive(struct dsm_core *core, const struct core_msg *msg)
{
	uint32_t all = core->config.nodes;
	struct core_msg go;
	uint16_t node;

	if (core->config.node != 0 || msg->number != core->gathered + 1 || core->arrived[msg->from])
		return -EPROTO;
	core->arrived[msg->from] = true;
	core->narrived++;
	if (core_mutant(barrier_early) && all > 2)
		all--;
	if (core->narrived < all)
		return 0;
	core->gathered++;
	core->narrived = 0;
	memset(core->arrived, 0, core->config.nodes * sizeof(*core->arrived));
	for (node = 0; node < core->config.nodes; node++) {
		go = core__msg(core, CORE_MSG_GO, node, NULL);
		go.number = msg->number;
		core__send(core, &go);
	}
	return 0;
}

int barrier__on_go(struct dsm_core *core, const struct core_msg *msg)
{
	struct core_action *emit;

	if (core->any_lost && core->mutator != MUTATOR_BARRIER)
		return 0; /* all had come, but this node was told of a loss before it heard so */
	if (msg->from != 0 || core->mutator != MUTATOR_BARRIER || msg->number != core->barrier + 1)
		return -EPROTO;
	core->barrier++;
	core->mutator = MUTATOR_RUNS;
	core->verdict = VERDICT_RESUME;
	emit = core__emit(core, CORE_EMIT_BARRIER);
	emit->number = core->barrier;
	return 0;
}
