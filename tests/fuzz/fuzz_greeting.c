// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_greeting.c - any bytes at either end of a connection over insecure-tcp, in pieces. Only the right ones get
 * through, what follows them stays with the kernel, and nobody else is told a byte of the key.
 *
 * The first byte: bit 0 we have called, 1 and 2 put the magic and the key right; the second one: size of a piece.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dsmcore/launch/mesh_parts.h"
#include "dsmcore/launch/options.h"
#include "dsmcore/transport/stream.h"

#define NODES 4
#define NODE  2
#define HALF  (MESH_KEY / 2)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct run_options options = {
	.node = NODE, .nodes = NODES, .generation = 3, .transport = "insecure-tcp"};
static const struct address of[NODES] = {{0}, {.port = 1}, {.port = 1}, {.port = 1}}; /* 0: not over TCP */
static const struct mesh_key key = {"half of it is  .asked, half told"};

static void check(bool good)
{
	if (!good)
		abort();
}

static bool right(const struct end *e, const uint8_t *bytes)
{
	struct greeting g;

	if (e->called)
		return memcmp(bytes, key.bytes + HALF, HALF) == 0;
	memcpy(&g, bytes, sizeof(g));
	return g.magic == 0x314d5347 && g.generation == 3 && g.node == 1 && g.channel < 2 &&
	       memcmp(g.ask, key.bytes, HALF) == 0;
}

/* What the other end hears. */
static void check_said(int fd, bool called, bool proven)
{
	uint8_t said[64];
	ssize_t n = recv(fd, said, sizeof(said), MSG_DONTWAIT);

	if (called)
		check(n == sizeof(struct greeting));
	else if (proven)
		check(n == HALF && memcmp(said, key.bytes + HALF, HALF) == 0);
	else
		check(n <= 0);
}

static void try(struct mesh *m, bool called, const uint8_t *bytes, size_t size, size_t part)
{
	size_t want = called ? HALF : sizeof(struct greeting), at = 0;
	struct end e = {.called = called, .peer = 3, .channel = 1};
	int fds[2], rc, left = 0;

	check(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	e.fd = fds[0];
	rc = mesh_prove__begin(m, &e);
	for (rc = rc ? rc : -EAGAIN; rc == -EAGAIN && at < size;) {
		size_t n = part < size - at ? part : size - at;

		check(send(fds[1], bytes + at, n, 0) == (ssize_t)n);
		at += n;
		rc = mesh_prove__step(m, &e);
	}
	check((rc == -EAGAIN) == (size < want));
	check((rc == 0) == (size >= want && right(&e, bytes)));
	check((rc == 0) == (e.stream != NULL));
	if (rc == 0) {
		check(ioctl(fds[0], FIONREAD, &left) == 0 && (size_t)left == at - want);
		check(called ? e.peer == 3 && e.channel == 1 : e.peer == 1 && e.channel < 2);
	}
	check_said(fds[1], called, rc == 0);
	mesh_prove__drop(&e);
	close(fds[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stream *streams[NODES][2] = {{0}};
	struct links links = {.stream = streams};
	struct mesh m = {.o = &options, .of = of, .key = &key, .links = &links, .listener = -1};
	const uint32_t magic = 0x314d5347;
	uint8_t bytes[64];
	bool called;

	if (size < 2 || size - 2 > sizeof(bytes))
		return 0;
	called = data[0] & 1;
	memcpy(bytes, data + 2, size - 2);
	if (data[0] & 2 && !called && size - 2 >= sizeof(magic))
		memcpy(bytes, &magic, sizeof(magic));
	if (data[0] & 4 && called && size - 2 >= HALF)
		memcpy(bytes, key.bytes + HALF, HALF);
	if (data[0] & 4 && !called && size - 2 >= sizeof(struct greeting))
		memcpy(bytes + offsetof(struct greeting, ask), key.bytes, HALF);
	try(&m, called, bytes, size - 2, 1 + data[1] % sizeof(bytes));
	return 0;
}
