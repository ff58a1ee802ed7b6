// SPDX-License-Identifier: BSD-2-Clause
/* merge_clocks.c - the parts' times on one clock, and how well that is known. */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/jsonout.h"
#include "collector/merge_parts.h"

static struct merge_part *own(const struct merge *m)
{
	return &m->part[m->node[m->lowest].part ? m->node[m->lowest].part - 1 : 0];
}

int merge__relate(struct merge *m)
{
	const struct merge_part *base = own(m);
	int rc = hostclocks__solve(m->clocks, (size_t)(base - m->part));

	if (rc) {
		fprintf(stderr, "dsmcollect: %s\n", strerror(-rc));
		return 1;
	}
	for (size_t i = 0; i < m->nparts; i++) {
		struct merge_part *p = &m->part[i];
		const struct hostclock *k = hostclocks__about(m->clocks, i);

		p->clock = k->own ? MERGE_OWN : k->known ? MERGE_PING : MERGE_UNKNOWN;
		if (k->known)
			p->shift_ns = (int64_t)(hostclocks__time(m->clocks, i, p->first_ns) - p->first_ns);
		if (k->known || !p->wall_ns || !base->wall_ns)
			continue;
		p->clock = MERGE_WALL;
		p->shift_ns =
			(int64_t)((p->wall_ns - p->monotonic_ns) - (base->wall_ns - base->monotonic_ns));
	}
	return 0;
}

uint64_t merge__time(const struct merge *m, const struct merge_part *p, uint64_t time_ns)
{
	if (p->clock <= MERGE_PING)
		return hostclocks__time(m->clocks, (size_t)(p - m->part), time_ns);
	if (p->shift_ns < 0 && time_ns < -(uint64_t)p->shift_ns)
		return 0; /* no clock shows it, but a damaged trace may */
	return time_ns + (uint64_t)p->shift_ns;
}

/* ---- in the trace ---- */

static void put_double(struct json_object *o, const char *key, double value, const char *format)
{
	char text[64];

	snprintf(text, sizeof(text), format, value);
	jsonout__put(o, key, json_object_new_double_s(value, text));
}

static unsigned first_node(const struct merge *m, size_t part)
{
	unsigned n = 0;

	while (n + 1 < MERGE_NODES && m->node[n].part != part + 1)
		n++;
	return n;
}

static struct json_object *steps(const struct merge *m, size_t part)
{
	struct json_object *all = json_object_new_array();
	struct hostclock_step s;

	for (unsigned i = 0; hostclocks__step(m->clocks, part, i, &s); i++) {
		struct json_object *o = json_object_new_object();

		jsonout__u64(o, "at_ns", s.at_ns);
		jsonout__u64(o, "within_ns", s.span_ns);
		jsonout__u64(o, "ns", s.ns);
		jsonout__u64(o, "node", first_node(m, s.part));
		json_object_array_add(all, o);
	}
	return all;
}

void merge__put_clock(struct json_object *o, const struct merge *m, size_t part)
{
	static const char *const name[] = {[MERGE_OWN] = "own",
					   [MERGE_PING] = "measured",
					   [MERGE_WALL] = "wall",
					   [MERGE_UNKNOWN] = "unknown"};
	const struct merge_part *p = &m->part[part];
	const struct hostclock *k = hostclocks__about(m->clocks, part);

	jsonout__text(o, "clock", name[p->clock]);
	jsonout__put(o, "shift_ns", json_object_new_int64(p->shift_ns));
	if (p->clock != MERGE_PING)
		return;
	jsonout__u64(o, "error_ns", k->error_ns);
	put_double(o, "drift_ppm", k->drift * 1e6, "%.4f");
	jsonout__u64(o, "measurements", k->fit->used);
	jsonout__u64(o, "left_out", k->fit->left_out);
	jsonout__put(o, "steps", steps(m, part));
}

void merge__put_clocks(struct json_object *o, const struct merge *m)
{
	const struct hostclocks_causes *e = hostclocks__causes(m->clocks);
	struct json_object *k = json_object_new_object();
	size_t hosts;
	uint64_t error = hostclocks__error(m->clocks, &hosts);

	jsonout__u64(k, "hosts", m->nparts);
	jsonout__u64(k, "measured", hosts);
	if (hosts > 1)
		jsonout__u64(k, "error_ns", error);
	jsonout__u64(k, "steps", hostclocks__steps(m->clocks));
	jsonout__u64(k, "checked", e->checked);
	jsonout__u64(k, "violated", e->violated);
	jsonout__u64(k, "worst_ns", e->worst_ns);
	jsonout__put(o, "clocks", k);
}

/* ---- for people ---- */

static void complain_of_steps(const struct merge *m, size_t part)
{
	struct hostclock_step s;

	for (unsigned i = 0; hostclocks__step(m->clocks, part, i, &s); i++)
		fprintf(stderr,
			"dsmcollect: the clock of node %u's host stood still for about %.6f s, as against "
			"that of "
			"node %u's (a host that was suspended?): times within %.3f s before %.6f s (of the "
			"merged trace) are uncertain\n",
			first_node(m, s.part), (double)s.ns / 1e9, first_node(m, s.other),
			(double)s.span_ns / 1e9, (double)s.at_ns / 1e9);
}

void merge__complain_of_clocks(const struct merge *m)
{
	for (size_t i = 0; i < m->nparts; i++) {
		const struct merge_part *p = &m->part[i];

		complain_of_steps(m, i);
		if (p->clock > MERGE_PING && p->run_id)
			fprintf(stderr,
				"dsmcollect: %s: its nodes have not measured their clocks against those of "
				"the others (a run of less than a second?): %s\n",
				p->path,
				p->clock == MERGE_WALL ? "the hosts' wall clocks relate them"
						       : "its times are left as they are");
	}
}

void merge__complain_of_causes(const struct merge *m)
{
	const struct hostclocks_causes *e = hostclocks__causes(m->clocks);

	if (e->violated)
		fprintf(stderr,
			"dsmcollect: %llu of %llu pairs of events of different hosts are in an order that "
			"cannot be "
			"(an effect up to %.1f us before its cause): near there, do not trust which came "
			"first\n",
			(unsigned long long)e->violated, (unsigned long long)e->checked,
			(double)e->worst_ns / 1e3);
}

void merge__print_clocks(const struct merge *m)
{
	const struct hostclocks_causes *e = hostclocks__causes(m->clocks);
	size_t hosts;
	uint64_t error = hostclocks__error(m->clocks, &hosts);

	for (size_t i = 0; i < m->nparts; i++) {
		const struct merge_part *p = &m->part[i];
		const struct hostclock *k = hostclocks__about(m->clocks, i);

		if (p->clock == MERGE_PING)
			fprintf(stderr,
				"  clock     of node %u's host: %+.6f s, drift %+.2f ppm, to %.1f us\n",
				first_node(m, i), (double)p->shift_ns / 1e9, k->drift * 1e6,
				(double)k->error_ns / 1e3);
		else if (p->clock == MERGE_WALL)
			fprintf(stderr, "  clock     of node %u's host: %+.6f s, by the wall clocks\n",
				first_node(m, i), (double)p->shift_ns / 1e9);
	}
	if (hosts > 1)
		fprintf(stderr,
			"  clocks    of %zu hosts joined within %.1f us; %llu causes before their effects, "
			"%llu behind\n",
			hosts, (double)error / 1e3, (unsigned long long)(e->checked - e->violated),
			(unsigned long long)e->violated);
}
