// SPDX-License-Identifier: BSD-2-Clause
/*
 * mesh.c - TCP connections between all nodes of a run.
 *
 * The lower node of a pair connects to the higher one, once a channel, and begins with a greeting that
 * holds the first half of the run's token; the other side answers with the second half. Whoever does
 * not know the token is no node of this run and is shut out. All connects and greetings go out before
 * the first accept: the kernel's backlog takes them, so no order of the nodes can deadlock.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dsmcore/launch/proto.h"

#define GREETING_MAGIC 0x314d5347u /* "GSM1" */
#define STRANGERS      64	   /* connections that have not greeted yet, beyond those we wait for */

struct greeting {
	uint32_t magic;
	uint32_t generation;
	uint16_t node, channel;
	uint8_t ask[PROTO_TOKEN];
};

struct guest { /* accepted, its greeting not all here */
	int fd;
	size_t have;
	uint8_t bytes[sizeof(struct greeting)];
};

struct mesh {
	const struct run_options *o;
	const struct proto_token *token;
	int listener;
	int64_t deadline; /* ns */
	int (*fds)[2];
	unsigned missing; /* connections of lower nodes still to come */
	unsigned nguests, room;
	struct guest *guests;
	struct pollfd *polls;
};

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static int left_ms(const struct mesh *m)
{
	int64_t ns = m->deadline - now();

	return ns <= 0 ? 0 : (int)(ns / 1000000 + 1);
}

/* Compares in constant time: a stranger learns nothing from how fast it is refused. */
static bool same(const uint8_t *a, const uint8_t *b)
{
	unsigned difference = 0;

	for (unsigned i = 0; i < PROTO_TOKEN; i++)
		difference |= a[i] ^ b[i];
	return difference == 0;
}

int mesh__listen(uint32_t ip, uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = ip};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), rc;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&a, len) || listen(fd, 2 * OPTIONS_NODES_MAX + STRANGERS) ||
	    getsockname(fd, (struct sockaddr *)&a, &len)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	*port = ntohs(a.sin_port);
	return fd;
}

static int send_all(int fd, const void *bytes, size_t size)
{
	/* A greeting or an answer is less than any socket buffer of a fresh connection. */
	ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

	return n == (ssize_t)size ? 0 : n < 0 ? -errno : -EIO;
}

static int call(const struct mesh *m, const struct proto_address *to, unsigned channel, int *out)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_addr.s_addr = to->ip, .sin_port = htons(to->port)};
	struct greeting g = {GREETING_MAGIC, m->o->generation, m->o->node, (uint16_t)channel, {0}};
	struct timeval limit = {.tv_sec = left_ms(m) / 1000 + 1};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	memcpy(g.ask, m->token->ask, PROTO_TOKEN);
	/* For connect(); the transport makes the socket non-blocking later. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	rc = connect(fd, (struct sockaddr *)&a, sizeof(a)) ? -errno : send_all(fd, &g, sizeof(g));
	if (rc) {
		close(fd);
		return rc == -EINPROGRESS ? -ETIMEDOUT : rc;
	}
	*out = fd;
	return 0;
}

/* Waits for the answer on a connection of ours. */
static int await_answer(const struct mesh *m, int fd)
{
	uint8_t answer[PROTO_TOKEN];
	size_t have = 0;

	while (have < sizeof(answer)) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n = poll(&p, 1, left_ms(m));

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			return -ETIMEDOUT;
		n = recv(fd, answer + have, sizeof(answer) - have, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		have += (size_t)n;
	}
	return same(answer, m->token->answer) ? 0 : -EACCES;
}

static void refuse(const struct mesh *m, struct guest *g)
{
	struct sockaddr_in a = {0};
	socklen_t len = sizeof(a);
	char ip[INET_ADDRSTRLEN] = "?";

	if (getpeername(g->fd, (struct sockaddr *)&a, &len) == 0)
		inet_ntop(AF_INET, &a.sin_addr, ip, sizeof(ip));
	fprintf(stderr, "dsm: node %u: refused a connection from %s:%u that is not of this run\n", m->o->node,
		ip, ntohs(a.sin_port));
	close(g->fd);
}

static void forget(struct mesh *m, unsigned i)
{
	m->guests[i] = m->guests[--m->nguests];
}

