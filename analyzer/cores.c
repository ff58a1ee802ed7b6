/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cores.c - what a run would take if some of its time were saved, where there are fewer cores than nodes.
 *
 * There the time of an attempt is not what it needs: a node waits for messages, and then for a core. So both are taken
 * apart. What nodes need of the cores is known from the attempts that the runtime looked at (counters cpu_*): commits
 * with and without messages, aborted attempts, and the service threads' part. The run cannot be shorter than that
 * on all cores, nor than each node's own computing and waiting one after the other.
 */
#include "cores.h"

#include <math.h>

#define LEAST_LOOKS 30	/* of a kind of attempt; with less its mean is luck */
#define LEAST_USED  0.5 /* of the cores, if the nodes want them: the rest goes to other programs */

static double mean(uint64_t ns, uint64_t n)
{
	return n >= LEAST_LOOKS ? (double)ns / (double)n : NAN;
}

bool cores__known(const struct totals *t)
{
	const struct dsm_counters *c = &t->sum;

	return t->cores > 0 && t->nodes > t->cores && !t->intervals && c->commits && t->seconds > 0 &&
	       c->cpu_mutator_ns && c->cpu_locals + c->cpu_remotes >= 2 * LEAST_LOOKS;
}

/* Of the cores' time: what the nodes got of it, for they may not be alone. */
static double share_used(const struct totals *t)
{
	return fmin(1, fmax(LEAST_USED, (double)t->sum.cpu_ns / (t->cores * t->seconds * 1e9)));
}

double cores__run_ns(const struct totals *t, const struct saving *s)
{
	const struct dsm_counters *c = &t->sum;
	double local = mean(c->cpu_local_ns, c->cpu_locals), remote = mean(c->cpu_remote_ns, c->cpu_remotes);
	double aborted = mean(c->cpu_abort_ns, c->cpu_aborts);
	double remotes = c->commits > c->commits_local ? (double)(c->commits - c->commits_local) : 0;
	double fetched = c->fetch_ns > c->wasted_fetch_ns ? (double)(c->fetch_ns - c->wasted_fetch_ns) : 0;
	double waits = fetched + (double)c->commit_ns;
	double traffic = waits > 0 ? fmin(4, fmax(0, 1 + s->added_ns / waits)) : 1;
	double service = c->cpu_ns > c->cpu_mutator_ns ? (double)(c->cpu_ns - c->cpu_mutator_ns) : 0;
	double fetches = c->fetch_ns ? (fetched * traffic + (double)c->wasted_fetch_ns * s->wasted) /
					       (double)c->fetch_ns
				     : traffic;
	double lost, need;

	local = isnan(local) ? remote : local;
	remote = isnan(remote) ? local : remote;
	aborted = isnan(aborted) ? remote : aborted;
	lost = aborted * (double)c->aborts * s->wasted;
	remotes *= fmin(traffic, (double)c->commits / fmax(1, remotes));
	need = remotes * remote + ((double)c->commits + s->commits - remotes) * local + lost +
	       service * fetches;
	need = fmax(0.05 * need, need - s->computed_ns);
	waits = waits * traffic + fmax(0, (double)c->wasted_ns * s->wasted - lost) + (double)c->barrier_ns;
	return fmax(waits + need, need * t->nodes / (t->cores * share_used(t)));
}
