/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * standing.c - what the mutator waits for, in words.
 *
 * The mutator waits (dispatch__waiting()) only with its state at rest under node.lock; so it can be read here. Of one that
 * does not wait nothing is known without stopping it.
 */
#include "dsmcore/runtime/standing.h"

#include <inttypes.h>
#include <stdio.h>

#include "dsmcore/launch/control.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/runtime/dispatch.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/section.h"
#include "dsmcore/runtime/tx.h"

#define HELD_MOST 8u /* locks; who holds more has told enough */

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

void standing__tell_if_asked(void)
{
	struct section_lock held[HELD_MOST];
	unsigned n;

	if (!control__asked(node.control))
		return;
	if (!dispatch__waiting()) {
		node__say(NULL, "computes, or waits for something that is not the DSM");
		return;
	}
	say_waits();
	n = section__held(held, HELD_MOST);
	for (unsigned i = 0; i < n; i++)
		say_lock("holds", held[i].lock, held[i].pc);
}
