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
#include <sys/syscall.h>
#include <unistd.h>

#include "dsmcore/memory/alloc_hooks.h"
#include "dsmcore/memory/diff.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/memory/shadow.h"
#include "dsmcore/runtime/await.h"
#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/evidence.h"
#include "dsmcore/runtime/intervals.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/tx.h"

enum { IDLE, WAITING, RESUMED, ABORTED, LOST, INTERRUPTED };

/* Which pages of a list differ from their twins, and where. */
struct comparison {
	bool *changed;	  /* by place in the list */
	uint64_t *blocks; /* the same: diff__blocks() */
	size_t room;
};

static struct {
	struct shadow *twin, *next;
	uint32_t state; /* of the mutator */
	enum core_fault fault;
	uint16_t lost_with; /* LOST */
	uint8_t *scratch;   /* encoded diffs of one message */
	size_t scratch_bytes;
	/* Two, since a lock may be wanted, and what was written flushed, while a commit waits. */
	struct comparison dirty, written;
	struct wire_blob *blob; /* of the message being sent */
	size_t blobs;
	struct wire_blob *held; /* changes kept beyond a step, by number - 1 */
	size_t holds;
	uint64_t tick_ns;  /* when CORE_TICK is due, or 0 */
	uint64_t given_ns; /* when the mutator was last resumed from an access, 0 while it waits */
} port;

int dispatch__open(uint32_t pages)
{
	int err = shadow__open(&port.twin, pages);

	return err ? err : shadow__open(&port.next, pages);
}

/* The committed bytes of a page on this node. */
static const uint8_t *committed_bytes(uint32_t page)
{
	uint8_t *bytes = shadow__get(port.next, page);

	if (!bytes)
		bytes = shadow__get(port.twin, page);
	return bytes ? bytes : region__frame(node.region, page);
}

const uint8_t *dispatch__twin(uint32_t page)
{
	return shadow__get(port.twin, page);
}

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

/* ---- single actions ---- */

static uint8_t *shadow_or_die(struct shadow *s, uint32_t page)
{
	uint8_t *copy = shadow__make(s, page);

	if (!copy)
		node__fatal(NULL, "out of memory for the twin of a page");
	return copy;
}

static void protect(uint32_t page, uint32_t count, enum core_rights rights)
{
	/* Between transactions strict mode keeps all pages closed (strict__end()). */
	if (node.options.strict && core__model(node.core, page) == CORE_TX &&
	    !core__attempt(node.core, NULL).number)
		rights = CORE_NONE;
	int err = region__protect(node.region, page, count, rights);

	if (err)
		node__fatal(NULL, "page %u: rights cannot be set: %s", page, strerror(-err));
	intervals__rights(page, count, rights);
}

/* Keeps a copy of the blob as `hold`. */
static void keep(uint32_t hold, const struct wire_blob *blob)
{
	uint8_t *copy = malloc(blob->bytes + 1);

	if (hold > port.holds) {
		port.held = realloc(port.held, 2 * hold * sizeof(*port.held));
		port.holds = 2 * hold;
	}
	if (!copy || !port.held)
		node__fatal(NULL, "out of memory for the changes of a page");
	if (blob->bytes)
		memcpy(copy, blob->data, blob->bytes);
	struct wire_blob *to = &port.held[hold - 1];

	*to = *blob;
	to->data = copy;
}

const struct wire_blob *dispatch__held(uint32_t hold)
{
	return &port.held[hold - 1];
}

