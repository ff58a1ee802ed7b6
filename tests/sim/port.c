/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port.c - a node's memory, and the carrying out of actions. It is strict: an action that makes no sense
 * in the state of the memory is a failure of the core.
 */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const uint64_t *port__committed(const struct memory *m)
{
	return m->has_next ? m->next : m->has_twin ? m->twin : m->frame;
}

uint64_t port__hash(const uint64_t *words)
{
	uint64_t h = 0x9e3779b97f4a7c15ull;
	unsigned i;

	for (i = 0; i < WORDS; i++) {
		h ^= words[i] + 0x9e3779b97f4a7c15ull + (h << 6) + (h >> 2);
		h *= 0xff51afd7ed558ccdull;
		h ^= h >> 33;
	}
	return h;
}

static void apply(uint64_t *to, const struct payload *from)
{
	unsigned i;

	for (i = 0; i < WORDS; i++)
		if (from->changed & 1u << i)
			to[i] = from->word[i];
}

static void protect(struct world *w, struct node *n, const struct core_action *a)
{
	uint32_t i;

	for (i = a->page; i < a->page + a->count; i++) {
		if (a->rights == CORE_WRITE && !n->memory[i].has_twin && core__model(n->core, i) == CORE_TX &&
		    w->profile.world == WORLD_TX)
			world__fail(w, FAIL_PORT, "node %u: page %u made writable without a twin",
				    world__id(w, n), i);
		/* But for writing, ahead of a row of first writes. */
		if (a->rights == CORE_READ && n->memory[i].rights == CORE_NONE && i - n->wants >= n->nwants &&
		    !check_sync__brought(n, i))
			world__fail(w, FAIL_PORT, "node %u: page %u is opened, and nobody has accessed it",
				    world__id(w, n), i);
		n->memory[i].rights = a->rights;
		if (core__model(n->core, i) == CORE_SC)
			check_sync__rights(w, i);
	}
}

const struct payload *port__held(struct world *w, const struct node *n, uint32_t hold)
{
	if (hold && hold <= n->nheld && n->held[hold - 1].used)
		return &n->held[hold - 1].data;
	world__fail(w, FAIL_PORT, "node %u: nothing is kept as %u", world__id(w, n), hold);
	return NULL;
}

static void make_room(struct node *n, uint32_t hold)
{
	if (hold <= n->nheld)
		return;
	n->held = realloc(n->held, hold * sizeof(*n->held));
	if (!n->held)
		abort();
	memset(&n->held[n->nheld], 0, (hold - n->nheld) * sizeof(*n->held));
	n->nheld = hold;
}

static void hold(struct world *w, struct node *n, const struct core_action *a, const struct packet *packet)
{
	make_room(n, a->hold);
	if (n->held[a->hold - 1].used || packet->entries[a->entry].data == CORE_DATA_NONE)
		world__fail(w, FAIL_PORT, "node %u: cannot keep as %u", world__id(w, n), a->hold);
	n->held[a->hold - 1] = (struct held){packet->data[a->entry], true};
}

static void drop(struct world *w, struct node *n, const struct core_action *a)
{
	if (port__held(w, n, a->hold))
		n->held[a->hold - 1].used = false;
}

static void store(struct world *w, struct node *n, const struct core_action *a, const struct packet *packet)
{
	struct memory *m = &n->memory[a->page];
	const struct payload *data = a->hold ? port__held(w, n, a->hold) : &packet->data[a->entry];

	if (!data)
		return;
	if (!a->hold &&
	    (packet->entries[a->entry].page != a->page || packet->entries[a->entry].data == CORE_DATA_NONE))
		world__fail(w, FAIL_PORT, "node %u: no data came for page %u", world__id(w, n), a->page);
	if (a->type == CORE_DO_STORE) {
		if (m->has_next)
			world__fail(w, FAIL_PORT, "node %u: page %u stored though a newer version waits",
				    world__id(w, n), a->page);
		apply(m->frame, data);
		if (packet && packet->msg.type == CORE_MSG_BRING)
			check_sync__came(w, n, a->page);
		return;
	}
	if (!m->has_next)
		memcpy(m->next, port__committed(m), PAGE_BYTES);
	m->has_next = true;
	apply(m->next, data);
}

/* ---- release consistency: changes exact to the word ---- */

static void take_changes(struct world *w, struct node *n, const struct core_action *a)
{
	struct memory *m = &n->memory[a->page];
	struct payload *data;
	unsigned i;

	make_room(n, a->hold);
	if (!m->has_twin || n->held[a->hold - 1].used)
		world__fail(w, FAIL_PORT, "node %u: cannot take the changes of page %u as %u",
			    world__id(w, n), a->page, a->hold);
	n->held[a->hold - 1] = (struct held){.used = true};
	data = &n->held[a->hold - 1].data;
	for (i = 0; i < WORDS; i++) {
		data->word[i] = m->frame[i];
		if (m->frame[i] != m->twin[i])
			data->changed |= (uint8_t)(1u << i);
		if (!core_mutant(taken_not_refreshed))
			m->twin[i] = m->frame[i];
	}
}

