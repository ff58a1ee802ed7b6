// SPDX-License-Identifier: BSD-2-Clause
/*
 * The transport with real sockets: several nodes in one process, each with a service thread and a lock
 * as in the runtime, and raw sockets where the peer is dead, broken or hostile.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <netinet/in.h>
#include <cmocka.h>

#include "dsmcore/transport/stream.h"
#include "dsmcore/transport/wire.h"

#define NODES_MAX  4
#define GENERATION 5

/* One node. Its handler takes the node's lock, as the runtime's does. */
struct end {
	struct transport *t;
	uint16_t node, nodes;
	pthread_mutex_t lock;
	pthread_t thread;
	int stop;
	/* checked per sender and channel: messages come in order and whole */
	uint64_t next[NODES_MAX][2];
	uint64_t messages, notes;
	unsigned lost[NODES_MAX];
	int lost_error[NODES_MAX];
	uint64_t messages_at_loss;
	bool relay; /* pass each message on to the next node until its number is used up */
	int bad;
};

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/* Message k from one node on one channel, made from these three alone, so that the receiver can make
 * it again and compare. */
#define PAGES_MAX 40
struct message {
	struct core_msg msg;
	struct core_entry entries[PAGES_MAX];
	struct wire_blob blobs[PAGES_MAX];
	uint8_t bytes[PAGES_MAX][TRANSPORT_PAGE];
};

static void make(struct message *m, uint16_t from, uint16_t to, unsigned channel, uint64_t k)
{
	uint64_t r = mix(k * 64 + from * 8u + channel);
	uint32_t n = r % 8 == 0 ? (uint32_t)(r >> 8) % PAGES_MAX : (uint32_t)(r >> 8) % 3;

	m->msg = (struct core_msg){.type = channel ? CORE_MSG_PAGE : CORE_MSG_PUBLISH,
				   .channel = (uint8_t)channel,
				   .from = from,
				   .to = to,
				   .generation = GENERATION,
				   .clock = r,
				   .number = k,
				   .npages = n,
				   .entries = m->entries};
	for (uint32_t i = 0; i < n; i++) {
		uint64_t s = mix(r + i);
		uint16_t head[2] = {(uint16_t)(s % 2000), (uint16_t)(1 + s / 2000 % 1999)};

		m->entries[i] = (struct core_entry){.page = i, .version = s};
		m->blobs[i] = (struct wire_blob){.data = m->bytes[i]};
		for (unsigned b = 0; b < TRANSPORT_PAGE; b += 8)
			memcpy(&m->bytes[i][b], &(uint64_t){s + b}, 8);
		if (s % 3 == 0)
			continue;
		m->entries[i].data = s % 3 == 1 ? CORE_DATA_COMMITTED : CORE_DATA_CHANGES;
		m->blobs[i].kind = s % 3 == 1 ? WIRE_PAGE : WIRE_DIFF;
		m->blobs[i].bytes = s % 3 == 1 ? TRANSPORT_PAGE : 4u + head[1];
		if (s % 3 == 2)
			memcpy(m->bytes[i], head, 4);
	}
}

static bool same(const struct core_msg *a, const struct wire_blob *ab, const struct message *b)
{
	if (a->type != b->msg.type || a->clock != b->msg.clock || a->npages != b->msg.npages)
		return false;
	for (uint32_t i = 0; i < a->npages; i++)
		if (a->entries[i].version != b->entries[i].version || ab[i].kind != b->blobs[i].kind ||
		    ab[i].bytes != b->blobs[i].bytes ||
		    (ab[i].bytes && memcmp(ab[i].data, b->blobs[i].data, ab[i].bytes) != 0))
			return false;
	return true;
}

static int post(struct end *e, uint16_t to, unsigned channel, uint64_t k)
{
	struct message *m = malloc(sizeof(*m));
	int rc;

	make(m, e->node, to, channel, k);
	pthread_mutex_lock(&e->lock);
	rc = transport__send(e->t, &m->msg, m->blobs);
	pthread_mutex_unlock(&e->lock);
	free(m);
	return rc;
}

