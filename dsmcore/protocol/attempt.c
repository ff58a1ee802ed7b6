/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attempt.c - one attempt at a transaction: what it touched, its doom and its undoing.
 *
 * What counts as read. A page stays mapped from one transaction to the next, so an attempt may read it
 * without a fault: every mapped page counts as read by the running attempt ("carried", design
 * "Adaptive read tracking"). Pages that the attempt opened itself are listed in touches[] as tracked.
 * A carried page through which an attempt was doomed is re-armed: closed at the end of each attempt, so
 * that from then on only who really touches it is doomed by it. CORE_REARM_CLEAN commits without an
 * invalidation of it end that.
 *
 * That learns page by page. A loop that writes a page and goes on, while its neighbour comes to the same page (rows of a
 * picture, dealt in turn), would lose an attempt for each page. So a node whose loops lose some attempts in a row through
 * pages that they had not touched is wary for a while: the end of a loop's attempt closes what it wrote or fetched, too.
 * Where a loop does come back it pays a local fault for it.
 *
 * Opacity of the doomed. Once doomed, an attempt sees nothing new: the pages that it has mapped keep
 * their old frames (zombies) until it is undone, and its next fault unwinds it. What it can still read
 * is what was committed at one moment, that of its doom. (The exception is a pinned access, served
 * inside library code that cannot be unwound: core.h.)
 */
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/internal.h"

#define WARY_DOOM      16u /* what such a doom counts, in commits */
#define WARY_SCORE     40u /* from here on */
#define WARY_SPELL     64u /* commits; twice as many each time */
#define WARY_SPELL_MAX 1024u

static void forget_touches(struct dsm_core *core)
{
	struct attempt *a = &core->attempt;
	size_t i;

	for (i = 0; i < a->ntouches; i++)
		core->client[a->touches[i].page].slot = 0;
	a->ntouches = 0;
	a->ndirty = 0;
	a->nmeetings = 0;
	a->nmet = a->told = 0;
}

uint32_t attempt__flags(const struct dsm_core *core, uint32_t page)
{
	uint32_t slot = core->client[page].slot;

	return slot ? core->attempt.touches[slot - 1].flags : 0;
}

int attempt__begin(struct dsm_core *core, const struct core_event *event)
{
	struct attempt *a = &core->attempt;
	uint32_t elevate_after = core->config.elevate_after ? core->config.elevate_after : CORE_ELEVATE_AFTER;

	if (a->running)
		return -EINVAL;
	forget_touches(core);
	sticky__carry(core);
	if (a->retry) {
		a->party.attempt++;
	} else {
		a->party.number++;
		a->party.attempt = 0;
		a->aborts = 0;
		a->first_begin = ++core->clock;
	}
	a->party.node = core->config.node;
	a->party.site = event->site;
	a->read_only = event->read_only;
	a->independent = event->independent && !event->read_only;
	if (!a->independent && !event->looks && core->nbare && !core_mutant(bare_left_open))
		independent__close(core);
	a->sole = false;
	a->vain = false;
	/* Clocks of two nodes may be equal: the rank breaks the tie by node. */
	a->party.birth = a->aborts >= elevate_after && !core_mutant(no_elevation) ? a->first_begin : 0;
	if (core->claim.granted && !core_mutant(irrevocable_outranked)) /* claim.c */
		a->party.birth = CORE_BIRTH_IRREVOCABLE;
	memset(&a->winner, 0, sizeof(a->winner));
	a->cause = 0;
	a->running = true;
	a->doomed = false;
	a->committing = false;
	core->verdict = VERDICT_RESUME;
	rows__begin(core, event);
	return 0;
}

/* Finds or adds the page in the attempt's list. NULL: out of memory. */
struct touch *attempt__touch(struct dsm_core *core, uint32_t page, uint32_t flags)
{
	struct attempt *a = &core->attempt;
	struct client_page *cp = &core->client[page];
	struct touch *t;

