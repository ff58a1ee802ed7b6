/* SPDX-License-Identifier: BSD-2-Clause */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/shown.h"
#include "homes.h"

static void copy_text(char *out, size_t size, const char *in, size_t in_size)
{
	size_t n = strnlen(in, in_size);

	n = n < size - 1 ? n : size - 1;
	memset(out, 0, size);
	memcpy(out, in, n);
}

/* A name that is shown and compared, but never looked up in the system. */
static void copy_name(char *out, size_t size, const char *in, size_t in_size)
{
	char raw[512];

	copy_text(raw, sizeof(raw), in, in_size);
	memset(out, 0, size);
	shown__copy(out, size, raw);
}

static void id_map__set(struct id_map *map, uint32_t id, uint32_t value)
{
	uint32_t number = table__intern(&map->ids, &id, sizeof(id));

	map->value = mem__grow(map->value, number, &map->cap, sizeof(*map->value));
	map->value[number] = value;
}

static uint32_t id_map__get(const struct id_map *map, uint32_t id)
{
	uint32_t number = table__find(&map->ids, &id, sizeof(id));

	return number == TABLE_NONE ? 0 : map->value[number];
}

static void id_map__free(struct id_map *map)
{
	table__free(&map->ids);
	mem__free(map->value);
}

void model__init(struct model *m)
{
	struct image image = {0};
	struct site site = {0};
	struct type type = {0};

	memset(m, 0, sizeof(*m));
	table__intern(&m->images, &image, sizeof(image));
	table__intern(&m->sites, &site, sizeof(site));
	table__intern(&m->types, &type, sizeof(type));
}

void model__free(struct model *m)
{
	for (size_t r = 0; r < m->runs.n; r++) {
		struct run *run = &m->runs.at[r];

		for (size_t i = 0; i < run->nodes.n; i++) {
			id_map__free(&run->nodes.at[i].modules);
			id_map__free(&run->nodes.at[i].sites);
			id_map__free(&run->nodes.at[i].types);
		}
		VEC_FREE(&run->nodes);
		hostclocks__free(run->clocks);
		mem__free(run->source_file);
		mem__free(run->info);
		mem__free(run->summary);
	}
	for (size_t g = 0; g < m->groups.n; g++)
		VEC_FREE(&m->groups.at[g].objects);
	VEC_FREE(&m->runs);
	VEC_FREE(&m->objects);
	VEC_FREE(&m->roots);
	VEC_FREE(&m->groups);
	VEC_FREE(&m->live_object);
	VEC_FREE(&m->pages);
	VEC_FREE(&m->homes);
	table__free(&m->home_ids);
	table__free(&m->images);
	table__free(&m->sites);
	table__free(&m->types);
	table__free(&m->group_ids);
	table__free(&m->live);
	table__free(&m->page_ids);
	mem__free(m->by_offset);
	mem__free(m->reach);
}

uint32_t model__run(struct model *m, uint64_t run_id, const char *file)
{
	struct run *run;

	for (size_t i = 0; i < m->runs.n; i++) {
		run = &m->runs.at[i];
		if (run_id && run->id == run_id) {
			char *both = mem__format("%s, %s", run->source_file, file);

			mem__free(run->source_file);
			run->source_file = both;
			return (uint32_t)i;
		}
	}
	run = VEC_ADD(&m->runs);
	*run = (struct run){.id = run_id, .source_file = mem__string(file)};
	run->first_ns = INT64_MAX;
	run->last_ns = INT64_MIN;
	return (uint32_t)m->runs.n - 1;
}

