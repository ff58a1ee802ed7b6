/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dispatch.c - the port between the protocol core and the machine: each action of a step is carried out in
 * order, under node.lock. While it waits for an answer the mutator receives the node's messages (await.c).
 */
#include "dsmcore/runtime/dispatch.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dsmcore/memory/alloc_hooks.h"
#include "dsmcore/memory/diff.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/runtime/await.h"
#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/evidence.h"
#include "dsmcore/runtime/intervals.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/pages.h"
#include "dsmcore/runtime/tx.h"

enum { IDLE, WAITING, RESUMED, ABORTED, LOST, INTERRUPTED };

static struct {
	uint32_t state; /* of the mutator */
	enum core_fault fault;
	uint16_t lost_with;	/* LOST */
	uint8_t *scratch;	/* encoded diffs of one message */
	struct wire_blob *blob; /* of the message being sent */
	size_t blobs;
	uint64_t tick_ns;  /* when CORE_TICK is due, or 0 */
	uint64_t given_ns; /* when the mutator was last resumed from an access, 0 while it waits */
} port;

bool dispatch__waiting(void)
{
	return __atomic_load_n(&port.state, __ATOMIC_ACQUIRE) == WAITING;
}

/* ---- waiting ---- */

/* The answer comes in a message that the mutator receives itself: the step that has it sets the state. */
static void wait_for_answer(void)
{
	pthread_mutex_unlock(&node.lock);
	await__message(&port.state, WAITING);
	pthread_mutex_lock(&node.lock);
}

static void answer(uint32_t state, enum core_fault fault)
{
	port.fault = fault;
	__atomic_store_n(&port.state, state, __ATOMIC_RELEASE);
}

