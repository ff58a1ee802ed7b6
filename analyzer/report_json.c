/* SPDX-License-Identifier: BSD-2-Clause */
/* report_json.c - the report as schema procope.report/1 (docs/report.md). */
#include <math.h>
#include <stdio.h>

#include "homes.h"
#include "json.h"
#include "report.h"

#define MOST_RANGES 1000
#define MOST_ROWS   2000

static struct json_object *rates(const struct rates *x)
{
	struct json_object *o = json_object_new_object();

	json__put(o, "aborts_per_commit", json__number(x->aborts_per_commit));
	json__put(o, "commits_per_s", json__number(x->commits_per_s));
	json__put(o, "wasted_share", json__number(x->wasted_share));
	json__put(o, "work_per_s", json__number(x->work_per_s));
	json__put(o, "conflicts_per_interval", json__number(x->conflicts_per_interval));
	return o;
}

static struct json_object *ends(double low, double high)
{
	struct json_object *o = json_object_new_object();

	json__put(o, "low", json__number(low));
	json__put(o, "high", json__number(high));
	return o;
}

/* `high` is null where it is not known. */
static struct json_object *range(const struct prediction *p, const struct rates *now)
{
	struct json_object *o = json_object_new_object(), *why = json_object_new_array();
	double more = now->work_per_s > 0
			      ? p->rates.commits_per_s / fmax(p->rates.work_per_s, 1e-9) * now->work_per_s
			      : now->commits_per_s;

	json__put(o, "factor", ends(p->low, p->high));
	json__put(o, "ns_per_s", ends(p->low_ns_per_s, p->high_ns_per_s));
	json__put(o, "work_per_s", ends(p->low * now->work_per_s, p->high * now->work_per_s));
	json__put(o, "commits_per_s", ends(p->low * more, p->high * more));
	json__put(o, "can_tell", json_object_new_boolean(!p->unsure));
	for (unsigned d = 1; d <= p->doubts; d <<= 1)
		if (p->doubts & d)
			json_object_array_add(why, json_object_new_string(advice__doubt(d)));
	json__put(o, "why", why);
	return o;
}

static struct json_object *prediction(const struct prediction *p, const struct rates *now)
{
	struct json_object *o = rates(&p->rates);

	json__put(o, "ns_per_s", json__number(p->ns_per_s));
	json__put(o, "range", range(p, now));
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
		json__put(one, "run_id", json_object_new_string(id));
		json__put(one, "nodes", json__whole((double)x->nodes.n));
		json__put(one, "records", json__whole((double)x->records));
		json__put(one, "cut", json_object_new_boolean(x->cut));
		json__put(one, "damaged", json_object_new_boolean(x->damaged));
		json__put(one, "clocks", joined__json(&x->joined));
		json__put(one, "info", x->info ? json_tokener_parse(x->info) : NULL);
		json_object_array_add(list, one);
		cut = cut || x->cut;
		damaged = damaged || x->damaged;
	}
	for (size_t i = 0; i < o->ntraces; i++)
		json_object_array_add(traces, json_object_new_string(o->traces[i]));
	for (size_t i = 0; i < n; i++)
		json_object_array_add(notes, json__text(note[i]));
	json__put(run, "program", json__text(r->model.runs.n ? r->model.runs.at[0].program : NULL));
	json__put(run, "nodes", json__whole(r->totals.nodes));
	json__put(run, "consistency", json_object_new_string(names__consistency(r->totals.consistency)));
	json__put(run, "seconds", json__number(r->totals.seconds));
	json__put(run, "traces", traces);
	json__put(run, "cut", json_object_new_boolean(cut));
	json__put(run, "damaged", json_object_new_boolean(damaged));
	json__put(run, "runs", list);
	json__put(run, "notes", notes);
	return run;
}

static struct json_object *totals_json(const struct report *r)
{
	struct rates now;
	struct json_object *o, *c = json_object_new_object(), *micro = json_object_new_object();
	const struct ledger *b = &r->tally.ledger;

	advice__rates(&r->totals, &now);
	o = rates(&now);
	json__put(o, "seconds", json__number(r->totals.seconds));
	json__put(o, "nodes", json__whole(r->totals.nodes));
	json__put(o, "too_short", json_object_new_boolean(!r->totals.measured));
#define X(name, meaning) json__put(c, #name, json__whole((double)r->totals.sum.name));
	DSM_COUNTERS(X)
#undef X
	json__put(o, "counters", c);
	json__put(o, "commits_independent", json__whole(r->tally.promises.independents));
	json__put(micro, "aborts", json__whole(b->microscope_aborts));
	json__put(micro, "commits", json__whole(b->microscope_commits));
	json__put(micro, "wasted_ns", json__whole(b->microscope));
	json__put(o, "slowed_by_the_microscope", micro);
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

