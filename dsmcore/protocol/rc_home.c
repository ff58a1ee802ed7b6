/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rc_home.c - release consistency, the home's side: who has copies, and bringing changes to them.
 *
 * The home's frame (or twin, while its own mutator writes the page) always has all changes that were flushed, unless one
 * node owns the page: the only one with a copy, which writes it without telling anybody. An ASK makes it share: REVOKE,
 * REVOKED with the bytes, COPY. Meanwhile whoever else asks waits in the page's queue.
 *
 * A FLUSH makes a new version: the home merges the changes and SPREADs them to all other holders, who may have written the
 * page too. When all have confirmed, FLUSHED tells the writer that nobody sees anything older. A node that asks for the page
 * in between is given the new version and is not waited for.
 *
 * What a home says to a node arrives in that order, so a SPREAD never comes before the COPY that it changes. A SPREAD may
 * come after the node has given the copy up, or in place of one that it waits for: then it is confirmed and forgotten.
 */
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/internal.h"

/* ---- what goes to the same node goes in one message ---- */

static void send_gives(struct dsm_core *core)
{
	core__send_gathered(core, CORE_MSG_COPY, &core->interval, core->rc.gives, core->rc.ngives);
	core->rc.ngives = 0;
}

static void send_revokes(struct dsm_core *core, const struct core_party *who)
{
	core__send_gathered(core, CORE_MSG_REVOKE, who, core->rc.revokes, core->rc.nrevokes);
	core->rc.nrevokes = 0;
}

static void gather(struct dsm_core *core, struct copy **list, size_t *count, size_t *cap, uint16_t node,
		   const struct core_entry *e)
{
	if (core__grow(core, list, cap, *count + 1, sizeof(**list)))
		(*list)[(*count)++] = (struct copy){.entry = *e, .node = node};
}

/* ---- copies ---- */

static bool alone(const struct dsm_core *core, const struct dir_page *d, uint16_t node)
{
	return copyset__count(core, d->holders) == (uint32_t)home__holds(core, d, node);
}

/* Who is going to write, and has the only copy, may do so without a twin and without a word; on its own home also
 * who reads, since there it costs nothing to end that. Not if others wait, who will be given copies next. */
static void give(struct dsm_core *core, uint32_t page, struct dir_page *d, const struct waiter *w, bool last)
{
	struct core_entry e = {.page = page, .version = d->version};
	bool self = w->node == core->config.node;
	struct rc *rc = &core->rc;

	if (last && alone(core, d, w->node) && (w->write || self)) {
		e.flags = CORE_ENTRY_EXCLUSIVE;
		d->owner = w->node;
	}
	home__add_holder(core, d, w->node);
	if (!self && w->version != d->version)
		e.data = CORE_DATA_COMMITTED;
	gather(core, &rc->gives, &rc->ngives, &rc->gives_cap, w->node, &e);
}

static void refuse(struct dsm_core *core, uint32_t page, uint16_t node, uint16_t lost_with)
{
	struct core_entry e = {.page = page, .flags = CORE_ENTRY_LOST, .version = lost_with};

	gather(core, &core->rc.gives, &core->rc.ngives, &core->rc.gives_cap, node, &e);
}

/* The page is not owned any more, or lost with who owned it: all who wait for it are answered. */
static void serve(struct dsm_core *core, uint32_t page, struct dir_page *d)
{
	uint16_t lost_with = loss__of_page(core, d);
	const struct waiter *queue;
	struct waiter w;
	size_t n;

	while (queue = home__queue(core, d, &n), n && !core->nomem) {
		w = queue[0];
		home__remove_waiter(core, d, 0);
		if (lost_with != NOBODY)
			refuse(core, page, w.node, lost_with);
		else
			give(core, page, d, &w, n == 1);
	}
}

static void revoke(struct dsm_core *core, uint32_t page, struct dir_page *d)
{
	struct core_entry e = {.page = page, .version = d->version};
	struct dir_more *m = directory__make_more(core, d);
	struct rc *rc = &core->rc;

	if (!m)
		return;
	m->recall = d->owner;
	gather(core, &rc->revokes, &rc->nrevokes, &rc->revokes_cap, d->owner, &e);
}

static bool may_ask(struct dsm_core *core, const struct core_msg *msg)
{
	const struct dir_page *d;
	uint32_t i;

	for (i = 0; i < msg->npages; i++) {
		d = directory__find(core, msg->entries[i].page);
		if (d && (home__holds(core, d, msg->from) || home__waits(core, d, msg->from)))
			return false;
	}
	return true;
}

/* Is there a copy for who asks ahead of its use? Nobody else shall do anything for that. */
static bool to_spare(const struct dsm_core *core, const struct dir_page *d)
{
	return !directory__more(core, d) && loss__of_page(core, d) == NOBODY &&
	       (d->owner == NOBODY || d->owner == core->config.node);
}