void dispatch__interrupt(void)
{
	uint32_t waiting = WAITING;

	if (tx.retry_pc && __atomic_compare_exchange_n(&port.state, &waiting, INTERRUPTED, false,
						       __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		transport__kick(node.transport); /* it may be just about to block */
}

/* ---- messages ---- */

static void reserve(size_t entries)
{
	if (entries <= port.blobs)
		return;
	port.blob = realloc(port.blob, entries * sizeof(*port.blob));
	port.scratch = realloc(port.scratch, entries * (size_t)DIFF_PAGE);
	port.blobs = entries;
	if (!port.blob || !port.scratch)
		node__fatal(NULL, "out of memory for a message of %zu pages", entries);
}

/* What goes out tells what pages that are sc or rc cost. */
static void count_message(const struct core_msg *msg)
{
	switch (msg->type) {
	case CORE_MSG_FLUSH:
		COUNT_LOCKED(flushes, 1);
		COUNT_LOCKED(flushed_pages, msg->npages);
		break;
	case CORE_MSG_SPREAD:
	case CORE_MSG_BRING:
		COUNT_LOCKED(spreads, 1);
		COUNT_LOCKED(spread_pages, msg->npages);
		break;
	case CORE_MSG_SEEN:
		for (uint32_t i = 0; i < msg->npages; i++)
			COUNT_LOCKED(copies_given_up, msg->entries[i].flags & CORE_ENTRY_REFUSED ? 1 : 0);
		break;
	default:
		break;
	}
}

static void send_message(const struct core_msg *msg)
{
	size_t n = msg->npages + msg->nwset;

	count_message(msg);
	reserve(n);
	for (size_t i = 0; i < n; i++)
		port.blob[i] = pages__attach(&msg->entries[i], port.scratch + i * DIFF_PAGE);
	int err = transport__send(node.transport, msg, port.blob);

	/* A peer that has died: the core hears of it soon (dispatch__lost()). */
	if (err && err != -EPIPE)
		node__fatal(NULL, "%s to node %u: %s", core_msg__name(msg->type), msg->to, strerror(-err));
}

static void doom(void)
{
	__atomic_store_n(&tx.doomed, true, __ATOMIC_RELEASE);
	if (gettid() != node.mutator)
		tgkill(getpid(), node.mutator, SIGURG);
}

/* ---- time ---- */

#define TICK_NS 50000u

/* The mutator may keep what it was given for TICK_NS since then; if they are over, a nanosecond will do. While it waits
 * for something else it keeps it. Whoever receives looks whether the tick is due; and a timer wakes the service thread,
 * in case nobody does. */
static void set_tick(void)
{
	uint64_t now = events__now(), end = (port.given_ns ? port.given_ns : now) + TICK_NS;
	uint64_t left = end > now ? end - now : 1;

	if (__atomic_load_n(&port.tick_ns, __ATOMIC_RELAXED) || !node.transport)
		return;
	__atomic_store_n(&port.tick_ns, now + left, __ATOMIC_RELEASE);
	transport__alarm(node.transport, left + left / 16);
}

/* ---- steps ---- */

struct verdict {
	enum { NOTHING, RESUME, WAIT, ABORT, GIVE_UP } what;
	enum core_fault fault;
	uint16_t with; /* GIVE_UP: a lost node */
};

static struct verdict carry_out(const struct core_actions *actions, const struct core_msg *msg,
				const struct wire_blob *blobs)
{
	struct verdict v = {NOTHING, CORE_FAULT_NONE, 0};

	for (size_t i = 0; i < actions->count; i++) {
		const struct core_action *a = &actions->list[i];

		switch (a->type) {
		case CORE_DO_RESUME:
			v = (struct verdict){RESUME, a->fault, 0};
			if (a->fault != CORE_FAULT_NONE || !port.given_ns)
				port.given_ns = events__now();
			break;
		case CORE_DO_WAIT:
			v.what = WAIT;
			port.given_ns = 0;
			break;
		case CORE_DO_ABORT:
			v.what = ABORT;
			break;
		case CORE_DO_LOST:
			v = (struct verdict){GIVE_UP, CORE_FAULT_NONE, a->node};
			break;
		case CORE_DO_DOOM:
			doom();
			break;
		case CORE_DO_SEND:
			send_message(&a->msg);
			break;
		case CORE_DO_PROTECT:
			i += pages__protect(a, actions->count - i) - 1;
			break;
		case CORE_DO_TWIN:
		case CORE_DO_UNTWIN:
		case CORE_DO_RESTORE:
		case CORE_DO_REFRESH:
		case CORE_DO_RESET:
		case CORE_DO_PROMOTE:
		case CORE_DO_REBASE:
		case CORE_DO_STORE:
		case CORE_DO_STORE_NEXT:
		case CORE_DO_HOLD:
		case CORE_DO_TAKE:
		case CORE_DO_MERGE:
		case CORE_DO_DROP:
			pages__carry_out(a, blobs);
			break;
		case CORE_DO_TICK:
			set_tick();
			break;
		case CORE_DO_EMIT:
			evidence__emit(a, msg, blobs);
			break;
		}
	}
	return v;
}

static bool waits(const struct core_actions *actions)
{
	for (size_t i = 0; i < actions->count; i++)
		if (actions->list[i].type == CORE_DO_WAIT)
			return true;
	return false;
}

/* Of the mutator. */
static struct verdict step(const struct core_event *event)
{
	const struct core_actions *actions;
	int err = core_step(node.core, event, &actions);

	if (err)
		node__fatal(NULL, "the protocol refused a step of kind %d: %s", event->type, strerror(-err));
	/* The answer is read here; over some streams (libfabric's tcp) sending alone would wake the other. */
	bool quiet = node.transport && waits(actions) && transport__quiet(node.transport);
	struct verdict v = carry_out(actions, NULL, NULL);

	if (quiet && v.what != WAIT)
		transport__unquiet(node.transport);
	return v;
}

static struct verdict answer_of(uint32_t state)
{
	return (struct verdict){
		.what = state == ABORTED ? ABORT
			: state == LOST	 ? GIVE_UP
					 : RESUME,
		.fault = port.fault,
		.with = port.lost_with,
	};
}

/* Where the page will be stored has often not been looked at for long. While it travels there is time to bring
 * its lines, and the tables that lead to them, near. */
static void expect(const struct core_event *event)
{
	const uint8_t *frame = region__frame(node.region, event->page);

	for (size_t i = 0; event->type == CORE_ACCESS && i < DSM_PAGE_BYTES; i += 64)
		__builtin_prefetch(frame + i, 1);
}

static enum outcome step_mutator(const struct core_event *event, enum core_fault *fault)
{
	const struct core_event wake = {.type = CORE_WAKE};
	struct verdict v = step(event);

	if (v.what == WAIT) {
		__atomic_store_n(&port.state, WAITING, __ATOMIC_RELEASE);
		expect(event);
		wait_for_answer();
		if (port.state == INTERRUPTED)
			v = step(&wake);
		else
			v = answer_of(port.state);
		port.state = IDLE;
	}
	if (v.what == GIVE_UP)
		node__depends_on_lost(v.with);
	if (fault)
		*fault = v.fault;
	return v.what == ABORT ? OUTCOME_ABORT : OUTCOME_RESUME;
}

enum outcome dispatch__mutator(const struct core_event *event, enum core_fault *fault)
{
	enum outcome outcome;

	/* What carries the messages (OpenSSL) allocates, and an abort must not undo that. */
	alloc_hooks__enter();
	outcome = step_mutator(event, fault);
	alloc_hooks__leave();
	return outcome;
}

/* After a step that was not the mutator's: it may end the mutator's wait. */
static void tell_mutator(struct verdict v)
{
	if (v.what == RESUME)
		answer(RESUMED, v.fault);
	else if (v.what == ABORT)
		answer(ABORTED, CORE_FAULT_NONE);
	if (v.what != GIVE_UP)
		return;
	port.lost_with = v.with;
	answer(LOST, CORE_FAULT_NONE);
}

void dispatch__message(const struct core_msg *msg, const struct wire_blob *blobs)
{
	struct core_event event = {.type = CORE_MESSAGE, .msg = msg};
	const struct core_actions *actions;

	if (msg->type == CORE_MSG_FLUSHED)
		intervals__flushed();
	if (core__flushes(node.core, msg))
		event.changed = pages__written();
	int err = core_step(node.core, &event, &actions);

	if (err)
		node__fatal(NULL, "%s from node %u does not fit the protocol: %s", core_msg__name(msg->type),
			    msg->from, strerror(-err));
	tell_mutator(carry_out(actions, msg, blobs));
}

void dispatch__tick(void)
{
	struct core_event event = {.type = CORE_TICK};
	const struct core_actions *actions;
	uint64_t due = __atomic_load_n(&port.tick_ns, __ATOMIC_ACQUIRE);

	if (!due || events__now() < due)
		return;
	pthread_mutex_lock(&node.lock);
	if (port.tick_ns == due) {
		__atomic_store_n(&port.tick_ns, 0, __ATOMIC_RELAXED);
		if (gettid() == node.mutator) /* so nobody need be woken for it, on this core */
			transport__alarm(node.transport, 0);
		if (core__flushes(node.core, NULL))
			event.changed = pages__written();
		int err = core_step(node.core, &event, &actions);

		if (err)
			node__fatal(NULL, "the protocol refused a tick: %s", strerror(-err));
		tell_mutator(carry_out(actions, NULL, NULL));
	}
	pthread_mutex_unlock(&node.lock);
}

void dispatch__lost(uint16_t peer)
{
	struct core_event event = {.type = CORE_LOST, .node = peer};
	const struct core_actions *actions;
	int err = core_step(node.core, &event, &actions);

	if (err)
		node__fatal(NULL, "the protocol cannot go on without node %u: %s", peer, strerror(-err));
	tell_mutator(carry_out(actions, NULL, NULL));
}
