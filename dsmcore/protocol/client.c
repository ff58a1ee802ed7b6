/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client.c - the pages that this node holds: its mutator's accesses, and what homes ask of it.
 *
 * INVALID, SHARED or EXCLUSIVE say what this node may rely on; the rights say what its mutator can do
 * without a fault. A page is mapped only while SHARED or EXCLUSIVE, or as the zombie of a doomed
 * attempt. A page that is not dirty has in FRAME exactly the bytes of client_page.version, even when
 * INVALID: so a FETCH names that version, and no bytes travel if it is still the current one.
 */
#include "dsmcore/protocol/internal.h"

/* Opens a page for the mutator and notes what that tells about the attempt. */
void client__open(struct dsm_core *core, uint32_t page, bool write, uint32_t touched)
{
	struct client_page *cp = &core->client[page];
	uint32_t flags = touched | (write ? TOUCH_WRITTEN : TOUCH_READ);

	cp->idle = 0;
	if (cp->rights == CORE_NONE)
		flags |= TOUCH_TRACKED;
	cp->flags &= (uint8_t)~CLIENT_AHEAD;
	if (write && independent__may(core, page)) {
		independent__open(core, page);
		return;
	}
	attempt__touch(core, page, flags);
	if (write && !(cp->flags & CLIENT_DIRTY)) {
		core__do_range(core, CORE_DO_TWIN, page);
		cp->flags |= CLIENT_DIRTY;
		attempt__add_dirty(core, page);
	}
	if (write || cp->rights == CORE_NONE)
		core__gather_tx_rights(core, page, write ? CORE_WRITE : CORE_READ);
}

struct core_action *client__store(struct dsm_core *core, uint32_t page)
{
	struct client_page *cp = &core->client[page];

	if (!(cp->flags & CLIENT_ZOMBIE) || core_mutant(zombie_frame_overwritten))
		return core__do(core, CORE_DO_STORE, page);
	cp->flags |= CLIENT_NEXT;
	return core__do(core, CORE_DO_STORE_NEXT, page);
}

static bool missing(const struct dsm_core *core, uint32_t page)
{
	const struct client_page *cp = &core->client[page];

	return cp->state == CLIENT_INVALID && !(cp->flags & CLIENT_ZOMBIE);
}

/* What a fault on a page that is here was for. */
static enum core_fault local_fault(struct dsm_core *core, uint32_t page, bool write)
{
	const struct client_page *cp = &core->client[page];

	if (cp->flags & CLIENT_AHEAD) {
		prefetch__hit(core);
		return CORE_FAULT_PREFETCHED;
	}
	if (cp->rights == CORE_NONE)
		return CORE_FAULT_REARM;
	return write && cp->rights == CORE_READ ? CORE_FAULT_UPGRADE : CORE_FAULT_NONE;
}

/* What is here is opened at once, what is not is asked for together; the mutator waits for the last of it. */
static void access_pages(struct dsm_core *core, uint32_t first, uint32_t count, bool write)
{
	uint32_t page, end = first + count;
	enum core_fault kind;

	for (page = first; page < end; page++) {
		if (missing(core, page)) {
			fetch__ask(core, page, write, false);
			continue;
		}
		kind = local_fault(core, page, write);
		if (kind != CORE_FAULT_NONE)
			core->fault = kind;
		client__open(core, page, write, 0);
	}
	if (write && count == 1 && core->client[first].state == CLIENT_EXCLUSIVE && !rows__write(core, first))
		ahead__open(core, first);
	core__flush_rights(core);
	if (count > 1)
		core->prefetch.stats.bulk += core->fetch.nask;
	fetch__send(core);
}

/* Is one of these pages missing, and its home lost? */
static bool lost_among(const struct dsm_core *core, uint32_t page, uint32_t count, uint16_t *home)
{
	uint32_t end = page + count;

	for (; page < end && !core_mutant(lost_home_asked); page++) {
		*home = core__home(core, page);
		if (core->lost[*home] && missing(core, page))
			return true;
	}
	return false;
}

