/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loops MODE: loops that commit within themselves. Each mode checks its result; loops.sh counts the commits.
 *	every		a number of the program's own
 *	rows		each node walks over rows of its own again and again, for long enough to be opened in rows
 *	segv		the same, and the program wants SIGSEGV for itself half-way
 *	stray FILE	a loop that always ended at a barrier is followed by a long computation once: its node answers meanwhile
 *	doubt		a loop ends at a barrier each second time only: soon nobody is deaf behind it
 *	shapes		loops of all lengths, left and nested in all ways, each several times with a barrier behind it
 *	shared		all iterations of all nodes change one number, and some are left by break
 */
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <dsm.h>

#define ROW    1024 /* longs: two pages */
#define ROWS   800
#define ROUNDS 30

/* The sanitizers want SIGSEGV for themselves. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BY_MAPPING false
#else
#define BY_MAPPING true
#endif

static sigjmp_buf back;
static volatile int *volatile nowhere = (volatile int *)64; /* not NULL: the sanitizer would say so itself */

static void fail(const char *what)
{
	fprintf(stderr, "loops: node %d: %s\n", dsm_node(), what);
	exit(1);
}

static void on_segv(int sig)
{
	(void)sig;
	siglongjmp(back, 1);
}

static void take_segv(void)
{
	struct sigaction sa = {.sa_handler = on_segv, .sa_flags = SA_NODEFER};

	sigaction(SIGSEGV, &sa, NULL);
	if (!sigsetjmp(back, 1)) {
		*nowhere = 1;
		fail("no SIGSEGV");
	}
}

/* Closed pages of a loop's rows are readable by their mapping, all others by entries of userfaultfd. */
static bool closed_by_mapping(const void *at)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512], perms[8] = "";
	unsigned long from, to;
	bool found = false;

	while (maps && !found && fgets(line, sizeof(line), maps))
		found = sscanf(line, "%lx-%lx %7s", &from, &to, perms) == 3 && (unsigned long)at >= from &&
			(unsigned long)at < to;
	if (maps)
		fclose(maps);
	return found && perms[1] == '-';
}

static void every(void)
{
	long *sum = dsm_new(long, 1), got;

	DSM_TX_FOR_EVERY(i, 0, 1000, 10)
		*sum += i;
	dsm_peek(&got, sum, sizeof(got));
	if (got != 499500)
		fail("wrong sum");
}

static void rows(bool segv)
{
	long *m = dsm_new_flat(long, (size_t)ROWS *ROW), got;

	for (int round = 0; round < ROUNDS; round++) {
		if (segv && round == ROUNDS / 2)
			take_segv();
		DSM_TX_FOR(i, 0, ROWS)
			for (long k = 0; k < ROW; k++)
				m[i * ROW + k] += i + k;
	}
	if (closed_by_mapping(&m[ROWS / 2 * ROW]) != (BY_MAPPING && !segv))
		fail(segv ? "a handler of the program's for SIGSEGV, and rights by mapping"
			  : "rows without rights by mapping");
	for (long i = 0; i < ROWS; i++)
		for (long k = 0; k < ROW; k += 37) {
			dsm_peek(&got, &m[i * ROW + k], sizeof(got));
			if (got != ROUNDS * (i + k))
				fail("wrong number in a row");
		}
}

/* One place: what the runtime knows of a loop it knows by that. */
__attribute__((noinline)) static void walk(long *mine)
{
	DSM_TX_FOR_INDEPENDENT(i, 0, ROW)
		for (int k = 0; k < 2000; k++) {
			__asm__ volatile("" : "+r"(k)); /* takes its time */
			mine[i] += k == 7;
		}
}

/* Does the mutator keep the receiving? Then the service thread's set wants no events of the set of all streams. */
static bool deaf(void)
{
	char path[64], line[256];
	unsigned tfd, events;
	bool found = false;

	for (int fd = 0; fd < 256 && !found; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
		FILE *f = fopen(path, "re");

		while (f && !found && fgets(line, sizeof(line), f))
			found = sscanf(line, "tfd: %u events: %x", &tfd, &events) == 2 && !(events & EPOLLIN);
		if (f)
			fclose(f);
	}
	return found;
}

