// SPDX-License-Identifier: BSD-2-Clause
/*
 * models.c - the calls of dsm.h under each consistency model, and their misuse. One argument: what to do. The line of a
 * misuse is marked with its name.
 */
#include <dsm.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 300, BYTES = 3 * DSM_PAGE_SIZE };

struct shared {
	long site, named, nested, by_hand, looped, deferred, copied, copied_loop;
	struct {
		long value;
		char rest[56];
	} part[64];
};

static struct shared *s;
static long *of[4]; /* counters of the models, by enum dsm_consistency */
static int failed;

static void check(const char *what, long found, long expected)
{
	if (found == expected)
		return;
	fprintf(stderr, "node %d: %s: %ld instead of %ld\n", dsm_node(), what, found, expected);
	failed = 1;
}

static void build(void)
{
	static const char *const names[] = {"", "txn", "seq", "rel"};

	if (dsm_node() == 0) {
		dsm_root_set("shared", dsm_new(struct shared, 1));
		dsm_root_set("txn", dsm_new_in(DSM_TXN, long, 1));
		dsm_root_set("seq", dsm_new_in(DSM_SEQ, long, 1));
		dsm_root_set("rel", dsm_new_flat_in(DSM_REL, long, 1));
	}
	dsm_barrier();
	s = dsm_root("shared");
	for (int i = DSM_TXN; i <= DSM_REL; i++)
		of[i] = dsm_root(names[i]);
}

static void add_deferred(void *arg)
{
	check("a deferred call runs outside the block", dsm_in_tx(), false);
	DSM_TX_ON(&s->deferred) {
		s->deferred += *(const long *)arg;
	}
}

static void inner(int depth)
{
	DSM_TX_ON(&s->nested) {
		s->nested++;
		if (depth)
			inner(depth - 1);
	}
}

/* Copied by the compiler to wherever it is called, the block remains one. */
static inline __attribute__((always_inline)) void add_copied(void)
{
	DSM_TX {
		s->copied++;
	}
}

static inline __attribute__((always_inline)) void loop_copied(void)
{
	DSM_TX_FOR(i, 0, 10) {
		s->copied_loop++;
	}
}

static void count_copied(void)
{
	if (dsm_node() % 2) {
		for (long i = 0; i < 10 * ROUNDS; i++) {
			add_copied();
			loop_copied();
		}
	} else {
		for (long i = 0; i < 10 * ROUNDS; i++) {
			loop_copied();
			add_copied();
		}
	}
}

/* Everybody adds to everything. */
static void count(void)
{
	for (long i = 0; i < ROUNDS; i++) {
		DSM_TX {
			s->site++;
		}
		DSM_TX_ON(&s->named) {
			s->named++;
			inner(1); /* an inner block, and one within itself */
			dsm_defer(add_deferred, &(long){2}, sizeof(long));
			check("inside", dsm_in_tx(), true);
		}
		for (int k = DSM_SEQ; k <= DSM_REL; k++) {
			dsm_lock(of[k]);
			dsm_lock(of[k]);
			++*of[k];
			dsm_unlock(of[k]);
			++*of[k];
			dsm_unlock(of[k]);
		}
		DSM_TX_ALWAYS {
			++*of[DSM_TXN];
		}
	}
	DSM_TX_FOR_ON(&s->looped, i, 0, ROUNDS)
		s->looped++;
	for (long i = 0; i < 10; i++) {
		DSM_TX_ON(&s->part[dsm_node()]) {
			s->part[dsm_node()].value++;
			if (i % 2)
				continue; /* leaves the block, and gives its lock back */
		}
	}
}

static void check_counts(void)
{
	long all = (long)dsm_nodes() * ROUNDS, value;
	struct shared copy;

	dsm_peek(&copy, s, sizeof(copy));
	check("blocks of one place", copy.site, all);
	check("blocks on an object", copy.named, all);
	check("nested blocks", copy.nested, 2 * all);
	check("loop", copy.looped, all);
	check("a block in two copies", copy.copied, 10 * all);
	check("a loop in two copies", copy.copied_loop, 100 * all);
	check("deferred", copy.deferred, 2 * all);
	for (int i = 0; i < dsm_nodes(); i++)
		check("part", copy.part[i].value, 10);
	for (int k = DSM_TXN; k <= DSM_REL; k++) {
		dsm_peek(&value, of[k], sizeof(value));
		check("object of another model", value, k == DSM_TXN ? all : 2 * all);
	}
}

