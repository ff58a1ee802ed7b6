/* SPDX-License-Identifier: BSD-2-Clause */
/* report_sureness.c - how sure all this is: the ledger, conflicts without evidence, losses, the method. */
#include <string.h>

#include "report.h"

/* advice__method, for runs where nothing is undone. */
static const char method_of_intervals[] =
	"Every conflict that could be judged is kept as the bytes that one side changed and the other\n"
	"accessed. A change of layout moves these bytes; the conflict happens again if any page then holds "
	"bytes\n"
	"of both, else it is gone with what was waited for it: under sc the fetch that it held up, under rc "
	"its\n"
	"part of the flush. Conflicts that could not be judged are apportioned by intervals of the same node "
	"seen\n"
	"under the microscope, or else stay as they were. Fetches are replayed too: a page must be fetched "
	"again\n"
	"if a foreign write since its last access touched it; each costs what a fetch cost in this trace. "
	"Waits for\n"
	"locks stay as they are, but where an advice is about the lock itself. Saved time is then spent at "
	"the\n"
	"rate of now: work per second grows by run time / (run time - saved time). Not replayed: that nodes "
	"which\n"
	"wait less for pages meet more often at their locks, that faster programs meet more often, and that\n"
	"processors with less to do are quicker.\n";

static const char *method(const struct report *r)
{
	return r->totals.intervals ? method_of_intervals : advice__method;
}

static void entry(struct text *out, const char *what, double ns)
{
	char time[40];

	names__duration(ns, time, sizeof(time));
	text__add(out, "    %-64s %12s\n", what, time);
}

static void ledger(const struct report *r, struct text *out)
{
	const struct ledger *b = &r->tally.ledger;
	double judged = 0, apportioned = 0;

	for (int v = 0; v < VERDICTS; v++) {
		if (v == VERDICT_UNKNOWN || v == VERDICT_UNTOUCHED)
			continue;
		judged += b->verdict[v];
		apportioned += b->estimated[v];
	}
	text__add(out, "  Ledger of %s, all nodes together\n",
		  r->totals.intervals  ? "time waited"
		  : r->model.intervals ? "wasted time and waits"
		  : r->model.kept      ? "wasted time, and of commits that others were in the way of"
				       : "wasted time");
	entry(out, "measured by the runtime's counters", b->measured);
	entry(out, "= attributed, judged by the conflict's own bytes", judged);
	entry(out,
	      r->model.intervals ? "+ attributed, apportioned by others of the same site or node"
				 : "+ attributed, apportioned by transactions of the same site",
	      apportioned);
	entry(out, "+ unknown", b->verdict[VERDICT_UNKNOWN] + b->estimated[VERDICT_UNKNOWN]);
	entry(out, r->totals.intervals ? "+ untouched (keeping copies)" : "+ untouched (read tracking)",
	      b->verdict[VERDICT_UNTOUCHED] + b->estimated[VERDICT_UNTOUCHED]);
	entry(out, r->totals.intervals ? "+ aborts of the runtime's own transactions" : "+ other causes",
	      b->other);
	if (r->model.kept || b->rebases > 0)
		entry(out, "+ commits that others were in the way of, not known where", b->rebases);
	if (r->model.intervals) {
		entry(out, "+ fetches of pages that nobody had in use", b->copies);
		entry(out, "+ waits for locks", b->locks);
		entry(out, "+ flushes of pages that nobody had in use", b->flushes);
	}
	entry(out, "+ lost (no record)", b->lost);
	entry(out, "+ remainder", b->remainder);
	if (b->before > 0)
		entry(out, "(not in these, wasted before the collector came)", b->before);
	if (b->microscope > 0)
		entry(out, "(of these, in attempts that the microscope slowed down)", b->microscope);
	if (b->met_microscope > 0)
		entry(out,
		      r->totals.intervals ? "(of these, meeting an interval that the microscope slowed down)"
					  : "(of these, meeting a winner that the microscope slowed down)",
		      b->met_microscope);
}

void report__sureness(const struct report *r, const struct style *s, struct text *out)
{
	bool first = true;

	text__add(out, "\n%sHow sure this is%s\n", s->bold, s->off);
	ledger(r, out);
	for (int w = 1; w < WHY_MAX; w++) {
		if (r->tally.why[w] <= 0)
			continue;
		if (first)
			text__add(out, "  %s without evidence of their own\n",
				  r->totals.intervals || r->model.kept ? "Conflicts" : "Aborts");
		first = false;
		text__add(out, "    %10.0f  %s\n", r->tally.why[w], why__text(w));
	}
	for (size_t i = 0; i < r->model.runs.n; i++)
		for (unsigned t = 0; t < DSM_EV_TYPE_MAX; t++)
			if (r->model.runs.at[i].lost[t])
				text__add(out, "  Lost records: %llu of type %s (%s)\n",
					  (unsigned long long)r->model.runs.at[i].lost[t],
					  trace_record__name(t), r->model.runs.at[i].source_file);
	for (size_t i = 0; i < r->model.runs.n; i++) {
		const struct joined *j = &r->model.runs.at[i].joined;

		if (j->measured > 1)
			text__add(out,
				  "  Clocks of %u hosts joined within %.1f us; %llu of %llu causes are "
				  "before their "
				  "effects (%s)\n",
				  j->measured, (double)j->error_ns / 1e3,
				  (unsigned long long)(j->checked - j->violated),
				  (unsigned long long)j->checked, r->model.runs.at[i].source_file);
	}
	if (r->model.malformed)
		text__add(out, "  %llu records describe impossible objects and were left out\n",
			  (unsigned long long)r->model.malformed);
	if (!r->advice.all.n) /* nothing was predicted */
		return;
	text__add(out, "  How predictions are made\n");
	for (const char *line = method(r); *line; line = strchr(line, '\n') + 1)
		text__add(out, "    %.*s\n", (int)(strchr(line, '\n') - line), line);
}
