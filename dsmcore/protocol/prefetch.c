/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prefetch.c - which pages will be wanted next.
 *
 * A fault that had to fetch, or that found a prefetched page, is looked at together with those before it, of
 * this attempt or of earlier ones. Four faults at the same distance, up to NEAR pages (five, when it is
 * more), make a stream, with at most AMONG - 1 others between two of them: random faults hardly ever meet so.
 * From then on pages are asked for ahead of it: two at first, twice as many each time that half of them are
 * used, up to a limit. They are asked for without waiting, so a stream that computes longer than a round trip
 * takes never waits again.
 *
 * A row does not go on behind a barrier: what comes next in it may be what others write now, as in an elimination where each
 * step reads the row that the step before has finished. Who walks on finds a new row after four faults.
 *
 * A prefetch must not cost others anything that they would notice. So homes refuse what would make somebody
 * wait or take exclusivity away from another node (home.c: to_spare()); what comes is mapped closed, so it is
 * in no read set; and the limit follows what became of the pages: it halves when a third of them was for
 * nothing (refused, lost before use, or left over when their stream ended) and doubles when hardly any was.
 */
#include <stdlib.h>

#include "dsmcore/protocol/internal.h"

#define NEAR	    4	/* pages */
#define AMONG	    4u	/* faults in which the next one of a row is searched */
#define FIRST	    2u	/* pages asked for when a stream is found */
#define IDLE_FAULTS 64u /* after so many faults elsewhere a stream has ended */
#define JUDGED	    32u /* pages after which the limit is looked at */

static void judge(struct prefetch *p, uint32_t max)
{
	if (p->hits + p->misses < JUDGED)
		return;
	if (p->misses * 2 > p->hits)
		p->limit = p->limit > 1 ? p->limit / 2 : 1;
	else if (p->misses * 8 <= p->hits)
		p->limit = p->limit * 2 < max ? p->limit * 2 : max;
	p->hits = p->misses = 0;
}

void prefetch__hit(struct dsm_core *core)
{
	core->prefetch.stats.used++;
	core->prefetch.hits++;
	judge(&core->prefetch, core->config.prefetch_max);
}

void prefetch__miss(struct dsm_core *core)
{
	core->prefetch.misses++;
	judge(&core->prefetch, core->config.prefetch_max);
}

/* ---- streams ---- */

/* How many steps of the stream lie between two pages; 0 when the second is not on its way. */
static uint32_t steps(const struct stream *s, uint32_t from, uint32_t to)
{
	int64_t distance = (int64_t)to - from;

	if (!s->stride || distance % s->stride || distance / s->stride < 0)
		return 0;
	return (uint32_t)(distance / s->stride);
}

/* Pages that it asked for and that nobody came for. */
static void end_stream(struct dsm_core *core, struct stream *s)
{
	uint32_t n = s->stride ? steps(s, s->last, s->next) : 0, i;

	for (i = 1; i < n; i++)
		if (core->client[s->last + i * (uint32_t)s->stride].flags & CLIENT_AHEAD)
			prefetch__miss(core);
	s->stride = 0;
}

/* Pages of a stream that are mapped already do not fault, so it may jump ahead. */
static struct stream *find_stream(struct prefetch *p, uint32_t page)
{
	struct stream *s;
	uint32_t k;

	for (s = p->stream; s < p->stream + CORE_STREAMS; s++) {
		k = steps(s, s->last, page);
		if (s->stride && (page == s->last || (k && k <= 2 * s->window + 2)))
			return s;
	}
	return NULL;
}

static struct stream *free_stream(struct dsm_core *core)
{
	struct prefetch *p = &core->prefetch;
	struct stream *s, *oldest = p->stream;

	for (s = p->stream; s < p->stream + CORE_STREAMS; s++) {
		if (s->stride && p->faults - s->used > IDLE_FAULTS)
			end_stream(core, s);
		if (!s->stride || (oldest->stride && p->faults - s->used > p->faults - oldest->used))
			oldest = s;
	}
	end_stream(core, oldest);
	return oldest;
}

/* The fault that came `back` before the newest one; a page number that no fault can have if there was none.
 */
static int64_t recent(const struct prefetch *p, uint32_t back)
{
	if (back >= p->nrecent || back >= CORE_STREAM_FAULTS)
		return INT64_MIN / 2;
	return p->recent[(p->nrecent - 1 - back) % CORE_STREAM_FAULTS];
}

