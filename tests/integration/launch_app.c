// SPDX-License-Identifier: BSD-2-Clause
/*
 * launch_app.c - a program whose nodes end in all the ways in which programs end, for tests of launchers.
 *
 *	launch_app MODE [NUMBER]
 *
 * The last node does what the mode says; the others wait for it at a barrier, if not said otherwise.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dsm.h"

static int is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* What all nodes count together, page by page. */
static int sum(int rounds)
{
	unsigned nodes = (unsigned)dsm_nodes();
	long total = 0, *all;

	if (dsm_node() == 0)
		dsm_root_set("counts", dsm_new(long, 8192));
	dsm_barrier();
	all = dsm_root("counts");
	for (int round = 0; round < rounds; round++)
		for (unsigned i = 0; i < 8192; i += 512)
			DSM_TX {
				all[i] += dsm_node() + 1;
			}
	dsm_barrier();
	DSM_TX {
		total = 0;
		for (unsigned i = 0; i < 8192; i += 512)
			total += all[i];
	}
	dsm_barrier();
	printf("node %d of %d: %ld\n", dsm_node(), dsm_nodes(), total);
	return total == 16l * rounds * nodes * (nodes + 1) / 2 ? 0 : 1;
}

/* Where things lie, and how others see this process. */
static int show(void)
{
	char name[32] = "";
	FILE *f = fopen("/proc/self/comm", "r");

	if (!f || !fgets(name, sizeof(name), f))
		return 1;
	fclose(f);
	name[strcspn(name, "\n")] = 0;
	printf("%s main %p libc %p\n", name, (void *)show, (void *)printf);
	return 0;
}

/* A program that waits for its children waits for no others. */
static int wait_for_children(void)
{
	if (fork() == 0)
		_exit(0);
	while (wait(NULL) > 0)
		;
	return 0;
}

static volatile long work = 1;

/* No call, in a line of its own. */
static __attribute__((noinline)) void compute(void)
{
	while ((work = 1 + work % 9)) { /* computes */
	}
}

static void fail(int sig)
{
	(void)sig;
	_exit(7);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	int number = argc > 2 ? atoi(argv[2]) : 0, last = dsm_node() == dsm_nodes() - 1;

	if (is(mode, "sum"))
		return sum(number ? number : 50);
	if (is(mode, "show"))
		return show();
	if (is(mode, "children"))
		return wait_for_children();
	if (is(mode, "say")) {
		fprintf(stderr, "to stderr %d\n", dsm_node());
		printf("to stdout %d\n", dsm_node());
		return 0;
	}
	signal(SIGUSR1, fail);
	dsm_barrier();
	if (is(mode, "return")) /* the others too, but a little later */
		return last ? number : (usleep(300000), 0);
	if (is(mode, "stuck") && !last)
		for (;;)
			pause();
	if (is(mode, "stuck"))
		return number;
	if (is(mode, "leave") && last)
		_exit(number);
	if (is(mode, "raise") && last)
		raise(number);
	if (is(mode, "sleep"))
		sleep((unsigned)number); /* sleeps */
	if (is(mode, "compute") && last)
		compute();
	dsm_barrier(); /* meets */
	return 0;
}
