// SPDX-License-Identifier: BSD-2-Clause
/*
 * stream_tls_test.c - who gets into an encrypted connection, what is made of altered, repeated and cut messages, and
 * how it is sent.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "tests/unit/stream_tls_cable.h"

static const uint8_t wrong[TLS_KEY] = "the right key of another run....";

/* ---- OpenSSL's memory, counted ---- */

static long blocks;

static void *counted_malloc(size_t n, const char *file, int line)
{
	void *p = malloc(n);

	(void)file, (void)line;
	__atomic_fetch_add(&blocks, p != NULL, __ATOMIC_RELAXED);
	return p;
}

static void *counted_realloc(void *old, size_t n, const char *file, int line)
{
	void *p = realloc(old, n);

	(void)file, (void)line;
	__atomic_fetch_add(&blocks, !old && p, __ATOMIC_RELAXED);
	return p;
}

static void counted_free(void *p, const char *file, int line)
{
	(void)file, (void)line;
	__atomic_fetch_sub(&blocks, p != NULL, __ATOMIC_RELAXED);
	free(p);
}

/* ---- who gets in ---- */

static void test_right_key(void **state)
{
	struct cable *w = cable__connected();
	char text[32];

	(void)state;
	assert_true(tls->known(w->end[0]) && tls->known(w->end[1]));
	assert_memory_equal(tls->identity(w->end[1]), &identity, sizeof(identity));
	for (int from = 0; from < 2; from++) {
		assert_int_equal(cable__hear(w, !from, text, sizeof(text)), -EAGAIN);
		assert_int_equal(cable__say(w, from, "bonjour", 7), 7);
		cable__carry(w, from);
		assert_int_equal(cable__hear(w, !from, text, sizeof(text)), 7);
		assert_memory_equal(text, "bonjour", 7);
	}
	for (int i = 0; i < 2; i++) /* nobody on the wire can read it */
		assert_null(memmem(w->seen[i], w->bytes[i], "bonjour", 7));
	cable__take_up(w);
}

static void test_wrong_key(void **state)
{
	(void)state;
	for (int which = 0; which < 2; which++) {
		struct cable *w = cable__lay(which ? wrong : right, which ? right : wrong, &identity);
		int rc[2];

		cable__shake(w, rc);
		assert_int_equal(rc[0], -EACCES);
		assert_int_equal(rc[1], -EACCES);
		assert_false(tls->known(w->end[1]));
		cable__take_up(w);
	}
}

/* The right key, but for something else. */
static void test_wrong_identity(void **state)
{
	struct tls_identity ids[5] = {identity, identity, identity, identity, identity};

	(void)state;
	ids[0].run_id++;
	ids[1].generation++;
	ids[2].from = 2;
	ids[3].to = 3;
	ids[4].channel = 0;
	for (int i = 0; i < 5; i++) {
		struct cable *w = cable__lay(right, right, &ids[i]);
		int rc[2];

		cable__shake(w, rc);
		assert_int_equal(rc[0], -EACCES);
		assert_int_equal(rc[1], -EACCES);
		cable__take_up(w);
	}
}

/* An identity that was changed on its way does not fit the key any more, also where it would be expected. */
static bool expect_all(void *arg, const struct tls_identity *id)
{
	(void)id;
	*(int *)arg += 1;
	return true;
}

static void test_altered_identity(void **state)
{
	struct cable *w = cable__lay(right, right, &identity);
	uint8_t bytes[TLS_IDENTITY], *at;
	short events;
	int asked = 0, fd[2];
	struct tls_config c = {.key = right, .expected = expect_all, .arg = &asked};
	struct tls *t;
	struct stream *s;

	(void)state;
	assert_int_equal(tls->open(&t, &c), 0);
	cable__pair(fd);
	s = tls->answer(t, fd[0]);
	assert_int_equal(tls->shake(w->end[0], &events), -EAGAIN);
	cable__listen(w, 0);
	tls_identity__encode(&identity, bytes);
	at = memmem(w->seen[0], w->bytes[0], bytes, sizeof(bytes));
	assert_non_null(at);
	at[16] ^= 1; /* from */
	cable__put(fd[1], w->seen[0], w->bytes[0]);
	assert_int_equal(tls->shake(s, &events), -EACCES);
	assert_int_equal(asked, 1);
	s->ops->close(s);
	close(fd[1]);
	tls->close(t);
	cable__take_up(w);
}

