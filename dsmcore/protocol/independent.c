/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * independent.c - attempts that are never undone, since their program has promised that they need not be.
 *
 * To be able to undo an attempt costs a copy of each page before it is written. A loop that writes all its memory in each
 * sweep waits for that copy as long as for its own work, and mostly for nothing: what its iterations touch no other node
 * touches before the next barrier. A program that knows this may say so (the INDEPENDENT directive of High Performance
 * Fortran is the same promise): no byte that such an attempt reads or writes is written by another node, and none that it
 * writes is read by another node, between the same two barriers. Two of them can then meet in a page, but never in a byte.
 *
 *  - A page that this node has alone is written in place: it has no twin, it stays open from one attempt to the next, and no
 *    commit looks at it. It is *bare*. When another node asks for it, it is closed for writing, and given as it is at that
 *    moment: so the other node may get bytes of half an iteration, which are none that it looks at. The next write makes
 *    the page dirty like any other. An attempt that has promised nothing closes all bare pages at its BEGIN: it must be
 *    able to undo what it writes.
 *  - What the kernel will write (a system call, dsm_touch()) is not bare, even if it was: it would not wait for a page that is closed.
 *  - A page that others have is dirty as ever, and committed through its home.
 *  - An INVALIDATE is obeyed, but dooms nothing: the attempt goes on with the page as it was (a zombie). Only of two that
 *    commit the same page at the same time one refuses the other, by rank, or each could undo the other's LOCK for ever.
 *  - So what it commits may have been changed elsewhere since. Then its changes are put on top of the newer version before
 *    its home is asked (CORE_DO_REBASE), to the byte; the port tells if both have changed the same one, which breaks the promise.
 *    The newer version is here already, where copies are updated, or is fetched now. A DENY means the same once more.
 *
 * Nobody waits for such an attempt but as for any commit, so nothing is added to who may wait for whom. While it fetches what
 * it commits it holds no lock, and counts as running: what it has alone is given to whoever asks.
 */
#include "dsmcore/protocol/internal.h"

#define DENIED_MAX 10u /* 2 to the power of that many TICKs are waited for at most */

bool independent__may(const struct dsm_core *core, uint32_t page)
{
	const struct client_page *cp = &core->client[page];

	return core->attempt.independent && cp->state == CLIENT_EXCLUSIVE &&
	       (!core->fetch.stays || core_mutant(bare_for_kernel)) &&
	       !(cp->flags & (CLIENT_DIRTY | CLIENT_ZOMBIE));
}

void independent__open(struct dsm_core *core, uint32_t page)
{
	struct client_page *cp = &core->client[page];

	core->nbare += !cp->bare;
	cp->bare = 1;
	core__gather_tx_rights(core, page, CORE_WRITE);
}

/* Whatever was written to it counts as one version more. */
static void end_bare(struct dsm_core *core, struct client_page *cp)
{
	cp->bare = 0;
	core->nbare--;
	cp->version += !core_mutant(bare_unversioned);
}

void independent__keep(struct dsm_core *core, uint32_t page)
{
	if (core->client[page].bare)
		end_bare(core, &core->client[page]);
}

void independent__share(struct dsm_core *core, uint32_t page)
{
	struct client_page *cp = &core->client[page];

	if (!cp->bare)
		return;
	end_bare(core, cp);
	if (!core_mutant(bare_kept))
		core__gather_tx_rights(core, page, CORE_READ);
}

void independent__close(struct dsm_core *core)
{
	uint32_t word, page;
	uint64_t bits;

	for (word = 0; core->nbare && word <= (core->config.pages - 1) / 64; word++)
		for (bits = core->mapped[word]; bits; bits &= bits - 1) {
			page = word * 64 + (uint32_t)__builtin_ctzll(bits);
			if (!core->client[page].bare)
				continue;
			end_bare(core, &core->client[page]);
			core__gather_tx_rights(core, page, CORE_READ);
		}
	core__flush_rights(core);
}

/* Asks for what was changed elsewhere, too, and is not here. False: it must be waited for, or is lost. */
static bool fetch_newer(struct dsm_core *core)
{
	const struct attempt *a = &core->attempt;
	uint32_t page;
	uint16_t home;
	size_t i;

	for (i = 0; i < a->ndirty; i++) {
		page = a->dirty[i];
		if (!(attempt__flags(core, page) & TOUCH_CHANGED) ||
		    core->client[page].state != CLIENT_INVALID)
			continue;
		home = core__home(core, page);
		if (core->lost[home]) {
			loss__tell(core, home);
			return false;
		}
		fetch__ask(core, page, false, false);
	}
	fetch__send(core);
	return !core->fetch.wanted;
}

bool independent__meets(const struct dsm_core *core, const struct core_msg *msg)
{
	const struct attempt *a = &core->attempt;
	uint32_t i;

	for (i = 0; i < msg->npages && a->independent && a->committing && !core_mutant(never_refuses); i++)
		if (attempt__flags(core, msg->entries[i].page) & TOUCH_LOCKED)
			return true;
	return false;
}

/* Mapped means in use, or not to be told from it (attempt.c). What this node has alone nobody else commits. */
static bool in_use(const struct dsm_core *core, uint32_t page)
{
	const struct client_page *cp = &core->client[page];

	return cp->rights != CORE_NONE && cp->state != CLIENT_EXCLUSIVE;
}

/* What was refused, and asks again, is the same commit to who counts them. */
static bool has_met(const struct attempt *a, const struct core_party *other)
{
	size_t i;

	for (i = a->nmet; i-- > 0;)
		if (a->met[i].other.node == other->node && a->met[i].other.number == other->number)
			return true;
	return false;
}

