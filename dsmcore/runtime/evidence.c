/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * evidence.c - counters always, records only when somebody listens. What stays local (begins, local commits,
 * faults that only tracking causes) is sampled; everything remote is recorded each time.
 */
#include "dsmcore/runtime/evidence.h"

#include <stddef.h>
#include <string.h>

#include "dsmcore/memory/diff.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/memory/written.h"
#include "dsmcore/runtime/contention.h"
#include "dsmcore/runtime/cputime.h"
#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/history.h"
#include "dsmcore/runtime/intervals.h"
#include "dsmcore/runtime/microscope.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/pages.h"
#include "dsmcore/runtime/tx.h"

/* One in so many, and no more than about 2,500 a second of each kind: a record costs as much as a small transaction, and
 * its place in the trace. */
#define SAMPLE_LEAST   64u
#define SAMPLE_MOST    65536u
#define SAMPLE_NS      400000u
#define SAMPLE_IDLE_NS 50000000u

_Static_assert((int)CORE_CAUSE_CONFLICT == DSM_EV_CAUSE_CONFLICT, "causes");
_Static_assert((int)CORE_CAUSE_UNTOUCHED == DSM_EV_CAUSE_UNTOUCHED, "causes");
_Static_assert((int)CORE_CAUSE_PRIORITY == DSM_EV_CAUSE_PRIORITY, "causes");
_Static_assert((int)CORE_CAUSE_IRREVOCABLE == DSM_EV_CAUSE_IRREVOCABLE, "causes");
_Static_assert((int)CORE_CAUSE_CANCEL == DSM_EV_CAUSE_CANCEL, "causes");
_Static_assert((int)CORE_FAULT_REARM == DSM_EV_FAULT_REARM, "kinds");
_Static_assert((int)CORE_FAULT_PREFETCHED == DSM_EV_FAULT_PREFETCHED, "kinds");
_Static_assert((int)CORE_CAUSE_LOSS == DSM_EV_CAUSE_NODE_LOSS, "causes");

/* Of what happens often, each `every`-th is recorded. The places are fixed beforehand, by count: choosing by
 * the clock would find long transactions more often than short ones. Only how many lie between follows the
 * clock. */
struct sampler {
	uint32_t every, left; /* how many lie between; until the next */
	uint32_t since;	      /* the last one */
	uint64_t last_ns;
};

static void choose_next(struct sampler *s, uint64_t took)
{
	if (took < SAMPLE_NS / 2 && s->every < SAMPLE_MOST)
		s->every *= 2;
	else if (took > SAMPLE_NS * 2 && s->every > SAMPLE_LEAST)
		s->every /= 2;
	if (s->every < SAMPLE_LEAST) /* the first of all */
		s->every = SAMPLE_LEAST;
	s->left = s->every;
}

static uint32_t take(struct sampler *s, uint64_t took, uint64_t now)
{
	uint32_t weight = s->since;

	choose_next(s, took);
	s->since = 0;
	s->last_ns = now;
	return weight;
}

/* The weight of this occurrence: how many it stands for; 0: it is not recorded. It is asked before anything else, so that
 * a small transaction pays the same count down whether somebody listens or not. */
static inline uint32_t sample(struct sampler *s, uint64_t now)
{
	uint64_t took = now - s->last_ns;

	s->since++;
	if (s->left > SAMPLE_LEAST && took > SAMPLE_IDLE_NS)
		s->left = s->every = SAMPLE_LEAST; /* a quiet time after a busy one */
	if (s->left && --s->left)
		return 0;
	return take(s, took, now);
}

static struct dsm_ev_party party_of(const struct core_party *p)
{
	return (struct dsm_ev_party){evidence__interval(p), node.options.generation, p->node, 0};
}

/* The running attempt as the records name it. */
static struct dsm_ev_interval interval(void)
{
	struct core_party p = core__attempt(node.core, NULL);

	return evidence__interval(&p);
}

/* That accesses the page now. */
static struct dsm_ev_interval accessor(uint32_t page)
{
	struct core_party p = core__interval(node.core);

	return core__model(node.core, page) == CORE_TX ? interval() : evidence__interval(&p);
}

