/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * collect.h - one collection: from a source, through what is known of the run, to a trace file and a
 * live socket. One thread.
 */
#ifndef PROCOPE_COLLECT_H
#define PROCOPE_COLLECT_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/aggregate.h"
#include "collector/live.h"
#include "collector/nodes.h"
#include "collector/source.h"
#include "collector/table.h"
#include "collector/trace.h"

enum collect_source { COLLECT_AUTO, COLLECT_BPF, COLLECT_RING };

struct collect_options {
	const char *output; /* NULL: no trace */
	enum collect_source source;
	struct source_options from;
	uint64_t run_id; /* 0: the first run seen */
	const char *job; /* NULL; else the first run seen of processes that have this in their environment */
	uint16_t first, last; /* of its nodes only these */
	bool merge, follow;   /* no collection: other traces are put together, or shown while they grow */
	bool each;	      /* a process of a job, of which the first on each host collects (each.h) */
	bool no_live;
	const char *live_path; /* NULL: the usual place */
	double seconds;	       /* 0: until the run has ended */
	int ready_fd;	       /* -1: nobody waits */
	bool quiet, json;
};

enum collect_end { COLLECT_GOING_ON, COLLECT_RUN_ENDED, COLLECT_SIGNAL, COLLECT_TIME, COLLECT_FAILED };

struct sender { /* a process from which something came */
	pid_t pid;
	bool known;
	uint64_t run_id;
	uint64_t asked_ns;
	uint16_t node;	/* when known: whose records alone it may send */
	bool described; /* it sent a NODE record */
};

struct collect {
	const struct collect_options *options;
	struct nodes *nodes;
	struct source *source;
	struct source_sink sink;
	struct aggregate *known;
	struct trace_writer *trace; /* NULL: none, or it failed */
	struct live *live;	    /* NULL: none */
	struct table senders;	    /* pid -> struct sender: whose records are whose */
	uint64_t run_id;	    /* 0: no run yet */
	bool several_runs;	    /* others were seen and left out; told once */
	bool info_written;
	char command[1024]; /* of the first node met, words separated by blanks; "" = it could not be read */
	char why_ring[512]; /* why `auto` did not take BPF */
	uint64_t written[DSM_EV_TYPE_MAX], written_total;
	uint64_t round;	    /* bytes of the records that the last look has brought */
	uint64_t strangers; /* records of processes that could not be told to be of this run */
	uint64_t start_ns, start_realtime_ns; /* monotonic; wall clock */
	uint64_t scan_cost_ns, last_scan_ns, last_sample_ns, last_flush_ns, last_node_ns;
	uint64_t trace_bytes;
	enum collect_end end;
	int error; /* the first one; ends the collection */
};

/* Sets up source, output and live socket. On error a message was printed; the result is the exit code
 * (1 or 2), else 0. */
int collect__open(struct collect *c, const struct collect_options *options);
/* Until the end; `stop_fd` is readable when a signal asks to stop. */
void collect__run(struct collect *c, int stop_fd);
/* Last samples, summary, closing. Returns the exit code. */
int collect__close(struct collect *c);

/* An error that ends the collection. */
void collect__failed(struct collect *c, int error);
/* What is known of the run into the trace, once, before all else. */
void collect__write_info(struct collect *c);
/* Reads the counters and the counts of pages, as of now (nanoseconds, monotonic). */
void collect__sample(struct collect *c, uint64_t now);
/* Counters, pages and losses into the trace. */
void collect__write_statistics(struct collect *c);
/* A node was found on this host: a nodes_found_fn. */
void collect__node_found(void *collect, struct node_view *view);
/* A process has described itself as a node. */
void collect__node_record(struct collect *c, pid_t pid, const struct dsm_ev_node *record);
/* Is this process's event of the run that is collected? Asks the system about a process not known yet. */
bool collect__ours(struct collect *c, pid_t pid);
/* Is this node of the run, and of the part of it, that is collected? */
bool collect__wants(const struct collect *c, uint64_t run_id, uint16_t node);
/* As that, and is the process this node? */
bool collect__from(struct collect *c, pid_t pid, uint16_t node);

struct collect_dead {
	uint16_t node;
	bool clean; /* it had said so */
	pid_t pid;
	const struct node_view *view; /* NULL: it lived too shortly to be found */
};
/* Nodes whose process has ended and that are not marked yet; at most `most`, the rest comes next time. */
size_t collect__find_dead(struct collect *c, struct collect_dead *dead, size_t most);

/* JSON of the trace's info and summary, to be freed; NULL: no memory. */
char *collect_json__info(const struct collect *c);
char *collect_json__summary(const struct collect *c);
/* The summary for people, on standard error, or as JSON on standard output. 0, or a negative errno after a message. */
int collect__print_summary(const struct collect *c);
/* The first node that has a program's name, or the first node, or NULL. */
const struct agg_node *collect__first_node(const struct collect *c);
uint64_t collect__now(void);

#endif
