// SPDX-License-Identifier: BSD-2-Clause
/*
 * drift.c - a clock that runs too fast, for processes that this library is loaded into before all others (LD_PRELOAD): a
 * time namespace can shift a clock, but not make it drift. The test says from when on (PROCOPE_TEST_DRIFT_SINCE, ns of
 * CLOCK_MONOTONIC) and by how much (PROCOPE_TEST_DRIFT, in millionths).
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t since, millionths;

__attribute__((constructor)) static void read_rate(void)
{
	const char *from = getenv("PROCOPE_TEST_DRIFT_SINCE"), *rate = getenv("PROCOPE_TEST_DRIFT");

	since = from ? strtoll(from, NULL, 10) : 0;
	millionths = from && rate ? strtoll(rate, NULL, 10) : 0;
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *t)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, t);
	int64_t ns;

	if (rc || clock != CLOCK_MONOTONIC || !millionths)
		return rc;
	ns = (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
	if (ns > since)
		ns += (ns - since) / 1000 * millionths / 1000;
	t->tv_sec = ns / 1000000000;
	t->tv_nsec = ns % 1000000000;
	return 0;
}
