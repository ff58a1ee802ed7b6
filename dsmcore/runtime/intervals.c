/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/runtime/intervals.h"

#include <stdlib.h>
#include <string.h>

#include "dsmcore/memory/diff.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/runtime/dispatch.h"
#include "dsmcore/runtime/evidence.h"
#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/microscope.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/section.h"

#define COPIES 512u /* pages of sc whose bytes are kept, 2 MiB: the oldest makes room */

struct known {		/* of a page of sc or rc, while somebody listens */
	uint64_t since; /* interval in which what is here came, or was last met; 0: before anybody listened */
	uint64_t opened; /* in which the right to write came; 0: it did not */
	uint16_t copy;	 /* its number + 1; 0: none */
	uint8_t rights;
};

struct copy {
	uint32_t page;
	uint8_t bytes[DSM_PAGE_BYTES];
};

static struct {
	struct known *page;
	struct copy *copy;
	unsigned next;
	uint64_t begin_ns; /* of the interval */
	uint64_t barrier_ns, flushed_ns;
	uint64_t lock_from; /* manager + 1 of the lock that came; 0: it was here */
	struct core_party scoped;
} own;

static uint8_t flags(void)
{
	return (uint8_t)(DSM_EV_F_INTERVAL | (microscope__used() ? DSM_EV_F_MICROSCOPE : 0));
}

/* NULL while nobody listens, or without memory for it: then evidence is missing, not wrong. */
static struct known *known(uint32_t page)
{
	if (!own.page && !events__wanted(DSM_EV_MEET))
		return NULL;
	if (!own.page)
		own.page = calloc(region__bytes(node.region) >> DSM_PAGE_LOG2, sizeof(*own.page));
	if (!own.copy)
		own.copy = calloc(COPIES, sizeof(*own.copy));
	return own.page && own.copy ? &own.page[page] : NULL;
}

/* ---- what was written to pages of sc ---- */

static void keep_copy(uint32_t page, struct known *k)
{
	struct copy *c;

	if (!events__wanted(DSM_EV_WRITES))
		return;
	if (!k->copy) {
		c = &own.copy[own.next];
		if (own.page[c->page].copy == own.next + 1)
			own.page[c->page].copy = 0;
		k->copy = (uint16_t)(own.next + 1);
		own.next = (own.next + 1) % COPIES;
	}
	c = &own.copy[k->copy - 1];
	c->page = page;
	memcpy(c->bytes, region__frame(node.region, page), DSM_PAGE_BYTES);
}

/* The page cannot be written any more: what it holds against its copy is what was written. */
static void tell_written(uint32_t page, struct known *k)
{
	struct dsm_ev_writes head = {.flags = DSM_EV_WRITES_COMMITTED, .basis = DSM_EV_BASIS_CHANGED};
	const uint8_t *before = k->copy ? own.copy[k->copy - 1].bytes : NULL;

	k->copy = 0;
	if (!before || !events__wanted(DSM_EV_WRITES))
		return;
	head.hdr.flags = flags();
	head.interval = (struct dsm_ev_interval){k->opened, 0, core__interval(node.core).site};
	head.page = evidence__page(page);
	head.version = core__version(node.core, page);
	evidence__writes(&head, region__frame(node.region, page), before, true);
}

static void one_page(uint32_t page, enum core_rights rights)
{
	enum core_model model = core__model(node.core, page);
	struct known *k = model == CORE_TX ? NULL : known(page);
	uint64_t now = core__interval(node.core).number;

	if (!k)
		return;
	if (model == CORE_SC && k->rights == CORE_WRITE && rights != CORE_WRITE)
		tell_written(page, k);
	if (k->rights == CORE_NONE && rights != CORE_NONE) {
		k->since = now;
		k->opened = 0;
	}
	if (rights == CORE_WRITE && k->rights != CORE_WRITE) {
		k->opened = now;
		if (model == CORE_SC)
			keep_copy(page, k);
	}
	k->rights = (uint8_t)rights;
	/* Opened for reading because another node reads it, while the microscope has it closed. */
	if (rights != CORE_NONE && !dispatch__waiting() && microscope__watches(page))
		region__protect(node.region, page, 1, CORE_NONE);
}

/* Most of what changes its rights are rows of transactions' pages, with which each slab begins: one look for all of a row. */
static bool all_tx(uint32_t page, uint32_t count)
{
	uint32_t last = page + count - 1;

	return core__model(node.core, last) == CORE_TX &&
	       core__birth(node.core, last) == core__birth(node.core, page);
}

