/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * migrate.c - homes that move to the node that writes.
 *
 * A page is born at one node (core__birth()). That node may leave the directory entry to another one, its
 * writer, who may only give it back: so there are never more than two places to look at, and the birth home
 * always knows which. Everybody else has hints (struct moved), and whoever is asked in error says where to
 * look: the birth home names the writer, anybody else the birth home.
 *
 * When. Each entry counts the messages that one node, the candidate, has exchanged with the home about the page and
 * that it would not have needed as its home, less what the home's own client would have needed then (worth.c). When
 * the balance exceeds what a move costs, the candidate's next commit takes the entry along, or the home's own one if
 * the page shall go back to where it was born. Each time that a page leaves its birth home it must save twice as much (up to
 * 500 messages), so no page goes to and fro for ever.
 *
 * How. Only at the end of a commit of the candidate, and only if it is the page's sole holder then, no answer to
 * any INVALIDATE or RECALL of the page is open, late ones included, and no node was ever lost. Thus nothing about
 * the page is under way to anybody, except to the one committer, and a PAGE that its INVALIDATE has overtaken (which
 * its stamp tells as ever). No messages of two homes about one page can meet, and all that must travel is a version,
 * a stamp and the committer's name. The candidate has the bytes: it has just made them. (Only when an entry goes back
 * without its birth home having committed, they go with it, and nothing is granted to anybody until it asks at the right place.)
 *
 * HAND goes behind the GRANT. Until TAKEN comes the page's queue waits: so whoever is sent to the new home comes there
 * after the entry. No step of the new home is needed for that but the one that takes it, so nobody waits in a circle.
 * When the new home is lost before it has answered, it is the home all the same: it may have been, and committed
 * by itself.
 *
 * LOCKs of one commit go to the homes one after the other as ever; which home comes when is each node's own belief.
 * That the waits for locks make no circle follows from the ranks alone (lock.c).
 */
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/internal.h"

#define LEFT_MAX 7u /* doublings of what a page must save; what dir_page.left can tell */

/* ---- where is it? a table by page, empty until something moves ---- */

uint16_t core__birth(const struct dsm_core *core, uint32_t page)
{
	uint32_t node = page / core->config.pages_per_home, last = core->config.nodes - 1u;

	return (uint16_t)(node < last ? node : last);
}

static size_t slot_of(const struct homes *h, uint32_t page)
{
	return (size_t)(((uint64_t)page * 0x9e3779b97f4a7c15ull) >> 32) & (h->cap - 1);
}

static struct moved *find_moved(const struct homes *h, uint32_t page)
{
	size_t i;

	if (!h->count)
		return NULL;
	for (i = slot_of(h, page); h->list[i].used; i = (i + 1) & (h->cap - 1))
		if (h->list[i].page == page)
			return &h->list[i];
	return NULL;
}

static void put(struct homes *h, const struct moved *m)
{
	size_t i = slot_of(h, m->page);

	while (h->list[i].used)
		i = (i + 1) & (h->cap - 1);
	h->list[i] = *m;
}

/* At most half full. */
static struct moved *add_moved(struct dsm_core *core, uint32_t page)
{
	struct homes *h = &core->homes, old = *h;
	struct moved *m = find_moved(h, page);
	size_t i;

	if (m)
		return m;
	if (2 * (h->count + 1) > h->cap) {
		h->cap = old.cap ? 2 * old.cap : 16;
		h->list = calloc(h->cap, sizeof(*h->list));
		if (!h->list) {
			*h = old;
			core->nomem = true;
			return NULL;
		}
		for (i = 0; i < old.cap; i++)
			if (old.list[i].used)
				put(h, &old.list[i]);
		free(old.list);
	}
	put(h, &(struct moved){.page = page, .used = true});
	h->count++;
	return find_moved(h, page);
}

