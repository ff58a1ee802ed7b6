/* SPDX-License-Identifier: BSD-2-Clause */
/* program.c - what a seed's nodes do: random transactions, and how their mutators go through them. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

/* ---- transactions ---- */

static uint32_t draw_page(struct world *w, struct node *n)
{
	const struct profile *p = &w->profile;
	uint32_t hot = p->hot_pages < p->pages ? p->hot_pages : p->pages;

	return rng__chance(&n->rng, p->hot_percent) ? rng__below(&n->rng, hot)
						    : rng__below(&n->rng, p->pages);
}

static enum op_kind draw_kind(struct world *w, struct node *n, bool read_only)
{
	const struct profile *p = &w->profile;

	if (rng__chance(&n->rng, p->safe_percent))
		return OP_SAFE;
	if (rng__chance(&n->rng, p->touch_percent))
		return OP_TOUCH;
	if (rng__chance(&n->rng, p->cancel_percent))
		return OP_CANCEL;
	if (rng__chance(&n->rng, p->retry_percent))
		return OP_RETRY;
	if (rng__chance(&n->rng, p->sole_percent))
		return OP_SOLE;
	if (read_only || !rng__chance(&n->rng, p->write_percent))
		return OP_READ;
	if (rng__chance(&n->rng, p->silent_percent))
		return OP_SILENT;
	return rng__chance(&n->rng, 50) ? OP_WRITE : OP_ADD;
}

/* The pages of one array after the other, or of two by turns; another one now and then, also backwards. */
static void draw_walk(struct world *w, struct node *n)
{
	uint32_t i, pages = w->profile.pages, lanes = rng__between(&n->rng, 1, 2);
	struct walk *walk;

	for (i = 0; i < n->nops; i++) {
		walk = &n->walk[i % lanes];
		if (!walk->stride || rng__chance(&n->rng, 5)) {
			walk->at = rng__below(&n->rng, pages);
			walk->stride = (int32_t)rng__between(&n->rng, 1, pages > 32 ? 9 : 2);
			if (rng__chance(&n->rng, 40))
				walk->stride = -walk->stride;
		}
		n->ops[i].page = walk->at;
		walk->at = (uint32_t)((int64_t)walk->at + walk->stride + pages) % pages;
	}
}

/* One of a loop: it mostly writes the pages behind those of the one before; now and then it does not. */
static void draw_loop(struct world *w, struct node *n)
{
	uint32_t i, pages = w->profile.pages;

	n->goes_on = n->loop_left && rng__chance(&n->rng, 95);
	if (!n->loop_left) {
		n->loop_left = rng__between(&n->rng, 1, 12);
		n->loop_at = rng__below(&n->rng, pages);
		n->loop_units = rng__between(&n->rng, 1, 8);
	}
	n->loop_left--;
	if (rng__chance(&n->rng, 10))
		n->loop_units = rng__between(&n->rng, 1, 8);
	if (rng__chance(&n->rng, 5))
		n->loop_at = rng__below(&n->rng, pages);
	for (i = 0; i < n->nops; i++) {
		if (n->ops[i].kind == OP_READ && rng__chance(&n->rng, 80))
			n->ops[i].kind = OP_WRITE;
		n->ops[i].page = (n->loop_at + i * n->loop_units / n->nops) % pages;
	}
	n->loop_at = (n->loop_at + n->loop_units) % pages;
}

