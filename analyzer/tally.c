/* SPDX-License-Identifier: BSD-2-Clause */
#include "tally.h"

#include <stdio.h>
#include <string.h>

#define SHAPE_BYTES ((size_t)128 << 20)
#define USAGE_BYTES ((size_t)64 << 20)
#define NAME_BYTES  ((size_t)32 << 20)

void tally__init(struct tally *t, struct model *m, struct layouts *l)
{
	memset(t, 0, sizeof(*t));
	t->model = m;
	t->layouts = l;
	table__intern(&t->texts, "", 1);
	waits__init(&t->waits, m);
}

void tally__free(struct tally *t)
{
	for (size_t i = 0; i < t->node_touch.n; i++)
		byteset__free(&t->node_touch.at[i]);
	table__free(&t->texts);
	table__free(&t->row_keys);
	table__free(&t->shape_keys);
	table__free(&t->usage_keys);
	table__free(&t->commit_keys);
	table__free(&t->line_keys);
	table__free(&t->line_best_keys);
	table__free(&t->touch_keys);
	table__free(&t->name_keys);
	VEC_FREE(&t->names);
	VEC_FREE(&t->rows);
	VEC_FREE(&t->shapes);
	VEC_FREE(&t->usages);
	VEC_FREE(&t->usage_records);
	VEC_FREE(&t->commits);
	VEC_FREE(&t->lines);
	VEC_FREE(&t->line_best);
	VEC_FREE(&t->node_touch);
	VEC_FREE(&t->node_touch_time);
	mem__free(t->groups);
	waits__free(&t->waits);
	loops__free(&t->loops);
}

const char *tally__text(const struct tally *t, uint32_t number)
{
	return table__key(&t->texts, number, NULL);
}

unsigned row__access(const struct row *r, const struct row_side *side)
{
	if (r->key.verdict == VERDICT_UNTOUCHED)
		return 0;
	if (side == &r->key.changed)
		return DSM_EV_ACCESS_WRITE;
	return (r->read ? DSM_EV_ACCESS_READ : 0) | (r->wrote ? DSM_EV_ACCESS_WRITE : 0);
}

/* ---- one page's two sides ---- */

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

static void add_page(struct tally *t, const struct conflict *c, const struct met_page *p, double part)
{
	struct subject s;

	find_subject(c, p, &s);
	for (unsigned i = 0; i < s.n; i++)
		add_row(t, c, p, &s, s.pair[i], part / s.n);
	byteset__free(&s.both);
}

/* ---- shapes ---- */

static void add_shape(struct tally *t, const struct conflict *c)
{
	struct pieces stored = {0}, touched = {0};
	struct shape shape = {.run = c->run,
			      .changer = c->winner,
			      .toucher = c->loser,
			      .loser_site = c->loser_site,
			      .loser = c->loser,
			      .verdict = c->verdict};
	uint64_t untouched[DSM_EV_MEETINGS];
	double count = c->weight * c->share, ns = c->wasted_ns * c->share;
	struct text key = {0};
	uint32_t n;

	if (c->verdict == VERDICT_UNKNOWN) {
		t->stuck += count;
		t->stuck_ns += ns;
		return;
	}
	if (c->pages && c->page[0].reversed) {
		shape.changer = c->loser;
		shape.toucher = c->winner;
	}
	for (unsigned i = 0; i < c->pages; i++) {
		place__pieces(&c->page[i].view, &c->page[i].stored, &stored);
		place__pieces(&c->page[i].view, &c->page[i].touched, &touched);
		if (c->page[i].verdict == VERDICT_UNTOUCHED)
			untouched[shape.npages++] = c->page[i].page;
	}
	shape.nstored = (uint32_t)stored.n;
	shape.ntouched = (uint32_t)touched.n;
	key.cap = sizeof(shape) + (stored.n + touched.n) * sizeof(struct piece) + sizeof(untouched);
	key.at = mem__alloc(key.cap);
	memcpy(key.at, &shape, sizeof(shape));
	key.n = sizeof(shape);
	if (stored.n)
		memcpy(key.at + key.n, stored.at, stored.n * sizeof(struct piece));
	key.n += stored.n * sizeof(struct piece);
	if (touched.n)
		memcpy(key.at + key.n, touched.at, touched.n * sizeof(struct piece));
	key.n += touched.n * sizeof(struct piece);
	memcpy(key.at + key.n, untouched, shape.npages * sizeof(untouched[0]));
	key.n += shape.npages * sizeof(untouched[0]);
	n = t->shape_keys.nbytes < SHAPE_BYTES ? table__intern(&t->shape_keys, key.at, key.n)
					       : table__find(&t->shape_keys, key.at, key.n);
	if (n == TABLE_NONE) {
		t->shapes_dropped += ns;
	} else {
		if (n == t->shapes.n)
			*VEC_ADD(&t->shapes) = (struct shape_sum){.time_ns = c->time_ns};
		t->shapes.at[n].conflicts += count;
		t->shapes.at[n].ns += ns;
		t->shapes_kept += ns;
	}
	text__free(&key);
	VEC_FREE(&stored);
	VEC_FREE(&touched);
}

