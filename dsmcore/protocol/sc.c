/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sc.c - sequential consistency, the side of who reads and writes.
 *
 * One writer or many readers of a page (Li and Hudak's write-invalidate protocol with a fixed manager, which is the
 * page's home: sc_home.c). SHARED is a copy for reading; EXCLUSIVE may be written. There are no twins: nobody else has
 * a copy that could differ, and before the bytes go anywhere the right to change them is taken away. So each read of any
 * node returns what was written last, and all nodes see all writes in one order.
 *
 * An instruction may need several pages at once. If each were taken away while it waits for the other, two nodes could go
 * on for ever without either's instruction ending. So a page that the mutator was given is *fresh*: a REVOKE of it waits
 * until the instruction must have ended. That is known from the mutator's next event that is no access, or from a TICK
 * at which it runs and has not been given anything since the TICK was asked for. (A program that walks over pages is given
 * something all the time: only the last FRESH pages can belong to one instruction.)
 *
 * While the mutator itself waits for another page, that would be a wait in a circle. So a REVOKE says for whom it is, and
 * when that one's instruction began to ask (party.birth, logical time): the older of the two gets what both need. The
 * oldest of all is never refused anything, and ends; so nobody waits for ever. Of those who queue for a page the REVOKE
 * names the oldest; if an older one comes, another REVOKE says so. And who waits for a page to write it gives up its copy
 * for reading at once.
 */
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/internal.h"

/* ---- what the mutator was just given ---- */

bool sc__fresh(const struct dsm_core *core, uint32_t page)
{
	size_t i;

	for (i = 0; i < core->sc.nfresh; i++)
		if (core->sc.fresh[i] == page)
			return true;
	return false;
}

static void unfresh(struct dsm_core *core, uint32_t page)
{
	struct sc *sc = &core->sc;
	size_t i;

	for (i = 0; i < sc->nfresh; i++)
		if (sc->fresh[i] == page) {
			sc->nfresh--;
			memmove(&sc->fresh[i], &sc->fresh[i + 1], (sc->nfresh - i) * sizeof(sc->fresh[0]));
			return;
		}
}

static void add_fresh(struct dsm_core *core, uint32_t page)
{
	struct sc *sc = &core->sc;

	unfresh(core, page);
	if (sc->nfresh == SC_FRESH)
		unfresh(core, sc->fresh[0]); /* what waits for it goes on at the next TICK */
	sc->fresh[sc->nfresh++] = page;
	sc->given = true;
}

bool sc__open(struct dsm_core *core, uint32_t page, bool write)
{
	struct client_page *cp = &core->client[page];
	bool writable = cp->state == CLIENT_EXCLUSIVE &&
			(!sc_lend__to(core, page, NOBODY) || core_mutant(sc_lender_writes));

	if (!core->interval.birth)
		core->interval.birth = ++core->clock;
	if (cp->state == CLIENT_INVALID || (write && !writable))
		return false;
	sc_bring__used(cp);
	if (write && cp->rights != CORE_WRITE)
		sc_bring__writes(core, page);
	add_fresh(core, page);
	core__gather_rights(core, page, writable ? CORE_WRITE : CORE_READ);
	return true;
}

void sc__arrived(struct dsm_core *core, const struct core_entry *e)
{
	struct client_page *cp = &core->client[e->page];

	cp->state = e->flags & CORE_ENTRY_EXCLUSIVE ? CLIENT_EXCLUSIVE : CLIENT_SHARED;
	cp->version = e->version;
	sc_bring__asked_for(cp);
	if (cp->state == CLIENT_EXCLUSIVE)
		sc_lend__granted(core, e);
}

/* ---- giving up ---- */

static void drop(struct dsm_core *core, uint32_t page, const struct core_party *other)
{
	struct client_page *cp = &core->client[page];
	struct core_action *emit = core__emit(core, CORE_EMIT_INVALIDATE);

	emit->page = page;
	emit->version = cp->version;
	emit->other = *other;
	cp->state = CLIENT_INVALID;
	cp->idle = 0;
	copies__unused(core, page);
	if (!core_mutant(sc_reader_kept))
		core__gather_rights(core, page, CORE_NONE);
}

/* The answer's entry; the rights change with the next core__flush_rights(), which must come before it is sent. */
static struct core_entry yield(struct dsm_core *core, const struct sc_wait *w)
{
	struct client_page *cp = &core->client[w->page];
	struct core_entry e = {.page = w->page};

	if (cp->state == CLIENT_INVALID) { /* it was lent, and has been returned */
		cp->flags &= (uint8_t)~CLIENT_OVER;
		e.version = cp->version;
		return e;
	}
	if (w->who.node != core->config.node) /* which may be the oldest of those who want to write it */
		model__meet(core, &w->who, w->page, cp->version + 1, w->drop);
	if (cp->state == CLIENT_EXCLUSIVE) {
		sc_lend__give_up(core, &e, w);
		if (!e.stamp) /* what is lent has this version already */
			cp->version++;
		if (w->home != core->config.node)
			e.data = CORE_DATA_COMMITTED;
	}
	e.version = cp->version;
	if (cp->idle && !core_mutant(sc_brought_unused))
		e.flags |= CORE_ENTRY_REFUSED;
	unfresh(core, w->page);
	if (w->drop) {
		drop(core, w->page, &w->who);
	} else {
		cp->state = CLIENT_SHARED;
		/* One that came when a loss had ended the wait for it is closed, and stays so. */
		if (cp->rights == CORE_WRITE && !core_mutant(sc_writer_kept))
			core__gather_rights(core, w->page, CORE_READ);
	}
	return e;
}

static void answer(struct dsm_core *core, const struct sc_wait *w)
{
	struct core_entry e = yield(core, w);

	core__flush_rights(core);
	core__send_entry(core, CORE_MSG_REVOKED, w->home, &core->interval, &e);
}

/* May the mutator keep the page for now? */
static bool keeps(const struct dsm_core *core, const struct sc_wait *w)
{
	if (!sc__fresh(core, w->page))
		return false;
	if (core_mutant(sc_fresh_forever) && core->mutator == MUTATOR_ASKS)
		return true;
	return core->mutator != MUTATOR_ASKS ||
	       (!copies__awaits(core, w->page) && core_party__older(&core->interval, &w->who));
}

/* While anything waits and the mutator runs a TICK is under way. (If it waits itself, no instruction retires, and a TICK
 * would only be asked for again: over a slow link, without end.) */
static void ask_tick(struct dsm_core *core)
{
	struct sc *sc = &core->sc;

	if (!sc->nwaits || sc->ticking || core->mutator != MUTATOR_RUNS)
		return;
	sc->ticking = true;
	sc->given = false;
	core__do(core, CORE_DO_TICK, 0);
}

/* Answers all that need not wait any more. */
static void go_on(struct dsm_core *core)
{
	struct sc *sc = &core->sc;
	size_t i, n = 0;

	for (i = 0; i < sc->nwaits; i++)
		if (keeps(core, &sc->waits[i]))
			sc->waits[n++] = sc->waits[i];
		else
			answer(core, &sc->waits[i]);
	sc->nwaits = n;
}

void sc__progress(struct dsm_core *core)
{
	core->sc.nfresh = 0;
	core->interval.birth = 0;
	go_on(core);
}

void sc__resumed(struct dsm_core *core)
{
	ask_tick(core);
}

int sc__tick(struct dsm_core *core)
{
	struct sc *sc = &core->sc;

	sc->ticking = false;
	if (core->mutator == MUTATOR_RUNS && !sc->given)
		sc__progress(core);
	else
		go_on(core);
	ask_tick(core);
	return 0;
}

/* ---- REVOKE ---- */

/* Does it ask for something that is here? One that repeats what was answered, for an older asker, does not; by then a copy
 * may be here that has come from elsewhere. */
static bool matters(const struct dsm_core *core, const struct core_entry *e)
{
	const struct client_page *cp = &core->client[e->page];

	if (cp->state == CLIENT_EXCLUSIVE)
		return true;
	if (e->version < cp->version && !core_mutant(sc_old_answered))
		return false;
	if (cp->state == CLIENT_INVALID)
		return cp->flags & CLIENT_OVER && !core_mutant(sc_return_unanswered);
	return e->flags & CORE_ENTRY_WRITE;
}

static struct sc_wait *find_wait(struct dsm_core *core, uint32_t page)
{
	size_t i;

	for (i = 0; i < core->sc.nwaits; i++)
		if (core->sc.waits[i].page == page)
			return &core->sc.waits[i];
	return NULL;
}

static void defer(struct dsm_core *core, const struct sc_wait *w)
{
	struct sc *sc = &core->sc;
	struct sc_wait *known = find_wait(core, w->page);

	if (known) {
		known->who = w->who;
		return;
	}
	if (core__grow(core, &sc->waits, &sc->waits_cap, sc->nwaits + 1, sizeof(*sc->waits)))
		sc->waits[sc->nwaits++] = *w;
}

void sc__given_back(struct dsm_core *core, uint32_t page)
{
	struct sc *sc = &core->sc;
	struct sc_wait *w = find_wait(core, page);
	size_t i;

	if (!w || w->drop)
		return;
	i = (size_t)(w - sc->waits);
	sc->nwaits--;
	memmove(w, w + 1, (sc->nwaits - i) * sizeof(*w));
}

int sc__on_revoke(struct dsm_core *core, const struct core_msg *msg)
{
	struct core_entry *entries = core__entries(core, msg->npages);
	struct core_msg reply;
	struct sc_wait w;
	uint32_t i, n = 0;

	if (!entries)
		return 0;
	for (i = 0; i < msg->npages; i++) {
		if (sc_lend__early(core, msg->from, &msg->entries[i]) || !matters(core, &msg->entries[i]))
			continue;
		w = (struct sc_wait){.page = msg->entries[i].page,
				     .home = msg->from,
				     .drop = msg->entries[i].flags & CORE_ENTRY_WRITE,
				     .who = msg->tx};
		if (keeps(core, &w) || find_wait(core, w.page))
			defer(core, &w);
		else
			entries[n++] = yield(core, &w);
	}
	core__flush_rights(core);
	if (n) {
		reply = core__msg(core, CORE_MSG_REVOKED, msg->from, &core->interval);
		reply.entries = entries;
		reply.npages = n;
		core__send(core, &reply);
	}
	go_on(core); /* a second REVOKE may name somebody for whom nothing is kept */
	ask_tick(core);
	return 0;
}

/* ---- loss ---- */

/* Nobody will ever give away a page of a home that is lost: copies of it stay as they are. */
void sc__lose(struct dsm_core *core, uint16_t node)
{
	struct sc *sc = &core->sc;
	size_t i, n = 0;

	for (i = 0; i < sc->nwaits; i++)
		if (sc->waits[i].home != node)
			sc->waits[n++] = sc->waits[i];
	sc->nwaits = n;
	sc_lend__lose(core, node);
	sc_home__lose(core, node);
}

void sc__free(struct dsm_core *core)
{
	free(core->sc.waits);
	sc_bring__free(core);
	free(core->sc.gives);
	free(core->sc.tells);
	free(core->sc.early);
}
