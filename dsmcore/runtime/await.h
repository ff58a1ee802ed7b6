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

/* Between two attempts: receives what is there, if the mutator has kept the receiving since its last wait.
 * The mutator's, without node.lock. */
void await__look(void);

#endif
