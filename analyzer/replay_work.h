/* SPDX-License-Identifier: BSD-2-Clause */
/* replay_work.h - what the parts of replay share: conflicts (replay.c), fetches (replay_fetches.c). */
#ifndef ANALYZER_REPLAY_WORK_H
#define ANALYZER_REPLAY_WORK_H

#include "replay.h"

struct again;
struct spared;

struct pages {
	uint64_t *at;
	size_t n, cap;
};

struct traffic { /* of one page of one run */
	uint32_t run;
	uint64_t page;
	VEC(uint32_t) writes, accesses; /* usage numbers */
};

struct replay {
	struct tally *tally;
	unsigned log2;
	struct pages a, b; /* scratch */
	double unseen;	   /* attempts for each that the microscope saw */
	struct table traffic_keys;
	VEC(struct traffic) traffic;
	VEC(struct piece) * untouched; /* by shape: what its loser may have had there */
	struct again *again;
	uint32_t *place;       /* by shape: of its loser's attempts */
	struct spared *spared; /* by place, scratch */
	size_t places;
	uint32_t *met;	       /* by shape: on so many pages, as it is */
	struct owners *mostly; /* by group, see most_writers() */
};

/* Adds the pages of pieces under a layout; sorts them, each once. */
void replay_work__pages(const struct replay *r, const struct change *change, const struct piece *p, size_t n,
			struct pages *out);
void replay_work__sort(struct pages *p);
/* Fetches before and after. */
void replay_work__fetches(struct replay *r, const struct change *change, struct effect *out);

#endif
