/* SPDX-License-Identifier: BSD-2-Clause */
#include "analyzer/gate_report.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <string.h>

static const char *verdict_name(enum gate_verdict verdict)
{
	return verdict == GATE_PASS ? "pass" : verdict == GATE_REGRESSION ? "regression" : "inconclusive";
}

static void too_few(const struct gate_report *r, char *dst, size_t size)
{
	snprintf(dst, size,
		 "%zu baseline and %zu candidate runs: at least %d of each are needed to see how much runs "
		 "differ by chance, "
		 "10 are better",
		 r->result.baseline.n, r->result.candidate.n, GATE_MIN_RUNS);
}

static void inconclusive(const struct gate_report *r, char *dst, size_t size)
{
	const struct gate_result *g = &r->result;
	const char *what = g->significant
				   ? "The candidate is worse, but whether by more than the margin is open"
				   : "The interval reaches to both sides of the limit";

	if (g->runs_wanted)
		snprintf(dst, size,
			 "%s. If the true change is what these runs show, about %zu runs of each side would "
			 "settle it in 4 of 5 "
			 "cases",
			 what, g->runs_wanted);
	else
		snprintf(dst, size,
			 "%s. More runs will hardly settle it: the change is about as large as the margin, "
			 "or runs differ too much; "
			 "make runs longer, or choose another --margin",
			 what);
}

/* Why, and what to do about it, in a sentence or two. */
static void give_reason(const struct gate_report *r, char *dst, size_t size)
{
	const struct gate_result *g = &r->result;
	double margin = r->rule.margin * 100;

	if (!g->judged)
		too_few(r, dst, size);
	else if (g->verdict == GATE_INCONCLUSIVE)
		inconclusive(r, dst, size);
	else if (g->verdict == GATE_REGRESSION)
		snprintf(dst, size, "The whole interval is worse than the %g %% that the margin allows",
			 margin);
	else if (g->significant)
		snprintf(dst, size,
			 "The candidate is worse, but surely by less than the %g %% that the margin allows",
			 margin);
	else
		snprintf(dst, size, "The whole interval is better than the limit: not worse by %g %% or more",
			 margin);
}

/* ---- text ---- */

/* The model of all runs; NULL: they are of several. */
static const char *model(const struct gate_report *r)
{
	unsigned consistency = r->side[0].run[0].consistency;

	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < r->side[side].n; i++)
			if (r->side[side].run[i].consistency != consistency)
				return NULL;
	return gate_model__name(consistency);
}

static void text_side(FILE *out, const char *name, const struct gate_side *s)
{
	fprintf(out, "  %-10s %4zu run%s  mean %-10.4g least %-10.4g most %-*.4g", name, s->n,
		s->n == 1 ? " " : "s", s->geomean, s->least, s->n > 1 ? 10 : 0, s->most);
	if (s->n > 1)
		fprintf(out, " runs differ by %.1f %%", expm1(s->log_sd) * 100);
	fputc('\n', out);
}

int gate_report__text(const struct gate_report *r, FILE *out)
{
	const struct gate_result *g = &r->result;
	const struct gate_metric_info *m = gate_metric__info(r->metric);
	const struct gate_run *any = &r->side[0].run[0];
	char reason[512];

	give_reason(r, reason, sizeof(reason));
	fprintf(out, "%s: %s of %s, %u nodes%s%s\n", verdict_name(g->verdict), m->name, any->program,
		any->nodes, model(r) ? ", " : "", model(r) ? model(r) : "");
	text_side(out, "baseline", &g->baseline);
	text_side(out, "candidate", &g->candidate);
	if (g->judged) {
		fprintf(out,
			"  candidate/baseline %.4g, %g %% interval %.4g to %.4g; limit %.4g (margin %g %%, "
			"%s is better)\n",
			g->ratio, 100 * (1 - 2 * r->rule.alpha), g->low, g->high, g->limit,
			100 * r->rule.margin, m->higher_is_better ? "higher" : "lower");
		if (g->se <= 0)
			fprintf(out, "  no run differed from another of its side\n");
	}
	fprintf(out, "  %s.\n", reason);
	for (size_t i = 0; i < r->warnings; i++)
		fprintf(out, "  warning: %s\n", r->warning[i]);
	return fflush(out) ? -errno : ferror(out) ? -EIO : 0;
}

