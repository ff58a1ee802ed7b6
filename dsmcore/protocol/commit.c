/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * commit.c - the committer.
 *
 * The write set is asked for in page order, one LOCK at a time (to a home, CORE_MSG_PAGES at most), so
 * no two committers wait for one another. The decision falls at one place: at the home that is asked last,
 * which gets the changes with the LOCK and makes the new version when it could grant (lock.c). So a commit
 * whose pages live on one home is two messages. From the moment that this LOCK is sent until it is
 * answered, this node does not know whether it has committed (doubt.c). When it has, the other homes
 * get PUBLISHes, not waited for: until each has reached its home, the page is locked there and nobody can
 * see the old or the new version.
 *
 * Pages held exclusively need no LOCK. They commit here, at the decision: until it falls, their RECALLs
 * wait (client__on_recall()). A page whose diff is empty is not written, but it was accessed: it stays
 * mapped, so an INVALIDATE still meets it (invariant 8).
 */
#include <string.h>

#include "dsmcore/protocol/internal.h"

/* The write set beside the subject pages, as evidence for the losers and for a later recovery. */
static uint32_t attach_wset(const struct commit *c, size_t lo, size_t hi, struct core_entry *to)
{
	uint32_t n = 0;
	size_t i;

	for (i = 0; i < c->nlocks && n < CORE_MSG_WSET; i++)
		if (i < lo || i >= hi)
			to[n++] =
				(struct core_entry){.page = c->locks[i].page, .version = c->locks[i].version};
	return n;
}

/* One past the last page of the group that starts at lo: asked for at the same home, ascending, not too many. */
static size_t group_end(const struct commit *c, size_t lo, size_t end)
{
	size_t hi = lo + 1;

	while (hi < end && hi - lo < CORE_MSG_PAGES && c->homes[hi] == c->homes[lo] &&
	       c->locks[hi].page > c->locks[hi - 1].page)
		hi++;
	return hi;
}

/* The next pages to ask for: those of one home, the first one's. They are brought together, each lot in page order:
 * a page whose home has moved may have neighbours elsewhere. Returns one past the last. */
static size_t gather_home(struct dsm_core *core, uint16_t home)
{
	struct commit *c = &core->commit;
	struct core_entry e;
	size_t i, hi = c->lo;

	for (i = c->lo; i < c->nlocks && hi - c->lo < CORE_MSG_PAGES; i++) {
		if (core__home(core, c->locks[i].page) != home)
			continue;
		e = c->locks[i];
		memmove(&c->locks[hi + 1], &c->locks[hi], (i - hi) * sizeof(*c->locks));
		memmove(&c->homes[hi + 1], &c->homes[hi], (i - hi) * sizeof(*c->homes));
		c->locks[hi] = e;
		c->homes[hi++] = home;
	}
	return hi;
}

/* Where the next pages are: in page order, but this node's own home is not the last one. Its answer is here at once,
 * and so the decision is left to another home, which needs no PUBLISH then. */
static uint16_t next_home(const struct dsm_core *core)
{
	const struct commit *c = &core->commit;
	uint16_t self = core->config.node, first = core__home(core, c->locks[c->lo].page), home;
	bool own = false;
	size_t i;

	for (i = c->lo + 1; i < c->nlocks; i++) {
		home = core__home(core, c->locks[i].page);
		own |= home == self;
		if (home != self && home != first)
			return first;
	}
	return own ? self : first;
}

/* An attempt that is never undone may have lost one of these pages, or been brought a newer version, since it began to ask. It
 * need not look: it let that happen because the other outranks it, so while the other holds the page, its home
 * denies this LOCK at once by rank; afterwards by version, or, if the other has failed, the page is as it was. */
