/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench.h - what the parts of dsmbench share.
 *
 * dsmbench has two roles. The one that the user starts runs itself again as nodes under dsmrun, reads the
 * samples that node 0 prints, and makes one JSON object of them (dsmbench.c, launch.c, result.c, paths.c, probes.c,
 * probes_windows.c, probes_whole.c, stats.c, scale.c, migrate.c). As a node (node*.c) it measures, and measures the floor by turns with it (floor*.c).
 */
#ifndef DSM_BENCH_BENCH_H
#define DSM_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROBES_REPS	 11
#define PROBES_WINDOW_MS 10

enum { BENCH_FAILED = 1, BENCH_BAD = 2, BENCH_SIGNAL = 128 };

enum owner { OWNER_BOTH, OWNER_WAITING, OWNER_COMPUTING };

struct command;

struct options {
	const struct command *command;
	const char *program;   /* argv[0] */
	const char *transport; /* tcp (in clear), tls, unix, shm or fabric */
	const char *fabric;    /* libfabric's provider, NULL: none */
	const char *samples;   /* file for the raw samples, NULL = none */
	unsigned nodes;	       /* 0: as the benchmark is defined */
	unsigned count;	       /* samples, or what the benchmark counts; 0: its default */
	unsigned pages;	       /* 0: its default */
	unsigned gap_us;       /* pause before each sample */
	unsigned reps;	       /* 0: its default */
	const char *load;      /* probes: this kind of work alone; NULL: all */
	unsigned window_ms;    /* probes: of one window; 0: its default */
	unsigned plant;	       /* probes: thousandths of delay put where a listener's cost would be */
	bool whole;	/* probes: measurements as a whole, the collector comes and goes between them */
	double seconds; /* at most, for one state; 0: its default */
	enum owner owner;
	bool disjoint;
	const char *consistency; /* bulk: tx, sc or rc */
	bool write;		 /* bulk: the pages are wanted for writing */
	bool sequential;	 /* fault: pages in their order, not at random */
	bool no_updates;	 /* pages are always invalidated */
	bool no_migration;	 /* homes stay where they are */
	bool unbound;		 /* leave the mutators' cores to the scheduler */
	bool as_node;
};

/* ---- samples ---- */

/* Microseconds (or what the name says), in the order in which they were taken. */
struct series {
	char name[32], owner[16];
	unsigned nodes;
	double *us;
	size_t n, room;
};

struct value {
	char name[32];
	double number;
};

struct window; /* stats.h */

/* Everything that came from one or several runs. */
struct results {
	struct series *series;
	size_t nseries;
	struct value *values;
	size_t nvalues;
	struct window *windows;
	size_t nwindows, windows_room;
};

/* Errors: -ENOMEM. The pointer that series() returns is good until the next call that adds. */
int results__sample(struct results *r, const char *name, const char *owner, unsigned nodes, double us);
int results__value(struct results *r, const char *name, double number);
int results__window(struct results *r, const struct window *w);
/* NULL / NAN when there is none. nodes 0: any. */
struct series *results__series(const struct results *r, const char *name, const char *owner, unsigned nodes);
double results__number(const struct results *r, const char *name);
/* Adds the samples of `part` to r, their names followed by a number ("commit16"). Errors: -ENOMEM. */
int results__merge(struct results *r, const struct results *part, unsigned number);
void results__free(struct results *r);
/* The q-th quantile (nearest rank); NAN without samples. Leaves the order as it is. */
double series__quantile(const struct series *s, double q);
/* Of two doubles, for qsort(). */
int bench__ascending(const void *a, const void *b);

/* ---- JSON ---- */

struct json_object;
/* The fields that every benchmark has; series may be NULL, figures are null then. */
struct json_object *figure__json(const char *name, const char *transport, unsigned nodes, const char *owner,
				 const struct series *s, const struct series *floor);
/* A number with so many decimals, null when it is not finite. */
void json__number(struct json_object *o, const char *key, double number, int decimals);

/* ---- running nodes ---- */

struct child {
	pid_t pid;
	int in, out; /* its standard input (or -1) and output */
	int errors;  /* its messages are kept in this file, or -1: they go to ours */
};

/* A program in the folder of this one. Errors: negative errno after a message. */
int launch__beside(const char *name, char *path, size_t size);
/* Starts a program whose messages are kept until launch__wait(); it ends when we end. keep: hold its messages
 * back; input: give it a pipe. ready: a descriptor that it gets as number 3, or -1. */
int launch__start(struct child *c, char *const *argv, bool keep, bool input, int ready);
/* Its exit status (128 + signal), after its messages if it failed. */
int launch__wait(struct child *c);
/* Runs this program as nodes under dsmrun and adds what node 0 prints. `what` is for the progress line.
 * Returns an exit status. */
int launch__nodes(const struct options *o, unsigned nodes, struct results *r, const char *what);
/* The command line for that; argv has room for LAUNCH_ARGS. */
#define LAUNCH_ARGS 40
struct launch_line {
	char dsmrun[4096], self[4096];
	char text[16][32];
	char *argv[LAUNCH_ARGS];
};
int launch__line(struct launch_line *l, const struct options *o, unsigned nodes, bool verbose);
/* One line of a node's output: a sample, a value or progress. Returns 0, -EPROTO, -ENOMEM. */
int launch__take_line(char *line, struct results *r, const char *what);
/* The signal that ended the benchmark, 0 = none. Signals reach the children too. */
int launch__stopped(void);
void launch__signals(void);
void launch__progress(const char *what, double share);
void launch__progress_end(void);
/* What dsmrun takes by itself is one of these on one host. */
const char *launch__transport(const struct options *o, unsigned nodes);
/* Raw connections for the floor go over TCP; else over Unix sockets. */
bool launch__over_tcp(const struct options *o);

/* ---- benchmarks: each fills in the JSON object and the raw samples; exit status ---- */

struct command {
	const char *name, *summary;
	int (*run)(const struct options *o, struct results *r, struct json_object **out);
	int (*node)(const struct options *o);
	const char *takes;	       /* letters of the options it understands, see dsmbench.c */
	unsigned nodes_min, nodes_max; /* that --nodes allows */
	unsigned count;		       /* defaults */
	double seconds;
};

int paths__floor(const struct options *o, struct results *r, struct json_object **out);
int paths__fault(const struct options *o, struct results *r, struct json_object **out);
int paths__pingpong(const struct options *o, struct results *r, struct json_object **out);
int paths__commit(const struct options *o, struct results *r, struct json_object **out);
int paths__barrier(const struct options *o, struct results *r, struct json_object **out);
int paths__undo(const struct options *o, struct results *r, struct json_object **out);
int scale__run(const struct options *o, struct results *r, struct json_object **out);
/* Pages that dsm_touch() is asked for at once, if --pages says nothing. */
#define BULK_SIZES                                                                                           \
	{                                                                                                    \
		1, 4, 16, 64, 256, 1024                                                                      \
	}
int bulk__run(const struct options *o, struct results *r, struct json_object **out);
int probes__run(const struct options *o, struct results *r, struct json_object **out);
int migrate__run(const struct options *o, struct results *r, struct json_object **out);

/* Runs the measurement of o->command in this node. Exit status. */
int node__start(const struct options *o);
int node_floor__main(const struct options *o);
int node_fault__main(const struct options *o);
int node_pingpong__main(const struct options *o);
int node_commit__main(const struct options *o);
int node_barrier__main(const struct options *o);
int node_load__main(const struct options *o);
int node_bulk__main(const struct options *o);
int node_migrate__main(const struct options *o);
int node_undo__main(const struct options *o);

#endif
