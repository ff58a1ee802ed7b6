/* SPDX-License-Identifier: BSD-2-Clause */
/* advice_work.h - what the parts of advice share: layouts (advice.c), source (advice_source.c), words
 * (advice_text.c). */
#ifndef ANALYZER_ADVICE_WORK_H
#define ANALYZER_ADVICE_WORK_H

#include "advice.h"

#define WORTH 0.01 /* of the wasted time: less is not worth a change */

struct work { /* one advice__make() */
	struct tally *tally;
	struct replay *replay;
	struct symbols *symbols;
	struct totals totals;
	struct advice_list *out;
	double recorded_ns, wasted_ns;
	double scale, abort_scale;  /* the counted ones are taken to be like the recorded ones */
	double fetch_ns, commit_ns; /* of one */
	unsigned log2;		    /* of a page's size */
	struct change *change;	    /* all taken so far */
	struct effect effect;	    /* of them together */
	size_t notes_cap;
};

void advice_work__predict(const struct work *w, double saved_ns, double saved_conflicts, double added_ns,
			  double added_commits, struct prediction *out);
void advice_work__source(struct work *w);
/* Takes over `text`: what is not advised and why. */
void advice_work__note(struct work *w, char *text);
void advice_work__describe(struct work *w, struct advice *a);

#endif
