// SPDX-License-Identifier: BSD-2-Clause
/*
 * merge_survey.c - which node is in which trace, and how the hosts' clocks differ.
 *
 * The nodes measure their clocks against one another about once a second (CLOCK records): the offset is
 * exact to half the round trip. All nodes of a trace are of one host and share its clock, so any pair of nodes
 * serves for a pair of hosts; the one with the shortest round trip is taken. Where no message went between two
 * hosts, others that reach both help; without any, the wall clocks at the collectors' start must do.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/merge_parts.h"
#include "collector/shown.h"

int merge__own(struct merge *m, struct merge_part *p, uint16_t node)
{
	uint16_t self = (uint16_t)(p - m->part + 1);
	struct merge_node *n = &m->node[node];

	if (n->part && n->part != self) {
		fprintf(stderr, "dsmcollect: %s and %s both hold node %u: give each node's trace once\n",
			m->part[n->part - 1].path, p->path, node);
		return 2;
	}
	n->part = self;
	if (node < m->lowest)
		m->lowest = node;
	return 0;
}

static int take_node(struct merge *m, struct merge_part *p, const struct dsm_ev_node *r)
{
	struct merge_node *n = &m->node[r->hdr.node];

	if (m->run_id && m->run_id != r->run_id) {
		fprintf(stderr,
			"dsmcollect: %s is of run %016llx, and what was read before of run %016llx: merge "
			"traces of one run\n",
			p->path, (unsigned long long)r->run_id, (unsigned long long)m->run_id);
		return 2;
	}
	m->run_id = p->run_id = r->run_id;
	n->pid = r->pid;
	shown__copy(n->host, sizeof(n->host), r->host);
	if (!m->program[0])
		shown__copy(m->program, sizeof(m->program), r->program);
	if (r->nodes > m->nodes)
		m->nodes = r->nodes;
	return 0;
}

static int take_clock(struct merge_part *p, const struct dsm_ev_clock *r)
{
	struct merge_edge *more;

	if (!r->rtt_ns || r->offset_ns == INT64_MIN)
		return 0;
	if (r->peer >= p->edges) {
		more = reallocarray(p->edge, r->peer + 1u, sizeof(*more));
		if (!more)
			return -ENOMEM;
		memset(more + p->edges, 0, (r->peer + 1u - p->edges) * sizeof(*more));
		p->edge = more;
		p->edges = r->peer + 1u;
	}
	if (!p->edge[r->peer].rtt_ns || r->rtt_ns < p->edge[r->peer].rtt_ns)
		p->edge[r->peer] = (struct merge_edge){r->offset_ns, r->rtt_ns};
	return 0;
}

static int take_record(struct merge *m, struct merge_part *p, const struct dsm_ev_hdr *r)
{
	int rc = r->type == DSM_EV_NODE ? take_node(m, p, (const void *)r) : 0;

	if (!rc)
		rc = merge__own(m, p, r->node);
	if (rc)
		return rc;
	if (r->type == DSM_EV_CLOCK)
		return take_clock(p, (const void *)r);
	if (r->type == DSM_EV_END) {
		m->node[r->node].ended = true;
		m->node[r->node].status = ((const struct dsm_ev_end *)r)->status;
	}
	return 0;
}

static uint64_t number(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_uint64(v) : 0;
}

static int take_info(struct merge_part *p, const char *json)
{
	struct json_object *o = json_tokener_parse(json);

	p->wall_ns = number(o, "start_ns");
	p->monotonic_ns = number(o, "monotonic_ns");
	json_object_put(o);
	free(p->info);
	p->info = strdup(json);
	return p->info ? 0 : -ENOMEM;
}

static int take_item(struct merge *m, struct merge_part *p, const struct trace_item *item)
{
	int rc = 0;

	switch (item->kind) {
	case TRACE_RECORD:
		return take_record(m, p, item->record);
	case TRACE_COUNTERS:
		for (size_t i = 0; i < item->count && !rc; i++)
			rc = merge__own(m, p, item->counters[i].node);
		return rc;
	case TRACE_INFO:
		return take_info(p, item->json);
	case TRACE_SUMMARY:
		free(p->summary);
		p->summary = strdup(item->json);
		p->closed = true;
		return p->summary ? 0 : -ENOMEM;
	default:
		return 0;
	}
}

static int open_part(struct merge_part *p)
{
	int rc = trace_reader__open(&p->reader, p->path);

	if (!rc)
		return 0;
	fprintf(stderr, "dsmcollect: %s: %s\n", p->path,
		rc == -EBADMSG ? "not a trace"
		: rc == -EPROTONOSUPPORT
			? "written by a newer version of Procope; use that version's dsmcollect"
			: strerror(-rc));
	return 2;
}

static int survey_part(struct merge *m, struct merge_part *p)
{
	struct trace_item item;
	int rc = open_part(p);

	if (rc)
		return rc;
	for (;;) {
		rc = trace_reader__next(p->reader, &item);
		if (rc == -EBADMSG) {
			p->damaged = true;
			continue;
		}
		if (rc == -ENODATA)
			p->cut = true;
		if (rc || item.kind == TRACE_END_OF_FILE)
			break;
		rc = take_item(m, p, &item);
		if (rc)
			break;
	}
	p->lost_total = trace_reader__lost(p->reader);
	trace_reader__close(p->reader);
	p->reader = NULL;
	if (rc == -ENODATA)
		rc = 0;
	if (rc < 0) {
		fprintf(stderr, "dsmcollect: %s: %s\n", p->path, strerror(-rc));
		rc = 2;
	}
	return rc;
}

/* ---- clocks ---- */

