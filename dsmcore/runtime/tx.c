/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tx.c - attempts: how one starts, ends and is undone; and the calls of dsm.h that belong to it.
 *
 * Starting saves the registers and the mutator's stack (snapshot.h). Undoing means: the core has ordered
 * the pages back, the log of other effects is undone, then stack and registers are put back, and the
 * mutator finds itself in dsm__tx_begin() once more.
 *
 * SAFE POINTS. An attempt becomes doomed at any time, by the service thread. It is undone only where that
 * can do no harm:
 *  - at a fault on DSM memory whose instruction is in the program's own text,
 *  - in the calls of dsm.h,
 *  - in the signal that dooming sends, when it finds the mutator in the program's own text.
 * Elsewhere, in a library that may hold a lock, the attempt goes on. It can do so because a doomed attempt
 * keeps seeing the pages as they were; only a page that it touches for the first time may be newer.
 */
#include "dsmcore/runtime/tx.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "dsm.h"
#include "dsmcore/launch/options.h"
#include "dsmcore/memory/alloc_hooks.h"
#include "dsmcore/memory/objects.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/runtime/await.h"
#include "dsmcore/runtime/contention.h"
#include "dsmcore/runtime/dispatch.h"
#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/evidence.h"
#include "dsmcore/runtime/history.h"
#include "dsmcore/runtime/intervals.h"
#include "dsmcore/runtime/loop.h"
#include "dsmcore/runtime/microscope.h"
#include "dsmcore/runtime/modules.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/pages.h"
#include "dsmcore/runtime/safepoint.h"
#include "dsmcore/runtime/sanitizer.h"
#include "dsmcore/runtime/section.h"
#include "dsmcore/runtime/strict.h"
#include "dsmcore/runtime/txlog.h"

/* Below the DSM, at the same address on each node, so that addresses of locals are the same too. */
#define STACK_TOP     (DSM_BASE - 0x100000000ull)
#define STACK_DEFAULT (8ull << 20)
#define STACK_MAX     (1ull << 30)
#define STACK_GUARD   (1ull << 20)

struct tx tx;
static uint8_t *stack_low;

