// SPDX-License-Identifier: BSD-2-Clause
/*
 * collect_samples.c - what is read and written now and then, not with each record: the nodes' counters, the counts of
 * pages, losses, and once what is known of the run.
 */
#include "collector/collect.h"

#include <errno.h>
#include <stdlib.h>

void collect__write_info(struct collect *c)
{
	char *json;
	int rc;

	if (!c->trace || c->info_written)
		return;
	json = collect_json__info(c);
	rc = json ? trace_writer__info(c->trace, json) : -ENOMEM;
	free(json);
	if (rc)
		collect__failed(c, rc);
	c->info_written = true;
}

/* Of a node that has said in its last record what its counters stayed at, that holds: it may have been gone before its
 * memory was found, or may have been read a little before its end. */
static size_t add_last(const struct collect *c, struct trace_counters *out, size_t n)
{
	const struct agg_node *const *nodes;
	size_t known = aggregate__nodes(c->known, &nodes);

	for (size_t i = 0; i < known; i++) {
		size_t at = 0;

		if (!nodes[i]->has_last)
			continue;
		while (at < n && out[at].node != nodes[i]->node)
			at++;
		if (at == n)
			out[n++] = (struct trace_counters){.time_ns = collect__now(), .node = nodes[i]->node};
		out[at].counters = nodes[i]->last;
	}
	return n;
}

/* Reads the counters of all nodes; `out` gets one element a node. */
static size_t read_counters(struct collect *c, struct trace_counters **out)
{
	const struct agg_node *const *nodes;
	size_t n = 0, size = aggregate__nodes(c->known, &nodes);

	*out = NULL;
	for (struct node_view *v = nodes__first(c->nodes); v; v = v->next)
		size += collect__wants(c, v->run_id, v->node);
	if (size)
		*out = calloc(size, sizeof(**out));
	for (struct node_view *v = nodes__first(c->nodes); *out && v && n < size; v = v->next) {
		struct trace_counters *t = *out + n;
		if (!collect__wants(c, v->run_id, v->node))
			continue;
		t->time_ns = collect__now();
		t->node = v->node;
		n += node_view__counters(v, &t->counters);
	}
	return *out ? add_last(c, *out, n) : 0;
}

void collect__sample(struct collect *c, uint64_t now)
{
	struct trace_counters *counters;
	size_t n = read_counters(c, &counters);

	c->source->ops->poll(c->source, &c->sink, true);
	for (size_t i = 0; i < n; i++)
		aggregate__sample_node(c->known, &counters[i]);
	free(counters);
	if (c->last_sample_ns)
		aggregate__sample_pages(c->known, (double)(now - c->last_sample_ns) / 1e9);
	c->last_sample_ns = now;
}

static void write_counters(struct collect *c)
{
	struct trace_counters *counters;
	size_t n = read_counters(c, &counters);
	int rc = n ? trace_writer__counters(c->trace, counters, n) : 0;

	free(counters);
	if (rc)
		collect__failed(c, rc);
}

void collect__write_statistics(struct collect *c)
{
	const struct trace_page_stat *pages;
	const struct trace_loss *losses;
	size_t n;
	int rc;

	if (!c->trace || !c->run_id)
		return;
	collect__write_info(c);
	write_counters(c);
	rc = aggregate__take_pages(c->known, &pages, &n);
	if (!rc && n)
		rc = trace_writer__pages(c->trace, pages, n);
	n = aggregate__losses(c->known, &losses);
	if (!rc && n)
		rc = trace_writer__losses(c->trace, losses, n);
	if (!rc)
		rc = trace_writer__flush(c->trace);
	if (rc)
		collect__failed(c, rc);
}
