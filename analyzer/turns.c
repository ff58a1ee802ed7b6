/* SPDX-License-Identifier: BSD-2-Clause */
#include "turns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MANY_COUNTS  ((uint64_t)1 << 24) /* parts times nodes */
#define FILLS	     4000		 /* bytes in a row on one page */
#define ENOUGH_PAIRS 10
#define STEADY	     0.3 /* an owner of four writes in five makes 0.32 of all pairs foreign */
#define STARTER	     0.9 /* of all parts: who wrote that many has filled them */

struct count {
	const struct tally *tally;
	uint32_t group, nodes;
	uint64_t block, of_object; /* elements and parts */
	uint64_t units;
	double records, parts; /* rows of parts written in one go, and parts in them */
	uint32_t *number;      /* by object: its place in the group */
	float *writes;	       /* by part and node */
	float *weights;	       /* the same: how many these records stand for */
};

static void one_piece(struct count *c, const struct piece *p, uint16_t node, double records, double weight)
{
	const struct model *m = c->tally->model;
	const struct object *o = p->object == PLACE_NONE ? NULL : &m->objects.at[p->object];
	uint64_t first, last, start;

	if (!o || o->group != c->group || node >= c->nodes || p->to <= p->from)
		return;
	start = c->number[p->object] * c->of_object;
	first = c->block ? p->from / o->elem_size / c->block : 0;
	last = c->block ? (p->to - 1) / o->elem_size / c->block : 0;
	for (uint64_t u = start + first; u <= start + last && u < start + c->of_object; u++) {
		c->writes[u * c->nodes + node] += (float)records;
		c->weights[u * c->nodes + node] += (float)weight;
	}
	/* Who writes all of a page, or of the object, fills it: that is how programs start. */
	if (last - first + 1 < c->of_object && p->to - p->from < FILLS) {
		c->parts += records * (double)(last - first + 1);
		c->records += records;
	}
}

static void take_writes(struct count *c)
{
	const struct tally *t = c->tally;

	for (uint32_t i = 0; i < t->usage_keys.n; i++) {
		const struct usage_key *k = table__key(&t->usage_keys, i, NULL);
		const struct piece *p = (const void *)(k + 1);

		for (uint32_t j = 0; k->kind == USE_WRITE && j < k->n; j++)
			one_piece(c, &p[j], k->node, t->usage_records.at[i], t->usages.at[i]);
	}
}

static void forget_the_start(struct count *c)
{
	for (uint32_t n = 0; n < c->nodes; n++) {
		uint64_t wrote = 0;

		for (uint64_t u = 0; u < c->units; u++)
			wrote += c->writes[u * c->nodes + n] > 0;
		if (c->units < 4 || (double)wrote < STARTER * (double)c->units)
			continue;
		for (uint64_t u = 0; u < c->units; u++)
			if (c->writes[u * c->nodes + n] > 0)
				c->writes[u * c->nodes + n] -= 1;
	}
}

static void add_pairs(const struct count *c, struct turns *out)
{
	for (uint64_t u = 0; u < c->units; u++) {
		double all = 0, same = 0, stand = 0, squares = 0;

		for (uint32_t n = 0; n < c->nodes; n++) {
			double x = c->writes[u * c->nodes + n], y = x > 0 ? c->weights[u * c->nodes + n] : 0;

			all += x;
			same += x * (x - 1) / 2;
			stand += y;
			squares += y * y;
		}
		out->moves += stand > 0 ? stand - squares / stand : 0;
		out->written += all > 0;
		out->pairs += all * (all - 1) / 2;
		out->foreign += all * (all - 1) / 2 - same;
	}
}

/* Commits at the places whose transactions were seen to write the group. */
static double commits_there(const struct tally *t, uint32_t group)
{
	uint32_t *sites = NULL;
	size_t n = 0, cap = 0;
	double commits = 0;

	for (uint32_t i = 0; i < t->usage_keys.n; i++) {
		const struct usage_key *k = table__key(&t->usage_keys, i, NULL);
		const struct piece *p = (const void *)(k + 1);
		bool writes = false;
		size_t s = 0;

		for (uint32_t j = 0; k->kind == USE_WRITE && j < k->n; j++)
			writes = writes || (p[j].object != PLACE_NONE &&
					    t->model->objects.at[p[j].object].group == group);
		while (s < n && sites[s] != k->site)
			s++;
		if (!writes || s < n)
			continue;
		sites = mem__grow(sites, n, &cap, sizeof(*sites));
		sites[n++] = k->site;
	}
	for (uint32_t i = 0; i < t->commit_keys.n; i++) {
		const uint32_t *key = table__key(&t->commit_keys, i, NULL); /* run, node, site */

		for (size_t s = 0; s < n; s++)
			commits += sites[s] == key[2] ? t->commits.at[i] : 0;
	}
	mem__free(sites);
	return commits;
}

/* What a commit without a message wrote is not in the trace: others stand for it, which had one. */
static double silent_ones(const struct tally *t, uint32_t group)
{
	struct totals all;
	double remote;

	model__totals(t->model, &all);
	remote = (double)all.sum.commits - (double)all.sum.commits_local;
	return remote > 0 ? fmax(1, commits_there(t, group) / remote) : 1;
}

void turns__count(const struct tally *t, uint32_t group, uint64_t block, struct turns *out)
{
	const struct model *m = t->model;
	const struct group *g = &m->groups.at[group];
	struct count c = {.tally = t, .group = group, .block = block, .of_object = 1};

	memset(out, 0, sizeof(*out));
	for (size_t r = 0; r < m->runs.n; r++)
		for (size_t i = 0; i < m->runs.at[r].nodes.n; i++)
			if (m->runs.at[r].nodes.at[i].number >= c.nodes)
				c.nodes = m->runs.at[r].nodes.at[i].number + 1u;
	for (size_t i = 0; block && i < g->objects.n; i++) {
		uint64_t n = m->objects.at[g->objects.at[i]].count;

		n = n / block + (n % block != 0);
		c.of_object = n > c.of_object ? n : c.of_object;
	}
	if (!g->objects.n || !c.nodes || c.of_object > MANY_COUNTS / c.nodes / g->objects.n)
		return;
	c.units = c.of_object * g->objects.n;
	c.number = mem__alloc(m->objects.n * sizeof(*c.number));
	c.writes = mem__alloc(c.units * c.nodes * sizeof(*c.writes));
	c.weights = mem__alloc(c.units * c.nodes * sizeof(*c.weights));
	for (size_t i = 0; i < g->objects.n; i++)
		c.number[g->objects.at[i]] = (uint32_t)i;
	take_writes(&c);
	forget_the_start(&c);
	out->units = (double)c.units;
	out->together = c.records > 0 ? c.parts / c.records : 0;
	add_pairs(&c, out);
	out->moves *= silent_ones(t, group);
	mem__free(c.number);
	mem__free(c.writes);
	mem__free(c.weights);
}

bool turns__steady(const struct turns *t)
{
	return t->pairs >= ENOUGH_PAIRS && t->foreign <= STEADY * t->pairs;
}

bool turns__random(const struct turns *t)
{
	return t->pairs >= ENOUGH_PAIRS && t->foreign > STEADY * t->pairs;
}
