/* SPDX-License-Identifier: BSD-2-Clause */
/* world.c - virtual time, links, and the loop that runs one seed. */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

uint64_t rng__next(struct rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15ull; /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint32_t rng__below(struct rng *rng, uint32_t limit)
{
	return (uint32_t)(((rng__next(rng) >> 32) * limit) >> 32);
}

uint32_t rng__between(struct rng *rng, uint32_t low, uint32_t high)
{
	return low + rng__below(rng, high - low + 1);
}

bool rng__chance(struct rng *rng, uint32_t percent)
{
	return rng__below(rng, 100) < percent;
}

uint16_t world__id(const struct world *w, const struct node *n)
{
	return (uint16_t)(n - w->nodes);
}

const char *world__kind(enum fail kind)
{
	static const char *const names[] = {"core", "port", "invariant", "history", "progress"};

	return names[kind];
}

bool world__quick(void)
{
	const char *quick = getenv("PROCOPE_QUICK");

	return quick && *quick;
}

void world__fail(struct world *w, enum fail kind, const char *format, ...)
{
	va_list args;

	if (w->failed) /* the first one tells most */
		return;
	if (w->history_only && (kind == FAIL_PORT || kind == FAIL_INVARIANT))
		return;
	w->failed = true;
	w->kind = kind;
	va_start(args, format);
	vsnprintf(w->failure, sizeof(w->failure), format, args);
	va_end(args);
	if (w->verbose)
		printf("%8" PRIu64 "  FAILED: %s\n", w->now, w->failure);
}

/* ---- what is due ---- */

void world__push(struct world *w, struct due due)
{
	if (agenda__add(&w->agenda, due))
		abort();
}

void world__wake(struct world *w, struct node *n, uint32_t after)
{
	world__push(w, (struct due){.time = w->now + after, .node = world__id(w, n)});
}

/* ---- links ---- */

static void packet__free(struct packet *p)
{
	if (!p)
		return;
	free(p->entries);
	free(p->data);
	free(p);
}

/* The bytes that the port attaches, taken now. */
static void fill_payload(struct world *w, struct node *n, const struct core_entry *e, struct payload *to)
{
	const struct memory *m = &n->memory[e->page];
	const struct payload *held;
	unsigned i;

	if (e->data == CORE_DATA_NONE) /* e->page may be a node */
		return;
	if (e->data == CORE_DATA_COMMITTED) {
		memcpy(to->word,
		       core_mutant(dirty_served) || (core_mutant(sticky_served) && m->kept)
			       ? m->frame
			       : port__committed(m),
		       PAGE_BYTES);
		to->changed = 0xff;
	}
	if (e->data != CORE_DATA_CHANGES)
		return;
	if (e->hold) {
		held = port__held(w, n, e->hold);
		if (held)
			*to = *held;
		return;
	}
	if (!m->has_twin)
		world__fail(w, FAIL_PORT, "node %u: changes of page %u asked for, but it has no twin",
			    world__id(w, n), e->page);
	memcpy(to->word, m->frame, PAGE_BYTES);
	for (i = 0; i < WORDS; i++)
		if (m->frame[i] != m->twin[i])
			to->changed |= (uint8_t)(1u << i);
}

static void print_message(const struct world *w, const struct core_msg *m, const char *what)
{
	uint32_t i;

	printf("%8" PRIu64 "  %s %u->%u %-10s tx %u:%" PRIu64 ".%u", w->now, what, m->from, m->to,
	       core_msg__name(m->type), m->tx.node, m->tx.number, m->tx.attempt);
	for (i = 0; i < m->npages && i < 6; i++)
		printf(" p%u v%" PRIu64 " s%" PRIu64 " f%x d%u", m->entries[i].page, m->entries[i].version,
		       m->entries[i].stamp, m->entries[i].flags, m->entries[i].data);
	printf("\n");
}

void world__send(struct world *w, struct node *n, const struct core_msg *msg)
{
	uint32_t nodes = w->profile.nodes, count = msg->npages + msg->nwset, i;
	struct link *link = &w->links[(msg->from * nodes + msg->to) * 2u + msg->channel];
	struct packet *p = calloc(1, sizeof(*p));
	uint64_t at = w->now + link->base + rng__below(&w->rng, w->profile.jitter_max + 1);

	if (w->verbose)
		print_message(w, msg, "send");
	check__ahead(w, n, msg);
	check__hand(w, msg);
	if (n->knows[msg->to])
		world__fail(w, FAIL_PORT, "node %u: %s to node %u, which it knows to be lost",
			    world__id(w, n), core_msg__name(msg->type), msg->to);
	p->msg = *msg;
	p->entries = calloc(count + 1, sizeof(*p->entries));
	p->data = calloc(msg->npages + 1, sizeof(*p->data));
	if (count)
		memcpy(p->entries, msg->entries, count * sizeof(*p->entries));
	p->msg.entries = p->entries;
	for (i = 0; i < msg->npages; i++) {
		fill_payload(w, n, &p->entries[i], &p->data[i]);
		w->totals->left += msg->type == CORE_MSG_SEEN && msg->entries[i].flags & CORE_ENTRY_REFUSED;
		p->entries[i].hold = 0;
	}
	if (rng__below(&w->wild, 10000) < w->profile.stalls && link->held <= w->now) {
		w->totals->stalls++;
		link->held = w->now + rng__below(&w->wild, w->profile.stall_max);
	}
	if (at < link->held)
		at = link->held;
	if (at <= link->last)
		at = link->last + 1;
	link->last = at;
	w->totals->messages++;
	death__sent(w, msg);
	world__push(w, (struct due){.time = at, .node = msg->to, .packet = p});
}

/* ---- steps ---- */

void world__step(struct world *w, struct node *n, struct core_event *event, struct packet *packet)
{
	const struct core_actions *actions;
	int rc;

	if (packet) {
		event->type = CORE_MESSAGE;
		event->msg = &packet->msg;
		if (!core_msg__sane(n->core, &packet->msg)) {
			world__fail(w, FAIL_CORE, "node %u: %s from node %u is not sane", world__id(w, n),
				    core_msg__name(packet->msg.type), packet->msg.from);
			return;
		}
	}
	w->steps += event->type != CORE_TICK; /* over a very slow link somebody may wait for many */
	if (event->type == CORE_BARRIER || event->type == CORE_RELEASE ||
	    (packet && core__flushes(n->core, &packet->msg)) ||
	    (event->type == CORE_TICK && core__flushes(n->core, NULL)))
		event->changed = port__changed(n);
	rc = core_step(n->core, event, &actions);
	if (rc) {
		world__fail(w, FAIL_CORE, "node %u: core_step says %s to event %d (%s)", world__id(w, n),
			    strerror(-rc), event->type,
			    packet		       ? core_msg__name(packet->msg.type)
			    : event->type == CORE_LOST ? "a loss"
						       : "its mutator's");
		return;
	}
	port__run(w, n, actions, packet);
	if (n->dead)
		return;
	if (w->profile.sync && packet)
		check_sync__asked(w, n, &packet->msg);
	if (w->profile.sync)
		check_sync__step(w, n);
	if (w->profile.world == WORLD_BLOCKS)
		blocks__check(w, n);
	if (w->profile.world != WORLD_SYNC)
		check__sticky(w, n);
	if (w->steps % 64 == 0)
		check__exclusivity(w);
}

static void open_links(struct world *w)
{
	const struct profile *p = &w->profile;
	uint32_t count = p->nodes * p->nodes * 2, i;
	struct link *link;

	w->links = calloc(count, sizeof(*w->links));
	for (i = 0; i < count; i++) {
		w->links[i].base = rng__between(&w->rng, 1, p->delay_max);
		if (rng__chance(&w->rng, p->slow_links))
			w->links[i].base *= 20;
	}
	for (i = 0; i < p->slow_pairs; i++) {
		link = &w->links[rng__below(&w->wild, count / 2) * 2];
		w->totals->slow++;
		if (p->slow_main && link[0].base > 20 * p->delay_max) /* slow already */
			continue;
		if (rng__chance(&w->wild, p->slow_main ? 100 : 70))
			link[0].base *= p->slow_factor;
		if (rng__chance(&w->wild, p->slow_main ? 0 : 70))
			link[1].base *= p->slow_factor;
	}
	for (i = 0; i < count; i++)
		if (w->links[i].base > w->worst)
			w->worst = w->links[i].base;
	w->worst += (uint64_t)p->jitter_max + p->think_max + p->stall_max;
}

static void open_world(struct world *w, const struct run *run)
{
	struct rng homes = {run->seed * 0xd1342543de82ef95ull + 3};
	struct profile *p = &w->profile;
	uint32_t i, k;

	w->seed = run->seed;
	w->rng.state = run->seed * 0x2545f4914f6cdd1dull + 1;
	w->wild.state = run->seed * 0x9fb21c651e98df25ull + 7;
	p->world = run->world;
	if (run->world != WORLD_TX) {
		w->rng.state ^= run->world == WORLD_SYNC ? 0x51c64e6d1f2a3b59ull : 0x3c8e1b07a95d642full;
		profile__draw_sync(p, &w->rng, run->nodes);
		if (run->world == WORLD_BLOCKS)
			profile__draw_blocks(p, &w->rng);
	} else {
		profile__draw(p, &w->rng, run->nodes);
	}
	profile__draw_wild(p, &w->wild);
	profile__draw_homes(p, &homes);
	w->nodes = calloc(p->nodes, sizeof(*w->nodes));
	open_links(w);
	if (verify__open(&w->history, true))
		abort();
	for (i = 0; i < p->nodes; i++) {
		struct core_config config = {.node = (uint16_t)i,
					     .nodes = (uint16_t)p->nodes,
					     .pages = p->pages,
					     .pages_per_home = p->pages_per_home,
					     .sc_from = p->sc_from,
					     .rc_from = p->rc_from,
					     .generation = 1,
					     .elevate_after = p->elevate_after,
					     .sticky_max = p->sticky_max,
					     .sticky_clean = p->sticky_clean,
					     .prefetch_max = p->prefetch_max,
					     .ahead_max = p->ahead_max,
					     .row_max = p->row_max,
					     .update_after = p->update_after,
					     .migrate_after = p->migrate_after};
		struct node *n = &w->nodes[i];
		if (core__open(&n->core, &config))
			abort();
		n->memory = calloc(p->pages, sizeof(*n->memory));
		n->views = calloc(p->pages, sizeof(*n->views));
		n->seen = calloc(p->pages, sizeof(*n->seen));
		n->knows = calloc(p->nodes, sizeof(*n->knows));
		n->changed = calloc(p->pages, sizeof(*n->changed));
		n->depth = calloc(p->locks + 1, sizeof(*n->depth));
		n->rng.state = rng__next(&w->rng);
		for (k = 0; k < p->pages; k++)
			n->memory[k].rights = CORE_NONE;
		if (p->sync)
			sync__start(w, n);
		else
			program__start(w, n);
	}
	check_sync__open(w);
	w->running = p->nodes;
	death__draw(w);
}

static void close_world(struct world *w)
{
	uint64_t opened, changed;
	uint32_t i;

	for (i = 0; i < w->profile.nodes; i++) {
		if (w->nodes[i].core) {
			w->totals->ahead += core__prefetch(w->nodes[i].core)->asked;
			w->totals->ahead_used += core__prefetch(w->nodes[i].core)->used;
			core__ahead(w->nodes[i].core, &opened, &changed);
			w->totals->opened += opened;
			w->totals->opened_used += changed;
			core__locks(w->nodes[i].core, &opened, &changed);
			w->totals->cached += opened;
			w->totals->fetched += changed;
		}
		core__close(w->nodes[i].core);
		free(w->nodes[i].memory);
		free(w->nodes[i].held);
		free(w->nodes[i].views);
		free(w->nodes[i].seen);
		free(w->nodes[i].knows);
		free(w->nodes[i].changed);
		free(w->nodes[i].depth);
	}
	check_sync__close(w);
	while (w->agenda.count)
		packet__free(agenda__next(&w->agenda).packet);
	free(w->nodes);
	free(w->links);
	free(w->agenda.heap);
	verify__close(w->history);
}

static void take(struct world *w, struct node *n, const struct due *due)
{
	struct core_event event = {0};
	uint32_t owned;

	if (n->dead || (due->packet && due->packet->dropped))
		return;
	if (due->what == DUE_DEATH) {
		death__now(w, n);
	} else if (due->what == DUE_TICK) {
		event.type = CORE_TICK;
		world__step(w, n, &event, NULL);
	} else if (due->what) {
		event.type = CORE_LOST;
		event.node = (uint16_t)(due->what - DUE_LOSS);
		n->knows[event.node] = true;
		if (w->verbose)
			printf("%8" PRIu64 "       node %u hears that node %u is lost\n", w->now, due->node,
			       event.node);
		owned = check__owned(n, event.node);
		world__step(w, n, &event, NULL);
		if (!n->dead && !w->failed)
			check__forgotten(w, n, event.node, owned);
	} else if (due->packet) {
		if (w->verbose)
			print_message(w, &due->packet->msg, "     recv");
		if (!death__at_message(w, n, &due->packet->msg))
			world__step(w, n, &event, due->packet);
	} else if (w->profile.sync) {
		sync__move(w, n);
	} else {
		program__move(w, n);
	}
}

/* Everything that is due, until nothing is. What is left then is at rest. */
static void run_due(struct world *w)
{
	const struct profile *p = &w->profile;
	uint32_t steps = p->long_percent ? p->long_ops : p->ops_max;
	uint64_t patience = PATIENCE + ROUNDS * w->worst * (steps + 10);
	uint64_t steps_max = STEPS_MAX + (uint64_t)p->nodes * (p->nodes - 1u) / 2 * STEPS_PAIR;

	while (w->agenda.count && !w->failed) {
		struct due due = agenda__next(&w->agenda);
		struct node *n = &w->nodes[due.node];

		w->now = due.time;
		take(w, n, &due);
		packet__free(due.packet);
		if (w->now - w->last_progress > patience)
			world__fail(w, FAIL_PROGRESS, "livelock: nobody committed since %" PRIu64,
				    w->last_progress);
		if (w->steps > steps_max)
			world__fail(w, FAIL_PROGRESS, "livelock: not done after %" PRIu64 " steps", w->steps);
	}
}

/* To the end. When all is at rest, those who wait for a change have missed none; they go on without one. */
static void run_all(struct world *w)
{
	do {
		run_due(w);
		if (!w->failed)
			check__waits(w);
	} while (!w->failed && program__wake(w));
}

bool world__run(struct world *w, const struct run *run, struct totals *totals)
{
	memset(w, 0, sizeof(*w));
	w->verbose = run->verbose;
	w->history_only = run->history_only;
	w->totals = totals;
	open_world(w, run);
	if (w->verbose)
		printf("seed %" PRIu64 ": %s, %u nodes, %u pages\n", run->seed, w->profile.name,
		       w->profile.nodes, w->profile.pages);
	run_all(w);
	if (w->failed && w->history_only && w->kind == FAIL_CORE) {
		w->failed = false; /* the history up to here may show it too */
		check__whole_history(w);
	} else if (!w->failed && run->world == WORLD_BLOCKS) {
		blocks__end(w);
	} else if (!w->failed && run->world == WORLD_SYNC) {
		check_sync__end(w);
	} else if (!w->failed) {
		check__end(w);
	}
	totals->seeds++;
	totals->steps += w->steps;
	close_world(w);
	return !w->failed;
}
