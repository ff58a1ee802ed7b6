/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * program_sync.c - programs without transactions: what they access, and how their mutators go through it.
 *
 * They have no data races on pages of release consistency. Each word there is either guarded by a lock, which is drawn
 * from its place, or goes by phases: in every other one it belongs to one node, which may write it, and in those between
 * all may read it; barriers separate the phases. Words of all sorts and owners lie side by side in the same pages. Words of
 * pages of sequential consistency anybody may read and write at any time.
 *
 * So at any moment at most one node may write a word, and who may read it must see what was written to it last, in virtual
 * time: that is what check_sync.c knows.
 */
#include "tests/sim/sim.h"

#include <string.h>

#define LOCK_NAME 0x51000u
#define TRIES	  40u /* to find a word of the kind that is wanted */

/* ---- the measures of a world ---- */

/* What is written at the borders lives at another node, often a third one; over links so different that what a home
 * says and what a writer sends overtake each other. */
static void draw_elsewhere(struct profile *p, struct rng *rng)
{
	if (p->nodes == 1 || !rng__chance(rng, 60))
		return;
	p->border_shift = rng__between(rng, 1, p->nodes - 1);
	if (rng__chance(rng, 50))
		return;
	p->slow_main = true;
	p->slow_pairs = rng__between(rng, 1, 2 * p->nodes);
	p->slow_factor = rng__between(rng, 5, 50);
}

static void draw_phases(struct profile *p, struct rng *rng)
{
	uint32_t kind = rng__below(rng, 10);

	p->name = "sync";
	p->phases = rng__between(rng, 1, 8);
	p->transactions = rng__between(rng, 2, 12);
	if (kind == 2) {
		p->name =
			"far"; /* pages that live anywhere, over links of which some are slow; they meet at barriers only */
		p->phases = rng__between(rng, 20, 60);
		p->transactions = rng__between(rng, 3, 6);
		p->locked_percent = 0;
		p->stable_percent = 100;
		p->near_percent = 0;
	} else if (kind < 2) { /* many phases, each node on its own part, few strangers */
		p->name = "stencil";
		p->phases = rng__between(rng, 20, 60);
		p->transactions = rng__between(rng, 1, 3);
		p->near_percent = rng__between(rng, 70, 99);
		p->stable_percent = 100;
		p->locked_percent = rng__between(rng, 0, 10);
	} else if (kind < 5) {
		p->name = "borders"; /* the same in pages of sequential consistency, in two colours */
		p->phases = rng__chance(rng, 20) ? rng__between(rng, 150, 300) : rng__between(rng, 20, 100);
		p->transactions = rng__between(rng, 2, 5);
		p->border_percent = rng__between(rng, 80, 100);
		p->locked_percent = rng__below(rng, 5);
		p->near_percent = 99;
		draw_elsewhere(p, rng);
	} else if (kind < 7) {
		p->name = "locks";
		p->locked_percent = 100;
		p->phases = rng__between(rng, 1, 2);
		p->transactions = rng__between(rng, 10, 40);
	} else if (kind == 7) {
		p->name = "late"; /* who is late for a barrier takes the locks of those who wait there */
		p->phases = rng__between(rng, 20, 60);
		p->transactions = rng__between(rng, 1, 3);
		p->locked_percent = 100;
		p->near_percent = 0;
	} else if (kind == 8) {
		p->name = "walks";
		p->phases = rng__between(rng, 2, 12);
		p->transactions = rng__between(rng, 2, 6);
		p->locked_percent = rng__below(rng, 10);
	}
}

/* Many pages in a row at each home, which others read one after the other, while their homes write some of them. */
static void draw_walks(struct profile *p, struct rng *rng)
{
	p->sc_from = 1;
	p->rc_from = 1 + rng__between(rng, 0, 20);
	p->pages_per_home = p->rc_from + rng__between(rng, 8, 20);
	p->pages = p->nodes * p->pages_per_home;
	p->prefetch_max = rng__chance(rng, 50) ? 0 : rng__between(rng, 2, 8);
	p->free_percent = p->rc_from > 1 ? rng__between(rng, 10, 90) : 0;
	p->walk_percent = rng__between(rng, 30, 90);
	p->near_percent = rng__between(rng, 0, 60);
}

