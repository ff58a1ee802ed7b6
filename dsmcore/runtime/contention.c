/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * contention.c - when to run, and when to let others.
 *
 * A service thread must answer at once, though the mutator computes on its core; a short time slice gives it the
 * core (EEVDF: who wants less for now has the earlier deadline; Linux 6.12 and later, no privilege needed), and a
 * better nice value helps the rest, where it is allowed.
 *
 * Who loses tries again. If that is at once, those who met meet again, and most of what they do is lost. So the
 * loser sleeps for a time that it draws, up to twice as long from the second loss on; meanwhile the winner has the page for
 * itself and commits many times without a message. With a core for each node the first retry comes at once: two
 * nodes that write a page by turns lose one attempt each turn, and then it is theirs. Whoever has priority by now does
 * not sleep: the others would only wait for it.
 */
#include "dsmcore/runtime/contention.h"

#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/node.h"

#define SERVICE_NICE	 (-20)
#define SERVICE_SLICE_NS 100000u

#define BACKOFF_US	100u /* at most, the first time */
#define BACKOFF_DOUBLED 1u   /* times: longer pauses would commit more, but let the slower nodes starve */

#define REFUSED_US	20u /* lost to who cannot be aborted: once that is done, which may take it some output */
#define REFUSED_DOUBLED 6u

static struct {
	unsigned lost, refused; /* in a row */
	unsigned pause_us;	/* before the next attempt */
	uint64_t random;
} contention;

/* The layout of the kernel's struct sched_attr, which Debian 12's libc does not declare. */
struct sched_attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

static int schedule(int nice, uint64_t slice_ns)
{
	struct sched_attributes a = {.size = sizeof(a), .nice = nice, .runtime = slice_ns};

	return (int)syscall(SYS_sched_setattr, 0, &a, 0);
}

void contention__service(void)
{
	if (schedule(SERVICE_NICE, SERVICE_SLICE_NS))
		schedule(getpriority(PRIO_PROCESS, 0), SERVICE_SLICE_NS);
}

/* 1 to `most`, by a generator of its own: the program's must not notice. */
static unsigned draw(unsigned most)
{
	if (!contention.random)
		contention.random = events__now() + node.options.node;
	contention.random = contention.random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(contention.random >> 33) % most + 1;
}

static unsigned doubled(unsigned us, unsigned times, unsigned most)
{
	return us << (times < most ? times : most);
}

uint64_t contention__lost(enum core_cause cause)
{
	bool met = cause == CORE_CAUSE_CONFLICT || cause == CORE_CAUSE_PRIORITY;
	unsigned at_once = node.crowded ? 0 : 1;

	contention.refused = cause == CORE_CAUSE_IRREVOCABLE ? contention.refused + 1 : 0;
	contention.lost += met;
	contention.pause_us = 0;
	if (contention.refused)
		contention.pause_us = doubled(REFUSED_US, contention.refused - 1, REFUSED_DOUBLED);
	else if (met && contention.lost > at_once && contention.lost < CORE_ELEVATE_AFTER)
		contention.pause_us =
			draw(doubled(BACKOFF_US, contention.lost - at_once - 1, BACKOFF_DOUBLED));
	return contention.pause_us * 1000ull;
}

void contention__pause(void)
{
	if (contention.pause_us)
		usleep(contention.pause_us);
	contention.pause_us = 0;
}

void contention__forget(void)
{
	contention.lost = contention.refused = contention.pause_us = 0;
}
