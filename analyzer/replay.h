/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay.h - plays the recorded conflicts again under another layout.
 *
 * Every judged conflict is kept as what its winner stored and its loser accessed, in bytes of objects. Under
 * a layout these bytes lie on pages; the conflict still happens if any page holds bytes of both, else it is
 * gone with the time it wasted. Aborts of an untouched page are replayed with all that their node was ever
 * seen to access there. What was not judged stays as it was.
 *
 * A layout also changes how many pages must be fetched: a fetch happened because somebody wrote the page;
 * played again, each page that the accessing node needs must be fetched if one of the foreign writes
 * between two fetches touched it. So spreading may cost more fetches than it saves, and that is counted.
 */
#ifndef ANALYZER_REPLAY_H
#define ANALYZER_REPLAY_H

#include "tally.h"

struct change { /* of one group's layout; stride 0: as it is now */
	bool moved;
	uint32_t stride, block, block_stride;
};

struct effect {
	double saved_ns, saved_conflicts; /* that happen no more */
	double sure_ns; /* of saved_ns: without those whose loser may meet another instead, see again.h */
	double fetches_before, fetches_after;
	double spread; /* pages more on which the conflicts that stay meet: each is taken away and fetched by itself */
	double pages_before, pages_after; /* memory of the moved objects */
};

struct replay;

/* After tally__finish(). */
struct replay *replay__new(struct tally *t);
void replay__free(struct replay *r);

/* `change` has one entry for each group of the model. */
void replay__run(struct replay *r, const struct change *change, struct effect *out);

/* Wasted ns of false conflicts whose sides met within one element of an object of the group, under the
 * layout: no layout parts them, only another struct does. */
double replay__within_element(struct replay *r, const struct change *change, uint32_t group);
/* What remains under a layout, of conflicts whose loser's transaction began at a site (0: any). `elements`:
 * mean number of elements that such a loser touched. */
struct remains {
	double ns, conflicts, elements;
};
void replay__remains(struct replay *r, const struct change *change, uint32_t loser_site, struct remains *out);

/* Which node wrote each element of the group's objects: the one of which all others together wrote no more than the share
 * `foreign` of what it did. */
#define OWNER_NONE 0xffffffffu
#define OWNER_MANY 0xfffffffeu
struct owners {
	uint64_t count; /* elements of the largest object */
	uint32_t *of;	/* by element; NULL when there are too many */
};
void replay__owners(const struct replay *r, uint32_t group, double foreign, struct owners *out);

unsigned replay__page_log2(const struct model *m);

#endif
