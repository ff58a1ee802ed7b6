/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * node_load.c - work whose run time shows what probes and collectors cost.
 *
 *   walk  like the program `world`: each step of an avatar is a small transaction on objects of this node;
 *         once in a while it adds to a score that all share
 *   sor   red-black relaxation of a matrix, a block of rows for each node, a barrier after each half-sweep
 *   objects  allocating and freeing
 *
 * Node 0 reads orders from its standard input. "walk N" runs so much work on all nodes and prints how long it took,
 * how many transactions committed and how many records the nodes emitted. "walk 0 WINDOW SECONDS COLLECTOR PLANT" runs
 * for a time and prints what was done in each window of so many microseconds (windows.h). "end" ends.
 */
#include "dsmcore/bench/mute.h"
#include "dsmcore/bench/node.h"
#include "dsmcore/bench/stats.h"
#include "dsmcore/bench/windows.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

#include "dsm_events.h"

#define AVATARS	    64
#define SCORE_EVERY 1024
#define SIDE	    1000l
#define IDLE_TIMES  1000000u
#define IDLE_ROUNDS 5

enum { END, WALK, SOR, OBJECTS };
static const char *const names[] = {"end", "walk", "sor", "objects"};

#define TICK_EVERY 64	     /* small transactions */
#define HEAR_NS	   20000000u /* in which all nodes hear of an order */
#define WARM_NS	   (WINDOWS_WARM_S * UINT64_C(1000000000))

struct order {
	uint64_t kind, amount;
	struct windows_order by; /* window_ns 0: not by windows */
};

struct avatar {
	double x, y, dx, dy;
	uint64_t steps;
	char name[24];
};

struct score {
	uint64_t reached;
};

struct tally {
	uint64_t commits, events, cpu_ns, microscope_ns;
};

struct load {
	struct order *order;
	struct windows windows;	    /* of this node */
	struct windows_part *parts; /* WINDOWS_MAX of each node */
	uint64_t *over;		    /* node 0 has said that the time is over */
	struct avatar *avatars;	    /* of this node */
	struct score *score;
	struct tally *tallies;
	double *cells;
};

static void step(struct avatar *a)
{
	a->x += a->dx;
	a->y += a->dy;
	if (a->x < 0 || a->x > 100)
		a->dx = -a->dx;
	if (a->y < 0 || a->y > 100)
		a->dy = -a->dy;
	a->steps++;
}

static void walk(struct load *l, uint64_t first, uint64_t amount)
{
	for (uint64_t i = first; i < first + amount; i++)
		DSM_TX {
			step(&l->avatars[i % AVATARS]);
			if (i % SCORE_EVERY == SCORE_EVERY - 1)
				l->score->reached++;
		}
}

static void relax_row(double *g, long row, int colour)
{
	double *up = g + (row - 1) * SIDE, *at = g + row * SIDE, *down = g + (row + 1) * SIDE;

	for (long j = 1 + (row + colour) % 2; j < SIDE - 1; j += 2)
		at[j] = 0.3125 * (up[j] + down[j] + at[j - 1] + at[j + 1]) - 0.25 * at[j];
}

static void half_sweep(struct load *l, int colour)
{
	long first = SIDE * dsm_node() / dsm_nodes(), end = SIDE * (dsm_node() + 1) / dsm_nodes();

	first = first < 1 ? 1 : first;
	end = end > SIDE - 1 ? SIDE - 1 : end;
	DSM_TX_FOR(row, first, end) {
		relax_row(l->cells, row, colour);
	}
}

static void sor(struct load *l, uint64_t amount)
{
	for (uint64_t k = 0; k < 2 * amount; k++) {
		half_sweep(l, (int)(k % 2));
		dsm_barrier();
	}
}

static void objects(uint64_t amount)
{
	for (uint64_t i = 0; i < amount; i++)
		DSM_TX {
			dsm_free(dsm_new(struct avatar, 1));
		}
}

static void work(struct load *l, uint64_t kind, uint64_t amount)
{
	if (kind == WALK)
		walk(l, 0, amount);
	else if (kind == SOR)
		sor(l, amount);
	else
		objects(amount);
}

/* ---- by windows ---- */

