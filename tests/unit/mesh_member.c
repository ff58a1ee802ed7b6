// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/mesh_member.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

struct address addresses[OPTIONS_NODES_MAX], loopback;
const char *transport;

void *member__join(void *member)
{
	struct member *m = member;

	m->rc = mesh__connect(&m->o, m->listener, addresses, &m->key, m->seconds, &m->links);
	return NULL;
}

void member__prepare(struct member *m, uint16_t node, uint16_t nodes)
{
	*m = (struct member){.o = {.node = node, .nodes = nodes, .generation = 3, .run_id = 99},
			     .seconds = 20};
	strcpy(m->o.transport, transport);
	assert_int_equal(links__alloc(&m->links, nodes), 0);
	addresses[node] = loopback;
	m->listener = mesh__listen(&addresses[node]);
	assert_true(m->listener >= 0);
	for (unsigned i = 0; i < MESH_KEY; i++)
		m->key.bytes[i] = (uint8_t)(i * 7 + 1);
}

void member__start(struct member *m)
{
	assert_int_equal(pthread_create(&m->thread, NULL, member__join, m), 0);
}

void member__leave(struct member *m)
{
	links__close(&m->links, m->o.nodes);
	close(m->listener);
}

/* What nodes write on stderr goes to a file. */
static int saved, heard;

void errors__listen(void)
{
	fflush(stderr);
	saved = dup(STDERR_FILENO);
	heard = memfd_create("errors", 0);
	dup2(heard, STDERR_FILENO);
}

const char *errors__heard(void)
{
	static char text[65536];
	ssize_t n;

	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = pread(heard, text, sizeof(text) - 1, 0);
	close(heard);
	text[n > 0 ? n : 0] = 0;
	return text;
}

/* "... %s:" with the loopback's address as messages have it before a port */
const char *named(const char *text)
{
	static char out[256];

	snprintf(out, sizeof(out), text, loopback.family == 4 ? "127.0.0.1" : "[::1]");
	return out;
}

unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

static void put(struct stream *s, const uint8_t *bytes, size_t n)
{
	struct iovec iov = {(void *)bytes, n};

	assert_int_equal(s->ops->send(s, &iov, 1), n);
}

static void get(struct stream *s, uint8_t *bytes, size_t n)
{
	for (size_t have = 0; have < n;) {
		struct pollfd p = {.fd = s->fd, .events = POLLIN};
		ssize_t rc = s->ops->recv(s, bytes + have, n - have);

		assert_true(rc > 0 || rc == -EAGAIN);
		if (rc > 0)
			have += (size_t)rc;
		else
			assert_int_equal(poll(&p, 1, 10000), 1);
	}
}

/* Every member reaches every other one, on the right channel. */
void member__check_joined(struct member *m, unsigned nodes)
{
	for (unsigned turn = 0; turn < 2; turn++)
		for (unsigned a = 0; a < nodes; a++)
			for (unsigned b = 0; b < nodes; b++)
				for (unsigned ch = 0; ch < 2 && a != b; ch++) {
					uint8_t tag[3] = {(uint8_t)a, (uint8_t)b, (uint8_t)ch}, got[3];

					if (turn == 0) {
						put(m[a].links.stream[b][ch], tag, 3);
						continue;
					}
					get(m[b].links.stream[a][ch], got, 3);
					assert_memory_equal(got, tag, 3);
				}
}