static void on_message(void *arg, const struct core_msg *msg, const struct wire_blob *blobs)
{
	struct end *e = arg;
	uint64_t k;

	pthread_mutex_lock(&e->lock);
	__atomic_fetch_add(&e->messages, 1, __ATOMIC_RELAXED);
	if (e->relay) {
		struct core_msg on = *msg;

		on.from = e->node;
		on.to = (uint16_t)((e->node + 1) % e->nodes);
		on.number--;
		if (msg->number && transport__send(e->t, &on, blobs))
			e->bad++;
	} else {
		struct message *m = malloc(sizeof(*m));

		k = e->next[msg->from][msg->channel]++;
		make(m, msg->from, e->node, msg->channel, k);
		if (msg->number != k || !same(msg, blobs, m))
			e->bad++;
		free(m);
	}
	pthread_mutex_unlock(&e->lock);
}

static void on_note(void *arg, uint16_t from, uint16_t type, const void *bytes, size_t n)
{
	struct end *e = arg;

	pthread_mutex_lock(&e->lock);
	__atomic_fetch_add(&e->notes, 1, __ATOMIC_RELAXED);
	for (size_t i = 0; i < n; i++)
		if (((const uint8_t *)bytes)[i] != (uint8_t)(from + type + i))
			e->bad++;
	if (n != type)
		e->bad++;
	pthread_mutex_unlock(&e->lock);
}

static void on_lost(void *arg, uint16_t peer, int error)
{
	struct end *e = arg;

	pthread_mutex_lock(&e->lock);
	e->lost[peer]++;
	e->lost_error[peer] = error;
	e->messages_at_loss = e->messages;
	pthread_mutex_unlock(&e->lock);
}

static void open_end(struct end *e, uint16_t node, uint16_t nodes, int (*fds)[2])
{
	struct transport_handler h = {on_message, on_note, on_lost, e};

	struct links links;

	*e = (struct end){.node = node, .nodes = nodes};
	pthread_mutex_init(&e->lock, NULL);
	assert_int_equal(links__alloc(&links, nodes), 0);
	for (unsigned i = 0; i < nodes * 2u; i++)
		if (fds && fds[i / 2][i % 2] >= 0) {
			links.stream[i / 2][i % 2] = stream_socket__new(fds[i / 2][i % 2]);
			assert_non_null(links.stream[i / 2][i % 2]);
		}
	assert_int_equal(transport__open(&e->t, node, nodes, GENERATION, &links, &h), 0);
}

static void *service(void *arg)
{
	struct end *e = arg;

	while (!__atomic_load_n(&e->stop, __ATOMIC_ACQUIRE))
		if (transport__wait(e->t, -1) < 0)
			e->bad++;
	return NULL;
}

static void start(struct end *e)
{
	pthread_create(&e->thread, NULL, service, e);
}

static void stop(struct end *e)
{
	__atomic_store_n(&e->stop, 1, __ATOMIC_RELEASE);
	transport__kick(e->t);
	pthread_join(e->thread, NULL);
}

static void tcp_pair(int pair[2])
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(l, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(l, 1), 0);
	assert_int_equal(getsockname(l, (struct sockaddr *)&a, &len), 0);
	pair[0] = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(pair[0], (struct sockaddr *)&a, len), 0);
	pair[1] = accept(l, NULL, NULL);
	assert_true(pair[1] >= 0);
	close(l);
}