/* The guess near a barrier costs the other nodes some ten milliseconds when it is wrong: so not for ever. (What is kept for
 * other reasons has a timer, and is over after a millisecond.) */
static void doubt(void)
{
	long *mine = dsm_new_flat(long, ROW);
	int wrong = 0;

	dsm_barrier();
	for (int round = 0; round < 40; round++) {
		walk(mine);
		dsm_barrier();
		walk(mine);
		usleep(5000);
		wrong += deaf();
		dsm_barrier();
	}
	if (wrong > 10)
		fail("deaf behind each second loop");
}

/* What has run how often, written by the loop itself. */
#define CELLS 4096
static long *cell;
static long base;

static long inner_sum(void)
{
	long sum = 0;

	DSM_TX_FOR_INDEPENDENT(k, 0, 40)
		sum += ++cell[k];
	return sum;
}

static void plainly(long from, long to)
{
	DSM_TX_FOR_INDEPENDENT(i, from, to)
		cell[i - base]++;
}

static void by_break(long from, long to)
{
	DSM_TX_FOR_INDEPENDENT(i, from, to) {
		if (i == to - 3)
			break;
		if (i % 5 == 0)
			continue;
		cell[i - base]++;
	}
}

static long by_return(long from, long to)
{
	DSM_TX_FOR_INDEPENDENT(i, from, to) {
		cell[i - base]++;
		if (i == to - 3)
			return i;
	}
	return to;
}

static void by_goto(long from, long to)
{
	DSM_TX_FOR_INDEPENDENT(i, from, to) {
		cell[i - base]++;
		if (i == to - 3)
			goto out;
	}
out:
	if (dsm_in_tx())
		fail("goto has not left the block");
}

/* Its body moves the variable, as that of a plain loop may. */
static void by_strides(long from, long to)
{
	DSM_TX_FOR_INDEPENDENT(i, from, to) {
		cell[i - base]++;
		i += 2;
	}
}

static void by_strides_undoable(long from, long to)
{
	DSM_TX_FOR(i, from, to) {
		cell[i - base]++;
		i += 2;
	}
}

static void nested(long from, long to)
{
	DSM_TX_FOR_INDEPENDENT(i, from, to) {
		DSM_TX_FOR(k, 0, 3)
			cell[i - base]++;
		DSM_TX_FOR_INDEPENDENT(k, 0, 17)
			cell[i - base]++;
		cell[i - base] -= 19;
	}
}

static void in_block(long from, long to)
{
	DSM_TX
		DSM_TX_FOR_INDEPENDENT(i, from, to)
			cell[i - base]++;
}

static void count(void *arg)
{
	++**(long **)arg;
}

/* Calls of dsm.h, none of which another node notices. */
static void with_calls(long from, long to)
{
	long deferred = 0, *at = &deferred, seen;

	DSM_TX_FOR_INDEPENDENT(i, from, to) {
		long *other = dsm_new(long, 2);

		cell[i - base]++;
		dsm_peek(&seen, &cell[i - base], sizeof(seen));
		if (seen != cell[i - base])
			fail("dsm_peek() does not see the loop's own");
		dsm_defer(count, &at, sizeof(at));
		dsm_progress(1);
		if (i == from)
			dsm_irrevocable();
		dsm_free(other);
	}
	if (deferred != (to > from ? to - from : 0))
		fail("dsm_defer() has not run once an iteration");
}

enum shape { ALL, NO_FIFTH, UP_TO_THIRD_LAST, THIRDS };

static long expected(enum shape shape, long i, long from, long to)
{
	bool before = i < to - 3, third_last = to - 3 >= from;

	if (i < from || i >= to)
		return 0;
	if (shape == NO_FIFTH)
		return (!third_last || before) && i % 5;
	if (shape == UP_TO_THIRD_LAST)
		return !third_last || i <= to - 3;
	return shape == ALL || (i - from) % 3 == 0;
}

static void by_return_too(long from, long to)
{
	if (by_return(from, to) != (to - 3 >= from ? to - 3 : to))
		fail("return gives another number");
}

