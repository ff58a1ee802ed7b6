/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rc.c - release consistency, the side of who reads and writes.
 *
 * Any number of nodes may write a page at a time. Programs without data races write different bytes of it, and look at what
 * others have written only after a lock or a barrier has told them that it is there. So writing asks nobody: a page that
 * others have copies of gets a twin, and before this node arrives at a barrier or gives a lock away it sends what differs
 * to the page's home, which brings it to all other copies (Munin's write-shared protocol). Copies are updated, never
 * invalidated: their holders may have written them, too.
 *
 * INVALID; SHARED, written or not: with a twin it is in the list of written pages; EXCLUSIVE: no other node has a copy. An
 * exclusive page is written without a twin, and nothing is ever compared or sent, until another node asks for it: then its
 * twin is made from what is there, and what the mutator writes from then on is a difference.
 *
 * What this costs is paid by those who share. A page that is written, but has not changed in CLEAN flushes, loses its twin
 * at the next one. A copy that nobody uses would be updated for ever: after CORE_UPDATE_PROBE updates without a known use it
 * is closed, so that a use is seen as a fault, and after CORE_UPDATE_UNUSED it is given up. One that was used is not closed
 * again before PERIOD updates have come since, so a consumer in steady state takes one fault in that many.
 */
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/internal.h"

#define CLEAN	 8u  /* flushes */
#define UNPROVEN 2u  /* likewise, of a page that was exclusive: nobody knows whether it is still written */
#define PERIOD	 64u /* updates */

/* ---- written pages ---- */

static size_t place(const struct rc *rc, uint32_t page)
{
	size_t lo = 0, hi = rc->nwritten, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (rc->written[mid] < page)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void twin(struct dsm_core *core, uint32_t page)
{
	struct rc *rc = &core->rc;
	size_t at;

	if (!core__grow(core, &rc->written, &rc->written_cap, rc->nwritten + 1, sizeof(*rc->written)))
		return;
	at = place(rc, page);
	memmove(&rc->written[at + 1], &rc->written[at], (rc->nwritten - at) * sizeof(*rc->written));
	rc->written[at] = page;
	rc->nwritten++;
	core->client[page].flags |= CLIENT_DIRTY;
	core->client[page].clean = 0;
	core__do(core, CORE_DO_TWIN, page);
}

/* The caller takes it out of the list. */
static void drop_twin(struct dsm_core *core, uint32_t page)
{
	struct client_page *cp = &core->client[page];

	cp->flags &= (uint8_t)~CLIENT_DIRTY;
	cp->clean = cp->idle = 0;
	core__do(core, CORE_DO_UNTWIN, page);
}

static void untwin(struct dsm_core *core, uint32_t page)
{
	struct rc *rc = &core->rc;
	size_t at = place(rc, page);

	rc->nwritten--;
	memmove(&rc->written[at], &rc->written[at + 1], (rc->nwritten - at) * sizeof(*rc->written));
	drop_twin(core, page);
}

const uint32_t *core__written(const struct dsm_core *core, size_t *count)
{
	*count = core->rc.nwritten;
	return core->rc.written;
}

/* ---- copies ---- */

bool rc__open(struct dsm_core *core, uint32_t page, bool write)
{
	struct client_page *cp = &core->client[page];

	if (cp->state == CLIENT_INVALID)
		return false;
	if (cp->rights == CORE_NONE && cp->idle >= CORE_UPDATE_PROBE)
		cp->clean = PERIOD - CORE_UPDATE_PROBE;
	cp->idle = 0;
	if (write && cp->state == CLIENT_SHARED && !(cp->flags & CLIENT_DIRTY))
		twin(core, page);
	if (write || cp->rights == CORE_NONE)
		core__gather_rights(core, page, write ? CORE_WRITE : CORE_READ);
	return true;
}

void rc__arrived(struct dsm_core *core, const struct core_entry *e)
{
	struct client_page *cp = &core->client[e->page];

	cp->state = e->flags & CORE_ENTRY_EXCLUSIVE ? CLIENT_EXCLUSIVE : CLIENT_SHARED;
	cp->version = e->version;
	cp->idle = cp->clean = 0;
}

/* From now on what this node writes is of interest to others. The page stays as it is mapped, so this costs the mutator
 * nothing. */
static void share(struct dsm_core *core, const struct core_msg *msg, uint32_t i, struct core_entry *answer)
{
	uint32_t page = msg->entries[i].page;
	struct client_page *cp = &core->client[page];

	*answer = (struct core_entry){.page = page, .version = cp->version};
	if (cp->state != CLIENT_EXCLUSIVE) /* closed since its home is said to be lost */
		return;
	if (core_mutant(exclusive_kept)) {
		answer->flags = CORE_ENTRY_WRITE;
		answer->data = msg->from != core->config.node ? CORE_DATA_COMMITTED : CORE_DATA_NONE;
		return;
	}
	cp->state = CLIENT_SHARED;
	if (cp->rights != CORE_WRITE)
		return;
	twin(core, page);
	cp->clean = CLEAN - UNPROVEN; /* it may have been written long ago */
	answer->flags = CORE_ENTRY_WRITE;
	if (msg->from != core->config.node)
		answer->data = CORE_DATA_COMMITTED;
}

int rc__on_revoke(struct dsm_core *core, const struct core_msg *msg)
{
	struct core_entry *entries;
	struct core_msg reply;
	uint32_t i;

	for (i = 0; i < msg->npages; i++)
		if (msg->entries[i].flags || (core->client[msg->entries[i].page].state != CLIENT_EXCLUSIVE &&
					      !core->rumour[msg->from]))
			return -EPROTO;
	entries = core__entries(core, msg->npages);
	if (!entries)
		return 0;
	for (i = 0; i < msg->npages; i++)
		share(core, msg, i, &entries[i]);
	reply = core__msg(core, CORE_MSG_REVOKED, msg->from, &core->interval);
	reply.entries = entries;
	reply.npages = msg->npages;
	core__send(core, &reply);
	return 0;
}

/* ---- changes of others ---- */

/* Nobody has used it, for all that is known; if it is closed, that is known for sure. */
static bool unused(struct dsm_core *core, uint32_t page)
{
	struct client_page *cp = &core->client[page];

	if (cp->flags & CLIENT_DIRTY || core_mutant(unused_kept))
		return false;
	if (cp->rights != CORE_NONE && cp->clean) {
		cp->clean--;
		return false;
	}
	cp->idle++;
	if (cp->idle >= CORE_UPDATE_PROBE && !core_mutant(dropped_in_use))
		core__gather_rights(core, page, CORE_NONE);
	return cp->idle >= CORE_UPDATE_UNUSED;
}

bool rc__update(struct dsm_core *core, const struct core_party *other, uint32_t page, uint64_t version)
{
	struct client_page *cp = &core->client[page];
	struct core_action *a;

	model__meet(core, other, page, version, true);
	if (version > cp->version)
		cp->version = version;
	a = core__emit(core, CORE_EMIT_UPDATE);
	a->page = page;
	a->version = version;
	a->other = *other;
	if (!unused(core, page))
		return false;
	cp->state = CLIENT_INVALID;
	cp->idle = cp->clean = 0;
	copies__unused(core, page);
	return true;
}

static bool well_formed(const struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_entry *e;
	uint32_t i;

	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		if ((e->data != CORE_DATA_CHANGES && msg->number) || !e->stamp != !!msg->number ||
		    e->stamp != msg->entries[0].stamp || core->client[e->page].state == CLIENT_EXCLUSIVE)
			return false;
	}
	return true;
}

