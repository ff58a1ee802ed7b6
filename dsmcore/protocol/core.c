/* SPDX-License-Identifier: BSD-2-Clause */
/* core.c - opens a core, hands each event to the side that it belongs to, answers queries. */
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/internal.h"

int core__open(struct dsm_core **out, const struct core_config *config)
{
	struct dsm_core *core;

	if (!config->nodes || config->nodes == NOBODY || config->node >= config->nodes || !config->pages ||
	    !config->pages_per_home || config->sc_from > config->rc_from ||
	    config->rc_from > config->pages_per_home)
		return -EINVAL;
	core = calloc(1, sizeof(*core));
	if (!core)
		return -ENOMEM;
	core->config = *config;
	if (!config->sticky_max || config->sticky_max > CORE_STICKY_MAX)
		core->config.sticky_max = CORE_STICKY_MAX;
	if (!config->sticky_clean || config->sticky_clean > UINT16_MAX)
		core->config.sticky_clean = CORE_STICKY_CLEAN;
	if (!config->prefetch_max || config->prefetch_max > CORE_PREFETCH_MAX)
		core->config.prefetch_max = CORE_PREFETCH_MAX;
	core->clock = CORE_BIRTH_IRREVOCABLE; /* so every other birth is later */
	core->interval = (struct core_party){.number = 1, .node = config->node};
	core->prefetch.limit = core->config.prefetch_max;
	if (!config->ahead_max || config->ahead_max > CORE_AHEAD_MAX)
		core->config.ahead_max = CORE_AHEAD_MAX;
	core->ahead.limit = core->config.ahead_max;
	if (!config->row_max || config->row_max > CORE_ROW_MAX)
		core->config.row_max = CORE_ROW_MAX;
	if (!config->update_after)
		core->config.update_after = CORE_UPDATE_AFTER;
	if (!config->migrate_after)
		core->config.migrate_after = CORE_MIGRATE_AFTER;
	else if (config->migrate_after != CORE_NEVER && config->migrate_after > CORE_MIGRATE_MAX)
		core->config.migrate_after = CORE_MIGRATE_MAX;
	core->client = calloc(config->pages, sizeof(*core->client));
	core->mapped = calloc((config->pages + 63) / 64, sizeof(*core->mapped));
	core->tx = calloc(config->nodes, sizeof(struct home_tx *));
	core->arrived = calloc(config->nodes, sizeof(*core->arrived));
	core->lost = calloc(config->nodes, sizeof(*core->lost));
	core->rumour = calloc(config->nodes, sizeof(*core->rumour));
	if (directory__open(core) || locks__open(core) || !core->client || !core->mapped || !core->tx ||
	    !core->arrived || !core->lost || !core->rumour) {
		core__close(core);
		return -ENOMEM;
	}
	*out = core;
	return 0;
}

static void free_home(struct dsm_core *core)
{
	uint32_t i;

	directory__close(core);
	migrate__free(core);
	for (i = 0; core->tx && i < core->config.nodes; i++) {
		if (!core->tx[i])
			continue;
		free(core->tx[i]->pages);
		free(core->tx[i]->wset);
		free(core->tx[i]->asked);
		free(core->tx[i]);
	}
	free(core->tx);
	free(core->serve);
	free(core->copies);
	free(core->arrived);
	free(core->lost);
	free(core->rumour);
}

void core__close(struct dsm_core *core)
{
	if (!core)
		return;
	free_home(core);
	core__free_step(core);
	free(core->client);
	free(core->mapped);
	free(core->attempt.touches);
	free(core->attempt.dirty);
	free(core->attempt.meetings);
	free(core->attempt.met);
	free(core->commit.locks);
	free(core->commit.homes);
	free(core->commit.deferred);
	doubt__free(core);
	free(core->fetch.flights);
	free(core->fetch.ask);
	free(core->turns.queue);
	copies__free(core);
	sc__free(core);
	rc__free(core);
	barrier__free(core);
	locks__free(core);
	free(core);
}

/* ---- the one entry ---- */

/* The pages of a message are of one model (core_msg__sane() knows that they are not CORE_TX). */
static bool of_sc(const struct dsm_core *core, const struct core_msg *msg)
{
	return model__is(core, msg->entries[0].page, CORE_SC);
}

