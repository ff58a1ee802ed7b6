/* SPDX-License-Identifier: BSD-2-Clause */
/* graph.h - DOT to SVG by running `dot`, or `sfdp` where that takes too long. */
#ifndef ANALYZER_GRAPH_H
#define ANALYZER_GRAPH_H

#include "mem.h"

/* Runs the program with 10 s and 1 GiB at most. 0 with the picture in `svg`; -ENOENT: neither program is
 * installed; other negative errno: both failed. No message. */
int graph__svg(const struct text *dot, struct text *svg);

#endif
