/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * copyset.c - sets of nodes, in 8 bytes a set.
 *
 * A home needs a set for each page of its directory, and any number of nodes may be in it. Up to three are in
 * the word itself, which is what most pages have. Larger sets are kept once and counted: where many nodes
 * share many pages, it is mostly the same nodes, so a page costs no more however many have it. Such a set
 * never changes. Who adds a node to it moves on to the set that has that one, too, found by its hash.
 *
 * The word: nodes ascending from the lowest 16 bits on, their number in the highest; or, with LARGE there, an
 * index in large[]. All zeros is the empty set.
 */
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/internal.h"

#define INLINE 3u
#define LARGE  0xffffu
#define NO_SET UINT32_MAX
#define TAGGED (1ull << 48) /* times the number of nodes */

struct large_set {
	uint32_t users, hash;
	uint32_t next; /* in its bucket */
	uint32_t count;
	uint16_t node[]; /* ascending */
};

static unsigned tag(struct copyset set)
{
	return (unsigned)(set.word / TAGGED);
}

static struct large_set *large(const struct dsm_core *core, struct copyset set)
{
	return core->sets.large[(uint32_t)set.word];
}

static uint16_t inline_node(struct copyset set, unsigned i)
{
	return (uint16_t)(set.word >> (16 * i));
}

uint32_t copyset__count(const struct dsm_core *core, struct copyset set)
{
	return tag(set) == LARGE ? large(core, set)->count : tag(set);
}

uint16_t copyset__node(const struct dsm_core *core, struct copyset set, uint32_t i)
{
	return tag(set) == LARGE ? large(core, set)->node[i] : inline_node(set, i);
}