/* ---- callbacks ---- */

static bool by_sharing(uint32_t cause)
{
	return cause != DSM_EV_CAUSE_CANCEL && cause != DSM_EV_CAUSE_LOCK && cause != DSM_EV_CAUSE_NODE_LOSS;
}

static bool charged(const struct conflict *c, const struct met_page *p)
{
	return p->verdict == c->verdict || c->verdict == VERDICT_UNTOUCHED ||
	       (c->verdict == VERDICT_UNKNOWN && c->cut);
}

static void on_conflict(void *context, const struct conflict *c)
{
	struct tally *t = context;
	struct ledger *book = &t->ledger;
	double ns = c->wasted_ns * c->share, count = c->weight * c->share;
	unsigned n = 0;

	book->aborts += count;
	if (c->cause < DSM_EV_CAUSE_MAX)
		book->by_cause[c->cause] += count;
	if (c->microscope) {
		book->microscope += ns;
		book->microscope_aborts += count;
	}
	if (c->winner_microscope)
		book->met_microscope += ns;
	if (!by_sharing(c->cause)) {
		book->other += ns;
		return;
	}
	if (c->interval)
		loops__waited(&t->loops, c->loser_site, ns);
	if (c->basis == BASIS_SITE)
		book->estimated[c->verdict] += ns;
	else
		book->verdict[c->verdict] += ns;
	if (c->verdict == VERDICT_UNKNOWN || c->basis == BASIS_SITE)
		t->why[c->why] += count;
	for (unsigned i = 0; i < c->pages; i++)
		n += charged(c, &c->page[i]);
	for (unsigned i = 0; i < c->pages; i++)
		if (charged(c, &c->page[i]))
			add_page(t, c, &c->page[i], 1.0 / n);
	if (!n) { /* no page is named: the cost stays, without a place */
		struct met_page nowhere;

		memset(&nowhere, 0, sizeof(nowhere));
		nowhere.view.model = t->model;
		nowhere.view.layouts = t->layouts;
		add_page(t, c, &nowhere, 1);
	}
	add_shape(t, c);
}

static void count_line(struct tally *t, uint32_t site, uint32_t group, uint32_t leaf, bool write,
		       struct code code)
{
	struct {
		uint32_t site, group, leaf, write;
		struct code code;
	} key = {site, group, leaf, write, code};
	uint32_t n = table__intern(&t->line_keys, &key, sizeof(key)), best;

	if (n == t->lines.n)
		*VEC_ADD(&t->lines) = 0;
	t->lines.at[n]++;
	best = table__intern(&t->line_best_keys, &key, offsetof(typeof(key), code));
	if (best == t->line_best.n)
		*VEC_ADD(&t->line_best) = (struct line_best){code, 0};
	if (t->lines.at[n] > t->line_best.at[best].count)
		t->line_best.at[best] = (struct line_best){code, t->lines.at[n]};
}

struct code tally__line(const struct tally *t, uint32_t site, uint32_t group, uint32_t leaf, bool write)
{
	struct {
		uint32_t site, group, leaf, write;
	} key = {site, group, leaf, write};
	uint32_t n = table__find(&t->line_best_keys, &key, sizeof(key));

	return n == TABLE_NONE ? (struct code){0, 0} : t->line_best.at[n].code;
}

/* Remembers which instruction accesses which scalar: per site, for any site, and for any scalar. */
static void learn_lines(struct tally *t, const struct usage_event *u)
{
	for (size_t i = 0; i < u->ntouches; i++) {
		const struct touch *touch = &u->touches[i];
		uint32_t end = (uint32_t)touch->offset + (touch->size ? touch->size : 1), at, rest;
		bool write = touch->access & DSM_EV_ACCESS_WRITE;

		if (!touch->code.image)
			continue;
		for (at = touch->offset; at < end && at < u->view->bytes; at += rest) {
			uint64_t element;
			uint32_t in, object = place__at(u->view, at, &element, &in), group;

			rest = place__scalar_rest(u->view, at);
			if (object == PLACE_NONE || element == UINT64_MAX)
				continue;
			group = model__group(t->model, object);
			count_line(t, u->site, group, in, write, touch->code);
			count_line(t, 0, group, in, write, touch->code);
			count_line(t, u->site, group, UINT32_MAX, write, touch->code);
			count_line(t, 0, group, UINT32_MAX, write, touch->code);
		}
	}
}

