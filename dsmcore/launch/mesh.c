// SPDX-License-Identifier: BSD-2-Clause
/*
 * mesh.c - TCP connections between all nodes of a run.
 *
 * The lower node of a pair calls the higher one, once a channel. One loop looks after everything at once:
 * calls on their way, guests who have not proven yet that they belong here, and the listener. So no order in
 * which the nodes come can deadlock, and nobody who is silent or slow holds up the others.
 *
 * Strangers. A guest gets a place in a list of bounded size, and nothing else, until it has proven that it
 * holds the run's key. When the list is full, the oldest leaves that has not shown the key. A node that was
 * pushed out so, before its first words were read, calls again.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dsmcore/launch/mesh_parts.h"
#include "dsmcore/launch/options.h"
#include "dsmcore/transport/stream.h"

#define STRANGERS   64	     /* guests beyond those we wait for */
#define NAMED	    8	     /* refused ones that get a line of their own */
#define TRIES	    100	     /* calls of one connection, when it is hung up */
#define AGAIN_NS    20000000 /* between them */
#define ADMIT_BATCH 32

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

int mesh__listen(struct address *at)
{
	struct sockaddr_storage a;
	socklen_t len = address__to_socket(at, &a);
	int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), rc;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&a, len) || listen(fd, 2 * OPTIONS_NODES_MAX + STRANGERS) ||
	    getsockname(fd, (struct sockaddr *)&a, &len)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	address__of_socket(at, (struct sockaddr *)&a);
	return fd;
}

bool mesh__expected(const struct mesh *m, uint32_t generation, unsigned from, unsigned channel)
{
	return generation == m->o->generation && from < m->o->node && m->of[from].port && channel < 2 &&
	       !m->links->stream[from][channel];
}

/* ---- calls ---- */

static const char *meaning(int rc)
{
	return rc == -EACCES	   ? "it does not hold this run's key"
	       : rc == -EPROTO	   ? "it does not speak TLS 1.3: it is no node of this run"
	       : rc == -ECONNRESET ? "it hung up"
				   : strerror(-rc);
}

/* What the user can do where no packet seems to get through. */
static const char *remedy(const struct mesh *m, int rc, unsigned peer)
{
	if (address__is_loopback(&m->of[peer]))
		return m->o->local_nodes && m->o->local_nodes < m->o->nodes
			       ? "; that is a loopback address, which leads to one's own host only: choose "
				 "others with "
				 "--interface (or DSM_INTERFACE)"
			       : "";
	if (address__is_link_local(&m->of[peer]) && rc == -EINVAL)
		return "; that is a link-local address, which means something on one cable only: choose "
		       "others "
		       "for all hosts with --interface (or DSM_INTERFACE), or the interface that joins them";
	switch (rc) {
	case -ENETUNREACH:
	case -EHOSTUNREACH:
	case -EADDRNOTAVAIL:
	case -EAFNOSUPPORT:
	case -EACCES:
	case -ECONNREFUSED:
	case -ETIMEDOUT:
		return "; is that its address in a network that this host is in too (choose one with "
		       "--interface, "
		       "address= in the host file, or DSM_INTERFACE), and does no firewall keep its ports "
		       "closed?";
	}
	return "";
}

static int say(const struct mesh *m, int rc, const char *what, unsigned peer, bool reached)
{
	char at[ADDRESS_TEXT];

	fprintf(stderr, "dsm: node %u: %s node %u at %s: %s%s\n", m->o->node, what, peer,
		address__text(&m->of[peer], at), reached ? meaning(rc) : strerror(-rc),
		reached ? "" : remedy(m, rc, peer));
	return rc;
}

/* A link-local address is one of a cable, which each host calls differently: it is the cable that we listen on. */
static uint32_t own_scope(const struct mesh *m)
{
	struct sockaddr_storage own = {0};
	socklen_t len = sizeof(own);
	struct address a = {0};

	if (m->listener >= 0 && getsockname(m->listener, (struct sockaddr *)&own, &len) == 0)
		address__of_socket(&a, (struct sockaddr *)&own);
	return a.scope;
}

static int dial(struct mesh *m, struct end *e)
{
	struct address to = m->of[e->peer];
	struct sockaddr_storage a;
	socklen_t len;
	int rc;

	e->reached = false;
	if (to.family == 6 && address__is_link_local(&to))
		to.scope = own_scope(m);
	len = address__to_socket(&to, &a);
	e->fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (e->fd < 0)
		return -errno;
	rc = mesh_socket__tune(e->fd, m->o->silence_s);
	if (rc)
		return rc;
	e->events = POLLOUT;
	return connect(e->fd, (struct sockaddr *)&a, len) && errno != EINPROGRESS ? -errno : 0;
}

