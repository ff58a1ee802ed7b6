/* SPDX-License-Identifier: BSD-2-Clause */
/* live.c - one JSON line of the live socket into one sample. */
#include "viewer/live.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/shown.h"

static struct json_object *member(struct json_object *o, const char *key, json_type type)
{
	struct json_object *v;

	if (!o || !json_object_object_get_ex(o, key, &v) || !json_object_is_type(v, type))
		return NULL;
	return v;
}

/* A rate: NAN when it is null, missing, no number or no finite one. */
static double real(struct json_object *o, const char *key)
{
	struct json_object *v;
	double d;

	if (!o || !json_object_object_get_ex(o, key, &v))
		return NAN;
	if (!json_object_is_type(v, json_type_double) && !json_object_is_type(v, json_type_int))
		return NAN;
	d = json_object_get_double(v);
	return isfinite(d) ? d : NAN;
}

static uint64_t whole(struct json_object *o, const char *key)
{
	struct json_object *v = member(o, key, json_type_int);

	return v ? json_object_get_uint64(v) : 0;
}

static bool truth(struct json_object *o, const char *key)
{
	struct json_object *v = member(o, key, json_type_boolean);

	return v && json_object_get_boolean(v);
}

static bool string(struct json_object *o, const char *key, char *dst, size_t size)
{
	struct json_object *v = member(o, key, json_type_string);

	shown__copy(dst, size, v ? json_object_get_string(v) : "");
	return v != NULL;
}

static struct model_rates rates(struct json_object *o)
{
	return (struct model_rates){
		.commits = real(o, "commits_per_s"),
		.aborts = real(o, "aborts_per_s"),
		.work = real(o, "work_per_s"),
		.fetches = real(o, "fetches_per_s"),
		.bytes_in = real(o, "bytes_in_per_s"),
		.intervals = real(o, "intervals_per_s"),
		.conflicts = real(o, "conflicts_per_s"),
		.transfers = real(o, "transfers_per_s"),
		.lock_waits = real(o, "lock_waits_per_s"),
		.flushes = real(o, "flushes_per_s"),
	};
}

static void parse_node(struct json_object *o, struct model_node *n)
{
	struct json_object *c = member(o, "counters", json_type_object);

	n->node = (unsigned)whole(o, "node");
	n->pid = (long)whole(o, "pid");
	n->ended = truth(o, "ended");
	string(o, "host", n->host, sizeof(n->host));
#define X(name, meaning) n->counters.name = whole(c, #name);
	DSM_COUNTERS(X)
#undef X
	n->rate = rates(member(o, "rates", json_type_object));
	n->committed = n->wasted = n->barrier = n->fetching = n->locking = n->flushing = n->lost = NAN;
}

/* Node numbers as "0-3,7": short where neighbours share, which is the usual case. */
static unsigned node_list(struct json_object *array, char *dst, size_t size)
{
	size_t n = array ? json_object_array_length(array) : 0, at = 0;

	dst[0] = 0;
	for (size_t i = 0; i < n;) {
		unsigned long first = json_object_get_uint64(json_object_array_get_idx(array, i)),
			      last = first;
		char word[48];
		int len;

		for (i++; i < n && json_object_get_uint64(json_object_array_get_idx(array, i)) == last + 1;
		     i++)
			last++;
		if (last > first + 1)
			len = snprintf(word, sizeof(word), "%s%lu-%lu", at ? "," : "", first, last);
		else if (last > first)
			len = snprintf(word, sizeof(word), "%s%lu,%lu", at ? "," : "", first, last);
		else
			len = snprintf(word, sizeof(word), "%s%lu", at ? "," : "", first);
		if (at + (size_t)len + 2 > size) {
			strcpy(dst + at, "+");
			break;
		}
		memcpy(dst + at, word, (size_t)len + 1);
		at += (size_t)len;
	}
	return (unsigned)n;
}

static void parse_page(struct json_object *o, struct model_page *p)
{
	p->offset = whole(o, "page");
	p->log2 = (unsigned)whole(o, "log2");
	if (p->log2 < 12 || p->log2 > 40)
		p->log2 = 12;
	p->named = string(o, "object", p->object, sizeof(p->object));
	string(o, "type", p->type, sizeof(p->type));
	string(o, "root", p->root, sizeof(p->root));
	p->object_offset = whole(o, "object_offset");
	p->objects = (unsigned)whole(o, "objects");
	p->nnodes = node_list(member(o, "nodes", json_type_array), p->nodes, sizeof(p->nodes));
	p->fetches = whole(o, "fetches");
	p->transfers = whole(o, "transfers");
	p->invalidations = whole(o, "invalidations");
	p->updates = whole(o, "updates");
	p->aborts = whole(o, "aborts");
	p->wasted_ns = whole(o, "wasted_ns");
	p->fetch_ns = whole(o, "fetch_ns");
	p->home_moves = whole(o, "home_moves");
	p->home = (unsigned)whole(o, "home");
	p->fetches_per_s = real(o, "fetches_per_s");
	p->aborts_per_s = real(o, "aborts_per_s");
}

static void parse_clocks(struct json_object *o, struct model_sample *s)
{
	struct json_object *k = member(o, "clocks", json_type_object);

	s->clock_hosts = k ? whole(k, "measured") : 0;
	s->clock_error_ns = k ? whole(k, "error_ns") : 0;
	s->clock_steps = k ? whole(k, "steps") : 0;
}