int client__access(struct dsm_core *core, const struct core_event *event)
{
	uint32_t count = event->count ? event->count : 1;
	uint16_t home;
	bool faulted;

	if (event->page < core->config.pages && !model__is(core, event->page, CORE_TX))
		return copies__access(core, event);
	if (!core->attempt.running || (event->write && core->attempt.read_only) ||
	    event->page >= core->config.pages || count > CORE_ACCESS_PAGES ||
	    count > core->config.pages - event->page)
		return -EINVAL;
	if (core->attempt.doomed && !event->pinned) {
		attempt__abort(core);
		return 0;
	}
	if (core->any_lost && lost_among(core, event->page, count, &home)) {
		loss__tell(core, home);
		return 0;
	}
	core->fetch.pinned = event->pinned;
	faulted = missing(core, event->page) || core->client[event->page].flags & CLIENT_AHEAD;
	access_pages(core, event->page, count, event->write);
	if (core->fetch.wanted)
		core->mutator = MUTATOR_FETCHES;
	else
		core->verdict = VERDICT_RESUME;
	if (count == 1 && faulted)
		prefetch__fault(core, event->page, event->write);
	return 0;
}

/* May this node give its only copy away? Not what the running attempt may have read or written: that it
 * shares, and what becomes of the attempt is decided by commits, as ever. Nor if it waits for a change, of which
 * only who has a copy is told. */
static bool in_use(const struct dsm_core *core, const struct client_page *cp)
{
	if (core->mutator == MUTATOR_RETRIES && !core_mutant(handed_unheard))
		return true;
	return core->attempt.running && (cp->rights != CORE_NONE || cp->slot) && !core_mutant(handed_in_use);
}

/* To one that is going to write it: it need not ask anybody then. The rights change with the next core__flush_rights(),
 * which must come before any bytes are sent. */
static void hand_over(struct dsm_core *core, uint32_t page)
{
	struct client_page *cp = &core->client[page];

	core__emit(core, CORE_EMIT_HAND)->page = page;
	if (cp->flags & CLIENT_AHEAD) {
		cp->flags &= (uint8_t)~CLIENT_AHEAD;
		core->prefetch.stats.lost++;
		prefetch__miss(core);
	}
	if (cp->rights != CORE_NONE && core->ended) /* in this step: the attempt had it mapped */
		attempt__touch(core, page, 0);
	sticky__lose(core, page, CORE_NONE);
	core__gather_rights(core, page, CORE_NONE);
	if (!core_mutant(handed_not_dropped))
		cp->state = CLIENT_INVALID;
}

/* Ends exclusivity and tells the home, which has the version that it says, what is committed here. */
void client__downgrade(struct dsm_core *core, const struct core_entry *recall, uint16_t home)
{
	struct client_page *cp = &core->client[recall->page];
	struct core_entry e = {.page = recall->page, .version = recall->version};

	if (cp->state == CLIENT_EXCLUSIVE) {
		independent__share(core, recall->page);
		e.version = cp->version;
		if (home != core->config.node && cp->version > recall->version)
			e.data = CORE_DATA_COMMITTED;
		if (recall->flags & CORE_ENTRY_WRITE && !in_use(core, cp)) {
			e.flags = CORE_ENTRY_WRITE;
			hand_over(core, e.page);
		} else if (!core_mutant(exclusivity_kept)) {
			cp->state = CLIENT_SHARED;
			sticky__lose(core, e.page, CORE_READ);
		}
	}
	if (home != core->config.node) /* else settle() does it, before home__send_copies() */
		core__flush_rights(core);
	core__send_entry(core, CORE_MSG_DOWNGRADE, home, &core->attempt.party, &e);
}

/* Invariant 3: a commit without messages and the serving of a fetch exclude each other. What the running
 * commit will change without asking anybody stays exclusive until it is decided. A dirty page of an
 * attempt that only runs is served from its twin, and commits through its home from now on; a page
 * that the attempt may have read stays mapped, so it counts as read. */
int client__on_recall(struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_entry *e = &msg->entries[0];
	struct client_page *cp = &core->client[e->page];
	struct commit *c = &core->commit;
	struct flight *f = fetch__find(core, e->page);
	uint32_t flags;

	if (cp->state == CLIENT_EXCLUSIVE && core->attempt.committing && cp->flags & CLIENT_DIRTY) {
		flags = attempt__flags(core, e->page);
		if (flags & TOUCH_CHANGED && !(flags & TOUCH_LOCKED) && !core_mutant(recall_served)) {
			if (core__grow(core, &c->deferred, &c->deferred_cap, c->ndeferred + 1,
				       sizeof(*c->deferred)))
				c->deferred[c->ndeferred++] = (struct copy){.entry = *e, .node = msg->from};
			return 0;
		}
	}
	if (f && f->recalled < e->stamp)
		f->recalled = e->stamp;
	client__downgrade(core, e, msg->from);
	return 0;
}