static void merge(struct world *w, struct node *n, const struct core_action *a, const struct packet *packet)
{
	struct memory *m = &n->memory[a->page];
	const struct payload *data = a->hold ? port__held(w, n, a->hold) : &packet->data[a->entry];

	if (!data)
		return;
	if (!a->hold && (packet->entries[a->entry].page != a->page ||
			 packet->entries[a->entry].data != CORE_DATA_CHANGES))
		world__fail(w, FAIL_PORT, "node %u: no changes came for page %u", world__id(w, n), a->page);
	apply(m->frame, data);
	if (m->has_twin && !core_mutant(merge_not_in_twin))
		apply(m->twin, data);
	check_sync__merged(w, n, a->page);
}

const bool *port__changed(struct node *n)
{
	const uint32_t *written;
	size_t count, i;

	written = core__written(n->core, &count);
	for (i = 0; i < count; i++)
		n->changed[i] =
			memcmp(n->memory[written[i]].frame, n->memory[written[i]].twin, PAGE_BYTES) != 0;
	return n->changed;
}

static void twin_action(struct world *w, struct node *n, const struct core_action *a)
{
	struct memory *m;
	uint32_t i;

	for (i = a->page; i < a->page + a->count; i++) {
		m = &n->memory[i];
		if (m->has_twin == (a->type == CORE_DO_TWIN))
			world__fail(w, FAIL_PORT, "node %u: page %u %s a twin (action %d)", world__id(w, n),
				    i, m->has_twin ? "already has" : "has no", a->type);
		if (a->type == CORE_DO_TWIN)
			memcpy(m->twin, m->frame, PAGE_BYTES);
		if (a->type == CORE_DO_RESTORE)
			memcpy(m->frame, m->twin, PAGE_BYTES);
		m->has_twin = a->type == CORE_DO_TWIN;
		m->kept = false;
	}
}

/* The twin of a page that stays writable follows the frame, or the frame the twin. */
static void keep_action(struct world *w, struct node *n, const struct core_action *a)
{
	struct memory *m;
	uint32_t i;

	for (i = a->page; i < a->page + a->count; i++) {
		m = &n->memory[i];
		if (!m->has_twin || m->rights != CORE_WRITE)
			world__fail(w, FAIL_PORT, "node %u: page %u cannot stay writable (action %d)",
				    world__id(w, n), i, a->type);
		if (a->type == CORE_DO_REFRESH)
			memcpy(m->twin, m->frame, PAGE_BYTES);
		else
			memcpy(m->frame, m->twin, PAGE_BYTES);
		m->kept = true;
	}
}

static void promote(struct world *w, struct node *n, const struct core_action *a)
{
	struct memory *m = &n->memory[a->page];

	if (!m->has_next || m->has_twin)
		world__fail(w, FAIL_PORT, "node %u: page %u cannot be promoted", world__id(w, n), a->page);
	memcpy(m->frame, m->next, PAGE_BYTES);
	m->has_next = false;
}

/* What was written here goes on top of what others have made of the page. */
static void rebase(struct world *w, struct node *n, const struct core_action *a)
{
	struct memory *m = &n->memory[a->page];
	unsigned i;

	if (!m->has_next || !m->has_twin)
		world__fail(w, FAIL_PORT, "node %u: page %u cannot be rebased", world__id(w, n), a->page);
	for (i = 0; i < WORDS; i++) {
		if (m->frame[i] == m->twin[i])
			m->frame[i] = m->next[i];
		else if (m->next[i] != m->twin[i])
			world__fail(w, FAIL_PORT, "node %u: word %u of page %u is written by two",
				    world__id(w, n), i, a->page);
		m->twin[i] = m->next[i];
	}
	m->has_next = false;
	w->totals->rebased++;
}

