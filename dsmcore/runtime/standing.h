/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * standing.h - where this node stands, for the user of a run that does not end.
 *
 * dsmrun asks when a run has not ended in time. A deadlock of the program is then two lines that wait for one
 * another, each with its place in the source.
 */
#ifndef DSM_RUNTIME_STANDING_H
#define DSM_RUNTIME_STANDING_H

/* If the launcher has asked: says what the program of this node waits for, and which locks it holds meanwhile.
 * The service thread's, which holds node.lock. */
void standing__tell_if_asked(void);

#endif
