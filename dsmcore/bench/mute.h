/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mute.h - lets this process believe for a while that nobody listens to its probes.
 *
 * The kernel tells a program how many listen to a probe by the probe's semaphore, a word in the program's own memory. With
 * a 0 there a node goes the very way that it goes with nobody attached: no record is built, no trap is reached, the microscope
 * rests. That takes a microsecond, where to detach and to attach in earnest takes a third of a second, on a busy machine
 * several: too long for the few per cent that are looked for, since the machine is another one by then.
 *
 * The probe `node` is left alone: when its listeners become more, the node tells all that is true, as it should only when a
 * collector comes.
 */
#ifndef DSM_BENCH_MUTE_H
#define DSM_BENCH_MUTE_H

#include <stdbool.h>

/* Finds the semaphores of the library. To be called before any collector comes: the library's file is mapped to read its notes, and
 * where somebody listens the kernel takes that for a program that begins, counts it in the semaphores, and never counts it
 * out again. Errors: ends the run with a message. */
void mute__find(void);
/* Learns what they are now. */
void mute__open(void);
/* true: nobody listens; false: as mute__open() found it. To be false before a collector comes or goes. */
void mute__set(bool muted);

#endif
