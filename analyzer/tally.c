/* SPDX-License-Identifier: BSD-2-Clause */
#include "tally.h"

#include <string.h>

#include "rows.h"

#define SHAPE_BYTES ((size_t)128 << 20)
#define USAGE_BYTES ((size_t)64 << 20)

void tally__init(struct tally *t, struct model *m, struct layouts *l)
{
	memset(t, 0, sizeof(*t));
	t->model = m;
	t->layouts = l;
	table__intern(&t->texts, "", 1);
	waits__init(&t->waits, m);
	promise__init(&t->promises, m);
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
	promise__free(&t->promises);
	quiet__free(&t->quiet);
}

const char *tally__text(const struct tally *t, uint32_t number)
{
	return table__key(&t->texts, number, NULL);
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
	if (c->cause < DSM_EV_CAUSE_MAX && !c->kept)
		book->by_cause[c->cause] += count;
	if (c->microscope) {
		book->microscope += ns;
		book->microscope_aborts += c->kept ? 0 : count; /* its commit counts */
	}
	if (c->winner_microscope)
		book->met_microscope += ns;
	promise__conflict(&t->promises, c);
	if (!by_sharing(c->cause)) {
		book->other += ns;
		return;
	}
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
			rows__add(t, c, &c->page[i], 1.0 / n);
	if (!n) { /* no page is named: the cost stays, without a place */
		struct met_page nowhere;

		memset(&nowhere, 0, sizeof(nowhere));
		nowhere.view.model = t->model;
		nowhere.view.layouts = t->layouts;
		rows__add(t, c, &nowhere, 1);
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
	loops__ended(&t->loops, run, site, record);
	quiet__ended(&t->quiet, site, record);
}

static void on_plain_wait(void *context, uint32_t run, double ns, const struct dsm_ev_fault *f,
			  const struct page_view *v, const struct dsm_ev_ended *ended)
{
	struct tally *t = context;

	waits__plain(&t->waits, run, ns, f, v, ended);
}

static void on_flushed(void *context, uint32_t run, const struct dsm_ev_ended *ended)
{
	struct tally *t = context;

	waits__flushed(&t->waits, run, ended);
}

static void on_rebased(void *context, double ns)
{
	struct tally *t = context;

	t->ledger.rebases += ns;
}

static void on_lock(void *context, uint32_t run, const struct dsm_ev_lock *lock)
{
	struct tally *t = context;

	waits__lock(&t->waits, run, lock);
	loops__lock(&t->loops, run, model__site(t->model, run, lock->hdr.node, lock->interval.site), lock);
}

static void on_seen(void *context, uint32_t run, const struct dsm_ev_hdr *record)
{
	struct tally *t = context;

	promise__record(&t->promises, run, record);
	if (record->type == DSM_EV_FAULT)
		loops__fault(&t->loops, run, (const void *)record);
}

void tally__sink(struct tally *t, struct evidence_sink *sink)
{
	*sink = (struct evidence_sink){.context = t,
				       .conflict = on_conflict,
				       .usage = on_usage,
				       .commit = on_commit,
				       .plain_wait = on_plain_wait,
				       .flushed = on_flushed,
				       .rebased = on_rebased,
				       .seen = on_seen,
				       .lock = on_lock};
}
