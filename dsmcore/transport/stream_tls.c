// SPDX-License-Identifier: BSD-2-Clause
/*
 * stream_tls.c - streams over TLS 1.3 (OpenSSL).
 *
 * OpenSSL never sees the socket. It reads ciphertext from a buffer of ours and writes into another one, and
 * the system calls are made around it. This gives
 *
 * - one send() for a message, however many records it takes, and one recv() for all records that have come;
 * - a sender and a receiver at the same time: the SSL object is not made for two threads, so a lock is held
 * while it encrypts or decrypts (1 us for a page), but not during system calls;
 * - a send that never repeats work: what is encrypted stays in the buffer until the socket takes it. Until
 * then the caller is told -EAGAIN, and it comes back with the same bytes, which are not looked at again.
 *
 * Who owns what: `out` and `taken` belong to the thread that sends, `in` and `stop` to the one that receives,
 * the SSL object to whoever holds the lock. Only a thread that holds the lock is in the buffers' callbacks.
 * The one exception: while it decrypts, OpenSSL may want to send an alert. That would be in the sender's
 * buffer, so it is dropped; the stream is broken then anyway.
 */
#include "dsmcore/transport/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>

#include "dsmcore/transport/stream.h"

#define RECORDS	 4   /* sealed before a system call */
#define OVERHEAD 256 /* of a record; a key update's own record is less */
#define OUT_ROOM (RECORDS * (TLS_RECORD_MAX + OVERHEAD))
#define IN_ROOM	 65536u
#define ENDED	 1 /* stop: the peer has said goodbye */

struct tls {
	SSL_CTX *ctx;
	uint8_t key[TLS_KEY];
	struct tls_config config;
};

struct tls_stream {
	struct stream head;
	struct tls *tls; /* for the handshake; gone afterwards */
	struct tls_identity id;
	uint8_t wire_id[TLS_IDENTITY];
	bool caller;
	pthread_mutex_t lock;
	SSL *ssl;
	bool opening; /* under the lock: decrypting */
	bool asked;   /* under the lock: it wants more ciphertext (SSL_want() says so after an alert, too) */
	/* the sender's */
	uint64_t records, rekey;
	size_t out_have, out_sent;
	size_t taken; /* plain bytes that `out` holds */
	/* the receiver's */
	size_t in_at, in_have;
	bool hidden; /* decrypted or not, there is more than the descriptor tells */
	int stop;    /* ENDED, or why nothing more can be received; 0: it goes on */
	uint8_t plain[TLS_RECORD_MAX], in[IN_ROOM], out[OUT_ROOM];
};

static struct tls_stream *of(const struct stream *s)
{
	return (struct tls_stream *)s;
}

/* ---- the buffers as OpenSSL sees them ---- */

static BIO_METHOD *method;

static int bio_write(BIO *b, const char *bytes, int n)
{
	struct tls_stream *s = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	if (s->opening)
		return n;
	if (n < 0 || (size_t)n > OUT_ROOM - s->out_have)
		return -1;
	memcpy(s->out + s->out_have, bytes, (size_t)n);
	s->out_have += (size_t)n;
	return n;
}

/* OpenSSL asks for a record's head, then for its rest. Nothing more is read until the handshake is over:
 * whatever the peer sends right behind it stays with the kernel, where epoll sees it. */
static int read_shaking(struct tls_stream *s, BIO *b, char *bytes, int room)
{
	ssize_t n;

	do {
		n = recv(s->head.fd, bytes, (size_t)room, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		return (int)n;
	s->asked = n < 0 && errno == EAGAIN;
	if (s->asked)
		BIO_set_retry_read(b);
	else
		s->stop = n < 0 ? -errno : -ECONNRESET;
	return -1;
}

static int bio_read(BIO *b, char *bytes, int room)
{
	struct tls_stream *s = BIO_get_data(b);
	size_t n = s->in_have - s->in_at;

	BIO_clear_retry_flags(b);
	if (s->tls)
		return read_shaking(s, b, bytes, room);
	if (!n || room <= 0) {
		s->asked = true;
		BIO_set_retry_read(b);
		return -1;
	}
	if (n > (size_t)room)
		n = (size_t)room;
	memcpy(bytes, s->in + s->in_at, n);
	s->in_at += n;
	return (int)n;
}

static long bio_ctrl(BIO *b, int what, long number, void *pointer)
{
	(void)b, (void)number, (void)pointer;
	return what == BIO_CTRL_FLUSH;
}

static void make_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "dsm");

	if (m && BIO_meth_set_write(m, bio_write) && BIO_meth_set_read(m, bio_read) &&
	    BIO_meth_set_ctrl(m, bio_ctrl))
		method = m;
}

