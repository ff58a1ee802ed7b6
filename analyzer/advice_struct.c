/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * advice_struct.c - what lies in one element belongs to different nodes: its fields, or an element for each node in arrays
 * of it. No layout parts them, another struct does.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "advice_work.h"
#include "names.h"

struct user { /* of fields that are used together */
	char *fields;
	double ns;
	VEC(uint16_t) nodes;
};

struct users {
	struct user *at;
	size_t n, cap;
};

#define BETWEEN ", " /* fields, in the texts of the tally */

static bool has_field(const char *list, const char *field, size_t len)
{
	for (const char *at = list; at; at = (at = strstr(at, BETWEEN)) ? at + strlen(BETWEEN) : NULL) {
		const char *end = strstr(at, BETWEEN);

		if ((end ? (size_t)(end - at) : strlen(at)) == len && !memcmp(at, field, len))
			return true;
	}
	return false;
}

/* Have two lists a field in common? */
static bool overlap(const char *list, const char *more)
{
	for (const char *at = more; at; at = (at = strstr(at, BETWEEN)) ? at + strlen(BETWEEN) : NULL) {
		const char *end = strstr(at, BETWEEN);

		if (strncmp(at, "...", 3) && has_field(list, at, end ? (size_t)(end - at) : strlen(at)))
			return true;
	}
	return false;
}

/* Adds the fields of `more` that are not in the list yet. */
static void add_fields(struct text *list, const char *more)
{
	for (const char *at = more; at; at = (at = strstr(at, BETWEEN)) ? at + strlen(BETWEEN) : NULL) {
		const char *end = strstr(at, BETWEEN);
		size_t len = end ? (size_t)(end - at) : strlen(at);

		if (!list->at || !has_field(list->at, at, len))
			text__add(list, "%s%.*s", list->at ? BETWEEN : "", (int)len, at);
	}
}

static void add_node(struct user *u, uint16_t node)
{
	for (size_t k = 0; k < u->nodes.n; k++)
		if (u->nodes.at[k] == node)
			return;
	*VEC_ADD(&u->nodes) = node;
}

/* Fields that one transaction uses together stay together: sets that have one in common are one. */
static void add_user(const struct work *w, struct users *u, uint32_t fields, uint16_t node, double ns)
{
	struct user mine = {0};
	struct text text = {0};
	size_t kept = 0;

	if (!fields)
		return;
	text__add(&text, "%s", tally__text(w->tally, fields));
	mine.ns = ns;
	add_node(&mine, node);
	for (size_t i = 0; i < u->n; i++) {
		struct user *x = &u->at[i];

		if (!overlap(x->fields, text.at)) {
			u->at[kept++] = *x;
			continue;
		}
		add_fields(&text, x->fields);
		mine.ns += x->ns;
		for (size_t k = 0; k < x->nodes.n; k++)
			add_node(&mine, x->nodes.at[k]);
		mem__free(x->fields);
		VEC_FREE(&x->nodes);
	}
	u->n = kept;
	mine.fields = text.at;
	*VEC_ADD(u) = mine;
}

