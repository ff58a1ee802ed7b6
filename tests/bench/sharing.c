/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sharing PATTERN SECONDS [apart]: one way to share memory at a time, whose truth is known. predict.sh asks the report what a
 * change of layout would give, makes it, and measures what it gave. Some changes are for the source: `apart` is the program
 * with that change made. A step is a unit of work (dsm_progress); waiting for a turn is none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dsm.h>

#include "tests/work.h"

#define MOST_NODES 8
#define STAY	   50 /* updates of a migratory object before it goes on */
#define PHASE	   20 /* updates between two barriers */

struct slot { /* a node's own, beside those of others */
	uint64_t count, sum[5];
};

struct row { /* no page holds a whole number of them */
	uint64_t cell[375];
};

struct lone { /* one a node, allocated in a row */
	uint64_t count, last;
};

struct parts { /* fields of which different nodes use different ones */
	uint64_t first, second, third, fourth, fifth, sixth, seventh, eighth, data[8];
};

struct settings { /* read by all */
	uint64_t value[8];
};

struct stamp { /* written by node 0, now and then */
	uint64_t last, count;
};

struct hot { /* truly shared; so large that it has pages of its own */
	uint64_t value, padding[511];
};

struct parcel { /* handed from node to node */
	uint64_t count, sum[20];
};

static struct {
	struct slot *slots;
	struct row *rows;
	struct lone *lone;
	struct settings *settings;
	struct stamp *stamp;
	struct hot *hot, *stop;
	struct parcel *parcels;
	uint64_t *field[MOST_NODES], *data; /* of one struct parts or, apart, each on pages of its own */
} my;					    /* field[n] is a node's own where the pattern is about that */

static unsigned long seen;
static double end, limit;
static uint64_t done;

static void count_step(void)
{
	done++;
	dsm_progress(1);
}

/* ---- patterns: one step each ---- */

static void slots(uint64_t step)
{
	struct slot *s = dsm_at(my.slots, dsm_node() + dsm_nodes() * (long)(step % 4));

	DSM_TX_ON(s) {
		seen = work__mix(seen, 1500);
		s->count++;
		s->sum[step % 5] += seen;
	}
	count_step();
}

static void lone(uint64_t step)
{
	DSM_TX_ON(my.lone) {
		seen = work__mix(seen, 1500);
		my.lone->count++;
		my.lone->last = step;
	}
	count_step();
}

static void fields(uint64_t step)
{
	uint64_t *f = my.field[dsm_node()];

	(void)step;
	DSM_TX_ON(f) {
		seen = work__mix(seen, 1500);
		*f += 1;
	}
	count_step();
}

static void rows(uint64_t step)
{
	struct row *r = dsm_at(my.rows, 3 * dsm_node() + (long)(step % 3));

	DSM_TX_ON(r)
		for (int i = 0; i < 375; i++)
			r->cell[i] += seen = work__mix(seen, 8);
	count_step();
}

/* Wait until it is this node's turn: false when the time is up. */
static bool my_turn(uint64_t *turn)
{
	uint64_t t = 0;

	do {
		seen = work__mix(seen, 300);
		DSM_TX_READ_ON(turn)
			t = *turn;
	} while (t % (uint64_t)dsm_nodes() != (uint64_t)dsm_node() && work__now() < end);
	return t % (uint64_t)dsm_nodes() == (uint64_t)dsm_node();
}

static void token(uint64_t step)
{
	struct slot *s = dsm_at(my.slots, dsm_node() + dsm_nodes() * (long)(step % 4));

	if (!my_turn(&my.hot->value))
		return;
	for (int i = 0; i < 5; i++)
		DSM_TX_ON(s) {
			seen = work__mix(seen, 3000);
			s->count++;
			s->sum[step % 5] += seen;
		}
	DSM_TX_ON(&my.hot->value)
		my.hot->value++;
	count_step();
}

/* data[0..7] is a queue, field[0] what was put, field[1] what was taken. Nodes beyond the second look on. */
static void producer(uint64_t step)
{
	uint64_t *put = my.field[0], *taken = my.field[1], p = 0, t = 0;

	(void)step;
	seen = work__mix(seen, 1000);
	DSM_TX_ON(my.data) {
		p = *put;
		t = *taken;
		if (dsm_node() == 0 && p - t < 8) {
			my.data[p % 8] = seen;
			*put = p + 1;
		} else if (dsm_node() == 1 && p - t > 0) {
			seen ^= my.data[t % 8];
			*taken = t + 1;
		}
	}
	if ((dsm_node() == 0 && p - t < 8) || (dsm_node() == 1 && p - t > 0))
		count_step();
}

static void readmostly(uint64_t step)
{
	uint64_t s = 0;

	DSM_TX_READ_ON(my.settings) {
		seen = work__mix(seen, 1500);
		for (int i = 0; i < 8; i++)
			s += my.settings->value[i];
	}
	seen += s;
	if (dsm_node() == 0 && step % 20 == 0)
		DSM_TX_ON(my.stamp) {
			my.stamp->last = step;
			my.stamp->count++;
		}
	count_step();
}

static void counter(uint64_t step)
{
	(void)step;
	DSM_TX_ON(my.hot) {
		seen = work__mix(seen, 1500);
		my.hot->value++;
	}
	count_step();
}