/* Those behind it in its row move up, so that they are still found. */
static void forget_home(struct dsm_core *core, uint32_t page)
{
	struct homes *h = &core->homes;
	struct moved *m = find_moved(h, page), next;
	size_t i;

	if (!m)
		return;
	m->used = false;
	h->count--;
	for (i = (size_t)(m - h->list + 1) & (h->cap - 1); h->list[i].used; i = (i + 1) & (h->cap - 1)) {
		next = h->list[i];
		h->list[i].used = false;
		put(h, &next);
	}
}

uint16_t core__home(const struct dsm_core *core, uint32_t page)
{
	const struct moved *m = find_moved(&core->homes, page);

	return m ? m->home : core__birth(core, page);
}

bool migrate__here(const struct dsm_core *core, uint32_t page)
{
	return core__home(core, page) == core->config.node;
}

uint16_t migrate__moving(const struct dsm_core *core, const struct dir_page *d)
{
	const struct dir_more *m = directory__more(core, d);

	return m ? m->moving : NOBODY;
}

bool migrate__leaves(const struct dsm_core *core, const struct dir_page *d)
{
	const struct dir_more *m = directory__more(core, d);

	return m && m->leaves;
}

/* (The entry may have come home while the answer was under way, and left again.) */
bool migrate__may_be(const struct dsm_core *core, uint32_t page, uint64_t home)
{
	return home < core->config.nodes &&
	       (home != core->config.node || core__home(core, page) == core->config.node ||
		core__birth(core, page) == core->config.node);
}

void migrate__learn(struct dsm_core *core, uint32_t page, uint16_t home)
{
	struct moved *m;

	if (core__home(core, page) == core->config.node || home == core->config.node)
		return;
	if (home == core__birth(core, page)) {
		forget_home(core, page);
		return;
	}
	m = add_moved(core, page);
	if (m)
		m->home = home;
}

struct core_entry migrate__elsewhere(struct dsm_core *core, uint32_t page)
{
	uint16_t home = core__birth(core, page);
	struct core_action *emit = core__emit(core, CORE_EMIT_REDIRECT);

	if (home == core->config.node)
		home = core__home(core, page);
	emit->page = page;
	emit->node = home;
	return (struct core_entry){.page = page,
				   .flags = core->lost[home] ? CORE_ENTRY_LOST : CORE_ENTRY_MOVED,
				   .version = home};
}

/* ---- what shall leave? ---- */

/* Only the birth home may leave a page to anybody. */
static uint16_t target(const struct dsm_core *core, uint32_t page, uint16_t committer)
{
	uint16_t birth = core__birth(core, page);

	return birth == core->config.node ? committer : birth;
}

static bool all_answered(const struct dsm_core *core, const struct dir_page *d)
{
	const struct dir_more *m = directory__more(core, d);

	return !m || !m->open || core_mutant(moved_unanswered);
}

/* Would it be right to leave it with this commit, and can it be done now? (One that owns it may not have heard so
 * yet: it must not hear of another home first.) */
static bool may_leave(const struct dsm_core *core, uint32_t page, const struct dir_page *d,
		      uint16_t committer)
{
	uint16_t birth = core__birth(core, page), self = core->config.node;

	return d->candidate == (committer == self ? birth : committer) && d->candidate != self &&
	       all_answered(core, d) && (d->owner == NOBODY || target(core, page, committer) == committer);
}

/* All locks of the commit's pages from `chunk` on are held. Those that may leave do so together, if that pays for all
 * of them: what is written together stays together. A page that shall move is not updated anywhere: then its writer
 * becomes the only holder. */
void migrate__locked(struct dsm_core *core, struct home_tx *t)
{
	uint64_t saved = 0, cost = 0;
	struct dir_page *d;
	struct dir_more *m;
	size_t i;

	if (core->config.migrate_after == CORE_NEVER)
		return;
	worth__locked(core, t);
	for (i = t->chunk; i < t->npages; i++) {
		d = directory__find(core, t->pages[i].page);
		if (!may_leave(core, t->pages[i].page, d, t->party.node))
			continue;
		saved += d->score;
		cost += worth__price(core, d);
	}
	for (i = t->chunk; i < t->npages && cost && saved >= cost && !core->any_rumour; i++) {
		d = directory__find(core, t->pages[i].page);
		m = may_leave(core, t->pages[i].page, d, t->party.node) ? directory__make_more(core, d)
									: NULL;
		if (m)
			m->leaves = true;
	}
}

