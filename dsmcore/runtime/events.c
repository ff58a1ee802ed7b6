/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * events.c - emission of records, interning of what they refer to, and the rundown for late listeners.
 */
#include "dsmcore/runtime/events.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <unwind.h>

#include "dsmcore/memory/objects.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/runtime/batch.h"
#include "dsmcore/runtime/modules.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/probes.h"

struct site {
	uint64_t hash;
	uint32_t nframes;
	const void *frame[DSM_EV_FRAMES];
};

struct type {
	char name[96];
	uint32_t size, module;
};

static struct {
	uint64_t seq;
	uint64_t start_realtime_ns;
	unsigned tracers;	 /* as of the last rundown */
	uint64_t ring_listeners; /* likewise */
	uint8_t flags;		 /* DSM_EV_F_RUNDOWN while one runs */
	struct site *site;
	uint32_t sites, sites_capacity;
	uint32_t *site_hash; /* open addressing: id, 0 = free; power of two */
	uint32_t site_hash_size;
	struct type *type;
	uint32_t types, types_capacity;
} ev;

uint64_t events__now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

bool events__wanted(enum dsm_ev_type type)
{
	return batch__wanted(type) || probes__attached(type) ||
	       __atomic_load_n(&node.shm->ring_listeners, __ATOMIC_RELAXED);
}

static void ring_push(const struct dsm_ev_hdr *record)
{
	struct dsm_shm *shm = node.shm;
	uint8_t *ring = (uint8_t *)shm + shm->ring_offset;
	uint64_t head = shm->ring_head, tail = __atomic_load_n(&shm->ring_tail, __ATOMIC_ACQUIRE);
	uint64_t at = head % shm->ring_bytes, rest = shm->ring_bytes - at;
	uint64_t skip = record->size > rest ? rest : 0;

	if (head - tail > shm->ring_bytes || head + skip + record->size - tail > shm->ring_bytes) {
		__atomic_fetch_add(&shm->lost[record->type], 1, __ATOMIC_RELAXED);
		return;
	}
	if (skip) {
		if (rest >= sizeof(record->size))
			memset(ring + at, 0, rest < sizeof(*record) ? rest : sizeof(*record));
		at = 0;
	}
	memcpy(ring + at, record, record->size);
	__atomic_store_n(&shm->ring_head, head + skip + record->size, __ATOMIC_RELEASE);
}

void events__emit(struct dsm_ev_hdr *r, enum dsm_ev_type type, size_t bytes, dsm_ev_page page, uint64_t value)
{
	r->size = (uint16_t)((bytes + 7) & ~7ull);
	r->type = (uint16_t)type;
	r->version = DSM_EV_VERSION;
	r->flags |= ev.flags;
	r->node = node.options.node;
	r->generation = node.options.generation;
	r->weight = r->weight ? r->weight : 1;
	r->seq = ++ev.seq;
	r->time_ns = events__now();
	COUNT(events, 1);
	probes__fire(r, page, value);
	if (batch__wanted(type))
		batch__put(r, page, value);
	if (__atomic_load_n(&node.shm->ring_listeners, __ATOMIC_RELAXED))
		ring_push(r);
}

/* ---- modules and places ---- */

static void emit_module(struct module *m)
{
	struct dsm_ev_module r = {.id = modules__index(m) + 1, .build_id_len = m->build_id_len};

	m->described = true;
	if (!events__wanted(DSM_EV_MODULE))
		return;
	memcpy(r.build_id, m->build_id, m->build_id_len);
	memcpy(r.path, m->path, sizeof(r.path));
	events__emit(&r.hdr, DSM_EV_MODULE, sizeof(r), 0, 0);
}

struct dsm_ev_ip events__ip(const void *pc)
{
	struct module *m = modules__find(pc);

	if (!m)
		return (struct dsm_ev_ip){0};
	if (!m->described)
		emit_module(m);
	return (struct dsm_ev_ip){modules__index(m) + 1,
				  (uint32_t)((uintptr_t)pc - m->start + m->file_offset)};
}

