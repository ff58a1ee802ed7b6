/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sc_bring.c - sequential consistency, at barriers: copies are brought to who is going to want them.
 *
 * A page that lives with its writer, and that others have lost to it: at the writer's next arrival at a barrier the page is
 * only read from there on, and its bytes go to those others, before they ask (BRING, which the barrier counts as it counts
 * SPREADs). It is a copy like one that was asked for: the home lists it, and revokes it. So nothing is promised here that
 * sequential consistency does not promise anyway, and who was guessed wrong has a copy too many.
 *
 * The writer's next write still takes a fault and a round trip, to take those copies away. Unless it writes in one phase
 * between barriers what the others read in the next, which a stencil in two colours does: then the copies are *lent*. Who
 * has one drops it without a word when it comes to the barrier after that; and when that barrier has opened all have come to
 * it, so the writer knows itself alone, and opens the page for writing. Neither side takes a fault then, or waits.
 *
 * A REVOKE may be on its way to who has just returned what was lent. It is answered like any other (CLIENT_OVER); the
 * home does not take for returned what it has asked back.
 *
 * Nobody sees whether a page that is open is used. So one that is brought stays closed now and then; who has not used it at
 * its next barrier says so (SEEN, REFUSED), and is not brought it again. And the writer finds what was lent readable only,
 * now and then; what it has not written then it does not bring. PERIOD of either: a steady stencil takes at most one such fault
 * a page in 32 rounds of two phases.
 */
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/internal.h"

#define PERIOD	 64u  /* times that it is brought */
#define FIRST	 3u   /* likewise, of a copy that was asked for */
#define STALE	 64u  /* barriers */
#define DISTRUST (-4) /* times that lending would have been right, until it is tried again */

/* ---- the home: what it writes, and who wants that ---- */

