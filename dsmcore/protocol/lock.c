/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lock.c - the home's part of a commit: locks, invalidations, their answers, the new version.
 *
 * First all locks of a LOCK message are taken, in page order. Where another commit holds one, the rank
 * tells whether to wait: who is outranked would be doomed by the other's INVALIDATE and is denied at once.
 * Then all other holders are told at once, one INVALIDATE a holder, and all must answer before the GRANT:
 * so when it is decided, nobody's attempt still depends on an old copy (invariant 4). A holder whose
 * attempt outranks the committer refuses; then all that this transaction has here is released.
 *
 * The last LOCK of a commit asks the home to decide: it then makes the new version itself, from the changes
 * that came with the LOCK (kept meanwhile), and the GRANT says so. Until it has, the committer may withdraw
 * (CANCEL), and is told which of the two came first.
 *
 * Waiting for a lock cannot go in a circle: at one home locks are taken in page order, and between homes the ranks
 * break a circle: one waits only for those that it outranks. Waiting for an
 * answer cannot either: a holder answers at once, or when it knows what became of its own commit, which
 * takes it a message to the home that decides and back, whatever happens there (doubt.c).
 */
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/internal.h"

/* NULL: out of memory. */
struct home_tx *lock__tx(struct dsm_core *core, uint16_t node)
{
	if (!core->tx[node]) {
		core->tx[node] = calloc(1, sizeof(*core->tx[node]));
		core->nomem |= !core->tx[node];
	}
	return core->tx[node];
}

static struct home_tx *find_tx(struct dsm_core *core, const struct core_party *party)
{
	struct home_tx *t = core->tx[party->node];

	return t && t->active && core_party__same(&t->party, party) ? t : NULL;
}

static void release(struct dsm_core *core, struct home_tx *t)
{
	struct dir_page *d;
	size_t i;

	update__send(core, &t->party, t->pages, t->nlocked, 0);
	for (i = 0; i < t->nlocked; i++) {
		d = directory__find(core, t->pages[i].page);
		if (d && d->lock == t->party.node) {
			d->lock = NOBODY;
			migrate__released(core, d);
			home__serve_later(core, t->pages[i].page);
		}
	}
	if (t->waiting) {
		d = directory__find(core, t->waits);
		if (d)
			home__remove_waiting_lock(core, d, t->party.node);
	}
	for (i = 0; i < t->npages; i++) {
		core__drop(core, t->pages[i].hold);
		t->pages[i].hold = 0;
	}
	t->waiting = t->active = false;
}

static void deny(struct dsm_core *core, struct home_tx *t, const struct core_entry *lost, uint32_t nlost,
		 const struct core_party *other, uint16_t flags)
{
	struct core_msg msg = core__msg(core, CORE_MSG_DENY, t->party.node, &t->party);
	struct core_entry *entries = core__entries(core, nlost);
	struct dir_page *d;
	uint32_t i;

	if (!entries)
		return;
	for (i = 0; i < nlost; i++) {
		d = directory__find(core, lost[i].page);
		entries[i] = (struct core_entry){
			.page = lost[i].page, .flags = flags, .version = d ? d->version : 0};
	}
	msg.other = *other;
	msg.entries = entries;
	msg.npages = nlost;
	if (core_mutant(lock_kept))
		t->active = false;
	else
		release(core, t);
	core__send(core, &msg);
}

/* The committed version of a locked page, whose bytes are stored already. */
static void new_version(struct dsm_core *core, uint32_t page, struct dir_page *d, const struct core_party *tx)
{
	d->version++;
	d->lock = d->owner = NOBODY;
	update__commit_holders(core, d, tx->node);
	migrate__committed(core, page, d, tx->node);
	home__serve_later(core, page);
}

/* Nobody waits for what its committer alone has: it may commit it without a message from now on. (While the home
 * moves only the new one may own it: what others are granted here could be overtaken by what they hear there.) */