/* Few words of few pages, that all have copies of, and links so different that changes which are not confirmed come late. */
static void draw_slow(struct profile *p, struct rng *rng)
{
	p->nodes = p->nodes < 3 ? 3 : p->nodes;
	p->rc_from = p->sc_from;
	p->pages_per_home = p->rc_from + 1;
	p->pages = p->nodes * p->pages_per_home;
	p->free_percent = 0;
	p->locks = 1;
	p->write_percent = 50;
	p->delay_max = 100;
	p->jitter_max = 20;
	p->slow_links = 0;
	p->slow_main = true;
	p->slow_pairs = rng__between(rng, 1, p->nodes);
	p->slow_factor = 50;
	p->think_max = 20;
	p->late = !strcmp(p->name, "late");
}

void profile__draw_sync(struct profile *p, struct rng *rng, uint32_t nodes_forced)
{
	static const uint32_t delays[] = {2, 20, 100, 400};
	uint32_t tx = 1, sc, rc;

	p->sync = true;
	p->nodes = nodes_forced ? nodes_forced : rng__between(rng, 1, 6);
	if (!nodes_forced && rng__chance(rng, 2))
		p->nodes = rng__between(rng, 20, 40);
	p->locked_percent = rng__chance(rng, 30) ? 0 : rng__between(rng, 5, 90);
	p->stable_percent = rng__chance(rng, 50) ? 100 : rng__below(rng, 100);
	p->near_percent = rng__chance(rng, 50) ? 0 : rng__between(rng, 30, 95);
	draw_phases(p, rng);
	sc = rng__chance(rng, 30) && !p->border_percent ? 0 : rng__between(rng, 1, 4);
	rc = sc && rng__chance(rng, 20) ? 0 : rng__between(rng, 1, 5);
	p->free_percent = !sc ? 0 : !rc ? 100 : rng__between(rng, 10, 90);
	p->hot_pages = rng__chance(rng, 50) ? rng__between(rng, 2, 4) : 0;
	p->tick_max = rng__between(rng, 2, 40) * 10;
	p->sc_from = tx;
	p->rc_from = tx + sc;
	p->pages_per_home = tx + sc + rc;
	p->pages = p->nodes * p->pages_per_home;
	p->locks = rng__between(rng, 1, 6);
	p->ops_max = MAX_OPS;
	p->long_percent = rng__chance(rng, 50) ? rng__between(rng, 5, 80) : 0;
	p->write_percent = rng__between(rng, 10, 90);
	p->touch_percent = rng__chance(rng, 30) ? rng__between(rng, 1, 15) : 0;
	p->delay_max = delays[rng__below(rng, 4)];
	p->jitter_max = delays[rng__below(rng, 4)];
	p->slow_links = rng__chance(rng, 30) ? rng__between(rng, 5, 40) : 0;
	p->think_max = delays[rng__below(rng, 4)];
	if (!strcmp(p->name, "late") || !strcmp(p->name, "far"))
		draw_slow(p, rng);
	if (!strcmp(p->name, "walks"))
		draw_walks(p, rng);
}

/* ---- whose is a word? ---- */

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static uint64_t fate(const struct world *w, uint32_t page, uint32_t word)
{
	return mix(w->seed * 0x9e3779b97f4a7c15ull + page * WORDS + word);
}

static bool is_locked(const struct world *w, uint32_t page, uint32_t word)
{
	return fate(w, page, word) % 100 < w->profile.locked_percent;
}

static uint32_t lock_of(const struct world *w, uint32_t page, uint32_t word)
{
	return (uint32_t)(fate(w, page, word) >> 20) % w->profile.locks;
}

