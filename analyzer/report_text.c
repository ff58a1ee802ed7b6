/* SPDX-License-Identifier: BSD-2-Clause */
/* report_text.c - the report for people: what it costs, who, what to change; then the details and how sure
 * all this is. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

static const struct style plain = {"", "", "", "", ""};
static const struct style colored = {"\033[1m", "\033[31m", "\033[32m", "\033[2m", "\033[0m"};

static const char *const meaning[VERDICTS] = {
	"different bytes of one page: moving data apart ends it",
	"the same bytes: moving data cures nothing",
	"met only in bytes stored without a change of value",
	"could not be judged",
	"the loser held the page but did not access it: a cost of read tracking",
};

static const struct report_words *words(const struct report *r)
{
	return names__words(r->totals.intervals);
}

/* Lines of at most 100 columns; `first` begins the first of them, `indent` the others. */
static void wrapped(struct text *out, const char *first, const char *indent, const char *text)
{
	size_t len;

	for (; *text; text += len, first = indent) {
		size_t width = 100 - strlen(first);

		while (*text == ' ')
			text++;
		len = strlen(text);
		if (len > width) {
			for (len = width; len > 0 && text[len] != ' '; len--)
				;
			len = len ? len : width;
		}
		text__add(out, "%s%.*s\n", first, (int)len, text);
	}
}

static double percent(double part, double whole)
{
	return whole > 0 ? 100 * part / whole : 0;
}

static void head(const struct report *r, const struct report_options *o, const struct style *s,
		 struct text *out)
{
	const struct run *run = &r->model.runs.at[0];
	struct rates now;
	char a[40], b[40];

	advice__rates(&r->totals, &now);
	text__add(out, "%s%s%s", s->bold, run->program[0] ? run->program : "(unknown program)", s->off);
	text__add(out, " on %u node%s, ", r->totals.nodes, r->totals.nodes == 1 ? "" : "s");
	if (r->totals.intervals)
		text__add(out, "consistency %s, ", names__consistency(r->totals.consistency));
	if (r->model.runs.n > 1)
		text__add(out, "%zu runs, ", r->model.runs.n);
	text__add(out, "%.2f s recorded (", r->totals.recorded);
	for (size_t i = 0; i < o->ntraces; i++)
		text__add(out, "%s%s", i ? ", " : "", o->traces[i]);
	text__add(out, ")\n\n");
	if (!r->totals.measured) {
		text__add(out, "  too short to judge rates: the nodes' counters span too little of it\n");
		return;
	}
	if (r->totals.intervals) {
		names__count((double)r->totals.sum.intervals / r->totals.seconds, a, sizeof(a));
		text__add(out,
			  "  %s intervals/s, %.3f conflicts per interval, %s%.1f %%%s of the time waited for "
			  "copies, "
			  "locks and flushes",
			  a, now.conflicts_per_interval, now.wasted_share > 0.1 ? s->bad : "",
			  100 * now.wasted_share, s->off);
	} else {
		names__count(now.commits_per_s, a, sizeof(a));
		text__add(out,
			  "  %s commits/s, %.3f aborts per commit, %s%.1f %%%s of the time in transactions "
			  "wasted",
			  a, now.aborts_per_commit, now.wasted_share > 0.1 ? s->bad : "",
			  100 * now.wasted_share, s->off);
	}
	if (r->totals.sum.work) {
		names__count(now.work_per_s, b, sizeof(b));
		text__add(out, ", %s units of work/s", b);
	}
	text__add(out, "\n");
}

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
	if (r->tally.rows.n && n < FEW_CONFLICTS)
		text__add(out,
			  "  ! only %.0f conflict%s could be judged: shares, and predictions from them, are "
			  "uncertain\n",
			  n, n == 1 ? "" : "s");
}

static void warnings(const struct report *r, const struct style *s, struct text *out)
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

/* Time that no conflict explains. */
static void plain_wait(const struct ledger *b, const char *what, double ns, const char *why,
		       const struct style *s, struct text *out)
{
	char time[40];

	if (ns <= 0)
		return;
	names__duration(ns, time, sizeof(time));
	text__add(out, "  %-9s %9s %5.1f %%  %16s  %s%s%s\n", what, time, percent(ns, b->measured), "",
		  s->dim, why, s->off);
}