	json__put(o, "role", json_object_new_string(winner ? "winner" : "loser"));
	json__put(o, "node", row->npairs ? json__whole(winner ? pair->winner : pair->loser) : NULL);
	if (side->code.image)
		symbols__source(r->symbols, side->code, false, &src);
	json__put(o, "file", json__text(src.file));
	json__put(o, "line", src.line ? json__whole(src.line) : NULL);
	json__put(o, "function", json__text(src.function));
	json__put(o, "line_seen_elsewhere", json_object_new_boolean(side->elsewhere != 0));
	json__put(o, "field", json__text(tally__text(&r->tally, side->fields)));
	json__put(o, "access", did ? json_object_new_string(access) : NULL);
	if (side->group != GROUP_NONE) {
		model__group_name(&r->model, side->group, name, sizeof(name));
		json__put(o, "object", json__text(name));
	}
	names__site(r->symbols, &r->model, side->site, &tx);
	names__place(&tx, where, sizeof(where));
	json__put(o, "transaction", json__text(where));
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
	json__put(o, "object", json__text(text));
	json__put(o, "type", json__text(model__type_at(&r->model, g->type)->name));
	model__group_shape(&r->model, group, text, sizeof(text));
	json__put(o, "shape", json__text(text));
	json__put(o, "objects", json__whole((double)g->objects.n));
	json__put(o, "count", json__whole((double)r->model.objects.at[g->objects.at[0]].count));
	names__site(r->symbols, &r->model, g->site, &src);
	names__place(&src, text, sizeof(text));
	json__put(o, "site", json__text(text));
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
	json_object_array_add(ci, json__number(low));
	json_object_array_add(ci, json__number(high));
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
		json__put(o, "object", json_object_new_string(name));
		json__put(o, "type", NULL);
		json__put(o, "site", NULL);
	}
	json__put(o, "field", json__text(tally__text(&r->tally, charged_side(row)->fields)));
	json__put(o, "class", json_object_new_string(verdict__name(row->key.verdict)));
	if (row->key.why)
		json__put(o, "why", json_object_new_string(why__text(row->key.why)));
	json_object_array_add(sides, side_json(r, row, true));
	json_object_array_add(sides, side_json(r, row, false));
	json__put(o, "sides", sides);
	json__put(o, "wasted_ns", json__whole(row__ns(row)));
	json__put(o, "wasted_ns_apportioned", json__whole(row->estimated_ns));
	json__put(o, "conflicts", json__number(row->seen + row->estimated));
	json__put(o, "conflicts_apportioned", json__number(row->estimated));
	json__put(o, "share", json__number(share));
	json__put(o, "ci", ci);
	json__put(o, "wasted_share",
		  r->tally.ledger.measured > 0 ? json__number(row__ns(row) / r->tally.ledger.measured)
					       : NULL);
	for (int b = 0; b < BASES; b++)
		json__put(basis, basis__name(b), json__number(row->basis[b]));
	json__put(o, "basis", basis);
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
			json__put(c, "wasted_ns", json__whole(g->ns[v]));
			json__put(c, "conflicts", json__number(g->seen[v] + g->estimated[v]));
			json__put(c, "conflicts_apportioned", json__number(g->estimated[v]));
			json__put(c, "share", json__number(share));
			json__put(c, "ci", ci);
			json__put(classes, verdict__name(v), c);
		}
		json__put(o, "classes", classes);
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
		json__put(seen, verdict__name(v), json__whole(b->verdict[v]));
		json__put(apportioned, verdict__name(v), json__whole(b->estimated[v]));
		if (v != VERDICT_UNKNOWN && v != VERDICT_UNTOUCHED)
			attributed += b->verdict[v] + b->estimated[v];
	}
#define X(name, n, text) json__put(causes, text, json__number(b->by_cause[n]));
	DSM_EV_CAUSES(X)
