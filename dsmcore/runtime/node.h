/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * node.h - the node: what the parts of the runtime share. One per process.
 */
#ifndef DSM_RUNTIME_NODE_H
#define DSM_RUNTIME_NODE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "dsm_events.h"
#include "dsmcore/launch/control.h"
#include "dsmcore/protocol/core.h"

struct node {
	struct run_options options;
	struct control *control;
	struct transport *transport;
	struct region *region; /* memory/region.h */
	struct dsm_core *core;
	pthread_mutex_t lock; /* over core, transport sends, twins, event sequence */
	pid_t mutator;	      /* thread id */
	_Atomic bool started; /* the service thread makes system calls, which ask */
	bool crowded;	      /* more nodes than cores on this host */
	struct dsm_shm *shm;  /* counters and ring */
};

extern struct node node;

/* The call of the function that uses it: within the call's instruction, so that its line is found (a return
 * address may belong to the next line). */
#define NODE_CALLER ((const void *)((const char *)__builtin_return_address(0) - 1))

/* Ends the whole run with a message. `pc` is an address in the program that the message is about
 * (its file and line are named), or NULL. Exit status 2. Any thread; async-signal-safe. */
__attribute__((noreturn, format(printf, 2, 3))) void node__fatal(const void *pc, const char *format, ...);
/* The same, when nothing can be received any more: err is the transport's, negative. */
__attribute__((noreturn)) void node__deaf(int err);

/* Ends it because a thread that is not the mutator has made this call, or does this: a second thread of the program, or what
 * fork() made of the mutator. Exit status 2. Async-signal-safe. */
__attribute__((noreturn)) void node__not_the_mutator(const void *pc, const char *call);

/* Prints a message that names the file and line of `pc`, and goes on. Async-signal-safe. */
void node__say(const void *pc, const char *text);
/* Stops the program when a node has ended that can never come to the barrier which this node enters. The
 * caller holds node.lock. */
void node__check_finished_peers(const void *pc);
/* The mutator cannot go on without a node that is lost: waits a while for the launcher, which knows more
 * about it, to end the run, and ends it. The caller holds node.lock. */
__attribute__((noreturn)) void node__depends_on_lost(uint16_t peer);
/* Stops the program when it waits in dsm_retry() and no other node can change anything any more. The caller
 * holds node.lock. */
void node__check_lonely_retry(void);
/* Used as `main` of the C library: starts the node, runs the program's main on the mutator's stack. */
int node__main(int argc, char **argv, char **envp);

/* Brings those counters up to date that others keep meanwhile. The caller holds node.lock. */
void node__publish_counters(void);

/* The second form is for counters that change only under node.lock. */
#define COUNT(name, n) __atomic_fetch_add(&node.shm->counters.name, (n), __ATOMIC_RELAXED)
#define COUNT_LOCKED(name, n)                                                                                \
	__atomic_store_n(&node.shm->counters.name, node.shm->counters.name + (n), __ATOMIC_RELAXED)

#endif
