/* SPDX-License-Identifier: BSD-2-Clause */
/* cores.h - node time of a run under a change, where nodes share cores. */
#ifndef ANALYZER_CORES_H
#define ANALYZER_CORES_H

#include "model.h"

struct saving {
	double wasted; /* the part of the wasted time that is left: 1 = all */
	double added_ns; /* waits for pages and commits that are added, in attempts that commit; negative: saved */
	double computed_ns; /* processor time of the nodes' own threads that is saved besides */
	double commits;	    /* that are added */
};

/* Are there more nodes than cores, and is it known what the attempts need of them? */
bool cores__known(const struct totals *t);
/* Node time that the same commits would take. Good for comparing two savings, one of which may be none. */
double cores__run_ns(const struct totals *t, const struct saving *s);

#endif
