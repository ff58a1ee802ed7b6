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
	double recorded_ns, wasted_ns; /* of conflicts */
	double lost_ns;		       /* all that was wasted or waited for copies, locks and flushes */
	double scale, abort_scale;     /* the counted ones are taken to be like the recorded ones */
	double fetch_ns, commit_ns;    /* of one */
	unsigned log2;		       /* of a page's size */
	struct change *change;	       /* all taken so far */
	struct effect effect;	       /* of them together */
	size_t notes_cap;
};

void advice_work__predict(const struct work *w, double saved_ns, double saved_conflicts, double added_ns,
			  double added_commits, struct prediction *out);
void advice_work__source(struct work *w);
void advice_work__waits(struct work *w);
void advice_work__loops(struct work *w);
/* `times` as many iterations as now. */
struct advice *advice_work__add_loop(struct work *w, enum advice_kind kind, uint32_t group,
				     const struct loop_sum *s, double times);
void advice_work__gain(struct work *w, struct advice *a, const struct gain *g);
bool advice_work__larger_sections(struct work *w, const struct lock_sum *l);
struct advice *advice_work__add(struct work *w, enum advice_kind kind, uint32_t group, uint32_t site);
/* Takes over `text`: what is not advised and why. */
void advice_work__note(struct work *w, char *text);
void advice_work__describe(struct work *w, struct advice *a);

#endif
