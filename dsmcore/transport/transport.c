// SPDX-License-Identifier: BSD-2-Clause
/*
 * transport.c - frames over streams that do not block, one epoll set a node.
 *
 * Who receives. The service thread does, until the mutator waits for an answer: then the mutator takes over
 * and handles all messages itself, since waking a thread costs more than the message took to come.
 * `receiving` is held by the one who does (turns.c).
 *
 * Copies. A message that finds the queue empty goes to the stream straight from the caller's
 * pages (queue.c); only what the stream does not take is copied. Received frames are decoded where the stream
 * put them: most arrive whole in the one scratch buffer; what is left over moves to a buffer of the
 * connection, which grows with the bytes that came and not with those that were announced.
 */
#include "dsmcore/transport/transport.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dsmcore/transport/conn.h"

#define SCRATCH (256u << 10)
#define KEEP	(192u << 10) /* a connection's own buffer is given back when larger than an answer */
#define LOOKS	16	     /* of one who spins: so often he asks about all streams */
#define KICK	UINT64_MAX
#define ENGINE	(UINT64_MAX - 1)

/* ---- receiving: whoever holds t->receiving ---- */

static int deliver(struct transport *t, struct conn *c, const uint8_t *bytes, size_t size)
{
	struct wire_frame *f = &t->frame;
	int rc = wire__decode(bytes, size, f);

	if (rc)
		return rc;
	conn__count(&t->stats.messages_in, 1);
	t->recent = c;
	if (f->header.kind == WIRE_KIND_CORE)
		t->handler.message(t->handler.arg, &f->msg, f->blobs);
	else
		t->handler.note(t->handler.arg, c->peer, f->header.type, f->note, f->header.payload);
	return 0;
}

/* Size of the frame that begins here, 0 when its header is not all there. A frame that does not
 * belong on this connection shows a broken or hostile peer. */
static int frame_size(const struct transport *t, const struct conn *c, const uint8_t *bytes, size_t have,
		      size_t *size)
{
	struct wire_header h;
	int rc;

	*size = 0;
	if (have < WIRE_HEADER)
		return 0;
	rc = wire__header(bytes, &h);
	if (rc)
		return rc;
	if (h.from != c->peer || h.to != t->node || h.channel != c->channel || h.generation != t->generation)
		return -EPROTO;
	*size = h.bytes;
	return 0;
}

/* Delivers the whole frames at `bytes`; *used: how many bytes they took. */
static int deliver_all(struct transport *t, struct conn *c, const uint8_t *bytes, size_t have, size_t *used)
{
	int frames = 0;

	for (*used = 0;;) {
		size_t size;
		int rc = frame_size(t, c, bytes + *used, have - *used, &size);

		if (rc)
			return rc;
		if (!size || size > have - *used)
			return frames;
		rc = deliver(t, c, bytes + *used, size);
		if (rc)
			return rc;
		*used += size;
		frames++;
	}
}

static int reserve(struct conn *c, size_t bytes)
{
	uint8_t *p;

	if (bytes <= c->room)
		return 0;
	p = realloc(c->in, bytes);
	if (!p)
		return -ENOMEM;
	c->in = p;
	c->room = bytes;
	return 0;
}

/* Reads the end and errors alike: bytes, 0 = nothing now, or c->ended set. */
static size_t take(struct transport *t, struct conn *c, void *buffer, size_t room)
{
	ssize_t n = c->stream->ops->recv(c->stream, buffer, room);

	if (n > 0) {
		conn__count(&t->stats.bytes_in, (uint64_t)n);
		return (size_t)n;
	}
	if (n == -EAGAIN)
		return 0;
	c->ended = true;
	c->end_error = n < 0	 ? (int)n
		       : c->have ? -ECONNRESET
				 : 0; /* an end within a frame is no proper end */
	return 0;
}

/* Goes on with the frame that began earlier: reads no byte past it, so that the next one begins
 * aligned in the scratch buffer. */
static int receive_rest(struct transport *t, struct conn *c, bool *more)
{
	size_t size, n, used;
	int rc = frame_size(t, c, c->in, c->have, &size);

	if (rc)
		return rc;
	if (!size)
		size = WIRE_HEADER;
	if (c->have == c->room) {
		size_t room = c->room * 2 < 4096 ? 4096 : c->room * 2;

		rc = reserve(c, size < room ? size : room);
		if (rc)
			return rc;
	}
	if (size > c->room)
		size = c->room;
	n = take(t, c, c->in + c->have, size - c->have);
	*more = n == size - c->have && n;
	c->have += n;
	rc = deliver_all(t, c, c->in, c->have, &used);
	if (rc <= 0)
		return rc;
	c->have = 0;
	if (c->room > KEEP) {
		free(c->in);
		c->in = NULL;
		c->room = 0;
	}
	return rc;
}

