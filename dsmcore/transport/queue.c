// SPDX-License-Identifier: BSD-2-Clause
/*
 * queue.c - the sending half of the transport: straight to the stream when it takes the bytes, else a
 * queue. The rules for locks are in conn.h.
 */
#include "dsmcore/transport/conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#define DIRECT 32 /* blobs that go out without a copy; more are flattened first */

/* ---- sending ---- */

static void watch(struct transport *t, struct conn *c, bool out)
{
	struct epoll_event ev = {
		.events = EPOLLIN | (out ? (uint32_t)EPOLLOUT : 0),
		.data.u64 = (uint64_t)(c - t->conns),
	};

	if (c->armed == out)
		return;
	c->armed = out;
	/* Cannot fail: the descriptor is registered since the start and needs no new memory. */
	if (!c->stream->engine)
		epoll_ctl(t->epoll, EPOLL_CTL_MOD, c->stream->fd, &ev);
}

void conn__drop(struct transport *t, struct conn *c)
{
	while (c->head) {
		struct chunk *k = c->head;

		c->head = k->next;
		free(k);
	}
	c->tail = &c->head;
	__atomic_fetch_sub(&t->queued, c->queued, __ATOMIC_RELAXED);
	c->queued = 0;
}

/* Called with the lock. What is queued is of no use to anybody. */
static int break_conn(struct transport *t, struct conn *c, int error)
{
	c->error = error;
	conn__drop(t, c);
	__atomic_store_n(&t->broken, 1, __ATOMIC_RELEASE);
	transport__kick(t);
	return -EPIPE;
}

static void append(struct transport *t, struct conn *c, struct chunk *k)
{
	*c->tail = k;
	c->tail = &k->next;
	c->queued += k->size;
	conn__count(&t->queued, k->size);
	if (c->queued > c->high_water) {
		c->high_water = c->queued * 2;
		fprintf(stderr,
			"dsm: node %u: %llu MiB wait to be sent to node %u, which does not read them "
			"(stopped?)\n",
			t->node, (unsigned long long)c->queued >> 20, c->peer);
	}
	watch(t, c, true);
}

/* Sends what is queued, as far as the stream takes it. Called with the lock. */
int conn__flush(struct transport *t, struct conn *c)
{
	while (c->head) {
		struct iovec iov[BATCH];
		size_t parts = 0;
		ssize_t n;

		for (struct chunk *k = c->head; k && parts < BATCH; k = k->next)
			iov[parts++] = (struct iovec){k->bytes + k->sent, k->size - k->sent};
		n = c->stream->ops->send(c->stream, iov, parts);
		if (n == -EAGAIN)
			break;
		if (n < 0)
			return break_conn(t, c, (int)n);
		conn__count(&t->stats.bytes_out, (uint64_t)n);
		c->queued -= (size_t)n;
		__atomic_fetch_sub(&t->queued, (uint64_t)n, __ATOMIC_RELAXED);
		while (n > 0 && c->head) {
			struct chunk *k = c->head;
			size_t part = k->size - k->sent < (size_t)n ? k->size - k->sent : (size_t)n;

			k->sent += part;
			n -= (ssize_t)part;
			if (k->sent < k->size)
				break;
			c->head = k->next;
			if (!c->head)
				c->tail = &c->head;
			free(k);
		}
	}
	watch(t, c, c->head != NULL);
	return 0;
}

static struct chunk *new_chunk(size_t size)
{
	struct chunk *k = malloc(sizeof(*k) + size);

	if (k)
		*k = (struct chunk){.size = size};
	return k;
}