const struct node *model__find_node(const struct model *m, uint32_t run, uint16_t number)
{
	const struct run *r = &m->runs.at[run];
	size_t lo = 0, hi = r->nodes.n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (r->nodes.at[mid].number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < r->nodes.n && r->nodes.at[lo].number == number ? &r->nodes.at[lo] : NULL;
}

struct node *model__node(struct model *m, uint32_t run, uint16_t number)
{
	struct run *r = &m->runs.at[run];
	struct node *found = (struct node *)model__find_node(m, run, number);
	size_t i;

	if (found)
		return found;
	(void)VEC_ADD(&r->nodes);
	for (i = r->nodes.n - 1; i > 0 && r->nodes.at[i - 1].number > number; i--)
		r->nodes.at[i] = r->nodes.at[i - 1];
	r->nodes.at[i] = (struct node){.number = number};
	return &r->nodes.at[i];
}

/* ---- definitions ---- */

static void take_node(struct model *m, uint32_t run, const struct dsm_ev_node *rec)
{
	struct run *r = &m->runs.at[run];
	struct node *node = model__node(m, run, rec->hdr.node);

	if (!r->program[0])
		copy_name(r->program, sizeof(r->program), rec->program, sizeof(rec->program));
	copy_name(node->host, sizeof(node->host), rec->host, sizeof(rec->host));
	node->pid = rec->pid;
	node->page_log2 = rec->page_log2;
	node->consistency = rec->consistency;
	node->cluster = rec->nodes;
	node->region_bytes = rec->region_bytes;
	if (!node->seen && !(rec->hdr.flags & DSM_EV_F_RUNDOWN) && !node->counted) {
		node->from_start = true; /* then its counters started at nought, here */
		node->first = (struct trace_counters){.time_ns = rec->hdr.time_ns, .node = node->number};
	}
	node->seen = true;
}

static void take_module(struct model *m, uint32_t run, const struct dsm_ev_module *rec)
{
	struct node *node = model__node(m, run, rec->hdr.node);
	struct image image = {0};

	image.build_id_len = rec->build_id_len <= sizeof(image.build_id) ? rec->build_id_len : 0;
	memcpy(image.build_id, rec->build_id, image.build_id_len);
	copy_text(image.path, sizeof(image.path), rec->path, sizeof(rec->path));
	/* One program on two hosts may live under two paths: the build-id alone decides. */
	for (uint32_t i = 1; image.build_id_len && i < m->images.n; i++) {
		const struct image *known = model__image_at(m, i);

		if (known->build_id_len == image.build_id_len &&
		    !memcmp(known->build_id, image.build_id, image.build_id_len)) {
			id_map__set(&node->modules, rec->id, i);
			return;
		}
	}
	if (m->images.n < 4096)
		id_map__set(&node->modules, rec->id, table__intern(&m->images, &image, sizeof(image)));
}

static void take_site(struct model *m, uint32_t run, const struct dsm_ev_site *rec)
{
	struct node *node = model__node(m, run, rec->hdr.node);
	struct site site = {0};

	site.nframes = rec->nframes <= DSM_EV_FRAMES ? rec->nframes : DSM_EV_FRAMES;
	for (uint32_t i = 0; i < site.nframes; i++)
		site.frame[i] = model__code(m, run, rec->hdr.node, rec->frame[i]);
	id_map__set(&node->sites, rec->id, table__intern(&m->sites, &site, sizeof(site)));
}

static void take_type(struct model *m, uint32_t run, const struct dsm_ev_typedesc *rec)
{
	struct node *node = model__node(m, run, rec->hdr.node);
	struct type type = {0};

	type.size = rec->size;
	type.image = id_map__get(&node->modules, rec->module);
	copy_name(type.name, sizeof(type.name), rec->name, sizeof(rec->name));
	id_map__set(&node->types, rec->id, table__intern(&m->types, &type, sizeof(type)));
}

/* 73 years: no clock shows that, but a damaged trace may, and the difference of two times must be one. */
#define TIME_MOST ((int64_t)1 << 61)

int64_t model__time(const struct model *m, uint32_t run, uint16_t node, uint64_t time_ns)
{
	const struct hostclocks *clocks = m->runs.at[run].clocks;
	int part = clocks ? hostclocks__part_of(clocks, node) : -1;
	int64_t time = (int64_t)(part < 0 ? time_ns : hostclocks__time(clocks, (size_t)part, time_ns));

	return time > TIME_MOST ? TIME_MOST : time < -TIME_MOST ? -TIME_MOST : time;
}

uint32_t model__site(const struct model *m, uint32_t run, uint16_t node, uint32_t site_id)
{
	const struct node *n = model__find_node(m, run, node);

	return n && site_id ? id_map__get(&n->sites, site_id) : 0;
}

uint32_t model__type(const struct model *m, uint32_t run, uint16_t node, uint32_t type_id)
{
	const struct node *n = model__find_node(m, run, node);

	return n && type_id ? id_map__get(&n->types, type_id) : 0;
}

struct code model__code(const struct model *m, uint32_t run, uint16_t node, struct dsm_ev_ip ip)
{
	const struct node *n = model__find_node(m, run, node);
	uint32_t image = n && ip.module ? id_map__get(&n->modules, ip.module) : 0;

	return image ? (struct code){image, ip.offset} : (struct code){0, 0};
}

const struct site *model__site_at(const struct model *m, uint32_t site)
{
	return table__key(&m->sites, site, NULL);
}

const struct type *model__type_at(const struct model *m, uint32_t type)
{
	return table__key(&m->types, type, NULL);
}

const struct image *model__image_at(const struct model *m, uint32_t image)
{
	return table__key(&m->images, image, NULL);
}

static void take_root(struct model *m, uint32_t run, const struct dsm_ev_root *rec)
{
	struct root root = {.run = run, .offset = rec->offset};

	copy_name(root.name, sizeof(root.name), rec->name, sizeof(rec->name));
	for (size_t i = 0; i < m->roots.n; i++) {
		if (m->roots.at[i].run == run && !strcmp(m->roots.at[i].name, root.name)) {
			m->roots.at[i] = root;
			return;
		}
	}
	if (m->roots.n < 65536)
		*VEC_ADD(&m->roots) = root;
}

void model__record(struct model *m, uint32_t run, const struct dsm_ev_hdr *record)
{
	struct run *r = &m->runs.at[run];
	struct node *node = model__node(m, run, record->node);
	int64_t time = model__time(m, run, record->node, record->time_ns);

	r->records++;
	node->records++;
	r->first_ns = time < r->first_ns ? time : r->first_ns;
	r->last_ns = time > r->last_ns ? time : r->last_ns;
	if (record->type == DSM_EV_MEET && ((const struct dsm_ev_meet *)record)->model == DSM_EV_TX)
		m->kept = true;
	else
		m->intervals = m->intervals || (record->flags & DSM_EV_F_INTERVAL) ||
			       (record->type >= DSM_EV_INTERVAL && record->type <= DSM_EV_LOCK);
	switch (record->type) {
	case DSM_EV_NODE:
		take_node(m, run, (const void *)record);
		break;
	case DSM_EV_MODULE:
		take_module(m, run, (const void *)record);
		break;
	case DSM_EV_SITE:
		take_site(m, run, (const void *)record);
		break;
	case DSM_EV_TYPE:
		take_type(m, run, (const void *)record);
		break;
	case DSM_EV_OBJECT:
		model__take_object(m, run, (const void *)record, time);
		break;
	case DSM_EV_FREE:
		model__take_free(m, run, (const void *)record, time);
		break;
	case DSM_EV_ROOT:
		take_root(m, run, (const void *)record);
		break;
	case DSM_EV_MOVE:
		homes__take(m, run, (const void *)record, time);
		break;
	case DSM_EV_END:
		node->ended = true;
		node->status = ((const struct dsm_ev_end *)record)->status;
		break;
	default:
		break;
	}
}

/* ---- counts ---- */

void model__pages(struct model *m, uint32_t run, const struct trace_page_stat *pages, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct {
			uint64_t page;
			uint32_t run, node;
		} key = {pages[i].page, run, pages[i].node};
		uint32_t number = table__intern(&m->page_ids, &key, sizeof(key));
		struct trace_page_stat *sum;

		if (number == m->pages.n) {
			*VEC_ADD(&m->pages) = (struct page_stat){run, pages[i]};
			continue;
		}
		sum = &m->pages.at[number].stat;
		sum->fetches += pages[i].fetches;
		sum->fetch_ns += pages[i].fetch_ns;
		sum->transfers += pages[i].transfers;
		sum->bytes += pages[i].bytes;
		sum->invalidations += pages[i].invalidations;
		sum->updates += pages[i].updates;
		sum->aborts += pages[i].aborts;
		sum->wasted_ns += pages[i].wasted_ns;
	}
}

