// SPDX-License-Identifier: BSD-2-Clause
/*
 * source_ring.c - records from the ring in each node's shared memory.
 *
 * One producer, one consumer. The consumer copies a record out before it looks at it, since the
 * producer may be broken or hostile; positions that make no sense cost the node its ring.
 *
 * Losses. The producer counts what did not fit, by type: exact, and read as differences since we
 * began to listen. The sequence numbers must agree: if more are missing between the first and the
 * last record than the producer counted, the rest is lost too, of a type nobody knows.
 */
#include "collector/source.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/dsm_bpf_logic.h"

bool source__keeps(unsigned type, bool all)
{
	return dsm_bpf__keeps(type, all);
}

struct ring { /* our end of one node's ring */
	struct ring *next;
	struct node_view *view;
	enum { CLEARED, LISTENING, REFUSED } state;
	uint64_t lost_before[DSM_EV_TYPE_MAX]; /* as told to the sink */
	uint64_t lost_at_start;
	uint64_t first_seq, last_seq, received; /* first_seq 0: nothing yet */
	uint64_t unaccounted;			/* told so far */
};

struct source_ring {
	struct source source;
	struct ring *rings;
};

static uint64_t load(const uint64_t *from)
{
	return __atomic_load_n(from, __ATOMIC_ACQUIRE);
}

static uint64_t sum_lost(const struct node_view *v)
{
	uint64_t sum = 0;

	for (unsigned type = 0; type < DSM_EV_TYPE_MAX; type++)
		sum += load(&v->lost[type]);
	return sum;
}

static void refuse(struct ring *r, const char *why)
{
	fprintf(stderr, "dsmcollect: node %u (process %d): %s; its records are not collected\n",
		r->view->node, (int)r->view->pid, why);
	r->state = REFUSED;
}

/* Another collector that lives keeps its ring. One that died left its pid behind; the producer must
 * see the word change to 0 first, or it would not know that somebody new asks for a rundown. */
static void clear_listener(struct ring *r)
{
	uint64_t other = load(r->view->listeners);

	if (other && other <= INT_MAX && other != (uint64_t)getpid() &&
	    (kill((pid_t)other, 0) == 0 || errno == EPERM)) {
		char why[64];
		snprintf(why, sizeof(why), "collector %d reads its ring", (int)other);
		refuse(r, why);
		return;
	}
	__atomic_store_n(r->view->listeners, 0, __ATOMIC_RELEASE);
	r->state = CLEARED;
}

