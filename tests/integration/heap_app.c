/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heap_app.c - the heap, roots and malloc hooks on real nodes: `heap_app SCENARIO`, run by heap_test.sh.
 * Each scenario checks itself and exits 0, or says which line found what and exits 1.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/integration/heap_app.h"

struct cell { /* 48 bytes */
	double v[6];
};

/* The call before it is no tail call, so that its line is the one in the message. */
#define STAY __asm__ volatile("" ::: "memory")

void *volatile sink; /* keeps the compiler from leaving out what nobody uses */
long attempts;	     /* a static: not undone, so it counts every attempt */

struct list *shared_list(void)
{
	if (dsm_node() == 0)
		dsm_root_set("list", dsm_new(struct list, 1));
	dsm_barrier();
	return dsm_root("list");
}

/* ---- scenarios: each returns to main when all is well ---- */

/* All nodes push onto one list, so attempts abort; each attempt allocates. What is left must be exactly what
 * was committed, all different, and zero where nothing was written. */
static void undo(void)
{
	enum { PER_NODE = 400 };
	struct list *list = shared_list();

	for (long i = 0; i < PER_NODE; i++) {
		DSM_TX {
			struct item *item = dsm_new(struct item, 1);

			attempts++;
			item->next = list->head;
			item->node = dsm_node();
			item->number = i;
			list->head = item;
			list->count++;
		}
	}
	dsm_barrier();
	if (dsm_node() == 0) {
		long seen[64] = {0}, count = 0, zeros = 0;

		DSM_TX {
			for (struct item *i = list->head; i; i = i->next) {
				count++;
				seen[i->node]++;
				zeros += i->zero[0] | i->zero[1] | i->zero[2];
			}
		}
		CHECK(count == (long)PER_NODE * dsm_nodes());
		CHECK(zeros == 0);
		for (int n = 0; n < dsm_nodes(); n++)
			CHECK(seen[n] == PER_NODE);
	}
	printf("attempts %ld of %d\n", attempts, PER_NODE);
}

/* What was freed comes back zeroed, inside and outside of transactions, also for a later reader elsewhere. */
static void reuse(void)
{
	struct item *first = NULL, *again;

	for (int round = 0; round < 3; round++) {
		if (round == 1)
			DSM_TX
				again = dsm_new(struct item, 100);
		else
			again = dsm_new(struct item, 100);
		CHECK(!first || again == first);
		first = again;
		DSM_TX {
			for (int i = 0; i < 100; i++) {
				struct item *item = dsm_at(again, i);

				if (item->number || item->next || item->zero[2])
					dsm_defer((void (*)(void *))abort, NULL, 0);
				memset(item, 0xaa, sizeof(*item));
			}
		}
		if (round == 2)
			DSM_TX
				dsm_free(again);
		else
			dsm_free(again);
	}
	/* a cancelled free is none; a cancelled allocation leaves fresh memory fresh */
	first = dsm_new(struct item, 1);
	DSM_TX
		first->number = 7;
	DSM_TX {
		dsm_free(first);
		dsm_cancel();
	}
	long number;
	dsm_peek(&number, &first->number, sizeof(number));
	CHECK(number == 7);
	CHECK(dsm_new(struct item, 1) != first);
	dsm_free(first);
}

/* Node 0 allocates, the others free, some of it in transactions that are cancelled or abort. */
static void foreign(void)
{
	enum { N = 3000 };
	struct item **table;
	long left = 0;

	if (dsm_node() == 0) {
		table = dsm_new_flat(struct item *, N);
		for (int i = 0; i < N; i++) {
			struct item *item = dsm_new(struct item, 1);

			DSM_TX {
				table[i] = item;
				memset(item, 0x55, sizeof(*item));
			}
		}
		dsm_root_set("table", table);
	}
	dsm_barrier();
	table = dsm_root("table");
	if (dsm_node()) {
		for (int i = 0; i < N; i += 50) {
			DSM_TX {
				for (int k = i; k < i + 50; k++)
					dsm_free(table[k]);
				dsm_cancel();
			}
			DSM_TX {
				for (int k = i; k < i + 50; k++) {
					dsm_free(table[k]);
					table[k] = NULL;
				}
			}
		}
	}
	dsm_barrier(); /* notes come before the barrier's message on the same connection */
	if (dsm_node() == 0) {
		DSM_TX {
			left = 0;
			for (int i = 0; i < N; i++)
				left += table[i] != NULL;
		}
		CHECK(left == (dsm_nodes() > 1 ? 0 : N));
		for (int i = 0; i < N; i++) { /* all of it can be had again, zeroed */
			struct item *item = dsm_new(struct item, 1);
			long number;

			dsm_peek(&number, &item->number, sizeof(number));
			CHECK(number == 0);
			dsm_free(item);
		}
		dsm_free(table);
	}
}

