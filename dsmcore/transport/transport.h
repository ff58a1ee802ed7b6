/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transport.h - messages between the nodes of a run, over whatever streams join them (stream.h).
 *
 * A pair of nodes has two connections, one for each core_channel; each is first-in first-out. Sending
 * never blocks: what the stream does not take is queued and sent by the thread that receives, which hands
 * over whole, checked frames: the service thread, or a mutator that waits.
 */
#ifndef DSM_TRANSPORT_H
#define DSM_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include "dsmcore/protocol/core.h"

#define TRANSPORT_PAGE 4096u

/* Page bytes that go with an entry of a core message. A diff is a sequence of {u16 offset, u16 length,
 * length bytes}, ascending and disjoint, within the page (wire__diff_sane() checks it). A mask is 512 bytes, a bit
 * for each byte of the page, and then the bytes whose bit is set, at least one (wire__mask_sane()). */
enum wire_blob_kind { WIRE_NONE, WIRE_PAGE, WIRE_DIFF, WIRE_MASK };
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
struct links;

/* Takes over the streams (and the engine) of `links`, which join this node with all others, and leaves the
 * table empty; when it fails they stay the caller's. links may be NULL for one node. Errors: -EINVAL,
 * -ENOMEM, or what epoll said. */
int transport__open(struct transport **out, uint16_t node, uint16_t nodes, uint32_t generation,
		    struct links *links, const struct transport_handler *handler);
void transport__close(struct transport *t);

/* Queue one message (copied). blobs may be NULL when no entry has data. Any thread, one at a time (the
 * caller holds the node's mutex). Errors: -ENOMEM, -EPIPE (peer gone: the message is dropped). */
int transport__send(struct transport *t, const struct core_msg *msg, const struct wire_blob *blobs);
int transport__note(struct transport *t, uint16_t to, uint16_t type, const void *bytes, size_t n);

/* The service thread's: waits up to timeout_ms (-1: for ever) for input, hands it to the handler, flushes
 * queues. Returns frames handled, or negative errno; 0 also while another thread receives. */
int transport__wait(struct transport *t, int timeout_ms);
/* Makes the one who receives return early. Any thread. */
void transport__kick(struct transport *t);

/* The service thread's wait() returns in about so many ns (less than a second), also while another thread receives.
 * Any thread. */
void transport__alarm(struct transport *t, uint64_t ns);

/* A thread that waits for a message takes over the receiving (seize waits for a handler that runs), receives
 * all messages, also those that it does not wait for, and hands it back. receive: as wait(); timeout_ms 0
 * looks once. The handlers then run in this thread. Not under a lock that a handler takes. */
void transport__seize(struct transport *t);
int transport__receive(struct transport *t, int timeout_ms);
void transport__release(struct transport *t);
/* Instead of release: the caller soon waits again (seize), or looks (look: receives what is there, returns as
 * receive, or -ENOENT when the service thread has taken the receiving back: it does so when nobody has looked
 * for 0.4 to 0.8 ms) or gives it back. */
void transport__keep(struct transport *t);
int transport__look(struct transport *t);
/* The same for somebody who is going to wait in some ten microseconds. If he is wrong, and does not look either, the service
 * thread takes the receiving back only by check, which it calls now and then: when nobody has looked since the last call.
 * check returns 1 when somebody has, and may have gone to compute since: it is to be called again soon. Else 0, or what
 * receive returns when it fails. */
void transport__keep_briefly(struct transport *t);
int transport__check(struct transport *t);
void transport__give_back(struct transport *t);
/* Before the messages whose answers it is going to wait for: nothing that becomes readable from now on wakes
 * the service thread. Only where that is needed before they are sent, and not the case already: then true.
 * seize follows, or unquiet, if true, when there is nothing to wait for after all. */
bool transport__quiet(struct transport *t);
void transport__unquiet(struct transport *t);

/* True when every queue is empty (all bytes are with the streams). */
int transport__drained(struct transport *t);

struct transport_stats {
	uint64_t messages_out, bytes_out, messages_in, bytes_in;
};
void transport__stats(const struct transport *t, struct transport_stats *stats);

#endif