struct events_place events__place(const void *pc)
{
	struct module *m = modules__find(pc);

	if (!m)
		return (struct events_place){0};
	return (struct events_place){m->path, m->build_id, m->build_id_len,
				     (uintptr_t)pc - m->start + m->file_offset};
}

struct walk {
	const void **pcs;
	size_t n, max;
};

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *arg)
{
	struct walk *w = arg;
	const void *pc = (const void *)_Unwind_GetIP(context);

	if (w->n == w->max || !pc)
		return _URC_END_OF_STACK;
	if (w->n == 0 && modules__in_runtime(pc))
		return _URC_NO_REASON;
	if (w->n && modules__in_runtime(pc))
		return _URC_END_OF_STACK; /* below main */
	w->pcs[w->n++] = pc;
	return _URC_NO_REASON;
}

size_t events__backtrace(const void **pcs, size_t max)
{
	struct walk w = {pcs, 0, max};

	_Unwind_Backtrace(step, &w);
	return w.n;
}

/* ---- interning ---- */

static void *grow(void *array, uint32_t used, uint32_t *capacity, size_t size)
{
	if (used < *capacity)
		return array;
	*capacity = *capacity ? 2 * *capacity : 64;
	array = realloc(array, *capacity * size);
	if (!array)
		node__fatal(NULL, "out of memory for call sites");
	return array;
}

static void emit_site(uint32_t id)
{
	const struct site *s = &ev.site[id - 1];
	struct dsm_ev_site r = {.id = id, .nframes = s->nframes};

	for (uint32_t i = 0; i < s->nframes; i++)
		r.frame[i] = events__ip(s->frame[i]);
	if (events__wanted(DSM_EV_SITE))
		events__emit(&r.hdr, DSM_EV_SITE, sizeof(r), 0, 0);
}

static uint32_t *site_slot(const void *const *pcs, size_t n, uint64_t hash)
{
	uint32_t mask = ev.site_hash_size - 1;

	for (uint32_t i = (uint32_t)(hash >> 32) & mask;; i = (i + 1) & mask) {
		uint32_t id = ev.site_hash[i];

		if (!id)
			return &ev.site_hash[i];
		const struct site *s = &ev.site[id - 1];

		if (s->hash == hash && s->nframes == n && !memcmp(s->frame, pcs, n * sizeof(*pcs)))
			return &ev.site_hash[i];
	}
}

static void rehash(void)
{
	free(ev.site_hash);
	ev.site_hash_size = ev.site_hash_size ? 2 * ev.site_hash_size : 256;
	ev.site_hash = calloc(ev.site_hash_size, sizeof(*ev.site_hash));
	if (!ev.site_hash)
		node__fatal(NULL, "out of memory for call sites");
	for (uint32_t id = 1; id <= ev.sites; id++) {
		const struct site *s = &ev.site[id - 1];

		*site_slot(s->frame, s->nframes, s->hash) = id;
	}
}

uint32_t events__site(const void *const *pcs, size_t n)
{
	uint64_t hash = 0x9e3779b97f4a7c15u;

	if (n > DSM_EV_FRAMES)
		n = DSM_EV_FRAMES;
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (uintptr_t)pcs[i]) * 0xff51afd7ed558ccdu;
	if (2 * (ev.sites + 1) > ev.site_hash_size)
		rehash();
	uint32_t *slot = site_slot(pcs, n, hash);

	uint32_t known = *slot;

	if (known)
		return known;
	ev.site = grow(ev.site, ev.sites, &ev.sites_capacity, sizeof(*ev.site));
	struct site *s = &ev.site[ev.sites++];

	*s = (struct site){.hash = hash, .nframes = (uint32_t)n};
	memcpy(s->frame, pcs, n * sizeof(*pcs));
	*slot = ev.sites;
	emit_site(ev.sites);
	return ev.sites;
}

