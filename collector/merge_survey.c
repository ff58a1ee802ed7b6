// SPDX-License-Identifier: BSD-2-Clause
/* merge_survey.c - which node is in which trace, and what the nodes have measured of the hosts' clocks. */
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

static int take_record(struct merge *m, struct merge_part *p, const struct dsm_ev_hdr *r)
{
	int rc = r->type == DSM_EV_NODE ? take_node(m, p, (const void *)r) : 0;

	if (!rc)
		rc = merge__own(m, p, r->node);
	if (rc)
		return rc;
	if (!p->first_ns)
		p->first_ns = r->time_ns;
	if (r->type == DSM_EV_END) {
		m->node[r->node].ended = true;
		m->node[r->node].status = ((const struct dsm_ev_end *)r)->status;
	}
	return hostclocks__take(m->clocks, (size_t)(p - m->part), r);
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

/* The result grows under the name OUTPUT.partial, which a part that a collector could not finish may have. */
static bool is_in_the_way(const struct merge *m, const struct stat *part)
{
	char partial[PATH_MAX];
	struct stat st;
	int n = snprintf(partial, sizeof(partial), "%s.partial", m->options->output);

	return n < (int)sizeof(partial) && stat(partial, &st) == 0 && st.st_dev == part->st_dev &&
	       st.st_ino == part->st_ino;
}

static int check_part(const struct merge *m, const struct merge_part *p)
{
	struct stat st;

	if (stat(p->path, &st) || S_ISDIR(st.st_mode))
		return 0; /* opening it says why not */
	if (!S_ISREG(st.st_mode)) {
		fprintf(stderr, "dsmcollect: --merge %s: a part is read twice: give a file\n", p->path);
		return 2;
	}
	if (is_in_the_way(m, &st)) {
		fprintf(stderr,
			"dsmcollect: --merge %s: the result has that name until it is complete: rename this "
			"part, "
			"or name another result (-o)\n",
			p->path);
		return 2;
	}
	return 0;
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
	int rc = check_part(m, p);

	if (!rc)
		rc = open_part(p);
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
	return merge__relate(m);
}
