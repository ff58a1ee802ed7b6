/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * locks.c - named locks: whose turn it is, and that it sees what was written before.
 *
 * A name (64 bits) has a manager, found by hashing it: names are often addresses, whose low bits say nothing. ACQUIRE
 * goes to the manager, GIVE brings the lock. Who has it keeps it after its release, free: to acquire and release it again
 * costs no message, until the manager says WANT on behalf of another. Then, as soon as it is free, all that was written
 * here is flushed (rc.c), and only when everybody who has a copy has seen that, BACK returns the lock. So nothing needs
 * to be done by who gets it: the pages at hand are as new as the lock. (Munin's and TreadMarks' cached locks, with the
 * update of the former.)
 *
 * Waiting: first come, first served, at the manager. The mutator of a node waits for one lock at a time, so the queues of a
 * manager are linked through an array by node. The manager asks with one WANT for a lock that it has given out, however
 * many wait; when it gives a lock while others wait, the WANT follows the GIVE at once. All of this travels on one
 * channel, in order: WANT always finds what was given, and who asks for a lock that it is just giving back has a place at
 * the end of the queue, behind all who came before.
 *
 * A HOT LOCK would leave after each section, and with it go its pages, which takes a hundred times as long as a short section. So who
 * releases a lock that others want *keeps* it, if it is likely to come back at once: for some sections more (l->limit), and not
 * beyond a TICK. The limit is learnt. It grows when the mutator asks for a lock again that it has just given away (event.soon: the
 * port has a clock), and falls when it asks later. If the TICK comes first, the limit falls to what was used; to nothing if the lock
 * was not used at all. If pages have come since the TICK was asked for, another one is waited for, as moving those is what is to
 * be spared. Two bounds hold for who waits, whatever the mutator does:
 * - a lock that is wanted is free only while it is `kept`, and there is one such; the LOCK_TICKS-th TICK that was asked for since
 *   ends that (locks__tick()), at once if the lock is free, else at the release;
 * - no section of a kept lock begins that the limit forbids (may_stay()), nor is the limit ever larger than KEEP_MAX.
 * A lock that is free when the WANT comes is given at once.
 *
 * Recursion is counted at the holder. What happens between two synchronisations is an interval (model.c); a lock acquired
 * again by its holder does not synchronise anything.
 *
 * When a node is lost: a lock that it had, free or not, is lost with it, since what was written under it may not have been
 * seen by anybody else. Who waits for it, or asks later, is told by a GIVE that names the lost node. Locks whose manager it
 * was stay with whom they are; nobody else can get them.
 */
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/locks.h"

#define BUCKETS	 64u  /* at first; doubled when there are more locks than that; always a power of two */
#define KEEP_MAX 256u /* sections of a lock that others want */
#define GROWTH	 4u   /* of the limit: by that part of it at a time */
#define FALL	 8u   /* likewise */

/* Multiplying spreads the name's bits upwards: the upper half is good for both, the bucket and the manager. */
static uint32_t spread(uint64_t name)
{
	name ^= name >> 32;
	name *= 0x9e3779b97f4a7c15ull;
	name ^= name >> 29;
	name *= 0xbf58476d1ce4e5b9ull;
	return (uint32_t)(name >> 32);
}

uint16_t core__manager(const struct dsm_core *core, uint64_t lock)
{
	return (uint16_t)(spread(lock) % core->config.nodes);
}

void core__locks(const struct dsm_core *core, uint64_t *cached, uint64_t *fetched)
{
	*cached = core->locks.cached;
	*fetched = core->locks.fetched;
}

int locks__open(struct dsm_core *core)
{
	core->locks.bucket = calloc(BUCKETS, sizeof(struct lock *));
	core->locks.waiters = calloc(core->config.nodes, sizeof(*core->locks.waiters));
	core->locks.nbuckets = BUCKETS;
	return core->locks.bucket && core->locks.waiters ? 0 : -ENOMEM;
}

void locks__free(struct dsm_core *core)
{
	struct lock *l, *next;
	size_t i;

	for (i = 0; core->locks.bucket && i < core->locks.nbuckets; i++)
		for (l = core->locks.bucket[i]; l; l = next) {
			next = l->next;
			free(l);
		}
	free(core->locks.bucket);
	free(core->locks.waiters);
}

/* ---- the table ---- */

static struct lock **bucket(const struct dsm_core *core, uint64_t name)
{
	return &core->locks.bucket[spread(name) / core->config.nodes & (core->locks.nbuckets - 1)];
}

