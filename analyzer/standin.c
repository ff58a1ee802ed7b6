/* SPDX-License-Identifier: BSD-2-Clause */
/* standin.c - what transactions of a site usually access, to stand in for one that was not seen. */
#include <string.h>

#include "evidence_work.h"

#define PROFILES (1u << 16) /* beyond, no new ones: more conflicts stay unknown */
#define LINES	 64	    /* accesses of a profile kept for their instructions */

void touches__add_all(struct touches *to, const struct touches *from, size_t most)
{
	for (size_t i = 0; i < from->n && to->n < most; i++)
		*VEC_ADD(to) = from->at[i];
}

static void free_sample(struct sample *s)
{
	byteset__free(&s->touched);
	byteset__free(&s->wrote);
	VEC_FREE(&s->touches);
}

void profile__free(struct profile *p)
{
	for (unsigned i = 0; i < p->n; i++)
		free_sample(&p->sample[i]);
	byteset__free(&p->touched);
	byteset__free(&p->wrote);
	VEC_FREE(&p->touches);
	mem__free(p);
}

struct profile *profile__get(struct evidence *e, uint32_t run, uint16_t node, uint32_t site, dsm_ev_page page,
			     bool make)
{
	struct {
		uint64_t page;
		uint32_t run, node, site, zero;
	} key = {page, run, node, site, 0};
	uint32_t n;

	if (!make || e->profiles.n >= PROFILES)
		n = table__find(&e->profile_keys, &key, sizeof(key));
	else
		n = table__intern(&e->profile_keys, &key, sizeof(key));
	if (n == TABLE_NONE)
		return NULL;
	if (n == e->profiles.n)
		*VEC_ADD(&e->profiles) = mem__alloc(sizeof(struct profile));
	return e->profiles.at[n];
}

/* Committed transactions are the better samples; aborted ones make room for them. */
static struct sample *place_for(struct profile *p, bool committed)
{
	if (p->n < SAMPLES)
		return &p->sample[p->n++];
	for (unsigned i = 0; i < SAMPLES; i++) {
		p->next = (p->next + 1) % SAMPLES;
		if (committed || !p->sample[p->next].committed) {
			free_sample(&p->sample[p->next]);
			return &p->sample[p->next];
		}
	}
	return NULL;
}

void profile__add(struct profile *p, const struct access_set *set, bool whole, enum outcome how)
{
	struct sample *s;

	byteset__add_all(&p->touched, &set->touched);
	byteset__add_all(&p->wrote, &set->wrote);
	touches__add_all(&p->touches, &set->touches, LINES);
	if (!whole)
		return;
	p->committed += how == OUTCOME_COMMITTED;
	p->aborted += how != OUTCOME_COMMITTED;
	s = place_for(p, how == OUTCOME_COMMITTED);
	if (!s)
		return;
	memset(s, 0, sizeof(*s));
	s->committed = how == OUTCOME_COMMITTED;
	byteset__add_all(&s->touched, &set->touched);
	byteset__add_all(&s->wrote, &set->wrote);
	touches__add_all(&s->touches, &set->touches, SIZE_MAX);
}
