// SPDX-License-Identifier: BSD-2-Clause
/*
 * live_json.c - a line of the live socket, schema "procope.live/1" (docs/live.md).
 */
#include "collector/live.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/shown.h"

static void put(struct json_object *o, const char *key, struct json_object *value)
{
	json_object_object_add(o, key, value);
}

static void put_u64(struct json_object *o, const char *key, uint64_t value)
{
	put(o, key, json_object_new_uint64(value));
}

static void put_text(struct json_object *o, const char *key, const char *text)
{
	put(o, key, text ? json_object_new_string(text) : NULL);
}

static void put_number(struct json_object *o, const char *key, bool known, double value)
{
	char text[64];

	snprintf(text, sizeof(text), "%.6g", value);
	put(o, key, known ? json_object_new_double_s(value, text) : NULL);
}

static void put_rates(struct json_object *o, const struct agg_rates *r)
{
	put_number(o, "commits_per_s", r->known, r->commits);
	put_number(o, "aborts_per_s", r->known, r->aborts);
	put_number(o, "work_per_s", r->known, r->work);
	put_number(o, "fetches_per_s", r->known, r->fetches);
	put_number(o, "bytes_in_per_s", r->known, r->bytes_in);
	put_number(o, "intervals_per_s", r->known, r->intervals);
	put_number(o, "conflicts_per_s", r->known, r->meets);
	put_number(o, "transfers_per_s", r->known, r->transfers);
	put_number(o, "lock_waits_per_s", r->known, r->lock_waits);
	put_number(o, "flushes_per_s", r->known, r->flushes);
}

/* Bytes that are not UTF-8 would make the whole line invalid JSON. */
static const char *plain(const char *text, char *copy, size_t size)
{
	shown__copy(copy, size, text);
	return copy;
}

static struct json_object *node_json(const struct agg_node *n)
{
	struct json_object *o = json_object_new_object(), *counters = json_object_new_object(),
			   *rates = json_object_new_object();
	char host[sizeof(n->host)];

	put_u64(o, "node", n->node);
	put_u64(o, "pid", n->pid);
	put_text(o, "host", plain(n->host, host, sizeof(host)));
	put(o, "ended", json_object_new_boolean(n->ended));
	put(o, "crashed", json_object_new_boolean(n->crashed));
#define X(name, meaning) put_u64(counters, #name, n->counters.name);
	DSM_COUNTERS(X)
#undef X
	put(o, "counters", counters);
	put_rates(rates, &n->rates);
	put(o, "rates", rates);
	return o;
}

static void put_object(struct json_object *o, struct aggregate *known, dsm_ev_page page)
{
	size_t count;
	const struct agg_object *object = aggregate__object_on(known, page, &count);
	const char *type = object ? aggregate__type_name(known, object) : NULL;
	const char *root = object ? aggregate__root_name(known, object) : NULL;
	char text[160], clean[97];

	if (type) {
		type = plain(type, clean, sizeof(clean));
		snprintf(text, sizeof(text), object->count > 1 ? "%s[%llu]" : "%s", type,
			 (unsigned long long)object->count);
	}
	put_text(o, "object", type ? text : NULL);
	put_text(o, "type", type);
	put_text(o, "root", root ? plain(root, text, sizeof(text)) : NULL);
	put(o, "object_offset", object ? json_object_new_uint64(object->offset) : NULL);
	put_u64(o, "objects", count);
}

static struct json_object *page_json(struct aggregate *known, const struct agg_page *p)
{
	struct json_object *o = json_object_new_object(), *nodes = json_object_new_array();
	uint16_t on[256];
	size_t n = aggregate__page_nodes(known, p->page, on, sizeof(on) / sizeof(on[0]));

	put_u64(o, "page", DSM_EV_PAGE_OFFSET(p->page));
	put_u64(o, "log2", DSM_EV_PAGE_LOG2(p->page));
	put_object(o, known, p->page);
	for (size_t i = 0; i < n; i++)
		json_object_array_add(nodes, json_object_new_int(on[i]));
	put(o, "nodes", nodes);
	put_u64(o, "fetches", p->total.fetches);
	put_u64(o, "fetch_ns", p->total.fetch_ns);
	put_number(o, "fetches_per_s", p->fetches_per_s >= 0, p->fetches_per_s);
	put_u64(o, "transfers", p->total.transfers);
	put_u64(o, "invalidations", p->total.invalidations);
	put_u64(o, "updates", p->total.updates);
	put_u64(o, "aborts", p->total.aborts);
	put_number(o, "aborts_per_s", p->aborts_per_s >= 0, p->aborts_per_s);
	put_u64(o, "wasted_ns", p->total.wasted_ns);
	put_u64(o, "home_moves", p->home_moves);
	put(o, "home", p->home_moves ? json_object_new_int(p->home) : NULL);
	return o;
}

