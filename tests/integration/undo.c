/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * undo MODE ROUNDS: nodes that fight over one page, with something delicate live in each attempt. Each mode
 * checks that what an abort must undo is undone, and that nothing else breaks.
 */
#include <alloca.h>
#include <immintrin.h>
#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <dsm.h>

#define TEXT 200
#define KEYS 64

struct shared {
	long counter;
	char text[TEXT + 1];
	int weight[KEYS];
	double numbers[KEYS];
};

/* On another page, always written together with shared->text. */
struct mirror {
	char text[TEXT + 1];
	char rest[8000];
};

static struct shared *shared;
static struct mirror *mirror;
static long attempts; /* not undone: counts the aborted ones too */
static FILE *sink;

static void fail(const char *what)
{
	fprintf(stderr, "undo: node %d: %s\n", dsm_node(), what);
	exit(1);
}

/* Something to change under the others' feet. Now and then the attempt stays open for a while with the page
 * written, or a node that owns it would be done with all its rounds before another gets a turn. */
static void churn(long round)
{
	static long calls;

	shared->counter++;
	memset(shared->text, 'a' + (int)(round % 26), TEXT);
	memset(mirror->text, 'a' + (int)(round % 26), TEXT);
	for (int i = 0; i < KEYS; i++)
		shared->weight[i] = (int)((i * 7919 + round) % 1000);
	if (++calls % 16 == 0)
		usleep(200);
}

static double spin(double x, int n)
{
	for (int i = 0; i < n; i++)
		x = x * 1.0000001 + 0.5;
	return x;
}

/* Locals live in registers and on the stack; none of them is volatile. */
static void locals(long round)
{
	long a = round, b = 3 * round, sum = 0;
	char name[32] = "before";

	DSM_TX {
		attempts++;
		if (strcmp(name, "before") || a != round || b != 3 * round || sum)
			fail("a local was not restored");
		strcpy(name, "inside");
		a += shared->counter;
		b = spin(1.0, 300) > 0;
		for (int i = 0; i < KEYS; i++)
			sum += shared->weight[i];
		churn(round);
	}
	if (strcmp(name, "inside") || b != 1)
		fail("a local of the committed attempt was lost");
}

/* The fault happens inside libc, which holds the stream's lock. */
static void print(long round)
{
	char copy[TEXT + 64];

	DSM_TX {
		attempts++;
		fprintf(sink, "%s %ld\n", shared->text, shared->counter);
		snprintf(copy, sizeof(copy), "%s", shared->text);
		churn(round);
	}
	for (int i = 1; copy[i]; i++)
		if (copy[i] != copy[0])
			fail("a committed attempt saw half of another transaction's text");
}

static void allocate(long round)
{
	DSM_TX {
		char *p = malloc(100 + (size_t)(round % 5000)), *q;

		attempts++;
		memset(p, 1, 100);
		shared->counter++;
		q = malloc(64);
		strcpy(q, "lost without the log");
		spin(1.0, 200);
		churn(round);
		free(q);
		q = realloc(p, 20000);
		free(q ? q : p);
	}
}

static const int *sort_weight;

static int by_weight(const void *a, const void *b)
{
	int x = sort_weight[*(const int *)a], y = sort_weight[*(const int *)b];

	return x != y ? (x < y ? -1 : 1) : *(const int *)a - *(const int *)b;
}

/* The callback is the program's: an attempt is undone out of the middle of qsort, which has allocated. */
static void sort(long round)
{
	int index[KEYS * 64];

	DSM_TX {
		attempts++;
		sort_weight = shared->weight;
		for (int i = 0; i < KEYS * 64; i++)
			index[i] = i % KEYS;
		qsort(index, KEYS * 64, sizeof(*index), by_weight);
		for (int i = 1; i < KEYS * 64; i++)
			if (shared->weight[index[i - 1]] > shared->weight[index[i]])
				fail("an attempt saw the order of two states");
		churn(round);
	}
}