/* Objects come and go in a table that all nodes use: whoever finds one checks that it is whole, and frees it.
 * Memory that is reused too early, not zeroed, or handed out twice shows as a wrong pattern. */
struct blob {
	long slot, size;
	unsigned char bytes[];
};

static int whole(const struct blob *b, long slot)
{
	unsigned char want = (unsigned char)(b->slot * 31 + b->size);

	if (b->slot != slot || b->size < 1 || b->size > 9000)
		return 0;
	for (long i = 0; i < b->size; i++)
		if (b->bytes[i] != want)
			return 0;
	return 1;
}

static int make_blob(struct blob **place, long slot, long size)
{
	struct blob *b = (struct blob *)dsm_new_flat(char, sizeof(*b) + size);
	int zero = 1;

	for (long i = 0; i < size; i++)
		zero &= !b->bytes[i];
	b->slot = slot;
	b->size = size;
	memset(b->bytes, (unsigned char)(slot * 31 + size), size);
	*place = b;
	return zero;
}

static void churn(void)
{
	enum { SLOTS = 200, ROUNDS = 4000 };
	unsigned seed = 17 * dsm_node() + 1;
	struct blob **table;
	long broken = 0, live = 0;

	if (dsm_node() == 0)
		dsm_root_set("table", dsm_new_flat(struct blob *, SLOTS));
	dsm_barrier();
	table = dsm_root("table");
	for (int i = 0; i < ROUNDS; i++) {
		long slot = rand_r(&seed) % SLOTS, size = 1 + rand_r(&seed) % (i % 20 ? 300 : 9000);
		int cancel = rand_r(&seed) % 10 == 0, good = 1;

		DSM_TX {
			attempts++;
			if (!table[slot]) {
				good = make_blob(&table[slot], slot, size);
			} else {
				good = whole(table[slot], slot);
				dsm_free(table[slot]);
				table[slot] = NULL;
			}
			if (cancel)
				dsm_cancel();
		}
		broken += !good;
	}
	CHECK(broken == 0);
	dsm_barrier();
	if (dsm_node() == 0) {
		DSM_TX {
			for (int i = 0; i < SLOTS; i++) {
				live += table[i] != NULL;
				broken += table[i] && !whole(table[i], i);
			}
		}
		printf("live %ld\n", live + 1);
		CHECK(broken == 0);
	}
}

static void roots(void)
{
	char name[48], *big = dsm_new_flat(char, 100);
	int me = dsm_node(), n = dsm_nodes();

	CHECK(dsm_root_set("", big) == -EINVAL);
	CHECK(dsm_root_set("stack", name) == -EINVAL);
	CHECK(dsm_root_set("0123456789012345678901234567890123456789012345678", big) == -ENAMETOOLONG);
	CHECK(dsm_root_set("01234567890123456789012345678901234567890123456", big) == 0); /* 47 bytes */
	CHECK(dsm_root("nobody") == NULL);
	snprintf(name, sizeof(name), "big of %d", me);
	CHECK(dsm_root_set(name, big + 5) == 0);
	DSM_TX {
		dsm_root_set(name, big + 6);
		dsm_root_set("cancelled", big);
		dsm_cancel();
	}
	CHECK(dsm_root(name) == big + 5);
	CHECK(dsm_root("cancelled") == NULL);
	dsm_barrier();
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "big of %d", i);
		CHECK(dsm_root(name) != NULL);
		CHECK((dsm_root(name) == big + 5) == (i == me));
	}
	dsm_barrier();
	snprintf(name, sizeof(name), "big of %d", (me + 1) % n); /* the neighbour's goes */
	CHECK(dsm_root_set(name, NULL) == 0);
	dsm_barrier();
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "big of %d", i);
		CHECK(dsm_root(name) == NULL);
	}
	dsm_barrier();
	if (me == 0) { /* removed names give their place back, and a full table says so */
		int held = 0, err;

		for (int round = 0; round < 3; round++) {
			for (held = 0;; held++) {
				snprintf(name, sizeof(name), "round %d name %d", round, held);
				if ((err = dsm_root_set(name, big)))
					break;
			}
			CHECK(err == -ENOSPC && held >= 64);
			for (int i = 0; i < held; i++) {
				snprintf(name, sizeof(name), "round %d name %d", round, i);
				CHECK(dsm_root(name) == big);
				CHECK(dsm_root_set(name, NULL) == 0);
			}
		}
	}
}