void migrate__released(struct dsm_core *core, struct dir_page *d)
{
	struct dir_more *m = directory__more(core, d);

	if (!m)
		return;
	m->leaves = false;
	directory__tidy(core, d);
}

/* ---- answers that are open ---- */

void migrate__asked(struct dsm_core *core, struct dir_page *d)
{
	struct dir_more *m;

	if (core->config.migrate_after == CORE_NEVER || core->any_rumour)
		return;
	m = directory__make_more(core, d);
	if (m && m->open < UINT16_MAX)
		m->open++;
}

/* An ACK or a REFUSE, in time or late. */
void migrate__answered(struct dsm_core *core, const struct core_msg *msg)
{
	struct dir_page *d;
	struct dir_more *m;
	uint32_t i;

	for (i = 0; i < msg->npages; i++) {
		d = directory__find(core, msg->entries[i].page);
		m = d ? directory__more(core, d) : NULL;
		if (!m || !m->open || m->open == UINT16_MAX) /* they were too many to count */
			continue;
		m->open--;
		directory__tidy(core, d);
	}
}

/* ---- the old home ---- */

/* There is a new version, and its committer is a holder. */
void migrate__committed(struct dsm_core *core, uint32_t page, struct dir_page *d, uint16_t committer)
{
	bool leaves = migrate__leaves(core, d);
	struct homes *h = &core->homes;

	migrate__released(core, d);
	if (!leaves || home__recalled(core, d) != NOBODY || !all_answered(core, d) || core->any_rumour)
		return;
	if ((copyset__count(core, d->holders) != 1 || !home__holds(core, d, committer)) &&
	    !core_mutant(moved_shared))
		return;
	if (!core__grow(core, &h->hands, &h->hands_cap, h->nhands + 1, sizeof(*h->hands)) ||
	    !directory__make_more(core, d))
		return;
	directory__more(core, d)->moving = target(core, page, committer);
	h->hands[h->nhands++] = page;
}

/* The only holder, which has made the version that there is. */
static uint16_t maker(const struct dsm_core *core, const struct dir_page *d)
{
	return copyset__node(core, d->holders, 0);
}

/* Pages from i on that go in one message: to one node, after a commit of one. */
static size_t batch(const struct dsm_core *core, size_t i)
{
	const struct homes *h = &core->homes;
	const struct dir_page *d = directory__find(core, h->hands[i]), *next;
	size_t n = 1;

	for (; i + n < h->nhands && n < CORE_MSG_PAGES && h->hands[i + n] > h->hands[i + n - 1]; n++) {
		next = directory__find(core, h->hands[i + n]);
		if (migrate__moving(core, next) != migrate__moving(core, d) ||
		    maker(core, next) != maker(core, d))
			break;
	}
	return n;
}

static struct core_entry hand(struct dsm_core *core, uint32_t page)
{
	const struct dir_page *d = directory__find(core, page);
	struct core_entry e = {.page = page, .version = d->version, .stamp = d->stamp};
	struct core_action *emit = core__emit(core, CORE_EMIT_MOVE);

	emit->page = page;
	emit->version = d->version;
	emit->node = migrate__moving(core, d);
	if (core_mutant(moved_stamp))
		e.stamp = 0;
	if (d->owner == emit->node)
		e.flags = CORE_ENTRY_EXCLUSIVE;
	if (maker(core, d) != emit->node)
		e.data = CORE_DATA_COMMITTED;
	return e;
}

static void leave_home(struct dsm_core *core, uint32_t page);