static int connected(struct mesh *m, struct end *e)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(e->fd, SOL_SOCKET, SO_ERROR, &error, &size))
		return -errno;
	if (error)
		return -error;
	e->reached = true;
	return mesh_prove__begin(m, e);
}

static void forget(struct end *list, unsigned *n, unsigned i)
{
	list[i] = list[--*n];
}

/* Something has happened to a call, or it is time to begin it. */
static int go_on(struct mesh *m, unsigned i)
{
	struct end *e = &m->calls[i];
	int rc = e->fd < 0 ? dial(m, e) : e->reached ? 0 : connected(m, e);

	if (rc == 0 && e->reached)
		rc = mesh_prove__step(m, e);
	else if (rc == 0)
		return 0;
	if (rc == -EAGAIN)
		return 0;
	if (rc == 0) {
		m->links->stream[e->peer][e->channel] = e->stream;
		forget(m->calls, &m->ncalls, i);
		return 0;
	}
	mesh_prove__drop(e);
	if ((rc != -ECONNRESET && rc != -EPIPE) || ++e->tries == TRIES)
		return say(m, rc, "connecting to", e->peer, e->reached);
	e->again_ns = now() + AGAIN_NS; /* it may have had too many guests */
	return 0;
}

/* ---- guests ---- */

static void refuse(struct mesh *m, unsigned i, const char *why)
{
	struct end *g = &m->guests[i];
	struct sockaddr_storage peer = {0};
	socklen_t len = sizeof(peer);
	struct address a = {0};
	char from[ADDRESS_TEXT];

	if (m->refused++ < NAMED) {
		if (getpeername(g->fd, (struct sockaddr *)&peer, &len) == 0)
			address__of_socket(&a, (struct sockaddr *)&peer);
		fprintf(stderr, "dsm: node %u: refused a connection from %s: %s\n", m->o->node,
			address__text(&a, from), why);
	}
	mesh_prove__drop(g);
	forget(m->guests, &m->nguests, i);
}

/* A guest has said something. It leaves the list when it is proven, or refused. */
static void hear(struct mesh *m, unsigned i)
{
	struct end *g = &m->guests[i];
	int rc = mesh_prove__step(m, g);

	if (rc == -EAGAIN)
		return;
	/* Two of the same may have been on their way to here. */
	if (rc == 0 && m->links->stream[g->peer][g->channel])
		rc = -EEXIST;
	if (rc) {
		refuse(m, i, rc == -EPROTO && m->tls ? "it does not speak TLS 1.3" : meaning(rc));
		return;
	}
	m->links->stream[g->peer][g->channel] = g->stream;
	m->missing--;
	forget(m->guests, &m->nguests, i);
}

/* There is always one that has not shown the key: the list has more places than nodes will call. */
static void make_room(struct mesh *m)
{
	unsigned oldest = 0;

	for (unsigned i = 0; i < m->nguests; i++)
		if (!mesh_prove__known(m, &m->guests[i]) &&
		    (mesh_prove__known(m, &m->guests[oldest]) ||
		     m->guests[i].again_ns < m->guests[oldest].again_ns))
			oldest = i;
	refuse(m, oldest, "it said nothing, and too many others wait");
}

static int admit(struct mesh *m)
{
	for (int i = 0; i < ADMIT_BATCH; i++) {
		int fd = accept4(m->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0) /* it may have gone away again */
			return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ? 0 : -errno;
		if (m->nguests == m->room)
			make_room(m);
		m->guests[m->nguests] = (struct end){.fd = fd, .again_ns = now()};
		if (mesh_socket__tune(fd, m->o->silence_s) || mesh_prove__begin(m, &m->guests[m->nguests])) {
			close(fd);
			return -ENOMEM;
		}
		m->nguests++;
	}
	return 0;
}

/* ---- the loop ---- */

static int wait_ms(const struct mesh *m)
{
	int64_t until = m->deadline, ns;

	for (unsigned i = 0; i < m->ncalls; i++)
		if (m->calls[i].fd < 0 && m->calls[i].again_ns < until)
			until = m->calls[i].again_ns;
	ns = until - now();
	return ns <= 0 ? 0 : (int)(ns / 1000000 + 1);
}

