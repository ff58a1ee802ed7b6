// SPDX-License-Identifier: BSD-2-Clause
#include "collector/clockfit.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "collector/room.h"

#define TIME_MOST (INT64_MAX / 8) /* nothing overflows below; 36 years */
#define SLOT_NS	  100000000ll	  /* nearer measurements are of one moment, if there are too many */
#define WANDER	  2e-8		  /* that rates move even where the measurements do not tell */

/* ---- what is kept ---- */

static int earlier(const void *a, const void *b)
{
	const struct clockfit_sample *x = a, *y = b;

	return x->at != y->at ? (x->at > y->at) - (x->at < y->at) : (x->lo > y->lo) - (x->lo < y->lo);
}

static size_t thinned(struct clockfit_sample *s, size_t n, int64_t slot)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (!kept || s[i].at / slot != s[kept - 1].at / slot)
			s[kept++] = s[i];
		else if (s[i].hi - s[i].lo < s[kept - 1].hi - s[kept - 1].lo)
			s[kept - 1] = s[i];
	}
	return kept;
}

/* The tightest of each span of time; spans are as long as must be that half the room is free again. */
static void thin(struct clockfit_samples *all, size_t most)
{
	if (!all->n)
		return;
	qsort(all->at, all->n, sizeof(*all->at), earlier);
	for (int64_t slot = SLOT_NS; all->n > most && slot < TIME_MOST; slot *= 2)
		all->n = thinned(all->at, all->n, slot);
}

int clockfit__add(struct clockfit_samples *all, int64_t at, int64_t lo, int64_t hi)
{
	size_t most = all->most ? all->most : CLOCKFIT_SAMPLES;

	if (at < -TIME_MOST || at > TIME_MOST || lo > hi || lo < -TIME_MOST || hi > TIME_MOST)
		return 0;
	if (all->n >= 2 * most)
		thin(all, most);
	if (room__for((void **)&all->at, &all->room, all->n + 1, sizeof(*all->at)))
		return -ENOMEM;
	all->at[all->n++] = (struct clockfit_sample){at, lo, hi};
	return 0;
}

void clockfit__forget(struct clockfit_samples *all)
{
	free(all->at);
	*all = (struct clockfit_samples){.most = all->most};
}

/* ---- the tunnel ---- */

struct point {		  /* one measurement, from those that are used */
	double at;	  /* since the first */
	double lo, hi;	  /* against the first one's middle */
	double low, high; /* of the tunnel */
	double middle;
	bool first; /* behind a step */
};

struct rates {
	double least, most;
};

/* What each bound says of the times before and after it, as far as there is no step between. False: they contradict. */
static bool dig(struct point *p, size_t n, struct rates r)
{
	bool open = true;

	for (size_t i = 0; i < n; i++) {
		p[i].low = p[i].lo;
		p[i].high = p[i].hi;
		if (!i || p[i].first)
			continue;
		double d = p[i].at - p[i - 1].at;

		p[i].low = fmax(p[i].lo, p[i - 1].low + r.least * d);
		p[i].high = fmin(p[i].hi, p[i - 1].high + r.most * d);
	}
	for (size_t i = n; i-- > 0;) {
		if (i + 1 < n && !p[i + 1].first) {
			double d = p[i + 1].at - p[i].at;

			p[i].low = fmax(p[i].low, p[i + 1].low - r.most * d);
			p[i].high = fmin(p[i].high, p[i + 1].high - r.least * d);
		}
		open &= p[i].low <= p[i].high;
	}
	return open;
}

/* The rates that any two bounds leave: with least > most there is no one rate for all of them. */
static struct rates limit(const struct point *p, size_t n)
{
	struct rates r = {-CLOCKFIT_RATE_MOST, CLOCKFIT_RATE_MOST};

	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n && !p[j].first; j++) {
			double d = p[j].at - p[i].at;

			if (d < 1)
				continue;
			r.least = fmax(r.least, (p[j].low - p[i].high) / d);
			r.most = fmin(r.most, (p[j].high - p[i].low) / d);
		}
	return r;
}

/* ---- steps ---- */

struct reach { /* what the measurements so far leave possible at a moment */
	double at, low, high;
};