/* Its place, or where it belongs. */
static uint32_t find(const struct dsm_core *core, struct copyset set, uint16_t node)
{
	uint32_t lo = 0, hi = copyset__count(core, set), mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (copyset__node(core, set, mid) < node)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool copyset__has(const struct dsm_core *core, struct copyset set, uint16_t node)
{
	uint32_t at = find(core, set, node);

	return at < copyset__count(core, set) && copyset__node(core, set, at) == node;
}

/* A sum, so that one node more or less needs no look at the others. */
static uint32_t hash_node(uint16_t node)
{
	uint32_t h = (node + 1u) * 0x9e3779b1u;

	return (h ^ h >> 15) * 0x85ebca77u;
}

static uint32_t hash_all(const struct dsm_core *core, struct copyset set)
{
	uint32_t i, h = 0;

	if (tag(set) == LARGE)
		return large(core, set)->hash;
	for (i = 0; i < tag(set); i++)
		h += hash_node(inline_node(set, i));
	return h;
}

static uint32_t *bucket(struct copysets *sets, uint32_t hash)
{
	return &sets->bucket[(hash ^ hash >> 16) & (sets->nbuckets - 1)];
}

static bool more_buckets(struct dsm_core *core)
{
	struct copysets *sets = &core->sets;
	uint32_t i, n = sets->nbuckets ? 2 * sets->nbuckets : 64, *at, *old = sets->bucket;

	sets->bucket = malloc(n * sizeof(*sets->bucket));
	if (!sets->bucket) {
		sets->bucket = old;
		core->nomem = true;
		return false;
	}
	free(old);
	sets->nbuckets = n;
	memset(sets->bucket, 0xff, n * sizeof(*sets->bucket));
	for (i = 0; i < sets->nlarge; i++) {
		if (!sets->large[i])
			continue;
		at = bucket(sets, sets->large[i]->hash);
		sets->large[i]->next = *at;
		*at = i;
	}
	return true;
}

static bool free_place(struct dsm_core *core, uint32_t *at)
{
	struct copysets *sets = &core->sets;

	if (sets->nfree) {
		*at = sets->free[--sets->nfree];
		return true;
	}
	if (!core__grow(core, &sets->large, &sets->large_cap, sets->nlarge + 1, sizeof(struct large_set *)) ||
	    !core__grow(core, &sets->free, &sets->free_cap, sets->nlarge + 1, sizeof(*sets->free)))
		return false;
	*at = (uint32_t)sets->nlarge++;
	sets->large[*at] = NULL;
	return true;
}

/* The set of core->sets.scratch, with one user more. */
static struct copyset intern(struct dsm_core *core, uint32_t count, uint32_t hash)
{
	struct copysets *sets = &core->sets;
	size_t bytes = count * sizeof(*sets->scratch);
	struct large_set *s;
	uint32_t at;

	if (sets->nlarge - sets->nfree >= sets->nbuckets && !more_buckets(core))
		return (struct copyset){0};
	for (at = *bucket(sets, hash); at != NO_SET; at = s->next) {
		s = sets->large[at];
		if (s->hash == hash && s->count == count && !memcmp(s->node, sets->scratch, bytes))
			break;
	}
	if (at == NO_SET) {
		s = malloc(sizeof(*s) + bytes);
		core->nomem |= !s;
		if (!s || !free_place(core, &at)) {
			free(s);
			return (struct copyset){0};
		}
		*s = (struct large_set){.hash = hash, .count = count, .next = *bucket(sets, hash)};
		memcpy(s->node, sets->scratch, bytes);
		sets->large[at] = s;
		*bucket(sets, hash) = at;
	}
	sets->large[at]->users++;
	return (struct copyset){LARGE * TAGGED | at};
}

static void let_go(struct dsm_core *core, struct copyset set)
{
	struct copysets *sets = &core->sets;
	struct large_set *s;
	uint32_t *at, index = (uint32_t)set.word;

	if (tag(set) != LARGE || --large(core, set)->users)
		return;
	s = large(core, set);
	for (at = bucket(sets, s->hash); *at != index;)
		at = &sets->large[*at]->next;
	*at = s->next;
	free(s);
	sets->large[index] = NULL;
	sets->free[sets->nfree++] = index;
}

/* Replaces the set by the nodes in core->sets.scratch. */
static void become(struct dsm_core *core, struct copyset *set, uint32_t count, uint32_t hash)
{
	struct copyset now = {count * TAGGED};
	uint32_t i;

	if (count > INLINE)
		now = intern(core, count, hash);
	else
		for (i = 0; i < count; i++)
			now.word |= (uint64_t)core->sets.scratch[i] << (16 * i);
	let_go(core, *set);
	*set = count ? now : (struct copyset){0};
}

static void copy_out(const struct dsm_core *core, struct copyset set, uint32_t from, uint32_t to,
		     uint16_t *out)
{
	for (; from < to; from++)
		*out++ = copyset__node(core, set, from);
}

void copyset__add(struct dsm_core *core, struct copyset *set, uint16_t node)
{
	uint32_t at = find(core, *set, node), count = copyset__count(core, *set);
	struct copysets *sets = &core->sets;

	if ((at < count && copyset__node(core, *set, at) == node) ||
	    !core__grow(core, &sets->scratch, &sets->scratch_cap, count + 1u, sizeof(*sets->scratch)))
		return;
	copy_out(core, *set, 0, at, sets->scratch);
	sets->scratch[at] = node;
	copy_out(core, *set, at, count, sets->scratch + at + 1);
	become(core, set, count + 1, hash_all(core, *set) + hash_node(node));
}

void copyset__remove(struct dsm_core *core, struct copyset *set, uint16_t node)
{
	uint32_t at = find(core, *set, node), count = copyset__count(core, *set);
	struct copysets *sets = &core->sets;

	if (at >= count || copyset__node(core, *set, at) != node ||
	    !core__grow(core, &sets->scratch, &sets->scratch_cap, count, sizeof(*sets->scratch)))
		return;
	copy_out(core, *set, 0, at, sets->scratch);
	copy_out(core, *set, at + 1, count, sets->scratch + at);
	become(core, set, count - 1, hash_all(core, *set) - hash_node(node));
}

void copyset__clear(struct dsm_core *core, struct copyset *set)
{
	let_go(core, *set);
	set->word = 0;
}

struct copyset copyset__share(struct dsm_core *core, struct copyset set)
{
	if (tag(set) == LARGE)
		large(core, set)->users++;
	return set;
}

void copyset__free_all(struct dsm_core *core)
{
	size_t i;

	for (i = 0; i < core->sets.nlarge; i++)
		free(core->sets.large[i]);
	free(core->sets.large);
	free(core->sets.free);
	free(core->sets.bucket);
	free(core->sets.scratch);
}
