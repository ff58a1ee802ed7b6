// SPDX-License-Identifier: BSD-2-Clause
/*
 * split.c - false sharing between the two halves of a cluster: nodes of the first half write `west`, those of the
 * second `east`, which lie in one page. What all of them write is `both`.
 *
 *	split SECONDS
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "dsm.h"

struct border {
	long west[4];
	long east[4];
	char apart[8192];
	long both;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static volatile double sink;

static void compute(void)
{
	for (int i = 1; i < 2000; i++)
		sink += 1.0 / i;
}

int main(int argc, char **argv)
{
	double end = now() + (argc > 1 ? atof(argv[1]) : 1);
	struct border *b;
	int node = dsm_node(), first = node < dsm_nodes() / 2;
	long done = 0, both = 0;

	if (node == 0)
		dsm_root_set("border", dsm_new(struct border, 1));
	dsm_barrier();
	b = dsm_root("border");
	for (; now() < end; done++) {
		if (first) {
			DSM_TX {
				b->west[node % 4]++; /* WEST */
				compute();
			}
		} else {
			DSM_TX {
				b->east[node % 4]++; /* EAST */
				compute();
			}
		}
		if (done % 16 == 0)
			DSM_TX {
				b->both++;
				compute();
			}
		dsm_progress(1);
	}
	dsm_barrier();
	DSM_TX {
		both = b->both;
	}
	printf("node %d: %ld rounds, both %ld\n", node, done, both);
	return 0;
}
