/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ahead.c - pages opened for writing before they are written.
 *
 * A program that fills an array writes one page after the other, and each first write costs a fault: some 8
 * us for a page whose twin costs 1. So when first writes come in a row, the pages that follow are opened with
 * the one that faulted, in one change of rights: first one more, then twice as many each time. Only pages
 * that this node owns: nobody has to be asked for them, and nobody else is kept away by it. Not those that
 * are re-armed: what is read of them is to be known. A page opened for nothing costs its twin and a
 * comparison, and is closed with the attempt; when more than a quarter turn out so, the row may only grow
 * half as long, and when nearly all were used twice as long again.
 *
 * An attempt may have written such a page or not: TOUCH_STUCK says so to those who ask what it did. Nothing
 * else differs from a page that it opened itself.
 */
#include "dsmcore/protocol/internal.h"

#define SAMPLE 64u /* outcomes between looks at the limit */

bool ahead__may(const struct dsm_core *core, uint32_t page)
{
	return page < core->config.pages && model__is(core, page, CORE_TX) && ahead__owned(core, page);
}

bool ahead__owned(const struct dsm_core *core, uint32_t page)
{
	const struct client_page *cp = &core->client[page];

	return cp->state == CLIENT_EXCLUSIVE && !cp->bare &&
	       !(cp->flags & (CLIENT_DIRTY | CLIENT_ZOMBIE | CLIENT_AHEAD | CLIENT_REARM));
}

void ahead__open(struct dsm_core *core, uint32_t page)
{
	struct ahead *w = &core->ahead;
	uint32_t end;

	/* A commit in between closes what was not reached: the row goes on where it was. */
	w->window = page <= w->next && page + w->window + 1 >= w->next ? 2 * w->window + 1 : 0;
	if (w->window > w->limit)
		w->window = w->limit;
	end = page + 1 + w->window;
	for (page++; page < end && ahead__may(core, page); page++) {
		client__open(core, page, true, TOUCH_AHEAD | TOUCH_STUCK);
		w->opened++;
	}
	w->next = page;
}

void ahead__close(struct dsm_core *core, uint32_t flags)
{
	struct ahead *w = &core->ahead;

	if (!(flags & TOUCH_AHEAD))
		return;
	w->outcomes++;
	if (flags & TOUCH_CHANGED) {
		w->used++;
		w->hits++;
	}
	if (w->outcomes < SAMPLE)
		return;
	if (w->hits < SAMPLE - SAMPLE / 4)
		w->limit = w->limit > 1 ? w->limit / 2 : 1;
	else if (w->hits > SAMPLE - SAMPLE / 16)
		w->limit = 2 * w->limit < core->config.ahead_max ? 2 * w->limit : core->config.ahead_max;
	w->outcomes = w->hits = 0;
}
