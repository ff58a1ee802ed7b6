/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sc_home.c - sequential consistency, the home's side: one writer or many readers.
 *
 * The home manages its pages for ever, and knows who has copies: so a request reaches the owner with one forward. What is
 * asked of a page is done one after the other, in the order in which it was asked. To read: the owner, if there is one,
 * gives its right to write up, and its bytes come here (REVOKE, REVOKED). To write: all other copies are dropped first, and
 * nobody is given the page before all have answered. An owner's bytes are a new version, so who asks for a page that it
 * has had, and that nobody has changed since, gets no bytes.
 *
 * Who asks for many pages is not to cost a message for each. What a message makes the home give or ask back is gathered, and
 * goes out at the end: first the COPYs, since a page may have been given and be asked back in the same breath.
 */
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/internal.h"

static void give(struct dsm_core *core, uint32_t page, struct dir_page *d, const struct waiter *w)
{
	struct core_entry e = {.page = page, .version = d->version};
	struct sc *sc = &core->sc;

	if (w->write) {
		e.flags = CORE_ENTRY_EXCLUSIVE;
		e.stamp = sc_lend__pack(core, d->updated, w->node);
		copyset__clear(core, &d->updated);
		d->owner = w->node;
	}
	home__add_holder(core, d, w->node);
	sc_bring__gives(core, page, w->node, w->write);
	if (w->node != core->config.node && w->version != d->version)
		e.data = CORE_DATA_COMMITTED;
	if (core__grow(core, &sc->gives, &sc->gives_cap, sc->ngives + 1, sizeof(*sc->gives)))
		sc->gives[sc->ngives++] = (struct copy){.entry = e, .node = w->node};
}

static void send_gives(struct dsm_core *core)
{
	core__send_gathered(core, CORE_MSG_COPY, &core->interval, core->sc.gives, core->sc.ngives);
	core->sc.ngives = 0;
}

