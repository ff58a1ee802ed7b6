// SPDX-License-Identifier: BSD-2-Clause
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <netinet/in.h>
#include <cmocka.h>

#include "tests/unit/transport_end.h"

static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

void message__make(struct message *m, uint16_t from, uint16_t to, unsigned channel, uint64_t k)
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

int end__post(struct end *e, uint16_t to, unsigned channel, uint64_t k)
{
	struct message *m = malloc(sizeof(*m));
	int rc;

	message__make(m, e->node, to, channel, k);
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
		message__make(m, msg->from, e->node, msg->channel, k);
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

void end__open(struct end *e, uint16_t node, uint16_t nodes, int (*fds)[2])
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

void end__start(struct end *e)
{
	pthread_create(&e->thread, NULL, service, e);
}

void end__stop(struct end *e)
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

void end__pair(bool tcp, int buffer, int pair[2])
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

void end__open_all(struct end *e, uint16_t nodes, bool tcp, int buffer)
{
	int fds[NODES_MAX][NODES_MAX][2];

	memset(fds, 0xff, sizeof(fds));
	for (unsigned a = 0; a < nodes; a++)
		for (unsigned b = a + 1; b < nodes; b++)
			for (unsigned ch = 0; ch < 2; ch++) {
				int pair[2];

				end__pair(tcp, buffer, pair);
				fds[a][b][ch] = pair[0];
				fds[b][a][ch] = pair[1];
			}
	for (uint16_t n = 0; n < nodes; n++)
		end__open(&e[n], n, nodes, fds[n]);
}

void end__nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
}
