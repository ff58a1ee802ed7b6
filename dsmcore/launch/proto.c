// SPDX-License-Identifier: BSD-2-Clause
#include "dsmcore/launch/proto.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PROTO_HEAD ((ssize_t)(2 * sizeof(uint32_t)))

ssize_t proto__body_bytes(uint32_t type)
{
	switch (type) {
	case PROTO_OPTIONS:
		return sizeof(struct run_options);
	case PROTO_HELLO:
		return sizeof(struct proto_hello);
	case PROTO_SOCKETS:
		return sizeof(uint32_t);
	case PROTO_PEERS:
		return sizeof(struct proto_peers);
	case PROTO_FABRIC:
		return sizeof(struct proto_fabric);
	case PROTO_REPORT:
		return sizeof(struct proto_report);
	case PROTO_DONE:
		return sizeof(int32_t);
	case PROTO_GO:
	case PROTO_ASK:
	case PROTO_END:
		return 0;
	}
	return -1;
}

bool proto__sane(const struct proto_packet *p)
{
	const struct proto_report *r = &p->report;

	if (p->type == PROTO_HELLO)
		return address__sane(&p->hello.listens);
	if (p->type == PROTO_PEERS) {
		for (unsigned n = 0; n < OPTIONS_NODES_MAX; n++)
			if (!address__sane(&p->peers.of[n]))
				return false;
		return true;
	}
	if (p->type == PROTO_REPORT)
		return memchr(r->text, 0, sizeof(r->text)) && memchr(r->path, 0, sizeof(r->path));
	return p->type != PROTO_OPTIONS || options__sane(&p->options);
}

int proto__send(int fd, enum proto_type type, const void *body, size_t bytes, const int *fds, unsigned nfds)
{
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} room;
	uint32_t head[2] = {PROTO_VERSION, type};
	struct iovec iov[2] = {{head, sizeof(head)}, {(void *)body, bytes}};
	struct msghdr mh = {.msg_iov = iov, .msg_iovlen = bytes ? 2 : 1};
	ssize_t n;

	if (nfds) {
		struct cmsghdr *c;

		memset(&room, 0, sizeof(room));
		mh.msg_control = room.bytes;
		mh.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	do {
		n = sendmsg(fd, &mh, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

int proto__recv(int fd, struct proto_packet *p, int fds[2], int flags)
{
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} room;
	struct iovec iov = {p, sizeof(*p)};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = room.bytes,
			    .msg_controllen = sizeof(room.bytes)};
	ssize_t n;

	fds[0] = fds[1] = -1;
	p->version = p->type = 0;
	do {
		n = recvmsg(fd, &mh, flags | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? (errno == ECONNRESET ? -EPIPE : -errno) : -EPIPE;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c; c = CMSG_NXTHDR(&mh, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	if (n >= PROTO_HEAD && p->version == PROTO_VERSION && n - PROTO_HEAD == proto__body_bytes(p->type) &&
	    !(mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && proto__sane(p))
		return 0;
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	fds[0] = fds[1] = -1;
	return -EPROTO;
}

int proto__give(int fd, unsigned peer, const int fds[2])
{
	uint32_t number = peer;
	int rc;

	for (int try = 0;; try++) {
		rc = proto__send(fd, PROTO_SOCKETS, &number, sizeof(number), fds, 2);
		if (rc != -ETOOMANYREFS || try == 5000)
			return rc;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
}