static size_t place(const struct bringing *b, uint32_t page)
{
	size_t lo = 0, hi = b->count, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (b->list[mid].page < page)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct brought *sc_bring__find(const struct dsm_core *core, uint32_t page)
{
	const struct bringing *b = &core->sc.bringing;
	size_t i = place(b, page);

	return i < b->count && b->list[i].page == page ? &b->list[i] : NULL;
}

struct brought *sc_bring__get(struct dsm_core *core, uint32_t page)
{
	struct bringing *b = &core->sc.bringing;
	struct brought *p = sc_bring__find(core, page);

	if (p || !core__grow(core, &b->list, &b->cap, b->count + 1, sizeof(*b->list)))
		return p;
	p = &b->list[place(b, page)];
	memmove(p + 1, p, (size_t)(&b->list[b->count] - p) * sizeof(*p));
	*p = (struct brought){.page = page};
	b->count++;
	return p;
}

/* In this phase, which is named by the barrier at its end: 0 is before all. */
uint64_t sc_bring__phase(const struct dsm_core *core)
{
	return core->barrier + 1;
}

/* Did those who were brought the page have it for a phase, before the one in which it is written? Then it could have
 * been lent. */
static void learn(const struct dsm_core *core, struct brought *p)
{
	if (!p->barrier || p->written == sc_bring__phase(core))
		return;
	if (sc_bring__phase(core) != p->barrier + 2) {
		p->lend = false;
	} else if (++p->trust > 0) {
		p->trust = 1;
		p->lend = true;
	}
}

void sc_bring__takes(struct dsm_core *core, uint32_t page, struct copyset from)
{
	struct brought *p = sc_bring__get(core, page);
	uint32_t i;

	if (!p)
		return;
	learn(core, p);
	if (p->written != sc_bring__phase(core))
		copyset__clear(core, &p->to);
	for (i = 0; i < copyset__count(core, from); i++)
		copyset__add(core, &p->to, copyset__node(core, from, i));
	p->written = sc_bring__phase(core);
}

void sc_bring__writes(struct dsm_core *core, uint32_t page)
{
	struct brought *p = sc_bring__find(core, page);

	if (p)
		p->written = sc_bring__phase(core);
}

void sc_bring__distrust(struct brought *p)
{
	p->trust = DISTRUST;
}

/* Who asks to read what it has just returned, or what was lent in the last phase, would have kept it. */
void sc_bring__gives(struct dsm_core *core, uint32_t page, uint16_t node, bool write)
{
	struct brought *p = sc_bring__find(core, page);

	if (!p || !p->barrier)
		return;
	if (!write && p->lend &&
	    (copyset__has(core, p->lent, node) ||
	     (p->returned == sc_bring__phase(core) && copyset__has(core, p->to, node)))) {
		p->lend = false;
		sc_bring__distrust(p);
	}
	copyset__remove(core, &p->lent, node);
}

void sc_bring__revoked(struct dsm_core *core, uint32_t page, uint16_t node, bool unused)
{
	struct brought *p = sc_bring__find(core, page);

	if (!p)
		return;
	copyset__remove(core, &p->lent, node);
	if (unused)
		copyset__remove(core, &p->to, node);
}

/* ---- the home arrives ---- */

static bool lives_here(const struct dsm_core *core, uint32_t page)
{
	return core__birth(core, page) == core->config.node;
}

static bool is_idle(const struct dsm_core *core, const struct dir_page *d)
{
	return !directory__more(core, d);
}

static bool is_due(struct dsm_core *core, const struct brought *p)
{
	const struct dir_page *d = directory__find(core, p->page);

	if (core->config.update_after == CORE_NEVER || p->written != sc_bring__phase(core) || !p->to.word)
		return false;
	if (!lives_here(core, p->page))
		return core->client[p->page].state == CLIENT_EXCLUSIVE && !p->lent.word && p->trust >= 0;
	return d->owner == core->config.node && is_idle(core, d);
}

/* From here on it is only read here, too. */
static void share(struct dsm_core *core, struct brought *p)
{
	struct client_page *cp = &core->client[p->page];
	struct dir_page *d = directory__find(core, p->page);
	struct sc *sc = &core->sc;
	struct copy *copy;
	uint32_t i;

	cp->version++;
	if (lives_here(core, p->page)) {
		cp->state = CLIENT_SHARED;
		d->owner = NOBODY;
		d->version = cp->version;
	}
	p->lender = 0;
	if (!core_mutant(sc_bringer_kept))
		core__gather_rights(core, p->page, CORE_READ);
	p->barrier = sc_bring__phase(core);
	for (i = 0; i < copyset__count(core, p->to); i++) {
		if (!core__grow(core, &sc->gives, &sc->gives_cap, sc->ngives + 1, sizeof(*sc->gives)))
			return;
		copy = &sc->gives[sc->ngives++];
		*copy = (struct copy){.node = copyset__node(core, p->to, i)};
		copy->entry = (struct core_entry){.page = p->page,
						  .flags = p->lend ? CORE_ENTRY_LENT : 0,
						  .version = cp->version,
						  .data = CORE_DATA_COMMITTED};
	}
}

static int by_node(const void *a, const void *b)
{
	const struct copy *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	return x->entry.page < y->entry.page ? -1 : x->entry.page > y->entry.page;
}

/* One message, if the barrier has room for its receiver. */
static void bring(struct dsm_core *core, const struct copy *copies, uint32_t n)
{
	uint16_t node = copies->node;
	struct core_msg msg = core__msg(core, CORE_MSG_BRING, node, &core->interval);
	struct core_entry *entries = core__entries(core, n);
	struct brought *p;
	uint32_t i;

	if (!entries || core->lost[node] ||
	    (!core_mutant(sc_bring_uncounted) && !barrier__counts(core, node, NOWHERE)))
		return;
	for (i = 0; i < n; i++) {
		entries[i] = copies[i].entry;
		if (lives_here(core, entries[i].page))
			home__add_holder(core, directory__find(core, entries[i].page), node);
		p = sc_bring__find(core, entries[i].page);
		if (p->lend)
			copyset__add(core, &p->lent, node);
	}
	msg.entries = entries;
	msg.npages = n;
	msg.number = sc_bring__phase(core);
	core__send(core, &msg);
}

static void bring_all(struct dsm_core *core)
{
	struct sc *sc = &core->sc;
	size_t i, n;

	if (sc->ngives)
		qsort(sc->gives, sc->ngives, sizeof(*sc->gives), by_node);
	for (i = 0; i < sc->ngives && !core->nomem; i += n) {
		for (n = 1;
		     i + n < sc->ngives && sc->gives[i + n].node == sc->gives[i].node && n < CORE_MSG_PAGES;)
			n++;
		bring(core, &sc->gives[i], (uint32_t)n);
	}
	sc->ngives = 0;
}

static void forget(struct dsm_core *core, struct brought *p)
{
	copyset__clear(core, &p->to);
	copyset__clear(core, &p->lent);
	copyset__clear(core, &p->no);
}

static void share_all(struct dsm_core *core)
{
	struct bringing *b = &core->sc.bringing;
	struct brought *p;
	size_t i, n = 0;

	for (i = 0; i < b->count; i++) {
		p = &b->list[i];
		if (is_due(core, p))
			share(core, p);
		if (p->lent.word || p->written + STALE > sc_bring__phase(core))
			b->list[n++] = *p;
		else
			forget(core, p);
	}
	b->count = n;
	core__flush_rights(core);
}

/* ---- the barrier has opened: what was lent has been returned ---- */

static void drop_lent(struct dsm_core *core, struct brought *p, struct dir_page *d)
{
	struct dir_more *m = directory__more(core, d);
	uint32_t i;

	for (i = 0; i < copyset__count(core, p->lent); i++)
		if (!m || !copyset__has(core, m->told, copyset__node(core, p->lent, i)) ||
		    core_mutant(sc_asked_back_forgotten))
			home__drop_holder(core, d, copyset__node(core, p->lent, i));
}

/* True: nobody but this node has it now. */
static bool own_again(struct dsm_core *core, struct brought *p)
{
	struct client_page *cp = &core->client[p->page];
	struct dir_page *d;

	if (!lives_here(core, p->page))
		return cp->state == CLIENT_EXCLUSIVE;
	d = directory__find(core, p->page);
	drop_lent(core, p, d);
	if (p->lender || cp->state != CLIENT_SHARED || !is_idle(core, d) ||
	    (copyset__count(core, d->holders) != 1 && !core_mutant(sc_not_alone)))
		return false;
	cp->state = CLIENT_EXCLUSIVE;
	d->owner = core->config.node;
	return true;
}

static void take_back(struct dsm_core *core, struct brought *p)
{
	bool owns = own_again(core, p);

	copyset__clear(core, &p->lent);
	p->lender = 0;
	if (!owns)
		return;
	p->returned = sc_bring__phase(core);
	if (++p->times % PERIOD == 0)
		return; /* is it still written? */
	p->written = sc_bring__phase(core);
	core__gather_rights(core, p->page, CORE_WRITE);
}

void sc_bring__opened(struct dsm_core *core)
{
	struct bringing *b = &core->sc.bringing;
	size_t i;

	for (i = 0; i < b->count; i++)
		if (b->list[i].lent.word &&
		    (b->list[i].barrier < core->barrier || core_mutant(sc_taken_back_early)))
			take_back(core, &b->list[i]);
	core__flush_rights(core);
}

/* ---- who is brought copies ---- */

/* True: nobody has used it, though it was closed to see that. */
static bool end_loan(struct dsm_core *core, uint32_t page)
{
	struct client_page *cp = &core->client[page];
	bool lent = cp->flags & CLIENT_LENT, unused = cp->idle && cp->rights == CORE_NONE;

	cp->flags &= (uint8_t) ~(CLIENT_LOAN | CLIENT_LENT);
	if (cp->state != CLIENT_SHARED)
		return false;
	if ((lent && !core_mutant(sc_lent_kept)) || unused) {
		cp->state = CLIENT_INVALID;
		cp->idle = 0;
		if (cp->rights != CORE_NONE)
			core__gather_rights(core, page, CORE_NONE);
	}
	if (cp->state == CLIENT_INVALID)
		copies__unused(core, page);
	if (lent)
		cp->flags |= CLIENT_OVER;
	return unused && !core_mutant(sc_brought_unused);
}

/* This node comes to a barrier: what was brought with the last one has been used or not. */
static void end_loans(struct dsm_core *core)
{
	struct sc *sc = &core->sc;
	struct core_entry e;
	uint16_t flags;
	size_t i, n = 0;

	for (i = 0; i < sc->nloans; i++) {
		if (sc->loans[i].barrier >= sc_bring__phase(core)) { /* has come early */
			sc->loans[n++] = sc->loans[i];
			continue;
		}
		e = (struct core_entry){.page = sc->loans[i].page};
		flags = core->client[e.page].flags & CLIENT_LENT ? CORE_ENTRY_LENT : 0;
		if (!end_loan(core, e.page))
			continue;
		e.flags = CORE_ENTRY_REFUSED | flags;
		e.version = core->client[e.page].version;
		core__send_entry(core, CORE_MSG_SEEN, sc->loans[i].from, &core->interval, &e);
	}
	sc->nloans = n;
	core__flush_rights(core);
}

void sc_bring__arrive(struct dsm_core *core)
{
	if (!core->config.rc_from)
		return;
	end_loans(core);
	share_all(core);
	bring_all(core);
}

void sc_bring__asked_for(struct client_page *cp)
{
	cp->flags &= (uint8_t) ~(CLIENT_LENT | CLIENT_OVER);
	cp->clean = FIRST;
	cp->idle = 0;
}

void sc_bring__used(struct client_page *cp)
{
	if (!cp->idle)
		return;
	cp->idle = 0;
	cp->clean = PERIOD;
}

static void note_loan(struct dsm_core *core, uint32_t page, uint16_t from, uint64_t barrier)
{
	struct sc *sc = &core->sc;
	size_t i = 0;

	if (core->client[page].flags & CLIENT_LOAN) { /* revoked, and brought again */
		while (sc->loans[i].page != page)
			i++;
		sc->loans[i] = (struct loan){.page = page, .from = from, .barrier = barrier};
	} else if (core__grow(core, &sc->loans, &sc->loans_cap, sc->nloans + 1, sizeof(*sc->loans))) {
		sc->loans[sc->nloans++] = (struct loan){.page = page, .from = from, .barrier = barrier};
		core->client[page].flags |= CLIENT_LOAN;
	}
}

/* It was asked for meanwhile, and has come from its home; perhaps it has been taken away since. */
static bool is_late(const struct dsm_core *core, const struct core_msg *msg, const struct core_entry *e)
{
	return msg->from != core__birth(core, e->page) && e->version <= core->client[e->page].version;
}

static void receive(struct dsm_core *core, const struct core_msg *msg, uint32_t i)
{
	const struct core_entry *e = &msg->entries[i];
	struct client_page *cp = &core->client[e->page];

	if (is_late(core, msg, e) && !core_mutant(sc_late_used))
		return;
	core__store(core, msg, i, false)->ahead = true;
	if (sc_lend__revoked(core, e))
		return;
	cp->state = CLIENT_SHARED;
	cp->version = e->version;
	cp->flags &= (uint8_t) ~(CLIENT_LENT | CLIENT_OVER);
	if (e->flags & CORE_ENTRY_LENT)
		cp->flags |= CLIENT_LENT;
	note_loan(core, e->page, msg->from, msg->number);
	cp->idle = !cp->clean;
	if (!cp->clean)
		return;
	cp->clean--;
	core__gather_rights(core, e->page, CORE_READ);
}

int sc__on_bring(struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_entry *e;
	uint32_t i;

	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		if (e->data != CORE_DATA_COMMITTED ||
		    (core->client[e->page].state != CLIENT_INVALID && !is_late(core, msg, e)))
			return -EPROTO;
	}
	if (barrier__got(core, msg->number))
		return -EPROTO;
	for (i = 0; i < msg->npages; i++)
		receive(core, msg, i);
	core__flush_rights(core);
	return 0;
}

