// SPDX-License-Identifier: BSD-2-Clause
/*
 * merge.c - the second pass: what all parts hold, the earliest first, on one clock.
 *
 * Records keep their order within a part. Statistics are written when each part has given its own, so that
 * who follows the trace sees one sample a second of the whole cluster, not one of each host by turns.
 */
#include "collector/merge.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "collector/merge_parts.h"
#include "collector/room.h"
#include "dsmcore/launch/remedy.h"

/* ---- statistics ---- */

static int by_type(const void *a, const void *b)
{
	const struct trace_loss *x = a, *y = b;

	return (x->type > y->type) - (x->type < y->type);
}

static int sum_losses(struct merge *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->nparts; i++)
		n += m->part[i].nlost;
	if (room__for((void **)&m->lost, &m->lost_room, n, sizeof(*m->lost)))
		return -ENOMEM;
	m->nlost = n = 0;
	for (size_t i = 0; i < m->nparts; i++) {
		if (m->part[i].nlost)
			memcpy(m->lost + n, m->part[i].lost, m->part[i].nlost * sizeof(*m->lost));
		n += m->part[i].nlost;
	}
	if (n)
		qsort(m->lost, n, sizeof(*m->lost), by_type);
	for (size_t i = 0; i < n; i++) {
		if (m->nlost && m->lost[m->nlost - 1].type == m->lost[i].type)
			m->lost[m->nlost - 1].count += m->lost[i].count;
		else if (m->lost[i].count)
			m->lost[m->nlost++] = m->lost[i];
	}
	return 0;
}

static int write_statistics(struct merge *m)
{
	int rc = m->losses_due ? sum_losses(m) : 0;

	if (!rc && m->ncounters)
		rc = trace_writer__counters(m->trace, m->counters, m->ncounters);
	if (!rc && m->npages)
		rc = trace_writer__pages(m->trace, m->pages, m->npages);
	if (!rc && m->losses_due && m->nlost)
		rc = trace_writer__losses(m->trace, m->lost, m->nlost);
	m->ncounters = m->npages = 0;
	m->losses_due = false;
	for (size_t i = 0; i < m->nparts; i++)
		m->part[i].sampled = false;
	return rc;
}

static int put_counters(struct merge *m, struct merge_part *p)
{
	int rc = p->sampled ? write_statistics(m) : 0; /* another part is late */

	if (!rc)
		rc = room__for((void **)&m->counters, &m->counters_room, m->ncounters + p->item.count,
			       sizeof(*m->counters));
	for (size_t i = 0; i < p->item.count && !rc; i++) {
		struct trace_counters *c = &m->counters[m->ncounters++];

		*c = p->item.counters[i];
		c->time_ns = merge__time(m, p, c->time_ns);
	}
	p->sampled = true;
	return rc;
}

static int put_pages(struct merge *m, const struct merge_part *p)
{
	int rc = room__for((void **)&m->pages, &m->pages_room, m->npages + p->item.count, sizeof(*m->pages));

	if (rc)
		return rc;
	memcpy(m->pages + m->npages, p->item.pages, p->item.count * sizeof(*m->pages));
	m->npages += p->item.count;
	return 0;
}

/* Each list is of all types that have lost any, so the last one stands for those before it. */
static int take_losses(struct merge *m, struct merge_part *p)
{
	int rc = room__for((void **)&p->lost, &p->lost_room, p->item.count, sizeof(*p->lost));

	if (rc)
		return rc;
	memcpy(p->lost, p->item.losses, p->item.count * sizeof(*p->lost));
	p->nlost = p->item.count;
	m->losses_due = true;
	return 0;
}

static bool all_sampled(const struct merge *m)
{
	for (size_t i = 0; i < m->nparts; i++)
		if (!m->part[i].sampled && !m->part[i].ended)
			return false;
	return true;
}

/* ---- records ---- */

/* What is left of a difference; readers that look for one find none. */
static int64_t left_of(const struct merge *m, const struct merge_part *p, const struct dsm_ev_clock *r)
{
	uint64_t own = r->hdr.time_ns - r->rtt_ns / 2, peer = own + (uint64_t)r->offset_ns;

	if (!m->node[r->peer].part)
		return r->offset_ns;
	return (int64_t)(merge__time(m, &m->part[m->node[r->peer].part - 1], peer) - merge__time(m, p, own));
}

static int put_record(struct merge *m, const struct merge_part *p)
{
	union {
		struct dsm_ev_hdr hdr;
		struct dsm_ev_clock clock;
		uint8_t bytes[UINT16_MAX + 1];
	} r;
	uint16_t type = p->item.record->type;
	int rc;

	memcpy(&r, p->item.record, p->item.record->size);
	rc = hostclocks__check(m->clocks, (size_t)(p - m->part), p->item.record);
	if (rc)
		return rc;
	if (type == DSM_EV_CLOCK)
		r.clock.offset_ns = left_of(m, p, &r.clock);
	r.hdr.time_ns = merge__time(m, p, r.hdr.time_ns);
	rc = trace_writer__record(m->trace, &r.hdr);
	if (rc)
		return rc;
	m->written[type < DSM_EV_TYPE_MAX ? type : 0]++;
	m->written_total++;
	return 0;
}

