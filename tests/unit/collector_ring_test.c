// SPDX-License-Identifier: BSD-2-Clause
/*
 * collector_ring_test.c - the ring source against a producer in the same process, a friendly one and
 * hostile ones.
 */
#include "collector/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- a producer ---- */

#define RING 8192u

static int fd;
static struct dsm_shm *shm;
static uint64_t seq;

static int make_shm(void **state)
{
	(void)state;
	fd = memfd_create(DSM_SHM_NAME, MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, sizeof(*shm) + RING))
		return -1;
	shm = mmap(NULL, sizeof(*shm) + RING, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shm == MAP_FAILED)
		return -1;
	shm->version = DSM_SHM_VERSION;
	shm->pid = (uint32_t)getpid();
	shm->node = 5;
	shm->nodes = 6;
	shm->ring_offset = sizeof(*shm);
	shm->ring_bytes = RING;
	shm->run_id = 99;
	shm->counters_bytes = sizeof(shm->counters);
	shm->magic = DSM_SHM_MAGIC;
	seq = 0;
	return 0;
}

static int drop_shm(void **state)
{
	(void)state;
	munmap(shm, sizeof(*shm) + RING);
	close(fd);
	return 0;
}

/* As the contract says. False: no room, which is counted if `count`. */
static bool produce(unsigned type, uint16_t size, bool count)
{
	char *ring = (char *)shm + shm->ring_offset;
	uint64_t at = shm->ring_head % RING, left = RING - at, need = size <= left ? size : left + size;
	struct dsm_ev_hdr *r;

	seq++;
	if (shm->ring_head + need - shm->ring_tail > RING) {
		shm->lost[type] += count;
		return false;
	}
	if (size > left) {
		if (left >= sizeof(*r))
			((struct dsm_ev_hdr *)(ring + at))->size = 0;
		at = 0;
	}
	r = (void *)(ring + at);
	memset(r, (int)(seq & 0x7f), size);
	*r = (struct dsm_ev_hdr){.size = size, .type = (uint16_t)type, .seq = seq, .node = 5, .weight = 1};
	__atomic_store_n(&shm->ring_head, shm->ring_head + need, __ATOMIC_RELEASE);
	return true;
}

/* ---- a consumer ---- */

static struct nodes *nodes;
static uid_t user;
static struct source *source;
static uint64_t got, last_seq, lost[DSM_EV_TYPE_MAX], lost_total;

static void on_record(void *ctx, pid_t pid, const struct dsm_ev_hdr *r)
{
	(void)ctx;
	assert_int_equal(pid, getpid());
	assert_true(r->seq > last_seq);
	for (unsigned i = sizeof(*r); i < r->size; i++)
		assert_int_equal(((const uint8_t *)r)[i], r->seq & 0x7f);
	last_seq = r->seq;
	got++;
}

static void on_loss(void *ctx, pid_t pid, unsigned type, uint64_t count)
{
	(void)ctx;
	(void)pid;
	lost[type] += count;
	lost_total += count;
}

static void on_any_record(void *ctx, pid_t pid, const struct dsm_ev_hdr *r)
{
	(void)ctx;
	(void)pid;
	assert_true(trace_record__sane(r, r->size));
}

static const struct source_sink any_sink = {.record = on_any_record, .loss = on_loss};
static const struct source_sink sink = {.record = on_record, .loss = on_loss};

static void found(void *ctx, struct node_view *view)
{
	(void)ctx;
	source->ops->node_found(source, view);
}

static void start(void)
{
	struct source_options options = {0};
	char why[128];

	got = last_seq = lost_total = 0;
	memset(lost, 0, sizeof(lost));
	assert_int_equal(source_ring__new(&source, &options, why, sizeof(why)), 0);
	assert_int_equal(nodes__new(&nodes, user, found, NULL), 0);
	nodes__of_pid(nodes, getpid());
}

static void stop(void)
{
	source->ops->free(source);
	nodes__free(nodes);
}

static void poll_once(void)
{
	source->ops->poll(source, &sink, true);
}

/* ---- cases ---- */

static void test_all_sizes_through_a_small_ring(void **state)
{
	unsigned produced = 0;

	(void)state;
	start();
	assert_int_equal(shm->ring_listeners, getpid());
	for (unsigned i = 0; i < 20000; i++) {
		uint16_t size = (uint16_t)(sizeof(struct dsm_ev_hdr) + i * 8 % 1024);
		while (!produce(30, size, false)) {
			seq--;
			poll_once();
		}
		produced++;
	}
	poll_once();
	assert_int_equal(got, produced);
	assert_int_equal(lost_total, 0);
	stop();
	assert_int_equal(shm->ring_listeners, 0);
}

