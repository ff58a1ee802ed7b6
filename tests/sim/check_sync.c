/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * check_sync.c - worlds without transactions: what each word must read as, and what must hold when all is at rest.
 *
 * The programs are such (program_sync.c) that a read is ordered with all writes of its word, by locks and barriers or, under
 * sequential consistency, by its coherence. So in virtual time, too, the last write is the one to be seen. That holds with
 * deaths: what nobody can know any more nobody can reach, since its lock, its page or the barrier is lost with it.
 */
#include "tests/sim/sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/locks.h"

#define NUMBER (((uint64_t)1 << 40) - 1) /* of a value: the rest is 1 + its node */

void check_sync__open(struct world *w)
{
	w->oracle.latest = calloc(w->profile.pages, sizeof(*w->oracle.latest));
	if (!w->oracle.latest)
		abort();
}

void check_sync__close(struct world *w)
{
	free(w->oracle.latest);
}

/* ---- while it runs ---- */

void check_sync__read(struct world *w, struct node *n, uint32_t page, uint32_t word)
{
	uint64_t got = n->memory[page].frame[word], want = w->oracle.latest[page][word];

	n->memory[page].unused = 0;
	w->totals->checked++;
	if (got != want)
		world__fail(w, FAIL_INVARIANT,
			    "node %u: word %u of page %u is number %" PRIu64 " of node %" PRIu64
			    ", the last one written is number %" PRIu64 " of node %" PRIu64,
			    world__id(w, n), word, page, got & NUMBER, (got >> 40) - 1, want & NUMBER,
			    (want >> 40) - 1);
}

void check_sync__write(struct world *w, struct node *n, uint32_t page, uint32_t word, uint64_t value)
{
	n->memory[page].unused = 0;
	n->memory[page].frame[word] = value;
	w->oracle.latest[page][word] = value;
}

void check_sync__merged(struct world *w, struct node *n, uint32_t page)
{
	const struct client_page *cp = &n->core->client[page];
	struct memory *m = &n->memory[page];

	if (cp->state == CLIENT_SHARED && !m->has_twin &&
	    !cp->clean) /* clean: it was seen used not long ago */
		m->unused++;
	else
		m->unused = 0;
	if (m->unused > CORE_UPDATE_UNUSED)
		world__fail(w, FAIL_INVARIANT, "node %u: page %u was updated %u times for nothing",
			    world__id(w, n), page, m->unused);
}

/* It is looked at once in 64 times. */
#define BROUGHT_UNUSED 66u

bool check_sync__brought(const struct node *n, uint32_t page)
{
	return core__model(n->core, page) == CORE_SC && n->core->client[page].flags & CLIENT_LOAN;
}

void check_sync__came(struct world *w, struct node *n, uint32_t page)
{
	w->totals->spreads++;
	if (++n->memory[page].unused > BROUGHT_UNUSED)
		world__fail(w, FAIL_INVARIANT, "node %u: page %u was brought %u times for nothing",
			    world__id(w, n), page, n->memory[page].unused);
}

void check_sync__rights(struct world *w, uint32_t page)
{
	uint32_t i, readers = 0, writers = 0;

	for (i = 0; i < w->profile.nodes; i++) {
		if (w->nodes[i].dead)
			continue;
		readers += w->nodes[i].memory[page].rights == CORE_READ;
		writers += w->nodes[i].memory[page].rights == CORE_WRITE;
	}
	if (writers > 1 || (writers && readers))
		world__fail(w, FAIL_INVARIANT, "page %u: %u nodes may write it, %u may read it", page,
			    writers, readers);
}

void check_sync__acquired(struct world *w, struct node *n, uint32_t lock)
{
	uint32_t i;

	for (i = 0; i < w->profile.nodes; i++)
		if (&w->nodes[i] != n && w->nodes[i].depth[lock])
			world__fail(w, FAIL_INVARIANT, "nodes %u and %u have lock %u", i, world__id(w, n),
				    lock);
	w->totals->sections += !n->depth[lock];
	n->depth[lock]++;
}

void check_sync__enter(struct world *w)
{
	w->oracle.entered++;
}