static void any_pair(bool tcp, int buffer, int pair[2])
{
	if (tcp)
		tcp_pair(pair);
	else
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	for (int i = 0; i < 2 && buffer; i++) {
		setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
		setsockopt(pair[i], SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	}
}

static void open_all(struct end *e, uint16_t nodes, bool tcp, int buffer)
{
	int fds[NODES_MAX][NODES_MAX][2];

	memset(fds, 0xff, sizeof(fds));
	for (unsigned a = 0; a < nodes; a++)
		for (unsigned b = a + 1; b < nodes; b++)
			for (unsigned ch = 0; ch < 2; ch++) {
				int pair[2];

				any_pair(tcp, buffer, pair);
				fds[a][b][ch] = pair[0];
				fds[b][a][ch] = pair[1];
			}
	for (uint16_t n = 0; n < nodes; n++)
		open_end(&e[n], n, nodes, fds[n]);
}

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
}

static uint64_t get(uint64_t *v)
{
	return __atomic_load_n(v, __ATOMIC_RELAXED);
}

/* Everybody floods everybody, the service threads read and write meanwhile. */
static void flood(uint16_t nodes, bool tcp, int buffer, uint64_t count)
{
	static struct end e[NODES_MAX];
	struct transport_stats total = {0}, s;

	open_all(e, nodes, tcp, buffer);
	for (unsigned n = 0; n < nodes; n++)
		start(&e[n]);
	for (uint64_t k = 0; k < count; k++)
		for (uint16_t from = 0; from < nodes; from++)
			for (uint16_t to = 0; to < nodes; to++)
				for (unsigned ch = 0; ch < 2 && from != to; ch++)
					assert_int_equal(post(&e[from], to, ch, k), 0);
	for (unsigned n = 0; n < nodes; n++)
		while (get(&e[n].messages) < count * 2 * (nodes - 1u))
			nap();
	for (unsigned n = 0; n < nodes; n++) {
		stop(&e[n]);
		assert_int_equal(e[n].bad, 0);
		assert_true(transport__drained(e[n].t));
		transport__stats(e[n].t, &s);
		total.messages_in += s.messages_in;
		total.messages_out += s.messages_out;
		total.bytes_in += s.bytes_in;
		total.bytes_out += s.bytes_out;
	}
	assert_int_equal(total.messages_in, total.messages_out);
	assert_int_equal(total.bytes_in, total.bytes_out);
	for (unsigned n = 0; n < nodes; n++)
		transport__close(e[n].t);
}

static void test_flood_unix(void **state)
{
	(void)state;
	flood(2, false, 0, 1500);
}

static void test_flood_tiny_buffers(void **state)
{
	(void)state;
	flood(2, false, 4608, 600); /* the kernel's least: nearly every message in several pieces */
}

static void test_flood_tcp(void **state)
{
	(void)state;
	flood(3, true, 0, 300);
}

static void test_flood_tcp_tiny(void **state)
{
	(void)state;
	flood(3, true, 20000, 100); /* smaller ones wait for timers of the kernel */
}

/* Handlers that send, on all nodes at once and in a ring: no lock order can be wrong. */
static void test_relay(void **state)
{
	static struct end e[3];
	struct message *m = malloc(sizeof(*m));
	const unsigned rings = 24, hops = 500;
	uint64_t sum;

	(void)state;
	open_all(e, 3, false, 4608);
	for (unsigned n = 0; n < 3; n++) {
		e[n].relay = true;
		start(&e[n]);
	}
	for (unsigned i = 0; i < rings; i++) {
		uint16_t n = i % 3;

		make(m, n, (n + 1) % 3, i & 1, i);
		m->msg.number = hops;
		pthread_mutex_lock(&e[n].lock);
		assert_int_equal(transport__send(e[n].t, &m->msg, m->blobs), 0);
		pthread_mutex_unlock(&e[n].lock);
	}
	do {
		nap();
		sum = get(&e[0].messages) + get(&e[1].messages) + get(&e[2].messages);
	} while (sum < rings * (hops + 1));
	for (unsigned n = 0; n < 3; n++) {
		stop(&e[n]);
		assert_int_equal(e[n].bad, 0);
		transport__close(e[n].t);
	}
	free(m);
}

