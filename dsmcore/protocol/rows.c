/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rows.c - what the transactions of a loop write, opened before they write it.
 *
 * A loop that commits within itself (DSM_TX_FOR) mostly walks over an array: each transaction writes the
 * pages behind those of the one before, and so many for so many iterations. Both are learnt for each site.
 * So when the next transaction of the loop begins, its pages are opened for writing together: one range of
 * rights, their twins one after the other, and not a single fault. The copy is no waste of time either:
 * it brings the lines of a page near just before the program computes on them. The first transaction of a
 * loop is not guessed; its first fault opens the rest.
 *
 * It is a guess like that of ahead.c, with the same rules: only pages that this node owns, and not those that
 * are re-armed. A page opened for nothing costs its twin and a comparison, and is closed with the attempt.
 * When more than a quarter were opened for nothing, the site is left alone for 2, 4, 8 ... transactions.
 *
 * Rows longer than sticky_max go past the sticky set: to keep 64 pages of a thousand open saves little, and
 * each of them would be compared at the commit of each transaction.
 */
#include "dsmcore/protocol/internal.h"

#define ROW_NEAR      8u /* pages: what is further apart is not one row */
#define ROW_WRONG_MAX 6u
#define ROW_NO_GAP    UINT32_MAX

static struct row *row_of(struct dsm_core *core, uint32_t site)
{
	return &core->rows.of[site * 0x9e3779b1u >> 16 & (CORE_ROWS - 1)];
}

/* How many pages so many units of work will write; one more, since rows of a matrix end within pages. What the
 * last transaction wrote, and the gap behind it, which also is between the units of one transaction. */
static uint32_t expected(const struct dsm_core *core, const struct row *r)
{
	uint32_t gap = r->gap == ROW_NO_GAP || r->gap < 2 ? 0 : r->gap - 1;
	uint64_t pages = ((uint64_t)(r->span + gap) * core->rows.units + r->units - 1) / r->units + 1 - gap;

	return pages < core->config.row_max ? (uint32_t)pages : core->config.row_max;
}

static bool guessable(struct row *r, uint32_t site)
{
	if (r->site != site || !r->span)
		return false;
	if (!r->pause)
		return true;
	r->pause--;
	return false;
}

static void open_row(struct dsm_core *core, uint32_t page, uint32_t count)
{
	struct rows *w = &core->rows;
	uint32_t end;

	if (page >= core->config.pages)
		return;
	end = count < core->config.pages - page ? page + count : core->config.pages;
	for (; page < end; page++) {
		if (!ahead__may(core, page) && !core_mutant(row_unowned))
			continue;
		client__open(core, page, true);
		attempt__touch(core, page, TOUCH_ROW | TOUCH_STUCK);
		w->opened++;
		core->ahead.opened++;
	}
	w->tried = true;
}

void rows__begin(struct dsm_core *core, const struct core_event *event)
{
	struct rows *w = &core->rows;
	struct row *r = row_of(core, event->site);

	w->units = event->read_only ? 0 : event->units;
	w->goes_on = event->goes_on;
	w->opened = 0;
	w->tried = false;
	w->streams = w->units && r->site == event->site && r->longest > core->config.sticky_max;
	if (!w->units || !w->goes_on || r->gap == ROW_NO_GAP || !guessable(r, event->site))
		return;
	open_row(core, r->last + r->gap, expected(core, r));
	core__flush_rights(core);
}

bool rows__write(struct dsm_core *core, uint32_t page)
{
	struct rows *w = &core->rows;
	struct row *r = row_of(core, core->attempt.party.site);

	if (!w->units || w->tried || !guessable(r, core->attempt.party.site))
		return false;
	open_row(core, page + 1, expected(core, r) - 1);
	return true;
}

/* The most changed pages that lie near one another: from, to; how many. */
static uint32_t longest(const struct dsm_core *core, uint32_t *from, uint32_t *to)
{
	const struct attempt *a = &core->attempt;
	uint32_t page, start = 0, last = 0, n = 0, most = 0;
	size_t i;

	for (i = 0; i < a->ndirty; i++) {
		page = a->dirty[i];
		if (!(attempt__flags(core, page) & TOUCH_CHANGED))
			continue;
		if (!n || page - last > ROW_NEAR) {
			start = page;
			n = 0;
		}
		last = page;
		if (++n > most) {
			most = n;
			*from = start;
			*to = page;
		}
	}
	return most;
}

/* Was the guess good? */
static void judge_row(struct dsm_core *core, struct row *r)
{
	const struct attempt *a = &core->attempt;
	uint32_t used = 0;
	size_t i;

	for (i = 0; i < a->ntouches; i++)
		used += (a->touches[i].flags & (TOUCH_ROW | TOUCH_CHANGED)) == (TOUCH_ROW | TOUCH_CHANGED);
	core->ahead.used += used;
	if (core->rows.opened - used <= 1 + core->rows.opened / 4) {
		r->wrong = 0;
		return;
	}
	r->wrong += r->wrong < ROW_WRONG_MAX;
	r->pause = (uint8_t)(1u << r->wrong);
}

void rows__learn(struct dsm_core *core)
{
	struct rows *w = &core->rows;
	struct row *r = row_of(core, core->attempt.party.site);
	uint32_t from = 0, to = 0, n;

	if (!w->units)
		return;
	if (r->site != core->attempt.party.site)
		*r = (struct row){.site = core->attempt.party.site};
	if (w->opened)
		judge_row(core, r);
	n = longest(core, &from, &to);
	if (w->goes_on && r->span && n)
		r->gap = from >= r->last && from - r->last <= ROW_NEAR ? from - r->last : ROW_NO_GAP;
	r->span = n < 2 ? 0 : to - from + 1;
	r->last = n ? to : 0;
	r->longest -= r->longest / 8;
	if (r->longest < n)
		r->longest = n;
	r->units = w->units;
}

bool rows__stream(const struct dsm_core *core)
{
	return core->rows.streams;
}
