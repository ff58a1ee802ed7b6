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

#include "dsmcore/runtime/dispatch.h"
#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/transport/transport.h"

#define SPIN_MAX_NS	200000u
#define SPIN_MIN_NS	50000u /* nobody else wants the core but this node's own threads */
#define SPIN_CROWDED_NS 5000u
#define YIELD_LONG_NS	500000u /* somebody computes on this core: yielding costs a time slice */
#define YIELD_NOT_FOR	256u	/* waits, after such a one */

#define NEAR_KEEP_NS 400000u /* before a barrier: that long at most, if it does not come */

#define QUICK_NS 30000u	 /* from the end of a wait to the next attempt: a loop of small transactions */
#define QUICK	 4u	 /* in a row: worth keeping the receiving */
#define KEEP_NS	 100000u /* without a message, and it is given back */
#define SKIP_MAX 10u	 /* doublings */

static uint64_t spin_ns = SPIN_MAX_NS;
static unsigned block_at_once; /* waits to go without spinning */

static int receive(int timeout_ms)
{
	int n = transport__receive(node.transport, timeout_ms);

	if (n < 0)
		node__deaf(n);
	return n;
}

/* True when something came within the time. */
static bool spin(void)
{
	uint64_t now = events__now(), end = now + spin_ns;

	for (;;) {
		dispatch__tick();
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

/* ---- between two waits ---- */

/* A program in a loop of small transactions, whose pages other nodes change all the time: what comes between
 * two attempts would have to wake the service thread, on this very core (25 us on a virtual machine), and
 * would find the mutator in the middle of an attempt, more often than not holding the lock. So the mutator
 * keeps the receiving from one wait to the next and looks at each attempt's beginning. That is a guess, and
 * other nodes would pay for it: they wait for up to a millisecond if it does not look after all. The more
 * often nothing came of it, the longer until it is tried again. */
static struct {
	bool on;	   /* the mutator has kept the receiving */
	bool near;	   /* since a barrier is near */
	uint64_t looked;   /* near: the last time */
	uint64_t deaf;	   /* near: the longest time between two looks */
	bool useful;	   /* a message came since */
	uint64_t until;	   /* to be given back, if none comes */
	uint64_t wait_end; /* 0: no attempt without one since */
	unsigned quick;	   /* attempts in a row that began soon after a wait */
	unsigned skip, failures;
} keep;

static void end_keeping(bool useful)
{
	bool guessed = !keep.near;

	keep.on = keep.near = false;
	if (!guessed)
		return;
	if (useful && keep.failures)
		keep.failures--;
	else if (!useful && keep.failures < SKIP_MAX)
		keep.failures++;
	keep.skip = (1u << keep.failures) - 1;
}

static bool worth_keeping(void)
{
	if (keep.on)
		return true;
	if (keep.quick < QUICK || node.crowded)
		return false;
	if (keep.skip) {
		keep.skip--;
		return false;
	}
	keep.useful = false;
	return true;
}

static void note_deafness(uint64_t now)
{
	if (keep.near && now - keep.looked > keep.deaf)
		keep.deaf = now - keep.looked;
}

uint64_t await__deaf_ns(void)
{
	uint64_t deaf;

	note_deafness(events__now());
	deaf = keep.deaf;
	keep.deaf = 0;
	return deaf;
}

static void receive_kept(uint64_t now)
{
	if (keep.near && now - keep.looked < AWAIT_LOOK_NS)
		return;
	int n = transport__look(node.transport);

	note_deafness(now);
	keep.looked = now;
	if (n > 0) {
		keep.useful = true;
		keep.until = now + (keep.near ? NEAR_KEEP_NS : KEEP_NS);
	} else if (n == -ENOENT) {
		end_keeping(false);
	} else if (n < 0) {
		node__deaf(n);
	} else if (now > keep.until) {
		transport__give_back(node.transport);
		end_keeping(keep.useful);
	}
}

void await__look(void)
{
	uint64_t now;

	if (!keep.on && !keep.wait_end)
		return;
	now = events__now();
	if (keep.wait_end)
		keep.quick = now - keep.wait_end < QUICK_NS ? keep.quick + 1 : 0;
	keep.wait_end = 0;
	if (keep.on)
		receive_kept(now);
}

/* The same for a loop that is about to end at a barrier. Nodes that compute the same come there within some ten microseconds of
 * each other; what the first one sends would wake the service thread of another just before that is there itself, and
 * then each of the two has lost as much as the barrier itself takes (on a virtual machine 50 us to wake, and 50 to be interrupted). */
void await__near(void)
{
	if (keep.on || node.crowded || !node.transport)
		return;
	transport__seize(node.transport);
	keep.on = keep.near = true;
	keep.looked = events__now();
	keep.until = keep.looked + NEAR_KEEP_NS;
	transport__keep_briefly(node.transport);
}

/* ---- one wait ---- */

static bool receiving; /* the mutator does */

static void begin(void)
{
	if (!receiving && node.transport)
		transport__seize(node.transport);
	receiving = node.transport;
	if (keep.near)
		note_deafness(events__now());
	else if (keep.on && events__now() > keep.until)
		end_keeping(keep.useful);
}

void await__depart(void)
{
	if (!receiving)
		return;
	receiving = false;
	keep.wait_end = keep.looked = events__now();
	keep.on = worth_keeping();
	keep.until = keep.wait_end + (keep.near ? NEAR_KEEP_NS : KEEP_NS);
	if (keep.near) /* that was the last commit before the barrier */
		transport__keep_briefly(node.transport);
	else if (keep.on)
		transport__keep(node.transport);
	else
		transport__release(node.transport);
}

void await__arrive(void)
{
	begin();
	if (keep.near)
		end_keeping(false);
}

void await__message(const uint32_t *word, uint32_t value)
{
	begin();
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value)
		receive_next();
	await__depart();
}
