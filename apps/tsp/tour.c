// SPDX-License-Identifier: BSD-2-Clause
#include "apps/tsp/tour.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/common/random.h"

static void sort_near(struct cities *c, int from)
{
	int count = 0;

	for (int to = 0; to < c->n; to++) {
		int at = count++;
		if (to == from) {
			count--;
			continue;
		}
		for (; at && c->distance[from][c->near[from][at - 1]] > c->distance[from][to]; at--)
			c->near[from][at] = c->near[from][at - 1];
		c->near[from][at] = (int8_t)to;
	}
	c->shortest[from] = count ? c->distance[from][c->near[from][0]] : 0;
}

void cities__make(struct cities *c, int n, uint64_t seed)
{
	double x[TOUR_CITIES], y[TOUR_CITIES];
	struct app_random r;

	memset(c, 0, sizeof(*c));
	c->n = n;
	app_random__seed(&r, seed);
	for (int i = 0; i < n; i++) {
		x[i] = floor(app_random__next(&r) * 1000);
		y[i] = floor(app_random__next(&r) * 1000);
	}
	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
			c->distance[i][j] =
				(int)(sqrt((x[i] - x[j]) * (x[i] - x[j]) + (y[i] - y[j]) * (y[i] - y[j])) +
				      0.5);
	for (int i = 0; i < n; i++)
		sort_near(c, i);
}

static int compare(const void *a, const void *b)
{
	const struct work *v = a, *w = b;

	return v->length != w->length ? (v->length > w->length) - (v->length < w->length)
				      : memcmp(v->city, w->city, sizeof(v->city));
}

struct work *cities__work(const struct cities *c, long *count)
{
	int most = c->n < TOUR_BEGIN ? c->n : TOUR_BEGIN;
	long all = 1;

	for (int i = 1; i < most; i++)
		all *= c->n - i;
	struct work *list = calloc((size_t)all, sizeof(*list));
	if (!list)
		return NULL;
	for (long number = 0; number < all; number++) {
		struct work *w = &list[number];
		uint32_t seen = 1; /* city 0 */
		long rest = number;
		for (int i = 1; i < most; i++) { /* the number's digits choose among those not yet seen */
			long skip = rest % (c->n - i);
			int city = 1;
			rest /= c->n - i;
			for (;; city++)
				if (!(seen >> city & 1) && skip-- == 0)
					break;
			seen |= 1u << city;
			w->city[i] = (int8_t)city;
			w->length += c->distance[w->city[i - 1]][city];
		}
	}
	qsort(list, (size_t)all, sizeof(*list), compare);
	*count = all;
	return list;
}

struct tour cities__greedy(const struct cities *c)
{
	struct tour t = {0};
	uint32_t seen = 1;
	int at = 0;

	for (int i = 1; i < c->n; i++) {
		int k = 0;
		while (seen >> c->near[at][k] & 1)
			k++;
		t.city[i] = c->near[at][k];
		t.length += c->distance[at][t.city[i]];
		at = t.city[i];
		seen |= 1u << at;
	}
	t.length += c->distance[at][0];
	return t;
}

struct search {
	const struct cities *c;
	const struct tour *bound;
	struct tour *best;
	struct tour now; /* length: so far */
};

/* least: what the ways out of the cities not yet left add up to at the least. */
static void extend(struct search *s, int depth, uint32_t seen, int least)
{
	const struct cities *c = s->c;
	int at = s->now.city[depth - 1], length = s->now.length;
	int bound = s->bound->length < s->best->length ? s->bound->length : s->best->length;

	if (length + least >= bound)
		return;
	if (depth == c->n) {
		length += c->distance[at][0];
		if (length < bound) {
			*s->best = s->now;
			s->best->length = length;
		}
		return;
	}
	for (int k = 0; k < c->n - 1; k++) {
		int to = c->near[at][k];
		if (seen >> to & 1)
			continue;
		s->now.city[depth] = (int8_t)to;
		s->now.length = length + c->distance[at][to];
		extend(s, depth + 1, seen | 1u << to, least - c->shortest[at]);
	}
	s->now.length = length;
}

void cities__search(const struct cities *c, const struct work *w, const struct tour *bound, struct tour *best)
{
	struct search s = {.c = c, .bound = bound, .best = best, .now.length = w->length};
	int depth = c->n < TOUR_BEGIN ? c->n : TOUR_BEGIN, least = 0;
	uint32_t seen = 0;

	memcpy(s.now.city, w->city, (size_t)depth);
	for (int i = 0; i < depth; i++)
		seen |= 1u << w->city[i];
	for (int i = 0; i < c->n; i++) /* all that are still to be left: the unseen and the last */
		if (!(seen >> i & 1) || i == w->city[depth - 1])
			least += c->shortest[i];
	best->length = INT32_MAX;
	extend(&s, depth, seen, least);
}

bool tour__valid(const struct tour *t, const struct cities *c)
{
	uint32_t seen = 0;
	int length = 0;

	for (int i = 0; i < c->n; i++) {
		if (t->city[i] < 0 || t->city[i] >= c->n)
			return false;
		seen |= 1u << t->city[i];
		length += c->distance[t->city[i]][t->city[(i + 1) % c->n]];
	}
	return seen == (1u << c->n) - 1 && length == t->length;
}