/* The calling end with these bytes as its answer, or the answering end with them as a call. */
static int shake_with(bool caller, const void *bytes, size_t n, bool hang_up)
{
	struct tls *t = cable__context(right, 0);
	struct stream *s;
	short events;
	int fd[2], rc;

	cable__pair(fd);
	s = caller ? tls->call(t, fd[0], &identity) : tls->answer(t, fd[0]);
	cable__put(fd[1], bytes, n);
	if (hang_up)
		close(fd[1]);
	rc = tls->shake(s, &events);
	if (rc == -EAGAIN)
		assert_int_equal(events, POLLIN);
	s->ops->close(s);
	if (!hang_up)
		close(fd[1]);
	tls->close(t);
	return rc;
}

static void test_garbage(void **state)
{
	static const char *const texts[] = {"GET / HTTP/1.0\r\n\r\n", "SSH-2.0-scanner_1.0\r\n",
					    "GSM1 what is this?"};
	uint8_t noise[700];

	(void)state;
	for (int caller = 0; caller < 2; caller++) {
		for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
			assert_int_equal(shake_with(caller, texts[i], strlen(texts[i]), false), -EPROTO);
		assert_int_equal(shake_with(caller, "", 0, true), -ECONNRESET);
		assert_int_equal(shake_with(caller, "\x16\x03", 2, false), -EAGAIN);
	}
	assert_int_equal(shake_with(false, "\x16\x03", 2, true), -ECONNRESET);
	srand(1);
	for (int i = 0; i < 3000; i++) {
		size_t n = (size_t)rand() % sizeof(noise) + 1;

		for (size_t b = 0; b < n; b++)
			noise[b] = (uint8_t)rand();
		if (i % 2 && n > 5) { /* a record's and a hello's head, so that more of it is read */
			memcpy(noise, "\x16\x03\x01", 3);
			noise[3] = (uint8_t)((n - 5) >> 8);
			noise[4] = (uint8_t)(n - 5);
			noise[5] = 1;
		}
		assert_int_not_equal(shake_with(i % 4 < 2, noise, n, false), 0);
	}
}

/* ---- those who have a certificate instead of the key ---- */

static SSL_CTX *with_certificate(bool server)
{
	SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	X509 *x = X509_new();

	assert_non_null(key);
	X509_set_version(x, 2);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()));
	assert_true(SSL_CTX_use_certificate(ctx, x) && SSL_CTX_use_PrivateKey(ctx, key));
	X509_free(x);
	EVP_PKEY_free(key);
	return ctx;
}

static void test_certificate(void **state)
{
	(void)state;
	for (int caller = 0; caller < 2; caller++) {
		struct tls *t = cable__context(right, 0);
		SSL_CTX *ctx = with_certificate(caller);
		SSL *ssl = SSL_new(ctx);
		struct stream *s;
		short events;
		int fd[2], rc = -EAGAIN, theirs = 0;

		cable__pair(fd);
		s = caller ? tls->call(t, fd[0], &identity) : tls->answer(t, fd[0]);
		SSL_set_fd(ssl, fd[1]);
		for (int i = 0; i < 10 && rc == -EAGAIN; i++) {
			rc = tls->shake(s, &events);
			theirs = caller ? SSL_accept(ssl) : SSL_connect(ssl);
		}
		assert_int_equal(rc, -EACCES);
		assert_int_not_equal(theirs, 1);
		s->ops->close(s);
		SSL_free(ssl);
		SSL_CTX_free(ctx);
		close(fd[1]);
		tls->close(t);
	}
}

/* ---- what comes in ---- */