static bool agrees(const struct reach *r, const struct point *p)
{
	double d = (p->at - r->at) * CLOCKFIT_RATE_MOST;

	return p->lo <= r->high + d && p->hi >= r->low - d;
}

static void extend(struct reach *r, const struct point *p)
{
	double d = (p->at - r->at) * CLOCKFIT_RATE_MOST;

	*r = (struct reach){p->at, fmax(p->lo, r->low - d), fmin(p->hi, r->high + d)};
}

/*
 * One measurement that contradicts both its neighbours is left out: it was made while a host fell asleep, say. Where those
 * behind agree with it, a clock has stepped. Returns how many points are left.
 */
static size_t find_steps(struct point *p, size_t n)
{
	struct reach r = {p[0].at, p[0].lo, p[0].hi};
	size_t kept = 1;

	for (size_t i = 1; i < n; i++) {
		bool first = !agrees(&r, &p[i]);

		if (first && i + 1 < n && agrees(&r, &p[i + 1])) {
			struct reach alone = {p[i].at, p[i].lo, p[i].hi};

			if (!agrees(&alone, &p[i + 1]))
				continue;
		}
		if (first)
			r = (struct reach){p[i].at, p[i].lo, p[i].hi};
		else
			extend(&r, &p[i]);
		p[kept] = p[i];
		p[kept++].first = first;
	}
	return kept;
}

/* ---- the result ---- */

/* The rate to be taken where several are possible: the smallest in the middle half of them, for good clocks are more
 * frequent than bad ones, and at the edge of what is possible few are. */
static double likely(struct rates r)
{
	double middle = (r.least + r.most) / 2, quarter = (r.most - r.least) / 4;

	return middle - quarter > 0 ? middle - quarter : middle + quarter < 0 ? middle + quarter : 0;
}

static bool same_clock(const struct point *p, size_t n, double base)
{
	for (size_t i = 0; i < n; i++)
		if (p[i].lo + base > 0 || p[i].hi + base < 0)
			return false;
	return true;
}

static void take_middle(struct point *p, size_t n, bool same, double base)
{
	for (size_t i = 0; i < n; i++)
		p[i].middle = same ? -base : (p[i].low + p[i].high) / 2;
}

/* The furthest that the truth can be from the line, at the points and between them. */
static double furthest(const struct point *p, size_t n, struct rates r)
{
	double worst = 0, here, before = 0;

	for (size_t i = 0; i < n; i++) {
		here = fmax(p[i].high - p[i].middle, p[i].middle - p[i].low);
		worst = fmax(worst, here);
		if (i && !p[i].first)
			worst = fmax(worst, fmin(fmax(here, before) +
							 (r.most - r.least) * (p[i].at - p[i - 1].at) / 4,
						 1e18));
		before = here;
	}
	return worst;
}

static void put_knot(struct clockfit *f, int64_t own, int64_t other)
{
	struct clockfit_knot *last = f->n ? &f->knot[f->n - 1] : NULL;

	if (last && (own <= last->own || other <= last->other))
		return; /* no time between: the line goes on from there */
	f->knot[f->n++] = (struct clockfit_knot){own, other};
}

/* Up to the half of the time in which the step was the old line holds, from there on the new one. */
static void put_step(struct clockfit *f, const struct clockfit_knot *next, double rate)
{
	struct clockfit_knot last = f->knot[f->n - 1];
	int64_t own = next->own - last.own, other = next->other - last.other;
	int64_t half = (own < other ? own : other) / 2 - 1, more;

	if (half > 0) {
		more = (int64_t)((double)half * rate);
		put_knot(f, last.own + half, last.other + half + more);
		put_knot(f, next->own - half, next->other - half - more);
	}
	if (f->steps < CLOCKFIT_STEPS)
		f->step[f->steps] = (struct clockfit_step){next->own, other - own, own};
	f->steps++;
}

static int put_line(struct clockfit *f, const struct point *p, size_t n, int64_t at, int64_t base)
{
	f->knot = calloc(3 * n, sizeof(*f->knot));
	if (!f->knot)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct clockfit_knot k = {.own = at + (int64_t)p[i].at};

		k.other = k.own + base + llround(p[i].middle);
		if (p[i].first)
			put_step(f, &k, f->rate);
		put_knot(f, k.own, k.other);
	}
	return 0;
}