static void by_class(const struct report *r, const struct style *s, struct text *out)
{
	const struct ledger *b = &r->tally.ledger;
	static const enum verdict order[] = {VERDICT_FALSE, VERDICT_TRUE, VERDICT_SILENT, VERDICT_UNTOUCHED,
					     VERDICT_UNKNOWN};
	double count[VERDICTS] = {0};
	char time[40], n[40];

	for (size_t i = 0; i < r->tally.rows.n; i++)
		count[r->tally.rows.at[i].key.verdict] +=
			r->tally.rows.at[i].seen + r->tally.rows.at[i].estimated;
	text__add(out, "\n%sWhere the %s time went%s\n", s->bold, r->totals.intervals ? "waiting" : "wasted",
		  s->off);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		enum verdict v = order[i];
		double ns = b->verdict[v] + b->estimated[v];

		if (ns <= 0)
			continue;
		names__duration(ns, time, sizeof(time));
		names__count(count[v], n, sizeof(n));
		text__add(out, "  %s%-9s%s %9s %5.1f %%  %9s %s%s %s%s%s\n", v == VERDICT_FALSE ? s->bad : "",
			  verdict__name(v), s->off, time, percent(ns, b->measured), n, words(r)->conflict,
			  strcmp(n, "1") ? "s " : "  ", s->dim, meaning[v], s->off);
	}
	plain_wait(b, "copies", b->copies, "fetches of pages that nobody had in use", s, out);
	plain_wait(b, "locks", b->locks, "for locks that came from another node", s, out);
	plain_wait(b, "flushes", b->flushes, "until others had changes to pages that nobody had in use", s,
		   out);
	if (b->other > 0) {
		names__duration(b->other, time, sizeof(time));
		text__add(out,
			  "  %-9s %9s %5.1f %%  %16s  %saborts that no sharing caused (cancel, lock, node "
			  "loss)%s\n",
			  "other", time, percent(b->other, b->measured), "", s->dim, s->off);
	}
	if (b->lost > 0) {
		names__duration(b->lost, time, sizeof(time));
		text__add(out, "  %-9s %9s %5.1f %%  %16s  %saborts without a record%s\n", "lost", time,
			  percent(b->lost, b->measured), "", s->dim, s->off);
	}
}

static void one_object(const struct report *r, uint32_t group, const struct style *s, struct text *out)
{
	const struct group_sum *g = &r->tally.groups[group];
	double judged = g->seen[VERDICT_FALSE] + g->seen[VERDICT_TRUE] + g->seen[VERDICT_SILENT];
	enum verdict top = VERDICT_FALSE;
	char name[128], shape[160], time[40], n[40], share[40] = "";
	double total = 0, low, high;

	for (int v = 0; v < VERDICTS; v++) {
		total += g->ns[v];
		if (g->ns[v] > g->ns[top])
			top = (enum verdict)v;
	}
	model__group_name(&r->model, group, name, sizeof(name));
	model__group_shape(&r->model, group, shape, sizeof(shape));
	names__duration(total, time, sizeof(time));
	names__count(judged, n, sizeof(n));
	text__add(out, "  %-16s %-24s %9s %5.1f %%  ", name, strcmp(name, shape) ? shape : "", time,
		  percent(total, r->tally.ledger.measured));
	if (top == VERDICT_UNKNOWN || judged <= 0) {
		text__add(out, "%s\n", top == VERDICT_UNKNOWN ? "not judged" : verdict__name(top));
		return;
	}
	verdict__interval(g->seen[top], judged, &low, &high);
	if (g->seen[top] > 0)
		snprintf(share, sizeof(share), " (%.0f-%.0f %%)", 100 * low, 100 * high);
	text__add(out, "%s%s%s in %.0f %%%s of %s judged\n", top == VERDICT_FALSE ? s->bad : "",
		  verdict__name(top), s->off, 100 * g->seen[top] / judged, share, n);
}

static void objects(const struct report *r, const struct report_options *o, const struct style *s,
		    struct text *out)
{
	text__add(
		out,
		"\n%sOn which objects%s  (share of the wasted time; class with 95 %% confidence interval)\n",
		s->bold, s->off);
	for (size_t i = 0; i < r->ngroups && i < o->top; i++)
		one_object(r, r->groups[i], s, out);
	if (r->ngroups > o->top)
		text__add(out, "  ... and %zu objects with less (--top shows more)\n", r->ngroups - o->top);
	if (!r->ngroups)
		text__add(out, "  (no object could be named)\n");
}