/* Nodes that meet at barriers must all go the same number of times. Node 0 says at which one it is over; all have heard of it
 * at the next barrier, some a little sooner. */
static void sor_by_windows(struct load *l)
{
	uint64_t over = 0;

	for (uint64_t k = 1; !over || k <= over; k++) {
		half_sweep(l, (int)(k % 2));
		dsm_barrier();
		if (!windows__tick(&l->windows, 1) && dsm_node() == 0 && !over)
			DSM_TX {
				*l->over = k + 1;
			}
		dsm_peek(&over, l->over, sizeof(over));
	}
}

static void by_windows(struct load *l, const struct order *o)
{
	windows__begin(&l->windows, &o->by);
	if (o->kind == SOR)
		sor_by_windows(l);
	else
		for (uint64_t i = 0; windows__tick(&l->windows, i ? TICK_EVERY : 0); i += TICK_EVERY) {
			if (o->kind == WALK)
				walk(l, i, TICK_EVERY);
			else
				objects(TICK_EVERY);
		}
	windows__end(&l->windows);
}

/* Of one window that all nodes were there for: false if not. */
static bool put_together(const struct load *l, uint64_t i, struct window *w)
{
	*w = (struct window){.index = i};
	for (int n = 0; n < dsm_nodes(); n++) {
		struct windows_part part;
		double seconds;

		dsm_peek(&part, &l->parts[(uint64_t)n * WINDOWS_MAX + i], sizeof(part));
		if (!part.units || !part.ns)
			return false;
		seconds = (double)part.ns * 1e-9;
		w->seconds += seconds / dsm_nodes();
		w->rate += (double)part.units / seconds;
		w->cpu += (double)part.cpu_ns * 1e-9 / seconds;
		w->events += (double)part.events / seconds;
		w->microscope += (double)part.microscope_ns * 1e-9 / seconds;
	}
	return true;
}

static void tell_windows(struct load *l, const struct windows_order *by)
{
	uint64_t n = by->total_ns / by->window_ns;
	struct window w;

	DSM_TX {
		memcpy(&l->parts[(uint64_t)dsm_node() * WINDOWS_MAX], l->windows.part,
		       n * sizeof(*l->windows.part));
	}
	dsm_barrier();
	if (dsm_node())
		return;
	for (uint64_t i = WARM_NS / by->window_ns; i < n; i++)
		if (put_together(l, i, &w))
			printf("w %llu %.9f %.3f %.6f %.3f %.6f\n", (unsigned long long)i, w.seconds, w.rate,
			       w.cpu, w.events, w.microscope);
}

/* ---- orders ---- */

static struct order read_order(void)
{
	char line[256], name[16];
	unsigned long long amount = 0, window_us = 0, plant = 0;
	struct order o = {END, 0, {0}};
	long long collector = 0;
	double seconds = 0;

	if (!fgets(line, sizeof(line), stdin) || sscanf(line, "%15s %llu %llu %lf %lld %llu", name, &amount,
							&window_us, &seconds, &collector, &plant) < 1)
		return o;
	for (uint64_t kind = WALK; kind <= OBJECTS; kind++)
		if (!strcmp(name, names[kind]))
			o.kind = kind;
	o.amount = amount;
	o.by = (struct windows_order){.window_ns = window_us * 1000,
				      .total_ns = WARM_NS + (uint64_t)(seconds * 1e9),
				      .collector = collector,
				      .plant = plant};
	if (window_us && o.by.total_ns / o.by.window_ns > WINDOWS_MAX)
		node__fail("%.0f seconds of windows of %llu us are more than %d windows", seconds, window_us,
			   WINDOWS_MAX);
	return o;
}

static struct order next_order(struct load *l)
{
	struct order o;

	if (dsm_node() == 0) {
		o = read_order();
		o.by.start_ns = floor__now() + HEAR_NS;
		DSM_TX {
			*l->order = o;
			*l->over = 0;
		}
	}
	dsm_barrier();
	dsm_peek(&o, l->order, sizeof(o));
	dsm_barrier();
	return o;
}

static struct tally so_far(void)
{
	struct dsm_counters c;
	struct timespec cpu;

