// SPDX-License-Identifier: BSD-2-Clause
#include "collector/table.h"

#include <errno.h>
#include <stdlib.h>

static size_t home(const struct table *t, struct table_key key)
{
	uint64_t h = (key.a ^ 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;

	h ^= h >> 29;
	h = (h + key.b) * 0x94d049bb133111ebu;
	h ^= h >> 32;
	return (size_t)h & (t->size - 1);
}

static int same(struct table_key x, struct table_key y)
{
	return x.a == y.a && x.b == y.b;
}

/* The slot that holds key, or the free slot where it would go. */
static struct table_slot *find(const struct table *t, struct table_key key)
{
	size_t i = home(t, key);

	while (t->slots[i].value && !same(t->slots[i].key, key))
		i = (i + 1) & (t->size - 1);
	return &t->slots[i];
}

void *table__get(const struct table *t, struct table_key key)
{
	return t->size ? find(t, key)->value : NULL;
}

static int grow(struct table *t)
{
	struct table bigger = {.size = t->size ? t->size * 2 : 64};

	bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < t->size; i++) {
		if (t->slots[i].value)
			*find(&bigger, t->slots[i].key) = t->slots[i];
	}
	free(t->slots);
	t->slots = bigger.slots;
	t->size = bigger.size;
	return 0;
}

int table__put(struct table *t, struct table_key key, void *value)
{
	struct table_slot *slot;

	if ((t->used + 1) * 3 > t->size * 2 && grow(t))
		return -ENOMEM;
	slot = find(t, key);
	if (!slot->value)
		t->used++;
	slot->key = key;
	slot->value = value;
	return 0;
}

void *table__take(struct table *t, struct table_key key)
{
	struct table_slot *slot = t->size ? find(t, key) : NULL;
	void *value = slot ? slot->value : NULL;
	size_t hole, i;

	if (!value)
		return NULL;
	/* An entry may move back into the hole only if its home does not lie behind the hole. */
	hole = (size_t)(slot - t->slots);
	for (i = (hole + 1) & (t->size - 1); t->slots[i].value; i = (i + 1) & (t->size - 1)) {
		size_t from_home = (i - home(t, t->slots[i].key)) & (t->size - 1);
		if (from_home >= ((i - hole) & (t->size - 1))) {
			t->slots[hole] = t->slots[i];
			hole = i;
		}
	}
	t->slots[hole].value = NULL;
	t->used--;
	return value;
}

void *table__next(const struct table *t, size_t *at)
{
	while (*at < t->size) {
		void *value = t->slots[(*at)++].value;
		if (value)
			return value;
	}
	return NULL;
}

void table__free(struct table *t, void (*drop)(void *))
{
	size_t at = 0;
	void *value;

	while (drop && (value = table__next(t, &at)))
		drop(value);
	free(t->slots);
	*t = (struct table){0};
}