int rc__on_ask(struct dsm_core *core, const struct core_msg *msg)
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
		if (e->flags & CORE_ENTRY_AHEAD && !core_mutant(ahead_taken) && !to_spare(core, d)) {
			gather(core, &core->rc.gives, &core->rc.ngives, &core->rc.gives_cap, msg->from,
			       &(struct core_entry){.page = e->page, .flags = CORE_ENTRY_REFUSED});
			continue;
		}
		home__wait(core, d,
			   &(struct waiter){.node = msg->from,
					    .write = e->flags & CORE_ENTRY_WRITE,
					    .version = e->version});
		if (d->owner == NOBODY || loss__of_page(core, d) != NOBODY)
			serve(core, e->page, d);
		else if (home__recalled(core, d) == NOBODY)
			revoke(core, e->page, d);
	}
	send_gives(core);
	send_revokes(core, &msg->tx);
	return 0;
}

/* What its owner may have written makes a new version. */
int rc__on_revoked(struct dsm_core *core, const struct core_msg *msg)
{
	bool self = msg->from == core->config.node;
	const struct core_entry *e;
	struct core_action *a;
	struct dir_page *d;
	uint32_t i;

	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		d = directory__find(core, e->page);
		if (!d || home__recalled(core, d) != msg->from || d->owner != msg->from ||
		    (!self && (e->data != CORE_DATA_NONE) != !!(e->flags & CORE_ENTRY_WRITE)))
			return -EPROTO;
	}
	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		d = directory__find(core, e->page);
		if (e->flags & CORE_ENTRY_WRITE)
			d->version++;
		if (e->data != CORE_DATA_NONE) {
			core__do(core, CORE_DO_STORE, e->page)->entry = i;
			a = core__emit(core, CORE_EMIT_TRANSFER);
			a->page = e->page;
			a->version = d->version;
			a->node = msg->from;
		}
		d->owner = NOBODY;
		home__end_recall(core, d);
		serve(core, e->page, d);
	}
	send_gives(core);
	return 0;
}

/* ---- changes ---- */

static bool may_own(const struct dsm_core *core, const struct dir_page *d, uint16_t node)
{
	size_t n;

	home__queue(core, d, &n);
	return !n && home__recalled(core, d) == NOBODY && home__holds(core, d, node) && alone(core, d, node);
}

bool rc_home__own(struct dsm_core *core, uint32_t page)
{
	struct dir_page *d = directory__find(core, page);

	if (!may_own(core, d, core->config.node))
		return false;
	d->owner = core->config.node;
	return true;
}

uint64_t rc_home__version(struct dsm_core *core, uint32_t page)
{
	return ++directory__find(core, page)->version;
}

/* Who has copies, but for the writer and this node, which has them already: by node, then by page. */
static size_t find_others(struct dsm_core *core, uint16_t writer, const struct core_entry *pages,
			  uint32_t npages)
{
	struct rc *rc = &core->rc;
	const struct dir_page *d;
	uint32_t i, k, all;
	uint16_t node;
	size_t n = 0;

	for (i = 0; i < npages; i++) {
		d = directory__find(core, pages[i].page);
		all = copyset__count(core, d->holders);
		for (k = 0; k < all; k++) {
			node = copyset__node(core, d->holders, k);
			if (node != writer && node != core->config.node &&
			    core__grow(core, &rc->to, &rc->to_cap, n + 1, sizeof(*rc->to)))
				rc->to[n++] = (struct of_node){.node = node, .index = i};
		}
	}
	home__sort(rc->to, n);
	return n;
}

static struct spread *new_spread(struct dsm_core *core, const struct core_party *tx,
				 const struct core_entry *pages, uint32_t npages, uint64_t number,
				 size_t most)
{
	struct rc *rc = &core->rc;
	struct spread *s;

	if (!core__grow(core, &rc->spreads, &rc->spreads_cap, rc->nspreads + 1, sizeof(*rc->spreads)))
		return NULL;
	s = &rc->spreads[rc->nspreads];
	*s = (struct spread){.id = rc->spread + 1, .number = number, .tx = *tx, .npages = npages};
	s->pages = malloc((npages + 1) * sizeof(*s->pages));
	s->asked = malloc(most * sizeof(*s->asked));
	if (!s->pages || !s->asked) {
		free(s->pages);
		free(s->asked);
		core->nomem = true;
		return NULL;
	}
	if (npages)
		memcpy(s->pages, pages, npages * sizeof(*s->pages));
	rc->spread++;
	rc->nspreads++;
	return s;
}

