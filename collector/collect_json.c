// SPDX-License-Identifier: BSD-2-Clause
/*
 * collect_json.c - how a collection describes itself: the trace's info and summary (docs/trace.md), and
 * the lines at the end for people.
 */
#include "collector/collect.h"

#include <errno.h>
#include <json-c/json.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "collector/jsonout.h"
#include "collector/shown.h"
#include "version.h"

static void put_seconds(struct json_object *o, const char *key, double value)
{
	char text[64];

	snprintf(text, sizeof(text), "%.3f", value);
	jsonout__put(o, key, json_object_new_double_s(value, text));
}

static void put_run(struct json_object *o, uint64_t run_id)
{
	char text[24];

	snprintf(text, sizeof(text), "%016llx", (unsigned long long)run_id);
	jsonout__text(o, "run_id", run_id ? text : NULL);
}

char *collect_json__info(const struct collect *c)
{
	struct json_object *o = json_object_new_object();
	time_t seconds = (time_t)(c->start_realtime_ns / 1000000000u);
	char host[65] = "", when[32];
	struct tm utc;

	if (!o)
		return NULL;
	gethostname(host, sizeof(host) - 1);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc));
	jsonout__text(o, "schema", "procope.info/1");
	jsonout__text(o, "host", host);
	jsonout__text(o, "time", when);
	jsonout__u64(o, "start_ns", c->start_realtime_ns);
	jsonout__u64(o, "monotonic_ns", c->start_ns);
	jsonout__text(o, "collector", "dsmcollect " PROCOPE_VERSION);
	jsonout__text(o, "source", c->source->ops->name);
	if (c->why_ring[0])
		jsonout__text(o, "why_ring", c->why_ring);
	if (c->source->ring_bytes)
		jsonout__u64(o, "ring_bytes", c->source->ring_bytes);
	jsonout__put(o, "all", json_object_new_boolean(c->options->from.all));
	if (c->source->ops->counts_pages)
		jsonout__text(o, "probe_file", c->options->from.probe_file);
	if (c->run_id)
		put_run(o, c->run_id);
	if (c->command[0])
		jsonout__text(o, "command", c->command);
	if (getenv("DSM_PLAN") && *getenv("DSM_PLAN"))
		jsonout__text(o, "plan", getenv("DSM_PLAN"));
	return jsonout__finish(o);
}

static const char *end_name(enum collect_end end)
{
	switch (end) {
	case COLLECT_RUN_ENDED:
		return "run";
	case COLLECT_SIGNAL:
		return "signal";
	case COLLECT_TIME:
		return "time";
	default:
		return "error";
	}
}

static struct json_object *nodes_json(const struct collect *c)
{
	const struct agg_node *const *nodes;
	size_t n = aggregate__nodes(c->known, &nodes);
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_new_object();
		jsonout__u64(o, "node", nodes[i]->node);
		jsonout__u64(o, "pid", nodes[i]->pid);
		jsonout__text(o, "host", nodes[i]->host);
		jsonout__put(o, "ended", json_object_new_boolean(nodes[i]->ended));
		jsonout__put(o, "crashed", json_object_new_boolean(nodes[i]->crashed));
		jsonout__put(o, "status", json_object_new_int(nodes[i]->status));
		json_object_array_add(list, o);
	}
	return list;
}

static void put_losses(struct json_object *o, const struct collect *c)
{
	const struct trace_loss *losses;
	size_t n = aggregate__losses(c->known, &losses);
	struct json_object *lost = json_object_new_object();

	for (size_t i = 0; i < n; i++)
		jsonout__u64(lost, losses[i].type ? trace_record__name(losses[i].type) : "unknown",
			     losses[i].count);
	jsonout__put(o, "lost", lost);
	jsonout__u64(o, "lost_total", aggregate__lost(c->known));
}

char *collect_json__summary(const struct collect *c)
{
	struct json_object *o = json_object_new_object(), *records = json_object_new_object();
	const struct agg_node *first = collect__first_node(c);
	const uint64_t *noticed = aggregate__counts(c->known);

	if (!o)
		return NULL;
	jsonout__text(o, "schema", "procope.summary/1");
	jsonout__text(o, "ended", end_name(c->end));
	put_seconds(o, "elapsed_s", (double)(collect__now() - c->start_ns) / 1e9);
	jsonout__text(o, "source", c->source->ops->name);
	jsonout__text(o, "program", first && first->program[0] ? first->program : NULL);
	put_run(o, c->run_id);
	jsonout__put(o, "nodes", nodes_json(c));
	for (unsigned type = 0; type < DSM_EV_TYPE_MAX; type++) {
		uint64_t n = c->options->output ? c->written[type] : noticed[type];
		if (n)
			jsonout__u64(records, type ? trace_record__name(type) : "unknown", n);
	}
	jsonout__put(o, "records", records);
	jsonout__u64(o, "records_total", c->written_total);
	put_losses(o, c);
	jsonout__u64(o, "duplicates", aggregate__repeated(c->known));
	jsonout__u64(o, "strangers", c->strangers);
	if (c->trace_bytes)
		jsonout__u64(o, "bytes", c->trace_bytes);
	return jsonout__finish(o);
}

