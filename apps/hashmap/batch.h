/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * batch.h - the tuned hashmap: what nodes tell one another travels in batches.
 *
 * The table is cut into a part for each node, which alone changes it. A node collects a batch of its additions, sorts them by
 * place, and writes them into its outbox. After a barrier each node takes what is for its part out of all
 * outboxes. So an addition costs sixteen bytes on the way instead of pages to and fro. For the look-ups a node brings
 * the others' parts here, in a few round trips for all their pages.
 */
#ifndef APPS_HASHMAP_BATCH_H
#define APPS_HASHMAP_BATCH_H

#include "apps/common/app.h"
#include "apps/hashmap/options.h"

/* The outboxes of all nodes. Every node must call it, and the next one (they hold barriers). */
struct outboxes {
	void *of[ROWS_NODES];
};
void batch__open(struct outboxes *boxes);

/* All of this node's additions, and the others' to its part. Returns 0 or -ENOMEM. */
int batch__add_all(const struct table *t, const struct outboxes *boxes, long keys, const struct app *app);

/* Looks this node's share of the keys up; nobody adds any more. */
struct tally batch__look_up_all(const struct table *t, long keys, const struct app *app);

#endif