/* to[0, n) is one message. */
static void send_spread(struct dsm_core *core, const struct core_party *tx, const struct core_entry *pages,
			const struct of_node *to, size_t n, uint64_t barrier, uint64_t id)
{
	struct core_msg msg = core__msg(core, CORE_MSG_SPREAD, to->node, tx);
	struct core_entry *entries = core__entries(core, n);
	const struct core_entry *e;

	if (!entries)
		return;
	for (msg.npages = 0; msg.npages < n; msg.npages++) {
		e = &pages[to[msg.npages].index];
		entries[msg.npages] = (struct core_entry){.page = e->page,
							  .version = e->version,
							  .stamp = id,
							  .data = CORE_DATA_CHANGES,
							  .hold = e->hold};
	}
	msg.entries = entries;
	msg.number = barrier;
	core__send(core, &msg);
}

/* All have the writer's changes. A writer that is alone with the page now need not flush it any more. */
static void send_flushed(struct dsm_core *core, const struct core_party *tx, const struct core_entry *pages,
			 uint32_t npages, uint64_t number)
{
	struct core_msg msg = core__msg(core, CORE_MSG_FLUSHED, tx->node, tx);
	struct core_entry *entries = core__entries(core, npages);
	struct dir_page *d;
	uint32_t i;

	if (!entries || core->lost[tx->node])
		return;
	for (i = 0; i < npages; i++) {
		d = directory__find(core, pages[i].page);
		entries[i] = (struct core_entry){.page = pages[i].page, .version = pages[i].version};
		if (may_own(core, d, tx->node)) {
			entries[i].flags = CORE_ENTRY_EXCLUSIVE;
			d->owner = tx->node;
		}
	}
	msg.entries = entries;
	msg.npages = npages;
	msg.number = number;
	core__send(core, &msg);
}

static void forget_spread(struct dsm_core *core, size_t at)
{
	struct rc *rc = &core->rc;
	struct spread *s = &rc->spreads[at];

	free(s->pages);
	free(s->asked);
	rc->nspreads--;
	memmove(s, s + 1, (rc->nspreads - at) * sizeof(*s));
}

static void end_if_seen(struct dsm_core *core, size_t at)
{
	const struct spread *s = &core->rc.spreads[at];

	if (s->nasked)
		return;
	send_flushed(core, &s->tx, s->pages, s->npages, s->number);
	forget_spread(core, at);
}

bool rc_home__spread(struct dsm_core *core, const struct core_party *tx, const struct core_entry *pages,
		     uint32_t npages, uint64_t number, uint64_t barrier)
{
	size_t all = find_others(core, tx->node, pages, npages), i, n;
	const struct of_node *to = core->rc.to;
	struct spread *s = NULL;

	for (i = 0; i < all && !core->nomem; i += n) {
		for (n = 1; i + n < all && to[i + n].node == to[i].node && n < CORE_MSG_PAGES;)
			n++;
		if (barrier && barrier__counts(core, to[i].node, pages[to[i].index].page)) {
			send_spread(core, tx, pages, &to[i], n, barrier, 0);
			continue;
		}
		if (!s)
			s = new_spread(core, tx, pages, npages, number, all - i);
		if (!s)
			return false;
		s->asked[s->nasked++] = to[i].node;
		send_spread(core, tx, pages, &to[i], n, 0, s->id);
	}
	if (s && core_mutant(spread_unconfirmed)) {
		s->nasked = 0;
		end_if_seen(core, core->rc.nspreads - 1);
	}
	return s != NULL;
}

static bool may_flush(const struct dsm_core *core, const struct core_msg *msg)
{
	const struct dir_page *d;
	uint32_t i;

	for (i = 0; i < msg->npages; i++) {
		d = directory__find(core, msg->entries[i].page);
		if (!d || !home__holds(core, d, msg->from) || msg->entries[i].data != CORE_DATA_CHANGES)
			return false;
	}
	return msg->number;
}

/* This node's own copy, if its mutator has one, is a holder's like all others. */
static void merge(struct dsm_core *core, const struct core_msg *msg, uint32_t entry, struct core_entry *e)
{
	uint32_t page = msg->entries[entry].page;
	struct dir_page *d = directory__find(core, page);
	struct core_action *a;

	*e = (struct core_entry){.page = page, .version = rc_home__version(core, page)};
	if (copyset__count(core, d->holders) > 1u + home__holds(core, d, core->config.node))
		e->hold = core__hold(core, entry);
	core__do(core, CORE_DO_MERGE, page)->entry = entry;
	a = core__emit(core, CORE_EMIT_TRANSFER);
	a->page = page;
	a->version = e->version;
	a->node = msg->from;
	a->changes = true;
	if (home__holds(core, d, core->config.node) && rc__update(core, &msg->tx, page, e->version))
		home__drop_holder(core, d, core->config.node);
}

/* One that was sent before its writer became the owner, or before it was told to share, finds nobody else: it says
 * nothing that the owner's bytes will not say. */
