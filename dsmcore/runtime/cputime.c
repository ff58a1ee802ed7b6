/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/runtime/cputime.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "dsmcore/runtime/node.h"

enum ended { NOT_YET, LOCAL, REMOTE, ABORTED };

static struct {
	clockid_t mutator;
	bool works, on;
	enum ended how;	    /* the attempt that is looked at */
	uint64_t looked_ns; /* when it began */
	uint64_t begin_ns;  /* of processor time */
} cpu;

static uint64_t read_clock(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t))
		return 0;
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void cputime__init(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	cpu.works = !pthread_getcpuclockid(pthread_self(), &cpu.mutator);
	__atomic_store_n(&node.shm->counters.cores, cores > 0 ? (uint64_t)cores : 0, __ATOMIC_RELAXED);
}

void cputime__publish(void)
{
	struct dsm_counters *c = &node.shm->counters;

	if (!cpu.works)
		return;
	__atomic_store_n(&c->cpu_ns, read_clock(CLOCK_PROCESS_CPUTIME_ID), __ATOMIC_RELAXED);
	__atomic_store_n(&c->cpu_mutator_ns, read_clock(cpu.mutator), __ATOMIC_RELAXED);
}

static void count(uint64_t ns)
{
	switch (cpu.how) {
	case NOT_YET:
		break;
	case LOCAL:
		COUNT(cpu_locals, 1);
		COUNT(cpu_local_ns, ns);
		break;
	case REMOTE:
		COUNT(cpu_remotes, 1);
		COUNT(cpu_remote_ns, ns);
		break;
	case ABORTED:
		COUNT(cpu_aborts, 1);
		COUNT(cpu_abort_ns, ns);
	}
}

void cputime__begin(uint64_t now_ns)
{
	bool look = cpu.works && now_ns - cpu.looked_ns >= CPUTIME_EVERY_NS;
	uint64_t now = look || cpu.on ? read_clock(cpu.mutator) : 0;

	if (cpu.on) {
		count(now - cpu.begin_ns);
		cputime__publish();
	}
	cpu.on = look;
	cpu.how = NOT_YET;
	if (!look)
		return;
	cpu.looked_ns = now_ns;
	cpu.begin_ns = now;
}

void cputime__committed(bool local, bool fetched)
{
	cpu.how = local && !fetched ? LOCAL : REMOTE;
}

void cputime__aborted(void)
{
	cpu.how = ABORTED;
}
