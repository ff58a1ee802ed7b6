/* SPDX-License-Identifier: BSD-2-Clause */
/* advice_work.h - what the parts of advice share: layouts (advice_layout.c), source (advice_source.c), waits
 * (advice_waits.c), loops (advice_loops.c), promises (advice_promise.c), rates (advice_predict.c), words (advice_text.c). */
#ifndef ANALYZER_ADVICE_WORK_H
#define ANALYZER_ADVICE_WORK_H

#include "advice.h"

#define WORTH	      0.01 /* of the wasted time: less is not worth a change */
#define FEW_CONFLICTS 5	   /* are no evidence */

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
	double judged, falsely;	       /* conflicts judged on the objects that false sharing is charged to */
	size_t notes_cap;
	bool *noted; /* groups of which it is said why no layout is advised */
};

/* What a change is about: what the trace says that it saves and costs, and how sure that is. */
struct stake {
	double saved_ns, saved_conflicts; /* of recorded conflicts */
	double added_ns, added_commits;	  /* traffic and commits in attempts that commit; negative: saved */
	double sure;			  /* 0..1: the part of what is saved that is sure */
	double worst_ns;		  /* more that it may cost */
	double traffic;			  /* 0..1: the part of all traffic that it ends */
	unsigned doubts;		  /* enum doubt that the caller has */
	bool computing;			  /* what it saves besides conflicts is processor time, not waits */
};
void advice_work__predict(const struct work *w, const struct stake *s, struct prediction *out);
double advice_work__traffic_cost(const struct work *w, const struct effect *e);
double advice_work__net(const struct work *w, const struct effect *e);
/* What a layout saves: how sure that is follows from its effect. */
void advice_work__stake(const struct work *w, const struct effect *e, double worst_ns, struct stake *out);
/* False conflicts that advice on a group's layout rests on: judged, or apportioned by transactions that were seen. */
double advice_work__evidence(const struct work *w, uint32_t group);
/* False where no run could show the gain, or where the change may cost more than it could ever save. */
bool advice_work__worthwhile(const struct work *w, const struct prediction *p);
double advice_work__nodes(const struct work *w); /* that ran, on average */
double advice_work__pages(const struct effect *e);
/* Advises layouts; w->change and w->effect are then what they are together. */
void advice_work__layouts(struct work *w);
void advice_work__structs(struct work *w);
void advice_work__source(struct work *w);
void advice_work__waits(struct work *w);
void advice_work__loops(struct work *w);
void advice_work__promises(struct work *w);
/* `times` as many iterations as now. */
struct advice *advice_work__add_loop(struct work *w, enum advice_kind kind, uint32_t group,
				     const struct loop_sum *s, double times);
void advice_work__gain(struct work *w, struct advice *a, const struct gain *g);
bool advice_work__larger_sections(struct work *w, const struct lock_sum *l);
struct advice *advice_work__add(struct work *w, enum advice_kind kind, uint32_t group, uint32_t site);
/* Takes over `text`: what is not advised and why. */
void advice_work__note(struct work *w, char *text);
/* The text of one about a promise. */
void advice_work__say_promise(struct work *w, struct advice *a, const char *where);
void advice_work__describe(struct work *w, struct advice *a);

#endif