struct lock *locks__find(const struct dsm_core *core, uint64_t name)
{
	struct lock *l = *bucket(core, name);

	while (l && l->name != name)
		l = l->next;
	return l;
}

/* Neither held, nor cached, nor given out, nor waited for: as if it had never been named. */
static bool forgettable(const struct dsm_core *core, const struct lock *l)
{
	return !l->here && !l->out && l->first == NOBODY && core->locks.wanted != l;
}

/* Twice the buckets, unless so many locks can be forgotten that they are not needed. Without memory the old ones do. */
static void rehash(struct dsm_core *core)
{
	struct locks *k = &core->locks;
	struct lock **old = k->bucket, *l, *next, *all = NULL;
	size_t n = k->nbuckets, i;

	for (i = 0; i < n; i++) {
		for (l = old[i]; l; l = next) {
			next = l->next;
			if (forgettable(core, l)) {
				k->count--;
				free(l);
				continue;
			}
			l->next = all;
			all = l;
		}
		old[i] = NULL;
	}
	if (k->count > n / 2) {
		k->bucket = calloc(n * 2, sizeof(struct lock *));
		if (k->bucket) {
			k->nbuckets = n * 2;
			free(old);
		} else {
			k->bucket = old;
		}
	}
	for (l = all; l; l = next) {
		next = l->next;
		l->next = *bucket(core, l->name);
		*bucket(core, l->name) = l;
	}
}

/* Makes it. It stays where it is until it is forgotten. NULL: out of memory. */
static struct lock *get(struct dsm_core *core, uint64_t name)
{
	struct lock *l = locks__find(core, name);

	if (l)
		return l;
	if (core->locks.count >= core->locks.nbuckets)
		rehash(core);
	l = calloc(1, sizeof(*l));
	if (!l) {
		core->nomem = true;
		return NULL;
	}
	l->name = name;
	l->first = NOBODY;
	l->next = *bucket(core, name);
	*bucket(core, name) = l;
	core->locks.count++;
	return l;
}

static void send(struct dsm_core *core, enum core_msg_type type, uint16_t to, const struct lock *l,
		 const struct core_party *party)
{
	struct core_msg msg = core__msg(core, type, to, party);

	msg.number = l->name;
	core__send(core, &msg);
}

/* ---- the user ---- */

static void hold(struct dsm_core *core, struct lock *l, uint32_t site)
{
	l->depth = 1;
	l->uses++;
	model__next_interval(core, site);
	core->verdict = VERDICT_RESUME;
}

/* It has to be asked for: soon, because it was given away too early. */
static void learn(struct lock *l, bool soon)
{
	if (!soon)
		l->limit -= (l->limit + FALL - 1) / FALL;
	else
		l->limit += 1 + l->limit / GROWTH;
	if (l->limit > KEEP_MAX)
		l->limit = KEEP_MAX;
}

int locks__acquire(struct dsm_core *core, const struct core_event *event)
{
	struct lock *l;
	uint16_t manager = core__manager(core, event->lock);

	if (core->attempt.running)
		return -EINVAL;
	l = get(core, event->lock);
	if (!l)
		return 0;
	if (l->here && l->depth) {
		l->depth++;
		core->verdict = VERDICT_RESUME;
		return 0;
	}
	if (l->here && !l->leaving) {
		core->locks.cached++;
		hold(core, l, event->site);
		return 0;
	}
	if (core->lost[manager]) {
		loss__tell(core, manager);
		return 0;
	}
	learn(l, event->soon);
	core->locks.wanted = l;
	core->mutator = MUTATOR_ACQUIRES;
	core->locks.site = event->site;
	send(core, CORE_MSG_ACQUIRE, manager, l, &core->interval);
	return 0;
}

/* An interval in which something was shared is told of at its end: that takes a step. */
static bool untold(const struct dsm_core *core)
{
	return core->use.nread || core->use.nwritten || core->use.met;
}

bool core__reacquire(struct dsm_core *core, uint64_t name, uint32_t site)
{
	struct lock *l = locks__find(core, name);

	if (!l || !l->here || (!l->depth && (l->leaving || untold(core))) || core->attempt.running)
		return false;
	if (!l->depth) {
		core->locks.cached++;
		model__next_interval(core, site);
		l->uses++;
	}
	l->depth++;
	return true;
}

/* Others want it: may there be one more section? */
static bool may_stay(const struct lock *l)
{
	return l->uses < l->limit || (core_mutant(lock_kept_on) && l->limit);
}