static int on_message(struct dsm_core *core, const struct core_msg *msg)
{
	if (core->lost[msg->from])
		return -EPROTO;
	core_cover__message(core, msg);
	if (msg->clock > core->clock)
		core->clock = msg->clock;
	switch ((enum core_msg_type)msg->type) {
	case CORE_MSG_FETCH:
		return home__on_fetch(core, msg);
	case CORE_MSG_PAGE:
		return fetch__on_page(core, msg);
	case CORE_MSG_RECALL:
		return client__on_recall(core, msg);
	case CORE_MSG_DOWNGRADE:
		return home__on_downgrade(core, msg);
	case CORE_MSG_LOCK:
		return lock__on_lock(core, msg);
	case CORE_MSG_GRANT:
		return commit__on_grant(core, msg);
	case CORE_MSG_DENY:
		return commit__on_deny(core, msg);
	case CORE_MSG_CANCEL:
		return lock__on_cancel(core, msg);
	case CORE_MSG_INVALIDATE:
		return client__on_invalidate(core, msg);
	case CORE_MSG_ACK:
		return lock__on_ack(core, msg);
	case CORE_MSG_REFUSE:
		return lock__on_refuse(core, msg);
	case CORE_MSG_PUBLISH:
		return lock__on_publish(core, msg);
	case CORE_MSG_EXCLUSIVE:
		return client__on_exclusive(core, msg);
	case CORE_MSG_ARRIVE:
		return barrier__on_arrive(core, msg);
	case CORE_MSG_GO:
		return barrier__on_go(core, msg);
	case CORE_MSG_CLAIM:
		return claim__on_claim(core, msg);
	case CORE_MSG_TURN:
		return claim__on_turn(core, msg);
	case CORE_MSG_PASS:
		return claim__on_pass(core, msg);
	case CORE_MSG_UPDATE:
		return update__on_update(core, msg);
	case CORE_MSG_LOSS:
		return loss__on_loss(core, msg);
	case CORE_MSG_HAND:
		return migrate__on_hand(core, msg);
	case CORE_MSG_TAKEN:
		return migrate__on_taken(core, msg);
	case CORE_MSG_MOVED:
		return commit__on_moved(core, msg);
	case CORE_MSG_ASK:
		return of_sc(core, msg) ? sc__on_ask(core, msg) : rc__on_ask(core, msg);
	case CORE_MSG_COPY:
		return copies__on_copy(core, msg);
	case CORE_MSG_REVOKE:
		return of_sc(core, msg) ? sc__on_revoke(core, msg) : rc__on_revoke(core, msg);
	case CORE_MSG_REVOKED:
		return of_sc(core, msg) ? sc__on_revoked(core, msg) : rc__on_revoked(core, msg);
	case CORE_MSG_FLUSH:
		return rc__on_flush(core, msg);
	case CORE_MSG_FLUSHED:
		return rc__on_flushed(core, msg);
	case CORE_MSG_SPREAD:
		return rc__on_spread(core, msg);
	case CORE_MSG_SEEN:
		return of_sc(core, msg) ? sc__on_seen(core, msg) : rc__on_seen(core, msg);
	case CORE_MSG_BRING:
		return of_sc(core, msg) ? sc__on_bring(core, msg) : -EPROTO;
	case CORE_MSG_ACQUIRE:
		return locks__on_acquire(core, msg);
	case CORE_MSG_GIVE:
		return locks__on_give(core, msg);
	case CORE_MSG_WANT:
		return locks__on_want(core, msg);
	case CORE_MSG_BACK:
		return locks__on_back(core, msg);
	}
	return -EPROTO;
}

static int on_cancel(struct dsm_core *core)
{
	struct attempt *a = &core->attempt;

	if (!a->running || a->sole || a->independent)
		return -EINVAL;
	memset(&a->winner, 0, sizeof(a->winner));
	a->nmeetings = 0;
	a->cause = CORE_CAUSE_CANCEL;
	attempt__abort(core);
	claim__end(core);
	return 0;
}

static int on_safe(struct dsm_core *core)
{
	if (core->attempt.doomed)
		attempt__abort(core);
	else
		core->verdict = VERDICT_RESUME;
	return 0;
}

static int on_mutator(struct dsm_core *core, const struct core_event *event)
{
	if (core->mutator != (event->type == CORE_WAKE ? MUTATOR_RETRIES : MUTATOR_RUNS))
		return -EINVAL;
	core_cover__mutator(core, event);
	switch (event->type) {
	case CORE_BEGIN:
		return attempt__begin(core, event);
	case CORE_ACCESS:
		return client__access(core, event);
	case CORE_COMMIT:
		return commit__begin(core, event->changed);
	case CORE_CANCEL:
		return on_cancel(core);
	case CORE_SAFE:
		return on_safe(core);
	case CORE_BARRIER:
		return barrier__enter(core, event);
	case CORE_IRREVOCABLE:
		return claim__enter(core);
	case CORE_RETRY:
		return retry__begin(core);
	case CORE_WAKE:
		retry__end(core);
		return 0;
	case CORE_ACQUIRE:
		return locks__acquire(core, event);
	case CORE_RELEASE:
		return locks__release(core, event);
	case CORE_TICK:
	case CORE_MESSAGE:
	case CORE_LOST:
		break;
	}
	return -EINVAL;
}

/* A commit of a million pages says less to itself in a step. More of it is a mistake that feeds itself, and would
 * take all memory before anybody sees it. */
#define SETTLE_MAX (1u << 20)