static void draw_transaction(struct world *w, struct node *n)
{
	const struct profile *p = &w->profile;
	bool read_only = rng__chance(&n->rng, p->read_only_percent);
	bool big = rng__chance(&n->rng, p->long_percent) || (p->starve && world__id(w, n) == 0);
	uint32_t i;

	n->nops = big ? p->long_ops : rng__between(&n->rng, 1, p->ops_max);
	for (i = 0; i < n->nops; i++)
		n->ops[i] = (struct op){.kind = draw_kind(w, n, read_only),
					.page = draw_page(w, n),
					.word = rng__below(&n->rng, WORDS),
					.pinned = rng__chance(&n->rng, p->pinned_percent)};
	if (rng__chance(&n->rng, p->walk_percent))
		draw_walk(w, n);
	n->loops = !read_only && !p->fair && !p->starve &&
		   (n->loop_left || (p->loop_percent && rng__chance(&n->rng, p->loop_percent)));
	if (n->loops)
		draw_loop(w, n);
	for (i = 0; i < n->nops; i++)
		n->ops[i].count = rng__between(&n->rng, 1, p->pages - n->ops[i].page);
	n->aborts = 0;
	n->waited = 0;
	n->read_only = read_only && rng__chance(&n->rng, 50);
}

/* ---- the mutator ---- */

static void forget_views(struct node *n)
{
	while (n->nseen)
		n->views[n->seen[--n->nseen]] = (struct view){0};
}

void program__start(struct world *w, struct node *n)
{
	n->left = w->profile.starve && world__id(w, n) == 0 ? 2 : w->profile.transactions;
	if ((w->profile.relay || w->profile.fair) && world__id(w, n) == 0)
		n->left = 0;
	world__wake(w, n, rng__below(&n->rng, 50));
}

static void begin(struct world *w, struct node *n)
{
	struct core_event event = {.type = CORE_BEGIN, .site = 1, .read_only = n->read_only};

	if (n->loops) {
		event.site = 2;
		event.units = n->loop_units;
		event.goes_on = n->goes_on;
	}

	forget_views(n);
	n->next_op = 0;
	n->in_tx = true;
	n->doomed = n->unchecked = false;
	n->begin = w->now;
	if (!n->aborts)
		n->first_begin = w->now;
	world__step(w, n, &event, NULL);
}

/* The attempt looks at a page: what it sees must be what it saw, but for its own writes. */
static struct view *look(struct world *w, struct node *n, uint32_t page)
{
	struct view *v = &n->views[page];
	const struct memory *m = &n->memory[page];
	unsigned i;

	if (!v->seen) {
		v->seen = true;
		v->version = core__version(n->core, page);
		memcpy(v->image, m->frame, PAGE_BYTES);
		n->seen[n->nseen++] = page;
		return v;
	}
	for (i = 0; i < WORDS; i++)
		if (m->frame[i] != (v->own & 1u << i ? v->written[i] : v->image[i])) {
			world__fail(w, FAIL_INVARIANT,
				    "node %u: page %u changed before the eyes of a running attempt",
				    world__id(w, n), page);
			break;
		}
	return v;
}

static void write_word(struct node *n, struct view *v, const struct op *op, uint64_t value)
{
	n->memory[op->page].frame[op->word] = value;
	v->own |= (uint8_t)(1u << op->word);
	v->written[op->word] = value;
}

static uint64_t unique(struct world *w, struct node *n)
{
	return ((uint64_t)world__id(w, n) + 1) << 40 | ++n->counter;
}

/* One instruction. False: it faulted and must be tried again. */
static bool perform(struct world *w, struct node *n, const struct op *op)
{
	bool write = op->kind == OP_TOUCH ? op->word % 2 && !n->read_only : op->kind != OP_READ;
	struct memory *m = &n->memory[op->page];
	struct core_event event = {
		.type = CORE_ACCESS, .page = op->page, .write = write, .pinned = op->pinned};
	struct view *v;

	if (op->kind == OP_TOUCH || m->rights < (write ? CORE_WRITE : CORE_READ)) {
		event.count = op->kind == OP_TOUCH ? op->count : 0;
		n->wants = op->page;
		n->nwants = event.count ? event.count : 1;
		world__step(w, n, &event, NULL);
		return op->kind == OP_TOUCH;
	}
	v = look(w, n, op->page);
	if (op->kind == OP_WRITE || op->kind == OP_ADD)
		write_word(n, v, op, unique(w, n));
	else if (op->kind == OP_SILENT)
		write_word(n, v, op, m->frame[op->word]);
	return true;
}

