/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nodes.h - the nodes on this host, found by the memfd that each one owns (dsm_events.h, struct dsm_shm).
 *
 * What another process wrote there is never trusted: sizes are read once and checked, and memory that
 * is taken away under our feet (the owner shrinks its memfd) turns into zeros and a flag.
 */
#ifndef PROCOPE_NODES_H
#define PROCOPE_NODES_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dsm_events.h"

struct node_view {
	struct node_view *next;
	pid_t pid; /* as this process sees it */
	int pidfd; /* -1: liveness is learned at scans only */
	dev_t dev;
	ino_t ino;
	struct dsm_shm *shm; /* the mapping; contents may change at any time */
	size_t size;	     /* of the mapping */
	uint16_t node, nodes;
	uint64_t run_id;
	uint64_t ring_offset, ring_bytes; /* checked: within the mapping, a power of two; or 0: no ring */
	size_t counters_bytes;		  /* as the writer has them: more or fewer than we know */
	/* Where they are depends on the writer's number of counters. */
	uint64_t *listeners, *head, *tail, *lost, *ended;
	uint64_t *batch_bytes;	      /* and the batch behind it; of an older node: 0 */
	volatile sig_atomic_t broken; /* the memory was taken away: only zeros are left */
	bool gone;		      /* the process has ended */
	bool seen;		      /* by the scan that runs */
	uint64_t found_ns;	      /* the receiver's own notes: when it was found, */
	uint64_t asked_ns;	      /* and when it was asked for a rundown; 0 = it is not being asked */
	unsigned asked;		      /* how often */
};

struct nodes;

/* Called once for each node found. */
typedef void (*nodes_found_fn)(void *ctx, struct node_view *view);

/* Nodes of this user only, process and memory: what another user could forge is no node. One at a time in a
 * process, since it owns the handler of SIGBUS. -ENOMEM. */
int nodes__new(struct nodes **out, uid_t user, nodes_found_fn found, void *ctx);
void nodes__free(struct nodes *n);
/* Looks at every process of the user, as far as we may. */
void nodes__scan(struct nodes *n);
/* Looks at one process now, for a record whose sender is not known yet. NULL: it owns no node. */
struct node_view *nodes__of_pid(struct nodes *n, pid_t pid);
/* Looks at it again, since it seems to be another node than before; that one is marked if it is so. */
void nodes__look_again(struct nodes *n, pid_t pid);
/* Marks those whose process has ended; cheap. */
void nodes__check_alive(struct nodes *n);
struct node_view *nodes__first(struct nodes *n);
/* Forgets a node. */
void nodes__drop(struct nodes *n, struct node_view *view);

/* The counters now; missing ones (an older writer) are 0. False: the memory is gone. */
bool node_view__counters(const struct node_view *view, struct dsm_counters *counters);
bool node_view__ended(const struct node_view *view);

/* Asks the node to tell what is true, or stops asking. A tracer's semaphore does that too, but it rises
 * before the tracer can receive, and not at all for a second tracer. The node answers every new
 * listener of its ring, so be one for a moment, unless somebody is. */
void node_view__ask_rundown(struct node_view *view, bool ask);

#endif
