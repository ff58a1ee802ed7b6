/* SPDX-License-Identifier: BSD-2-Clause */
/* advice_layout.c - where objects should lie: sought together, each the cheapest that will do, and what is not missed is left. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advice_work.h"
#include "names.h"
#include "turns.h"

#define MOST_OBJECTS	 24   /* that advice is sought for, the costliest */
#define ALIKE		 0.95 /* layouts that save so much of the best are as good, then the smallest wins */
#define RC_WORTH	 0.01 /* of the nodes' time: under rc, false sharing that costs less is left alone */
#define FEW_TOLD	 0.1  /* of the wasted time: which is told where nothing is advised */
#define PLAN_PAGES_SHARE 0.25 /* of the DSM that a plan may use up */

static uint32_t round_up(uint64_t bytes, uint64_t page)
{
	uint64_t up = (bytes + page - 1) / page * page;

	return up <= UINT32_MAX ? (uint32_t)up : 0;
}

/* A block is good when one node at most writes in it. */
static bool blocks_fit(const struct owners *o, uint64_t block)
{
	for (uint64_t b = 0; b < o->count; b += block) {
		uint32_t owner = OWNER_NONE;

		for (uint64_t e = b; e < b + block && e < o->count; e++) {
			if (o->of[e] == OWNER_NONE)
				continue;
			if (o->of[e] == OWNER_MANY || (owner != OWNER_NONE && owner != o->of[e]))
				return false;
			owner = o->of[e];
		}
	}
	return true;
}

#define MANY_TOGETHER 16 /* elements that one transaction writes on one page */
#define MANY_PAIRS    40 /* of writes seen: enough to tell what a rare foreign one costs */
#define MANY_PARTS    16 /* fewer parts on pages of their own cost little, whoever writes them */

/* A page that all write stays with one node for a row of commits, since the others wait: that is what false sharing costs,
 * but one fetch serves the row. Apart, nobody waits, and each change of a part's writer is a fetch. True when these would
 * cost more than all that is lost now. */
static bool moves_cost_more(const struct work *w, const struct turns *t)
{
	return !w->totals.intervals && t->pairs >= MANY_PAIRS && t->moves * w->fetch_ns > w->lost_ns;
}

/* Transactions that go over rows of elements would touch a page for each: far more faults, copies and diffs than conflicts. */
static bool sweeps(const struct turns *t)
{
	return t->together > MANY_TOGETHER;
}

/* May each part of `block` elements (0: each object) have pages of its own? Each needs a node that comes back
 * to it, and most of them must have been seen: a guess about the rest would be paid in pages. */
static bool parts_have_owners(const struct work *w, uint32_t group, uint64_t block)
{
	struct turns t;

	turns__count(w->tally, group, block, &t);
	return turns__steady(&t) && (t.units <= MANY_PARTS || t.written >= t.units / 2) &&
	       !moves_cost_more(w, &t) && !(block == 1 && sweeps(&t));
}

#define CANDIDATES 6
#define RARELY	   0.05 /* whoever wrote so seldom, at the start say, does not own */
#define MOSTLY	   0.3 /* nor, if no blocks fit else, who comes as often as this: pages that move now and then */

/* Blocks whose elements have one owner, if others write `foreign` of what it writes. */
static unsigned blocks(struct work *w, uint32_t group, double foreign, struct change *out, unsigned n)
{
	const struct group *g = &w->tally->model->groups.at[group];
	uint64_t page = (uint64_t)1 << w->log2, steps = 0;
	struct owners o;

	replay__owners(w->replay, group, foreign, &o);
	for (uint64_t b = (o.count + 1) / 2;
	     o.of && b >= 2 && n < CANDIDATES - 1 && steps < (uint64_t)1 << 26; b--) {
		uint32_t bs = round_up(b * g->elem_size, page);

		steps += b * 2;
		if (!bs || bs / b < g->elem_size || !blocks_fit(&o, b) || !parts_have_owners(w, group, b))
			continue;
		out[n++] = (struct change){true, g->elem_size, (uint32_t)b, bs};
	}
	mem__free(o.of);
	return n;
}