static uint8_t page_flags(uint32_t page)
{
	return core__model(node.core, page) == CORE_TX ? 0 : DSM_EV_F_INTERVAL;
}

static uint8_t flags_of(const struct core_party *p)
{
	return (uint8_t)((p->attempt ? DSM_EV_F_RETRY : 0) | (microscope__used() ? DSM_EV_F_MICROSCOPE : 0));
}

static uint64_t attempt_fetch_ns, attempt_local_ns; /* what this attempt has spent on faults */

void evidence__begin(void)
{
	static struct sampler begins;
	uint32_t weight;

	attempt_fetch_ns = attempt_local_ns = 0;
	COUNT_LOCKED(begins, 1);
	cputime__begin(tx.begin_ns);
	if (!(weight = sample(&begins, tx.begin_ns)) || !events__wanted(DSM_EV_BEGIN))
		return;
	struct dsm_ev_begin r = {.hdr.weight = weight, .interval = interval()};

	events__emit(&r.hdr, DSM_EV_BEGIN, sizeof(r), 0, 0);
}

static void publish_prefetch(void)
{
	const struct core_prefetch *p = core__prefetch(node.core);
	struct dsm_counters *c = &node.shm->counters;

	uint64_t opened, used;

	core__ahead(node.core, &opened, &used);
	__atomic_store_n(&c->ahead_opened, opened, __ATOMIC_RELAXED);
	__atomic_store_n(&c->ahead_used, used, __ATOMIC_RELAXED);
	__atomic_store_n(&c->bulk_pages, p->bulk, __ATOMIC_RELAXED);
	__atomic_store_n(&c->prefetch_asked, p->asked, __ATOMIC_RELAXED);
	__atomic_store_n(&c->prefetch_refused, p->refused, __ATOMIC_RELAXED);
	__atomic_store_n(&c->prefetch_used, p->used, __ATOMIC_RELAXED);
	__atomic_store_n(&c->prefetch_lost, p->lost, __ATOMIC_RELAXED);
}

/* From the time when it could have asked for what it commits. */
static uint64_t rebase_ns(void)
{
	return tx.asked_ns && tx.compared_ns ? tx.asked_ns - tx.compared_ns : 0;
}

static void commit(const struct core_action *a)
{
	static struct sampler commits;
	uint32_t weight = 1;
	uint64_t now = events__now(), took = now - tx.begin_ns, in_commit = now - tx.commit_begin_ns;
	uint64_t rebased = rebase_ns();

	COUNT_LOCKED(commits, 1);
	COUNT_LOCKED(rebase_ns, rebased);
	COUNT_LOCKED(commits_local, a->local);
	COUNT_LOCKED(committed_ns, took);
	COUNT_LOCKED(commit_ns, in_commit);
	cputime__committed(a->local, attempt_fetch_ns > 0);
	__atomic_store_n(&node.shm->counters.sticky_pages, core__sticky(node.core), __ATOMIC_RELAXED);
	publish_prefetch();
	microscope__end(&a->party, false, true);
	history__end(&a->party, true);
	bool scoped = microscope__used();

	if ((a->local && !scoped && !rebased && !(weight = sample(&commits, now))) ||
	    !events__wanted(DSM_EV_COMMIT))
		return;
	struct dsm_ev_commit r = {
		.hdr = {.weight = weight, .flags = flags_of(&a->party)},
		.interval = evidence__interval(&a->party),
		.duration_ns = took,
		.commit_ns = in_commit,
		.pages_read = a->nread,
		.pages_written = a->nwritten,
		.flags = (a->local ? DSM_EV_COMMIT_LOCAL : 0) |
			 (tx.units && tx.units_given ? DSM_EV_COMMIT_GIVEN : 0) |
			 (tx__never_undone() ? DSM_EV_COMMIT_INDEPENDENT : 0),
		.pieces = tx.units ? tx.pieces : 0,
		.iterations = tx.units,
		.between_ns = tx.units ? tx.between_ns : 0,
		.work_ns = tx.units && tx.between_ns ? tx.ran_ns - tx.run_ns : 0,
		.rebase_ns = rebased,
	};
	events__emit(&r.hdr, DSM_EV_COMMIT, rebased ? sizeof(r) : offsetof(struct dsm_ev_commit, rebase_ns),
		     0, took);
}

