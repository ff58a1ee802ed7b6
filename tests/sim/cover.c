/* SPDX-License-Identifier: BSD-2-Clause */
/* cover.c - which event met which state of the core, over all seeds of a run: what is counted where, and the verdict. */
#include "tests/sim/cover.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct cover_table *const lists[] = {cover_tx, cover_sync};

#define NLISTS (sizeof(lists) / sizeof(lists[0]))

/* ---- the hooks ---- */

static bool of_tx(const struct dsm_core *core)
{
	return !core->config.rc_from;
}

/* Worlds without races have no tables (cover.h): what they read tells. */
static bool of_blocks(const struct dsm_core *core)
{
	return core->config.rc_from && core->config.sc_from == core->config.pages_per_home;
}

void core_cover__mutator(const struct dsm_core *core, const struct core_event *event)
{
	if (of_tx(core))
		cover_tx__mutator(core, event);
	else if (!of_blocks(core))
		cover_sync__mutator(core, event);
}

void core_cover__message(const struct dsm_core *core, const struct core_msg *msg)
{
	if (of_tx(core))
		cover_tx__message(core, msg);
	else if (!of_blocks(core))
		cover_sync__message(core, msg);
}

void core_cover__end(const struct dsm_core *core, int committed)
{
	if (of_tx(core))
		cover_tx__end(core, committed);
}

void core_cover__lost(const struct dsm_core *core, unsigned node)
{
	if (of_tx(core))
		cover_tx__lost(core, node);
	else if (!of_blocks(core))
		cover_sync__lost(core, node);
}

/* ---- the counts of several processes ---- */

static size_t cells_of(const struct cover_table *t)
{
	return (size_t)t->nstates * t->nevents;
}

size_t cover__cells(void)
{
	const struct cover_table *t;
	size_t i, n = 0;

	for (i = 0; i < NLISTS; i++)
		for (t = lists[i]; t->name; t++)
			n += cells_of(t);
	return n;
}

void cover__save(uint64_t *to)
{
	const struct cover_table *t;
	size_t i;

	for (i = 0; i < NLISTS; i++)
		for (t = lists[i]; t->name; to += cells_of(t++))
			memcpy(to, t->met, cells_of(t) * sizeof(*to));
}

void cover__add(const uint64_t *from)
{
	const struct cover_table *t;
	size_t i, k;

	for (i = 0; i < NLISTS; i++)
		for (t = lists[i]; t->name; t++)
			for (k = 0; k < cells_of(t); k++)
				t->met[k] += *from++;
}

/* ---- the verdict ---- */

static unsigned report_cell(const struct cover_table *t, unsigned s, unsigned e, bool print)
{
	uint64_t n = t->met[s * t->nevents + e];
	char want = t->expected[s][e];

	if (print)
		printf("%-9s %-15s %-16s %12" PRIu64 "  %s\n", t->name, t->states[s], t->events[e], n,
		       want == '+' ? "" : t->reasons[(unsigned char)want]);
	if (want == 'r' || (want == '+') == (n > 0))
		return 0;
	printf("coverage: %s %s x %s %s\n", t->name, t->states[s], t->events[e],
	       n ? "was met, though it cannot be" : "was never met");
	return 1;
}

unsigned cover__report(bool print)
{
	const struct cover_table *t;
	unsigned s, e, wrong = 0;
	size_t i;

	for (i = 0; i < NLISTS; i++)
		for (t = lists[i]; t->name; t++)
			for (s = 0; s < t->nstates; s++)
				for (e = 0; e < t->nevents; e++)
					wrong += report_cell(t, s, e, print);
	return wrong;
}
