/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doubt.c - a node does not know, for a round trip, whether its transaction has committed.
 *
 * The home that a commit asks last decides it (lock.c). Meanwhile the committer can neither be doomed nor say
 * that it was not: an INVALIDATE that meets its attempt is put off, unless the attempt outranks its
 * sender, which is refused as ever. So that others do not wait long, the committer withdraws: the home
 * answers the CANCEL at once with a DENY, or has decided, and its GRANT is under way. Then the node knows,
 * and what was put off is answered as if it came now.
 *
 * Nobody waits in a circle. Who puts off an answer is outranked by who waits for it, so in a chain of such
 * waits the rank falls from each to the next; and its end waits for a home that answers whatever happens,
 * whether it has all locks or not, or (if that has passed the decision on) for a holder that answers at once.
 */
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/internal.h"

static void withdraw(struct dsm_core *core)
{
	struct commit *c = &core->commit;
	struct core_msg msg;

	if (c->withdrawn)
		return;
	c->withdrawn = true;
	msg = core__msg(core, CORE_MSG_CANCEL, c->homes[c->lo], &core->attempt.party);
	core__send(core, &msg);
}

void doubt__put_off(struct dsm_core *core, const struct core_msg *msg)
{
	struct commit *c = &core->commit;
	size_t n = msg->npages + msg->nwset;
	struct put_off *p;
	uint32_t i;

	if (!core__grow(core, &c->put_off, &c->put_off_cap, c->nput_off + 1, sizeof(*c->put_off)))
		return;
	p = &c->put_off[c->nput_off];
	p->entries = malloc(n * sizeof(*p->entries));
	if (!p->entries) {
		core->nomem = true;
		return;
	}
	memcpy(p->entries, msg->entries, n * sizeof(*p->entries));
	for (i = 0; i < msg->npages; i++)
		if (msg->entries[i].data != CORE_DATA_NONE)
			p->entries[i].hold = core__hold(core, i);
	p->over = false;
	p->msg = *msg;
	p->msg.entries = p->entries;
	c->nput_off++;
	withdraw(core);
}

bool doubt__over(struct dsm_core *core, const struct core_msg *msg)
{
	struct commit *c = &core->commit;
	size_t i;

	for (i = 0; i < c->nput_off; i++) {
		if (c->put_off[i].msg.from != msg->from || !core_party__same(&c->put_off[i].msg.tx, &msg->tx))
			continue;
		c->put_off[i].over = true;
		return true;
	}
	return false;
}

/* The attempt has ended: none of the answers can be another REFUSE. */
void doubt__resolved(struct dsm_core *core)
{
	struct commit *c = &core->commit;
	struct put_off p;
	size_t i, n = c->nput_off;
	uint32_t k;

	c->nput_off = 0;
	for (i = 0; i < n; i++) {
		p = c->put_off[i];
		if (p.over)
			client__answer_over(core, &p.msg);
		else if (!core->lost[p.msg.from]) /* else nobody waits for the answer */
			client__on_invalidate(core, &p.msg);
		for (k = 0; k < p.msg.npages; k++)
			core__drop(core, p.entries[k].hold);
		free(p.entries);
	}
}

void doubt__free(struct dsm_core *core)
{
	struct commit *c = &core->commit;

	while (c->nput_off)
		free(c->put_off[--c->nput_off].entries);
	free(c->put_off);
}
