/* SPDX-License-Identifier: BSD-2-Clause */
#include "proof.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ingest.h"
#include "names.h"
#include "outfile.h"
#include "report.h"

#define MOST_REPORT ((size_t)256 << 20)

static int measure(const char *path, struct rates *out, double *seconds, char *program, size_t size)
{
	struct ingest_options io = {0};
	struct totals totals;
	struct model m;
	int err;

	model__init(&m);
	err = ingest__files(&m, NULL, &path, 1, &io);
	if (!err) {
		model__totals(&m, &totals);
		advice__rates(&totals, out);
		*seconds = totals.seconds;
		snprintf(program, size, "%s", m.runs.at[0].program);
		if (!totals.sum.commits || !totals.measured) {
			fprintf(stderr, "dsmreport: %s: %s, so there is nothing to compare\n", path,
				totals.measured ? "no transaction was counted in it"
						: "its counters span too little of it, too short to judge");
			err = -ENODATA;
		}
	}
	model__free(&m);
	return err;
}

static bool number(struct json_object *from, const char *key, double *out)
{
	struct json_object *x;

	if (!json_object_object_get_ex(from, key, &x) ||
	    (!json_object_is_type(x, json_type_double) && !json_object_is_type(x, json_type_int)))
		return false;
	*out = json_object_get_double(x);
	return isfinite(*out);
}

static bool read_prediction(struct json_object *report, struct rates *out)
{
	struct json_object *schema, *plan, *p;

	return json_object_object_get_ex(report, "schema", &schema) &&
	       json_object_is_type(schema, json_type_string) &&
	       !strcmp(json_object_get_string(schema), "procope.report/1") &&
	       json_object_object_get_ex(report, "plan", &plan) &&
	       json_object_is_type(plan, json_type_object) &&
	       json_object_object_get_ex(plan, "predicted", &p) && json_object_is_type(p, json_type_object) &&
	       number(p, "aborts_per_commit", &out->aborts_per_commit) &&
	       number(p, "commits_per_s", &out->commits_per_s) &&
	       number(p, "wasted_share", &out->wasted_share) && number(p, "work_per_s", &out->work_per_s);
}

static int predicted_by_report(const char *path, struct rates *out)
{
	struct json_tokener *tok;
	struct json_object *o;
	size_t bytes = 0;
	char *data = NULL;
	int err = outfile__read(path, MOST_REPORT, &data, &bytes);

	if (err) {
		fprintf(stderr, "dsmreport: %s: cannot read the report: %s\n", path, strerror(-err));
		return err;
	}
	tok = json_tokener_new();
	o = json_tokener_parse_ex(tok, data, (int)bytes);
	if (!o || !read_prediction(o, out)) {
		fprintf(stderr,
			"dsmreport: %s: not a report (schema procope.report/1) with a prediction; make one "
			"with "
			"dsmreport --format json -o FILE TRACE\n",
			path);
		err = -EINVAL;
	}
	json_object_put(o);
	json_tokener_free(tok);
	mem__free(data);
	return err;
}

static int predicted_by_trace(const char *trace, const char *debug_dir, struct rates *out)
{
	struct report_options o = {.traces = &trace, .ntraces = 1, .debug_dir = debug_dir, .top = 10};
	struct report r;
	int err = report__make(&r, &o);

	if (err)
		return err;
	*out = r.advice.plan.rates;
	report__free(&r);
	return 0;
}

int proof__make(struct proof *p, const char *before, const char *after, const char *report,
		const char *debug_dir)
{
	char other[128];
	int err;

	memset(p, 0, sizeof(*p));
	p->before_file = before;
	p->after_file = after;
	p->predicted_file = report;
	err = measure(before, &p->before, &p->before_seconds, p->program, sizeof(p->program));
	if (!err)
		err = measure(after, &p->after, &p->after_seconds, other, sizeof(other));
	if (!err && strcmp(p->program, other) != 0) {
		fprintf(stderr,
			"dsmreport: %s is a trace of \"%s\", %s one of \"%s\": they cannot be compared\n",
			before, p->program, after, other);
		err = -EINVAL;
	}
	if (!err)
		err = report ? predicted_by_report(report, &p->predicted)
			     : predicted_by_trace(before, debug_dir, &p->predicted);
	return err;
}

enum line { ABORTS_PER_COMMIT, COMMITS_PER_S, WASTED_SHARE, WORK_PER_S, LINES };

static const struct {
	const char *key, *text;
} lines[LINES] = {
	[ABORTS_PER_COMMIT] = {"aborts_per_commit", "aborts per commit"},
	[COMMITS_PER_S] = {"commits_per_s", "commits per second"},
	[WASTED_SHARE] = {"wasted_share", "share of time wasted"},
	[WORK_PER_S] = {"work_per_s", "work per second"},
};

