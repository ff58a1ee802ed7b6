/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * node_fault.c - node 0 reads pages that node 1 wrote last; and the floor of that, alone or by turns with it.
 *
 * Each page is read once, in random order, so that neither prefetch nor a history of the page can help: every
 * sample is one access that finds no copy here. Before, node 0 had a copy of each page and lost it to node
 * 1's write, so no memory is touched for the first time. The value proves that the new version came, and the
 * node's counter how many pages were fetched.
 *
 * --sequential is the other way round: all pages in their order, one after the other, so that the DSM sees
 * what comes next. The floor, which cannot, follows when they are read.
 *
 * The owner, node 1, waits at a barrier, or it computes for 100 ms at a time without any call; node 0
 * measures only within such a stretch.
 */
#include "dsmcore/bench/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dsm_events.h"

#define STRETCH_NS 100000000ull
#define WINDOW_NS  85000000ull
#define AT_ONCE	   64 /* pages written in one transaction */

struct control {
	uint64_t more;
};

struct fault {
	const struct options *o;
	const char *owner;
	struct mesh mesh;
	struct floor_server *server;
	struct floor_trap *trap;
	struct control *control;
	struct page *pages;
	size_t npages, next;
	uint32_t *order;
	uint64_t expect, deadline;
	struct taken dsm, floor, wire, bare;
	bool with_dsm, parts;
};

/* ---- the owner ---- */

static void write_all(struct fault *f, uint64_t value)
{
	for (size_t first = 0; first < f->npages; first += AT_ONCE)
		DSM_TX {
			for (size_t i = first; i < f->npages && i < first + AT_ONCE; i++)
				f->pages[i].word[i % 512] = value;
		}
}

static bool go_on(struct fault *f)
{
	struct control c;

	dsm_barrier();
	dsm_peek(&c, f->control, sizeof(c));
	dsm_barrier();
	return c.more;
}

static void own(struct fault *f, bool computing)
{
	floor_server__spin(f->server, f->mesh.separate && !computing);
	while (go_on(f))
		if (computing)
			node__compute(STRETCH_NS);
}

/* ---- the one who reads ---- */

static void shuffle(struct fault *f)
{
	uint64_t x = 88172645463325252ull;

	for (size_t i = 0; i < f->npages; i++)
		f->order[i] = (uint32_t)i;
	for (size_t i = f->npages - 1; i > 0 && !f->o->sequential; i--) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		size_t k = x % (i + 1);
		uint32_t t = f->order[i];

		f->order[i] = f->order[k];
		f->order[k] = t;
	}
}

static void read_all(struct fault *f)
{
	for (size_t first = 0; first < f->npages; first += AT_ONCE)
		DSM_TX {
			for (size_t i = first; i < f->npages && i < first + AT_ONCE; i++)
				(void)*(volatile uint64_t *)&f->pages[i].word[0];
		}
}

static void dsm_block(struct fault *f)
{
	uint64_t took[BLOCK + 1], wrong = 0;

	DSM_TX {
		for (size_t i = 0; i <= BLOCK; i++) {
			uint32_t page = f->order[f->next + i];
			uint64_t start, value;

			node__pause(f->o->gap_us);
			start = floor__now();
			value = *(volatile uint64_t *)&f->pages[page].word[page % 512];
			took[i] = floor__now() - start;
			wrong += value != f->expect;
		}
	}
	if (wrong)
		node__fail("%d of %d pages have an old value", (int)wrong, BLOCK + 1);
	f->next += BLOCK + 1;
	for (size_t i = 1; i <= BLOCK; i++)
		taken__add(&f->dsm, took[i]);
}

static void one_floor(struct fault *f, struct taken *to, int fd, bool trap)
{
	static uint8_t page[FLOOR_PAGE];
	uint64_t start, took;

	node__pause(f->o->gap_us);
	if (trap) {
		took = floor_trap__access(f->trap, fd, f->mesh.separate);
	} else {
		start = floor__now();
		took = floor_wire__fetch(fd, page, f->mesh.separate) ? 0 : floor__now() - start;
	}
	if (!took)
		node__fail("the raw connection broke");
	if (to)
		taken__add(to, took);
}

static void floor_block(struct fault *f)
{
	int fd = f->mesh.fds[1];

	floor__pin(f->mesh.core);
	if (floor_trap__enter(f->trap))
		node__fail("the handler of SIGBUS cannot be replaced");
	for (int i = 0; i <= BLOCK; i++)
		one_floor(f, i ? &f->floor : NULL, fd, true);
	for (int i = 0; f->parts && i <= BLOCK; i++) {
		one_floor(f, i ? &f->wire : NULL, fd, false);
		one_floor(f, i ? &f->bare : NULL, -1, true);
	}
	floor_trap__leave(f->trap);
	if (floor_wire__park(fd))
		node__fail("the raw connection broke");
	floor__unpin();
}

