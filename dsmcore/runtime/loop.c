/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop.c - DSM_TX_FOR: a loop that commits within itself, and how often.
 *
 * To commit after few iterations costs commits, after many it costs what an abort throws away. That is the
 * question of how often a long computation should save its state, and has the same answer (J. W. Young, "A
 * first order approximation to the optimum checkpoint interval", CACM 17(9), 1974): with C for a commit and
 * its begin, and M from one abort to the next, the best time between commits is sqrt(2 C M). Both are
 * measured at each place in the program, and so is the time of an iteration: they differ by orders of
 * magnitude from loop to loop. As long as nothing aborts, M grows with the time that the loop has run, so
 * its transactions grow, too, and at the first abort they shrink. They are kept to what the second cache
 * holds: each written page is copied before the program computes on it (rows.c), and shall still be near
 * when it does; and to MOST_NS, since others' reads make a long one ever more likely to be aborted.
 *
 * A plan's number for a place (docs/plan.md) goes before all of this, and before the program's own number too: it was
 * made from what this loop did in a run, and whoever passes a plan asks for it.
 */
#include "dsmcore/runtime/loop.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "dsm.h"
#include "dsmcore/memory/objects.h"
#include "dsmcore/memory/region.h"
#include "dsmcore/protocol/core.h"
#include "dsmcore/runtime/await.h"
#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/section.h"
#include "dsmcore/runtime/tx.h"

#define SITES	    256u /* a power of two; two loops in one place are one to it */
#define FIRST	    16	 /* iterations, when nothing is known */
#define GROWTH	    4	 /* at most so many times as many as the last time */
#define MOST_NS	    5e6
#define FORGET_NS   1e9 /* so much of the past counts in full */
#define PRIOR_NS    1e5 /* M of a loop that has just begun */
#define CACHE_PAGES 256
#define SOON_NS	    20000   /* from the end of a loop to a barrier that follows it */
#define NEAR_NS	    150000  /* to the end of a loop that a barrier follows */
#define LATE_NS	    1000000 /* without a look: it was not near */
#define DOUBT	    3	    /* more right guesses in a row, for a wrong one */
#define DOUBT_MOST  255
#define FORGIVEN    16 /* right ones, for one less */

struct place {
	const void *pc;
	uint32_t planned;      /* iterations in a transaction, by the plan; 0: it says nothing */
	double ran_ns, aborts; /* M = ran_ns / aborts */
	double step_ns;	       /* an iteration */
	double commit_ns;      /* C */
	double pages;	       /* written in an iteration */
	long length;	       /* iterations of the loop that runs */
	uint64_t from_ns;      /* when that began */
	uint64_t over_ns;      /* when the last one was over */
	uint64_t near_ns;      /* when its end was near; 0: not yet */
	uint32_t to_barrier;   /* so many in a row ended at a barrier */
	uint32_t doubt;	       /* and must have, and one more, until the next one is expected to */
	long look_at;	       /* before this iteration there is no need to ask how near it is */
	long chosen, last;     /* iterations in a transaction: in the next one, in the last one */
	/* Of the running one; an abort leaves all of this alone. */
	uint64_t begun_ns;
	uint64_t ended_ns; /* the one before it, of the same loop; 0: it was the first */
	uint32_t attempts;
};

static struct place places[SITES];
static struct place *over; /* the last loop that has ended, if nothing has followed it yet */

static struct place *place_of(const void *pc)
{
	struct place *p = &places[((uintptr_t)pc * 0x9e3779b97f4a7c15u >> 40) & (SITES - 1)];

	if (p->pc != pc)
		*p = (struct place){.pc = pc, .planned = objects__loop_chunk(pc)};
	return p;
}

static double cache_pages(void)
{
	static double pages;

	if (!pages) {
		long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);

		pages = bytes >= 1 << 18 ? (double)(bytes / DSM_PAGE_BYTES) : CACHE_PAGES;
	}
	return pages;
}

/* What is never undone loses nothing by being long, and what it commits nobody may look at before the next barrier. */
static long choose(const struct place *p, const struct dsm__loop *l)
{
	double between = (PRIOR_NS + p->ran_ns) / (1 + p->aborts);
	double best_ns = sqrt(2 * p->commit_ns * between), n;

	if (l->independent && !node.options.no_independent)
		return l->end - l->at;
	if (!p->last)
		return FIRST;
	n = (best_ns < MOST_NS ? best_ns : MOST_NS) / (p->step_ns > 1 ? p->step_ns : 1);
	if (n * p->pages > cache_pages())
		n = cache_pages() / p->pages;
	if (n > (double)p->last * GROWTH)
		n = (double)p->last * GROWTH;
	return n < 1 ? 1 : (long)n;
}

