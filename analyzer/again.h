/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * again.h - would a loser that is spared by one winner meet another? It would, if it also touches bytes that other nodes
 * write: no layout parts these. Such conflicts are hidden as long as another one comes first.
 */
#ifndef ANALYZER_AGAIN_H
#define ANALYZER_AGAIN_H

#include "tally.h"

struct again;

/* After tally__finish(). */
struct again *again__new(const struct tally *t);
void again__free(struct again *a);
/* Attempts that began at a site on a node, by number; TABLE_NONE where none was seen. */
uint32_t again__place(const struct again *a, uint32_t run, uint16_t node, uint32_t site);
/* Of `spared` losers there, the share that may lose to another node's write of the same bytes: the share that touches such
 * bytes, but one at most for each such write. 0..1. */
double again__share(const struct again *a, uint32_t place, double spared);

#endif
