/* SPDX-License-Identifier: BSD-2-Clause */
/* node.c - what the measurements share: samples, wires between the nodes, counters. */
#include "dsmcore/bench/node.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "dsm_events.h"

void node__fail(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "dsmbench: node %d: ", dsm_node());
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(BENCH_FAILED);
}

/* One node a core, as a machine of a cluster runs them. Left alone, the scheduler puts two mutators on one
 * core now and then, for as long as they wake one another there; then slices of 4 ms are measured. Other
 * threads of the runtime keep the cores that they had. */
static void bind_mutator(void)
{
	int core = floor__core((unsigned)dsm_node());

	if (core >= 0)
		floor__pin(core);
}

int node__start(const struct options *o)
{
	if (!o->unbound && dsm_nodes() > 1)
		bind_mutator();
	return o->command->node(o);
}

/* ---- samples ---- */

void taken__open(struct taken *t, size_t room)
{
	/* Written now, so that no sample pays for the memory. */
	*t = (struct taken){.ns = malloc((room + 1) * sizeof(*t->ns)), .room = room};
	if (!t->ns)
		node__fail("out of memory for %zu samples", room);
	memset(t->ns, 0, (room + 1) * sizeof(*t->ns));
}

void taken__add(struct taken *t, uint64_t ns)
{
	if (t->n < t->room)
		t->ns[t->n++] = ns;
}

void taken__print(const struct taken *t, const char *name, const char *owner)
{
	for (size_t i = 0; i < t->n; i++)
		printf("s %s %s %d %.3f\n", name, owner, dsm_nodes(), (double)t->ns[i] * 1e-3);
	fflush(stdout);
}

void taken__close(struct taken *t)
{
	free(t->ns);
	*t = (struct taken){0};
}

void node__value(const char *name, double number)
{
	printf("v %s %.6f\n", name, number);
	fflush(stdout);
}

void node__progress(double share)
{
	static uint64_t last;
	uint64_t now = floor__now();

	if (now - last < 100000000u)
		return;
	last = now;
	printf("p %.3f\n", share);
	fflush(stdout);
}

void node__pause(unsigned us)
{
	struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000l};

	if (us)
		nanosleep(&t, NULL);
}

/* Arithmetic that the compiler cannot leave out, and the clock. */
void node__compute(uint64_t ns)
{
	uint64_t until = floor__now() + ns;
	volatile double kept;
	double x = 1.0;

	do {
		for (int i = 0; i < 2000; i++)
			x = x * 1.0000001 + 1e-9;
		kept = x;
	} while (floor__now() < until);
	(void)kept;
}

/* ---- wires ---- */

static struct floor_address *share_addresses(const struct floor_address *own)
{
	size_t nodes = (size_t)dsm_nodes();
	struct floor_address *all = malloc(nodes * sizeof(*all)), *shared;

	if (!all)
		node__fail("out of memory");
	if (dsm_node() == 0)
		dsm_root_set("addresses", dsm_new_flat(struct floor_address, nodes));
	dsm_barrier();
	shared = dsm_root("addresses");
	DSM_TX {
		shared[dsm_node()] = *own;
	}
	dsm_barrier();
	dsm_peek(all, shared, nodes * sizeof(*all));
	return all;
}

/* The lower node of a pair calls the higher one, whose backlog takes it. */
static void connect_all(struct mesh *m, const struct floor_address *all, int listener)
{
	int self = dsm_node(), nodes = dsm_nodes();

	for (int i = self + 1; i < nodes; i++) {
		m->fds[i] = floor_wire__connect(&all[i], (unsigned)self);
		if (m->fds[i] < 0)
			node__fail("raw connection to node %d: %s", i, strerror(-m->fds[i]));
	}
	for (int i = 0; i < self; i++) {
		unsigned from = 0;
		int fd = floor_wire__accept(listener, &all[self], &from);

		if (fd < 0 || from >= (unsigned)self)
			node__fail("raw connection of another node: %s", strerror(fd < 0 ? -fd : EPROTO));
		m->fds[from] = fd;
	}
}

void mesh__open(struct mesh *m, const struct options *o)
{
	struct floor_address own = {0}, *all;
	int listener = floor_wire__listen(launch__over_tcp(o), &own);

	if (listener < 0)
		node__fail("raw socket: %s", strerror(-listener));
	*m = (struct mesh){.core = floor__core((unsigned)dsm_node()),
			   .fds = malloc((size_t)dsm_nodes() * sizeof(*m->fds))};
	if (!m->fds)
		node__fail("out of memory");
	memset(m->fds, -1, (size_t)dsm_nodes() * sizeof(*m->fds));
	own.core = m->core;
	all = share_addresses(&own);
	connect_all(m, all, listener);
	for (int i = 0; i < dsm_nodes(); i++)
		for (int k = 0; k < i; k++)
			m->crowded |= all[i].core == all[k].core;
	m->separate = dsm_nodes() > 1 && all[0].core != all[1].core;
	close(listener);
	free(all);
	dsm_barrier();
}

void mesh__close(struct mesh *m)
{
	dsm_barrier();
	for (int i = 0; i < dsm_nodes(); i++)
		if (m->fds[i] >= 0)
			close(m->fds[i]);
	free(m->fds);
	*m = (struct mesh){0};
}

/* ---- counters ---- */

/* The node's own memory, found as a collector finds it. */
static const struct dsm_shm *find_shm(void)
{
	const struct dsm_shm *shm = NULL;
	struct dirent *e;
	char target[128];
	DIR *d = opendir("/proc/self/fd");

	while (d && !shm && (e = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, target, sizeof(target) - 1);

		target[n < 0 ? 0 : n] = 0;
		if (strncmp(target, "/memfd:" DSM_SHM_NAME, strlen("/memfd:" DSM_SHM_NAME)) != 0)
			continue;
		shm = mmap(NULL, sizeof(*shm), PROT_READ, MAP_SHARED, atoi(e->d_name), 0);
		if (shm == MAP_FAILED || shm->magic != DSM_SHM_MAGIC)
			shm = NULL;
	}
	if (d)
		closedir(d);
	return shm;
}

void node__counters(struct dsm_counters *c)
{
	static const struct dsm_shm *shm;

	if (!shm)
		shm = find_shm();
	if (!shm)
		node__fail("this node's counters (%s) cannot be found", DSM_SHM_NAME);
	*c = shm->counters;
}
