/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * region.c with a real userfaultfd: each change of rights does what it says, and two threads race: one takes
 * pages away and rewrites them, the other reads through its view and resolves its own faults. A reader must
 * never see half of a rewrite.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cmocka.h>

#include "dsmcore/memory/region.h"

#define PAGES 64u
#define WORDS (DSM_PAGE_BYTES / sizeof(uint64_t))

static struct region *region;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile int faults, last_write;
static bool grant_on_fault = true;

static void on_bus(int sig, siginfo_t *info, void *arg)
{
	ucontext_t *c = arg;
	int64_t at = region__offset(region, info->si_addr);
	bool write = c->uc_mcontext.gregs[REG_ERR] & 2;

	(void)sig;
	if (at < 0 || !grant_on_fault)
		abort();
	faults++;
	last_write = write;
	pthread_mutex_lock(&lock);
	region__protect(region, (uint32_t)(at >> DSM_PAGE_LOG2), 1, write ? CORE_WRITE : CORE_READ);
	pthread_mutex_unlock(&lock);
}

/* In each test, because cmocka installs handlers of its own around it. */
static void catch_faults(void)
{
	struct sigaction sa = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};

	sigaction(SIGBUS, &sa, NULL);
}

/* The call that is to fail, counted down; negative: none. */
static int mapped_until_failure = -1;

void *__real_mmap(void *at, size_t bytes, int rights, int flags, int fd, off_t from);
void *__wrap_mmap(void *at, size_t bytes, int rights, int flags, int fd, off_t from);
void *__wrap_mmap(void *at, size_t bytes, int rights, int flags, int fd, off_t from)
{
	if (mapped_until_failure >= 0 && mapped_until_failure-- == 0) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return __real_mmap(at, bytes, rights, flags, fd, from);
}

/* In KiB. */
static long address_space(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	char line[256];
	long kib = -1;

	assert_non_null(f);
	while (kib < 0 && fgets(line, sizeof(line), f))
		sscanf(line, "VmSize: %ld", &kib);
	fclose(f);
	return kib;
}

/* Whatever cannot be mapped: it is said, and what was there before is given back. */
static void test_nothing_is_left_of_a_failure(void **state)
{
	const uint64_t bytes = 64ull << 20;
	int calls = 0, rc;

	(void)state;
	do {
		char why[256] = "";
		long before = address_space();

		mapped_until_failure = calls;
		rc = region__open(&region, bytes, why, sizeof(why));
		mapped_until_failure = -1;
		if (rc) {
			assert_int_equal(rc, -ENOMEM);
			assert_non_null(strstr(why, "(64 MiB): "));
			assert_non_null(strstr(why, "--heap"));
			assert_in_range(address_space(), 0, before + 1024);
		}
		calls++;
	} while (rc && calls < 50);
	assert_int_equal(rc, 0);
	assert_in_range(calls, 5, 49); /* both views, rights and presence, at least */
	region__close(region);
}

static int set_up(void **state)
{
	char why[256];

	(void)state;
	return region__open(&region, PAGES * DSM_PAGE_BYTES, why, sizeof(why));
}

static int tear_down(void **state)
{
	(void)state;
	region__close(region);
	return 0;
}

static void test_rights(void **state)
{
	volatile uint64_t *word = region__address(region, 3 * DSM_PAGE_BYTES);

	(void)state;
	catch_faults();
	faults = 0;
	assert_int_equal(*word, 0); /* a hole in the memfd */
	assert_int_equal(faults, 1);
	assert_int_equal(last_write, 0);
	assert_int_equal(*word, 0);
	assert_int_equal(faults, 1); /* stays mapped */
	*word = 42;
	assert_int_equal(faults, 2);
	assert_int_equal(last_write, 1);
	*word = 43;
	assert_int_equal(faults, 2);
	assert_int_equal(*(uint64_t *)region__frame(region, 3), 43);
	assert_int_equal(region__protect(region, 3, 1, CORE_READ), 0);
	assert_int_equal(*word, 43);
	assert_int_equal(faults, 2);
	*word = 44;
	assert_int_equal(faults, 3);
	assert_int_equal(region__protect(region, 3, 1, CORE_NONE), 0);
	*word = 45; /* straight to writable */
	assert_int_equal(faults, 4);
	assert_int_equal(last_write, 1);
	assert_int_equal(*(uint64_t *)region__frame(region, 3), 45);
}

