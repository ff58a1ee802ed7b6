/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blocks.c - worlds of transactions without races: what two nodes do to the same word, one of them writing, is always
 * separated by a barrier (program_sync.c draws it so), but words of different owners lie in the same pages. There a
 * transaction may promise to be independent, and is not undone; others, mixed with these, promise nothing. Whatever the
 * pages go through, each word reads as what was written to it last (check_sync.c).
 */
#include "tests/sim/sim.h"

#include <string.h>

#include "dsmcore/protocol/internal.h"

#define BLOCK_OPS 8u

/* All write all the few pages at the same time. */
static void draw_crowd(struct profile *p, struct rng *rng)
{
	p->name = "crowd";
	p->pages_per_home = p->sc_from = p->rc_from = rng__between(rng, 1, 2);
	p->pages = p->nodes * p->pages_per_home;
	p->phases = rng__between(rng, 2, 8);
	p->transactions = rng__between(rng, 8, 30);
	p->private_percent = p->near_percent = 0;
	p->write_percent = 90;
	p->sticky_max = 0;
	p->undoable_percent = rng__chance(rng, 50) ? rng__between(rng, 5, 60) : 0;
}

/* Attempts that may be undone leave pages writable to such as may not, and have priority as soon as they are undone once. Then
 * they refuse what others commit, and want what these have alone: over slow links, while these ask. */
static void draw_mixed(struct profile *p, struct rng *rng)
{
	p->name = "mixed";
	p->pages_per_home = p->sc_from = p->rc_from = rng__between(rng, 1, 2);
	p->pages = p->nodes * p->pages_per_home;
	p->phases = rng__between(rng, 1, 4);
	p->transactions = rng__between(rng, 40, 70);
	p->private_percent = rng__between(rng, 20, 70);
	p->near_percent = 0;
	p->stable_percent = 100;
	p->write_percent = rng__between(rng, 80, 95);
	p->undoable_percent = rng__between(rng, 40, 80);
	p->elevate_after = 1;
	p->sticky_max = 0;
	p->update_after = rng__chance(rng, 70) ? CORE_NEVER : rng__between(rng, 1, 3);
	p->delay_max = p->jitter_max = 400;
	p->tick_max = p->think_max = 20;
}

void profile__draw_blocks(struct profile *p, struct rng *rng)
{
	p->name = "blocks";
	p->pages_per_home = rng__between(rng, 1, 6);
	p->sc_from = p->rc_from = p->pages_per_home;
	p->pages = p->nodes * p->pages_per_home;
	p->phases = rng__chance(rng, 50) ? rng__between(rng, 1, 6) : rng__between(rng, 10, 40);
	p->transactions = rng__between(rng, 1, 6);
	p->locked_percent = p->free_percent = p->touch_percent = p->border_percent = p->walk_percent = 0;
	p->late = false;
	p->undoable_percent = rng__chance(rng, 30) ? 0 : rng__between(rng, 1, 60);
	p->private_percent = rng__chance(rng, 20) ? 0 : rng__between(rng, 20, 95);
	p->near_percent = rng__chance(rng, 20) ? 0 : rng__between(rng, 50, 100);
	p->stable_percent = rng__chance(rng, 60) ? 100 : rng__between(rng, 50, 99);
	p->elevate_after = rng__below(rng, 4);
	p->sticky_max = rng__chance(rng, 50) ? 0 : rng__between(rng, 1, 4);
	p->prefetch_max = rng__chance(rng, 50) ? 0 : rng__between(rng, 1, 4);
	p->ahead_max = rng__chance(rng, 50) ? 0 : rng__between(rng, 1, 4);
	p->update_after = rng__chance(rng, 70) ? rng__between(rng, 1, 3) : CORE_NEVER;
	if (rng__chance(rng, 30))
		draw_crowd(p, rng);
	else if (rng__chance(rng, 25))
		draw_mixed(p, rng);
}

/* Who reads what it writes sees whether the attempt before was undone. */
static void read_first(struct node *n)
{
	struct op *op = &n->ops[n->nops - 1];

	op->kind = OP_READ;
	sync__add(n, OP_WRITE, op->page, op->word);
}

/* It only reads, as dsm_peek() does. */
static void draw_look(struct world *w, struct node *n, uint32_t ops)
{
	sync__add(n, OP_BEGIN, 1, false);
	while (ops--) {
		sync__draw_own(w, n, CORE_TX);
		if (n->ops[n->nops - 1].kind == OP_WRITE)
			n->ops[n->nops - 1].kind = OP_READ;
	}
	sync__add(n, OP_COMMIT, 0, 0);
}

void blocks__draw(struct world *w, struct node *n)
{
	uint32_t ops = rng__between(&n->rng, 1, BLOCK_OPS);
	bool independent = !rng__chance(&n->rng, w->profile.undoable_percent);

	if (n->nops + 2 * ops + 2 > MAX_OPS)
		return;
	if (!independent && rng__chance(&n->rng, 20)) {
		draw_look(w, n, ops);
		return;
	}
	sync__add(n, OP_BEGIN, 0, independent);
	while (ops--) {
		sync__draw_own(w, n, CORE_TX);
		if (!independent && n->ops[n->nops - 1].kind == OP_WRITE)
			read_first(n);
		if (independent && n->ops[n->nops - 1].kind == OP_WRITE && rng__chance(&n->rng, 15))
			n->ops[n->nops - 1].count = 1;
	}
	sync__add(n, OP_COMMIT, 0, 0);
}