static bool unwanted(const struct dsm_core *core, const struct dir_page *d, uint16_t node)
{
	uint16_t moving = migrate__moving(core, d);
	size_t n;

	home__queue(core, d, &n);
	return !n && home__recalled(core, d) == NOBODY &&
	       (moving == NOBODY || moving == node || core_mutant(moved_owned));
}

/* Whether others had copies before or not, nobody has one now; and whoever fetched the page last was going to
 * write it, so the next one will take it over as a whole (client.c). */
static bool alone_for_now(const struct dsm_core *core, const struct dir_page *d, uint16_t node)
{
	return d->moves && copyset__count(core, d->holders) == 1 && home__holds(core, d, node);
}

/* The commit is decided, here or by whom this home has passed it on to. That its own copy is the only one is
 * known to the committer by the GRANT. */
static void decide(struct dsm_core *core, struct home_tx *t)
{
	struct core_entry *e;
	struct dir_page *d;
	size_t i;

	for (i = t->chunk; i < t->npages; i++)
		home__take(core, &t->pages[i], t->party.node);
	if (!t->passed)
		update__send(core, &t->party, &t->pages[t->chunk], t->npages - t->chunk, CORE_ENTRY_UPDATE);
	for (i = t->chunk; i < t->npages; i++) {
		e = &t->pages[i];
		d = directory__find(core, e->page);
		core__drop(core, e->hold);
		e->hold = 0;
		new_version(core, e->page, d, &t->party);
		if (alone_for_now(core, d, t->party.node))
			e->flags |= CORE_ENTRY_EXCLUSIVE;
		if (e->flags & CORE_ENTRY_EXCLUSIVE && unwanted(core, d, t->party.node))
			d->owner = t->party.node;
		else
			e->flags &= (uint16_t)~CORE_ENTRY_EXCLUSIVE;
		e->flags |= CORE_ENTRY_DECIDE;
	}
	t->decided = true;
	t->npublished += t->npages - t->chunk;
}

static void grant(struct dsm_core *core, struct home_tx *t)
{
	struct core_msg msg = core__msg(core, CORE_MSG_GRANT, t->party.node, &t->party);
	struct core_entry *entries = core__entries(core, t->npages - t->chunk);
	size_t i;

	if (!entries)
		return;
	if (core->rumour[t->party.node] && !t->passed && !core_mutant(loss_not_spread)) {
		if (core->lost[t->party.node])
			release(core, t);
		return; /* else that is done when this node is told */
	}
	if (t->decide)
		decide(core, t);
	for (i = t->chunk; i < t->npages; i++)
		entries[core_mutant(lock_order) && t->party.node % 2 ? t->npages - 1 - i : i - t->chunk] =
			t->pages[i];
	msg.entries = entries;
	msg.npages = (uint32_t)(t->npages - t->chunk);
	t->chunk = t->npages;
	if (t->npublished >= t->npages)
		t->active = false;
	core__send(core, &msg);
}

static void all_locked(struct dsm_core *core, struct home_tx *t)
{
	struct of_node *list = NULL;
	size_t n = holders__find(core, t, &list), i, j;

	t->unanswered = 0;
	t->passed = holders__decide(core, t, list, n);
	for (i = 0; i < n; i = j) {
		for (j = i + 1; j < n && list[j].node == list[i].node;)
			j++;
		holders__tell(core, t, &list[i], j - i);
	}
	free(list);
	if (!t->unanswered || core_mutant(skip_ack))
		grant(core, t);
}

/* May this node still write the page on the version that it has? */
static bool current(const struct dsm_core *core, const struct dir_page *d, uint16_t node, uint64_t version)
{
	return d->version == version && home__holds(core, d, node) &&
	       (d->owner == NOBODY || d->owner == node);
}

/* Takes the locks that are left, as far as they are free. Who is not current has lost its copy to a commit
 * while it waited, has said so, and is undone by now: it does not look at this DENY, so nobody is named in
 * it. (Or it is never undone, and asks again with what is current: independent.c.) */