static void count_abort(enum core_cause cause, uint64_t wasted)
{
	COUNT(aborts, 1);
	COUNT(wasted_ns, wasted);
	COUNT(wasted_fetch_ns, attempt_fetch_ns);
	COUNT(wasted_local_ns, attempt_local_ns);
	switch (cause) {
	case CORE_CAUSE_CONFLICT:
		COUNT(aborts_conflict, 1);
		break;
	case CORE_CAUSE_UNTOUCHED:
		COUNT(aborts_untouched, 1);
		break;
	case CORE_CAUSE_PRIORITY:
		COUNT(aborts_priority, 1);
		break;
	case CORE_CAUSE_CANCEL:
		COUNT(aborts_cancel, 1);
		break;
	case CORE_CAUSE_IRREVOCABLE:
		COUNT(aborts_irrevocable, 1);
		break;
	default:
		COUNT(aborts_other, 1);
	}
}

/* A page that stayed writable from earlier is not known to be written, but its twin tells. */
static bool really_written(const struct core_meeting *m)
{
	const uint8_t *twin = m->sticky ? pages__twin(m->page) : NULL;

	return m->written && (!twin || diff__any(region__frame(node.region, m->page), twin));
}

static struct dsm_ev_meeting meeting_of(const struct core_meeting *m)
{
	return (struct dsm_ev_meeting){
		.page = evidence__page(m->page),
		.version = m->version,
		.winner_version = m->winner_version,
		.access = (uint8_t)((m->read ? DSM_EV_ACCESS_READ : 0) |
				    (really_written(m) ? DSM_EV_ACCESS_WRITE : 0)),
		.tracked = m->tracked,
	};
}

static void abort_attempt(const struct core_action *a)
{
	uint64_t wasted = events__now() - tx.begin_ns;

	wasted += contention__lost(a->cause);
	count_abort(a->cause, wasted);
	cputime__aborted();
	microscope__end(&a->party, false, false);
	history__end(&a->party, false);
	if (a->cause != CORE_CAUSE_CANCEL)
		microscope__suspect(a->meetings, a->nmeetings);
	if (!events__wanted(DSM_EV_ABORT))
		return;
	struct dsm_ev_abort r = {
		.hdr.flags = flags_of(&a->party),
		.interval = evidence__interval(&a->party),
		.winner = party_of(&a->other),
		.wasted_ns = wasted,
		.cause = a->cause,
		.total = (uint16_t)(a->nmeetings < UINT16_MAX ? a->nmeetings : UINT16_MAX),
	};
	r.nmeetings = r.total < DSM_EV_MEETINGS ? r.total : DSM_EV_MEETINGS;
	for (uint32_t i = 0; i < r.nmeetings; i++)
		r.meeting[i] = meeting_of(&a->meetings[i]);
	events__emit(&r.hdr, DSM_EV_ABORT, sizeof(r), r.nmeetings ? r.meeting[0].page : 0, wasted);
}

struct dsm_ev_meet *evidence__meet(const struct core_action *a)
{
	static _Alignas(struct dsm_ev_meet) uint8_t buffer[DSM_EV_MAX];
	struct dsm_ev_meet *r = (void *)buffer;
	uint32_t n = a->nmeetings < DSM_EV_MEETINGS ? a->nmeetings : DSM_EV_MEETINGS;

	COUNT(meets, a->nmeetings);
	microscope__suspect(a->meetings, a->nmeetings);
	if (!events__wanted(DSM_EV_MEET))
		return NULL;
	*r = (struct dsm_ev_meet){
		.interval = evidence__interval(&a->party),
		.nmet = (uint16_t)n,
		.total = (uint16_t)(a->nmeetings < UINT16_MAX ? a->nmeetings : UINT16_MAX),
	};
	return r;
}

