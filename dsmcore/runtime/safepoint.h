/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * safepoint.h - where a doomed attempt may be undone, and the program's signals, on which that depends.
 */
#ifndef DSM_RUNTIME_SAFEPOINT_H
#define DSM_RUNTIME_SAFEPOINT_H

#include <signal.h>
#include <stdbool.h>

/* May an attempt be unwound from this instruction of the mutator? It may in program text, that is the program
 * and each library that begins transactions itself, unless a signal handler of the program is running: that
 * may stand on top of anything. Async-signal-safe. */
bool safepoint__here(const void *pc);
/* Is a signal handler of the program running that came while the runtime was at work, or a library that it may have called?
 * It cannot use the DSM: the runtime is not finished with something else. Mutator thread; async-signal-safe. */
bool safepoint__over_runtime(void);
/* libc's sigaction(), for the runtime's own handlers. */
int safepoint__sigaction(int sig, const struct sigaction *action, struct sigaction *old);
/* Does SIGSEGV come to the runtime? Not when the program, or a sanitizer, has taken it. */
bool safepoint__has_segv(void);

#endif
