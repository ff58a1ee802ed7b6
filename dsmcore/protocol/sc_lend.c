/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sc_lend.c - sequential consistency, at barriers: who owns a page that lives elsewhere lends copies of it.
 *
 * The home says who has lost a page to its new writer (the stamp of the COPY). At its arrival at a barrier the writer stops
 * writing, and sends its bytes to those, not to the home: it goes on owning the page, and what it sends is always lent
 * (sc_bring.c). So when the next barrier has opened it writes on, the home has heard nothing of all that, and whoever asks it
 * for the page is sent to the owner as ever.
 *
 * If the owner gives the page up before that barrier has opened it says to whom it is lent (LENT, and the stamp of its
 * REVOKED), and from there on the home lists those as holders: it revokes them if somebody wants to write, and forgets them
 * when it has passed that barrier. Likewise when the owner itself wants to write sooner: it gives the page up unasked, and
 * asks for it behind that, on the same channel.
 *
 * What the home sends to a borrower is not ordered with what the lender sends to it. So
 * - a REVOKE may come before the copy. It names the lender and the version, so the borrower sees that; it answers when
 *   the copy has come, which it drops then, or when it hears that the lender is lost;
 * - a copy that was lent may come when the borrower has asked for the page, got it from the home, and perhaps lost it again.
 *   Versions only rise while a page goes from owner to owner, so one that it has had already is left alone.
 */
#include <string.h>

#include "dsmcore/protocol/internal.h"

/* ---- nodes in a stamp ---- */

#define BITS	  16u
#define LIST_BITS (SC_LIST * BITS) /* above them: the barrier */

/* A bit for each node, where there are no more nodes than bits; else some names. */
static bool has_room(const struct dsm_core *core)
{
	return core->config.nodes <= LIST_BITS;
}

static uint16_t name(uint64_t stamp, uint32_t i)
{
	return (uint16_t)((stamp >> (i * BITS)) - 1); /* nothing there: NOBODY */
}

/* Those of a list, one after the other, then NOBODY; at: 0 at first. */
static uint16_t next_node(const struct dsm_core *core, uint64_t stamp, uint32_t *at)
{
	uint16_t node = NOBODY;

	if (!has_room(core)) {
		while (node == NOBODY && *at < SC_LIST)
			node = name(stamp, (*at)++);
		return node;
	}
	stamp &= (1ull << LIST_BITS) - 1;
	stamp = stamp >> *at << *at;
	if (!stamp)
		return NOBODY;
	node = (uint16_t)__builtin_ctzll(stamp);
	*at = node + 1u;
	return node;
}

uint64_t sc_lend__pack(const struct dsm_core *core, struct copyset set, uint16_t without)
{
	uint32_t i, n = 0, count = copyset__count(core, set);
	uint64_t stamp = 0;
	uint16_t node;

	for (i = 0; i < count; i++) {
		node = copyset__node(core, set, i);
		if (node == without || core->lost[node])
			continue;
		if (has_room(core)) {
			stamp |= 1ull << node;
			continue;
		}
		if (n == SC_LIST)
			return 0;
		stamp |= (node + 1ull) << (n++ * BITS);
	}
	return stamp;
}

static bool is_node(const struct dsm_core *core, uint16_t node)
{
	return node == NOBODY || node < core->config.nodes;
}

bool sc_lend__sane(const struct dsm_core *core, const struct core_msg *msg, const struct core_entry *e)
{
	uint32_t at = 0, any = 0;
	uint16_t node;

	if (msg->type == CORE_MSG_REVOKE)
		return is_node(core, name(e->stamp, 0)) && !(e->stamp >> BITS);
	for (; (node = next_node(core, e->stamp, &at)) != NOBODY; any++)
		if (!is_node(core, node))
			return false;
	return any || !(e->flags & CORE_ENTRY_LENT);
}

/* ---- who owns the page ---- */

void sc_lend__granted(struct dsm_core *core, const struct core_entry *e)
{
	struct brought *p = sc_bring__find(core, e->page);
	uint64_t phase = sc_bring__phase(core);
	uint16_t node;
	uint32_t at = 0;

	if (core__birth(core, e->page) == core->config.node || (!p && !e->stamp))
		return;
	if (!p)
		p = sc_bring__get(core, e->page);
	if (!p)
		return;
	if (p->written != phase) {
		p->trust += p->trust < 0;
		copyset__clear(core, &p->to);
	}
	while ((node = next_node(core, e->stamp, &at)) != NOBODY)
		if ((has_room(core) || copyset__count(core, p->to) < SC_LIST) &&
		    !sc_bring__refused(core, p, node))
			copyset__add(core, &p->to, node);
	p->written = phase;
	p->lend = true;
}

bool sc_lend__to(const struct dsm_core *core, uint32_t page, uint16_t node)
{
	const struct brought *p = sc_bring__find(core, page);

	return p && p->lent.word && core->client[page].state == CLIENT_EXCLUSIVE &&
	       (node == NOBODY || copyset__has(core, p->lent, node));
}