	if (!cp->slot) {
		if (!core__grow(core, &a->touches, &a->touches_cap, a->ntouches + 1, sizeof(*a->touches)))
			return NULL;
		a->touches[a->ntouches++] = (struct touch){.page = page, .version = cp->version};
		cp->slot = (uint32_t)a->ntouches;
	}
	t = &a->touches[cp->slot - 1];
	t->flags |= (uint16_t)flags;
	return t;
}

void attempt__add_dirty(struct dsm_core *core, uint32_t page)
{
	struct attempt *a = &core->attempt;
	size_t i = a->ndirty;

	if (!core__grow(core, &a->dirty, &a->dirty_cap, a->ndirty + 1, sizeof(*a->dirty)))
		return;
	while (i > 0 && a->dirty[i - 1] > page) /* mostly none: programs write upwards */
		i--;
	memmove(&a->dirty[i + 1], &a->dirty[i], (a->ndirty - i) * sizeof(*a->dirty));
	a->dirty[i] = page;
	a->ndirty++;
}

void attempt__doom(struct dsm_core *core, const struct core_party *winner, enum core_cause cause)
{
	struct attempt *a = &core->attempt;

	if (a->doomed)
		return;
	a->doomed = true;
	a->winner = *winner;
	a->cause = winner->birth == CORE_BIRTH_IRREVOCABLE ? CORE_CAUSE_IRREVOCABLE : cause;
	if (core->mutator != MUTATOR_COMMITS && core->mutator != MUTATOR_CLAIMS)
		core__do(core, CORE_DO_DOOM, 0);
}

/* The winner met the attempt at this page. Only its first winner is on record. */
void attempt__meet(struct dsm_core *core, uint32_t page, uint64_t winner_version)
{
	struct attempt *a = &core->attempt;
	struct touch *t = attempt__touch(core, page, 0);

	if (!t || t->flags & TOUCH_MET)
		return;
	if (!core__grow(core, &a->meetings, &a->meetings_cap, a->nmeetings + 1, sizeof(*a->meetings)))
		return;
	t->flags |= TOUCH_MET;
	a->meetings[a->nmeetings++] = (struct core_meeting){.page = page, .winner_version = winner_version};
}

/* The evidence, while FRAME and TWIN still hold it. */
static void emit_abort(struct dsm_core *core)
{
	struct attempt *a = &core->attempt;
	struct core_action *emit;
	struct core_meeting *m;
	struct touch *t;
	size_t i;

	for (i = 0; i < a->ntouches; i++) {
		t = &a->touches[i];
		if (!(t->flags & TOUCH_WRITTEN) || !(t->flags & (TOUCH_MET | TOUCH_EMIT)))
			continue;
		emit = core__emit(core, CORE_EMIT_WRITES);
		emit->party = a->party;
		emit->page = t->page;
		emit->version = t->version;
		emit->changes = t->flags & TOUCH_STUCK;
	}
	for (i = 0; i < a->nmeetings; i++) {
		m = &a->meetings[i];
		t = &a->touches[core->client[m->page].slot - 1];
		m->version = t->version;
		m->read = t->flags & TOUCH_READ;
		m->written = t->flags & TOUCH_WRITTEN;
		m->tracked = t->flags & TOUCH_TRACKED;
		m->sticky = t->flags & TOUCH_STUCK;
	}
	emit = core__emit(core, CORE_EMIT_ABORT);
	emit->party = a->party;
	emit->other = a->winner;
	emit->cause = a->cause;
	emit->meetings = a->meetings;
	emit->nmeetings = (uint32_t)a->nmeetings;
}

static void grow_wary(struct wary *w)
{
	w->score += WARY_DOOM;
	if (w->score < WARY_SCORE)
		return;
	w->score = 0;
	w->spell = !w->spell ? WARY_SPELL : w->spell < WARY_SPELL_MAX ? 2 * w->spell : WARY_SPELL_MAX;
	w->left = w->spell;
}

static void calm_down(struct wary *w)
{
	w->score -= w->score > 0;
	w->left -= w->left > 0;
}

