// SPDX-License-Identifier: BSD-2-Clause
#include "dsmcore/launch/control.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dsmcore/launch/address.h"
#include "dsmcore/launch/fabric_node.h"
#include "dsmcore/launch/pmix_node.h"
#include "dsmcore/launch/plain.h"
#include "dsmcore/launch/remedy.h"
#include "dsmcore/launch/proto.h"
#include "dsmcore/transport/stream.h"
#include "dsmcore/transport/stream_ring.h"

#define SETUP_SECONDS 30 /* what a start may take, the launcher's packets included */
#define JOB_SECONDS   90 /* the same in a job whose processes somebody else starts */

struct control {
	int fd;	      /* -1: no launcher */
	int lifeline; /* -1: no launcher */
	bool helped;  /* by dsm-pmix; else it is dsmrun */
	bool leaving; /* the line is control__done()'s */
};

/* ---- opening ---- */

static int receive(const struct control *c, enum proto_type want, struct proto_packet *p, int fds[2])
{
	struct pollfd pfd = {.fd = c->fd, .events = POLLIN};
	int rc;

	do {
		rc = poll(&pfd, 1, (c->helped ? JOB_SECONDS : SETUP_SECONDS) * 1000);
	} while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return -ETIMEDOUT;
	p->type = 0;
	rc = rc < 0 ? -errno : proto__recv(c->fd, p, fds, 0);
	if (rc == 0 && want && p->type != want)
		rc = -EPROTO;
	return rc;
}

static int complain(int rc, const char *what)
{
	fprintf(stderr, "dsm: %s: %s%s\n", what, strerror(-rc), remedy__write(rc));
	return rc;
}

static int complain_of_launcher(const struct control *c, int rc, const char *what)
{
	const char *launcher = c->helped ? "dsm-pmix" : "dsmrun";

	if (rc == -EPIPE && c->helped) /* it has said why */
		return rc;
	fprintf(stderr, "dsm: %s %s: %s%s%s%s\n", what, launcher, strerror(-rc), rc == -EPROTO ? "; it" : "",
		rc == -EPIPE ? "; it has ended" : "",
		rc == -EPROTO ? " and the program's libdsm are not of the same build" : "");
	return rc;
}

static int open_alone(struct run_options *o)
{
	char why[5000];
	int rc = options__from_env(o, why, sizeof(why));

	if (rc) {
		plain__print("dsm", why);
		return rc;
	}
	pmix_node__warn_of_strangers();
	if (options__draw_run_id(o))
		o->run_id = (uint64_t)time(NULL) << 32 | (uint32_t)getpid();
	return 0;
}

static void close_all(int (*fds)[2], unsigned nodes)
{
	for (unsigned i = 0; fds && i < nodes * 2; i++)
		if (fds[i / 2][i % 2] >= 0)
			close(fds[i / 2][i % 2]);
}

/* Takes what the launcher hands over until GO: sockets, or what it needs to connect to the others itself. */
static int take_connections(struct control *c, const struct run_options *o, int listener, int (*fds)[2],
			    struct fabric_node *fabric, struct links *links)
{
	for (;;) {
		struct proto_packet p;
		int got[2], rc = receive(c, 0, &p, got);

		if (rc)
			return complain_of_launcher(c, rc, "receiving the connections from");
		if (p.type == PROTO_SOCKETS && p.peer < o->nodes && fds[p.peer][0] < 0 && got[1] >= 0) {
			memcpy(fds[p.peer], got, sizeof(got));
			continue;
		}
		if (p.type == PROTO_PEERS && listener >= 0) {
			rc = mesh__connect(o, listener, p.peers.of, &p.peers.key, SETUP_SECONDS, links);
			mesh_key__wipe(&p.peers.key);
			if (rc)
				return rc;
			continue;
		}
		if (p.type == PROTO_FABRIC && fabric && fabric_node__take(fabric, &p.fabric) == 0)
			continue;
		if (p.type == PROTO_GO)
			return 0;
		return complain_of_launcher(c, -EPROTO, "receiving the connections from");
	}
}

/* Pairs on one host have Unix sockets, and rings made over them if the transport is shm; others TCP. */
static bool has_ring(const struct run_options *o, const int fds[2])
{
	return !strcmp(o->transport, "shm") && fds[0] >= 0;
}

static int open_sockets(const struct run_options *o, int (*fds)[2], struct links *links)
{
	for (unsigned i = 0; i < o->nodes * 2u; i++) {
		struct stream **s = &links->stream[i / 2][i % 2];

		if (fds[i / 2][i % 2] < 0 || has_ring(o, fds[i / 2]))
			continue;
		*s = stream_socket__new(fds[i / 2][i % 2]);
		if (!*s)
			return -errno;
	}
	return 0;
}