/* Fills layouts worth a replay: as it is on pages of its own, in blocks, every element on its page. */
static unsigned candidates(struct work *w, uint32_t group, struct change *out)
{
	const struct model *m = w->tally->model;
	const struct group *g = &m->groups.at[group];
	uint64_t page = (uint64_t)1 << w->log2, count = 0;
	unsigned n = 0;

	for (size_t i = 0; i < g->objects.n; i++)
		if (m->objects.at[g->objects.at[i]].count > count)
			count = m->objects.at[g->objects.at[i]].count;
	out[n++] = (struct change){.moved = true};
	if (count < 2)
		return n;
	n = blocks(w, group, RARELY, out, n);
	if (n == 1)
		n = blocks(w, group, MOSTLY, out, n);
	if (round_up(g->elem_size, page) && parts_have_owners(w, group, 1))
		out[n++] = (struct change){.moved = true, .stride = round_up(g->elem_size, page)};
	return n;
}

double advice_work__pages(const struct effect *e)
{
	return fmax(0, ceil(e->pages_after - e->pages_before - 1e-9));
}

static double net_of(struct work *w, struct effect *e)
{
	replay__run(w->replay, w->change, e);
	return advice_work__net(w, e);
}

/* Never on the word of a conflict or two. Nor an object whose conflicts are true: moving it cures nothing. Nor many small ones that any node
 * writes: see turns.h. */
static bool movable(const struct work *w, uint32_t group)
{
	const struct group_sum *g = &w->tally->groups[group];
	bool is_false;

	is_false = g->seen[VERDICT_FALSE] + g->estimated[VERDICT_FALSE] > 0 && g->ns[VERDICT_FALSE] > 0 &&
		   g->ns[VERDICT_TRUE] < g->ns[VERDICT_FALSE];
	return is_false && advice_work__evidence(w, group) >= FEW_CONFLICTS &&
	       (w->tally->model->groups.at[group].objects.n <= MANY_PARTS || parts_have_owners(w, group, 0));
}

static const struct group_sum *sort_groups;

static int by_false(const void *a, const void *b)
{
	double x = sort_groups[*(const uint32_t *)a].ns[VERDICT_FALSE];
	double y = sort_groups[*(const uint32_t *)b].ns[VERDICT_FALSE];

	return x < y ? 1 : x > y ? -1 : 0;
}

/* Beside the layouts of the others as they stand, the cheapest of those that save nearly as much as the best.
 */
static void choose_layout(struct work *w, uint32_t group)
{
	struct change c[CANDIDATES];
	struct effect e[CANDIDATES], without;
	double gain[CANDIDATES], most = 0, none;
	unsigned n = candidates(w, group, c), pick = 0;

	w->change[group] = (struct change){0};
	none = net_of(w, &without);
	for (unsigned i = 0; i < n; i++) {
		w->change[group] = c[i];
		gain[i] = net_of(w, &e[i]) - none;
		most = gain[i] > most ? gain[i] : most;
	}
	for (unsigned i = 1; i < n; i++)
		if (gain[i] >= ALIKE * most &&
		    (gain[pick] < ALIKE * most || e[i].pages_after < e[pick].pages_after))
			pick = i;
	w->change[group] = c[pick];
}

/* What it costs if pages of a part move each time that another node writes it, in whatever order the nodes run. */
static double moves_ns(const struct work *w, uint32_t group, const struct change *c)
{
	struct turns t;

	turns__count(w->tally, group, !c->stride ? 0 : c->block ? c->block : 1, &t);
	return t.moves * (w->fetch_ns + w->commit_ns);
}

