/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proto.h - the packets between dsmrun and a node, over a SOCK_SEQPACKET pair.
 *
 *	dsmrun -> node   OPTIONS   run_options; one descriptor: the lifeline, a pipe that only dsmrun
 *				   could write to, so that its end means the launcher's death
 *	node -> dsmrun   HELLO     version, process id; over TCP the port it listens on
 *	dsmrun -> node   SOCKETS   Unix: two connected sockets to one peer, channel 0 and 1
 *	dsmrun -> node   PEERS     TCP: everybody's address and the run's key
 *	dsmrun -> node   FABRIC    over a fabric: one node's address there and the run's key; all of them
 *	dsmrun -> node   GO        all is handed over
 *	node -> dsmrun   REPORT    a message with a place in a program; any number, any time
 *	dsmrun -> node   ASK       what does the program wait for? The answers are REPORTs
 *	node -> dsmrun   DONE      the program has returned; the node still serves its pages
 *	dsmrun -> node   END       all nodes are done: leave
 *
 * Both ends come from one build; the version refuses a program linked with another one.
 */
#ifndef DSM_LAUNCH_PROTO_H
#define DSM_LAUNCH_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dsmcore/launch/control.h"
#include "dsmcore/launch/mesh.h"
#include "dsmcore/launch/options.h"
#include "dsmcore/transport/fabric_address.h"

#define PROTO_VERSION 8u
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
	PROTO_FABRIC,
	PROTO_ASK,
};

struct proto_report {
	char text[512];
	char path[1024]; /* "" = no place */
	uint64_t offset;
};

struct proto_hello {
	int32_t pid;
	struct address listens; /* for TCP peers; none if there are none */
	struct fabric_address fabric;
};

struct proto_peers {
	struct mesh_key key;
	struct address of[OPTIONS_NODES_MAX]; /* none: not reached over TCP */
};

struct proto_fabric {
	uint64_t key; /* of the run */
	uint32_t node;
	struct fabric_address address;
};

struct proto_packet {
	uint32_t version, type;
	union {
		struct run_options options;
		struct proto_hello hello;
		uint32_t peer; /* SOCKETS */
		struct proto_peers peers;
		struct proto_fabric fabric;
		struct proto_report report;
		int32_t status; /* DONE */
	};
};

/* Whether its texts end where they must, and its addresses are ones. */
bool proto__sane(const struct proto_packet *p);
/* Sends one packet: the type and `bytes` of its union member, with up to two descriptors.
 * Async-signal-safe, and small on the stack. Errors: negative errno. */
int proto__send(int fd, enum proto_type type, const void *body, size_t bytes, const int *fds, unsigned nfds);
/* What a packet of this type has for a body, in bytes; -1: there is no such type. */
ssize_t proto__body_bytes(uint32_t type);
/* Receives one packet. fds[2]: what came with it, else -1. Errors: -EPIPE (the other end is gone),
 * -EAGAIN, -EPROTO (not a packet of this version), negative errno. `flags` as of recvmsg(). */
int proto__recv(int fd, struct proto_packet *p, int fds[2], int flags);

/* Gives a node its two connected sockets to `peer` (SOCKETS). The kernel bounds descriptors on their way to a
 * node: waits up to 5 s until it has taken some off. The sender's copies stay open. Errors: negative errno.
 */
int proto__give(int fd, unsigned peer, const int fds[2]);

#endif