void intervals__rights(uint32_t page, uint32_t count, enum core_rights rights)
{
	if (node.options.nodes < 2 || (!own.page && !events__wanted(DSM_EV_MEET)))
		return;
	if (!count || all_tx(page, count))
		return;
	for (uint32_t i = 0; i < count; i++)
		one_page(page + i, rights);
}

/* ---- meetings ---- */

void intervals__meet(const struct core_action *a)
{
	struct dsm_ev_meet *r = evidence__meet(a);

	if (!r)
		return;
	r->hdr.flags = flags();
	r->other = (struct dsm_ev_party){evidence__interval(&a->other), node.options.generation,
					 a->other.node, 0};
	r->model = core__model(node.core, a->meetings[0].page) == CORE_SC ? DSM_EV_SC : DSM_EV_RC;
	for (uint32_t i = 0; i < r->nmet; i++) {
		const struct core_meeting *m = &a->meetings[i];
		struct known *k = known(m->page);

		r->met[i] = (struct dsm_ev_met){
			.page = evidence__page(m->page),
			.since = k ? k->since : 0,
			.opened = k && m->written ? k->opened : 0,
			.access = (uint8_t)((m->read ? DSM_EV_ACCESS_READ : 0) |
					    (m->written ? DSM_EV_ACCESS_WRITE : 0)),
			.tracked = m->tracked,
			.wanted = m->wanted_write ? DSM_EV_ACCESS_WRITE : DSM_EV_ACCESS_READ,
		};
		if (k) {
			k->since = a->party.number;
			k->opened = k->rights == CORE_WRITE ? a->party.number : 0;
		}
	}
	events__emit(&r->hdr, DSM_EV_MEET, sizeof(*r) + r->nmet * sizeof(r->met[0]), r->met[0].page, r->nmet);
}

/* ---- intervals ---- */

void intervals__ended(const struct core_action *a)
{
	uint64_t now = events__now(), flush = 0;

	if (own.barrier_ns && own.flushed_ns > own.barrier_ns)
		flush = own.flushed_ns - own.barrier_ns;
	own.barrier_ns = 0;
	COUNT(intervals, 1);
	COUNT(flush_ns, flush);
	if (!events__wanted(DSM_EV_INTERVAL))
		return;
	struct dsm_ev_ended r = {
		.hdr.flags = flags(),
		.interval = evidence__interval(&a->party),
		.duration_ns = own.begin_ns ? now - own.begin_ns : 0,
		.flush_ns = flush,
		.pages_read = a->nread,
		.pages_written = a->nwritten,
	};
	events__emit(&r.hdr, DSM_EV_INTERVAL, sizeof(r), 0, r.duration_ns);
}

void intervals__barrier(void)
{
	own.barrier_ns = events__now();
	own.flushed_ns = 0;
}

void intervals__flushed(void)
{
	if (own.barrier_ns)
		own.flushed_ns = events__now();
}

void intervals__next(void)
{
	if (events__wanted(DSM_EV_INTERVAL))
		own.begin_ns = events__now();
	if (microscope__used() && own.scoped.number)
		microscope__end(&own.scoped, true, true);
	own.scoped.number = 0;
	if (!microscope__used() && !microscope__wanted())
		return;
	microscope__begin(true);
	own.scoped = core__interval(node.core);
}

/* ---- locks ---- */

void intervals__lock_came(const struct core_action *a)
{
	COUNT(locks_remote, 1);
	own.lock_from = (uint64_t)a->node + 1;
}

void intervals__locked(uint64_t name, uint64_t start_ns)
{
	uint64_t manager = own.lock_from, waited = events__now() - start_ns;
	struct core_party now = core__interval(node.core);

	own.lock_from = 0;
	if (!manager)
		return; /* it was here */
	COUNT(lock_ns, waited);
	if (!events__wanted(DSM_EV_LOCK))
		return;
	struct dsm_ev_lock r = {
		.hdr.flags = DSM_EV_F_INTERVAL,
		.interval = evidence__interval(&now),
		.name = name,
		.wait_ns = waited,
		.manager = (uint16_t)(manager - 1),
		.flags = (section__of_place(name) ? 0 : DSM_EV_LOCK_OBJECT) |
			 (tx.units && tx.units_given ? DSM_EV_LOCK_GIVEN : 0),
		.iterations = (uint16_t)(tx.units < UINT16_MAX ? tx.units : UINT16_MAX),
		.pieces = tx.units ? tx.pieces : 0,
	};
	events__emit(&r.hdr, DSM_EV_LOCK, sizeof(r), 0, waited);
}
