/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/bench/windows.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dsmcore/bench/mute.h"
#include "dsmcore/bench/node.h"
#include "dsmcore/bench/stats.h"
#include "dsm_events.h"

#define PLANT_NS 5000

static uint64_t cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct windows_part stand(uint64_t now)
{
	struct dsm_counters c;

	node__counters(&c);
	return (struct windows_part){
		.ns = now, .cpu_ns = cpu_now(), .events = c.events, .microscope_ns = c.microscope_ns};
}

static void listen_or_not(struct windows *w, bool listened)
{
	if (listened == w->listened)
		return;
	w->listened = listened;
	mute__set(!listened);
	if (w->chief && w->order.collector > 0)
		kill((pid_t)w->order.collector, listened ? SIGCONT : SIGSTOP);
}

void windows__begin(struct windows *w, const struct windows_order *order)
{
	uint64_t now;

	if (!w->part)
		w->part = malloc(WINDOWS_MAX * sizeof(*w->part));
	if (!w->part)
		node__fail("out of memory for windows");
	memset(w->part, 0, WINDOWS_MAX * sizeof(*w->part));
	w->order = *order;
	w->chief = dsm_node() == 0;
	w->owed_ns = 0;
	mute__open();
	while ((now = floor__now()) < order->start_ns) /* all nodes have heard of it by then */
		;
	w->at = (now - order->start_ns) / order->window_ns;
	w->listened = true;
	listen_or_not(w, stats__listened(w->at));
	w->now = (struct windows_part){0};
	w->then = stand(now);
	w->ticked_ns = now;
}

static void close_window(struct windows *w, uint64_t now)
{
	struct windows_part end = stand(now);

	w->now.ns = end.ns - w->then.ns;
	w->now.cpu_ns = end.cpu_ns - w->then.cpu_ns;
	w->now.events = end.events - w->then.events;
	w->now.microscope_ns = end.microscope_ns - w->then.microscope_ns;
	if (w->at < WINDOWS_MAX)
		w->part[w->at] = w->now;
	w->now = (struct windows_part){0};
	w->then = end;
}

/* A cost that is known, where the cost of a listener would be. It is paid in pieces that are long beside a look at the clock. */
static uint64_t plant(struct windows *w, uint64_t now)
{
	uint64_t began = now;

	w->owed_ns += (int64_t)((now - w->ticked_ns) * w->order.plant / 1000);
	if (w->owed_ns < PLANT_NS)
		return now;
	while (now - began < (uint64_t)w->owed_ns)
		now = floor__now();
	w->owed_ns -= (int64_t)(now - began);
	return now;
}

bool windows__tick(struct windows *w, uint64_t units)
{
	uint64_t now = floor__now(), at;

	if (w->listened && w->order.plant)
		now = plant(w, now);
	w->ticked_ns = now;
	w->now.units += units;
	at = (now - w->order.start_ns) / w->order.window_ns;
	if (at == w->at)
		return true;
	close_window(w, now);
	w->at = at; /* none, where the node was off its core for longer than a window */
	listen_or_not(w, stats__listened(at));
	return now - w->order.start_ns < w->order.total_ns;
}

void windows__end(struct windows *w)
{
	listen_or_not(w, true);
}
