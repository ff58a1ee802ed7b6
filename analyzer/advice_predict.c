/* SPDX-License-Identifier: BSD-2-Clause */
/* advice_predict.c - from what a change saves, as far as the trace can tell, to rates: a range, and the likely point in it. */
#include <math.h>

#include "advice_work.h"
#include "collector/lost_time.h"
#include "cores.h"
#include "range.h"

#define FEW_JUDGED 30.0 /* conflicts: with fewer the sample is told to be small */
#define NOTHING	   0.02 /* runs of one program differ by more */
#define SOMETHING  0.05

#define SHOWN	   0.01 /* of the nodes' time: no run shows that less was saved */
#define SHOWN_BEST 0.02 /* nor that, at best */

#define LIKELY 0.5 /* undisturbed transactions that others are taken to become like: the median one */
#define QUICK  0.1 /* at best */
#define PAGE_NS                                                                                              \
	20e3 /* at most, to take a page away or in: a fault, and rights that are taken while another thread runs */
#define RECORD_NS 2e3 /* at most, of one record */

/* Under sc and rc the time that conflicts cost is what is waited. */
static double lost_in(const struct totals *t)
{
	const struct dsm_counters *c = &t->sum;

	return (double)(t->intervals ? lost_time__ns(c) : c->wasted_ns);
}

void advice__rates(const struct totals *t, struct rates *out)
{
	const struct dsm_counters *c = &t->sum;
	double all = t->intervals ? t->node_seconds * 1e9 : (double)c->wasted_ns + (double)c->committed_ns;

	out->aborts_per_commit = c->commits ? (double)c->aborts / (double)c->commits : 0;
	out->commits_per_s = t->seconds > 0 ? (double)c->commits / t->seconds : 0;
	out->work_per_s = t->seconds > 0 ? (double)c->work / t->seconds : 0;
	out->wasted_share = all > 0 ? fmin(1, lost_in(t) / all) : 0;
	out->conflicts_per_interval = c->intervals ? (double)c->meets / (double)c->intervals : 0;
}

/* What fetches and commit messages cost more (or less, negative) in attempts that commit. Inside aborted ones
 * both are wasted time and counted with it. A commit needs messages where others hold what it wrote, and they
 * hold it because they fetched it: its cost goes with the fetches. */
double advice_work__traffic_cost(const struct work *w, const struct effect *e)
{
	const struct dsm_counters *c = &w->totals.sum;
	double tx = (double)c->wasted_ns + (double)c->committed_ns;
	double committed = tx > 0 ? (double)c->committed_ns / tx : 1;
	double fetches = (e->fetches_after - e->fetches_before) * w->fetch_ns * committed;

	if (w->totals
		    .intervals) /* the fetches that conflicts cost are what conflicts cost: counted with them */
		return fmax(0, fmax(e->fetches_after - e->fetches_before, e->spread) * w->fetch_ns);
	double remote;
	double tried, commits;

	remote = c->commits > c->commits_local ? (double)(c->commits - c->commits_local) : 0;
	tried = remote + (double)c->aborts_priority;
	commits = tried > 0 && e->fetches_before > 0
			  ? (double)c->commit_ns * remote / tried * (e->fetches_after / e->fetches_before - 1)
			  : 0;

	return fetches + fmin(commits, (double)c->commit_ns);
}

double advice_work__net(const struct work *w, const struct effect *e)
{
	return e->saved_ns * w->scale - advice_work__traffic_cost(w, e);
}

const char *advice__doubt(enum doubt d)
{
	switch (d) {
	case DOUBT_STEP:
		return "the nodes make the same progress, so they may be waiting for one another: what one "
		       "saves, it may "
		       "wait instead";
	case DOUBT_AGAIN:
		return "attempts that are spared also touch bytes that other nodes write, and may lose to "
		       "these instead";
	case DOUBT_FEW:
		return "few of the conflicts were judged by what they accessed";
	case DOUBT_MOVES:
		return "some parts change their writer: their own pages would move as well";
	case DOUBT_TRUE:
		return "what is truly shared stays, and faster nodes may meet on it more often";
	case DOUBT_OPEN:
		return "what entering the runtime costs was not measured: it may save far more";
	case DOUBT_TRAFFIC:
		return "handling the pages costs time besides waiting";
	case DOUBT_CACHES:
		return "what copies of pages cost in caches, and opening and closing them in translations of "
		       "addresses, was not measured: it may save more";
	case DOUBT_SAMPLED:
		return "part of what it costs was measured of a sample";
	}
	return "";
}