static struct wire_blob attach(const struct core_entry *e, uint8_t *room)
{
	if (e->data == CORE_DATA_NONE)
		return (struct wire_blob){.kind = WIRE_NONE};
	if (e->hold)
		return *dispatch__held(e->hold);
	if (e->data == CORE_DATA_CHANGES) {
		const uint8_t *twin = shadow__get(port.twin, e->page);
		const uint8_t *frame = region__frame(node.region, e->page);
		size_t n = twin ? diff__encode(frame, twin, room) : 0;

		return n ? (struct wire_blob){WIRE_DIFF, (uint32_t)n, room}
			 : (struct wire_blob){WIRE_PAGE, TRANSPORT_PAGE, frame};
	}
	return (struct wire_blob){WIRE_PAGE, TRANSPORT_PAGE, committed_bytes(e->page)};
}

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
		port.blob[i] = attach(&msg->entries[i], port.scratch + i * DIFF_PAGE);
	int err = transport__send(node.transport, msg, port.blob);

	/* A peer that has died: the core hears of it soon (dispatch__lost()). */
	if (err && err != -EPIPE)
		node__fatal(NULL, "%s to node %u: %s", core_msg__name(msg->type), msg->to, strerror(-err));
}

static void apply(uint8_t *to, const struct wire_blob *blob)
{
	if (blob->kind == WIRE_PAGE)
		memcpy(to, blob->data, DSM_PAGE_BYTES);
	else if (blob->kind == WIRE_DIFF && diff__apply(to, blob->data, blob->bytes))
		node__fatal(NULL, "another node sent a damaged diff");
}

/* What came with the message, or was kept. */
static const struct wire_blob *blob_of(const struct core_action *a, const struct wire_blob *blobs)
{
	if (!blobs && !a->hold)
		node__fatal(NULL, "the protocol stores a page without a message");
	return a->hold ? dispatch__held(a->hold) : &blobs[a->entry];
}

static void store(const struct core_action *a, const struct wire_blob *blobs)
{
	const struct wire_blob *blob = blob_of(a, blobs);

	if (a->type == CORE_DO_STORE) {
		apply(region__frame(node.region, a->page), blob);
		return;
	}
	const uint8_t *committed = committed_bytes(a->page);
	uint8_t *next = shadow_or_die(port.next, a->page);

	if (next != committed)
		memcpy(next, committed, DSM_PAGE_BYTES);
	apply(next, blob);
}

/* The mutator may be writing: what is compared and what the twin becomes must be the same bytes. */
static void take(const struct core_action *a)
{
	uint8_t now[DSM_PAGE_BYTES], diff[DIFF_EXACT_BYTES], *twin = shadow__get(port.twin, a->page);
	bool mask;

	if (!twin)
		node__fatal(NULL, "the protocol takes changes of page %u, which has no twin", a->page);
	memcpy(now, region__frame(node.region, a->page), sizeof(now));
	size_t n = diff__encode_exact(now, twin, diff, &mask);

	memcpy(twin, now, sizeof(now));
	keep(a->hold, &(struct wire_blob){mask ? WIRE_MASK : WIRE_DIFF, (uint32_t)n, diff});
}

static void apply_exactly(uint8_t *to, const struct wire_blob *blob)
{
	int err = blob->kind == WIRE_MASK   ? diff__apply_mask(to, blob->data, blob->bytes)
		  : blob->kind == WIRE_DIFF ? diff__apply(to, blob->data, blob->bytes)
					    : -EBADMSG;

	if (err)
		node__fatal(NULL, "another node sent damaged changes of a page");
}

/* The twin, too: what came from elsewhere is no change of this node. */
static void merge(const struct core_action *a, const struct wire_blob *blobs)
{
	const struct wire_blob *blob = blob_of(a, blobs);
	uint8_t *twin = shadow__get(port.twin, a->page);

	apply_exactly(region__frame(node.region, a->page), blob);
	if (twin)
		apply_exactly(twin, blob);
}

static void make_twins(uint32_t page, uint32_t count)
{
	for (uint32_t i = page; i < page + count; i++)
		memcpy(shadow_or_die(port.twin, i), region__frame(node.region, i), DSM_PAGE_BYTES);
}

/* The last one first: the next twins lie where these lay, and in the same order. */
static void drop_twins(uint32_t page, uint32_t count)
{
	for (uint32_t i = page + count; i-- > page;)
		shadow__drop(port.twin, i);
}

