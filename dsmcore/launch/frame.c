// SPDX-License-Identifier: BSD-2-Clause
#include "dsmcore/launch/frame.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define READ_ROOM  65536u
#define TALK_BYTES 65536u /* what a login shell may say before the agent does */

static int write_all(int fd, struct iovec *iov, int n)
{
	while (n) {
		ssize_t sent = writev(fd, iov, n);

		if (sent < 0 && errno == EAGAIN) {
			struct pollfd p = {.fd = fd, .events = POLLOUT};

			poll(&p, 1, -1);
			continue;
		}
		if (sent < 0 && errno != EINTR)
			return -errno;
		for (; n && sent >= (ssize_t)iov->iov_len; iov++, n--)
			sent -= (ssize_t)iov->iov_len;
		if (n && sent > 0) {
			iov->iov_base = (char *)iov->iov_base + sent;
			iov->iov_len -= (size_t)sent;
		}
	}
	return 0;
}

int frame__send(int fd, enum frame_kind kind, unsigned node, const void *head, size_t head_bytes,
		const void *body, size_t body_bytes)
{
	struct frame_head h = {(uint32_t)(head_bytes + body_bytes), (uint16_t)kind, (uint16_t)node};
	struct iovec iov[3] = {{&h, sizeof(h)},
			       {(void *)(uintptr_t)head, head_bytes},
			       {(void *)(uintptr_t)body, body_bytes}};

	if (head_bytes + body_bytes > FRAME_MAX)
		return -EMSGSIZE;
	return fd < 0 ? -EPIPE : write_all(fd, iov, 3);
}

/* There may be a key in it, and the allocator would keep it. */
static void wipe(struct frame_reader *r)
{
	if (r->bytes)
		explicit_bzero(r->bytes, r->room);
	free(r->bytes);
}

int frame__read(struct frame_reader *r, int fd)
{
	ssize_t n;

	if (r->taken) {
		r->have -= r->taken;
		memmove(r->bytes, r->bytes + r->taken, r->have);
		explicit_bzero(r->bytes + r->have, r->taken);
		r->taken = 0;
	}
	if (r->room - r->have < READ_ROOM) {
		size_t room = r->have * 2 + READ_ROOM;
		uint8_t *more = malloc(room);

		if (!more)
			return -ENOMEM;
		if (r->have)
			memcpy(more, r->bytes, r->have);
		wipe(r);
		r->bytes = more;
		r->room = room;
	}
	do {
		n = read(fd, r->bytes + r->have, r->room - r->have);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	r->have += (size_t)n;
	return 0;
}

/* Skips what is before the agent's first word. */
static int greet(struct frame_reader *r)
{
	const size_t n = sizeof(AGENT_HELLO) - 1;
	uint8_t *at = memmem(r->bytes + r->taken, r->have - r->taken, AGENT_HELLO, n);

	if (!at)
		return r->have > TALK_BYTES ? -EPROTO : -EAGAIN;
	r->taken = (size_t)(at - r->bytes) + n;
	r->greeted = true;
	return 0;
}

bool frame__next(struct frame_reader *r, struct frame_head *head, const uint8_t **payload, int *rc)
{
	size_t left;

	*rc = 0;
	if (!r->greeted && r->have) {
		*rc = greet(r);
		if (*rc == -EAGAIN)
			*rc = 0;
	}
	left = r->have - r->taken;
	if (!r->greeted || left < sizeof(*head))
		return false;
	memcpy(head, r->bytes + r->taken, sizeof(*head));
	if (head->bytes > FRAME_MAX || head->kind < FRAME_START || head->kind >= FRAME_KINDS) {
		*rc = -EPROTO;
		return false;
	}
	if (left - sizeof(*head) < head->bytes)
		return false;
	*payload = r->bytes + r->taken + sizeof(*head);
	r->taken += sizeof(*head) + head->bytes;
	return true;
}

void frame__free(struct frame_reader *r)
{
	wipe(r);
	*r = (struct frame_reader){0};
}