static void send_lock(struct dsm_core *core)
{
	struct commit *c = &core->commit;
	struct core_msg msg;
	struct core_entry *entries;
	uint16_t home;
	size_t i;

	c->lo = c->hi;
	home = next_home(core);
	if (core->lost[home]) {
		loss__tell(core, home);
		return;
	}
	c->hi = gather_home(core, home);
	c->doubt = c->hi == c->nlocks;
	msg = core__msg(core, CORE_MSG_LOCK, home, &core->attempt.party);
	entries = core__entries(core, c->hi - c->lo + CORE_MSG_WSET);
	if (!entries)
		return;
	for (i = c->lo; i < c->hi; i++) {
		entries[i - c->lo] = c->locks[i];
		if (c->doubt)
			entries[i - c->lo].flags = CORE_ENTRY_DECIDE;
		if (c->doubt && msg.to != msg.from)
			entries[i - c->lo].data = CORE_DATA_CHANGES;
	}
	msg.entries = entries;
	msg.npages = (uint32_t)(c->hi - c->lo);
	msg.nwset = attach_wset(c, c->lo, c->hi, entries + msg.npages);
	core__send(core, &msg);
}

/* To this node's own home at once, not by way of the queue: the UPDATEs that follow from it take their
 * changes from the twins. */
static void send_publish(struct dsm_core *core, size_t lo, size_t hi)
{
	struct commit *c = &core->commit;
	uint16_t home = c->homes[lo];
	struct core_msg msg = core__msg(core, CORE_MSG_PUBLISH, home, &core->attempt.party);
	struct core_entry *entries = core__entries(core, hi - lo + CORE_MSG_WSET);
	size_t i;

	if (!entries)
		return;
	for (i = lo; i < hi; i++) {
		entries[i - lo] =
			(struct core_entry){.page = c->locks[i].page, .version = c->locks[i].version};
		if (c->locks[i].flags & CORE_ENTRY_EXCLUSIVE)
			entries[i - lo].flags = CORE_ENTRY_EXCLUSIVE;
		if (home != core->config.node)
			entries[i - lo].data = CORE_DATA_CHANGES;
	}
	msg.entries = entries;
	msg.npages = (uint32_t)(hi - lo);
	msg.nwset = attach_wset(c, lo, hi, entries + msg.npages);
	if (home == core->config.node)
		lock__on_publish(core, &msg);
	else
		core__send(core, &msg);
}

static void emit_commit(struct dsm_core *core)
{
	struct attempt *a = &core->attempt;
	struct core_action *emit = core__emit(core, CORE_EMIT_COMMIT);
	size_t i;

	emit->party = a->party;
	emit->local = core->commit.nlocks == 0;
	for (i = 0; i < a->ntouches; i++) {
		emit->nread += !!(a->touches[i].flags & TOUCH_READ);
		emit->nwritten += !!(a->touches[i].flags & TOUCH_CHANGED);
	}
}

static void raise_version(struct dsm_core *core, uint32_t page)
{
	struct client_page *cp = &core->client[page];
	struct touch *t = &core->attempt.touches[cp->slot - 1];

	cp->version++;
	cp->idle = 0;
	if (t->flags & TOUCH_LOCKED) /* each home says again whether it is exclusive */
		cp->state = CLIENT_SHARED;
	if (cp->wrote && core->commits - cp->wrote <= core->config.sticky_clean)
		t->pause = (uint16_t)(core->commits - cp->wrote);
	cp->wrote = core->commits;
}

/* It is decided. Order matters: the diffs are taken against the twins, then the twins go, and only then does
 * this node, as a home, serve the new versions. */
static void finish(struct dsm_core *core)
{
	struct commit *c = &core->commit;
	struct attempt *a = &core->attempt;
	size_t i, hi, decided = c->doubt ? c->lo : c->nlocks; /* from there on the last home has done it */
	struct core_action *emit;

	core_cover__end(core, true);
	for (i = 0; i < c->nlocks; i++) {
		if (!(c->locks[i].flags & CORE_ENTRY_CONTENDED))
			continue;
		emit = core__emit(core, CORE_EMIT_WRITES);
		emit->party = a->party;
		emit->page = c->locks[i].page;
		emit->version = c->locks[i].version + 1;
		emit->committed = true;
	}
	for (i = 0; i < decided; i = hi) {
		hi = group_end(c, i, decided);
		send_publish(core, i, hi);
	}
	emit_commit(core);
	if (!a->read_only && !++core->commits) /* 0 says "never" in client_page.wrote */
		core->commits = 1;
	for (i = 0; i < a->ndirty; i++)
		if (attempt__flags(core, a->dirty[i]) & TOUCH_CHANGED)
			raise_version(core, a->dirty[i]);
	for (i = decided; i < c->nlocks; i++)
		if (c->locks[i].flags & CORE_ENTRY_EXCLUSIVE)
			core->client[c->locks[i].page].state = CLIENT_EXCLUSIVE;
	rows__learn(core);
	for (i = 0; i < a->ndirty; i++)
		sticky__commit(core, a->dirty[i]);
	independent__settle(core);
	c->denied = 0;
	attempt__close(core, true);
	claim__end(core);
	core->verdict = VERDICT_RESUME;
}