void advice_work__stake(const struct work *w, const struct effect *e, double worst_ns, struct stake *out)
{
	double part = w->judged > 0 ? w->falsely / w->judged : 0, low, high;

	*out = (struct stake){.saved_ns = e->saved_ns,
			      .saved_conflicts = e->saved_conflicts,
			      .added_ns = advice_work__traffic_cost(w, e),
			      .worst_ns = worst_ns};
	verdict__interval(w->falsely, w->judged, &low, &high);
	out->sure = part > 0 ? low / part : 0;
	if (w->judged < FEW_JUDGED)
		out->doubts |= DOUBT_FEW;
	if (e->saved_ns > 0 && e->sure_ns < (1 - SOMETHING) * e->saved_ns)
		out->doubts |= DOUBT_AGAIN;
	out->sure *= e->saved_ns > 0 ? fmin(1, e->sure_ns / e->saved_ns) : 1;
	if (e->fetches_before > 0)
		out->traffic = fmin(1, fmax(0, 1 - e->fetches_after / e->fetches_before));
}

/* What changes of sharing can save at all: what conflicts waste, what pages make nodes wait, and what it costs to handle
 * them, on the nodes' threads that serve others, too. `waste` is the part in attempts that abort. */
struct losses {
	double waste, waits, handling;
};

static double above(uint64_t all, uint64_t part)
{
	return all > part ? (double)(all - part) : 0;
}

static void losses_of(const struct dsm_counters *c, bool intervals, struct losses *out)
{
	out->handling = above(c->local_ns, c->wasted_local_ns) + above(c->cpu_ns, c->cpu_mutator_ns);
	if (intervals) {
		out->waste = (double)c->fetch_ns + (double)c->flush_ns + (double)c->changes_ns;
		out->waits = (double)c->lock_ns;
		return;
	}
	out->waste = (double)lost_time__conflicts(c);
	out->waits = above(c->fetch_ns, c->wasted_fetch_ns) + above(c->commit_ns, c->rebase_ns);
}

static double part_of(double x, double all)
{
	return all > 0 ? x / all : 0;
}

struct ends { /* saved of the waste, and of the rest: all nodes together */
	double waste, waits;
};

static void node_range(const struct work *w, const struct dsm_counters *c, double ns, const struct ends *e,
		       struct range_node *out)
{
	struct losses all, mine;
	double wasted, waits;

	losses_of(&w->totals.sum, w->totals.intervals, &all);
	losses_of(c, w->totals.intervals, &mine);
	wasted = part_of(mine.waste, all.waste);
	waits = part_of(mine.waits + mine.handling, all.waits + all.handling);
	if (all.waits + all.handling < e[1].waits) /* it saves something else: all alike */
		waits = part_of(ns, w->totals.node_seconds * 1e9);
	if (all.waste < e[1].waste)
		wasted = part_of(ns, w->totals.node_seconds * 1e9);
	*out = (struct range_node){.work = (double)(w->totals.sum.work	  ? c->work
						    : w->totals.intervals ? c->sections
									  : c->commits),
				   .ns = ns,
				   .waits_ns = (double)c->barrier_ns + (double)c->retry_ns +
					       (w->totals.intervals ? (double)c->lock_ns : 0),
				   .low_ns = wasted * e[0].waste + waits * e[0].waits,
				   .best_ns = wasted * e[1].waste + waits * e[1].waits,
				   .high_ns = wasted * e[2].waste + waits * e[2].waits};
	if (out->waits_ns > ns)
		out->waits_ns = ns;
}

static void subtract(struct dsm_counters *out, const struct dsm_counters *less)
{
#define X(name, meaning) out->name -= less->name;
	DSM_COUNTERS(X)
#undef X
}

/* Each node with its part of what is lost has its part of what is saved. */
static void range_of(const struct work *w, const struct ends *e, struct range *out)
{
	const struct model *m = w->tally->model;
	VEC(struct dsm_counters) counted = {0};
	VEC(struct range_node) nodes = {0};

	for (size_t r = 0; r < m->runs.n; r++) {
		for (size_t i = 0; i < m->runs.at[r].nodes.n; i++) {
			const struct node *n = &m->runs.at[r].nodes.at[i];

			if (!n->counted)
				continue;
			*VEC_ADD(&counted) = n->last.counters;
			subtract(&counted.at[counted.n - 1], &n->first.counters);
		}
	}
	for (size_t i = 0; i < counted.n;
	     i++) /* samples of nodes lie apart a little: the run's time is that of each */
		node_range(w, &counted.at[i], w->totals.node_seconds * 1e9 / (double)counted.n, e,
			   VEC_ADD(&nodes));
	range__factor(nodes.at, nodes.n, out);
	VEC_FREE(&nodes);
	VEC_FREE(&counted);
}