/* What a barrier counts is answered only as far as copies are given up. */
static void confirm(struct dsm_core *core, const struct core_msg *msg, struct core_entry *entries)
{
	struct core_msg reply;
	uint32_t i, n = 0;

	for (i = 0; i < msg->npages; i++)
		if (!msg->number || entries[i].flags & CORE_ENTRY_REFUSED)
			entries[n++] = entries[i];
	if (!n)
		return;
	reply = core__msg(core, CORE_MSG_SEEN, msg->from, &msg->tx);
	reply.entries = entries;
	reply.npages = n;
	core__send(core, &reply);
}

/* A copy that has just been given up here is none of its business. Without changes it only asks for an answer. */
int rc__on_spread(struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_entry *e;
	struct core_entry *entries;
	uint32_t i;

	if (!well_formed(core, msg) || (msg->number && barrier__got(core, msg->number)))
		return -EPROTO;
	entries = core__entries(core, msg->npages);
	if (!entries)
		return 0;
	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		entries[i] = (struct core_entry){.page = e->page, .version = e->version, .stamp = e->stamp};
		if (core->client[e->page].state != CLIENT_SHARED || e->data == CORE_DATA_NONE)
			continue;
		core__do(core, CORE_DO_MERGE, e->page)->entry = i;
		if (rc__update(core, &msg->tx, e->page, e->version))
			entries[i].flags = CORE_ENTRY_REFUSED;
	}
	core__flush_rights(core);
	confirm(core, msg, entries);
	return 0;
}

/* ---- flushing ---- */

