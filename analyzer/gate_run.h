/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gate_run.h - what the gate takes from traces: one set of counters a run.
 *
 * Only counters, never records: counters are exact even where records were lost. Traces of one run that
 * were taken on several hosts (the same run id, other nodes) are put together. One thread.
 */
#ifndef PROCOPE_GATE_RUN_H
#define PROCOPE_GATE_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "analyzer/ending.h"
#include "dsm_events.h"

enum gate_metric {
	GATE_ABORTS_PER_COMMIT,
	GATE_WASTED_SHARE,
	GATE_WORK_PER_S,
	GATE_COMMITS_PER_S,
	GATE_CONFLICTS_PER_INTERVAL,
	GATE_CONFLICTS_PER_WORK,
	GATE_LOST_SHARE,
	GATE_METRICS
};

struct gate_metric_info {
	const char *name, *what;
	bool higher_is_better;
	double floor; /* see struct gate_rule */
	enum {
		GATE_ANY_MODEL,
		GATE_TRANSACTIONS, /* tx: attempts commit or abort */
		GATE_INTERVALS,	   /* sc, rc: intervals meet and wait */
	} of;
};
const struct gate_metric_info *gate_metric__info(enum gate_metric metric);
int gate_metric__find(const char *name); /* or -EINVAL */
/* Of enum dsm_ev_consistency. The first metric of a model is what is judged where nobody names one. */
bool gate_model__intervals(unsigned consistency);
const char *gate_model__name(unsigned consistency); /* "tx", "sc", "rc"; "?" for none of these */
enum gate_metric gate_model__metric(unsigned consistency);

struct gate_node {
	bool seen;	   /* some record or counters of it are in a trace */
	bool early;	   /* its NODE record was written at its start, so counters begin at 0 there */
	uint64_t start_ns; /* when early */
	uint64_t first_ns, last_ns; /* of its counters; 0: none */
	struct dsm_counters first, last;
	bool ended;
	int status;
};

struct gate_run {
	const char *path; /* of its first trace */
	size_t files;
	uint64_t run_id; /* 0: unknown */
	char program[128], host[64];
	uint16_t host_of;	    /* the lowest node: whose host that is */
	unsigned consistency;	    /* enum dsm_ev_consistency */
	uint64_t start_realtime_ns; /* of its first node */
	unsigned nodes;		    /* of the cluster */
	size_t size;		    /* of node[] */
	struct gate_node *node;
	uint64_t lost;	   /* records */
	bool cut, damaged; /* cut: also one that nobody closed */
	struct ending ending;
};

struct gate_runs {
	size_t n;
	struct gate_run *run;
};

/* Reads one trace and adds it to `runs`, to the run with its id if that is there. `path` must outlive
 * `runs`. On an error why[size] says what is wrong and what to do: -EBADMSG no trace or no counters,
 * -EEXIST the same nodes of the same run twice, or what opening reported. */
int gate_runs__read(struct gate_runs *runs, const char *path, char *why, size_t size);
void gate_runs__free(struct gate_runs *runs);

/* One run's value. -ENODATA with a reason in why[size]: the run has none (no commits, no time, a node's
 * counters are missing, a node failed). */
int gate_run__value(const struct gate_run *run, enum gate_metric metric, double *value, char *why,
		    size_t size);

/* Share of the nodes' transaction time that the microscope took; under sc and rc, of all their time. */
double gate_run__microscope(const struct gate_run *run);

#endif
