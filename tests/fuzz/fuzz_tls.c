// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_tls.c - any bytes from the network at an encrypted connection. The first byte says where:
 *
 *	0  as an identity: what is accepted encodes to the same bytes
 *	1  to the end that answers, 2 to the one that calls: without the key nobody gets through the handshake
 *	3  within a connection: two messages of ours go by, the input says what happens to the bytes on
 *	   their way (position, new value), or comes in their place; what is received is what was sent, or
 *	   an error
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dsmcore/transport/stream.h"
#include "dsmcore/transport/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct tls_ops dsm_tls_ops;
static const struct tls_ops *const tls = &dsm_tls_ops;
static const struct tls_identity identity = {.run_id = 77, .generation = 3, .from = 1, .to = 4, .channel = 1};

static bool expected(void *arg, const struct tls_identity *id)
{
	(void)arg;
	return id->run_id == identity.run_id;
}

static struct tls *context(void)
{
	static const uint8_t key[TLS_KEY] = "nobody can guess this in a year";
	static struct tls *t;
	struct tls_config c = {.key = key, .expected = expected};

	if (!t && tls->open(&t, &c))
		abort();
	return t;
}

static void pair(int fds[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds))
		abort();
}

static void try_identity(const uint8_t *data, size_t size)
{
	uint8_t again[TLS_IDENTITY];
	struct tls_identity id;

	if (tls_identity__decode(data, size, &id))
		return;
	tls_identity__encode(&id, again);
	if (size != sizeof(again) || memcmp(again, data, size) != 0)
		abort();
}

static void try_handshake(bool caller, const uint8_t *data, size_t size)
{
	struct stream *s;
	short events;
	int fds[2], rc;

	pair(fds);
	s = caller ? tls->call(context(), fds[0], &identity) : tls->answer(context(), fds[0]);
	if (!s || send(fds[1], data, size, MSG_NOSIGNAL) < 0)
		abort();
	shutdown(fds[1], SHUT_WR);
	do {
		rc = tls->shake(s, &events);
	} while (rc == -EAGAIN && events);
	if (rc == 0)
		abort();
	s->ops->close(s);
	close(fds[1]);
}

/* Bytes from one end, to be given to the other. */
static size_t take(int fd, uint8_t *bytes, size_t room)
{
	ssize_t n = recv(fd, bytes, room, 0);

	return n > 0 ? (size_t)n : 0;
}

static void try_records(const uint8_t *data, size_t size)
{
	static uint8_t message[5000], wire[32768], got[65536];
	struct iovec iov = {message, sizeof(message)};
	struct stream *end[2];
	int a[2], b[2], rc[2] = {-EAGAIN, -EAGAIN};
	short events;
	size_t n = 0, heard = 0;
	ssize_t r;

	pair(a);
	pair(b);
	end[0] = tls->call(context(), a[0], &identity);
	end[1] = tls->answer(context(), b[0]);
	while (rc[0] || rc[1])
		for (int i = 0; i < 2; i++) {
			if (rc[i])
				rc[i] = tls->shake(end[i], &events);
			n = take(i ? b[1] : a[1], wire, sizeof(wire));
			if (n && send(i ? a[1] : b[1], wire, n, MSG_NOSIGNAL) < 0)
				abort();
		}
	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)(i * 7);
	if (end[0]->ops->send(end[0], &iov, 1) != sizeof(message) ||
	    end[0]->ops->send(end[0], &iov, 1) != sizeof(message))
		abort();
	n = take(a[1], wire, sizeof(wire));
	if (size > 64) { /* in their place */
		n = size;
		memcpy(wire, data, n < sizeof(wire) ? n : (n = sizeof(wire)));
	}
	for (size_t i = 0; size <= 64 && i + 3 <= size; i += 3)
		wire[(data[i] << 8 | data[i + 1]) % n] = data[i + 2];
	if (send(b[1], wire, n, MSG_NOSIGNAL) < 0)
		abort();
	shutdown(b[1], SHUT_WR);
	while ((r = end[1]->ops->recv(end[1], got + heard, sizeof(got) - heard)) > 0)
		heard += (size_t)r;
	if (r == 0 || heard > 2 * sizeof(message)) /* nobody has said goodbye */
		abort();
	for (size_t i = 0; i < heard; i++)
		if (got[i] != message[i % sizeof(message)])
			abort();
	end[0]->ops->close(end[0]);
	end[1]->ops->close(end[1]);
	close(a[1]);
	close(b[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > 32768)
		return 0;
	switch (data[0] % 4) {
	case 0:
		try_identity(data + 1, size - 1);
		break;
	case 3:
		try_records(data + 1, size - 1);
		break;
	default:
		try_handshake(data[0] % 4 == 2, data + 1, size - 1);
	}
	return 0;
}