/* A reader that sleeps: sending does not block, everything waits in our memory, nothing is lost. */
static void test_slow_reader(void **state)
{
	static struct end e[2];
	const uint64_t count = 2000;

	(void)state;
	open_all(e, 2, false, 0);
	start(&e[0]);
	alarm(60);
	for (uint64_t k = 0; k < count; k++)
		assert_int_equal(post(&e[0], 1, 0, k), 0);
	assert_false(transport__drained(e[0].t));
	start(&e[1]);
	while (get(&e[1].messages) < count)
		nap();
	stop(&e[0]);
	stop(&e[1]);
	assert_int_equal(e[1].bad, 0);
	assert_true(transport__drained(e[0].t));
	transport__close(e[0].t);
	transport__close(e[1].t);
}

static void test_notes(void **state)
{
	static struct end e[2];
	static const uint16_t sizes[] = {0, 1, 7, 8, 4096, 65535};
	uint8_t *bytes = malloc(WIRE_NOTE_MAX + 1);

	(void)state;
	open_all(e, 2, false, 4608);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		for (size_t b = 0; b < sizes[i]; b++)
			bytes[b] = (uint8_t)(sizes[i] + b);
		assert_int_equal(transport__note(e[0].t, 1, sizes[i], bytes, sizes[i]), 0);
	}
	assert_int_equal(transport__note(e[0].t, 1, 1, bytes, WIRE_NOTE_MAX + 1), -EMSGSIZE);
	assert_int_equal(transport__note(e[0].t, 0, 1, bytes, 1), -EINVAL);
	assert_int_equal(transport__note(e[0].t, 2, 1, bytes, 1), -EINVAL);
	start(&e[0]);
	start(&e[1]);
	while (get(&e[1].notes) < sizeof(sizes) / sizeof(*sizes))
		nap();
	stop(&e[0]);
	stop(&e[1]);
	assert_int_equal(e[1].bad, 0);
	transport__close(e[0].t);
	transport__close(e[1].t);
	free(bytes);
}

/* ---- one transport against a raw peer ---- */

static struct end solo;
static int raw[2]; /* the peer's ends, node 1 */

static int open_solo(void **state)
{
	int fds[2][2] = {{-1, -1}, {-1, -1}};

	(void)state;
	for (unsigned ch = 0; ch < 2; ch++) {
		int pair[2];

		any_pair(false, 0, pair);
		fds[1][ch] = pair[0];
		raw[ch] = pair[1];
	}
	open_end(&solo, 0, 2, fds);
	return 0;
}

static int close_solo(void **state)
{
	(void)state;
	transport__close(solo.t);
	for (unsigned ch = 0; ch < 2; ch++)
		if (raw[ch] >= 0)
			close(raw[ch]);
	return 0;
}

/* A message with one page and one diff as bytes: both channels agree on its size. */
static size_t frame(uint8_t *out, unsigned channel, uint64_t k)
{
	static struct message m;
	size_t head, total;

	make(&m, 1, 0, channel, k);
	assert_int_equal(wire__measure(&m.msg, m.blobs, &head, &total), 0);
	wire__put(&m.msg, m.blobs, total, out);
	return total;
}

static uint8_t buffer[1 << 20];

static void spin(void)
{
	for (int i = 0; i < 40; i++)
		assert_true(transport__wait(solo.t, 1) >= 0);
}

static long resident_pages(void)
{
	long size, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &size, &resident), 2);
	fclose(f);
	return resident;
}

static void test_byte_by_byte(void **state)
{
	size_t n = 0;

	(void)state;
	for (uint64_t k = 0; k < 4; k++)
		n += frame(buffer + n, 0, k);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(send(raw[0], buffer + i, 1, 0), 1);
		assert_true(transport__wait(solo.t, 1000) >= 0);
	}
	assert_int_equal(solo.messages, 4);
	assert_int_equal(solo.bad, 0);
}