void check_sync__left(struct world *w, struct node *n)
{
	if (w->oracle.entered < (uint64_t)n->barriers * w->profile.nodes)
		world__fail(w, FAIL_INVARIANT, "node %u: leaves barrier %u before all have come to it",
			    world__id(w, n), n->barriers);
}

void check_sync__asked(struct world *w, struct node *n, const struct core_msg *msg)
{
	const struct dir_page *d;
	uint32_t i;

	for (i = 0; i < msg->npages && msg->type == CORE_MSG_ASK; i++) {
		d = directory__find(n->core, msg->entries[i].page);
		if (msg->entries[i].flags & CORE_ENTRY_AHEAD && d && home__waits(n->core, d, msg->from))
			world__fail(w, FAIL_INVARIANT,
				    "node %u: others are told of page %u, which node %u only guesses to want",
				    world__id(w, n), msg->entries[i].page, msg->from);
	}
}

/* What is written by others, too, has a twin, and the core lists it. */
/* A lock that others want is free for a few sections only, and no longer than some TICKs take to come that were asked for since;
 * one that was asked for before may be under way then. */
static void check_kept(struct world *w, struct node *n)
{
	const struct lock *l = n->core->locks.kept;
	uint64_t most = (LOCK_TICKS + 1) * (TICK_MIN + w->profile.tick_max);

	if (!l || l->name != n->kept) {
		n->kept = l ? l->name : 0;
		n->kept_since = w->now;
		w->totals->kept += l != NULL;
		return;
	}
	if (!l->here || !l->wanted || (!l->depth && l->uses >= l->limit))
		world__fail(w, FAIL_INVARIANT, "node %u: lock %#" PRIx64 " is kept, and may not be",
			    world__id(w, n), l->name);
	if (!l->depth && w->now > n->kept_since + most)
		world__fail(w, FAIL_INVARIANT, "node %u: lock %#" PRIx64 " is kept from others for too long",
			    world__id(w, n), l->name);
}

void check_sync__step(struct world *w, struct node *n)
{
	const struct client_page *cp;
	const uint32_t *written;
	size_t count, i;

	check_kept(w, n);
	written = core__written(n->core, &count);
	for (i = 0; i < count; i++) {
		cp = &n->core->client[written[i]];
		if ((i && written[i - 1] >= written[i]) || !n->memory[written[i]].has_twin ||
		    cp->state != CLIENT_SHARED || !(cp->flags & CLIENT_DIRTY))
			world__fail(w, FAIL_INVARIANT, "node %u: page %u is listed as written",
				    world__id(w, n), written[i]);
	}
}

/* ---- at rest ---- */

static bool any_dead(const struct world *w)
{
	uint32_t i;

	for (i = 0; i < w->profile.nodes; i++)
		if (w->nodes[i].dead)
			return true;
	return false;
}

static void check_bytes(struct world *w, const struct node *n, uint32_t page)
{
	if (memcmp(n->memory[page].frame, w->oracle.latest[page], PAGE_BYTES) != 0)
		world__fail(w, FAIL_INVARIANT, "node %u: page %u does not end with what was written last",
			    world__id(w, n), page);
}

/* It was lent by the page's owner, which need not tell its home. If that one is dead the page is lost, but nobody has
 * written it since. */
static bool is_borrowed(struct world *w, const struct node *n, uint32_t page, const struct dir_page *d)
{
	const struct node *owner = d && d->owner != NOBODY ? &w->nodes[d->owner] : NULL;

	if (!owner || owner == n || !(n->core->client[page].flags & CLIENT_LENT))
		return false;
	check_bytes(w, n, page);
	return owner->dead || sc_lend__to(owner->core, page, world__id(w, n));
}

/* Its home was told that it has been lent, and the lender has died before that was under way. */
static bool never_came(const struct world *w, const struct node *n, const struct node *home, uint32_t page)
{
	struct brought *p = sc_bring__find(home->core, page);

	return n->core->client[page].state == CLIENT_INVALID && p && p->lender &&
	       w->nodes[p->lender - 1].dead && copyset__has(home->core, p->lent, world__id(w, n));
}

