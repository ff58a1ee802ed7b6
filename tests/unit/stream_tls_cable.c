// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/stream_tls_cable.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static bool expect_identity(void *arg, const struct tls_identity *id)
{
	const struct tls_identity *want = arg;

	return id->run_id == want->run_id && id->generation == want->generation && id->from == want->from &&
	       id->to == want->to && id->channel == want->channel;
}

struct tls *cable__context(const uint8_t *key, uint64_t rekey)
{
	struct tls_config c = {
		.key = key, .expected = expect_identity, .arg = (void *)&identity, .rekey = rekey};
	struct tls *t;

	assert_int_equal(tls->open(&t, &c), 0);
	return t;
}

void cable__pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

struct cable *cable__lay(const uint8_t *key0, const uint8_t *key1, const struct tls_identity *id)
{
	struct cable *w = calloc(1, sizeof(*w));
	int a[2], b[2];

	assert_non_null(w);
	cable__pair(a);
	cable__pair(b);
	w->tls[0] = cable__context(key0, 0);
	w->tls[1] = cable__context(key1, 0);
	w->end[0] = tls->call(w->tls[0], a[0], id);
	w->end[1] = tls->answer(w->tls[1], b[0]);
	assert_non_null(w->end[0]);
	assert_non_null(w->end[1]);
	w->fd[0] = a[1];
	w->fd[1] = b[1];
	return w;
}

void cable__take_up(struct cable *w)
{
	for (int i = 0; i < 2; i++) {
		if (w->end[i])
			w->end[i]->ops->close(w->end[i]);
		close(w->fd[i]);
		tls->close(w->tls[i]);
	}
	free(w);
}

size_t cable__listen(struct cable *w, int from)
{
	ssize_t n = recv(w->fd[from], w->seen[from] + w->bytes[from], sizeof(w->seen[0]) - w->bytes[from], 0);

	if (n <= 0)
		return 0;
	w->bytes[from] += (size_t)n;
	return (size_t)n;
}

void cable__put(int fd, const void *bytes, size_t n)
{
	assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), n);
}

bool cable__carry(struct cable *w, int from)
{
	size_t n = cable__listen(w, from);

	if (n)
		cable__put(w->fd[!from], w->seen[from] + w->bytes[from] - n, n);
	return n;
}

void cable__shake(struct cable *w, int rc[2])
{
	short events;

	rc[0] = rc[1] = -EAGAIN;
	for (int round = 0; round < 20; round++)
		for (int i = 0; i < 2; i++) {
			if (rc[i] == -EAGAIN)
				rc[i] = tls->shake(w->end[i], &events);
			cable__carry(w, i);
		}
}

struct cable *cable__connected(void)
{
	struct cable *w = cable__lay(right, right, &identity);
	int rc[2];

	cable__shake(w, rc);
	assert_int_equal(rc[0], 0);
	assert_int_equal(rc[1], 0);
	return w;
}

ssize_t cable__say(struct cable *w, int from, const void *bytes, size_t n)
{
	struct iovec iov = {(void *)bytes, n};

	return w->end[from]->ops->send(w->end[from], &iov, 1);
}

ssize_t cable__hear(struct cable *w, int at, void *bytes, size_t room)
{
	return w->end[at]->ops->recv(w->end[at], bytes, room);
}