/* ---- who does not use them says so ---- */

/* Not brought again, although the home may still name it among those who lose the page, should its owner write on in this
 * phase. */
static void refuse(struct dsm_core *core, struct brought *p, uint16_t node)
{
	if (p->refused != sc_bring__phase(core))
		copyset__clear(core, &p->no);
	p->refused = sc_bring__phase(core);
	copyset__add(core, &p->no, node);
	copyset__remove(core, &p->to, node);
}

bool sc_bring__refused(const struct dsm_core *core, const struct brought *p, uint16_t node)
{
	return p->refused == sc_bring__phase(core) && copyset__has(core, p->no, node);
}

/* What was lent is returned anyhow. What was not is given up, which answers a REVOKE, too. */
int sc__on_seen(struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_entry *e;
	struct dir_page *d;
	struct brought *p;
	uint32_t i;

	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		d = directory__find(core, e->page);
		if (!(e->flags & CORE_ENTRY_REFUSED))
			return -EPROTO;
		if (!(e->flags & CORE_ENTRY_LENT) &&
		    (!d || d->owner == msg->from || !home__holds(core, d, msg->from)))
			return -EPROTO;
	}
	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		p = sc_bring__find(core, e->page);
		if (p)
			refuse(core, p, msg->from);
		if (!(e->flags & CORE_ENTRY_LENT))
			sc_home__leaves(core, e->page, msg->from);
	}
	return 0;
}

/* ---- loss ---- */

void sc_bring__lose(struct dsm_core *core, uint16_t node)
{
	struct bringing *b = &core->sc.bringing;
	size_t i;

	for (i = 0; i < b->count; i++) {
		copyset__remove(core, &b->list[i].to, node);
		copyset__remove(core, &b->list[i].lent, node);
		copyset__remove(core, &b->list[i].no, node);
	}
}

void sc_bring__free(struct dsm_core *core)
{
	free(core->sc.bringing.list);
	free(core->sc.loans);
}