static void test_end_between_frames(void **state)
{
	size_t n = frame(buffer, 0, 0);

	(void)state;
	assert_int_equal(send(raw[0], buffer, n, 0), n);
	close(raw[1]); /* the other connection ends first: what is still on its way counts */
	close(raw[0]);
	raw[0] = raw[1] = -1;
	spin();
	assert_int_equal(solo.lost[1], 1);
	assert_int_equal(solo.lost_error[1], 0);
	assert_int_equal(solo.messages_at_loss, 1);
	assert_int_equal(solo.bad, 0);
	assert_int_equal(post(&solo, 1, 0, 0), -EPIPE);
	assert_int_equal(transport__note(solo.t, 1, 0, NULL, 0), -EPIPE);
	assert_true(transport__drained(solo.t));
	spin();
	assert_int_equal(solo.lost[1], 1);
}

static void test_end_within_frame(void **state)
{
	size_t n = frame(buffer, 1, 0);

	(void)state;
	assert_int_equal(send(raw[1], buffer, n - 1, 0), n - 1);
	spin();
	assert_int_equal(solo.lost[1], 0);
	close(raw[1]);
	raw[1] = -1;
	spin();
	assert_int_equal(solo.lost[1], 1);
	assert_int_equal(solo.lost_error[1], -ECONNRESET);
	assert_int_equal(solo.messages, 0);
}

static void test_killed_peer(void **state)
{
	struct timespec moment = {.tv_nsec = 20000000};
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		for (uint64_t k = 0;; k++) {
			size_t n = frame(buffer, 0, k), at = 0;

			/* in pieces, so that the kill falls into a frame */
			for (; at < n; at += 97)
				if (send(raw[0], buffer + at, n - at < 97 ? n - at : 97, MSG_NOSIGNAL) < 0)
					_exit(1);
		}
	}
	assert_true(pid > 0);
	close(raw[0]);
	close(raw[1]);
	raw[0] = raw[1] = -1;
	while (solo.messages < 50)
		assert_true(transport__wait(solo.t, 5000) >= 0);
	nanosleep(&moment, NULL);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	spin();
	assert_int_equal(solo.lost[1], 1);
	assert_true(solo.lost_error[1] == 0 || solo.lost_error[1] == -ECONNRESET);
	assert_int_equal(solo.bad, 0);
}

static void refused(size_t n, unsigned channel, int error)
{
	uint64_t before = solo.messages;

	assert_int_equal(send(raw[channel], buffer, n, 0), n);
	spin();
	assert_int_equal(solo.lost[1], 1);
	assert_int_equal(solo.lost_error[1], error);
	assert_int_equal(solo.messages, before);
}

static void test_garbage(void **state)
{
	(void)state;
	memset(buffer, 0x5a, 1000);
	refused(1000, 0, -EPROTO);
}

static void test_too_long(void **state)
{
	uint32_t bytes = WIRE_LIMIT + 8;

	(void)state;
	frame(buffer, 0, 0);
	memcpy(buffer + 4, &bytes, 4);
	refused(WIRE_HEADER, 0, -EMSGSIZE);
}

static void test_foreign_sender(void **state)
{
	uint16_t from = 0;
	size_t n = frame(buffer, 0, 0);

	(void)state;
	memcpy(buffer + 12, &from, 2);
	refused(n, 0, -EPROTO);
}

static void test_other_receiver(void **state)
{
	uint16_t to = 1;
	size_t n = frame(buffer, 0, 0);

	(void)state;
	memcpy(buffer + 14, &to, 2);
	refused(n, 0, -EPROTO);
}

static void test_other_channel(void **state)
{
	size_t n = frame(buffer, 1, 0);

	(void)state;
	refused(n, 0, -EPROTO);
}

static void test_other_generation(void **state)
{
	uint32_t generation = GENERATION - 1;
	size_t n = frame(buffer, 0, 0);

	(void)state;
	memcpy(buffer + 16, &generation, 4);
	refused(n, 0, -EPROTO);
}

