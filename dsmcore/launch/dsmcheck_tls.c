// SPDX-License-Identifier: BSD-2-Clause
/* dsmcheck_tls.c - encrypted connections: two ends shake hands with a key, and one tells the other a page. */
#include "dsmcore/launch/dsmcheck.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "dsmcore/transport/stream.h"
#include "dsmcore/transport/tls.h"

#define PAGE   4096u
#define ROUNDS 10

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static bool anybody(void *arg, const struct tls_identity *id)
{
	(void)arg, (void)id;
	return true;
}

static int shake(const struct tls_ops *tls, struct stream *ends[2])
{
	int rc[2] = {-EAGAIN, -EAGAIN};
	short events;

	for (int round = 0; round < ROUNDS && (rc[0] || rc[1]); round++)
		for (int i = 0; i < 2; i++) {
			if (rc[i])
				rc[i] = tls->shake(ends[i], &events);
			if (rc[i] && rc[i] != -EAGAIN)
				return rc[i];
		}
	return rc[0] ? rc[0] : rc[1];
}

static int carry_page(struct stream *ends[2])
{
	char page[PAGE], got[PAGE];
	struct iovec iov = {page, sizeof(page)};
	ssize_t n;

	if (!ends[0] || !ends[1])
		return -ENOTCONN;
	memset(page, 'p', sizeof(page));
	n = ends[0]->ops->send(ends[0], &iov, 1);
	if (n == PAGE)
		n = ends[1]->ops->recv(ends[1], got, sizeof(got));
	return n < 0 ? (int)n : n == PAGE && !memcmp(page, got, sizeof(page)) ? 0 : -EIO;
}

/* In a child: the library loads another one, which is not ours. */
static int try(void *arg, char *why, size_t size)
{
	static const uint8_t key[TLS_KEY] = "of no use to anybody";
	static const struct tls_identity id = {.run_id = 1, .to = 1};
	struct tls_config config = {.key = key, .expected = anybody};
	const struct tls_ops *tls;
	struct stream *ends[2] = {NULL, NULL};
	struct tls *context;
	double start, shaken;
	int fds[2], rc = tls__load(&tls, why, size);

	(void)arg;
	if (rc)
		return rc;
	rc = tls->open(&context, &config);
	if (rc == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds))
		rc = -errno;
	if (rc == 0) {
		ends[0] = tls->call(context, fds[0], &id);
		ends[1] = tls->answer(context, fds[1]);
		rc = ends[0] && ends[1] ? 0 : -errno;
	}
	start = now_us();
	if (rc == 0)
		rc = shake(tls, ends);
	shaken = now_us();
	if (rc == 0)
		rc = carry_page(ends);
	if (rc == 0)
		snprintf(why, size, "TLS 1.3 handshake with a key in %.0f us, a page in %.0f us",
			 shaken - start, now_us() - shaken);
	else
		snprintf(why, size, "TLS 1.3 with a key does not work: %s", strerror(-rc));
	return rc;
}

void check_tls(struct checks *c)
{
	char why[1024];
	int rc = check_child__run(try, NULL, 30, why, sizeof(why));

	checks__add(c, CHECK_OPTIONAL, "OpenSSL",
		    rc ? "apt-get install libssl-dev, then build again (make); without, dsmrun has no "
			 "--transport tcp"
		       : NULL,
		    "%.280s%s", why, rc ? "" : " (for dsmrun --transport tcp)");
}