/* In this phase it may be written, by its owner only; else read, by all. */
static bool is_written_in(const struct world *w, uint32_t page, uint32_t word, uint32_t phase)
{
	return (fate(w, page, word) >> 40) % 2 == phase % 2;
}

static uint32_t owner_in(const struct world *w, uint32_t page, uint32_t word, uint32_t phase)
{
	bool private = fate(w, page, WORDS) % 100 < w->profile.private_percent;
	uint64_t f = fate(w, page, private ? WORDS : word) >> 8;

	if (f % 100 >= w->profile.stable_percent)
		f = mix(f + phase);
	return (uint32_t)(f >> 20) % w->profile.nodes;
}

/* ---- what a phase consists of ---- */

void sync__add(struct node *n, enum op_kind kind, uint32_t page, uint32_t word)
{
	if (n->nops < MAX_OPS)
		n->ops[n->nops++] = (struct op){.kind = kind, .page = page, .word = word};
}

static bool is_of(const struct world *w, uint32_t page, enum core_model model)
{
	return core__model(w->nodes[0].core, page) == model;
}

static bool has(const struct world *w, enum core_model model)
{
	const struct profile *p = &w->profile;

	return model == CORE_SC ? p->sc_from < p->rc_from : p->rc_from < p->pages_per_home;
}

/* A place of a model; near: in one of few pages, which a node comes back to in each phase. */
static uint32_t draw_place(struct world *w, struct node *n, enum core_model model, uint32_t *word)
{
	const struct profile *p = &w->profile;
	uint32_t page, first = world__id(w, n) * p->pages_per_home;

	do {
		page = rng__below(&n->rng, p->pages);
		if (rng__chance(&n->rng, p->near_percent))
			page = (first + rng__below(&n->rng, p->pages_per_home + 1)) % p->pages;
	} while (!is_of(w, page, model));
	*word = rng__below(&n->rng, WORDS);
	return page;
}

static enum op_kind draw_kind(struct world *w, struct node *n)
{
	return rng__chance(&n->rng, w->profile.write_percent) ? OP_WRITE : OP_READ;
}

/* One instruction on pages of sequential consistency, which anybody may access at any time: often it needs several pages
 * at once. Hot ones are the first of node 0 and its neighbours, so that all meet. */
static void draw_free(struct world *w, struct node *n)
{
	const struct profile *p = &w->profile;
	struct op *op;
	uint32_t i;

	sync__add(n, draw_kind(w, n), 0, 0);
	op = &n->ops[n->nops - 1];
	op->page = draw_place(w, n, CORE_SC, &op->word);
	op->nmore = rng__chance(&n->rng, p->long_percent) ? rng__between(&n->rng, 1, MORE) : 0;
	for (i = 0; i < op->nmore; i++)
		op->more[i] = draw_place(w, n, CORE_SC, &op->word);
	for (i = 0; p->hot_pages && i <= op->nmore; i++)
		*(i ? &op->more[i - 1] : &op->page) =
			rng__below(&n->rng, p->hot_pages) % p->nodes * p->pages_per_home + p->sc_from;
}

/* Accesses to words that the lock guards. */
static void draw_guarded(struct world *w, struct node *n, uint32_t lock)
{
	uint32_t want = rng__between(&n->rng, 1, 4), tries, page, word;

	for (tries = 0; want && has(w, CORE_RC) && tries < TRIES * w->profile.locks; tries++) {
		page = draw_place(w, n, CORE_RC, &word);
		if (!is_locked(w, page, word) || lock_of(w, page, word) != lock)
			continue;
		sync__add(n, draw_kind(w, n), page, word);
		want--;
	}
	if (rng__chance(&n->rng, w->profile.free_percent / 2))
		draw_free(w, n);
}