/* Of an attempt that goes on. The next one may look closer, as the retry of one that was undone would. */
static void meet(const struct core_action *a)
{
	struct dsm_ev_meet *r = evidence__meet(a);

	if (!r)
		return;
	r->hdr.flags = flags_of(&a->party);
	r->other = party_of(&a->other);
	r->model = DSM_EV_TX;
	for (uint32_t i = 0; i < r->nmet; i++) {
		struct dsm_ev_meeting m = meeting_of(&a->meetings[i]);

		r->met[i] = (struct dsm_ev_met){.page = m.page,
						.access = m.access,
						.tracked = m.tracked,
						.wanted = DSM_EV_ACCESS_WRITE};
	}
	events__emit(&r->hdr, DSM_EV_MEET, sizeof(*r) + r->nmet * sizeof(r->met[0]), r->met[0].page, r->nmet);
}

void evidence__writes(const struct dsm_ev_writes *head, const uint8_t *page, const uint8_t *before,
		      bool unchanged_too)
{
	static _Alignas(8) uint8_t buffer[WRITTEN_BYTES];
	struct dsm_ev_writes *r = (void *)buffer;
	size_t bytes, runs;

	*r = *head;
	bytes = written__describe(r, page, before, &runs);
	if (runs || unchanged_too)
		events__emit(&r->hdr, DSM_EV_WRITES, bytes, r->page, runs);
}

/* The changed bytes of a dirty page. */
static void writes(const struct core_action *a)
{
	const uint8_t *twin = pages__twin(a->page);
	struct dsm_ev_writes head = {.version = a->version, .basis = DSM_EV_BASIS_CHANGED};

	if (!events__wanted(DSM_EV_WRITES) || !twin)
		return;
	head.hdr.flags = (uint8_t)(flags_of(&a->party) | page_flags(a->page));
	head.interval = evidence__interval(&a->party);
	head.page = evidence__page(a->page);
	head.flags = a->committed ? DSM_EV_WRITES_COMMITTED : 0;
	/* Changes that are not to be seen are left out where nobody has seen a store. */
	evidence__writes(&head, region__frame(node.region, a->page), twin, !a->changes);
}

static void invalidate(const struct core_action *a)
{
	COUNT(invalidations, 1);
	COUNT(updates_unused, a->unused);
	if (!events__wanted(DSM_EV_INVALIDATE))
		return;
	struct dsm_ev_invalidate r = {
		.page = evidence__page(a->page), .version = a->version, .winner = party_of(&a->other)};

	events__emit(&r.hdr, DSM_EV_INVALIDATE, sizeof(r), r.page, 0);
}

static uint32_t bytes_of(uint32_t page, uint32_t hold, const struct core_msg *msg,
			 const struct wire_blob *blobs)
{
	if (hold)
		return pages__held(hold)->bytes;
	for (uint32_t i = 0; msg && blobs && i < msg->npages; i++)
		if (msg->entries[i].page == page)
			return blobs[i].bytes;
	return 0;
}

static void transfer(const struct core_action *a, const struct core_msg *msg, const struct wire_blob *blobs)
{
	COUNT(pages_in, 1);
	if (!events__wanted(DSM_EV_TRANSFER))
		return;
	struct dsm_ev_transfer r = {
		.hdr.flags = a->ahead ? DSM_EV_F_AHEAD : 0,
		.page = evidence__page(a->page),
		.version = a->version,
		.bytes = bytes_of(a->page, a->hold, msg, blobs),
		.from = a->node,
		.diff = a->changes,
	};
	events__emit(&r.hdr, DSM_EV_TRANSFER, sizeof(r), r.page, r.bytes);
}

static void update(const struct core_action *a, const struct core_msg *msg, const struct wire_blob *blobs)
{
	COUNT(updates, 1);
	if (!events__wanted(DSM_EV_UPDATE))
		return;
	struct dsm_ev_update r = {.page = evidence__page(a->page),
				  .version = a->version,
				  .bytes = bytes_of(a->page, a->hold, msg, blobs),
				  .winner = party_of(&a->other)};

	events__emit(&r.hdr, DSM_EV_UPDATE, sizeof(r), r.page, r.bytes);
}

static void move(const struct core_action *a)
{
	COUNT(homes_moved, 1);
	if (!events__wanted(DSM_EV_MOVE))
		return;
	struct dsm_ev_move r = {.page = evidence__page(a->page),
				.version = a->version,
				.to = a->node,
				.birth = core__birth(node.core, a->page)};

	events__emit(&r.hdr, DSM_EV_MOVE, sizeof(r), r.page, r.to);
}