/* Undoes the running attempt; its winner and cause are on record. */
void attempt__abort(struct dsm_core *core)
{
	struct attempt *a = &core->attempt;
	struct client_page *cp;
	size_t i;

	core_cover__end(core, false);
	emit_abort(core);
	if (a->vain && rows__short(core))
		grow_wary(&core->wary);
	for (i = 0; i < a->ndirty; i++) {
		if (core->client[a->dirty[i]].flags & CLIENT_STICKY) {
			if (!core_mutant(sticky_not_reset))
				core__do_range(core, CORE_DO_RESET, a->dirty[i]);
			continue;
		}
		core->client[a->dirty[i]].flags &= (uint8_t)~CLIENT_DIRTY;
		core__do_range(core, core_mutant(twin_not_restored) ? CORE_DO_UNTWIN : CORE_DO_RESTORE,
			       a->dirty[i]);
	}
	/* Only now may newer versions show: nobody reads with this attempt's eyes any more. */
	for (i = 0; i < a->ntouches; i++) {
		cp = &core->client[a->touches[i].page];
		if (!(cp->flags & CLIENT_NEXT))
			continue;
		cp->flags &= (uint8_t)~CLIENT_NEXT;
		core__do(core, CORE_DO_PROMOTE, a->touches[i].page);
	}
	attempt__close(core, false);
	a->retry = a->cause != CORE_CAUSE_CANCEL && a->cause != CORE_CAUSE_LOSS;
	a->aborts += a->retry;
	core->verdict = VERDICT_ABORT;
}

static enum core_rights rights_after(const struct dsm_core *core, const struct touch *t, bool committed)
{
	struct client_page *cp = &core->client[t->page];

	if (cp->flags & CLIENT_STICKY || (cp->bare && !core_mutant(bare_closed)))
		return CORE_WRITE;
	cp->flags &= (uint8_t)~CLIENT_ZOMBIE;
	if (cp->state == CLIENT_INVALID || cp->idle >= CORE_UPDATE_PROBE)
		return CORE_NONE;
	if (cp->flags & CLIENT_REARM) {
		if (committed && ++cp->clean >= CORE_REARM_CLEAN)
			cp->flags &= (uint8_t)~CLIENT_REARM;
		else
			return CORE_NONE;
	}
	if (core->wary.left && t->flags & (TOUCH_WRITTEN | TOUCH_FETCHED) && rows__short(core))
		return CORE_NONE;
	return cp->rights == CORE_NONE ? CORE_NONE : CORE_READ;
}

/* Will the next attempt that fetches it change it as well? */
static void learn(struct client_page *cp, uint32_t flags)
{
	if (!(flags & TOUCH_FETCHED))
		return;
	if (!(flags & TOUCH_CHANGED))
		cp->habit = 0;
	else if (cp->habit < CORE_HABIT)
		cp->habit++;
}

/* The end of an attempt, committed or undone: only sticky pages stay writable, and the RECALLs that waited
 * for it are answered from what is now committed. */
void attempt__close(struct dsm_core *core, bool committed)
{
	struct attempt *a = &core->attempt;
	struct client_page *cp;
	size_t i;

	for (i = 0; i < a->ntouches; i++) {
		cp = &core->client[a->touches[i].page];
		core__gather_tx_rights(core, a->touches[i].page,
				       rights_after(core, &a->touches[i], committed));
		if (!committed)
			continue;
		ahead__close(core, a->touches[i].flags);
		learn(cp, a->touches[i].flags);
	}
	core__flush_rights(core);
	if (committed && rows__short(core))
		calm_down(&core->wary);
	core->ended = true;
	a->running = false;
	a->doomed = false;
	a->committing = false;
	a->retry = false;
	core->commit.nlocks = core->commit.lo = core->commit.hi = 0;
	core->commit.doubt = core->commit.withdrawn = false;
	core->mutator = MUTATOR_RUNS;
	commit__answer_deferred(core);
	doubt__resolved(core);
}
