/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef PROCOPE_GATE_OUTPUT_H
#define PROCOPE_GATE_OUTPUT_H

#include "analyzer/gate_report.h"

/* Writes a report to `path` (NULL: standard output) by way of a temporary file beside it, so that a good
 * file is never replaced by half of one: not by a full disk, and not by Ctrl-C. Negative errno. */
int gate_output__write(const char *path, int (*print)(const struct gate_report *r, FILE *out),
		       const struct gate_report *r);

#endif
