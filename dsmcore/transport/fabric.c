// SPDX-License-Identifier: BSD-2-Clause
/*
 * fabric.c - streams of bytes over a libfabric endpoint that knows only messages.
 *
 * A stream is cut into pieces, each with a head that tells its run, its stream and its place there. The
 * provider keeps the order of the pieces to one peer (FI_ORDER_SAS); the numbers only check that. Every
 * stream may have `window` pieces on their way that the receiver's recv() has not taken; the receiver has
 * buffers for all of them, so a node that does not read costs the others no memory and stops nobody else.
 * What was taken is told with every piece of the other direction, and by a piece of its own after half a
 * window.
 *
 * Pieces up to the provider's inject size are injected: the provider has copied them when the call returns.
 * Larger ones are copied to a buffer that libfabric has until the completion.
 */
#include "dsmcore/transport/fabric_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#define SPINS	 200 /* attempts at the lock before sleeping for it: it is held for about a microsecond */
#define EVENTS	 64  /* streams reported by one poll() */
#define BYE_NS	 20000000ll
#define CLOSE_NS 500000000ll

/* ---- entering and leaving ---- */

static void enter(struct fabric *f)
{
	for (int i = 0; i < SPINS; i++) {
		if (!pthread_mutex_trylock(&f->lock))
			return;
		__builtin_ia32_pause();
	}
	pthread_mutex_lock(&f->lock);
}

static void leave(struct fabric *f)
{
	pthread_mutex_unlock(&f->lock);
}

/* ---- what is to be reported ---- */

static bool has_news(const struct lane *l)
{
	return l->open && (l->head || l->ended || l->writable);
}

void fabric__list(struct fabric *f, struct lane *l)
{
	if (l->listed || !l->open)
		return;
	l->listed = true;
	l->next_ready = NULL;
	*f->ready_tail = l;
	f->ready_tail = &l->next_ready;
}

static struct lane *unlist(struct fabric *f)
{
	struct lane *l = f->ready;

	f->ready = l->next_ready;
	if (!f->ready)
		f->ready_tail = &f->ready;
	l->listed = false;
	return l;
}

bool fabric__any_ready(struct fabric *f)
{
	while (f->ready && !has_news(f->ready))
		unlist(f);
	return f->ready;
}

static void starve(struct fabric *f, struct lane *l)
{
	f->starving += !l->starved;
	l->starved = true;
}

void fabric__feed(struct fabric *f, struct lane *l)
{
	if (!l->starved)
		return;
	l->starved = false;
	f->starving--;
	l->writable = true;
	fabric__list(f, l);
}

/* A buffer has come back: whoever waits for one may have it. */
void fabric__feed_all(struct fabric *f)
{
	for (unsigned i = 0; f->starving && i < f->config.nodes * CHANNELS; i++)
		if (f->lanes[i].sent - f->lanes[i].passed < f->window)
			fabric__feed(f, &f->lanes[i]);
}

static void refuse(struct fabric *f, struct lane *l)
{
	f->refusals += !l->refused;
	l->refused = true;
	wait__retry(f);
}

void fabric__lose(struct fabric *f, unsigned peer, int error)
{
	struct peer *p = &f->peers[peer];

	if (p->lost)
		return;
	p->lost = true;
	wait__forget(f, p);
	for (unsigned ch = 0; ch < CHANNELS; ch++) {
		struct lane *l = fabric__lane(f, peer, ch);

		if (!l->ended) {
			l->ended = true;
			l->error = error;
		}
		fabric__feed(f, l);
		fabric__list(f, l);
	}
}

/* ---- sending ---- */

static void fill(struct fabric *f, struct piece *p, const struct lane *l, enum piece_kind kind,
		 uint32_t number, uint32_t bytes)
{
	*p = (struct piece){
		.magic = PIECE_MAGIC,
		.generation = f->config.generation,
		.key = f->key,
		.from = f->config.node,
		.to = l->peer,
		.kind = (uint8_t)kind,
		.channel = l->channel,
		.window = (uint16_t)f->window,
		.number = number,
		.taken = l->taken,
		.bytes = bytes,
	};
}

/* Where a piece of so many bytes is put together, NULL: no buffer is free. *slot: of a piece too large for
 * injection. */
static uint8_t *get_room(struct fabric *f, size_t bytes, struct slot **slot)
{
	*slot = NULL;
	if (bytes <= f->inject_bytes)
		return f->small;
	*slot = f->idle_send;
	if (!*slot)
		return NULL;
	f->idle_send = (*slot)->next;
	return (*slot)->data;
}

void fabric__put_back(struct fabric *f, struct slot *s)
{
	s->next = f->idle_send;
	f->idle_send = s;
}