/* What one part has measured of another: the shortest round trip from its nodes to a node there. */
static struct merge_edge between(const struct merge *m, size_t from, size_t to)
{
	const struct merge_part *p = &m->part[from];
	struct merge_edge best = {0};

	for (size_t n = 0; n < p->edges; n++)
		if (m->node[n].part == to + 1 && p->edge[n].rtt_ns &&
		    (!best.rtt_ns || p->edge[n].rtt_ns < best.rtt_ns))
			best = p->edge[n];
	return best;
}

/* The better of what both have measured, as `from` sees it. */
static struct merge_edge either(const struct merge *m, size_t from, size_t to)
{
	struct merge_edge a = between(m, from, to), b = between(m, to, from);

	if (b.rtt_ns && (!a.rtt_ns || b.rtt_ns < a.rtt_ns))
		a = (struct merge_edge){-b.offset_ns, b.rtt_ns};
	if ((uint64_t)llabs(a.offset_ns) <= a.rtt_ns / 2)
		a.offset_ns = 0; /* no difference that can be told: one machine with several names, say */
	return a;
}

/* Reaches one more part, by the shortest round trip to one that is known. False: none can be reached. */
static bool reach(struct merge *m)
{
	struct merge_edge best = {0};
	size_t from = 0, to = 0;

	for (size_t a = 0; a < m->nparts; a++)
		for (size_t b = 0; b < m->nparts && m->part[a].clock != MERGE_UNKNOWN; b++) {
			struct merge_edge e = {0};

			if (m->part[b].clock == MERGE_UNKNOWN)
				e = either(m, a, b);
			if (!e.rtt_ns || (best.rtt_ns && e.rtt_ns >= best.rtt_ns))
				continue;
			best = e;
			from = a;
			to = b;
		}
	if (!best.rtt_ns)
		return false;
	m->part[to].clock = MERGE_PING;
	/* Unsigned: a damaged record must not overflow. */
	m->part[to].shift_ns = (int64_t)((uint64_t)m->part[from].shift_ns - (uint64_t)best.offset_ns);
	m->part[to].error_ns = m->part[from].error_ns + best.rtt_ns / 2;
	return true;
}

static void relate_clocks(struct merge *m)
{
	struct merge_part *own = &m->part[m->node[m->lowest].part ? m->node[m->lowest].part - 1 : 0];

	for (size_t i = 0; i < m->nparts; i++)
		m->part[i].clock = MERGE_UNKNOWN;
	own->clock = MERGE_OWN;
	while (reach(m))
		;
	for (size_t i = 0; i < m->nparts; i++) {
		struct merge_part *p = &m->part[i];

		if (p->clock != MERGE_UNKNOWN || !p->wall_ns || !own->wall_ns)
			continue;
		p->clock = MERGE_WALL;
		p->shift_ns = (int64_t)((p->wall_ns - p->monotonic_ns) - (own->wall_ns - own->monotonic_ns));
	}
}

int merge__survey(struct merge *m)
{
	int rc = 0;

	m->lowest = UINT16_MAX;
	for (size_t i = 0; i < m->nparts && !rc; i++)
		rc = survey_part(m, &m->part[i]);
	if (rc)
		return rc;
	if (!m->run_id) {
		fprintf(stderr,
			"dsmcollect: nothing to merge: no node has described itself in these traces\n");
		return 2;
	}
	relate_clocks(m);
	return 0;
}
