/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/runtime/microscope.h"

#include <pthread.h>
#include <string.h>

#include "dsm_events.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/tx.h"

#define PAGES	      DSM_EV_MEETINGS
#define FORGET_ABORTS 64       /* a page where none of so many aborts met is no suspect any more */
#define OPEN_MAX      8	       /* pages one instruction can touch, with room */
#define SEEN_MAX      2048     /* accesses of one attempt, repeats included; then the pages stay open */
#define ACCESS_NS     40000ull /* most that one access is charged: beyond, the node was off its core */
/* Time to look with, in nanoseconds: what a run has from its start, so that short runs learn something too; and what
 * it saves at most of its share while there is nothing to see or nobody listens, so that it is not spent at once. */
#define FIRST_NS 20000000ll
#define SAVED_NS 100000ll /* times the share in thousandths: that of a tenth of a second */
/* Where nodes met at a barrier not so long ago, each look makes all of them wait: they share one share. */
#define TOGETHER_NS 2000000000ull
#define EARN_NS	    1000000ull
/* An attempt with more accesses than SEEN_MAX is not seen whole. So many looks are brief then before the next long one: the
 * first accesses show a conflict to be true as well as all of them, and none of these looks shows one to be false. */
#define BRIEF_LOOKS 7
#define BRIEF_SEEN  256
/* What is known need not be slowed down: after so many whole looks at a page, the next twice as many are at every
 * second retry only, then twice as many at every fourth ... Never less than one in 2^HALVINGS, since programs change.
 * A look that did not see all, or whose attempt aborted, is worth less than a whole one. */
#define LOOKS	  8u
#define WHOLE	  4u
#define PART	  1u
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
		uint32_t known; /* from attempts that ran with it closed: WHOLE or PART each */
	} suspect[PAGES];
	uint32_t nsuspects;
	uint64_t aborts;
	bool look;     /* the next attempt is a retry after a conflict, or another one of its loop */
	bool attempts; /* the conflict was one of attempts: intervals leave it to them */
	struct watched watched[PAGES];
	uint32_t nwatched;
	uint32_t open[OPEN_MAX], nopen; /* for the instruction that runs alone now */
	uint32_t total;			/* accesses in this attempt */
	uint32_t most, brief;		/* that may be seen in it; looks until the next full one */
	uint64_t opened_ns, spent_ns;
	int64_t credit_ns;	   /* may be spent; below 0 after a look that took longer */
	uint64_t earned_ns;	   /* when it was last added to */
	uint64_t barriers, met_ns; /* passed until then; when some were, last */
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
static bool worth_a_look(uint32_t known)
{
	uint32_t halvings = 0;

	while (halvings < HALVINGS && known >> (halvings + 1) >= LOOKS * WHOLE)
		halvings++;
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
			scope.suspect[place].known = 0;
		scope.suspect[place].page = meetings[i].page;
		scope.suspect[place].met = scope.aborts;
		if (scope.suspect[place].known < least)
			least = scope.suspect[place].known;
	}
	scope.look = n > 0 && worth_a_look(least);
	scope.attempts = n > 0 && core__model(node.core, meetings[0].page) == CORE_TX;
	for (unsigned i = 0; i < scope.nsuspects;)
		if (scope.suspect[i].met + FORGET_ABORTS < scope.aborts)
			scope.suspect[i] = scope.suspect[--scope.nsuspects];
		else
			i++;
}

static void earn(uint64_t now)
{
	uint64_t took = now - scope.earned_ns;
	int64_t share = (int64_t)(took / 1000 * node.options.microscope_permille);
	int64_t most = SAVED_NS * node.options.microscope_permille;

	if (!scope.earned_ns) {
		scope.earned_ns = now;
		scope.credit_ns = FIRST_NS;
		scope.barriers = tx.barriers; /* those of the beginning do not count */
		return;
	}
	if (took < EARN_NS)
		return;
	if (tx.barriers != scope.barriers)
		scope.met_ns = now;
	if (scope.met_ns && now - scope.met_ns < TOGETHER_NS)
		share /= node.options.nodes;
	scope.barriers = tx.barriers;
	scope.earned_ns = now;
	if (scope.credit_ns < most)
		scope.credit_ns = scope.credit_ns + share < most ? scope.credit_ns + share : most;
}

static bool affordable(void)
{
	earn(events__now());
	return scope.credit_ns > 0;
}

static void spend(uint64_t ns)
{
	scope.spent_ns += ns;
	scope.credit_ns -= (int64_t)ns;
}

void microscope__begin(bool interval)
{
	bool theirs = interval && scope.attempts;
	bool look = scope.look && !theirs && node.options.microscope_permille &&
		    events__wanted(DSM_EV_ACCESSES) && affordable();

	scope.used = look;
	scope.over = false;
	scope.total = scope.nopen = 0;
	scope.nwatched = look ? scope.nsuspects : 0;
	scope.look = scope.look && theirs;
	scope.most = SEEN_MAX;
	if (look && scope.brief) {
		scope.brief--;
		scope.most = BRIEF_SEEN;
	}
	for (uint32_t i = 0; i < scope.nwatched; i++) {
		scope.watched[i].page = scope.suspect[i].page;
		scope.watched[i].n = 0;
		scope.watched[i].cut = scope.watched[i].full = false;
		region__protect(node.region, scope.watched[i].page, 1, CORE_NONE);
	}
}

bool microscope__wanted(void)
{
	return scope.look && !scope.attempts;
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
	if (++scope.total >= scope.most || scope.nopen == OPEN_MAX) {
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
	/* What lies before and after the two looks at the clock is two fifths more of processor time (18 us in all). */
	uint64_t took = (events__now() - scope.opened_ns) * 7 / 5;

	spend(took < ACCESS_NS ? took : ACCESS_NS);
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

static void learn(bool committed)
{
	if (scope.over && scope.most == SEEN_MAX)
		scope.brief = BRIEF_LOOKS;
	for (uint32_t i = 0; i < scope.nwatched; i++)
		for (uint32_t k = 0; k < scope.nsuspects; k++)
			if (scope.suspect[k].page == scope.watched[i].page)
				scope.suspect[k].known +=
					committed && !scope.watched[i].cut && !scope.over ? WHOLE : PART;
}

void microscope__end(const struct core_party *attempt, bool interval, bool committed)
{
	learn(committed);
	if (scope.nwatched && events__wanted(DSM_EV_ACCESSES))
		for (uint32_t i = 0; i < scope.nwatched; i++)
			emit(&scope.watched[i], attempt, interval);
	scope.nwatched = scope.nopen = 0;
}
