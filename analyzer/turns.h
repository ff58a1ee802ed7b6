/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * turns.h - do the parts of an object have a node of their own, or do all nodes write them in turn?
 *
 * A page for each part pays only if the same node mostly comes back to it: else the conflicts are traded for
 * a fetch at nearly every access, since one fetch of a dense page served many parts.
 */
#ifndef ANALYZER_TURNS_H
#define ANALYZER_TURNS_H

#include "tally.h"

struct turns {
	double pairs;	 /* of writes seen of one part: any two of them */
	double foreign;	 /* of these, by different nodes */
	double units;	 /* parts in all objects of the group */
	double written;	 /* of these, seen written */
	double together; /* parts in a row that one attempt writes on one page, on average */
	/* Changes of a part's writer if nodes went on side by side: so often would a page of its own move. Of as many
	 * commits as there were at these places, each taken to be like those that were seen to write. */
	double moves;
};

/* Parts of `block` elements (0: whole objects) of the group's objects. One write of every part by one node is
 * taken to be the start and does not count. All 0 when there are too many parts to count. */
void turns__count(const struct tally *t, uint32_t group, uint64_t block, struct turns *out);
/* True when enough was seen, and a part's next writer is mostly its last one. */
bool turns__steady(const struct turns *t);
/* True when enough was seen to say so, and it is not. */
bool turns__random(const struct turns *t);

#endif