bool core__keep(struct dsm_core *core, uint64_t name, uint32_t site)
{
	struct lock *l = locks__find(core, name);

	if (!l || !l->depth || core->attempt.running || (l->depth == 1 && untold(core)))
		return false;
	if (l->depth == 1 && l->wanted && (core->locks.kept != l || !may_stay(l)))
		return false;
	if (!--l->depth)
		model__next_interval(core, site);
	return true;
}

static void give_back(struct dsm_core *core, struct lock *l)
{
	l->here = l->wanted = l->leaving = false;
	send(core, CORE_MSG_BACK, core__manager(core, l->name), l, &core->interval);
}

/* It is free and somebody wants it: what was written comes first. */
static void leave(struct dsm_core *core, struct lock *l)
{
	if (core->locks.kept == l)
		core->locks.kept = NULL;
	if (core_mutant(lock_back_before_flush)) {
		give_back(core, l);
		rc__flush(core, core->changed, 0);
		return;
	}
	l->flush = rc__flush(core, core->changed, 0);
	if (!l->flush) {
		give_back(core, l);
		return;
	}
	l->leaving = true;
	l->next_leaving = core->locks.leaving;
	core->locks.leaving = l;
}

void locks__flushed(struct dsm_core *core, uint64_t upto)
{
	struct lock **at = &core->locks.leaving, *l;

	while ((l = *at)) {
		if (l->flush > upto) {
			at = &l->next_leaving;
			continue;
		}
		*at = l->next_leaving;
		give_back(core, l);
	}
}

/* It is free, and others want it. Is it kept? One is at a time: its TICK is the one that is under way. */
static bool keep(struct dsm_core *core, struct lock *l)
{
	struct locks *k = &core->locks;

	if (!may_stay(l) || (k->kept && k->kept != l))
		return false;
	if (k->kept)
		return true;
	k->kept = l;
	k->kept_uses = l->uses;
	k->kept_ticks = !core->sc.ticking;
	k->brought = false;
	core__ask_tick(core);
	return true;
}

void locks__tick(struct dsm_core *core)
{
	struct locks *k = &core->locks;
	struct lock *l = k->kept;

	if (!l || core_mutant(lock_kept_late))
		return;
	/* The first may have been asked for before. */
	if (k->kept_ticks && (!k->brought || k->kept_ticks == LOCK_TICKS)) {
		l->limit = l->uses == k->kept_uses ? 0 : l->uses - l->uses / FALL;
		if (!l->depth)
			leave(core, l);
		return;
	}
	k->kept_ticks++;
	k->brought = false;
	core__ask_tick(core);
}

int locks__release(struct dsm_core *core, const struct core_event *event)
{
	struct lock *l = locks__find(core, event->lock);

	if (core->attempt.running || !l || !l->depth)
		return -EINVAL;
	core->verdict = VERDICT_RESUME;
	if (--l->depth)
		return 0;
	if (l->wanted && !keep(core, l)) /* what it flushes is of the interval that ends */
		leave(core, l);
	model__next_interval(core, event->site);
	return 0;
}

int locks__on_give(struct dsm_core *core, const struct core_msg *msg)
{
	struct lock *l = core->locks.wanted;
	struct core_action *emit;

	if (core->mutator != MUTATOR_ACQUIRES || !l || l->name != msg->number || l->here ||
	    msg->from != core__manager(core, l->name) || msg->npages > 1)
		return -EPROTO;
	core->locks.wanted = NULL;
	core->mutator = MUTATOR_RUNS;
	if (msg->npages) {
		loss__tell(core, (uint16_t)msg->entries[0].page);
		return 0;
	}
	l->here = true;
	l->uses = 0;
	core->locks.fetched++;
	hold(core, l, core->locks.site);
	emit = core__emit(core, CORE_EMIT_LOCK);
	emit->number = l->name;
	emit->node = msg->from;
	return 0;
}

int locks__on_want(struct dsm_core *core, const struct core_msg *msg)
{
	struct lock *l = locks__find(core, msg->number);

	if (!l || !l->here || l->wanted || msg->from != core__manager(core, l->name))
		return -EPROTO;
	if (core_mutant(lock_want_forgotten) && l->depth)
		return 0;
	l->wanted = true;
	if (!l->depth)
		leave(core, l);
	return 0;
}

/* Written pages matter to a WANT for a lock that is free, or to an ACQUIRE of one that this node has itself and would ask itself to
 * give back; or to a TICK that ends a lock's being kept. */