/* ---- JSON ---- */

static void put(struct json_object *o, const char *key, struct json_object *value)
{
	json_object_object_add(o, key, value);
}

static struct json_object *number(double v)
{
	char text[32];

	snprintf(text, sizeof(text), "%.12g", v); /* 0.05, not 0.050000000000000003 */
	return isfinite(v) ? json_object_new_double_s(v, text) : NULL;
}

static struct json_object *json_run(const struct gate_run *run, double value)
{
	struct json_object *o = json_object_new_object();
	char id[20];

	snprintf(id, sizeof(id), "%016llx", (unsigned long long)run->run_id);
	put(o, "trace", json_object_new_string(run->path));
	put(o, "traces", json_object_new_int64((int64_t)run->files));
	put(o, "run_id", json_object_new_string(id));
	put(o, "host", json_object_new_string(run->host));
	put(o, "value", number(value));
	put(o, "lost", json_object_new_uint64(run->lost));
	put(o, "microscope_share", number(gate_run__microscope(run)));
	put(o, "cut", json_object_new_boolean(run->cut));
	return o;
}

static struct json_object *json_side(const struct gate_report *r, int which, const struct gate_side *s)
{
	struct json_object *o = json_object_new_object(), *runs = json_object_new_array();

	for (size_t i = 0; i < r->side[which].n; i++)
		json_object_array_add(runs, json_run(&r->side[which].run[i], r->value[which][i]));
	put(o, "n", json_object_new_int64((int64_t)s->n));
	put(o, "geomean", number(s->geomean));
	put(o, "log_sd", s->n > 1 ? number(s->log_sd) : NULL);
	put(o, "least", number(s->least));
	put(o, "most", number(s->most));
	put(o, "runs", runs);
	return o;
}

static struct json_object *json_ratio(const struct gate_report *r)
{
	const struct gate_result *g = &r->result;
	struct json_object *o;

	if (!g->judged)
		return NULL;
	o = json_object_new_object();
	put(o, "estimate", number(g->ratio));
	put(o, "low", number(g->low));
	put(o, "high", number(g->high));
	put(o, "confidence", number(1 - 2 * r->rule.alpha));
	put(o, "log_se", number(g->se));
	put(o, "df", number(g->df));
	return o;
}

int gate_report__json(const struct gate_report *r, FILE *out)
{
	const struct gate_result *g = &r->result;
	const struct gate_metric_info *m = gate_metric__info(r->metric);
	struct json_object *o = json_object_new_object(), *warnings = json_object_new_array();
	char reason[512];
	int rc;

	give_reason(r, reason, sizeof(reason));
	for (size_t i = 0; i < r->warnings; i++)
		json_object_array_add(warnings, json_object_new_string(r->warning[i]));
	put(o, "schema", json_object_new_string(GATE_SCHEMA));
	put(o, "verdict", json_object_new_string(verdict_name(g->verdict)));
	put(o, "exit_code", json_object_new_int((int)g->verdict));
	put(o, "reason", json_object_new_string(reason));
	put(o, "metric", json_object_new_string(m->name));
	put(o, "higher_is_better", json_object_new_boolean(m->higher_is_better));
	put(o, "margin", number(r->rule.margin));
	put(o, "alpha", number(r->rule.alpha));
	put(o, "floor", number(r->rule.floor));
	put(o, "limit", number(g->limit));
	put(o, "program", json_object_new_string(r->side[0].run[0].program));
	put(o, "nodes", json_object_new_int64(r->side[0].run[0].nodes));
	put(o, "consistency", model(r) ? json_object_new_string(model(r)) : NULL);
	put(o, "ratio", json_ratio(r));
	put(o, "runs_wanted", g->runs_wanted ? json_object_new_int64((int64_t)g->runs_wanted) : NULL);
	put(o, "baseline", json_side(r, 0, &g->baseline));
	put(o, "candidate", json_side(r, 1, &g->candidate));
	put(o, "warnings", warnings);
	fprintf(out, "%s\n",
		json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	rc = fflush(out) ? -errno : ferror(out) ? -EIO : 0;
	json_object_put(o);
	return rc;
}
