/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * next.h - for functions of libc's that the runtime wraps.
 */
#ifndef DSM_RUNTIME_NEXT_H
#define DSM_RUNTIME_NEXT_H

#include <dlfcn.h>

/* Declares `next`: the next definition in the search order, libc's. Looked up at the first call, by any thread. */
#define NEXT(name)                                                                                           \
	static __typeof__(name) *found;                                                                      \
	__typeof__(name) *next = __atomic_load_n(&found, __ATOMIC_RELAXED);                                  \
	if (!next)                                                                                           \
	__atomic_store_n(&found, next = (__typeof__(next))dlsym(RTLD_NEXT, #name), __ATOMIC_RELAXED)

#endif
