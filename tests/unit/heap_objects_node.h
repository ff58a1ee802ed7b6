/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heap_objects_node.h - a made-up node around dsm_new() and its like: one mutator, transactions that the test commits
 * or aborts at will, and lists of what was emitted and sent.
 */
#ifndef TESTS_UNIT_HEAP_OBJECTS_NODE_H
#define TESTS_UNIT_HEAP_OBJECTS_NODE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "dsm_events.h"

#define NODES 4
#define PAGES 1024u /* of the default model; each of the others has a sixth */
#define ZONE  (PAGES / NODES)
#define SLAB  ((ZONE + (ZONE + 5) / 6 * 2) * 4096ull)

extern struct made_up {
	struct dsm_shm shm;
	struct {
		uint16_t type;
		union {
			struct dsm_ev_object object;
			struct dsm_ev_free free;
			struct dsm_ev_root root;
		};
	} emitted[10000];
	unsigned nemitted;
	struct {
		uint16_t to;
		uint32_t count;
		uint64_t offset[5000];
	} sent[16];
	unsigned nsent;
	char fatal[512];
	jmp_buf escape; /* node__fatal() and tx__unwind() end here */
	bool unwound, guarded_zeroing;
	unsigned begins, guards;
	uint32_t untouched[2];		  /* pages from ... to - 1 that nobody has touched */
	const void *chain[DSM_EV_FRAMES]; /* of calls, wherever one asks */
} made;

/* Node 1 of NODES, with this plan's file, NULL: none. */
void made__open(const char *plan);
/* For cmocka: without a plan. */
int made__setup(void **arg);
int made__teardown(void **arg);
void made__commit(void);
void made__abort(void);

#define DIES(call, says)                                                                                     \
	do {                                                                                                 \
		made.fatal[0] = 0;                                                                           \
		if (!setjmp(made.escape)) {                                                                  \
			call;                                                                                \
			fail_msg("%s passed", #call);                                                        \
		}                                                                                            \
		assert_non_null(strstr(made.fatal, says));                                                   \
		made.guards = 0;                                                                             \
	} while (0)

#endif
