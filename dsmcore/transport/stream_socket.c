// SPDX-License-Identifier: BSD-2-Clause
/*
 * stream_socket.c - streams over connected stream sockets, Unix or TCP, and the table of a node's streams.
 */
#include "dsmcore/transport/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static ssize_t socket_send(struct stream *s, const struct iovec *iov, size_t n)
{
	struct msghdr mh = {.msg_iov = (struct iovec *)iov, .msg_iovlen = n};
	ssize_t sent;

	do {
		sent = n == 1 ? send(s->fd, iov->iov_base, iov->iov_len, MSG_DONTWAIT | MSG_NOSIGNAL)
			      : sendmsg(s->fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return errno == ENOBUFS ? -EAGAIN : -errno;
	return sent;
}

static ssize_t socket_recv(struct stream *s, void *buffer, size_t room)
{
	ssize_t n;

	do {
		n = recv(s->fd, buffer, room, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static void socket_close(struct stream *s)
{
	close(s->fd);
	free(s);
}

static const struct stream_ops socket_ops = {.send = socket_send, .recv = socket_recv, .close = socket_close};

struct stream *stream_socket__new(int fd)
{
	int one = 1, flags = fcntl(fd, F_GETFL);
	struct stream *s;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
		return NULL;
	/* A Unix socket has no such option, and needs none. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	s = malloc(sizeof(*s));
	if (s)
		*s = (struct stream){.ops = &socket_ops, .fd = fd};
	return s;
}

/* ---- a node's streams ---- */

int links__alloc(struct links *links, unsigned nodes)
{
	*links = (struct links){.stream = calloc(nodes, sizeof(*links->stream))};
	return links->stream ? 0 : -ENOMEM;
}

void links__close(struct links *links, unsigned nodes)
{
	for (unsigned i = 0; links->stream && i < nodes * 2; i++) {
		struct stream *s = links->stream[i / 2][i % 2];

		if (s)
			s->ops->close(s);
	}
	if (links->engine)
		links->engine->ops->close(links->engine);
	free(links->stream);
	*links = (struct links){0};
}
