// SPDX-License-Identifier: BSD-2-Clause
/* fabric_test.c - streams over libfabric, between real processes. Each case runs with the providers shm and tcp. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/fabric_member.h"

static void all_to_all_child(const char *provider, unsigned node)
{
	struct member n;

	member__join(&n, provider, node, 3, 0);
	member__all_to_all(&n, node, 1000000);
	desk__step(node, 1);
	desk__await(&desk->step[0], 1);
	member__leave(&n);
}

static void all_to_all(void **state)
{
	const char *provider = *state;
	pid_t child[2];
	struct member n;

	for (unsigned i = 0; i < 2; i++)
		child[i] = child__start(all_to_all_child, provider, i + 1);
	member__join(&n, provider, 0, 3, 0);
	member__all_to_all(&n, 0, 1000000);
	/* A node that leaves says so, and only the others' last bytes may still come. */
	desk__await(&desk->step[1], 1);
	desk__await(&desk->step[2], 1);
	desk__step(0, 1);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned ch = 0; ch < 2; ch++) {
			member__drink_until(&n, i + 1, ch, UINT64_MAX);
			assert_int_equal(n.error[i + 1][ch], 0);
			assert_int_equal(n.got[i + 1][ch], 1000000);
		}
	member__leave(&n);
	child__expect_end(child[0]);
	child__expect_end(child[1]);
}

#define MUCH (4u << 20)
static void slow_child(const char *provider, unsigned node)
{
	struct member n;

	member__join(&n, provider, node, 2, 0);
	desk__await(&desk->step[0], 1);
	member__drink_until(&n, 0, 1, MUCH);
	CHECK(n.got[0][1] == MUCH);
	desk__await(&desk->step[0], 2);
	member__leave(&n);
}

static void a_reader_that_sleeps_bounds_the_sender(void **state)
{
	const char *provider = *state;
	pid_t child = child__start(slow_child, provider, 1);
	double end = member__now() + PATIENCE;
	struct member n;
	ssize_t rc;

	member__join(&n, provider, 0, 2, 0);
	do {
		rc = member__offer(&n, 0, 1, 1, MUCH);
	} while (rc > 0);
	assert_int_equal(rc, -EAGAIN);
	assert_in_range(n.sent[1][1], 64 * 1024, 1024 * 1024); /* a window's worth */
	assert_int_equal(member__offer(&n, 0, 1, 1, MUCH), -EAGAIN);
	/* The other channel is not concerned. */
	assert_true(member__offer(&n, 0, 1, 0, 1000) == 1000);
	n.writable[1][1] = false;
	desk__step(0, 1);
	while (n.sent[1][1] < MUCH) {
		assert_true(member__now() < end);
		rc = member__offer(&n, 0, 1, 1, MUCH - n.sent[1][1]);
		if (rc > 0)
			continue;
		assert_int_equal(rc, -EAGAIN);
		for (n.writable[1][1] = false; !n.writable[1][1];) { /* it is told when to go on */
			assert_true(member__now() < end);
			member__turn(&n, 100);
		}
	}
	desk__step(0, 2);
	member__drink_until(&n, 1, 1, UINT64_MAX);
	assert_int_equal(n.error[1][1], 0);
	member__leave(&n);
	child__expect_end(child);
}

/* Has it a way to be woken? Else it looks again and again, each half millisecond. */
static unsigned most_naps(const char *provider)
{
	return !strcmp(provider, "tcp") || !strcmp(provider, "shm") ? 60 : 6000;
}

static void sleepy_child(const char *provider, unsigned node)
{
	struct member n;

	member__join(&n, provider, node, 2, 0);
	for (unsigned i = 1; i <= 5; i++) {
		member__drink_until(&n, 0, 0, i * 64);
		usleep(150000); /* the other one has gone to sleep */
		CHECK(member__offer(&n, node, 0, 0, 4096) == 4096);
	}
	CHECK(n.naps < most_naps(provider));
	desk__await(&desk->step[0], 1);
	member__leave(&n);
}

