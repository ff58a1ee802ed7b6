/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * promise: two nodes whose independent loops are none. Each writes numbers of its own and reads those that the other one writes
 * meanwhile. No result depends on what is read. report_independent.sh asks whether dsmreport names both lines.
 */
#include <stdio.h>

#include <dsm.h>

#define NUMBERS 64
#define ROUNDS	3000

struct numbers {
	long of[2][NUMBERS];
};

int main(void)
{
	int self = dsm_node() % 2;
	struct numbers *n;
	long sum = 0;

	if (dsm_node() == 0)
		dsm_root_set("numbers", dsm_new(struct numbers, 1));
	dsm_barrier();
	n = dsm_root("numbers");
	for (int round = 0; round < ROUNDS; round++) {
		DSM_TX_FOR_INDEPENDENT(i, 0, NUMBERS)
		{
			n->of[self][i] += i + 1;   /* the change */
			sum += n->of[1 - self][i]; /* what the promise forbids */
		}
	}
	dsm_barrier();
	if (sum < 0) /* so that it is read */
		printf("an odd sum\n");
	return 0;
}