static int await_news(struct mesh *m)
{
	unsigned n = 0;

	m->polls[n++] = (struct pollfd){.fd = m->missing ? m->listener : -1, .events = POLLIN};
	for (unsigned i = 0; i < m->ncalls; i++)
		m->polls[n++] = (struct pollfd){.fd = m->calls[i].fd, .events = m->calls[i].events};
	for (unsigned i = 0; i < m->nguests; i++)
		m->polls[n++] = (struct pollfd){.fd = m->guests[i].fd, .events = m->guests[i].events};
	if (poll(m->polls, n, wait_ms(m)) < 0 && errno != EINTR)
		return -errno;
	return now() >= m->deadline ? -ETIMEDOUT : 0;
}

/* Downwards: a gap in a list is filled from its end. */
static int turn(struct mesh *m)
{
	const struct pollfd *calls = m->polls + 1, *guests = calls + m->ncalls;
	int rc = await_news(m);

	for (unsigned i = m->nguests; i-- > 0 && !rc;)
		if (guests[i].revents)
			hear(m, i);
	for (unsigned i = m->ncalls; i-- > 0 && !rc;)
		if (m->calls[i].fd < 0 ? now() >= m->calls[i].again_ns : calls[i].revents)
			rc = go_on(m, i);
	if (!rc && m->polls[0].revents)
		rc = admit(m);
	return rc;
}

/* Whom it waited for, when time is up. */
static int too_late(const struct mesh *m)
{
	if (m->ncalls)
		return say(m, -ETIMEDOUT, "connecting to", m->calls[0].peer, m->calls[0].reached);
	for (unsigned p = 0; p < m->o->node; p++)
		if (m->of[p].port && (!m->links->stream[p][0] || !m->links->stream[p][1]))
			return say(m, -ETIMEDOUT, "waiting for", p, true);
	return -ETIMEDOUT;
}

static int connect_all(struct mesh *m)
{
	int rc = mesh_prove__open(m);

	if (rc)
		return rc;
	if (m->listener >= 0) /* for its answers to calls; without success they only take longer */
		mesh_socket__tune(m->listener, m->o->silence_s);
	for (unsigned p = 0; p < m->o->nodes; p++)
		for (unsigned ch = 0; ch < 2 && p != m->o->node && m->of[p].port; ch++) {
			if (p < m->o->node)
				m->missing++;
			else
				m->calls[m->ncalls++] = (struct end){.fd = -1,
								     .called = true,
								     .peer = (uint16_t)p,
								     .channel = (uint16_t)ch};
		}
	while (!rc && (m->ncalls || m->missing))
		rc = turn(m);
	return rc == -ETIMEDOUT && now() >= m->deadline ? too_late(m) : rc;
}

int mesh__connect(const struct run_options *o, int listener, const struct address *of,
		  const struct mesh_key *key, int seconds, struct links *links)
{
	struct mesh m = {
		.o = o,
		.of = of,
		.key = key,
		.listener = listener,
		.links = links,
		.deadline = now() + seconds * 1000000000ll,
		.room = 2u * o->nodes + STRANGERS,
	};
	int rc = -ENOMEM;

	m.calls = calloc(2u * o->nodes, sizeof(*m.calls));
	m.guests = calloc(m.room, sizeof(*m.guests));
	m.polls = calloc(1 + 2u * o->nodes + m.room, sizeof(*m.polls));
	if (m.calls && m.guests && m.polls)
		rc = connect_all(&m);
	if (rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE)
		fprintf(stderr, "dsm: node %u: connecting over TCP: %s\n", o->node, strerror(-rc));
	if (m.refused > NAMED)
		fprintf(stderr, "dsm: node %u: refused %u more connections\n", o->node, m.refused - NAMED);
	while (m.nguests)
		mesh_prove__drop(&m.guests[--m.nguests]);
	while (m.ncalls)
		mesh_prove__drop(&m.calls[--m.ncalls]);
	for (unsigned i = 0; rc && i < 2u * o->nodes; i++) {
		struct stream **s = &links->stream[i / 2][i % 2];

		if (*s && of[i / 2].port && i / 2 != o->node) {
			(*s)->ops->close(*s);
			*s = NULL;
		}
	}
	mesh_prove__close(&m);
	free(m.calls);
	free(m.guests);
	free(m.polls);
	return rc;
}
