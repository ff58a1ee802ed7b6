// SPDX-License-Identifier: BSD-2-Clause
#include "dsmcore/launch/control.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <time.h>
#include <unistd.h>

#include "dsmcore/launch/proto.h"
#include "dsmcore/transport/stream.h"
#include "dsmcore/transport/stream_ring.h"

#define SETUP_SECONDS 30 /* what a start may take, the launcher's packets included */

struct control {
	int fd;	      /* -1: no launcher */
	int lifeline; /* -1: no launcher */
};

/* ---- opening ---- */

static int receive(int fd, enum proto_type want, struct proto_packet *p, int fds[2])
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	int rc;

	do {
		rc = poll(&pfd, 1, SETUP_SECONDS * 1000);
	} while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return -ETIMEDOUT;
	p->type = 0;
	rc = rc < 0 ? -errno : proto__recv(fd, p, fds, 0);
	if (rc == 0 && want && p->type != want)
		rc = -EPROTO;
	return rc;
}

static int complain(int rc, const char *what)
{
	fprintf(stderr, "dsm: %s: %s%s\n", what, strerror(-rc),
		rc == -EPROTO  ? "; dsmrun and the program's libdsm are not of the same build"
		: rc == -EPIPE ? "; dsmrun has ended"
			       : "");
	return rc;
}

static int open_alone(struct control *c, struct run_options *o)
{
	char why[5000];
	int rc = options__from_env(o, why, sizeof(why));

	if (rc) {
		fprintf(stderr, "dsm: %s\n", why);
		return rc;
	}
	c->fd = c->lifeline = -1;
	if (getrandom(&o->run_id, sizeof(o->run_id), 0) != sizeof(o->run_id))
		o->run_id = (uint64_t)time(NULL) << 32 | (uint32_t)getpid();
	return 0;
}

static void close_all(int (*fds)[2], unsigned nodes)
{
	for (unsigned i = 0; fds && i < nodes * 2; i++)
		if (fds[i / 2][i % 2] >= 0)
			close(fds[i / 2][i % 2]);
}

/* Takes what the launcher hands over until GO. */
static int take_connections(struct control *c, const struct run_options *o, int listener, int (*fds)[2])
{
	for (;;) {
		struct proto_packet p;
		int got[2], rc = receive(c->fd, 0, &p, got);

		if (rc)
			return complain(rc, "receiving the connections from dsmrun");
		if (p.type == PROTO_SOCKETS && p.peer < o->nodes && fds[p.peer][0] < 0 && got[1] >= 0) {
			memcpy(fds[p.peer], got, sizeof(got));
			continue;
		}
		if (p.type == PROTO_PEERS && listener >= 0) {
			rc = mesh__connect(o, listener, p.peers.of, &p.peers.token, SETUP_SECONDS, fds);
			if (rc)
				return rc;
			continue;
		}
		if (p.type == PROTO_GO)
			return 0;
		return complain(-EPROTO, "receiving the connections from dsmrun");
	}
}

static int open_sockets(const struct run_options *o, int (*fds)[2], struct links *links)
{
	for (unsigned i = 0; i < o->nodes * 2u; i++) {
		struct stream *s = i / 2 == o->node ? NULL : stream_socket__new(fds[i / 2][i % 2]);

		if (!s && i / 2 != o->node)
			return -errno;
		links->stream[i / 2][i % 2] = s;
	}
	return 0;
}

/* All offers go out before the first is awaited, so no order of the nodes can deadlock. */
static int open_rings(const struct run_options *o, int (*fds)[2], struct links *links)
{
	int rc = 0;

	links->engine = ring_engine__new();
	if (!links->engine)
		return -ENOMEM;
	for (unsigned p = o->node + 1; p < o->nodes && !rc; p++)
		rc = stream_ring__offer(links->engine, fds[p], links->stream[p]);
	for (unsigned p = 0; p < o->node && !rc; p++)
		rc = stream_ring__accept(links->engine, fds[p], SETUP_SECONDS * 1000, links->stream[p]);
	return rc;
}

static int open_streams(const struct run_options *o, int (*fds)[2], struct links *links)
{
	int rc = links__alloc(links, o->nodes);

	if (rc == 0)
		rc = strcmp(o->transport, "shm") ? open_sockets(o, fds, links) : open_rings(o, fds, links);
	/* A stream owns its descriptor. */
	for (unsigned i = 0; links->stream && i < o->nodes * 2u; i++)
		if (links->stream[i / 2][i % 2])
			fds[i / 2][i % 2] = -1;
	if (rc)
		links__close(links, o->nodes);
	return rc ? complain(rc, "connections") : 0;
}

static int connect_all(struct control *c, const struct run_options *o, struct links *links)
{
	struct proto_hello hello = {.pid = (int32_t)getpid()};
	int(*fds)[2] = malloc(sizeof(*fds) * o->nodes);
	int listener = -1, rc;

	if (!fds)
		return complain(-ENOMEM, "connections");
	memset(fds, 0xff, sizeof(*fds) * o->nodes);
	if (!strcmp(o->transport, "tcp")) {
		uint16_t port;

		listener = mesh__listen(htonl(INADDR_LOOPBACK), &port);
		if (listener < 0) {
			rc = complain(listener, "listening on 127.0.0.1");
			goto out;
		}
		hello.port = port;
	}
	rc = proto__send(c->fd, PROTO_HELLO, &hello, sizeof(hello), NULL, 0);
	if (rc)
		complain(rc, "greeting dsmrun");
	else
		rc = take_connections(c, o, listener, fds);
	for (unsigned i = 0; rc == 0 && i < o->nodes * 2u; i++)
		if (fds[i / 2][i % 2] < 0 && i / 2 != o->node)
			rc = complain(-EPROTO, "receiving the connections from dsmrun");
	if (rc == 0 && o->nodes > 1)
		rc = open_streams(o, fds, links);
out:
	if (listener >= 0)
		close(listener);
	close_all(fds, o->nodes);
	free(fds);
	return rc;
}

