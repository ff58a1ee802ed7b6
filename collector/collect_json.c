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

#include "collector/shown.h"
#include "version.h"

static void put(struct json_object *o, const char *key, struct json_object *value)
{
	json_object_object_add(o, key, value);
}

static void put_text(struct json_object *o, const char *key, const char *text)
{
	char clean[4096];

	if (!text) {
		put(o, key, NULL);
		return;
	}
	shown__copy(clean, sizeof(clean), text);
	put(o, key, json_object_new_string(clean));
}

static void put_u64(struct json_object *o, const char *key, uint64_t value)
{
	put(o, key, json_object_new_uint64(value));
}

static void put_seconds(struct json_object *o, const char *key, double value)
{
	char text[64];

	snprintf(text, sizeof(text), "%.3f", value);
	put(o, key, json_object_new_double_s(value, text));
}

static void put_run(struct json_object *o, uint64_t run_id)
{
	char text[24];

	snprintf(text, sizeof(text), "%016llx", (unsigned long long)run_id);
	put_text(o, "run_id", run_id ? text : NULL);
}

static char *finish(struct json_object *o)
{
	const char *text =
		json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	char *copy = text ? strdup(text) : NULL;

	json_object_put(o);
	return copy;
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
	put_text(o, "schema", "procope.info/1");
	put_text(o, "host", host);
	put_text(o, "time", when);
	put_u64(o, "start_ns", c->start_realtime_ns);
	put_u64(o, "monotonic_ns", c->start_ns);
	put_text(o, "collector", "dsmcollect " PROCOPE_VERSION);
	put_text(o, "source", c->source->ops->name);
	if (c->why_ring[0])
		put_text(o, "why_ring", c->why_ring);
	if (c->source->ring_bytes)
		put_u64(o, "ring_bytes", c->source->ring_bytes);
	put(o, "all", json_object_new_boolean(c->options->from.all));
	if (c->source->ops->counts_pages)
		put_text(o, "probe_file", c->options->from.probe_file);
	if (c->run_id)
		put_run(o, c->run_id);
	if (c->command[0])
		put_text(o, "command", c->command);
	if (getenv("DSM_PLAN") && *getenv("DSM_PLAN"))
		put_text(o, "plan", getenv("DSM_PLAN"));
	return finish(o);
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
		put_u64(o, "node", nodes[i]->node);
		put_u64(o, "pid", nodes[i]->pid);
		put_text(o, "host", nodes[i]->host);
		put(o, "ended", json_object_new_boolean(nodes[i]->ended));
		put(o, "crashed", json_object_new_boolean(nodes[i]->crashed));
		put(o, "status", json_object_new_int(nodes[i]->status));
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
		put_u64(lost, losses[i].type ? trace_record__name(losses[i].type) : "unknown",
			losses[i].count);
	put(o, "lost", lost);
	put_u64(o, "lost_total", aggregate__lost(c->known));
}

char *collect_json__summary(const struct collect *c)
{
	struct json_object *o = json_object_new_object(), *records = json_object_new_object();
	const struct agg_node *first = collect__first_node(c);
	const uint64_t *noticed = aggregate__counts(c->known);

	if (!o)
		return NULL;
	put_text(o, "schema", "procope.summary/1");
	put_text(o, "ended", end_name(c->end));
	put_seconds(o, "elapsed_s", (double)(collect__now() - c->start_ns) / 1e9);
	put_text(o, "source", c->source->ops->name);
	put_text(o, "program", first && first->program[0] ? first->program : NULL);
	put_run(o, c->run_id);
	put(o, "nodes", nodes_json(c));
	for (unsigned type = 0; type < DSM_EV_TYPE_MAX; type++) {
		uint64_t n = c->options->output ? c->written[type] : noticed[type];
		if (n)
			put_u64(records, type ? trace_record__name(type) : "unknown", n);
	}
	put(o, "records", records);
	put_u64(o, "records_total", c->written_total);
	put_losses(o, c);
	put_u64(o, "duplicates", aggregate__repeated(c->known));
	put_u64(o, "strangers", c->strangers);
	if (c->trace_bytes)
		put_u64(o, "bytes", c->trace_bytes);
	return finish(o);
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