/* At the end of a step: behind the GRANT, or the EXCLUSIVE. */
void migrate__hand_over(struct dsm_core *core)
{
	struct homes *h = &core->homes;
	const struct dir_page *d;
	struct core_entry *entries;
	struct core_msg msg;
	size_t i, n, k;

	for (i = 0; i < h->nhands && !core->nomem; i += n) {
		n = batch(core, i);
		d = directory__find(core, h->hands[i]);
		msg = core__msg(core, CORE_MSG_HAND, migrate__moving(core, d), NULL);
		msg.number = maker(core, d);
		entries = core__entries(core, n);
		if (!entries)
			return;
		for (k = 0; k < n; k++)
			entries[k] = hand(core, h->hands[i + k]);
		msg.entries = entries;
		msg.npages = (uint32_t)n;
		core__send(core, &msg);
		for (k = 0; k < n && core_mutant(moved_at_once); k++)
			leave_home(core, entries[k].page);
	}
	h->nhands = 0;
}

/* A home has newer bytes than its client knows of; from now on that counts. */
static void settle_client(struct dsm_core *core, uint32_t page, uint64_t version)
{
	struct client_page *cp = &core->client[page];

	if (cp->state == CLIENT_INVALID)
		cp->version = version;
}

/* Those who waited here go where it is. */
static void send_on(struct dsm_core *core, uint32_t page, const struct waiter *queue, size_t n)
{
	struct core_entry e;
	size_t i;

	for (i = 0; i < n && !core_mutant(moved_queue_forgotten); i++) {
		if (queue[i].lock) {
			lock__advance(core, lock__tx(core, queue[i].node));
			continue;
		}
		e = migrate__elsewhere(core, page);
		home__send_copy(core, queue[i].node, &e);
	}
}

/* Another node is its home now. */
static void leave_home(struct dsm_core *core, uint32_t page)
{
	struct dir_page *d = directory__find(core, page);
	uint16_t to = migrate__moving(core, d);
	const struct waiter *waiters;
	struct waiter *queue = NULL;
	struct moved *m;
	size_t n, cap = 0;

	settle_client(core, page, d->version);
	waiters = home__queue(core, d, &n);
	if (n && !core__grow(core, &queue, &cap, n, sizeof(*queue)))
		return;
	if (n)
		memcpy(queue, waiters, n * sizeof(*queue));
	if (core__birth(core, page) == core->config.node) {
		m = add_moved(core, page);
		if (m) {
			m->home = to;
			m->left = (uint8_t)(d->left + (d->left < LEFT_MAX));
		}
	} else {
		forget_home(core, page);
	}
	directory__drop(core, page);
	if (!core->nomem)
		send_on(core, page, queue, n);
	free(queue);
}

static bool leaves_to(const struct dsm_core *core, uint32_t page, uint16_t node)
{
	const struct dir_page *d = directory__find(core, page);

	return d && migrate__moving(core, d) == node;
}

int migrate__on_taken(struct dsm_core *core, const struct core_msg *msg)
{
	uint32_t i;

	for (i = 0; i < msg->npages; i++)
		if (!leaves_to(core, msg->entries[i].page, msg->from) && !core_mutant(moved_at_once))
			return -EPROTO;
	for (i = 0; i < msg->npages && !core->nomem && !core_mutant(moved_at_once); i++)
		leave_home(core, msg->entries[i].page);
	return 0;
}

/* Some pages of a LOCK are not here, so none of it is locked here. */
void migrate__bounce(struct dsm_core *core, struct home_tx *t)
{
	struct core_msg msg = core__msg(core, CORE_MSG_MOVED, t->party.node, &t->party);
	struct core_entry *entries = core__entries(core, t->npages - t->chunk);
	struct dir_page *d;
	size_t i;

	for (i = t->chunk; i < t->npages && entries; i++) {
		d = directory__find(core, t->pages[i].page);
		if (i < t->nlocked && d && !core_mutant(moved_lock_kept)) {
			d->lock = NOBODY;
			home__serve_later(core, t->pages[i].page);
		}
		core__drop(core, t->pages[i].hold);
		t->pages[i].hold = 0;
		if (migrate__here(core, t->pages[i].page))
			continue;
		entries[msg.npages] = migrate__elsewhere(core, t->pages[i].page);
		entries[msg.npages++].flags = 0;
	}
	t->npages = t->nlocked = t->chunk;
	t->decide = t->waiting = false;
	t->active = t->npages > 0;
	msg.entries = entries;
	if (entries)
		core__send(core, &msg);
}

