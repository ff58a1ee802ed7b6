// SPDX-License-Identifier: BSD-2-Clause
#include "dsmcore/launch/fabric_node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dsmcore/transport/fabric.h"

#define WHY 1024

struct fabric_node {
	const struct fabric_api *api;
	struct fabric *fabric; /* NULL: the links have it */
	unsigned node, nodes;
	uint64_t key;
	struct fabric_address *of; /* [nodes] */
};

bool fabric_node__wanted(const struct run_options *o)
{
	return o->nodes > 1 && !strcmp(o->transport, "fabric");
}

static int complain(const struct fabric_node *n, int rc, const char *why)
{
	fprintf(stderr, "dsm: node %u: %s\n", n->node, why);
	return rc;
}

static int open_endpoint(struct fabric_node *n, const struct run_options *o, const char *source,
			 struct fabric_address *mine, char *why)
{
	struct fabric_config config = {
		.provider = o->fabric,
		.node = o->node,
		.nodes = o->nodes,
		.generation = o->generation,
		.source = source,
		.silence_s = o->silence_s,
	};

	n->api = fabric__load(why, WHY);
	return n->api ? n->api->open(&n->fabric, &config, mine, why, WHY) : -ENOSYS;
}

int fabric_node__open(struct fabric_node **out, const struct run_options *o, const char *source,
		      struct fabric_address *mine)
{
	struct fabric_node *n = calloc(1, sizeof(*n));
	char why[WHY] = "out of memory for the addresses on the fabric";
	int rc = -ENOMEM;

	if (!n)
		return rc;
	n->node = o->node;
	n->nodes = o->nodes;
	n->of = calloc(o->nodes, sizeof(*n->of));
	if (n->of)
		rc = open_endpoint(n, o, source, mine, why);
	if (rc) {
		complain(n, rc, why);
		fabric_node__free(n);
		return rc;
	}
	*out = n;
	return 0;
}

int fabric_node__take(struct fabric_node *n, const struct proto_fabric *p)
{
	if (p->node >= n->nodes || n->of[p->node].bytes || !p->address.bytes ||
	    p->address.bytes > FABRIC_ADDRESS_MAX)
		return -EPROTO;
	n->of[p->node] = p->address;
	n->key = p->key;
	return 0;
}

int fabric_node__connect(struct fabric_node *n, int seconds, struct links *links)
{
	char why[WHY] = "";
	int rc;

	for (unsigned i = 0; i < n->nodes; i++)
		if (!n->of[i].bytes)
			return complain(n, -EPROTO, "the launcher has not told all addresses on the fabric");
	rc = n->api->connect(n->fabric, n->of, n->key, seconds, links, why, sizeof(why));
	if (rc)
		return complain(n, rc, why);
	n->fabric = NULL;
	return 0;
}

void fabric_node__free(struct fabric_node *n)
{
	if (!n)
		return;
	if (n->fabric)
		n->api->close(n->fabric);
	free(n->of);
	free(n);
}
