/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * standing.h - where this node stands, for the user of a run that does not end.
 *
 * dsmrun asks when a run has not ended in time; in a job of mpirun or srun, whoever sends the node's process SIGQUIT asks. A
 * deadlock of the program is then two lines that wait for one another, each with its place in the source.
 */
#ifndef DSM_RUNTIME_STANDING_H
#define DSM_RUNTIME_STANDING_H

#include <ucontext.h>

/* In a job of mpirun or srun, where no launcher of ours can ask, SIGQUIT does, and goes on; unless it is ignored. */
void standing__open(void);
/* If somebody has asked: says what the program of this node waits for, and which locks it holds meanwhile; or where it
 * computes, which it says itself when a signal asks it to. The service thread's, which holds
 * node.lock. */
void standing__tell_if_asked(void);
/* Says where the mutator is, if that was asked. The mutator's, in the handler of SIGURG; async-signal-safe. */
void standing__answer(const ucontext_t *context);

#endif