void model__counters(struct model *m, uint32_t run, const struct trace_counters *counters, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct node *node = model__node(m, run, counters[i].node);

		if (!node->counted && !node->from_start)
			node->first = counters[i];
		if (!node->counted || counters[i].time_ns >= node->last.time_ns)
			node->last = counters[i];
		node->counted = true;
	}
}

bool model__lossy(const struct model *m, uint32_t run, unsigned type)
{
	const struct run *r = &m->runs.at[run];
	uint64_t told = 0;

	for (unsigned t = 0; t < DSM_EV_TYPE_MAX; t++)
		told += r->lost[t];
	/* What was lost without a type (0) may have been of any. */
	return r->damaged || r->lost[type] || r->lost[0] || r->lost_in_all > told;
}

static void add_counters(struct dsm_counters *sum, const struct dsm_counters *to,
			 const struct dsm_counters *from)
{
#define X(name, meaning) sum->name += to->name > from->name ? to->name - from->name : 0;
	DSM_COUNTERS(X)
#undef X
}

static void take_consistency(const struct run *run, uint8_t *all, bool first)
{
	for (size_t i = 0; i < run->nodes.n; i++) {
		uint8_t c = run->nodes.at[i].consistency ? run->nodes.at[i].consistency : DSM_EV_TX;

		if (first && !i)
			*all = c;
		else if (*all != c)
			*all = 0;
	}
}

