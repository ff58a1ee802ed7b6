// SPDX-License-Identifier: BSD-2-Clause
/*
 * dsmrun_stats.c - the nodes' counters as one JSON file (--stats), schema "procope.stats/1".
 *
 * The counters lie in each node's shared memory, which is found while the node lives and read with
 * pread() when it has ended: a file of ours cannot pull the memory from under us as a mapping could.
 */
#include "dsmcore/launch/dsmrun.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dsm_events.h"
#include "dsmcore/launch/put_file.h"
#include "dsmcore/launch/remedy.h"
#include "dsmcore/launch/shm_find.h"

static bool is_node_memory(int fd, unsigned node)
{
	struct dsm_shm shm;

	return pread(fd, &shm, sizeof(shm), 0) == sizeof(shm) && shm.magic == DSM_SHM_MAGIC &&
	       shm.version == DSM_SHM_VERSION && shm.node == node &&
	       shm.counters_bytes >= sizeof(struct dsm_counters);
}

static bool keep_memory(void *ctx, int at, const struct stat *st)
{
	struct proc *p = ctx;
	int fd = shm_find__open(at, O_RDONLY);

	(void)st;
	if (fd >= 0 && is_node_memory(fd, p->node))
		p->shm = fd;
	else if (fd >= 0)
		close(fd);
	return p->shm >= 0;
}

void stats__find(struct proc *p)
{
	int process = p->shm >= 0 ? -1 : shm_find__process(p->self);

	if (process < 0)
		return;
	shm_find__each(process, keep_memory, p);
	close(process);
}

int stats__read(const struct proc *p, void *shm, size_t bytes)
{
	if (p->counters)
		memcpy(shm, p->counters, bytes);
	else if (p->shm < 0 || pread(p->shm, shm, bytes, 0) != (ssize_t)bytes)
		return -ENODATA;
	return 0;
}

/* What shrank in a phase is negative. */
static struct json_object *number(uint64_t v)
{
	return json_object_new_int64((int64_t)v);
}

static struct json_object *counters_json(const struct dsm_counters *c)
{
	struct json_object *o = json_object_new_object();

#define X(name, meaning) json_object_object_add(o, #name, number(c->name));
	DSM_COUNTERS(X)
#undef X
	return o;
}

static struct json_object *ratio(double part, double whole)
{
	return whole > 0 ? json_object_new_double(part / whole) : NULL;
}

static void add(struct dsm_counters *to, const struct dsm_counters *c)
{
#define X(name, meaning) to->name += c->name;
	DSM_COUNTERS(X)
#undef X
}

/* ---- where time was lost ---- */

/* Shares of so many ns of all nodes together, by cause. The causes do not overlap, but what the mutator and the
 * service thread do at a time on two cores may. */
static void add_lost(struct json_object *o, const struct dsm_counters *c, double ns)
{
	const struct {
		const char *cause;
		uint64_t ns;
	} lost[] = {
		{"aborts", c->wasted_ns},
		{"pages", c->fetch_ns > c->wasted_fetch_ns ? c->fetch_ns - c->wasted_fetch_ns : 0},
		{"faults", c->local_ns > c->wasted_local_ns ? c->local_ns - c->wasted_local_ns : 0},
		{"commits", c->commit_ns},
		{"barriers", c->barrier_ns},
		{"locks", c->lock_ns},
		{"retries", c->retry_ns},
	};
	struct json_object *by_cause = json_object_new_object();
	uint64_t all = 0;

	for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
		json_object_object_add(by_cause, lost[i].cause, ratio((double)lost[i].ns, ns));
		all += lost[i].ns;
	}
	json_object_object_add(o, "lost_share", ratio((double)all, ns));
	json_object_object_add(o, "lost", by_cause);
}

/* ---- phases ---- */

struct phases { /* of all nodes */
	unsigned count;
	struct dsm_phase sum[DSM_PHASES]; /* ns: the longest of the nodes' */
	uint64_t ns[DSM_PHASES];	  /* all nodes' together */
};

static void add_phase(struct phases *all, const struct dsm_phase *p)
{
	unsigned i = 0;

	while (i < all->count && strncmp(all->sum[i].name, p->name, sizeof(p->name)) != 0)
		i++;
	if (i == DSM_PHASES)
		return;
	if (i == all->count)
		memcpy(all->sum[all->count++].name, p->name, sizeof(p->name));
	if (all->sum[i].ns < p->ns)
		all->sum[i].ns = p->ns;
	all->ns[i] += p->ns;
	add(&all->sum[i].counters, &p->counters);
}

