/* SPDX-License-Identifier: BSD-2-Clause */
/* gate_report.h - a judged comparison as text and as JSON (schema procope.gate/1). */
#ifndef PROCOPE_GATE_REPORT_H
#define PROCOPE_GATE_REPORT_H

#include <stdio.h>

#include "analyzer/gate_run.h"
#include "analyzer/gate_stats.h"

#define GATE_SCHEMA "procope.gate/1"

struct gate_report {
	enum gate_metric metric;
	struct gate_rule rule;
	struct gate_result result;
	struct gate_runs side[2]; /* baseline, candidate */
	double *value[2];	  /* one a run */
	char (*warning)[256];
	size_t warnings;
};

/* Each returns 0, -EIO or -ENOMEM. */
int gate_report__text(const struct gate_report *r, FILE *out);
int gate_report__json(const struct gate_report *r, FILE *out);

#endif