void *tx__open_stack(void)
{
	struct rlimit limit;
	uint64_t bytes = STACK_DEFAULT;

	if (!getrlimit(RLIMIT_STACK, &limit) && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur > bytes)
		bytes = limit.rlim_cur < STACK_MAX ? limit.rlim_cur & ~0xfffull : STACK_MAX;
	uint8_t *low = (uint8_t *)STACK_TOP - bytes;
	void *p = mmap(low - STACK_GUARD, bytes + STACK_GUARD, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (p == MAP_FAILED || mprotect(low, bytes, PROT_READ | PROT_WRITE))
		return NULL;
	stack_low = low;
	tx.start.top = STACK_TOP;
	return (void *)STACK_TOP;
}

bool tx__beyond_stack(const void *address)
{
	return (uint64_t)stack_low - (uint64_t)address - 1 < STACK_GUARD;
}

/* Room for the stack in use, before snapshot__take() copies it. */
static void reserve_copy(void)
{
	uint64_t here = (uint64_t)__builtin_frame_address(0), used = tx.start.top - here + 4096;

	if (here >= tx.start.top || here < (uint64_t)stack_low)
		node__fatal(tx.begin_pc,
			    "a transaction on a stack of the program's own: it could not be undone");
	if (used <= tx.start.capacity)
		return;
	alloc_hooks__enter();
	free(tx.start.copy);
	tx.start.capacity = 2 * used;
	tx.start.copy = malloc(tx.start.capacity);
	alloc_hooks__leave();
	if (!tx.start.copy)
		node__fatal(NULL, "out of memory for a copy of %llu KiB of stack",
			    (unsigned long long)used >> 10);
}

void tx__require_mutator(const void *pc, const char *call)
{
	if (!node.started)
		node__fatal(pc, "%s before main()", call);
	if (!alloc_hooks__mutator())
		node__not_the_mutator(pc, call);
}

/* ---- begin ---- */

void tx__look(void)
{
	alloc_hooks__enter();
	await__look();
	alloc_hooks__leave();
}

bool tx__never_undone(void)
{
	return tx__independent() && !node.options.no_independent;
}

static void begin_attempt(void)
{
	struct core_event event = {.type = CORE_BEGIN};

	alloc_hooks__attempt();
	contention__pause();
	if (node.transport)
		tx__look();
	tx.progress = 0;
	pthread_mutex_lock(&node.lock);
	__atomic_store_n(&tx.doomed, false, __ATOMIC_RELAXED);
	tx.irrevocable = false;
	event.site = tx.site;
	event.read_only = tx.read_only;
	event.looks = tx.looks;
	event.units = tx.units;
	event.goes_on = tx.goes_on;
	event.independent = tx__never_undone();
	tx.begin_ns = events__now();
	tx.commit_begin_ns = tx.begin_ns;
	history__begin();
	dispatch__mutator(&event, NULL);
	objects__hold_freed(event.independent);
	evidence__begin();
	if (event.goes_on) /* pages may have been opened ahead of their use */
		evidence__local(events__now() - tx.begin_ns);
	microscope__begin(false);
	pthread_mutex_unlock(&node.lock);
	strict__begin();
}

uint32_t tx__site(const void *pc)
{
	static const void *last_pc;
	static uint32_t last_site;

	if (pc != last_pc) {
		modules__begins_transactions(pc);
		pthread_mutex_lock(&node.lock);
		last_site = events__site(&pc, 1);
		pthread_mutex_unlock(&node.lock);
		last_pc = pc;
	}
	return last_site;
}

int tx__begin(const void *pc, const char *call, bool read_only)
{
	tx__require_mutator(pc, call);
	if (tx.depth) {
		tx.depth++;
		return 1;
	}
	tx.begin_pc = pc;
	tx.read_only = read_only;
	contention__forget();
	tx.site = tx__site((const char *)pc + 1); /* sites are return addresses */
	reserve_copy();
	if (snapshot__take(&tx.start) == TX_CANCELLED) {
		tx.units = 0;
		return 0;
	}
	tx.depth = 1;
	begin_attempt();
	return 1;
}

/* A block of dsm.h: under sc and rc a critical section, unless it is within a transaction. */
static int begin_block(const void *pc, const char *call, bool read_only, const void *object,
		       const char *place)
{
	if (section__wanted())
		return section__enter(pc, call, object, place);
	return tx__begin(pc, call, read_only);
}

int dsm__tx_begin(const char *place)
{
	return begin_block(NODE_CALLER, "DSM_TX", false, NULL, place);
}

int dsm__tx_begin_read(const char *place)
{
	return begin_block(NODE_CALLER, "DSM_TX_READ", true, NULL, place);
}

int dsm__tx_begin_on(const void *object)
{
	section__check_object(object, NODE_CALLER, "DSM_TX_ON()");
	return begin_block(NODE_CALLER, "DSM_TX_ON()", false, object, NULL);
}

int dsm__tx_begin_read_on(const void *object)
{
	section__check_object(object, NODE_CALLER, "DSM_TX_READ_ON()");
	return begin_block(NODE_CALLER, "DSM_TX_READ_ON()", true, object, NULL);
}

void tx__acts_for(const void *pc)
{
	/* Read by the fault handler only, in this thread. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&tx.call_pc, pc, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

int tx__begin_call(const void *pc, const char *call)
{
	int live = tx__begin(pc, call, false); /* again after each abort */

	tx__acts_for(pc);
	return live;
}

int dsm__tx_begin_always(void)
{
	return tx__begin(NODE_CALLER, "DSM_TX_ALWAYS", false);
}

/* ---- undo ---- */

/* All that is to be undone besides pages, stack and registers. */
static void undo_effects(void)
{
	strict__end();
	tx.depth = 0;
	tx.call_pc = NULL;
	txlog__abort();
	sanitizer__stack_unwound(stack_low, (void *)tx.start.top);
}

void tx__unwind(int how)
{
	undo_effects();
	snapshot__resume(&tx.start, how);
}

void tx__unwind_context(ucontext_t *context)
{
	const struct snapshot *s = &tx.start;
	greg_t *r = context->uc_mcontext.gregs;

	undo_effects();
	memcpy((void *)s->rsp, s->copy, s->top - s->rsp);
	r[REG_RBX] = (greg_t)s->rbx;
	r[REG_RBP] = (greg_t)s->rbp;
	r[REG_R12] = (greg_t)s->r12;
	r[REG_R13] = (greg_t)s->r13;
	r[REG_R14] = (greg_t)s->r14;
	r[REG_R15] = (greg_t)s->r15;
	r[REG_RSP] = (greg_t)s->rsp;
	r[REG_RIP] = (greg_t)s->rip;
	r[REG_RAX] = TX_AGAIN;
	r[REG_EFL] &= ~0x500; /* direction and trap flags: clear at a call, by the ABI */
	if (context->uc_mcontext.fpregs) {
		context->uc_mcontext.fpregs->mxcsr = s->mxcsr;
		context->uc_mcontext.fpregs->cwd = s->x87;
		context->uc_mcontext.fpregs->swd = 0;
		context->uc_mcontext.fpregs->ftw = 0; /* x87 stack empty */
	}
}

bool tx__check(void)
{
	struct core_event event = {.type = CORE_SAFE};
	bool undone;

	if (!tx__doomed())
		return false;
	pthread_mutex_lock(&node.lock);
	undone = dispatch__mutator(&event, NULL) == OUTCOME_ABORT;
	pthread_mutex_unlock(&node.lock);
	return undone;
}

static void open_view(uint32_t page, int err, const void *pc)
{
	if (err)
		node__fatal(pc, "page %u cannot be opened: %s", page, strerror(-err));
}

/* Has the core granted the access to all of them? */
static bool granted(uint32_t page, uint32_t count, enum core_rights need)
{
	for (uint32_t i = page; i < page + count; i++)
		if (core__rights(node.core, i) < need)
			return false;
	return true;
}

/* What is written to such memory cannot be undone. */
static void require_undoable(uint32_t page, const void *pc)
{
	enum core_model model = core__model(node.core, page);

	if (tx.depth && model != CORE_TX)
		node__fatal(pc,
			    "write to DSM memory of consistency %s inside a transaction: it could not be "
			    "undone; put it "
			    "behind dsm_lock(), outside the transaction",
			    options__model(model));
}

/* At most CORE_ACCESS_PAGES from `page` on; the first byte is at `offset` of the first. stays: it is not a fault, and what
 * is written there may be the kernel's. */
static bool access_pages(uint32_t page, uint32_t count, uint16_t offset, bool write, bool pinned, bool stays,
			 const void *pc)
{
	if (write) {
		tx__require_writable(pc, "write to DSM memory");
		require_undoable(page, pc);
	}
	tx.needs_pc = pc;
	struct core_event event = {.type = CORE_ACCESS,
				   .page = page,
				   .count = count,
				   .write = write,
				   .pinned = pinned,
				   .stays = stays && write};
	enum core_fault kind = CORE_FAULT_NONE;
	enum outcome outcome = OUTCOME_RESUME;

	pthread_mutex_lock(&node.lock);
	if (pinned && tx__doomed())
		history__pinned();
	if (!granted(page, count, write ? CORE_WRITE : CORE_READ) || (event.stays && tx__independent())) {
		uint64_t start = events__now();

		outcome = dispatch__mutator(&event, &kind);
		if (pinned && tx__doomed()) /* meanwhile */
			history__pinned();
		if (outcome == OUTCOME_RESUME)
			evidence__fault(kind, page, offset, write, pc, events__now() - start);
	}
	/* What the microscope or strict mode has closed; else nothing to do. */
	for (uint32_t i = page; i < page + count && outcome == OUTCOME_RESUME; i++)
		open_view(i, region__protect(node.region, i, 1, core__rights(node.core, i)), pc);
	pthread_mutex_unlock(&node.lock);
	return outcome == OUTCOME_RESUME;
}

bool tx__access(uint32_t page, uint16_t offset, bool write, bool pinned, const void *pc)
{
	return access_pages(page, 1, offset, write, pinned, false, pc);
}

bool tx__reopen(uint32_t page, bool write, const void *pc)
{
	enum core_rights need = write ? CORE_WRITE : CORE_READ, have;

	pthread_mutex_lock(&node.lock);
	have = core__rights(node.core, page);
	if (have >= need)
		open_view(page, region__open_again(node.region, page, have), pc);
	pthread_mutex_unlock(&node.lock);
	return have >= need;
}

/* ---- commit ---- */

/* A page that stays writable from one transaction to the next does not fault: only its twin tells. */
static void check_unchanged(const bool *changed)
{
	size_t n;
	const uint32_t *page = core__dirty(node.core, &n);

	for (size_t i = 0; i < n; i++)
		if (changed[i])
			node__fatal(tx.begin_pc,
				    "this DSM_TX_READ has written to DSM memory at %p or after it",
				    region__address(node.region, (uint64_t)page[i] << DSM_PAGE_LOG2));
}

static void commit(void)
{
	struct core_event event = {.type = CORE_COMMIT};

	alloc_hooks__enter();
	strict__check_commit();
	pthread_mutex_lock(&node.lock);
	tx.commit_begin_ns = events__now();
	event.changed = pages__changes();
	tx.compared_ns = tx.independent ? events__now() : 0;
	tx.asked_ns = 0;
	if (tx.read_only)
		check_unchanged(event.changed);
	enum outcome outcome = dispatch__mutator(&event, NULL);

	objects__hold_freed(false);
	pthread_mutex_unlock(&node.lock);
	alloc_hooks__leave();
	if (outcome == OUTCOME_ABORT)
		tx__unwind(TX_AGAIN);
	strict__end();
	tx.depth = 0;
	tx.units = 0;
	if (tx.progress)
		COUNT(work, tx.progress);
	txlog__commit();
}

void dsm__tx_leave(int *live)
{
	(void)live;
	tx__require_mutator(NODE_CALLER, "the end of a transaction");
	tx.call_pc = NULL;
	if (tx.depth > 1)
		tx.depth--;
	else if (tx.depth == 1)
		commit();
	else
		section__leave();
}

bool dsm_in_tx(void)
{
	return tx__running() || section__inside();
}

/* ---- the rest of dsm.h that works in transactions ---- */

void dsm_peek(void *dst, const void *src, size_t bytes)
{
	const void *pc = NODE_CALLER;
	int64_t at = node.started ? region__offset(node.region, src) : -1;

	if (at >= 0 && !tx.depth && core__model(node.core, (uint32_t)(at >> DSM_PAGE_LOG2)) != CORE_TX) {
		tx__require_mutator(pc, "dsm_peek()");
		tx__acts_for(pc);
		memcpy(dst, src, bytes);
		tx__acts_for(NULL);
		return;
	}
	tx.looks = !tx.depth;

	int live = tx__begin(pc, "dsm_peek()", true);

	tx__acts_for(pc);
	memcpy(dst, src, bytes);
	dsm__tx_leave(&live);
	tx.looks = false;
}

int tx__touch(const void *ptr, size_t bytes, bool write, bool pinned, const void *pc)
{
	int64_t at = region__offset(node.region, ptr);

	if (!bytes)
		return 0;
	if (at < 0 || bytes > region__bytes(node.region) - (uint64_t)at)
		return -EINVAL;
	uint32_t first = (uint32_t)((uint64_t)at >> DSM_PAGE_LOG2);
	uint32_t last = (uint32_t)(((uint64_t)at + bytes - 1) >> DSM_PAGE_LOG2);
	enum core_model model = core__model(node.core, first);

	if (model != core__model(node.core, last)) /* nor one object */
		return -EINVAL;
	if (!tx.depth && model == CORE_TX)
		return -EPERM;

	for (uint32_t page = first, n; page <= last; page += n) {
		uint16_t offset = page == first ? (uint16_t)(at & (DSM_PAGE_BYTES - 1)) : 0;

		n = last - page < CORE_ACCESS_PAGES ? last - page + 1 : CORE_ACCESS_PAGES;
		if (!access_pages(page, n, offset, write, pinned, true, pc))
			tx__unwind(TX_AGAIN);
		for (uint32_t i = page; i < page + n; i++)
			microscope__overlook(i);
	}
	return 0;
}

int dsm_touch(const void *ptr, size_t bytes, enum dsm_touch_mode mode)
{
	const void *pc = NODE_CALLER;

	tx__require_mutator(pc, "dsm_touch()");
	if (mode != DSM_READ && mode != DSM_WRITE)
		node__fatal(pc, "dsm_touch() with mode %d: it is DSM_READ or DSM_WRITE", (int)mode);
	int err = tx__touch(ptr, bytes, mode == DSM_WRITE, !safepoint__here(pc), pc);

	if (err == -EPERM)
		node__fatal(pc, "dsm_touch() outside a transaction");
	return err;
}

struct deferred {
	void (*fn)(void *arg);
	size_t bytes;
};

/* The argument follows in the log, which keeps entries aligned and, while they run, in place. */
static void run_deferred(const void *arg)
{
	const struct deferred *d = arg;

	d->fn(d->bytes ? (void *)(d + 1) : NULL);
}

#define DEFER_MOST ((size_t)1 << 30)

void dsm_defer(void (*fn)(void *arg), const void *arg, size_t bytes)
{
	const void *pc = NODE_CALLER;

	tx__require_mutator(pc, "dsm_defer()");
	if (!fn)
		node__fatal(pc, "dsm_defer() of no function");
	if (bytes > DEFER_MOST)
		node__fatal(
			pc,
			"dsm_defer() of %zu bytes, of which it would keep a copy: defer a pointer to them",
			bytes);
	if (section__inside()) {
		section__defer(fn, arg, bytes);
		return;
	}
	if (!tx.depth) {
		fn(bytes ? (void *)arg : NULL);
		return;
	}
	struct deferred *d = txlog__reserve(run_deferred, NULL, sizeof(*d) + bytes);

	*d = (struct deferred){fn, bytes};
	if (bytes)
		memcpy(d + 1, arg, bytes);
}

void dsm_progress(uint64_t units)
{
	if (tx.depth && alloc_hooks__mutator())
		tx.progress += units;
	else if (node.shm)
		COUNT(work, units);
}

void dsm_barrier(void)
{
	struct core_event event = {.type = CORE_BARRIER};
	const void *pc = NODE_CALLER;

	tx__require_mutator(pc, "dsm_barrier()");
	if (tx.depth)
		node__fatal(pc, "dsm_barrier() inside a transaction, where it could never be undone");
	section__require_none(pc, "dsm_barrier()");
	uint32_t site = node.options.consistency == CORE_TX ? 0 : tx__site((const char *)pc + 1);

	uint64_t start = events__now();

	loop__barrier();
	await__arrive();
	pthread_mutex_lock(&node.lock);
	tx.barriers++;
	tx.barrier_pc = pc;
	node__check_finished_peers(pc);
	tx.at_barrier = true;
	event.site = site;
	event.changed = pages__written();
	intervals__barrier();
	dispatch__mutator(&event, NULL);
	tx.at_barrier = false;
	intervals__next();
	objects__barrier();
	evidence__barrier(events__now() - start);
	pthread_mutex_unlock(&node.lock);
	await__depart();
}
