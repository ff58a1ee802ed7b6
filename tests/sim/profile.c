/* SPDX-License-Identifier: BSD-2-Clause */
/* profile.c - the measures of a world of transactions: how many nodes and pages, which links, what its programs are like. */
#include "tests/sim/sim.h"

#include <string.h>

static void draw_links(struct profile *p, struct rng *rng)
{
	static const uint32_t delays[] = {2, 20, 100, 400};

	p->delay_max = delays[rng__below(rng, 4)];
	p->jitter_max = delays[rng__below(rng, 4)];
	p->slow_links = rng__chance(rng, 30) ? rng__between(rng, 5, 40) : 0;
	p->think_max = delays[rng__below(rng, 4)];
}

static void draw_ops(struct profile *p, struct rng *rng)
{
	p->ops_max = rng__between(rng, 1, 8);
	p->long_percent = rng__chance(rng, 30) ? rng__between(rng, 1, 20) : 0;
	p->long_ops = 24;
	p->write_percent = rng__between(rng, 5, 80);
	p->silent_percent = rng__chance(rng, 50) ? rng__between(rng, 1, 40) : 0;
	p->pinned_percent = rng__chance(rng, 25) ? rng__between(rng, 1, 15) : 0;
	p->touch_percent = rng__chance(rng, 20) ? 10 : 0;
	p->safe_percent = rng__chance(rng, 40) ? 10 : 0;
	p->cancel_percent = rng__chance(rng, 25) ? 3 : 0;
	p->retry_percent = rng__chance(rng, 25) ? rng__between(rng, 1, 6) : 0;
	p->fickle_percent = 40;
	p->sole_percent = rng__chance(rng, 30) ? rng__between(rng, 1, 20) : 0;
	p->read_only_percent = rng__chance(rng, 40) ? rng__between(rng, 5, 60) : 0;
	p->hot_pages = rng__between(rng, 1, 3);
	p->hot_percent = rng__chance(rng, 50) ? rng__between(rng, 30, 95) : 0;
	p->walk_percent = rng__chance(rng, 50) ? rng__between(rng, 10, 90) : 0;
}

struct range {
	uint32_t low, high; /* 0, 0: as in others */
};

/* Worlds that are not like the others: of 200 so many, with so many nodes and pages. */
struct kind {
	uint32_t of_200;
	const char *name;
	struct range nodes, pages;
	uint32_t transactions, phases; /* 0: as in others */
};

static const struct kind kinds[] = {
	{6, "alone", {1, 1}, {0}, 0, 0},       {24, "pair", {2, 2}, {0}, 24, 0},
	{20, "several", {7, 14}, {0}, 5, 0},   {1, "many", {64, 90}, {8, 120}, 2, 2},
	{3, "wide", {2, 3}, {320, 320}, 5, 0}, {16, "starve", {3, 6}, {0}, 100, 1},
	{10, "turns", {0}, {1, 3}, 24, 0},     {16, "updates", {3, 12}, {1, 6}, 20, 1},
	{20, "relay", {3, 3}, {1, 2}, 40, 1},  {2, "fair", {3, 9}, {1, 1}, 400, 1},
	{8, "rows", {1, 3}, {24, 80}, 80, 1},  {54, "mixed", {0}, {0}, 0, 0},
	{20, "homes", {4, 10}, {1, 2}, 30, 1},
};

static uint32_t draw_in(struct rng *rng, const struct range *r, uint32_t otherwise)
{
	if (!r->high)
		return otherwise;
	return r->low == r->high ? r->low : rng__between(rng, r->low, r->high);
}

static bool is_kind(const struct profile *p, const char *name)
{
	return !strcmp(p->name, name);
}

static void draw_size(struct profile *p, struct rng *rng)
{
	uint32_t at = rng__below(rng, 200);
	const struct kind *k = kinds;

	while (at >= k->of_200)
		at -= k++->of_200;
	p->name = k->name;
	p->nodes = rng__between(rng, 2, 6);
	p->pages = rng__between(rng, 1, 12);
	p->transactions = rng__between(rng, 4, 16);
	p->phases = rng__between(rng, 1, 3);
	p->starve = is_kind(p, "starve");
	p->relay = is_kind(p, "relay");
	p->fair = is_kind(p, "fair");
	p->nodes = draw_in(rng, &k->nodes, p->nodes);
	if (is_kind(p, "turns")) {
		p->sole_percent = 45;
		p->fickle_percent = 80;
		p->retry_percent = rng__between(rng, 0, 10);
		p->ops_max = 3;
	} else if (is_kind(p, "wide")) {
		p->long_percent = 25;
		p->long_ops = 300;
		p->write_percent = 85;
	}
	p->pages = draw_in(rng, &k->pages, p->pages);
	if (k->transactions)
		p->transactions = k->transactions;
	if (k->phases)
		p->phases = k->phases;
}

/* Loops that write row by row, mostly what nobody else wants: opened at the BEGIN, and used. */
static void draw_rows(struct profile *p, struct rng *rng)
{
	p->loop_percent = 70;
	p->row_max = rng__chance(rng, 70) ? 0 : rng__between(rng, 2, 8);
	p->write_percent = 90;
	p->ops_max = 12;
	p->hot_percent = rng__between(rng, 0, 20);
	p->read_only_percent = rng__between(rng, 0, 5);
	p->cancel_percent = rng__between(rng, 0, 5);
	p->retry_percent = p->sole_percent = p->walk_percent = p->long_percent = 0;
}

