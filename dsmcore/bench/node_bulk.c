/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * node_bulk.c - node 0 has dsm_touch() bring pages that node 1 wrote last; by turns with it the floor: one request over a
 * raw socket, and as many pages in one answer.
 *
 * Before each turn node 1 writes all that node 0 is going to touch, so each sample fetches each of its pages. What is taken one
 * by one is taken in no order, so that no stream is seen. The values prove that the new versions came, the node's counter that
 * the pages were fetched. Copies of rc are kept up to date as long as they are used, so there each sample has pages of its own,
 * which node 0 has never had: part of what they cost is memory that is touched for the first time.
 *
 * The owner, node 1, waits at a barrier, or it computes without any call; node 0 measures only within such a stretch.
 */
#include "dsmcore/bench/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dsm_events.h"

#define STRETCH_NS  200000000ull
#define WINDOW_NS   180000000ull
#define PATIENCE_NS 20000000000ull
#define POOL	    4096u  /* pages */
#define POOL_RC	    65536u /* of which one state of the owner may use a part */
#define AT_ONCE	    64u	   /* pages written in one transaction */
#define SAMPLES_MAX 9u	   /* of one turn, with the first, which is dropped */

static const unsigned sizes[] = BULK_SIZES;

struct control {
	uint64_t more;
};

struct bulk {
	const struct options *o;
	bool tx, rc;
	const char *owner;
	struct mesh mesh;
	struct floor_server *server;
	struct control *control;
	struct page *pages;
	unsigned size;	  /* pages of one sample */
	unsigned samples; /* of one turn */
	unsigned first;	  /* rc: page of the turn's first sample */
	unsigned spare;	  /* rc: pages that are left for this state */
	uint64_t value;
	uint8_t *buffer;
	struct taken dsm, floor;
	uint64_t fetched, deadline;
};

/* The pages of a sample lie together, those of two samples do not. */
static struct page *pages_of(const struct bulk *b, unsigned sample)
{
	unsigned places = POOL / b->size;

	if (b->rc)
		return b->pages + b->first + (size_t)sample * b->size;
	return b->pages + (size_t)(sample * 7919u % places) * b->size;
}

/* ---- the owner ---- */

static void write_sample(struct bulk *b, struct page *pages)
{
	for (unsigned first = 0; first < b->size; first += AT_ONCE) {
		unsigned end = first + AT_ONCE < b->size ? first + AT_ONCE : b->size;

		if (b->tx)
			DSM_TX {
				for (unsigned i = first; i < end; i++)
					pages[i].word[0] = b->value;
			}
		else
			for (unsigned i = first; i < end; i++)
				pages[i].word[0] = b->value;
	}
}

static void next_turn(struct bulk *b)
{
	if (!b->rc)
		return;
	b->first += b->samples * b->size;
	b->spare -= b->samples * b->size;
}

static bool go_on(struct bulk *b)
{
	struct control c;

	dsm_barrier();
	if (b->tx)
		dsm_peek(&c, b->control, sizeof(c));
	else
		c = *b->control;
	dsm_barrier();
	return c.more;
}

static void own(struct bulk *b, bool computing)
{
	floor_server__spin(b->server, b->mesh.separate && !computing);
	while (go_on(b)) {
		b->value++;
		for (unsigned i = 0; i < b->samples; i++)
			write_sample(b, pages_of(b, i));
		dsm_barrier();
		if (computing)
			node__compute(STRETCH_NS);
		next_turn(b);
	}
}

/* ---- the one who asks ---- */

static void touch_all(struct bulk *b, struct page *pages)
{
	int rc = dsm_touch(pages, b->size * sizeof(*pages), b->o->write ? DSM_WRITE : DSM_READ);

	if (rc)
		node__fail("dsm_touch() of %u pages: %s", b->size, strerror(-rc));
}

static uint64_t wrong_in(const struct bulk *b, const struct page *pages)
{
	uint64_t wrong = 0;

	for (unsigned i = 0; i < b->size; i++)
		wrong += pages[i].word[0] != b->value;
	return wrong;
}

/* The time that it took. */
static uint64_t touch_sample(struct bulk *b, struct page *pages)
{
	uint64_t start, took = 0, wrong = 0;

	node__pause(b->o->gap_us);
	if (b->tx) {
		DSM_TX {
			start = floor__now();
			touch_all(b, pages);
			took = floor__now() - start;
			wrong = wrong_in(b, pages);
		}
	} else {
		start = floor__now();
		touch_all(b, pages);
		took = floor__now() - start;
		wrong = wrong_in(b, pages);
	}
	if (wrong)
		node__fail("%u of %u pages have an old value", (unsigned)wrong, b->size);
	return took;
}

static void dsm_turn(struct bulk *b, uint64_t until)
{
	for (unsigned i = 0; i < b->samples && floor__now() < until; i++) {
		uint64_t took = touch_sample(b, pages_of(b, i));

		if (i)
			taken__add(&b->dsm, took);
	}
}

