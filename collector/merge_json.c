// SPDX-License-Identifier: BSD-2-Clause
/*
 * merge_json.c - how a merged trace describes itself: as that of the host with the lowest node, with a list
 * of what it is made of (docs/trace.md).
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/jsonout.h"
#include "collector/merge_parts.h"

static void put_bool(struct json_object *o, const char *key, bool value)
{
	jsonout__put(o, key, json_object_new_boolean(value));
}

/* An object in any case; what is no object has nothing to tell. */
static struct json_object *parse(const char *text)
{
	struct json_object *o = text ? json_tokener_parse(text) : NULL;

	if (json_object_is_type(o, json_type_object))
		return o;
	json_object_put(o);
	return json_object_new_object();
}

static const struct merge_part *own(const struct merge *m)
{
	size_t i = 0;

	while (i + 1 < m->nparts && m->part[i].clock != MERGE_OWN)
		i++;
	return &m->part[i];
}

static struct json_object *part_json(const struct merge *m, size_t i)
{
	const struct merge_part *p = &m->part[i];
	struct json_object *o = json_object_new_object(), *nodes = json_object_new_array();

	for (unsigned n = 0; n < MERGE_NODES; n++)
		if (m->node[n].part == i + 1)
			json_object_array_add(nodes, json_object_new_int((int)n));
	jsonout__put(o, "nodes", nodes);
	merge__put_clock(o, m, i);
	put_bool(o, "whole", p->closed && !p->cut && !p->damaged);
	jsonout__put(o, "info", parse(p->info));
	return o;
}

char *merge__info(const struct merge *m)
{
	struct json_object *o = parse(own(m)->info), *parts = json_object_new_array();

	for (size_t i = 0; i < m->nparts; i++)
		json_object_array_add(parts, part_json(m, i));
	jsonout__put(o, "parts", parts);
	return jsonout__finish(o);
}

/* ---- summary ---- */

static bool is_in(const struct merge *m, unsigned node)
{
	return m->node[node].part != 0;
}

static bool whole(const struct merge_part *p)
{
	return p->closed && !p->cut && !p->damaged;
}

/* A node of a part without a summary, or of none: as far as its records tell. */
static struct json_object *node_json(const struct merge *m, unsigned node)
{
	const struct merge_node *n = &m->node[node];
	struct json_object *o = json_object_new_object();

	jsonout__u64(o, "node", node);
	jsonout__u64(o, "pid", n->pid);
	jsonout__text(o, "host", n->host);
	put_bool(o, "ended", n->ended);
	put_bool(o, "crashed", false);
	jsonout__put(o, "status", json_object_new_int(n->status));
	put_bool(o, "missing", !n->part);
	return o;
}

