// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/fabric_member.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

const struct fabric_api *api;
struct desk *desk;

static bool is_child;

double member__now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void member__check(bool ok, const char *what, int line)
{
	if (ok)
		return;
	fprintf(stderr, "%s: line %d: %s\n", is_child ? "child" : "test", line, what);
	if (is_child)
		_exit(1);
	fail();
}

void desk__await(const int *value, int least)
{
	for (double end = member__now() + PATIENCE; __atomic_load_n(value, __ATOMIC_ACQUIRE) < least;) {
		CHECK(member__now() < end);
		usleep(200);
	}
}

void desk__step(unsigned node, int n)
{
	__atomic_store_n(&desk->step[node], n, __ATOMIC_RELEASE);
}

/* ---- nodes ---- */

int member__open(struct member *n, const char *provider, unsigned node, unsigned nodes, unsigned silence)
{
	struct fabric_config c = {.provider = provider,
				  .node = (uint16_t)node,
				  .nodes = (uint16_t)nodes,
				  .generation = 1,
				  .source = "127.0.0.1",
				  .silence_s = silence};
	char why[600] = "";
	int rc = api->open(&n->fabric, &c, &desk->of[node], why, sizeof(why));

	if (rc)
		fprintf(stderr, "node %u: %s\n", node, why);
	n->nodes = nodes;
	return rc;
}

int member__connect(struct member *n, uint64_t key, int seconds)
{
	char why[600] = "";
	int rc;

	__atomic_fetch_add(&desk->there, 1, __ATOMIC_ACQ_REL);
	desk__await(&desk->there, (int)n->nodes);
	CHECK(links__alloc(&n->links, n->nodes) == 0);
	rc = api->connect(n->fabric, desk->of, key, seconds, &n->links, why, sizeof(why));
	if (rc) {
		fprintf(stderr, "%s\n", why);
		links__close(&n->links, n->nodes);
		return rc;
	}
	for (unsigned i = 0; i < n->nodes * 2; i++)
		if (n->links.stream[i / 2][i % 2])
			n->links.stream[i / 2][i % 2]->tag = i;
	n->epoll = epoll_create1(EPOLL_CLOEXEC);
	CHECK(n->epoll >= 0);
	CHECK(epoll_ctl(n->epoll, EPOLL_CTL_ADD, n->links.engine->fd,
			&(struct epoll_event){.events = EPOLLIN}) == 0);
	return 0;
}

void member__join(struct member *n, const char *provider, unsigned node, unsigned nodes, unsigned silence)
{
	*n = (struct member){.epoll = -1};
	CHECK(member__open(n, provider, node, nodes, silence) == 0);
	CHECK(member__connect(n, KEY, 20) == 0);
}

void member__leave(struct member *n)
{
	links__close(&n->links, n->nodes);
	close(n->epoll);
}

static void on_ready(void *arg, uint32_t tag, uint32_t events)
{
	struct member *n = arg;

	CHECK(tag < n->nodes * 2);
	n->readable[tag / 2][tag % 2] |= (events & EPOLLIN) != 0;
	n->writable[tag / 2][tag % 2] |= (events & EPOLLOUT) != 0;
}

void member__turn(struct member *n, int ms)
{
	struct engine *e = n->links.engine;
	struct epoll_event ev;

	if (e->ops->poll(e, on_ready, n))
		return;
	if (!e->ops->arm(e))
		return;
	n->naps++;
	epoll_wait(n->epoll, &ev, 1, ms);
	e->ops->poll(e, on_ready, n);
}

/* ---- what the streams carry ---- */

static uint8_t byte_at(unsigned from, unsigned channel, uint64_t at)
{
	uint64_t x = (at / 8 + 1) * 0x9e3779b97f4a7c15u + from * 1000003u + channel * 77u;

	x ^= x >> 29;
	return (uint8_t)(x >> (at % 8 * 8));
}

ssize_t member__offer(struct member *n, unsigned me, unsigned to, unsigned channel, uint64_t most)
{
	static __thread uint8_t bytes[CHUNK];
	size_t size = most < sizeof(bytes) ? most : sizeof(bytes), a = size / 3;
	struct iovec iov[3] = {{bytes, a}, {bytes + a, 0}, {bytes + a, size - a}};
	struct stream *s = n->links.stream[to][channel];
	ssize_t rc;

	for (size_t i = 0; i < size; i++)
		bytes[i] = byte_at(me, channel, n->sent[to][channel] + i);
	rc = s->ops->send(s, iov, 3);
	memset(bytes, 0xee, size); /* what was taken must have been copied */
	if (rc > 0)
		n->sent[to][channel] += (uint64_t)rc;
	return rc;
}

void member__drink(struct member *n, unsigned from, unsigned channel, size_t room)
{
	uint8_t bytes[5003];
	struct stream *s = n->links.stream[from][channel];

	while (room && !n->ended[from][channel]) {
		ssize_t got = s->ops->recv(s, bytes, room < sizeof(bytes) ? room : sizeof(bytes));

		if (got == -EAGAIN)
			return;
		if (got <= 0) {
			n->ended[from][channel] = true;
			n->error[from][channel] = (int)got;
			return;
		}
		for (ssize_t i = 0; i < got; i++)
			CHECK(bytes[i] == byte_at(from, channel, n->got[from][channel]++));
		room -= (size_t)got;
	}
}

void member__drink_until(struct member *n, unsigned from, unsigned channel, uint64_t bytes)
{
	for (double end = member__now() + PATIENCE;
	     n->got[from][channel] < bytes && !n->ended[from][channel];) {
		CHECK(member__now() < end);
		member__turn(n, 100);
		member__drink(n, from, channel, SIZE_MAX);
	}
}

void member__all_to_all(struct member *n, unsigned me, uint64_t bytes)
{
	double end = member__now() + PATIENCE;

	for (bool busy = true; busy;) {
		bool full = true;

		CHECK(member__now() < end);
		busy = false;
		for (unsigned i = 0; i < n->nodes * 2; i++) {
			unsigned peer = i / 2, ch = i % 2;

			if (peer == me)
				continue;
			if (n->sent[peer][ch] < bytes)
				full &= member__offer(n, me, peer, ch, bytes - n->sent[peer][ch]) == -EAGAIN;
			member__drink(n, peer, ch, 3 * CHUNK);
			CHECK(!n->ended[peer][ch]);
			busy |= n->sent[peer][ch] < bytes || n->got[peer][ch] < bytes;
		}
		if (busy && full)
			member__turn(n, 100);
	}
}

/* ---- children ---- */

pid_t child__start(void (*run)(const char *provider, unsigned node), const char *provider, unsigned node)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid)
		return pid;
	is_child = true;
	alarm(60);
	run(provider, node);
	fflush(NULL);
	_exit(0);
}

void child__expect_end(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int desk__fresh(void **state)
{
	(void)state;
	memset(desk, 0, sizeof(*desk));
	return 0;
}