void lock__advance(struct dsm_core *core, struct home_tx *t)
{
	const struct core_party nobody = {0};
	struct waiter w = {.lock = true};
	struct dir_page *d;
	struct home_tx *other;

	if (!t)
		return;
	t->waiting = false;
	while (t->nlocked < t->npages) {
		if (!migrate__here(core, t->pages[t->nlocked].page)) {
			migrate__bounce(core, t);
			return;
		}
		d = directory__get(core, t->pages[t->nlocked].page);
		if (!d)
			return;
		if (!current(core, d, t->party.node, t->pages[t->nlocked].version)) {
			deny(core, t, &t->pages[t->nlocked], 1, &nobody, 0);
			return;
		}
		if (d->lock != NOBODY) {
			other = lock__tx(core, d->lock);
			if (!other)
				return;
			if (!core_rank__sole(&t->party) && core_rank__beats(&other->party, true, &t->party)) {
				deny(core, t, &t->pages[t->nlocked], 1, &other->party, 0);
				return;
			}
		}
		if (d->lock != NOBODY || migrate__moving(core, d) != NOBODY) {
			w.node = t->party.node;
			t->waiting = true;
			t->waits = t->pages[t->nlocked].page;
			home__wait(core, d, &w);
			return;
		}
		d->lock = t->party.node;
		t->nlocked++;
	}
	all_locked(core, t);
}

static bool may_lock(struct dsm_core *core, const struct home_tx *t, const struct core_msg *msg)
{
	const struct core_entry *e;
	const struct dir_page *d;
	uint32_t i;

	if (msg->tx.node != msg->from || (t->active && !core_party__same(&t->party, &msg->tx)) ||
	    (t->active && (t->chunk < t->npages || t->npublished)))
		return false;
	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		d = directory__find(core, e->page);
		if (d && d->lock == msg->from && !core_mutant(lock_kept))
			return false;
		if (e->flags != msg->entries[0].flags ||
		    (e->data != CORE_DATA_NONE) != (e->flags && msg->from != core->config.node))
			return false;
	}
	return true;
}

/* Adds its pages to the transaction, and keeps the changes that came with them. */
static void add_pages(struct dsm_core *core, struct home_tx *t, const struct core_msg *msg)
{
	struct core_entry *e;
	uint32_t i, from;

	t->decide = msg->entries[0].flags & CORE_ENTRY_DECIDE;
	for (i = 0; i < msg->npages; i++) {
		from = core_mutant(lock_order) && msg->from % 2 ? msg->npages - 1 - i : i;
		e = &t->pages[t->npages++];
		*e = msg->entries[from];
		e->hold = e->data == CORE_DATA_NONE ? 0 : core__hold(core, from);
		e->data = CORE_DATA_NONE;
		e->flags = 0;
	}
}

int lock__on_lock(struct dsm_core *core, const struct core_msg *msg)
{
	struct home_tx *t = lock__tx(core, msg->from);
	uint32_t i;

	if (!t)
		return 0;
	if (!may_lock(core, t, msg))
		return -EPROTO;
	if (!t->active) {
		t->active = true;
		t->decided = t->passed = false;
		t->party = msg->tx;
		t->npages = t->nlocked = t->chunk = t->npublished = 0;
	}
	if (!core__grow(core, &t->pages, &t->pages_cap, t->npages + msg->npages, sizeof(*t->pages)) ||
	    !core__grow(core, &t->wset, &t->wset_cap, msg->nwset, sizeof(*t->wset)))
		return 0;
	add_pages(core, t, msg);
	for (i = 0; i < msg->nwset; i++)
		t->wset[i] = msg->entries[msg->npages + i];
	t->nwset = msg->nwset;
	t->unanswered = 0;
	lock__advance(core, t);
	return 0;
}

