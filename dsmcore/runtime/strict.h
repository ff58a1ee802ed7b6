/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * strict.h - `dsmrun --strict`: names what an abort would not undo (dsm.h, the state rule).
 */
#ifndef DSM_RUNTIME_STRICT_H
#define DSM_RUNTIME_STRICT_H

#include <stdbool.h>
#include <stddef.h>

/* An attempt begins, ends: the program's .data and .bss are write-protected in between. Nothing when the run
 * is not strict. Mutator only. */
void strict__begin(void);
void strict__end(void);
/* The attempt cannot be undone from here on: its effects are what the program wants. */
void strict__irrevocable(void);
/* A SIGSEGV at address: true if it was a write to the protected data, which is reported and let through. */
bool strict__fault(void *address, const void *pc);
/* A system call will write to memory: if that is protected data, reports it and lets it through (the kernel
 * would only say EFAULT). */
void strict__system_write(const void *memory, size_t bytes, const void *pc);
/* About to commit: reports pointers to private memory among the bytes that become visible to all. */
void strict__check_commit(void);
/* A DSM pointer is handed to a system call by the program. */
void strict__system_call(const char *name, const void *pc);

#endif