static int by_ns(const void *a, const void *b)
{
	double x = ((const struct user *)a)->ns, y = ((const struct user *)b)->ns;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* Who uses which fields in false conflicts, the costliest first. */
static void find_users(const struct work *w, uint32_t group, struct users *out)
{
	for (size_t i = 0; i < w->tally->rows.n; i++) {
		const struct row *r = &w->tally->rows.at[i];

		if (r->key.verdict != VERDICT_FALSE || r->key.changed.group != group ||
		    r->key.touched.group != group || r->key.changed.fields == r->key.touched.fields)
			continue;
		for (unsigned p = 0; p < r->npairs; p++) {
			add_user(w, out, row__winner(r)->fields, r->pair[p].winner, r->pair[p].ns);
			add_user(w, out, row__loser(r)->fields, r->pair[p].loser, r->pair[p].ns);
		}
	}
	if (out->n)
		qsort(out->at, out->n, sizeof(*out->at), by_ns);
}

static int by_value(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

#define MOST_USERS 12 /* named */

static char *name_users(const struct users *u)
{
	struct text t = {0};

	for (size_t i = 0; i < u->n && i < MOST_USERS; i++) {
		struct user *x = &u->at[i];

		qsort(x->nodes.at, x->nodes.n, sizeof(*x->nodes.at), by_value);
		text__add(&t, "%s{%s} (node%s",
			  !i		  ? ""
			  : i + 1 == u->n ? " and "
					  : ", ",
			  x->fields, x->nodes.n > 1 ? "s" : "");
		for (size_t k = 0; k < x->nodes.n; k++)
			text__add(&t, "%s %u", k ? "," : "", x->nodes.at[k]);
		text__add(&t, ")");
	}
	if (u->n > MOST_USERS)
		text__add(&t, " and %zu more", u->n - MOST_USERS);
	return t.at;
}

/* Of the time on false conflicts, what the sample of judged ones supports. */
static double sure_part(const struct group_sum *g)
{
	double judged = 0, low, high;

	for (int v = 0; v < VERDICTS; v++)
		if (v != VERDICT_UNKNOWN && v != VERDICT_UNTOUCHED)
			judged += g->seen[v];
	verdict__interval(g->seen[VERDICT_FALSE], judged, &low, &high);
	return g->seen[VERDICT_FALSE] > 0 ? low * judged / g->seen[VERDICT_FALSE] : 0;
}

/* Into so many structs; 0: one for each node. Takes over `fields`. */
static void split_struct(struct work *w, uint32_t g, double ns, size_t parts, char *fields)
{
	struct advice *a = advice_work__add(w, ADVICE_SPLIT_STRUCT, g, 0);
	const struct group_sum *sum = &w->tally->groups[g];

	a->fields = fields;
	a->by_node = !parts;
	a->pages = parts ? (double)parts - 1 : advice_work__nodes(w);
	a->alone_ns = a->missed_ns = ns * w->scale;
	a->conflicts = sum->seen[VERDICT_FALSE];
	advice_work__predict(
		w,
		&(struct stake){.saved_ns = ns,
				.saved_conflicts = sum->ns[VERDICT_FALSE] > 0
							   ? advice_work__evidence(w, g) *
								     fmin(1, ns / sum->ns[VERDICT_FALSE])
							   : 0,
				.sure = sure_part(sum),
				.traffic = w->wasted_ns > 0 ? fmin(1, ns * w->scale / w->wasted_ns) : 0,
				.doubts = DOUBT_TRAFFIC},
		&a->predicted);
	if (advice_work__worthwhile(w, &a->predicted))
		return;
	mem__free(a->fields);
	w->out->all.n--;
}

/* Do two sets of fields belong to different nodes? If all nodes use all of them, another struct parts nobody. */
static bool parts_nodes(const struct users *u)
{
	for (size_t i = 0; i < u->n; i++) {
		for (size_t j = 0; j < i; j++) {
			const struct user *a = &u->at[i], *b = &u->at[j];
			bool both = false;

			for (size_t k = 0; k < a->nodes.n; k++)
				for (size_t l = 0; l < b->nodes.n; l++)
					both = both || a->nodes.at[k] == b->nodes.at[l];
			if (!both)
				return true;
		}
	}
	return false;
}

#define WORD	 8u    /* bytes */
#define LARGEST	 65536 /* bytes of a struct that are looked at */
#define RARELY	 0.05  /* whoever wrote a word so seldom has no part in it */
#define OWN_MOST 0.8   /* of the writes: to words that one node writes */

struct word {
	uint16_t node;
	double most, others;
};

static void count_words(const struct work *w, uint32_t group, struct word *words, uint32_t n)
{
	const struct tally *t = w->tally;

	for (uint32_t i = 0; i < t->usage_keys.n; i++) {
		const struct usage_key *k = table__key(&t->usage_keys, i, NULL);
		const struct piece *p = (const void *)(k + 1);

		for (uint32_t j = 0; k->kind == USE_WRITE && j < k->n; j++) {
			const struct object *o =
				p[j].object == PLACE_NONE ? NULL : &t->model->objects.at[p[j].object];

			if (!o || o->group != group)
				continue;
			for (uint64_t b = p[j].from / WORD; b * WORD < p[j].to; b++) {
				struct word *x = &words[b % n];
				bool mine = x->most <= 0 || x->node == k->node;

				x->node = mine ? k->node : x->node;
				x->most += mine ? t->usages.at[i] : 0;
				x->others += mine ? 0 : t->usages.at[i];
			}
		}
	}
}

/* Is a lone struct in parts of one node each, that its fields do not show: an element for each node in arrays of it? */
static bool parts_of_nodes(const struct work *w, uint32_t group)
{
	const struct group *g = &w->tally->model->groups.at[group];
	uint32_t n = g->elem_size / WORD, nodes = 0;
	double own = 0, all = 0;
	struct word *words;

	if (n < 2 || g->elem_size > LARGEST || g->objects.n != 1 ||
	    w->tally->model->objects.at[g->objects.at[0]].count != 1)
		return false;
	words = mem__alloc(n * sizeof(*words));
	count_words(w, group, words, n);
	for (uint32_t i = 0; i < n; i++) {
		bool one = words[i].most > 0 && words[i].others <= RARELY * words[i].most;

		all += words[i].most + words[i].others;
		own += one ? words[i].most : 0;
		nodes |= one ? 1u << (words[i].node % 32) : 0;
	}
	mem__free(words);
	return (nodes & (nodes - 1)) && own >= OWN_MOST * all;
}

/* All fields that false conflicts met in: which nodes use which part of them, their names do not say. */
static void find_arrays(const struct work *w, uint32_t group, struct text *out)
{
	for (size_t i = 0; i < w->tally->rows.n; i++) {
		const struct row *r = &w->tally->rows.at[i];

		for (int side = 0; side < 2; side++) {
			const struct row_side *s = side ? &r->key.touched : &r->key.changed;
			const char *fields =
				s->group == group && s->fields ? tally__text(w->tally, s->fields) : "";

			if (r->key.verdict == VERDICT_FALSE && strstr(fields, "[]"))
				add_fields(out, fields);
		}
	}
}

static void forget(struct users *u)
{
	for (size_t i = 0; i < u->n; i++) {
		mem__free(u->at[i].fields);
		VEC_FREE(&u->at[i].nodes);
	}
	VEC_FREE(u);
}

void advice_work__structs(struct work *w)
{
	for (uint32_t g = 0; g < w->tally->model->groups.n; g++) {
		struct users u = {0};
		struct text arrays = {0};
		double ns;

		if (w->tally->groups[g].ns[VERDICT_FALSE] < WORTH * w->wasted_ns ||
		    advice_work__evidence(w, g) < FEW_CONFLICTS)
			continue;
		ns = replay__within_element(w->replay, w->change, g);
		if (ns < WORTH * w->wasted_ns)
			continue;
		find_users(w, g, &u);
		if (parts_nodes(&u)) {
			split_struct(w, g, ns, u.n, name_users(&u));
		} else if (parts_of_nodes(w, g)) {
			find_arrays(w, g, &arrays);
			if (arrays.at)
				split_struct(w, g, ns, 0, arrays.at);
		}
		forget(&u);
	}
}
