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

static struct json_object *number(uint64_t v)
{
	return json_object_new_uint64(v);
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

static int build(const struct run *run, struct json_object *top)
{
	struct json_object *nodes = json_object_new_array();
	struct dsm_counters total = {0};
	double seconds = (double)(run->end_ns - run->start_ns) / 1e9;
	char id[24];

	json_object_object_add(top, "schema", json_object_new_string("procope.stats/1"));
	json_object_object_add(top, "program", json_object_new_string(run->argv[0]));
	snprintf(id, sizeof(id), "%016llx", (unsigned long long)run->options.run_id);
	json_object_object_add(top, "run_id", json_object_new_string(id));
	json_object_object_add(top, "transport", json_object_new_string(run->options.transport));
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
		json_object_array_add(nodes, o);
#define X(name, meaning) total.name += shm.counters.name;
		DSM_COUNTERS(X)
#undef X
	}
	json_object_object_add(top, "totals", counters_json(&total));
	json_object_object_add(top, "aborts_per_commit", ratio((double)total.aborts, (double)total.commits));
	json_object_object_add(top, "commits_per_s", ratio((double)total.commits, seconds));
	json_object_object_add(
		top, "wasted_share",
		ratio((double)total.wasted_ns, (double)total.wasted_ns + (double)total.committed_ns));
	json_object_object_add(top, "work_per_s", ratio((double)total.work, seconds));
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
			run__say("cannot write statistics to '%s': %s", run->stats, strerror(-rc));
	}
	json_object_put(top);
	return rc;
}
