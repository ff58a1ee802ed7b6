/* SPDX-License-Identifier: BSD-2-Clause */
/* mesh_parts.h - between mesh.c, which knows who is to be connected, and mesh_prove.c, which knows how two
 * ends prove that they belong together. */
#ifndef DSM_LAUNCH_MESH_PARTS_H
#define DSM_LAUNCH_MESH_PARTS_H

#include <stdbool.h>

#include "dsmcore/launch/mesh.h"
#include "dsmcore/transport/tls.h"

/* As docs/wire.md says: what begins a connection over insecure-tcp. */
struct greeting {
	uint32_t magic, generation;
	uint16_t node, channel;
	uint8_t ask[MESH_KEY / 2];
};

/* One end of a connection that is not proven yet. */
struct end {
	int fd;			/* -1: not called yet */
	struct stream *stream;	/* TLS: owns fd */
	bool called;		/* by us; else we answer */
	bool reached;		/* called: connect() is over */
	uint16_t peer, channel; /* answered: known when it is proven */
	short events;		/* what it waits for */
	unsigned tries;
	int64_t again_ns; /* when to call again */
	size_t have;	  /* of what the other end says in clear */
	uint8_t bytes[sizeof(struct greeting)];
};

struct mesh {
	const struct run_options *o;
	const struct address *of; /* port 0: not reached over TCP */
	const struct mesh_key *key;
	const struct tls_ops *tls; /* NULL: in clear */
	struct tls *context;
	struct links *links;
	int listener;
	int64_t deadline; /* ns */
	unsigned missing; /* connections that lower nodes still have to make */
	unsigned ncalls, nguests, room;
	struct end *calls, *guests;
	struct pollfd *polls;
	unsigned refused;
};

/* May this connection be made to us now? Not proven. */
bool mesh__expected(const struct mesh *m, uint32_t generation, unsigned from, unsigned channel);

/* Loads what is needed. Errors: negative errno after a message. */
int mesh_prove__open(struct mesh *m);
void mesh_prove__close(struct mesh *m);
/* A connected socket; it stays e->fd. Errors: negative errno, the caller drops the end. */
int mesh_prove__begin(struct mesh *m, struct end *e);
/* 0: proven, e->stream is ready, peer and channel are true. -EAGAIN: e->events tells what it waits for. Else
 * as tls_ops.shake(). */
int mesh_prove__step(struct mesh *m, struct end *e);
/* The other end has shown that it has the key. */
bool mesh_prove__known(const struct mesh *m, const struct end *e);
void mesh_prove__drop(struct end *e);

/* How TCP treats a socket that calls, listens or was accepted from such a one: waits after losses stay short,
 * and who has said nothing for so many seconds is dead (0: never). Errors: negative errno. */
int mesh_socket__tune(int fd, unsigned silence_s);

#endif
