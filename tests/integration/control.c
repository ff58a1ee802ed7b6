/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control MODE ROUNDS [FILE]: retry, irrevocable and read-only transactions between real nodes. Each mode
 * checks what dsm.h promises of them.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <dsm.h>

#define ROOM	 8
#define ACCOUNTS 2000
#define BIG	 (3000ul * DSM_PAGE_SIZE)

struct shared {
	long queue[ROOM], length, taken, sum, producing;
	long other[600]; /* more than a page further */
	long counter, written;
};

static struct shared *shared;
static long *account; /* on several pages; their sum stays 0 */
static char *big;
static volatile sig_atomic_t alarmed;

static void fail(const char *what)
{
	fprintf(stderr, "control: node %d: %s\n", dsm_node(), what);
	exit(1);
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- retry ---- */

/* Waits while the queue is full. */
static void produce(long value)
{
	DSM_TX {
		if (shared->length == ROOM)
			dsm_retry();
		shared->queue[shared->length++] = value;
	}
}

/* False when nothing will come any more. */
static int consume(void)
{
	int more = 1;

	DSM_TX {
		more = 1;
		if (shared->length) {
			shared->sum += shared->queue[--shared->length];
			shared->taken++;
		} else if (shared->producing) {
			dsm_retry();
		} else {
			more = 0;
		}
	}
	return more;
}

/* Node 0 makes, the others take; both wait for each other all the time. */
static void queue(long rounds)
{
	if (dsm_node() == 0) {
		for (long i = 1; i <= rounds; i++)
			produce(i);
		DSM_TX {
			shared->producing = 0;
		}
	} else {
		while (consume())
			;
	}
	dsm_barrier();
	DSM_TX_READ {
		if (shared->taken != rounds || shared->sum != rounds * (rounds + 1) / 2)
			fail("the queue lost or doubled something");
	}
}

/* Whoever waits does not use the processor, and locals are as they were. */
static void sleeper(long rounds)
{
	double before = cpu_seconds();
	long local = 7;

	(void)rounds;
	if (dsm_node() == 0) {
		usleep(700000);
		DSM_TX {
			shared->counter = 5;
		}
		return;
	}
	DSM_TX {
		if (local != 7)
			fail("a local was not restored");
		local = 8;
		if (!shared->counter)
			dsm_retry();
	}
	if (local != 8)
		fail("a local of the committed attempt was lost");
	if (cpu_seconds() - before > 0.35)
		fail("dsm_retry() used the processor while it waited");
}

static void on_alarm(int sig)
{
	alarmed = sig;
}

/* A signal handler that runs in the wait makes the block run again. */
static void interrupted(long rounds)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct itimerval timer = {.it_value.tv_usec = 200000};

	(void)rounds;
	if (dsm_node() == 1) {
		sigaction(SIGALRM, &action, NULL);
		setitimer(ITIMER_REAL, &timer, NULL);
		DSM_TX {
			if (!shared->counter && !alarmed)
				dsm_retry();
		}
		if (!alarmed)
			fail("the wait ended without a reason");
	}
	dsm_barrier();
}

/* ---- irrevocable ---- */

/* One line for each: exactly once, and in the order of the transactions. */
static void output(long rounds, const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);
	char line[64];

	if (fd < 0)
		fail("cannot write the file");
	for (long i = 0; i < rounds; i++) {
		DSM_TX {
			shared->counter++;
			account[i % ACCOUNTS] += 0;
			dsm_irrevocable();
			int n = snprintf(line, sizeof(line), "%ld node %d\n", shared->counter, dsm_node());

			if (write(fd, line, (size_t)n) != n)
				fail("cannot write the file");
			shared->written++;
		}
		for (int k = 0; k < 3; k++) /* in between others, revocable, on the same pages */
			DSM_TX {
				shared->other[599]++;
				account[k]++;
				account[ACCOUNTS - 1]--;
				shared->counter += 0;
				if (k == 1 && i % 4 == 0)
					usleep(200);
			}
	}
	close(fd);
	dsm_barrier();
	DSM_TX_READ {
		if (shared->written != rounds * dsm_nodes() || shared->counter != shared->written)
			fail("an irrevocable transaction did not happen exactly once");
		if (shared->other[599] != 3 * rounds * dsm_nodes())
			fail("a transaction beside the irrevocable ones was lost");
	}
}

/* Nodes that meet in a page, never in a byte. Without the promise (DSM_INDEPENDENT=0) the blocks are ordinary ones, which are
 * undone unless they are irrevocable. Says how many were begun again: the counter of aborts has those before this, too. */
static void promised(long rounds)
{
	static long begun, ran; /* not undone */
	long *mine = &shared->other[dsm_node()], found;

	for (long k = 0; k < rounds; k++)
		DSM_TX_INDEPENDENT {
			begun++;
			long before = *mine;

			dsm_irrevocable();
			ran++;
			*mine = before + 1;
			usleep(20);
		}
	printf("again %ld\n", begun - rounds);
	if (ran != rounds)
		fail("what follows dsm_irrevocable() in an independent block did not happen exactly once");
	dsm_barrier();
	for (int n = 0; n < dsm_nodes(); n++) {
		dsm_peek(&found, &shared->other[n], sizeof(found));
		if (found != rounds)
			fail("an independent block was lost");
	}
}

