/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric_node.h - a node's way onto a fabric: its address goes to the launcher, everybody's address comes
 * back, then the nodes join. Whoever launches gathers the addresses (proto_hello) and hands them all out,
 * with a key that is random in each run (PROTO_FABRIC).
 */
#ifndef DSM_LAUNCH_FABRIC_NODE_H
#define DSM_LAUNCH_FABRIC_NODE_H

#include <stdbool.h>

#include "dsmcore/launch/proto.h"

struct links; /* dsmcore/transport/stream.h */
struct fabric_node;

/* Does this run go over a fabric? */
bool fabric_node__wanted(const struct run_options *o);
/* Opens this node's endpoint, `source` (an IP address of this machine, NULL: it has none) being where others reach it, and tells
 * its address on the fabric. Errors: negative errno after a message. */
int fabric_node__open(struct fabric_node **out, const struct run_options *o, const char *source,
		      struct fabric_address *mine);
/* Takes one node's address. -EPROTO: it makes no sense. */
int fabric_node__take(struct fabric_node *n, const struct proto_fabric *p);
/* All addresses are here: joins the others, within `seconds`. On success links (an empty table) has the
 * streams and their engine, and n is of no more use but to be freed. Errors: negative errno after a message.
 */
int fabric_node__connect(struct fabric_node *n, int seconds, struct links *links);
/* Closes what was not connected. NULL is allowed. */
void fabric_node__free(struct fabric_node *n);

#endif