static struct json_object *phase_json(const struct dsm_phase *p, const char *counters)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "name",
			       json_object_new_string_len(p->name, (int)strnlen(p->name, sizeof(p->name))));
	json_object_object_add(o, "seconds", json_object_new_double((double)p->ns / 1e9));
	json_object_object_add(o, counters, counters_json(&p->counters));
	return o;
}

static struct json_object *node_phases(const struct dsm_shm *shm, struct phases *all)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < DSM_PHASES && *shm->phases[i].name; i++) {
		json_object_array_add(list, phase_json(&shm->phases[i], "counters"));
		add_phase(all, &shm->phases[i]);
	}
	return list;
}

static struct json_object *all_phases(const struct phases *all)
{
	struct json_object *list = json_object_new_array();

	for (unsigned i = 0; i < all->count; i++) {
		struct json_object *o = phase_json(&all->sum[i], "totals");

		add_lost(o, &all->sum[i].counters, (double)all->ns[i]);
		json_object_array_add(list, o);
	}
	return list;
}

static int build(const struct run *run, struct json_object *top)
{
	struct json_object *nodes = json_object_new_array();
	struct dsm_counters total = {0};
	struct phases phases = {0};
	double seconds = (double)(run->end_ns - run->start_ns) / 1e9;
	char id[24];

	json_object_object_add(top, "schema", json_object_new_string("procope.stats/1"));
	json_object_object_add(top, "program", json_object_new_string(run->argv[0]));
	snprintf(id, sizeof(id), "%016llx", (unsigned long long)run->options.run_id);
	json_object_object_add(top, "run_id", json_object_new_string(id));
	json_object_object_add(top, "transport", json_object_new_string(run->options.transport));
	json_object_object_add(top, "consistency",
			       json_object_new_string(options__model(run->options.consistency)));
	json_object_object_add(top, "plan",
			       *run->options.plan ? json_object_new_string(run->options.plan) : NULL);
	json_object_object_add(top, "status", json_object_new_int(run->failed ? run->status : 0));
	json_object_object_add(top, "seconds", json_object_new_double(seconds));
	json_object_object_add(top, "nodes", nodes);
	for (unsigned n = 0; n < run->options.nodes; n++) {
		const struct proc *p = &run->procs[n];
		struct json_object *o;
		struct dsm_shm shm;

		if (!p->done || stats__read(p, &shm, sizeof(shm))) {
			run__say("no statistics written: node %u %s", n,
				 p->done ? "has no counters (DSM_SHM_NAME)" : "did not finish");
			return -ENODATA;
		}
		o = json_object_new_object();
		json_object_object_add(o, "node", json_object_new_int((int)n));
		json_object_object_add(o, "pid", json_object_new_int((int)p->self));
		json_object_object_add(o, "counters", counters_json(&shm.counters));
		json_object_object_add(o, "phases", node_phases(&shm, &phases));
		json_object_array_add(nodes, o);
		add(&total, &shm.counters);
	}
	json_object_object_add(top, "totals", counters_json(&total));
	json_object_object_add(top, "aborts_per_commit", ratio((double)total.aborts, (double)total.commits));
	json_object_object_add(top, "commits_per_s", ratio((double)total.commits, seconds));
	json_object_object_add(
		top, "wasted_share",
		ratio((double)total.wasted_ns, (double)total.wasted_ns + (double)total.committed_ns));
	json_object_object_add(top, "work_per_s", ratio((double)total.work, seconds));
	add_lost(top, &total, seconds * run->options.nodes * 1e9);
	json_object_object_add(top, "phases", all_phases(&phases));
	return 0;
}

static int write_json(const char *path, struct json_object *top)
{
	const char *json =
		json_object_to_json_string_ext(top, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	char *text;
	int n = asprintf(&text, "%s\n", json);
	int rc;

	if (n < 0)
		return -ENOMEM;
	rc = put_file(path, text, (size_t)n);
	free(text);
	return rc;
}

int stats__write(const struct run *run)
{
	struct json_object *top = json_object_new_object();
	int rc = build(run, top);

	if (!rc) {
		rc = write_json(run->stats, top);
		if (rc)
			run__say("cannot write statistics to '%s': %s%s", run->stats, strerror(-rc),
				 remedy__write(rc));
	}
	json_object_put(top);
	return rc;
}
