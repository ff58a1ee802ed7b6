/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * quiet.h - how long transactions (sc, rc: intervals) take that nothing disturbs: no message, no page fetched. What others
 * take longer is what sharing costs them, waits and all the rest: faults, copies, pages taken away, records of it.
 */
#ifndef ANALYZER_QUIET_H
#define ANALYZER_QUIET_H

#include "evidence.h"

#define QUIET_BUCKETS 160 /* four an octave */

struct quiet_site {
	double all, all_ns;	     /* transactions that committed, and what they took */
	double clean;		     /* of these undisturbed, and looked at */
	float bucket[QUIET_BUCKETS]; /* by their duration */
};

struct quiet {
	struct table keys; /* sites */
	VEC(struct quiet_site) sites;
};

/* A COMMIT or an INTERVAL of a site. */
void quiet__ended(struct quiet *q, uint32_t site, const struct dsm_ev_hdr *record);
/* What all transactions took, and in `*undisturbed` what they would take if each were like the undisturbed one at this share
 * of them (0.5: the median), ns. Sites where hardly any was undisturbed are taken as they are. */
double quiet__ns(const struct quiet *q, double share, double *undisturbed);
void quiet__free(struct quiet *q);

#endif