/* To whom and until when, for an entry; from here on that is the home's business. */
static uint64_t end_lending(struct dsm_core *core, struct brought *p)
{
	uint64_t list = sc_lend__pack(core, p->lent, NOBODY);

	if (list)
		list |= (p->barrier & UINT16_MAX) << LIST_BITS;
	copyset__clear(core, &p->lent);
	return core_mutant(sc_loan_untold) ? 0 : list;
}

void sc_lend__give_up(struct dsm_core *core, struct core_entry *e, const struct sc_wait *w)
{
	struct brought *p = sc_bring__find(core, e->page);

	if (!p || w->home == core->config.node)
		return;
	if (!w->drop && p->returned == sc_bring__phase(core) && copyset__has(core, p->to, w->who.node))
		sc_bring__distrust(p); /* it would have kept the copy */
	if (p->lent.word)
		e->stamp = end_lending(core, p);
	if (e->stamp)
		e->flags |= CORE_ENTRY_LENT;
}

void sc_lend__call_in(struct dsm_core *core, uint32_t page)
{
	struct client_page *cp = &core->client[page];
	struct core_entry e = {.page = page,
			       .flags = CORE_ENTRY_LENT | CORE_ENTRY_WRITE,
			       .data = CORE_DATA_COMMITTED,
			       .version = cp->version};

	if (!sc_lend__to(core, page, NOBODY))
		return;
	cp->state = CLIENT_SHARED;
	e.stamp = end_lending(core, sc_bring__find(core, page));
	if (!e.stamp)
		return;
	core__send_entry(core, CORE_MSG_REVOKED, core__birth(core, page), &core->interval, &e);
	sc__given_back(core, page);
}

/* ---- its home ---- */

bool sc_lend__hear(struct dsm_core *core, const struct core_entry *e, uint16_t from)
{
	uint16_t late = (uint16_t)((e->stamp >> LIST_BITS) - core->barrier);
	uint64_t barrier = core->barrier + (uint64_t)(int16_t)late;
	struct dir_page *d = directory__find(core, e->page);
	struct brought *p;
	uint32_t at = 0;
	uint16_t node;

	if (barrier < core->barrier) /* all have come to the barrier after that, and have returned it */
		return false;
	p = sc_bring__get(core, e->page);
	while (p && (node = next_node(core, e->stamp, &at)) != NOBODY) {
		if (core->lost[node])
			continue;
		home__add_holder(core, d, node);
		copyset__add(core, &p->lent, node);
	}
	if (p) {
		p->barrier = barrier;
		p->lender = (uint16_t)(from + 1);
	}
	return p;
}

/* ---- who is lent a copy ---- */

static struct early *find(struct dsm_core *core, uint32_t page)
{
	size_t i;

	for (i = 0; i < core->sc.nearly; i++)
		if (core->sc.early[i].page == page)
			return &core->sc.early[i];
	return NULL;
}

static void answer(struct dsm_core *core, const struct early *early)
{
	struct core_entry e = {.page = early->page, .version = early->version};

	core__send_entry(core, CORE_MSG_REVOKED, early->home, &core->interval, &e);
}

bool sc_lend__early(struct dsm_core *core, uint16_t home, const struct core_entry *e)
{
	const struct client_page *cp = &core->client[e->page];
	uint16_t lender = name(e->stamp, 0);
	struct sc *sc = &core->sc;
	struct early *early = find(core, e->page);

	if (lender == NOBODY || cp->state != CLIENT_INVALID || cp->version >= e->version ||
	    core_mutant(sc_early_answered))
		return false;
	if (early && early->version == e->version) /* for an older asker: it is answered once */
		return true;
	if (!early) {
		if (!core__grow(core, &sc->early, &sc->early_cap, sc->nearly + 1, sizeof(*sc->early)))
			return true;
		early = &sc->early[sc->nearly++];
	}
	*early = (struct early){.page = e->page, .home = home, .lender = lender, .version = e->version};
	early->answered = core->lost[lender];
	if (early->answered)
		answer(core, early);
	return true;
}

bool sc_lend__revoked(struct dsm_core *core, const struct core_entry *e)
{
	struct early *early = find(core, e->page);
	struct client_page *cp = &core->client[e->page];
	struct sc *sc = &core->sc;

	if (!early || early->version != e->version)
		return false;
	cp->version = e->version;
	cp->flags &= (uint8_t) ~(CLIENT_LENT | CLIENT_OVER);
	answer(core, early);
	*early = sc->early[--sc->nearly];
	return true;
}

/* ---- loss ---- */

void sc_lend__lose(struct dsm_core *core, uint16_t node)
{
	struct sc *sc = &core->sc;
	size_t i, n = 0;

	for (i = 0; i < sc->nearly; i++) {
		if (sc->early[i].home == node)
			continue;
		if (sc->early[i].lender == node && !sc->early[i].answered) {
			sc->early[i].answered = true;
			answer(core, &sc->early[i]);
		}
		sc->early[n++] = sc->early[i];
	}
	sc->nearly = n;
}