/* All offers go out before the first is awaited, so no order of the nodes can deadlock. */
static int open_rings(const struct run_options *o, int (*fds)[2], struct links *links)
{
	int rc = 0;

	if (strcmp(o->transport, "shm") != 0)
		return 0;
	links->engine = ring_engine__new();
	if (!links->engine)
		return -ENOMEM;
	for (unsigned p = o->node + 1; p < o->nodes && !rc; p++)
		if (has_ring(o, fds[p]))
			rc = stream_ring__offer(links->engine, fds[p], links->stream[p]);
	for (unsigned p = 0; p < o->node && !rc; p++)
		if (has_ring(o, fds[p]))
			rc = stream_ring__accept(links->engine, fds[p], SETUP_SECONDS * 1000,
						 links->stream[p]);
	return rc;
}

/* What was handed over as sockets. */
static int open_streams(struct control *c, const struct run_options *o, int (*fds)[2], struct links *links)
{
	int rc = open_rings(o, fds, links);

	if (rc == 0)
		rc = open_sockets(o, fds, links);
	/* A stream owns its descriptor. */
	for (unsigned i = 0; i < o->nodes * 2u; i++)
		if (links->stream[i / 2][i % 2])
			fds[i / 2][i % 2] = -1;
	if (rc) {
		char text[256];

		snprintf(text, sizeof(text), "connections: %s%s", strerror(-rc), remedy__write(rc));
		control__report(c, text, NULL, 0);
	}
	return rc;
}

/* Of several hosts it is this one that has no such address. */
static void blame_host(const struct run_options *o, const char *why)
{
	char name[HOST_NAME_MAX + 1] = "?", who[HOST_NAME_MAX + 32];

	gethostname(name, sizeof(name) - 1);
	snprintf(who, sizeof(who), "dsm: node %u on %s", o->node, name);
	plain__print(who, why);
}

static int listen_at(const struct run_options *o, struct proto_hello *hello)
{
	const char *spec = o->listen;
	char why[2 * ADDRESS_SPEC + 128], text[ADDRESS_TEXT];
	struct address at;
	int rc = address__find(spec, &at, why, sizeof(why));

	if (rc) {
		blame_host(o, why);
		return rc;
	}
	rc = mesh__listen(&at);
	if (rc < 0) {
		snprintf(why, sizeof(why), "listening on %s (interface '%s')", address__text(&at, text),
			 spec);
		snprintf(why + strlen(why), sizeof(why) - strlen(why), ": %s", strerror(-rc));
		blame_host(o, why);
		return rc;
	}
	hello->listens = at;
	hello->listens.scope = 0; /* another machine's interfaces have other numbers */
	return rc;
}

/* Opens the endpoint where `listen` says, or on the loopback where there is nobody else to reach it. */
static int open_fabric(struct fabric_node **fabric, const struct run_options *o, struct fabric_address *mine)
{
	char why[2 * ADDRESS_SPEC + 128], source[ADDRESS_TEXT];
	struct address at;
	int rc = address__find(*o->listen ? o->listen : ADDRESS_LOOPBACK, &at, why, sizeof(why));

	if (rc && *o->listen) {
		blame_host(o, why);
		return rc;
	}
	if (at.scope) {
		fprintf(stderr,
			"dsm: node %u: %s: a fabric cannot use link-local addresses: choose others with "
			"--interface (or DSM_INTERFACE), e.g. a network of the cluster\n",
			o->node, address__text(&at, source));
		return -EADDRNOTAVAIL;
	}
	if (o->node == 0 && at.family && !address__is_loopback(&at) && strcmp(o->fabric, "shm") != 0)
		fprintf(stderr,
			"dsm: WARNING: fabric: the connections of this run are not encrypted; whoever "
			"reaches the network between its nodes can read and change all its memory\n");
	return fabric_node__open(fabric, o, at.family ? address__text(&at, source) : NULL, mine);
}