static int need_method(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_method);
	return method ? 0 : -ENOMEM;
}

/* ---- system calls ---- */

/* 0: all is with the kernel. */
static int flush(struct tls_stream *s)
{
	while (s->out_sent < s->out_have) {
		ssize_t n = send(s->head.fd, s->out + s->out_sent, s->out_have - s->out_sent,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == ENOBUFS ? -EAGAIN : -errno;
		s->out_sent += (size_t)n;
	}
	s->out_have = s->out_sent = 0;
	return 0;
}

/* Only when OpenSSL has taken all that was there: it leaves nothing behind when it asks for more. */
static int fill(struct tls_stream *s)
{
	ssize_t n;

	do {
		n = recv(s->head.fd, s->in, IN_ROOM, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	s->in_at = 0;
	s->in_have = (size_t)n;
	return n ? 0 : -ECONNRESET; /* an end without a goodbye: somebody may have cut it */
}

/* ---- sending ---- */

struct cursor {
	const struct iovec *iov;
	size_t parts, at; /* at: in the first one */
};

/* The next bytes for one record: where they lie, or put together in the stream's buffer. */
static const uint8_t *next(struct tls_stream *s, struct cursor *c, size_t *size)
{
	size_t have = 0;

	while (c->parts && have < TLS_RECORD_MAX) {
		const uint8_t *from = (const uint8_t *)c->iov->iov_base + c->at;
		size_t left = c->iov->iov_len - c->at, n = TLS_RECORD_MAX - have;

		if (left <= n) {
			n = left;
			c->iov++;
			c->parts--;
			c->at = 0;
		} else {
			c->at += n;
		}
		if (!n)
			continue;
		if (!have && (n == TLS_RECORD_MAX || !c->parts)) {
			*size = n;
			return from;
		}
		memcpy(s->plain + have, from, n);
		have += n;
	}
	*size = have;
	return s->plain;
}

/* Caller holds the lock. */
static int seal(struct tls_stream *s, const struct iovec *iov, size_t n)
{
	struct cursor c = {iov, n, 0};

	s->taken = 0;
	for (unsigned i = 0; i < RECORDS && c.parts; i++) {
		size_t size;
		const uint8_t *from = next(s, &c, &size);

		if (!size)
			break;
		if (++s->records % s->rekey == 0 && !SSL_key_update(s->ssl, SSL_KEY_UPDATE_NOT_REQUESTED))
			return -EPROTO;
		if (SSL_write(s->ssl, from, (int)size) != (int)size)
			return -EPROTO;
		s->taken += size;
	}
	return 0;
}

static ssize_t tls_send(struct stream *stream, const struct iovec *iov, size_t n)
{
	struct tls_stream *s = of(stream);
	int rc = 0;

	if (!s->out_have) {
		pthread_mutex_lock(&s->lock);
		ERR_set_mark();
		rc = seal(s, iov, n);
		ERR_pop_to_mark();
		pthread_mutex_unlock(&s->lock);
	}
	if (rc == 0)
		rc = flush(s);
	return rc ? rc : (ssize_t)s->taken;
}

/* ---- receiving ---- */

/* Decrypts what is there into the buffer. Returns bytes; sets hidden and stop. Caller holds the lock. */
static size_t open_records(struct tls_stream *s, uint8_t *buffer, size_t room)
{
	size_t got = 0;

	s->hidden = false;
	s->opening = true;
	while (got < room) {
		size_t left = room - got;
		int n;

		s->asked = false;
		n = SSL_read(s->ssl, buffer + got, left > TLS_RECORD_MAX ? (int)TLS_RECORD_MAX : (int)left);

		if (n > 0) {
			got += (size_t)n;
			continue;
		}
		if (s->asked)
			break;
		s->stop = SSL_get_shutdown(s->ssl) & SSL_RECEIVED_SHUTDOWN ? ENDED : -EBADMSG;
		break;
	}
	s->opening = false;
	s->hidden = s->stop || (got == room && (s->in_at < s->in_have || SSL_pending(s->ssl) > 0));
	return got;
}

static ssize_t tls_recv(struct stream *stream, void *buffer, size_t room)
{
	struct tls_stream *s = of(stream);
	bool fresh = false;
	size_t got = 0;

	while (!got && !s->stop) {
		if (!s->hidden) {
			int rc = fresh ? -EAGAIN : fill(s);

			if (rc == -EAGAIN)
				return rc;
			if (rc) {
				s->stop = rc;
				break;
			}
			fresh = true;
		}
		pthread_mutex_lock(&s->lock);
		ERR_set_mark();
		got = open_records(s, buffer, room);
		ERR_pop_to_mark();
		pthread_mutex_unlock(&s->lock);
	}
	return got ? (ssize_t)got : s->stop == ENDED ? 0 : s->stop;
}

static bool tls_hidden(const struct stream *stream)
{
	return of(stream)->hidden;
}

/* ---- keys ---- */

/* Each connection has a key of its own: what one connection says is of no use on another one. */
static SSL_SESSION *session_for(const struct tls *t, SSL *ssl, const uint8_t id[TLS_IDENTITY])
{
	static const unsigned char suite[] = {0x13, 0x01}; /* TLS_AES_128_GCM_SHA256 */
	static const char label[] = "procope tls psk";
	uint8_t message[sizeof(label) + TLS_IDENTITY], psk[EVP_MAX_MD_SIZE];
	unsigned size = 0;
	SSL_SESSION *session = SSL_SESSION_new();

	memcpy(message, label, sizeof(label));
	memcpy(message + sizeof(label), id, TLS_IDENTITY);
	if (!session || !HMAC(EVP_sha256(), t->key, TLS_KEY, message, sizeof(message), psk, &size) ||
	    !SSL_SESSION_set1_master_key(session, psk, size) ||
	    !SSL_SESSION_set_cipher(session, SSL_CIPHER_find(ssl, suite)) ||
	    !SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION)) {
		SSL_SESSION_free(session);
		session = NULL;
	}
	OPENSSL_cleanse(psk, sizeof(psk));
	return session;
}

/* The calling end: which key, and how it is named. */
static int use_session(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *size,
		       SSL_SESSION **session)
{
	struct tls_stream *s = SSL_get_app_data(ssl);

	(void)md; /* there is one suite */
	*session = session_for(s->tls, ssl, s->wire_id);
	*id = s->wire_id;
	*size = sizeof(s->wire_id);
	return *session != NULL;
}

/* The answering end: the key that a caller says it has. No session: it has none of ours, and TLS refuses. */
static int find_session(SSL *ssl, const unsigned char *id, size_t size, SSL_SESSION **session)
{
	struct tls_stream *s = SSL_get_app_data(ssl);

	*session = NULL;
	if (tls_identity__decode(id, size, &s->id) || !s->tls->config.expected(s->tls->config.arg, &s->id))
		return 1;
	*session = session_for(s->tls, ssl, id);
	return *session != NULL;
}

/* ---- handshake ---- */

/* What OpenSSL's last complaint means for the user. (The first one may be the program's own.) */
static int reason(void)
{
	unsigned long e = ERR_peek_last_error();

	if (ERR_GET_LIB(e) != ERR_LIB_SSL)
		return -EPROTO;
	switch (ERR_GET_REASON(e)) {
	case SSL_R_BINDER_DOES_NOT_VERIFY:
	case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM: /* no key of ours is left, nor a certificate */
	case SSL_R_NO_SHARED_CIPHER:
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
	case SSL_R_BAD_PSK:
	case SSL_R_DIGEST_CHECK_FAILED:
		return -EACCES;
	}
	return ERR_GET_REASON(e) >= SSL_AD_REASON_OFFSET ? -EACCES /* the other end sent an alert */
							 : -EPROTO;
}

static int step(struct tls_stream *s)
{
	int rc, done;

	ERR_set_mark();
	s->asked = false;
	done = SSL_do_handshake(s->ssl);
	if (done == 1) /* neither a certificate nor a key of somebody else will do */
		rc = SSL_session_reused(s->ssl) ? 0 : -EACCES;
	else
		rc = s->asked ? -EAGAIN : s->stop ? s->stop : reason();
	ERR_pop_to_mark();
	return rc;
}

static int tls_shake(struct stream *stream, short *events)
{
	struct tls_stream *s = of(stream);
	int rc = step(s), sent = flush(s); /* the last words to a stranger, too */

	if (rc && rc != -EAGAIN)
		return rc;
	*events = (short)((rc ? POLLIN : 0) | (sent ? POLLOUT : 0));
	if (rc == 0 && sent == 0)
		s->tls = NULL;
	return sent ? sent : rc;
}

static bool tls_known(const struct stream *s)
{
	return SSL_session_reused(of(s)->ssl);
}

static const struct tls_identity *tls_identity(const struct stream *s)
{
	return &of(s)->id;
}

/* ---- opening and closing ---- */

static void tls_close(struct stream *stream)
{
	struct tls_stream *s = of(stream);

	ERR_set_mark();
	if (s->ssl && SSL_is_init_finished(s->ssl) && !s->out_have && s->stop >= 0) {
		SSL_shutdown(s->ssl);
		flush(s); /* as far as it goes */
	}
	SSL_free(s->ssl);
	ERR_pop_to_mark();
	close(s->head.fd);
	pthread_mutex_destroy(&s->lock);
	OPENSSL_cleanse(s->plain, sizeof(s->plain));
	free(s);
}

static const struct stream_ops ops = {
	.send = tls_send, .recv = tls_recv, .close = tls_close, .hidden = tls_hidden};

static int attach(struct tls_stream *s)
{
	BIO *bio = BIO_new(method);

	s->ssl = SSL_new(s->tls->ctx);
	if (!bio || !s->ssl) {
		BIO_free(bio);
		return -ENOMEM;
	}
	BIO_set_data(bio, s);
	BIO_set_init(bio, 1);
	SSL_set_bio(s->ssl, bio, bio);
	SSL_set_app_data(s->ssl, s);
	if (s->caller) {
		SSL_set_connect_state(s->ssl);
		/* No authority is known, so this refuses each certificate. The answering end has none to
		 * show. */
		SSL_set_verify(s->ssl, SSL_VERIFY_PEER, NULL);
	} else {
		SSL_set_accept_state(s->ssl);
	}
	return 0;
}

static struct stream *new_stream(struct tls *t, int fd, const struct tls_identity *id)
{
	int one = 1, flags = fcntl(fd, F_GETFL);
	struct tls_stream *s;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
		return NULL;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	s = malloc(sizeof(*s)); /* its buffers take memory when they are used */
	if (!s)
		return NULL;
	memset(s, 0, offsetof(struct tls_stream, plain));
	s->head = (struct stream){.ops = &ops, .fd = fd};
	s->tls = t;
	s->caller = id != NULL;
	s->rekey = t->config.rekey ? t->config.rekey : TLS_REKEY;
	if (id) {
		s->id = *id;
		tls_identity__encode(id, s->wire_id);
	}
	pthread_mutex_init(&s->lock, NULL);
	if (attach(s)) {
		SSL_free(s->ssl);
		pthread_mutex_destroy(&s->lock);
		free(s);
		errno = ENOMEM;
		return NULL;
	}
	return &s->head;
}

static struct stream *call(struct tls *t, int fd, const struct tls_identity *id)
{
	return new_stream(t, fd, id);
}

static struct stream *answer(struct tls *t, int fd)
{
	return new_stream(t, fd, NULL);
}

static void close_all(struct tls *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->ctx);
	OPENSSL_cleanse(t, sizeof(*t));
	free(t);
}

/* One version, one suite, one group, nothing optional: what is not offered cannot be used against us. */
static int set_up(SSL_CTX *ctx)
{
	if (!SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) ||
	    !SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) ||
	    !SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") ||
	    !SSL_CTX_set1_groups_list(ctx, "X25519") || !SSL_CTX_set_num_tickets(ctx, 0) ||
	    !SSL_CTX_set_max_early_data(ctx, 0))
		return -ENOTSUP;
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_clear_options(ctx, SSL_OP_ENABLE_MIDDLEBOX_COMPAT | SSL_OP_ALLOW_NO_DHE_KEX);
	SSL_CTX_set_psk_use_session_callback(ctx, use_session);
	SSL_CTX_set_psk_find_session_callback(ctx, find_session);
	return 0;
}

static int open_tls(struct tls **out, const struct tls_config *config)
{
	struct tls *t = calloc(1, sizeof(*t));
	int rc = t ? need_method() : -ENOMEM;

	if (rc == 0) {
		t->config = *config;
		t->config.key = NULL;
		memcpy(t->key, config->key, TLS_KEY);
		ERR_set_mark();
		t->ctx = SSL_CTX_new(TLS_method());
		rc = t->ctx ? set_up(t->ctx) : -ENOMEM;
		ERR_pop_to_mark();
	}
	if (rc)
		close_all(t);
	else
		*out = t;
	return rc;
}

__attribute__((visibility("default"))) const struct tls_ops dsm_tls_ops = {
	TLS_INTERFACE, open_tls, close_all, call, answer, tls_shake, tls_known, tls_identity,
};