/* Locks inside locks only upwards, so nobody waits in a circle; or the same one again. */
static void draw_section(struct world *w, struct node *n)
{
	uint32_t lock = rng__below(&n->rng, w->profile.locks), inner = UINT32_MAX;

	sync__add(n, OP_ACQUIRE, lock, 0);
	draw_guarded(w, n, lock);
	if (rng__chance(&n->rng, 25)) {
		inner = lock + rng__below(&n->rng, w->profile.locks - lock);
		sync__add(n, OP_ACQUIRE, inner, 0);
		draw_guarded(w, n, inner);
		if (rng__chance(&n->rng, 50)) {
			sync__add(n, OP_RELEASE, inner, 0);
			inner = UINT32_MAX;
			draw_guarded(w, n, lock);
		}
	}
	sync__add(n, OP_RELEASE, lock, 0);
	if (inner != UINT32_MAX)
		sync__add(n, OP_RELEASE, inner, 0);
}

void sync__draw_own(struct world *w, struct node *n, enum core_model model)
{
	uint32_t tries, page, word;

	for (tries = 0; tries < TRIES; tries++) {
		page = draw_place(w, n, model, &word);
		if (is_locked(w, page, word))
			continue;
		if (!is_written_in(w, page, word, n->phase)) {
			sync__add(n, OP_READ, page, word);
			return;
		}
		if (owner_in(w, page, word, n->phase) == world__id(w, n)) {
			sync__add(n, draw_kind(w, n), page, word);
			return;
		}
	}
}

/* Pages in a row, of one model, all of one home. */
static void draw_touch(struct world *w, struct node *n)
{
	bool rc = has(w, CORE_RC) && !rng__chance(&n->rng, w->profile.free_percent);
	uint32_t word, page = draw_place(w, n, rc ? CORE_RC : CORE_SC, &word);
	uint32_t left = w->profile.pages_per_home - page % w->profile.pages_per_home;

	sync__add(n, OP_TOUCH, page, word);
	n->ops[n->nops - 1].count = rng__between(&n->rng, 1, left);
}

/* Reads pages in a row, of one model, all of one home, some way. */
static void draw_row(struct world *w, struct node *n)
{
	const struct profile *p = &w->profile;
	bool rc = has(w, CORE_RC) && !rng__chance(&n->rng, p->free_percent);
	uint32_t word, tries, page = draw_place(w, n, rc ? CORE_RC : CORE_SC, &word);
	uint32_t length = rng__between(&n->rng, 4, 16), stride = rng__chance(&n->rng, 80) ? 1 : 2;
	enum core_model model = core__model(w->nodes[0].core, page);

	for (; length && page < p->pages && is_of(w, page, model); length--, page += stride)
		for (tries = 0; tries < TRIES; tries++) {
			word = rng__below(&n->rng, WORDS);
			if (rc && (is_locked(w, page, word) || is_written_in(w, page, word, n->phase)))
				continue;
			sync__add(n, OP_READ, page, word);
			break;
		}
}

/* The first page of sequential consistency of each node: it writes that one in one phase, its neighbours read it in the next.
 * Now and then one does so at another time, or stops. */
static void draw_border(struct world *w, struct node *n)
{
	const struct profile *p = &w->profile;
	uint32_t id = world__id(w, n), page,
		 other = (id + (rng__chance(&n->rng, 50) ? 1 : p->nodes - 1)) % p->nodes;
	bool odd = n->phase % 2 != rng__chance(&n->rng, 3);
	enum op_kind kind = odd ? OP_READ : OP_WRITE;

	if (rng__chance(&n->rng, 5) || (n->phase > p->phases / 3 && !(id % 4)))
		return;
	if (p->nodes == 1 || kind == OP_WRITE)
		other = id;
	if (p->border_shift && rng__chance(&n->rng, 4)) { /* a stranger */
		other = rng__below(&n->rng, p->nodes);
		kind = draw_kind(w, n);
	}
	page = (other + p->border_shift) % p->nodes * p->pages_per_home + p->sc_from;
	sync__add(n, kind, page, rng__below(&n->rng, WORDS));
}

