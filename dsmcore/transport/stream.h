/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream.h - what frames travel over: an ordered stream of bytes to one peer, whatever carries it.
 *
 * The transport knows frames, queues and connections; a stream knows how bytes get from one node to the
 * other: a plain socket (stream_socket.c), and whatever else is built. Streams that have no descriptor of
 * their own (rings in shared memory, a completion queue) share an engine, which tells which of them have
 * something.
 *
 * Thread rules: one thread sends on a stream at a time and one receives, but those two may be different
 * threads at the same time. An engine's poll() and arm() are called by the thread that receives.
 */
#ifndef DSM_TRANSPORT_STREAM_H
#define DSM_TRANSPORT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct stream;

struct stream_ops {
	/* Takes bytes from the front of iov without blocking: how many (> 0), -EAGAIN (none now; EPOLLOUT on
	 * fd, or the engine, tells when to try again), or another negative errno: the stream is broken. */
	ssize_t (*send)(struct stream *s, const struct iovec *iov, size_t n);
	/* How many bytes it put into buffer, without blocking; 0: the peer ended properly; -EAGAIN: nothing
	 * now; another negative errno: broken. After fewer bytes than `room` there may be more. */
	ssize_t (*recv)(struct stream *s, void *buffer, size_t room);
	/* Ends it at once and frees it. What was not delivered yet may be lost. */
	void (*close)(struct stream *s);
	/* After recv(): it has more (bytes, or an error to tell) that does not make fd readable, so call
	 * recv() again before blocking. NULL: never. Only the thread that receives calls it. */
	bool (*hidden)(const struct stream *s);
};

/* The head of each kind of stream. */
struct stream {
	const struct stream_ops *ops;
	struct engine *engine; /* tells when recv() and send() may go on; NULL: fd tells both */
	int fd;	      /* for epoll: readable when recv() may have something, -1: only its engine tells */
	uint32_t tag; /* the transport's, for engine_ops.poll() */
};

struct engine;

struct engine_ops {
	/* Calls ready(arg, tag, EPOLLIN | EPOLLOUT) for each stream on which recv() (or, after -EAGAIN,
	 * send()) may succeed now. Returns how many. Cheap when there is nothing: it is called in loops that
	 * spin. */
	int (*poll)(struct engine *e, void (*ready)(void *arg, uint32_t tag, uint32_t events), void *arg);
	/* Before blocking: from now on fd becomes readable when poll() would find something. False: it would
	 * already, do not block. The next poll() ends that. */
	bool (*arm)(struct engine *e);
	/* After its streams were closed. */
	void (*close)(struct engine *e);
};

struct engine {
	const struct engine_ops *ops;
	int fd; /* -1: its streams' descriptors become readable instead */
};

/* What joins a node with the others: a stream to each peer, one for each core_channel (NULL at its own
 * place). */
struct links {
	struct stream *(*stream)[2]; /* [peer][channel] */
	struct engine *engine;	     /* of the streams that have no descriptor; NULL: all have one */
};

/* A connected stream socket, Unix or TCP; ownership passes (also of the descriptor, unless it fails).
 * NULL: errno tells. */
struct stream *stream_socket__new(int fd);
/* An empty table for `nodes` nodes. -ENOMEM. */
int links__alloc(struct links *links, unsigned nodes);
/* Closes what is there still, and frees the table. */
void links__close(struct links *links, unsigned nodes);

#endif