/* ---- layouts, as heap_test.sh asks for them ---- */

static struct cell *make_cells(long n)
{
	struct cell *cells = dsm_new(struct cell, n);

	STAY;
	return cells;
}

/* Called through this, it stays a function of its own, whose call site a plan can name. */
static struct cell *(*volatile make_cells_here)(long) = make_cells;

static void layout(void)
{
	struct cell *cells, *other, *flat;
	long *before, *after;

	if (dsm_node() == dsm_nodes() - 1) {
		before = dsm_new(long, 1);
		cells = make_cells_here(100);
		after = dsm_new(long, 1);
		other = dsm_new(struct cell, 100); /* another call site */
		flat = dsm_new_flat(struct cell, 4);
		dsm_root_set("cells", cells);
		printf("before %p\nafter %p\nother %p %p\nflat %p\n", (void *)before, (void *)after,
		       (void *)other, (void *)dsm_at(other, 1), (void *)flat);
		DSM_TX {
			for (int i = 0; i < 100; i++)
				dsm_at(cells, i)->v[5] = i;
			flat[3].v[0] = 1;
		}
	}
	dsm_barrier();
	cells = dsm_root("cells");
	for (int i = 0; i < 100; i++) {
		double v;

		dsm_peek(&v, &dsm_at(cells, i)->v[5], sizeof(v));
		CHECK(v == i);
	}
	printf("cells %p %p %p %p\n", (void *)cells, (void *)dsm_at(cells, 1), (void *)dsm_at(cells, 10),
	       (void *)dsm_at(cells, 99));
	dsm_barrier();
	if (dsm_node() == 0) {
		dsm_root_set("cells", NULL);
		dsm_free(cells);
	}
}

/* ---- misuse: each ends the run with status 2 and a message ---- */

static void free_twice(void)
{
	struct item *item = dsm_new(struct item, 1);

	dsm_free(item);
	dsm_free(item); /* line named: FREE_TWICE */
	STAY;
}

static void free_twice_in_tx(void)
{
	struct item *item = dsm_new(struct item, 1);

	DSM_TX {
		dsm_free(item);
		dsm_free(item); /* line named: FREE_TWICE_IN_TX */
	}
}

static void free_inside(void)
{
	struct item *item = dsm_new(struct item, 10);

	dsm_free(&item[1]); /* line named: FREE_INSIDE */
	STAY;
}

static void free_malloced(void)
{
	void *volatile p = malloc(10);

	dsm_free(p); /* line named: FREE_MALLOCED */
	STAY;
}

static void free_foreign_twice(void)
{
	if (dsm_node() == 0)
		dsm_root_set("item", dsm_new(struct item, 1));
	dsm_barrier();
	if (dsm_node() == 1) {
		struct item *item = dsm_root("item");

		dsm_free(item);
		dsm_free(item);
	}
	dsm_barrier();
	dsm_barrier();
}

static void use_up(void)
{
	for (;;)
		dsm_new_flat(char, 1000000); /* line named: USE_UP */
}

static void huge(void)
{
	dsm_new(struct item, (size_t)-1 / 8); /* line named: HUGE */
	STAY;
}

static void *allocate(void *arg)
{
	(void)arg;
	dsm_new(struct item, 1); /* line named: THREAD */
	return NULL;
}

static void second_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, allocate, NULL);
	pthread_join(thread, NULL);
}

/* An array of dsm_new() taken for a plain one: fine without a plan. */
static void plain_index(void)
{
	struct cell *cells = make_cells_here(100);

	DSM_TX {
		for (int i = 99; i >= 0; i--)
			cells[i].v[5] = i; /* line named: PLAIN_INDEX */
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} scenarios[] = {
		{"undo", undo},
		{"reuse", reuse},
		{"foreign", foreign},
		{"churn", churn},
		{"roots", roots},
		{"mallocs", mallocs},
		{"contended-mallocs", contended_mallocs},
		{"defers", defers},
		{"layout", layout},
		{"plain-index", plain_index},
		{"free-twice", free_twice},
		{"free-twice-in-tx", free_twice_in_tx},
		{"free-inside", free_inside},
		{"free-malloced", free_malloced},
		{"free-foreign-twice", free_foreign_twice},
		{"use-up", use_up},
		{"huge", huge},
		{"second-thread", second_thread},
	};

	for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++) {
		if (argc == 2 && !strcmp(argv[1], scenarios[i].name)) {
			scenarios[i].run();
			return 0;
		}
	}
	fprintf(stderr, "heap_app: unknown scenario\n");
	return 3;
}