static void commit(struct world *w, struct node *n)
{
	struct core_event event = {.type = CORE_COMMIT};
	bool changed[MAX_OPS];
	const uint32_t *dirty;
	size_t count, i;

	dirty = core__dirty(n->core, &count);
	for (i = 0; i < count; i++)
		changed[i] = memcmp(n->memory[dirty[i]].frame, n->memory[dirty[i]].twin, PAGE_BYTES) != 0;
	event.changed = changed;
	n->next_op = UINT32_MAX; /* an answer now means: it has committed */
	world__step(w, n, &event, NULL);
	if (n->read_only && n->blocked)
		world__fail(w, FAIL_INVARIANT, "node %u: a transaction that only read waits for its commit",
			    world__id(w, n));
}

static void next_transaction(struct world *w, struct node *n)
{
	struct core_event event = {.type = CORE_BARRIER};

	if (n->left) {
		n->left--;
		draw_transaction(w, n);
		begin(w, n);
		return;
	}
	if (++n->phase < w->profile.phases) {
		n->left = w->profile.transactions;
		world__step(w, n, &event, NULL);
		return;
	}
	check__shares(w, n);
	n->done = true;
	w->running--;
}

static void safe_point(struct world *w, struct node *n)
{
	struct core_event event = {.type = CORE_SAFE};

	world__step(w, n, &event, NULL);
}

static void cancel(struct world *w, struct node *n)
{
	struct core_event event = {.type = CORE_CANCEL};

	n->cancelling = true;
	world__step(w, n, &event, NULL);
}

/* The program asks to become irrevocable, or to wait for a change. */
static void ask(struct world *w, struct node *n, enum op_kind kind)
{
	struct core_event event = {.type = kind == OP_SOLE ? CORE_IRREVOCABLE : CORE_RETRY};

	n->asks = kind == OP_SOLE;
	n->waits = kind == OP_RETRY;
	n->waited += n->waits;
	w->totals->waits += n->waits;
	world__step(w, n, &event, NULL);
}

bool program__wake(struct world *w)
{
	struct core_event event = {.type = CORE_WAKE};
	bool any = false;
	uint32_t i;

	for (i = 0; i < w->profile.nodes && !w->failed; i++)
		if (w->nodes[i].waits && !w->nodes[i].dead) {
			any = true;
			world__step(w, &w->nodes[i], &event, NULL);
		}
	w->last_progress = w->now;
	return any;
}

static void no_access(struct world *w, struct node *n, enum op_kind kind)
{
	n->next_op++;
	if (kind == OP_SAFE)
		safe_point(w, n);
	else if (kind == OP_CANCEL && !n->sole)
		cancel(w, n);
	else if (kind == OP_SOLE || (kind == OP_RETRY && !n->sole && n->waited < 2))
		ask(w, n, kind);
	else
		world__wake(w, n, 0);
}

void program__move(struct world *w, struct node *n)
{
	const struct op *op;

	if (n->blocked || n->done || n->dead)
		return;
	if (!n->in_tx) {
		if (n->aborts)
			begin(w, n);
		else
			next_transaction(w, n);
		return;
	}
	if (n->doomed && rng__chance(&n->rng, 20)) { /* the signal has come through */
		safe_point(w, n);
		return;
	}
	if (n->next_op >= n->nops) {
		commit(w, n);
		return;
	}
	op = &n->ops[n->next_op];
	if (op->kind == OP_SAFE || op->kind == OP_CANCEL || op->kind == OP_RETRY || op->kind == OP_SOLE) {
		no_access(w, n, op->kind);
		return;
	}
	if (op->kind == OP_TOUCH)
		n->next_op++;
	if (perform(w, n, op) && op->kind != OP_TOUCH) {
		n->next_op++;
		world__wake(w, n, rng__below(&n->rng, w->profile.think_max));
	}
}

