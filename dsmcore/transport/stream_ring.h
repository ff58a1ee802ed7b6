/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stream_ring.h - streams between two nodes of one host: rings in memory that both map.
 */
#ifndef DSM_TRANSPORT_STREAM_RING_H
#define DSM_TRANSPORT_STREAM_RING_H

#include "dsmcore/transport/stream.h"

/* The engine of a node's rings. NULL: no memory. */
struct engine *ring_engine__new(void);

/* The two ends of making a pair's streams, one for each channel, over two connected Unix sockets: one node
 * offers (it makes the memory, and does not block), the other accepts (waits at most timeout_ms for the
 * offer). The sockets pass to the streams: they carry the bell that wakes a sleeper, and their end is the
 * peer's end. On failure they stay the caller's. Errors: negative errno; -ETIMEDOUT, -EPROTO: not such an
 * offer. */
int stream_ring__offer(struct engine *engine, const int fds[2], struct stream *out[2]);
int stream_ring__accept(struct engine *engine, const int fds[2], int timeout_ms, struct stream *out[2]);

#endif