/* Everybody reads and writes the same few pages and comes back at once, and many commits are given up. */
static void draw_updates(struct profile *p, struct rng *rng)
{
	p->update_after = 1;
	p->elevate_after = rng__between(rng, 1, 2);
	p->write_percent = 60;
	p->silent_percent = 0;
	p->think_max = 20;
	p->delay_max = 100;
	p->slow_links = 30;
}

/* One very hot page, and nothing else. */
static void draw_hot(struct profile *p, struct rng *rng)
{
	p->elevate_after = 0;
	p->patient = rng__chance(rng, 70);
	p->write_percent = 100;
	p->ops_max = 2;
	p->silent_percent = p->pinned_percent = p->touch_percent = p->safe_percent = 0;
	p->cancel_percent = p->retry_percent = p->sole_percent = p->long_percent = p->read_only_percent = 0;
	p->think_max = p->delay_max = p->jitter_max = 20;
	p->slow_links = 0;
}

/* One runs long transactions against short ones on few pages. */
static void draw_starve(struct profile *p, struct rng *rng)
{
	p->elevate_after = rng__between(rng, 1, 3);
	p->cancel_percent = p->retry_percent = p->sole_percent = 0;
	p->hot_percent = 95;
	p->write_percent = 70;
	p->ops_max = 2;
	p->read_only_percent = 0;
	p->pages = rng__between(rng, 2, 4);
	p->delay_max = p->jitter_max = p->think_max = 20;
	p->slow_links = 0;
}

void profile__draw(struct profile *p, struct rng *rng, uint32_t nodes_forced)
{
	static const uint32_t elevate[] = {0, 1, 2, 3, 8};
	uint32_t spread;

	draw_ops(p, rng);
	draw_links(p, rng);
	draw_size(p, rng);
	if (nodes_forced) { /* about as much work in all */
		p->transactions = p->transactions * p->nodes / nodes_forced + 1;
		p->nodes = nodes_forced;
	}
	p->elevate_after = elevate[rng__below(rng, 5)];
	p->sticky_max = rng__chance(rng, 50) ? 0 : rng__between(rng, 1, 4);
	p->sticky_clean = rng__chance(rng, 20) ? 0 : rng__between(rng, 1, 8);
	p->prefetch_max = rng__chance(rng, 50) ? 0 : rng__between(rng, 1, 4);
	p->ahead_max = rng__chance(rng, 50) ? 0 : rng__between(rng, 1, 4);
	p->row_max = rng__chance(rng, 50) ? 0 : rng__between(rng, 1, 8);
	p->loop_percent = rng__chance(rng, 50) ? 0 : rng__between(rng, 5, 60);
	p->update_after = rng__chance(rng, 50) ? rng__between(rng, 1, 3) : 0;
	if (rng__chance(rng, 15))
		p->update_after = CORE_NEVER;
	p->conservative = rng__chance(rng, 50);
	spread = rng__below(rng, 4);
	p->pages_per_home = (p->pages + p->nodes - 1) / p->nodes;
	if (spread == 0)
		p->pages_per_home = p->pages; /* all on node 0 */
	else if (spread == 1)
		p->pages_per_home = 1; /* one on each, the rest on the last */
	if (is_kind(p, "rows"))
		draw_rows(p, rng);
	if (is_kind(p, "updates") || is_kind(p, "homes"))
		draw_updates(p, rng);
	if (p->relay) {
		draw_updates(p, rng);
		p->pages_per_home = p->pages;
		p->cancel_percent = p->read_only_percent = 0;
	}
	if (p->fair) {
		draw_hot(p, rng);
		p->pages_per_home = p->pages;
	}
	if (p->starve)
		draw_starve(p, rng);
}

/* 2 to the power of [low, high], roughly */
static uint32_t draw_scale(struct rng *rng, uint32_t low, uint32_t high)
{
	uint32_t floor = 1u << rng__between(rng, low, high - 1);

	return floor + rng__below(rng, floor);
}

/* Homes that move, mostly far more often than it pays. The relay is to stay one. */
void profile__draw_homes(struct profile *p, struct rng *rng)
{
	p->migrate_after = rng__chance(rng, 60) ? rng__between(rng, 1, 6) : 0;
	if (rng__chance(rng, p->relay ? 80 : 15))
		p->migrate_after = CORE_NEVER;
	if (is_kind(p, "homes"))
		p->migrate_after = 1;
}

/* What goes wrong. A world that measures how long a transaction may take is left alone. */
void profile__draw_wild(struct profile *p, struct rng *rng)
{
	if (p->starve || p->fair || p->nodes == 1)
		return;
	if (is_kind(p, "homes")) {
		p->slow_main = true;
		p->slow_pairs = rng__between(rng, p->nodes, 2 * p->nodes);
		p->slow_factor = draw_scale(rng, 3, 7);
	} else if (rng__chance(rng, p->relay ? 70 : 20)) {
		p->slow_pairs = rng__between(rng, 1, 3);
		p->slow_factor = draw_scale(rng, 3, 10);
	}
	if (rng__chance(rng, 15)) {
		p->stalls = draw_scale(rng, 0, 8);
		p->stall_max = p->delay_max * draw_scale(rng, 3, 10);
	}
	if (p->relay || rng__chance(rng, 40))
		p->deaths = rng__chance(rng, 70) ? 1 : rng__between(rng, 1, p->nodes - 1);
}
