// SPDX-License-Identifier: BSD-2-Clause
/*
 * hostile_node.c - a node that tells nonsense in batches: the same memory and probes as a node, and one thing that is wrong.
 *
 *   hostile_node WHAT RUN_ID NODE
 *
 * It describes itself by a sound batch (NODE and one BARRIER), and then does what is asked of it; WHAT is a name of the table at the end.
 * What it owes the collector after that is in the test: tests/integration/collector_hostile.sh.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "dsm_events.h"

#define STAP_SDT_ARG_CONSTRAINT nr
#define _SDT_HAS_SEMAPHORES	1
#define X(name, number, probe)                                                                               \
	__extension__ unsigned short dsm_##probe##_semaphore __attribute__((unused, section(".probes")));
X(, , node)
X(, , batch)
#undef X
#include <sys/sdt.h>

static struct dsm_shm *shm;
static int shm_fd;
static uint64_t seq;
static uint16_t node; /* that records name */
static uint64_t room[DSM_EV_BATCH / 4];
static char *const batch = (char *)room;
static size_t used;
static uint64_t entries;

static void pause_ms(unsigned ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

static void tell(const void *at, uint64_t bytes, uint64_t count)
{
	uint64_t none = 0, who = shm->node;

	DTRACE_PROBE5(dsm, batch, at, bytes, who, count, none);
}

/* Returns the record's header, to be spoiled. */
static struct dsm_ev_hdr *add(unsigned type, size_t size)
{
	struct dsm_ev_entry *entry = (void *)(batch + used);
	struct dsm_ev_hdr *r = (void *)(entry + 1);

	*entry = (struct dsm_ev_entry){DSM_EV_PAGE(4096, 12), 7};
	seq++;
	memset(r, 0, size);
	*r = (struct dsm_ev_hdr){.size = (uint16_t)size,
				 .type = (uint16_t)type,
				 .version = DSM_EV_VERSION,
				 .node = node,
				 .weight = 1,
				 .seq = seq,
				 .time_ns = 1000 + seq};
	used += sizeof(*entry) + size;
	entries++;
	return r;
}

static void add_barrier(void)
{
	add(DSM_EV_BARRIER, sizeof(struct dsm_ev_barrier));
}

static void flush(void)
{
	tell(batch, used, entries);
	used = entries = 0;
}

static void describe(void)
{
	struct dsm_ev_node *r = (void *)add(DSM_EV_NODE, sizeof(*r));

	r->pid = (uint32_t)getpid();
	r->nodes = shm->nodes;
	r->page_log2 = 12;
	r->consistency = DSM_EV_TX;
	r->run_id = shm->run_id;
	strcpy(r->program, "hostile");
	add_barrier();
	flush();
}

/* Leaves what was added in the node's memory, as if it were not told yet. */
static void leave(uint64_t bytes)
{
	memcpy(shm->batch, batch, used);
	__atomic_store_n(&shm->batch_bytes, bytes, __ATOMIC_RELEASE);
}

/* ---- what can be wrong ---- */

static void size_of(unsigned size)
{
	add_barrier();
	add(DSM_EV_BARRIER, sizeof(struct dsm_ev_barrier))->size = (uint16_t)size;
	add_barrier();
	flush();
}
static void size_0(void)
{
	size_of(0);
}
static void size_odd(void)
{
	size_of(44);
}
static void size_rest(void)
{
	size_of(4096);
}
static void size_max(void)
{
	size_of(65528);
}
static void few_entries(void)
{
	add_barrier();
	add_barrier();
	entries = 1;
	flush();
}
static void many_entries(void)
{
	add_barrier();
	entries = 100;
	flush();
}
static void too_many_entries(void)
{
	add_barrier();
	entries = 1u << 30;
	flush();
}
static void no_entries(void)
{
	add_barrier();
	entries = 0;
	flush();
}
static void huge(void)
{
	add_barrier();
	used = 1 << 20;
	flush();
}
static void tiny(void)
{
	tell(batch, 8, 1);
}
static void unmapped(void)
{
	tell((const void *)16, 64, 1);
}
/* The second half of the batch lies in a page that is not there. */
static void half_mapped(void)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t half;

	add_barrier();
	half = used;
	add_barrier();
	munmap(pages + 4096, 4096);
	memcpy(pages + 4096 - half, batch, half);
	tell(pages + 4096 - half, used, entries);
	used = entries = 0;
}
static void strangers_record(void)
{
	add_barrier();
	node++;
	add_barrier();
	node--;
	add_barrier();
	flush();
}
static void many_types(void)
{
	for (unsigned i = 0; i < 70; i++)
		add(40 + i, sizeof(struct dsm_ev_hdr));
	flush();
}
static void rest_sound(void)
{
	add_barrier();
	add_barrier();
	leave(used);
	raise(SIGKILL);
}
static void rest_huge(void)
{
	add_barrier();
	leave(1ull << 40);
	raise(SIGKILL);
}
static void rest_nonsense(void)
{
	add_barrier();
	add(DSM_EV_BARRIER, sizeof(struct dsm_ev_barrier))->size = 8;
	add_barrier();
	leave(used);
	raise(SIGKILL);
}
static void rest_longer(void)
{
	add_barrier();
	leave(used + 24);
	raise(SIGKILL);
}
static void rest_shrunk(void)
{
	add_barrier();
	leave(used);
	if (ftruncate(shm_fd, 0))
		exit(1);
	raise(SIGKILL);
}
static void rest_strangers(void)
{
	node++;
	add_barrier();
	node--;
	add_barrier();
	leave(used);
	raise(SIGKILL);
}
static void rest_backwards(void)
{
	seq = 0; /* told already, it says */
	add_barrier();
	leave(used);
	raise(SIGKILL);
}
static void flicker(void)
{
	add_barrier();
	if (fork() == 0) { /* the child is no node, but it can write there */
		for (uint64_t i = 0; i < 20000000; i++)
			__atomic_store_n(&shm->batch_bytes, i % 2 ? ~0ull : used, __ATOMIC_RELEASE);
		_exit(0);
	}
	leave(used);
	raise(SIGKILL);
}