static void draw_phase(struct world *w, struct node *n)
{
	const struct profile *p = &w->profile;
	uint32_t i, count = p->transactions;

	if (p->late && (world__id(w, n) + n->phase) % p->nodes == 0)
		count *= 6;
	n->nops = n->next_op = 0;
	for (i = 0; i < count && p->world == WORLD_BLOCKS; i++)
		blocks__draw(w, n);
	for (i = 0; i < count && p->world == WORLD_SYNC && n->nops < MAX_OPS - 40; i++) {
		if (rng__chance(&n->rng, p->locked_percent))
			draw_section(w, n);
		else if (rng__chance(&n->rng, p->touch_percent))
			draw_touch(w, n);
		else if (rng__chance(&n->rng, p->walk_percent))
			draw_row(w, n);
		else if (rng__chance(&n->rng, p->border_percent))
			draw_border(w, n);
		else if (rng__chance(&n->rng, p->free_percent))
			draw_free(w, n);
		else
			sync__draw_own(w, n, CORE_RC);
	}
}

/* ---- the mutator ---- */

void sync__start(struct world *w, struct node *n)
{
	draw_phase(w, n);
	world__wake(w, n, rng__below(&n->rng, 50));
}

static void fault(struct world *w, struct node *n, uint32_t page, uint32_t count, bool write)
{
	struct core_event event = {.type = CORE_ACCESS, .page = page, .count = count, .write = write};

	n->wants = page;
	n->nwants = count ? count : 1;
	world__step(w, n, &event, NULL);
}

static uint32_t page_of(const struct op *op, uint32_t i)
{
	return i ? op->more[i - 1] : op->page;
}

/* False: it faulted and must be tried again. An instruction does nothing unless it may do all. */
static bool perform(struct world *w, struct node *n, const struct op *op)
{
	bool write = op->kind == OP_TOUCH ? op->word % 2 : op->kind == OP_WRITE;
	uint32_t i;

	if (op->kind == OP_TOUCH) {
		fault(w, n, op->page, op->count, write);
		return false;
	}
	if (op->kind == OP_WRITE && op->count && blocks__fix(w, n, op->page))
		return false;
	for (i = 0; i <= op->nmore; i++)
		if (n->memory[page_of(op, i)].rights < (write ? CORE_WRITE : CORE_READ)) {
			fault(w, n, page_of(op, i), 0, write);
			return false;
		}
	for (i = 0; i <= op->nmore; i++)
		if (write && n->in_tx)
			blocks__writes(w, n, page_of(op, i), op->word);
	for (i = 0; i <= op->nmore; i++)
		if (write)
			check_sync__write(w, n, page_of(op, i), op->word,
					  ((uint64_t)world__id(w, n) + 1) << 40 | ++n->counter);
		else
			check_sync__read(w, n, page_of(op, i), op->word);
	w->last_progress = w->now;
	return true;
}

static void end(struct world *w, struct node *n)
{
	n->done = true;
	w->running--;
}

static void meet(struct world *w, struct node *n)
{
	struct core_event event = {.type = CORE_BARRIER, .site = n->phase};

	n->phase++;
	n->next_op = UINT32_MAX; /* an answer now means: it is open */
	check_sync__enter(w);
	world__step(w, n, &event, NULL);
}

static void lock_step(struct world *w, struct node *n, const struct op *op)
{
	struct core_event event = {.type = op->kind == OP_ACQUIRE ? CORE_ACQUIRE : CORE_RELEASE,
				   .lock = LOCK_NAME + op->page,
				   .soon = mix(w->seed ^ w->steps) % 100 < 75};

	if (op->kind == OP_RELEASE)
		n->depth[op->page]--;
	world__step(w, n, &event, NULL);
}

