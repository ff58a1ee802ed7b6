/* SPDX-License-Identifier: BSD-2-Clause */
/* report_json.c - the report as schema procope.report/1, and the plan as procope.plan/1 (docs/report.md). */
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "collector/shown.h"
#include "homes.h"
#include "report.h"

#define MOST_RANGES 1000
#define MOST_ROWS   2000

static void put(struct json_object *to, const char *key, struct json_object *value)
{
	json_object_object_add(to, key, value);
}

static struct json_object *number(double x)
{
	char text[40];

	snprintf(text, sizeof(text), "%.9g", x);
	return isfinite(x) ? json_object_new_double_s(x, text) : NULL;
}

static struct json_object *whole(double x)
{
	return json_object_new_int64((int64_t)llround(fmin(fmax(x, -9e18), 9e18)));
}

/* Names come out of a file that anybody may have made: bytes that are not UTF-8 would make bad JSON. */
static struct json_object *clean(const char *text)
{
	struct json_object *o;
	char *copy;

	if (!text || !text[0])
		return NULL;
	copy = mem__string(text);
	shown__copy(copy, strlen(text) + 1, text);
	o = json_object_new_string(copy);
	mem__free(copy);
	return o;
}

static struct json_object *rates(const struct rates *x)
{
	struct json_object *o = json_object_new_object();

	put(o, "aborts_per_commit", number(x->aborts_per_commit));
	put(o, "commits_per_s", number(x->commits_per_s));
	put(o, "wasted_share", number(x->wasted_share));
	put(o, "work_per_s", number(x->work_per_s));
	put(o, "conflicts_per_interval", number(x->conflicts_per_interval));
	return o;
}

static struct json_object *prediction(const struct prediction *p)
{
	struct json_object *o = rates(&p->rates);

	put(o, "ns_per_s", number(p->ns_per_s));
	return o;
}

static struct json_object *run_json(const struct report *r, const struct report_options *o)
{
	struct json_object *run = json_object_new_object(), *list = json_object_new_array();
	struct json_object *traces = json_object_new_array(), *notes = json_object_new_array();
	const char *const *note;
	size_t n = symbols__notes(r->symbols, &note);
	bool cut = false, damaged = false;

	for (size_t i = 0; i < r->model.runs.n; i++) {
		const struct run *x = &r->model.runs.at[i];
		struct json_object *one = json_object_new_object();
		char id[24];

		snprintf(id, sizeof(id), "%016llx", (unsigned long long)x->id);
		put(one, "run_id", json_object_new_string(id));
		put(one, "nodes", whole((double)x->nodes.n));
		put(one, "records", whole((double)x->records));
		put(one, "cut", json_object_new_boolean(x->cut));
		put(one, "damaged", json_object_new_boolean(x->damaged));
		put(one, "info", x->info ? json_tokener_parse(x->info) : NULL);
		json_object_array_add(list, one);
		cut = cut || x->cut;
		damaged = damaged || x->damaged;
	}
	for (size_t i = 0; i < o->ntraces; i++)
		json_object_array_add(traces, json_object_new_string(o->traces[i]));
	for (size_t i = 0; i < n; i++)
		json_object_array_add(notes, clean(note[i]));
	put(run, "program", clean(r->model.runs.n ? r->model.runs.at[0].program : NULL));
	put(run, "nodes", whole(r->totals.nodes));
	put(run, "consistency", json_object_new_string(names__consistency(r->totals.consistency)));
	put(run, "seconds", number(r->totals.seconds));
	put(run, "traces", traces);
	put(run, "cut", json_object_new_boolean(cut));
	put(run, "damaged", json_object_new_boolean(damaged));
	put(run, "runs", list);
	put(run, "notes", notes);
	return run;
}

static struct json_object *totals_json(const struct report *r)
{
	struct rates now;
	struct json_object *o, *c = json_object_new_object(), *micro = json_object_new_object();
	const struct ledger *b = &r->tally.ledger;

