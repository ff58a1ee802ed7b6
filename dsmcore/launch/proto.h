/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proto.h - the packets between dsmrun and a node, over a SOCK_SEQPACKET pair.
 *
 *	dsmrun -> node   OPTIONS   run_options; one descriptor: the lifeline, a pipe that only dsmrun
 *				   could write to, so that its end means the launcher's death
 *	node -> dsmrun   HELLO     version, process id; over TCP the port it listens on
 *	dsmrun -> node   SOCKETS   Unix: two connected sockets to one peer, channel 0 and 1
 *	dsmrun -> node   PEERS     TCP: everybody's address and the run's token
 *	dsmrun -> node   GO        all is handed over
 *	node -> dsmrun   REPORT    a message with a place in a program; any number, any time
 *	node -> dsmrun   DONE      the program has returned; the node still serves its pages
 *	dsmrun -> node   END       all nodes are done: leave
 *
 * Both ends come from one build; the version refuses a program linked with another one.
 */
#ifndef DSM_LAUNCH_PROTO_H
#define DSM_LAUNCH_PROTO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dsmcore/launch/control.h"
#include "dsmcore/launch/options.h"

#define PROTO_VERSION 2u
#define PROTO_FD_ENV  "DSM_CONTROL_FD"

enum proto_type {
	PROTO_OPTIONS = 1,
	PROTO_HELLO,
	PROTO_SOCKETS,
	PROTO_PEERS,
	PROTO_GO,
	PROTO_REPORT,
	PROTO_DONE,
	PROTO_END,
};

struct proto_address {
	uint32_t ip; /* network byte order */
	uint16_t port;
	uint16_t reserved;
};

#define PROTO_TOKEN 16
struct proto_token {
	uint8_t ask[PROTO_TOKEN];    /* what a connecting node shows */
	uint8_t answer[PROTO_TOKEN]; /* what the accepting one shows in return */
};

struct proto_report {
	char text[512];
	char path[1024]; /* "" = no place */
	uint64_t offset;
};

struct proto_hello {
	int32_t pid;
	uint32_t port, ip; /* where it listens for TCP peers; ip in network byte order */
};

struct proto_peers {
	struct proto_token token;
	struct proto_address of[OPTIONS_NODES_MAX]; /* port 0: that one is not reached over TCP */
};

struct proto_packet {
	uint32_t version, type;
	union {
		struct run_options options;
		struct proto_hello hello;
		uint32_t peer; /* SOCKETS */
		struct proto_peers peers;
		struct proto_report report;
		int32_t status; /* DONE */
	};
};

/* Sends one packet: the type and `bytes` of its union member, with up to two descriptors.
 * Async-signal-safe, and small on the stack. Errors: negative errno. */
int proto__send(int fd, enum proto_type type, const void *body, size_t bytes, const int *fds, unsigned nfds);
/* Receives one packet. fds[2]: what came with it, else -1. Errors: -EPIPE (the other end is gone),
 * -EAGAIN, -EPROTO (not a packet of this version), negative errno. `flags` as of recvmsg(). */
int proto__recv(int fd, struct proto_packet *p, int fds[2], int flags);

/* Gives a node its two connected sockets to `peer` (SOCKETS). The kernel bounds descriptors on their way to a
 * node: waits up to 5 s until it has taken some off. The sender's copies stay open. Errors: negative errno.
 */
int proto__give(int fd, unsigned peer, const int fds[2]);

/* TCP: a listening socket on the given address (network byte order), and its port. */
int mesh__listen(uint32_t ip, uint16_t *port);
/* Connects node with all others that have a port: to the higher ones, accepting the lower ones on `listener`,
 * both sides proving with the token that they belong to this run. Other connections are refused and named on
 * stderr. On success fds[nodes][2] are set for those. Blocks at most `seconds`. Errors: negative errno after
 * printing a message; then no descriptor of fds is open. */
int mesh__connect(const struct run_options *o, int listener, const struct proto_address *of,
		  const struct proto_token *token, int seconds, int (*fds)[2]);

#endif