/* Messages to itself and queues that may move on, until nothing does. */
static int settle(struct dsm_core *core)
{
	struct core_msg msg;
	uint32_t page;
	size_t i = 0;
	int rc;

	while (!core->nomem && (i < core->nqueue || core->nserve)) {
		if (i == SETTLE_MAX)
			return -ELOOP;
		if (i < core->nqueue) {
			msg = core->queue[i++];
			rc = on_message(core, &msg);
			if (rc)
				return rc;
		} else {
			page = core->serve[--core->nserve];
			home__serve(core, page);
		}
	}
	core__flush_rights(core); /* what is given away is closed first */
	home__send_copies(core);
	migrate__hand_over(core);
	model__emit_meetings(core);
	independent__emit_meetings(core);
	return 0;
}

static void tell_lost(struct dsm_core *core)
{
	struct core_action *a = core__do(core, CORE_DO_LOST, 0);

	a->node = core->lost_with;
	a->doubt = core->mutator == MUTATOR_COMMITS || (core->attempt.running && core->attempt.independent);
}

int core_step(struct dsm_core *core, const struct core_event *event, const struct core_actions **actions)
{
	bool mutator = event->type != CORE_MESSAGE && event->type != CORE_LOST && event->type != CORE_TICK;
	int rc;

	core__reset_step(core);
	core->changed = event->changed;
	core->still = mutator;
	core->use.nmeetings = 0;
	*actions = &core->actions;
	rc = mutator			   ? on_mutator(core, event)
	     : event->type == CORE_MESSAGE ? on_message(core, event->msg)
	     : event->type == CORE_TICK	   ? sc__tick(core)
					   : loss__of_node(core, event->node);
	if (event->type == CORE_TICK) {
		independent__tick(core);
		locks__tick(core);
	}
	if (!rc && mutator && event->type != CORE_ACCESS)
		sc__progress(core);
	if (!rc)
		rc = settle(core);
	if (core->nomem)
		return -ENOMEM;
	if (rc)
		return rc;
	if (core->verdict != VERDICT_NONE)
		sc__resumed(core);
	if (core->verdict == VERDICT_RESUME)
		core__do(core, CORE_DO_RESUME, event->page)->fault = core->fault;
	else if (core->verdict == VERDICT_ABORT)
		core__do(core, CORE_DO_ABORT, 0);
	else if (core->verdict == VERDICT_LOST)
		tell_lost(core);
	else if (mutator)
		core__do(core, CORE_DO_WAIT, 0);
	return core->nomem ? -ENOMEM : 0;
}

/* ---- queries ---- */

const uint32_t *core__dirty(const struct dsm_core *core, size_t *count)
{
	*count = core->attempt.ndirty;
	return core->attempt.dirty;
}

uint32_t core__sticky(const struct dsm_core *core)
{
	return core->nsticky;
}

const struct core_prefetch *core__prefetch(const struct dsm_core *core)
{
	return &core->prefetch.stats;
}

void core__ahead(const struct dsm_core *core, uint64_t *opened, uint64_t *used)
{
	*opened = core->ahead.opened;
	*used = core->ahead.used;
}

struct core_party core__attempt(const struct dsm_core *core, bool *doomed)
{
	struct core_party party = core->attempt.party;

	if (doomed)
		*doomed = core->attempt.running && core->attempt.doomed;
	if (!core->attempt.running)
		party.number = 0;
	return party;
}

/* A page that was updated under a doomed attempt is still seen as it was. */
uint64_t core__version(const struct dsm_core *core, uint32_t page)
{
	const struct client_page *cp = &core->client[page];

	return cp->flags & CLIENT_ZOMBIE && cp->slot ? core->attempt.touches[cp->slot - 1].version
						     : cp->version;
}

bool core__untouched(const struct dsm_core *core, uint32_t page)
{
	const struct client_page *cp = &core->client[page];

	return core__birth(core, page) == core->config.node && !directory__find(core, page) && !cp->version &&
	       cp->rights == CORE_NONE;
}

enum core_rights core__rights(const struct dsm_core *core, uint32_t page)
{
	return (enum core_rights)core->client[page].rights;
}

bool core__stays(const struct dsm_core *core, uint32_t page)
{
	return core->client[page].flags & CLIENT_STICKY;
}

void core__touched(const struct dsm_core *core,
		   void (*fn)(void *arg, uint32_t page, uint64_t version, bool read, bool written,
			      bool tracked),
		   void *arg)
{
	const struct attempt *a = &core->attempt;
	const struct touch *t;
	uint32_t word, page;
	uint64_t bits;
	size_t i;

	for (i = 0; i < a->ntouches; i++) {
		t = &a->touches[i];
		fn(arg, t->page, t->version, t->flags & TOUCH_READ,
		   t->flags & (a->running ? TOUCH_WRITTEN : TOUCH_CHANGED), t->flags & TOUCH_TRACKED);
	}
	for (word = 0; word <= (core->config.pages - 1) / 64; word++)
		for (bits = core->mapped[word]; bits; bits &= bits - 1) {
			page = word * 64 + (uint32_t)__builtin_ctzll(bits);
			if (!core->client[page].slot)
				fn(arg, page, core->client[page].version, false, false, false);
		}
}