static int receive_fresh(struct transport *t, struct conn *c, bool *more)
{
	size_t n = take(t, c, t->scratch, SCRATCH), used;
	int rc = deliver_all(t, c, t->scratch, n, &used);

	*more = n == SCRATCH;
	if (rc < 0 || used == n)
		return rc;
	if (reserve(c, n - used))
		return -ENOMEM;
	memcpy(c->in, t->scratch + used, n - used);
	c->have = n - used;
	return rc;
}

/* Epoll would not tell. It is bounded: what the stream has read from its descriptor in one step. */
static bool hidden(const struct conn *c)
{
	return c->stream->ops->hidden && c->stream->ops->hidden(c->stream);
}

/* Reads what is there, at most about `budget` steps so that no peer starves the others. Returns
 * frames, or a negative errno when the connection is of no use any more. */
static int receive(struct transport *t, struct conn *c, int budget)
{
	int frames = 0;
	bool more = true;

	while ((more && budget-- > 0) || hidden(c)) {
		int rc = c->have ? receive_rest(t, c, &more) : receive_fresh(t, c, &more);

		if (rc < 0)
			return rc;
		frames += rc;
		if (c->ended)
			return frames;
	}
	return frames;
}

static void shut(struct transport *t, struct conn *c)
{
	pthread_mutex_lock(&c->lock);
	if (c->stream)
		c->stream->ops->close(c->stream); /* its descriptor leaves the epoll set with it */
	c->stream = NULL;
	if (!c->error)
		c->error = -EPIPE;
	conn__drop(t, c);
	pthread_mutex_unlock(&c->lock);
	free(c->in);
	c->in = NULL;
	c->have = c->room = 0;
}

/* The peer is gone: hands over what it still said on its other connection, then tells the handler. */
static int lose(struct transport *t, uint16_t peer, int error)
{
	int frames = 0;

	if (t->gone[peer])
		return 0;
	t->gone[peer] = true;
	for (unsigned ch = 0; ch < CHANNELS; ch++) {
		struct conn *c = conn__of(t, peer, ch);
		int rc = 1;

		/* Bounded: a peer that is not dead could go on for ever. */
		for (int round = 0; round < 64 && !c->ended && rc > 0; round++) {
			rc = receive(t, c, 16);
			frames += rc > 0 ? rc : 0;
		}
		if (!error && c->ended)
			error = c->end_error;
	}
	for (unsigned ch = 0; ch < CHANNELS; ch++)
		shut(t, conn__of(t, peer, ch));
	t->handler.lost(t->handler.arg, peer, error);
	return frames + 1; /* it may be what somebody waits for */
}

static int serve(struct transport *t, struct conn *c, uint32_t events)
{
	int frames = 0, rc;

	if (!c->stream)
		return 0;
	if (events & EPOLLOUT) {
		pthread_mutex_lock(&c->lock);
		if (!c->error)
			conn__flush(t, c);
		pthread_mutex_unlock(&c->lock);
	}
	if (!(events & ~(uint32_t)EPOLLOUT))
		return 0;
	rc = receive(t, c, 4);
	if (rc > 0)
		frames = rc;
	if (rc < 0) {
		c->ended = true;
		return frames + lose(t, c->peer, rc);
	}
	return c->ended ? frames + lose(t, c->peer, c->end_error) : frames;
}

/* Connections on which a sender failed: the peer may have ended only its reading side. */
static int sweep(struct transport *t)
{
	int frames = 0;

	if (!__atomic_exchange_n(&t->broken, 0, __ATOMIC_ACQUIRE))
		return 0;
	for (size_t i = 0; i < (size_t)t->nodes * CHANNELS; i++) {
		struct conn *c = &t->conns[i];
		int error;

		pthread_mutex_lock(&c->lock);
		error = c->stream ? c->error : 0;
		pthread_mutex_unlock(&c->lock);
		if (error)
			frames += lose(t, c->peer, error);
	}
	return frames;
}

static void serve_ready(void *arg, uint32_t tag, uint32_t events)
{
	struct transport *t = arg;

	t->frames += serve(t, &t->conns[tag], events);
}

/* What the engine knows of; true when there was something. */
static bool receive_engine(struct transport *t)
{
	return t->engine && t->engine->ops->poll(t->engine, serve_ready, t);
}

int conn__receive_all(struct transport *t, int timeout_ms)
{
	struct epoll_event ev[BATCH];
	int n;

	t->frames = 0;
	if (receive_engine(t) || (timeout_ms && t->engine && !t->engine->ops->arm(t->engine)))
		timeout_ms = 0;
	n = epoll_wait(t->epoll, ev, BATCH, timeout_ms);
	if (n < 0)
		return errno == EINTR ? t->frames : -errno;
	for (int i = 0; i < n; i++) {
		uint64_t drop;

		if (ev[i].data.u64 == ENGINE)
			receive_engine(t);
		else if (ev[i].data.u64 != KICK)
			t->frames += serve(t, &t->conns[ev[i].data.u64], ev[i].events);
		else if (read(t->kick, &drop, sizeof(drop)) < 0)
			continue; /* another kick was taken before: nothing is lost */
	}
	return t->frames + sweep(t);
}

