/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * node_paths.c - one page written by turns; transactions on pages that nobody else has; barriers.
 *
 * In pingpong each node looks at the page, in transactions, until it is its turn, writes, and so hands over:
 * nothing but the page itself passes between the nodes. The round trip is the time between two of node 0's
 * turns.
 */
#include "dsmcore/bench/node.h"

#include <stdio.h>
#include <string.h>

#include "dsm_events.h"

#define COMMIT_BLOCK 512
#define WARM_COMMITS 2000
#define BATCH	     64	    /* transactions between two looks at the clock */
#define SETTLE_US    50000u /* the counter of messages is brought up to date every 20 ms */

struct ball {
	uint64_t turn, moves;
	uint64_t over; /* node 0 wants no more */
};

/* ---- pingpong ---- */

static void take_turn(struct ball *b, uint64_t self)
{
	bool mine = false;

	while (!mine)
		DSM_TX {
			mine = b->turn == self;
			if (mine) {
				b->moves++;
				b->turn = !self;
			}
		}
}

static void wire_block(struct mesh *m, struct taken *to)
{
	static uint8_t page[FLOOR_PAGE];
	int fd = m->fds[1], rc = 0;

	floor__pin(m->core);
	for (int i = 0; i <= BLOCK && !rc; i++) {
		uint64_t start = floor__now();

		rc = floor_wire__fetch(fd, page, m->separate);
		if (i)
			taken__add(to, floor__now() - start);
	}
	if (rc || (rc = floor_wire__park(fd)))
		node__fail("raw connection: %s", strerror(-rc));
	floor__unpin();
}

/* The clock stops while the wire is measured: the ball rests. */
static void play(struct ball *b, struct taken *t)
{
	uint64_t last = 0;

	for (int i = 0; i <= BLOCK + 1; i++) {
		take_turn(b, (uint64_t)dsm_node());
		uint64_t now = floor__now();

		if (i > 1)
			taken__add(t, now - last);
		last = now;
	}
}

static bool over(struct ball *b)
{
	struct ball seen;

	dsm_barrier();
	dsm_peek(&seen, b, sizeof(seen));
	dsm_barrier();
	return seen.over;
}

static void serve_and_play(struct mesh *m, struct ball *b)
{
	struct floor_server *server;
	struct taken none = {0};
	int rc = floor_server__start(&server, m->fds[0], m->core);

	if (rc)
		node__fail("a thread for the raw connection: %s", strerror(-rc));
	m->fds[0] = -1;
	floor_server__spin(server, m->separate);
	while (!over(b))
		play(b, &none);
	mesh__close(m);
	floor_server__stop(server);
}

static void play_and_measure(struct mesh *m, struct ball *b, const struct options *o)
{
	uint64_t deadline = floor__now() + (uint64_t)(o->seconds * 1e9);
	struct dsm_counters before, after;
	struct taken turns, wire;
	uint64_t played = 0;

	taken__open(&turns, o->count);
	taken__open(&wire, o->count);
	node__pause(SETTLE_US);
	node__counters(&before);
	while (turns.n < turns.room && floor__now() < deadline) {
		if (over(b))
			node__fail("the game is over too early");
		play(b, &turns);
		played += BLOCK + 2;
		wire_block(m, &wire);
		node__progress((double)turns.n / (double)turns.room);
	}
	DSM_TX {
		b->over = 1;
	}
	over(b);
	taken__print(&turns, "pingpong", "-");
	taken__print(&wire, "wire", "-");
	node__pause(SETTLE_US);
	node__counters(&after);
	node__value("messages",
		    (double)(after.messages_out - before.messages_out) / (double)(played ? played : 1));
	mesh__close(m);
	taken__close(&turns);
	taken__close(&wire);
}

int node_pingpong__main(const struct options *o)
{
	struct mesh m;
	struct ball *b;

	mesh__open(&m, o);
	if (dsm_node() == 0)
		dsm_root_set("ball", dsm_new_flat(struct page, 1));
	dsm_barrier();
	b = dsm_root("ball");
	if (dsm_node() == 0)
		play_and_measure(&m, b, o);
	else
		serve_and_play(&m, b);
	return 0;
}

/* ---- commit ---- */

struct tally {
	uint64_t commits, aborts, ns;
};

static uint64_t attempts; /* a global is not undone */

static void one_commit(struct page *pages, unsigned n)
{
	DSM_TX {
		attempts++;
		for (unsigned i = 0; i < n; i++)
			pages[i].word[256]++;
	}
}