static const struct {
	const char *name;
	void (*act)(void);
} things[] = {
#define X(name) {#name, name},
	X(size_0) X(size_odd) X(size_rest) X(size_max) X(few_entries) X(many_entries) X(too_many_entries)
		X(no_entries) X(huge) X(tiny) X(unmapped) X(half_mapped) X(strangers_record) X(many_types)
			X(rest_sound) X(rest_huge) X(rest_nonsense) X(rest_longer) X(rest_shrunk)
				X(rest_strangers) X(rest_backwards) X(flicker)
#undef X
};
#define THINGS (sizeof(things) / sizeof(things[0]))

static void open_shm(uint64_t run_id)
{
	shm_fd = memfd_create(DSM_SHM_NAME, MFD_CLOEXEC);
	if (shm_fd < 0 || ftruncate(shm_fd, sizeof(*shm) + 65536))
		exit(1);
	shm = mmap(NULL, sizeof(*shm) + 65536, PROT_READ | PROT_WRITE, MAP_SHARED, shm_fd, 0);
	if (shm == MAP_FAILED)
		exit(1);
	shm->version = DSM_SHM_VERSION;
	shm->pid = (uint32_t)getpid();
	shm->node = node;
	shm->nodes = 1;
	shm->ring_offset = sizeof(*shm);
	shm->ring_bytes = 65536;
	shm->run_id = run_id;
	shm->counters_bytes = sizeof(shm->counters);
	__atomic_store_n(&shm->magic, DSM_SHM_MAGIC, __ATOMIC_RELEASE);
}

int main(int argc, char **argv)
{
	size_t what = 0;

	while (argc == 4 && what < THINGS && strcmp(things[what].name, argv[1]))
		what++;
	if (argc != 4 || what == THINGS) {
		for (what = 0; what < THINGS; what++)
			puts(things[what].name);
		return 2;
	}
	node = (uint16_t)atoi(argv[3]);
	open_shm(strtoull(argv[2], NULL, 16));
	for (unsigned i = 0; i < 10000 && !*(volatile unsigned short *)&dsm_node_semaphore; i++)
		pause_ms(1);
	DTRACE_PROBE5(dsm, node, 0, 0, 0, 0, 0);
	describe();
	pause_ms(150); /* the collector finds this memory */
	things[what].act();
	pause_ms(50);
	raise(SIGKILL);
}