/* An access was answered: all of its pages are open. */
static void check_wants(struct world *w, struct node *n)
{
	uint32_t i;

	for (i = n->wants; i < n->wants + n->nwants; i++)
		if (n->memory[i].rights == CORE_NONE)
			world__fail(w, FAIL_INVARIANT, "node %u: page %u is still closed after its access",
				    world__id(w, n), i);
	n->nwants = 0;
}

void program__resumed(struct world *w, struct node *n)
{
	bool doomed = false;

	n->blocked = false;
	check_wants(w, n);
	if (n->asks)
		check__sole(w, n);
	n->asks = false;
	core__attempt(n->core, &doomed);
	if (doomed) { /* only a pinned access is answered so */
		n->unchecked = true;
		w->totals->pinned++;
	}
	if (n->in_tx && n->next_op == UINT32_MAX) {
		check__duration(w, n);
		n->in_tx = n->sole = false;
		n->aborts = 0;
	}
	world__wake(w, n, rng__below(&n->rng, w->profile.think_max));
}

/* Whoever has priority may be waiting for a very slow link, and refuses everybody until it is done. */
static uint32_t pause_after(const struct world *w, struct node *n)
{
	uint32_t pause = rng__below(&n->rng, w->profile.think_max), times = n->aborts > 1;

	if (w->profile.patient && n->aborts < CORE_ELEVATE_AFTER)
		return rng__between(&n->rng, 1, 100u << times); /* runtime/contention.c, in us */
	if (!n->refused || n->aborts < 16 || (!w->profile.slow_pairs && !w->profile.stalls))
		return pause;
	return pause + (1u << (n->aborts < 32 ? n->aborts - 16 : 16));
}

/* What the next attempt reads may be other data, by which it need not be irrevocable. */
static void change_mind(struct node *n)
{
	uint32_t i;

	for (i = 0; i < n->nops; i++)
		if (n->ops[i].kind == OP_SOLE)
			n->ops[i].kind = OP_READ;
}

void program__aborted(struct world *w, struct node *n)
{
	n->blocked = false;
	n->in_tx = false;
	n->nwants = 0;
	if (n->asks && rng__chance(&n->rng, w->profile.fickle_percent))
		change_mind(n);
	n->asks = n->waits = false;
	if (n->sole)
		world__fail(w, FAIL_INVARIANT, "node %u: an irrevocable attempt was aborted",
			    world__id(w, n));
	n->aborts = n->cancelling ? 0 : n->aborts + 1;
	n->cancelling = false;
	if (n->aborts > w->totals->most_aborts)
		w->totals->most_aborts = n->aborts;
	world__wake(w, n, pause_after(w, n));
}

/* Whoever hears of it may go on with other work, as long as that does not need what is lost. At a barrier the
 * program ends: it cannot know how many others have passed it. A node in doubt ends altogether. */
void program__lost(struct world *w, struct node *n, const struct core_action *a)
{
	if (!w->nodes[a->node].dead)
		world__fail(w, FAIL_PORT, "node %u: is told that node %u is lost, which is alive",
			    world__id(w, n), a->node);
	w->totals->lost++;
	w->last_progress = w->now;
	if (a->doubt) {
		w->totals->doubts++;
		world__push(w, (struct due){.time = w->now + rng__below(&n->rng, 4 * w->profile.delay_max),
					    .node = world__id(w, n),
					    .what = DUE_DEATH});
		return;
	}
	n->blocked = n->cancelling = n->doomed = n->asks = n->waits = n->sole = false;
	n->nwants = 0;
	n->aborts = 0;
	if (!n->in_tx || rng__chance(&n->rng, 30)) {
		n->in_tx = false;
		n->done = true;
		w->running--;
		return;
	}
	n->in_tx = false;
	world__wake(w, n, rng__below(&n->rng, w->profile.think_max));
}
