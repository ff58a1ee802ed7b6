/* SPDX-License-Identifier: BSD-2-Clause */
/* report_warnings.c - what the report rests on, where that is less than a whole recording of a whole run. */
#include <stdlib.h>
#include <string.h>

#include "report.h"

static void how_it_ended(const struct run *run, const struct style *s, struct text *out)
{
	const struct ending *e = &run->ending;

	if (e->crashed)
		text__add(out,
			  "  %s! node %d died before its end: this run failed, its rates are of what it "
			  "did%s\n",
			  s->bad, e->crashed_node, s->off);
	else if (e->failed)
		text__add(out,
			  "  %s! node %d ended with %s %d: this run failed, its rates are of what it did%s\n",
			  s->bad, e->failed_node, e->status < 0 ? "signal" : "status", abs(e->status),
			  s->off);
	if (run->unclosed && !run->cut)
		text__add(out,
			  "  %s! %s has no summary: the recording was interrupted; this covers what is "
			  "there%s\n",
			  s->bad, run->source_file, s->off);
	else if (e->open)
		text__add(out,
			  "  %s! the recording ended%s before %u node%s did; this covers what is there%s\n",
			  s->bad, e->broke_off ? " (by a signal or an error)" : "", e->open,
			  e->open == 1 ? "" : "s", s->off);
}

/* What is between hosts rests on their clocks. */
static void clocks(const struct run *run, const struct style *s, struct text *out)
{
	const struct joined *j = &run->joined;

	if (j->hosts < 2)
		return;
	if (j->measured < j->hosts)
		text__add(out,
			  "  ! the clocks of %u of %u hosts were not measured (a run of less than a "
			  "second?): which "
			  "of two hosts was first is not sure\n",
			  j->hosts - j->measured, j->hosts);
	if (j->steps)
		text__add(out,
			  "  %s! a host's clock stood still in this run (suspended?), %u time%s: what "
			  "happened then is "
			  "not in a sure order%s\n",
			  s->bad, j->steps, j->steps == 1 ? "" : "s", s->off);
	if (j->violated)
		text__add(out,
			  "  %s! %llu of %llu pairs of events of different hosts are in an order that cannot "
			  "be, by up "
			  "to %.1f us: their clocks are not joined well enough%s\n",
			  s->bad, (unsigned long long)j->violated, (unsigned long long)j->checked,
			  (double)j->worst_ns / 1e3, s->off);
}

static void outdated(const struct report *r, struct text *out)
{
	struct table told = {0};

	for (size_t i = 0; i < r->tally.rows.n; i++) {
		for (int k = 0; k < 2; k++) {
			const struct row *row = &r->tally.rows.at[r->rows[i]];
			struct code code = k ? row->key.touched.code : row->key.changed.code;
			struct source src = {0};
			size_t before = told.n;

			if (!code.image || !symbols__source(r->symbols, code, false, &src) ||
			    !symbols__outdated(r->symbols, code, &src) ||
			    table__intern(&told, src.file, (uint32_t)strlen(src.file)) != before)
				continue;
			text__add(out,
				  "  ! %s is newer than the program: lines quoted from it may not match\n",
				  src.file);
		}
	}
	table__free(&told);
}

#define FEW_SECONDS   1.0
#define FEW_CONFLICTS 30.0

/* Rates of a short run and shares of a few conflicts are luck as much as anything. */
static void too_little(const struct report *r, struct text *out)
{
	static const enum verdict judged[] = {VERDICT_FALSE, VERDICT_TRUE, VERDICT_SILENT};
	double n = 0;

	for (size_t i = 0; i < r->tally.rows.n; i++)
		for (size_t v = 0; v < sizeof(judged) / sizeof(judged[0]); v++)
			if (r->tally.rows.at[i].key.verdict == judged[v])
				n += r->tally.rows.at[i].seen;
	if (r->totals.measured && r->totals.seconds < FEW_SECONDS * (double)r->model.runs.n)
		text__add(out,
			  "  ! a run of less than %.0f s: its rates, and predictions from them, are "
			  "uncertain\n",
			  FEW_SECONDS);
	if (r->tally.rows.n && n < 0.5)
		text__add(
			out,
			"  ! no conflict could be judged: shares, and predictions from them, are guesses\n");
	else if (r->tally.rows.n && n < FEW_CONFLICTS)
		text__add(out,
			  "  ! only %.0f conflict%s could be judged: shares, and predictions from them, are "
			  "uncertain\n",
			  n, n == 1 ? "" : "s");
}

void report__warnings(const struct report *r, const struct style *s, struct text *out)
{
	const char *const *note;
	size_t n = symbols__notes(r->symbols, &note);
	uint64_t lost = 0;

	for (size_t i = 0; i < r->model.runs.n; i++) {
		const struct run *run = &r->model.runs.at[i];

		if (run->cut)
			text__add(out, "  %s! %s was cut short; this covers what is there%s\n", s->bad,
				  run->source_file, s->off);
		if (run->damaged)
			text__add(out, "  %s! parts of %s are damaged and left out%s\n", s->bad,
				  run->source_file, s->off);
		how_it_ended(run, s, out);
		clocks(run, s, out);
		lost += run->lost_in_all;
	}
	if (lost)
		text__add(out, "  %s! %llu records were lost on the way (see \"How sure\")%s\n", s->bad,
			  (unsigned long long)lost, s->off);
	for (size_t i = 0; i < n; i++)
		text__add(out, "  ! %s\n", note[i]);
	outdated(r, out);
	too_little(r, out);
}
