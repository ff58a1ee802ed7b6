/* SPDX-License-Identifier: BSD-2-Clause */
#include "viewer/model.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/live.h"

/* Of transactions that abort, and of intervals that wait. */
static const char *const page_key_names[PAGE_KEYS][2] = {
	[PAGE_WASTED] = {"wasted", "waited"},
	[PAGE_ABORTS] = {"aborts", "conflicts"},
	[PAGE_FETCHES] = {"fetches", "fetches"},
	[PAGE_TRANSFERS] = {"transfers", "transfers"},
	[PAGE_INVALIDATIONS] = {"invalidations", "invalidations"},
	[PAGE_UPDATES] = {"updates", "updates"},
	[PAGE_ADDRESS] = {"page", "page"},
	[PAGE_OBJECT] = {"object", "object"},
};

static const char *const node_key_names[NODE_KEYS][2] = {
	[NODE_NUMBER] = {"node", "node"},	 [NODE_COMMITS] = {"commits", "intervals"},
	[NODE_ABORTS] = {"aborts", "conflicts"}, [NODE_WASTED] = {"wasted", "lost"},
	[NODE_WORK] = {"work", "work"},		 [NODE_FETCHES] = {"fetches", "transfers"},
};

void model__init(struct model *m)
{
	memset(m, 0, sizeof(*m));
}

void model__free(struct model *m)
{
	live__free(&m->shown);
	live__free(&m->last);
}

const char *model__page_key_name(enum page_key key, bool intervals)
{
	return (unsigned)key < PAGE_KEYS ? page_key_names[key][intervals] : "?";
}

const char *model__node_key_name(enum node_key key, bool intervals)
{
	return (unsigned)key < NODE_KEYS ? node_key_names[key][intervals] : "?";
}

int model__page_key(const char *name)
{
	for (int i = 0; i < PAGE_KEYS; i++)
		if (!strcmp(name, page_key_names[i][0]) || !strcmp(name, page_key_names[i][1]))
			return i;
	return -EINVAL;
}

/* ---- order ---- */

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? 1 : a > b ? -1 : 0; /* largest first */
}

static int compare_real(double a, double b)
{
	a = isnan(a) ? -1 : a;
	b = isnan(b) ? -1 : b;
	return a < b ? 1 : a > b ? -1 : 0;
}

static int by_fetches(const struct model_page *a, const struct model_page *b)
{
	int d = compare_real(a->fetches_per_s, b->fetches_per_s);

	return d ? d : compare_u64(a->fetches, b->fetches);
}

static int compare_pages(const void *va, const void *vb, void *vm)
{
	const struct model_page *a = va, *b = vb;
	const struct model *m = vm;
	int d = 0;

	switch (m->page_key) {
	case PAGE_WASTED:
		d = m->shown.intervals ? compare_u64(a->fetch_ns, b->fetch_ns)
				       : compare_u64(a->wasted_ns, b->wasted_ns);
		d = d ? d : by_fetches(a, b);
		break;
	case PAGE_ABORTS:
		d = compare_real(a->aborts_per_s, b->aborts_per_s);
		d = d ? d : compare_u64(a->aborts, b->aborts);
		d = d ? d : by_fetches(a, b);
		break;
	case PAGE_FETCHES:
		d = by_fetches(a, b);
		break;
	case PAGE_TRANSFERS:
		d = compare_u64(a->transfers, b->transfers);
		break;
	case PAGE_INVALIDATIONS:
		d = compare_u64(a->invalidations, b->invalidations);
		break;
	case PAGE_UPDATES:
		d = compare_u64(a->updates, b->updates);
		break;
	case PAGE_OBJECT: /* unnamed pages last */
		d = (int)b->named - (int)a->named;
		d = d ? d : strcmp(a->root[0] ? a->root : a->object, b->root[0] ? b->root : b->object);
		break;
	default:
		break;
	}
	d = d ? d : compare_u64(b->offset, a->offset);
	return d;
}

static double node_value(const struct model_node *n, enum node_key key, bool intervals)
{
	switch (key) {
	case NODE_COMMITS:
		return intervals ? n->rate.intervals : n->rate.commits;
	case NODE_ABORTS:
		return intervals ? n->rate.conflicts : n->rate.aborts;
	case NODE_WASTED:
		return intervals ? n->lost : n->wasted;
	case NODE_WORK:
		return n->rate.work;
	case NODE_FETCHES:
		return intervals ? n->rate.transfers : n->rate.fetches;
	default:
		return 0;
	}
}

static int compare_nodes(const void *va, const void *vb, void *vm)
{
	const struct model_node *a = va, *b = vb;
	const struct model *m = vm;
	int d = compare_real(node_value(a, m->node_key, m->shown.intervals),
			     node_value(b, m->node_key, m->shown.intervals));

	return d ? d : a->node < b->node ? -1 : a->node > b->node;
}

static void order_pages(struct model *m)
{
	if (m->shown.npages)
		qsort_r(m->shown.pages, m->shown.npages, sizeof(*m->shown.pages), compare_pages, m);
}