/* Its share of what the changes save together: half of what it saves alone and what the others miss without it. */
static void predict_share(const struct work *w, struct advice *a, const struct effect *without)
{
	struct effect e = a->effect;
	struct stake s;

	e.saved_ns = (e.saved_ns + w->effect.saved_ns - without->saved_ns) / 2;
	e.sure_ns = (e.sure_ns + w->effect.sure_ns - without->sure_ns) / 2;
	e.saved_conflicts = (e.saved_conflicts + w->effect.saved_conflicts - without->saved_conflicts) / 2;
	advice_work__stake(w, &e, a->worst_ns, &s);
	s.added_ns = (advice_work__traffic_cost(w, &a->effect) + advice_work__traffic_cost(w, &w->effect) -
		      advice_work__traffic_cost(w, without)) /
		     2;
	advice_work__predict(w, &s, &a->predicted);
}

static void add_layout(struct work *w, uint32_t group, double whole_ns)
{
	struct model *m = w->tally->model;
	const struct group *g = &m->groups.at[group];
	struct change *only = mem__alloc(m->groups.n * sizeof(*only)), mine = w->change[group];
	struct advice *a = VEC_ADD(&w->out->all);
	struct effect without;
	uint64_t region = 0;

	memset(a, 0, sizeof(*a));
	only[group] = mine;
	replay__run(w->replay, only, &a->effect);
	mem__free(only);
	w->change[group] = (struct change){0};
	a->alone_ns = advice_work__net(w, &a->effect);
	a->missed_ns = whole_ns - net_of(w, &without);
	w->change[group] = mine;
	a->group = group;
	a->change = mine;
	a->kind = !mine.stride ? ADVICE_ISOLATE : mine.block ? ADVICE_PARTITION : ADVICE_PAD;
	a->pages = advice_work__pages(&a->effect);
	for (size_t r = 0; r < m->runs.n; r++)
		for (size_t i = 0; i < m->runs.at[r].nodes.n; i++)
			if (m->runs.at[r].nodes.at[i].region_bytes > region)
				region = m->runs.at[r].nodes.at[i].region_bytes;
	a->plannable = g->type && (!g->flat || a->kind == ADVICE_ISOLATE);
	if (region && a->pages * (double)((uint64_t)1 << w->log2) > PLAN_PAGES_SHARE * (double)region)
		a->plannable = false;
	a->worst_ns = moves_ns(w, group, &mine);
	predict_share(w, a, &without);
}

/* Takes out, one at a time, the change that is missed least, as long as it is not worth having. */
static void drop_useless(struct work *w, uint32_t *list, size_t *n)
{
	while (*n) {
		double whole = net_of(w, &w->effect), least = 0;
		size_t drop = *n;

		for (size_t i = 0; i < *n; i++) {
			struct change mine = w->change[list[i]];
			struct effect without;
			double missed;

			w->change[list[i]] = (struct change){0};
			missed = whole - net_of(w, &without);
			w->change[list[i]] = mine;
			if (drop == *n || missed < least) {
				drop = i;
				least = missed;
			}
		}
		if (least > WORTH * w->wasted_ns)
			return;
		w->change[list[drop]] = (struct change){0};
		memmove(list + drop, list + drop + 1, (*n - drop - 1) * sizeof(*list));
		(*n)--;
	}
}

/* Objects that a layout might help and that are left where they are, for want of evidence or of a gain. */
static void note_left(struct work *w, uint32_t group, const struct advice *a)
{
	const struct group_sum *g = &w->tally->groups[group];
	char name[128], n[40], saved[40], high[40], cost[40];

	model__group_name(w->tally->model, group, name, sizeof(name));
	names__count(g->seen[VERDICT_FALSE] + g->estimated[VERDICT_FALSE], n, sizeof(n));
	w->noted[group] = true;
	if (!a) {
		advice_work__note(w,
				  mem__format("%s: false sharing, but no layout is advised: %s conflict%s no "
					      "evidence to change a layout on. Record a longer run.",
					      name, n, strcmp(n, "1") ? "s are" : " is"));
		return;
	}
	names__duration(fmax(0, a->predicted.ns_per_s), saved, sizeof(saved));
	names__duration(fmax(0, a->predicted.high_ns_per_s), high, sizeof(high));
	names__duration(fmax(0, -a->predicted.low_ns_per_s), cost, sizeof(cost));
	advice_work__note(w,
			  mem__format("%s: false sharing, but no layout is advised: moving it would save %s "
				      "of node time each second (%s at most), and may cost %s.",
				      name, saved, high, cost));
}