static double value(const struct rates *r, int line)
{
	switch (line) {
	case ABORTS_PER_COMMIT:
		return r->aborts_per_commit;
	case COMMITS_PER_S:
		return r->commits_per_s;
	case WASTED_SHARE:
		return r->wasted_share;
	default:
		return r->work_per_s;
	}
}

static struct json_object *as_double(double x)
{
	char text[40];

	snprintf(text, sizeof(text), "%.9g", x);
	return isfinite(x) ? json_object_new_double_s(x, text) : NULL;
}

static struct json_object *rates_json(const struct rates *r)
{
	struct json_object *o = json_object_new_object();

	for (int i = 0; i < LINES; i++)
		json_object_object_add(o, lines[i].key, as_double(value(r, i)));
	return o;
}

void proof__json(const struct proof *p, struct text *out)
{
	struct json_object *o = json_object_new_object(), *ratio = json_object_new_object();
	struct json_object *error = json_object_new_object();

	json_object_object_add(o, "schema", json_object_new_string("procope.proof/1"));
	json_object_object_add(o, "program", json_object_new_string(p->program));
	json_object_object_add(o, "before", rates_json(&p->before));
	json_object_object_add(o, "predicted", rates_json(&p->predicted));
	json_object_object_add(o, "after", rates_json(&p->after));
	for (int i = 0; i < LINES; i++) {
		double b = value(&p->before, i), q = value(&p->predicted, i), a = value(&p->after, i);

		json_object_object_add(ratio, lines[i].key, b != 0 ? as_double(a / b) : NULL);
		json_object_object_add(error, lines[i].key, a != 0 ? as_double(q / a - 1) : NULL);
	}
	json_object_object_add(o, "after_over_before", ratio);
	json_object_object_add(o, "prediction_error", error);
	json_object_object_add(o, "before_trace", json_object_new_string(p->before_file));
	json_object_object_add(o, "after_trace", json_object_new_string(p->after_file));
	json_object_object_add(o, "before_seconds", as_double(p->before_seconds));
	json_object_object_add(o, "after_seconds", as_double(p->after_seconds));
	text__add(out, "%s\n",
		  json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
							    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

static void show(int line, double x, char *out, size_t size)
{
	if (line == WASTED_SHARE)
		snprintf(out, size, "%.1f %%", 100 * x);
	else if (line == ABORTS_PER_COMMIT)
		snprintf(out, size, "%.4f", x);
	else
		names__count(x, out, size);
}

#define SAME 0.02 /* runs of one program differ by more */

/* In one sentence, by the work done, or the commits of a program that does not report its work. */
static void sentence(const struct proof *p, struct text *out)
{
	bool work = p->before.work_per_s > 0 && p->after.work_per_s > 0;
	const char *what = lines[work ? WORK_PER_S : COMMITS_PER_S].text;
	double b = work ? p->before.work_per_s : p->before.commits_per_s;
	double a = work ? p->after.work_per_s : p->after.commits_per_s;
	double change = b > 0 ? a / b - 1 : 0;

	if (change < -SAME)
		text__add(out, "\nThe plan did NOT help: %s fell by %.0f %%.\n", what, -100 * change);
	else if (change <= SAME)
		text__add(out, "\nThe plan made no difference: %s changed by %+.1f %%.\n", what,
			  100 * change);
	else
		text__add(out, "\nThe plan helped: %s rose by %.0f %%.\n", what, 100 * change);
	if (p->before_seconds < 1 || p->after_seconds < 1)
		text__add(out, "A run of less than 1 s says little: compare longer ones, or several with "
			       "dsmgate.\n");
}

void proof__text(const struct proof *p, struct text *out)
{
	text__add(out, "%s: before, predicted and after the plan (%.1f s and %.1f s)\n\n", p->program,
		  p->before_seconds, p->after_seconds);
	text__add(out, "  %-22s %12s %12s %12s %16s %18s\n", "", "before", "predicted", "after",
		  "after / before", "prediction off by");
	for (int i = 0; i < LINES; i++) {
		double b = value(&p->before, i), q = value(&p->predicted, i), a = value(&p->after, i);
		char x[3][40], ratio[40] = "-", error[40] = "-";

		show(i, b, x[0], sizeof(x[0]));
		show(i, q, x[1], sizeof(x[1]));
		show(i, a, x[2], sizeof(x[2]));
		if (b != 0)
			snprintf(ratio, sizeof(ratio), "%.3f", a / b);
		if (a != 0)
			snprintf(error, sizeof(error), "%+.0f %%", 100 * (q / a - 1));
		text__add(out, "  %-22s %12s %12s %12s %16s %18s\n", lines[i].text, x[0], x[1], x[2], ratio,
			  error);
	}
	sentence(p, out);
}