/* Hands a finished piece to libfabric. */
static int transmit(struct fabric *f, struct lane *l, struct slot *s, size_t bytes)
{
	struct peer *p = &f->peers[l->peer];
	ssize_t rc;

	if (s) {
		s->peer = l->peer;
		rc = fi_send(f->ep, s->data, bytes, f->mr ? fi_mr_desc(f->mr) : NULL, p->address,
			     &s->context);
	} else {
		rc = fi_inject(f->ep, f->small, bytes, p->address);
	}
	if (rc) {
		if (s)
			fabric__put_back(f, s);
		return rc == -FI_EAGAIN || rc == -FI_ENOMEM || rc == -FI_ENOBUFS ? -EAGAIN : (int)rc;
	}
	f->sending += s != NULL;
	l->told = l->taken;
	p->out_ns = f->now;
	return 0;
}

int fabric__say(struct fabric *f, unsigned peer, unsigned channel, enum piece_kind kind, uint32_t number)
{
	struct lane *l = fabric__lane(f, peer, channel);
	struct piece head;
	struct slot *s;
	uint8_t *room = get_room(f, sizeof(head), &s);
	int rc;

	if (!room)
		return -EAGAIN;
	fill(f, &head, l, kind, number, 0);
	memcpy(room, &head, sizeof(head));
	rc = transmit(f, l, s, sizeof(head));
	if (rc == 0)
		wait__ring(&f->peers[peer]);
	return rc;
}

/* A place in the bytes to be sent. */
struct cursor {
	const struct iovec *iov;
	size_t n, at; /* parts left; bytes of the first one that are done */
};

static size_t copy(struct cursor *c, uint8_t *to, size_t room)
{
	size_t done = 0;

	while (c->n && done < room) {
		size_t part = c->iov->iov_len - c->at;

		if (part > room - done)
			part = room - done;
		if (part)
			memcpy(to + done, (const uint8_t *)c->iov->iov_base + c->at, part);
		done += part;
		c->at += part;
		if (c->at == c->iov->iov_len) {
			c->iov++;
			c->n--;
			c->at = 0;
		}
	}
	return done;
}

/* Sends the next piece of `left` bytes. How many of them, or -EAGAIN, or another negative errno. */
static ssize_t send_piece(struct fabric *f, struct lane *l, struct cursor *c, size_t left)
{
	size_t most = f->piece_bytes - sizeof(struct piece), bytes = left < most ? left : most;
	struct piece head;
	struct slot *s;
	uint8_t *room;
	int rc;

	if (l->sent - l->passed >= f->window || !(room = get_room(f, sizeof(head) + bytes, &s))) {
		starve(f, l);
		return -EAGAIN;
	}
	fill(f, &head, l, PIECE_DATA, l->sent, (uint32_t)bytes);
	memcpy(room, &head, sizeof(head));
	copy(c, room + sizeof(head), bytes);
	rc = transmit(f, l, s, sizeof(head) + bytes);
	if (rc == -EAGAIN) {
		starve(f, l);
		refuse(f, l);
	}
	if (rc)
		return rc;
	l->sent++;
	return (ssize_t)bytes;
}

static ssize_t lane_send(struct stream *stream, const struct iovec *iov, size_t n)
{
	struct lane *l = (struct lane *)stream;
	struct fabric *f = l->fabric;
	struct cursor c = {iov, n, 0};
	size_t left = 0, total;
	ssize_t rc = 0;

	for (size_t i = 0; i < n; i++)
		left += iov[i].iov_len;
	total = left;
	enter(f);
	while (left) {
		rc = l->ended ? -EPIPE : send_piece(f, l, &c, left);
		if (rc < 0)
			break;
		left -= (size_t)rc;
	}
	if (left < total)
		wait__ring(&f->peers[l->peer]);
	if (rc < 0 && rc != -EAGAIN && rc != -EPIPE)
		fabric__lose(f, l->peer, (int)rc);
	leave(f);
	return left < total ? (ssize_t)(total - left) : rc < 0 ? rc : 0;
}

/* ---- receiving ---- */

int fabric__post(struct fabric *f)
{
	ssize_t rc;

	while (f->idle_recv) {
		struct slot *s = f->idle_recv;

		rc = fi_recv(f->ep, s->data, f->piece_bytes, f->mr ? fi_mr_desc(f->mr) : NULL, FI_ADDR_UNSPEC,
			     &s->context);
		if (rc ==
		    -FI_EAGAIN) /* its queue is full: when one of its buffers comes back, there is room */
			return 0;
		if (rc)
			return (int)rc;
		f->idle_recv = s->next;
	}
	return 0;
}

void fabric__repost(struct fabric *f, struct slot *s)
{
	s->next = f->idle_recv;
	f->idle_recv = s;
	fabric__post(f);
}

static void give_credit(struct fabric *f, struct lane *l)
{
	int rc = f->peers[l->peer].lost ? 0 : fabric__say(f, l->peer, l->channel, PIECE_CREDIT, 0);

	l->owes = rc == -EAGAIN;
	if (l->owes)
		refuse(f, l);
	else if (rc)
		fabric__lose(f, l->peer, rc);
}

