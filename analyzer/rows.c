/* SPDX-License-Identifier: BSD-2-Clause */
#include "rows.h"

#include <string.h>

#define NAME_BYTES ((size_t)32 << 20)

unsigned row__access(const struct row *r, const struct row_side *side)
{
	if (r->key.verdict == VERDICT_UNTOUCHED)
		return 0;
	if (side == &r->key.changed)
		return DSM_EV_ACCESS_WRITE;
	return (r->read ? DSM_EV_ACCESS_READ : 0) | (r->wrote ? DSM_EV_ACCESS_WRITE : 0);
}

/* The group at a byte, and how many bytes from there on surely belong to the same element. */
static uint32_t group_from(const struct page_view *v, uint32_t byte, uint32_t *rest)
{
	uint64_t element;
	uint32_t in, object = place__at(v, byte, &element, &in), group;

	*rest = 1;
	if (object == PLACE_NONE)
		return GROUP_NONE;
	group = model__group(v->model, object);
	if (element != UINT64_MAX)
		*rest = v->model->groups.at[group].elem_size - in;
	return group;
}

static uint32_t group_at(const struct page_view *v, uint32_t byte)
{
	uint32_t rest;

	return group_from(v, byte, &rest);
}

struct group_bytes {
	uint32_t group;
	uint64_t bytes;
};

static unsigned bytes_by_group(const struct page_view *v, const struct byteset *set, struct group_bytes *out,
			       unsigned max)
{
	unsigned n = 0;

	for (size_t i = 0; i < set->n; i++) {
		uint32_t rest;

		for (uint32_t at = set->at[i].from; at < set->at[i].to; at += rest) {
			uint32_t group = group_from(v, at, &rest), left = set->at[i].to - at;
			unsigned k;

			for (k = 0; k < n && out[k].group != group; k++)
				;
			if (k == n && n < max)
				out[n++] = (struct group_bytes){group, 0};
			if (k < n)
				out[k].bytes += rest < left ? rest : left;
		}
	}
	return n;
}

#define MOST_GROUPS 16 /* on one page, told apart */

struct group_pair {
	uint32_t changed, touched;
};

static uint32_t most_bytes(const struct group_bytes *g, unsigned n)
{
	uint32_t best = GROUP_NONE;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		if (g[i].group != GROUP_NONE && g[i].bytes > bytes) {
			bytes = g[i].bytes;
			best = g[i].group;
		}
	}
	return best;
}

/* The objects to name: each that both sides accessed, since each of them would keep the conflict alive;
 * without such a one, what each side accessed most. */
static unsigned pick_groups(const struct page_view *v, const struct byteset *w, const struct byteset *l,
			    struct group_pair *out)
{
	struct group_bytes a[MOST_GROUPS], b[MOST_GROUPS];
	unsigned na = bytes_by_group(v, w, a, MOST_GROUPS), nb = bytes_by_group(v, l, b, MOST_GROUPS), n = 0;

	for (unsigned i = 0; i < na; i++)
		for (unsigned j = 0; j < nb; j++)
			if (a[i].group == b[j].group && a[i].group != GROUP_NONE)
				out[n++] = (struct group_pair){a[i].group, a[i].group};
	if (!n)
		out[n++] = (struct group_pair){most_bytes(a, na), most_bytes(b, nb)};
	return n;
}

static uint32_t first_leaf(const struct page_view *v, const struct byteset *set, uint32_t group)
{
	for (size_t i = 0; i < set->n; i++) {
		for (uint32_t at = set->at[i].from; at < set->at[i].to; at++) {
			uint64_t element;
			uint32_t in, object = place__at(v, at, &element, &in);

			if (object != PLACE_NONE && element != UINT64_MAX &&
			    model__group(v->model, object) == group)
				return in;
		}
	}
	return UINT32_MAX;
}

/* The same bytes of the same objects have the same name: looked up once. */
static struct side_name *known_name(struct tally *t, const struct page_view *v, const struct byteset *set,
				    uint32_t group)
{
	struct {
		uint64_t page;
		uint32_t run, group, objects, first;
	} head = {v->start, v->run, group, (uint32_t)v->n, v->n ? v->object[0] : 0};
	size_t bytes = sizeof(head) + set->n * sizeof(struct span);
	char *key = mem__alloc(bytes);
	uint32_t n;

	memcpy(key, &head, sizeof(head));
	if (set->n)
		memcpy(key + sizeof(head), set->at, set->n * sizeof(struct span));
	n = t->name_keys.nbytes < NAME_BYTES ? table__intern(&t->name_keys, key, bytes)
					     : table__find(&t->name_keys, key, bytes);
	mem__free(key);
	if (n == TABLE_NONE)
		return NULL;
	if (n == t->names.n)
		*VEC_ADD(&t->names) = (struct side_name){0};
	return &t->names.at[n];
}

static void name_side(struct tally *t, const struct page_view *v, const struct byteset *set,
		      struct row_side *side)
{
	struct side_name *known = known_name(t, v, set, side->group);
	char fields[160] = "";

	side->leaf = UINT32_MAX;
	if (known && known->known) {
		side->fields = known->fields;
		side->leaf = known->leaf;
		return;
	}
	if (side->group != GROUP_NONE) {
		place__fields(v, set, side->group, fields, sizeof(fields));
		side->leaf = first_leaf(v, set, side->group);
	}
	side->fields = table__intern(&t->texts, fields, strlen(fields) + 1);
	if (known)
		*known = (struct side_name){true, side->fields, side->leaf};
}

