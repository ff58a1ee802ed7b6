/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heap_app_malloc.c - what an abort does to the memory of malloc(), and to deferred calls.
 */
#include <malloc.h>
#include <string.h>

#include "tests/integration/heap_app.h"

static size_t in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static int cancel_now, calls;

static int compare(const void *a, const void *b)
{
	if (cancel_now && ++calls == 1000)
		dsm_cancel();
	return *(const int *)a - *(const int *)b;
}

static void cancelled_mallocs(char *old, int *numbers, int n)
{
	char *kept = old;

	DSM_TX {
		char *p = malloc(10000);

		sink = realloc(p, 30000);
		((char *)sink)[29999] = 1;
		sink = strdup("born and freed in one attempt");
		free(sink);
		kept = realloc(kept, 50000);
		kept[0] = 'X';
		sink = calloc(10, 1000);
		if (posix_memalign((void **)&p, 256, 5000))
			abort();
		sink = strdup("never freed by the program");
		dsm_cancel();
	}
	CHECK(kept == old && !strcmp(old, "as it was"));
	DSM_TX {
		free(old);
		sink = memset(malloc(64), 'Y', 64); /* would get old's memory, were it free */
		dsm_cancel();
	}
	CHECK(!strcmp(old, "as it was"));
	cancel_now = 1;
	calls = 0;
	DSM_TX
		qsort(numbers, n, sizeof(*numbers), compare);
	cancel_now = 0;
}

void mallocs(void)
{
	enum { N = 20000, ROUNDS = 1500 };
	char *old = malloc(64);
	int *numbers = malloc(N * sizeof(*numbers)), many = 0;
	size_t before = 0, after;

	strcpy(old, "as it was");
	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < N; i++)
			numbers[i] = (i * 7919) % N;
		cancelled_mallocs(old, numbers, N);
		if (round == 20)
			before = in_use();
	}
	after = in_use();
	/* libc's caches move a little; the smallest leak would be 32 bytes a round, or 48000 in all */
	CHECK(after <= before + 32768);

	DSM_TX /* committed: allocations stay, frees happen */
	{
		free(old);
		old = malloc(64);
		strcpy(old, "new");
		for (int i = 0; i < 100000; i++) {
			void *p = malloc(100000);

			memset(p, 1, 10);
			sink = p;
			free(p);
			many++;
		}
	}
	CHECK(!strcmp(old, "new") && many == 100000);
	CHECK(in_use() <= after + 65536);
	/* libc's own memory outlives an abort: stdout's buffer is allocated by the first printf() */
	DSM_TX {
		printf("printed in an attempt that was cancelled\n");
		dsm_cancel();
	}
	printf("and after it\n");
	free(old);
	free(numbers);
}

/* Aborts by conflict, not by cancel: nothing may leak or be freed twice. */
void contended_mallocs(void)
{
	struct list *list = shared_list();
	static char *chain[500];
	size_t before;

	for (int i = 0; i < 500; i++)
		chain[i] = malloc(200);
	before = in_use();
	for (int i = 0; i < 500; i++) {
		char *next = NULL;

		DSM_TX {
			attempts++;
			char *lost = malloc(3000);

			sink = lost;
			next = malloc(200);
			list->count++;
			free(chain[i]);
			free(lost);
		}
		chain[i] = next;
	}
	CHECK(in_use() <= before + 65536);
	for (int i = 0; i < 500; i++)
		free(chain[i]);
	dsm_barrier();
	long count;
	dsm_peek(&count, &list->count, sizeof(count));
	CHECK(count == 500l * dsm_nodes());
	printf("attempts %ld of 500\n", attempts);
}

/* A function deferred to the commit runs a transaction of its own, with frees and allocations. */
static char *outer_born;

static void deferred(void *arg)
{
	(void)arg;
	DSM_TX {
		free(outer_born); /* born in the transaction before: deferred, and then cancelled */
		sink = malloc(10);
		free(sink);
		dsm_cancel();
	}
}

void defers(void)
{
	struct item *item = NULL;

	DSM_TX {
		dsm_defer(deferred, NULL, 0);
		outer_born = strcpy(malloc(64), "alive");
		item = dsm_new(struct item, 1);
	}
	char *other = memset(malloc(64), 'Z', 64);
	CHECK(!strcmp(outer_born, "alive"));
	free(outer_born);
	free(other);
	dsm_free(item);
}
