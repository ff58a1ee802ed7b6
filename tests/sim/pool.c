/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pool.c - many seeds on all cores.
 *
 * The workers are processes: the simulator has global state (the active mutant, the counts of coverage), and
 * a seed that crashes must be named, not end the run. They share one piece of memory: the next seed to run,
 * the first failures, and a place for each worker's sums, which it fills when there are no seeds left.
 */
#include "tests/sim/pool.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHUNK	 4u /* seeds that a worker takes at a time */
#define LOOK_MS	 100
#define BAR	 30
#define JOBS_MAX 256u

struct failure {
	_Atomic bool ready;
	uint64_t seed;
	struct pool_failure what;
};

struct worker {
	_Atomic uint64_t seed; /* that it runs */
	pid_t pid;
	struct totals totals;
};

struct shared {
	_Atomic uint64_t next, done;
	_Atomic uint32_t failed;
	struct failure failure[POOL_SHOWN];
};

struct pool {
	const struct pool_options *o;
	struct shared *shared;
	struct worker *worker;
	uint64_t *cover; /* by worker: all cells */
	size_t cells, bytes;
	uint32_t jobs, shown, crashed;
};

/* ---- a worker ---- */

static void report(struct shared *s, const struct world *w)
{
	uint32_t i = s->failed++;
	struct failure *f = &s->failure[i];

	if (i >= POOL_SHOWN)
		return;
	f->seed = w->seed;
	f->what.world = w->profile.world;
	f->what.nodes = w->profile.nodes;
	f->what.pages = w->profile.pages;
	f->what.kind = w->kind;
	snprintf(f->what.profile, sizeof(f->what.profile), "%s", w->profile.name);
	memcpy(f->what.text, w->failure, sizeof(f->what.text));
	f->ready = true;
}

static void work(struct pool *p, uint32_t index)
{
	struct shared *s = p->shared;
	struct worker *me = &p->worker[index];
	struct run run = p->o->run;
	uint64_t seed, end;
	struct world w;
	unsigned kind;

	while ((seed = s->next) <= p->o->last && s->failed < POOL_SHOWN) {
		if (!atomic_compare_exchange_strong(&s->next, &seed, seed + CHUNK))
			continue;
		end = p->o->last - seed < CHUNK ? p->o->last + 1 : seed + CHUNK;
		for (; seed < end; seed++) {
			me->seed = run.seed = seed;
			for (kind = 0; kind < WORLDS; kind++) {
				run.world = (enum world_kind)kind;
				if ((p->o->kinds & 1u << kind) && !world__run(&w, &run, &me->totals))
					report(s, &w);
			}
			s->done++;
		}
	}
	cover__save(p->cover + index * p->cells);
}

static int start(struct pool *p, uint32_t index)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent) /* it has died before that */
			_exit(1);
		work(p, index);
		fflush(stdout);
		_exit(0);
	}
	p->worker[index].pid = pid;
	return 0;
}

/* ---- the one who looks on ---- */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void show_progress(const struct pool *p, double begin)
{
	uint64_t all = p->o->last - p->o->first + 1, done = p->shared->done;
	uint32_t filled = (uint32_t)(done * BAR / all), i;
	double gone = seconds() - begin, left = done ? gone * (double)(all - done) / (double)done : 0;

	fprintf(stderr, "\r  [");
	for (i = 0; i < BAR; i++)
		fputc(i < filled ? '#' : '.', stderr);
	fprintf(stderr, "] %" PRIu64 "/%" PRIu64 " seeds, %u failed, %d:%02d left ", done, all,
		p->shared->failed, (int)left / 60, (int)left % 60);
}

static void show_failures(struct pool *p)
{
	while (p->shown < POOL_SHOWN && p->shared->failure[p->shown].ready) {
		const struct failure *f = &p->shared->failure[p->shown++];
		if (p->o->progress)
			fprintf(stderr, "\r\033[K");
		p->o->failed(p->o, f->seed, &f->what);
		fflush(stdout);
	}
}

