// SPDX-License-Identifier: BSD-2-Clause
/*
 * Streams over libfabric, between real processes: the test is node 0, its children are the others. Each case
 * runs with the providers shm and tcp. What a stream carries is a function of the stream and the position, so
 * that any lost, doubled or displaced byte shows.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "dsmcore/transport/fabric.h"
#include "dsmcore/transport/stream.h"

#define NODES_MAX 4
#define KEY	  0x1122334455667788u
#define CHUNK	  20011u /* bytes offered to one send(): no multiple of anything */
#define PATIENCE  20.0	 /* seconds; only a failure takes so long */

static const struct fabric_api *api;

/* The launcher's part: where the nodes leave their addresses, and agree on steps. */
static struct desk {
	struct fabric_address of[NODES_MAX];
	int there, step[NODES_MAX];
} * desk;

struct node {
	struct fabric *fabric;
	struct links links;
	unsigned nodes;
	int epoll;
	uint64_t sent[NODES_MAX][2], got[NODES_MAX][2];
	bool writable[NODES_MAX][2], readable[NODES_MAX][2], ended[NODES_MAX][2];
	int error[NODES_MAX][2];
	unsigned naps; /* times it went to sleep */
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* In a child a failed check ends it; its status fails the test. */
static bool is_child;

#define CHECK(condition) check(condition, #condition, __LINE__)
static void check(bool ok, const char *what, int line)
{
	if (ok)
		return;
	fprintf(stderr, "%s: line %d: %s\n", is_child ? "child" : "test", line, what);
	if (is_child)
		_exit(1);
	fail();
}

static void wait_for(const int *value, int least)
{
	for (double end = now() + PATIENCE; __atomic_load_n(value, __ATOMIC_ACQUIRE) < least;) {
		CHECK(now() < end);
		usleep(200);
	}
}

static void step(unsigned node, int n)
{
	__atomic_store_n(&desk->step[node], n, __ATOMIC_RELEASE);
}

/* ---- nodes ---- */

static int open_node(struct node *n, const char *provider, unsigned node, unsigned nodes, unsigned silence)
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

static int connect_node(struct node *n, uint64_t key, int seconds)
{
	char why[600] = "";
	int rc;

	__atomic_fetch_add(&desk->there, 1, __ATOMIC_ACQ_REL);
	wait_for(&desk->there, (int)n->nodes);
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

static void join_run(struct node *n, const char *provider, unsigned node, unsigned nodes, unsigned silence)
{
	*n = (struct node){.epoll = -1};
	CHECK(open_node(n, provider, node, nodes, silence) == 0);
	CHECK(connect_node(n, KEY, 20) == 0);
}

static void leave_run(struct node *n)
{
	links__close(&n->links, n->nodes);
	close(n->epoll);
}

static void on_ready(void *arg, uint32_t tag, uint32_t events)
{
	struct node *n = arg;

	CHECK(tag < n->nodes * 2);
	n->readable[tag / 2][tag % 2] |= (events & EPOLLIN) != 0;
	n->writable[tag / 2][tag % 2] |= (events & EPOLLOUT) != 0;
}

/* As the transport does: polls, and sleeps when there is nothing. */
static void turn(struct node *n, int ms)
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

/* Offers up to `most` bytes. Bytes taken, or a negative errno. */
static ssize_t offer(struct node *n, unsigned me, unsigned to, unsigned channel, uint64_t most)
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

/* Reads what is there, at most so many bytes. */
static void drink(struct node *n, unsigned from, unsigned channel, size_t room)
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

static void drink_until(struct node *n, unsigned from, unsigned channel, uint64_t bytes)
{
	for (double end = now() + PATIENCE; n->got[from][channel] < bytes && !n->ended[from][channel];) {
		CHECK(now() < end);
		turn(n, 100);
		drink(n, from, channel, SIZE_MAX);
	}
}

/* All nodes send `bytes` to all others on both channels and read as much. */
static void everybody_to_everybody(struct node *n, unsigned me, uint64_t bytes)
{
	double end = now() + PATIENCE;

	for (bool busy = true; busy;) {
		bool full = true;

		CHECK(now() < end);
		busy = false;
		for (unsigned i = 0; i < n->nodes * 2; i++) {
			unsigned peer = i / 2, ch = i % 2;

			if (peer == me)
				continue;
			if (n->sent[peer][ch] < bytes)
				full &= offer(n, me, peer, ch, bytes - n->sent[peer][ch]) == -EAGAIN;
			drink(n, peer, ch, 3 * CHUNK);
			CHECK(!n->ended[peer][ch]);
			busy |= n->sent[peer][ch] < bytes || n->got[peer][ch] < bytes;
		}
		if (busy && full)
			turn(n, 100);
	}
}

/* ---- children ---- */

static pid_t start_child(void (*run)(const char *provider, unsigned node), const char *provider,
			 unsigned node)
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

static void expect_end(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int fresh_desk(void **state)
{
	(void)state;
	memset(desk, 0, sizeof(*desk));
	return 0;
}

/* ---- cases ---- */

static void all_to_all_child(const char *provider, unsigned node)
{
	struct node n;

	join_run(&n, provider, node, 3, 0);
	everybody_to_everybody(&n, node, 1000000);
	step(node, 1);
	wait_for(&desk->step[0], 1);
	leave_run(&n);
}

static void all_to_all(void **state)
{
	const char *provider = *state;
	pid_t child[2];
	struct node n;

	for (unsigned i = 0; i < 2; i++)
		child[i] = start_child(all_to_all_child, provider, i + 1);
	join_run(&n, provider, 0, 3, 0);
	everybody_to_everybody(&n, 0, 1000000);
	/* A node that leaves says so, and only the others' last bytes may still come. */
	wait_for(&desk->step[1], 1);
	wait_for(&desk->step[2], 1);
	step(0, 1);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned ch = 0; ch < 2; ch++) {
			drink_until(&n, i + 1, ch, UINT64_MAX);
			assert_int_equal(n.error[i + 1][ch], 0);
			assert_int_equal(n.got[i + 1][ch], 1000000);
		}
	leave_run(&n);
	expect_end(child[0]);
	expect_end(child[1]);
}

#define MUCH (4u << 20)
static void slow_child(const char *provider, unsigned node)
{
	struct node n;

	join_run(&n, provider, node, 2, 0);
	wait_for(&desk->step[0], 1);
	drink_until(&n, 0, 1, MUCH);
	CHECK(n.got[0][1] == MUCH);
	wait_for(&desk->step[0], 2);
	leave_run(&n);
}

static void a_reader_that_sleeps_bounds_the_sender(void **state)
{
	const char *provider = *state;
	pid_t child = start_child(slow_child, provider, 1);
	double end = now() + PATIENCE;
	struct node n;
	ssize_t rc;

	join_run(&n, provider, 0, 2, 0);
	do {
		rc = offer(&n, 0, 1, 1, MUCH);
	} while (rc > 0);
	assert_int_equal(rc, -EAGAIN);
	assert_in_range(n.sent[1][1], 64 * 1024, 1024 * 1024); /* a window's worth */
	assert_int_equal(offer(&n, 0, 1, 1, MUCH), -EAGAIN);
	/* The other channel is not concerned. */
	assert_true(offer(&n, 0, 1, 0, 1000) == 1000);
	n.writable[1][1] = false;
	step(0, 1);
	while (n.sent[1][1] < MUCH) {
		assert_true(now() < end);
		rc = offer(&n, 0, 1, 1, MUCH - n.sent[1][1]);
		if (rc > 0)
			continue;
		assert_int_equal(rc, -EAGAIN);
		for (n.writable[1][1] = false; !n.writable[1][1];) { /* it is told when to go on */
			assert_true(now() < end);
			turn(&n, 100);
		}
	}
	step(0, 2);
	drink_until(&n, 1, 1, UINT64_MAX);
	assert_int_equal(n.error[1][1], 0);
	leave_run(&n);
	expect_end(child);
}

/* Has it a way to be woken? Else it looks again and again, each half millisecond. */
static unsigned most_naps(const char *provider)
{
	return !strcmp(provider, "tcp") || !strcmp(provider, "shm") ? 60 : 6000;
}

static void sleepy_child(const char *provider, unsigned node)
{
	struct node n;

	join_run(&n, provider, node, 2, 0);
	for (unsigned i = 1; i <= 5; i++) {
		drink_until(&n, 0, 0, i * 64);
		usleep(150000); /* the other one has gone to sleep */
		CHECK(offer(&n, node, 0, 0, 4096) == 4096);
	}
	CHECK(n.naps < most_naps(provider));
	wait_for(&desk->step[0], 1);
	leave_run(&n);
}

static void sleeping_costs_nothing_and_ends_in_time(void **state)
{
	const char *provider = *state;
	pid_t child = start_child(sleepy_child, provider, 1);
	double longest = 0;
	struct node n;

	join_run(&n, provider, 0, 2, 0);
	for (unsigned i = 1; i <= 5; i++) {
		double start = now();

		assert_int_equal(offer(&n, 0, 1, 0, 64), 64);
		drink_until(&n, 1, 0, i * 4096ull);
		longest = now() - start > longest ? now() - start : longest;
	}
	/* Not by the clock that ticks once a second, and not by looking again and again. */
	assert_true(longest < 0.7);
	assert_in_range(n.naps, 5, most_naps(provider));
	step(0, 1);
	leave_run(&n);
	expect_end(child);
}

static void dying_child(const char *provider, unsigned node)
{
	struct node n;

	join_run(&n, provider, node, 2, 0);
	CHECK(offer(&n, node, 0, 0, 10000) == 10000);
	for (unsigned i = 0; i < 50; i++)
		turn(&n, 1);
	step(node, 1);
	raise(SIGKILL);
}

static void death_ends_the_streams(void **state)
{
	const char *provider = *state;
	pid_t child = start_child(dying_child, provider, 1);
	double start;
	struct node n;
	int status;

	join_run(&n, provider, 0, 2, 0);
	wait_for(&desk->step[1], 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	start = now();
	/* What it had said is heard first. */
	drink_until(&n, 1, 0, UINT64_MAX);
	assert_int_equal(n.got[1][0], 10000);
	assert_true(n.error[1][0] < 0);
	drink_until(&n, 1, 1, UINT64_MAX);
	assert_true(n.error[1][1] < 0);
	assert_true(now() - start < 2);
	assert_int_equal(offer(&n, 0, 1, 0, 100), -EPIPE);
	leave_run(&n);
}

static void stray_child(const char *provider, unsigned node)
{
	struct node n = {.epoll = -1};

	CHECK(open_node(&n, provider, node, 2, 0) == 0);
	CHECK(connect_node(&n, KEY + 1, 1) == -ETIMEDOUT);
	api->close(n.fabric);
}

static void another_key_is_refused(void **state)
{
	const char *provider = *state;
	pid_t child = start_child(stray_child, provider, 1);
	struct node n = {.epoll = -1};

	assert_int_equal(open_node(&n, provider, 0, 2, 0), 0);
	assert_int_equal(connect_node(&n, KEY, 1), -ETIMEDOUT);
	api->close(n.fabric);
	expect_end(child);
}

static bool all_sent;

static void *send_all(void *arg)
{
	struct node *n = arg;

	while (n->sent[1][0] < MUCH)
		if (offer(n, 0, 1, 0, MUCH - n->sent[1][0]) == -EAGAIN)
			sched_yield();
	__atomic_store_n(&all_sent, true, __ATOMIC_RELEASE);
	return NULL;
}

static void echo_child(const char *provider, unsigned node)
{
	struct node n;

	join_run(&n, provider, node, 2, 0);
	everybody_to_everybody(&n, node, MUCH);
	wait_for(&desk->step[0], 1);
	leave_run(&n);
}

static void one_thread_sends_another_receives(void **state)
{
	const char *provider = *state;
	pid_t child = start_child(echo_child, provider, 1);
	pthread_t thread;
	struct node n;

	all_sent = false;
	join_run(&n, provider, 0, 2, 0);
	assert_int_equal(pthread_create(&thread, NULL, send_all, &n), 0);
	for (double end = now() + PATIENCE; n.got[1][0] < MUCH || n.got[1][1] < MUCH || n.sent[1][1] < MUCH ||
					    !__atomic_load_n(&all_sent, __ATOMIC_ACQUIRE);) {
		assert_true(now() < end);
		if (n.sent[1][1] < MUCH)
			offer(&n, 0, 1, 1, MUCH - n.sent[1][1]);
		turn(&n, 1);
		drink(&n, 1, 0, SIZE_MAX);
		drink(&n, 1, 1, SIZE_MAX);
	}
	pthread_join(thread, NULL);
	step(0, 1);
	drink_until(&n, 1, 0, UINT64_MAX);
	assert_int_equal(n.error[1][0], 0);
	leave_run(&n);
	expect_end(child);
}

/* ---- of one provider, or of none ---- */

static void silent_grandchild(const char *provider, unsigned node)
{
	struct node n;

	join_run(&n, provider, node, 2, 0);
	step(node, getpid() == 1 ? 1 : 2);
	for (;;)
		turn(&n, 100);
}

/* In a space of process numbers of its own it looks like a process of another host. */
static void distant_child(const char *provider, unsigned node)
{
	int status;
	pid_t pid;

	CHECK(unshare(CLONE_NEWPID) == 0);
	pid = start_child(silent_grandchild, provider, node);
	wait_for(&desk->step[1], 1);
	sleep(3); /* it talks: it lives */
	__atomic_store_n(&desk->step[2], 1, __ATOMIC_RELEASE);
	kill(pid, SIGSTOP);
	wait_for(&desk->step[0], 1);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

static void silence_of_a_distant_peer_is_death(void **state)
{
	struct node n;
	pid_t child;

	(void)state;
	if (geteuid()) {
		print_message("needs root, for a name space of processes\n");
		skip();
	}
	child = start_child(distant_child, "tcp", 1);
	join_run(&n, "tcp", 0, 2, 2);
	for (double end = now() + PATIENCE; !n.ended[1][0];) {
		assert_true(now() < end);
		turn(&n, 100);
		drink(&n, 1, 0, SIZE_MAX);
	}
	assert_int_equal(__atomic_load_n(&desk->step[2], __ATOMIC_ACQUIRE), 1);
	assert_int_equal(n.error[1][0], -ETIMEDOUT);
	step(0, 1);
	leave_run(&n);
	expect_end(child);
}

static void an_unknown_provider_is_named(void **state)
{
	struct fabric_config c = {.provider = "carrier-pigeon", .nodes = 2};
	struct fabric_address mine;
	struct fabric *f;
	char why[600];

	(void)state;
	assert_int_equal(api->check("tcp", why, sizeof(why)), 0);
	assert_int_equal(api->check("carrier-pigeon", why, sizeof(why)), -ENODATA);
	assert_int_equal(api->open(&f, &c, &mine, why, sizeof(why)), -ENODATA);
	assert_non_null(strstr(why, "'carrier-pigeon'"));
	assert_non_null(strstr(why, "fi_info -l"));
	assert_non_null(strstr(why, "tcp"));
}

static void a_foreign_source_is_refused(void **state)
{
	struct fabric_config c = {.provider = "tcp", .nodes = 2, .source = "203.0.113.9"};
	struct fabric_address mine;
	struct fabric *f;
	char why[600];

	(void)state;
	assert_true(api->open(&f, &c, &mine, why, sizeof(why)) < 0);
	assert_non_null(strstr(why, "'tcp'"));
	assert_non_null(strstr(why, "203.0.113.9"));
}

static void shm_leaves_no_file_and_no_handler(void **state)
{
	struct sigaction before[2], after[2];
	pid_t child = start_child(all_to_all_child, "shm", 1),
	      other = start_child(all_to_all_child, "shm", 2);
	char path[64];
	struct stat st;
	struct node n;

	(void)state;
	sigaction(SIGBUS, NULL, &before[0]);
	sigaction(SIGTERM, NULL, &before[1]);
	join_run(&n, "shm", 0, 3, 0);
	sigaction(SIGBUS, NULL, &after[0]);
	sigaction(SIGTERM, NULL, &after[1]);
	assert_true(before[0].sa_handler == after[0].sa_handler);
	assert_true(before[1].sa_handler == after[1].sa_handler);
	snprintf(path, sizeof(path), "/dev/shm/%d:0:0", getpid());
	assert_int_equal(stat(path, &st), -1);
	everybody_to_everybody(&n, 0, 1000000);
	wait_for(&desk->step[1], 1);
	wait_for(&desk->step[2], 1);
	step(0, 1);
	leave_run(&n);
	expect_end(child);
	expect_end(other);
}

static void providers_are_listed(void **state)
{
	char list[512], version[16];

	(void)state;
	api->list(list, sizeof(list), version);
	assert_non_null(strstr(list, "shm"));
	assert_non_null(strstr(list, "tcp"));
	assert_in_range(version[0], '1', '9');
}

int main(int argc, char **argv)
{
	/* By hand: a pattern of names, and another provider in the place of tcp. */
	void *second = argc > 2 ? argv[2] : "tcp";

#define BOTH(name)                                                                                           \
	{#name " (shm)", name, fresh_desk, NULL, (void *)"shm"},                                             \
	{                                                                                                    \
#name " (tcp)", name, fresh_desk, NULL, second                                               \
	}
	const struct CMUnitTest tests[] = {
		BOTH(all_to_all),
		BOTH(a_reader_that_sleeps_bounds_the_sender),
		BOTH(sleeping_costs_nothing_and_ends_in_time),
		BOTH(death_ends_the_streams),
		BOTH(another_key_is_refused),
		BOTH(one_thread_sends_another_receives),
		cmocka_unit_test_setup(silence_of_a_distant_peer_is_death, fresh_desk),
		cmocka_unit_test_setup(an_unknown_provider_is_named, fresh_desk),
		cmocka_unit_test_setup(a_foreign_source_is_refused, fresh_desk),
		cmocka_unit_test_setup(shm_leaves_no_file_and_no_handler, fresh_desk),
		cmocka_unit_test_setup(providers_are_listed, fresh_desk),
	};
	char why[600];

	desk = mmap(NULL, sizeof(*desk), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	api = fabric__load(why, sizeof(why));
	if (!api) {
		printf("%s\n", why);
		return 77;
	}
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