static void take_head(struct fabric *f, struct lane *l)
{
	struct slot *s = l->head;

	l->head = s->next;
	if (!l->head)
		l->tail = &l->head;
	l->taken++;
	fabric__repost(f, s);
	if (l->taken - l->told >= f->window / 2)
		give_credit(f, l);
}

static ssize_t lane_recv(struct stream *stream, void *buffer, size_t room)
{
	struct lane *l = (struct lane *)stream;
	struct fabric *f = l->fabric;
	uint8_t *to = buffer;
	size_t done = 0;
	ssize_t rc;

	enter(f);
	while (l->head && done < room) {
		struct slot *s = l->head;
		size_t part = s->end - s->at < room - done ? s->end - s->at : room - done;

		memcpy(to + done, s->data + s->at, part);
		done += part;
		s->at += (uint32_t)part;
		if (s->at == s->end)
			take_head(f, l);
	}
	rc = done ? (ssize_t)done : l->ended && !l->head ? l->error : -EAGAIN;
	leave(f);
	return rc;
}

/* ---- the engine ---- */

/* What the provider would not take earlier. */
static void try_again(struct fabric *f)
{
	if (!f->refusals || f->now < f->retry_ns)
		return;
	for (unsigned i = 0; i < f->config.nodes * CHANNELS; i++) {
		struct lane *l = &f->lanes[i];

		if (!l->refused)
			continue;
		l->refused = false;
		f->refusals--;
		if (l->owes)
			give_credit(f, l);
		if (l->sent - l->passed < f->window)
			fabric__feed(f, l);
	}
}

static unsigned collect(struct fabric *f, uint32_t tag[EVENTS], uint32_t events[EVENTS])
{
	struct lane *last = NULL;
	unsigned n = 0;

	while (n < EVENTS && fabric__any_ready(f) && f->ready != last) {
		struct lane *l = unlist(f);

		tag[n] = l->stream.tag;
		events[n++] = (l->head || l->ended ? (uint32_t)EPOLLIN : 0) |
			      (l->writable ? (uint32_t)EPOLLOUT : 0);
		l->writable = false;
		if (has_news(l)) { /* stays, behind the others, until recv() has taken it all */
			fabric__list(f, l);
			last = last ? last : l;
		}
	}
	return n;
}

static int engine_poll(struct engine *e, void (*ready)(void *arg, uint32_t tag, uint32_t events), void *arg)
{
	struct fabric *f = (struct fabric *)e;
	uint32_t tag[EVENTS], events[EVENTS];
	unsigned n;

	enter(f);
	wait__poll(f);
	try_again(f);
	n = collect(f, tag, events);
	leave(f);
	for (unsigned i = 0; i < n; i++)
		ready(arg, tag[i], events[i]);
	return (int)n;
}

static bool engine_arm(struct engine *e)
{
	struct fabric *f = (struct fabric *)e;
	bool may_sleep;

	enter(f);
	may_sleep = wait__arm(f);
	leave(f);
	return may_sleep;
}

static void engine_close(struct engine *e)
{
	struct fabric *f = (struct fabric *)e;
	int64_t until = wait__clock() + CLOSE_NS;

	do {
		f->now = wait__clock();
		fabric__progress(f);
	} while (f->sending && f->now < until);
	fabric__free(f);
}

const struct engine_ops fabric__engine_ops = {engine_poll, engine_arm, engine_close};

/* ---- streams ---- */

static void lane_close(struct stream *stream)
{
	struct lane *l = (struct lane *)stream;
	struct fabric *f = l->fabric;
	int rc = -EAGAIN;

	enter(f);
	f->now = wait__clock();
	for (int64_t until = f->now + BYE_NS; rc == -EAGAIN && !f->peers[l->peer].lost && f->now < until;) {
		rc = fabric__say(f, l->peer, l->channel, PIECE_BYE, l->sent);
		if (rc == -EAGAIN)
			fabric__progress(f);
		f->now = wait__clock();
	}
	l->open = false;
	l->ended = true;
	while (l->head)
		take_head(f, l);
	leave(f);
}

static const struct stream_ops lane_ops = {.send = lane_send, .recv = lane_recv, .close = lane_close};

void fabric__setup_lanes(struct fabric *f)
{
	f->ready_tail = &f->ready;
	for (unsigned i = 0; i < f->config.nodes * CHANNELS; i++) {
		struct lane *l = &f->lanes[i];

		*l = (struct lane){
			.stream = {.ops = &lane_ops, .fd = -1, .engine = &f->engine},
			.fabric = f,
			.peer = (uint16_t)(i / CHANNELS),
			.channel = (uint8_t)(i % CHANNELS),
			.open = i / CHANNELS != f->config.node,
			.tail = &l->head,
		};
	}
}
