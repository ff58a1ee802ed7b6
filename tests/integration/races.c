/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * races SECONDS: nodes that write and read the same pages as fast as they can, each attempt checking what it
 * sees.
 *
 * All words of a group of pages are written together and always equal. So an attempt that sees two different
 * ones, whether it will be aborted or not, has seen half of a write, of a diff, of a page, or of a
 * transaction. The library's memcpy() looks, too: what it was given after the attempt's doom must never be
 * seen by the program.
 */
#include <dsm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GROUPS 5
#define WORDS  1300 /* two to three pages, so that groups share pages at their edges */
#define HOT    8

struct group {
	uint64_t word[WORDS];
};

struct hot { /* of one node, which writes it all the time; now and then somebody looks */
	uint64_t count[HOT];
	char rest[4096 - HOT * sizeof(uint64_t)];
};

static struct group *group[GROUPS];
static struct hot *hot[64];
static uint64_t state, commits, local[WORDS]; /* not undone */

static uint32_t draw(uint32_t limit)
{
	uint64_t z = state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	return (uint32_t)((z >> 32) % limit);
}

static void broken(const char *what, uint64_t a, uint64_t b)
{
	char text[200];
	int n = snprintf(text, sizeof(text), "races: node %d saw half of %s: %llx and %llx\n", dsm_node(),
			 what, (unsigned long long)a, (unsigned long long)b);

	if (write(STDERR_FILENO, text, (size_t)n) == n)
		_exit(3);
	_exit(4);
}

static void check(const volatile uint64_t *word, const char *what)
{
	uint64_t first = word[0];

	for (uint32_t i = 1 + draw(30); i < WORDS; i += 1 + draw(60))
		if (word[i] != first)
			broken(what, first, word[i]);
	if (word[WORDS - 1] != first)
		broken(what, first, word[WORDS - 1]);
}

static void look(struct group *g)
{
	DSM_TX {
		check(g->word, "a write");
	}
}

static void look_twice(struct group *a, struct group *b)
{
	DSM_TX {
		check(a->word, "a write");
		check(b->word, "a write");
		check(a->word, "two versions");
	}
}

static void copy_out(struct group *g)
{
	DSM_TX {
		memcpy(local, g->word, sizeof(local));
		check(local, "a copy");
	}
}

static void rewrite(struct group *g)
{
	uint64_t stamp = (uint64_t)dsm_node() << 56 | ++commits;

	DSM_TX {
		if (draw(2))
			check(g->word, "a write");
		for (uint32_t i = 0; i < WORDS; i++)
			g->word[i] = stamp;
		check(g->word, "its own write");
	}
}

static void count(struct hot *h)
{
	DSM_TX {
		uint64_t next = h->count[0] + 1;

		for (uint32_t i = 0; i < HOT; i++)
			h->count[i] = next;
	}
}

static void look_at_hot(const struct hot *h)
{
	DSM_TX {
		uint64_t first = *(const volatile uint64_t *)&h->count[0];

		if (h->count[HOT - 1] != first)
			broken("a count", first, h->count[HOT - 1]);
	}
}

static void act(void)
{
	struct group *g = group[draw(GROUPS)];
	uint32_t kind = draw(100);

	if (kind < 20)
		look(g);
	else if (kind < 30)
		look_twice(g, group[draw(GROUPS)]);
	else if (kind < 40)
		copy_out(g);
	else if (kind < 70)
		rewrite(g);
	else if (kind < 97)
		count(hot[dsm_node()]);
	else
		look_at_hot(hot[draw((uint32_t)dsm_nodes())]);
}

static void set_up(void)
{
	char name[32];

	for (int i = 0; i < GROUPS; i++) {
		snprintf(name, sizeof(name), "group-%d", i);
		if (dsm_node() == i % dsm_nodes())
			dsm_root_set(name, dsm_new_flat(struct group, 1));
	}
	snprintf(name, sizeof(name), "hot-%d", dsm_node());
	dsm_root_set(name, dsm_new_flat(struct hot, 1));
	dsm_barrier();
	for (int i = 0; i < GROUPS; i++) {
		snprintf(name, sizeof(name), "group-%d", i);
		group[i] = dsm_root(name);
	}
	for (int i = 0; i < dsm_nodes(); i++) {
		snprintf(name, sizeof(name), "hot-%d", i);
		hot[i] = dsm_root(name);
	}
}

int main(int argc, char **argv)
{
	double seconds = argc == 2 ? atof(argv[1]) : 0;
	struct timespec begin, now;
	uint64_t rounds = 0;

	if (seconds <= 0 || dsm_nodes() > 64) {
		fprintf(stderr, "races: SECONDS, on at most 64 nodes\n");
		return 2;
	}
	state = (uint64_t)dsm_node() * 77 + 1;
	set_up();
	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		act();
		rounds++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((double)(now.tv_sec - begin.tv_sec) + (double)(now.tv_nsec - begin.tv_nsec) / 1e9 < seconds);
	dsm_barrier();
	printf("node %d: %llu transactions\n", dsm_node(), (unsigned long long)rounds);
	return 0;
}
