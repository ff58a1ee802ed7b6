/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sticky.c - written pages that stay writable from one transaction to the next.
 *
 * Opening a page for its first write and closing it again costs a fault and a change of rights, together some
 * 7 us; comparing a page with its twin costs 0.05 us in the first cache and nearly 1 us from memory. So a
 * page that this node owns and changes again and again is left writable: at each commit the port compares it
 * with its twin (it is in core__dirty() from the BEGIN on), and the twin of a changed one is brought up to
 * date. An attempt that does not change it has nothing of it in its write set.
 *
 * The rule, like that of who rents skis: 1. A page becomes sticky when it changes twice within sticky_clean
 * commits. 2. It is closed when it has not changed in as many: with 8, a page that turns cold has cost no
 * more than the fault that it would have saved, even when each comparison went to memory. 3. At most
 * sticky_max pages are sticky. When there is no room, the one that changed longest ago leaves, but only if
 * that was longer ago than the newcomer's own last change: a program that walks round and round over more
 * pages than that keeps the first ones, instead of opening each for nothing.
 *
 * What holds while a page is sticky: it is EXCLUSIVE, it has a twin, its rights are WRITE; while no attempt
 * runs, frame and twin are equal. So a RECALL is served from the twin whatever the mutator does. It also ends
 * stickiness: at once if no attempt runs (the mutator writes only in attempts); else the attempt goes on with
 * the page as if it had opened it for writing itself, which for all we know it has used it for: it is dirty
 * and shared, commits through its home if it differs, and dooms the attempt if it is invalidated.
 */
#include <string.h>

#include "dsmcore/protocol/internal.h"

/* A new attempt may write them without a fault. */
void sticky__carry(struct dsm_core *core)
{
	struct attempt *a = &core->attempt;

	if (!core->nsticky || !core__grow(core, &a->dirty, &a->dirty_cap, core->nsticky, sizeof(*a->dirty)))
		return;
	memcpy(a->dirty, core->sticky, core->nsticky * sizeof(*a->dirty));
	a->ndirty = core->nsticky;
}

/* Its place in the list, or where it would stand. */
static uint32_t place(const struct dsm_core *core, uint32_t page)
{
	uint32_t i = 0;

	while (i < core->nsticky && core->sticky[i] < page)
		i++;
	return i;
}

static void take_out(struct dsm_core *core, uint32_t page)
{
	uint32_t i = place(core, page);

	core->nsticky--;
	memmove(&core->sticky[i], &core->sticky[i + 1], (core->nsticky - i) * sizeof(core->sticky[0]));
	core->client[page].flags &= (uint8_t)~CLIENT_STICKY;
}

static void untwin(struct dsm_core *core, uint32_t page)
{
	core__do_range(core, CORE_DO_UNTWIN, page);
	core->client[page].flags &= (uint8_t)~CLIENT_DIRTY;
}

/* At a commit: what has not changed is clean, so nothing is lost. */
static void leave(struct dsm_core *core, uint32_t page)
{
	take_out(core, page);
	untwin(core, page);
	attempt__touch(core, page,
		       0); /* attempt__close() takes its rights back, with those of its neighbours */
}

/* Room for a page that changes every `pause` commits: who changed longest ago leaves, if that was before. */
static bool make_room(struct dsm_core *core, uint32_t pause)
{
	uint32_t i, age, oldest = pause, victim = 0;

	if (core->nsticky < core->config.sticky_max)
		return true;
	for (i = 0; i < core->nsticky; i++) {
		age = core->commits - core->client[core->sticky[i]].wrote;
		if (age > oldest) {
			oldest = age;
			victim = core->sticky[i];
		}
	}
	if (oldest == pause)
		return false;
	leave(core, victim);
	return true;
}

static void enter(struct dsm_core *core, uint32_t page)
{
	uint32_t i = place(core, page);

	memmove(&core->sticky[i + 1], &core->sticky[i], (core->nsticky - i) * sizeof(core->sticky[0]));
	core->sticky[i] = page;
	core->nsticky++;
	core->client[page].flags |= CLIENT_STICKY;
}

/* The commit is decided; what becomes of a page with a twin? */
void sticky__commit(struct dsm_core *core, uint32_t page)
{
	struct client_page *cp = &core->client[page];
	uint32_t flags = attempt__flags(core, page);
	uint32_t pause = cp->slot ? core->attempt.touches[cp->slot - 1].pause : 0;
	bool changed = flags & TOUCH_CHANGED;

	if (!(cp->flags & CLIENT_DIRTY)) /* it has made room for another */
		return;
	if (cp->flags & CLIENT_STICKY) {
		if (core->commits - cp->wrote >= core->config.sticky_clean && !core_mutant(sticky_unbounded))
			leave(core, page);
		else if (changed && rows__stream(core))
			leave(core, page);
		else if (changed && !core_mutant(sticky_stale_twin))
			core__do_range(core, CORE_DO_REFRESH, page);
		return;
	}
	if (pause && cp->state == CLIENT_EXCLUSIVE && !rows__stream(core) && !core->attempt.independent &&
	    make_room(core, pause)) {
		enter(core, page);
		core__do_range(core, CORE_DO_REFRESH, page);
		return;
	}
	untwin(core, page);
}

/* It is not exclusive any more; if no attempt runs it has these rights from now on. */
void sticky__lose(struct dsm_core *core, uint32_t page, enum core_rights rights)
{
	if (!(core->client[page].flags & CLIENT_STICKY) || core_mutant(sticky_kept))
		return;
	take_out(core, page);
	if (core->attempt.running) {
		attempt__touch(core, page, TOUCH_WRITTEN | TOUCH_STUCK);
		return;
	}
	/* No attempt has written it, but a program that breaks the rules may have, between its transactions:
	 * from such a page no two nodes may get different bytes. */
	core__protect(core, page, rights);
	core__do(core, CORE_DO_RESTORE, page);
	core->client[page].flags &= (uint8_t)~CLIENT_DIRTY;
}