static void test_replayed_session(void **state)
{
	struct cable *w = cable__connected();
	struct tls *t = cable__context(right, 0);
	struct stream *s;
	uint8_t buffer[64];
	short events;
	int fd[2];

	(void)state;
	assert_int_equal(cable__say(w, 0, "pay 100", 7), 7);
	cable__carry(w, 0);
	cable__pair(fd);
	s = tls->answer(t, fd[0]);
	cable__put(fd[1], w->seen[0],
		   w->bytes[0]); /* hello, the end of the handshake and a message, as recorded */
	assert_int_equal(tls->shake(s, &events), -EPROTO);
	assert_int_not_equal(cable__hear(w, 1, buffer, sizeof(buffer)), 0);
	s->ops->close(s);
	close(fd[1]);
	tls->close(t);
	cable__take_up(w);
}

/* Two messages; `spoil` may change what is on the wire. Returns what recv() says after the `whole` ones of
 * them. */
static ssize_t two_messages(unsigned whole, void (*spoil)(struct cable *w, size_t first, size_t second))
{
	struct cable *w = cable__connected();
	uint8_t page[4096], buffer[8192];
	size_t first, second, heard = 0;
	ssize_t n;

	memset(page, 7, sizeof(page));
	assert_int_equal(cable__say(w, 0, page, sizeof(page)), sizeof(page));
	first = cable__listen(w, 0);
	assert_int_equal(cable__say(w, 0, page, sizeof(page)), sizeof(page));
	second = cable__listen(w, 0);
	spoil(w, first, second);
	for (n = 1; n > 0;) {
		n = cable__hear(w, 1, buffer, sizeof(buffer));
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(buffer[i], 7);
		heard += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(heard, whole * sizeof(page));
	if (n != -EAGAIN) /* it stays so */
		assert_int_equal(cable__hear(w, 1, buffer, sizeof(buffer)), n);
	cable__take_up(w);
	return n;
}

static uint8_t *last(struct cable *w, size_t n)
{
	return w->seen[0] + w->bytes[0] - n;
}

static void pass_on(struct cable *w, size_t first, size_t second)
{
	cable__put(w->fd[1], last(w, first + second), first + second);
}

static void flip(struct cable *w, size_t first, size_t second)
{
	last(w, second)[second / 2] ^= 1;
	pass_on(w, first, second);
}

static void repeat(struct cable *w, size_t first, size_t second)
{
	cable__put(w->fd[1], last(w, first + second), first);
	cable__put(w->fd[1], last(w, first + second), first);
}

static void swap(struct cable *w, size_t first, size_t second)
{
	cable__put(w->fd[1], last(w, second), second);
	cable__put(w->fd[1], last(w, first + second), first);
}

static void inject(struct cable *w, size_t first, size_t second)
{
	cable__put(w->fd[1], last(w, first + second), first);
	cable__put(w->fd[1], "DSM1 a frame in clear", 21);
	cable__put(w->fd[1], last(w, second), second);
}

static void cut(struct cable *w, size_t first, size_t second)
{
	cable__put(w->fd[1], last(w, first + second), first + second / 2);
	shutdown(w->fd[1], SHUT_WR);
}

/* Between two records: without a goodbye it is no end either. */
static void cut_between(struct cable *w, size_t first, size_t second)
{
	pass_on(w, first, second);
	shutdown(w->fd[1], SHUT_WR);
}

static void part_well(struct cable *w, size_t first, size_t second)
{
	pass_on(w, first, second);
	w->end[0]->ops->close(w->end[0]);
	w->end[0] = NULL;
	cable__carry(w, 0);
	shutdown(w->fd[1], SHUT_WR);
}

static void test_altered(void **state)
{
	(void)state;
	assert_int_equal(two_messages(2, pass_on), -EAGAIN);
	assert_int_equal(two_messages(1, flip), -EBADMSG);
	assert_int_equal(two_messages(1, repeat), -EBADMSG);
	assert_int_equal(two_messages(0, swap), -EBADMSG);
	assert_int_equal(two_messages(1, inject), -EBADMSG);
	assert_int_equal(two_messages(1, cut), -ECONNRESET);
	assert_int_equal(two_messages(2, cut_between), -ECONNRESET);
	assert_int_equal(two_messages(2, part_well), 0);
}

/* ---- how it is sent ---- */

/* Records on the wire in the last n bytes from end 0. */
static unsigned records(struct cable *w, size_t n)
{
	const uint8_t *p = last(w, n), *end = p + n;
	unsigned count = 0;

	for (; p + 5 <= end; count++) {
		assert_int_equal(p[0], 23); /* application data */
		p += 5 + (p[3] << 8 | p[4]);
	}
	assert_ptr_equal(p, end);
	return count;
}

static void test_one_record(void **state)
{
	struct cable *w = cable__connected();
	static uint8_t head[152], page[4096], many[65536], buffer[1 << 17];
	struct iovec iov[4] = {{head, sizeof(head)}, {page, sizeof(page)}, {NULL, 0}, {many, sizeof(many)}};
	size_t n, whole = sizeof(head) + sizeof(page);

	(void)state;
	memset(page, 9, sizeof(page));
	assert_int_equal(w->end[0]->ops->send(w->end[0], iov, 2), whole);
	n = cable__listen(w, 0);
	assert_int_equal(records(w, n), 1);
	cable__put(w->fd[1], last(w, n), n);
	assert_int_equal(cable__hear(w, 1, buffer, sizeof(buffer)), whole);
	assert_memory_equal(buffer, head, sizeof(head));
	assert_memory_equal(buffer + sizeof(head), page, sizeof(page));
	/* More than it takes at once: it takes a part, in full records. */
	assert_int_equal(w->end[0]->ops->send(w->end[0], iov, 4), 4 * TLS_RECORD_MAX);
	n = cable__listen(w, 0);
	assert_int_equal(records(w, n), 4);
	cable__take_up(w);
}

/* A long run takes no more memory than a short one. */
static void test_no_leak(void **state)
{
	struct cable *w = cable__connected();
	static uint8_t page[4096], buffer[8192];
	long before = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		if (i == 2)
			before = blocks;
		assert_int_equal(cable__say(w, i % 2, page, sizeof(page)), sizeof(page));
		w->bytes[i % 2] = 0;
		cable__carry(w, i % 2);
		assert_int_equal(cable__hear(w, !(i % 2), buffer, sizeof(buffer)), sizeof(page));
	}
	assert_true(before > 0);
	assert_int_equal(blocks, before);
	cable__take_up(w);
}