static int connect_all(struct control *c, const struct run_options *o, struct links *links)
{
	struct proto_hello hello = {.pid = (int32_t)getpid()};
	int(*fds)[2] = malloc(sizeof(*fds) * o->nodes);
	struct fabric_node *fabric = NULL;
	int listener = -1, rc = links__alloc(links, o->nodes);

	if (fds)
		memset(fds, 0xff, sizeof(*fds) * o->nodes);
	if (rc || !fds) {
		rc = complain(-ENOMEM, "connections");
		goto out;
	}
	if (*o->listen && !fabric_node__wanted(o)) {
		listener = listen_at(o, &hello);
		if (listener < 0) {
			rc = listener;
			goto out;
		}
	}
	if (fabric_node__wanted(o)) {
		rc = open_fabric(&fabric, o, &hello.fabric);
		if (rc)
			goto out;
	}
	rc = proto__send(c->fd, PROTO_HELLO, &hello, sizeof(hello), NULL, 0);
	if (rc)
		complain_of_launcher(c, rc, "greeting");
	else
		rc = take_connections(c, o, listener, fds, fabric, links);
	if (rc == 0 && fabric)
		rc = fabric_node__connect(fabric, SETUP_SECONDS, links);
	else if (rc == 0)
		rc = open_streams(c, o, fds, links);
	for (unsigned i = 0; rc == 0 && i < o->nodes * 2u; i++)
		if (!links->stream[i / 2][i % 2] && i / 2 != o->node)
			rc = complain_of_launcher(c, -EPROTO, "receiving the connections from");
out:
	if (listener >= 0)
		close(listener); /* from now on nobody can connect */
	fabric_node__free(fabric);
	close_all(fds, o->nodes);
	free(fds);
	if (rc || o->nodes == 1)
		links__close(links, o->nodes);
	return rc;
}

static bool launcher_died(const struct control *c)
{
	struct pollfd pfd = {.fd = c->lifeline, .events = POLLIN};

	return poll(&pfd, 1, 0) > 0;
}

/* The lifeline's end kills us: dsmrun's node is its child, or the child of a script that is; dsm-pmix is
 * ours. */
static void die_with_launcher(const struct control *c)
{
	if (!c->helped) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	} else {
		fcntl(c->lifeline, F_SETOWN, getpid());
		fcntl(c->lifeline, F_SETSIG, SIGKILL);
		fcntl(c->lifeline, F_SETFL, O_ASYNC);
	}
}

/* The options come, then the connections. */
static int join(struct control *c, struct run_options *o, struct links *links)
{
	struct proto_packet p;
	int got[2], rc;

	/* No descriptor of the launcher or of its other children lives on here, and none of ours in our
	 * children: the end of a connection must mean the death of its node. */
	close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	rc = receive(c, PROTO_OPTIONS, &p, got);
	if (rc)
		return complain_of_launcher(c, rc, "receiving the options from");
	*o = p.options;
	c->lifeline = got[0];
	if (c->lifeline < 0 || o->nodes < 1 || o->nodes > OPTIONS_NODES_MAX || o->node >= o->nodes)
		return complain_of_launcher(c, -EPROTO, "receiving the options from");
	die_with_launcher(c);
	if (launcher_died(c))
		return complain_of_launcher(c, -EPIPE, "start by");
	return connect_all(c, o, links);
}

/* Whoever made the line says which files this process opens. A caller must not have that say in a program
 * which runs with other rights than its own. */
static bool of_this_user(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) && (peer.uid == geteuid() || !peer.uid);
}

static int open_launched(struct control *c, struct run_options *o, struct links *links, const char *where)
{
	uint64_t fd;
	char why[256];
	int type;
	socklen_t len = sizeof(type);

	unsetenv(PROTO_FD_ENV); /* it means this process, not its children */
	if (options__number(where, 0, 1 << 20, &fd) ||
	    getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &len) || type != SOCK_SEQPACKET) {
		snprintf(why, sizeof(why), "%s=%s is not a line to dsmrun; unset it to run as a single node",
			 PROTO_FD_ENV, where);
		plain__print("dsm", why);
		return -EBADF;
	}
	if (!of_this_user((int)fd)) {
		fprintf(stderr,
			"dsm: %s=%s: that line was made by another user; unset it to run as a single node\n",
			PROTO_FD_ENV, where);
		return -EPERM;
	}
	c->fd = (int)fd;
	return join(c, o, links);
}

static int open_in_job(struct control *c, struct run_options *o, struct links *links)
{
	int rc = pmix_node__start(&c->fd);

	c->helped = true;
	return rc ? rc : join(c, o, links);
}

int control__open(struct control **out, struct run_options *o, struct links *links)
{
	const char *where = getenv(PROTO_FD_ENV);
	struct control *c = malloc(sizeof(*c));
	int rc;

	if (!c)
		return complain(-ENOMEM, "start");
	*c = (struct control){.fd = -1, .lifeline = -1};
	*links = (struct links){0};
	if (where)
		rc = open_launched(c, o, links, where);
	else if (pmix_node__in_job())
		rc = open_in_job(c, o, links);
	else
		rc = open_alone(o);
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

bool control__asked(struct control *c)
{
	struct proto_packet p;
	int fds[2];

	if (c->fd < 0 || c->leaving || proto__recv(c->fd, &p, fds, MSG_DONTWAIT))
		return false;
	return p.type == PROTO_ASK;
}

bool control__helped(const struct control *c)
{
	return c->helped;
}

bool control__leaves(const struct control *c)
{
	return c->leaving;
}

void control__leave(struct control *c)
{
	c->leaving = true;
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
