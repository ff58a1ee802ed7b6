/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cover_sync.c - tables of coverage of worlds without transactions: a page of sequential consistency at its client and at its
 * home, one of release consistency likewise, a lock at who uses it and at its manager, and the mutator.
 */
#include "tests/sim/cover.h"

#include "dsmcore/protocol/locks.h"
#include "tests/sim/cover_sync.h"

/* ---- the tables ---- */

#define TABLE(T, STATES, EVENTS)                                                                             \
	enum { STATES(T##_S) T##_NS };                                                                       \
	enum { EVENTS(T##_E) T##_NE };                                                                       \
	static uint64_t T##_met[T##_NS][T##_NE];                                                             \
	static const char *const T##_states[] = {STATES(NAME_S)}, *const T##_events[] = {EVENTS(NAME_E)};
#define NAME_S(name, text) #name,
#define NAME_E(name)	   #name,
#define SC_S(name, text)   SC_S_##name,
#define SC_E(name)	   SC_E_##name,
#define SCH_S(name, text)  SCH_S_##name,
#define SCH_E(name)	   SCH_E_##name,
#define RC_S(name, text)   RC_S_##name,
#define RC_E(name)	   RC_E_##name,
#define RCH_S(name, text)  RCH_S_##name,
#define RCH_E(name)	   RCH_E_##name,
#define LK_S(name, text)   LK_S_##name,
#define LK_E(name)	   LK_E_##name,
#define MG_S(name, text)   MG_S_##name,
#define MG_E(name)	   MG_E_##name,
#define MU_S(name, text)   MU_S_##name,
#define MU_E(name)	   MU_E_##name,

TABLE(SC, SC_STATES, SC_EVENTS)
TABLE(SCH, SC_HOME_STATES, SC_HOME_EVENTS)
TABLE(RC, RC_STATES, RC_EVENTS)
TABLE(RCH, RC_HOME_STATES, RC_HOME_EVENTS)
TABLE(LK, LOCK_STATES, LOCK_EVENTS)
TABLE(MG, MANAGER_STATES, MANAGER_EVENTS)
TABLE(MU, SYNC_STATES, SYNC_EVENTS)

/* ---- which state is it? ---- */

static bool is_fresh(const struct dsm_core *core, uint32_t page)
{
	size_t i;

	for (i = 0; i < core->sc.nfresh; i++)
		if (core->sc.fresh[i] == page)
			return true;
	return false;
}

static bool is_kept(const struct dsm_core *core, uint32_t page)
{
	size_t i;

	for (i = 0; i < core->sc.nwaits; i++)
		if (core->sc.waits[i].page == page)
			return true;
	return false;
}

/* Is a copy on its way; does the mutator wait for it? */
static bool is_asked_for(const struct dsm_core *core, uint32_t page, bool *waits)
{
	size_t i;

	*waits = copies__awaits(core, page);
	for (i = 0; i < core->asks.count; i++)
		if (core->asks.list[i].page == page)
			return true;
	return false;
}

static unsigned sc_state(const struct dsm_core *core, uint32_t page)
{
	const struct client_page *cp = &core->client[page];
	bool waits, asking = is_asked_for(core, page, &waits), closed = cp->rights == CORE_NONE && cp->idle;

	if (cp->state == CLIENT_INVALID && cp->flags & CLIENT_OVER)
		return asking ? SC_S_OVER_ASKING : SC_S_OVER;
	if (cp->state == CLIENT_INVALID)
		return waits ? SC_S_ASKING : asking ? SC_S_FLYING : SC_S_INVALID;
	if (cp->flags & CLIENT_AHEAD)
		return SC_S_AHEAD;
	if (is_kept(core, page))
		return cp->state == CLIENT_EXCLUSIVE ? SC_S_EXCL_KEPT : SC_S_SHARED_KEPT;
	if (sc_lend__to(core, page, NOBODY))
		return SC_S_EXCL_LENT;
	if (cp->state == CLIENT_EXCLUSIVE)
		return cp->rights != CORE_WRITE ? SC_S_EXCL_READ
		       : is_fresh(core, page)	? SC_S_EXCL_FRESH
						: SC_S_EXCL;
	if (asking)
		return SC_S_SHARED_ASKING;
	if (cp->flags & CLIENT_LENT)
		return closed ? SC_S_LENT_CLOSED : SC_S_LENT;
	if (cp->flags & CLIENT_LOAN)
		return closed ? SC_S_BROUGHT_CLOSED : SC_S_BROUGHT;
	return is_fresh(core, page) ? SC_S_SHARED_FRESH : SC_S_SHARED;
}

static unsigned sc_home_state(const struct dsm_core *core, uint32_t page)
{
	const struct dir_page *d = directory__find(core, page);
	const struct dir_more *m = d ? directory__more(core, d) : NULL;

	if (!d)
		return SCH_S_FREE;
	if (loss__of_page(core, d) != NOBODY)
		return SCH_S_LOST;
	if (m && m->told.word)
		return m->drops ? SCH_S_CLEARING : SCH_S_SHARING;
	return d->owner != NOBODY ? SCH_S_OWNED : d->holders.word ? SCH_S_SHARED : SCH_S_FREE;
}

static unsigned rc_state(const struct dsm_core *core, uint32_t page)
{
	const struct client_page *cp = &core->client[page];
	bool waits, asking = is_asked_for(core, page, &waits);

	if (cp->state == CLIENT_INVALID)
		return waits ? RC_S_ASKING : asking ? RC_S_FLYING : RC_S_INVALID;
	if (cp->flags & CLIENT_AHEAD)
		return RC_S_AHEAD;
	if (cp->state == CLIENT_EXCLUSIVE)
		return cp->rights == CORE_WRITE ? RC_S_EXCL : RC_S_EXCL_READ;
	if (cp->wrote)
		return RC_S_FLUSHING;
	if (cp->flags & CLIENT_DIRTY)
		return RC_S_WRITTEN;
	return cp->rights == CORE_NONE ? RC_S_CLOSED : RC_S_READ;
}

static unsigned rc_home_state(const struct dsm_core *core, uint32_t page)
{
	const struct dir_page *d = directory__find(core, page);

	if (!d)
		return RCH_S_FREE;
	if (loss__of_page(core, d) != NOBODY)
		return RCH_S_LOST;
	if (home__recalled(core, d) != NOBODY)
		return RCH_S_REVOKING;
	return d->owner != NOBODY ? RCH_S_OWNED : d->holders.word ? RCH_S_SHARED : RCH_S_FREE;
}

static unsigned lock_state(const struct dsm_core *core, const struct lock *l)
{
	bool waited = l && core->locks.wanted == l;

	if (!l || !l->here)
		return waited ? LK_S_WAITED : LK_S_ELSEWHERE;
	if (l->leaving)
		return waited ? LK_S_LEAVING_WAITED : LK_S_LEAVING;
	if (l->depth)
		return l->wanted ? LK_S_HELD_WANTED : LK_S_HELD;
	return l->wanted ? LK_S_KEPT : LK_S_CACHED;
}

static unsigned manager_state(const struct dsm_core *core, const struct lock *l)
{
	if (!l || !l->out)
		return MG_S_HERE;
	if (core->lost[l->holder])
		return MG_S_LOST;
	return l->asked ? MG_S_ASKED : MG_S_OUT;
}

static unsigned mutator_state(const struct dsm_core *core)
{
	switch (core->mutator) {
	case MUTATOR_ASKS:
		return MU_S_ASKS;
	case MUTATOR_ACQUIRES:
		return MU_S_ACQUIRES;
	case MUTATOR_BARRIER:
		return core->count.flush ? MU_S_FLUSHES : core->count.go ? MU_S_COUNTS : MU_S_ARRIVED;
	default:
		return MU_S_RUNS;
	}
}

/* ---- the hooks ---- */

static bool of_sc(const struct dsm_core *core, uint32_t page)
{
	return model__is(core, page, CORE_SC);
}

static void cover_access(const struct dsm_core *core, const struct core_event *event)
{
	uint32_t page, end = event->page + (event->count ? event->count : 1);

	for (page = event->page; page < end; page++)
		if (of_sc(core, page))
			SC_met[sc_state(core, page)][event->write ? SC_E_WRITE : SC_E_READ]++;
		else
			RC_met[rc_state(core, page)][event->write ? RC_E_WRITE : RC_E_READ]++;
}

void cover_sync__mutator(const struct dsm_core *core, const struct core_event *event)
{
	unsigned state = mutator_state(core);
	uint32_t page;

	switch (event->type) {
	case CORE_ACCESS:
		MU_met[state][MU_E_ACCESS]++;
		cover_access(core, event);
		break;
	case CORE_ACQUIRE:
		MU_met[state][MU_E_ACQUIRE]++;
		LK_met[lock_state(core, locks__find(core, event->lock))][LK_E_ACQUIRE]++;
		break;
	case CORE_RELEASE:
		MU_met[state][MU_E_RELEASE]++;
		LK_met[lock_state(core, locks__find(core, event->lock))][LK_E_RELEASE]++;
		break;
	case CORE_BARRIER:
		MU_met[state][MU_E_ENTER]++;
		for (page = 0; page < core->config.pages; page++)
			if (of_sc(core, page))
				SC_met[sc_state(core, page)][SC_E_ENTER]++;
		break;
	default:
		break;
	}
}

static void cover_sc(const struct dsm_core *core, const struct core_msg *msg, const struct core_entry *e)
{
	uint64_t *met = SC_met[sc_state(core, e->page)], *home = SCH_met[sc_home_state(core, e->page)];
	const struct client_page *cp = &core->client[e->page];
	bool birth = core__birth(core, e->page) == msg->from;

	if (msg->type == CORE_MSG_COPY)
		met[e->flags & CORE_ENTRY_LOST	      ? SC_E_COPY_LOST
		    : e->flags & CORE_ENTRY_REFUSED   ? SC_E_COPY_REFUSED
		    : e->flags & CORE_ENTRY_EXCLUSIVE ? SC_E_COPY_EXCL
						      : SC_E_COPY]++;
	else if (msg->type == CORE_MSG_REVOKE)
		met[e->stamp && cp->state == CLIENT_INVALID && cp->version < e->version ? SC_E_REVOKE_EARLY
		    : e->flags & CORE_ENTRY_WRITE					? SC_E_REVOKE_WRITE
											: SC_E_REVOKE]++;
	else if (msg->type == CORE_MSG_BRING)
		met[!birth && e->version <= cp->version ? SC_E_BRING_LATE
		    : e->flags & CORE_ENTRY_LENT	? SC_E_BRING_LENT
							: SC_E_BRING]++;
	else if (msg->type == CORE_MSG_ASK)
		home[e->flags & CORE_ENTRY_AHEAD   ? SCH_E_ASK_AHEAD
		     : e->flags & CORE_ENTRY_WRITE ? SCH_E_ASK_WRITE
						   : SCH_E_ASK]++;
	else if (msg->type == CORE_MSG_REVOKED)
		home[e->flags & CORE_ENTRY_REFUSED   ? SCH_E_REVOKED_UNUSED
		     : !(e->flags & CORE_ENTRY_LENT) ? SCH_E_REVOKED
		     : e->flags & CORE_ENTRY_WRITE   ? SCH_E_UNASKED
						     : SCH_E_REVOKED_LENT]++;
	else if (msg->type == CORE_MSG_SEEN && core__birth(core, e->page) == core->config.node)
		home[e->flags & CORE_ENTRY_LENT ? SCH_E_SEEN_LENT : SCH_E_SEEN]++;
}

static void cover_rc(const struct dsm_core *core, const struct core_msg *msg, const struct core_entry *e)
{
	uint64_t *met = RC_met[rc_state(core, e->page)], *home = RCH_met[rc_home_state(core, e->page)];

	if (msg->type == CORE_MSG_COPY)
		met[e->flags & CORE_ENTRY_LOST	      ? RC_E_COPY_LOST
		    : e->flags & CORE_ENTRY_REFUSED   ? RC_E_COPY_REFUSED
		    : e->flags & CORE_ENTRY_EXCLUSIVE ? RC_E_COPY_EXCL
						      : RC_E_COPY]++;
	else if (msg->type == CORE_MSG_REVOKE)
		met[RC_E_REVOKE]++;
	else if (msg->type == CORE_MSG_SPREAD)
		met[e->data == CORE_DATA_NONE ? RC_E_CONFIRM : msg->number ? RC_E_COUNTED : RC_E_SPREAD]++;
	else if (msg->type == CORE_MSG_FLUSHED)
		met[e->flags & CORE_ENTRY_EXCLUSIVE ? RC_E_FLUSHED_EXCL : RC_E_FLUSHED]++;
	else if (msg->type == CORE_MSG_ASK)
		home[e->flags & CORE_ENTRY_AHEAD   ? RCH_E_ASK_AHEAD
		     : e->flags & CORE_ENTRY_WRITE ? RCH_E_ASK_WRITE
						   : RCH_E_ASK]++;
	else if (msg->type == CORE_MSG_REVOKED)
		home[e->flags & CORE_ENTRY_WRITE ? RCH_E_REVOKED_NEWER : RCH_E_REVOKED_SAME]++;
	else if (msg->type == CORE_MSG_FLUSH)
		home[RCH_E_FLUSH]++;
	else if (msg->type == CORE_MSG_SEEN)
		home[e->flags & CORE_ENTRY_REFUSED ? RCH_E_SEEN_UNUSED : RCH_E_SEEN]++;
}

static void cover_lock(const struct dsm_core *core, const struct core_msg *msg)
{
	const struct lock *l = locks__find(core, msg->number);

	if (msg->type == CORE_MSG_GIVE)
		LK_met[lock_state(core, l)][msg->npages ? LK_E_GIVE_LOST : LK_E_GIVE]++;
	else if (msg->type == CORE_MSG_WANT)
		LK_met[lock_state(core, l)][LK_E_WANT]++;
	else
		MG_met[manager_state(core, l)][msg->type == CORE_MSG_BACK ? MG_E_BACK : MG_E_ACQUIRE]++;
}

/* What the mutator may be waiting for. */
static void cover_waits(const struct dsm_core *core, const struct core_msg *msg)
{
	uint64_t *met = MU_met[mutator_state(core)];

	if (msg->type == CORE_MSG_COPY)
		met[MU_E_COPY]++;
	else if (msg->type == CORE_MSG_GIVE)
		met[MU_E_GIVE]++;
	else if (msg->type == CORE_MSG_FLUSHED)
		met[MU_E_FLUSHED]++;
	else if (msg->type == CORE_MSG_GO)
		met[MU_E_GO]++;
	else if ((msg->type == CORE_MSG_SPREAD || msg->type == CORE_MSG_BRING) && msg->number)
		met[msg->number == core->barrier + 1 ? MU_E_COUNTED : MU_E_COUNTED_NEXT]++;
}

void cover_sync__message(const struct dsm_core *core, const struct core_msg *msg)
{
	uint32_t i;

	cover_waits(core, msg);
	if (msg->type >= CORE_MSG_ACQUIRE && msg->type <= CORE_MSG_BACK) {
		cover_lock(core, msg);
		return;
	}
	if (msg->type == CORE_MSG_ARRIVE || msg->type == CORE_MSG_GO)
		return;
	for (i = 0; i < msg->npages; i++)
		if (of_sc(core, msg->entries[i].page))
			cover_sc(core, msg, &msg->entries[i]);
		else
			cover_rc(core, msg, &msg->entries[i]);
}

static void cover_lost_page(const struct dsm_core *core, uint32_t page, const struct dir_page *d,
			    uint16_t node)
{
	bool holder = d->owner != node && home__holds(core, d, node), waiter = home__waits(core, d, node);
	const struct dir_more *m = directory__more(core, d);
	uint64_t *met;

	if (of_sc(core, page)) {
		met = SCH_met[sc_home_state(core, page)];
		met[SCH_E_LOST_TOLD] += m && copyset__has(core, m->told, node);
		met[SCH_E_LOST_HOLDER] += holder;
		met[SCH_E_LOST_OWNER] += d->owner == node;
		met[SCH_E_LOST_WAITER] += waiter;
	} else {
		met = RCH_met[rc_home_state(core, page)];
		met[RCH_E_LOST_HOLDER] += holder;
		met[RCH_E_LOST_OWNER] += d->owner == node;
		met[RCH_E_LOST_WAITER] += waiter;
	}
}

static void cover_lost_locks(const struct dsm_core *core, uint16_t node)
{
	const struct lock *l;
	uint16_t i;
	size_t k;

	for (k = 0; k < core->locks.nbuckets; k++)
		for (l = core->locks.bucket[k]; l; l = l->next) {
			if (core__manager(core, l->name) == node)
				LK_met[lock_state(core, l)][LK_E_MANAGER_LOST]++;
			MG_met[manager_state(core, l)][MG_E_LOST_HOLDER] += l->out && l->holder == node;
			for (i = l->first; i != NOBODY; i = core->locks.waiters[i].next)
				MG_met[manager_state(core, l)][MG_E_LOST_WAITER] += i == node;
		}
}

void cover_sync__lost(const struct dsm_core *core, unsigned node)
{
	const struct dir_page *d;
	uint32_t page, next = 0;

	MU_met[mutator_state(core)][loss__waits_for(core, (uint16_t)node) ? MU_E_LOSS_NEEDED : MU_E_LOSS]++;
	for (page = 0; page < core->config.pages; page++)
		if (core__birth(core, page) == node && of_sc(core, page))
			SC_met[sc_state(core, page)][SC_E_HOME_LOST]++;
		else if (core__birth(core, page) == node && model__is(core, page, CORE_RC))
			RC_met[rc_state(core, page)][RC_E_HOME_LOST]++;
	while ((d = directory__next(core, &next)))
		cover_lost_page(core, next - 1, d, (uint16_t)node);
	cover_lost_locks(core, (uint16_t)node);
}

/* ---- what is expected ---- */

/* Why an event cannot meet a state. */
static const char *const reasons[128] = {
	['r'] = "possible, but needs a coincidence that few seeds have: may be met",
	['w'] = "the mutator waits",
	['m'] = "misuse: -EINVAL (tests/unit/core_locks_test.c)",
	['f'] = "a COPY comes only to what was asked for",
	['s'] = "who is told to share is the owner, or was when that was sent first",
	['o'] = "who is told to share is the owner",
	['h'] = "what is brought goes to who has no copy",
	['l'] = "a page that is lost had one owner, and no other copies",
	['b'] = "what it asks for comes when that has been answered",
	['t'] = "nobody was told",
	['e'] = "it is no holder",
	['n'] = "it has no owner",
	['a'] = "nobody else has a copy",
	['q'] = "nobody waits here",
	['u'] = "who writes a page has used it",
	['d'] = "that is said once",
	['c'] = "it has a copy, so nothing has overtaken that",
	['F'] = "of what is under way the state is FLUSHING",
	['g'] = "it comes to who has asked for it",
	['W'] = "it goes to who has it",
	['B'] = "no living node has it",
	['k'] = "nobody has asked for it back",
	['R'] = "not before this node has arrived",
	['N'] = "it waits for nobody",
	['U'] = "at a barrier it waits for everybody",
};

/* READ WRITE COPY COPY_EXCL COPY_LOST COPY_REFUSED REVOKE REVOKE_WRITE REVOKE_EARLY BRING BRING_LENT BRING_LATE ENTER
 * HOME_LOST */
static const char *const SC_expected[] = {
	[SC_S_INVALID] = "++ffffs++++r++",	 [SC_S_ASKING] = "ww+++rs+r++rw+",
	[SC_S_OVER] = "++ffffs++++r++",		 [SC_S_OVER_ASKING] = "rr++rrsrrr+rrr",
	[SC_S_FLYING] = "+r+rr+srrrrr+r",	 [SC_S_AHEAD] = "++ffffs+chhr+r",
	[SC_S_SHARED] = "++ffff++chh+++",	 [SC_S_SHARED_FRESH] = "++ffffr+chhr++",
	[SC_S_SHARED_ASKING] = "rr++rr++chhrrr", [SC_S_SHARED_KEPT] = "r+bbbbr+chhr+r",
	[SC_S_BROUGHT] = "r+ffff++chhr++",	 [SC_S_BROUGHT_CLOSED] = "++ffffs+chhr+r",
	[SC_S_LENT] = "r+ffffs+chhr++",		 [SC_S_LENT_CLOSED] = "++ffffs+chhr+r",
	[SC_S_EXCL] = "++ffff++chhr++",		 [SC_S_EXCL_FRESH] = "++ffff++chhr+r",
	[SC_S_EXCL_KEPT] = "++ffff++chhr+r",	 [SC_S_EXCL_READ] = "r+ffffrrchhr+r",
	[SC_S_EXCL_LENT] = "r+ffff++chhr+r",
};

/* ASK ASK_WRITE ASK_AHEAD REVOKED REVOKED_UNUSED REVOKED_LENT UNASKED SEEN SEEN_LENT LOST_HOLDER LOST_OWNER LOST_TOLD LOST_WAITER */
static const char *const SCH_expected[] = {
	[SCH_S_FREE] = "+++tttnereetq",	    [SCH_S_SHARED] = "+++tttn+++ntq",
	[SCH_S_OWNED] = "+++ttt+e+a+tq",    [SCH_S_SHARING] = "++r+u+rerarrr",
	[SCH_S_CLEARING] = "++r+++r+++r+r", [SCH_S_LOST] = "rrrtttreradtr",
};

/* READ WRITE COPY COPY_EXCL COPY_LOST COPY_REFUSED REVOKE SPREAD COUNTED CONFIRM FLUSHED FLUSHED_EXCL HOME_LOST */
static const char *const RC_expected[] = {
	[RC_S_INVALID] = "++ffffo+r+rr+",   [RC_S_ASKING] = "ww++rrorrrrr+",
	[RC_S_FLYING] = "+r+rr+orrrrrr",    [RC_S_AHEAD] = "++ffffo++rrrr",
	[RC_S_CLOSED] = "++ffffo+++FFr",    [RC_S_READ] = "++ffffo+++FF+",
	[RC_S_WRITTEN] = "++ffffo+++FF+",   [RC_S_FLUSHING] = "rrffffo++++++",
	[RC_S_EXCL_READ] = "++ffff+aaarrr", [RC_S_EXCL] = "++ffff+aaarr+",
};

/* ASK ASK_WRITE ASK_AHEAD REVOKED_SAME REVOKED_NEWER FLUSH SEEN SEEN_UNUSED LOST_HOLDER LOST_OWNER LOST_WAITER */
static const char *const RCH_expected[] = {
	[RCH_S_FREE] = "+++ttereeeq",	  [RCH_S_SHARED] = "+++tt++++nq", [RCH_S_OWNED] = "+++ttrrra+q",
	[RCH_S_REVOKING] = "++r++rrrarr", [RCH_S_LOST] = "rrrttrrradr",
};

/* ACQUIRE RELEASE GIVE GIVE_LOST WANT MANAGER_LOST */
static const char *const LK_expected[] = {
	[LK_S_ELSEWHERE] = "+mggW+",   [LK_S_WAITED] = "ww++W+",	 [LK_S_HELD] = "++gg++",
	[LK_S_HELD_WANTED] = "++ggd+", [LK_S_CACHED] = "+mgg++",	 [LK_S_KEPT] = "+mggd+",
	[LK_S_LEAVING] = "+mggd+",     [LK_S_LEAVING_WAITED] = "wwbbdr",
};

/* ACQUIRE BACK LOST_HOLDER LOST_WAITER */
static const char *const MG_expected[] = {
	[MG_S_HERE] = "+BBq", [MG_S_OUT] = "+k+q", [MG_S_ASKED] = "++++", [MG_S_LOST] = "+Bdq"};

/* ACCESS ACQUIRE RELEASE ENTER COPY GIVE FLUSHED COUNTED COUNTED_NEXT GO LOSS LOSS_NEEDED */
static const char *const MU_expected[] = {
	[MU_S_RUNS] = "+++++r++r++N",	 [MU_S_ASKS] = "wwww+r++rr++",	  [MU_S_ACQUIRES] = "wwww++++rr++",
	[MU_S_FLUSHES] = "wwwwrr++rRU+", [MU_S_ARRIVED] = "wwww+r++++U+", [MU_S_COUNTS] = "wwwwrrr++dUr",
};

const struct cover_table cover_sync[] = {
	{"sc client", SC_states, SC_events, SC_expected, reasons, SC_NS, SC_NE, SC_met[0]},
	{"sc home", SCH_states, SCH_events, SCH_expected, reasons, SCH_NS, SCH_NE, SCH_met[0]},
	{"rc client", RC_states, RC_events, RC_expected, reasons, RC_NS, RC_NE, RC_met[0]},
	{"rc home", RCH_states, RCH_events, RCH_expected, reasons, RCH_NS, RCH_NE, RCH_met[0]},
	{"lock", LK_states, LK_events, LK_expected, reasons, LK_NS, LK_NE, LK_met[0]},
	{"manager", MG_states, MG_events, MG_expected, reasons, MG_NS, MG_NE, MG_met[0]},
	{"mutator", MU_states, MU_events, MU_expected, reasons, MU_NS, MU_NE, MU_met[0]},
	{0}};