/* Leaves out what has been sent. */
static void advance(struct iovec **iov, size_t *niov, size_t sent)
{
	for (; *niov && sent >= (*iov)->iov_len; ++*iov, --*niov)
		sent -= (*iov)->iov_len;
	if (!*niov)
		return;
	(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + sent;
	(*iov)->iov_len -= sent;
}

/* Hands iov to the stream, which takes it in steps (some records), and queues a copy of what it does not take: who is told of
 * room by an engine is told so only after a send() that got none. Called with the lock, the queue empty. Changes iov. */
static int send_now(struct transport *t, struct conn *c, struct iovec *iov, size_t niov, size_t total)
{
	struct chunk *k;
	size_t at = 0, left = total;
	ssize_t n;

	do {
		n = c->stream->ops->send(c->stream, iov, niov);
		if (n < 0 && n != -EAGAIN)
			return break_conn(t, c, (int)n);
		if (n > 0) {
			conn__count(&t->stats.bytes_out, (uint64_t)n);
			left -= (size_t)n;
			advance(&iov, &niov, (size_t)n);
		}
	} while (n > 0 && left);
	if (!left)
		return 0;
	k = new_chunk(left);
	if (!k) {
		if (left < total) /* half a frame is out: the stream cannot go on */
			break_conn(t, c, -ENOMEM);
		return -ENOMEM;
	}
	for (size_t i = 0; i < niov; at += iov[i++].iov_len)
		memcpy(k->bytes + at, iov[i].iov_base, iov[i].iov_len);
	append(t, c, k);
	return 0;
}

static uint8_t zeros[8];

/* The blobs as they follow the head on the wire; returns how many parts. */
static size_t gather(const struct core_msg *m, const struct wire_blob *blobs, struct iovec *iov)
{
	size_t entries = (size_t)m->npages + m->nwset, n = 0;

	for (size_t i = 0; i < entries; i++) {
		size_t bytes = blobs[i].kind == WIRE_NONE ? 0 : blobs[i].bytes;

		if (!bytes)
			continue;
		iov[n++] = (struct iovec){(void *)blobs[i].data, bytes};
		if (bytes % 8)
			iov[n++] = (struct iovec){zeros, 8 - bytes % 8};
	}
	return n;
}

static size_t count_blobs(const struct core_msg *m, const struct wire_blob *blobs)
{
	size_t entries = (size_t)m->npages + m->nwset, n = 0;

	for (size_t i = 0; blobs && i < entries; i++)
		n += blobs[i].kind != WIRE_NONE && blobs[i].bytes;
	return n;
}

/* Called with the lock. */
static int send_core(struct transport *t, struct conn *c, const struct core_msg *m,
		     const struct wire_blob *blobs, size_t head, size_t total)
{
	uint8_t small[4096];
	struct iovec iov[1 + 2 * DIRECT];
	struct chunk *k;

	if (!c->head && head <= sizeof(small) && count_blobs(m, blobs) <= DIRECT) {
		wire__put_head(m, blobs, total, small);
		iov[0] = (struct iovec){small, head};
		return send_now(t, c, iov, 1 + (blobs ? gather(m, blobs, iov + 1) : 0), total);
	}
	k = new_chunk(total);
	if (!k)
		return -ENOMEM;
	wire__put(m, blobs, total, k->bytes);
	append(t, c, k);
	return conn__flush(t, c);
}

int transport__send(struct transport *t, const struct core_msg *m, const struct wire_blob *blobs)
{
	struct conn *c;
	size_t head, total;
	int rc;

	if (m->from != t->node || m->to >= t->nodes || m->to == t->node || m->channel >= CHANNELS ||
	    m->generation != t->generation)
		return -EINVAL;
	rc = wire__measure(m, blobs, &head, &total);
	if (rc)
		return rc;
	c = conn__of(t, m->to, m->channel);
	pthread_mutex_lock(&c->lock);
	rc = c->error ? -EPIPE : send_core(t, c, m, blobs, head, total);
	pthread_mutex_unlock(&c->lock);
	if (rc == 0)
		conn__count(&t->stats.messages_out, 1);
	return rc;
}

int transport__note(struct transport *t, uint16_t to, uint16_t type, const void *bytes, size_t n)
{
	struct wire_header h = {
		.type = type, .from = t->node, .to = to, .generation = t->generation, .payload = (uint32_t)n};
	struct chunk *k;
	struct conn *c;
	int rc;

	if (to >= t->nodes || to == t->node)
		return -EINVAL;
	if (n > WIRE_NOTE_MAX)
		return -EMSGSIZE;
	k = new_chunk(WIRE_HEADER + wire__padded(n));
	if (!k)
		return -ENOMEM;
	wire__put_note(&h, k->bytes);
	if (n)
		memcpy(k->bytes + WIRE_HEADER, bytes, n);
	memset(k->bytes + WIRE_HEADER + n, 0, wire__padded(n) - n);
	c = conn__of(t, to, CORE_CHANNEL_MAIN);
	pthread_mutex_lock(&c->lock);
	if (c->error) {
		free(k);
		rc = -EPIPE;
	} else {
		append(t, c, k);
		rc = conn__flush(t, c);
	}
	pthread_mutex_unlock(&c->lock);
	if (rc == 0)
		conn__count(&t->stats.messages_out, 1);
	return rc;
}

int transport__drained(struct transport *t)
{
	return __atomic_load_n(&t->queued, __ATOMIC_RELAXED) == 0;
}
