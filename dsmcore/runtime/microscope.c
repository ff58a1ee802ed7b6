/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/runtime/microscope.h"

#include <pthread.h>
#include <string.h>

#include "dsm_events.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/node.h"

#define PAGES	      DSM_EV_MEETINGS
#define FORGET_ABORTS 64       /* a page where none of so many aborts met is no suspect any more */
#define OPEN_MAX      8	       /* pages one instruction can touch, with room */
#define SEEN_MAX      2048     /* accesses of one attempt, repeats included; then the pages stay open */
#define ACCESS_NS     40000ull /* most that one access is charged: beyond, the node was off its core */
#define FIRST_NS                                                                                             \
	20000000ull /* budget that a run has from its start, so that short runs learn something too */
/* So many looks at a page, then every second retry only, after as many more every fourth ...: what is known
 * need not be slowed down. Never less than one in 2^HALVINGS, since programs change. */
#define LOOKS	  64u
#define HALVINGS  6u
#define TRAP_FLAG 0x100

struct seen {
	uint16_t offset;
	uint8_t access;
	const void *pc;
};

struct watched {
	uint32_t page;
	uint32_t n;
	bool cut;  /* not all of its accesses are in seen[] */
	bool full; /* there were more than seen[] holds */
	struct seen seen[DSM_EV_ACCESS_LIST];
};

static struct {
	struct {
		uint32_t page;
		uint64_t met;	/* at which abort, last */
		uint32_t looks; /* attempts that ran with it closed */
	} suspect[PAGES];
	uint32_t nsuspects;
	uint64_t aborts;
	bool look; /* the next attempt is a retry after a conflict */
	struct watched watched[PAGES];
	uint32_t nwatched;
	uint32_t open[OPEN_MAX], nopen; /* for the instruction that runs alone now */
	uint32_t total;			/* accesses in this attempt */
	uint64_t opened_ns, spent_ns, run_begin_ns;
	bool used, over;
} scope;

/* Its place among the suspects: where it stands, else a free place, else the one met longest ago. */
static unsigned place_of(uint32_t page)
{
	unsigned oldest = 0;

	for (unsigned i = 0; i < scope.nsuspects; i++) {
		if (scope.suspect[i].page == page)
			return i;
		if (scope.suspect[i].met < scope.suspect[oldest].met)
			oldest = i;
	}
	return scope.nsuspects < PAGES ? scope.nsuspects++ : oldest;
}

/* The page known least decides. */
static bool worth_a_look(uint32_t looks)
{
	uint32_t halvings = looks / LOOKS < HALVINGS ? looks / LOOKS : HALVINGS;

	return (scope.aborts * 0x9e3779b97f4a7c15ull >> 40 & ((1u << halvings) - 1)) == 0;
}

/* Not only the pages of this conflict: a transaction usually meets its winners on several, not all each time,
 * and a conflict is judged by all of its pages. */
void microscope__suspect(const struct core_meeting *meetings, uint32_t n)
{
	uint32_t least = UINT32_MAX;

	scope.aborts++;
	for (uint32_t i = 0; i < n && i < PAGES; i++) {
		unsigned place = place_of(meetings[i].page);

		if (scope.suspect[place].page != meetings[i].page || !scope.suspect[place].met)
			scope.suspect[place].looks = 0;
		scope.suspect[place].page = meetings[i].page;
		scope.suspect[place].met = scope.aborts;
		if (scope.suspect[place].looks < least)
			least = scope.suspect[place].looks;
	}
	scope.look = n > 0 && worth_a_look(least);
	for (unsigned i = 0; i < scope.nsuspects;)
		if (scope.suspect[i].met + FORGET_ABORTS < scope.aborts)
			scope.suspect[i] = scope.suspect[--scope.nsuspects];
		else
			i++;
}

static bool affordable(void)
{
	uint64_t now = events__now();

	if (!scope.run_begin_ns)
		scope.run_begin_ns = now;
	return scope.spent_ns <
	       FIRST_NS + (now - scope.run_begin_ns) / 1000 * node.options.microscope_permille;
}

void microscope__begin(void)
{
	bool look = scope.look && node.options.microscope_permille && events__wanted(DSM_EV_ACCESSES) &&
		    affordable();

	scope.used = look;
	scope.over = false;
	scope.total = scope.nopen = 0;
	scope.nwatched = look ? scope.nsuspects : 0;
	scope.look = false;
	for (uint32_t i = 0; i < scope.nwatched; i++) {
		scope.suspect[i].looks++;
		scope.watched[i].page = scope.suspect[i].page;
		scope.watched[i].n = 0;
		scope.watched[i].cut = scope.watched[i].full = false;
		region__protect(node.region, scope.watched[i].page, 1, CORE_NONE);
	}
}