static void emit_type(uint32_t id)
{
	const struct type *t = &ev.type[id - 1];
	struct dsm_ev_typedesc r = {.id = id, .size = t->size, .module = t->module};

	memcpy(r.name, t->name, sizeof(r.name));
	if (events__wanted(DSM_EV_TYPE))
		events__emit(&r.hdr, DSM_EV_TYPE, sizeof(r), 0, 0);
}

uint32_t events__type(const char *name, uint32_t size, const void *pc)
{
	uint32_t module = events__ip(pc).module;

	for (uint32_t i = 0; i < ev.types; i++) /* a program has few types that it shares */
		if (ev.type[i].size == size && ev.type[i].module == module &&
		    !strncmp(ev.type[i].name, name, sizeof(ev.type[i].name) - 1))
			return i + 1;
	ev.type = grow(ev.type, ev.types, &ev.types_capacity, sizeof(*ev.type));
	struct type *t = &ev.type[ev.types++];

	*t = (struct type){.size = size, .module = module};
	strncpy(t->name, name, sizeof(t->name) - 1);
	emit_type(ev.types);
	return ev.types;
}

/* ---- rundown ---- */

static void emit_node(void)
{
	struct dsm_ev_node r = {
		.pid = (uint32_t)getpid(),
		.nodes = node.options.nodes,
		.page_log2 = DSM_PAGE_LOG2,
		.consistency = (uint8_t)(DSM_EV_TX + node.options.consistency),
		.region_bytes = node.options.heap_bytes,
		.region_base = DSM_BASE,
		.start_realtime_ns = ev.start_realtime_ns,
		.run_id = node.options.run_id,
	};
	const struct module *program = modules__get(0);
	const char *name = program ? strrchr(program->path, '/') : NULL;

	gethostname(r.host, sizeof(r.host) - 1);
	strncpy(r.program, name ? name + 1 : "", sizeof(r.program) - 1);
	if (events__wanted(DSM_EV_NODE))
		events__emit(&r.hdr, DSM_EV_NODE, sizeof(r), 0, 0);
}

void events__init(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	ev.start_realtime_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	ev.tracers = probes__tracers();
	ev.ring_listeners = __atomic_load_n(&node.shm->ring_listeners, __ATOMIC_ACQUIRE);
	emit_node();
	batch__tell();
}

void events__rundown_if_due(void)
{
	unsigned tracers = probes__tracers();
	uint64_t listeners = __atomic_load_n(&node.shm->ring_listeners, __ATOMIC_ACQUIRE);
	bool due = tracers > ev.tracers || (listeners && listeners != ev.ring_listeners);

	ev.tracers = tracers;
	ev.ring_listeners = listeners;
	if (!due)
		return;
	ev.flags = DSM_EV_F_RUNDOWN;
	emit_node();
	for (unsigned i = 0; modules__get(i); i++)
		if (modules__get(i)->described)
			emit_module(modules__get(i));
	for (uint32_t id = 1; id <= ev.sites; id++)
		emit_site(id);
	for (uint32_t id = 1; id <= ev.types; id++)
		emit_type(id);
	objects__rundown();
	batch__tell();
	ev.flags = 0;
}

void events__end(int status)
{
	static _Alignas(struct dsm_ev_end)
		uint8_t buffer[sizeof(struct dsm_ev_end) + sizeof(struct dsm_counters)];
	struct dsm_ev_end *r = (void *)buffer;
	const uint64_t *counter = (const uint64_t *)&node.shm->counters;

	_Static_assert(sizeof(buffer) <= DSM_EV_MAX, "room");
	*r = (struct dsm_ev_end){.status = status, .counters_bytes = sizeof(struct dsm_counters)};
	for (size_t i = 0; i < sizeof(struct dsm_counters) / sizeof(*counter); i++)
		r->counters[i] = __atomic_load_n(&counter[i], __ATOMIC_RELAXED);
	((struct dsm_counters *)r->counters)->events++; /* this one */
	if (events__wanted(DSM_EV_END))
		events__emit(&r->hdr, DSM_EV_END, sizeof(buffer), 0, 0);
	batch__tell();
	__atomic_store_n(&node.shm->ended, 1, __ATOMIC_RELEASE);
}