static void test_ranges_of_mixed_rights(void **state)
{
	(void)state;
	catch_faults();
	for (uint32_t p = 8; p < 24; p++)
		assert_int_equal(region__protect(region, p, 1, p % 3), 0);
	for (enum core_rights to = CORE_NONE; to <= CORE_WRITE; to++) {
		assert_int_equal(region__protect(region, 8, 16, to), 0);
		faults = 0;
		for (uint32_t p = 8; p < 24; p++) {
			volatile uint64_t *word = region__address(region, (uint64_t)p * DSM_PAGE_BYTES);

			assert_int_equal(region__rights(region, p), to);
			(void)*word;
		}
		assert_int_equal(faults, to == CORE_NONE ? 16 : 0);
		for (uint32_t p = 8; p < 24; p++)
			assert_int_equal(region__protect(region, p, 1, p % 3), 0);
	}
}

static void test_write_through_the_runtime_view_is_seen(void **state)
{
	volatile uint64_t *word = region__address(region, 30 * DSM_PAGE_BYTES);

	(void)state;
	catch_faults();
	*(uint64_t *)region__frame(region, 30) = 7;
	assert_int_equal(*word, 7);
	region__protect(region, 30, 1, CORE_NONE);
	*(uint64_t *)region__frame(region, 30) = 8;
	assert_int_equal(*word, 8);
}

static void test_offsets(void **state)
{
	(void)state;
	assert_int_equal(region__offset(region, region__address(region, 0)), 0);
	assert_int_equal(region__offset(region, region__address(region, 12345)), 12345);
	assert_int_equal(region__offset(region, &lock), -1);
	assert_int_equal(region__offset(region, (char *)region__address(region, 0) + PAGES * DSM_PAGE_BYTES),
			 -1);
}

static _Atomic bool stop;
static _Atomic uint64_t rounds;

/* Until they have met so often, however the two threads are scheduled. */
#define ROUNDS 20000u
#define FAULTS 1000

/* Revoke, rewrite, let the reader take it again. */
static void *rewrite(void *arg)
{
	(void)arg;
	for (uint64_t round = 1; !stop; round++) {
		uint32_t page = 40 + (uint32_t)(round % 8);

		pthread_mutex_lock(&lock);
		region__protect(region, page, 1, CORE_NONE);
		uint64_t *frame = (uint64_t *)region__frame(region, page);

		for (unsigned i = 0; i < WORDS; i++)
			frame[i] = round;
		pthread_mutex_unlock(&lock);
		rounds = round;
	}
	return NULL;
}

/* A reader that is inside a page when it is taken away faults and waits for the lock, so it sees whole
 * rewrites only within one uninterrupted read; comparing first and last word with a fault between is no
 * tear. So each check reads two words whose order a rewrite keeps: a later word is never older. */
static void test_race_of_revoke_and_fault(void **state)
{
	pthread_t thread;
	uint64_t checks = 0;

	(void)state;
	catch_faults();
	stop = false;
	rounds = 0;
	faults = 0;
	pthread_create(&thread, NULL, rewrite, NULL);
	for (uint64_t i = 0; rounds < ROUNDS || faults < FAULTS; i++) {
		volatile uint64_t *word = region__address(region, (40 + i % 8) * DSM_PAGE_BYTES);
		uint64_t first = word[0], last = word[WORDS - 1];

		if (last < first)
			fail_msg("word 0 held %llu, then the last word held %llu", (unsigned long long)first,
				 (unsigned long long)last);
		checks++;
	}
	stop = true;
	pthread_join(thread, NULL);
	assert_true(checks > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_left_of_a_failure),
		cmocka_unit_test_setup_teardown(test_rights, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ranges_of_mixed_rights, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_write_through_the_runtime_view_is_seen, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_offsets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_race_of_revoke_and_fault, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