/* A lock that the program made itself, with what it protects on its page: who waits looks at field[0]. */
static void lockdata(uint64_t step)
{
	uint64_t *lock = my.field[0];
	bool got = false;

	(void)step;
	DSM_TX_ON(lock) {
		got = *lock == 0;
		if (got)
			*lock = (uint64_t)dsm_node() + 1;
	}
	if (!got) {
		seen = work__mix(seen, 300);
		return;
	}
	for (int i = 0; i < 10; i++)
		DSM_TX_ON(my.data) {
			seen = work__mix(seen, 1500);
			my.data[i % 8] += seen;
		}
	DSM_TX_ON(lock)
		*lock = 0;
	seen = work__mix(seen, 8000);
	count_step();
}

/* Parcel i lies with node (i + stay) % nodes, for STAY updates; who is done goes on to its next one. */
static void migratory(uint64_t step)
{
	uint64_t stay = step / STAY;
	struct parcel *p = dsm_at(my.parcels, (long)((stay + (uint64_t)dsm_node()) % 8));

	DSM_TX_ON(p) {
		seen = work__mix(seen, 1500);
		p->count++;
		p->sum[step % 20] += seen;
	}
	count_step();
}

static void phases(uint64_t step)
{
	bool stop = false;

	for (uint64_t i = 0; i < PHASE; i++)
		slots(step + i);
	if (dsm_node() == 0 && work__now() > limit)
		DSM_TX_ON(my.stop)
			my.stop->value = 1;
	dsm_barrier();
	DSM_TX_READ_ON(my.stop)
		stop = my.stop->value;
	end = stop ? 0 : 1e300; /* all end after the same barrier */
}

static void mixed(uint64_t step)
{
	struct slot *s = dsm_at(my.slots, dsm_node() + dsm_nodes() * (long)(step % 4));

	DSM_TX_ON(s) {
		seen = work__mix(seen, 1500);
		s->count++;
		s->sum[step % 5] += seen;
		if (step % 10 == 0)
			DSM_TX_ON(my.hot)
				my.hot->value++;
	}
	count_step();
}

static const struct {
	const char *name;
	void (*step)(uint64_t step);
} patterns[] = {
	{"slots", slots},	{"lone", lone},		  {"fields", fields},	      {"rows", rows},
	{"token", token},	{"producer", producer},	  {"readmostly", readmostly}, {"counter", counter},
	{"lockdata", lockdata}, {"migratory", migratory}, {"phases", phases},	      {"mixed", mixed},
};

/* ---- the whole ---- */

static void build(bool apart)
{
	size_t nodes = (size_t)dsm_nodes();
	char name[32];

	dsm_root_set("slots", dsm_new(struct slot, 4 * nodes));
	dsm_root_set("rows", dsm_new(struct row, 3 * nodes));
	dsm_root_set("parcels", dsm_new(struct parcel, 8));
	dsm_root_set("hot", dsm_new(struct hot, 1));
	dsm_root_set("stop", dsm_new(struct hot, 1));
	for (size_t i = 0; i < nodes; i++) {
		snprintf(name, sizeof(name), "lone%zu", i);
		dsm_root_set(name, dsm_new(struct lone, 1));
	}
	dsm_root_set("settings", dsm_new(struct settings, 1));
	dsm_root_set("stamp", dsm_new(struct stamp, 4)); /* of the same size: beside it in the heap */
	struct parts *p = dsm_new(struct parts, 1);
	uint64_t *const field[] = {&p->first, &p->second, &p->third,   &p->fourth,
				   &p->fifth, &p->sixth,  &p->seventh, &p->eighth};

	for (size_t i = 0; i < MOST_NODES; i++) {
		snprintf(name, sizeof(name), "field%zu", i);
		dsm_root_set(name, apart ? &dsm_new(struct hot, 1)->value : field[i]);
	}
	dsm_root_set("data", apart ? &dsm_new(struct hot, 1)->value : p->data);
}

static void find(void)
{
	char name[32];

	my.slots = dsm_root("slots");
	my.rows = dsm_root("rows");
	my.parcels = dsm_root("parcels");
	my.hot = dsm_root("hot");
	my.stop = dsm_root("stop");
	my.settings = dsm_root("settings");
	my.stamp = dsm_root("stamp");
	my.data = dsm_root("data");
	snprintf(name, sizeof(name), "lone%d", dsm_node());
	my.lone = dsm_root(name);
	for (size_t i = 0; i < MOST_NODES; i++) {
		snprintf(name, sizeof(name), "field%zu", i);
		my.field[i] = dsm_root(name);
	}
}

int main(int argc, char **argv)
{
	bool apart = argc == 4 && !strcmp(argv[3], "apart");
	void (*step)(uint64_t) = NULL;

	for (size_t i = 0; argc >= 3 && i < sizeof(patterns) / sizeof(*patterns); i++)
		if (!strcmp(argv[1], patterns[i].name))
			step = patterns[i].step;
	if (!step || (argc != 3 && !apart) || dsm_nodes() > MOST_NODES)
		return fprintf(stderr, "usage: sharing PATTERN SECONDS [apart], on %d nodes at most\n",
			       MOST_NODES),
		       2;
	if (dsm_node() == 0)
		DSM_TX
			build(apart);
	dsm_barrier();
	DSM_TX
		find();
	dsm_barrier();
	end = limit = work__now() + atof(argv[2]);
	seen = (unsigned long)dsm_node() + 1;
	for (uint64_t n = 0; work__now() < end; n += step == phases ? PHASE : 1)
		step(n);
	dsm_barrier();
	return seen == 0;
}