/* The pages that the attempt has changed, and which of them their homes are asked for. */
static bool list_locks(struct dsm_core *core)
{
	struct attempt *a = &core->attempt;
	struct commit *c = &core->commit;
	struct touch *t;
	size_t i;

	c->nlocks = c->lo = c->hi = 0;
	for (i = 0; i < a->ndirty; i++) {
		if (!(attempt__flags(core, a->dirty[i]) & TOUCH_CHANGED))
			continue;
		t = &a->touches[core->client[a->dirty[i]].slot - 1];
		t->flags &= (uint16_t)~TOUCH_LOCKED;
		if (core->client[a->dirty[i]].state == CLIENT_EXCLUSIVE)
			continue;
		t->flags |= TOUCH_LOCKED;
		if (!core__grow(core, &c->locks, &c->locks_cap, c->nlocks + 1, sizeof(*c->locks)))
			return false;
		if (!core__grow(core, &c->homes, &c->homes_cap, c->nlocks + 1, sizeof(*c->homes)))
			return false;
		c->homes[c->nlocks] = core__home(core, a->dirty[i]);
		c->locks[c->nlocks++] = (struct core_entry){.page = a->dirty[i], .version = t->version};
	}
	return true;
}

void commit__again(struct dsm_core *core)
{
	struct attempt *a = &core->attempt;

	core->commit.rebasing = core->commit.doubt = core->commit.withdrawn = false;
	core->commit.later = 0;
	core->mutator = MUTATOR_RUNS;
	if (a->independent && !independent__rebase(core))
		return;
	a->committing = true;
	if (!list_locks(core))
		return;
	if (!core->commit.nlocks) {
		finish(core);
		return;
	}
	core->mutator = MUTATOR_COMMITS;
	send_lock(core);
}

int commit__begin(struct dsm_core *core, const bool *changed)
{
	struct attempt *a = &core->attempt;
	size_t i;

	if (!a->running || (a->ndirty && !changed))
		return -EINVAL;
	for (i = 0; i < a->ndirty && a->read_only; i++)
		if (changed[i])
			return -EINVAL;
	if (a->doomed && !core_mutant(doomed_commits)) {
		attempt__abort(core);
		return 0;
	}
	for (i = 0; i < a->ndirty; i++) {
		if (!changed[i])
			continue;
		if (core->client[a->dirty[i]].flags & CLIENT_STICKY && core_mutant(sticky_left_out))
			continue;
		if (core_mutant(row_unlisted) && attempt__flags(core, a->dirty[i]) & TOUCH_ROW)
			continue;
		if (!attempt__touch(core, a->dirty[i], TOUCH_WRITTEN | TOUCH_CHANGED))
			return 0;
	}
	commit__again(core);
	return 0;
}

/* Answers to an attempt that is over may still come in: the home had sent them before our CANCEL. */
static bool answers_us(const struct dsm_core *core, const struct core_msg *msg)
{
	if (core->mutator != MUTATOR_COMMITS)
		return false;
	return core_mutant(late_grant) || core_party__same(&msg->tx, &core->attempt.party);
}

/* The pages asked for are locked: on to the next ones, or to the decision. */
void commit__granted(struct dsm_core *core)
{
	if (core->commit.hi < core->commit.nlocks && !core_mutant(early_publish))
		send_lock(core);
	else
		finish(core);
}