/* The mutator must not be writing when its right is taken away with the twin. Nor may changes be on their way, or the home
 * could make this node the owner of a page that it has just given up. */
static bool close_clean(struct dsm_core *core, uint32_t page)
{
	struct client_page *cp = &core->client[page];

	if (!core->still)
		return false;
	if (cp->clean < CLEAN)
		cp->clean++;
	if (cp->clean < CLEAN || cp->wrote)
		return false;
	drop_twin(core, page);
	core__gather_rights(core, page, CORE_READ);
	return true;
}

/* Takes the changes of one page. False: it does not need a twin any more. */
static bool take(struct dsm_core *core, uint32_t page)
{
	bool own = core__birth(core, page) == core->config.node;
	struct core_entry e = {.page = page, .data = CORE_DATA_CHANGES};
	struct rc *rc = &core->rc;
	struct core_action *emit;

	core->client[page].clean = 0;
	if (own && rc_home__own(core, page)) {
		core->client[page].state = CLIENT_EXCLUSIVE;
		drop_twin(core, page);
		return false;
	}
	emit = core__emit(core, CORE_EMIT_WRITES); /* while the twin tells */
	emit->page = page;
	emit->party = core->interval;
	emit->version = core->client[page].version;
	emit->committed = true;
	e.hold = core__take(core, page);
	if (own) {
		e.version = core->client[page].version = rc_home__version(core, page);
		if (core__grow(core, &rc->own, &rc->own_cap, rc->nown + 1, sizeof(*rc->own)))
			rc->own[rc->nown++] = e;
	} else if (core__grow(core, &rc->out, &rc->out_cap, rc->nout + 1, sizeof(*rc->out))) {
		e.version = core->client[page].version;
		rc->out[rc->nout++] = e;
	}
	return true;
}

static void take_all(struct dsm_core *core, const bool *changed)
{
	struct rc *rc = &core->rc;
	uint32_t page, taken = 0;
	size_t i, n = 0;
	bool keep;

	for (i = 0; i < rc->nwritten; i++) {
		page = rc->written[i];
		if ((changed && !changed[i]) ||
		    (core_mutant(flush_forgotten) && i + 1 == rc->nwritten && !core->still)) {
			keep = !close_clean(core, page);
		} else {
			keep = take(core, page);
			taken++;
		}
		if (keep)
			rc->written[n++] = page;
	}
	rc->nwritten = n;
	core__flush_rights(core);
	if (core->use.nwritten < taken)
		core->use.nwritten = taken;
}

/* Of flush `number` the home owes one more answer. */
static void owe(struct dsm_core *core, uint64_t number, uint16_t home, const struct core_entry *pages,
		size_t npages)
{
	struct rc *rc = &core->rc;
	struct flush *last = rc->nflushes ? &rc->flushes[rc->nflushes - 1] : NULL;
	size_t i;

	for (i = 0; i < npages; i++)
		core->client[pages[i].page].wrote++;
	if (last && last->number == number && last->home == home)
		last->open++;
	else if (core__grow(core, &rc->flushes, &rc->flushes_cap, rc->nflushes + 1, sizeof(*rc->flushes)))
		rc->flushes[rc->nflushes++] = (struct flush){.number = number, .home = home, .open = 1};
}

static void send_out(struct dsm_core *core, uint64_t number)
{
	struct rc *rc = &core->rc;
	struct core_entry *entries;
	struct core_msg msg;
	uint16_t home;
	size_t i, n;

	for (i = 0; i < rc->nout; i += n) {
		home = core__birth(core, rc->out[i].page);
		for (n = 1; i + n < rc->nout && n < CORE_MSG_PAGES; n++)
			if (core__birth(core, rc->out[i + n].page) != home)
				break;
		entries = core__entries(core, n);
		if (!entries)
			return;
		memcpy(entries, &rc->out[i], n * sizeof(*entries));
		msg = core__msg(core, CORE_MSG_FLUSH, home, &core->interval);
		msg.number = number;
		msg.entries = entries;
		msg.npages = (uint32_t)n;
		core__send(core, &msg);
		owe(core, number, home, entries, n);
	}
}

/* All flushes up to this number have come to all copies; or will have, before the barrier opens: node 0 sends nobody its
 * GO before the SPREADs of what was flushed to it before the ARRIVE. */
static uint64_t done(const struct rc *rc, bool barrier)
{
	size_t i = 0;

	while (i < rc->nflushes && barrier && (!rc->flushes[i].home || core_mutant(barrier_before_flush)))
		i++;
	return i < rc->nflushes ? rc->flushes[i].number - 1 : rc->flushed;
}