void sync__move(struct world *w, struct node *n)
{
	const struct op *op;

	if (n->blocked || n->done || n->dead)
		return;
	if (n->next_op >= n->nops) {
		if (n->ends)
			end(w, n);
		else
			meet(w, n); /* it may have opened, or the node died of it */
		return;
	}
	if (n->doomed && n->in_tx && rng__chance(&n->rng, 20) && blocks__told(w, n))
		return;
	op = &n->ops[n->next_op];
	if (op->kind == OP_BEGIN || op->kind == OP_COMMIT) {
		n->next_op++;
		blocks__step(w, n, op);
		return;
	}
	if (op->kind == OP_ACQUIRE || op->kind == OP_RELEASE) {
		n->next_op++; /* an answer means that it is done */
		lock_step(w, n, op);
		return;
	}
	if (op->kind == OP_TOUCH)
		n->next_op++;
	if (perform(w, n, op)) {
		n->next_op++;
		world__wake(w, n, rng__below(&n->rng, w->profile.think_max));
	}
}

/* While it waits for several pages of sequential consistency, who needs one of them for an older instruction gets it; and
 * a copy of release consistency whose home has died is closed as soon as that is heard. */
static void check_wants(struct world *w, struct node *n)
{
	uint32_t i;

	for (i = n->wants; i < n->wants + n->nwants; i++)
		if (n->memory[i].rights == CORE_NONE && (n->nwants == 1 || !is_of(w, i, CORE_SC)) &&
		    (n->nwants == 1 || !w->nodes[core__birth(n->core, i)].dead))
			world__fail(w, FAIL_INVARIANT, "node %u: page %u is still closed after its access",
				    world__id(w, n), i);
	for (i = n->wants; i < n->wants + n->nwants; i++)
		n->memory[i].unused = 0;
	n->nwants = 0;
}

void sync__resumed(struct world *w, struct node *n)
{
	const struct op *op = n->next_op && n->next_op <= n->nops ? &n->ops[n->next_op - 1] : NULL;

	n->blocked = false;
	if (n->nwants) { /* which is no progress: the instruction is still to be done */
		check_wants(w, n);
		world__wake(w, n, rng__below(&n->rng, TICK_MIN));
		return;
	}
	w->last_progress = w->now;
	if (n->next_op == UINT32_MAX) {
		check_sync__left(w, n);
		if (n->phase == w->profile.phases) {
			end(w, n);
			return;
		}
		draw_phase(w, n);
	} else if (op && op->kind == OP_COMMIT) {
		n->in_tx = false;
		n->aborts = 0;
	} else if (op && op->kind == OP_ACQUIRE) {
		check_sync__acquired(w, n, op->page);
	}
	world__wake(w, n, rng__below(&n->rng, w->profile.think_max));
}

/* What it needs is lost: it lets go of its locks and ends, as a program does whose access has failed. */
void sync__lost(struct world *w, struct node *n, const struct core_action *a)
{
	uint32_t lock, k;

	w->totals->lost++;
	w->last_progress = w->now;
	if (a->doubt) { /* it cannot be undone */
		w->totals->doubts++;
		world__push(w, (struct due){.time = w->now + rng__below(&n->rng, 4 * w->profile.delay_max),
					    .node = world__id(w, n),
					    .what = DUE_DEATH});
		return;
	}
	blocks__undo(w, n);
	n->blocked = false;
	n->ends = true;
	n->nwants = n->nops = n->next_op = 0;
	for (lock = 0; lock < w->profile.locks; lock++)
		for (k = 0; k < n->depth[lock]; k++)
			sync__add(n, OP_RELEASE, lock, 0);
	world__wake(w, n, 0);
}

/* A block that may be undone was: it begins again. */
void sync__aborted(struct world *w, struct node *n)
{
	w->totals->undone++;
	blocks__undo(w, n);
	n->blocked = false;
	n->nwants = 0;
	n->next_op = n->begun;
	n->aborts++;
	world__wake(w, n, rng__between(&n->rng, 1, 100) << (n->aborts < 16 ? n->aborts : 16));
}
