/* SPDX-License-Identifier: BSD-2-Clause */
#include "proof.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ingest.h"
#include "json.h"
#include "names.h"
#include "outfile.h"
#include "report.h"

#define MOST_REPORT ((size_t)256 << 20)

static void fill(struct measured *out, const struct totals *t)
{
	const struct dsm_counters *c = &t->sum;

	advice__rates(t, &out->rates);
	out->seconds = t->seconds;
	out->sections_per_s = t->seconds > 0 ? (double)c->sections / t->seconds : 0;
	out->transfers_per_s = t->seconds > 0 ? (double)c->pages_in / t->seconds : 0;
	out->bytes_per_s = t->seconds > 0 ? (double)c->bytes_in / t->seconds : 0;
	out->transfers_per_work = c->work ? (double)c->pages_in / (double)c->work : NAN;
	out->bytes_per_work = c->work ? (double)c->bytes_in / (double)c->work : NAN;
}

static int measure(const char *path, struct measured *out, struct totals *t, char *program, size_t size)
{
	struct ingest_options io = {0};
	struct model m;
	int err;

	model__init(&m);
	err = ingest__files(&m, NULL, &path, 1, &io);
	if (!err) {
		model__totals(&m, t);
		fill(out, t);
		snprintf(program, size, "%s", m.runs.at[0].program);
		if (!(t->intervals ? t->sum.intervals : t->sum.commits) || !t->measured) {
			fprintf(stderr, "dsmreport: %s: %s, so there is nothing to compare\n", path,
				!t->measured   ? "its counters span too little of it, too short to judge"
				: t->intervals ? "no interval in which anything was shared was counted in it"
					       : "no transaction was counted in it");
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

/* Reports made before there were ranges have none. */
static void read_range(struct json_object *predicted, struct proof *p)
{
	struct json_object *range, *factor, *x;

	if (!json_object_object_get_ex(predicted, "range", &range) ||
	    !json_object_is_type(range, json_type_object) ||
	    !json_object_object_get_ex(range, "factor", &factor) ||
	    !json_object_is_type(factor, json_type_object) || !number(factor, "low", &p->low))
		return;
	if (!number(factor, "high", &p->high))
		p->high = INFINITY;
	p->unsure = json_object_object_get_ex(range, "can_tell", &x) &&
		    json_object_is_type(x, json_type_boolean) && !json_object_get_boolean(x);
}

static bool read_prediction(struct json_object *report, bool intervals, struct proof *into)
{
	struct rates *out = &into->predicted;
	struct json_object *schema, *plan, *p;
	double rules; /* without any, all is predicted to stay, and what differs is luck */

	if (json_object_object_get_ex(report, "plan", &plan) && json_object_is_type(plan, json_type_object) &&
	    number(plan, "rules", &rules) && rules > 0 && json_object_object_get_ex(plan, "predicted", &p) &&
	    json_object_is_type(p, json_type_object))
		read_range(p, into);
	return json_object_object_get_ex(report, "schema", &schema) &&
	       json_object_is_type(schema, json_type_string) &&
	       !strcmp(json_object_get_string(schema), "procope.report/1") &&
	       json_object_object_get_ex(report, "plan", &plan) &&
	       json_object_is_type(plan, json_type_object) &&
	       json_object_object_get_ex(plan, "predicted", &p) && json_object_is_type(p, json_type_object) &&
	       number(p, "aborts_per_commit", &out->aborts_per_commit) &&
	       (!intervals || number(p, "conflicts_per_interval", &out->conflicts_per_interval)) &&
	       number(p, "commits_per_s", &out->commits_per_s) &&
	       number(p, "wasted_share", &out->wasted_share) && number(p, "work_per_s", &out->work_per_s);
}

static int predicted_by_report(const char *path, bool intervals, struct proof *out)
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
	if (!o || !read_prediction(o, intervals, out)) {
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

static int predicted_by_trace(const char *trace, const char *debug_dir, struct proof *out)
{
	struct report_options o = {.traces = &trace, .ntraces = 1, .debug_dir = debug_dir, .top = 10};
	struct report r;
	int err = report__make(&r, &o);

	if (err)
		return err;
	out->predicted = r.advice.plan.rates;
	for (size_t i = 0; i < r.advice.all.n; i++) { /* a plan without rules predicts nothing */
		if (!r.advice.all.at[i].rule)
			continue;
		out->low = r.advice.plan.low;
		out->high = r.advice.plan.high;
		out->unsure = r.advice.plan.unsure;
	}
	report__free(&r);
	return 0;
}

/* A plan is for one program under one model. */
static int same_kind(const struct proof *p, const char *other, unsigned consistency)
{
	if (strcmp(p->program, other) != 0) {
		fprintf(stderr,
			"dsmreport: %s is a trace of \"%s\", %s one of \"%s\": they cannot be compared\n",
			p->before_file, p->program, p->after_file, other);
		return -EINVAL;
	}
	if (p->consistency != consistency) {
		fprintf(stderr,
			"dsmreport: %s ran under %s, %s under %s: what a plan does shows within one "
			"consistency "
			"model\n",
			p->before_file, names__consistency(p->consistency), p->after_file,
			names__consistency(consistency));
		return -EINVAL;
	}
	return 0;
}

int proof__make(struct proof *p, const char *before, const char *after, const char *report,
		const char *debug_dir)
{
	struct totals totals = {0};
	char other[128];
	int err;

	memset(p, 0, sizeof(*p));
	p->low = p->high = NAN;
	p->before_file = before;
	p->after_file = after;
	p->predicted_file = report;
	err = measure(before, &p->before, &totals, p->program, sizeof(p->program));
	p->consistency = totals.consistency;
	p->intervals = totals.intervals;
	if (!err)
		err = measure(after, &p->after, &totals, other, sizeof(other));
	if (!err)
		err = same_kind(p, other, totals.consistency);
	if (!err)
		err = report ? predicted_by_report(report, p->intervals, p)
			     : predicted_by_trace(before, debug_dir, p);
	return err;
}

enum line {
	ABORTS_PER_COMMIT,
	COMMITS_PER_S,
	CONFLICTS_PER_INTERVAL,
	SECTIONS_PER_S,
	WASTED_SHARE,
	TRANSFERS_PER_S,
	BYTES_PER_S,
	TRANSFERS_PER_WORK,
	BYTES_PER_WORK,
	WORK_PER_S,
	LINES
};

enum { TRANSACTIONS = 1, INTERVALS = 2, BOTH = 3 };

static const struct {
	const char *key, *text;
	unsigned of, shown; /* runs that have it, and those where the text shows it */
} lines[LINES] = {
	[ABORTS_PER_COMMIT] = {"aborts_per_commit", "aborts per commit", TRANSACTIONS, TRANSACTIONS},
	[COMMITS_PER_S] = {"commits_per_s", "commits per second", TRANSACTIONS, TRANSACTIONS},
	[CONFLICTS_PER_INTERVAL] = {"conflicts_per_interval", "conflicts per interval", INTERVALS, INTERVALS},
	[SECTIONS_PER_S] = {"sections_per_s", "blocks per second", INTERVALS, INTERVALS},
	[WASTED_SHARE] = {"wasted_share", "share of time wasted", BOTH, BOTH},
	[TRANSFERS_PER_S] = {"transfers_per_s", "transfers per second", BOTH, INTERVALS},
	[BYTES_PER_S] = {"bytes_per_s", "bytes per second", BOTH, INTERVALS},
	[TRANSFERS_PER_WORK] = {"transfers_per_work", "transfers per work", BOTH, INTERVALS},
	[BYTES_PER_WORK] = {"bytes_per_work", "bytes per work", BOTH, INTERVALS},
	[WORK_PER_S] = {"work_per_s", "work per second", BOTH, BOTH},
};

/* NAN: there is no such figure. */
static double of_rates(const struct rates *r, int line)
{
	switch (line) {
	case ABORTS_PER_COMMIT:
		return r->aborts_per_commit;
	case COMMITS_PER_S:
		return r->commits_per_s;
	case CONFLICTS_PER_INTERVAL:
		return r->conflicts_per_interval;
	case WASTED_SHARE:
		return r->wasted_share;
	case WORK_PER_S:
		return r->work_per_s;
	default:
		return NAN;
	}
}

static double of_run(const struct measured *m, int line)
{
	switch (line) {
	case SECTIONS_PER_S:
		return m->sections_per_s;
	case TRANSFERS_PER_S:
		return m->transfers_per_s;
	case BYTES_PER_S:
		return m->bytes_per_s;
	case TRANSFERS_PER_WORK:
		return m->transfers_per_work;
	case BYTES_PER_WORK:
		return m->bytes_per_work;
	default:
		return of_rates(&m->rates, line);
	}
}

static bool has_line(const struct proof *p, int line)
{
	return lines[line].of & (p->intervals ? INTERVALS : TRANSACTIONS);
}

/* A faster program transfers more each second: where work is reported, its share of that tells more. */
static bool shows_line(const struct proof *p, int line)
{
	bool work = p->before.rates.work_per_s > 0 && p->after.rates.work_per_s > 0;

	if (!(lines[line].shown & (p->intervals ? INTERVALS : TRANSACTIONS)))
		return false;
	if (line == TRANSFERS_PER_S || line == BYTES_PER_S)
		return !work;
	if (line == TRANSFERS_PER_WORK || line == BYTES_PER_WORK)
		return work;
	return line != SECTIONS_PER_S || p->before.sections_per_s > 0 || p->after.sections_per_s > 0;
}

static struct json_object *rates_json(const struct proof *p, const struct rates *predicted,
				      const struct measured *m)
{
	struct json_object *o = json_object_new_object();

	for (int i = 0; i < LINES; i++)
		if (has_line(p, i) && (m || !isnan(of_rates(predicted, i))))
			json__put(o, lines[i].key, json__number(m ? of_run(m, i) : of_rates(predicted, i)));
	return o;
}

#define SAME 0.02 /* runs of one program differ by more */

/* What the run is judged by: the work done, or the commits (sc, rc: blocks) of a program that does not report its work. */
static int judged_by(const struct proof *p)
{
	bool work = p->before.rates.work_per_s > 0 && p->after.rates.work_per_s > 0;

	return work ? WORK_PER_S : p->intervals ? SECTIONS_PER_S : COMMITS_PER_S;
}

/* Does what was measured lie where it was predicted, but for what runs of one program differ? */
static int in_range(const struct proof *p)
{
	int line = judged_by(p);
	double b = of_run(&p->before, line), a = of_run(&p->after, line);

	if (isnan(p->low) || b <= 0)
		return -ENODATA;
	return a / b >= p->low * (1 - SAME) && a / b <= p->high * (1 + SAME);
}

/* Times as much as before; null: the report has no range. */
static struct json_object *range_json(const struct proof *p)
{
	struct json_object *o;
	int in = in_range(p);

	if (in < 0)
		return NULL;
	o = json_object_new_object();
	json__put(o, "of", json_object_new_string(lines[judged_by(p)].key));
	json__put(o, "low", json__number(p->low));
	json__put(o, "high", json__number(p->high));
	json__put(o, "can_tell", json_object_new_boolean(!p->unsure));
	json__put(o, "measured_within", json_object_new_boolean(in));
	return o;
}

void proof__json(const struct proof *p, struct text *out)
{
	struct json_object *o = json_object_new_object(), *ratio = json_object_new_object();
	struct json_object *error = json_object_new_object();

	json__put(o, "schema", json_object_new_string("procope.proof/1"));
	json__put(o, "program", json_object_new_string(p->program));
	json__put(o, "consistency", json_object_new_string(names__consistency(p->consistency)));
	json__put(o, "before", rates_json(p, NULL, &p->before));
	json__put(o, "predicted", rates_json(p, &p->predicted, NULL));
	json__put(o, "after", rates_json(p, NULL, &p->after));
	for (int i = 0; i < LINES; i++) {
		double b = of_run(&p->before, i), q = of_rates(&p->predicted, i), a = of_run(&p->after, i);

		if (!has_line(p, i))
			continue;
		json__put(ratio, lines[i].key, b != 0 ? json__number(a / b) : NULL);
		if (!isnan(q))
			json__put(error, lines[i].key, a != 0 ? json__number(q / a - 1) : NULL);
	}
	json__put(o, "after_over_before", ratio);
	json__put(o, "prediction_error", error);
	json__put(o, "predicted_range", range_json(p));
	json__put(o, "before_trace", json_object_new_string(p->before_file));
	json__put(o, "after_trace", json_object_new_string(p->after_file));
	json__put(o, "before_seconds", json__number(p->before.seconds));
	json__put(o, "after_seconds", json__number(p->after.seconds));
	json__print(o, out);
}

static void show(int line, double x, char *out, size_t size)
{
	if (isnan(x))
		snprintf(out, size, "-");
	else if (line == WASTED_SHARE)
		snprintf(out, size, "%.1f %%", 100 * x);
	else if (line == ABORTS_PER_COMMIT || line == CONFLICTS_PER_INTERVAL)
		snprintf(out, size, "%.4f", x);
	else if (x < 100 && (line == TRANSFERS_PER_WORK || line == BYTES_PER_WORK))
		snprintf(out, size, "%.3g", x);
	else
		names__count(x, out, size);
}

static void say_range(const struct proof *p, struct text *out)
{
	int in = in_range(p);

	if (in < 0)
		return;
	text__add(out, "That is %s what was predicted: %.2f", in ? "within" : "NOT within", p->low);
	text__add(out,
		  isinf(p->high) ? " times as much as before, or more" : " to %.2f times as much as before",
		  p->high);
	text__add(out, "%s.\n",
		  p->unsure ? " (the trace could not tell whether anything would be gained)" : "");
}

/* Less work although the nodes hinder one another far less than before: that is seldom the plan's doing. */
static bool something_else(const struct proof *p)
{
	return of_run(&p->before, WASTED_SHARE) > 0 &&
	       of_run(&p->after, WASTED_SHARE) < of_run(&p->before, WASTED_SHARE) / 2;
}

/* In one sentence, by the work done, or the commits (sc, rc: blocks) of a program that does not report its work. */
static void sentence(const struct proof *p, struct text *out)
{
	int line = judged_by(p);
	double b = of_run(&p->before, line), a = of_run(&p->after, line);
	double change = b > 0 ? a / b - 1 : 0;
	const char *what = lines[line].text;

	if (b <= 0)
		text__add(out, "\nWhether the plan helped cannot be told: the program reports no work "
			       "(dsm_progress()).\n");
	else if (change < -SAME)
		text__add(out, "\nThe plan did NOT help: %s fell by %.0f %%.\n", what, -100 * change);
	else if (change <= SAME)
		text__add(out, "\nThe plan made no difference: %s changed by %+.1f %%.\n", what,
			  100 * change);
	else
		text__add(out, "\nThe plan helped: %s rose by %.0f %%.\n", what, 100 * change);
	say_range(p, out);
	if (b > 0 && change < -SAME && something_else(p))
		text__add(out,
			  "Yet far less time is %s, so something else may have had the processors in one of "
			  "the "
			  "runs:\nrecord both again, by turns and longer, or let dsmgate judge several of "
			  "each.\n",
			  p->intervals ? "waited" : "wasted");
	else if (p->before.seconds < 1 || p->after.seconds < 1)
		text__add(out, "A run of less than 1 s says little: compare longer ones, or several with "
			       "dsmgate.\n");
}

static void one_line(const struct proof *p, int line, struct text *out)
{
	double b = of_run(&p->before, line), q = of_rates(&p->predicted, line), a = of_run(&p->after, line);
	const char *what = line == WASTED_SHARE && p->intervals ? "share of time waited" : lines[line].text;
	char x[3][40], ratio[40] = "-", error[40] = "-";

	show(line, b, x[0], sizeof(x[0]));
	show(line, q, x[1], sizeof(x[1]));
	show(line, a, x[2], sizeof(x[2]));
	if (b != 0)
		snprintf(ratio, sizeof(ratio), "%.3f", a / b);
	if (a != 0 && !isnan(q))
		snprintf(error, sizeof(error), "%+.0f %%", 100 * (q / a - 1));
	text__add(out, "  %-22s %12s %12s %12s %16s %18s\n", what, x[0], x[1], x[2], ratio, error);
}

void proof__text(const struct proof *p, struct text *out)
{
	text__add(out, "%s%s%s: before, predicted and after the plan (%.1f s and %.1f s)\n\n", p->program,
		  p->intervals ? ", consistency " : "",
		  p->intervals ? names__consistency(p->consistency) : "", p->before.seconds,
		  p->after.seconds);
	text__add(out, "  %-22s %12s %12s %12s %16s %18s\n", "", "before", "predicted", "after",
		  "after / before", "prediction off by");
	for (int i = 0; i < LINES; i++)
		if (shows_line(p, i))
			one_line(p, i, out);
	sentence(p, out);
}