static uint32_t index_of(const struct pool *p, pid_t pid)
{
	uint32_t i = 0;

	while (i < p->jobs && p->worker[i].pid != pid)
		i++;
	return i;
}

/* Returns how many workers have ended. */
static uint32_t reap(struct pool *p)
{
	struct pool_failure what = {.crashed = true};
	uint32_t ended = 0, i;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		i = index_of(p, pid);
		if (i == p->jobs)
			continue;
		ended++;
		if (WIFEXITED(status) && !WEXITSTATUS(status))
			continue;
		p->crashed++;
		if (WIFSIGNALED(status))
			snprintf(what.text, sizeof(what.text), "the simulator was ended by signal %d (%s)",
				 WTERMSIG(status), strsignal(WTERMSIG(status)));
		else
			snprintf(what.text, sizeof(what.text), "the simulator ended with status %d",
				 WEXITSTATUS(status));
		p->o->failed(p->o, p->worker[i].seed, &what);
	}
	return ended;
}

static void look_on(struct pool *p)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000};
	double begin = seconds();
	uint32_t ended = 0;

	while (ended < p->jobs) {
		ended += reap(p);
		show_failures(p);
		if (p->o->progress)
			show_progress(p, begin);
		if (ended < p->jobs)
			nanosleep(&pause, NULL);
	}
	if (p->o->progress)
		fprintf(stderr, "\r\033[K");
	show_failures(p);
}

static void add_totals(struct totals *to, const struct totals *from)
{
	uint64_t *sum = (uint64_t *)to;
	const uint64_t *more = (const uint64_t *)from;
	size_t i;

	_Static_assert(offsetof(struct totals, most_aborts) % sizeof(*sum) == 0, "the sums come first");
	for (i = 0; i < offsetof(struct totals, most_aborts) / sizeof(*sum); i++)
		sum[i] += more[i];
	if (from->most_aborts > to->most_aborts)
		to->most_aborts = from->most_aborts;
	if (from->longest > to->longest)
		to->longest = from->longest;
}

static void gather(struct pool *p, struct totals *totals)
{
	uint32_t i;

	for (i = 0; i < p->jobs; i++) {
		add_totals(totals, &p->worker[i].totals);
		cover__add(p->cover + i * p->cells);
	}
}

static int open_pool(struct pool *p)
{
	size_t workers = p->jobs * sizeof(struct worker), cover;
	char *at;

	p->cells = cover__cells();
	cover = p->jobs * p->cells * sizeof(uint64_t);
	p->bytes = sizeof(struct shared) + workers + cover;
	at = mmap(NULL, p->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		return -ENOMEM;
	p->shared = (struct shared *)at;
	p->worker = (struct worker *)(at + sizeof(struct shared));
	p->cover = (uint64_t *)(at + sizeof(struct shared) + workers);
	p->shared->next = p->o->first;
	return 0;
}

uint32_t pool__cores(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > (long)JOBS_MAX ? JOBS_MAX : (uint32_t)n;
}

int pool__run(const struct pool_options *o, struct totals *totals)
{
	struct pool p = {.o = o, .jobs = o->jobs};
	uint64_t chunks = (o->last - o->first) / CHUNK + 1;
	uint32_t i, failed;
	int rc;

	if (p.jobs > chunks)
		p.jobs = (uint32_t)chunks;
	rc = open_pool(&p);
	if (rc)
		return rc;
	fflush(stdout);
	if (p.jobs == 1)
		work(&p, 0);
	for (i = 0; p.jobs > 1 && i < p.jobs && !rc; i++)
		rc = start(&p, i);
	if (rc)
		p.jobs = i - 1; /* those that run have no more to do than all would have had */
	if (p.jobs > 1 || rc)
		look_on(&p);
	else
		show_failures(&p);
	gather(&p, totals);
	failed = p.shared->failed + p.crashed;
	munmap(p.shared, p.bytes);
	return rc && !p.jobs ? rc : (int)failed;
}
