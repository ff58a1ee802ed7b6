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

uint64_t table__first(const struct table *t, uint64_t key)
{
	return mix(key) % t->places;
}

void *table__place(const struct table *t, uint64_t place)
{
	return t->chains ? (void *)&t->heads[place] : rows__at(&t->pages, (long)place);
}

uint64_t table__next(const struct table *t, uint64_t place)
{
	long places = (long)t->places, nodes = t->pages.nodes;
	long part = rows__owner(places, nodes, (long)place);
	uint64_t end = (uint64_t)rows__block(places, nodes, part + 1);

	return place + 1 < end ? place + 1 : (uint64_t)rows__block(places, nodes, part);
}

static void add(struct value *v, uint64_t amount)
{
	v->count++;
	v->sum += amount;
}

static enum table_added add_to_chain(const struct table *t, struct entry **link, uint64_t key,
				     uint64_t amount)
{
	enum table_added added = TABLE_ADDED;

	while (*link && (*link)->key != key)
		link = &(*link)->next;
	if (!*link) {
		struct entry *e = t->make();
		if (!e)
			return TABLE_FAILED;
		e->key = key;
		*link = e;
		added = TABLE_MADE;
	}
	add(&(*link)->value, amount);
	return added;
}

/* The key's slot in a bucket, or the one where it belongs; NULL: there is none. */
static struct slot *find_slot(struct bucket *b, uint64_t key)
{
	for (uint64_t s = 0; s < b->used; s++)
		if (b->slot[s].key == key)
			return &b->slot[s];
	return b->used < BUCKET_SLOTS ? &b->slot[b->used] : NULL;
}

enum table_added table__add_at(const struct table *t, uint64_t place, uint64_t key, uint64_t amount)
{
	if (t->chains)
		return add_to_chain(t, table__place(t, place), key, amount);
	struct bucket *b = table__place(t, place);
	struct slot *s = find_slot(b, key);

	if (!s)
		return TABLE_NEXT;
	bool made = s == &b->slot[b->used];
	if (made) {
		s->key = key;
		b->used++;
	}
	add(&s->value, amount);
	return made ? TABLE_MADE : TABLE_ADDED;
}

bool table__add(const struct table *t, uint64_t key, uint64_t amount)
{
	uint64_t first = table__first(t, key), place = first;
	enum table_added added = table__add_at(t, place, key, amount);

	while (added == TABLE_NEXT && (place = table__next(t, place)) != first)
		added = table__add_at(t, place, key, amount);
	if (added == TABLE_MADE && t->chains)
		t->chains->used++;
	return added == TABLE_ADDED || added == TABLE_MADE;
}

const struct value *table__find(const struct table *t, uint64_t key)
{
	if (t->chains) {
		const struct entry *e = t->heads[table__first(t, key)];
		while (e && e->key != key)
			e = e->next;
		return e ? &e->value : NULL;
	}
	uint64_t first = table__first(t, key), place = first;

	do {
		struct bucket *b = table__place(t, place);
		const struct slot *s = find_slot(b, key);
		if (s)
			return s != &b->slot[b->used] ? &s->value : NULL;
		place = table__next(t, place);
	} while (place != first);
	return NULL;
}
