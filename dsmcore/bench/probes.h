/* SPDX-License-Identifier: BSD-2-Clause */
/* probes.h - what the two ways of measuring the cost of observation share: nodes that take orders, and collectors. */
#ifndef DSM_BENCH_PROBES_H
#define DSM_BENCH_PROBES_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "dsmcore/bench/bench.h"
#include "dsmcore/bench/stats.h"

enum probes_mode { PROBES_NONE, PROBES_AGGREGATED, PROBES_RECORDED, PROBES_MODES };
extern const char *const probes__modes[PROBES_MODES];

struct probes_session {
	const struct options *o;
	const char *load; /* walk, sor, objects */
	unsigned nodes;
	struct child run, collector;
	FILE *lines;
	char id[32], folder[4096], source[16];
	struct results answer; /* to the last order */
	double lost;
	double idle_ns;		     /* a probe that nobody listens to */
	double attach_ms, detach_ms; /* the last time */
};

/* All of these return an exit status, after a message. */
int probes__open(struct probes_session *s);
int probes__close(struct probes_session *s, int rc);
/* Starts a collector and waits until it listens. */
int probes__attach(struct probes_session *s, enum probes_mode mode);
/* Ends it, if there is one, and adds what it lost. */
int probes__detach(struct probes_session *s);
/* Has the nodes do it: the amount of work and what else node_load.c reads. The answer is in s->answer. */
int probes__order(struct probes_session *s, const char *what, double *seconds);

/* Processor time that the process has had, seconds. */
double probes__cpu(pid_t pid);
/* The fields that both have; the caller adds the rest. */
struct json_object *probes__figure(const struct probes_session *s, enum probes_mode mode,
				   const struct series *with, const struct series *without);
/* Adds NAME, NAME_low, NAME_high, NAME_least and NAME_most. */
void probes__spread(struct json_object *o, const char *name, struct spread s, int decimals);

/* Each adds an object for each mode to the list, recorded first. Exit status. */
int probes_windows__run(struct probes_session *s, struct results *r, struct json_object *list);
int probes_whole__run(struct probes_session *s, struct results *r, struct json_object *list);

#endif