/* Its place among those who have not answered yet, or their number. */
static size_t find_asked(const struct home_tx *t, uint16_t node)
{
	size_t lo = 0, hi = t->unanswered, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (t->asked[mid] < node)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < t->unanswered && t->asked[lo] == node ? lo : t->unanswered;
}

static void take_answer(struct dsm_core *core, struct home_tx *t, size_t at)
{
	if (at == t->unanswered)
		return;
	t->unanswered--;
	memmove(&t->asked[at], &t->asked[at + 1], (t->unanswered - at) * sizeof(*t->asked));
	if (!t->unanswered && t->chunk < t->npages)
		grant(core, t);
}

/* Copies have been given since the INVALIDATE that is answered, perhaps to this node: its FETCH may have overtaken
 * its ACK, when the lock was given up. Then it stays on the list, for nothing at the worst. */
static bool overtaken(const struct dsm_core *core, const struct dir_page *d, uint16_t node, uint64_t stamp)
{
	if (core_mutant(told_forgotten) && directory__more(core, d) &&
	    copyset__has(core, directory__more(core, d)->told, node))
		return false;
	return (d->fresh || d->stamp != stamp) && !core_mutant(late_ack);
}

/* The holder has no copy any more. Or it has kept it, and will be told more. */
static void answered(struct dsm_core *core, struct dir_page *d, uint16_t node, const struct core_entry *e,
		     bool current)
{
	bool held = home__holds(core, d, node), offered = copyset__has(core, d->updated, node);
	struct dir_more *m;

	if (!held)
		return;
	if (e->flags & CORE_ENTRY_UPDATE) {
		m = current ? directory__make_more(core, d) : NULL;
		if (m)
			copyset__add(core, &m->kept, node);
		return;
	}
	if (overtaken(core, d, node, e->stamp))
		return;
	home__drop_holder(core, d, node);
	if (current)
		update__lost(d, node, offered);
}

int lock__on_ack(struct dsm_core *core, const struct core_msg *msg)
{
	struct home_tx *t = find_tx(core, &msg->tx);
	struct dir_page *d;
	uint32_t i;

	if (t &&
	    (find_asked(t, msg->from) == t->unanswered ||
	     (msg->entries[0].flags & CORE_ENTRY_DECIDE && !t->passed)) &&
	    !core_mutant(skip_ack))
		return -EPROTO;
	migrate__answered(core, msg);
	for (i = 0; i < msg->npages; i++) {
		d = directory__find(core, msg->entries[i].page);
		if (d)
			answered(core, d, msg->from, &msg->entries[i], t && d->lock == t->party.node);
	}
	if (!t)
		return 0;
	if (!(msg->entries[0].flags & CORE_ENTRY_DECIDE)) /* it was asked to decide, and leaves it to us */
		t->passed = false;
	take_answer(core, t, find_asked(t, msg->from));
	return 0;
}

int lock__on_refuse(struct dsm_core *core, const struct core_msg *msg)
{
	struct home_tx *t = find_tx(core, &msg->tx);

	if (t && !core_mutant(skip_ack) && find_asked(t, msg->from) == t->unanswered)
		return -EPROTO;
	migrate__answered(core, msg);
	if (!t || core_mutant(skip_ack))
		return 0; /* it has given up already */
	deny(core, t, msg->entries, msg->npages, &msg->other, CORE_ENTRY_REFUSED);
	return 0;
}

int lock__on_cancel(struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_party nobody = {0};
	struct home_tx *t = find_tx(core, &msg->tx);

	if (msg->tx.node != msg->from)
		return -EPROTO;
	if (!t || t->decided || (t->decide && core_mutant(withdrawal_ignored)))
		return 0; /* decided, or denied: the answer is under way */
	if (t->passed && !core_mutant(passed_withdrawn))
		return 0; /* not known here either, but soon */
	if (t->decide)
		deny(core, t, &t->pages[t->chunk], 1, &nobody, 0);
	else
		release(core, t);
	return 0;
}