/* All nodes write the same pages, each every nth byte, again and again; only barriers between. */
static void interleave(void)
{
	uint8_t *bytes, copy[BYTES];
	int n = dsm_nodes();

	if (dsm_node() == 0)
		dsm_root_set("bytes", dsm_new_flat_in(DSM_REL, uint8_t, BYTES));
	dsm_barrier();
	bytes = dsm_root("bytes");
	for (int round = 1; round <= 50; round++) {
		for (int i = dsm_node(); i < BYTES; i += n)
			bytes[i] = (uint8_t)(i * round);
		dsm_barrier();
		dsm_peek(copy, bytes, sizeof(copy));
		for (int i = 0; i < BYTES; i++)
			if (copy[i] != (uint8_t)(i * round)) {
				check("a byte that another node has written", copy[i], (uint8_t)(i * round));
				return;
			}
		dsm_barrier();
	}
}

/* Memory that another node has used and freed is zero again. */
static void reuse(enum dsm_consistency model, const char *name)
{
	long *object;

	for (int round = 0; round < 20; round++) {
		if (dsm_node() == 0) {
			object = dsm_new_flat_in(model, long, 100);
			for (int i = 0; i < 100; i++)
				check("reused memory", object[i], 0);
			dsm_root_set(name, object);
		}
		dsm_barrier();
		object = dsm_root(name);
		for (int i = dsm_node(); i < 100; i += dsm_nodes())
			object[i] = round + 1;
		dsm_barrier();
		if (dsm_node() == dsm_nodes() - 1)
			dsm_free(object);
		dsm_barrier();
	}
}

static void touch(void)
{
	enum { LONGS = 64 * 512 };
	long *rel, sum = 0;

	if (dsm_node() == 0) {
		rel = dsm_new_flat_in(DSM_REL, long, LONGS);
		for (long i = 0; i < LONGS; i++)
			rel[i] = i;
		dsm_root_set("touched", rel);
	}
	dsm_barrier();
	rel = dsm_root("touched");
	check("dsm_touch() outside blocks", dsm_touch(rel, LONGS * sizeof(*rel), DSM_READ), 0);
	for (long i = 0; i < LONGS; i++)
		sum += rel[i];
	check("touched", sum, (long)LONGS * (LONGS - 1) / 2);
	dsm_barrier();
}

/* The sums that are read in a transaction from memory that is rc. */
static void read_in_transaction(void)
{
	long seen = 0;

	DSM_TX_ALWAYS {
		seen = *of[DSM_REL];
	}
	check("rc memory read in a transaction", seen, 2l * dsm_nodes() * ROUNDS);
}

static int work(void)
{
	build();
	count();
	count_copied();
	dsm_barrier();
	check_counts();
	read_in_transaction();
	DSM_TX_ON(s) {
		dsm_irrevocable();
	}
	dsm_barrier();
	interleave();
	reuse(DSM_REL, "rel.reused");
	reuse(DSM_SEQ, "seq.reused");
	touch();
	if (dsm_node() == 0 && !failed)
		puts("ok");
	return failed;
}

/* ---- misuse ---- */

static void misuse(const char *kind)
{
	long local = 0;

	build();
	if (!strcmp(kind, "cancel"))
		DSM_TX
			dsm_cancel(); /* cancel */
	if (!strcmp(kind, "retry"))
		DSM_TX
			dsm_retry(); /* retry */
	if (!strcmp(kind, "allocate"))
		DSM_TX_ALWAYS(void)
			dsm_new_in(DSM_REL, long, 1); /* allocate */
	if (!strcmp(kind, "write"))
		DSM_TX_ALWAYS
			*of[DSM_SEQ] = 1; /* write */
	if (!strcmp(kind, "unlock"))
		dsm_unlock(s); /* unlock */
	if (!strcmp(kind, "unlock-twice")) {
		dsm_lock(s);
		dsm_unlock(s);
		dsm_unlock(s); /* unlock-twice */
	}
	if (!strcmp(kind, "unlock-block"))
		DSM_TX_ON(s)
			dsm_unlock(s); /* unlock-block */
	if (!strcmp(kind, "lock-inside"))
		DSM_TX_ALWAYS
			dsm_lock(s); /* lock-inside */
	if (!strcmp(kind, "barrier-inside"))
		DSM_TX
			dsm_barrier(); /* barrier-inside */
	if (!strcmp(kind, "private"))
		dsm_lock(&local); /* private */
	if (!strcmp(kind, "outside"))
		++*of[DSM_TXN]; /* outside */
	if (!strcmp(kind, "exit-locked")) {
		dsm_lock(of[DSM_SEQ]); /* exit-locked */
		exit(0);
	}
	if (!strcmp(kind, "circle")) {
		dsm_lock(&s->part[dsm_node()]); /* held */
		dsm_barrier();
		dsm_lock(&s->part[!dsm_node()]); /* circle */
	}
	if (!strcmp(kind, "locked-barrier")) {
		dsm_lock(s);   /* locked */
		dsm_barrier(); /* barrier */
	}
	if (!strcmp(kind, "exit-inside"))
		DSM_TX_ON(s) /* exit-inside */
			exit(0);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 3;
	if (!strcmp(argv[1], "work"))
		return work();
	misuse(argv[1]);
	return 4;
}