static double follow(double old, double now)
{
	return old ? old + (now - old) / 4 : now;
}

/* After a commit. `ended`: when its last iteration was over. */
static void learn(struct place *p, long iterations, uint64_t ended)
{
	uint64_t now = events__now();
	double ran = (double)(ended - tx.begin_ns);
	size_t written;

	core__dirty(node.core, &written);
	p->step_ns = follow(p->step_ns, ran / (double)iterations);
	if (p->attempts == 1)
		p->commit_ns =
			follow(p->commit_ns, (double)(now - ended) + (double)(tx.begin_ns - p->begun_ns));
	p->pages = follow(p->pages, (double)written / (double)iterations);
	p->ran_ns += (double)(now - p->begun_ns);
	p->aborts += p->attempts - 1;
	p->last = p->chosen;
	if (p->ran_ns > FORGET_NS) {
		p->ran_ns /= 2;
		p->aborts /= 2;
	}
}

/* ---- loops that end at a barrier ---- */

static bool expects_barrier(const struct place *p)
{
	return p->to_barrier > p->doubt;
}

/* A node that receives by itself, and then computes or sleeps, lets the others wait for some ten milliseconds. So a place that was
 * wrongly believed must be right more often in a row, before it is again. Few more: a busy machine makes each place late at times. */
static void followed_by_another(struct place *p)
{
	if (p->near_ns && p->doubt < DOUBT_MOST)
		p->doubt += DOUBT;
	p->to_barrier = 0;
}

static void followed_by_barrier(struct place *p)
{
	if (p->near_ns ? await__deaf_ns() > LATE_NS : events__now() - p->over_ns > SOON_NS) {
		followed_by_another(p);
		return;
	}
	p->to_barrier++;
	if (expects_barrier(p) && p->to_barrier % FORGIVEN == 0 && p->doubt)
		p->doubt--;
}

void loop__barrier(void)
{
	if (over)
		followed_by_barrier(over);
	over = NULL;
}

/* The loop is expected to end at a barrier, and the rest of it will not take long. To ask the clock costs as much as many a loop's
 * ten iterations: from far away the next time is half-way there, for the iterations need not be alike. */
static bool near_barrier(struct place *p, const struct dsm__loop *l)
{
	long left = l->end - l->at, done = p->length - left;
	double step_ns, far_ns, next;
	uint64_t now;

	if (!expects_barrier(p) || l->at < p->look_at || done <= 0)
		return false;
	now = events__now();
	step_ns = (double)(now - p->from_ns) / (double)done;
	far_ns = step_ns * (double)left - NEAR_NS;
	next = (far_ns > 2 * AWAIT_LOOK_NS ? far_ns / 2 : AWAIT_LOOK_NS) / (step_ns > 0.1 ? step_ns : 0.1);
	p->look_at = next < (double)left - 1 ? l->at + (long)next + 1 : l->end;
	if (far_ns < 0 && !p->near_ns) {
		p->near_ns = now;
		await__deaf_ns(); /* from here on */
	}
	return far_ns < 0;
}

static int loop_over(struct place *p)
{
	p->over_ns = events__now();
	over = p;
	return 0;
}

/* ---- */

static struct dsm__loop begin_loop(long from, long to, long chunk, const char *place, const void *pc)
{
	struct place *p = place_of(pc);

	p->length = to - from;
	p->from_ns = events__now();
	p->look_at = to - from > FIRST ? from + FIRST : to;
	p->ended_ns = 0;
	p->near_ns = 0;
	if (over)
		followed_by_another(over);
	over = NULL;
	return (struct dsm__loop){.at = from,
				  .stop = from,
				  .end = to,
				  .chunk = p->planned  ? p->planned
					   : chunk > 0 ? chunk
						       : 0,
				  .pc = pc,
				  .site = p,
				  .place = place};
}

struct dsm__loop dsm__loop_begin(long from, long to, long chunk, const char *place)
{
	return begin_loop(from, to, chunk, place, NODE_CALLER);
}

struct dsm__loop dsm__loop_begin_on(long from, long to, const void *object)
{
	struct dsm__loop l = begin_loop(from, to, 0, NULL, NODE_CALLER);

	l.object = object;
	section__check_object(object, NODE_CALLER, "DSM_TX_FOR_ON()");
	return l;
}

struct dsm__loop dsm__loop_begin_independent(long from, long to, const char *place)
{
	struct dsm__loop l = begin_loop(from, to, 0, place, NODE_CALLER);

