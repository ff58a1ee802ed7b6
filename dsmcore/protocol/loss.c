/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loss.c - a node is no more.
 *
 * Nothing is recovered here. The rule is: what the lost node may have committed, and what nobody else can
 * know any more, is lost with it; who needs that is told; everybody else goes on.
 *
 * What it may have committed. A commit is decided at one place, the home of its last page (commit.c), and
 * what is known of that may reach one node and not the other. So at a home
 *  - a page that the lost node owned exclusively is lost: it may have committed newer versions, without a
 * message;
 *  - a page that it had locked is lost once the lock was granted: the home that was asked last may have
 * decided, and its new version be visible. The page stays locked, so nobody sees the old version beside that.
 * (All other copies of it are gone: that was the grant's condition.)
 *  - a lock that was not granted yet is released, whoever was to decide. The home that was to decide has not,
 * or it was never asked, since it is asked when all the others have granted. Nothing marks such a page: its
 * owner, or the node that holds its lock, is a lost one. A later recovery finds there what it must finish or
 * undo: the lock, with the transaction and its write set.
 *
 * What nobody else can know: pages whose home it was. Copies of them stay good as they are, for reading and,
 * if they are exclusive, for writing: to end that takes an INVALIDATE or a RECALL from the home.
 *
 * And what it has decided for others: a committer that waits for the answer of the home that decides is in
 * doubt (doubt.c). When that home is lost, nobody can tell it any more: the new version may have been seen,
 * and may not exist. It can neither undo its attempt nor publish the rest, nor let anybody see either version
 * of a page that it has changed alone. So that node must end, too; the others find what it leaves as above.
 *
 * Its silence is consent. An INVALIDATE that it has not answered counts as answered: either its attempts that
 * read the page were decided before now, and so come before the commit that asks; or they never will be.
 * That is why a node counts as lost only when it has really stopped (core.h: CORE_LOST), and why its death is
 * spread: a home, or a holder that was left to decide (holders.c), which has heard of it decides no
 * commit of that node any more. Each node tells all others, on both channels, before it does anything else,
 * so nobody sees what came of the silence without having heard.
 *
 * A commit that was passed on waits for the holder's answer, whatever becomes of the committer. If only the
 * holder is lost, its silence is consent, whether it had decided or not. If both are, nobody knows.
 */
#include "dsmcore/protocol/internal.h"

uint16_t loss__of_page(const struct dsm_core *core, const struct dir_page *d)
{
	const struct home_tx *t;

	if (!core->any_lost)
		return NOBODY;
	if (d->owner != NOBODY && core->lost[d->owner])
		return d->owner;
	if (d->lock == NOBODY || !core->lost[d->lock])
		return NOBODY;
	t = core->tx[d->lock];
	return t && t->passed && t->chunk < t->npages ? NOBODY
						      : d->lock; /* else it is not decided yet, but will be */
}

/* A LOCK that waits here is given up by its committer soon: the lost one's grant had invalidated its copy. */
void loss__refuse(struct dsm_core *core, uint32_t page, uint16_t with)
{
	struct core_entry e = {.page = page, .flags = CORE_ENTRY_LOST, .version = with};
	struct dir_page *d = directory__find(core, page);
	const struct waiter *queue;
	uint16_t node;
	size_t i = 0, n;

	while (queue = home__queue(core, d, &n), i < n && !core_mutant(lost_page_kept_waiting)) {
		if (queue[i].lock) {
			i++;
			continue;
		}
		node = queue[i].node;
		home__remove_waiter(core, d, i);
		home__send_copy(core, node, &e);
	}
}

void loss__tell(struct dsm_core *core, uint16_t node)
{
	struct attempt *a = &core->attempt;

	core->lost_with = node;
	core->verdict = VERDICT_LOST;
	if (core->mutator == MUTATOR_COMMITS && core->commit.doubt && !core_mutant(lost_doubt_undone))
		return;
	/* It cannot be undone: its node must end, and hears nothing until then. */
	if (a->running && a->independent && !core_mutant(lost_independent_undone)) {
		core->mutator = MUTATOR_COMMITS;
		core->commit.rebasing = false;
		core->commit.later = 0;
		core->commit.nlocks = core->commit.lo = core->commit.hi = 0;
		a->party.attempt++;
		return;
	}
	fetch__unwant(core);
	copies__unwant(core);
	if (a->running && a->doomed && !core->fetch.pinned) {
		attempt__abort(core); /* as it had to be in any case; the next one may need something else */
		return;
	}
	if (core->mutator == MUTATOR_COMMITS && !core_mutant(lost_commit_not_cancelled))
		commit__give_up(core, node);
	core->mutator = MUTATOR_RUNS;
	if (a->running) {
		if (!a->doomed) {
			a->cause = CORE_CAUSE_LOSS;
			a->nmeetings = 0;
		}
		attempt__abort(core);
		core->verdict = VERDICT_LOST;
	}
	a->retry = false;
	claim__end(core);
}

bool loss__waits_for(const struct dsm_core *core, uint16_t node)
{
	const struct commit *c = &core->commit;

	switch (core->mutator) {
	case MUTATOR_FETCHES:
		return fetch__wants(core, node) && !core_mutant(lost_home_kept_waiting);
	case MUTATOR_COMMITS:
		return c->lo < c->nlocks && c->homes[c->lo] == node && !core_mutant(lost_home_kept_waiting);
	case MUTATOR_BARRIER:
		return !core_mutant(lost_barrier_kept_waiting);
	case MUTATOR_CLAIMS:
		return node == 0 && !core_mutant(lost_home_kept_waiting);
	case MUTATOR_RETRIES:
		return retry__hopeless(core, node) != NOBODY;
	case MUTATOR_ASKS:
		return copies__wants(core, node);
	case MUTATOR_ACQUIRES:
		return locks__waits_for(core, node) && !core_mutant(lost_home_kept_waiting);
	case MUTATOR_RUNS:
		break;
	}
	return false;
}

static void forget_at(struct dsm_core *core, uint32_t page, struct dir_page *d, uint16_t node)
{
	home__forget_waiter(core, d, node);
	if (home__recalled(core, d) == node)
		home__end_recall(core, d);
	migrate__stays(core, d);
	if (d->owner == node && core_mutant(lost_owner_served))
		d->owner = NOBODY;
	if (loss__of_page(core, d) != node && !core_mutant(lost_holder_kept))
		home__drop_holder(core, d, node);
	home__serve_later(core, page);
}

/* Others are told before this node does anything that comes of it. So whoever sees an effect of the silence
 * that was taken for consent knows why, and decides nothing more for the lost node. */
static void spread(struct dsm_core *core, uint16_t node)
{
	struct core_msg msg;
	uint16_t to;

	if (core->rumour[node])
		return;
	core->rumour[node] = core->any_rumour = true;
	for (to = 0; to < core->config.nodes && !core_mutant(loss_not_spread); to++) {
		if (to == core->config.node || to == node)
			continue;
		msg = core__msg(core, CORE_MSG_LOSS, to, NULL);
		msg.number = node;
		core__send(core, &msg);
		msg.channel = CORE_CHANNEL_FETCH;
		core__send(core, &msg);
	}
	rc__doubt(core, node);
}

int loss__on_loss(struct dsm_core *core, const struct core_msg *msg)
{
	if (msg->number >= core->config.nodes || msg->number == core->config.node || msg->number == msg->from)
		return -EPROTO;
	spread(core, (uint16_t)msg->number);
	return 0;
}

int loss__of_node(struct dsm_core *core, uint16_t node)
{
	struct dir_page *d;
	uint32_t next = 0;
	bool needed;

	if (node >= core->config.nodes || node == core->config.node || core->lost[node])
		return -EINVAL;
	core_cover__lost(core, node);
	core->lost[node] = core->any_lost = true;
	spread(core, node);
	lock__lose(core, node);
	claim__lose(core, node);
	migrate__lose(core, node);
	while ((d = directory__next(core, &next)))
		if (model__is(core, next - 1, CORE_TX))
			forget_at(core, next - 1, d, node);
	needed = loss__waits_for(core, node);
	update__lose(core, node);
	fetch__lose(core, node);
	copies__lose(core, node);
	sc__lose(core, node);
	rc__lose(core, node);
	locks__lose(core, node);
	if (needed) {
		if (core->mutator == MUTATOR_COMMITS && core_mutant(lost_home_granted))
			commit__granted(core);
		else
			loss__tell(core, node);
	}
	return 0;
}