static void shape_once(void (*run)(long, long), enum shape shape, const char *name, long from, long to)
{
	base = from;
	for (int round = 1; round <= 4; round++) {
		run(from, to);
		dsm_barrier();
		for (long k = 0; k < CELLS && (to <= from || k <= to - from); k++) {
			long got;

			dsm_peek(&got, &cell[k], sizeof(got));
			if (got !=
			    (to > from && k < to - from ? round * expected(shape, from + k, from, to) : 0)) {
				fprintf(stderr, "loops: %s %ld ... %ld, round %d, %ld: %ld times\n", name,
					from, to, round, k, got);
				fail("wrong number of iterations");
			}
		}
	}
	DSM_TX
		memset(cell, 0, CELLS * sizeof(*cell));
}

static void shapes(void)
{
	static const struct {
		void (*run)(long, long);
		enum shape shape;
		const char *name;
	} all[] = {
		{plainly, ALL, "plainly"},
		{by_break, NO_FIFTH, "break"},
		{by_return_too, UP_TO_THIRD_LAST, "return"},
		{by_goto, UP_TO_THIRD_LAST, "goto"},
		{by_strides, THIRDS, "strides"},
		{by_strides_undoable, THIRDS, "strides, undoable"},
		{nested, ALL, "nested"},
		{in_block, ALL, "in a block"},
		{with_calls, ALL, "calls"},
	};
	static const long length[] = {-5, 0, 1, 2, 15, 16, 17, 33, 100, 1000};

	cell = dsm_new_flat(long, CELLS);
	for (size_t s = 0; s < sizeof(all) / sizeof(*all); s++)
		for (size_t n = 0; n < sizeof(length) / sizeof(*length); n++) {
			shape_once(all[s].run, all[s].shape, all[s].name, 0, length[n]);
			if (length[n] < 0)
				continue;
			shape_once(all[s].run, all[s].shape, all[s].name, LONG_MAX - 2 - length[n],
				   LONG_MAX - 2);
			shape_once(all[s].run, all[s].shape, all[s].name, LONG_MIN + 3,
				   LONG_MIN + 3 + length[n]);
		}
	if (inner_sum() != 40)
		fail("wrong sum of one loop in a function");
}

static void shared(void)
{
	long *sum, got, mine = 0;

	if (dsm_node() == 0)
		dsm_root_set("sum", dsm_new(long, 1));
	dsm_barrier();
	sum = dsm_root("sum");
	for (int round = 0; round < 200; round++) {
		DSM_TX_FOR(i, 0, 100) {
			if (round % 10 == 9 && i == 50)
				break;
			++*sum;
		}
		mine += round % 10 == 9 ? 50 : 100;
	}
	dsm_barrier();
	dsm_peek(&got, sum, sizeof(got));
	if (got != mine * dsm_nodes())
		fail("wrong sum");
	dsm_barrier();
}

/* The node that computes without a call of dsm.h goes on when the other one has got a page from it. */
static void stray(const char *file)
{
	long *mine = dsm_new_flat(long, ROW), *other, found = -1;
	int lock = 0;

	DSM_TX_FOR_INDEPENDENT(i, 0, ROW)
		mine[i] = 0;
	dsm_root_set(dsm_node() ? "one" : "zero", mine);
	dsm_barrier();
	other = dsm_root(dsm_node() ? "zero" : "one");
	for (int k = 0; k < 20; k++) {
		walk(mine);
		dsm_barrier();
	}
	walk(mine);
	if (dsm_node() == 0) {
		while (access(file, F_OK))
			for (int i = 0; i < 1000000; i++)
				__asm__ volatile("" : "+r"(lock));
	} else {
		DSM_TX_READ_ON(other)
			found = other[ROW / 2];
		FILE *f = fopen(file, "w");

		if (!f || fclose(f))
			fail("cannot write the file");
	}
	dsm_barrier();
	if (dsm_node() && found != 20 && found != 21)
		fail("the other node's number is wrong");
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	if (!strcmp(mode, "every"))
		every();
	else if (!strcmp(mode, "rows") || !strcmp(mode, "segv"))
		rows(mode[0] == 's');
	else if (!strcmp(mode, "stray") && argc > 2)
		stray(argv[2]);
	else if (!strcmp(mode, "doubt"))
		doubt();
	else if (!strcmp(mode, "shapes"))
		shapes();
	else if (!strcmp(mode, "shared"))
		shared();
	else
		fail("which mode?");
	dsm_barrier();
	return 0;
}
