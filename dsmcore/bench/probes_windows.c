/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probes_windows.c - the cost of observation from one long run of a load, in which the collector listens and does not
 * listen by turns, in windows of 10 ms (windows.h).
 *
 * Neighbouring windows see the same machine. Those of a second are put together to a block, whose ratio holds also what a collector
 * does once a second; what is printed is the median of the blocks' ratios, with the range in which it lies with 95 %. Without a
 * collector the same windows show how good the instrument is: their ratio is 1 but for chance.
 */
#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dsmcore/bench/probes.h"
#include "dsmcore/bench/windows.h"

#define BLOCK_US 1000000u

/* Sums over the windows with a listener and over those without. */
struct sums {
	double seconds, events, microscope;
};

static void sum_up(const struct results *r, struct sums m[2])
{
	memset(m, 0, 2 * sizeof(*m));
	for (size_t i = 0; i < r->nwindows; i++) {
		const struct window *w = &r->windows[i];
		struct sums *to = &m[stats__listened(w->index)];

		to->seconds += w->seconds;
		to->events += w->events * w->seconds;
		to->microscope += w->microscope * w->seconds;
	}
}

/* Microseconds for a unit of work of one node, in each window. */
static int keep_samples(const struct probes_session *s, enum probes_mode mode, struct results *r,
			char keys[2][32])
{
	snprintf(keys[1], sizeof(keys[1]), "%s.%s", s->load, probes__modes[mode]);
	snprintf(keys[0], sizeof(keys[0]), "%s.%s.muted", s->load, probes__modes[mode]);
	for (size_t i = 0; i < s->answer.nwindows; i++) {
		const struct window *w = &s->answer.windows[i];

		if (results__sample(r, keys[stats__listened(w->index)], "", s->nodes,
				    1e6 * s->nodes / w->rate))
			return BENCH_FAILED;
	}
	return 0;
}

static void add_ratios(struct json_object *o, const struct block *b, size_t n, double *x)
{
	size_t priced = 0;

	for (size_t i = 0; i < n; i++)
		x[i] = b[i].time;
	probes__spread(o, "ratio", stats__spread(x, n), 4);
	for (size_t i = 0; i < n; i++)
		x[i] = b[i].cpu;
	probes__spread(o, "cpu_ratio", stats__spread(x, n), 4);
	for (size_t i = 0; i < n; i++)
		if (isfinite(b[i].probe))
			x[priced++] = b[i].probe;
	probes__spread(o, "probe_us", stats__spread(x, priced), 3);
	json_object_object_add(o, "blocks", json_object_new_int64((int64_t)n));
}

static int report(const struct probes_session *s, enum probes_mode mode, double collector, struct results *r,
		  struct json_object **out)
{
	const struct results *a = &s->answer;
	size_t each = BLOCK_US / 1000 / s->o->window_ms / 2 * 2, n = a->nwindows;
	struct block *blocks;
	char keys[2][32];
	struct sums m[2];
	double *x;
	int rc;

	each = each ? each : 2;
	blocks = malloc((n / 2 + 1) * sizeof(*blocks));
	x = malloc((n / 2 + 1) * sizeof(*x));
	rc = blocks && x ? keep_samples(s, mode, r, keys) : BENCH_FAILED;
	if (!rc) {
		struct json_object *o = probes__figure(s, mode, results__series(r, keys[1], "", s->nodes),
						       results__series(r, keys[0], "", s->nodes));

		sum_up(a, m);
		add_ratios(o, blocks, stats__blocks(a->windows, n, each, blocks), x);
		json__number(o, "collector_ms_per_s", collector * 1e3, 2);
		json__number(o, "microscope_ms_per_s", m[1].microscope / m[1].seconds * 1e3, 2);
		json__number(o, "commits_per_s",
			     results__number(a, "commits") / results__number(a, "seconds"), 0);
		json__number(o, "probes_per_s", m[1].events / m[1].seconds, 0);
		json__number(o, "muted_probes_per_s", m[0].events / m[0].seconds, 0);
		json_object_object_add(o, "window_ms", json_object_new_int((int)s->o->window_ms));
		json_object_object_add(o, "windows", json_object_new_int64((int64_t)n));
		json_object_object_add(o, "planted", json_object_new_int((int)s->o->plant));
		*out = o;
	}
	free(blocks);
	free(x);
	return rc;
}

/* One mode: a collector comes, listens by turns, goes. */
static int measure(struct probes_session *s, enum probes_mode mode, struct results *r,
		   struct json_object **out)
{
	int rc = mode == PROBES_NONE ? 0 : probes__attach(s, mode);
	double took, cpu;
	char text[128];

	if (!rc && mode != PROBES_NONE && strcmp(s->source, "bpf") != 0) {
		fputs("dsmbench: probes: the collector uses its ring, which cannot be muted by turns: run as "
		      "root "
		      "for BPF, or give --whole\n",
		      stderr);
		rc = BENCH_BAD;
	}
	if (rc)
		return rc;
	cpu = probes__cpu(s->collector.pid);
	snprintf(text, sizeof(text), "0 %u %.3f %d %u", s->o->window_ms * 1000, s->o->seconds,
		 (int)s->collector.pid, s->o->plant);
	rc = probes__order(s, text, &took);
	cpu = probes__cpu(s->collector.pid) - cpu;
	if (!rc && !s->answer.nwindows) {
		fprintf(stderr,
			"dsmbench: %s: no node was on its core for a whole window: give longer ones "
			"(--window)\n",
			s->load);
		rc = BENCH_FAILED;
	}
	if (!rc) /* it works in half of the windows only */
		rc = report(s, mode, cpu / took * 2, r, out);
	return rc ? rc : probes__detach(s);
}

int probes_windows__run(struct probes_session *s, struct results *r, struct json_object *list)
{
	struct json_object *figures[PROBES_MODES] = {0};
	double most = (double)WINDOWS_MAX * s->o->window_ms / 1000 - WINDOWS_WARM_S;
	int rc = 0;

	if (s->o->seconds > most) {
		fprintf(stderr,
			"dsmbench: probes: windows of %u ms are kept for %.0f seconds at most, not %.0f: "
			"give longer "
			"ones (--window) or fewer seconds\n",
			s->o->window_ms, most, s->o->seconds);
		return BENCH_BAD;
	}

	for (int mode = PROBES_MODES - 1; mode >= 0 && !rc; mode--) {
		launch__progress(s->load, (double)(PROBES_MODES - 1 - mode) / PROBES_MODES);
		rc = measure(s, (enum probes_mode)mode, r, &figures[mode]);
		if (!rc && mode != PROBES_NONE) {
			json__number(figures[mode], "attach_ms", s->attach_ms, 1);
			json__number(figures[mode], "detach_ms", s->detach_ms, 1);
			json__number(figures[mode], "lost", s->lost, 0);
			s->lost = 0;
		}
	}
	for (int mode = PROBES_MODES - 1; mode >= 0; mode--)
		if (!rc)
			json_object_array_add(list, figures[mode]);
		else
			json_object_put(figures[mode]);
	return rc;
}
