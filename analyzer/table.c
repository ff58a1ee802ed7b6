/* SPDX-License-Identifier: BSD-2-Clause */
#include "table.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "mem.h"

static size_t find_slot(const struct table *t, uint64_t hash, const void *key, size_t len)
{
	size_t i = hash & (t->slots - 1);

	while (t->slot[i]) {
		const struct table_key *k = &t->key[t->slot[i] - 1];

		if (k->hash == hash && k->len == len && !memcmp(t->bytes + k->at, key, len))
			break;
		i = (i + 1) & (t->slots - 1);
	}
	return i;
}

static void grow_slots(struct table *t)
{
	size_t n = t->slots ? t->slots * 2 : 64;

	mem__free(t->slot);
	t->slot = mem__alloc(n * sizeof(*t->slot));
	t->slots = n;
	for (size_t k = 0; k < t->n; k++) {
		size_t i = t->key[k].hash & (n - 1);

		while (t->slot[i])
			i = (i + 1) & (n - 1);
		t->slot[i] = (uint32_t)k + 1;
	}
}

uint32_t table__intern(struct table *t, const void *key, size_t len)
{
	uint64_t hash = XXH3_64bits(key, len);
	size_t room = (len + 7) & ~(size_t)7;
	size_t i;

	if ((t->n + 1) * 2 > t->slots)
		grow_slots(t);
	i = find_slot(t, hash, key, len);
	if (t->slot[i])
		return t->slot[i] - 1;
	if (t->nbytes + room > t->bytes_cap) {
		t->bytes_cap = (t->nbytes + room) * 2;
		t->bytes = mem__resize(t->bytes, t->bytes_cap);
	}
	memcpy(t->bytes + t->nbytes, key, len);
	t->key = mem__grow(t->key, t->n, &t->cap, sizeof(*t->key));
	t->key[t->n] = (struct table_key){hash, t->nbytes, len};
	t->nbytes += room;
	t->slot[i] = (uint32_t)++t->n;
	return (uint32_t)t->n - 1;
}

uint32_t table__find(const struct table *t, const void *key, size_t len)
{
	size_t i;

	if (!t->slots)
		return TABLE_NONE;
	i = find_slot(t, XXH3_64bits(key, len), key, len);
	return t->slot[i] ? t->slot[i] - 1 : TABLE_NONE;
}

const void *table__key(const struct table *t, uint32_t number, size_t *len)
{
	if (len)
		*len = t->key[number].len;
	return t->bytes + t->key[number].at;
}

void table__free(struct table *t)
{
	mem__free(t->slot);
	mem__free(t->key);
	mem__free(t->bytes);
	memset(t, 0, sizeof(*t));
}