static void window(struct fault *f, uint64_t until)
{
	while (f->o->sequential && f->with_dsm && f->next < f->npages && floor__now() < until)
		dsm_block(f);
	while (f->floor.n < f->floor.room && floor__now() < until) {
		if (f->with_dsm && !f->o->sequential)
			dsm_block(f);
		floor_block(f);
	}
}

static void read_by_turns(struct fault *f, bool computing)
{
	double of = (double)f->floor.room;

	for (;;) {
		bool more = f->floor.n < f->floor.room && floor__now() < f->deadline;

		DSM_TX {
			f->control->more = more;
		}
		if (!go_on(f))
			return;
		window(f, computing ? floor__now() + WINDOW_NS : f->deadline);
		node__progress((double)f->floor.n / of * 0.5 + (computing ? 0.5 : 0));
	}
}

/* ---- one state of the owner ---- */

static void prepare(struct fault *f, uint64_t value)
{
	if (!f->with_dsm)
		return;
	if (dsm_node() == 1)
		write_all(f, value - 1);
	dsm_barrier();
	if (dsm_node() == 0)
		read_all(f);
	dsm_barrier();
	if (dsm_node() == 1)
		write_all(f, value);
	dsm_barrier();
	f->expect = value;
	f->next = 0;
}

static void print_state(struct fault *f, const struct dsm_counters *before)
{
	struct dsm_counters now;
	char key[32];

	taken__print(&f->floor, "floor", f->owner);
	if (f->parts) {
		taken__print(&f->wire, "wire", f->owner);
		taken__print(&f->bare, "trap", f->owner);
	}
	if (!f->with_dsm)
		return;
	taken__print(&f->dsm, "fault", f->owner);
	node__counters(&now);
	snprintf(key, sizeof(key), "fetched.%s", f->owner);
	node__value(key, (double)(now.faults_fetch - before->faults_fetch));
	snprintf(key, sizeof(key), "ahead.%s", f->owner);
	node__value(key, (double)(now.prefetch_used - before->prefetch_used));
}

static void measure(struct fault *f, enum owner state)
{
	struct dsm_counters before;

	f->owner = state == OWNER_COMPUTING ? "computing" : "waiting";
	prepare(f, 2 * (uint64_t)state);
	if (dsm_node() == 1) {
		own(f, state == OWNER_COMPUTING);
		return;
	}
	f->dsm.n = f->floor.n = f->wire.n = f->bare.n = 0;
	f->deadline = floor__now() + (uint64_t)(f->o->seconds * 1e9);
	node__counters(&before);
	read_by_turns(f, state == OWNER_COMPUTING);
	print_state(f, &before);
}

static void open_reader(struct fault *f)
{
	size_t blocks = (f->o->count + BLOCK - 1) / BLOCK;
	int rc = floor_trap__open(&f->trap);

	if (rc)
		node__fail("userfaultfd with SIGBUS and minor faults: %s; `dsmcheck` says what is missing",
			   strerror(-rc));
	taken__open(&f->dsm, f->o->count);
	taken__open(&f->floor, f->o->count);
	taken__open(&f->wire, f->parts ? f->o->count : 0);
	taken__open(&f->bare, f->parts ? f->o->count : 0);
	f->order = malloc((blocks * (BLOCK + 1) + 1) * sizeof(*f->order));
	if (!f->order)
		node__fail("out of memory");
	if (f->npages)
		shuffle(f);
}

static void open_owner(struct fault *f)
{
	int rc = floor_server__start(&f->server, f->mesh.fds[0], f->mesh.core);

	if (rc)
		node__fail("a thread for the raw connection: %s", strerror(-rc));
	f->mesh.fds[0] = -1;
}

static void close_all(struct fault *f)
{
	mesh__close(&f->mesh);
	floor_server__stop(f->server);
	floor_trap__close(f->trap);
	taken__close(&f->dsm);
	taken__close(&f->floor);
	taken__close(&f->wire);
	taken__close(&f->bare);
	free(f->order);
}

static int run(const struct options *o, bool with_dsm)
{
	struct fault f = {.o = o, .with_dsm = with_dsm, .parts = !with_dsm};

	f.npages = with_dsm ? (o->count + BLOCK - 1) / BLOCK * (BLOCK + 1) : 0;
	mesh__open(&f.mesh, o);
	if (dsm_node() == 0)
		dsm_root_set("control", dsm_new(struct control, 1));
	if (dsm_node() == 1 && f.npages)
		dsm_root_set("pages", dsm_new_flat(struct page, f.npages));
	dsm_barrier();
	f.control = dsm_root("control");
	f.pages = dsm_root("pages");
	if (dsm_node() == 0)
		open_reader(&f);
	else
		open_owner(&f);
	if (o->owner != OWNER_COMPUTING)
		measure(&f, OWNER_WAITING);
	if (o->owner != OWNER_WAITING)
		measure(&f, OWNER_COMPUTING);
	close_all(&f);
	return 0;
}

int node_fault__main(const struct options *o)
{
	return run(o, true);
}

int node_floor__main(const struct options *o)
{
	return run(o, false);
}