static void note_page(struct dsm_core *core, const struct core_entry *e)
{
	struct attempt *a = &core->attempt;
	const struct client_page *cp = &core->client[e->page];
	uint32_t flags = attempt__flags(core, e->page);

	if (!core__grow(core, &a->meetings, &a->meetings_cap, a->nmeetings + 1, sizeof(*a->meetings)))
		return;
	a->meetings[a->nmeetings++] =
		(struct core_meeting){.page = e->page,
				      .version = cp->slot ? a->touches[cp->slot - 1].version : cp->version,
				      .winner_version = e->version + 1,
				      .read = flags & TOUCH_READ,
				      .written = flags & TOUCH_WRITTEN,
				      .tracked = flags & TOUCH_TRACKED,
				      .wanted_write = true,
				      .sticky = flags & TOUCH_STUCK};
}

/* Nothing is lost, so nothing but this tells that two nodes share these pages. Those of the commit on other homes, too: their
 * INVALIDATEs come apart. */
void independent__met(struct dsm_core *core, const struct core_msg *msg)
{
	struct attempt *a = &core->attempt;
	size_t first = a->nmeetings;
	uint32_t i;

	if (has_met(a, &msg->tx))
		return;
	for (i = 0; i < msg->npages + msg->nwset; i++)
		if (in_use(core, msg->entries[i].page))
			note_page(core, &msg->entries[i]);
	if (a->nmeetings == first || !core__grow(core, &a->met, &a->met_cap, a->nmet + 1, sizeof(*a->met)))
		return;
	a->met[a->nmet++] = (struct met){.other = msg->tx, .first = first};
}

/* Not where they are noted: the list may move while the step lasts. */
void independent__emit_meetings(struct dsm_core *core)
{
	struct attempt *a = &core->attempt;
	struct core_action *emit;
	size_t end;

	for (; a->told < a->nmet; a->told++) {
		end = a->told + 1 < a->nmet ? a->met[a->told + 1].first : a->nmeetings;
		emit = core__emit(core, CORE_EMIT_MEET);
		emit->party = a->party;
		emit->other = a->met[a->told].other;
		emit->meetings = &a->meetings[a->met[a->told].first];
		emit->nmeetings = (uint32_t)(end - a->met[a->told].first);
	}
}

/* It commits nothing for now: who has waited for the decision may wait for what will delay it. */
static void stand_back(struct dsm_core *core)
{
	core->attempt.committing = false;
	core->commit.doubt = core->commit.withdrawn = false;
	if (!core_mutant(recalls_kept))
		commit__answer_deferred(core);
	if (!core_mutant(answers_kept))
		doubt__resolved(core);
}

static void wait_for_newer(struct dsm_core *core)
{
	core->commit.rebasing = core->commit.hindered = true;
	core->fetch.pinned = true;
	core->mutator = MUTATOR_FETCHES;
}

bool independent__rebase(struct dsm_core *core)
{
	struct attempt *a = &core->attempt;
	struct client_page *cp;
	uint32_t page;
	size_t i;

	if (!fetch_newer(core)) {
		stand_back(core);
		wait_for_newer(core);
		return false;
	}
	for (i = 0; i < a->ndirty; i++) {
		page = a->dirty[i];
		cp = &core->client[page];
		if (!(attempt__flags(core, page) & TOUCH_CHANGED))
			continue;
		if (cp->flags & CLIENT_NEXT && !core_mutant(not_rebased))
			core__do(core, CORE_DO_REBASE, page);
		core->commit.hindered |= !!(cp->flags & CLIENT_NEXT);
		cp->flags &= (uint8_t) ~(CLIENT_NEXT | CLIENT_ZOMBIE);
		a->touches[cp->slot - 1].version = cp->version;
	}
	return true;
}

/* Does it know of something newer than what it was denied? */
static bool is_behind(const struct dsm_core *core)
{
	const struct client_page *cp;
	size_t i;

	for (i = 0; i < core->commit.nlocks; i++) {
		cp = &core->client[core->commit.locks[i].page];
		if (cp->state == CLIENT_INVALID || cp->flags & CLIENT_NEXT)
			return true;
	}
	return false;
}

/* Who outranks it has locked one of its pages, or has one in use and refused it, and may wait for any of the others: it would
 * never get them if this one asked again at once, at a home of this node perhaps in the same step. So that waits
 * a moment, or if it was refused, which may last, each time a longer one. The attempt's number tells late answers apart. */
void independent__denied(struct dsm_core *core, bool refused)
{
	core->attempt.party.attempt += !core_mutant(asks_alike);
	core->commit.hindered = true;
	stand_back(core);
	if ((!refused && is_behind(core)) || core_mutant(denied_at_once)) {
		commit__again(core);
		return;
	}
	wait_for_newer(core);
	core->commit.later = 1;
	if (refused) {
		core->commit.later = (uint16_t)(1u << core->commit.denied);
		core->commit.denied += core->commit.denied < DENIED_MAX;
	}
	core__ask_tick(core);
}

void independent__tick(struct dsm_core *core)
{
	if (!core->commit.later)
		return;
	if (--core->commit.later)
		core__ask_tick(core);
	else
		commit__again(core);
}

void independent__settle(struct dsm_core *core)
{
	struct attempt *a = &core->attempt;
	struct client_page *cp;
	size_t i;

	for (i = 0; i < a->ntouches && a->independent && !core_mutant(next_kept); i++) {
		cp = &core->client[a->touches[i].page];
		if (!(cp->flags & CLIENT_NEXT))
			continue;
		cp->flags &= (uint8_t)~CLIENT_NEXT;
		core__do(core, CORE_DO_PROMOTE, a->touches[i].page);
	}
}