static int fit_points(struct clockfit *f, struct point *p, size_t n, int64_t at, int64_t base)
{
	struct rates bounds = {-CLOCKFIT_RATE_MOST, CLOCKFIT_RATE_MOST}, line;
	double beyond;
	bool same;

	f->used = find_steps(p, n);
	f->left_out = n - f->used;
	n = f->used;
	same = same_clock(p, n, (double)base);
	dig(p, n, bounds);
	line = limit(p, n);
	/* The least change that explains the measurements may not be all of it. */
	beyond = WANDER + fmax(0, line.least - line.most) / 4;
	bounds.least = fmax(fmin(line.least, line.most) - beyond, -CLOCKFIT_RATE_MOST);
	bounds.most = fmin(fmax(line.least, line.most) + beyond, CLOCKFIT_RATE_MOST);
	f->rate = same ? 0 : likely(line.least <= line.most ? line : bounds);
	if (line.least <= line.most)
		line = (struct rates){f->rate - WANDER, f->rate + WANDER};
	else
		line = bounds; /* it has changed: by at least so much */
	dig(p, n, line);
	take_middle(p, n, same, (double)base);
	dig(p, n, bounds);
	f->error_ns = (uint64_t)ceil(furthest(p, n, bounds));
	f->least_rate = bounds.least;
	f->most_rate = bounds.most;
	return put_line(f, p, n, at, base);
}

int clockfit__solve(struct clockfit *f, struct clockfit_samples *all)
{
	struct clockfit_sample *s;
	struct point *p;
	int64_t base;
	int rc;

	clockfit__free(f);
	thin(all, all->most ? all->most : CLOCKFIT_SAMPLES);
	s = all->at;
	if (!all->n)
		return -ENODATA;
	p = calloc(all->n, sizeof(*p));
	if (!p)
		return -ENOMEM;
	base = s[0].lo + (s[0].hi - s[0].lo) / 2;
	for (size_t i = 0; i < all->n; i++)
		p[i] = (struct point){.at = (double)(s[i].at - s[0].at),
				      .lo = (double)(s[i].lo - base),
				      .hi = (double)(s[i].hi - base)};
	rc = fit_points(f, p, all->n, s[0].at, base);
	free(p);
	return rc;
}

void clockfit__free(struct clockfit *f)
{
	free(f->knot);
	*f = (struct clockfit){0};
}

/* ---- one clock by the other ---- */

static int64_t bounded(int64_t t)
{
	return t > TIME_MOST ? TIME_MOST : t < -TIME_MOST ? -TIME_MOST : t;
}

/* The last knot at or before `t`; n when there is none. */
static size_t before(const struct clockfit *f, int64_t t, bool own)
{
	size_t lo = 0, hi = f->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if ((own ? f->knot[mid].own : f->knot[mid].other) <= t)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo ? lo - 1 : f->n;
}

/* `d` behind a knot, whose other clock shows y; to the next one it is dx here and dy there. Exact, so that it never runs back. */
static int64_t along(int64_t y, int64_t d, int64_t dx, int64_t dy)
{
	return y + (int64_t)((__int128)d * dy / dx);
}

static int64_t convert(const struct clockfit *f, int64_t t, bool own)
{
	size_t i = f->n ? before(f, t = bounded(t), own) : 0;
	const struct clockfit_knot *k, *l;
	double rate = own ? f->rate : -f->rate / (1 + f->rate);
	int64_t d;

	if (!f->n)
		return t;
	if (i + 1 < f->n) {
		k = &f->knot[i];
		l = k + 1;
		return own ? along(k->other, t - k->own, l->own - k->own, l->other - k->other)
			   : along(k->own, t - k->other, l->other - k->other, l->own - k->own);
	}
	k = &f->knot[i < f->n ? i : 0];
	d = t - (own ? k->own : k->other);
	return (own ? k->other : k->own) + d + (int64_t)floor((double)d * rate);
}

int64_t clockfit__own(const struct clockfit *f, int64_t other)
{
	return convert(f, other, false);
}

int64_t clockfit__other(const struct clockfit *f, int64_t own)
{
	return convert(f, own, true);
}
