// SPDX-License-Identifier: BSD-2-Clause
/* mesh_member.h - nodes as the test of the mesh needs them: threads of one process, which hear what all say on stderr. */
#ifndef TESTS_UNIT_MESH_MEMBER_H
#define TESTS_UNIT_MESH_MEMBER_H

#include <pthread.h>
#include <stdint.h>

#include "dsmcore/launch/mesh_parts.h"
#include "dsmcore/launch/options.h"
#include "dsmcore/transport/stream.h"

struct member {
	struct run_options o;
	struct mesh_key key;
	int listener, rc, seconds;
	struct links links;
	pthread_t thread;
};

/* Of the family and the transport that are tested. */
extern struct address addresses[OPTIONS_NODES_MAX], loopback;
extern const char *transport;

/* It listens, has a key and waits for 20 s at most; then it joins the others, itself or in its thread; m->rc says how
 * that went. */
void member__prepare(struct member *m, uint16_t node, uint16_t nodes);
void *member__join(void *member);
void member__start(struct member *m);
void member__leave(struct member *m);
/* Every member reaches every other one, on the right channel. */
void member__check_joined(struct member *m, unsigned nodes);

/* What nodes write on stderr goes to a file from here on, until it is wanted. Static memory. */
void errors__listen(void);
const char *errors__heard(void);
/* The format's "%s" as the loopback's address, as messages have it before a port. Static memory. */
const char *named(const char *format);
/* How often `what` is in the text. */
unsigned count(const char *text, const char *what);

#endif