	advice__rates(&r->totals, &now);
	o = rates(&now);
	put(o, "seconds", number(r->totals.seconds));
	put(o, "nodes", whole(r->totals.nodes));
	put(o, "too_short", json_object_new_boolean(!r->totals.measured));
#define X(name, meaning) put(c, #name, whole((double)r->totals.sum.name));
	DSM_COUNTERS(X)
#undef X
	put(o, "counters", c);
	put(micro, "aborts", whole(b->microscope_aborts));
	put(micro, "commits", whole(b->microscope_commits));
	put(micro, "wasted_ns", whole(b->microscope));
	put(o, "slowed_by_the_microscope", micro);
	return o;
}

static struct json_object *side_json(const struct report *r, const struct row *row, bool winner)
{
	const struct row_side *side = winner ? row__winner(row) : row__loser(row);
	unsigned did = row__access(row, side);
	const struct node_pair *pair = report__pair(row);
	struct json_object *o = json_object_new_object();
	struct source src = {0}, tx;
	char name[160], where[192];
	const char *access = did == DSM_EV_ACCESS_WRITE	 ? "write"
			     : did == DSM_EV_ACCESS_READ ? "read"
							 : "read,write";

	put(o, "role", json_object_new_string(winner ? "winner" : "loser"));
	put(o, "node", row->npairs ? whole(winner ? pair->winner : pair->loser) : NULL);
	if (side->code.image)
		symbols__source(r->symbols, side->code, false, &src);
	put(o, "file", clean(src.file));
	put(o, "line", src.line ? whole(src.line) : NULL);
	put(o, "function", clean(src.function));
	put(o, "field", clean(tally__text(&r->tally, side->fields)));
	put(o, "access", did ? json_object_new_string(access) : NULL);
	if (side->group != GROUP_NONE) {
		model__group_name(&r->model, side->group, name, sizeof(name));
		put(o, "object", clean(name));
	}
	names__site(r->symbols, &r->model, side->site, &tx);
	names__place(&tx, where, sizeof(where));
	put(o, "transaction", clean(where));
	return o;
}

static const struct row_side *charged_side(const struct row *row)
{
	return row->key.changed.group == row->group ? &row->key.changed : &row->key.touched;
}

static void object_keys(const struct report *r, uint32_t group, struct json_object *o)
{
	const struct group *g = &r->model.groups.at[group];
	char text[192];
	struct source src;

	model__group_name(&r->model, group, text, sizeof(text));
	put(o, "object", clean(text));
	put(o, "type", clean(model__type_at(&r->model, g->type)->name));
	model__group_shape(&r->model, group, text, sizeof(text));
	put(o, "shape", clean(text));
	put(o, "objects", whole((double)g->objects.n));
	put(o, "count", whole((double)r->model.objects.at[g->objects.at[0]].count));
	names__site(r->symbols, &r->model, g->site, &src);
	names__place(&src, text, sizeof(text));
	put(o, "site", clean(text));
}

static struct json_object *share_json(const struct group_sum *g, enum verdict v, double *share)
{
	struct json_object *ci;
	double judged = 0, low, high;

	*share = NAN;
	if (v == VERDICT_UNKNOWN || v == VERDICT_UNTOUCHED)
		return NULL;
	judged = g->seen[VERDICT_FALSE] + g->seen[VERDICT_TRUE] + g->seen[VERDICT_SILENT];
	if (judged <= 0)
		return NULL;
	*share = g->seen[v] / judged;
	verdict__interval(g->seen[v], judged, &low, &high);
	ci = json_object_new_array();
	json_object_array_add(ci, number(low));
	json_object_array_add(ci, number(high));
	return ci;
}

static struct json_object *verdict_json(const struct report *r, const struct row *row)
{
	struct json_object *o = json_object_new_object(), *sides = json_object_new_array();
	struct json_object *basis = json_object_new_object(), *ci = NULL;
	double share = NAN;
	char name[160];

