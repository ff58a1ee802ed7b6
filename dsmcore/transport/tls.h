/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls.h - streams that strangers can neither read, forge nor join: TLS 1.3 with the run's pre-shared key.
 *
 * The code that needs OpenSSL is a library of its own (stream_tls.c, libdsm-tls.so), loaded when a run goes
 * over TCP: a program whose nodes share one machine does not pay for it, and the DSM builds without it.
 *
 * What is proven. A connection's two ends must hold the same key and mean the same connection: the key that
 * TLS gets is derived from the run's key and the identity below, which the caller sends in clear. No
 * certificates are used or accepted. The key exchange is ephemeral (X25519): who learns the run's key later
 * cannot read what was recorded before.
 */
#ifndef DSM_TRANSPORT_TLS_H
#define DSM_TRANSPORT_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_KEY	       32
#define TLS_IDENTITY   24 /* bytes on the wire */
#define TLS_INTERFACE  1u /* of struct tls_ops */
#define TLS_REKEY      (1ull << 23)
#define TLS_RECORD_MAX 16384u

struct stream; /* stream.h */

/* What a connection is for. */
struct tls_identity {
	uint64_t run_id;
	uint32_t generation;
	uint16_t from, to, channel; /* the node that calls, the one that answers */
};

void tls_identity__encode(const struct tls_identity *id, uint8_t bytes[TLS_IDENTITY]);
/* From a stranger, perhaps. -EPROTO: not an identity. */
int tls_identity__decode(const uint8_t *bytes, size_t size, struct tls_identity *id);

struct tls;

struct tls_config {
	const uint8_t *key; /* TLS_KEY bytes, copied */
	/* Does somebody who calls with this identity belong here? It is not proven yet. */
	bool (*expected)(void *arg, const struct tls_identity *id);
	void *arg;
	uint64_t rekey; /* records sent before a stream takes a fresh key; 0: TLS_REKEY */
};

struct tls_ops {
	uint32_t interface;
	/* One for all connections of a node; it is needed until their handshakes are over. */
	int (*open)(struct tls **out, const struct tls_config *config);
	void (*close)(struct tls *t);
	/* The two ends of a connection, over a connected non-blocking stream socket; ownership of it passes,
	 * unless they fail (NULL, errno). */
	struct stream *(*call)(struct tls *t, int fd, const struct tls_identity *id);
	struct stream *(*answer)(struct tls *t, int fd);
	/* Goes on with the handshake. 0: both ends are proven, the stream may be used. -EAGAIN: call again
	 * when fd has *events (POLLIN, POLLOUT). Else it has failed, close the stream: -EACCES (the other end
	 * does not hold the key, or means another connection), -EPROTO (it does not speak TLS 1.3),
	 * -ECONNRESET (it hung up), other negative errno. */
	int (*shake)(struct stream *s, short *events);
	/* The other end has shown that it holds the key, though the handshake may go on. */
	bool (*known)(const struct stream *s);
	/* After the handshake: what was proven. */
	const struct tls_identity *(*identity)(const struct stream *s);
};

/* Loads libdsm-tls.so, from where libdsm (or the program that holds this code) lies. It stays loaded. Any
 * thread, one at a time. Errors: -ENOSYS, with a message for the user in `why`. */
int tls__load(const struct tls_ops **out, char *why, size_t size);

#endif