/* Two irrevocable ones that each wait for what the other changes would never end if they held their turns. */
static void relay(long rounds)
{
	for (long i = 0; i < rounds; i++)
		DSM_TX {
			if (shared->counter % dsm_nodes() != dsm_node())
				dsm_retry();
			dsm_irrevocable();
			shared->counter++;
		}
	dsm_barrier();
	DSM_TX_READ {
		if (shared->counter != rounds * dsm_nodes())
			fail("a turn was lost");
	}
}

/* ---- read-only ---- */

static void transfer(long round)
{
	DSM_TX {
		account[round * 7919 % ACCOUNTS] += round;
		account[round * 104729 % ACCOUNTS] -= round;
	}
}

static void readers(long rounds)
{
	for (long i = 0; i < rounds; i++) {
		long sum = 0;

		transfer(i * dsm_nodes() + dsm_node());
		DSM_TX_READ {
			sum = 0;
			for (int k = 0; k < ACCOUNTS; k++)
				sum += account[k];
			DSM_TX { /* belongs to the one around it */
				sum += account[0] - account[0];
			}
		}
		if (sum)
			fail("a transaction that only reads saw half of another");
	}
	dsm_barrier();
}

/* ---- many pages at once ---- */

static void bulk(long rounds)
{
	for (long i = 1; i <= rounds; i++) {
		if (dsm_node() == 0)
			DSM_TX {
				dsm_touch(big, BIG, DSM_WRITE);
				for (size_t at = 0; at < BIG; at += DSM_PAGE_SIZE)
					*(long *)(big + at) = i + (long)at;
			}
		dsm_barrier();
		DSM_TX_READ {
			if (i % 2)
				dsm_touch(big, BIG, DSM_READ);
			for (size_t k = 0; k < BIG; k += DSM_PAGE_SIZE) {
				size_t at = i % 3 ? k : BIG - DSM_PAGE_SIZE - k;

				if (*(long *)(big + at) != i + (long)at)
					fail("a page fetched with others is old");
			}
		}
		dsm_barrier();
	}
}

/* ---- files and sockets ---- */

#define BLOCK (16ul * DSM_PAGE_SIZE)

/* More than stdio's buffer, so libc hands it to the kernel; on the other node, so it is not here. */
static void transfer_files(void)
{
	FILE *f = tmpfile();
	int pair[2];

	if (!f || socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
		fail("no temporary file or socket");
	DSM_TX {
		dsm_irrevocable();
		if (fwrite(big, 1, BLOCK, f) != BLOCK)
			fail("fwrite() of DSM memory");
		rewind(f);
		if (fread(big + BLOCK, 1, BLOCK, f) != BLOCK)
			fail("fread() to DSM memory");
		if (sendto(pair[0], big, 8000, 0, NULL, 0) != 8000)
			fail("sendto() of DSM memory");
		if (recvfrom(pair[1], big + 2 * BLOCK, 8000, 0, NULL, NULL) != 8000)
			fail("recvfrom() to DSM memory");
	}
	fclose(f);
	close(pair[0]);
	close(pair[1]);
}

static void files(void)
{
	if (dsm_node() == dsm_nodes() - 1)
		DSM_TX {
			for (size_t i = 0; i < BLOCK; i++)
				big[i] = (char)(i * 7 + 1);
		}
	dsm_barrier();
	if (dsm_node() == 0)
		transfer_files();
	dsm_barrier();
	DSM_TX_READ {
		if (memcmp(big, big + BLOCK, BLOCK) || memcmp(big, big + 2 * BLOCK, 8000) || big[5] != 36)
			fail("what was written to the file and read back is not the same");
	}
	dsm_barrier();
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	long rounds = argc > 2 ? atol(argv[2]) : 1;

	if (dsm_node() == 0) {
		struct shared *s = dsm_new(struct shared, 1);

		DSM_TX {
			s->producing = 1;
		}
		dsm_root_set("shared", s);
		dsm_root_set("accounts", dsm_new_flat(long, ACCOUNTS));
	}
	if (dsm_node() == dsm_nodes() - 1)
		dsm_root_set("big", dsm_new_flat(char, BIG));
	dsm_barrier();
	shared = dsm_root("shared");
	account = dsm_root("accounts");
	big = dsm_root("big");
	if (!strcmp(mode, "queue"))
		queue(rounds);
	else if (!strcmp(mode, "sleeper"))
		sleeper(rounds);
	else if (!strcmp(mode, "interrupted"))
		interrupted(rounds);
	else if (!strcmp(mode, "output") && argc > 3)
		output(rounds, argv[3]);
	else if (!strcmp(mode, "promised"))
		promised(rounds);
	else if (!strcmp(mode, "relay"))
		relay(rounds);
	else if (!strcmp(mode, "readers"))
		readers(rounds);
	else if (!strcmp(mode, "bulk"))
		bulk(rounds);
	else if (!strcmp(mode, "files"))
		files();
	else
		fail("unknown mode");
	dsm_barrier();
	return 0;
}