	if (row->group != GROUP_NONE) {
		object_keys(r, row->group, o);
		ci = share_json(&r->tally.groups[row->group], row->key.verdict, &share);
	} else {
		names__object(&r->tally, row, name, sizeof(name));
		put(o, "object", json_object_new_string(name));
		put(o, "type", NULL);
		put(o, "site", NULL);
	}
	put(o, "field", clean(tally__text(&r->tally, charged_side(row)->fields)));
	put(o, "class", json_object_new_string(verdict__name(row->key.verdict)));
	if (row->key.why)
		put(o, "why", json_object_new_string(why__text(row->key.why)));
	json_object_array_add(sides, side_json(r, row, true));
	json_object_array_add(sides, side_json(r, row, false));
	put(o, "sides", sides);
	put(o, "wasted_ns", whole(row__ns(row)));
	put(o, "wasted_ns_apportioned", whole(row->estimated_ns));
	put(o, "conflicts", number(row->seen + row->estimated));
	put(o, "conflicts_apportioned", number(row->estimated));
	put(o, "share", number(share));
	put(o, "ci", ci);
	put(o, "wasted_share",
	    r->tally.ledger.measured > 0 ? number(row__ns(row) / r->tally.ledger.measured) : NULL);
	for (int b = 0; b < BASES; b++)
		put(basis, basis__name(b), number(row->basis[b]));
	put(o, "basis", basis);
	return o;
}

static struct json_object *objects_json(const struct report *r)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < r->ngroups; i++) {
		const struct group_sum *g = &r->tally.groups[r->groups[i]];
		struct json_object *o = json_object_new_object(), *classes = json_object_new_object();

		object_keys(r, r->groups[i], o);
		for (int v = 0; v < VERDICTS; v++) {
			struct json_object *c = json_object_new_object(), *ci;
			double share;

			ci = share_json(g, v, &share);
			put(c, "wasted_ns", whole(g->ns[v]));
			put(c, "conflicts", number(g->seen[v] + g->estimated[v]));
			put(c, "conflicts_apportioned", number(g->estimated[v]));
			put(c, "share", number(share));
			put(c, "ci", ci);
			put(classes, verdict__name(v), c);
		}
		put(o, "classes", classes);
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *ledger_json(const struct ledger *b)
{
	struct json_object *o = json_object_new_object(), *seen = json_object_new_object();
	struct json_object *apportioned = json_object_new_object(), *causes = json_object_new_object();
	double attributed = 0;

	for (int v = 0; v < VERDICTS; v++) {
		put(seen, verdict__name(v), whole(b->verdict[v]));
		put(apportioned, verdict__name(v), whole(b->estimated[v]));
		if (v != VERDICT_UNKNOWN && v != VERDICT_UNTOUCHED)
			attributed += b->verdict[v] + b->estimated[v];
	}
#define X(name, n, text) put(causes, text, number(b->by_cause[n]));
	DSM_EV_CAUSES(X)
#undef X
	put(o, "measured_ns", whole(b->measured));
	put(o, "attributed_ns", whole(attributed));
	put(o, "unknown_ns", whole(b->verdict[VERDICT_UNKNOWN] + b->estimated[VERDICT_UNKNOWN]));
	put(o, "untouched_ns", whole(b->verdict[VERDICT_UNTOUCHED] + b->estimated[VERDICT_UNTOUCHED]));
	put(o, "other_ns", whole(b->other));
	put(o, "copies_ns", whole(b->copies));
	put(o, "locks_ns", whole(b->locks));
	put(o, "flushes_ns", whole(b->flushes));
	put(o, "lost_ns", whole(b->lost));
	put(o, "remainder_ns", whole(b->remainder));
	put(o, "before_ns", whole(b->before));
	put(o, "judged_ns", seen);
	put(o, "apportioned_ns", apportioned);
	put(o, "slowed_by_the_microscope_ns", whole(b->microscope));
	put(o, "met_one_slowed_by_the_microscope_ns", whole(b->met_microscope));
	put(o, "aborts_by_cause", causes);
	return o;
}

static struct json_object *losses_json(const struct model *m)
{
	struct json_object *o = json_object_new_object();