static void one_advice(const struct report *r, const struct advice *a, unsigned number, const struct style *s,
		       struct text *out)
{
	char name[128] = "lock", saved[40], pages[40];
	const struct rates *p = &a->predicted.rates, *now = &r->advice.now;

	if (a->misplaced)
		model__object_name(&r->model, a->misplaced->object, name, sizeof(name));
	else if (a->group != GROUP_NONE)
		model__group_name(&r->model, a->group, name, sizeof(name));
	names__duration(a->predicted.ns_per_s, saved, sizeof(saved));
	text__add(out, "  %u. %s%s%s  %s", number, s->bold, name, s->off, advice__kind(a->kind));
	if (a->rule)
		text__add(out, "  [plan rule P%u]", a->rule);
	text__add(out, "\n     predicted: saves %s%s%s of node time each second", s->good, saved, s->off);
	if (a->kind <= ADVICE_PAD) {
		names__count(a->pages, pages, sizeof(pages));
		text__add(out, ", costs %s page%s of memory", pages, a->pages == 1 ? "" : "s");
	}
	if (r->totals.intervals)
		text__add(out, "; conflicts per interval %.3f -> %.3f\n", now->conflicts_per_interval,
			  p->conflicts_per_interval);
	else
		text__add(out, "; aborts per commit %.3f -> %.3f\n", now->aborts_per_commit,
			  p->aborts_per_commit);
	wrapped(out, "     ", "     ", a->text);
	wrapped(out, "     because ", "     ", a->why);
}

static void rates_line(const struct report *r, const char *what, const struct rates *x, struct text *out)
{
	char commits[40], work[40];

	names__count(x->commits_per_s, commits, sizeof(commits));
	names__count(x->work_per_s, work, sizeof(work));
	text__add(out, "    %-22s %18.3f %12s %10.1f %% %12s\n", what,
		  r->totals.intervals ? x->conflicts_per_interval : x->aborts_per_commit, commits,
		  100 * x->wasted_share, work);
}

/* What replaying cannot know: how often nodes meet on what they share once nothing else holds them up. */
static void best_case(const struct report *r, struct text *out)
{
	char name[128], text[400];

	for (size_t i = 0; i < r->tally.rows.n; i++) {
		const struct row *row = &r->tally.rows.at[r->rows[i]];

		if (row->key.verdict != VERDICT_TRUE)
			continue;
		names__object(&r->tally, row, name, sizeof(name));
		snprintf(text, sizeof(text),
			 "This is the best case: nodes that no longer hold each other up may meet more often "
			 "on %s, which they really share. Run it and compare.",
			 name);
		wrapped(out, "  ", "  ", text);
		return;
	}
}

static void advice(const struct report *r, const struct report_options *o, const struct style *s,
		   struct text *out)
{
	unsigned rules = 0;

	text__add(out, "\n%sWhat to change%s  (best first; predictions by replaying this trace)\n", s->bold,
		  s->off);
	for (size_t i = 0; i < r->advice.all.n; i++)
		rules += r->advice.all.at[i].rule != 0;
	for (size_t i = 0; i < r->advice.all.n && i < o->top; i++)
		one_advice(r, &r->advice.all.at[i], (unsigned)i + 1, s, out);
	if (!r->advice.all.n && r->totals.measured)
		text__add(out, "  Nothing: no change of layout or %s would save 1 %% of the time lost.\n",
			  words(r)->unit);
	for (size_t i = 0; i < r->advice.nnotes; i++)
		wrapped(out, "  - ", "    ", r->advice.notes[i]);
	if (!rules)
		return;
	text__add(out, "\n  The plan (%u rule%s, %.0f more pages): dsmrun --plan=plan.json ...\n", rules,
		  rules == 1 ? "" : "s", r->advice.plan_pages);
	text__add(out, "    %-22s %18s %12s %12s %12s\n", "",
		  r->totals.intervals ? "conflicts/interval" : "aborts/commit", "commits/s",
		  r->totals.intervals ? "waited" : "wasted", "work/s");
	rates_line(r, "now", &r->advice.now, out);
	rates_line(r, "predicted with the plan", &r->advice.plan.rates, out);
	best_case(r, out);
}