__attribute__((target("avx2"))) static void vectors(long round)
{
	__m256d acc = _mm256_set1_pd((double)round), one = _mm256_set1_pd(1.0);
	double result[4], expected = (double)round;

	for (int i = 0; i < KEYS; i++)
		expected += 1.0;
	DSM_TX {
		size_t n = 64 + (size_t)(round % 700);
		/* cppcheck-suppress allocaCalled ; memory of the frame is what this is about */
		char *block = alloca(n);

		attempts++;
		memset(block, 0x5a, n);
		acc = _mm256_set1_pd((double)round);
		for (int i = 0; i < KEYS; i++) {
			acc = _mm256_add_pd(acc, one);
			if (shared->numbers[i] < 0)
				fail("impossible number");
		}
		churn(round);
		shared->numbers[round % KEYS] = (double)round;
		for (size_t i = 0; i < n; i++)
			if (block[i] != 0x5a)
				fail("alloca memory changed");
	}
	_mm256_storeu_pd(result, acc);
	for (int i = 0; i < 4; i++)
		if (result[i] != expected)
			fail("a vector register was lost");
}

/* No access to DSM after the first: only the signal can end a doomed attempt early. */
static void compute(long round)
{
	double x = 0;

	DSM_TX {
		attempts++;
		churn(round);
		x = spin(1.0, 20000);
	}
	if (!(x > 1.0))
		fail("the computation was lost");
}

/* Leaving the block early commits. */
static int leave(long round)
{
	DSM_TX {
		attempts++;
		churn(round);
		if (round % 3 == 0)
			return 1;
		if (round % 3 == 1)
			break;
		shared->text[0] = shared->text[1];
	}
	return 0;
}

static void cancel(long round)
{
	bool first = true;

	DSM_TX {
		attempts++;
		churn(round);
		if (round % 2) {
			shared->counter += 1000000;
			dsm_cancel();
		}
	}
	/* a cancelled one is made good, so that the total is the same as in the other modes */
	if (round % 2)
		DSM_TX {
			churn(round);
			if (!first)
				fail("never");
		}
}

static long deferred_runs;

static void count_deferred(void *arg)
{
	deferred_runs += *(long *)arg;
}

static void defer(long round)
{
	long one = 1;

	DSM_TX {
		attempts++;
		dsm_defer(count_deferred, &one, sizeof(one));
		churn(round);
	}
}

/* Signal handlers of the program are program text too, but may stand on top of malloc() or the runtime. */
static volatile long ticks;

static void on_alarm(int sig)
{
	(void)sig;
	for (volatile int i = 0; i < 2000; i++)
		ticks++;
}

static void alarms(long round)
{
	sigset_t blocked;

	if (round == 0) {
		struct itimerval every = {{0, 1000}, {0, 1000}};

		signal(SIGALRM, on_alarm);
		setitimer(ITIMER_REAL, &every, NULL);
	}
	allocate(round);
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	if (sigismember(&blocked, SIGALRM))
		fail("an abort left a signal blocked");
}

/* The faults happen in memcpy(); an attempt that lost meanwhile must not come out of it with two halves. */
static void halves(long round)
{
	char a[TEXT + 1], b[TEXT + 1];

	DSM_TX {
		attempts++;
		memcpy(a, shared->text, TEXT);
		spin(1.0, 100);
		memcpy(b, mirror->text, TEXT);
		if (memcmp(a, b, TEXT) != 0)
			fail("an attempt saw half of another transaction");
		churn(round);
	}
}

/* Blocking all signals must not block the faults. */
static void blocked(long round)
{
	sigset_t all;

	if (round == 0) {
		sigfillset(&all);
		sigprocmask(SIG_SETMASK, &all, NULL);
	}
	locals(round);
}

static long deferred_bytes;

static void take_large(void *arg)
{
	deferred_bytes += ((char *)arg)[(4 << 20) - 1];
}