/* After a PUBLISH nobody else holds the page. It cannot be late: what would end this exclusivity comes
 * from the same home on the same channel. */
int client__on_exclusive(struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_entry *e = &msg->entries[0];
	struct client_page *cp = &core->client[e->page];

	if (cp->state != CLIENT_SHARED || cp->version != e->version)
		return -EPROTO;
	cp->state = CLIENT_EXCLUSIVE;
	return 0;
}

/* ---- INVALIDATE ---- */

/* Does the running attempt depend on this page? Mapped means read, or not to be told from read. */
static bool depends(const struct dsm_core *core, uint32_t page)
{
	const struct client_page *cp = &core->client[page];

	if (!core->attempt.running || cp->rights == CORE_NONE || cp->state == CLIENT_EXCLUSIVE)
		return false;
	if (core_mutant(read_untracked) && !cp->slot)
		return false;
	if (core_mutant(silent_dropped) && core->attempt.committing && cp->flags & CLIENT_DIRTY &&
	    !(attempt__flags(core, page) & TOUCH_CHANGED))
		return false;
	return true;
}

/* A home never invalidates its owner's copy: an INVALIDATE that finds a page exclusive is a late one, from a
 * lock that was given up since, and a new copy has overtaken it. Its home lists that copy with a stamp
 * that the ACK does not reach, so answering it is harmless. A shared copy in the same case is given up for
 * nothing, which is harmless too. */
static void drop_copy(struct dsm_core *core, const struct core_msg *msg, const struct core_entry *e)
{
	struct client_page *cp = &core->client[e->page];
	struct flight *f = fetch__find(core, e->page);
	struct core_action *emit;

	if (f && f->invalidated < e->stamp)
		f->invalidated = e->stamp;
	cp->clean = 0;
	if (cp->state == CLIENT_INVALID || cp->state == CLIENT_EXCLUSIVE)
		return;
	emit = core__emit(core, CORE_EMIT_INVALIDATE);
	emit->page = e->page;
	emit->version = cp->version;
	emit->other = msg->tx;
	emit->unused = e->flags & CORE_ENTRY_UPDATE;
	cp->state = CLIENT_INVALID;
	retry__changed(core, e->page);
	if (cp->flags & CLIENT_AHEAD) {
		cp->flags &= (uint8_t)~CLIENT_AHEAD;
		core->prefetch.stats.lost++;
		prefetch__miss(core);
	}
	if (cp->rights == CORE_NONE)
		return;
	if (!core->attempt.running) {
		if (core->ended) /* in this very step: the attempt had it mapped, core__touched() must tell */
			attempt__touch(core, e->page, 0);
		core__protect(core, e->page, CORE_NONE);
		return;
	}
	attempt__touch(core, e->page, 0);
	cp->flags |= CLIENT_ZOMBIE;
}

/* The attempt is doomed through pages that it may never have looked at: from now on that shall be known. Of
 * one that is updated and was in use since the last time it is known well enough; but a loop over long rows, which looks at
 * its neighbours' once in many transactions, loses more by one abort than by a fault in each. */
static void rearm_carried(struct dsm_core *core, const struct core_msg *msg)
{
	bool first = core_party__same(&core->attempt.winner, &msg->tx), touched = false, carried = false;
	struct client_page *cp;
	uint32_t i, flags;

	for (i = 0; i < msg->npages; i++) {
		cp = &core->client[msg->entries[i].page];
		flags = attempt__flags(core, msg->entries[i].page);
		touched |= flags & (TOUCH_READ | TOUCH_WRITTEN);
		if (msg->entries[i].flags & CORE_ENTRY_UPDATE && !cp->idle && !rows__stream(core))
			continue;
		if (cp->rights != CORE_NONE &&
		    (!cp->slot || (flags & (TOUCH_STUCK | TOUCH_READ)) == TOUCH_STUCK))
			cp->flags |= CLIENT_REARM;
		carried |= cp->rights != CORE_NONE && !cp->slot;
	}
	core->attempt.vain |= first && carried && !touched;
}

/* Where winner and loser met: the pages at hand, and those of the winner's write set on other homes. */
static void note_meetings(struct dsm_core *core, const struct core_msg *msg)
{
	uint32_t i;

	if (!core_party__same(&core->attempt.winner, &msg->tx))
		return;
	for (i = 0; i < msg->npages + msg->nwset; i++)
		if (core->client[msg->entries[i].page].rights != CORE_NONE)
			attempt__meet(core, msg->entries[i].page, msg->entries[i].version + 1);
}