static void add_usage(struct tally *t, const struct usage_event *u)
{
	struct pieces pieces = {0};
	struct usage_key *key;
	uint32_t number;
	size_t bytes;

	place__pieces(u->view, u->bytes, &pieces);
	bytes = sizeof(*key) + pieces.n * sizeof(struct piece);
	key = mem__alloc(bytes);
	*key = (struct usage_key){.page = u->view->start,
				  .run = u->run,
				  .node = u->node,
				  .kind = u->kind == USAGE_COMMITTED_WRITE ? USE_WRITE : USE_ACCESS,
				  .site = u->site,
				  .n = (uint32_t)pieces.n};
	if (pieces.n)
		memcpy(key + 1, pieces.at, pieces.n * sizeof(struct piece));
	number = t->usage_keys.nbytes < USAGE_BYTES ? table__intern(&t->usage_keys, key, bytes)
						    : table__find(&t->usage_keys, key, bytes);
	if (number != TABLE_NONE) {
		if (number == t->usages.n) {
			*VEC_ADD(&t->usages) = 0;
			*VEC_ADD(&t->usage_records) = 0;
		}
		t->usages.at[number] += u->weight;
		t->usage_records.at[number]++;
	}
	mem__free(key);
	VEC_FREE(&pieces);
}

static void on_usage(void *context, const struct usage_event *u)
{
	struct tally *t = context;
	struct {
		uint64_t page;
		uint32_t run, node;
	} key = {u->view->start | (uint64_t)__builtin_ctzll(u->view->bytes), u->run, u->node};
	uint32_t n = table__intern(&t->touch_keys, &key, sizeof(key));

	if (n == t->node_touch.n) {
		memset(VEC_ADD(&t->node_touch), 0, sizeof(struct byteset));
		*VEC_ADD(&t->node_touch_time) = 0;
	}
	byteset__add_all(&t->node_touch.at[n], u->bytes);
	t->node_touch_time.at[n] = u->view->time_ns;
	learn_lines(t, u);
	waits__usage(&t->waits, u);
	if (u->kind != USAGE_FIRST_TOUCH)
		add_usage(t, u);
}

static void on_commit(void *context, uint32_t run, uint32_t site, const struct dsm_ev_hdr *record)
{
	struct tally *t = context;
	struct {
		uint32_t run, node, site, zero;
	} key = {run, record->node, site, 0};
	uint32_t n = table__intern(&t->commit_keys, &key, sizeof(key));
	double weight = record->type == DSM_EV_COMMIT && record->weight ? record->weight : 1;

	if (n == t->commits.n)
		*VEC_ADD(&t->commits) = 0;
	t->commits.at[n] += weight;
	if (record->flags & DSM_EV_F_MICROSCOPE)
		t->ledger.microscope_commits += weight;
	loops__ended(&t->loops, site, record);
}

static void on_plain_wait(void *context, uint32_t run, double ns, const struct dsm_ev_fault *f,
			  const struct page_view *v, const struct dsm_ev_ended *ended)
{
	struct tally *t = context;

	const struct dsm_ev_interval *iv = f ? &f->interval : &ended->interval;
	uint16_t node = f ? f->hdr.node : ended->hdr.node;

	waits__plain(&t->waits, run, ns, f, v, ended);
	loops__waited(&t->loops, model__site(t->model, run, node, iv->site), ns);
}

static void on_flushed(void *context, uint32_t run, const struct dsm_ev_ended *ended)
{
	struct tally *t = context;

	waits__flushed(&t->waits, run, ended);
}

static void on_lock(void *context, uint32_t run, const struct dsm_ev_lock *lock)
{
	struct tally *t = context;

	waits__lock(&t->waits, run, lock);
	loops__lock(&t->loops, model__site(t->model, run, lock->hdr.node, lock->interval.site), lock);
}

void tally__sink(struct tally *t, struct evidence_sink *sink)
{
	*sink = (struct evidence_sink){.context = t,
				       .conflict = on_conflict,
				       .usage = on_usage,
				       .commit = on_commit,
				       .plain_wait = on_plain_wait,
				       .flushed = on_flushed,
				       .lock = on_lock};
}