static void side(const struct report *r, const struct row *row, bool winner, struct text *out)
{
	const struct row_side *x = winner ? row__winner(row) : row__loser(row);
	const struct node_pair *pair = report__pair(row);
	const char *fields = tally__text(&r->tally, x->fields);
	static const char *const verbs[] = {"", "read", "wrote", "used"};
	const char *did = verbs[row__access(row, x) & 3];
	char code[192], line[64], other[128], what[256];
	struct source src = {0};

	names__code(r->symbols, &r->model, x->code, false, code, sizeof(code));
	other[0] = 0;
	if (x->group != GROUP_NONE && x->group != row->group)
		model__group_name(&r->model, x->group, other, sizeof(other));
	snprintf(what, sizeof(what), "%s%s%s", other, other[0] ? ": " : "",
		 fields[0] ? fields : "(bytes not known)");
	text__add(out, "               node %-2u %-8s %-5s %-28s %s", winner ? pair->winner : pair->loser,
		  winner ? words(r)->won : words(r)->lost, did, what, code);
	if (x->code.image && symbols__source(r->symbols, x->code, false, &src)) {
		names__line_text(&src, line, sizeof(line));
		if (line[0])
			text__add(out, "   | %s", line);
	}
	text__add(out, "\n");
}

static void one_row(const struct report *r, const struct row *row, struct text *out)
{
	char time[40], n[40], where[2][192];
	struct source tx;

	names__duration(row__ns(row), time, sizeof(time));
	names__count(row->seen + row->estimated, n, sizeof(n));
	for (int k = 0; k < 2; k++) {
		names__site(r->symbols, &r->model, k ? row__loser(row)->site : row__winner(row)->site, &tx);
		names__place(&tx, where[k], sizeof(where[k]));
	}
	text__add(out, "    %9s  %s %s%s", time, n, words(r)->conflict, strcmp(n, "1") ? "s" : "");
	if (!strcmp(where[0], where[1]))
		text__add(out, ", both in the %s at %s\n", words(r)->unit, where[0]);
	else
		text__add(out, "; %.*s: %s at %s, %.*s: at %s\n", (int)strlen(words(r)->won) - 1,
			  words(r)->won, words(r)->unit, where[0], (int)strlen(words(r)->lost) - 1,
			  words(r)->lost, where[1]);
	if (row->key.why)
		text__add(out, "               %s\n", why__text(row->key.why));
	side(r, row, true, out);
	side(r, row, false, out);
}

/* All rows of one object (or none) and class. */
static void one_block(const struct report *r, uint32_t group, enum verdict v, unsigned most,
		      const struct style *s, struct text *out)
{
	double ns = 0, seen = 0, estimated = 0, rest = 0;
	char name[160], time[40], n[40], born[192] = "";
	const struct row *first = NULL;
	unsigned shown = 0, left = 0;
	struct source src;

	for (size_t i = 0; i < r->tally.rows.n; i++) {
		const struct row *row = &r->tally.rows.at[r->rows[i]];

		if (row->group != group || row->key.verdict != v)
			continue;
		first = first ? first : row;
		ns += row__ns(row);
		seen += row->seen;
		estimated += row->estimated;
	}
	if (!first)
		return;
	names__object(&r->tally, first, name, sizeof(name));
	names__duration(ns, time, sizeof(time));
	names__count(seen + estimated, n, sizeof(n));
	text__add(out, "\n  %s%s%s: %s%s%s, %s in %s %s%s", s->bold, name, s->off,
		  v == VERDICT_FALSE ? s->bad : "", verdict__name(v), s->off, time, n, words(r)->conflict,
		  strcmp(n, "1") ? "s" : "");
	if (estimated > 0)
		text__add(out, " (%.0f judged, %.0f apportioned)", seen, estimated);
	if (group != GROUP_NONE) {
		names__site(r->symbols, &r->model, r->model.groups.at[group].site, &src);
		names__place(&src, born, sizeof(born));
		text__add(out, ", allocated at %s", born);
	}
	text__add(out, "\n");
	for (size_t i = 0; i < r->tally.rows.n && v != VERDICT_UNTOUCHED; i++) {
		const struct row *row = &r->tally.rows.at[r->rows[i]];

		if (row->group != group || row->key.verdict != v)
			continue;
		if (shown++ < most) {
			one_row(r, row, out);
		} else {
			left++;
			rest += row__ns(row);
		}
	}
	if (left) {
		names__duration(rest, time, sizeof(time));
		text__add(out, "    %9s  in %u more combinations of fields and lines\n", time, left);
	}
}

static void details(const struct report *r, const struct report_options *o, const struct style *s,
		    struct text *out)
{
	static const enum verdict order[] = {VERDICT_FALSE, VERDICT_TRUE, VERDICT_SILENT, VERDICT_UNKNOWN};
	unsigned most = o->top < 3 ? o->top : 3 + (o->top - 3) / 4;

