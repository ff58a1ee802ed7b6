/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fabric.h - streams over libfabric: shm, tcp, verbs, efa, whatever provider has reliable datagram endpoints.
 *
 * The code that calls libfabric is a plugin, libdsm-fabric.so, opened when a run asks for a fabric: libfabric
 * brings a dozen libraries and their constructors with it, which no program should carry that does not use
 * them. The plugin's one symbol is `dsm_fabric_api`.
 *
 * A node opens its endpoint and learns the endpoint's address; all addresses are gathered and handed out by
 * whoever starts the run; then every node connects. Fabrics neither authenticate nor encrypt: the run's key
 * keeps other runs and strays out, not somebody who listens. They are for isolated networks.
 */
#ifndef DSM_TRANSPORT_FABRIC_H
#define DSM_TRANSPORT_FABRIC_H

#include <stddef.h>
#include <stdint.h>

#include "dsmcore/transport/fabric_address.h"

#define FABRIC_PLUGIN  "libdsm-fabric.so"
#define FABRIC_SYMBOL  "dsm_fabric_api"
#define FABRIC_VERSION 1u

struct fabric;
struct links; /* stream.h */

struct fabric_config {
	const char *provider; /* libfabric's name */
	uint16_t node, nodes;
	uint32_t generation;
	const char *source; /* IP address where the others reach this node; NULL, or a provider without: its
			       choice */
	unsigned silence_s; /* a peer on another host from which nothing came for so long is dead; 0: never */
};

struct fabric_api {
	uint32_t version; /* FABRIC_VERSION */
	/* Is there such a provider, usable for us? As open(), but opens nothing. */
	int (*check)(const char *provider, char *why, size_t why_size);
	/* Opens this node's endpoint and tells its address. Errors: -ENODATA (no such provider here) or
	 * another negative errno, with a message in `why` that names the provider and what to do. All memory
	 * that libfabric allocates later, in the streams' calls too, must outlive a transaction's abort. */
	int (*open)(struct fabric **out, const struct fabric_config *config, struct fabric_address *mine,
		    char *why, size_t why_size);
	/* Joins all nodes: of[nodes] are their addresses, `key` is a secret of this run. Returns when every
	 * peer has answered, or -ETIMEDOUT. On success the streams and their engine are in `links`, an empty
	 * table (links__alloc()); the engine's close() closes the fabric. On failure the fabric is still
	 * open, and `why` says which node failed.
	 */
	int (*connect)(struct fabric *f, const struct fabric_address *of, uint64_t key, int seconds,
		       struct links *links, char *why, size_t why_size);
	/* Of a fabric that was not connected. */
	void (*close)(struct fabric *f);
	/* The providers that would do here, "shm tcp ..."; and libfabric's version as "1.17". */
	void (*list)(char *providers, size_t size, char version[16]);
};

/* Opens the plugin: it lies beside libdsm.so, or beside the program that was linked without that. Once a
 * process. NULL: `why` says what is missing and what to do. */
const struct fabric_api *fabric__load(char *why, size_t why_size);

#endif