static void emit(struct world *w, struct node *n, const struct core_action *a)
{
	switch (a->emit) {
	case CORE_EMIT_COMMIT:
		w->totals->commits++;
		w->totals->local += a->local;
		w->last_progress = w->now;
		if (!w->profile.sync)
			check__history(w, n, true);
		break;
	case CORE_EMIT_ABORT:
		w->totals->aborts++;
		if (w->profile.sync)
			break;
		check__abort(w, n, a);
		check__history(w, n, false);
		break;
	case CORE_EMIT_WRITES:
		if (!n->memory[a->page].has_twin)
			world__fail(w, FAIL_PORT, "node %u: write runs of page %u without a twin",
				    world__id(w, n), a->page);
		break;
	case CORE_EMIT_BARRIER:
		w->totals->barriers++;
		w->last_progress = w->now;
		n->barriers++;
		if (a->number != n->barriers)
			world__fail(w, FAIL_PORT, "node %u: barrier %" PRIu64 " opened, %u was next",
				    world__id(w, n), a->number, n->barriers);
		break;
	case CORE_EMIT_UPDATE:
		if (w->profile.sync)
			w->totals->spreads++;
		else
			w->totals->updates++;
		break;
	case CORE_EMIT_ADOPT:
		w->totals->adopted++;
		break;
	case CORE_EMIT_HAND:
		w->totals->handed++;
		break;
	case CORE_EMIT_PASS:
		w->totals->passed++;
		break;
	case CORE_EMIT_MOVE:
		w->totals->moves++;
		break;
	case CORE_EMIT_REDIRECT:
		w->totals->redirects++;
		break;
	case CORE_EMIT_MEET:
		if (!a->nmeetings || a->other.node == world__id(w, n))
			world__fail(w, FAIL_PORT, "node %u: a meeting with nobody, or nowhere",
				    world__id(w, n));
		break;
	case CORE_EMIT_INVALIDATE:
	case CORE_EMIT_REBASE:
	case CORE_EMIT_TRANSFER:
	case CORE_EMIT_INTERVAL:
	case CORE_EMIT_LOCK:
		break;
	}
}

static bool is_verdict(enum core_action_type type)
{
	return type == CORE_DO_RESUME || type == CORE_DO_WAIT || type == CORE_DO_ABORT ||
	       type == CORE_DO_LOST;
}

static void tell_mutator(struct world *w, struct node *n, const struct core_action *a)
{
	switch (a->type) {
	case CORE_DO_RESUME:
		if (w->profile.sync)
			sync__resumed(w, n);
		else
			program__resumed(w, n);
		break;
	case CORE_DO_WAIT:
		n->blocked = true;
		break;
	case CORE_DO_ABORT:
		if (w->profile.sync)
			sync__aborted(w, n);
		else
			program__aborted(w, n);
		break;
	case CORE_DO_LOST:
		if (w->profile.sync)
			sync__lost(w, n, a);
		else
			program__lost(w, n, a);
		break;
	case CORE_DO_DOOM:
		n->doomed = true;
		break;
	default:
		break;
	}
}

static void carry_out(struct world *w, struct node *n, const struct core_action *a,
		      const struct packet *packet)
{
	switch (a->type) {
	case CORE_DO_RESUME:
	case CORE_DO_WAIT:
	case CORE_DO_ABORT:
	case CORE_DO_LOST:
	case CORE_DO_DOOM:
		tell_mutator(w, n, a);
		break;
	case CORE_DO_SEND:
		world__send(w, n, &a->msg);
		break;
	case CORE_DO_PROTECT:
		protect(w, n, a);
		break;
	case CORE_DO_TWIN:
	case CORE_DO_UNTWIN:
	case CORE_DO_RESTORE:
		twin_action(w, n, a);
		break;
	case CORE_DO_REFRESH:
	case CORE_DO_RESET:
		keep_action(w, n, a);
		break;
	case CORE_DO_STORE:
	case CORE_DO_STORE_NEXT:
		store(w, n, a, packet);
		break;
	case CORE_DO_HOLD:
		hold(w, n, a, packet);
		break;
	case CORE_DO_DROP:
		drop(w, n, a);
		break;
	case CORE_DO_PROMOTE:
		promote(w, n, a);
		break;
	case CORE_DO_REBASE:
		rebase(w, n, a);
		break;
	case CORE_DO_TAKE:
		take_changes(w, n, a);
		break;
	case CORE_DO_MERGE:
		merge(w, n, a, packet);
		break;
	case CORE_DO_TICK:
		world__push(
			w, (struct due){.time = w->now + TICK_MIN + rng__below(&w->wild, w->profile.tick_max),
					.node = world__id(w, n),
					.what = DUE_TICK});
		break;
	case CORE_DO_EMIT:
		emit(w, n, a);
		break;
	}
}

void port__run(struct world *w, struct node *n, const struct core_actions *actions,
	       const struct packet *packet)
{
	for (size_t i = 0; i < actions->count && !w->failed; i++) {
		const struct core_action *a = &actions->list[i];

		carry_out(w, n, a, packet);
		if (death__after_action(w, n, actions, i))
			return;
		if (i + 1 < actions->count && is_verdict(a->type))
			world__fail(w, FAIL_PORT, "node %u: the mutator's verdict is not the last action",
				    world__id(w, n));
	}
}