static int put_item(struct merge *m, struct merge_part *p)
{
	p->ready = false;
	switch (p->item.kind) {
	case TRACE_RECORD:
		/* A sample ends where its statistics do: with the next record. */
		if (p->sampled && all_sampled(m)) {
			int rc = write_statistics(m);

			if (rc)
				return rc;
		}
		return put_record(m, p);
	case TRACE_COUNTERS:
		return put_counters(m, p);
	case TRACE_PAGES:
		return put_pages(m, p);
	case TRACE_LOSSES:
		return take_losses(m, p);
	default:
		return 0;
	}
}

/* ---- in order ---- */

static int next_item(struct merge_part *p)
{
	int rc;

	do {
		rc = trace_reader__next(p->reader, &p->item);
	} while (rc == -EBADMSG); /* the survey has said so */
	if (rc && rc != -ENODATA)
		return rc;
	p->ended = rc || p->item.kind == TRACE_END_OF_FILE;
	p->ready = !p->ended;
	return 0;
}

/* What has no time goes with what stands before it. */
static uint64_t when(const struct merge *m, const struct merge_part *p)
{
	if (p->item.kind == TRACE_RECORD)
		return merge__time(m, p, p->item.record->time_ns);
	if (p->item.kind == TRACE_COUNTERS && p->item.count)
		return merge__time(m, p, p->item.counters[0].time_ns);
	return 0;
}

static int write_all(struct merge *m)
{
	int rc = 0;

	while (!rc) {
		struct merge_part *next = NULL;
		uint64_t best = 0;

		for (size_t i = 0; i < m->nparts && !rc; i++) {
			struct merge_part *p = &m->part[i];

			if (!p->ready && !p->ended)
				rc = next_item(p);
			if (p->ready && (!next || when(m, p) < best)) {
				next = p;
				best = when(m, p);
			}
		}
		if (rc || !next)
			break;
		rc = put_item(m, next);
	}
	return rc ? rc : write_statistics(m);
}

static int put_json(int (*put)(struct trace_writer *, const char *), struct trace_writer *w, char *json)
{
	int rc = json ? put(w, json) : -ENOMEM;

	free(json);
	return rc;
}

static int write_trace(struct merge *m)
{
	int rc = put_json(trace_writer__info, m->trace, merge__info(m)), closed;
	struct stat st;

	for (size_t i = 0; i < m->nparts && !rc; i++)
		rc = trace_reader__open(&m->part[i].reader, m->part[i].path);
	if (!rc)
		rc = write_all(m);
	if (!rc)
		rc = put_json(trace_writer__summary, m->trace, merge__summary(m));
	if (rc && rc != -ENOSPC && rc != -EFBIG && rc != -EDQUOT) {
		trace_writer__abandon(m->trace);
	} else {
		closed = trace_writer__close(m->trace);
		rc = rc ? rc : closed;
	}
	m->trace = NULL;
	if (!rc && stat(m->options->output, &st) == 0 && S_ISREG(st.st_mode))
		m->bytes = (uint64_t)st.st_size;
	return rc;
}

static void release(struct merge *m)
{
	for (size_t i = 0; m->part && i < m->nparts; i++) {
		trace_reader__close(m->part[i].reader);
		free(m->part[i].info);
		free(m->part[i].summary);
		free(m->part[i].lost);
	}
	free(m->lost);
	hostclocks__free(m->clocks);
	free(m->part);
	free(m->node);
	free(m->counters);
	free(m->pages);
}

static int merge_all(struct merge *m)
{
	bool short_of;
	int rc = merge__survey(m);

	if (rc)
		return rc;
	rc = trace_writer__open(&m->trace, m->options->output);
	if (rc) {
		fprintf(stderr, "dsmcollect: %s: %s: name a file that can be written with -o\n",
			m->options->output, strerror(-rc));
		return 2;
	}
	short_of = merge__complain(m);
	rc = write_trace(m);
	if (rc)
		fprintf(stderr, "dsmcollect: %s: %s: the traces are not merged%s\n", m->options->output,
			strerror(-rc), remedy__write(rc));
	if (!rc)
		merge__complain_of_causes(m);
	if (!rc)
		rc = merge__print(m);
	return rc || short_of ? 1 : 0;
}

int merge__traces(const struct merge_options *options, const char *const *paths, size_t n)
{
	struct merge m = {.options = options, .nparts = n};
	int rc = 1;

	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error to report */
	if (n > MERGE_PARTS) {
		fprintf(stderr, "dsmcollect: %zu traces are too many to merge at once (%u)\n", n,
			MERGE_PARTS);
		return 2;
	}
	m.part = calloc(n ? n : 1, sizeof(*m.part));
	m.node = calloc(MERGE_NODES, sizeof(*m.node));
	if (m.part && m.node && hostclocks__new(&m.clocks, n) == 0) {
		for (size_t i = 0; i < n; i++)
			m.part[i].path = paths[i];
		rc = merge_all(&m);
	} else {
		fprintf(stderr, "dsmcollect: no memory\n");
	}
	release(&m);
	return rc;
}