static void floor_turn(struct bulk *b, uint64_t until)
{
	int fd = b->mesh.fds[1];

	floor__pin(b->mesh.core);
	for (unsigned i = 0; i < b->samples && floor__now() < until; i++) {
		uint64_t start = floor__now();

		if (floor_wire__bulk(fd, b->buffer, b->size, b->mesh.separate))
			node__fail("the raw connection broke");
		if (i)
			taken__add(&b->floor, floor__now() - start);
	}
	if (floor_wire__park(fd))
		node__fail("the raw connection broke");
	floor__unpin();
}

static void set_more(struct bulk *b, bool more)
{
	if (b->tx)
		DSM_TX {
			b->control->more = more;
		}
	else
		b->control->more = more;
}

/* On a machine that others use one turn may take longer than all was to take; a figure without samples is none. */
static bool enough(const struct bulk *b)
{
	uint64_t now = floor__now();

	if (b->dsm.n == b->dsm.room && b->floor.n == b->floor.room)
		return true;
	if (b->rc && b->spare < b->samples * b->size)
		return true;
	return now >= b->deadline && ((b->dsm.n && b->floor.n) || now >= b->deadline + PATIENCE_NS);
}

static void ask(struct bulk *b, bool computing)
{
	uint64_t until;

	for (;;) {
		struct dsm_counters before, after;

		set_more(b, !enough(b));
		if (!go_on(b))
			return;
		b->value++;
		dsm_barrier();
		until = computing ? floor__now() + WINDOW_NS : UINT64_MAX;
		node__counters(&before);
		dsm_turn(b, until);
		node__counters(&after);
		b->fetched += after.pages_in - before.pages_in;
		floor_turn(b, until);
		next_turn(b);
	}
}

/* ---- one size, one state of the owner ---- */

static void print_state(struct bulk *b)
{
	char key[32];

	snprintf(key, sizeof(key), "bulk%u", b->size);
	taken__print(&b->dsm, key, b->owner);
	snprintf(key, sizeof(key), "floor%u", b->size);
	taken__print(&b->floor, key, b->owner);
	snprintf(key, sizeof(key), "fetched%u.%s", b->size, b->owner);
	node__value(key, (double)b->fetched);
}

static void measure(struct bulk *b, unsigned size, enum owner state)
{
	b->owner = state == OWNER_COMPUTING ? "computing" : "waiting";
	b->size = size;
	b->samples = POOL / size < SAMPLES_MAX ? POOL / size : SAMPLES_MAX;
	if (b->samples < 2)
		b->samples = 2;
	b->spare = b->o->pages ? POOL_RC / 2 : POOL_RC / (2 * sizeof(sizes) / sizeof(*sizes));
	if (dsm_node() == 1) {
		own(b, state == OWNER_COMPUTING);
		return;
	}
	b->dsm.n = b->floor.n = b->fetched = 0;
	b->deadline = floor__now() + (uint64_t)(b->o->seconds * 1e9);
	ask(b, state == OWNER_COMPUTING);
	print_state(b);
}

static void open_node(struct bulk *b)
{
	int rc;

	if (dsm_node() == 0) {
		taken__open(&b->dsm, b->o->count);
		taken__open(&b->floor, b->o->count);
		b->buffer = malloc((size_t)FLOOR_PAGES * FLOOR_PAGE);
		if (!b->buffer)
			node__fail("out of memory");
		memset(b->buffer, 0, (size_t)FLOOR_PAGES * FLOOR_PAGE);
		return;
	}
	rc = floor_server__start(&b->server, b->mesh.fds[0], b->mesh.core);
	if (rc)
		node__fail("a thread for the raw connection: %s", strerror(-rc));
	b->mesh.fds[0] = -1;
}

int node_bulk__main(const struct options *o)
{
	struct bulk b = {.o = o, .tx = !strcmp(o->consistency, "tx"), .rc = !strcmp(o->consistency, "rc")};

	mesh__open(&b.mesh, o);
	if (dsm_node() == 0)
		dsm_root_set("control", dsm_new(struct control, 1));
	if (dsm_node() == 1)
		dsm_root_set("pages", dsm_new_flat(struct page, b.rc ? POOL_RC : POOL));
	dsm_barrier();
	b.control = dsm_root("control");
	b.pages = dsm_root("pages");
	open_node(&b);
	for (size_t i = 0; i < (o->pages ? 1 : sizeof(sizes) / sizeof(*sizes)); i++) {
		unsigned size = o->pages ? o->pages : sizes[i];

		if (o->owner != OWNER_COMPUTING)
			measure(&b, size, OWNER_WAITING);
		if (o->owner != OWNER_WAITING)
			measure(&b, size, OWNER_COMPUTING);
	}
	mesh__close(&b.mesh);
	floor_server__stop(b.server);
	taken__close(&b.dsm);
	taken__close(&b.floor);
	free(b.buffer);
	return 0;
}