	text__add(out, "\n%sWho met whom%s  (costliest first; one %s; used: read and wrote)\n", s->bold,
		  s->off,
		  r->totals.intervals ? "interval had the page in use, the other waited"
				      : "transaction won, the other aborted");
	for (size_t i = 0; i < r->ngroups && i < o->top; i++)
		for (size_t v = 0; v < sizeof(order) / sizeof(order[0]); v++)
			one_block(r, r->groups[i], order[v], most, s, out);
	for (int v = 0; v < VERDICTS; v++)
		one_block(r, GROUP_NONE, (enum verdict)v, most, s, out);
	if (r->ngroups > o->top)
		text__add(out, "\n  ... and %zu objects more (--top shows more)\n", r->ngroups - o->top);
}

static void entry(struct text *out, const char *what, double ns)
{
	char time[40];

	names__duration(ns, time, sizeof(time));
	text__add(out, "    %-58s %12s\n", what, time);
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
	text__add(out, "  Ledger of wasted time%s, all nodes together\n",
		  r->model.intervals ? " and waits" : "");
	entry(out, "measured by the runtime's counters", b->measured);
	entry(out, "= attributed, judged by the conflict's own bytes", judged);
	entry(out,
	      r->model.intervals ? "+ attributed, apportioned by others of the same site or node"
				 : "+ attributed, apportioned by transactions of the same site",
	      apportioned);
	entry(out, "+ unknown", b->verdict[VERDICT_UNKNOWN] + b->estimated[VERDICT_UNKNOWN]);
	entry(out, "+ untouched (read tracking)",
	      b->verdict[VERDICT_UNTOUCHED] + b->estimated[VERDICT_UNTOUCHED]);
	entry(out, "+ other causes", b->other);
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
		entry(out, "(of these, meeting a winner that the microscope slowed down)", b->met_microscope);
}

static void sureness(const struct report *r, const struct style *s, struct text *out)
{
	bool first = true;

	text__add(out, "\n%sHow sure this is%s\n", s->bold, s->off);
	ledger(r, out);
	for (int w = 1; w < WHY_MAX; w++) {
		if (r->tally.why[w] <= 0)
			continue;
		if (first)
			text__add(out, "  Aborts without evidence of their own\n");
		first = false;
		text__add(out, "    %10.0f  %s\n", r->tally.why[w], why__text(w));
	}
	for (size_t i = 0; i < r->model.runs.n; i++)
		for (unsigned t = 0; t < DSM_EV_TYPE_MAX; t++)
			if (r->model.runs.at[i].lost[t])
				text__add(out, "  Lost records: %llu of type %s (%s)\n",
					  (unsigned long long)r->model.runs.at[i].lost[t],
					  trace_record__name(t), r->model.runs.at[i].source_file);
	if (r->model.malformed)
		text__add(out, "  %llu records describe impossible objects and were left out\n",
			  (unsigned long long)r->model.malformed);
	text__add(out, "  How predictions are made\n");
	for (const char *line = advice__method; *line; line = strchr(line, '\n') + 1)
		text__add(out, "    %.*s\n", (int)(strchr(line, '\n') - line), line);
}

void report__text(struct report *r, const struct report_options *o, struct text *out)
{
	const struct style *s = o->color ? &colored : &plain;

	head(r, o, s, out);
	warnings(r, s, out);
	if (!r->tally.rows.n && !r->tally.ledger.other) {
		if (r->totals.intervals)
			text__add(out, "\nNo interval had a page in use that another wanted.\n");
		else if (r->tally.ledger.measured > 0)
			text__add(out, "\nTransactions aborted, but the trace holds no record of any abort: "
				       "nothing can be said "
				       "about causes.\n");
		else
			text__add(out, "\nNothing to report: no transaction aborted.\n");
		if (r->tally.waits.misplaced.n || r->totals.intervals) {
			by_class(r, s, out);
			report__waits(r, o, s, out);
			advice(r, o, s, out);
		}
		report__homes(r, o, s, out);
		sureness(r, s, out);
		return;
	}
	by_class(r, s, out);
	objects(r, o, s, out);
	report__waits(r, o, s, out);
	advice(r, o, s, out);
	details(r, o, s, out);
	report__homes(r, o, s, out);
	sureness(r, s, out);
}