int rc__on_flush(struct dsm_core *core, const struct core_msg *msg)
{
	struct core_entry *pages;
	uint32_t i;

	if (!may_flush(core, msg))
		return -EPROTO;
	pages = core__entries(core, msg->npages);
	if (!pages)
		return 0;
	for (i = 0; i < msg->npages; i++)
		merge(core, msg, i, &pages[i]);
	core__flush_rights(core);
	if (!rc_home__spread(core, &msg->tx, pages, msg->npages, msg->number, 0))
		send_flushed(core, &msg->tx, pages, msg->npages, msg->number);
	for (i = 0; i < msg->npages; i++)
		core__drop(core, pages[i].hold);
	return 0;
}

/* What is sent behind it has come when it is answered. */
bool rc_home__confirm(struct dsm_core *core, uint64_t number)
{
	const struct count *c = &core->count;
	struct core_entry e;
	struct spread *s;
	size_t i;

	if (!c->nsent || core_mutant(counted_unconfirmed))
		return false;
	s = new_spread(core, &core->interval, NULL, 0, number, c->nsent);
	for (i = 0; s && i < c->nsent; i++) {
		if (core->lost[c->sent[i].page] || c->sent[i].stamp == NOWHERE)
			continue;
		s->asked[s->nasked++] = (uint16_t)c->sent[i].page;
		e = (struct core_entry){.page = (uint32_t)c->sent[i].stamp, .stamp = s->id};
		core__send_entry(core, CORE_MSG_SPREAD, (uint16_t)c->sent[i].page, &core->interval, &e);
	}
	if (s && !s->nasked) {
		forget_spread(core, core->rc.nspreads - 1);
		return false;
	}
	return s != NULL;
}

/* ---- SEEN ---- */

static bool take_answer(struct spread *s, uint16_t node)
{
	size_t i = 0;

	while (i < s->nasked && s->asked[i] != node)
		i++;
	if (i == s->nasked)
		return false;
	s->asked[i] = s->asked[--s->nasked];
	return true;
}

/* Who has become the owner meanwhile, since the writer is lost, has given nothing up. */
static bool may_have_seen(const struct dsm_core *core, const struct core_msg *msg)
{
	uint64_t id = msg->entries[0].stamp;
	const struct core_entry *e;
	const struct dir_page *d;
	uint32_t i;

	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		d = directory__find(core, e->page);
		if (!d || e->stamp != id || e->flags & CORE_ENTRY_LENT)
			return false;
		if (e->flags & CORE_ENTRY_REFUSED ? d->owner == msg->from : !id)
			return false;
	}
	return true;
}

/* Of a SPREAD that a barrier counts a holder says only what it gives up. */
int rc__on_seen(struct dsm_core *core, const struct core_msg *msg)
{
	uint64_t id = msg->entries[0].stamp;
	struct rc *rc = &core->rc;
	const struct core_entry *e;
	size_t at = 0;
	uint32_t i;

	if (!may_have_seen(core, msg))
		return -EPROTO;
	while (id && at < rc->nspreads && rc->spreads[at].id != id)
		at++;
	if (id && at == rc->nspreads && core_mutant(spread_unconfirmed))
		id = 0;
	if (id && (at == rc->nspreads || !take_answer(&rc->spreads[at], msg->from)))
		return -EPROTO;
	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		if (e->flags & CORE_ENTRY_REFUSED)
			home__drop_holder(core, directory__find(core, e->page), msg->from);
	}
	if (id)
		end_if_seen(core, at);
	return 0;
}

/* ---- loss ---- */

static void forget(struct dsm_core *core, uint32_t page, struct dir_page *d, uint16_t node)
{
	home__forget_waiter(core, d, node);
	if (home__recalled(core, d) == node)
		home__end_recall(core, d);
	if (d->owner == node)
		serve(core, page, d);
	else
		home__drop_holder(core, d, node);
}

/* A page that it owned is lost. What it had written to one that it shared, and not flushed, has never happened. */
void rc_home__lose(struct dsm_core *core, uint16_t node)
{
	struct dir_page *d;
	uint32_t next = 0;
	size_t i;

	while ((d = directory__next(core, &next)))
		if (model__is(core, next - 1, CORE_RC))
			forget(core, next - 1, d, node);
	send_gives(core);
	for (i = core->rc.nspreads; i > 0; i--) {
		while (!core_mutant(lost_confirmation_awaited) && take_answer(&core->rc.spreads[i - 1], node))
			;
		end_if_seen(core, i - 1);
	}
}

void rc_home__free(struct dsm_core *core)
{
	struct rc *rc = &core->rc;
	size_t i;

	for (i = 0; i < rc->nspreads; i++) {
		free(rc->spreads[i].pages);
		free(rc->spreads[i].asked);
	}
	free(rc->spreads);
	free(rc->to);
	free(rc->gives);
	free(rc->revokes);
}