static struct json_object *total_json(const struct aggregate *known)
{
	struct json_object *o = json_object_new_object();
	struct agg_rates r = aggregate__total(known);

	put_rates(o, &r);
	put_number(o, "aborts_per_commit", r.known, r.aborts_per_commit);
	put_number(o, "wasted_share", r.known, r.wasted_share);
	put_number(o, "conflicts_per_interval", r.known, r.conflicts_per_interval);
	put_number(o, "lost_share", r.known, r.lost_share);
	return o;
}

/* Of the run: the same on all nodes. */
static const char *model_name(unsigned consistency)
{
	static const char *const name[] = {[DSM_EV_TX] = "tx", [DSM_EV_SC] = "sc", [DSM_EV_RC] = "rc"};

	return consistency < sizeof(name) / sizeof(name[0]) ? name[consistency] : NULL;
}

/* Nodes, the program's name and its consistency model, and the number of records that the nodes have emitted. */
static void put_nodes(struct json_object *o, const struct aggregate *known)
{
	const struct agg_node *const *nodes;
	size_t n = aggregate__nodes(known, &nodes);
	struct json_object *list = json_object_new_array();
	const char *program = NULL, *model = NULL;
	char clean[128];
	uint64_t events = 0;

	for (size_t i = 0; i < n; i++) {
		json_object_array_add(list, node_json(nodes[i]));
		events += nodes[i]->counters.events;
		if (!program && nodes[i]->program[0])
			program = plain(nodes[i]->program, clean, sizeof(clean));
		model = model ? model : model_name(nodes[i]->consistency);
	}
	put_text(o, "program", program);
	put_text(o, "consistency", model);
	put(o, "nodes", list);
	put_u64(o, "events", events);
}

static void put_pages(struct json_object *o, struct aggregate *known)
{
	const struct agg_page *pages[LIVE_PAGES];
	size_t n = aggregate__hottest(known, pages, LIVE_PAGES);
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < n; i++)
		json_object_array_add(list, page_json(known, pages[i]));
	put(o, "pages", list);
}

static void put_losses(struct json_object *o, const struct aggregate *known)
{
	const struct trace_loss *losses;
	size_t n = aggregate__losses(known, &losses);
	struct json_object *lost = json_object_new_object();

	for (size_t i = 0; i < n; i++)
		put_u64(lost, losses[i].type ? trace_record__name(losses[i].type) : "unknown",
			losses[i].count);
	put(o, "lost", lost);
	put_u64(o, "lost_total", aggregate__lost(known));
}

static void put_clocks(struct json_object *o, const struct hostclocks *clocks)
{
	struct json_object *k = json_object_new_object();
	size_t hosts;
	uint64_t error = hostclocks__error(clocks, &hosts);

	put_u64(k, "measured", hosts);
	if (hosts > 1)
		put_u64(k, "error_ns", error);
	put_u64(k, "steps", hostclocks__steps(clocks));
	put(o, "clocks", k);
}

char *live__json(const struct live_state *s)
{
	struct json_object *o = json_object_new_object();
	const char *text;
	char *line = NULL;
	char run[24];

	if (!o)
		return NULL;
	snprintf(run, sizeof(run), "%016llx", (unsigned long long)s->run_id);
	put_text(o, "schema", "procope.live/1");
	put_u64(o, "time_ns", s->time_ns);
	put_number(o, "elapsed_s", true, s->elapsed_s);
	put_text(o, "source", s->source);
	put_text(o, "run_id", s->run_id ? run : NULL);
	put(o, "ended", json_object_new_boolean(s->ended));
	put_nodes(o, s->known);
	put(o, "total", total_json(s->known));
	put_pages(o, s->known);
	put_losses(o, s->known);
	if (s->clocks)
		put_clocks(o, s->clocks);
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text && asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	json_object_put(o);
	return line;
}