static void test_exact_loss(void **state)
{
	uint64_t kept = 0, dropped[DSM_EV_TYPE_MAX] = {0};

	(void)state;
	shm->lost[30] = 1000; /* of earlier listeners */
	start();
	for (unsigned i = 0; i < 5000; i++) {
		unsigned type = 30 + i % 2; /* that nobody knows */
		if (produce(type, (uint16_t)(32 + i % 100 * 8), true))
			kept++;
		else
			dropped[type]++;
		if (i % 700 == 0)
			poll_once();
	}
	poll_once();
	assert_int_equal(got, kept);
	for (unsigned type = 30; type < 32; type++) {
		assert_true(dropped[type] > 0);
		assert_int_equal(lost[type], dropped[type]);
	}
	assert_int_equal(lost_total, 5000 - kept);
	stop();
}

/* A producer that forgets to count: the gap in the sequence tells. */
static void test_uncounted_loss(void **state)
{
	uint64_t kept = 0;

	(void)state;
	start();
	for (unsigned i = 0; i < 1000; i++) {
		kept += produce(30, 256, i % 2);
		if (i % 100 == 99)
			poll_once();
	}
	poll_once();
	while (!produce(30, 32, false))
		seq--;
	poll_once();
	assert_int_equal(got, kept + 1);
	assert_int_equal(lost_total, 1000 - kept);
	assert_true(lost[0] > 0 && lost[30] > 0);
	stop();
}

static void test_old_contents_are_skipped(void **state)
{
	(void)state;
	produce(30, 64, true);
	produce(30, 64, true);
	start();
	poll_once();
	assert_int_equal(got, 0);
	produce(30, 64, true);
	poll_once();
	assert_int_equal(got, 1);
	assert_int_equal(last_seq, 3);
	stop();
}

static void test_somebody_else_listens(void **state)
{
	(void)state;
	shm->ring_listeners = 1; /* init lives */
	start();
	poll_once();
	assert_int_equal(shm->ring_listeners, 1);
	produce(30, 64, true);
	poll_once();
	assert_int_equal(got, 0);
	stop();
	assert_int_equal(shm->ring_listeners, 1);
}

static void test_dead_listener_is_replaced(void **state)
{
	pid_t dead = fork();

	(void)state;
	if (!dead)
		_exit(0);
	waitpid(dead, NULL, 0);
	shm->ring_listeners = (uint64_t)dead;
	start();
	assert_int_equal(shm->ring_listeners, 0); /* the producer must see that somebody new comes */
	poll_once();
	assert_int_equal(shm->ring_listeners, getpid());
	stop();
}

static void test_nonsense_in_the_ring(void **state)
{
	struct dsm_ev_hdr *r = (void *)((char *)shm + sizeof(*shm));

	(void)state;
	start();
	produce(30, 64, true);
	poll_once();
	*(uint16_t *)((char *)r + 64) = 60000; /* no size */
	shm->ring_head += 128;
	seq += 2;
	poll_once();
	assert_int_equal(got, 1);
	assert_int_equal(shm->ring_tail, shm->ring_head);
	produce(30, 64, true);
	poll_once();
	assert_int_equal(got, 2);
	assert_int_equal(lost[0], 2);
	shm->ring_head += 1ull << 40; /* no position */
	poll_once();
	poll_once();
	assert_int_equal(got, 2);
	stop();
}

static void test_insane_record_is_lost(void **state)
{
	struct dsm_ev_hdr *r;

	(void)state;
	start();
	produce(30, 64, true);
	produce(DSM_EV_ABORT, 64, true); /* too short for its type */
	produce(30, 64, true);
	r = (void *)((char *)shm + sizeof(*shm) + 64);
	assert_int_equal(r->type, DSM_EV_ABORT);
	poll_once();
	assert_int_equal(got, 2);
	assert_int_equal(lost[0], 1);
	stop();
}

static void test_memory_taken_away(void **state)
{
	struct dsm_counters c;

	(void)state;
	start();
	produce(30, 64, true);
	poll_once();
	assert_int_equal(ftruncate(fd, 0), 0);
	poll_once();
	assert_true(nodes__first(nodes)->broken);
	assert_false(node_view__counters(nodes__first(nodes), &c));
	assert_true(node_view__ended(nodes__first(nodes)));
	stop();
	assert_int_equal(got, 1);
}