static void listen_now(struct ring *r)
{
	struct node_view *v = r->view;
	uint64_t none = 0;

	/* What earlier listeners left in the ring is not ours. */
	__atomic_store_n(v->tail, load(v->head), __ATOMIC_RELEASE);
	for (unsigned type = 0; type < DSM_EV_TYPE_MAX; type++)
		r->lost_before[type] = load(&v->lost[type]);
	r->lost_at_start = sum_lost(v);
	if (__atomic_compare_exchange_n(v->listeners, &none, (uint64_t)getpid(), false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		r->state = LISTENING;
	else
		refuse(r, "another collector reads its ring");
}

static void ring_node_found(struct source *s, struct node_view *view)
{
	struct source_ring *sr = (struct source_ring *)s;
	struct ring *r = calloc(1, sizeof(*r));
	bool stale;

	if (!r)
		return;
	r->view = view;
	r->next = sr->rings;
	sr->rings = r;
	if (!view->ring_bytes) {
		refuse(r, "it has no usable ring");
		return;
	}
	stale = load(view->listeners) != 0;
	clear_listener(r);
	if (r->state == CLEARED && !stale)
		listen_now(r);
}

static void ring__release(struct ring *r)
{
	uint64_t self = (uint64_t)getpid();

	if (r->state == LISTENING)
		__atomic_compare_exchange_n(r->view->listeners, &self, 0, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_ACQUIRE);
}

/* ---- draining ---- */

static void note_sequence(struct ring *r, uint64_t seq)
{
	if (!r->first_seq)
		r->first_seq = seq;
	r->last_seq = seq;
	r->received++;
}

/* Copies the record at `position` out. 0: a jump to the ring's start; negative: nonsense. */
static int copy_record(const struct node_view *v, uint64_t position, uint64_t available, void *to)
{
	const uint8_t *ring = (const uint8_t *)v->shm + v->ring_offset;
	uint64_t at = position & (v->ring_bytes - 1), left = v->ring_bytes - at;
	uint16_t size;

	if (left < sizeof(struct dsm_ev_hdr))
		return 0;
	size = __atomic_load_n((const uint16_t *)(ring + at), __ATOMIC_RELAXED);
	if (size == 0)
		return 0;
	if (size < sizeof(struct dsm_ev_hdr) || size % 8 || size > DSM_EV_MAX || size > left ||
	    size > available)
		return -EBADMSG;
	memcpy(to, ring + at, size);
	((struct dsm_ev_hdr *)to)->size = size; /* the one that was checked */
	return size;
}

static void drain(struct ring *r, const struct source_sink *sink)
{
	struct node_view *v = r->view;
	uint64_t buffer[DSM_EV_MAX / 8];
	struct dsm_ev_hdr *record = (void *)buffer;
	uint64_t head = load(v->head), tail = load(v->tail);

	if (head - tail > v->ring_bytes && !v->broken) {
		refuse(r, "its ring's positions make no sense");
		return;
	}
	while (tail != head && !v->broken) {
		int size = copy_record(v, tail, head - tail, buffer);
		uint64_t step = size ? (uint64_t)size : v->ring_bytes - (tail & (v->ring_bytes - 1));
		if (size < 0 || step > head - tail) {
			/* No way to find the next record: what is in the ring is lost, and the gap in the
			 * sequence numbers will say how much that was. */
			tail = head;
			break;
		}
		tail += step;
		__atomic_store_n(v->tail, tail, __ATOMIC_RELEASE);
		if (!size)
			continue;
		if (!trace_record__sane(record, (size_t)size)) /* its sequence number is not seen: lost */
			continue;
		note_sequence(r, record->seq);
		sink->record(sink->ctx, v->pid, record);
	}
	if (!v->broken)
		__atomic_store_n(v->tail, tail, __ATOMIC_RELEASE);
}

/* After a drain: what the producer counted since the last time, and what it should have counted. The
 * order matters: losses that happen while we read may be in the counts but not yet in the gap. */
static void tell_losses(struct ring *r, const struct source_sink *sink)
{
	struct node_view *v = r->view;
	uint64_t counted = 0, missing;

	if (v->broken)
		return;
	for (unsigned type = 0; type < DSM_EV_TYPE_MAX; type++) {
		uint64_t now = load(&v->lost[type]);
		if (now > r->lost_before[type])
			sink->loss(sink->ctx, v->pid, type, now - r->lost_before[type]);
		r->lost_before[type] = now;
	}
	counted = sum_lost(v) - r->lost_at_start + r->unaccounted;
	missing = r->received ? r->last_seq - r->first_seq + 1 - r->received : 0;
	if (r->received && r->last_seq >= r->first_seq && missing > counted && missing < UINT64_MAX / 2) {
		sink->loss(sink->ctx, v->pid, 0, missing - counted);
		r->unaccounted += missing - counted;
	}
}

static void ring_poll(struct source *s, const struct source_sink *sink, bool all)
{
	struct source_ring *sr = (struct source_ring *)s;

	(void)all;
	for (struct ring *r = sr->rings; r; r = r->next) {
		if (r->state == CLEARED)
			listen_now(r);
		if (r->state != LISTENING)
			continue;
		drain(r, sink);
		tell_losses(r, sink);
	}
}

static void ring_node_dropped(struct source *s, struct node_view *view)
{
	struct source_ring *sr = (struct source_ring *)s;

	for (struct ring **link = &sr->rings; *link; link = &(*link)->next) {
		struct ring *r = *link;
		if (r->view != view)
			continue;
		ring__release(r);
		*link = r->next;
		free(r);
		return;
	}
}

static void ring_free(struct source *s)
{
	struct source_ring *sr = (struct source_ring *)s;

	while (sr->rings)
		ring_node_dropped(s, sr->rings->view);
	free(sr);
}

static const struct source_ops ring_ops = {
	.name = "ring",
	.poll = ring_poll,
	.node_found = ring_node_found,
	.node_dropped = ring_node_dropped,
	.free = ring_free,
};

int source_ring__new(struct source **out, const struct source_options *options, char *why, size_t why_size)
{
	struct source_ring *sr = calloc(1, sizeof(*sr));

	(void)options;
	if (!sr) {
		snprintf(why, why_size, "no memory");
		return -ENOMEM;
	}
	sr->source.ops = &ring_ops;
	*out = &sr->source;
	return 0;
}
