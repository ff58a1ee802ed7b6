// SPDX-License-Identifier: BSD-2-Clause
/*
 * stream_ring.c - streams over rings in shared memory, for two nodes of one host.
 *
 * A pair of nodes shares one memfd with four rings: two channels, two directions. A ring has one writer and
 * one reader, who never wait for one another: `tail` is the writer's, `head` the reader's, both only grow.
 * Nothing goes through the kernel while the reader looks. Before it sleeps the reader sets `sleeping` and
 * looks once more; a writer that finds it set takes it away and rings: one byte through the pair's Unix
 * socket, which is in the reader's epoll set. The same flag and bell, the other way round, wake a writer
 * whose ring was full. The fences between "write, then look at the flag" and "set the flag, then look" are
 * what makes one of the two see the other.
 *
 * The memory is sealed against shrinking, and what the peer may have scribbled into the indices is checked: a
 * broken peer can send nonsense, as over any wire, but not crash its neighbour.
 */
#include "dsmcore/transport/stream_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHANNELS   2
#define RING_BYTES (256u << 10) /* a power of two; memory is used only where it was written */
#define OFFER	   0x314d5352u	/* "RSM1" */

struct ring {
	_Alignas(64) _Atomic uint64_t tail; /* bytes written, ever */
	_Atomic uint32_t blocked;	    /* the writer sleeps until there is room */
	_Alignas(64) _Atomic uint64_t head; /* bytes read, ever */
	_Atomic uint32_t sleeping;	    /* the reader sleeps until there is something */
	_Alignas(64) uint8_t bytes[RING_BYTES];
};

struct pair {
	struct ring ring[CHANNELS][2]; /* [channel][direction]: 0 = from the one who offered */
};

struct ring_stream {
	struct stream base;
	struct ring *in, *out;
	struct pair *pair; /* each stream has a mapping of its own, so that they can be closed in any order */
	struct ring_stream *next;
	_Atomic bool full; /* send() found no room */
};

struct ring_engine {
	struct engine base;
	struct ring_stream *streams;
	bool armed;
	bool closed_some; /* the list is not what it was */
};

/* ---- bytes ---- */

static void ring_bell(struct ring_stream *s)
{
	char byte = 0;

	/* No room: so many bells are under way that one more adds nothing. A peer that is gone is found by
	 * the end of its socket. */
	if (send(s->base.fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return;
}

static void wake(struct ring_stream *s, _Atomic uint32_t *flag)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(flag, memory_order_relaxed) && atomic_exchange(flag, 0))
		ring_bell(s);
}

static void copy_in(struct ring *r, uint64_t at, const void *from, size_t n)
{
	size_t start = at % RING_BYTES, first = n < RING_BYTES - start ? n : RING_BYTES - start;

	memcpy(r->bytes + start, from, first);
	memcpy(r->bytes, (const uint8_t *)from + first, n - first);
}

static void copy_out(const struct ring *r, uint64_t at, void *to, size_t n)
{
	size_t start = at % RING_BYTES, first = n < RING_BYTES - start ? n : RING_BYTES - start;

	memcpy(to, r->bytes + start, first);
	memcpy((uint8_t *)to + first, r->bytes, n - first);
}

/* Bytes that can be written now, or -EPROTO. */
static ssize_t room(const struct ring *r)
{
	uint64_t used = atomic_load_explicit(&r->tail, memory_order_relaxed) -
			atomic_load_explicit(&r->head, memory_order_acquire);

	return used > RING_BYTES ? -EPROTO : (ssize_t)(RING_BYTES - used);
}