/* What a full socket does not take is kept, and the same bytes are not sent twice. */
static void test_full_socket(void **state)
{
	struct tls *t = cable__context(right, 0);
	static uint8_t page[65536], buffer[1 << 17];
	struct iovec iov = {page, sizeof(page)};
	struct stream *a, *b;
	int fd[2], rc[2] = {-EAGAIN, -EAGAIN}, small = 4096;
	size_t sent = 0, heard = 0;
	unsigned refused = 0;
	short events;

	(void)state;
	cable__pair(fd);
	setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	a = tls->call(t, fd[0], &identity);
	b = tls->answer(t, fd[1]);
	while (rc[0] || rc[1]) {
		rc[0] = tls->shake(a, &events);
		rc[1] = tls->shake(b, &events);
	}
	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = (uint8_t)(i * 7 + i / 256);
	while (heard < sizeof(page)) {
		ssize_t n;

		iov = (struct iovec){page + sent, sizeof(page) - sent};
		n = sent < sizeof(page) ? a->ops->send(a, &iov, 1) : 0;
		assert_true(n >= 0 || n == -EAGAIN);
		refused += n == -EAGAIN;
		sent += n > 0 ? (size_t)n : 0;
		n = b->ops->recv(b, buffer + heard, 1000);
		assert_true(n > 0 || n == -EAGAIN);
		heard += n > 0 ? (size_t)n : 0;
	}
	assert_true(refused > 0);
	assert_int_equal(sent, heard);
	assert_memory_equal(page, buffer, sizeof(page));
	a->ops->close(a);
	b->ops->close(b);
	tls->close(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right_key),	 cmocka_unit_test(test_wrong_key),
		cmocka_unit_test(test_wrong_identity),	 cmocka_unit_test(test_altered_identity),
		cmocka_unit_test(test_garbage),		 cmocka_unit_test(test_certificate),
		cmocka_unit_test(test_replayed_session), cmocka_unit_test(test_altered),
		cmocka_unit_test(test_one_record),	 cmocka_unit_test(test_no_leak),
		cmocka_unit_test(test_full_socket),
	};

	CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
