// SPDX-License-Identifier: BSD-2-Clause
/* An encrypted connection with two threads at each end: one sends while the other receives, over changes of keys. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/stream_tls_cable.h"

#define VOLUME (12u << 20)

struct half {
	struct stream *s;
	unsigned seed;
	bool failed;
};

static uint8_t pattern(unsigned seed, size_t at)
{
	return (uint8_t)((at * 2654435761u + seed) >> 13);
}

static void await(const struct stream *s, short events)
{
	struct pollfd p = {.fd = s->fd, .events = events};

	poll(&p, 1, 10000);
}

static void *sender(void *arg)
{
	struct half *h = arg;
	uint8_t *bytes = malloc(100000);
	unsigned r = h->seed;

	for (size_t at = 0; at < VOLUME && !h->failed;) {
		size_t n = (size_t)rand_r(&r) % (rand_r(&r) % 8 ? 5000 : 100000) + 1, done = 0;

		if (n > VOLUME - at)
			n = VOLUME - at;
		for (size_t i = 0; i < n; i++)
			bytes[i] = pattern(h->seed, at + i);
		while (done < n) {
			size_t third = (n - done) / 3;
			struct iovec iov[3] = {{bytes + done, third},
					       {bytes + done + third, third},
					       {bytes + done + 2 * third, n - done - 2 * third}};
			ssize_t rc = h->s->ops->send(h->s, iov, 3);

			if (rc == -EAGAIN) {
				await(h->s, POLLOUT);
				continue;
			}
			if (rc <= 0) {
				h->failed = true;
				break;
			}
			done += (size_t)rc;
		}
		at += n;
	}
	free(bytes);
	return NULL;
}

static void *receiver(void *arg)
{
	struct half *h = arg;
	uint8_t *bytes = malloc(1 << 18);
	unsigned r = h->seed;

	for (size_t at = 0; at < VOLUME;) {
		size_t room = rand_r(&r) % 2 ? 1 << 18 : (size_t)rand_r(&r) % 6000 + 1;
		ssize_t n = h->s->ops->recv(h->s, bytes, room);

		if (n == -EAGAIN) {
			assert_false(h->s->ops->hidden(h->s));
			await(h->s, POLLIN);
			continue;
		}
		for (ssize_t i = 0; i < n && !h->failed; i++)
			h->failed = bytes[i] != pattern(h->seed, at + (size_t)i);
		if (n <= 0 || h->failed) {
			h->failed = true;
			break;
		}
		at += (size_t)n;
		/* As the transport does: what is hidden is taken before it blocks. */
		if (!h->s->ops->hidden(h->s) && at < VOLUME)
			await(h->s, POLLIN);
	}
	free(bytes);
	return NULL;
}

static void test_threads(void **state)
{
	struct tls *t = cable__context(right, 40); /* a fresh key every 40 records */
	struct half half[4];
	pthread_t thread[4];
	struct stream *s[2];
	int fd[2], rc[2] = {-EAGAIN, -EAGAIN};
	short events;

	(void)state;
	cable__pair(fd);
	s[0] = tls->call(t, fd[0], &identity);
	s[1] = tls->answer(t, fd[1]);
	while (rc[0] || rc[1]) {
		rc[0] = tls->shake(s[0], &events);
		rc[1] = tls->shake(s[1], &events);
	}
	tls->close(t); /* needed no longer */
	for (unsigned i = 0; i < 4; i++) {
		bool sends = i < 2;

		half[i] = (struct half){.s = s[i == 1 || i == 2], .seed = 11 + i % 2};
		pthread_create(&thread[i], NULL, sends ? sender : receiver, &half[i]);
	}
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(thread[i], NULL);
		assert_false(half[i].failed);
	}
	s[0]->ops->close(s[0]);
	s[1]->ops->close(s[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