static ssize_t ring_send(struct stream *base, const struct iovec *iov, size_t n)
{
	struct ring_stream *s = (struct ring_stream *)base;
	struct ring *r = s->out;
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	ssize_t left = room(r);
	size_t sent = 0;

	if (left == 0) {
		atomic_store(&s->full, true);
		atomic_store_explicit(&r->blocked, 1, memory_order_relaxed);
		atomic_thread_fence(memory_order_seq_cst);
		left = room(r);
	}
	if (left <= 0)
		return left ? left : -EAGAIN;
	for (size_t i = 0; i < n && left; i++) {
		size_t part = iov[i].iov_len < (size_t)left ? iov[i].iov_len : (size_t)left;

		copy_in(r, tail + sent, iov[i].iov_base, part);
		sent += part;
		left -= (ssize_t)part;
	}
	atomic_store_explicit(&r->tail, tail + sent, memory_order_release);
	wake(s, &r->sleeping);
	return (ssize_t)sent;
}

/* Bytes that can be read now, or -EPROTO. */
static ssize_t waiting(const struct ring *r)
{
	uint64_t used = atomic_load_explicit(&r->tail, memory_order_acquire) -
			atomic_load_explicit(&r->head, memory_order_relaxed);

	return used > RING_BYTES ? -EPROTO : (ssize_t)used;
}

/* Takes the bells off the socket. 0: the peer has closed it, -EAGAIN, or another error. */
static ssize_t drain(struct ring_stream *s)
{
	char bells[64];
	ssize_t n;

	do {
		n = recv(s->base.fd, bells, sizeof(bells), MSG_DONTWAIT);
	} while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 ? -errno : 0;
}

static ssize_t ring_recv(struct stream *base, void *buffer, size_t size)
{
	struct ring_stream *s = (struct ring_stream *)base;
	struct ring *r = s->in;
	uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
	ssize_t n = waiting(r);

	if (n == 0) {
		ssize_t end = drain(s);

		/* What the peer wrote last it wrote before it closed the socket. */
		n = waiting(r);
		if (n == 0)
			return end;
	}
	if (n < 0)
		return n;
	if ((size_t)n > size)
		n = (ssize_t)size;
	copy_out(r, head, buffer, (size_t)n);
	atomic_store_explicit(&r->head, head + (size_t)n, memory_order_release);
	wake(s, &r->blocked);
	return n;
}

/* ---- the engine ---- */

static void set_sleeping(struct ring_engine *e, uint32_t on)
{
	for (struct ring_stream *s = e->streams; s; s = s->next)
		atomic_store_explicit(&s->in->sleeping, on, memory_order_relaxed);
}

static uint32_t readiness(struct ring_stream *s)
{
	uint32_t events = waiting(s->in) ? EPOLLIN : 0;

	if (atomic_load_explicit(&s->full, memory_order_relaxed) && room(s->out)) {
		atomic_store(&s->full, false);
		events |= EPOLLOUT;
	}
	return events;
}

static int engine_poll(struct engine *base, void (*ready)(void *arg, uint32_t tag, uint32_t events),
		       void *arg)
{
	struct ring_engine *e = (struct ring_engine *)base;
	int n = 0;

	if (e->armed)
		set_sleeping(e, 0);
	e->armed = false;
	for (struct ring_stream *s = e->streams; s;) {
		uint32_t events = readiness(s);

		if (events) {
			e->closed_some = false;
			ready(arg, s->base.tag, events);
			n++;
		}
		/* Handling it may have closed this stream and others. */
		s = events && e->closed_some ? e->streams : s->next;
	}
	return n;
}

static bool engine_arm(struct engine *base)
{
	struct ring_engine *e = (struct ring_engine *)base;

	set_sleeping(e, 1);
	e->armed = true;
	atomic_thread_fence(memory_order_seq_cst);
	for (struct ring_stream *s = e->streams; s; s = s->next)
		if (waiting(s->in) || (atomic_load_explicit(&s->full, memory_order_relaxed) && room(s->out)))
			return false;
	return true;
}

static void engine_close(struct engine *base)
{
	free(base);
}

struct engine *ring_engine__new(void)
{
	static const struct engine_ops ops = {engine_poll, engine_arm, engine_close};
	struct ring_engine *e = calloc(1, sizeof(*e));

	if (e)
		e->base = (struct engine){&ops, -1};
	return (struct engine *)e;
}

/* ---- opening and closing ---- */

