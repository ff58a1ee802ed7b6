// SPDX-License-Identifier: BSD-2-Clause
/*
 * secret.c - node 0 writes words into shared memory that the others read: does somebody on the wire
 * read them?
 *
 *	secret [NAME]	afterwards each node makes a file NAME.<node> and goes on until there is NAME.end,
 *			for two minutes at most
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dsm.h"

static const char words[] = "these words are for the nodes of this run and for nobody else";

static void hold(const char *name)
{
	char path[4096];
	FILE *mine;

	snprintf(path, sizeof(path), "%s.%d", name, dsm_node());
	mine = fopen(path, "w");
	if (!mine || fclose(mine))
		perror(path);
	snprintf(path, sizeof(path), "%s.end", name);
	for (int tries = 0; access(path, F_OK) && tries < 2400; tries++)
		usleep(50000);
}

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
		hold(argv[1]);
	printf("node %d has heard it\n", dsm_node());
	return 0;
}
