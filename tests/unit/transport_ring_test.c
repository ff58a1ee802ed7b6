// SPDX-License-Identifier: BSD-2-Clause
/*
 * Rings in shared memory: bytes, order, bells, the end of a peer, and peers that do not keep to the rules.
 * And the taking over of the receiving by a thread that waits, over rings and over sockets.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dsmcore/transport/stream.h"
#include "dsmcore/transport/stream_ring.h"
#include "dsmcore/transport/transport.h"

/* ---- two ends ---- */

struct side {
	struct engine *engine;
	struct stream *stream[2];
};

static void socket_pairs(int a[2], int b[2])
{
	for (int ch = 0; ch < 2; ch++) {
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		a[ch] = pair[0];
		b[ch] = pair[1];
	}
}

static void open_sides(struct side *a, struct side *b)
{
	int fa[2], fb[2];

	socket_pairs(fa, fb);
	a->engine = ring_engine__new();
	b->engine = ring_engine__new();
	assert_non_null(a->engine);
	assert_non_null(b->engine);
	assert_int_equal(stream_ring__offer(a->engine, fa, a->stream), 0);
	assert_int_equal(stream_ring__accept(b->engine, fb, 1000, b->stream), 0);
	for (uint32_t ch = 0; ch < 2; ch++)
		a->stream[ch]->tag = b->stream[ch]->tag = ch;
}

static void close_side(struct side *s)
{
	for (int ch = 0; ch < 2; ch++)
		if (s->stream[ch])
			s->stream[ch]->ops->close(s->stream[ch]);
	s->engine->ops->close(s->engine);
}

static ssize_t put(struct stream *s, const void *bytes, size_t n)
{
	struct iovec iov[2] = {{(void *)bytes, n / 3}, {(uint8_t *)bytes + n / 3, n - n / 3}};

	return s->ops->send(s, iov, 2);
}

static ssize_t get(struct stream *s, void *bytes, size_t n)
{
	return s->ops->recv(s, bytes, n);
}

struct seen {
	uint32_t events[2];
	int n;
};

static void note_ready(void *arg, uint32_t tag, uint32_t events)
{
	struct seen *s = arg;

	s->events[tag] |= events;
	s->n++;
}

static struct seen look(struct side *s)
{
	struct seen seen = {0};
	int n = s->engine->ops->poll(s->engine, note_ready, &seen);

	assert_int_equal(n, seen.n);
	return seen;
}

