/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mesh.h - a run's secret key and its nodes' addresses become connected streams.
 *
 * Whoever launches a run (dsmrun, PMIx) makes a key that is random in this run, or reads one from a file that
 * all its launchers have, and tells each node the key and everybody's address, by a way that strangers cannot
 * read. The nodes do the rest.
 */
#ifndef DSM_LAUNCH_MESH_H
#define DSM_LAUNCH_MESH_H

#include <stddef.h>
#include <stdint.h>

#include "dsmcore/launch/address.h"
#include "dsmcore/launch/control.h"

struct links; /* dsmcore/transport/stream.h */

#define MESH_KEY 32

struct mesh_key {
	uint8_t bytes[MESH_KEY];
};

/* A listening socket on this address, which gets the port that the system has chosen. Errors: negative errno. */
int mesh__listen(struct address *at);
/* Connects node with all others whose address has a port: to the higher ones, accepting the lower ones on `listener`,
 * both ends of each connection proving with the key that they belong to this run (run_id and generation of
 * o). With the transport "insecure-tcp" they only show it, in clear. Others who connect are refused and named
 * on stderr, and disturb nobody. On success the streams of those peers are in links. Blocks at most
 * `seconds`. The caller wipes the key, and closes the listener, so that from then on nobody can connect any
 * more. Errors: negative errno after printing a message; links is as before. */
int mesh__connect(const struct run_options *o, int listener, const struct address *of,
		  const struct mesh_key *key, int seconds, struct links *links);

/* A fresh key, or the one in a file: 64 hexadecimal digits, readable by its owner, who is this user or root,
 * and by nobody else. Errors: negative errno, with a message that names the remedy in why. */
int mesh_key__random(struct mesh_key *key);
int mesh_key__read(const char *path, struct mesh_key *key, char *why, size_t size);
/* What the options say: the file's key or, without one, a fresh one. Errors as above; -EINVAL also for a file
 * together with a transport that would give the key away. */
int mesh_key__get(const struct run_options *o, struct mesh_key *key, char *why, size_t size);
void mesh_key__wipe(struct mesh_key *key);

#endif
