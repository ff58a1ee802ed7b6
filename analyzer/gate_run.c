/* SPDX-License-Identifier: BSD-2-Clause */
#include "analyzer/gate_run.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "collector/lost_time.h"
#include "collector/shown.h"
#include "collector/trace.h"

static const struct gate_metric_info metrics[GATE_METRICS] = {
	/* a thousandth more aborts per commit, or of the time, is nobody's business */
	[GATE_ABORTS_PER_COMMIT] = {"aborts_per_commit", "aborts / commits", false, 0.001, GATE_TRANSACTIONS},
	[GATE_WASTED_SHARE] = {"wasted_share", "time in aborted attempts / time in all attempts", false,
			       0.001, GATE_TRANSACTIONS},
	[GATE_WORK_PER_S] = {"work_per_s", "units of work the program reported, per second", true, 0,
			     GATE_ANY_MODEL},
	[GATE_COMMITS_PER_S] = {"commits_per_s", "commits per second", true, 0, GATE_TRANSACTIONS},
	[GATE_CONFLICTS_PER_INTERVAL] = {"conflicts_per_interval", "meets / intervals", false, 0.001,
					 GATE_INTERVALS},
	[GATE_CONFLICTS_PER_WORK] = {"conflicts_per_work", "meets / units of work the program reported",
				     false, 0.001, GATE_INTERVALS},
	[GATE_LOST_SHARE] =
		{"lost_share",
		 "time in waits for copies, locks and flushes and in handling changes / time of all nodes",
		 false, 0.001, GATE_INTERVALS},
};

const struct gate_metric_info *gate_metric__info(enum gate_metric metric)
{
	return &metrics[metric];
}

int gate_metric__find(const char *name)
{
	for (int i = 0; i < GATE_METRICS; i++)
		if (!strcmp(metrics[i].name, name))
			return i;
	return -EINVAL;
}

bool gate_model__intervals(unsigned consistency)
{
	return consistency == DSM_EV_SC || consistency == DSM_EV_RC;
}

const char *gate_model__name(unsigned consistency)
{
	static const char *const name[] = {[DSM_EV_TX] = "tx", [DSM_EV_SC] = "sc", [DSM_EV_RC] = "rc"};

	return consistency >= DSM_EV_TX && consistency <= DSM_EV_RC ? name[consistency] : "?";
}

enum gate_metric gate_model__metric(unsigned consistency)
{
	return gate_model__intervals(consistency) ? GATE_CONFLICTS_PER_INTERVAL : GATE_ABORTS_PER_COMMIT;
}

/* ---- reading ---- */

static int grow(struct gate_run *r, size_t node)
{
	struct gate_node *more;
	size_t size = node + 1;

	if (node < r->size)
		return 0;
	more = reallocarray(r->node, size, sizeof(*more));
	if (!more)
		return -ENOMEM;
	memset(more + r->size, 0, (size - r->size) * sizeof(*more));
	r->node = more;
	r->size = size;
	return 0;
}

static int take_record(struct gate_run *r, const struct dsm_ev_hdr *h)
{
	struct gate_node *n;

	if (h->type != DSM_EV_NODE && h->type != DSM_EV_END)
		return 0;
	if (grow(r, h->node))
		return -ENOMEM;
	n = &r->node[h->node];
	n->seen = true;
	if (h->type == DSM_EV_END) {
		n->ended = true;
		n->status = ((const struct dsm_ev_end *)h)->status;
		return 0;
	}
	const struct dsm_ev_node *e = (const struct dsm_ev_node *)h;

	if (!(h->flags & DSM_EV_F_RUNDOWN)) {
		n->early = true;
		n->start_ns = h->time_ns;
	}
	r->run_id = e->run_id;
	r->nodes = e->nodes;
	r->consistency = e->consistency;
	shown__copy(r->program, sizeof(r->program), e->program);
	if (!r->host[0] ||
	    h->node <= r->host_of) { /* one trace may have several; this does not depend on their order */
		shown__copy(r->host, sizeof(r->host), e->host);
		r->host_of = h->node;
	}
	if (e->start_realtime_ns && (!r->start_realtime_ns || e->start_realtime_ns < r->start_realtime_ns))
		r->start_realtime_ns = e->start_realtime_ns;
	return 0;
}

static int take_counters(struct gate_run *r, const struct trace_counters *c, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct gate_node *n;

		if (grow(r, c[i].node))
			return -ENOMEM;
		n = &r->node[c[i].node];
		n->seen = true;
		if (!n->first_ns) {
			n->first_ns = c[i].time_ns;
			n->first = c[i].counters;
		}
		n->last_ns = c[i].time_ns;
		n->last = c[i].counters;
	}
	return 0;
}

static void take_losses(struct gate_run *r, const struct trace_loss *l, size_t count)
{
	r->lost = 0; /* absolute: the last holds */
	for (size_t i = 0; i < count; i++)
		r->lost += l[i].count;
}

