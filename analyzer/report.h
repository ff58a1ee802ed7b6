/* SPDX-License-Identifier: BSD-2-Clause */
/* report.h - one analysis, ready to be told in several forms. */
#ifndef ANALYZER_REPORT_H
#define ANALYZER_REPORT_H

#include "advice.h"
#include "names.h"

struct report {
	struct model model;
	struct symbols *symbols;
	struct layouts *layouts;
	struct tally tally;
	struct replay *replay;
	struct advice_list advice;
	struct totals totals;
	uint32_t *rows;	  /* tally.rows, costliest first */
	uint32_t *groups; /* with conflicts, costliest first */
	size_t ngroups;
	uint32_t *waits;  /* rows of tally.waits, costliest first */
	double conflicts; /* in all rows */
};

struct report_options {
	const char *const *traces;
	size_t ntraces;
	const char *debug_dir;
	unsigned top; /* rows shown */
	bool color;
	size_t window_bytes; /* for evidence; 0 = default */
};

/* Reads the traces and analyses them. Returns 0, or a negative errno after a message; then nothing is to be
 * freed. */
int report__make(struct report *r, const struct report_options *o);
void report__free(struct report *r);
/* The two ends of report__make(), for records that come from elsewhere: begin gives the sink for
 * evidence__new(); end comes after evidence__finish(). */
void report__begin(struct report *r, const char *debug_dir, struct evidence_sink *sink);
void report__end(struct report *r);

void report__text(struct report *r, const struct report_options *o, struct text *out);
void report__json(struct report *r, const struct report_options *o, struct text *out);
void report__plan(struct report *r, struct text *out); /* schema procope.plan/1 */

/* Sections of report__text(), one a file. */
struct style {
	const char *bold, *bad, *good, *dim, *off;
};
void report__warnings(const struct report *r, const struct style *s, struct text *out);
void report__waits(const struct report *r, const struct report_options *o, const struct style *s,
		   struct text *out);
void report__advice(const struct report *r, const struct report_options *o, const struct style *s,
		    struct text *out);
void report__meetings(const struct report *r, const struct report_options *o, const struct style *s,
		      struct text *out);
void report__homes(struct report *r, const struct report_options *o, const struct style *s, struct text *out);
void report__sureness(const struct report *r, const struct style *s, struct text *out);
/* What the run's model calls the parties. */
const struct report_words *report__words(const struct report *r);
/* Lines of at most 100 columns; `first` begins the first of them, `indent` the others. */
void report__wrapped(struct text *out, const char *first, const char *indent, const char *text);

void report__dot(struct report *r, const struct report_options *o, struct text *out);

/* The two nodes that met most often, and the names of the row's sides. */
const struct node_pair *report__pair(const struct row *row);

#endif
