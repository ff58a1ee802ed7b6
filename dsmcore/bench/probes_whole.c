/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probes_whole.c - the cost of observation by whole measurements, between which collectors come and go.
 *
 * Each measurement with a collector stands between two with nobody attached (none, aggregated, none, recorded, none ...),
 * and its ratio is to the mean of these two: a machine that gets faster or slower cancels out. What is printed is the
 * median of the ratios and the range in which it lies with 95 %. Beside the run time stands the CPU time of the nodes and of
 * the collector, which say more when others use the machine too, and from it the price of a probe.
 */
#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dsmcore/bench/probes.h"

#define SETTLE_US 300000 /* for the rundown of a collector that came late */
#define REPS_MAX  1000

struct measured {
	double seconds[2 * REPS_MAX + 1], cpu[2 * REPS_MAX + 1];
	double events, commits, sum;
	double microscope; /* CPU time that the nodes gave to looking at single accesses, seconds */
	double collector;  /* its CPU time while the nodes worked, seconds */
};

static int order(struct probes_session *s, uint64_t amount, double *seconds)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)amount);
	return probes__order(s, text, seconds);
}

static int once(struct probes_session *s, enum probes_mode mode, uint64_t amount, struct measured *m,
		unsigned at, struct results *r)
{
	char key[32];
	int rc = mode == PROBES_NONE ? 0 : probes__attach(s, mode);
	double before;

	if (rc)
		return rc;
	usleep(SETTLE_US);
	before = probes__cpu(s->collector.pid);
	rc = order(s, amount, &m->seconds[at]);
	if (!rc) {
		m->collector += probes__cpu(s->collector.pid) - before;
		m->events += results__number(&s->answer, "events");
		m->commits += results__number(&s->answer, "commits");
		m->microscope += results__number(&s->answer, "microscope");
		m->sum += m->seconds[at];
		m->cpu[at] = results__number(&s->answer, "cpu");
		snprintf(key, sizeof(key), "%s.%s", s->load, probes__modes[mode]);
		rc = results__sample(r, key, "", s->nodes, m->seconds[at] * 1e6) ? BENCH_FAILED : 0;
		snprintf(key, sizeof(key), "%s.%s.cpu", s->load, probes__modes[mode]);
		if (!rc && results__sample(r, key, "", s->nodes, m->cpu[at] * 1e6))
			rc = BENCH_FAILED;
	}
	return rc ? rc : probes__detach(s);
}

/* How much work takes about the wanted time. The first rounds are slower than the rest and warm everything
 * up, so that the last one decides. */
static int calibrate(struct probes_session *s, uint64_t *amount)
{
	double took = 0;
	int rc = 0;

	*amount = strcmp(s->load, "sor") == 0 ? 2 : 2000;
	for (int tries = 0; tries < 12 && !rc && took < s->o->seconds / 2; tries++) {
		rc = order(s, *amount, &took);
		if (!rc && took < s->o->seconds / 2)
			*amount *= took < s->o->seconds / 8 ? 4 : 2;
	}
	for (int again = 0; again < 2 && !rc; again++) {
		*amount = (uint64_t)((double)*amount * s->o->seconds / took) + 1;
		if (!again)
			rc = order(s, *amount, &took);
	}
	return rc;
}

/* What nobody attached took just before and just after the i-th measurement of this mode. */
static double beside(const double *none, enum probes_mode mode, unsigned i)
{
	unsigned before = mode == PROBES_NONE ? i : 2 * i + (mode == PROBES_RECORDED);

	return mode == PROBES_NONE ? none[i] : (none[before] + none[before + 1]) / 2;
}

/* Additional CPU time by records, where every transaction makes two and the median is one of many. */
static void price(struct json_object *o, const struct measured *with, struct spread extra, unsigned n)
{
	double each = n / with->events;

	if (with->events <= 0)
		each = NAN;
	json__number(o, "probe_us", extra.middle * each, 3);
	json__number(o, "probe_us_low", extra.low * each, 3);
	json__number(o, "probe_us_high", extra.high * each, 3);
}

static void compare(struct json_object *o, const struct measured *m, enum probes_mode mode, unsigned reps)
{
	double time[2 * REPS_MAX + 1], cpu[2 * REPS_MAX + 1], extra[2 * REPS_MAX + 1];
	const struct measured *with = &m[mode], *none = &m[PROBES_NONE];
	unsigned n = mode == PROBES_NONE ? 2 * reps + 1 : reps;
	struct spread s;

	for (unsigned i = 0; i < n; i++) {
		time[i] = with->seconds[i] / beside(none->seconds, mode, i);
		cpu[i] = with->cpu[i] / beside(none->cpu, mode, i);
		extra[i] = (with->cpu[i] - beside(none->cpu, mode, i)) * 1e6;
	}
	s = stats__spread(time, n);
	probes__spread(o, "ratio", s, 4);
	s = stats__spread(cpu, n);
	probes__spread(o, "cpu_ratio", s, 4);
	json__number(o, "collector_ms_per_s", with->collector / with->sum * 1e3, 2);
	json__number(o, "microscope_ms_per_s", with->microscope / with->sum * 1e3, 2);
	json__number(o, "commits_per_s", with->commits / with->sum, 0);
	json__number(o, "probes_per_s", with->events / with->sum, 0);
	price(o, with, stats__spread(extra, n), n);
}

static struct json_object *figure(struct probes_session *s, enum probes_mode mode, const struct measured *m,
				  unsigned reps, const struct results *r)
{
	struct json_object *o;
	char key[32], none[32];

	snprintf(key, sizeof(key), "%s.%s", s->load, probes__modes[mode]);
	snprintf(none, sizeof(none), "%s.none", s->load);
	o = probes__figure(s, mode, results__series(r, key, "", s->nodes),
			   results__series(r, none, "", s->nodes));
	compare(o, m, mode, reps);
	json__number(o, "lost", mode == PROBES_NONE ? 0 : s->lost, 0);
	return o;
}

int probes_whole__run(struct probes_session *s, struct results *r, struct json_object *list)
{
	unsigned reps = s->o->reps ? s->o->reps : PROBES_REPS;
	struct measured *m = calloc(PROBES_MODES, sizeof(*m));
	uint64_t amount = 0;
	int rc;

	if (!m)
		return BENCH_FAILED;
	rc = calibrate(s, &amount);
	if (!rc)
		rc = once(s, PROBES_NONE, amount, &m[PROBES_NONE], 0, r);
	for (unsigned k = 0; k < 4 * reps && !rc; k++) {
		enum probes_mode mode = k % 4 == 0   ? PROBES_AGGREGATED
					: k % 4 == 2 ? PROBES_RECORDED
						     : PROBES_NONE;

		launch__progress(s->load, (double)k / (4 * reps));
		rc = once(s, mode, amount, &m[mode], mode == PROBES_NONE ? k / 2 + 1 : k / 4, r);
	}
	for (int mode = PROBES_MODES - 1; mode >= 0 && !rc; mode--)
		json_object_array_add(list, figure(s, (enum probes_mode)mode, m, reps, r));
	free(m);
	return rc;
}