/* A peer announces 64 MiB and sends little: that must not cost 64 MiB. Measured by the resident set. */
static void test_announced_memory(void **state)
{
	uint32_t bytes = WIRE_LIMIT;
	static uint8_t some[100000];
	long before = resident_pages();

	(void)state;
	frame(buffer, 0, 0);
	memcpy(buffer + 4, &bytes, 4);
	assert_int_equal(send(raw[0], buffer, WIRE_FIXED, 0), WIRE_FIXED);
	spin();
	assert_int_equal(send(raw[0], some, sizeof(some), 0), sizeof(some));
	spin();
	assert_int_equal(solo.lost[1], 0); /* still a possible frame */
	assert_true(resident_pages() - before < 1024);
	close(raw[0]);
	raw[0] = -1;
	spin();
	assert_int_equal(solo.lost_error[1], -ECONNRESET);
}

/* The peer closes only its reading side: no end of file comes, the sender notices. */
static void test_deaf_peer(void **state)
{
	(void)state;
	shutdown(raw[0], SHUT_RD);
	assert_int_equal(post(&solo, 1, 0, 0), -EPIPE);
	spin();
	assert_int_equal(solo.lost[1], 1);
	assert_int_equal(solo.lost_error[1], -EPIPE);
	assert_int_equal(post(&solo, 1, 1, 0), -EPIPE);
}

static void test_bad_arguments(void **state)
{
	static struct message m;

	(void)state;
	make(&m, 0, 0, 0, 0);
	assert_int_equal(transport__send(solo.t, &m.msg, m.blobs), -EINVAL); /* to itself */
	m.msg.to = 2;
	assert_int_equal(transport__send(solo.t, &m.msg, m.blobs), -EINVAL);
	m.msg.to = 1;
	m.msg.generation++;
	assert_int_equal(transport__send(solo.t, &m.msg, m.blobs), -EINVAL);
	m.msg.generation--;
	m.msg.from = 1;
	assert_int_equal(transport__send(solo.t, &m.msg, m.blobs), -EINVAL);
}

static void *kick_later(void *arg)
{
	(void)arg;
	nap();
	transport__kick(solo.t);
	return NULL;
}

static void test_kick(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(transport__wait(solo.t, 0), 0);
	pthread_create(&thread, NULL, kick_later, NULL);
	assert_int_equal(transport__wait(solo.t, -1), 0);
	pthread_join(thread, NULL);
	assert_int_equal(transport__wait(solo.t, 1), 0);
}

/* One node alone: no peers, waiting works all the same. */
static void test_alone(void **state)
{
	static struct end e;

	(void)state;
	open_end(&e, 0, 1, NULL);
	assert_int_equal(transport__wait(e.t, 1), 0);
	assert_true(transport__drained(e.t));
	transport__close(e.t);
}

#define solo_test(f) cmocka_unit_test_setup_teardown(f, open_solo, close_solo)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flood_unix), cmocka_unit_test(test_flood_tiny_buffers),
		cmocka_unit_test(test_flood_tcp),  cmocka_unit_test(test_flood_tcp_tiny),
		cmocka_unit_test(test_relay),	   cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_notes),	   cmocka_unit_test(test_alone),
		solo_test(test_byte_by_byte),	   solo_test(test_end_between_frames),
		solo_test(test_end_within_frame),  solo_test(test_killed_peer),
		solo_test(test_garbage),	   solo_test(test_too_long),
		solo_test(test_foreign_sender),	   solo_test(test_other_receiver),
		solo_test(test_other_channel),	   solo_test(test_other_generation),
		solo_test(test_announced_memory),  solo_test(test_deaf_peer),
		solo_test(test_bad_arguments),	   solo_test(test_kick),
	};

	alarm(300); /* a deadlock must end the test */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