	node__counters(&c);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	return (struct tally){c.commits, c.events, (uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec,
			      c.microscope_ns};
}

static void tell(struct load *l, uint64_t ns, struct tally before)
{
	struct tally now = so_far(), each, all = {0};

	DSM_TX {
		l->tallies[dsm_node()] =
			(struct tally){now.commits - before.commits, now.events - before.events,
				       now.cpu_ns - before.cpu_ns, now.microscope_ns - before.microscope_ns};
	}
	dsm_barrier();
	if (dsm_node())
		return;
	for (int i = 0; i < dsm_nodes(); i++) {
		dsm_peek(&each, &l->tallies[i], sizeof(each));
		all.commits += each.commits;
		all.events += each.events;
		all.cpu_ns += each.cpu_ns;
		all.microscope_ns += each.microscope_ns;
	}
	node__value("cpu", (double)all.cpu_ns * 1e-9);
	node__value("microscope", (double)all.microscope_ns * 1e-9);
	node__value("events", (double)all.events);
	node__value("commits", (double)all.commits);
	node__value("seconds", (double)ns * 1e-9); /* the last: it ends the answer */
}

/* What a probe costs that nobody listens to: the same point with the same check as those of the DSM, which lie in
 * paths that take longer than it. */
__extension__ unsigned short dsmbench_idle_semaphore __attribute__((unused, section(".probes")));

static double idle_probe_ns(void)
{
	volatile uint64_t value = 0;
	uint64_t least = UINT64_MAX, least_bare = UINT64_MAX;

	for (int round = 0; round < IDLE_ROUNDS; round++) {
		uint64_t start = floor__now(), bare, with;

		for (uint64_t i = 0; i < IDLE_TIMES; i++)
			value = i;
		bare = floor__now() - start;
		start = floor__now();
		for (uint64_t i = 0; i < IDLE_TIMES; i++) {
			value = i;
			if (*(volatile unsigned short *)&dsmbench_idle_semaphore)
				STAP_PROBE1(dsmbench, idle, value);
		}
		with = floor__now() - start;
		least = with < least ? with : least;
		least_bare = bare < least_bare ? bare : least_bare;
	}
	return least > least_bare ? (double)(least - least_bare) / IDLE_TIMES : 0;
}

static void prepare(struct load *l)
{
	if (dsm_node() == 0) {
		dsm_root_set("order", dsm_new(struct order, 1));
		dsm_root_set("score", dsm_new_flat(struct page, 1));
		dsm_root_set("tallies", dsm_new_flat(struct tally, (size_t)dsm_nodes()));
		dsm_root_set("parts", dsm_new_flat(struct windows_part, WINDOWS_MAX * (size_t)dsm_nodes()));
		dsm_root_set("over", dsm_new_flat(struct page, 1));
		dsm_root_set("cells", dsm_new_flat(double, SIDE *SIDE));
	}
	l->avatars = dsm_new_flat(struct avatar, AVATARS);
	dsm_barrier();
	l->order = dsm_root("order");
	l->score = dsm_root("score");
	l->tallies = dsm_root("tallies");
	l->cells = dsm_root("cells");
	l->parts = dsm_root("parts");
	l->over = dsm_root("over");
	DSM_TX {
		for (int i = 0; i < AVATARS; i++)
			l->avatars[i] = (struct avatar){.x = i, .y = 50, .dx = 0.25, .dy = 0.125};
	}
	if (dsm_node() == 0)
		DSM_TX_FOR(i, 0, SIDE) {
			for (long j = 0; j < SIDE; j++)
				l->cells[i * SIDE + j] = (double)((i * 31 + j * 17) % 1000) * 1e-9;
		}
	dsm_barrier();
}

int node_load__main(const struct options *o)
{
	struct load l = {0};

	(void)o;
	mute__find();
	prepare(&l);
	if (dsm_node() == 0) {
		node__value("idle_probe_ns", idle_probe_ns());
		node__value("ready", 1);
	}
	for (;;) {
		struct order order = next_order(&l);

		if (order.kind == END)
			return 0;
		dsm_barrier();
		struct tally before = so_far();
		uint64_t start = floor__now();

		if (order.by.window_ns)
			by_windows(&l, &order);
		else
			work(&l, order.kind, order.amount);
		dsm_barrier();
		if (order.by.window_ns)
			tell_windows(&l, &order.by);
		tell(&l, floor__now() - start, before);
	}
}
