// SPDX-License-Identifier: BSD-2-Clause
/*
 * secret.c - node 0 writes words into shared memory that the others read: does somebody on the wire
 * read them?
 *
 *	secret [SECONDS]	afterwards it goes on for so long
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dsm.h"

static const char words[] = "these words are for the nodes of this run and for nobody else";

int main(int argc, char **argv)
{
	char *page, heard[sizeof(words)];

	if (dsm_node() == 0)
		dsm_root_set("page", dsm_new(char, 4096));
	dsm_barrier();
	page = dsm_root("page");
	for (int round = 0; round < 20; round++) {
		if (dsm_node() == round % dsm_nodes())
			DSM_TX {
				memcpy(page + 64 * round, words, sizeof(words));
			}
		dsm_barrier();
		DSM_TX {
			memcpy(heard, page + 64 * round, sizeof(words));
		}
		if (memcmp(heard, words, sizeof(words)) != 0) {
			printf("node %d heard something else\n", dsm_node());
			return 1;
		}
		dsm_barrier();
	}
	if (argc > 1)
		usleep((useconds_t)(atof(argv[1]) * 1e6));
	printf("node %d has heard it\n", dsm_node());
	return 0;
}
