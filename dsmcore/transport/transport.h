/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transport.h - messages between the nodes of a run, over Unix or TCP stream sockets.
 *
 * A pair of nodes has two connections, one for each core_channel; each is first-in first-out. Sending
 * never blocks: what the socket does not take is queued and sent by the service thread. Receiving is
 * the service thread's: transport__wait() hands over whole, checked frames.
 */
#ifndef DSM_TRANSPORT_H
#define DSM_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include "dsmcore/protocol/core.h"

#define TRANSPORT_PAGE 4096u

/* Page bytes that go with an entry of a core message. A diff is a sequence of {u16 offset, u16 length,
 * length bytes}, ascending and disjoint, within the page (wire__diff_sane() checks it). */
enum wire_blob_kind { WIRE_NONE, WIRE_PAGE, WIRE_DIFF };
struct wire_blob {
	enum wire_blob_kind kind;
	uint32_t bytes;
	const uint8_t *data;
};

/* Notes: what the runtimes tell one another beside the protocol (frees of foreign objects, clock pings). */
#define WIRE_NOTE_MAX 65536u

struct transport_handler {
	/* msg->entries[i] came with blobs[i]; both live until return. Called by the thread in wait(). */
	void (*message)(void *arg, const struct core_msg *msg, const struct wire_blob *blobs);
	void (*note)(void *arg, uint16_t from, uint16_t type, const void *bytes, size_t n);
	/* The peer's connection ended or broke (error: negative errno, 0 = end of file). Once a peer. */
	void (*lost)(void *arg, uint16_t peer, int error);
	void *arg;
};

struct transport;

/* Connects this node with all others, through what the launcher handed over (launch/control.h):
 * Unix: connected socket pairs; TCP: a listener of ours and the peers' ports on the loopback or given
 * addresses. fds[channel][peer] are connected stream sockets (-1 at own index); ownership passes. */
int transport__open(struct transport **out, uint16_t node, uint16_t nodes, uint32_t generation, int (*fds)[2],
		    const struct transport_handler *handler); /* fds[peer][channel] */
void transport__close(struct transport *t);

/* Queue one message (copied). blobs may be NULL when no entry has data. Any thread, one at a time (the
 * caller holds the node's mutex). Errors: -ENOMEM, -EPIPE (peer gone: the message is dropped). */
int transport__send(struct transport *t, const struct core_msg *msg, const struct wire_blob *blobs);
int transport__note(struct transport *t, uint16_t to, uint16_t type, const void *bytes, size_t n);

/* Waits up to timeout_ms (-1: for ever) for input, hands it to the handler, flushes queues. Returns
 * frames handled, or negative errno. One thread. transport__kick() makes it return early; any thread. */
int transport__wait(struct transport *t, int timeout_ms);
void transport__kick(struct transport *t);
/* True when every queue is empty (all bytes are with the kernel). */
int transport__drained(struct transport *t);

struct transport_stats {
	uint64_t messages_out, bytes_out, messages_in, bytes_in;
};
void transport__stats(const struct transport *t, struct transport_stats *stats);

#endif