	for (unsigned type = 0; type < DSM_EV_TYPE_MAX; type++) {
		uint64_t lost = 0;

		for (size_t r = 0; r < m->runs.n; r++)
			lost += m->runs.at[r].lost[type];
		if (lost)
			put(o, trace_record__name(type), whole((double)lost));
	}
	return o;
}

static struct json_object *homes_json(struct report *r)
{
	struct json_object *o = json_object_new_object(), *rows = json_object_new_array(), *row;
	struct homes h;

	homes__sum(&r->model, &h);
	for (size_t i = 0; i < h.rows.n && i < MOST_ROWS; i++) {
		row = json_object_new_object();
		put(row, "object", clean(h.rows.at[i].object));
		put(row, "from", whole(h.rows.at[i].birth));
		put(row, "to", whole(h.rows.at[i].home));
		put(row, "pages", whole((double)h.rows.at[i].pages));
		put(row, "moves", whole((double)h.rows.at[i].moves));
		json_object_array_add(rows, row);
	}
	put(o, "moves", whole((double)(h.counted > h.moves ? h.counted : h.moves)));
	put(o, "pages", whole((double)h.pages));
	put(o, "moved", rows);
	homes__free(&h);
	return o;
}

static struct json_object *layout_json(const struct change *c)
{
	struct json_object *o = json_object_new_object();

	put(o, "isolate", json_object_new_boolean(true));
	if (c->stride)
		put(o, "stride", whole(c->stride));
	if (c->block) {
		put(o, "block", whole(c->block));
		put(o, "block_stride", whole(c->block_stride));
	}
	return o;
}

/* NULL: a place that cannot be told apart cannot be matched. */
static struct json_object *frame_json(const struct report *r, const struct code *code)
{
	const struct image *image = model__image_at(&r->model, code->image);
	char hex[2 * sizeof(image->build_id) + 1] = "";
	struct json_object *frame;

	if (!image->build_id_len)
		return NULL;
	for (uint32_t k = 0; k < image->build_id_len; k++)
		snprintf(hex + 2 * k, 3, "%02x", image->build_id[k]);
	frame = json_object_new_object();
	put(frame, "build_id", json_object_new_string(hex));
	put(frame, "offset", whole(code->offset));
	return frame;
}

static struct json_object *match_json(const struct report *r, const struct group *g)
{
	struct json_object *match = json_object_new_object(), *chain = json_object_new_array(), *frame;
	const struct site *site = model__site_at(&r->model, g->site);

	put(match, "type", json_object_new_string(model__type_at(&r->model, g->type)->name));
	put(match, "elem_size", whole(g->elem_size));
	for (uint32_t i = 0; i < site->nframes && (frame = frame_json(r, &site->frame[i])); i++)
		json_object_array_add(chain, frame);
	put(match, "site", chain);
	return match;
}

static struct json_object *rule_json(const struct report *r, const struct advice *a)
{
	struct json_object *o = json_object_new_object(), *match, *loop;
	char id[16];

	snprintf(id, sizeof(id), "P%u", a->rule);
	put(o, "id", json_object_new_string(id));
	if (a->loop) {
		match = json_object_new_object();
		loop = json_object_new_object();
		put(match, "loop", frame_json(r, &model__site_at(&r->model, a->site)->frame[0]));
		put(loop, "chunk", whole(a->k));
		put(o, "match", match);
		put(o, "loop", loop);
	} else {
		put(o, "match", match_json(r, &r->model.groups.at[a->group]));
		put(o, "layout", layout_json(&a->change));
	}
	put(o, "why", clean(a->why));
	put(o, "predicted_ns_per_s", number(a->predicted.ns_per_s));
	return o;
}

static struct json_object *elements_json(const struct byteset *set)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < set->n && i < MOST_RANGES; i++) {
		struct json_object *pair = json_object_new_array();

