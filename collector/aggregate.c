// SPDX-License-Identifier: BSD-2-Clause
/*
 * aggregate.c - nodes, pages and losses of one run. The names of things are in aggregate_names.c.
 */
#include "collector/aggregate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/aggregate_names.h"
#include "collector/lost_time.h"
#include "collector/table.h"

struct page_node { /* one page on one node */
	struct trace_page_stat total, taken;
};

struct aggregate {
	struct names names;
	struct agg_node **nodes; /* ascending by node */
	size_t nnodes;
	struct table pages;	 /* (page, 0) -> struct agg_page */
	struct table page_nodes; /* (page, node) -> struct page_node */
	struct trace_page_stat *taken;
	size_t taken_size;
	const struct agg_page **order; /* for hottest() */
	size_t order_size;
	struct trace_loss losses[DSM_EV_TYPE_MAX]; /* dense: only types with loss */
	size_t nlosses;
	uint64_t counts[DSM_EV_TYPE_MAX];
	uint64_t repeated;
};

struct aggregate *aggregate__new(void)
{
	return calloc(1, sizeof(struct aggregate));
}

void aggregate__free(struct aggregate *a)
{
	if (!a)
		return;
	names__free(&a->names);
	for (size_t i = 0; i < a->nnodes; i++)
		free(a->nodes[i]);
	free(a->nodes);
	table__free(&a->pages, free);
	table__free(&a->page_nodes, free);
	free(a->taken);
	free(a->order);
	free(a);
}

/* ---- nodes ---- */

