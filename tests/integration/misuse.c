/* SPDX-License-Identifier: BSD-2-Clause */
/* misuse KIND: does one forbidden thing; misuse.sh checks the message and its line (marked with the kind). */
#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include <dsm.h>

struct item {
	long value;
	void *pointer;
};

static struct item *item;
static long global;
static volatile int *volatile nowhere = (int *)8;

static int is(const char *kind, const char *what)
{
	return !strcmp(kind, what);
}

static void *second_thread(void *arg)
{
	(void)arg;
	return (void *)item->value; /* second-thread */
}

static void *second_block(void *arg)
{
	(void)arg;
	DSM_TX { /* thread-inside */
		item->value++;
	}
	return NULL;
}

static void run_in_thread(void *(*fn)(void *))
{
	pthread_t t;

	pthread_create(&t, NULL, fn, NULL);
	pthread_join(t, NULL);
}

/* Each in a function of its own: compilers merge calls that do not return. */
static __attribute__((noinline)) void retry_outside(void)
{
	dsm_retry(); /* retry-outside */
}

static __attribute__((noinline)) void cancel_outside(void)
{
	dsm_cancel(); /* cancel-outside */
}

static __attribute__((noinline)) void retry_alone(void)
{
	DSM_TX {
		if (!item->value)
			dsm_retry(); /* retry-lonely */
	}
}

/* Not in a function of its own, as the others are: each call must be told by its own line nevertheless. */
static __attribute__((noinline)) void retry_either(long first)
{
	DSM_TX {
		if (first) {
			if (item->value < first)
				dsm_retry();
			item->value -= first;
		} else {
			if (!item->value)
				dsm_retry(); /* retry-second */
			item->value--;
		}
	}
}

static __attribute__((noinline)) void write_hot_page(void)
{
	DSM_TX_READ { /* read-writes-hot */
		item->value++;
	}
}

