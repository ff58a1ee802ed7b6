/* SPDX-License-Identifier: BSD-2-Clause */
#include "advice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "advice_work.h"
#include "collector/lost_time.h"

const char advice__method[] =
	"Every conflict that could be judged is kept as the bytes that one side stored and the other "
	"accessed. A\n"
	"change of layout moves these bytes; the conflict happens again if any page then holds bytes of "
	"both, else\n"
	"it is gone with the time it wasted. Aborts of pages that the loser did not access are replayed with "
	"all\n"
	"that its node was seen to access there. Conflicts that could not be judged are apportioned by "
	"transactions\n"
	"of the same site seen under the microscope, or else stay as they were; aborts without a record are "
	"taken\n"
	"to be like the recorded ones. Fetches are replayed too: a page must be fetched again if a foreign "
	"write\n"
	"since its last access touched it; each costs what a fetch cost in this trace, and commits that "
	"need\n"
	"messages grow or shrink with the fetches. Saved time is then spent at the rate of now: work and "
	"commits\n"
	"per second grow by run time / (run time - saved time). Where there are more nodes than cores, the "
	"run takes\n"
	"as long as what is left needs of the cores, by the processor time of a sample of attempts, or as "
	"what a\n"
	"node computes and waits for, whichever is more. Splitting a transaction leaves its conflict,\n"
	"wasting a commit and a fetch instead of the whole; committing m times leaves 1/m of the waste and "
	"costs\n"
	"m - 1 commits more. Not replayed: that a loser spared by its first winner may meet another, that "
	"faster\n"
	"programs meet more often, and that processors with less to do are quicker. So each prediction is a\n"
	"range: at its low end only what is sure, at its high end all that the sharing costs.\n";

const char *advice__kind(enum advice_kind k)
{
	static const char *const name[] = {"relocate/isolate",	 "relocate/partition", "relocate/pad",
					   "split-struct",	 "split-transaction",  "commit-every-k",
					   "relocate/align",	 "lock-per-object",    "coarser-chunks",
					   "declare-independent"};

	return name[k];
}

/* ---- the whole ---- */

static int descending(double x, double y)
{
	return x < y ? 1 : x > y ? -1 : 0;
}

/* By what is sure; of those where nothing is, by what is likely. */
static int by_gain(const void *a, const void *b)
{
	const struct prediction *x = &((const struct advice *)a)->predicted,
				*y = &((const struct advice *)b)->predicted;
	int low = descending(fmax(0, x->low_ns_per_s), fmax(0, y->low_ns_per_s));

	return low ? low : descending(x->ns_per_s, y->ns_per_s);
}

static void measure(struct work *w)
{
	const struct ledger *b = &w->tally->ledger;
	const struct dsm_counters *c = &w->totals.sum;
	double wasted;

	model__totals(w->tally->model, &w->totals);
	wasted = (double)lost_time__conflicts(c);
	for (int v = 0; v < VERDICTS; v++)
		w->recorded_ns += b->verdict[v] + b->estimated[v];
	w->wasted_ns = wasted ? wasted : w->recorded_ns;
	w->lost_ns = (double)lost_time__ns(c);
	w->scale = w->recorded_ns > 0 && wasted > 0 ? wasted / (w->recorded_ns + b->other + b->rebases) : 1;
	w->abort_scale = b->aborts > 0 ? (double)(c->aborts + c->meets) / b->aborts : 1;
	if (w->totals.intervals) { /* nothing is sampled; what records were lost of is not known */
		w->wasted_ns = w->lost_ns;
		w->scale = 1;
		w->abort_scale = b->aborts > 0 && c->meets ? (double)(c->meets + c->aborts) / b->aborts : 1;
	}
	w->fetch_ns = c->faults_fetch ? (double)c->fetch_ns / (double)c->faults_fetch : 0;
	w->commit_ns = c->commits ? (double)c->commit_ns / (double)c->commits : 0;
	w->log2 = replay__page_log2(w->tally->model);
}

/* Layouts as they are together, and what its rules for loops save each. */
static void predict_plan(struct work *w)
{
	double worst = 0, loops = 0;
	struct stake s;

	for (size_t i = 0; i < w->out->all.n; i++)
		worst += w->out->all.at[i].plannable ? w->out->all.at[i].worst_ns : 0;
	advice_work__stake(w, &w->effect, worst, &s);
	for (size_t i = 0; i < w->out->all.n; i++) {
		const struct advice *a = &w->out->all.at[i];

		if (!a->plannable)
			continue;
		s.saved_ns += a->gain.saved_ns;
		s.added_ns += a->gain.added_ns;
		s.added_commits += a->gain.commits;
		loops += a->gain.saved_ns;
		if (a->loop)
			s.doubts |= a->predicted.doubts;
	}
	/* What larger transactions save on true conflicts is as sure as their advice says: not. */
	s.sure = s.saved_ns > 0 ? s.sure * (1 - fmin(1, loops / s.saved_ns)) : s.sure;
	advice_work__predict(w, &s, &w->out->plan);
}

void advice__make(struct tally *t, struct replay *r, struct symbols *s, struct advice_list *out)
{
	struct work w = {.tally = t, .replay = r, .symbols = s, .out = out};
	unsigned rule = 0;

	memset(out, 0, sizeof(*out));
	w.change = mem__alloc(t->model->groups.n * sizeof(*w.change));
	w.noted = mem__alloc(t->model->groups.n * sizeof(*w.noted));
	measure(&w);
	advice__rates(&w.totals, &out->now);
	out->seconds = w.totals.seconds;
	if (!w.totals.measured) {
		advice_work__note(
			&w, mem__string("The nodes' counters span too little of this recording: too short to "
					"judge what a change would save. Record a longer part of the run."));
		goto out;
	}
	replay__run(r, w.change, &w.effect);
	advice_work__layouts(&w);
	for (size_t i = 0; i < out->all.n; i++) /* the plan is what remains of them */
		if (!out->all.at[i].plannable)
			w.change[out->all.at[i].group] = (struct change){0};
	replay__run(r, w.change, &w.effect);
	out->plan_effect = w.effect;
	out->plan_pages = advice_work__pages(&w.effect);
	advice_work__source(&w);
	advice_work__waits(&w);
	advice_work__loops(&w);
	advice_work__promises(&w);
	predict_plan(&w);
	if (out->all.n)
		qsort(out->all.at, out->all.n, sizeof(*out->all.at), by_gain);
	for (size_t i = 0; i < out->all.n; i++) {
		if (out->all.at[i].plannable)
			out->all.at[i].rule = ++rule;
		advice_work__describe(&w, &out->all.at[i]);
	}
out:
	mem__free(w.change);
	mem__free(w.noted);
}

void advice__free(struct advice_list *list)
{
	for (size_t i = 0; i < list->all.n; i++) {
		mem__free(list->all.at[i].text);
		mem__free(list->all.at[i].why);
		mem__free(list->all.at[i].fields);
	}
	for (size_t i = 0; i < list->nnotes; i++)
		mem__free(list->notes[i]);
	mem__free(list->notes);
	VEC_FREE(&list->all);
}
