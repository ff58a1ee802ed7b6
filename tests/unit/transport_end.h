// SPDX-License-Identifier: BSD-2-Clause
/* transport_end.h - a node as the tests of the transport need it: it checks all that comes. */
#ifndef TESTS_UNIT_TRANSPORT_END_H
#define TESTS_UNIT_TRANSPORT_END_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "dsmcore/transport/stream.h"
#include "dsmcore/transport/wire.h"

#define NODES_MAX  4
#define GENERATION 5

/* One node. Its handler takes the node's lock, as the runtime's does. */
struct end {
	struct transport *t;
	uint16_t node, nodes;
	pthread_mutex_t lock;
	pthread_t thread;
	int stop;
	/* checked per sender and channel: messages come in order and whole */
	uint64_t next[NODES_MAX][2];
	uint64_t messages, notes;
	unsigned lost[NODES_MAX];
	int lost_error[NODES_MAX];
	uint64_t messages_at_loss;
	bool relay; /* pass each message on to the next node until its number is used up */
	int bad;
};

/* Message k from one node on one channel, made from these three alone, so that the receiver can make
 * it again and compare. */
#define PAGES_MAX 40
struct message {
	struct core_msg msg;
	struct core_entry entries[PAGES_MAX];
	struct wire_blob blobs[PAGES_MAX];
	uint8_t bytes[PAGES_MAX][TRANSPORT_PAGE];
};

void message__make(struct message *m, uint16_t from, uint16_t to, unsigned channel, uint64_t k);

/* Over these sockets, [node][channel], -1 or NULL: none. */
void end__open(struct end *e, uint16_t node, uint16_t nodes, int (*fds)[2]);
/* So many nodes, each connected with all others; buffer: of the sockets, in bytes, 0: the system's. */
void end__open_all(struct end *e, uint16_t nodes, bool tcp, int buffer);
void end__pair(bool tcp, int buffer, int pair[2]);
/* The k-th message to a node. What transport__send() says. */
int end__post(struct end *e, uint16_t to, unsigned channel, uint64_t k);
/* The thread that takes what comes. */
void end__start(struct end *e);
void end__stop(struct end *e);
/* Half a millisecond, for what another thread is to do. */
void end__nap(void);

#endif