/* Index of the node, or where it belongs. */
static size_t node_slot(const struct aggregate *a, uint16_t node)
{
	size_t low = 0, high = a->nnodes;

	while (low < high) {
		size_t middle = (low + high) / 2;
		if (a->nodes[middle]->node < node)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct agg_node *find_node(const struct aggregate *a, uint16_t node)
{
	size_t i = node_slot(a, node);

	return i < a->nnodes && a->nodes[i]->node == node ? a->nodes[i] : NULL;
}

static struct agg_node *need_node(struct aggregate *a, uint16_t node)
{
	struct agg_node *n = find_node(a, node);
	struct agg_node **grown;
	size_t at;

	if (n)
		return n;
	grown = realloc(a->nodes, (a->nnodes + 1) * sizeof(void *));
	if (!grown)
		return NULL;
	a->nodes = grown;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->node = node;
	at = node_slot(a, node);
	memmove(&grown[at + 1], &grown[at], (a->nnodes - at) * sizeof(void *));
	grown[at] = n;
	a->nnodes++;
	return n;
}

int aggregate__add_node(struct aggregate *a, uint16_t node, uint16_t nodes, uint32_t pid, uint64_t run_id)
{
	struct agg_node *n = need_node(a, node);

	if (!n)
		return -ENOMEM;
	n->nodes = nodes;
	n->pid = pid;
	n->run_id = run_id;
	return 0;
}

void aggregate__node_gone(struct aggregate *a, uint16_t node, bool clean)
{
	struct agg_node *n = find_node(a, node);

	if (!n || n->ended)
		return;
	n->ended = true;
	n->crashed = !clean;
}

const struct agg_node *aggregate__node(const struct aggregate *a, uint16_t node)
{
	return find_node(a, node);
}

size_t aggregate__nodes(const struct aggregate *a, const struct agg_node *const **nodes)
{
	*nodes = (const struct agg_node *const *)a->nodes;
	return a->nnodes;
}

static int node_record(struct aggregate *a, const struct dsm_ev_node *record)
{
	struct agg_node *n;

	if (aggregate__add_node(a, record->hdr.node, record->nodes, record->pid, record->run_id))
		return -ENOMEM;
	n = find_node(a, record->hdr.node);
	n->described = true;
	n->consistency = record->consistency;
	memcpy(n->host, record->host, sizeof(n->host));
	memcpy(n->program, record->program, sizeof(n->program));
	return 0;
}

static int end_record(struct aggregate *a, const struct dsm_ev_end *record)
{
	struct agg_node *n = need_node(a, record->hdr.node);

	if (!n)
		return -ENOMEM;
	n->ended = true;
	n->crashed = false;
	n->status = record->status;
	n->has_last = record->counters_bytes > 0;
	memset(&n->last, 0, sizeof(n->last));
	memcpy(&n->last, record->counters,
	       record->counters_bytes < sizeof(n->last) ? record->counters_bytes : sizeof(n->last));
	return 0;
}

static struct agg_page *need_page(struct aggregate *a, dsm_ev_page page);

/* A page's moves come from several nodes, and perhaps not in their order: a later version comes from a later home. */
static int move_record(struct aggregate *a, const struct dsm_ev_move *r)
{
	struct agg_page *p = need_page(a, r->page);

	if (!p)
		return -ENOMEM;
	p->home_moves++;
	if (r->version >= p->home_version) {
		p->home_version = r->version;
		p->home = r->to;
	}
	return 0;
}

int aggregate__record(struct aggregate *a, const struct dsm_ev_hdr *record)
{
	int rc = names__record(&a->names, record);

	if (rc < 0)
		return rc;
	if (rc) {
		a->repeated++;
		return rc;
	}
	a->counts[record->type < DSM_EV_TYPE_MAX ? record->type : 0]++;
	switch (record->type) {
	case DSM_EV_NODE:
		return node_record(a, (const void *)record);
	case DSM_EV_END:
		return end_record(a, (const void *)record);
	case DSM_EV_MOVE:
		return move_record(a, (const void *)record);
	default:
		return 0;
	}
}

/* ---- rates ---- */

static double share(double part, double rest)
{
	return part + rest > 0 ? part / (part + rest) : 0;
}

struct change { /* of the counters that rates are made of, over an interval */
	double commits, aborts, work, fetches, bytes_in, wasted, committed;
	double intervals, meets, transfers, lock_waits, flushes, lost_ns;
};

static double ratio(double part, double whole)
{
	return whole > 0 ? part / whole : 0;
}

static struct agg_rates rates_of(const struct change *c, double seconds)
{
	return (struct agg_rates){
		.known = true,
		.commits = c->commits / seconds,
		.aborts = c->aborts / seconds,
		.work = c->work / seconds,
		.fetches = c->fetches / seconds,
		.bytes_in = c->bytes_in / seconds,
		.aborts_per_commit = ratio(c->aborts, c->commits),
		.wasted_share = share(c->wasted, c->committed),
		.intervals = c->intervals / seconds,
		.meets = c->meets / seconds,
		.transfers = c->transfers / seconds,
		.lock_waits = c->lock_waits / seconds,
		.flushes = c->flushes / seconds,
		.conflicts_per_interval = ratio(c->meets, c->intervals),
		/* a wait is counted when it ends, so one may reach back past the interval */
		.lost_share = c->lost_ns < seconds * 1e9 ? c->lost_ns / (seconds * 1e9) : 1,
	};
}

/* Counters only grow; a page of somebody else's memory may say otherwise, which counts as no change. */
static struct dsm_counters grown(const struct dsm_counters *now, const struct dsm_counters *before)
{
	struct dsm_counters by;

#define X(name, meaning) by.name = now->name > before->name ? now->name - before->name : 0;
	DSM_COUNTERS(X)
#undef X
	return by;
}

static struct change change_of(const struct agg_node *n)
{
	struct dsm_counters growth = grown(&n->counters, &n->before);

	return (struct change){
		.commits = (double)growth.commits,
		.aborts = (double)growth.aborts,
		.work = (double)growth.work,
		.fetches = (double)growth.faults_fetch,
		.bytes_in = (double)growth.bytes_in,
		.wasted = (double)growth.wasted_ns,
		.committed = (double)growth.committed_ns,
		.intervals = (double)growth.intervals,
		.meets = (double)growth.meets,
		.transfers = (double)growth.pages_in,
		.lock_waits = (double)growth.locks_remote,
		.flushes = (double)growth.flushes,
		.lost_ns = (double)lost_time__ns(&growth),
	};
}

void aggregate__sample_node(struct aggregate *a, const struct trace_counters *c)
{
	struct agg_node *n = need_node(a, c->node);
	struct change change;

	if (!n || c->time_ns <= n->sampled_ns)
		return;
	n->before = n->counters;
	n->before_ns = n->sampled_ns;
	n->counters = c->counters;
	n->sampled_ns = c->time_ns;
	if (!n->before_ns)
		return;
	change = change_of(n);
	n->rates = rates_of(&change, (double)(n->sampled_ns - n->before_ns) / 1e9);
}

struct agg_rates aggregate__total(const struct aggregate *a)
{
	struct agg_rates total = {0};
	struct change sum = {0};
	double known = 0;

	for (size_t i = 0; i < a->nnodes; i++) {
		const struct agg_node *n = a->nodes[i];
		struct change c = change_of(n);
		if (!n->rates.known)
			continue;
		total.known = true;
		total.commits += n->rates.commits;
		total.aborts += n->rates.aborts;
		total.work += n->rates.work;
		total.fetches += n->rates.fetches;
		total.bytes_in += n->rates.bytes_in;
		total.intervals += n->rates.intervals;
		total.meets += n->rates.meets;
		total.transfers += n->rates.transfers;
		total.lock_waits += n->rates.lock_waits;
		total.flushes += n->rates.flushes;
		total.lost_share += n->rates.lost_share;
		known++;
		sum.wasted += c.wasted;
		sum.committed += c.committed;
	}
	total.aborts_per_commit = ratio(total.aborts, total.commits);
	total.conflicts_per_interval = ratio(total.meets, total.intervals);
	total.lost_share = ratio(total.lost_share, known);
	total.wasted_share = share(sum.wasted, sum.committed);
	return total;
}

/* ---- pages ---- */

bool aggregate__page_of(const struct dsm_ev_hdr *record, struct trace_page_stat *stat)
{
	*stat = (struct trace_page_stat){.node = record->node};
	switch (record->type) {
	case DSM_EV_FAULT: {
		const struct dsm_ev_fault *f = (const void *)record;
		stat->page = f->page;
		stat->fetches = f->kind == DSM_EV_FAULT_FETCH;
		stat->fetch_ns = f->kind == DSM_EV_FAULT_FETCH ? f->wait_ns : 0;
		return f->kind == DSM_EV_FAULT_FETCH;
	}
	case DSM_EV_TRANSFER: {
		const struct dsm_ev_transfer *t = (const void *)record;
		stat->page = t->page;
		stat->transfers = 1;
		stat->bytes = t->bytes;
		return true;
	}
	case DSM_EV_INVALIDATE:
		stat->page = ((const struct dsm_ev_invalidate *)record)->page;
		stat->invalidations = 1;
		return true;
	case DSM_EV_UPDATE:
		stat->page = ((const struct dsm_ev_update *)record)->page;
		stat->updates = 1;
		return true;
	case DSM_EV_ABORT: {
		const struct dsm_ev_abort *a = (const void *)record;
		stat->page = a->nmeetings ? a->meeting[0].page : 0;
		stat->aborts = 1;
		stat->wasted_ns = a->wasted_ns;
		return true;
	}
	case DSM_EV_MEET: {
		const struct dsm_ev_meet *m = (const void *)record;
		stat->page = m->nmet ? m->met[0].page : 0;
		stat->aborts = 1;
		return m->model != DSM_EV_TX; /* there nothing was lost, and who was not undone is no abort */
	}
	default:
		return false;
	}
}

static void add(struct trace_page_stat *to, const struct trace_page_stat *delta)
{
	to->fetches += delta->fetches;
	to->fetch_ns += delta->fetch_ns;
	to->transfers += delta->transfers;
	to->bytes += delta->bytes;
	to->invalidations += delta->invalidations;
	to->updates += delta->updates;
	to->aborts += delta->aborts;
	to->wasted_ns += delta->wasted_ns;
}

static struct agg_page *need_page(struct aggregate *a, dsm_ev_page page)
{
	struct table_key key = {page, 0};
	struct agg_page *p = table__get(&a->pages, key);

	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->page = p->total.page = page;
	p->fetches_per_s = p->aborts_per_s = -1;
	if (table__put(&a->pages, key, p)) {
		free(p);
		return NULL;
	}
	return p;
}

static struct page_node *need_page_node(struct aggregate *a, dsm_ev_page page, uint16_t node)
{
	struct table_key key = {page, node};
	struct page_node *p = table__get(&a->page_nodes, key);

	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->total.page = page;
	p->total.node = node;
	if (table__put(&a->page_nodes, key, p)) {
		free(p);
		return NULL;
	}
	return p;
}

int aggregate__add_page(struct aggregate *a, const struct trace_page_stat *delta)
{
	struct agg_page *page = need_page(a, delta->page);
	struct page_node *on_node = need_page_node(a, delta->page, delta->node);

	if (!page || !on_node)
		return -ENOMEM;
	add(&page->total, delta);
	add(&on_node->total, delta);
	return 0;
}

static bool difference(const struct page_node *p, struct trace_page_stat *d)
{
	const struct trace_page_stat *now = &p->total, *then = &p->taken;

	*d = (struct trace_page_stat){
		.page = now->page,
		.node = now->node,
		.fetches = now->fetches - then->fetches,
		.fetch_ns = now->fetch_ns - then->fetch_ns,
		.transfers = now->transfers - then->transfers,
		.bytes = now->bytes - then->bytes,
		.invalidations = now->invalidations - then->invalidations,
		.updates = now->updates - then->updates,
		.aborts = now->aborts - then->aborts,
		.wasted_ns = now->wasted_ns - then->wasted_ns,
	};
	return d->fetches || d->fetch_ns || d->transfers || d->bytes || d->invalidations || d->updates ||
	       d->aborts || d->wasted_ns;
}

int aggregate__take_pages(struct aggregate *a, const struct trace_page_stat **pages, size_t *count)
{
	struct page_node *p;
	size_t at = 0;

	*count = 0;
	if (a->taken_size < a->page_nodes.used) {
		struct trace_page_stat *grown = realloc(a->taken, a->page_nodes.used * 2 * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		a->taken = grown;
		a->taken_size = a->page_nodes.used * 2;
	}
	while ((p = table__next(&a->page_nodes, &at))) {
		if (!difference(p, &a->taken[*count]))
			continue;
		p->taken = p->total;
		++*count;
	}
	*pages = a->taken;
	return 0;
}

void aggregate__sample_pages(struct aggregate *a, double seconds)
{
	struct agg_page *p;
	size_t at = 0;

	while ((p = table__next(&a->pages, &at))) {
		p->fetches_per_s = (double)(p->total.fetches - p->fetches_before) / seconds;
		p->aborts_per_s = (double)(p->total.aborts - p->aborts_before) / seconds;
		p->fetches_before = p->total.fetches;
		p->aborts_before = p->total.aborts;
	}
}

static int hotter(const void *x, const void *y)
{
	const struct agg_page *a = *(const struct agg_page *const *)x,
			      *b = *(const struct agg_page *const *)y;

	if (a->total.wasted_ns != b->total.wasted_ns)
		return a->total.wasted_ns > b->total.wasted_ns ? -1 : 1;
	if (a->total.aborts != b->total.aborts) /* of sc and rc, where no attempt is wasted */
		return a->total.aborts > b->total.aborts ? -1 : 1;
	if (a->total.fetches != b->total.fetches)
		return a->total.fetches > b->total.fetches ? -1 : 1;
	return a->page < b->page ? -1 : a->page > b->page;
}

size_t aggregate__hottest(struct aggregate *a, const struct agg_page **pages, size_t most)
{
	const struct agg_page *p;
	size_t at = 0, n = 0;

	if (a->order_size < a->pages.used) {
		const struct agg_page **grown = realloc(a->order, a->pages.used * 2 * sizeof(void *));
		if (!grown)
			return 0;
		a->order = grown;
		a->order_size = a->pages.used * 2;
	}
	while ((p = table__next(&a->pages, &at))) {
		if (p->page) /* 0: aborts that no page caused */
			a->order[n++] = p;
	}
	if (n)
		qsort(a->order, n, sizeof(void *), hotter);
	if (n > most)
		n = most;
	if (n)
		memcpy(pages, a->order, n * sizeof(void *));
	return n;
}

size_t aggregate__page_nodes(const struct aggregate *a, dsm_ev_page page, uint16_t *nodes, size_t most)
{
	size_t n = 0;

	for (size_t i = 0; i < a->nnodes && n < most; i++) {
		if (table__get(&a->page_nodes, (struct table_key){page, a->nodes[i]->node}))
			nodes[n++] = a->nodes[i]->node;
	}
	return n;
}

/* ---- losses and counts ---- */

void aggregate__add_loss(struct aggregate *a, unsigned type, uint64_t count)
{
	size_t i = 0;

	if (type >= DSM_EV_TYPE_MAX)
		type = 0;
	if (!count)
		return;
	while (i < a->nlosses && a->losses[i].type != type)
		i++;
	if (i == a->nlosses)
		a->losses[a->nlosses++] = (struct trace_loss){.type = (uint16_t)type};
	a->losses[i].count += count;
}

size_t aggregate__losses(const struct aggregate *a, const struct trace_loss **losses)
{
	*losses = a->losses;
	return a->nlosses;
}

uint64_t aggregate__lost(const struct aggregate *a)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < a->nlosses; i++)
		sum += a->losses[i].count;
	return sum;
}

const uint64_t *aggregate__counts(const struct aggregate *a)
{
	return a->counts;
}

uint64_t aggregate__repeated(const struct aggregate *a)
{
	return a->repeated;
}

/* ---- names ---- */

const struct agg_object *aggregate__object_on(struct aggregate *a, dsm_ev_page page, size_t *count)
{
	return names__object_on(&a->names, page, count);
}

const char *aggregate__type_name(const struct aggregate *a, const struct agg_object *object)
{
	return names__type(&a->names, object->node, object->type);
}

const char *aggregate__root_name(struct aggregate *a, const struct agg_object *object)
{
	return names__root(&a->names, object->offset, object->bytes);
}