		json_object_array_add(pair, whole(set->at[i].from));
		json_object_array_add(pair, whole(set->at[i].to - 1));
		json_object_array_add(list, pair);
	}
	return list;
}

static void misplaced_json(const struct report *r, const struct misplaced *p, struct json_object *o)
{
	char name[128];

	model__object_name(&r->model, p->object, name, sizeof(name));
	put(o, "object", clean(name));
	put(o, "home", whole(p->home));
	put(o, "writer", whole(p->writer));
	put(o, "element", json_object_new_string(model__element(&r->model, p->object)));
	put(o, "elements", elements_json(&p->elements));
}

static struct json_object *copy_json(const struct report *r, uint32_t row)
{
	const struct wait_row *key = table__key(&r->tally.waits.row_keys, row, NULL);
	const struct wait_sum *sum = &r->tally.waits.rows.at[row];
	struct json_object *o = json_object_new_object();
	struct source src = {0};
	char name[128];

	if (key->object != PLACE_NONE) {
		model__object_name(&r->model, key->object, name, sizeof(name));
		put(o, "object", clean(name));
		put(o, "element", json_object_new_string(model__element(&r->model, key->object)));
		put(o, "elements", elements_json(&sum->elements));
		put(o, "objects", whole(sum->objects));
	} else {
		put(o, "object", NULL);
	}
	put(o, "node", whole(key->node));
	put(o, "home", whole(key->home));
	put(o, "access", json_object_new_string(key->access & DSM_EV_ACCESS_WRITE ? "write" : "read"));
	if (key->code.image)
		symbols__source(r->symbols, key->code, false, &src);
	put(o, "file", clean(src.file));
	put(o, "line", src.line ? whole(src.line) : NULL);
	put(o, "function", clean(src.function));
	put(o, "wait_ns", whole(sum->ns));
	put(o, "fetches", whole(sum->count));
	return o;
}

/* What names it; null where that is a block, or no object is recorded. */
static void lock_object(const struct report *r, const struct lock_sum *l, struct json_object *o)
{
	bool known = l->of_object && l->object != PLACE_NONE;
	char name[128];

	if (known)
		model__object_name(&r->model, l->object, name, sizeof(name));
	put(o, "object", known ? clean(name) : NULL);
	put(o, "element", known ? whole(l->element) : NULL);
}

static struct json_object *waits_json(const struct report *r)
{
	const struct waits *w = &r->tally.waits;
	struct json_object *o = json_object_new_object(), *copies = json_object_new_array();
	struct json_object *locks = json_object_new_array();
	char where[192];

	for (size_t i = 0; i < w->rows.n && i < MOST_ROWS; i++)
		json_object_array_add(copies, copy_json(r, r->waits[i]));
	for (size_t i = 0; i < w->locks.n && i < MOST_ROWS; i++) {
		const struct lock_sum *l = &w->locks.at[i];
		struct json_object *x = json_object_new_object();
		struct source src;

		names__site(r->symbols, &r->model, l->site, &src);
		names__place(&src, where, sizeof(where));
		put(x, "site", clean(where));
		put(x, "of_object", json_object_new_boolean(l->of_object));
		lock_object(r, l, x);
		put(x, "wait_ns", whole(l->ns));
		put(x, "count", whole(l->count));
		json_object_array_add(locks, x);
	}
	put(o, "copies", copies);
	put(o, "locks", locks);
	return o;
}

static struct json_object *advice_json(const struct report *r, const struct advice *a)
{
	struct json_object *o = json_object_new_object();
	char where[192], id[16];
	struct source src;

