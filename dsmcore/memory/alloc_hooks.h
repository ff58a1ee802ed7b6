/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alloc_hooks.h - malloc() and free() inside transactions: undone or deferred (dsm.h, the state rule).
 *
 * libdsm.so defines the malloc family itself and passes on to libc's. Only what the mutator's program calls
 * in a transaction is logged. The runtime's own allocations must not be, or an abort would free them:
 *
 * - Direct calls of malloc() etc. from libdsm's text are recognised by their return address: nothing to do.
 * - Calls from elsewhere on the runtime's behalf (libc's qsort, json-c, the unwinder, ...) while a
 *   transaction may run must stand between alloc_hooks__enter() and alloc_hooks__leave(). They nest.
 * - An abort restores the stack but not the count of enters. So: never hold the guard where an attempt may
 *   begin or be unwound, and call alloc_hooks__attempt() as an outermost attempt begins, first or retry.
 *
 * Under the sanitizers (DSM_ASAN, DSM_TSAN) nothing is interposed, since they interpose themselves: there
 * malloc() in an aborted attempt leaks, and free() takes effect at once.
 */
#ifndef DSM_MEMORY_ALLOC_HOOKS_H
#define DSM_MEMORY_ALLOC_HOOKS_H

#include <stdbool.h>

/* Allocations of the calling thread are the runtime's own until the matching leave. Any thread. */
void alloc_hooks__enter(void);
void alloc_hooks__leave(void);

/* An attempt begins (outermost; first or retry): drops guards that an unwinding left behind, and what was
 * allocated before counts as older than this attempt. Mutator thread only. */
void alloc_hooks__attempt(void);

/* Is the caller the thread that may touch DSM memory? One system call a thread, then cheap. */
bool alloc_hooks__mutator(void);

#endif