/* Nodes of one host share its cores. 0: some node does not tell. */
static double cores_of(const struct run *run)
{
	double cores = 0;

	for (size_t i = 0; i < run->nodes.n; i++) {
		const struct node *n = &run->nodes.at[i];
		size_t k = 0;

		if (!n->last.counters.cores || n->last.counters.cores > UINT16_MAX)
			return 0;
		while (k < i && strcmp(run->nodes.at[k].host, n->host))
			k++;
		if (k == i)
			cores += (double)n->last.counters.cores;
	}
	return cores;
}

void model__totals(const struct model *m, struct totals *t)
{
	bool known = m->runs.n > 0;

	memset(t, 0, sizeof(*t));
	for (size_t r = 0; r < m->runs.n; r++) {
		double cores = cores_of(&m->runs.at[r]);

		known = known && cores > 0;
		t->cores += cores / (double)m->runs.n;
	}
	if (!known)
		t->cores = 0;
	for (size_t r = 0; r < m->runs.n; r++) {
		const struct run *run = &m->runs.at[r];
		int64_t first = INT64_MAX, last = INT64_MIN, longest = 0;
		unsigned counted = 0, nodes;

		for (size_t i = 0; i < run->nodes.n; i++) {
			const struct node *n = &run->nodes.at[i];
			int64_t from, to;

			if (!n->counted)
				continue;
			counted++;
			from = model__time(m, (uint32_t)r, n->number, n->first.time_ns);
			to = model__time(m, (uint32_t)r, n->number, n->last.time_ns);
			longest = to - from > longest ? to - from : longest;
			first = from < first ? from : first;
			last = to > last ? to : last;
			add_counters(&t->sum, &n->last.counters, &n->first.counters);
		}
		take_consistency(run, &t->consistency, !r);
		nodes = counted ? counted
				: (unsigned)run->nodes.n; /* a trace cut before its first counters */
		t->nodes = nodes > t->nodes ? nodes : t->nodes;
		/* Samples of several nodes lie apart a little even where each node has but one. */
		if (longest >= TOTALS_LEAST_NS && longest >= (run->last_ns - run->first_ns) / 2) {
			t->measured = true;
			t->recorded += (double)(last - first) / 1e9;
			t->seconds += (double)(last - first) / 1e9;
			t->node_seconds += (double)counted * (double)(last - first) / 1e9;
		} else if (run->last_ns > run->first_ns) {
			t->recorded += (double)(run->last_ns - run->first_ns) / 1e9;
		}
	}
	t->intervals = t->consistency == DSM_EV_SC || t->consistency == DSM_EV_RC;
}