static void sleeping_costs_nothing_and_ends_in_time(void **state)
{
	const char *provider = *state;
	pid_t child = child__start(sleepy_child, provider, 1);
	double shortest = 1e9;
	struct member n;

	member__join(&n, provider, 0, 2, 0);
	for (unsigned i = 1; i <= 5; i++) {
		double start = member__now();

		assert_int_equal(member__offer(&n, 0, 1, 0, 64), 64);
		member__drink_until(&n, 1, 0, i * 4096ull);
		if (i > 1 && member__now() - start < shortest)
			shortest = member__now() - start;
	}
	/* Not by the clock that ticks once a second (then each round but the first lasts from tick to tick, on a busy
	 * machine, too), and not by looking again and again. */
	assert_true(shortest < 0.7);
	assert_in_range(n.naps, 5, most_naps(provider));
	desk__step(0, 1);
	member__leave(&n);
	child__expect_end(child);
}

static void dying_child(const char *provider, unsigned node)
{
	struct member n;

	member__join(&n, provider, node, 2, 0);
	CHECK(member__offer(&n, node, 0, 0, 10000) == 10000);
	for (unsigned i = 0; i < 50; i++)
		member__turn(&n, 1);
	desk__step(node, 1);
	raise(SIGKILL);
}

static void death_ends_the_streams(void **state)
{
	const char *provider = *state;
	pid_t child = child__start(dying_child, provider, 1);
	double start;
	struct member n;
	int status;

	member__join(&n, provider, 0, 2, 0);
	desk__await(&desk->step[1], 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	start = member__now();
	/* What it had said is heard first. */
	member__drink_until(&n, 1, 0, UINT64_MAX);
	assert_int_equal(n.got[1][0], 10000);
	assert_true(n.error[1][0] < 0);
	member__drink_until(&n, 1, 1, UINT64_MAX);
	assert_true(n.error[1][1] < 0);
	assert_true(member__now() - start < 2);
	assert_int_equal(member__offer(&n, 0, 1, 0, 100), -EPIPE);
	member__leave(&n);
}

static void stray_child(const char *provider, unsigned node)
{
	struct member n = {.epoll = -1};

	CHECK(member__open(&n, provider, node, 2, 0) == 0);
	CHECK(member__connect(&n, KEY + 1, 1) == -ETIMEDOUT);
	api->close(n.fabric);
}

static void another_key_is_refused(void **state)
{
	const char *provider = *state;
	pid_t child = child__start(stray_child, provider, 1);
	struct member n = {.epoll = -1};

	assert_int_equal(member__open(&n, provider, 0, 2, 0), 0);
	assert_int_equal(member__connect(&n, KEY, 1), -ETIMEDOUT);
	api->close(n.fabric);
	child__expect_end(child);
}

static bool all_sent;

static void *send_all(void *arg)
{
	struct member *n = arg;

	while (n->sent[1][0] < MUCH)
		if (member__offer(n, 0, 1, 0, MUCH - n->sent[1][0]) == -EAGAIN)
			sched_yield();
	__atomic_store_n(&all_sent, true, __ATOMIC_RELEASE);
	return NULL;
}

static void echo_child(const char *provider, unsigned node)
{
	struct member n;

	member__join(&n, provider, node, 2, 0);
	member__all_to_all(&n, node, MUCH);
	desk__await(&desk->step[0], 1);
	member__leave(&n);
}

static void one_thread_sends_another_receives(void **state)
{
	const char *provider = *state;
	pid_t child = child__start(echo_child, provider, 1);
	pthread_t thread;
	struct member n;

	all_sent = false;
	member__join(&n, provider, 0, 2, 0);
	assert_int_equal(pthread_create(&thread, NULL, send_all, &n), 0);
	for (double end = member__now() + PATIENCE; n.got[1][0] < MUCH || n.got[1][1] < MUCH ||
						    n.sent[1][1] < MUCH ||
						    !__atomic_load_n(&all_sent, __ATOMIC_ACQUIRE);) {
		assert_true(member__now() < end);
		if (n.sent[1][1] < MUCH)
			member__offer(&n, 0, 1, 1, MUCH - n.sent[1][1]);
		member__turn(&n, 1);
		member__drink(&n, 1, 0, SIZE_MAX);
		member__drink(&n, 1, 1, SIZE_MAX);
	}
	pthread_join(thread, NULL);
	desk__step(0, 1);
	member__drink_until(&n, 1, 0, UINT64_MAX);
	assert_int_equal(n.error[1][0], 0);
	member__leave(&n);
	child__expect_end(child);
}

/* ---- of one provider, or of none ---- */

static void silent_grandchild(const char *provider, unsigned node)
{
	struct member n;

	member__join(&n, provider, node, 2, 0);
	desk__step(node, getpid() == 1 ? 1 : 2);
	for (;;)
		member__turn(&n, 100);
}

/* In a space of process numbers of its own it looks like a process of another host. */
static void distant_child(const char *provider, unsigned node)
{
	int status;
	pid_t pid;

	CHECK(unshare(CLONE_NEWPID) == 0);
	pid = child__start(silent_grandchild, provider, node);
	desk__await(&desk->step[1], 1);
	sleep(3); /* it talks: it lives */
	__atomic_store_n(&desk->step[2], 1, __ATOMIC_RELEASE);
	kill(pid, SIGSTOP);
	desk__await(&desk->step[0], 1);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
}

static void silence_of_a_distant_peer_is_death(void **state)
{
	struct member n;
	pid_t child;

	(void)state;
	if (geteuid()) {
		print_message("needs root, for a name space of processes\n");
		skip();
	}
	child = child__start(distant_child, "tcp", 1);
	member__join(&n, "tcp", 0, 2, 2);
	for (double end = member__now() + PATIENCE; !n.ended[1][0];) {
		assert_true(member__now() < end);
		member__turn(&n, 100);
		member__drink(&n, 1, 0, SIZE_MAX);
	}
	assert_int_equal(__atomic_load_n(&desk->step[2], __ATOMIC_ACQUIRE), 1);
	assert_int_equal(n.error[1][0], -ETIMEDOUT);
	desk__step(0, 1);
	member__leave(&n);
	child__expect_end(child);
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
	pid_t child = child__start(all_to_all_child, "shm", 1),
	      other = child__start(all_to_all_child, "shm", 2);
	char path[64];
	struct stat st;
	struct member n;

	(void)state;
	sigaction(SIGBUS, NULL, &before[0]);
	sigaction(SIGTERM, NULL, &before[1]);
	member__join(&n, "shm", 0, 3, 0);
	sigaction(SIGBUS, NULL, &after[0]);
	sigaction(SIGTERM, NULL, &after[1]);
	assert_true(before[0].sa_handler == after[0].sa_handler);
	assert_true(before[1].sa_handler == after[1].sa_handler);
	snprintf(path, sizeof(path), "/dev/shm/%d:0:0", getpid());
	assert_int_equal(stat(path, &st), -1);
	member__all_to_all(&n, 0, 1000000);
	desk__await(&desk->step[1], 1);
	desk__await(&desk->step[2], 1);
	desk__step(0, 1);
	member__leave(&n);
	child__expect_end(child);
	child__expect_end(other);
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
	{#name " (shm)", name, desk__fresh, NULL, (void *)"shm"},                                            \
	{                                                                                                    \
#name " (tcp)", name, desk__fresh, NULL, second                                              \
	}
	const struct CMUnitTest tests[] = {
		BOTH(all_to_all),
		BOTH(a_reader_that_sleeps_bounds_the_sender),
		BOTH(sleeping_costs_nothing_and_ends_in_time),
		BOTH(death_ends_the_streams),
		BOTH(another_key_is_refused),
		BOTH(one_thread_sends_another_receives),
		cmocka_unit_test_setup(silence_of_a_distant_peer_is_death, desk__fresh),
		cmocka_unit_test_setup(an_unknown_provider_is_named, desk__fresh),
		cmocka_unit_test_setup(a_foreign_source_is_refused, desk__fresh),
		cmocka_unit_test_setup(shm_leaves_no_file_and_no_handler, desk__fresh),
		cmocka_unit_test_setup(providers_are_listed, desk__fresh),
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