static uint64_t still_open(const struct rc *rc, bool barrier)
{
	return done(rc, barrier) < rc->flushed ? rc->flushed : 0;
}

uint64_t rc__flush(struct dsm_core *core, const bool *changed, uint64_t barrier)
{
	struct rc *rc = &core->rc;
	uint16_t self = core->config.node;
	size_t i;

	if (!rc->nwritten && !core->count.nsent)
		return still_open(rc, barrier);
	rc->flushed++;
	take_all(core, changed);
	send_out(core, rc->flushed);
	if (!barrier && rc_home__confirm(core, rc->flushed))
		owe(core, rc->flushed, self, NULL, 0);
	if (rc->nown &&
	    rc_home__spread(core, &core->interval, rc->own, (uint32_t)rc->nown, rc->flushed, barrier))
		owe(core, rc->flushed, self, rc->own, rc->nown);
	for (i = 0; i < rc->nout; i++)
		core__drop(core, rc->out[i].hold);
	for (i = 0; i < rc->nown; i++)
		core__drop(core, rc->own[i].hold);
	rc->nout = rc->nown = 0;
	return still_open(rc, barrier);
}

/* An answer is here, or will not come. */
static void settle_flush(struct dsm_core *core, size_t at)
{
	struct rc *rc = &core->rc;

	rc->nflushes--;
	memmove(&rc->flushes[at], &rc->flushes[at + 1], (rc->nflushes - at) * sizeof(*rc->flushes));
	locks__flushed(core, done(rc, false));
	barrier__flushed(core, done(rc, true));
}

static bool flushed_fits(const struct dsm_core *core, const struct core_msg *msg)
{
	const struct client_page *cp;
	uint32_t i;

	for (i = 0; i < msg->npages; i++) {
		cp = &core->client[msg->entries[i].page];
		if (!cp->wrote || (cp->state == CLIENT_INVALID && !core->rumour[msg->from]))
			return false;
	}
	return true;
}

int rc__on_flushed(struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_entry *e;
	struct rc *rc = &core->rc;
	struct client_page *cp;
	size_t at = 0;
	uint32_t i;

	while (at < rc->nflushes &&
	       (rc->flushes[at].number != msg->number || rc->flushes[at].home != msg->from))
		at++;
	if (at == rc->nflushes || !flushed_fits(core, msg))
		return -EPROTO;
	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		cp = &core->client[e->page];
		cp->wrote--;
		if (e->version > cp->version)
			cp->version = e->version;
		if (!(e->flags & CORE_ENTRY_EXCLUSIVE) || cp->state == CLIENT_INVALID)
			continue;
		cp->state = CLIENT_EXCLUSIVE;
		if (cp->flags & CLIENT_DIRTY)
			untwin(core, e->page);
	}
	if (!--rc->flushes[at].open)
		settle_flush(core, at);
	return 0;
}

/* ---- loss ---- */

/* Nobody can bring changes to the other copies of its pages any more. So no copy may be used from now on that others
 * could have, too: whoever needs it is told. Exclusive ones are as good as ever. */
void rc__doubt(struct dsm_core *core, uint16_t home)
{
	uint32_t end = home + 1u == core->config.nodes ? core->config.pages
						       : (home + 1u) * core->config.pages_per_home;
	uint32_t page = home * core->config.pages_per_home;
	struct client_page *cp;

	for (page += core->config.rc_from; core->config.rc_from && page < end; page++) {
		cp = &core->client[page];
		if (cp->state != CLIENT_SHARED || !model__is(core, page, CORE_RC) ||
		    core_mutant(doubtful_kept))
			continue;
		core__gather_rights(core, page, CORE_NONE);
		if (cp->flags & CLIENT_DIRTY)
			untwin(core, page);
		cp->state = CLIENT_INVALID;
		copies__unused(core, page);
	}
	core__flush_rights(core);
}

void rc__lose(struct dsm_core *core, uint16_t node)
{
	uint32_t page = node * core->config.pages_per_home;
	size_t i;

	rc__doubt(core, node);
	for (; core->config.rc_from && page < core->config.pages && core__birth(core, page) == node; page++)
		if (model__is(core, page, CORE_RC))
			core->client[page].wrote = 0;
	for (i = core->rc.nflushes; i > 0; i--)
		if (core->rc.flushes[i - 1].home == node)
			settle_flush(core, i - 1);
	rc_home__lose(core, node);
}

void rc__free(struct dsm_core *core)
{
	free(core->rc.written);
	free(core->rc.flushes);
	free(core->rc.out);
	free(core->rc.own);
	rc_home__free(core);
}