void evidence__emit(const struct core_action *a, const struct core_msg *msg, const struct wire_blob *blobs)
{
	switch (a->emit) {
	case CORE_EMIT_COMMIT:
		commit(a);
		break;
	case CORE_EMIT_ABORT:
		abort_attempt(a);
		break;
	case CORE_EMIT_WRITES:
		writes(a);
		break;
	case CORE_EMIT_INVALIDATE:
		invalidate(a);
		break;
	case CORE_EMIT_TRANSFER:
		transfer(a, msg, blobs);
		break;
	case CORE_EMIT_UPDATE:
		update(a, msg, blobs);
		break;
	case CORE_EMIT_ADOPT:
		COUNT(update_holders, 1);
		break;
	case CORE_EMIT_HAND:
		COUNT(handed_over, 1);
		break;
	case CORE_EMIT_PASS:
		COUNT(decisions_passed, 1);
		break;
	case CORE_EMIT_MOVE:
		move(a);
		break;
	case CORE_EMIT_REDIRECT:
		COUNT(homes_asked, 1);
		break;
	case CORE_EMIT_INTERVAL:
		intervals__ended(a);
		break;
	case CORE_EMIT_LOCK:
		intervals__lock_came(a);
		break;
	case CORE_EMIT_MEET:
		if (core__model(node.core, a->meetings[0].page) == CORE_TX)
			meet(a);
		else
			intervals__meet(a);
		break;
	case CORE_EMIT_REBASE:
		tx.asked_ns = events__now();
		break;
	case CORE_EMIT_BARRIER: /* recorded by the mutator, which knows how long it waited */
		break;
	}
}

void evidence__barrier(uint64_t wait_ns)
{
	COUNT(barriers, 1);
	COUNT(barrier_ns, wait_ns);
	if (!events__wanted(DSM_EV_BARRIER))
		return;
	struct dsm_ev_barrier r = {.number = tx.barriers, .wait_ns = wait_ns};

	events__emit(&r.hdr, DSM_EV_BARRIER, sizeof(r), 0, wait_ns);
}

void evidence__local(uint64_t ns)
{
	COUNT(local_ns, ns);
	attempt_local_ns += ns;
}

static void count_fault(enum core_fault kind, uint64_t wait_ns)
{
	if (kind != CORE_FAULT_FETCH)
		evidence__local(wait_ns);
	if (kind == CORE_FAULT_FETCH) {
		COUNT(faults_fetch, 1);
		COUNT(fetch_ns, wait_ns);
		attempt_fetch_ns += wait_ns;
	} else if (kind == CORE_FAULT_UPGRADE) {
		COUNT(faults_upgrade, 1);
	} else if (kind == CORE_FAULT_PREFETCHED) {
		COUNT(faults_prefetched, 1);
	} else {
		COUNT(faults_rearm, 1);
	}
}

void evidence__fault(enum core_fault kind, uint32_t page, uint16_t offset, bool write, const void *pc,
		     uint64_t wait_ns)
{
	static struct sampler faults;
	uint32_t weight = 1;

	if (kind == CORE_FAULT_NONE)
		return;
	count_fault(kind, wait_ns);
	if (kind == CORE_FAULT_REARM && core__model(node.core, page) != CORE_TX)
		COUNT(copies_rearmed, 1);
	bool local = kind != CORE_FAULT_FETCH;

	if (!local && core__model(node.core, page) == CORE_SC)
		microscope__suspect(&(struct core_meeting){.page = page}, 1);

	if (!events__wanted(DSM_EV_FAULT) || (local && !(weight = sample(&faults, events__now()))))
		return;
	struct dsm_ev_fault r = {
		.hdr = {.weight = weight, .flags = page_flags(page)},
		.interval = accessor(page),
		.page = evidence__page(page),
		.version = core__version(node.core, page),
		.wait_ns = wait_ns,
		.ip = events__ip(pc),
		.offset = offset,
		.home = core__home(node.core, page),
		.access = write ? DSM_EV_ACCESS_WRITE : DSM_EV_ACCESS_READ,
		.kind = (uint8_t)kind,
	};
	events__emit(&r.hdr, DSM_EV_FAULT, sizeof(r), r.page, wait_ns);
}
