/* SPDX-License-Identifier: BSD-2-Clause */
/* advice_text.c - each advice in words that somebody can act on. */
#include <stdio.h>
#include <string.h>

#include "advice_work.h"
#include "names.h"

struct words {
	char name[128], shape[160], type[96], born[192], where[192];
};

static void look_up(struct work *w, const struct advice *a, struct words *out)
{
	struct model *m = w->tally->model;
	const struct group *g = a->group == GROUP_NONE ? NULL : &m->groups.at[a->group];
	struct source src;

	memset(out, 0, sizeof(*out));
	names__site(w->symbols, m, a->site, &src);
	names__place(&src, out->where, sizeof(out->where));
	if (!g)
		return;
	model__group_name(m, a->group, out->name, sizeof(out->name));
	model__group_shape(m, a->group, out->shape, sizeof(out->shape));
	snprintf(out->type, sizeof(out->type), "%s", model__type_at(m, g->type)->name);
	if (!out->type[0])
		snprintf(out->type, sizeof(out->type), "its type");
	names__site(w->symbols, m, g->site, &src);
	names__place(&src, out->born, sizeof(out->born));
}

static void say_layout(struct work *w, struct advice *a, const struct words *x, struct text *t)
{
	const struct group *g = &w->tally->model->groups.at[a->group];
	unsigned page = 1u << w->log2;

	switch (a->kind) {
	case ADVICE_ISOLATE:
		text__add(t, "Put %s%s on pages of %s own.", g->objects.n > 1 ? "each " : "", x->type, "its");
		break;
	case ADVICE_PARTITION:
		text__add(t,
			  "Lay out %s in blocks of %u elements, each block on pages of its own (%u bytes): "
			  "each is "
			  "mostly written by one node.",
			  x->name, a->change.block, a->change.block_stride);
		break;
	default:
		text__add(t,
			  "Give each element of %s a page of its own (every %u bytes instead of %u): each "
			  "is mostly "
			  "written by one node, its neighbours by others.",
			  x->name, a->change.stride, g->elem_size);
		break;
	}
	if (a->plannable)
		text__add(t, " dsmrun --plan does this at allocation, without a change of the source.");
	else if (g->flat)
		text__add(t,
			  " Source change: it is allocated as a plain C array (dsm_new_flat), so a plan "
			  "cannot pad "
			  "inside it; use dsm_new and dsm_at, or align the parts to %u bytes.",
			  page);
	else if (!g->type)
		text__add(t, " Source change: the trace does not say its type, so no plan rule can name it.");
	else
		text__add(t,
			  " Not in the plan: it would take more than a quarter of the DSM. Source change: "
			  "keep what "
			  "each node writes together and align it to %u bytes.",
			  page);
}

static void say_source(struct work *w, struct advice *a, const struct words *x, struct text *t)
{
	char n[40];

	names__count(a->conflicts, n, sizeof(n));
	switch (a->kind) {
	case ADVICE_SPLIT_STRUCT:
		if (a->by_node) {
			text__add(
				t,
				"Give each node a struct of its own: in %s, different nodes write different "
				"elements of %s, side by side. Make a struct of what belongs to one node, "
				"dsm_new() as many of it as there are nodes, and reach each by "
				"dsm_at(array, node). Then a plan can give each a page of its own (dsmreport "
				"--plan makes it from a new trace), or align the struct to %u bytes. The "
				"prediction is for pages of their own. Source change.",
				x->type, a->fields, 1u << w->log2);
			break;
		}
		text__add(t,
			  "Split %s: in one and the same element, different nodes use %s. Put each of these "
			  "groups of fields into a struct of its own, and each of those on pages of its own: "
			  "align them to %u bytes, or give them a plan rule that isolates them (dsmreport "
			  "--plan "
			  "makes it from a new trace); dsm_new alone would lay them side by side on one page "
			  "again. The prediction is for all of them apart. Source change.",
			  x->type, a->fields, 1u << w->log2);
		break;
	case ADVICE_SPLIT_TRANSACTION:
		text__add(t,
			  "%s is really shared: moving it cures nothing. In the transaction at %s update it "
			  "in a short "
			  "transaction of its own at the end, so that an abort repeats only that. This is "
			  "safe for the "
			  "observed conflicts: in %s true conflicts seen of this transaction no other object "
			  "was met. "
			  "Not seen: conflicts that this run did not have; check that nobody relies on both "
			  "parts "
			  "together. Or count per node and add up when the sum is read.",
			  x->name, x->where, n);
		break;
	default:
		text__add(t,
			  "Commit every %u elements in the transaction at %s (DSM_TX_FOR): it touches about "
			  "%.0f, and "
			  "an abort repeats them all. Safe only if others may see it half done; %s conflicts "
			  "rest on it.",
			  a->k, x->where, a->elements, n);
		break;
	}
}

static void say_align(struct work *w, struct advice *a, const struct words *x)
{
	const struct misplaced *p = a->misplaced;
	struct model *m = w->tally->model;
	char name[128], rows[160], n[40], pages[40], time[40];

	model__object_name(m, p->object, name, sizeof(name));
	names__elements(m, p->object, &p->elements, rows, sizeof(rows));
	names__count(p->fetches, n, sizeof(n));
	names__count(p->pages, pages, sizeof(pages));
	names__duration(p->ns, time, sizeof(time));
	a->text = mem__format(
		"Align the partition: %s of %s are at home on node %u, but only node %u writes them. Let "
		"node %u allocate them (dsm_new and its kin put memory on the node that calls), or let "
		"node %u compute them. Source change.",
		rows, name, p->home, p->writer, p->writer, p->home);
	a->why = mem__format(
		"%s (%s, allocated at %s): node %u waited %s in %s fetch%s for %s page%s of them that "
		"no other node writes",
		name, x->shape, x->born, p->writer, time, n, p->fetches == 1 ? "" : "es", pages,
		p->pages == 1 ? "" : "s");
}

