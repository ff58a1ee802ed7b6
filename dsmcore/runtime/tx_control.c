/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tx_control.c - the calls of dsm.h by which a program decides what becomes of its transaction: cancel,
 * retry, irrevocable.
 */
#include "dsm.h"
#include "dsmcore/launch/options.h"
#include "dsmcore/runtime/dispatch.h"
#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/section.h"
#include "dsmcore/runtime/strict.h"
#include "dsmcore/runtime/tx.h"

/* The checks of all calls that only make sense in a transaction. */
static void require_inside(const void *pc, const char *call)
{
	tx__require_mutator(pc, call);
	if (section__inside())
		node__fatal(pc,
			    "%s in a critical section: what the block has done cannot be undone; it needs "
			    "--consistency tx, "
			    "and this run has %s",
			    call, options__model(node.options.consistency));
	if (!tx.depth)
		node__fatal(pc, "%s outside a transaction: put it into DSM_TX { }", call);
}

static void require_revocable(const void *pc, const char *call)
{
	require_inside(pc, call);
	if (tx__independent()) /* in all runs: the program is what is wrong */
		node__fatal(pc,
			    "%s in a DSM_TX_FOR_INDEPENDENT, which is not undone: make it a DSM_TX_FOR (a "
			    "DSM_TX_INDEPENDENT a DSM_TX)",
			    call);
	if (tx.irrevocable)
		node__fatal(
			pc,
			"%s after dsm_irrevocable(): from there on the transaction is not undone any more",
			call);
}

void(dsm_cancel)(void)
{
	struct core_event event = {.type = CORE_CANCEL};

	require_revocable(NODE_CALLER, "dsm_cancel()");
	pthread_mutex_lock(&node.lock);
	dispatch__mutator(&event, NULL);
	pthread_mutex_unlock(&node.lock);
	tx__unwind(TX_CANCELLED);
}

void(dsm_retry)(void)
{
	struct core_event event = {.type = CORE_RETRY};
	const void *pc = NODE_CALLER;

	require_revocable(pc, "dsm_retry()");
	pthread_mutex_lock(&node.lock);
	uint64_t start = events__now();

	tx.retry_pc = pc;
	node__check_lonely_retry();
	dispatch__mutator(&event, NULL);
	tx.retry_pc = NULL;
	COUNT(retries, 1);
	COUNT(retry_ns, events__now() - start);
	pthread_mutex_unlock(&node.lock);
	tx__unwind(TX_AGAIN);
}

void dsm_irrevocable(void)
{
	struct core_event event = {.type = CORE_IRREVOCABLE};

	if (section__inside())
		return;
	require_inside(NODE_CALLER, "dsm_irrevocable()");
	if (tx.irrevocable || tx__never_undone())
		return;
	pthread_mutex_lock(&node.lock);
	bool undone = dispatch__mutator(&event, NULL) == OUTCOME_ABORT;

	tx.irrevocable = !undone;
	COUNT(irrevocable, !undone);
	pthread_mutex_unlock(&node.lock);
	if (undone)
		tx__unwind(TX_AGAIN);
	strict__irrevocable();
}

void tx__require_writable(const void *pc, const char *call)
{
	if (tx.depth && tx.read_only)
		node__fatal(pc, "%s in a DSM_TX_READ, which must not change anything: make it a DSM_TX",
			    call);
}