static void add_nodes(struct json_object *list, const struct json_object *summary)
{
	struct json_object *nodes;

	if (!json_object_object_get_ex(summary, "nodes", &nodes) ||
	    !json_object_is_type(nodes, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(nodes); i++)
		json_object_array_add(list, json_object_get(json_object_array_get_idx(nodes, i)));
}

static uint64_t number(const struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_uint64(v) : 0;
}

static bool ended_as(const struct json_object *summary, const char *how)
{
	struct json_object *v;

	return json_object_object_get_ex(summary, "ended", &v) && json_object_is_type(v, json_type_string) &&
	       !strcmp(json_object_get_string(v), how);
}

struct sums { /* of the parts' own summaries */
	struct json_object *nodes;
	double elapsed;
	uint64_t duplicates, strangers;
	const char *ended; /* the worst of them */
};

/* Worst first. */
static const char *const endings[] = {"error", "signal", "time", "run"};

static struct sums sum_up(const struct merge *m)
{
	struct sums s = {.nodes = json_object_new_array(), .ended = "run"};
	size_t worst = 3;

	for (size_t i = 0; i < m->nparts; i++) {
		const struct merge_part *p = &m->part[i];
		struct json_object *o = parse(p->summary), *v;

		if (!whole(p))
			worst = 0;
		for (size_t e = 0; e < worst; e++)
			if (ended_as(o, endings[e]))
				worst = e;
		add_nodes(s.nodes, o);
		for (unsigned n = 0; n < MERGE_NODES && !p->closed; n++)
			if (m->node[n].part == i + 1)
				json_object_array_add(s.nodes, node_json(m, n));
		if (json_object_object_get_ex(o, "elapsed_s", &v) && json_object_get_double(v) > s.elapsed)
			s.elapsed = json_object_get_double(v);
		s.duplicates += number(o, "duplicates");
		s.strangers += number(o, "strangers");
		json_object_put(o);
	}
	for (unsigned n = 0; n < m->nodes; n++)
		if (!is_in(m, n)) {
			json_object_array_add(s.nodes, node_json(m, n));
			worst = 0;
		}
	s.ended = endings[worst];
	return s;
}

static const char *type_name(unsigned type)
{
	return type ? trace_record__name(type) : "unknown";
}

static void put_counts(struct json_object *o, const struct merge *m)
{
	struct json_object *records = json_object_new_object(), *losses = json_object_new_object();
	uint64_t all = 0;

	for (unsigned type = 0; type < DSM_EV_TYPE_MAX; type++)
		if (m->written[type])
			jsonout__u64(records, type_name(type), m->written[type]);
	for (size_t i = 0; i < m->nlost; all += m->lost[i++].count)
		jsonout__u64(losses, type_name(m->lost[i].type), m->lost[i].count);
	jsonout__put(o, "records", records);
	jsonout__u64(o, "records_total", m->written_total);
	jsonout__put(o, "lost", losses);
	jsonout__u64(o, "lost_total", all);
}

char *merge__summary(const struct merge *m)
{
	struct json_object *o = json_object_new_object(), *first = parse(own(m)->summary), *v;
	struct sums s = sum_up(m);
	char text[64];

	jsonout__text(o, "schema", "procope.summary/1");
	jsonout__text(o, "ended", s.ended);
	snprintf(text, sizeof(text), "%.3f", s.elapsed);
	jsonout__put(o, "elapsed_s", json_object_new_double_s(s.elapsed, text));
	jsonout__put(o, "source", json_object_object_get_ex(first, "source", &v) ? json_object_get(v) : NULL);
	jsonout__text(o, "program", m->program[0] ? m->program : NULL);
	snprintf(text, sizeof(text), "%016llx", (unsigned long long)m->run_id);
	jsonout__text(o, "run_id", text);
	jsonout__put(o, "nodes", s.nodes);
	put_counts(o, m);
	jsonout__u64(o, "duplicates", s.duplicates);
	jsonout__u64(o, "strangers", s.strangers);
	jsonout__u64(o, "parts", m->nparts);
	merge__put_clocks(o, m);
	if (m->bytes)
		jsonout__u64(o, "bytes", m->bytes);
	json_object_put(first);
	return jsonout__finish(o);
}

/* ---- for people ---- */

bool merge__complain(const struct merge *m)
{
	unsigned missing = 0, first = 0;
	bool any = false;

	for (size_t i = 0; i < m->nparts; i++) {
		const struct merge_part *p = &m->part[i];

		if (!whole(p))
			fprintf(stderr, "dsmcollect: %s %s: the result covers what is there\n", p->path,
				p->damaged ? "is damaged" : "was cut short");
		any |= !whole(p);
	}
	merge__complain_of_clocks(m);
	for (unsigned n = 0; n < m->nodes; n++)
		if (!is_in(m, n) && !missing++)
			first = n;
	if (missing)
		fprintf(stderr, "dsmcollect: %u of %u nodes (the first is %u) are in none of these traces\n",
			missing, m->nodes, first);
	return any || missing;
}

static void print_text(const struct merge *m)
{
	unsigned nodes = 0;

	for (unsigned n = 0; n < MERGE_NODES; n++)
		nodes += is_in(m, n);
	fprintf(stderr, "dsmcollect: %u nodes of %s, run %016llx, traces of %zu host%s\n", nodes,
		m->program[0] ? m->program : "an unnamed program", (unsigned long long)m->run_id, m->nparts,
		m->nparts == 1 ? "" : "s");
	fprintf(stderr, "  trace     %s: %llu records, %llu bytes\n", m->options->output,
		(unsigned long long)m->written_total, (unsigned long long)m->bytes);
	merge__print_clocks(m);
	fprintf(stderr, "  lost      %s", m->nlost ? "" : "none");
	for (size_t i = 0; i < m->nlost; i++)
		fprintf(stderr, "%s %llu ", type_name(m->lost[i].type), (unsigned long long)m->lost[i].count);
	fprintf(stderr, "\n");
}

int merge__print(const struct merge *m)
{
	FILE *to = strcmp(m->options->output, "-") ? stdout : stderr;
	char *json;
	int rc = 0;

	if (!m->options->json) {
		if (!m->options->quiet)
			print_text(m);
		return 0;
	}
	json = merge__summary(m);
	if (!json)
		rc = -ENOMEM;
	else if (fprintf(to, "%s\n", json) < 0 || fflush(to))
		rc = -errno;
	free(json);
	if (rc)
		fprintf(stderr, "dsmcollect: the summary cannot be written: %s\n", strerror(-rc));
	return rc;
}