/* Is the page among the faults just before the one at *back? */
static bool seen_before(const struct prefetch *p, int64_t page, uint32_t *back)
{
	uint32_t end = *back + AMONG;

	while (++*back <= end)
		if (recent(p, *back) == page)
			return true;
	return false;
}

static bool makes_row(const struct prefetch *p, uint32_t page, uint32_t back, int64_t stride)
{
	uint32_t i, points = stride > NEAR || stride < -NEAR ? 4 : 3;

	for (i = 2; i <= points; i++)
		if (!seen_before(p, page - i * stride, &back))
			return false;
	return true;
}

/* The distance at which this fault and some before it form a row, 0 = none. */
static int32_t find_stride(const struct prefetch *p, uint32_t page)
{
	uint32_t back;
	int64_t stride;

	for (back = 0; back < AMONG; back++) {
		stride = (int64_t)page - recent(p, back);
		if (stride && stride <= INT32_MAX && stride >= -INT32_MAX && makes_row(p, page, back, stride))
			return (int32_t)stride;
	}
	return 0;
}

/* ---- asking ---- */

static bool in_region(const struct dsm_core *core, int64_t page)
{
	return page >= 0 && page < core->config.pages;
}

/* A stream ends where pages of another model begin. */
static void ask(struct dsm_core *core, const struct stream *s, uint32_t page, bool write)
{
	const struct client_page *cp = &core->client[page];

	if (cp->state != CLIENT_INVALID || cp->flags & (CLIENT_ZOMBIE | CLIENT_FLIES | CLIENT_KEPT) ||
	    core->lost[core__home(core, page)] || core__model(core, page) != core__model(core, s->last))
		return;
	if (model__is(core, page, CORE_TX))
		fetch__ask(core, page, write, true);
	else if (!copies__ahead(core, page))
		return;
	core->prefetch.stats.asked++;
}

/* Asks for n pages from s->next on, in ascending order as messages must have them. */
static void ask_ahead(struct dsm_core *core, struct stream *s, uint32_t n, bool write)
{
	int64_t first = s->next;
	uint32_t i;

	while (n && !in_region(core, first + (int64_t)(n - 1) * s->stride))
		n--;
	for (i = 0; i < n; i++)
		ask(core, s, (uint32_t)(first + (int64_t)(s->stride > 0 ? i : n - 1 - i) * s->stride), write);
	if (in_region(core, first + (int64_t)n * s->stride))
		s->next = (uint32_t)(first + (int64_t)n * s->stride);
	fetch__send(core);
	copies__send(core);
}

static void advance(struct dsm_core *core, struct stream *s, uint32_t page, bool write)
{
	struct prefetch *p = &core->prefetch;
	uint32_t ahead = steps(s, page, s->next);

	s->last = page;
	s->used = p->faults;
	if (!ahead) { /* it has overtaken what was asked for */
		if (!in_region(core, (int64_t)page + s->stride))
			return;
		s->next = page + (uint32_t)s->stride;
		ahead = 1;
	}
	if ((ahead - 1) * 2 >= s->window)
		return;
	s->window = s->window * 2 < p->limit ? s->window * 2 : p->limit;
	if (core_mutant(ahead_unbounded))
		s->window = 4 * core->config.prefetch_max;
	if (s->window > ahead - 1)
		ask_ahead(core, s, s->window - (ahead - 1), write);
}

void prefetch__fault(struct dsm_core *core, uint32_t page, bool write)
{
	struct prefetch *p = &core->prefetch;
	struct stream *s = find_stream(p, page);
	int32_t stride;

	p->faults++;
	if (s && s->last == page) /* it was lost meanwhile: that tells nothing of where the stream goes */
		return;
	if (!s) {
		stride = find_stride(p, page);
		p->recent[p->nrecent++ % CORE_STREAM_FAULTS] = page;
		if (!stride)
			return;
		s = free_stream(core);
		*s = (struct stream){.stride = stride, .next = page, .window = FIRST / 2};
	}
	advance(core, s, page, write);
}

void prefetch__barrier(struct dsm_core *core)
{
	struct prefetch *p = &core->prefetch;
	struct stream *s;

	for (s = p->stream; s < p->stream + CORE_STREAMS; s++)
		end_stream(core, s);
	p->nrecent = 0;
}
