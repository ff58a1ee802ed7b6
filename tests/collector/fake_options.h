/* SPDX-License-Identifier: BSD-2-Clause */
/* fake_options.h - what a fake node is told to do. */
#ifndef TESTS_COLLECTOR_FAKE_OPTIONS_H
#define TESTS_COLLECTOR_FAKE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

extern struct fake_options {
	unsigned node, nodes, records, pause_us, batch;
	uint64_t run_id, ring_bytes;
	double wait_s, linger_s;
	bool crash, shrink;
	bool crash_told; /* dies when its last batch has been told, before it is cleared */
	int claim;	 /* the node that its records name, if not its own; -1: its own */
	const char *log, *mark;
	const char *then; /* instead of an end: the process becomes a node of this run */
} opt;

/* Fills `opt` from the command line. -1: an option is not known, after a message. */
int options__parse(int argc, char **argv);

#endif
