/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.h - the line between a node and its launcher.
 *
 * dsmrun starts each node with one end of a socket pair (environment DSM_CONTROL_FD) and sends the
 * run's options and connections over it. A node that mpirun or srun has started under PMIx has such a line
 * too, to a helper (pmix_helper.c). A program started without either is a cluster of one node.
 */
#ifndef DSM_LAUNCH_CONTROL_H
#define DSM_LAUNCH_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct run_options {
	uint16_t node, nodes;
	uint16_t local_nodes; /* on this node's host */
	uint32_t generation;
	uint64_t run_id;
	uint64_t heap_bytes; /* of the default model (objects_layout.h), a multiple of the page size */
	uint64_t ring_bytes; /* of a node's event ring, a power of two */
	uint8_t consistency; /* enum core_model, of what dsm_new() gives and of the blocks */
	bool strict;
	bool no_updates;     /* copies are always invalidated, whatever a page's history says */
	bool no_migration;   /* homes stay, likewise */
	bool no_independent; /* loops that promise to be are undone all the same */
	bool await_listener; /* start the program only when a collector has switched the ring on */
	uint32_t silence_s; /* a node on another host from which nothing came for so long is dead; 0: never */
	uint32_t microscope_permille; /* share of run time the microscope may take; 0 = off */
	char plan[4096];	      /* absolute path, "" = none */
	char history[4096];	      /* directory for history files, "" = none */
	char key_file[4096];	      /* for the launcher: absolute path, "" = it makes a key */
	char transport[16];	      /* "shm", "unix", "tcp" (that is TLS), "insecure-tcp" or "fabric" */
	char fabric[32];	      /* libfabric's name of the provider, "" = none */
	char listen[256];	      /* where TCP peers reach this node (address.h), "" = there are none */
};

struct control;
struct links;

/* Reads the environment; without a launcher fills in the defaults of a single node (heap size and the
 * like from DSM_* variables as documented in dsmrun(1)). links: streams to all other nodes, for
 * transport__open(); empty for one node. All inherited descriptors that are not ours are closed or
 * marked close-on-exec. Errors: negative errno after printing a message. */
int control__open(struct control **out, struct run_options *options, struct links *links);
/* Tells the launcher the address-independent place of an error, so that it prints file and line (it
 * has the debug information reader): "dsm: node 2: TEXT at FILE:LINE (function)". Async-signal-safe.
 * Without a launcher prints module+offset itself. path may be NULL (no place). */
void control__report(struct control *c, const char *text, const char *module_path, uint64_t file_offset);
/* Is this a job of mpirun or srun, in which dsm-pmix helps the node? Any thread. */
bool control__helped(const struct control *c);
/* Has control__leave() been called? */
bool control__leaves(const struct control *c);
/* Has the launcher asked what the program is waiting for? Each question is told once, and none after
 * control__leave(): then control__done() reads the line. The caller keeps the two apart by a lock. */
bool control__asked(struct control *c);
void control__leave(struct control *c);
/* This node's program has returned from main or called exit (status). Blocks until dsmrun says that
 * all nodes are done (or has died), so that this node goes on serving its pages; afterwards the end of
 * its connections is no failure. Returns at once without a launcher. Call once, not from a handler. */
void control__done(struct control *c, int status);
void control__close(struct control *c);

#endif