static int read_items(struct gate_run *r, struct trace_reader *t)
{
	bool closed = false;
	struct trace_item item;
	int rc;

	for (;;) {
		rc = trace_reader__next(t, &item);
		if (rc == -EBADMSG) {
			r->damaged = true;
			continue;
		}
		if (rc == -ENODATA) {
			r->cut = true;
			return 0;
		}
		if (rc)
			return rc;
		if (item.kind == TRACE_END_OF_FILE) {
			r->cut |= !closed;
			return 0;
		}
		if (item.kind == TRACE_RECORD)
			rc = take_record(r, item.record);
		else if (item.kind == TRACE_COUNTERS)
			rc = take_counters(r, item.counters, item.count);
		else if (item.kind == TRACE_LOSSES)
			take_losses(r, item.losses, item.count);
		else if (item.kind == TRACE_SUMMARY) {
			ending__parse(item.json, &r->ending);
			closed = true;
		}
		if (rc)
			return rc;
	}
}

static int read_trace(struct gate_run *r, const char *path, char *why, size_t size)
{
	struct trace_reader *t;
	int rc = trace_reader__open(&t, path);

	if (rc == -EBADMSG)
		snprintf(why, size, "%s is not a trace (dsmrun --monitor=FILE and dsmcollect write them)",
			 path);
	else if (rc == -EPROTONOSUPPORT)
		snprintf(why, size, "%s was written by a newer version; use its dsmgate", path);
	else if (rc)
		snprintf(why, size, "cannot open %s: %s", path, strerror(-rc));
	if (rc)
		return rc;
	rc = read_items(r, t);
	trace_reader__close(t);
	if (rc)
		snprintf(why, size, "reading %s: %s", path, strerror(-rc));
	return rc;
}

static bool has_counters(const struct gate_run *r)
{
	for (size_t i = 0; i < r->size; i++)
		if (r->node[i].last_ns)
			return true;
	return false;
}

/* Another host's trace of the same run: its nodes join, if they are others. */
static int merge(struct gate_run *into, const struct gate_run *r, char *why, size_t size)
{
	for (size_t i = 0; i < r->size; i++) {
		if (!r->node[i].last_ns)
			continue;
		if (grow(into, i)) {
			snprintf(why, size, "out of memory");
			return -ENOMEM;
		}
		if (into->node[i].last_ns) {
			snprintf(why, size,
				 "%s and %s are of the same run %016llx (node %zu is in both); give each run "
				 "once, "
				 "or its chance deviations count twice",
				 into->path, r->path, (unsigned long long)r->run_id, i);
			return -EEXIST;
		}
		into->node[i] = r->node[i];
	}
	into->files++;
	into->lost += r->lost;
	into->cut |= r->cut;
	if (r->ending.crashed || r->ending.failed)
		into->ending = r->ending;
	into->damaged |= r->damaged;
	if (r->start_realtime_ns &&
	    (!into->start_realtime_ns || r->start_realtime_ns < into->start_realtime_ns))
		into->start_realtime_ns = r->start_realtime_ns;
	return 0;
}

int gate_runs__read(struct gate_runs *runs, const char *path, char *why, size_t size)
{
	struct gate_run r = {.path = path, .files = 1}, *more;
	int rc = read_trace(&r, path, why, size);

	if (rc)
		goto out;
	if (!r.nodes || !has_counters(&r)) {
		snprintf(why, size,
			 "%s has no %s: the run was too short for statistics, or its trace was cut; leave "
			 "this run out",
			 path, r.nodes ? "counters" : "node record");
		rc = -EBADMSG;
		goto out;
	}
	for (size_t i = 0; i < runs->n && r.run_id; i++) {
		if (runs->run[i].run_id == r.run_id) {
			rc = merge(&runs->run[i], &r, why, size);
			goto out;
		}
	}
	more = reallocarray(runs->run, runs->n + 1, sizeof(*more));
	if (!more) {
		snprintf(why, size, "out of memory");
		rc = -ENOMEM;
		goto out;
	}
	runs->run = more;
	more[runs->n++] = r;
	return 0;
out:
	free(r.node);
	return rc;
}

void gate_runs__free(struct gate_runs *runs)
{
	for (size_t i = 0; i < runs->n; i++)
		free(runs->run[i].node);
	free(runs->run);
	*runs = (struct gate_runs){0};
}

/* ---- one run, one value ---- */

struct sums {
	double commits, aborts, committed_ns, wasted_ns, work, microscope_ns;
	double intervals, meets, lost_ns;
	double seconds;	     /* of the longest node: hosts' clocks are not compared */
	double node_seconds; /* of all nodes together */
	bool timed;	     /* every node has a duration */
};

/* Counters count from the node's start. A collector that came late does not know when that was: then
 * rates are taken between its first and its last sample. */