bool core__flushes(const struct dsm_core *core, const struct core_msg *msg)
{
	const struct lock *l;

	if (!msg)
		return core->rc.nwritten && core->locks.kept && !core->locks.kept->depth;
	if (!core->rc.nwritten || (msg->type != CORE_MSG_WANT && msg->type != CORE_MSG_ACQUIRE))
		return false;
	l = locks__find(core, msg->number);
	return l && l->here && !l->depth && !l->wanted;
}

/* ---- the manager ---- */

static struct lock_waiter *waiter(const struct dsm_core *core, uint16_t node)
{
	return &core->locks.waiters[node];
}

static bool waits(const struct dsm_core *core, uint16_t node)
{
	return waiter(core, node)->party.number;
}

static uint16_t dequeue(struct dsm_core *core, struct lock *l)
{
	uint16_t node = l->first;

	l->first = waiter(core, node)->next;
	waiter(core, node)->party.number = 0;
	return node;
}

/* Tells the holder, once, that others wait. */
static void ask_back(struct dsm_core *core, struct lock *l)
{
	if (l->asked || l->first == NOBODY)
		return;
	l->asked = true;
	send(core, CORE_MSG_WANT, l->holder, l, &waiter(core, l->first)->party);
	if (core_mutant(lock_two_holders))
		send(core, CORE_MSG_GIVE, dequeue(core, l), l, NULL);
}

/* Nobody will ever get it. */
static void refuse(struct dsm_core *core, const struct lock *l, uint16_t node)
{
	struct core_msg msg = core__msg(core, CORE_MSG_GIVE, node, NULL);
	struct core_entry *e = core__entries(core, 1);

	if (!e)
		return;
	e->page = l->holder;
	msg.number = l->name;
	msg.entries = e;
	msg.npages = 1;
	core__send(core, &msg);
}

static void serve(struct dsm_core *core, struct lock *l)
{
	if (!l->out && l->first != NOBODY) {
		l->out = true;
		l->asked = false;
		l->holder = dequeue(core, l);
		send(core, CORE_MSG_GIVE, l->holder, l, NULL);
	}
	if (!l->out)
		return;
	if (!core->lost[l->holder]) {
		ask_back(core, l);
		return;
	}
	while (l->first != NOBODY && !core_mutant(lost_lock_awaited))
		refuse(core, l, dequeue(core, l));
}

int locks__on_acquire(struct dsm_core *core, const struct core_msg *msg)
{
	struct lock *l;

	if (core__manager(core, msg->number) != core->config.node || waits(core, msg->from))
		return -EPROTO;
	l = get(core, msg->number);
	if (!l)
		return 0;
	*waiter(core, msg->from) = (struct lock_waiter){.party = msg->tx, .next = NOBODY};
	if (l->first == NOBODY)
		l->first = msg->from;
	else
		waiter(core, l->last)->next = msg->from;
	l->last = msg->from;
	serve(core, l);
	return 0;
}

int locks__on_back(struct dsm_core *core, const struct core_msg *msg)
{
	struct lock *l = locks__find(core, msg->number);

	if (core__manager(core, msg->number) != core->config.node || !l || !l->out ||
	    l->holder != msg->from || !l->asked)
		return -EPROTO;
	l->out = false;
	serve(core, l);
	return 0;
}

/* ---- loss ---- */

bool locks__waits_for(const struct dsm_core *core, uint16_t manager)
{
	return core->locks.wanted && core__manager(core, core->locks.wanted->name) == manager;
}

static void forget_waiter(struct dsm_core *core, struct lock *l, uint16_t node)
{
	uint16_t i = l->first, before = NOBODY;

	for (; i != NOBODY && i != node; i = waiter(core, i)->next)
		before = i;
	if (i == NOBODY)
		return;
	if (before == NOBODY)
		l->first = waiter(core, i)->next;
	else
		waiter(core, before)->next = waiter(core, i)->next;
	if (l->last == i)
		l->last = before;
	waiter(core, i)->party.number = 0;
}

void locks__lose(struct dsm_core *core, uint16_t node)
{
	struct lock *l;
	size_t i;

	for (i = 0; i < core->locks.nbuckets; i++)
		for (l = core->locks.bucket[i]; l; l = l->next) {
			forget_waiter(core, l, node);
			if (l->out && l->holder == node)
				serve(core, l);
		}
	if (locks__waits_for(core, node) && !core_mutant(lost_home_kept_waiting))
		core->locks.wanted = NULL;
}
