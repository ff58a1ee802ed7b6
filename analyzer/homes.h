/* SPDX-License-Identifier: BSD-2-Clause */
/* homes.h - pages whose home has moved to another node, and which objects lie on them. */
#ifndef ANALYZER_HOMES_H
#define ANALYZER_HOMES_H

#include "model.h"

#define HOMES_NAME 192

/* Pages of one group of objects (or of none that is known) that went the same way. */
struct homes_row {
	char object[HOMES_NAME]; /* "" when no object is known there */
	uint16_t birth, home;
	uint64_t pages, moves;
};

struct homes {
	VEC(struct homes_row) rows; /* most pages first */
	uint64_t pages, moves;
	uint64_t
		counted; /* moves by the nodes' counters: more, if some were before the collector came or are lost */
};

/* Takes in one record, at its time on the run's clock. */
void homes__take(struct model *m, uint32_t run, const struct dsm_ev_move *record, int64_t time_ns);
/* What all of them say; free it with homes__free(). */
void homes__sum(struct model *m, struct homes *out);
void homes__free(struct homes *h);

#endif
