// SPDX-License-Identifier: BSD-2-Clause
/*
 * await.c - waiting for an answer.
 *
 * Waking a thread that sleeps costs more than moving a page, and so does waking one that sits on another
 * core. So the mutator takes the receiving over from the service thread, spins for a while, and blocks then.
 * How long it spins is learnt: a wait that ended while it spun doubles the limit, one that had to block
 * halves it. Where more nodes than cores live on the host, the one that is waited for may need this core:
 * then it yields in between.
 */
#include "dsmcore/runtime/await.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/transport/transport.h"

#define SPIN_MAX_NS	200000u
#define SPIN_MIN_NS	50000u /* nobody else wants the core but this node's own threads */
#define SPIN_CROWDED_NS 5000u
#define YIELD_LONG_NS	500000u /* somebody computes on this core: yielding costs a time slice */
#define YIELD_NOT_FOR	256u	/* waits, after such a one */

static uint64_t spin_ns = SPIN_MAX_NS;
static unsigned block_at_once; /* waits to go without spinning */

static int receive(int timeout_ms)
{
	int n = transport__receive(node.transport, timeout_ms);

	if (n < 0)
		node__fatal(NULL, "waiting for messages: %s", strerror(-n));
	return n;
}

/* True when something came within the time. */
static bool spin(void)
{
	uint64_t now = events__now(), end = now + spin_ns;

	for (;;) {
		if (receive(0))
			return true;
		if (node.crowded)
			sched_yield();
		uint64_t before = now;

		now = events__now();
		if (node.crowded && now - before > YIELD_LONG_NS)
			block_at_once = YIELD_NOT_FOR;
		if (now >= end)
			return false;
	}
}

/* Messages come in flurries: after each one it spins again. */
static void receive_next(void)
{
	uint64_t least = node.crowded ? SPIN_CROWDED_NS : SPIN_MIN_NS;

	if (block_at_once) {
		block_at_once--;
	} else if (spin()) {
		spin_ns = spin_ns * 2 < SPIN_MAX_NS ? spin_ns * 2 : SPIN_MAX_NS;
		return;
	} else {
		spin_ns = spin_ns / 2 > least ? spin_ns / 2 : least;
	}
	receive(-1);
}

void await__message(const uint32_t *word, uint32_t value)
{
	transport__seize(node.transport);
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value)
		receive_next();
	transport__release(node.transport);
}
