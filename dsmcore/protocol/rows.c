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
 * When more than a quarter were opened for nothing, the site's next 2, 4, 8 ... chances to guess are let pass: the begin of
 * a transaction that goes on, and each write fault in one where nothing has been guessed. (To let whole transactions pass
 * is too much, since a fault that is spared is worth several pages opened for nothing: mgs of 700 rows, which end within
 * pages, took 12 to 14 s so, instead of 10 to 11.)
 *
 * Rows longer than sticky_max go past the sticky set: to keep 64 pages of a thousand open saves little, and
 * each of them would be compared at the commit of each transaction.
 */
#include "dsmcore/protocol/internal.h"

/* In pages: what is further apart is not one row; rows that begin so far apart are still looked at together, if all of
 * them do. And so many rows it takes to see that they do. */
#define ROW_NEAR      8u
#define ROW_PITCH_MAX 256u
#define ROW_PITCH_OF  3u
#define ROW_WRONG_MAX 6u
#define ROW_NO_GAP    UINT32_MAX

static struct row *row_of(struct dsm_core *core, uint32_t site)
{
	return &core->rows.of[site * 0x9e3779b1u >> 16 & (CORE_ROWS - 1)];
}

/* How many pages so many units of work will write; one more, since rows of a matrix end within pages. What the
 * last transaction wrote, and the gap behind it, which also is between the units of one transaction. Fewer units than fill
 * a row do not get to its end, nor to the gap: then it is the page that they begin with. */
static uint32_t expected(const struct dsm_core *core, const struct row *r)
{
	int64_t gap = r->gap == ROW_NO_GAP || r->gap < 2 ? 0 : r->gap - 1;
	int64_t pages = ((r->span + gap) * core->rows.units + r->units - 1) / r->units + 1 - gap;

	if (pages < 1)
		return 1;
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

/* Are all of these pages CORE_TX? Each home begins with those that are. */
static bool all_tx(const struct dsm_core *core, uint32_t page, uint32_t end)
{
	return page < end && core__birth(core, page) == core__birth(core, end - 1) &&
	       model__is(core, end - 1, CORE_TX);
}

static void open_row(struct dsm_core *core, uint32_t page, uint32_t count)
{
	struct rows *w = &core->rows;
	uint32_t end;
	bool tx;

	if (page >= core->config.pages)
		return;
	end = count < core->config.pages - page ? page + count : core->config.pages;
	tx = all_tx(core, page, end);
	for (; page < end; page++) {
		if (!(tx ? ahead__owned(core, page) : ahead__may(core, page)) && !core_mutant(row_unowned))
			continue;
		client__open(core, page, true, TOUCH_ROW | TOUCH_STUCK);
		w->opened++;
		core->ahead.opened++;
	}
	w->tried = true;
}

void rows__begin(struct dsm_core *core, const struct core_event *event)
{
	struct rows *w = &core->rows;
	struct row *r = row_of(core, event->site);

	w->units = event->read_only || core->attempt.independent ? 0 : event->units;
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

/* Pages written near one another, or rows of them that begin at equal distances, as those of a matrix whose other rows
 * belong to other nodes. */
struct stretch {
	uint32_t from, to, n; /* pages: first, last, and how many of those between were written */
	uint32_t start;	      /* of its last row */
	uint32_t pitch, rows; /* between the beginnings of its rows; how many there are */
};

static void take_longer(struct stretch *most, const struct stretch *s)
{
	if (s->n > most->n && (s->rows == 1 || s->rows >= ROW_PITCH_OF))
		*most = *s;
}

/* The row goes on with the stretch if it begins where its pitch says; the second row of a stretch says what that is. */
static void add_row(struct stretch *s, struct stretch *before, const struct stretch *row)
{
	uint32_t pitch = row->from - s->start;

	if (!s->rows || pitch > ROW_PITCH_MAX) {
		*s = *row;
	} else {
		if (s->rows > 1 && s->pitch != pitch)
			*s = *before;
		*s = (struct stretch){s->from, row->to, s->n + row->n, row->from, pitch, s->rows + 1};
	}
	*before = *row;
}

/* The longest stretch of changed pages; n = 0: none. */
static struct stretch longest(const struct dsm_core *core)
{
	const struct attempt *a = &core->attempt;
	struct stretch most = {0}, all = {0}, before = {0}, row = {0};

	for (size_t i = 0; i <= a->ndirty; i++) {
		uint32_t page = i < a->ndirty ? a->dirty[i] : 0;

		if (i < a->ndirty && !(attempt__flags(core, page) & TOUCH_CHANGED))
			continue;
		if (i < a->ndirty && row.n && page - row.to <= ROW_NEAR) {
			row.to = page;
			row.n++;
			continue;
		}
		if (row.n) {
			take_longer(&most, &row);
			add_row(&all, &before, &row);
			take_longer(&most, &all);
		}
		row = (struct stretch){.from = page, .to = page, .n = 1, .start = page, .rows = 1};
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
	struct stretch s;

	if (!w->units)
		return;
	if (r->site != core->attempt.party.site)
		*r = (struct row){.site = core->attempt.party.site, .gap = ROW_NO_GAP};
	if (w->opened)
		judge_row(core, r);
	s = longest(core);
	if (w->goes_on && r->span && s.n)
		r->gap = s.from >= r->last && s.from - r->last <= ROW_PITCH_MAX ? s.from - r->last
										: ROW_NO_GAP;
	r->span = s.n < 2 ? 0 : s.to - s.from + 1;
	r->last = s.n ? s.to : 0;
	r->longest -= r->longest / 8;
	if (r->longest < s.n)
		r->longest = s.n;
	r->units = w->units;
}

bool rows__stream(const struct dsm_core *core)
{
	return core->rows.streams;
}

bool rows__short(const struct dsm_core *core)
{
	return core->rows.units && !core->rows.streams;
}