static char *too_many_moves(const struct work *w, const struct turns *t, const char *name, const char *each)
{
	char moves[40], cost[40], lost[40];

	names__count(t->moves, moves, sizeof(moves));
	names__duration(t->moves * w->fetch_ns, cost, sizeof(cost));
	names__duration(w->lost_ns, lost, sizeof(lost));
	return mem__format("%s: false sharing, but no layout is advised: the nodes take turns now, and one "
			   "fetch of a shared page "
			   "serves many commits. With a page for each %s nobody would wait, but of the "
			   "writes of one %s %.0f %% "
			   "follow another node's: about %s fetches, %s of waiting, where all that is lost "
			   "now is %s. What can "
			   "help: fewer writes to what is mostly another node's.",
			   name, each, each, 100 * t->foreign / t->pairs, moves, cost, lost);
}

/* Objects with false sharing that no layout is advised for because their parts have no node of their own. */
static void note_turns(struct work *w, const uint32_t *list, size_t n)
{
	const struct model *m = w->tally->model;

	for (uint32_t g = 0; g < m->groups.n; g++) {
		uint64_t block = m->groups.at[g].objects.n > MANY_PARTS ? 0 : 1;
		char name[128], pairs[40], foreign[40], each[16];
		struct turns t;
		bool moved = false;

		for (size_t i = 0; i < n; i++)
			moved = moved || list[i] == g;
		turns__count(w->tally, g, block, &t);
		if (moved || w->noted[g] || t.units < 2 || w->tally->groups[g].ns[VERDICT_FALSE] <= 0 ||
		    w->tally->groups[g].ns[VERDICT_FALSE] < 0.05 * w->wasted_ns ||
		    parts_have_owners(w, g, block))
			continue;
		model__group_name(m, g, name, sizeof(name));
		names__count(t.pairs, pairs, sizeof(pairs));
		names__count(t.foreign, foreign, sizeof(foreign));
		snprintf(each, sizeof(each), "%s", block ? "element" : "object");
		if (turns__steady(&t) && block && sweeps(&t)) {
			advice_work__note(w,
					  mem__format("%s: false sharing, but no layout is advised: one "
						      "transaction writes %.0f "
						      "elements of a page side by side, and would touch a "
						      "page for each of them. "
						      "Let each node's part begin and end at a page instead.",
						      name, t.together));
			continue;
		}
		if (turns__steady(&t) && moves_cost_more(w, &t)) {
			advice_work__note(w, too_many_moves(w, &t, name, each));
			continue;
		}
		advice_work__note(
			w,
			turns__random(&t)
				? mem__format("%s: false sharing, but no layout is advised: its %ss are "
					      "written by all nodes at random (of %s pairs of writes of one "
					      "%s, %s were by different nodes). A page for each would trade "
					      "the conflicts for a fetch at nearly every access.",
					      name, each, pairs, each, foreign)
				: mem__format(
					  "%s: false sharing, but no layout is advised: too few writes of "
					  "one and the same %s were seen (%.0f of %.0f %ss written, %s "
					  "pairs of writes) to tell that each has a node of its own. If "
					  "any node writes any %s, a page for each would trade the "
					  "conflicts for a fetch at nearly every access.",
					  name, each, t.written, t.units, each, pairs, each));
	}
}

