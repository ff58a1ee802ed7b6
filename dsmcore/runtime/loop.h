/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop.h - what DSM_TX_FOR wants to know of the rest of the program. See loop.c.
 */
#ifndef DSM_RUNTIME_LOOP_H
#define DSM_RUNTIME_LOOP_H

/* The program has come to a barrier. The mutator's. */
void loop__barrier(void);

#endif