/* ---- the new home ---- */

/* Does the entry fit what this node knows? Its copy is the newest, or the bytes come along. */
static bool may_take(const struct dsm_core *core, const struct core_msg *msg, const struct core_entry *e)
{
	const struct client_page *cp = &core->client[e->page];
	bool born = core__birth(core, e->page) == core->config.node, own = msg->number == core->config.node;
	bool exclusive = e->flags & CORE_ENTRY_EXCLUSIVE;

	if (core__home(core, e->page) == core->config.node ||
	    msg->from != (born ? core__home(core, e->page) : core__birth(core, e->page)))
		return false;
	if (!own)
		return born && !exclusive && e->data != CORE_DATA_NONE &&
		       (cp->state == CLIENT_INVALID || core_mutant(moved_shared));
	if (e->data != CORE_DATA_NONE || (cp->state == CLIENT_EXCLUSIVE) != exclusive)
		return core_mutant(moved_shared);
	return exclusive ? cp->version >= e->version
			 : cp->state == CLIENT_SHARED && cp->version == e->version;
}

static void adopt(struct dsm_core *core, const struct core_msg *msg, uint32_t i)
{
	const struct core_entry *e = &msg->entries[i];
	struct moved *m;
	struct dir_page *d;
	uint8_t left = 0;

	if (core__birth(core, e->page) == core->config.node) {
		left = find_moved(&core->homes, e->page)->left;
		forget_home(core, e->page);
	} else {
		m = add_moved(core, e->page);
		if (m)
			m->home = core->config.node;
	}
	d = core->nomem ? NULL : directory__get(core, e->page);
	if (!d)
		return;
	d->version = e->version;
	d->stamp = e->stamp;
	d->left = left & LEFT_MAX;
	if (e->flags & CORE_ENTRY_EXCLUSIVE)
		d->owner = core->config.node;
	if (msg->number != core->config.node)
		home__store(core, msg, i);
	if (msg->number != core->config.node &&
	    msg->number != msg->from) { /* it has saved enough for both moves */
		d->candidate = (uint16_t)msg->number;
		d->score = worth__price(core, d) & 0xfff;
	}
	if (!core->lost[msg->number])
		home__add_holder(core, d, (uint16_t)msg->number);
}

int migrate__on_hand(struct dsm_core *core, const struct core_msg *msg)
{
	struct core_msg reply;
	struct core_entry *entries;
	uint32_t i;

	if (core->config.migrate_after == CORE_NEVER || msg->number >= core->config.nodes)
		return -EPROTO;
	for (i = 0; i < msg->npages; i++)
		if (!may_take(core, msg, &msg->entries[i]))
			return -EPROTO;
	reply = core__msg(core, CORE_MSG_TAKEN, msg->from, NULL);
	entries = core__entries(core, msg->npages);
	for (i = 0; i < msg->npages && entries; i++) {
		adopt(core, msg, i);
		entries[i].page = msg->entries[i].page;
	}
	reply.entries = entries;
	reply.npages = msg->npages;
	if (entries)
		core__send(core, &reply);
	return 0;
}

/* ---- loss ---- */

/* What was on its way to a lost node is there. */
void migrate__lose(struct dsm_core *core, uint16_t node)
{
	uint32_t next = 0;
	struct dir_page *d;

	while ((d = directory__next(core, &next)) && !core_mutant(moved_to_lost_kept))
		if (migrate__moving(core, d) == node)
			leave_home(core, next - 1);
}

void migrate__stays(struct dsm_core *core, struct dir_page *d)
{
	struct dir_more *m = directory__more(core, d);

	if (!m)
		return;
	m->open = 0;
	directory__tidy(core, d);
}

void migrate__free(struct dsm_core *core)
{
	free(core->homes.list);
	free(core->homes.hands);
}
