/* SPDX-License-Identifier: BSD-2-Clause */
/* rows.h - which bytes of which objects a conflict is about, and the report's rows (tally.rows) that it counts in. */
#ifndef ANALYZER_ROWS_H
#define ANALYZER_ROWS_H

#include "tally.h"

/* Counts a conflict that met on a page, with this part of its weight and cost; where the two sides share several objects,
 * in a row for each of them. */
void rows__add(struct tally *t, const struct conflict *c, const struct met_page *p, double part);

#endif