bool microscope__wanted(void)
{
	return scope.look;
}

bool microscope__watches(uint32_t page)
{
	for (uint32_t i = 0; i < scope.nwatched && !scope.over; i++)
		if (scope.watched[i].page == page)
			return true;
	return false;
}

bool microscope__used(void)
{
	return scope.used;
}

static struct watched *find(uint32_t page)
{
	for (uint32_t i = 0; i < scope.nwatched; i++)
		if (scope.watched[i].page == page)
			return &scope.watched[i];
	return NULL;
}

static void remember(struct watched *w, struct seen s)
{
	for (uint32_t i = 0; i < w->n; i++)
		if (w->seen[i].offset == s.offset && w->seen[i].access == s.access && w->seen[i].pc == s.pc)
			return;
	if (w->n == DSM_EV_ACCESS_LIST)
		w->cut = w->full = true;
	else
		w->seen[w->n++] = s;
}

void microscope__open(uint32_t page, uint16_t offset, bool write, ucontext_t *context)
{
	struct watched *w = scope.over ? NULL : find(page);

	if (!w)
		return;
	remember(w, (struct seen){offset, write ? DSM_EV_ACCESS_WRITE : DSM_EV_ACCESS_READ,
				  (const void *)context->uc_mcontext.gregs[REG_RIP]});
	if (w->full)
		return; /* no more of it can be kept: it stays open, and costs nothing more */
	if (++scope.total >= SEEN_MAX || scope.nopen == OPEN_MAX) {
		scope.over = true; /* this page and, at their next fault, the others stay open */
		return;
	}
	if (!scope.nopen)
		scope.opened_ns = events__now();
	scope.open[scope.nopen++] = page;
	context->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

void microscope__overlook(uint32_t page)
{
	struct watched *w = find(page);

	if (w)
		w->cut = true;
}

bool microscope__close(ucontext_t *context)
{
	if (!scope.nopen)
		return false;
	context->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
	pthread_mutex_lock(&node.lock);
	for (uint32_t i = 0; i < scope.nopen && !scope.over; i++)
		region__protect(node.region, scope.open[i], 1, CORE_NONE);
	scope.nopen = 0;
	/* Fault, trap and two returns cost about as much again as what lies between the two clock readings.
	 */
	uint64_t took = 2 * (events__now() - scope.opened_ns);

	scope.spent_ns += took < ACCESS_NS ? took : ACCESS_NS;
	pthread_mutex_unlock(&node.lock);
	COUNT(microscope_accesses, 1);
	__atomic_store_n(&node.shm->counters.microscope_ns, scope.spent_ns, __ATOMIC_RELAXED);
	return true;
}

_Static_assert(sizeof(struct dsm_ev_accesses) + (DSM_EV_ACCESS_LIST + 1) * sizeof(struct dsm_ev_access) <=
		       DSM_EV_MAX,
	       "room");

static void emit(const struct watched *w, const struct core_party *attempt, bool interval)
{
	static _Alignas(struct dsm_ev_accesses) uint8_t buffer[DSM_EV_MAX];
	struct dsm_ev_accesses *r = (void *)buffer;

	*r = (struct dsm_ev_accesses){
		.hdr.flags = (uint8_t)(DSM_EV_F_MICROSCOPE | (attempt->attempt ? DSM_EV_F_RETRY : 0) |
				       (interval ? DSM_EV_F_INTERVAL : 0)),
		.interval = {attempt->number, attempt->attempt, attempt->site},
		.page = DSM_EV_PAGE((uint64_t)w->page << DSM_PAGE_LOG2, DSM_PAGE_LOG2),
		.version = core__version(node.core, w->page),
		.flags = !w->cut && !scope.over ? DSM_EV_ACCESSES_COMPLETE : 0,
		.basis = DSM_EV_BASIS_OPERAND,
		.naccesses = (uint16_t)w->n,
	};
	for (uint32_t i = 0; i < w->n; i++)
		r->access[i] = (struct dsm_ev_access){
			.offset = w->seen[i].offset,
			.access = w->seen[i].access,
			.ip = events__ip(w->seen[i].pc),
		};
	memset(&r->access[w->n], 0, sizeof(r->access[0])); /* the padding to 8 bytes */
	events__emit(&r->hdr, DSM_EV_ACCESSES, sizeof(*r) + w->n * sizeof(r->access[0]), r->page, w->n);
}

void microscope__end(const struct core_party *attempt, bool interval)
{
	if (scope.nwatched && events__wanted(DSM_EV_ACCESSES))
		for (uint32_t i = 0; i < scope.nwatched; i++)
			emit(&scope.watched[i], attempt, interval);
	scope.nwatched = scope.nopen = 0;
}
