/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dsmrun_traces.h - the trace of a run on several hosts. On each host a collector of its own sees the nodes there. What
 * those of other hosts write comes through their agents into a file for each host, beside the trace, while the
 * run goes on; at the end `dsmcollect --merge` makes one trace of all. Single-threaded.
 */
#ifndef DSM_LAUNCH_DSMRUN_TRACES_H
#define DSM_LAUNCH_DSMRUN_TRACES_H

#include "dsmcore/launch/dsmrun_hosts.h"

/* Has the run nodes on other hosts? Then the trace is made of parts. */
bool traces__spread(const struct run *run);
/* Makes the files for the parts. Errors: negative errno after a message. */
int traces__open(struct run *run);
/* The run has not begun: takes the files away again. */
void traces__drop(struct run *run);
/* Starts who shows the parts live while they grow; a run goes on without, after a message. */
void traces__show(struct run *run);
/* FRAME_TRACE and FRAME_TRACED of a host. What makes no sense is left out. */
void traces__take(struct run *run, struct host *h, const struct frame_head *head, const uint8_t *payload);
/* All nodes have ended: waits for what the agents still have of their traces. */
void traces__gather(struct run *run);
/* When the local collector has ended too: makes the trace. Returns an exit status, after a message. */
int traces__merge(struct run *run);

/* The agent's side, dsmrun_spool.c: the collector writes into a file without a name. Errors: negative errno. */
int spool__open(struct run *run);
/* Sends what the collector has written and, once it has ended, FRAME_TRACED; never more than the line takes now. Returns
 * after how many ms to call again, -1: no need to. *lost: nobody is at the other end. */
int spool__send(struct run *run, bool *lost);
/* Ends the collector: at once, or `now` false so that it finishes its trace. */
void spool__stop(struct run *run, bool now);

#endif
