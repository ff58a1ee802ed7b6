/* SPDX-License-Identifier: BSD-2-Clause */
/* dsmrun.h - what the parts of the launcher share. Single-threaded. */
#ifndef DSM_LAUNCH_DSMRUN_H
#define DSM_LAUNCH_DSMRUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dsmcore/launch/address.h"
#include "dsmcore/launch/options.h"
#include "dsmcore/launch/proto.h"

enum {
	EXIT_BAD = 2,	    /* usage, bad input, a node's own error */
	EXIT_TIMEOUT = 124, /* as timeout(1) */
	EXIT_SIGNAL = 128,  /* + the signal */
};

/* One of a node's output streams, when lines get a prefix. */
struct stream {
	int fd; /* -1: closed, or passed through */
	size_t have;
	char line[4096];
};

struct host;

struct proc {
	unsigned node;
	struct host *host; /* where it runs, through an agent; NULL: here */
	bool running;
	pid_t pid;		/* what was started here */
	pid_t self;		/* the process that said hello: another one when a script is between */
	int control;		/* -1: closed */
	struct address listens; /* TCP */
	struct fabric_address fabric;
	bool hello, reported, done, started;
	bool ended; /* elsewhere, and how, as waitid() tells it */
	int end_code, end_status;
	int shm;	/* the node's shared memory, -1 = not found */
	void *counters; /* struct dsm_shm of a node elsewhere */
	struct stream out[2];
};

enum bind { BIND_AUTO, BIND_CORE, BIND_NONE };

struct run {
	struct run_options options;
	char program[4096]; /* path to execute */
	char **argv;
	bool prefix, verbose;
	struct mesh_key key; /* wiped when the nodes have it */
	enum bind bind;
	bool agent; /* we are one: all nodes' output goes through us */
	/* the hosts */
	struct host *hosts; /* NULL: only this one */
	unsigned nhosts;
	unsigned first, here; /* nodes on this machine */
	const char *rsh;
	char interface[ADDRESS_SPEC];
	char **variables; /* for the other hosts, NAME=VALUE */
	unsigned nvariables;
	/* files */
	const char *stats;  /* file, NULL = none */
	unsigned timeout_s; /* 0 = none */
	/* the monitor */
	const char *trace; /* file, NULL = none */
	char trace_name[512];
	const char *source;
	const char *local_trace; /* what the collector here writes: the trace, or a part of it */
	int spool; /* an agent: where its collector writes, -1 = none; and how much of it was sent */
	uint64_t spooled;
	pid_t collector;       /* 0 = not running */
	pid_t live;	       /* likewise: who shows the parts of several hosts */
	char live_socket[128]; /* the collector's; empty: none */
	int collector_status;  /* exit status once it has ended */
	/* the run */
	struct proc *procs;
	int lifeline; /* only we hold its writing end */
	int signals;  /* signalfd */
	int64_t start_ns, end_ns;
	int64_t deadline_ns; /* of the phase; 0 = none */
	int64_t timeout_ns;  /* of the run; 0 = none */
	unsigned alive, hellos, done;
	bool handed_over, told_end, ending, killed;
	bool unwritten; /* some output of the nodes */
	bool failed;	/* status is decided */
	int status;
};

extern const char *run__name; /* "dsmrun", and on another host which one it is */
int64_t run__now(void);	      /* ns, monotonic */
__attribute__((format(printf, 1, 2))) void run__say(const char *format, ...);

/* dsmrun_check.c: finds the program, names the trace, and looks at all files and libraries that the run will need. Errors:
 * negative errno after a message. */
int check__run(struct run *run);

/* dsmrun_spawn.c: starts the nodes and, once all have said hello, gives them their connections. Errors:
 * negative errno after a message. */
int spawn__node(struct run *run, struct proc *p);
/* What every run needs: its processes' places, the lifeline, signals. Errors: negative errno after a message.
 */
int run__open(struct run *run);
/* The nodes here get connected with one another over Unix sockets. */
int spawn__hand_sockets(struct run *run);
/* Before the first node: same addresses in all nodes, run after run, where the system allows that; else a
 * warning. */
void spawn__fix_addresses(void);
int spawn__hand_over(struct run *run);
/* In a child between fork and exec: dies with dsmrun, own process group, default signals, and no
 * descriptor from `first` up stays open. */
void spawn__child(pid_t parent, int death_signal, int first);

/* The next packet on the line of a node here: 1; 0: there is none now, or the line is closed; else a negative
 * errno, and it is closed now: -EPROTO when the node speaks another version. */
int spawn__packet(struct proc *p, struct proto_packet *m);
/* Takes a node here that has ended out of the system's books, its process group too: how it ended. False: it
 * has not, or (signals_only) not by a signal. */
bool spawn__reap(struct proc *p, bool signals_only, int *code, int *status);

/* What a node here that has ended could not remove itself: over libfabric's provider shm each endpoint is a file in
 * /dev/shm, which has a name until all nodes have mapped it. */
void spawn__sweep(const struct run *run, const struct proc *p);

/* dsmrun_loop.c: runs until all nodes have ended. Returns the exit status. */
int loop__run(struct run *run);

/* dsmrun_output.c: one of a node's streams (0: output, 1: errors) is readable. */
void output__read(struct run *run, struct proc *p, int which);
/* The same for what an agent has read. */
void output__pass(struct run *run, struct proc *p, int which, const char *bytes, size_t n);
/* What the nodes wrote last; their groups are dead, so this ends. */
void output__drain(struct run *run);
/* Lines that have no end, once nobody writes any more: an agent does not tell where a stream ends. */
void output__finish(struct run *run);

/* dsmrun_monitor.c: dsmcollect. start() returns once it listens. Errors: an exit status, after a message. */
int monitor__start(struct run *run);
/* Whether it has ended since one last asked; its status is in the run then. */
bool monitor__ended(struct run *run);
/* It has ended early: its status, and what of the trace can be read. */
void monitor__say_early(const struct run *run);
/* Waits for it to write its file; `failed`: the run ended badly, so it may not notice by itself. */
void monitor__finish(struct run *run, bool failed);

/* dsmrun_stats.c: opens the node's counters while it lives; writes them all. */
void stats__find(struct proc *p);
/* The counters of a node: bytes of struct dsm_shm. Errors: -ENODATA. */
int stats__read(const struct proc *p, void *shm, size_t bytes);
int stats__write(const struct run *run);

#endif