static int by_node(const void *a, const void *b)
{
	const struct sc_tell *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* How many of the list from its first on fit into one message: the same receiver is told of the same asker, of pages that
 * ascend. */
static size_t fit_together(const struct sc_tell *list, size_t count)
{
	size_t n = 1;

	while (n < count && n < CORE_MSG_PAGES && list[n].node == list[0].node &&
	       core_party__same(&list[n].who, &list[0].who) && list[n].entry.page > list[n - 1].entry.page)
		n++;
	return n;
}

static void send_tells(struct dsm_core *core)
{
	struct sc *sc = &core->sc;
	struct core_entry *entries;
	struct core_msg msg;
	size_t i, n, k;

	if (sc->ntells > 1)
		qsort(sc->tells, sc->ntells, sizeof(*sc->tells), by_node);
	for (i = 0; i < sc->ntells; i += n) {
		n = fit_together(&sc->tells[i], sc->ntells - i);
		entries = core__entries(core, n);
		if (!entries)
			break;
		for (k = 0; k < n; k++)
			entries[k] = sc->tells[i + k].entry;
		msg = core__msg(core, CORE_MSG_REVOKE, sc->tells[i].node, &sc->tells[i].who);
		msg.entries = entries;
		msg.npages = (uint32_t)n;
		core__send(core, &msg);
	}
	sc->ntells = 0;
}

static void send_gathered(struct dsm_core *core)
{
	send_gives(core);
	send_tells(core);
}

static const struct core_party *oldest(const struct waiter *queue, size_t n)
{
	const struct waiter *w = &queue[0];
	size_t i;

	for (i = 1; i < n; i++)
		if (core_party__older(&queue[i].party, &w->party))
			w = &queue[i];
	return &w->party;
}

/* Those who are told do not answer before their mutators' instructions have ended, or somebody older waits. */
static void tell(struct dsm_core *core, uint32_t page, struct dir_page *d)
{
	struct dir_more *m = directory__more(core, d);
	struct core_entry e = {.page = page, .version = d->version};
	struct core_party who = *oldest(m->waiters, m->nwaiters);
	uint32_t i, n = copyset__count(core, m->told);
	struct sc *sc = &core->sc;
	const struct brought *p = sc_bring__find(core, page);

	if (p) /* what that one has sent may come later than this */
		e.stamp = p->lender;
	if (m->drops)
		e.flags = CORE_ENTRY_WRITE;
	for (i = 0; i < n && core__grow(core, &sc->tells, &sc->tells_cap, sc->ntells + 1, sizeof(*sc->tells));
	     i++) {
		sc->tells[sc->ntells] = (struct sc_tell){.entry = e,
							 .who = who,
							 .order = (uint32_t)sc->ntells,
							 .node = copyset__node(core, m->told, i)};
		sc->ntells++;
	}
}

/* Does the first of the queue have to wait for others' answers? Then they are asked. */
static bool must_revoke(struct dsm_core *core, uint32_t page, struct dir_page *d, const struct waiter *w)
{
	struct dir_more *m = directory__more(core, d);
	uint32_t i, n = copyset__count(core, d->holders);
	uint16_t node;

	if (!w->write && d->owner == NOBODY)
		return false;
	for (i = 0; i < n; i++) {
		node = copyset__node(core, d->holders, i);
		if (node != w->node)
			copyset__add(core, &m->told, node);
	}
	if (!m->told.word)
		return false;
	m->drops = w->write;
	if (w->write)
		copyset__clear(core, &d->updated);
	if (w->write && w->node == core->config.node)
		sc_bring__takes(core, page, m->told);
	tell(core, page, d);
	if (!core_mutant(sc_grant_early) || d->owner != NOBODY)
		return true;
	copyset__clear(core, &m->told);
	return false;
}

static void refuse_all(struct dsm_core *core, uint32_t page, struct dir_page *d, uint16_t with)
{
	struct core_entry e = {.page = page, .flags = CORE_ENTRY_LOST, .version = with};
	const struct waiter *queue;
	uint16_t node;
	size_t n;

	while (queue = home__queue(core, d, &n), n) {
		node = queue[0].node;
		home__remove_waiter(core, d, 0);
		core__send_entry(core, CORE_MSG_COPY, node, &core->interval, &e);
	}
}

static bool told_any(const struct dsm_core *core, const struct dir_page *d)
{
	const struct dir_more *m = directory__more(core, d);

	return m && m->told.word;
}

static void serve(struct dsm_core *core, uint32_t page, struct dir_page *d)
{
	uint16_t lost_with = loss__of_page(core, d);
	const struct waiter *queue;
	struct waiter w;
	size_t n;

	if (lost_with != NOBODY && !core_mutant(lost_page_kept_waiting)) {
		refuse_all(core, page, d, lost_with);
		return;
	}
	while (!told_any(core, d) && (queue = home__queue(core, d, &n), n) && !core->nomem) {
		w = queue[0];
		if (must_revoke(core, page, d, &w))
			return;
		home__remove_waiter(core, d, 0);
		give(core, page, d, &w);
	}
}

/* ---- ASK ---- */

static bool may_ask(struct dsm_core *core, const struct core_msg *msg)
{
	const struct dir_page *d;
	uint32_t i;

	for (i = 0; i < msg->npages; i++) {
		d = directory__find(core, msg->entries[i].page);
		if (d && (d->owner == msg->from || home__waits(core, d, msg->from)))
			return false;
	}
	return true;
}

static void wait(struct dsm_core *core, const struct core_entry *e, const struct core_party *who,
		 struct dir_page *d)
{
	struct waiter w = {.node = who->node,
			   .write = e->flags & CORE_ENTRY_WRITE,
			   .version = e->version,
			   .party = *who};
	const struct waiter *queue;
	struct core_party named = {0}; /* by the REVOKEs that are not answered */
	size_t n;

	queue = home__queue(core, d, &n);
	if (n)
		named = *oldest(queue, n);
	home__wait(core, d, &w);
	queue = home__queue(core, d, &n);
	if (n && told_any(core, d) && !core_party__same(oldest(queue, n), &named) &&
	    !core_mutant(sc_not_urged))
		tell(core, e->page, d);
}

/* Is there a copy for who asks ahead of its use? Nobody else shall wait for that, or lose anything but this node's own right to
 * write what its mutator is not just writing. */
static bool to_spare(const struct dsm_core *core, uint32_t page, const struct dir_page *d, uint16_t node)
{
	return !directory__more(core, d) && !home__holds(core, d, node) && loss__of_page(core, d) == NOBODY &&
	       (d->owner == NOBODY || (d->owner == core->config.node && !sc__fresh(core, page)));
}

static void refuse(struct dsm_core *core, uint32_t page, uint16_t node)
{
	struct core_entry e = {.page = page, .flags = CORE_ENTRY_REFUSED};
	struct sc *sc = &core->sc;

	if (core__grow(core, &sc->gives, &sc->gives_cap, sc->ngives + 1, sizeof(*sc->gives)))
		sc->gives[sc->ngives++] = (struct copy){.entry = e, .node = node};
}

int sc__on_ask(struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_entry *e;
	struct dir_page *d;
	uint32_t i;

	if (!may_ask(core, msg))
		return -EPROTO;
	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		d = directory__get(core, e->page);
		if (!d)
			return 0;
		if (e->flags & CORE_ENTRY_AHEAD && !core_mutant(ahead_taken) &&
		    !to_spare(core, e->page, d, msg->from)) {
			refuse(core, e->page, msg->from);
			continue;
		}
		wait(core, e, &msg->tx, d);
		serve(core, e->page, d);
	}
	send_gathered(core);
	return 0;
}