static void measure_commits(const struct options *o, struct page *pages, unsigned n)
{
	struct floor_compare *floor;
	struct taken dsm, bare;
	int rc = floor_compare__open(&floor, n);

	if (rc)
		node__fail("out of memory for the floor");
	taken__open(&dsm, o->count);
	taken__open(&bare, o->count);
	while (dsm.n < dsm.room) {
		uint64_t last, now;

		for (int i = 0; i <= COMMIT_BLOCK; i++, last = now) {
			one_commit(pages, n);
			now = floor__now();
			if (i)
				taken__add(&dsm, now - last);
		}
		for (int i = 0; i <= COMMIT_BLOCK; i++, last = now) {
			floor_compare__once(floor);
			now = floor__now();
			if (i)
				taken__add(&bare, now - last);
		}
		if (dsm_node() == 0)
			node__progress((double)dsm.n / (double)dsm.room);
	}
	if (dsm_node() == 0) {
		taken__print(&dsm, "commit", "-");
		taken__print(&bare, "compare", "-");
	}
	floor_compare__close(floor);
	taken__close(&dsm);
	taken__close(&bare);
}

/* All nodes at once, for so many seconds. Only commits that ended in that time count. */
static void measure_rate(const struct options *o, struct page *pages, unsigned n, struct tally *tallies)
{
	uint64_t start = floor__now(), until = start + (uint64_t)(o->seconds * 1e9), now = start;
	struct tally mine = {0}, all = {0}, each;
	char key[32];

	for (attempts = 0; now < until; now = floor__now())
		for (int i = 0; i < BATCH; i++, mine.commits++)
			one_commit(pages, n);
	mine.ns = now - start;
	mine.aborts = attempts - mine.commits;
	dsm_barrier();
	DSM_TX {
		tallies[dsm_node()] = mine;
	}
	dsm_barrier();
	if (dsm_node())
		return;
	double rate = 0;

	for (int i = 0; i < dsm_nodes(); i++) {
		dsm_peek(&each, &tallies[i], sizeof(each));
		rate += (double)each.commits * 1e9 / (double)each.ns;
		all.aborts += each.aborts;
	}
	snprintf(key, sizeof(key), "rate.%d", dsm_nodes());
	node__value(key, rate);
	snprintf(key, sizeof(key), "aborts.%d", dsm_nodes());
	node__value(key, (double)all.aborts);
}

int node_commit__main(const struct options *o)
{
	unsigned n = o->pages ? o->pages : 1;
	struct page *pages = dsm_new_flat(struct page, n);
	struct tally *tallies;

	if (dsm_node() == 0)
		dsm_root_set("tallies", dsm_new_flat(struct tally, (size_t)dsm_nodes()));
	dsm_barrier();
	tallies = dsm_root("tallies");
	for (int i = 0; i < WARM_COMMITS; i++)
		one_commit(pages, n);
	dsm_barrier();
	if (o->disjoint)
		measure_rate(o, pages, n, tallies);
	dsm_barrier();
	measure_commits(o, pages, n);
	dsm_barrier();
	return 0;
}

/* ---- barrier ---- */

/* All nodes must stop at the same block, so only a count ends it, not the clock. */
int node_barrier__main(const struct options *o)
{
	struct taken dsm, raw;
	struct mesh m;
	unsigned blocks = (o->count + BLOCK - 1) / BLOCK;

	mesh__open(&m, o);
	taken__open(&dsm, o->count);
	taken__open(&raw, o->count);
	for (unsigned k = 0; k < blocks; k++) {
		for (int i = 0; i <= BLOCK; i++) {
			uint64_t start = floor__now();

			dsm_barrier();
			if (i)
				taken__add(&dsm, floor__now() - start);
		}
		floor__pin(m.core);
		for (int i = 0; i <= BLOCK; i++) {
			uint64_t start = floor__now();
			int rc = floor_wire__exchange(m.fds, (unsigned)dsm_node(), (unsigned)dsm_nodes(),
						      m.crowded);

			if (rc)
				node__fail("raw connection: %s", strerror(-rc));
			if (i)
				taken__add(&raw, floor__now() - start);
		}
		floor__unpin();
		if (dsm_node() == 0)
			node__progress((double)k / blocks);
	}
	mesh__close(&m);
	if (dsm_node() == 0) {
		taken__print(&dsm, "barrier", "-");
		taken__print(&raw, "exchange", "-");
	}
	taken__close(&dsm);
	taken__close(&raw);
	return 0;
}
