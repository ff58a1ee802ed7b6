/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sanitizer.h - tells AddressSanitizer about the mutator's own stack and about stack frames that an abort
 * threw away, and keeps ThreadSanitizer out of what a signal may run in its midst. Nothing in other builds.
 */
#ifndef DSM_RUNTIME_SANITIZER_H
#define DSM_RUNTIME_SANITIZER_H

#ifdef DSM_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
/* The red zones of frames that are gone would stay poisoned. */
#define sanitizer__stack_unwound(low, top)                                                                   \
	__asan_unpoison_memory_region((low), (size_t)((char *)(top) - (char *)(low)))
#define sanitizer__switch(save, low, top)                                                                    \
	__sanitizer_start_switch_fiber((save), (low), (size_t)((char *)(top) - (char *)(low)))
#else
#define sanitizer__stack_unwound(low, top) ((void)(low), (void)(top))
#endif

/* For what runs in an asynchronous signal before it is known that the program itself was interrupted: it may
 * have been the sanitizer, with its locks held. */
#ifdef DSM_TSAN
#define SANITIZER_NO_THREADS __attribute__((no_sanitize_thread))
#else
#define SANITIZER_NO_THREADS
#endif

#endif
