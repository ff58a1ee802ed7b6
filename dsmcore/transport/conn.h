/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conn.h - the connections of a transport, shared by its sending (queue.c) and receiving half.
 *
 * Locks. Each connection has a mutex over its out-queue, its stream and its EPOLLOUT state; it is held for a
 * system call at most, and never while a handler runs. Senders hold the node's mutex when they take it.
 * Everything about receiving belongs to the thread that holds `receiving`, and only that thread closes
 * streams: a sender that meets a broken connection marks it and kicks. Handlers run under `receiving` and
 * take the node's mutex; so the order is receiving, node's mutex, connection's, and no cycle exists.
 */
#ifndef DSM_TRANSPORT_CONN_H
#define DSM_TRANSPORT_CONN_H

#include <pthread.h>
#include <stdbool.h>

#include "dsmcore/transport/stream.h"
#include "dsmcore/transport/transport.h"
#include "dsmcore/transport/wire.h"

#define CHANNELS 2
/* Queued bytes to one peer that are worth a message; again at each doubling. */
#define HIGH_WATER (64ull << 20)
#define BATCH	   64 /* epoll events, or queued chunks, a system call */

struct chunk {
	struct chunk *next;
	size_t size, sent;
	uint8_t bytes[];
};

struct conn {
	uint16_t peer;
	uint8_t channel;
	pthread_mutex_t lock;
	struct stream *stream; /* NULL: closed. Written under both locks */
	int error;	       /* under the lock: why nothing more can be sent */
	bool armed;	       /* under the lock: EPOLLOUT asked for */
	struct chunk *head, **tail;
	uint64_t queued, high_water;
	/* of the thread that receives */
	uint8_t *in;
	size_t have, room;
	bool ended;
	int end_error;
};

struct transport {
	uint16_t node, nodes;
	uint32_t generation;
	struct transport_handler handler;
	struct conn *conns;    /* [nodes * CHANNELS] */
	bool *gone;	       /* [nodes]: lost() was called */
	struct engine *engine; /* NULL: all streams have a descriptor */
	pthread_mutex_t receiving;
	int epoll; /* of streams, engine and kick */
	int outer; /* of epoll: the service thread's */
	int kick;
	int timer;  /* in outer: goes off while the mutator keeps the receiving */
	int alarm;  /* in outer: transport__alarm() */
	int frames; /* handled by this call */
	unsigned looks;
	bool quiet;   /* the service thread is not woken; atomic */
	bool kept;    /* under receiving: the mutator looks by itself now and then */
	bool briefly; /* likewise: without a timer */
	bool timed;   /* the timer will go off; atomic */
	/* Under receiving: how often it did, and had when the timer was set; at the last check. */
	unsigned looked, seen, checked;
	struct conn *recent; /* where the last message came from */
	int broken;	     /* atomic: some connection's error was set by a sender */
	uint64_t queued;
	struct transport_stats stats;
	struct wire_frame frame;
	uint8_t *scratch;
};

static inline struct conn *conn__of(struct transport *t, unsigned peer, unsigned channel)
{
	return &t->conns[peer * CHANNELS + channel];
}

static inline void conn__count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

/* Sends what is queued, as far as the socket takes it. Caller holds the lock; -EPIPE: it broke. */
int conn__flush(struct transport *t, struct conn *c);
/* Throws the queue away. Caller holds the lock. */
void conn__drop(struct transport *t, struct conn *c);

/* Receives what there is, waiting up to timeout_ms: frames, or negative errno. Caller holds t->receiving. */
int conn__receive_all(struct transport *t, int timeout_ms);
/* Before anybody blocks in epoll: an engine that has something already makes no descriptor readable. */
void conn__arm(struct transport *t);
/* The descriptors of turns.c: the streams' epoll set is there. 0 or negative errno. */
int turns__open(struct transport *t);
void turns__close(struct transport *t);

#endif