	l.independent = 1;
	return l;
}

/* The transaction up to l->upto is over, or was left by break: then l->at is before it. Beyond it is l->at when the body has
 * moved the variable, as that of a plain loop may. */
static void end_transaction(struct dsm__loop *l)
{
	struct place *p = l->site;
	bool whole = l->at >= l->upto, outer = tx.depth == 1;
	uint64_t ended = events__now();
	long iterations = tx.units;

	if (!whole) /* by break */
		l->end = l->at;
	p->ended_ns = ended;
	tx.ran_ns = ended;
	l->open = 0;
	l->goes_on = 1;
	dsm__tx_leave(NULL);
	if (outer && whole && iterations)
		learn(p, iterations, ended);
}

/* What records say of the next transaction. */
static void tell_units(const struct place *p, const struct dsm__loop *l)
{
	long n = l->stop - l->at, pieces = (p->length + n - 1) / n;

	tx.units = (uint32_t)n;
	tx.units_given = l->chunk != 0;
	tx.pieces = (uint16_t)(pieces < UINT16_MAX ? pieces : UINT16_MAX);
}

/* Each time that it is undone, half of what is left is tried. */
static void attempt_begins(struct place *p, struct dsm__loop *l)
{
	long n = l->stop - l->at;

	n >>= p->attempts < 16 ? p->attempts : 16;
	if (p->attempts++ && !l->chunk)
		l->stop = l->at + (n ? n : 1);
	tell_units(p, l);
	tx.run_ns = events__now();
	tx.between_ns = p->attempts == 1 && p->ended_ns ? tx.run_ns - p->ended_ns : 0;
}

/* Under sc and rc nothing is lost by iterations in one section; who waits for the lock shall not wait too long. (For that of
 * an independent loop nobody waits, but between sections the mutator may receive.) */
static int next_section(struct dsm__loop *l)
{
	long n = l->chunk ? l->chunk : FIRST;

	if (l->at >= l->end)
		return loop_over(l->site);
	if (near_barrier(l->site, l))
		await__near();
	l->stop = l->end - l->at < n ? l->end : l->at + n;
	tell_units(l->site, l); /* for the record of the lock, if it comes from elsewhere */
	l->upto = l->stop;
	l->open = l->independent ? section__enter_own(l->pc, "DSM_TX_FOR_INDEPENDENT", l->place)
				 : section__enter(l->pc, "DSM_TX_FOR", l->object, l->place);
	tx.units = 0;
	return l->open;
}

/* A transaction that is never undone is long: in pieces, if a barrier is expected, between which the mutator may receive. */
static void begin_piece(struct dsm__loop *l)
{
	const struct place *p = l->site;

	if (near_barrier(l->site, l)) {
		await__near();
		tx__look();
	}
	l->stop = l->at < p->look_at && p->look_at < l->upto ? p->look_at : l->upto;
}

static bool in_pieces(const struct dsm__loop *l)
{
	const struct place *p = l->site;

	return l->independent && expects_barrier(p) && tx.depth == 1 && tx__never_undone() && node.transport;
}

int dsm__loop_more(struct dsm__loop *l)
{
	struct place *p = l->site;

	tx__require_mutator(NODE_CALLER, "DSM_TX_FOR");
	if (l->open && l->at >= l->stop && l->at < l->upto) {
		begin_piece(l);
		return 1;
	}
	if (l->open)
		end_transaction(l);
	if (section__wanted())
		return next_section(l);
	while (l->at < l->end) {
		long n = l->chunk ? l->chunk : choose(p, l);

		p->chosen = n; /* the loop's end may cut it short */
		l->stop = l->end - l->at < n ? l->end : l->at + n;
		l->open = 1;
		if (!tx.depth) {
			if (near_barrier(p, l))
				await__near();
			tx.units = (uint32_t)(l->stop - l->at);
			tx.goes_on = l->goes_on;
			tx.independent = l->independent;
			p->begun_ns = events__now();
			p->attempts = 0;
		}
		/* Not of the call here: compilers make two of it, and a loop is one place. */
		if (tx__begin(l->pc, "DSM_TX_FOR", false)) {
			if (tx.depth == 1)
				attempt_begins(p, l);
			l->upto = l->stop;
			if (in_pieces(l))
				begin_piece(l);
			return 1;
		}
		l->open = 0; /* cancelled: these iterations are skipped */
		l->at = l->stop;
	}
	return loop_over(p);
}

void dsm__loop_leave(struct dsm__loop *l)
{
	if (l->open)
		dsm__tx_leave(NULL);
}