/* ---- REVOKED ---- */

/* It writes what it has lent, and leaves it to the home to get that back. */
static bool is_unasked(const struct core_entry *e)
{
	return e->flags & CORE_ENTRY_LENT && e->flags & CORE_ENTRY_WRITE;
}

static bool fits(const struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_entry *e;
	const struct dir_page *d;
	bool owned;
	uint32_t i;

	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		d = directory__find(core, e->page);
		if (!d ||
		    (!is_unasked(e) &&
		     (!told_any(core, d) || !copyset__has(core, directory__more(core, d)->told, msg->from))))
			return false;
		owned = d->owner == msg->from;
		if (owned ? e->version <= d->version : e->version != d->version)
			return false;
		if ((e->flags & CORE_ENTRY_LENT && (!owned || msg->from == core->config.node)) ||
		    (e->data != CORE_DATA_NONE) != (owned && msg->from != core->config.node))
			return false;
	}
	return true;
}

/* The owner has lent it: those have to drop it, too. */
static void tell_borrowers(struct dsm_core *core, uint32_t page, struct dir_page *d)
{
	struct dir_more *m = directory__more(core, d);
	struct brought *p = sc_bring__find(core, page);
	uint16_t node;
	uint32_t i;

	for (i = 0; p && i < copyset__count(core, p->lent); i++) {
		node = copyset__node(core, p->lent, i);
		if (node != m->waiters[0].node)
			copyset__add(core, &m->told, node);
	}
	if (m->told.word)
		tell(core, page, d);
}

/* clearing: all are to drop it. Who has sent this unasked has not heard that yet; it will take that for an old one, since it
 * names the version before, so it is told again. */
static void take(struct dsm_core *core, const struct core_msg *msg, uint32_t i, bool clearing)
{
	const struct core_entry *e = &msg->entries[i];
	struct dir_page *d = directory__find(core, e->page);
	bool lent = e->flags & CORE_ENTRY_LENT && sc_lend__hear(core, e, msg->from), keeps = is_unasked(e);
	size_t nwaiters;

	core__store(core, msg, i, false);
	d->version = e->version;
	if (d->owner == msg->from)
		d->owner = NOBODY;
	home__queue(core, d, &nwaiters);
	if (clearing && !keeps)
		home__drop_holder(core, d, msg->from);
	else if (told_any(core, d) && !(clearing && nwaiters))
		copyset__remove(core, &directory__more(core, d)->told, msg->from);
	if (clearing && !keeps && !(e->flags & CORE_ENTRY_REFUSED))
		copyset__add(core, &d->updated, msg->from);
	if (!keeps)
		sc_bring__revoked(core, e->page, msg->from, e->flags & CORE_ENTRY_REFUSED);
	if (clearing && nwaiters && (lent || keeps))
		tell_borrowers(core, e->page, d);
	directory__tidy(core, d);
}

int sc__on_revoked(struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_entry *e;
	struct dir_page *d;
	uint32_t i;

	if (!fits(core, msg))
		return core_mutant(sc_grant_early) ? 0 : -EPROTO;
	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		d = directory__find(core, e->page);
		take(core, msg, i, told_any(core, d) && directory__more(core, d)->drops);
		serve(core, e->page, d);
	}
	send_gathered(core);
	return 0;
}

void sc_home__leaves(struct dsm_core *core, uint32_t page, uint16_t node)
{
	struct dir_page *d = directory__find(core, page);

	home__drop_holder(core, d, node); /* nobody waits for its answer either */
	serve(core, page, d);
	send_gathered(core);
}

/* ---- loss ---- */

static void forget(struct dsm_core *core, uint32_t page, struct dir_page *d, uint16_t node)
{
	struct dir_more *m;

	home__forget_waiter(core, d, node);
	if (d->owner != node && !core_mutant(lost_holder_kept))
		home__drop_holder(core, d, node);
	m = directory__more(core, d);
	if (m && copyset__has(core, m->told, node)) {
		copyset__remove(core, &m->told, node);
		directory__tidy(core, d);
	}
	serve(core, page, d);
}

void sc_home__lose(struct dsm_core *core, uint16_t node)
{
	struct dir_page *d;
	uint32_t next = 0;

	sc_bring__lose(core, node);
	while ((d = directory__next(core, &next)))
		if (model__is(core, next - 1, CORE_SC))
			forget(core, next - 1, d, node);
	send_gathered(core);
}