#undef X
	json__put(o, "measured_ns", json__whole(b->measured));
	json__put(o, "attributed_ns", json__whole(attributed));
	json__put(o, "unknown_ns", json__whole(b->verdict[VERDICT_UNKNOWN] + b->estimated[VERDICT_UNKNOWN]));
	json__put(o, "untouched_ns",
		  json__whole(b->verdict[VERDICT_UNTOUCHED] + b->estimated[VERDICT_UNTOUCHED]));
	json__put(o, "other_ns", json__whole(b->other));
	json__put(o, "rebases_ns", json__whole(b->rebases));
	json__put(o, "copies_ns", json__whole(b->copies));
	json__put(o, "locks_ns", json__whole(b->locks));
	json__put(o, "flushes_ns", json__whole(b->flushes));
	json__put(o, "lost_ns", json__whole(b->lost));
	json__put(o, "remainder_ns", json__whole(b->remainder));
	json__put(o, "before_ns", json__whole(b->before));
	json__put(o, "judged_ns", seen);
	json__put(o, "apportioned_ns", apportioned);
	json__put(o, "slowed_by_the_microscope_ns", json__whole(b->microscope));
	json__put(o, "met_one_slowed_by_the_microscope_ns", json__whole(b->met_microscope));
	json__put(o, "aborts_by_cause", causes);
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
			json__put(o, trace_record__name(type), json__whole((double)lost));
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
		json__put(row, "object", json__text(h.rows.at[i].object));
		json__put(row, "from", json__whole(h.rows.at[i].birth));
		json__put(row, "to", json__whole(h.rows.at[i].home));
		json__put(row, "pages", json__whole((double)h.rows.at[i].pages));
		json__put(row, "moves", json__whole((double)h.rows.at[i].moves));
		json_object_array_add(rows, row);
	}
	json__put(o, "moves", json__whole((double)(h.counted > h.moves ? h.counted : h.moves)));
	json__put(o, "pages", json__whole((double)h.pages));
	json__put(o, "moved", rows);
	homes__free(&h);
	return o;
}

static struct json_object *elements_json(const struct byteset *set)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < set->n && i < MOST_RANGES; i++) {
		struct json_object *pair = json_object_new_array();

		json_object_array_add(pair, json__whole(set->at[i].from));
		json_object_array_add(pair, json__whole(set->at[i].to - 1));
		json_object_array_add(list, pair);
	}
	return list;
}

static void misplaced_json(const struct report *r, const struct misplaced *p, struct json_object *o)
{
	char name[128];

	model__object_name(&r->model, p->object, name, sizeof(name));
	json__put(o, "object", json__text(name));
	json__put(o, "home", json__whole(p->home));
	json__put(o, "writer", json__whole(p->writer));
	json__put(o, "element", json_object_new_string(model__element(&r->model, p->object)));
	json__put(o, "elements", elements_json(&p->elements));
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
		json__put(o, "object", json__text(name));
		json__put(o, "element", json_object_new_string(model__element(&r->model, key->object)));
		json__put(o, "elements", elements_json(&sum->elements));
		json__put(o, "objects", json__whole(sum->objects));
	} else {
		json__put(o, "object", key->roots ? json_object_new_string(NAMES_ROOTS) : NULL);
	}
	json__put(o, "node", json__whole(key->node));
	json__put(o, "home", json__whole(key->home));
	json__put(o, "access", json_object_new_string(key->access & DSM_EV_ACCESS_WRITE ? "write" : "read"));
	if (key->code.image)
		symbols__source(r->symbols, key->code, false, &src);
	json__put(o, "file", json__text(src.file));
	json__put(o, "line", src.line ? json__whole(src.line) : NULL);
	json__put(o, "function", json__text(src.function));
	json__put(o, "wait_ns", json__whole(sum->ns));
	json__put(o, "fetches", json__whole(sum->count));
	return o;
}

/* What names it; null where that is a block, or no object is recorded. Of several locks the objects they have in common. */
static void lock_object(const struct report *r, const struct lock_sum *l, struct json_object *o)
{
	bool known = l->of_object && l->object != PLACE_NONE;
	char name[128];

	if (known && l->locks > 1)
		model__group_name(&r->model, r->model.objects.at[l->object].group, name, sizeof(name));
	else if (known)
		model__object_name(&r->model, l->object, name, sizeof(name));
	json__put(o, "object", known ? json__text(name) : NULL);
	json__put(o, "element", known && l->locks == 1 ? json__whole(l->element) : NULL);
}

static struct json_object *waits_json(const struct report *r)
{
	const struct waits *w = &r->tally.waits;
	struct json_object *o = json_object_new_object(), *copies = json_object_new_array();
	struct json_object *locks = json_object_new_array();
	char where[192];

	for (size_t i = 0; i < w->rows.n && i < MOST_ROWS; i++)
		json_object_array_add(copies, copy_json(r, r->waits[i]));
	for (size_t i = 0; i < w->lock_lines.n && i < MOST_ROWS; i++) {
		const struct lock_sum *l = &w->lock_lines.at[i];
		struct json_object *x = json_object_new_object();
		struct source src;

		names__site(r->symbols, &r->model, l->site, &src);
		names__place(&src, where, sizeof(where));
		json__put(x, "site", json__text(where));
		json__put(x, "of_object", json_object_new_boolean(l->of_object));
		lock_object(r, l, x);
		json__put(x, "wait_ns", json__whole(l->ns));
		json__put(x, "count", json__whole(l->count));
		json_object_array_add(locks, x);
	}
	json__put(o, "copies", copies);
	json__put(o, "locks", locks);
	return o;
}

