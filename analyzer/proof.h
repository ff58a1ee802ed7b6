/* SPDX-License-Identifier: BSD-2-Clause */
/* proof.h - before, predicted and after, side by side (schema procope.proof/1). */
#ifndef ANALYZER_PROOF_H
#define ANALYZER_PROOF_H

#include "advice.h"

/* What a run did. Fetches and bytes are those of its nodes together, a second or a unit of work. */
struct measured {
	struct rates rates;
	double sections_per_s, transfers_per_s, bytes_per_s;
	double transfers_per_work, bytes_per_work; /* NAN: it reported no work */
	double seconds;
};

struct proof {
	struct measured before, after;
	struct rates predicted;
	double low,
		high; /* times as much work a second, predicted; NAN: a report that has no range; high: INFINITY, not known */
	bool unsure;	      /* the trace could not tell whether anything would be gained */
	unsigned consistency; /* enum dsm_ev_consistency, of both runs */
	bool intervals;	      /* it is sc or rc */
	const char *before_file, *after_file, *predicted_file; /* NULL: predicted from the trace before */
	char program[128];
};

/* Fills the proof from two traces and the report made of the first (or, without one, an analysis of it).
 * Returns 0, or a negative errno after a message. */
int proof__make(struct proof *p, const char *before, const char *after, const char *report,
		const char *debug_dir);
void proof__json(const struct proof *p, struct text *out);
void proof__text(const struct proof *p, struct text *out);

#endif