static bool launcher_died(const struct control *c)
{
	struct pollfd pfd = {.fd = c->lifeline, .events = POLLIN};

	return poll(&pfd, 1, 0) > 0;
}

static int open_launched(struct control *c, struct run_options *o, struct links *links, const char *where)
{
	struct proto_packet p;
	uint64_t fd;
	int got[2], type, rc;
	socklen_t len = sizeof(type);

	unsetenv(PROTO_FD_ENV); /* it means this process, not its children */
	if (options__number(where, 0, 1 << 20, &fd) ||
	    getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &len) || type != SOCK_SEQPACKET) {
		fprintf(stderr, "dsm: %s=%s is not a line to dsmrun; unset it to run as a single node\n",
			PROTO_FD_ENV, where);
		return -EBADF;
	}
	c->fd = (int)fd;
	/* No descriptor of the launcher or of its other children lives on here, and none of ours in our
	 * children: the end of a connection must mean the death of its node. */
	close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	rc = receive(c->fd, PROTO_OPTIONS, &p, got);
	if (rc)
		return complain(rc, "receiving the options from dsmrun");
	*o = p.options;
	c->lifeline = got[0];
	/* dsmrun has asked this for the process that it started; that may be a script, and we its child. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (launcher_died(c))
		return complain(-EPIPE, "start");
	if (got[0] < 0 || o->nodes < 1 || o->nodes > OPTIONS_NODES_MAX || o->node >= o->nodes)
		return complain(-EPROTO, "receiving the options from dsmrun");
	return connect_all(c, o, links);
}

int control__open(struct control **out, struct run_options *o, struct links *links)
{
	const char *where = getenv(PROTO_FD_ENV);
	struct control *c = malloc(sizeof(*c));
	int rc;

	if (!c)
		return complain(-ENOMEM, "start");
	*c = (struct control){-1, -1};
	*links = (struct links){0};
	rc = where ? open_launched(c, o, links, where) : open_alone(c, o);
	if (rc) {
		control__close(c);
		return rc;
	}
	*out = c;
	return 0;
}

/* ---- while the program runs ---- */

/* As snprintf("%s"), but async-signal-safe. */
static size_t put(char *to, size_t at, size_t room, const char *text)
{
	while (*text && at + 1 < room)
		to[at++] = *text++;
	to[at] = 0;
	return at;
}

static size_t put_hex(char *to, size_t at, size_t room, uint64_t v)
{
	char digits[17];
	int i = 16;

	digits[16] = 0;
	do {
		digits[--i] = "0123456789abcdef"[v & 15];
		v >>= 4;
	} while (v);
	return put(to, at, room, digits + i);
}

static void report_alone(const char *text, const char *path, uint64_t offset)
{
	char line[2048];
	size_t n = put(line, 0, sizeof(line), "dsm: ");
	ssize_t rc;

	n = put(line, n, sizeof(line) - 1, text);
	if (path) {
		n = put(line, n, sizeof(line) - 1, " at ");
		n = put(line, n, sizeof(line) - 1, path);
		n = put(line, n, sizeof(line) - 1, "+0x");
		n = put_hex(line, n, sizeof(line) - 1, offset);
		n = put(line, n, sizeof(line) - 1, " (addr2line, or dsmrun, names the line)");
	}
	n = put(line, n, sizeof(line), "\n");
	do {
		rc = write(STDERR_FILENO, line, n);
	} while (rc < 0 && errno == EINTR);
}

void control__report(struct control *c, const char *text, const char *path, uint64_t offset)
{
	struct proto_report r;
	int saved = errno, rc = -ENOTCONN;

	if (c && c->fd >= 0) {
		memset(&r, 0, sizeof(r));
		r.offset = offset;
		put(r.text, 0, sizeof(r.text), text);
		put(r.path, 0, sizeof(r.path), path ? path : "");
		rc = proto__send(c->fd, PROTO_REPORT, &r, sizeof(r), NULL, 0);
	}
	if (rc)
		report_alone(text, path, offset);
	errno = saved;
}

void control__done(struct control *c, int status)
{
	struct proto_packet p;
	int32_t s = status;
	int fds[2], rc;

	if (c->fd < 0 || proto__send(c->fd, PROTO_DONE, &s, sizeof(s), NULL, 0))
		return;
	do {
		rc = proto__recv(c->fd, &p, fds, 0);
	} while (rc == 0 && p.type != PROTO_END);
}

void control__close(struct control *c)
{
	if (!c)
		return;
	if (c->fd >= 0)
		close(c->fd);
	if (c->lifeline >= 0)
		close(c->lifeline);
	free(c);
}

int control__fd(const struct control *c)
{
	return c->lifeline;
}
