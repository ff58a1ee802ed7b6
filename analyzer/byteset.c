/* SPDX-License-Identifier: BSD-2-Clause */
#include "byteset.h"

#include <string.h>

#include "mem.h"

/* First span that ends at or after `from`: the first that could touch or follow it. */
static size_t lower(const struct byteset *s, uint32_t from)
{
	size_t lo = 0, hi = s->n;

	if (s->n && s->at[s->n - 1].to < from)
		return s->n;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (s->at[mid].to < from)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void byteset__add(struct byteset *s, uint32_t from, uint32_t to)
{
	size_t i, j;

	if (from >= to)
		return;
	i = lower(s, from);
	for (j = i; j < s->n && s->at[j].from <= to; j++) {
		from = s->at[j].from < from ? s->at[j].from : from;
		to = s->at[j].to > to ? s->at[j].to : to;
	}
	if (j == i) {
		s->at = mem__grow(s->at, s->n, &s->cap, sizeof(*s->at));
		memmove(s->at + i + 1, s->at + i, (s->n - i) * sizeof(*s->at));
		s->n++;
	} else {
		memmove(s->at + i + 1, s->at + j, (s->n - j) * sizeof(*s->at));
		s->n -= j - i - 1;
	}
	s->at[i] = (struct span){from, to};
}

void byteset__add_all(struct byteset *s, const struct byteset *other)
{
	for (size_t i = 0; i < other->n; i++)
		byteset__add(s, other->at[i].from, other->at[i].to);
}

bool byteset__meets(const struct byteset *a, const struct byteset *b)
{
	size_t i = 0, j = 0;

	while (i < a->n && j < b->n) {
		if (a->at[i].to <= b->at[j].from)
			i++;
		else if (b->at[j].to <= a->at[i].from)
			j++;
		else
			return true;
	}
	return false;
}

bool byteset__within(const struct byteset *a, const struct byteset *b)
{
	for (size_t i = 0; i < a->n; i++) {
		size_t j = lower(b, a->at[i].from + 1);

		if (j == b->n || b->at[j].from > a->at[i].from || b->at[j].to < a->at[i].to)
			return false;
	}
	return true;
}

bool byteset__has(const struct byteset *s, uint32_t from, uint32_t to)
{
	size_t i = lower(s, from + 1);

	return i < s->n && s->at[i].from < to;
}

void byteset__common(struct byteset *out, const struct byteset *a, const struct byteset *b)
{
	size_t i = 0, j = 0;

	out->n = 0;
	while (i < a->n && j < b->n) {
		uint32_t from = a->at[i].from > b->at[j].from ? a->at[i].from : b->at[j].from;
		uint32_t to = a->at[i].to < b->at[j].to ? a->at[i].to : b->at[j].to;

		byteset__add(out, from, to);
		if (a->at[i].to < b->at[j].to)
			i++;
		else
			j++;
	}
}

uint64_t byteset__count(const struct byteset *s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->at[i].to - s->at[i].from;
	return n;
}

void byteset__free(struct byteset *s)
{
	mem__free(s->at);
	memset(s, 0, sizeof(*s));
}