/* over: an INVALIDATE that nobody waits for, and that was not obeyed. */
static void answer(struct dsm_core *core, const struct core_msg *msg, enum core_msg_type type, bool over)
{
	struct core_msg reply = core__msg(core, type, msg->from, &msg->tx);
	struct core_entry *entries = core__entries(core, msg->npages);
	uint32_t i;

	if (!entries)
		return;
	for (i = 0; i < msg->npages; i++) {
		entries[i].page = msg->entries[i].page;
		entries[i].version = msg->entries[i].version;
		entries[i].stamp = msg->entries[i].stamp;
		if (type == CORE_MSG_ACK && (over || update__kept(core, msg, i)))
			entries[i].flags = CORE_ENTRY_UPDATE;
		if (type == CORE_MSG_ACK && !core->rumour[msg->tx.node])
			entries[i].flags |= msg->entries[i].flags & CORE_ENTRY_DECIDE;
	}
	if (type == CORE_MSG_REFUSE)
		reply.other = core->attempt.party;
	reply.entries = entries;
	reply.npages = msg->npages;
	core__send(core, &reply);
}

void client__answer_over(struct dsm_core *core, const struct core_msg *msg)
{
	answer(core, msg, CORE_MSG_ACK, true);
}

/* Changes come with an INVALIDATE when it leaves the decision to this node, for what may be updated. */
static bool well_formed(const struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_entry *e;
	bool data;
	uint32_t i;

	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		data = e->flags == (CORE_ENTRY_UPDATE | CORE_ENTRY_DECIDE) && msg->from != core->config.node;
		if ((e->data != CORE_DATA_NONE) != data ||
		    (e->flags ^ msg->entries[0].flags) & CORE_ENTRY_DECIDE)
			return false;
	}
	return true;
}

void client__yield(struct dsm_core *core, const struct core_msg *msg)
{
	attempt__doom(core, &msg->tx, CORE_CAUSE_CONFLICT);
	rearm_carried(core, msg);
	note_meetings(core, msg);
}

/* A node that is known to be lost may have had the turn to be irrevocable that this node has now. */
static bool outranks(const struct dsm_core *core, const struct core_party *committer)
{
	const struct attempt *a = &core->attempt;

	return (a->party.birth == CORE_BIRTH_IRREVOCABLE && core->rumour[committer->node]) ||
	       core_rank__beats(&a->party, a->committing, committer);
}

/* A page that the attempt waits for is not touched yet: losing it costs no more than another fetch. But
 * whoever has priority must not lose it either, or a neighbour that locks it again and again, and fails
 * each time elsewhere, keeps it away for ever. An attempt whose fate is being decided elsewhere cannot be
 * doomed: the answer waits (doubt.c). */
int client__on_invalidate(struct dsm_core *core, const struct core_msg *msg)
{
	struct attempt *a = &core->attempt;
	bool met = false, waited_for = false;
	const struct flight *f;
	uint32_t i;

	if (!well_formed(core, msg))
		return -EPROTO;
	for (i = 0; i < msg->npages && !(a->running && a->independent && !core_mutant(independent_met));
	     i++) {
		f = fetch__find(core, msg->entries[i].page);
		waited_for |= f && f->wanted;
		met |= depends(core, msg->entries[i].page);
	}
	met |= independent__meets(core, msg);
	if ((met || waited_for) && !a->doomed && outranks(core, &msg->tx)) {
		answer(core, msg, CORE_MSG_REFUSE, false);
		return 0;
	}
	if (met && core->commit.doubt && !core_mutant(doubt_ignored)) {
		doubt__put_off(core, msg);
		return 0;
	}
	if (met && (!a->independent || core_mutant(independent_met)) && !core_mutant(lost_doom))
		attempt__doom(core, &msg->tx, CORE_CAUSE_CONFLICT);
	if (a->running && a->doomed) { /* before the copies are gone and carried pages look touched */
		rearm_carried(core, msg);
		note_meetings(core, msg);
	}
	for (i = 0; i < msg->npages; i++)
		if (!update__keep(core, msg, i))
			drop_copy(core, msg, &msg->entries[i]);
	answer(core, msg, CORE_MSG_ACK, false);
	if (core->mutator == MUTATOR_CLAIMS && a->doomed)
		attempt__abort(core);
	if (core->mutator == MUTATOR_COMMITS && a->doomed && !core_mutant(doomed_commits)) {
		commit__give_up(core, NOBODY);
		attempt__abort(core);
	}
	return 0;
}
