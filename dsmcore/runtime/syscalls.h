/* SPDX-License-Identifier: BSD-2-Clause */
/* syscalls.h - what the wrappers of system calls share (syscalls.c, syscalls_files.c). */
#ifndef DSM_RUNTIME_SYSCALLS_H
#define DSM_RUNTIME_SYSCALLS_H

#include <stddef.h>

#include "dsm.h"
#include "dsmcore/runtime/next.h"
#include "dsmcore/runtime/node.h"

/* The call `name` of the program at pc is about to hand this memory to the kernel, which reads or writes it: pages
 * of the DSM are brought here. Does not return when they are used outside a transaction, or when the attempt was
 * lost meanwhile. Any thread; nothing for other threads than the mutator. */
void syscalls__prepare(const char *name, const void *memory, size_t bytes, enum dsm_touch_mode mode,
		       const void *pc);
/* The same for a text that the kernel reads up to its end. */
void syscalls__prepare_text(const char *name, const char *text, const void *pc);

#endif
