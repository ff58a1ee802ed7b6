// SPDX-License-Identifier: BSD-2-Clause
/*
 * trace_sane.c - may this record be believed?
 *
 * Records come from files and from memory that another process can write. Everything behind this
 * check may use their counts and strings without looking twice, so it is the one place where the
 * shape of every type is known.
 */
#include "collector/trace.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const char *const names[DSM_EV_TYPE_MAX] = {
#define X(enumerator, number, probe) [number] = #probe,
	DSM_EV_TYPES(X)
#undef X
};

/* Bytes that a record of each type must at least have; 0 = a type this version does not know. */
static const uint16_t fixed[DSM_EV_TYPE_MAX] = {
	[DSM_EV_NODE] = sizeof(struct dsm_ev_node),
	[DSM_EV_MODULE] = sizeof(struct dsm_ev_module),
	[DSM_EV_SITE] = sizeof(struct dsm_ev_site),
	[DSM_EV_TYPE] = sizeof(struct dsm_ev_typedesc),
	[DSM_EV_OBJECT] = sizeof(struct dsm_ev_object),
	[DSM_EV_FREE] = sizeof(struct dsm_ev_free),
	[DSM_EV_ROOT] = sizeof(struct dsm_ev_root),
	[DSM_EV_CLOCK] = sizeof(struct dsm_ev_clock),
	[DSM_EV_END] = sizeof(struct dsm_ev_end),
	[DSM_EV_BEGIN] = sizeof(struct dsm_ev_begin),
	[DSM_EV_COMMIT] = offsetof(struct dsm_ev_commit, between_ns),
	[DSM_EV_ABORT] = sizeof(struct dsm_ev_abort),
	[DSM_EV_FAULT] = sizeof(struct dsm_ev_fault),
	[DSM_EV_TRANSFER] = sizeof(struct dsm_ev_transfer),
	[DSM_EV_INVALIDATE] = sizeof(struct dsm_ev_invalidate),
	[DSM_EV_UPDATE] = sizeof(struct dsm_ev_update),
	[DSM_EV_WRITES] = sizeof(struct dsm_ev_writes),
	[DSM_EV_ACCESSES] = sizeof(struct dsm_ev_accesses),
	[DSM_EV_BARRIER] = sizeof(struct dsm_ev_barrier),
	[DSM_EV_INTERVAL] = sizeof(struct dsm_ev_ended),
	[DSM_EV_MEET] = sizeof(struct dsm_ev_meet),
	[DSM_EV_LOCK] = sizeof(struct dsm_ev_lock),
	[DSM_EV_MOVE] = sizeof(struct dsm_ev_move),
};

static bool ends(const char *text, size_t size)
{
	return memchr(text, 0, size) != NULL;
}

static bool masks__sane(const struct dsm_ev_writes *w)
{
	const struct dsm_ev_masks *m = (const void *)((const char *)w + DSM_EV_MASKS_AT(w->nruns));
	unsigned set = 0;

	if (DSM_EV_MASKS_AT(w->nruns) + sizeof(*m) + w->nmasks > w->hdr.size)
		return false;
	for (unsigned i = 0; i < sizeof(m->words) / sizeof(m->words[0]); i++)
		set += (unsigned)__builtin_popcountll(m->words[i]);
	return set == w->nmasks;
}

static bool writes__sane(const struct dsm_ev_writes *w)
{
	unsigned end = 0;

	if (w->nruns > (w->hdr.size - sizeof(*w)) / sizeof(w->run[0]))
		return false;
	for (unsigned i = 0; i < w->nruns; i++) {
		if (w->run[i].offset < end)
			return false;
		end = w->run[i].offset + (unsigned)w->run[i].length;
	}
	return !w->nmasks || masks__sane(w);
}

static bool body__sane(const struct dsm_ev_hdr *record)
{
	const void *r = record;

	switch (record->type) {
	case DSM_EV_NODE: {
		const struct dsm_ev_node *n = r;
		return ends(n->host, sizeof(n->host)) && ends(n->program, sizeof(n->program));
	}
	case DSM_EV_MODULE: {
		const struct dsm_ev_module *m = r;
		return m->build_id_len <= sizeof(m->build_id) && ends(m->path, sizeof(m->path));
	}
	case DSM_EV_SITE:
		return ((const struct dsm_ev_site *)r)->nframes <= DSM_EV_FRAMES;
	case DSM_EV_TYPE: {
		const struct dsm_ev_typedesc *t = r;
		return ends(t->name, sizeof(t->name));
	}
	case DSM_EV_ROOT: {
		const struct dsm_ev_root *root = r;
		return ends(root->name, sizeof(root->name));
	}
	case DSM_EV_END: {
		const struct dsm_ev_end *e = r;
		return e->counters_bytes % 8 == 0 && e->counters_bytes <= e->hdr.size - sizeof(*e);
	}
	case DSM_EV_ABORT:
		return ((const struct dsm_ev_abort *)r)->nmeetings <= DSM_EV_MEETINGS;
	case DSM_EV_WRITES:
		return writes__sane(r);
	case DSM_EV_ACCESSES: {
		const struct dsm_ev_accesses *a = r;
		return a->naccesses <= (a->hdr.size - sizeof(*a)) / sizeof(a->access[0]);
	}
	case DSM_EV_MEET: {
		const struct dsm_ev_meet *m = r;
		return m->nmet <= DSM_EV_MEETINGS &&
		       m->nmet <= (m->hdr.size - sizeof(*m)) / sizeof(m->met[0]);
	}
	default:
		return true;
	}
}

bool trace_record__sane(const struct dsm_ev_hdr *record, size_t size)
{
	if (size < sizeof(*record) || record->size < sizeof(*record) || record->size > size)
		return false;
	if (record->size % 8 || record->size > DSM_EV_MAX)
		return false;
	if (record->type >= DSM_EV_TYPE_MAX || !fixed[record->type])
		return true;
	return record->size >= fixed[record->type] && body__sane(record);
}

const char *trace_record__name(unsigned type)
{
	static _Thread_local char unknown[24];

	if (type < DSM_EV_TYPE_MAX && names[type])
		return names[type];
	snprintf(unknown, sizeof(unknown), "type-%u", type);
	return unknown;
}
