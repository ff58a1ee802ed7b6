/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verdict.h - what a conflict was, from byte sets alone. Pure.
 *
 * A is the winner, B the loser. B depends on A where A changed a byte's value that B read or wrote. So
 *   true       bytes that A changed meet bytes that B accessed;
 *   silent     they meet only in bytes that A stored without changing their value;
 *   false      B's accesses are all known, and they meet A's nowhere on the page;
 *   unknown    B's accesses (or A's writes) are not all known, and the known ones do not meet;
 *   untouched  B held the page but did not access it in this attempt.
 * A's stores are widened to the scalar or operand that holds a changed byte, since a diff shows only what
 * changed. Too few known bytes can turn true into unknown, never into false.
 */
#ifndef ANALYZER_VERDICT_H
#define ANALYZER_VERDICT_H

#include "byteset.h"

enum verdict {
	VERDICT_FALSE,
	VERDICT_TRUE,
	VERDICT_SILENT,
	VERDICT_UNKNOWN,
	VERDICT_UNTOUCHED,
	VERDICTS,
};

/* "false", "true", "silent", "unknown", "untouched" */
const char *verdict__name(enum verdict v);

struct meeting_evidence {	       /* one page where A and B met; sets are offsets in the page */
	const struct byteset *changed; /* by A */
	const struct byteset *stored;  /* by A, widened; contains `changed` */
	bool winner_known;	       /* `changed` is all that A changed */
	const struct byteset *touched; /* by B, read or written, as far as known */
	bool loser_known;	       /* `touched` is all that B accessed, or more */
	bool untouched;		       /* the runtime knows that B did not access the page */
};

enum verdict verdict__page(const struct meeting_evidence *e);
/* A conflict is false only if no page of it is true, and no page of it is missing. `cut`: the record names
 * fewer pages than there were. */
enum verdict verdict__conflict(const enum verdict *page, unsigned pages, bool cut);

/* 95 % confidence interval (Wilson) of a share of `hits` in `n`; with no hit in n the upper end is 3/n, the
 * rule of three. n = 0 gives [0, 1]. */
void verdict__interval(double hits, double n, double *low, double *high);

#endif