static void ring_close(struct stream *base)
{
	struct ring_stream *s = (struct ring_stream *)base;
	struct ring_engine *e = (struct ring_engine *)base->engine;
	struct ring_stream **at = &e->streams;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	e->closed_some = true;
	close(s->base.fd);
	munmap(s->pair, sizeof(*s->pair));
	free(s);
}

static const struct stream_ops ring_ops = {.send = ring_send, .recv = ring_recv, .close = ring_close};

static struct ring_stream *open_one(struct engine *engine, int memory, unsigned channel, bool offered, int fd)
{
	struct ring_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->pair = mmap(NULL, sizeof(*s->pair), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memory, 0);
	if (s->pair == MAP_FAILED) {
		free(s);
		return NULL;
	}
	s->base = (struct stream){.ops = &ring_ops, .engine = engine, .fd = fd};
	s->out = &s->pair->ring[channel][!offered];
	s->in = &s->pair->ring[channel][offered];
	return s;
}

static int open_both(struct engine *engine, int memory, bool offered, const int fds[2], struct stream *out[2])
{
	struct ring_engine *e = (struct ring_engine *)engine;

	for (unsigned ch = 0; ch < CHANNELS; ch++) {
		struct ring_stream *s = open_one(engine, memory, ch, offered, fds[ch]);
		int flags = fcntl(fds[ch], F_GETFL);

		if (!s || flags < 0 || fcntl(fds[ch], F_SETFL, flags | O_NONBLOCK)) {
			for (unsigned i = 0; i < ch; i++) {
				e->streams = e->streams->next;
				munmap(((struct ring_stream *)out[i])->pair, sizeof(struct pair));
				free(out[i]);
				out[i] = NULL;
			}
			free(s);
			return -ENOMEM;
		}
		s->next = e->streams;
		e->streams = s;
		out[ch] = &s->base;
	}
	return 0;
}

static int send_memory(int fd, int memory)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} room = {0};
	uint32_t magic = OFFER;
	struct iovec iov = {&magic, sizeof(magic)};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = room.bytes,
			    .msg_controllen = sizeof(room.bytes)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&mh);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &memory, sizeof(int));
	return sendmsg(fd, &mh, MSG_NOSIGNAL) == sizeof(magic) ? 0 : -EIO;
}

static int receive_memory(int fd, int timeout_ms, int *memory)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} room;
	uint32_t magic = 0;
	struct iovec iov = {&magic, sizeof(magic)};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = room.bytes,
			    .msg_controllen = sizeof(room.bytes)};
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n;

	do {
		n = poll(&p, 1, timeout_ms);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -ETIMEDOUT;
	n = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&mh);

	if (n == 0)
		return -ECONNRESET;
	if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
		return n < 0 ? -errno : -EPROTO;
	memcpy(memory, CMSG_DATA(c), sizeof(int));
	return n == sizeof(magic) && magic == OFFER ? 0 : -EPROTO;
}

int stream_ring__offer(struct engine *engine, const int fds[2], struct stream *out[2])
{
	int memory = memfd_create("dsm-rings", MFD_CLOEXEC | MFD_ALLOW_SEALING), rc;

	if (memory < 0)
		return -errno;
	if (ftruncate(memory, sizeof(struct pair)) ||
	    fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		rc = -errno;
	else
		rc = send_memory(fds[0], memory);
	if (rc == 0)
		rc = open_both(engine, memory, true, fds, out);
	close(memory);
	return rc;
}

int stream_ring__accept(struct engine *engine, const int fds[2], int timeout_ms, struct stream *out[2])
{
	int memory = -1, rc = receive_memory(fds[0], timeout_ms, &memory);
	off_t size = rc ? 0 : lseek(memory, 0, SEEK_END);

	/* Unsealed memory could be taken away under our reads. */
	if (rc == 0 && (size != (off_t)sizeof(struct pair) || !(fcntl(memory, F_GET_SEALS) & F_SEAL_SHRINK)))
		rc = -EPROTO;
	if (rc == 0)
		rc = open_both(engine, memory, false, fds, out);
	if (memory >= 0)
		close(memory);
	return rc;
}