void model__sort_pages(struct model *m, enum page_key key)
{
	m->page_key = key;
	m->page_key_chosen = true;
	order_pages(m);
}

void model__sort_nodes(struct model *m, enum node_key key)
{
	m->node_key = key;
	if (m->shown.nnodes)
		qsort_r(m->shown.nodes, m->shown.nnodes, sizeof(*m->shown.nodes), compare_nodes, m);
}

/* ---- samples ---- */

static const struct model_node *find_node(const struct model_sample *s, unsigned node, size_t hint)
{
	if (hint < s->nnodes && s->nodes[hint].node == node)
		return &s->nodes[hint];
	for (size_t i = 0; i < s->nnodes; i++)
		if (s->nodes[i].node == node)
			return &s->nodes[i];
	return NULL;
}

static double share(uint64_t now, uint64_t before, double ns)
{
	double d = now >= before ? (double)(now - before) / ns : 0;

	return d > 1 ? 1
		     : d; /* an attempt is counted when it ends, so one may reach back past the interval */
}

/* The bars: what each node did with the time since the sample before. */
static void fill_shares(struct model_sample *now, const struct model_sample *before)
{
	double ns = now->time_ns > before->time_ns ? (double)(now->time_ns - before->time_ns) : 0;

	for (size_t i = 0; i < now->nnodes && ns > 0; i++) {
		struct model_node *n = &now->nodes[i];
		const struct model_node *b = find_node(before, n->node, i);

		if (!b)
			continue;
		n->committed = share(n->counters.committed_ns, b->counters.committed_ns, ns);
		n->wasted = share(n->counters.wasted_ns, b->counters.wasted_ns, ns);
		n->barrier = share(n->counters.barrier_ns, b->counters.barrier_ns, ns);
		n->fetching = share(n->counters.fetch_ns - n->counters.wasted_fetch_ns,
				    b->counters.fetch_ns - b->counters.wasted_fetch_ns, ns);
		n->locking = share(n->counters.lock_ns, b->counters.lock_ns, ns);
		n->flushing = share(n->counters.flush_ns, b->counters.flush_ns, ns);
		n->lost = fmin(1, n->wasted + n->fetching + n->locking + n->flushing);
	}
}

/* The last line of a run may repeat the time of the one before: keep the bars then. */
static void keep_shares(struct model_sample *now, const struct model_sample *before)
{
	for (size_t i = 0; i < now->nnodes; i++) {
		const struct model_node *b = find_node(before, now->nodes[i].node, i);

		if (b && isnan(now->nodes[i].committed)) {
			now->nodes[i].committed = b->committed;
			now->nodes[i].wasted = b->wasted;
			now->nodes[i].barrier = b->barrier;
			now->nodes[i].fetching = b->fetching;
			now->nodes[i].locking = b->locking;
			now->nodes[i].flushing = b->flushing;
			now->nodes[i].lost = b->lost;
		}
	}
}

static void show(struct model *m, struct model_sample *s)
{
	live__free(&m->shown);
	m->shown = *s;
	memset(s, 0, sizeof(*s));
	if (!m->page_key_chosen)
		m->page_key = !strcmp(m->shown.consistency, "rc") ? PAGE_ABORTS : PAGE_WASTED;
	order_pages(m);
	model__sort_nodes(m, m->node_key);
}

int model__line(struct model *m, const char *line, size_t length)
{
	const struct model_sample *before = m->last.valid ? &m->last : &m->shown;
	struct model_sample s;
	int rc = live__parse(line, length, &s, m->error, sizeof(m->error));

	if (rc) {
		m->bad_lines++;
		return rc;
	}
	if (before->valid) {
		fill_shares(&s, before);
		keep_shares(&s, before);
	}
	if (!isnan(s.intervals ? s.rate.conflicts : s.rate.aborts))
		m->history[m->nhistory++ % MODEL_HISTORY] = s.intervals ? s.rate.conflicts : s.rate.aborts;
	m->samples++;
	m->ended |= s.ended;
	if (m->paused && m->shown.valid) {
		live__free(&m->last);
		m->last = s;
	} else {
		show(m, &s);
	}
	return 1;
}

void model__pause(struct model *m, bool paused)
{
	m->paused = paused;
	if (!paused && m->last.valid)
		show(m, &m->last);
}

void model_page__describe(const struct model_page *p, char *dst, size_t size)
{
	int n;

	if (!p->named) {
		snprintf(dst, size,
			 p->objects   ? "(%u objects, none named)"
			 : !p->offset ? "(table of roots)"
				      : "(no object known)",
			 p->objects);
		return;
	}
	n = snprintf(dst, size, "%s%s%s", p->root, p->root[0] ? ": " : "", p->object);
	if (p->offset > p->object_offset && n > 0 && (size_t)n < size) /* the page is not its first */
		n += snprintf(dst + n, size - (size_t)n, " +0x%llx",
			      (unsigned long long)(p->offset - p->object_offset));
	if (p->objects > 1 && n > 0 && (size_t)n < size)
		snprintf(dst + n, size - (size_t)n, ", %u more", p->objects - 1);
}