/* Reads a guest's greeting; the guest leaves the list when it is complete or wrong. */
static void hear(struct mesh *m, unsigned i)
{
	struct guest *g = &m->guests[i];
	ssize_t n = recv(g->fd, g->bytes + g->have, sizeof(g->bytes) - g->have, MSG_DONTWAIT);
	struct greeting hello;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && (g->have += (size_t)n) < sizeof(g->bytes))
		return;
	memcpy(&hello, g->bytes, sizeof(hello));
	if (n <= 0 || hello.magic != GREETING_MAGIC || !same(hello.ask, m->token->ask) ||
	    hello.generation != m->o->generation || hello.node >= m->o->node || hello.channel > 1 ||
	    m->fds[hello.node][hello.channel] >= 0 || send_all(g->fd, m->token->answer, PROTO_TOKEN)) {
		refuse(m, g);
	} else {
		m->fds[hello.node][hello.channel] = g->fd;
		m->missing--;
	}
	forget(m, i);
}

static int admit(struct mesh *m)
{
	int fd = accept4(m->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0) /* it may have gone away again */
		return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ? 0 : -errno;
	if (m->nguests == m->room) { /* so many silent strangers: the oldest leaves */
		refuse(m, &m->guests[0]);
		forget(m, 0);
	}
	m->guests[m->nguests++] = (struct guest){.fd = fd};
	return 0;
}

static int accept_lower(struct mesh *m)
{
	while (m->missing) {
		int n;

		m->polls[0] = (struct pollfd){.fd = m->listener, .events = POLLIN};
		for (unsigned i = 0; i < m->nguests; i++)
			m->polls[i + 1] = (struct pollfd){.fd = m->guests[i].fd, .events = POLLIN};
		n = poll(m->polls, m->nguests + 1, left_ms(m));
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return -ETIMEDOUT;
		if (n < 0)
			continue;
		/* Downwards: hear() fills a gap from the end. */
		for (unsigned i = m->nguests; i-- > 0;)
			if (m->polls[i + 1].revents)
				hear(m, i);
		n = m->polls[0].revents ? admit(m) : 0;
		if (n < 0)
			return n;
	}
	return 0;
}

static int say(const struct mesh *m, int rc, const char *what, unsigned peer)
{
	fprintf(stderr, "dsm: node %u: %s node %u over TCP: %s\n", m->o->node, what, peer,
		rc == -EACCES ? "it does not know this run's token" : strerror(-rc));
	return rc;
}

static int connect_all(struct mesh *m, const struct proto_address *of)
{
	unsigned nodes = m->o->nodes, node = m->o->node;
	int rc;

	for (unsigned p = node + 1; p < nodes; p++)
		for (unsigned ch = 0; of[p].port && ch < 2; ch++) {
			rc = call(m, &of[p], ch, &m->fds[p][ch]);
			if (rc)
				return say(m, rc, "connecting to", p);
		}
	rc = accept_lower(m);
	for (unsigned p = 0; rc && p < node; p++)
		if (m->fds[p][0] < 0 || m->fds[p][1] < 0)
			return say(m, rc, "waiting for", p);
	for (unsigned p = node + 1; p < nodes; p++)
		for (unsigned ch = 0; of[p].port && ch < 2; ch++) {
			rc = await_answer(m, m->fds[p][ch]);
			if (rc)
				return say(m, rc, "waiting for the answer of", p);
		}
	return rc;
}

int mesh__connect(const struct run_options *o, int listener, const struct proto_address *of,
		  const struct proto_token *token, int seconds, int (*fds)[2])
{
	struct mesh m = {
		.o = o,
		.token = token,
		.listener = listener,
		.deadline = now() + seconds * 1000000000ll,
		.fds = fds,
		.room = 2u * o->nodes + STRANGERS,
	};
	int rc = -ENOMEM;

	for (unsigned p = 0; p < o->node; p++)
		m.missing += of[p].port ? 2 : 0;
	m.guests = calloc(m.room, sizeof(*m.guests));
	m.polls = calloc(m.room + 1, sizeof(*m.polls));
	if (m.guests && m.polls)
		rc = connect_all(&m, of);
	else
		fprintf(stderr, "dsm: node %u: connecting over TCP: %s\n", o->node, strerror(ENOMEM));
	while (m.nguests)
		close(m.guests[--m.nguests].fd);
	for (unsigned i = 0; rc && i < 2u * o->nodes; i++) {
		if (fds[i / 2][i % 2] >= 0)
			close(fds[i / 2][i % 2]);
		fds[i / 2][i % 2] = -1;
	}
	free(m.guests);
	free(m.polls);
	return rc;
}