/* The other side's instruction: one that accessed the bytes in question, a write rather than a read. */
static const struct touch *pick_touch(const struct met_page *p, const struct byteset *where, uint32_t group)
{
	const struct touch *best = NULL;

	for (size_t i = 0; i < p->touches.n; i++) {
		const struct touch *t = &p->touches.at[i];

		if (!byteset__has(where, t->offset, (uint32_t)t->offset + (t->size ? t->size : 1)) ||
		    (group != GROUP_NONE && group_at(&p->view, t->offset) != group))
			continue;
		if (!best || (!(best->access & DSM_EV_ACCESS_WRITE) && (t->access & DSM_EV_ACCESS_WRITE)))
			best = t;
	}
	return best;
}

/* What a page's row is about: for a true or silent meeting the bytes in common, else each side's own. */
struct subject {
	struct byteset both;
	const struct byteset *changed, *touched;
	struct group_pair pair[MOST_GROUPS];
	unsigned n;
};

static void find_subject(const struct conflict *c, const struct met_page *p, struct subject *s)
{
	memset(&s->both, 0, sizeof(s->both));
	s->changed = &p->stored;
	s->touched = &p->touched;
	s->n = 1;
	s->pair[0] = (struct group_pair){GROUP_NONE, GROUP_NONE};
	if (c->verdict == VERDICT_UNTOUCHED)
		return; /* a cost of the tracking: no object's fault */
	if (c->verdict == VERDICT_TRUE || c->verdict == VERDICT_SILENT) {
		byteset__common(&s->both, c->verdict == VERDICT_TRUE ? &p->changed : &p->stored, &p->touched);
		s->changed = s->touched = &s->both;
	}
	s->n = pick_groups(&p->view, s->changed, s->touched, s->pair);
	if (c->verdict == VERDICT_UNKNOWN && s->pair[0].changed == GROUP_NONE &&
	    s->pair[0].touched == GROUP_NONE && p->view.n == 1)
		s->pair[0].changed = model__group(p->view.model, p->view.object[0]);
}

static void fill_row_key(struct tally *t, const struct conflict *c, const struct met_page *p,
			 const struct subject *s, struct group_pair pair, struct row_key *key, bool *read,
			 bool *wrote)
{
	const struct touch *touch;

	memset(key, 0, sizeof(*key));
	key->verdict = c->verdict;
	key->why = c->verdict == VERDICT_UNKNOWN ? c->why : WHY_NOT;
	key->reversed = p->reversed;
	key->changed.site = p->reversed ? c->loser_site : c->winner_site;
	key->touched.site = p->reversed ? c->winner_site : c->loser_site;
	key->changed.group = pair.changed;
	key->touched.group = pair.touched;
	key->changed.leaf = key->touched.leaf = UINT32_MAX;
	key->roots = place__is_roots(p->page) && c->verdict != VERDICT_UNTOUCHED;
	*read = *wrote = false;
	if (c->verdict == VERDICT_UNTOUCHED)
		return;
	name_side(t, &p->view, s->changed, &key->changed);
	name_side(t, &p->view, s->touched, &key->touched);
	touch = pick_touch(p, s->touched, key->touched.group);
	if (touch)
		key->touched.code = touch->code;
	*wrote = byteset__meets(&p->wrote, s->touched);
	*read = !*wrote || !byteset__within(s->touched, &p->wrote);
}

static void count_pair(struct row *r, const struct conflict *c, double ns)
{
	unsigned least = 0, i;

	for (i = 0; i < r->npairs; i++) {
		if (r->pair[i].winner == c->winner && r->pair[i].loser == c->loser) {
			r->pair[i].ns += ns;
			return;
		}
		if (r->pair[i].ns < r->pair[least].ns)
			least = i;
	}
	if (r->npairs < sizeof(r->pair) / sizeof(r->pair[0]))
		least = r->npairs++;
	r->pair[least] = (struct node_pair){c->winner, c->loser, ns};
}

static void add_row(struct tally *t, const struct conflict *c, const struct met_page *p,
		    const struct subject *s, struct group_pair pair, double part)
{
	struct row_key key;
	bool read, wrote;
	double count = c->weight * c->share * part, ns = c->wasted_ns * c->share * part;
	struct row *r;
	uint32_t n;

	fill_row_key(t, c, p, s, pair, &key, &read, &wrote);
	n = table__intern(&t->row_keys, &key, sizeof(key));
	if (n == t->rows.n)
		*VEC_ADD(&t->rows) = (struct row){.key = key, .group = GROUP_NONE};
	r = &t->rows.at[n];
	r->read = r->read || read;
	r->wrote = r->wrote || wrote;
	if (c->basis == BASIS_SITE) {
		r->estimated += count;
		r->estimated_ns += ns;
	} else {
		r->seen += count;
		r->seen_ns += ns;
		r->squares += count * c->weight;
	}
	r->basis[c->basis] += count;
	count_pair(r, c, ns);
}

void rows__add(struct tally *t, const struct conflict *c, const struct met_page *p, double part)
{
	struct subject s;

	find_subject(c, p, &s);
	for (unsigned i = 0; i < s.n; i++)
		add_row(t, c, p, &s, s.pair[i], part / s.n);
	byteset__free(&s.both);
}
