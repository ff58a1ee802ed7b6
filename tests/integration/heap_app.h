/* SPDX-License-Identifier: BSD-2-Clause */
/* heap_app.h - what the scenarios of heap_app share. */
#ifndef TESTS_INTEGRATION_HEAP_APP_H
#define TESTS_INTEGRATION_HEAP_APP_H

#include <stdio.h>
#include <stdlib.h>

#include <dsm.h>

struct item {
	struct item *next;
	long node, number;
	long zero[3];
};

struct list {
	struct item *head;
	long count;
};

#define CHECK(condition)                                                                                     \
	do {                                                                                                 \
		if (!(condition)) {                                                                          \
			fprintf(stderr, "%s:%d: node %d: %s\n", __FILE__, __LINE__, dsm_node(), #condition); \
			exit(1);                                                                             \
		}                                                                                            \
	} while (0)

extern void *volatile sink;
extern long attempts;

/* The list of all nodes, made by node 0; every node calls it. */
struct list *shared_list(void);

/* Scenarios of heap_app_malloc.c. */
void mallocs(void);
void contended_mallocs(void);
void defers(void);

#endif