static void begin(struct world *w, struct node *n, const struct op *op)
{
	struct core_event event = {.type = CORE_BEGIN,
				   .site = n->next_op,
				   .independent = op->word,
				   .read_only = op->page,
				   .looks = op->page};

	n->begun = (uint32_t)(op - n->ops);
	n->independent = op->word;
	n->in_tx = true;
	n->doomed = false;
	n->nundo = n->nfixed = 0;
	w->totals->blocks++;
	world__step(w, n, &event, NULL);
}

static void commit(struct world *w, struct node *n)
{
	struct core_event event = {.type = CORE_COMMIT};
	const uint32_t *dirty;
	size_t count, i;

	dirty = core__dirty(n->core, &count);
	for (i = 0; i < count; i++)
		n->changed[i] = memcmp(n->memory[dirty[i]].frame, n->memory[dirty[i]].twin, PAGE_BYTES) != 0;
	event.changed = n->changed;
	world__step(w, n, &event, NULL);
}

void blocks__step(struct world *w, struct node *n, const struct op *op)
{
	if (op->kind == OP_BEGIN)
		begin(w, n, op);
	else
		commit(w, n);
}

bool blocks__told(struct world *w, struct node *n)
{
	struct core_event event = {.type = CORE_SAFE};

	if (n->independent)
		world__fail(w, FAIL_INVARIANT, "node %u: an independent attempt is doomed", world__id(w, n));
	world__step(w, n, &event, NULL);
	return true;
}

void blocks__writes(struct world *w, struct node *n, uint32_t page, uint32_t word)
{
	if (n->nundo < MAX_OPS)
		n->undo[n->nundo++] = (struct undo){w->oracle.latest[page][word], page, word};
}

bool blocks__fix(struct world *w, struct node *n, uint32_t page)
{
	struct core_event event = {.type = CORE_ACCESS, .page = page, .write = true, .stays = true};
	uint32_t i;

	for (i = 0; i < n->nfixed && n->fixed[i] != page; i++)
		;
	if (i < n->nfixed)
		return false;
	if (n->nfixed < MAX_OPS)
		n->fixed[n->nfixed++] = page;
	n->wants = page;
	n->nwants = 1;
	world__step(w, n, &event, NULL);
	return true;
}

void blocks__undo(struct world *w, struct node *n)
{
	if (n->in_tx && n->independent)
		world__fail(w, FAIL_INVARIANT, "node %u: an independent attempt is undone", world__id(w, n));
	while (n->in_tx && n->nundo) {
		const struct undo *u = &n->undo[--n->nundo];

		w->oracle.latest[u->page][u->word] = u->was;
	}
	n->in_tx = n->doomed = false;
}

/* What is written without a twin this node has alone; and it knows how much of that there is. What the kernel writes stays
 * open: it would not ask again. */
void blocks__check(struct world *w, const struct node *n)
{
	const struct client_page *cp;
	uint32_t page, bare = 0;

	for (page = 0; page < w->profile.pages; page++) {
		cp = &n->core->client[page];
		bare += cp->bare;
		if (cp->bare ? cp->state != CLIENT_EXCLUSIVE || n->memory[page].has_twin
			     : n->memory[page].rights == CORE_WRITE && !n->memory[page].has_twin)
			world__fail(w, FAIL_INVARIANT, "node %u: page %u is written %s", world__id(w, n),
				    page, cp->bare ? "in place, and not alone" : "without a twin");
	}
	for (page = 0; page < n->nfixed && n->core->attempt.running && n->core->mutator == MUTATOR_RUNS;
	     page++)
		if (n->memory[n->fixed[page]].rights != CORE_WRITE)
			world__fail(w, FAIL_INVARIANT,
				    "node %u: page %u is closed, and the kernel may write it",
				    world__id(w, n), n->fixed[page]);
	if (bare != n->core->nbare)
		world__fail(w, FAIL_INVARIANT, "node %u: %u pages are written in place, it knows of %u",
			    world__id(w, n), bare, n->core->nbare);
}

/* ---- at rest ---- */

static void check_page(struct world *w, const struct node *n, uint32_t page, bool whole)
{
	const struct client_page *cp = &n->core->client[page];
	const struct memory *m = &n->memory[page];
	uint16_t id = world__id(w, n);

	if (cp->flags & (CLIENT_NEXT | CLIENT_ZOMBIE | CLIENT_KEPT) || m->has_next ||
	    (m->has_twin && !(cp->flags & CLIENT_STICKY)))
		world__fail(w, FAIL_INVARIANT, "node %u: page %u is left with a twin or a newer version", id,
			    page);
	if (m->rights != (enum core_rights)cp->rights ||
	    (m->rights == CORE_WRITE) != (cp->bare || cp->flags & CLIENT_STICKY))
		world__fail(w, FAIL_INVARIANT, "node %u: page %u has rights %d, the core says %d", id, page,
			    m->rights, cp->rights);
	if (whole && cp->state != CLIENT_INVALID && memcmp(m->frame, w->oracle.latest[page], PAGE_BYTES) != 0)
		world__fail(w, FAIL_INVARIANT, "node %u: page %u does not end with what was written last", id,
			    page);
}

void blocks__end(struct world *w)
{
	uint32_t i, page;
	bool whole = true;

	if (w->running) {
		check__stuck(w);
		return;
	}
	for (i = 0; i < w->profile.nodes; i++)
		whole &= !w->nodes[i].dead;
	for (i = 0; i < w->profile.nodes; i++)
		for (page = 0; page < w->profile.pages && !w->nodes[i].dead; page++)
			check_page(w, &w->nodes[i], page, whole);
}