static void large(long round)
{
	static char argument[4 << 20];

	argument[sizeof(argument) - 1] = 1;
	DSM_TX {
		attempts++;
		if (round < 20)
			dsm_defer(take_large, argument, sizeof(argument));
		churn(round);
	}
	if (deferred_bytes != (round < 20 ? round + 1 : 20))
		fail("a large deferred argument was lost");
}

static void loop(long round)
{
	long sum = 0;

	DSM_TX_FOR(i, 0, 40) {
		attempts++;
		sum += shared->weight[i] >= 0;
		if (i == 39)
			churn(round);
	}
	if (sum != 40)
		fail("a loop's iterations ran more or less than once");
}

/* Doomed in the middle of a long memcpy(), whose instruction traps after each byte when the library is left step by step. */
static void copy(long round)
{
	enum { LONG = 32 * 4096 };
	static char *block, *from;

	if (!block) {
		block = dsm_new_flat(char, LONG);
		from = malloc(LONG);
	}
	for (long i = 0; i < LONG; i++)
		from[i] = (char)(i * 7 + round);
	DSM_TX {
		attempts++;
		churn(round);
		memcpy(block + 64, from, LONG - 64);
		memset(block, (int)round & 0xff, 64);
	}
	DSM_TX_READ {
		for (long i = 64; i < LONG; i++)
			if (block[i] != (char)((i - 64) * 7 + round))
				fail("a copy is not what was copied");
	}
}

static const struct {
	const char *name;
	void (*run)(long round);
} mode[] = {
	{"locals", locals},   {"print", print},	    {"allocate", allocate}, {"sort", sort},
	{"vectors", vectors}, {"compute", compute}, {"cancel", cancel},	    {"defer", defer},
	{"loop", loop},	      {"alarms", alarms},   {"halves", halves},	    {"blocked", blocked},
	{"large", large},     {"copy", copy},
};

int main(int argc, char **argv)
{
	long rounds = argc > 2 ? atol(argv[2]) : 200, total;
	void (*run)(long) = NULL;

	for (size_t i = 0; argc > 1 && i < sizeof(mode) / sizeof(*mode); i++)
		if (!strcmp(argv[1], mode[i].name))
			run = mode[i].run;
	bool leaving = argc > 1 && !strcmp(argv[1], "leave");

	if (!run && !leaving)
		fail("no such mode");
	sink = fopen("/dev/null", "w");
	if (dsm_node() == 0)
		dsm_root_set("shared", dsm_new(struct shared, 1));
	if (dsm_node() == dsm_nodes() - 1)
		dsm_root_set("mirror", dsm_new(struct mirror, 1));
	dsm_barrier();
	shared = dsm_root("shared");
	mirror = dsm_root("mirror");
	if (!shared || !mirror)
		fail("the root is not visible after the barrier");
	size_t before = mallinfo2().uordblks;

	for (long r = 0; r < rounds; r++) {
		if (leaving)
			leave(r);
		else
			run(r);
	}
	size_t after = mallinfo2().uordblks;

	dsm_barrier();
	dsm_peek(&total, &shared->counter, sizeof(total));
	long expected = rounds * dsm_nodes() *
			(argc > 1 && (!strcmp(argv[1], "allocate") || !strcmp(argv[1], "alarms")) ? 2 : 1);

	if (total != expected) {
		fprintf(stderr, "undo: node %d: counter %ld, expected %ld\n", dsm_node(), total, expected);
		return 1;
	}
	if (after > before + 200000)
		fail("aborted attempts leak memory");
	if (argc > 1 && !strcmp(argv[1], "defer") && deferred_runs != rounds)
		fail("a deferred call ran more or less than once");
	if (dsm_node() == 0)
		printf("undo %s: %ld rounds, %ld attempts on node 0\n", argv[1], rounds, attempts);
	return 0;
}
