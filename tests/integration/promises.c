/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * promises MODE FOLDER: single cases of DSM_TX_FOR_INDEPENDENT, one of which breaks its promise.
 *	meet		two nodes change the same byte
 *	agree		the same, to the same value
 *	reuse		memory that was freed elsewhere is allocated again in a block
 *	once		dsm_irrevocable()
 *	kernel		a system call writes to a page for which another node has asked since it was touched
 *	killed		node 1 dies in a loop
 *	cancel, retry, barrier, root	what such a loop must not call
 *
 * The nodes tell one another by files in FOLDER how far they are, as no barrier may come between.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <dsm.h>

static const char *folder;
static uint32_t nodes, self;

static void fail(const char *what, long a, long b)
{
	fprintf(stderr, "promises: node %d: %s: %ld, %ld\n", dsm_node(), what, a, b);
	_exit(3);
}

static void tell(const char *what)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, what);
	FILE *f = fopen(path, "w");

	if (!f || fclose(f))
		fail(path, 0, 0);
}

static void hear(const char *what)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, what);
	for (int i = 0; access(path, F_OK); i++)
		if (i == 20000)
			fail(path, 0, 0);
		else
			usleep(1000);
}

static long *shared(void)
{
	if (!self)
		dsm_root_set("shared", dsm_new_flat(long, 512));
	dsm_barrier();
	long *x = dsm_root("shared"), sum = 0;

	DSM_TX_READ
		for (int i = 0; i < 512; i++)
			sum += x[i];
	if (sum)
		fail("not zero", sum, 0);
	dsm_barrier();
	return x;
}

/* Both have the page, and node 1 commits its change on top of node 0's. */
static void meet(long zero, long one)
{
	long *x = shared(), found = 0;

	if (self == 0) {
		hear("written");
		DSM_TX_INDEPENDENT
			x[7] = zero;
		tell("committed");
	} else if (self == 1) {
		DSM_TX_INDEPENDENT { /* meet */
			x[7] = one;
			tell("written");
			hear("committed");
		}
	}
	dsm_barrier();
	dsm_peek(&found, &x[7], sizeof(found));
	if (found != one)
		fail("another value", found, one);
}

/* Node 0 writes what node 1 has allocated and frees it, while node 1 has an old copy of the page in an attempt, in which it
 * allocates again. */
static void reuse(void)
{
	long **x = (long **)shared(), *fresh = NULL, found[2], sum = 0;

	if (self == 1) {
		DSM_TX {
			x[0] = dsm_new_flat(long, 2);
			x[1] = dsm_new_flat(long, 2);
		}
	}
	dsm_barrier();
	if (self == 0) {
		hear("read");
		DSM_TX
			x[0][0] = x[0][1] = 5;
		DSM_TX
			dsm_free(x[0]);
		tell("freed");
	} else if (self == 1) {
		DSM_TX_INDEPENDENT {
			sum = x[1][0];
			tell("read");
			hear("freed");
			for (int i = 0; i < 300 && fresh != x[0];
			     i++) { /* the note of it may be on its way */
				usleep(200);
				fresh = dsm_new_flat(long, 2);
				if (fresh[0] || fresh[1] || sum)
					fail("new memory is not zero", fresh[0], fresh[1]);
			}
			if (fresh)
				fresh[0] = 7;
		}
	}
	dsm_barrier();
	if (self == 1) {
		dsm_peek(found, fresh, sizeof(found));
		if (found[0] != 7 || found[1])
			fail("new memory is not what was written to it", found[0], found[1]);
	}
}

/* What comes after dsm_irrevocable() happens once, also in runs where such a block may be undone. */
static void once(void)
{
	long *x = shared();
	volatile long *done = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < 300; i++)
		DSM_TX_INDEPENDENT {
			dsm_irrevocable();
			++*done;
			x[self]++;
			usleep((unsigned)i * 7 % 50);
		}
	if (*done != 300)
		fail("an irrevocable block ran again", *done, 300);
	dsm_barrier();
	for (uint32_t i = 0; i < nodes; i++) {
		long found;

		dsm_peek(&found, &x[i], sizeof(found));
		if (found != 300)
			fail("lost", i, found);
	}
}

static void kernel(void)
{
	long *x = shared(), sum = 0;
	int fd = open("/proc/self/exe", O_RDONLY);

	if (self == 0) {
		for (int i = 1; i < 5; i++)
			DSM_TX_INDEPENDENT {
				x[0] = i;
			}
		DSM_TX_INDEPENDENT {
			x[0] = 5; /* in place, as nobody else has it any more */
			if (dsm_touch(x, 8, DSM_WRITE))
				fail("dsm_touch", 0, 0);
			tell("touched");
			hear("read");
			if (syscall(SYS_pread64, fd, x, 4l, 0l) != 4)
				fail("pread", errno, 0);
		}
	} else if (self == 1) {
		hear("touched");
		DSM_TX_READ
			sum = x[511];
		tell("read");
	}
	dsm_barrier();
	dsm_peek(&sum, x, sizeof(sum));
	if (memcmp(&sum, "\177ELF\0\0\0", 8) != 0)
		fail("the kernel's bytes are not there", sum, 0);
	close(fd);
}

static void killed(void)
{
	long *x = shared();

	for (int i = 0;; i++) {
		DSM_TX_FOR_INDEPENDENT(j, 0, 512 / nodes) {
			x[(unsigned long)j * nodes + self] += j;
			if (i == 20 && j == 7 && self == 1)
				raise(SIGKILL);
		}
		dsm_barrier();
	}
}

static void misuse(const char *what)
{
	long *x = shared();

	DSM_TX_FOR_INDEPENDENT(i, 0, 10) {
		x[self * 10 + i] = i;
		if (!strcmp(what, "cancel"))
			dsm_cancel(); /* cancel */
		if (!strcmp(what, "retry"))
			dsm_retry(); /* retry */
		if (!strcmp(what, "barrier"))
			dsm_barrier(); /* barrier */
		if (!strcmp(what, "root"))
			dsm_root_set("x", x); /* root */
	}
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	nodes = (uint32_t)dsm_nodes();
	self = (uint32_t)dsm_node();
	folder = argc > 2 ? argv[2] : ".";
	if (!strcmp(mode, "meet"))
		meet(1, 2);
	else if (!strcmp(mode, "agree"))
		meet(3, 3);
	else if (!strcmp(mode, "reuse"))
		reuse();
	else if (!strcmp(mode, "once"))
		once();
	else if (!strcmp(mode, "kernel"))
		kernel();
	else if (!strcmp(mode, "killed"))
		killed();
	else
		misuse(mode);
	return 0;
}