/* What transactions take longer than undisturbed ones, all nodes together: `share` of these as in quiet.h. */
static double disturbed_ns(const struct work *w, double share)
{
	const struct dsm_counters *c = &w->totals.sum;
	double undisturbed, all = quiet__ns(&w->tally->quiet, share, &undisturbed);

	/* Sampled records stand for all that the counters saw. */
	if (!w->totals.intervals && all > 0)
		return (double)c->committed_ns * (1 - undisturbed / all);
	return all - undisturbed;
}

/* Time between transactions, that waits for nothing counted. */
static double outside_ns(const struct work *w)
{
	const struct dsm_counters *c = &w->totals.sum;
	double none, inside = w->totals.intervals ? quiet__ns(&w->tally->quiet, LIKELY, &none)
						  : (double)c->wasted_ns + (double)c->committed_ns;

	return fmax(0, w->totals.node_seconds * 1e9 - inside - (double)c->barrier_ns - (double)c->retry_ns -
			       (double)c->lock_ns);
}

/* Of it, what sharing may cost: pages are taken away and served there, on the processor of the program's own thread, which waits
 * for it meanwhile. An upper bound. */
static double between_ns(const struct work *w)
{
	const struct dsm_counters *c = &w->totals.sum;
	double pages =
		PAGE_NS * ((double)c->pages_in + (double)c->invalidations) + RECORD_NS * (double)c->events;
	double idle =
		c->cpu_mutator_ns ? fmax(0, w->totals.node_seconds * 1e9 - (double)c->cpu_mutator_ns) : 0;

	return fmin(outside_ns(w), fmax(pages, idle));
}

/* The service threads' part of it: they compute on the cores of their nodes' own threads. */
static double served_ns(const struct work *w)
{
	return fmin(outside_ns(w), above(w->totals.sum.cpu_ns, w->totals.sum.cpu_mutator_ns));
}

/* The three ends of what is saved, from the stake. */
static void ends_of(const struct work *w, const struct stake *s, struct ends *e)
{
	double saved = s->saved_ns * w->scale, sure = fmin(1, fmax(0, s->sure)), between;
	bool intervals = w->totals.intervals;
	struct losses all;

	losses_of(&w->totals.sum, intervals, &all);
	between = s->traffic * between_ns(w);
	e[0] = (struct ends){sure * saved, (s->added_ns > 0 ? -1 : -sure) * s->added_ns - s->worst_ns};
	e[1] = e[2] = (struct ends){saved, -s->added_ns};
	if (intervals) {
		/* What is saved is time that the pages were waited for; the locks were held meanwhile. */
		e[1].waste = fmax(saved, s->traffic * disturbed_ns(w, LIKELY));
		e[2].waste =
			fmax(fmax(e[1].waste, s->traffic * all.waste), s->traffic * disturbed_ns(w, QUICK));
		e[1].waits += s->traffic * served_ns(w);
		e[2].waits = fmax(-s->added_ns, s->traffic * (all.waits + all.handling)) + between;
		return;
	}
	e[1].waits = fmax(-s->added_ns, s->traffic * disturbed_ns(w, LIKELY)) + s->traffic * served_ns(w);
	e[2].waste = fmin(all.waste, saved + s->traffic * w->tally->stuck_ns * w->scale);
	e[2].waits = fmax(fmax(e[1].waits, s->traffic * (all.waits + all.handling)),
			  s->traffic * disturbed_ns(w, QUICK)) +
		     between;
}

/* No more than there was, nor what commits must do at least: records may reach further than the counters. */
static struct ends possible(const struct work *w, const struct ends *e)
{
	const struct dsm_counters *c = &w->totals.sum;

	if (w->totals.intervals)
		return *e;
	return (struct ends){fmin(e->waste, (double)lost_time__conflicts(c)),
			     fmin(e->waits, 0.95 * ((double)c->committed_ns + between_ns(w)))};
}

static double together(const struct ends *e)
{
	return e->waste + e->waits;
}