static void test_random_headers(void **state)
{
	struct dsm_shm good = *shm;

	(void)state;
	srandom(4711);
	for (unsigned i = 0; i < 3000; i++) {
		unsigned char *bytes = (void *)shm;
		*shm = good;
		for (unsigned k = 0; k < 6; k++) {
			size_t at = 8 + (size_t)random() % (random() % 2 ? 64 : sizeof(*shm) - 8 + RING);
			bytes[at] = (unsigned char)random();
		}
		start();
		source->ops->poll(source, &any_sink, true);
		shm->ring_head = (uint64_t)random() << (random() % 40);
		shm->ring_tail = shm->ring_head - (uint64_t)random() % RING;
		source->ops->poll(source, &any_sink, true);
		stop();
	}
}

static void test_other_counters(void **state)
{
	struct dsm_counters c;
	uint64_t *words = (uint64_t *)shm;
	size_t base = offsetof(struct dsm_shm, counters) / 8;
	const unsigned newer = (sizeof(c) / 64 + 2) * 8; /* full lines */

	(void)state;
	/* A newer writer with more counters: all behind them lies later. */
	shm->counters_bytes = newer * 8;
	shm->ring_offset += 128;
	shm->ring_bytes = RING / 2;
	for (unsigned i = 0; i < newer; i++)
		words[base + i] = i + 1;
	start();
	assert_non_null(nodes__first(nodes));
	assert_true(node_view__counters(nodes__first(nodes), &c));
	assert_int_equal(c.begins, 1);
	assert_int_equal(c.events, offsetof(struct dsm_counters, events) / 8 + 1);
	assert_int_equal(((uint64_t *)&c)[sizeof(c) / 8 - 1], sizeof(c) / 8); /* the last one we know */
	assert_int_equal(words[base + newer], getpid());
	stop();
	/* An older one with two. */
	shm->counters_bytes = 16;
	start();
	assert_true(node_view__counters(nodes__first(nodes), &c));
	assert_int_equal(c.commits, 2);
	assert_int_equal(c.commits_local, 0);
	stop();
}

static void test_child_is_no_node(void **state)
{
	unsigned own = 0;
	pid_t child;

	(void)state;
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	start();
	assert_non_null(nodes__first(nodes));
	assert_null(nodes__of_pid(nodes, child));
	nodes__scan(nodes);
	/* Others on this machine may run nodes too. */
	for (const struct node_view *v = nodes__first(nodes); v; v = v->next) {
		assert_int_not_equal(v->pid, child);
		own += v->pid == getpid();
	}
	assert_int_equal(own, 1);
	stop();
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static bool is_found(void)
{
	bool there;

	start();
	there = nodes__of_pid(nodes, getpid());
	stop();
	return there;
}

/* Process and memory must both be the user's. */
static void test_other_users(void **state)
{
	(void)state;
	assert_true(is_found());
	user++;
	assert_false(is_found());
	user--;
	if (getuid())
		return; /* the rest needs root */
	assert_int_equal(fchown(fd, 1, 1), 0);
	assert_false(is_found());
	user = 1;
	assert_false(is_found());
	user = 0;
	assert_int_equal(fchown(fd, 0, 0), 0);
	assert_int_equal(setreuid(1, 0), 0); /* a set-user-id program that another user started */
	assert_false(is_found());
	assert_int_equal(setreuid(0, 0), 0);
	assert_true(is_found());
}

/* Any file may be named like a node's; only a memfd is one. */
static void test_not_a_memfd(void **state)
{
	char name[] = "/tmp/" DSM_SHM_NAME ".XXXXXX";
	int other = mkstemp(name);

	(void)state;
	assert_true(other >= 0);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(write(other, shm, sizeof(*shm)), sizeof(*shm));
	close(fd);
	assert_false(is_found());
	fd = other; /* drop_shm() closes it */
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_shm, drop_shm)
	const struct CMUnitTest tests[] = {
		CASE(test_all_sizes_through_a_small_ring),
		CASE(test_exact_loss),
		CASE(test_uncounted_loss),
		CASE(test_old_contents_are_skipped),
		CASE(test_somebody_else_listens),
		CASE(test_dead_listener_is_replaced),
		CASE(test_nonsense_in_the_ring),
		CASE(test_insane_record_is_lost),
		CASE(test_memory_taken_away),
		CASE(test_random_headers),
		CASE(test_other_counters),
		CASE(test_child_is_no_node),
		CASE(test_other_users),
		CASE(test_not_a_memfd),
	};

	user = geteuid();
	return cmocka_run_group_tests_name("ring source", tests, NULL, NULL);
}