/* Who spins looks where the last message came from, or at the engine, and asks about the rest now and then.
 */
int transport__receive(struct transport *t, int timeout_ms)
{
	if (timeout_ms || t->looks++ % LOOKS == 0)
		return conn__receive_all(t, timeout_ms);
	t->frames = 0;
	if (t->recent->stream && t->recent->stream->engine)
		receive_engine(t);
	else
		t->frames = serve(t, t->recent, EPOLLIN);
	return t->frames;
}

void transport__kick(struct transport *t)
{
	uint64_t one = 1;

	/* Fails only when the counter is full, and then the wait returns anyway. */
	if (write(t->kick, &one, sizeof(one)) < 0)
		return;
}

void transport__stats(const struct transport *t, struct transport_stats *s)
{
	s->messages_out = __atomic_load_n(&t->stats.messages_out, __ATOMIC_RELAXED);
	s->bytes_out = __atomic_load_n(&t->stats.bytes_out, __ATOMIC_RELAXED);
	s->messages_in = __atomic_load_n(&t->stats.messages_in, __ATOMIC_RELAXED);
	s->bytes_in = __atomic_load_n(&t->stats.bytes_in, __ATOMIC_RELAXED);
}

/* ---- opening and closing ---- */

static int adopt(struct transport *t, struct conn *c, struct stream *stream)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = (uint64_t)(c - t->conns)};

	c->stream = stream;
	c->error = 0;
	stream->tag = (uint32_t)ev.data.u64;
	return stream->fd >= 0 && epoll_ctl(t->epoll, EPOLL_CTL_ADD, stream->fd, &ev) ? -errno : 0;
}

static int open_all(struct transport *t, const struct links *links)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = KICK},
			   engine = {.events = EPOLLIN, .data.u64 = ENGINE};
	int rc;

	t->epoll = epoll_create1(EPOLL_CLOEXEC);
	t->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->epoll < 0 || t->kick < 0 || epoll_ctl(t->epoll, EPOLL_CTL_ADD, t->kick, &ev))
		return -errno;
	rc = turns__open(t);
	if (rc)
		return rc;
	if (t->engine && t->engine->fd >= 0 && epoll_ctl(t->epoll, EPOLL_CTL_ADD, t->engine->fd, &engine))
		return -errno;
	for (unsigned p = 0; links && p < t->nodes; p++)
		for (unsigned ch = 0; ch < CHANNELS && p != t->node; ch++) {
			rc = adopt(t, conn__of(t, p, ch), links->stream[p][ch]);

			if (rc)
				return rc;
		}
	return 0;
}

int transport__open(struct transport **out, uint16_t node, uint16_t nodes, uint32_t generation,
		    struct links *links, const struct transport_handler *handler)
{
	struct transport *t;
	int rc = -ENOMEM;

	if (node >= nodes || !handler || (nodes > 1 && !links))
		return -EINVAL;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->node = node;
	t->nodes = nodes;
	t->generation = generation;
	t->handler = *handler;
	t->engine = links ? links->engine : NULL;
	t->epoll = t->outer = t->kick = t->timer = t->alarm = -1;
	pthread_mutex_init(&t->receiving, NULL);
	t->conns = calloc((size_t)nodes * CHANNELS, sizeof(*t->conns));
	t->gone = calloc(nodes, sizeof(*t->gone));
	t->scratch = malloc(SCRATCH);
	for (size_t i = 0; t->conns && i < (size_t)nodes * CHANNELS; i++) {
		struct conn *c = &t->conns[i];

		c->peer = (uint16_t)(i / CHANNELS);
		c->channel = i % CHANNELS;
		c->error = -EPIPE;
		c->tail = &c->head;
		c->high_water = HIGH_WATER;
		pthread_mutex_init(&c->lock, NULL);
	}
	if (t->conns && t->gone && t->scratch)
		rc = open_all(t, links);
	if (rc) {
		/* The streams stay the caller's until the call succeeds. */
		for (size_t i = 0; t->conns && i < (size_t)nodes * CHANNELS; i++)
			t->conns[i].stream = NULL;
		t->engine = NULL;
		transport__close(t);
		return rc;
	}
	t->recent = conn__of(t, node ? 0 : 1 % nodes, 0);
	conn__arm(t);
	if (links) {
		free(links->stream);
		*links = (struct links){0};
	}
	*out = t;
	return 0;
}

void transport__close(struct transport *t)
{
	if (!t)
		return;
	for (size_t i = 0; t->conns && i < (size_t)t->nodes * CHANNELS; i++) {
		shut(t, &t->conns[i]);
		pthread_mutex_destroy(&t->conns[i].lock);
	}
	if (t->engine)
		t->engine->ops->close(t->engine);
	turns__close(t);
	if (t->epoll >= 0)
		close(t->epoll);
	if (t->kick >= 0)
		close(t->kick);
	pthread_mutex_destroy(&t->receiving);
	wire__free(&t->frame);
	free(t->scratch);
	free(t->gone);
	free(t->conns);
	free(t);
}
