/* SPDX-License-Identifier: BSD-2-Clause */
#include "again.h"

#include <math.h>
#include <stdlib.h>

#define MOST_STEPS ((uint64_t)1 << 26) /* of comparing accesses with writes */

struct written { /* by one node, as one commit did */
	uint32_t object;
	uint16_t node;
	uint64_t from, to, reach; /* reach: the furthest end of all before it, too */
	double weight;
};

struct place { /* attempts of one site on one node, on the page where they meet most and on the one they come to most */
	double visits, meets, foreign;
};

struct again {
	const struct tally *tally;
	VEC(struct written) writes;
	struct table keys; /* run, node, site */
	VEC(struct place) places;
	uint64_t steps;
};

struct place_key {
	uint32_t run, node, site, zero;
};

static int by_place(const void *a, const void *b)
{
	const struct written *x = a, *y = b;

	if (x->object != y->object)
		return x->object < y->object ? -1 : 1;
	return x->from < y->from ? -1 : x->from > y->from;
}

static void index_writes(struct again *a)
{
	const struct tally *t = a->tally;

	for (uint32_t i = 0; i < t->usage_keys.n; i++) {
		const struct usage_key *k = table__key(&t->usage_keys, i, NULL);
		const struct piece *p = (const void *)(k + 1);

		for (uint32_t j = 0; k->kind == USE_WRITE && j < k->n; j++)
			if (p[j].object != PLACE_NONE)
				*VEC_ADD(&a->writes) = (struct written){.object = p[j].object,
									.node = k->node,
									.from = p[j].from,
									.to = p[j].to,
									.weight = t->usages.at[i]};
	}
	if (a->writes.n)
		qsort(a->writes.at, a->writes.n, sizeof(*a->writes.at), by_place);
	for (size_t i = 0; i < a->writes.n; i++) {
		struct written *w = &a->writes.at[i];
		bool same = i && w[-1].object == w->object;

		w->reach = same && w[-1].reach > w->to ? w[-1].reach : w->to;
	}
}

/* The first write of the object whose `from` is not below a byte. */
static size_t first_from(const struct again *a, uint32_t object, uint64_t from)
{
	size_t low = 0, high = a->writes.n;

	while (low < high) {
		size_t mid = (low + high) / 2;
		const struct written *w = &a->writes.at[mid];

		if (w->object < object || (w->object == object && w->from < from))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* How often other nodes wrote bytes of the piece. */
static double foreign(struct again *a, const struct piece *p, uint16_t node)
{
	double weight = 0;

	if (p->object == PLACE_NONE)
		return 0;
	for (size_t i = first_from(a, p->object, p->to); i-- > 0 && a->steps < MOST_STEPS; a->steps++) {
		const struct written *w = &a->writes.at[i];

		if (w->object != p->object || w->reach <= p->from)
			break;
		if (w->to > p->from && w->node != node)
			weight += w->weight;
	}
	return weight;
}

struct on_page { /* of one page: all visits of the site, and those that touched what others write */
	double visits, meets, foreign;
};

static uint32_t intern(struct again *a, const struct usage_key *k)
{
	struct place_key key = {k->run, k->node, k->site, 0};
	uint32_t n = table__intern(&a->keys, &key, sizeof(key));

	if (n == a->places.n)
		*VEC_ADD(&a->places) = (struct place){0};
	return n;
}

static void take_accesses(struct again *a)
{
	const struct tally *t = a->tally;
	VEC(struct on_page) pages = {0};
	VEC(uint32_t) owners = {0};
	struct table page_keys = {0};

	for (uint32_t i = 0; i < t->usage_keys.n; i++) {
		const struct usage_key *k = table__key(&t->usage_keys, i, NULL);
		const struct piece *p = (const void *)(k + 1);
		struct {
			uint64_t page;
			struct place_key of;
		} key = {k->page, {k->run, k->node, k->site, 0}};
		double met = 0;
		uint32_t n;

		if (k->kind != USE_ACCESS)
			continue;
		for (uint32_t j = 0; j < k->n; j++)
			met = fmax(met, foreign(a, &p[j], k->node));
		n = table__intern(&page_keys, &key, sizeof(key));
		if (n >= pages.n) { /* a new one */
			*VEC_ADD(&pages) = (struct on_page){0};
			*VEC_ADD(&owners) = intern(a, k);
		}
		pages.at[n].visits += t->usages.at[i];
		pages.at[n].meets += met > 0 ? t->usages.at[i] : 0;
		pages.at[n].foreign = fmax(pages.at[n].foreign, met);
	}
	for (size_t i = 0; i < pages.n; i++) {
		struct place *x = &a->places.at[owners.at[i]];

		x->visits = fmax(x->visits, pages.at[i].visits);
		if (pages.at[i].meets > x->meets) {
			x->meets = pages.at[i].meets;
			x->foreign = pages.at[i].foreign;
		}
	}
	VEC_FREE(&pages);
	VEC_FREE(&owners);
	table__free(&page_keys);
}

struct again *again__new(const struct tally *t)
{
	struct again *a = mem__alloc(sizeof(*a));

	a->tally = t;
	index_writes(a);
	take_accesses(a);
	return a;
}

void again__free(struct again *a)
{
	if (!a)
		return;
	VEC_FREE(&a->writes);
	VEC_FREE(&a->places);
	table__free(&a->keys);
	mem__free(a);
}

uint32_t again__place(const struct again *a, uint32_t run, uint16_t node, uint32_t site)
{
	struct place_key key = {run, node, site, 0};

	return table__find(&a->keys, &key, sizeof(key));
}

double again__share(const struct again *a, uint32_t place, double spared)
{
	const struct place *x = place == TABLE_NONE ? NULL : &a->places.at[place];

	if (!x || x->visits <= 0 || spared <= 0)
		return 0;
	return fmin(x->meets / x->visits, x->foreign / spared);
}