/* Returns when both nodes are here, in the middle of their blocks. */
static void meet(void)
{
	char path[2][256];

	for (int n = 0; n < 2; n++)
		snprintf(path[n], sizeof(path[n]), "%s/here-%d", getenv("TMPDIR"), n);
	close(open(path[dsm_node()], O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	while (access(path[!dsm_node()], F_OK))
		usleep(1000);
}

/* What blocks do not allow that promise to be independent. */
static void misuse_promise(const char *kind)
{
	long seen;

	if (is(kind, "promise-broken")) {
		dsm_peek(&seen, &item->value, sizeof(seen)); /* each has a copy, so none writes in place */
		dsm_barrier();
		DSM_TX_INDEPENDENT { /* promise-broken */
			item->value = dsm_node() + 1;
			meet();
		}
	}
	if (is(kind, "promise-retry"))
		DSM_TX_INDEPENDENT {
			dsm_retry(); /* promise-retry */
		}
	if (is(kind, "promise-cancel"))
		DSM_TX_FOR_INDEPENDENT(i, 0, 3) {
			dsm_cancel(); /* promise-cancel */
		}
}

/* What cancel, retry, irrevocable and read-only transactions do not allow. */
static void misuse_control(const char *kind)
{
	if (is(kind, "retry-outside"))
		retry_outside();
	if (is(kind, "cancel-outside"))
		cancel_outside();
	if (is(kind, "irrevocable-outside"))
		dsm_irrevocable(); /* irrevocable-outside */
	if (is(kind, "retry-irrevocable"))
		DSM_TX {
			dsm_irrevocable();
			dsm_retry(); /* retry-irrevocable */
		}
	if (is(kind, "cancel-irrevocable"))
		DSM_TX {
			dsm_irrevocable();
			dsm_cancel(); /* cancel-irrevocable */
		}
	if (is(kind, "defer-nothing"))
		DSM_TX
			dsm_defer(NULL, NULL, 0); /* defer-nothing */
	if (is(kind, "defer-huge"))
		DSM_TX
			dsm_defer(free, kind, (size_t)-8); /* defer-huge */
	if (is(kind, "phase-nothing"))
		dsm_phase(NULL); /* phase-nothing */
	if (is(kind, "retry-lonely") && dsm_node() == 0)
		retry_alone();
	if (is(kind, "retry-second") && dsm_node() == 0)
		retry_either(is(kind, "retry-first"));
	if (is(kind, "read-writes"))
		DSM_TX_READ {
			item->value = 3; /* read-writes */
		}
	if (is(kind, "read-touches"))
		DSM_TX_READ {
			dsm_touch(item, 8, DSM_WRITE); /* read-touches */
		}
	if (is(kind, "read-allocates"))
		DSM_TX_READ {
			item = dsm_new(struct item, 1); /* read-allocates */
		}
	if (is(kind, "read-frees"))
		DSM_TX_READ {
			dsm_free(item); /* read-frees */
		}
	if (is(kind, "read-names"))
		DSM_TX_READ {
			dsm_root_set("item", NULL); /* read-names */
		}
	if (is(kind, "read-writes-hot") && dsm_node() == 0) { /* the page stays writable by then */
		for (int i = 0; i < 20; i++)
			DSM_TX {
				item->value++;
			}
		write_hot_page();
	}
	if (is(kind, "irrevocable-strict"))
		DSM_TX {
			dsm_irrevocable();
			global = item->value;
		}
}

/* In a child; its status is the node's. */
static void run_in_child(void *(*fn)(void *))
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		fn(NULL);
		_exit(0);
	}
	waitpid(child, &status, 0);
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static void *cancel(void *thread)
{
	pthread_cancel(*(pthread_t *)thread);
	return NULL;
}

static void *leave_thread(void *arg)
{
	pthread_exit(arg);
}

static __attribute__((noinline)) void leave_main(void)
{
	pthread_exit(NULL); /* thread-exit */
}

static __attribute__((noinline)) void leave_main_c11(void)
{
	thrd_exit(0); /* thread-exit-c11 */
}

static void misuse_ends(const char *kind)
{
	pthread_t self = pthread_self();

	if (is(kind, "thread-exit") && dsm_node() == 1)
		leave_main();
	if (is(kind, "thread-exit-c11") && dsm_node() == 1)
		leave_main_c11();
	if (is(kind, "thread-exit-second"))
		run_in_thread(leave_thread);
	if (is(kind, "thread-exit-child"))
		run_in_child(leave_thread);
	if (is(kind, "thread-cancelled") && dsm_node() == 1) {
		pthread_t t;

		pthread_create(&t, NULL, cancel, &self);
		for (;;)
			pause();
	}
}

static void misuse_threads(const char *kind)
{
	if (is(kind, "child-reads"))
		run_in_child(second_thread);
	if (is(kind, "child-block"))
		run_in_child(second_block);
	if (is(kind, "second-thread"))
		run_in_thread(second_thread);
	if (is(kind, "thread-inside"))
		DSM_TX {
			run_in_thread(second_block);
		}
}

static void misuse_heap(const char *kind)
{
	if (is(kind, "free-twice")) {
		if (dsm_node() == 0) {
			void *p = dsm_new(struct item, 1);

			dsm_free(p);
			dsm_free(p); /* free-twice */
		}
	}
	if (is(kind, "free-foreign"))
		dsm_free(&global); /* free-foreign */
}

static void misuse_calls(const char *kind)
{
	if (is(kind, "syscall-outside"))
		global = write(1, item, 8); /* syscall-outside */
	if (is(kind, "syscall-inside"))
		DSM_TX {
			global = write(STDERR_FILENO, item, 8) == 8;
		}
}

static void misuse_strict(const char *kind)
{
	if (is(kind, "strict-global"))
		DSM_TX {
			global = item->value; /* strict-global */
		}
	if (is(kind, "strict-pointer"))
		DSM_TX { /* strict-pointer */
			item->pointer = &global;
		}
	if (is(kind, "strict-clean"))
		DSM_TX {
			item->value++;
		}
	if (is(kind, "resident-strict")) { /* mapped by the transaction before: only --strict sees it */
		DSM_TX {
			item->value++;
		}
		global = item->value; /* resident-strict */
	}
	if (is(kind, "strict-read")) {
		int fds[2];

		global = pipe(fds) + write(fds[1], "12345678", 8);
		DSM_TX {
			global = read(fds[0], &global, sizeof(global)); /* strict-read */
		}
	}
}

static volatile sig_atomic_t alarms;

static void count_in_dsm(int sig)
{
	(void)sig;
	alarms++;
	item->value++; /* handler */
}

/* A handler that counts in the DSM, in a program that is nearly always in its transactions: works until it comes while the
 * runtime is at work. */
static void misuse_handler(void)
{
	struct itimerval every = {{0, 300}, {0, 300}};

	signal(SIGALRM, count_in_dsm);
	setitimer(ITIMER_REAL, &every, NULL);
	while (alarms < 100000)
		DSM_TX {
			item->value++;
		}
}

/* As programs do that become daemons. */
static void close_all(const char *kind)
{
	if (dsm_node() == 0)
		;
	else if (is(kind, "closes-loop"))
		for (int fd = 3; fd < 256; fd++)
			close(fd);
	else
		closefrom(is(kind, "closes-all") ? 0 : 3);
	dsm_barrier();
}

/* abort() over frames that nobody can walk: the place is the library's. */
static void abort_damaged(void)
{
	void **frame = __builtin_frame_address(0);

	frame[1] = frame[0] = (void *)8;
	abort();
}

static long deeper(long depth)
{
	volatile char room[1000];

	room[0] = (char)depth;
	return depth ? deeper(depth - 1) + room[0] : 0;
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";

	if (dsm_node() == 0)
		dsm_root_set("item", dsm_new(struct item, 1));
	dsm_barrier();
	item = dsm_root("item");
	misuse_control(kind);
	misuse_threads(kind);
	misuse_ends(kind);
	misuse_heap(kind);
	misuse_calls(kind);
	misuse_strict(kind);
	if (is(kind, "outside-write"))
		item->value = 1; /* outside-write */
	if (is(kind, "outside-read"))
		global = item->value; /* outside-read */
	if (is(kind, "barrier-inside"))
		DSM_TX {
			dsm_barrier(); /* barrier-inside */
		}
	if (is(kind, "phase-inside"))
		DSM_TX {
			dsm_phase("inside"); /* phase-inside */
		}
	if (is(kind, "phase-name"))
		dsm_phase("a name of more than 23 bytes"); /* phase-name */
	if (is(kind, "phase-many"))
		for (char name[2] = "a"; *name < 'z'; ++*name)
			dsm_phase(name); /* phase-many */
	if (is(kind, "exit-inside"))
		DSM_TX { /* exit-inside */
			exit(0);
		}
	if (is(kind, "crash") && dsm_node() == dsm_nodes() - 1)
		*nowhere = 1; /* crash */
	if (is(kind, "no-root") && dsm_node() == 0) {
		struct item *none = dsm_root("nobody");

		DSM_TX
			none->pointer = NULL; /* no-root */
	}
	if (is(kind, "stack") && dsm_node() == 0)
		DSM_TX
			global = (int)deeper(10000000);
	misuse_promise(kind);
	if (is(kind, "handler"))
		misuse_handler();
	if (is(kind, "abort") && dsm_node() == 0)
		abort(); /* abort */
	if (is(kind, "assert") && dsm_node() == 0)
		assert(!item); /* assert */
	if (is(kind, "crash-library") && dsm_node() == 0)
		global = (int)strtol((const char *)nowhere, NULL, 10); /* crash-library */
	if (is(kind, "abort-damaged") && dsm_node() == 0)
		abort_damaged();
	if (is(kind, "lonely-barrier") && dsm_node() == 0)
		dsm_barrier(); /* lonely-barrier */
	if (is(kind, "touch-outside"))
		dsm_touch(item, 8, DSM_READ); /* touch-outside */
	if (!strncmp(kind, "closes-", 7))
		close_all(kind);
	if (is(kind, "touch-mode"))
		DSM_TX
			dsm_touch(item, 8, (enum dsm_touch_mode)2); /* touch-mode */
	if (is(kind, "sleep")) {
		DSM_TX {
			item->value++;
		}
		sleep(60);
	}
	return is(kind, "exit-3") ? 3 : 0;
}