static void take_back(struct shadow *s, uint32_t page)
{
	const uint8_t *copy = shadow__get(s, page);

	if (copy)
		memcpy(region__frame(node.region, page), copy, DSM_PAGE_BYTES);
	shadow__drop(s, page);
}

/* ---- pages that stay writable ---- */

static void reserve_changes(struct comparison *c, size_t n)
{
	if (n <= c->room)
		return;
	free(c->changed);
	free(c->blocks);
	c->room = 2 * n;
	c->changed = malloc(c->room * sizeof(*c->changed));
	c->blocks = malloc(c->room * sizeof(*c->blocks));
	if (!c->changed || !c->blocks)
		node__fatal(NULL, "out of memory for a write set of %zu pages", n);
}

/* What stays writable has its twin brought up to date, block by block; of others it is enough to know whether
 * they differ, and mostly their first bytes tell. */
static uint64_t changed_blocks(uint32_t page)
{
	const uint8_t *frame = region__frame(node.region, page), *twin = shadow__get(port.twin, page);

	if (core__stays(node.core, page))
		return diff__blocks(frame, twin);
	return diff__any(frame, twin) ? ~0ull : 0;
}

static const bool *compare(struct comparison *c, const uint32_t *page, size_t n)
{
	reserve_changes(c, n);
	for (size_t i = 0; i < n; i++) {
		c->blocks[i] = changed_blocks(page[i]);
		c->changed[i] = c->blocks[i] != 0;
	}
	return c->changed;
}

const bool *dispatch__changes(void)
{
	size_t n;
	const uint32_t *page = core__dirty(node.core, &n);

	return compare(&port.dirty, page, n);
}

const bool *dispatch__written(void)
{
	size_t n;
	const uint32_t *page = core__written(node.core, &n);

	return compare(&port.written, page, n);
}

/* Its place in core__dirty(). */
static size_t place_of(uint32_t page)
{
	size_t low = 0, high;
	const uint32_t *list = core__dirty(node.core, &high);

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (list[middle] <= page)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* The mutator has waited since dispatch__changes() compared the pages, so no other block has changed. */
static void refresh(uint32_t page, uint32_t count)
{
	size_t at = place_of(page);

	for (uint32_t i = 0; i < count; i++)
		diff__copy_blocks(shadow__get(port.twin, page + i), region__frame(node.region, page + i),
				  port.dirty.blocks[at + i]);
}

static void reset(uint32_t page, uint32_t count)
{
	for (uint32_t i = page; i < page + count; i++) {
		uint8_t *frame = region__frame(node.region, i);
		const uint8_t *twin = shadow__get(port.twin, i);

		diff__copy_blocks(frame, twin, diff__blocks(frame, twin));
	}
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
			protect(a->page, a->count, a->rights);
			break;
		case CORE_DO_TWIN:
			make_twins(a->page, a->count);
			break;
		case CORE_DO_UNTWIN:
			drop_twins(a->page, a->count);
			break;
		case CORE_DO_RESTORE:
			for (uint32_t p = a->page; p < a->page + a->count; p++)
				take_back(port.twin, p);
			break;
		case CORE_DO_REFRESH:
			COUNT_LOCKED(sticky_writes, a->count);
			refresh(a->page, a->count);
			break;
		case CORE_DO_RESET:
			reset(a->page, a->count);
			break;
		case CORE_DO_PROMOTE:
			take_back(port.next, a->page);
			break;
		case CORE_DO_STORE:
		case CORE_DO_STORE_NEXT:
			store(a, blobs);
			break;
		case CORE_DO_HOLD:
			if (!blobs)
				node__fatal(NULL, "the protocol keeps a page without a message");
			keep(a->hold, &blobs[a->entry]);
			break;
		case CORE_DO_TAKE:
			take(a);
			break;
		case CORE_DO_MERGE:
			merge(a, blobs);
			break;
		case CORE_DO_TICK:
			set_tick();
			break;
		case CORE_DO_DROP:
			free((void *)dispatch__held(a->hold)->data);
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
		event.changed = dispatch__written();
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