int commit__on_grant(struct dsm_core *core, const struct core_msg *msg)
{
	struct commit *c = &core->commit;
	uint32_t i;

	if (!answers_us(core, msg))
		return 0;
	if (!core_mutant(late_grant)) {
		if (msg->npages != c->hi - c->lo || msg->from != c->homes[c->lo])
			return -EPROTO;
		for (i = 0; i < msg->npages; i++)
			if (msg->entries[i].page != c->locks[c->lo + i].page ||
			    !(msg->entries[i].flags & CORE_ENTRY_DECIDE) == c->doubt)
				return -EPROTO;
	}
	for (i = 0; i < msg->npages && c->lo + i < c->nlocks; i++)
		c->locks[c->lo + i].flags = msg->entries[i].flags;
	commit__granted(core);
	return 0;
}

/* It loses to the one that waits for its answer. */
static void withdrawn(struct dsm_core *core, uint16_t home)
{
	client__yield(core, &core->commit.put_off[0].msg);
	commit__give_up(core, home);
	attempt__abort(core);
}

/* The home that was asked is not the home of these pages (any more): asks again, elsewhere. */
int commit__on_moved(struct dsm_core *core, const struct core_msg *msg)
{
	struct commit *c = &core->commit;
	uint32_t i;

	if (!answers_us(core, msg))
		return 0;
	if (msg->from != c->homes[c->lo])
		return -EPROTO;
	for (i = 0; i < msg->npages; i++)
		if (!migrate__may_be(core, msg->entries[i].page, msg->entries[i].version))
			return -EPROTO;
	for (i = 0; i < msg->npages; i++)
		migrate__learn(core, msg->entries[i].page, (uint16_t)msg->entries[i].version);
	c->hi = c->lo;
	c->doubt = false;
	core__sort(&c->locks[c->lo], c->nlocks - c->lo);
	if (c->withdrawn && core->attempt.independent && !core_mutant(moved_undone)) {
		commit__give_up(core, NOBODY);
		independent__denied(core, false);
	} else if (c->withdrawn) {
		withdrawn(core, NOBODY);
	} else {
		send_lock(core);
	}
	return 0;
}

int commit__on_deny(struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_entry *e = &msg->entries[0];
	bool refused = e->flags & CORE_ENTRY_REFUSED;
	uint32_t i;

	if (!answers_us(core, msg))
		return 0;
	if (core->attempt.independent && !core_mutant(denied_undone)) {
		commit__give_up(core, msg->from);
		independent__denied(core, refused);
		return 0;
	}
	if (!msg->other.number) {
		if (!core->commit.nput_off)
			return -EPROTO;
		withdrawn(core, msg->from);
		return 0;
	}
	attempt__doom(core, &msg->other, refused ? CORE_CAUSE_PRIORITY : CORE_CAUSE_CONFLICT);
	for (i = 0; i < msg->npages;
	     i++) /* refused: the winner need not write it, so it has no version of his */
		if (core->client[msg->entries[i].page].slot)
			attempt__meet(core, msg->entries[i].page, refused ? 0 : msg->entries[i].version);
	commit__give_up(core, msg->from);
	attempt__abort(core);
	return 0;
}

void commit__give_up(struct dsm_core *core, uint16_t denied)
{
	struct commit *c = &core->commit;
	uint16_t home, last = NOBODY;
	struct core_msg msg;
	size_t i;

	for (i = 0; i < c->hi; i++) {
		/* A LOCK without an answer may have cost others their copies: what it wrote is evidence. */
		if (i >= c->lo || c->locks[i].flags & CORE_ENTRY_CONTENDED)
			attempt__touch(core, c->locks[i].page, TOUCH_EMIT);
		home = c->homes[i];
		if (home == last || home == denied)
			continue;
		last = home;
		msg = core__msg(core, CORE_MSG_CANCEL, home, &core->attempt.party);
		core__send(core, &msg);
	}
}

void commit__answer_deferred(struct dsm_core *core)
{
	struct commit *c = &core->commit;
	size_t i;

	for (i = 0; i < c->ndeferred; i++)
		client__downgrade(core, &c->deferred[i].entry, c->deferred[i].node);
	c->ndeferred = 0;
}