static void parse_lost(struct json_object *o, char *dst, size_t size)
{
	struct json_object *lost = member(o, "lost", json_type_object);
	size_t at = 0;

	dst[0] = 0;
	if (!lost)
		return;
	json_object_object_foreach(lost, key, value)
	{
		char name[32];
		int n;

		if (!json_object_is_type(value, json_type_int) || !json_object_get_uint64(value))
			continue;
		shown__copy(name, sizeof(name), key);
		n = snprintf(dst + at, size - at, "%s%s %llu", at ? ", " : "", name,
			     (unsigned long long)json_object_get_uint64(value));
		if (n < 0 || (size_t)n >= size - at)
			break;
		at += (size_t)n;
	}
}

static int parse_nodes(struct json_object *array, struct model_sample *s)
{
	size_t n = array ? json_object_array_length(array) : 0;

	if (n > MODEL_NODES_MAX)
		n = MODEL_NODES_MAX;
	s->nodes = calloc(n ? n : 1, sizeof(*s->nodes));
	if (!s->nodes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(array, i);

		if (json_object_is_type(o, json_type_object))
			parse_node(o, &s->nodes[s->nnodes++]);
	}
	return 0;
}

static int parse_pages(struct json_object *array, struct model_sample *s)
{
	size_t n = array ? json_object_array_length(array) : 0;

	if (n > MODEL_PAGES_MAX)
		n = MODEL_PAGES_MAX;
	s->pages = calloc(n ? n : 1, sizeof(*s->pages));
	if (!s->pages)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(array, i);

		if (json_object_is_type(o, json_type_object))
			parse_page(o, &s->pages[s->npages++]);
	}
	return 0;
}

static int parse_sample(struct json_object *o, struct model_sample *s)
{
	struct json_object *total = member(o, "total", json_type_object);
	int rc;

	s->time_ns = whole(o, "time_ns");
	s->elapsed_s = real(o, "elapsed_s");
	string(o, "source", s->source, sizeof(s->source));
	string(o, "program", s->program, sizeof(s->program));
	string(o, "run_id", s->run_id, sizeof(s->run_id));
	string(o, "consistency", s->consistency, sizeof(s->consistency));
	s->intervals = !strcmp(s->consistency, "sc") || !strcmp(s->consistency, "rc");
	s->ended = truth(o, "ended");
	s->rate = rates(total);
	s->aborts_per_commit = real(total, "aborts_per_commit");
	s->wasted_share = real(total, "wasted_share");
	s->conflicts_per_interval = real(total, "conflicts_per_interval");
	s->lost_share = real(total, "lost_share");
	s->has_rates = !isnan(s->rate.commits);
	s->lost_total = whole(o, "lost_total");
	s->events = whole(o, "events");
	parse_clocks(o, s);
	parse_lost(o, s->lost, sizeof(s->lost));
	rc = parse_nodes(member(o, "nodes", json_type_array), s);
	if (!rc)
		rc = parse_pages(member(o, "pages", json_type_array), s);
	s->valid = !rc;
	return rc;
}

static int check_schema(struct json_object *o, char *why, size_t size)
{
	struct json_object *v = member(o, "schema", json_type_string);
	const char *name = v ? json_object_get_string(v) : NULL;
	char shown[64];

	if (!name) {
		snprintf(why, size, "no \"schema\": not a live socket of Procope");
		return -EBADMSG;
	}
	if (!strcmp(name, LIVE_SCHEMA))
		return 0;
	shown__copy(shown, sizeof(shown), name);
	snprintf(why, size, "schema \"%s\", but this dsmtop reads " LIVE_SCHEMA, shown);
	return strncmp(name, "procope.live/", 13) ? -EBADMSG : -EPROTONOSUPPORT;
}

int live__parse(const char *line, size_t length, struct model_sample *out, char *why, size_t size)
{
	struct json_tokener *tok = length <= INT32_MAX ? json_tokener_new_ex(16) : NULL;
	struct json_object *o = NULL;
	int rc = -EBADMSG;

	memset(out, 0, sizeof(*out));
	if (!tok) {
		snprintf(why, size, "out of memory, or a line of %zu bytes", length);
		return -ENOMEM;
	}
	/* Strict mode would also refuse what follows the object; the end is checked below instead. */
	o = json_tokener_parse_ex(tok, line, (int)length);
	if (!o || json_tokener_get_error(tok) != json_tokener_success) {
		enum json_tokener_error e = json_tokener_get_error(tok);

		snprintf(why, size, "not JSON: %s at byte %zu",
			 e == json_tokener_continue ? "it ends too early" : json_tokener_error_desc(e),
			 json_tokener_get_parse_end(tok));
		goto out;
	}
	if (!json_object_is_type(o, json_type_object)) {
		snprintf(why, size, "JSON, but no object");
		goto out;
	}
	rc = check_schema(o, why, size);
	if (!rc)
		rc = parse_sample(o, out);
out:
	if (rc)
		live__free(out);
	json_object_put(o);
	json_tokener_free(tok);
	return rc;
}

char *live__rewrite(const char *line, size_t length)
{
	struct json_tokener *tok = length <= INT32_MAX ? json_tokener_new_ex(16) : NULL;
	struct json_object *o = tok ? json_tokener_parse_ex(tok, line, (int)length) : NULL;
	char *text = o ? strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
									  JSON_C_TO_STRING_NOSLASHESCAPE))
		       : NULL;

	json_object_put(o);
	if (tok)
		json_tokener_free(tok);
	return text;
}

void live__free(struct model_sample *s)
{
	free(s->nodes);
	free(s->pages);
	memset(s, 0, sizeof(*s));
}