	put(o, "kind", json_object_new_string(advice__kind(a->kind)));
	if (a->group != GROUP_NONE)
		object_keys(r, a->group, o);
	if (a->misplaced)
		misplaced_json(r, a->misplaced, o);
	if (a->site) {
		names__site(r->symbols, &r->model, a->site, &src);
		names__place(&src, where, sizeof(where));
		put(o, "transaction", clean(where));
	}
	if (a->loop) {
		put(o, "iterations", number(loop__iterations(a->loop)));
		put(o, "chunk", whole(a->k));
	}
	put(o, "predicted", prediction(&a->predicted));
	put(o, "alone_ns_per_s", r->advice.seconds > 0 ? number(a->alone_ns / r->advice.seconds) : NULL);
	put(o, "missed_if_left_out_ns_per_s",
	    r->advice.seconds > 0 ? number(a->missed_ns / r->advice.seconds) : NULL);
	put(o, "text", clean(a->text));
	put(o, "why", clean(a->why));
	put(o, "cost_pages", whole(a->pages));
	if (a->kind <= ADVICE_PAD)
		put(o, "fetches_added", whole(a->effect.fetches_after - a->effect.fetches_before));
	snprintf(id, sizeof(id), "P%u", a->rule);
	put(o, "plan_rule", a->rule ? json_object_new_string(id) : NULL);
	return o;
}

static struct json_object *plan_summary(const struct report *r)
{
	struct json_object *o = json_object_new_object();
	unsigned rules = 0;

	for (size_t i = 0; i < r->advice.all.n; i++)
		rules += r->advice.all.at[i].rule != 0;
	put(o, "rules", whole(rules));
	put(o, "cost_pages", whole(r->advice.plan_pages));
	put(o, "predicted", r->totals.measured ? prediction(&r->advice.plan) : NULL);
	return o;
}

static void print(struct json_object *o, struct text *out)
{
	text__add(out, "%s\n",
		  json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
							    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

void report__json(struct report *r, const struct report_options *opt, struct text *out)
{
	struct json_object *o = json_object_new_object(), *verdicts = json_object_new_array();
	struct json_object *advice = json_object_new_array(), *notes = json_object_new_array();
	struct json_object *why = json_object_new_object();
	size_t n = r->tally.rows.n < MOST_ROWS ? r->tally.rows.n : MOST_ROWS;

	for (size_t i = 0; i < n; i++)
		json_object_array_add(verdicts, verdict_json(r, &r->tally.rows.at[r->rows[i]]));
	for (size_t i = 0; i < r->advice.all.n; i++)
		json_object_array_add(advice, advice_json(r, &r->advice.all.at[i]));
	for (size_t i = 0; i < r->advice.nnotes; i++)
		json_object_array_add(notes, clean(r->advice.notes[i]));
	for (int w = 1; w < WHY_MAX; w++)
		put(why, why__text(w), number(r->tally.why[w]));
	put(o, "schema", json_object_new_string("procope.report/1"));
	put(o, "run", run_json(r, opt));
	put(o, "totals", totals_json(r));
	put(o, "objects", objects_json(r));
	put(o, "verdicts", verdicts);
	put(o, "verdicts_omitted", whole((double)(r->tally.rows.n - n)));
	put(o, "advice", advice);
	put(o, "plan", plan_summary(r));
	put(o, "not_advised", notes);
	put(o, "waits", waits_json(r));
	put(o, "ledger", ledger_json(&r->tally.ledger));
	put(o, "not_judged_by_own_evidence", why);
	put(o, "losses", losses_json(&r->model));
	put(o, "homes", homes_json(r));
	put(o, "method", json_object_new_string(advice__method));
	print(o, out);
}

void report__plan(struct report *r, struct text *out)
{
	struct json_object *o = json_object_new_object(), *rules = json_object_new_array();

	for (size_t i = 0; i < r->advice.all.n; i++)
		if (r->advice.all.at[i].rule)
			json_object_array_add(rules, rule_json(r, &r->advice.all.at[i]));
	put(o, "schema", json_object_new_string("procope.plan/1"));
	put(o, "program", clean(r->model.runs.n ? r->model.runs.at[0].program : NULL));
	put(o, "rules", rules);
	print(o, out);
}