/* ---- for people ---- */

static void print_losses(const struct collect *c)
{
	const struct trace_loss *losses;
	size_t n = aggregate__losses(c->known, &losses);

	fprintf(stderr, "  lost    ");
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, " %s %llu", losses[i].type ? trace_record__name(losses[i].type) : "unknown",
			(unsigned long long)losses[i].count);
	if (!n)
		fprintf(stderr, " none\n");
	else /* the ring of either source belongs to another program */
		fprintf(stderr, ": use a larger %s --ring-size\n",
			!strcmp(c->source->ops->name, "bpf") ? "dsmcollect" : "dsmrun");
}

static void print_records(const struct collect *c)
{
	const uint64_t *counts = c->options->output ? c->written : aggregate__counts(c->known);
	bool any = false;

	fprintf(stderr, "  records ");
	for (unsigned type = 0; type < DSM_EV_TYPE_MAX; type++) {
		if (counts[type])
			fprintf(stderr, " %s %llu", type ? trace_record__name(type) : "unknown",
				(unsigned long long)counts[type]);
		any |= counts[type] != 0;
	}
	if (any)
		fprintf(stderr, "\n");
	else if (!strcmp(c->source->ops->name, "bpf")) /* their memory is seen whatever library they use */
		fprintf(stderr,
			" none: do these nodes use %s, whose probes were attached (else --probe-file)?\n",
			c->options->from.probe_file);
	else
		fprintf(stderr, " none\n");
}

static void print_nothing(uid_t user, double seconds)
{
	const struct passwd *entry = getpwuid(user);
	char number[16];

	snprintf(number, sizeof(number), "%u", (unsigned)user);
	fprintf(stderr,
		"dsmcollect: no node of user %s was seen in %.1f s: does the program run, and under this "
		"user "
		"(else --user)?\n",
		entry ? entry->pw_name : number, seconds);
}

static void print_text(const struct collect *c)
{
	const struct agg_node *const *nodes, *first = collect__first_node(c);
	size_t n = aggregate__nodes(c->known, &nodes);
	double seconds = (double)(collect__now() - c->start_ns) / 1e9;
	char program[sizeof(first->program)];

	if (!n) {
		print_nothing(c->options->from.user, seconds);
		return;
	}
	shown__copy(program, sizeof(program), first->program);
	fprintf(stderr, "dsmcollect: %zu node%s of %s, run %016llx, source %s, %.1f s\n", n,
		n == 1 ? "" : "s", program[0] ? program : "an unnamed program", (unsigned long long)c->run_id,
		c->source->ops->name, seconds);
	if (c->options->output && c->trace_bytes)
		fprintf(stderr, "  trace    %s: %llu records, %llu bytes\n", c->options->output,
			(unsigned long long)c->written_total, (unsigned long long)c->trace_bytes);
	print_records(c);
	print_losses(c);
	if (c->strangers)
		fprintf(stderr, "  ignored  %llu events of processes that are no node of a known run\n",
			(unsigned long long)c->strangers);
	for (size_t i = 0; i < n; i++) {
		if (nodes[i]->crashed)
			fprintf(stderr, "  node %u (process %u) ended without saying so\n", nodes[i]->node,
				nodes[i]->pid);
	}
}

static int print_json(const struct collect *c, FILE *to)
{
	char *json = collect_json__summary(c);
	int rc = 0;

	if (!json)
		return -ENOMEM;
	if (fprintf(to, "%s\n", json) < 0 || fflush(to))
		rc = -errno;
	free(json);
	return rc;
}

int collect__print_summary(const struct collect *c)
{
	bool taken = c->options->output && strcmp(c->options->output, "-") == 0;
	int rc = 0;

	if (c->options->json)
		rc = print_json(c, taken ? stderr : stdout);
	else if (!c->options->quiet)
		print_text(c);
	if (rc)
		fprintf(stderr, "dsmcollect: the summary cannot be written: %s\n", strerror(-rc));
	return rc;
}