static void say_lock(struct work *w, struct advice *a, const struct words *x)
{
	const struct lock_sum *l = a->lock;
	char n[40], time[40], lock[224];

	names__lock(w->tally->model, l, lock, sizeof(lock));
	names__count(l->count, n, sizeof(n));
	names__duration(l->ns, time, sizeof(time));
	if (a->kind == ADVICE_LOCK_OBJECT && l->of_object)
		a->text = mem__format(
			"Name less than a whole: the block at %s takes %s for all that it is used on, and "
			"the "
			"nodes wait for it in turn, though they seldom or never met on the same bytes in it. "
			"Name what each block works on, an element of an array say, and in all other blocks "
			"that use this. Source change.",
			x->where, lock);
	else if (a->kind == ADVICE_LOCK_OBJECT)
		a->text = mem__format(
			"Name what is locked: the block at %s takes one lock for all that it is ever used "
			"on, named by its site, and the nodes wait for it in turn, though they seldom or "
			"never "
			"met on the same bytes in it. DSM_TX_ON(object), or DSM_TX_FOR_ON, takes a lock "
			"named "
			"by the object: blocks on different objects run side by side. All blocks that use an "
			"object must name it. Source change.",
			x->where);
	else
		a->text = mem__format(
			"Take %s%s at %s less often: more work for each time (a larger chunk of the loop, or "
			"several updates in one block), since %s. Predicted for half as many. Source change.",
			lock, l->of_object ? ", as the block does" : "", x->where,
			a->shared ? "the nodes really share what it protects and pay for handing it over"
				  : "each time that another node needs it is waited for");
	a->why = mem__format("%s%s at %s came from another node %s times, after %s of waiting in all", lock,
			     l->of_object ? ", taken" : "", x->where, n, time);
}

static void say_loop(struct work *w, struct advice *a, const struct words *x)
{
	const struct loop_sum *s = a->loop;
	double k = loop__iterations(s);
	char n[40], time[40], lock[224] = "the lock of this loop", under[240] = "";

	if (a->lock && a->lock->of_object) {
		names__lock(w->tally->model, a->lock, lock, sizeof(lock));
		snprintf(under, sizeof(under), " under %s", lock);
	}
	a->text = mem__format("Give each %s%s of the loop at %s %u iterations instead of about %.0f%s.%s%s",
			      a->lock ? "critical section" : "transaction", under, x->where, a->k, k,
			      s->given ? "" : ", its own choice",
			      a->plannable ? " dsmrun --plan does this, without a change of the source."
					   : " Source change (DSM_TX_FOR_EVERY).",
			      a->kind == ADVICE_COMMIT_EVERY_K ? " An abort then repeats less." : "");
	names__count(a->conflicts, n, sizeof(n));
	if (a->lock) {
		names__duration(a->lock->ns, time, sizeof(time));
		a->why = mem__format("%s came from another node %s times, after %s of waiting in all", lock,
				     n, time);
	} else if (a->kind == ADVICE_COMMIT_EVERY_K) {
		a->why = mem__format(
			"%s of its transactions lost their conflicts, each with about %.0f iterations", n, k);
	} else {
		a->why = mem__format("each of %s commits of this loop took %.1f us, until it went on, after "
				     "%.1f us of work",
				     n, loop__between(s) / 1e3,
				     s->timed > 0 ? s->work_ns / s->timed / 1e3 : 0);
	}
}

/* How many of the conflicts were false, or true where the advice is about these. A few judged ones say less than those that
 * were apportioned beside them. */
static void say_why(const struct group_sum *g, struct advice *a, const struct words *x)
{
	bool truly = a->kind == ADVICE_SPLIT_TRANSACTION || a->kind == ADVICE_COMMIT_EVERY_K;
	enum verdict v = truly ? VERDICT_TRUE : VERDICT_FALSE;
	double seen = 0, estimated = 0, these, judged, low, high;
	char n[40];

	for (int i = 0; i < VERDICTS; i++) {
		if (i == VERDICT_UNKNOWN || i == VERDICT_UNTOUCHED)
			continue;
		seen += g->seen[i];
		estimated += g->estimated[i];
	}
	these = g->seen[v] + (seen < FEW_CONFLICTS ? g->estimated[v] : 0);
	judged = seen + (seen < FEW_CONFLICTS ? estimated : 0);
	verdict__interval(these, judged, &low, &high);
	names__count(judged, n, sizeof(n));
	a->why = mem__format("%s (%s, allocated at %s): %.0f %% of %s conflicts %s were %s (%.0f-%.0f %%)",
			     x->name, x->shape, x->born, judged > 0 ? 100 * these / judged : 0, n,
			     seen < FEW_CONFLICTS ? "apportioned" : "judged", truly ? "true" : "false",
			     100 * low, 100 * high);
}

void advice_work__describe(struct work *w, struct advice *a)
{
	const struct group_sum *g = a->group == GROUP_NONE ? NULL : &w->tally->groups[a->group];
	struct text text = {0};
	struct words x;

	look_up(w, a, &x);
	if (a->misplaced)
		say_align(w, a, &x);
	else if (a->promise)
		advice_work__say_promise(w, a, x.where);
	else if (a->loop)
		say_loop(w, a, &x);
	else if (a->lock)
		say_lock(w, a, &x);
	if (a->text || !g)
		return;
	if (a->kind <= ADVICE_PAD)
		say_layout(w, a, &x, &text);
	else
		say_source(w, a, &x, &text);
	a->text = text.at;
	say_why(g, a, &x);
}
