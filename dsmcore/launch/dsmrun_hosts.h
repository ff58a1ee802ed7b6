/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dsmrun_hosts.h - a run on several hosts: dsmrun starts an agent (dsmrun_agent.c) on each of the others,
 * through ssh or whatever --rsh says, and reaches the nodes there through it. Single-threaded.
 */
#ifndef DSM_LAUNCH_DSMRUN_HOSTS_H
#define DSM_LAUNCH_DSMRUN_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "dsmcore/launch/address.h"
#include "dsmcore/launch/dsmrun.h"
#include "dsmcore/launch/frame.h"

#define HOST_ADDRESSES 8

struct host {
	char name[256];
	char address[ADDRESS_SPEC];		  /* "" = not said */
	struct address addresses[HOST_ADDRESSES]; /* that its name has here */
	unsigned naddresses;
	unsigned slots;
	unsigned first, count; /* nodes */
	bool here;	       /* this machine: no agent */
	pid_t agent;	       /* the remote shell; 0 = not running */
	int to, from;	       /* -1 = closed */
	struct frame_reader in;
	/* its part of the trace (dsmrun_traces.h) */
	int part; /* -1 = none is awaited */
	int part_error;
	bool traced; /* it was all */
	uint64_t part_bytes;
	char part_path[4096];
};

/* --hosts: "a:2,[fd00::2]:2"; --hostfile: a line "NAME [slots=N] [address=WHAT]" for each. Errors: -EINVAL and the like
 * with the reason in `why`. */
int hosts__add(struct run *run, const char *list, char *why, size_t size);
int hosts__add_file(struct run *run, const char *path, char *why, size_t size);
/* -x NAME[=VALUE]. Errors: -EINVAL. */
int hosts__add_variable(struct run *run, const char *text, char *why, size_t size);
/* Hosts and variables, at the end. */
void hosts__free(struct run *run);
/* Gives the nodes to the hosts, in their order; `nodes` 0: as many as there are slots. Errors: -EINVAL. */
int hosts__place(struct run *run, unsigned nodes, char *why, size_t size);

/* names.c: looks up what the host's name means: its addresses, and whether it is this machine. May take the seconds
 * that a silent name server takes. */
void names__look_up(struct host *h);
/* Where the nodes of a host listen if nobody has said it: its name's addresses, else any. */
void names__listen(const struct run *run, const struct host *h, char spec[ADDRESS_SPEC]);
/* Says which two names may mean one machine; after the nodes have been placed. */
void names__warn(const struct run *run);

/* Where the nodes of a host listen for the others (address.h): spec[ADDRESS_SPEC], "" = nowhere. */
void hosts__listen(const struct run *run, const struct host *h, char *spec);

/* Starts the agents and has them start their nodes. Errors: negative errno after a message. */
int hosts__start(struct run *run);
/* What an agent has said; call when its `from` is readable. Calls the functions of the loop. */
void hosts__read(struct run *run, struct host *h);
/* Reads from all agents for up to `ms`: what they say may explain what has happened here. */
void hosts__settle(struct run *run, int ms);
/* One packet for a node, here or elsewhere. Errors: negative errno, -EPIPE when it is gone. */
int hosts__send(struct run *run, struct proc *p, enum proto_type type, const void *body, size_t bytes);
/* To all agents. */
void hosts__tell(struct run *run, enum frame_kind kind, const void *body, size_t bytes);
/* The nodes have ended: lets the agents go and passes on what they still have to say. */
void hosts__finish(struct run *run);

/* In the loop, for what comes from agents. */
void loop__packet(struct run *run, struct proc *p, struct proto_packet *m);
void loop__report(struct proc *p, const char *line);
void loop__alien(struct run *run, struct proc *p);
void loop__ended(struct run *run, struct proc *p, int code, int status);
void loop__host_lost(struct run *run, struct host *h, const char *why);

/* The agent's side: `dsmrun --agent`. Returns an exit status. */
int agent__run(void);

#endif
