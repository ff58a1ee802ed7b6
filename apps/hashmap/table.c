// SPDX-License-Identifier: BSD-2-Clause
#include "apps/hashmap/table.h"

_Static_assert(sizeof(struct bucket) == 4096, "a bucket is a page");

/* The mixer of SplitMix64, a bijection. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

uint64_t key__make(uint64_t k)
{
	return mix((k + 1) * 0x9e3779b97f4a7c15ull);
}

uint64_t key__of(long i, long keys)
{
	return key__make((uint64_t)(i < keys ? i : 2 * keys - 1 - i));
}

bool value__right(const struct value *v, long k, long keys)
{
	return v->count == 2 && v->sum == (uint64_t)(k + 1) + (uint64_t)(2 * keys - k);
}

uint64_t table__buckets(enum app_layout layout, long keys)
{
	uint64_t n = 1;

	if (layout == APP_TUNED) /* half full: a bucket that overflows is rare, all of them never do */
		return (uint64_t)keys / (BUCKET_SLOTS / 2) + 1;
	while (n < (uint64_t)keys)
		n *= 2;
	return n;
}

static bool add_to_chain(const struct table *t, uint64_t key, uint64_t amount)
{
	struct chains *c = t->chains;
	struct entry **link = &c->bucket[mix(key) & (c->buckets - 1)];

	while (*link && (*link)->key != key)
		link = &(*link)->next;
	if (!*link) {
		struct entry *e = t->make();
		if (!e)
			return false;
		e->key = key;
		*link = e;
		c->used++;
	}
	(*link)->value.count++;
	(*link)->value.sum += amount;
	return true;
}

/* The key's slot, or the place where it belongs; NULL: all buckets are full of others. */
static struct slot *find_slot(const struct table *t, uint64_t key, struct bucket **in)
{
	uint64_t buckets = (uint64_t)t->pages.count, first = mix(key) % buckets;

	for (uint64_t i = 0; i < buckets; i++) {
		struct bucket *b = rows__at(&t->pages, (long)((first + i) % buckets));
		*in = b;
		for (uint64_t s = 0; s < b->used; s++)
			if (b->slot[s].key == key)
				return &b->slot[s];
		if (b->used < BUCKET_SLOTS)
			return &b->slot[b->used];
	}
	return NULL;
}

static bool add_to_page(const struct table *t, uint64_t key, uint64_t amount)
{
	struct bucket *b;
	struct slot *s = find_slot(t, key, &b);

	if (!s)
		return false;
	if (s == &b->slot[b->used]) {
		s->key = key;
		b->used++;
	}
	s->value.count++;
	s->value.sum += amount;
	return true;
}

bool table__add(const struct table *t, uint64_t key, uint64_t amount)
{
	return t->chains ? add_to_chain(t, key, amount) : add_to_page(t, key, amount);
}

const struct value *table__find(const struct table *t, uint64_t key)
{
	if (t->chains) {
		const struct chains *c = t->chains;
		const struct entry *e = c->bucket[mix(key) & (c->buckets - 1)];
		while (e && e->key != key)
			e = e->next;
		return e ? &e->value : NULL;
	}
	struct bucket *b;
	const struct slot *s = find_slot(t, key, &b);
	return s && s != &b->slot[b->used] ? &s->value : NULL;
}