/* What false sharing of these objects cost. */
static double false_ns(const struct work *w, const uint32_t *list, size_t n)
{
	double ns = 0;

	for (size_t i = 0; i < n; i++)
		ns += w->tally->groups[list[i]].ns[VERDICT_FALSE];
	return ns;
}

/* Under rc nodes write a page at once, so that false sharing may be plain to see and cost next to nothing. */
static void leave_all(struct work *w, const uint32_t *list, size_t n)
{
	double ns = false_ns(w, list, n);
	struct text names = {0};
	char name[128], time[40];

	for (size_t i = 0; i < n; i++) {
		model__group_name(w->tally->model, list[i], name, sizeof(name));
		text__add(&names, "%s%s", i ? ", " : "", name);
	}
	names__duration(ns, time, sizeof(time));
	advice_work__note(
		w,
		mem__format("%s: false sharing, but no layout is advised: under rc nodes write one page at "
			    "once, and what this cost, to pack and merge changes and to wait for them, is %s "
			    "(%.2f %% of the nodes' time). Under tx or sc it may cost far more.",
			    names.at, time, 100 * ns / (w->totals.node_seconds * 1e9)));
	mem__free(names.at);
}

static void count_judged(struct work *w, const uint32_t *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct group_sum *g = &w->tally->groups[list[i]];

		for (int v = 0; v < VERDICTS; v++)
			if (v != VERDICT_UNKNOWN && v != VERDICT_UNTOUCHED)
				w->judged += g->seen[v];
		w->falsely += g->seen[VERDICT_FALSE];
	}
}

/* What is missed when it is left out may still be less than anybody could measure, or than it may cost: such an object stays
 * where it was, and the others are looked at again without it. */
static void add_layouts(struct work *w, uint32_t *list, size_t *n)
{
	for (size_t i = 0; i < *n;) {
		double whole = net_of(w, &w->effect);
		struct advice *a;

		add_layout(w, list[i], whole);
		a = &w->out->all.at[w->out->all.n - 1];
		if (advice_work__worthwhile(w, &a->predicted)) {
			i++;
			continue;
		}
		note_left(w, list[i], a);
		w->change[list[i]] = (struct change){0};
		memmove(list + i, list + i + 1, (*n - i - 1) * sizeof(*list));
		(*n)--;
		w->out->all.n = 0;
		i = 0;
	}
}

/* A conflict that meets on several pages is gone only when it meets on none, so changes are judged together:
 * all objects that false sharing is charged to are moved, each gets the cheapest layout that will do beside
 * the others, and what is not missed is left where it was. */
void advice_work__layouts(struct work *w)
{
	struct model *m = w->tally->model;
	uint32_t *list = mem__alloc(m->groups.n * sizeof(*list));
	size_t n = 0;

	for (uint32_t g = 0; g < m->groups.n; g++) {
		if (movable(w, g))
			list[n++] = g;
		else if (w->tally->groups[g].ns[VERDICT_FALSE] > 0 &&
			 w->tally->groups[g].ns[VERDICT_FALSE] >= FEW_TOLD * w->wasted_ns &&
			 advice_work__evidence(w, g) < FEW_CONFLICTS)
			note_left(w, g, NULL);
	}
	count_judged(w, list, n);
	sort_groups = w->tally->groups;
	if (n)
		qsort(list, n, sizeof(*list), by_false);
	n = n < MOST_OBJECTS ? n : MOST_OBJECTS;
	if (w->totals.consistency == DSM_EV_RC && n &&
	    false_ns(w, list, n) < RC_WORTH * w->totals.node_seconds * 1e9) {
		leave_all(w, list, n);
		mem__free(list);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		struct change c[CANDIDATES];

		w->change[list[i]] = c[candidates(w, list[i], c) - 1]; /* the one that parts most */
	}
	for (size_t i = 0; i < n; i++)
		choose_layout(w, list[i]);
	drop_useless(w, list, &n);
	add_layouts(w, list, &n);
	note_turns(w, list, n);
	mem__free(list);
}