static void check_copy(struct world *w, const struct node *n, uint32_t page)
{
	const struct node *home = &w->nodes[core__birth(n->core, page)];
	const struct dir_page *d = directory__find(home->core, page);
	const struct client_page *cp = &n->core->client[page];
	const struct memory *m = &n->memory[page];
	uint16_t id = world__id(w, n);

	if (m->rights != (enum core_rights)cp->rights ||
	    (cp->state == CLIENT_INVALID && m->rights != CORE_NONE))
		world__fail(w, FAIL_INVARIANT, "node %u: page %u has rights %d, the core says %d", id, page,
			    m->rights, cp->rights);
	if (m->has_twin != !!(cp->flags & CLIENT_DIRTY) || (m->has_twin && cp->state != CLIENT_SHARED))
		world__fail(w, FAIL_INVARIANT, "node %u: page %u: twin and state do not fit", id, page);
	if (cp->state == CLIENT_SHARED && m->rights == CORE_WRITE && !m->has_twin)
		world__fail(w, FAIL_INVARIANT, "node %u: page %u is written, and nobody will know", id, page);
	if (cp->wrote)
		world__fail(w, FAIL_INVARIANT, "node %u: page %u: changes are left on their way", id, page);
	if (home->dead)
		return;
	if ((cp->state == CLIENT_EXCLUSIVE) != (d && d->owner == id))
		world__fail(w, FAIL_INVARIANT, "node %u: page %u: client and directory disagree on the owner",
			    id, page);
	if (cp->flags & CLIENT_OVER && d && home__holds(home->core, d, id)) {
		if (!any_dead(w)) /* else the barrier at which it was returned never opens */
			world__fail(w, FAIL_INVARIANT, "node %u: page %u was returned, and nobody knows", id,
				    page);
		return;
	}
	if ((cp->state == CLIENT_SHARED && is_borrowed(w, n, page, d)) || never_came(w, n, home, page))
		return;
	if ((cp->state != CLIENT_INVALID) != (d && home__holds(home->core, d, id)))
		world__fail(w, FAIL_INVARIANT, "node %u: page %u: client and directory disagree on a copy",
			    id, page);
	if (cp->state != CLIENT_INVALID && !any_dead(w))
		check_bytes(w, n, page);
}

static void check_page(struct world *w, uint32_t page)
{
	const struct node *home = &w->nodes[core__birth(w->nodes[0].core, page)];
	const struct dir_page *d = directory__find(home->core, page);
	uint32_t i;

	for (i = 0; i < w->profile.nodes; i++)
		if (!w->nodes[i].dead)
			check_copy(w, &w->nodes[i], page);
	if (home->dead || !d)
		return;
	if (d->more)
		world__fail(w, FAIL_INVARIANT, "page %u: its home is left with a queue or a recall", page);
	if (d->owner != NOBODY && copyset__count(home->core, d->holders) != 1)
		world__fail(w, FAIL_INVARIANT, "page %u: an owner, and %u holders", page,
			    copyset__count(home->core, d->holders));
	if (d->owner == NOBODY && !any_dead(w))
		check_bytes(w, home, page);
}

void check_sync__end(struct world *w)
{
	const struct dsm_core *core;
	uint32_t i, k;

	if (w->running) {
		check__stuck(w);
		return;
	}
	for (i = 0; i < w->profile.nodes; i++) {
		core = w->nodes[i].core;
		if (w->nodes[i].dead)
			continue;
		if (core->asks.count || core->rc.nflushes || core->rc.nspreads || core->locks.leaving ||
		    core->locks.kept || core->sc.nwaits || core->sc.ticking ||
		    (core->sc.nearly && !any_dead(w)))
			world__fail(w, FAIL_INVARIANT, "node %u: something is left on its way", i);
		for (k = 0; k < w->nodes[i].nheld; k++)
			if (w->nodes[i].held[k].used)
				world__fail(w, FAIL_INVARIANT, "node %u: changes are kept for ever", i);
	}
	for (i = 0; i < w->profile.pages; i++)
		if (core__model(w->nodes[0].core, i) != CORE_TX)
			check_page(w, i);
}
