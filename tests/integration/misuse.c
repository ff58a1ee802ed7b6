/* SPDX-License-Identifier: BSD-2-Clause */
/* misuse KIND: does one forbidden thing; misuse.sh checks the message and its line (marked with the kind). */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";

	if (dsm_node() == 0)
		dsm_root_set("item", dsm_new(struct item, 1));
	dsm_barrier();
	item = dsm_root("item");
	if (is(kind, "outside-write"))
		item->value = 1; /* outside-write */
	if (is(kind, "outside-read"))
		global = item->value; /* outside-read */
	if (is(kind, "second-thread"))
		run_in_thread(second_thread);
	if (is(kind, "thread-inside"))
		DSM_TX {
			run_in_thread(second_block);
		}
	if (is(kind, "barrier-inside"))
		DSM_TX {
			dsm_barrier(); /* barrier-inside */
		}
	if (is(kind, "free-twice")) {
		if (dsm_node() == 0) {
			void *p = dsm_new(struct item, 1);

			dsm_free(p);
			dsm_free(p); /* free-twice */
		}
	}
	if (is(kind, "free-foreign"))
		dsm_free(&global); /* free-foreign */
	if (is(kind, "exit-inside"))
		DSM_TX { /* exit-inside */
			exit(0);
		}
	if (is(kind, "crash") && dsm_node() == dsm_nodes() - 1)
		*nowhere = 1; /* crash */
	if (is(kind, "abort") && dsm_node() == 0)
		abort();
	if (is(kind, "syscall-outside"))
		global = write(1, item, 8); /* syscall-outside */
	if (is(kind, "syscall-inside"))
		DSM_TX {
			global = write(STDERR_FILENO, item, 8) == 8;
		}
	if (is(kind, "lonely-barrier") && dsm_node() == 0)
		dsm_barrier(); /* lonely-barrier */
	if (is(kind, "touch-outside"))
		dsm_touch(item, 8, DSM_READ); /* touch-outside */
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
	if (is(kind, "sleep")) {
		DSM_TX {
			item->value++;
		}
		sleep(60);
	}
	return is(kind, "exit-3") ? 3 : 0;
}