static bool readable(const struct stream *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

/* ---- streams ---- */

static void test_bytes_and_order(void **state)
{
	struct side a, b;
	uint8_t out[5000], in[7000];
	uint64_t sent = 0, got = 0;
	unsigned seed = 7;

	(void)state;
	open_sides(&a, &b);
	while (got < 8u << 20) {
		size_t n = 1 + (size_t)rand_r(&seed) % sizeof(out);
		ssize_t rc;

		for (size_t i = 0; i < n; i++)
			out[i] = (uint8_t)((sent + i) * 2654435761u >> 13);
		rc = put(a.stream[1], out, n);
		assert_true(rc > 0 || rc == -EAGAIN);
		sent += rc > 0 ? (uint64_t)rc : 0;
		rc = get(b.stream[1], in, 1 + (size_t)rand_r(&seed) % sizeof(in));
		assert_true(rc > 0 || rc == -EAGAIN);
		for (ssize_t i = 0; i < rc; i++, got++)
			assert_int_equal(in[i], (uint8_t)(got * 2654435761u >> 13));
	}
	assert_int_equal(get(b.stream[0], in, sizeof(in)), -EAGAIN); /* the channels do not mix */
	close_side(&a);
	close_side(&b);
}

static void test_full_then_room(void **state)
{
	struct side a, b;
	static uint8_t bytes[1u << 20];
	ssize_t n, first;

	(void)state;
	open_sides(&a, &b);
	first = put(a.stream[0], bytes, sizeof(bytes));
	assert_true(first > 0 && first < (ssize_t)sizeof(bytes));
	assert_int_equal(put(a.stream[0], bytes, 1), -EAGAIN);
	assert_int_equal(look(&a).n, 0);
	assert_true(a.engine->ops->arm(a.engine));
	assert_false(readable(a.stream[0]));
	n = get(b.stream[0], bytes, 100);
	assert_int_equal(n, 100);
	assert_true(readable(a.stream[0])); /* the bell of the room */
	assert_int_equal(get(a.stream[0], bytes, 1), -EAGAIN);
	assert_false(readable(a.stream[0])); /* taken */
	assert_int_equal(look(&a).events[0], EPOLLOUT);
	assert_int_equal(look(&a).n, 0); /* said once */
	assert_int_equal(put(a.stream[0], bytes, 1000), 100);
	close_side(&a);
	close_side(&b);
}

static void test_bell_only_for_sleepers(void **state)
{
	struct side a, b;
	uint8_t byte = 1;

	(void)state;
	open_sides(&a, &b);
	assert_int_equal(put(a.stream[1], &byte, 1), 1);
	assert_false(readable(b.stream[1]));
	assert_false(b.engine->ops->arm(b.engine)); /* something is there: do not sleep */
	assert_int_equal(look(&b).events[1], EPOLLIN);
	assert_int_equal(get(b.stream[1], &byte, 1), 1);
	assert_true(b.engine->ops->arm(b.engine));
	assert_int_equal(put(a.stream[1], &byte, 1), 1);
	assert_true(readable(b.stream[1]));
	assert_int_equal(look(&b).events[1], EPOLLIN); /* awake again */
	assert_int_equal(get(b.stream[1], &byte, 1), 1);
	assert_int_equal(get(b.stream[1], &byte, 1), -EAGAIN);
	assert_int_equal(put(a.stream[1], &byte, 1), 1);
	assert_false(readable(b.stream[1]));
	close_side(&a);
	close_side(&b);
}

static void test_end(void **state)
{
	struct side a, b;
	uint8_t bytes[10] = "last";

	(void)state;
	open_sides(&a, &b);
	assert_int_equal(put(a.stream[0], bytes, 5), 5);
	close_side(&a);
	assert_true(readable(b.stream[0]));
	assert_int_equal(get(b.stream[0], bytes, 3), 3);
	assert_int_equal(get(b.stream[0], bytes + 3, 3), 2);
	assert_int_equal(get(b.stream[0], bytes, 3), 0);
	assert_string_equal(bytes, "last");
	assert_int_equal(get(b.stream[1], bytes, 3), 0);
	assert_int_equal(put(b.stream[1], bytes, 3), 3); /* nobody reads it: no harm */
	close_side(&b);
}

/* ---- peers that do not keep to the rules ---- */

static int take_offer(int fd)
{
	char room[CMSG_SPACE(sizeof(int))];
	uint32_t magic;
	struct iovec iov = {&magic, sizeof(magic)};
	struct msghdr mh = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
	const struct cmsghdr *c;
	int memory = -1;

	assert_int_equal(recvmsg(fd, &mh, 0), sizeof(magic));
	c = CMSG_FIRSTHDR(&mh);
	assert_non_null(c);
	if (c)
		memcpy(&memory, CMSG_DATA(c), sizeof(memory));
	return memory;
}

static void test_scribbled(void **state)
{
	struct side a = {0};
	int fa[2], fb[2], memory;
	uint8_t byte = 0;
	off_t size;

	(void)state;
	socket_pairs(fa, fb);
	a.engine = ring_engine__new();
	assert_int_equal(stream_ring__offer(a.engine, fa, a.stream), 0);
	memory = take_offer(fb[0]);
	size = lseek(memory, 0, SEEK_END);
	assert_int_equal(ftruncate(memory, 0), -1); /* sealed */
	for (off_t at = 0; at < size; at += size / 4) {
		uint64_t tail = 1ull << 40;

		assert_int_equal(pwrite(memory, &tail, sizeof(tail), at), sizeof(tail));
	}
	for (int ch = 0; ch < 2; ch++) {
		assert_int_equal(get(a.stream[ch], &byte, 1), -EPROTO);
		assert_int_equal(put(a.stream[ch], &byte, 1), -EPROTO);
	}
	close_side(&a);
	close(memory);
	close(fb[0]);
	close(fb[1]);
}

static void offer_by_hand(int fd, int memory, uint32_t magic)
{
	char room[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {&magic, sizeof(magic)};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

	if (memory >= 0) {
		struct cmsghdr *c = (struct cmsghdr *)room;

		*c = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
		memcpy(CMSG_DATA(c), &memory, sizeof(int));
		mh.msg_control = room;
		mh.msg_controllen = sizeof(room);
	}
	assert_int_equal(sendmsg(fd, &mh, 0), sizeof(magic));
}

static int accept_from(int memory, uint32_t magic)
{
	struct engine *engine = ring_engine__new();
	struct stream *out[2] = {NULL, NULL};
	int fa[2], fb[2], rc;

	socket_pairs(fa, fb);
	offer_by_hand(fa[0], memory, magic);
	rc = stream_ring__accept(engine, fb, 1000, out);
	assert_null(out[0]);
	assert_null(out[1]);
	for (int i = 0; i < 2; i++) {
		close(fa[i]);
		assert_int_equal(close(fb[i]), 0); /* stayed ours */
	}
	engine->ops->close(engine);
	return rc;
}

static void test_bad_offers(void **state)
{
	struct engine *engine = ring_engine__new();
	struct stream *out[2];
	int fa[2], fb[2], memory = memfd_create("test", 0), real;
	struct side a = {0};
	off_t size;

	(void)state;
	assert_int_equal(accept_from(-1, 0x314d5352), -EPROTO);
	assert_int_equal(accept_from(memory, 0x314d5352), -EPROTO); /* empty */
	socket_pairs(fa, fb);
	a.engine = ring_engine__new();
	assert_int_equal(stream_ring__offer(a.engine, fa, a.stream), 0);
	real = take_offer(fb[0]);
	size = lseek(real, 0, SEEK_END);
	assert_int_equal(ftruncate(memory, size), 0);
	assert_int_equal(accept_from(memory, 0x314d5352), -EPROTO); /* could shrink under us */
	assert_int_equal(accept_from(real, 0x12345678), -EPROTO);
	assert_int_equal(stream_ring__accept(engine, fb, 10, out), -ETIMEDOUT);
	close_side(&a);
	assert_int_equal(stream_ring__accept(engine, fb, 1000, out), -ECONNRESET);
	engine->ops->close(engine);
	close(real);
	close(memory);
	close(fb[0]);
	close(fb[1]);
}

/* ---- transports over them: two threads of a node receive by turns ---- */

#define LARGE                                                                                                \
	30u /* pages of a message: two fit into a ring, the third in part, without having been queued        \
	     */

struct node {
	struct transport *t;
	uint16_t number;
	pthread_t service;
	pthread_mutex_t lock;
	uint32_t next, bad, lost, messages; /* next: number expected */
	bool stop;
};

static void on_message(void *arg, const struct core_msg *m, const struct wire_blob *b)
{
	struct node *e = arg;

	e->bad += m->npages != LARGE;
	for (unsigned i = 0; i < m->npages; i++)
		e->bad += b[i].bytes != TRANSPORT_PAGE || b[i].data[17] != (uint8_t)i;
	__atomic_store_n(&e->messages, e->messages + 1, __ATOMIC_RELEASE);
}

static void on_note(void *arg, uint16_t from, uint16_t type, const void *bytes, size_t n)
{
	struct node *e = arg;
	uint32_t number;

	pthread_mutex_lock(&e->lock);
	memcpy(&number, bytes, sizeof(number));
	for (size_t i = sizeof(number); i < n; i++)
		e->bad += ((const uint8_t *)bytes)[i] != (uint8_t)(number + i);
	e->bad += from == e->number || type != 9 || number != e->next;
	__atomic_store_n(&e->next, e->next + 1, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&e->lock);
}

static void on_lost(void *arg, uint16_t peer, int error)
{
	struct node *e = arg;

	e->bad += peer == e->number || error;
	__atomic_store_n(&e->lost, 1, __ATOMIC_RELEASE);
}

static void *serve(void *arg)
{
	struct node *e = arg;

	while (!__atomic_load_n(&e->stop, __ATOMIC_ACQUIRE))
		if (transport__wait(e->t, 1) < 0 || transport__check(e->t) < 0)
			e->bad++;
	return NULL;
}

static void open_nodes(struct node *e, bool rings)
{
	struct transport_handler h = {on_message, on_note, on_lost, NULL};
	int fds[2][2];

	socket_pairs(fds[0], fds[1]);
	for (uint16_t n = 0; n < 2; n++) {
		struct links links;
		struct stream **s;

		assert_int_equal(links__alloc(&links, 2), 0);
		s = links.stream[!n];
		if (!rings) {
			for (int ch = 0; ch < 2; ch++)
				s[ch] = stream_socket__new(fds[n][ch]);
		} else {
			links.engine = ring_engine__new();
			assert_int_equal(n ? stream_ring__accept(links.engine, fds[n], 1000, s)
					   : stream_ring__offer(links.engine, fds[n], s),
					 0);
		}
		e[n] = (struct node){.number = n, .lock = PTHREAD_MUTEX_INITIALIZER};
		h.arg = &e[n];
		assert_int_equal(transport__open(&e[n].t, n, 2, 1, &links, &h), 0);
		pthread_create(&e[n].service, NULL, serve, &e[n]);
	}
}

static void send_numbered(struct node *e, uint32_t number, unsigned *seed)
{
	static __thread uint8_t bytes[60000];
	size_t n = sizeof(number) + (size_t)rand_r(seed) % (rand_r(seed) % 8 ? 200 : 50000);

	memcpy(bytes, &number, sizeof(number));
	for (size_t i = sizeof(number); i < n; i++)
		bytes[i] = (uint8_t)(number + i);
	pthread_mutex_lock(&e->lock);
	assert_int_equal(transport__note(e->t, !e->number, 9, bytes, n), 0);
	pthread_mutex_unlock(&e->lock);
}

#define ROUNDS 4000u

/* Keeps the receiving, looks for a while, and then gives it back, waits again, or looks no more: then the
 * service thread must take it back by itself, or nobody receives. */
static void keep_for_a_while(struct node *e, unsigned *seed, unsigned *taken)
{
	int looks = rand_r(seed) % 20, rc;

	if (rand_r(seed) % 2)
		transport__keep(e->t);
	else
		transport__keep_briefly(e->t);
	while (looks-- > 0) {
		rc = transport__look(e->t);
		if (rc < 0 && rc != -ENOENT)
			e->bad++;
		if (rc == -ENOENT)
			return;
		if (rand_r(seed) % 100 == 0)
			usleep(1000);
	}
	if (rand_r(seed) % 3 == 0)
		transport__give_back(e->t);
	if (rand_r(seed) % 50)
		return;
	for (int tries = 0; tries < 200; tries++) {
		usleep(10000);
		if (transport__look(e->t) == -ENOENT) {
			++*taken;
			return;
		}
	}
	e->bad++;
}

/* Sends and now and then waits, taking over, until as many have come; leaves when all are there. */
static void *mutator(void *arg)
{
	struct node *e = arg;
	unsigned seed = 5 + e->number, taken = 0;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		send_numbered(e, i, &seed);
		if (rand_r(&seed) % 4)
			continue;
		transport__seize(e->t);
		for (int spins = rand_r(&seed) % 50; __atomic_load_n(&e->next, __ATOMIC_ACQUIRE) <= i;)
			if (transport__receive(e->t, spins-- > 0 ? 0 : 20) < 0)
				e->bad++;
		if (rand_r(&seed) % 2)
			transport__release(e->t);
		else
			keep_for_a_while(e, &seed, &taken);
	}
	while (__atomic_load_n(&e->next, __ATOMIC_ACQUIRE) < ROUNDS)
		usleep(200);
	if (!taken)
		e->bad++;
	return NULL;
}

static void take_turns(bool rings)
{
	static struct node e[2];
	pthread_t threads[2];

	open_nodes(e, rings);
	for (int n = 0; n < 2; n++)
		pthread_create(&threads[n], NULL, mutator, &e[n]);
	for (int n = 0; n < 2; n++)
		pthread_join(threads[n], NULL);
	__atomic_store_n(&e[0].stop, true, __ATOMIC_RELEASE);
	transport__kick(e[0].t);
	pthread_join(e[0].service, NULL);
	assert_true(transport__drained(e[0].t));
	transport__close(e[0].t);
	while (!__atomic_load_n(&e[1].lost, __ATOMIC_ACQUIRE))
		usleep(200);
	__atomic_store_n(&e[1].stop, true, __ATOMIC_RELEASE);
	transport__kick(e[1].t);
	pthread_join(e[1].service, NULL);
	transport__close(e[1].t);
	for (int n = 0; n < 2; n++) {
		assert_int_equal(e[n].next, ROUNDS);
		assert_int_equal(e[n].bad, 0);
	}
}

/* Nothing is sent after it: who had no room must be woken by the room alone. */
static void test_more_than_the_ring(void **state)
{
	static struct node e[2];
	static uint8_t page[LARGE][TRANSPORT_PAGE];
	struct core_entry entries[LARGE] = {0};
	struct wire_blob blobs[LARGE];
	struct core_msg m = {
		.type = CORE_MSG_PUBLISH, .to = 1, .generation = 1, .npages = LARGE, .entries = entries};

	(void)state;
	open_nodes(e, true);
	for (unsigned i = 0; i < LARGE; i++) {
		memset(page[i], (int)i, TRANSPORT_PAGE);
		entries[i].page = i;
		entries[i].data = CORE_DATA_COMMITTED;
		blobs[i] = (struct wire_blob){WIRE_PAGE, TRANSPORT_PAGE, page[i]};
	}
	for (uint32_t round = 1; round <= 20; round++) {
		transport__seize(e[1].t);
		for (int i = 0; i < 3; i++)
			assert_int_equal(transport__send(e[0].t, &m, blobs), 0);
		transport__release(e[1].t);
		for (int ms = 0; __atomic_load_n(&e[1].messages, __ATOMIC_ACQUIRE) < 3 * round; ms++) {
			assert_true(ms < 20000);
			usleep(1000);
		}
	}
	for (int n = 0; n < 2; n++) {
		__atomic_store_n(&e[n].stop, true, __ATOMIC_RELEASE);
		transport__kick(e[n].t);
		pthread_join(e[n].service, NULL);
		assert_int_equal(e[n].bad, 0);
	}
	transport__close(e[0].t);
	transport__close(e[1].t);
}

/* The service threads have ended: what they would do is done here by hand. */
static void test_checks(void **state)
{
	static struct node e[2];

	(void)state;
	open_nodes(e, false);
	for (int n = 0; n < 2; n++) {
		__atomic_store_n(&e[n].stop, true, __ATOMIC_RELEASE);
		transport__kick(e[n].t);
		pthread_join(e[n].service, NULL);
	}
	transport__seize(e[0].t);
	assert_int_equal(transport__check(e[0].t), 0); /* he waits */
	transport__keep_briefly(e[0].t);
	assert_int_equal(transport__check(e[0].t), 1); /* he has only just begun */
	assert_true(transport__look(e[0].t) >= 0);
	assert_int_equal(transport__check(e[0].t), 1);
	assert_int_equal(transport__check(e[0].t), 0); /* he has not looked: taken back */
	assert_int_equal(transport__look(e[0].t), -ENOENT);
	assert_int_equal(transport__check(e[0].t), 0);
	transport__close(e[0].t);
	transport__close(e[1].t);
}

static void test_turns_on_sockets(void **state)
{
	(void)state;
	take_turns(false);
}

static void test_turns_on_rings(void **state)
{
	(void)state;
	take_turns(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_and_order),
		cmocka_unit_test(test_full_then_room),
		cmocka_unit_test(test_bell_only_for_sleepers),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_scribbled),
		cmocka_unit_test(test_bad_offers),
		cmocka_unit_test(test_more_than_the_ring),
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_turns_on_sockets),
		cmocka_unit_test(test_turns_on_rings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