static bool may_publish(struct dsm_core *core, struct home_tx *t, const struct core_msg *msg)
{
	const struct core_entry *e;
	const struct dir_page *d;
	uint32_t i;

	if (!t || msg->tx.node != msg->from || t->nlocked < t->npages || t->chunk < t->npages ||
	    (t->decide && !t->decided))
		return false;
	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		d = directory__find(core, e->page);
		if (!d || d->lock != msg->from || d->version != e->version)
			return false;
		if (msg->from != core->config.node && e->data == CORE_DATA_NONE)
			return false;
	}
	return true;
}

/* To those who have kept their copies of what was just stored. */
static void forward(struct dsm_core *core, const struct core_msg *msg)
{
	struct core_entry *pages = core__entries(core, msg->npages);
	struct of_node *list = NULL;
	uint32_t i;

	if (!pages || !home__collect(core, msg->entries, msg->npages, HOME_KEPT, msg->from, &list))
		return;
	free(list);
	for (i = 0; i < msg->npages; i++) {
		pages[i] = msg->entries[i];
		pages[i].hold = pages[i].data == CORE_DATA_NONE ? 0 : core__hold(core, i);
	}
	update__send(core, &msg->tx, pages, msg->npages, CORE_ENTRY_UPDATE);
	for (i = 0; i < msg->npages; i++)
		core__drop(core, pages[i].hold);
}

int lock__on_publish(struct dsm_core *core, const struct core_msg *msg)
{
	struct home_tx *t = find_tx(core, &msg->tx);
	const struct core_entry *e;
	struct core_entry reply;
	struct dir_page *d;
	uint32_t i;

	if (!may_publish(core, t, msg))
		return -EPROTO;
	for (i = 0; i < msg->npages; i++)
		home__store(core, msg, i);
	forward(core, msg);
	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		d = directory__find(core, e->page);
		new_version(core, e->page, d, &msg->tx);
		if (!(e->flags & CORE_ENTRY_EXCLUSIVE) || !unwanted(core, d, msg->from))
			continue;
		d->owner = msg->from;
		reply = (struct core_entry){.page = e->page, .version = d->version, .stamp = d->stamp};
		core__send_entry(core, CORE_MSG_EXCLUSIVE, msg->from, &msg->tx, &reply);
	}
	t->npublished += msg->npages;
	if (t->npublished >= t->npages)
		t->active = false;
	return 0;
}

/* The committer is lost, and who was to decide, too: as if it had been granted. */
static void lose_decision(struct dsm_core *core, struct home_tx *t)
{
	size_t i;

	for (i = t->chunk; i < t->npages; i++) {
		core__drop(core, t->pages[i].hold);
		t->pages[i].hold = 0;
		home__serve_later(core, t->pages[i].page);
	}
	t->chunk = t->npages;
	t->unanswered = 0;
	t->passed = false;
}

/* A node is no more. What it had not been granted here it has not decided, and never will: its locks go.
 * What it had been granted may be decided, and others may have seen a part of it: that stays locked
 * (loss.c). So does what another holder was left to decide, until its answer comes. From everybody else's
 * point of view it holds nothing, so its answers are not waited for. */
void lock__lose(struct dsm_core *core, uint16_t node)
{
	struct home_tx *t = core->tx[node];
	uint32_t i;

	if (t && t->active && (t->chunk < t->npages || core_mutant(lost_lock_released)) &&
	    !core_mutant(lost_lock_kept)) {
		if (!t->passed || core_mutant(lost_passed_released))
			release(core, t);
	} else if (t && t->active) {
		update__send(core, &t->party, t->pages, t->nlocked, CORE_ENTRY_LOST);
	}
	for (i = 0; i < core->config.nodes && !core_mutant(lost_answer_awaited); i++) {
		t = core->tx[i];
		if (!t || !t->active || i == node || find_asked(t, node) == t->unanswered)
			continue;
		if (t->passed && core->rumour[i])
			lose_decision(core, t);
		else
			take_answer(core, t, find_asked(t, node));
	}
}