/* Where nodes share cores, what they save of waiting for one is not saved twice. */
static double on_cores(const struct work *w, const struct ends *e, const struct stake *s)
{
	const struct dsm_counters *c = &w->totals.sum;
	const struct saving none = {.wasted = 1},
			    some = {.wasted =
					    c->wasted_ns
						    ? fmax(0, 1 - e->waste / (double)lost_time__conflicts(c))
						    : 1,
				    .added_ns = s->computing ? 0 : -e->waits,
				    .computed_ns = s->computing ? e->waits : 0,
				    .commits = s->added_commits};

	return cores__run_ns(&w->totals, &none) / cores__run_ns(&w->totals, &some);
}

static void rates_then(const struct work *w, const struct stake *s, const struct ends *best, double faster,
		       struct rates *out)
{
	const struct dsm_counters *c = &w->totals.sum;
	double all = w->totals.node_seconds * 1e9, spared = s->saved_conflicts * w->abort_scale;
	double commits = (double)c->commits + s->added_commits;
	double undone = part_of((double)c->wasted_ns, (double)lost_time__conflicts(c));
	double wasted = fmax(0, (double)c->wasted_ns - undone * best->waste);
	double committed = fmax(0.05 * (double)c->committed_ns, (double)c->committed_ns - best->waits);

	advice__rates(&w->totals, out);
	out->work_per_s *= faster;
	if (w->totals.intervals) {
		out->conflicts_per_interval =
			c->intervals ? fmax(0, (double)c->meets - spared) / (double)c->intervals : 0;
		out->commits_per_s *= faster;
		out->wasted_share =
			part_of(fmax(0, w->lost_ns - together(best)), fmax(0.02 * all, all - together(best)));
		return;
	}
	out->aborts_per_commit = commits > 0 ? fmax(0, (double)c->aborts - spared) / commits : 0;
	out->commits_per_s = c->commits ? out->commits_per_s * faster * commits / (double)c->commits : 0;
	out->wasted_share = part_of(wasted, wasted + committed);
}

void advice_work__predict(const struct work *w, const struct stake *s, struct prediction *out)
{
	double seconds = w->totals.seconds, all = w->totals.node_seconds * 1e9;
	struct ends e[3], within[3];
	struct range r;

	ends_of(w, s, e);
	for (int i = 0; i < 3; i++)
		within[i] = possible(w, &e[i]);
	range_of(w, within, &r);
	*out = (struct prediction){.doubts = s->doubts};
	if (cores__known(&w->totals)) {
		r.best = on_cores(w, &within[1], s);
		r.low = fmin(r.best, fmin(r.low, on_cores(w, &within[0], s)));
		r.high = fmax(r.best, r.high);
	}
	rates_then(w, s, &within[1], r.best, &out->rates);
	if (seconds > 0) {
		out->low_ns_per_s = fmin(all, together(&e[0])) / seconds;
		out->ns_per_s = fmin(all, together(&e[1])) / seconds;
		out->high_ns_per_s = fmin(all, fmax(together(&e[1]), together(&e[2]))) / seconds;
		out->low_ns_per_s = fmin(out->low_ns_per_s, out->ns_per_s);
	}
	out->low = r.low;
	out->high = r.high;
	if (s->doubts & (DOUBT_OPEN | DOUBT_CACHES))
		out->high = out->high_ns_per_s = INFINITY;
	if (r.together && r.best > (1 + NOTHING) * r.low)
		out->doubts |= DOUBT_STEP;
	if (s->worst_ns > SOMETHING * fabs(together(&e[1])))
		out->doubts |= DOUBT_MOVES;
	if (r.high > (1 + SOMETHING) * r.best && !isinf(out->high))
		out->doubts |= DOUBT_TRAFFIC;
	out->unsure = r.low < 1 + NOTHING && r.best > 1 + SOMETHING;
}

double advice_work__nodes(const struct work *w)
{
	return w->totals.seconds > 0 ? w->totals.node_seconds / w->totals.seconds : 1;
}

bool advice_work__worthwhile(const struct work *w, const struct prediction *p)
{
	double second = advice_work__nodes(w) * 1e9;

	if (p->ns_per_s < SHOWN * second &&
	    (isinf(p->high_ns_per_s) || p->high_ns_per_s < SHOWN_BEST * second))
		return false;
	return p->low_ns_per_s >= 0 || -p->low_ns_per_s <= p->high_ns_per_s;
}

double advice_work__evidence(const struct work *w, uint32_t group)
{
	const struct group_sum *g = &w->tally->groups[group];

	return g->seen[VERDICT_FALSE] + g->estimated[VERDICT_FALSE];
}
