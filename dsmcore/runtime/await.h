/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * await.h - how the mutator waits for an answer: it receives the node's messages itself, spinning and then
 * blocking.
 */
#ifndef DSM_RUNTIME_AWAIT_H
#define DSM_RUNTIME_AWAIT_H

#include <stdint.h>

/* Returns when *word is no longer `value`. The change is made by a message's handler, in this thread or just
 * before in the service thread. The mutator's, without node.lock. */
void await__message(const uint32_t *word, uint32_t value);

/* The mutator comes to a barrier, and takes the receiving over before it sends what the others wait for: what they send it
 * would wake the service thread, which preempts it in the middle of that, only to wait for node.lock; and who wakes a thread
 * pays for it too. Until it departs, or a wait in between ends; a second depart does nothing. The mutator's, without node.lock. */
void await__arrive(void);
void await__depart(void);

#define AWAIT_LOOK_NS 10000u /* before a barrier: from one look to the next */

/* A barrier is near: the mutator receives from now on, in await__look() and at the barrier. If it does neither, the service
 * thread does again soon. The mutator's, without node.lock. */
void await__near(void);

/* The longest time since the last call in which the mutator did not receive, although a barrier was near. */
uint64_t await__deaf_ns(void);

/* Between two attempts: receives what is there, if the mutator has kept the receiving since its last wait.
 * The mutator's, without node.lock. */
void await__look(void);

#endif
