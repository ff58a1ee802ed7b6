// SPDX-License-Identifier: BSD-2-Clause
/*
 * mesh_prove.c - how the two ends of a connection prove that they belong to the same run: by TLS with its key
 * or, over insecure-tcp, by showing the halves of a key that is of no use after this run.
 */
#include "dsmcore/launch/mesh_parts.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dsmcore/transport/stream.h"

#define GREETING_MAGIC 0x314d5347u /* "GSM1" */
#define HALF	       (MESH_KEY / 2)

/* ---- encrypted ---- */

static bool expected(void *arg, const struct tls_identity *id)
{
	const struct mesh *m = arg;

	return id->run_id == m->o->run_id && id->to == m->o->node &&
	       mesh__expected(m, id->generation, id->from, id->channel);
}

static int shake(struct mesh *m, struct end *e)
{
	int rc = m->tls->shake(e->stream, &e->events);

	if (rc == 0 && !e->called) {
		const struct tls_identity *id = m->tls->identity(e->stream);

		e->peer = id->from;
		e->channel = id->channel;
	}
	return rc;
}

static int begin_tls(struct mesh *m, struct end *e)
{
	struct tls_identity id = {
		.run_id = m->o->run_id,
		.generation = m->o->generation,
		.from = m->o->node,
		.to = e->peer,
		.channel = e->channel,
	};

	e->stream = e->called ? m->tls->call(m->context, e->fd, &id) : m->tls->answer(m->context, e->fd);
	return e->stream ? 0 : -errno;
}

/* ---- in clear ---- */

/* Compares in constant time: a stranger learns nothing from how fast it is refused. */
static bool same(const uint8_t *a, const uint8_t *b)
{
	unsigned difference = 0;

	for (unsigned i = 0; i < HALF; i++)
		difference |= a[i] ^ b[i];
	return difference == 0;
}

static int send_all(int fd, const void *bytes, size_t size)
{
	/* A greeting or an answer is less than any socket buffer of a fresh connection. */
	ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);

	return n == (ssize_t)size ? 0 : n < 0 ? -errno : -EIO;
}

static int greet(struct mesh *m, struct end *e)
{
	struct greeting g = {GREETING_MAGIC, m->o->generation, m->o->node, e->channel, {0}};

	memcpy(g.ask, m->key->bytes, HALF);
	return send_all(e->fd, &g, sizeof(g));
}

/* All `want` bytes from the other end, and not one more. */
static int hear(struct end *e, size_t want)
{
	ssize_t n;

	e->events = POLLIN;
	do {
		n = recv(e->fd, e->bytes + e->have, want - e->have, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -ECONNRESET;
	e->have += (size_t)n;
	return e->have < want ? -EAGAIN : 0;
}

static int hear_greeting(struct mesh *m, struct end *e)
{
	struct greeting hello;
	int rc = hear(e, sizeof(hello));

	if (rc)
		return rc;
	memcpy(&hello, e->bytes, sizeof(hello));
	if (hello.magic != GREETING_MAGIC)
		return -EPROTO;
	if (!same(hello.ask, m->key->bytes) ||
	    !mesh__expected(m, hello.generation, hello.node, hello.channel))
		return -EACCES;
	e->peer = hello.node;
	e->channel = hello.channel;
	return send_all(e->fd, m->key->bytes + HALF, HALF);
}

static int hear_answer(struct mesh *m, struct end *e)
{
	int rc = hear(e, HALF);

	return rc ? rc : same(e->bytes, m->key->bytes + HALF) ? 0 : -EACCES;
}

static int step_clear(struct mesh *m, struct end *e)
{
	int rc = e->called ? hear_answer(m, e) : hear_greeting(m, e);

	if (rc)
		return rc;
	e->stream = stream_socket__new(e->fd);
	return e->stream ? 0 : -errno;
}

/* ---- both ---- */

static bool all_on_loopback(const struct mesh *m)
{
	for (unsigned n = 0; n < m->o->nodes; n++)
		if (m->of[n].port && !address__is_loopback(&m->of[n]))
			return false;
	return true;
}

int mesh_prove__open(struct mesh *m)
{
	struct tls_config config = {.key = m->key->bytes, .expected = expected, .arg = m};
	char why[1024];
	int rc;

	if (!strcmp(m->o->transport, "insecure-tcp")) {
		/* Who can look into a machine's loopback traffic can look into its processes. */
		if (m->o->node == 0 && !all_on_loopback(m))
			fprintf(stderr,
				"dsm: WARNING: insecure-tcp: the connections of this run are not encrypted; "
				"whoever reaches the network between its nodes can read and change all its "
				"memory\n");
		return 0;
	}
	rc = tls__load(&m->tls, why, sizeof(why));
	if (rc == 0) {
		rc = m->tls->open(&m->context, &config);
		snprintf(why, sizeof(why), "TLS: %s", strerror(-rc));
	}
	if (rc)
		fprintf(stderr, "dsm: node %u: %s\n", m->o->node, why);
	return rc;
}

void mesh_prove__close(struct mesh *m)
{
	if (m->context)
		m->tls->close(m->context);
}

int mesh_prove__begin(struct mesh *m, struct end *e)
{
	e->have = 0;
	e->events = POLLIN;
	if (m->tls)
		return begin_tls(m, e);
	return e->called ? greet(m, e) : 0;
}

int mesh_prove__step(struct mesh *m, struct end *e)
{
	return m->tls ? shake(m, e) : step_clear(m, e);
}

bool mesh_prove__known(const struct mesh *m, const struct end *e)
{
	return m->tls && m->tls->known(e->stream);
}

void mesh_prove__drop(struct end *e)
{
	if (e->stream)
		e->stream->ops->close(e->stream);
	else if (e->fd >= 0)
		close(e->fd);
	e->stream = NULL;
	e->fd = -1;
}
