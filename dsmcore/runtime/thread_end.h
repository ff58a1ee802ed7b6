/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * thread_end.h - a mutator that ends while its program does not.
 *
 * pthread_exit() in main() ends that thread only. The service thread would stay, and serve a node whose program never
 * returns, so the run would never end. It is refused with a message instead.
 */
#ifndef DSM_RUNTIME_THREAD_END_H
#define DSM_RUNTIME_THREAD_END_H

/* From now on the end of the calling thread, the mutator, ends the run with a message. Errors: negative errno. */
int thread_end__open(void);

#endif
