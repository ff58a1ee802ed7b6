/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * standing.c - what the mutator waits for, in words.
 *
 * The mutator waits (dispatch__waiting()) only with its state at rest under node.lock; so it can be read here. One that does
 * not wait is interrupted by the signal that dooming sends, whose handler says where it was: its instruction, or where
 * the program has called the library that it is in. (The signal may also end what it waits for, sleep() for one, and the
 * program with it: so the handler says it at once.)
 */
#include "dsmcore/runtime/standing.h"

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "dsmcore/launch/control.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/runtime/caller.h"
#include "dsmcore/runtime/dispatch.h"
#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/modules.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/safepoint.h"
#include "dsmcore/runtime/section.h"
#include "dsmcore/runtime/tx.h"

#define HELD_MOST 8u	       /* locks; who holds more has told enough */
#define ANSWER_NS 150000000ull /* for the mutator to say where it is; dsmrun waits twice as long */
#define NOWHERE	  "computes, or waits for something that is not the DSM"

static struct {
	atomic_bool quit; /* SIGQUIT has come */
	bool asked;
	uint64_t asked_ns;	      /* since when the mutator is to say where it is; 0: it is not */
	atomic_bool wanted, answered; /* of it; by it */
} standing;

/* ---- the mutator's side ---- */

void standing__answer(const ucontext_t *context)
{
	const void *at = (const void *)context->uc_mcontext.gregs[REG_RIP], *pc;

	if (!atomic_exchange(&standing.wanted, false))
		return;
	pc = caller__in_program(at);
	if (!pc)
		node__say(NULL, NOWHERE);
	else if (modules__in_program(at))
		node__say(pc, "computes");
	else if (modules__in_runtime(at))
		node__say(pc, "is in a call of dsm.h, made");
	else
		node__say(pc, "computes or waits in a library, which was called");
	atomic_store(&standing.answered, true);
}

static void on_quit(int sig)
{
	(void)sig;
	atomic_store(&standing.quit, true);
}

void standing__open(void)
{
	struct sigaction ask = {.sa_handler = on_quit, .sa_flags = SA_RESTART | SA_ONSTACK}, now;

	sigemptyset(&ask.sa_mask);
	if (control__helped(node.control) && !sigaction(SIGQUIT, NULL, &now) && now.sa_handler == SIG_DFL)
		safepoint__sigaction(SIGQUIT, &ask, NULL);
}

/* ---- the service thread's side ---- */

static void say_lock(const char *what, uint64_t lock, const void *pc)
{
	char text[128];

	if (section__of_place(lock))
		snprintf(text, sizeof(text), "%s the lock of the block", what);
	else
		snprintf(text, sizeof(text), "%s the lock of %p, asked for", what,
			 region__address(node.region, lock));
	node__say(pc, text);
}

static void say_waits(void)
{
	char text[64];
	uint64_t lock;

	if (tx.at_barrier) {
		snprintf(text, sizeof(text), "waits at its barrier %" PRIu64, tx.barriers);
		node__say(tx.barrier_pc, text);
	} else if (tx.retry_pc) {
		node__say(tx.retry_pc, "waits for a change, in dsm_retry()");
	} else if (section__awaits(&lock)) {
		say_lock("waits for", lock, tx.needs_pc);
	} else if (tx.depth) {
		node__say(tx.begin_pc, "waits for other nodes, in the transaction that begins");
	} else {
		node__say(tx.needs_pc, "waits for a page");
	}
}

/* The locks of one that computes are its own business: they change while it does. */
static void say_held(void)
{
	struct section_lock held[HELD_MOST];
	unsigned n = section__held(held, HELD_MOST);

	for (unsigned i = 0; i < n; i++)
		say_lock("holds", held[i].lock, held[i].pc);
}

/* False: the mutator has yet to say it. */
static bool tell(uint64_t now)
{
	if (standing.asked_ns && atomic_load(&standing.answered))
		return true;
	if (control__leaves(node.control)) {
		node__say(NULL, "its program has ended");
	} else if (dispatch__waiting()) {
		say_waits();
		say_held();
	} else if (!standing.asked_ns) {
		standing.asked_ns = now;
		atomic_store(&standing.answered, false);
		atomic_store(&standing.wanted, true);
		tgkill(getpid(), node.mutator, SIGURG);
		return false;
	} else if (now - standing.asked_ns < ANSWER_NS) {
		return false;
	} else if (atomic_exchange(&standing.wanted, false)) {
		node__say(NULL, NOWHERE);
	}
	return true;
}

void standing__tell_if_asked(void)
{
	if (control__asked(node.control))
		standing.asked = true;
	if (atomic_exchange(&standing.quit, false))
		standing.asked = true;
	if (!standing.asked || !tell(events__now()))
		return;
	atomic_store(&standing.wanted, false); /* it waits for the DSM by now */
	standing.asked = false;
	standing.asked_ns = 0;
}
