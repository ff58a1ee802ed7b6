/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loss MODE FOLDER: nodes for node_loss.sh, which kills one of them. Each node has a page of its own.
 *	page	everybody goes on reading everybody's page
 *	barrier everybody goes on meeting at barriers
 *	loops	everybody goes on writing words of its own in everybody's page, in loops that are not undone
 *	late	when FOLDER/stop is there node 0 comes to a barrier, and some time later node 1 reads its page; then it
 *		makes FOLDER/done-1
 *	apart	everybody goes on with its own page, until FOLDER/stop is there; then it makes
 *		FOLDER/done-NODE
 */
#include <dsm.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NODES 8

static long *page[NODES];
static volatile long seen;

static void share_pages(void)
{
	char name[16];

	snprintf(name, sizeof(name), "page-%d", dsm_node());
	dsm_root_set(name, dsm_new_flat(long, DSM_PAGE_SIZE / sizeof(long)));
	dsm_barrier();
	for (int i = 0; i < dsm_nodes() && i < NODES; i++) {
		snprintf(name, sizeof(name), "page-%d", i);
		page[i] = dsm_root(name);
	}
	dsm_barrier();
}

static void meet(void)
{
	for (;;) {
		DSM_TX {
			page[dsm_node()][0]++;
		}
		dsm_barrier();
	}
}

static void loops(void)
{
	for (;;)
		DSM_TX_FOR_INDEPENDENT(i, 0, (long)DSM_PAGE_SIZE / 8 / NODES)
			for (int n = 0; n < dsm_nodes(); n++)
				page[n][i * NODES + dsm_node()]++;
}

static void stay_apart(const char *folder, bool look)
{
	char stop[4096], done[4096];

	snprintf(stop, sizeof(stop), "%s/stop", folder);
	snprintf(done, sizeof(done), "%s/done-%d", folder, dsm_node());
	while (access(stop, F_OK))
		for (int i = 0; i < 1000; i++)
			DSM_TX {
				page[dsm_node()][i % 8]++;
			}
	if (look)
		DSM_TX {
			seen = page[2][0];
		}
	close(open(done, O_CREAT | O_WRONLY, 0666));
}

static void come_late(const char *folder)
{
	char stop[4096], done[4096];

	snprintf(stop, sizeof(stop), "%s/stop", folder);
	snprintf(done, sizeof(done), "%s/done-1", folder);
	while (access(stop, F_OK))
		usleep(1000);
	if (dsm_node() == 0)
		dsm_barrier();
	if (dsm_node() == 1) {
		sleep(2);
		DSM_TX {
			seen = page[0][1];
		}
		close(open(done, O_CREAT | O_WRONLY, 0666));
	}
	for (;;) /* who has ended comes to no barrier: that would end node 0 */
		pause();
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "loss: MODE FOLDER\n");
		return 2;
	}
	share_pages();
	if (!strcmp(argv[1], "barrier"))
		meet();
	else if (!strcmp(argv[1], "late"))
		come_late(argv[2]);
	else if (!strcmp(argv[1], "loops"))
		loops();
	else
		stay_apart(argv[2], !strcmp(argv[1], "page"));
	return 0;
}