static struct json_object *promise_json(const struct advice *a)
{
	const struct promise_site *s = a->promise;
	struct json_object *o = json_object_new_object();

	json__put(o, "attempts", json__whole(advice__attempts(s)));
	json__put(o, "conflicts", json__number(s->conflicts));
	json__put(o, "conflicts_unknown", json__number(s->unknown));
	json__put(o, "true_at_most", json__number(advice__true_at_most(s)));
	json__put(o, "pages_alone", json__number(promise__share_alone(s)));
	json__put(o, "handling_ns", json__whole(a->undoing.handling));
	json__put(o, "commits_ns", json__whole(a->undoing.commits));
	return o;
}

static struct json_object *advice_json(const struct report *r, const struct advice *a)
{
	struct json_object *o = json_object_new_object();
	char where[192], id[16];
	struct source src;

	json__put(o, "kind", json_object_new_string(advice__kind(a->kind)));
	if (a->group != GROUP_NONE)
		object_keys(r, a->group, o);
	if (a->misplaced)
		misplaced_json(r, a->misplaced, o);
	if (a->lock) {
		struct json_object *lock = json_object_new_object();

		lock_object(r, a->lock, lock);
		json__put(lock, "locks", json__whole(a->lock->locks));
		json__put(o, "lock", lock);
	}
	if (a->site) {
		names__site(r->symbols, &r->model, a->site, &src);
		names__place(&src, where, sizeof(where));
		json__put(o, "transaction", json__text(where));
	}
	if (a->loop) {
		json__put(o, "iterations", json__number(loop__iterations(a->loop)));
		json__put(o, "chunk", json__whole(a->k));
	}
	if (a->promise)
		json__put(o, "promise", promise_json(a));
	json__put(o, "predicted", prediction(&a->predicted, &r->advice.now));
	json__put(o, "alone_ns_per_s",
		  r->advice.seconds > 0 ? json__number(a->alone_ns / r->advice.seconds) : NULL);
	json__put(o, "missed_if_left_out_ns_per_s",
		  r->advice.seconds > 0 ? json__number(a->missed_ns / r->advice.seconds) : NULL);
	json__put(o, "text", json__text(a->text));
	json__put(o, "why", json__text(a->why));
	json__put(o, "cost_pages", json__whole(a->pages));
	if (a->kind <= ADVICE_PAD)
		json__put(o, "fetches_added",
			  json__whole(a->effect.fetches_after - a->effect.fetches_before));
	snprintf(id, sizeof(id), "P%u", a->rule);
	json__put(o, "plan_rule", a->rule ? json_object_new_string(id) : NULL);
	return o;
}

static struct json_object *plan_summary(const struct report *r)
{
	struct json_object *o = json_object_new_object();
	unsigned rules = 0;

	for (size_t i = 0; i < r->advice.all.n; i++)
		rules += r->advice.all.at[i].rule != 0;
	json__put(o, "rules", json__whole(rules));
	json__put(o, "cost_pages", json__whole(r->advice.plan_pages));
	json__put(o, "predicted", r->totals.measured ? prediction(&r->advice.plan, &r->advice.now) : NULL);
	return o;
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
		json_object_array_add(notes, json__text(r->advice.notes[i]));
	for (int w = 1; w < WHY_MAX; w++)
		json__put(why, why__text(w), json__number(r->tally.why[w]));
	json__put(o, "schema", json_object_new_string("procope.report/1"));
	json__put(o, "run", run_json(r, opt));
	json__put(o, "totals", totals_json(r));
	json__put(o, "objects", objects_json(r));
	json__put(o, "verdicts", verdicts);
	json__put(o, "verdicts_omitted", json__whole((double)(r->tally.rows.n - n)));
	json__put(o, "advice", advice);
	json__put(o, "plan", plan_summary(r));
	json__put(o, "not_advised", notes);
	json__put(o, "waits", waits_json(r));
	json__put(o, "ledger", ledger_json(&r->tally.ledger));
	json__put(o, "not_judged_by_own_evidence", why);
	json__put(o, "losses", losses_json(&r->model));
	json__put(o, "homes", homes_json(r));
	json__put(o, "method", json_object_new_string(advice__method));
	json__print(o, out);
}