static void add_node(struct sums *s, const struct gate_node *n, bool rates)
{
	bool early = n->early && n->start_ns < n->last_ns;
	uint64_t from = early ? n->start_ns : n->first_ns;
	double seconds = n->last_ns > from ? (double)(n->last_ns - from) * 1e-9 : 0;
	const struct dsm_counters none = {0}, *base = rates && !early ? &n->first : &none;

	s->commits += (double)(n->last.commits - base->commits);
	s->aborts += (double)(n->last.aborts - base->aborts);
	s->committed_ns += (double)(n->last.committed_ns - base->committed_ns);
	s->wasted_ns += (double)(n->last.wasted_ns - base->wasted_ns);
	s->work += (double)(n->last.work - base->work);
	s->microscope_ns += (double)(n->last.microscope_ns - base->microscope_ns);
	s->intervals += (double)(n->last.intervals - base->intervals);
	s->meets += (double)(n->last.meets - base->meets);
	s->lost_ns += (double)lost_time__ns(&n->last) - (double)lost_time__ns(base);
	s->node_seconds += seconds;
	s->timed &= seconds > 0;
	s->seconds = seconds > s->seconds ? seconds : s->seconds;
}

static struct sums add_up(const struct gate_run *run, bool rates)
{
	struct sums s = {.timed = true};

	for (size_t i = 0; i < run->size; i++)
		if (run->node[i].last_ns)
			add_node(&s, &run->node[i], rates);
	return s;
}

double gate_run__microscope(const struct gate_run *run)
{
	struct sums s = add_up(run, false);
	double all =
		gate_model__intervals(run->consistency) ? s.node_seconds * 1e9 : s.committed_ns + s.wasted_ns;

	return all > 0 ? s.microscope_ns / all : 0;
}

static int check_nodes(const struct gate_run *run, char *why, size_t size)
{
	const struct ending *e = &run->ending;
	unsigned have = 0;

	if (e->crashed) {
		snprintf(why, size,
			 "%s: node %d died without an end of its own, so this is no whole run; leave it out, "
			 "and find out why it failed",
			 run->path, e->crashed_node);
		return -ENODATA;
	}
	for (size_t i = 0; i < run->size; i++) {
		const struct gate_node *n = &run->node[i];

		have += n->last_ns != 0;
		if (n->ended && n->status) {
			snprintf(why, size,
				 "%s: node %zu ended with %s %d, so this is no whole run; leave it out, and "
				 "find out why it failed",
				 run->path, i, n->status < 0 ? "signal" : "status", abs(n->status));
			return -ENODATA;
		}
	}
	if (e->failed) {
		snprintf(why, size,
			 "%s: node %d ended with %s %d, so this is no whole run; leave it out, and find out "
			 "why it failed",
			 run->path, e->failed_node, e->status < 0 ? "signal" : "status", abs(e->status));
		return -ENODATA;
	}
	if (have != run->nodes) {
		snprintf(
			why, size,
			"%s: counters of %u of the run's %u nodes; give the traces of all its hosts together",
			run->path, have, run->nodes);
		return -ENODATA;
	}
	return 0;
}

static int need(double amount, const char *path, const char *what, char *why, size_t size)
{
	if (amount > 0)
		return 0;
	snprintf(why, size, "%s: %s, so it has no such value; leave this run out or choose another --metric",
		 path, what);
	return -ENODATA;
}

int gate_run__value(const struct gate_run *run, enum gate_metric metric, double *value, char *why,
		    size_t size)
{
	bool rates = metric == GATE_WORK_PER_S || metric == GATE_COMMITS_PER_S || metric == GATE_LOST_SHARE;
	struct sums s = add_up(run, rates);
	int rc = check_nodes(run, why, size);

	if (!rc && rates)
		rc = need(s.timed ? s.seconds : 0, run->path, "no time passed between its counters", why,
			  size);
	if (rc)
		return rc;
	switch (metric) {
	case GATE_ABORTS_PER_COMMIT:
		rc = need(s.commits, run->path, "nothing was committed", why, size);
		*value = s.aborts / s.commits;
		break;
	case GATE_WASTED_SHARE:
		rc = need(s.committed_ns + s.wasted_ns, run->path, "no time was spent in transactions", why,
			  size);
		*value = s.wasted_ns / (s.committed_ns + s.wasted_ns);
		break;
	case GATE_WORK_PER_S:
		rc = need(s.work, run->path, "the program reported no work (dsm_progress())", why, size);
		*value = s.work / s.seconds;
		break;
	case GATE_CONFLICTS_PER_INTERVAL:
		rc = need(s.intervals, run->path, "no interval in which anything was shared was counted", why,
			  size);
		*value = s.meets / s.intervals;
		break;
	case GATE_CONFLICTS_PER_WORK:
		rc = need(s.work, run->path, "the program reported no work (dsm_progress())", why, size);
		*value = s.meets / s.work;
		break;
	case GATE_LOST_SHARE:
		*value = fmin(1, fmax(0, s.lost_ns) / (s.node_seconds * 1e9));
		break;
	default:
		rc = need(s.commits, run->path, "nothing was committed", why, size);
		*value = s.commits / s.seconds;
		break;
	}
	return rc;
}
