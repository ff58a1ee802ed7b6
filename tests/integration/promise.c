/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * promise: two nodes whose independent loops are none. Each writes numbers of its own and reads those that the other one writes
 * meanwhile. No result depends on what is read. report_independent.sh asks whether dsmreport names both lines. For a second, so
 * that the nodes meet on a busy machine, too.
 */
#include <stdio.h>
#include <time.h>

#include <dsm.h>

#define NUMBERS 64
#define SECONDS 1

struct numbers {
	long of[2][NUMBERS];
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(void)
{
	int self = dsm_node() % 2;
	struct numbers *n;
	double end;
	long sum = 0;

	if (dsm_node() == 0)
		dsm_root_set("numbers", dsm_new(struct numbers, 1));
	dsm_barrier();
	n = dsm_root("numbers");
	end = now() + SECONDS;
	while (now() < end) {
		DSM_TX_FOR_INDEPENDENT(i, 0, NUMBERS) {
			n->of[self][i] += i + 1;   /* the change */
			sum += n->of[1 - self][i]; /* what the promise forbids */
		}
	}
	dsm_barrier();
	if (sum < 0) /* so that it is read */
		printf("an odd sum\n");
	return 0;
}
