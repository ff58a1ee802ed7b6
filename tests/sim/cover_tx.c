/* SPDX-License-Identifier: BSD-2-Clause */
/* cover_tx.c - tables of coverage: a page at its client, a page at its home, the attempt. */
#include "tests/sim/cover.h"

#include "dsmcore/protocol/internal.h"

/* ---- a page at its client ---- */

#define CLIENT_STATES(X)                                                                                     \
	X(INVALID, "no copy")                                                                                \
	X(FETCHING, "no copy, the mutator waits for one")                                                    \
	X(FLYING, "no copy, one comes ahead of its use")                                                     \
	X(FLYING_WANTED, "the same, and now the mutator waits for it")                                       \
	X(SHARED_AHEAD, "shared, not mapped, came ahead of its use")                                         \
	X(EXCL_AHEAD, "exclusive, not mapped, came ahead of its use")                                        \
	X(KEPT, "kept for an update, closed until it comes")                                                 \
	X(KEPT_WAITED, "kept for an update, the mutator waits for it")                                       \
	X(SHARED_CLOSED, "shared, not mapped")                                                               \
	X(SHARED_IDLE, "shared, mapped, no attempt")                                                         \
	X(SHARED_READ, "shared, mapped during an attempt")                                                   \
	X(SHARED_DIRTY, "shared, written by the attempt")                                                    \
	X(SHARED_LOCKING, "shared, written, being committed")                                                \
	X(SHARED_SILENT, "shared, written without effect, committing")                                       \
	X(EXCL_CLOSED, "exclusive, not mapped")                                                              \
	X(EXCL_IDLE, "exclusive, mapped, no attempt")                                                        \
	X(EXCL_READ, "exclusive, mapped during an attempt")                                                  \
	X(EXCL_DIRTY, "exclusive, written by the attempt")                                                   \
	X(EXCL_DECIDING, "exclusive, written, waits for the decision")                                       \
	X(EXCL_SILENT, "exclusive, written without effect, committing")                                      \
	X(EXCL_LOCKING, "became exclusive while being committed")                                            \
	X(STICKY_IDLE, "exclusive, stays writable, no attempt")                                              \
	X(STICKY_CARRIED, "exclusive, writable from earlier, an attempt runs")                               \
	X(STICKY_CLEAN, "exclusive, writable from earlier, unchanged, committing")                           \
	X(STICKY_DECIDING, "exclusive, writable from earlier, changed, waits for the decision")              \
	X(ZOMBIE, "lost, a doomed attempt sees it")                                                          \
	X(ZOMBIE_DIRTY, "lost, a doomed attempt wrote it")                                                   \
	X(ZOMBIE_NEXT, "lost, and a newer version waits")                                                    \
	X(ZOMBIE_KEPT, "kept for an update, a doomed attempt sees it")

#define CLIENT_EVENTS(X)                                                                                     \
	X(READ)                                                                                              \
	X(WRITE)                                                                                             \
	X(PINNED)                                                                                            \
	X(PAGE)                                                                                              \
	X(PAGE_EXCL)                                                                                         \
	X(PAGE_OVERTAKEN)                                                                                    \
	X(PAGE_REFUSED)                                                                                      \
	X(PAGE_LOST)                                                                                         \
	X(RECALL)                                                                                            \
	X(INVALIDATE)                                                                                        \
	X(OFFER)                                                                                             \
	X(LAST)                                                                                              \
	X(UPDATE)                                                                                            \
	X(UPDATE_NONE) X(UPDATE_LOST) X(EXCLUSIVE) X(COMMITTED) X(UNDONE) X(HOME_LOST) X(PAGE_MOVED) X(HAND)

/* ---- a page at its home ---- */

#define HOME_STATES(X)                                                                                       \
	X(FREE, "nobody has a copy")                                                                         \
	X(SHARED, "copies, no owner")                                                                        \
	X(OWNED, "an exclusive owner")                                                                       \
	X(RECALLED, "the owner was asked to end it")                                                         \
	X(LOCKING, "locked, its commit waits for another page here")                                         \
	X(ASKED, "locked, holders have not all answered")                                                    \
	X(PASSED, "locked, the only other holder decides")                                                   \
	X(GRANTED, "locked, granted")                                                                        \
	X(LOCK_RECALLED, "locked by the owner that was asked to end it")                                     \
	X(MOVING, "being given to another node")                                                             \
	X(ELSEWHERE, "another node is its home")                                                             \
	X(LOST, "a lost node owned it, or had been granted its lock")

#define HOME_EVENTS(X)                                                                                       \
	X(FETCH)                                                                                             \
	X(LOCK)                                                                                              \
	X(LOCK_STALE)                                                                                        \
	X(CANCEL)                                                                                            \
	X(PUBLISH)                                                                                           \
	X(ACK)                                                                                               \
	X(ACK_LATE)                                                                                          \
	X(REFUSE)                                                                                            \
	X(REFUSE_LATE)                                                                                       \
	X(DOWNGRADE_NEWER)                                                                                   \
	X(DOWNGRADE_SAME)                                                                                    \
	X(LOST_HOLDER) X(LOST_OWNER) X(LOST_LOCKER) X(LOST_WAITER) X(HAND) X(TAKEN) X(LOST_NEW)

/* ---- the attempt ---- */

#define ATTEMPT_STATES(X)                                                                                    \
	X(NONE, "no attempt")                                                                                \
	X(RUNS, "runs")                                                                                      \
	X(DOOMED, "runs, doomed")                                                                            \
	X(FETCHES, "waits for a page")                                                                       \
	X(FETCHES_DOOMED, "waits for a page, doomed")                                                        \
	X(COMMITS, "waits for locks")                                                                        \
	X(BARRIER, "waits at a barrier")                                                                     \
	X(CLAIMS, "waits for its turn to be irrevocable")                                                    \
	X(RETRIES, "undone, waits for a change")

#define ATTEMPT_EVENTS(X)                                                                                    \
	X(BEGIN)                                                                                             \
	X(ACCESS)                                                                                            \
	X(COMMIT)                                                                                            \
	X(CANCEL)                                                                                            \
	X(SAFE)                                                                                              \
	X(ENTER)                                                                                             \
	X(SOLE)                                                                                              \
	X(RETRY)                                                                                             \
	X(WAKE)                                                                                              \
	X(GRANT)                                                                                             \
	X(GRANT_LATE)                                                                                        \
	X(DENY)                                                                                              \
	X(DENY_LATE) X(GO) X(GO_LATE) X(TURN) X(TURN_LATE) X(LOSS) X(LOSS_NEEDED) X(MOVED) X(MOVED_LATE)

#define S(name, text) CS_##name,
#define H(name, text) HS_##name,
#define A(name, text) AS_##name,
enum { CLIENT_STATES(S) CS_COUNT };
enum { HOME_STATES(H) HS_COUNT };
enum { ATTEMPT_STATES(A) AS_COUNT };
#undef S
#undef H
#undef A
#define E(name) CE_##name,
enum { CLIENT_EVENTS(E) CE_COUNT };
#undef E
#define E(name) HE_##name,
enum { HOME_EVENTS(E) HE_COUNT };
#undef E
#define E(name) AE_##name,
enum { ATTEMPT_EVENTS(E) AE_COUNT };
#undef E

static struct {
	uint64_t client[CS_COUNT][CE_COUNT], home[HS_COUNT][HE_COUNT], attempt[AS_COUNT][AE_COUNT];
} met;

/* ---- which state is it? ---- */

static unsigned sticky_state(const struct dsm_core *core, uint32_t page)
{
	if (!core->attempt.running)
		return CS_STICKY_IDLE;
	if (!core->attempt.committing)
		return CS_STICKY_CARRIED;
	return attempt__flags(core, page) & TOUCH_CHANGED ? CS_STICKY_DECIDING : CS_STICKY_CLEAN;
}

static unsigned dirty_state(const struct dsm_core *core, uint32_t page)
{
	const struct client_page *cp = &core->client[page];
	uint32_t flags = attempt__flags(core, page);
	bool exclusive = cp->state == CLIENT_EXCLUSIVE;

	if (!core->attempt.committing)
		return exclusive ? CS_EXCL_DIRTY : CS_SHARED_DIRTY;
	if (!(flags & TOUCH_CHANGED))
		return exclusive ? CS_EXCL_SILENT : CS_SHARED_SILENT;
	if (flags & TOUCH_LOCKED)
		return exclusive ? CS_EXCL_LOCKING : CS_SHARED_LOCKING;
	return exclusive ? CS_EXCL_DECIDING : CS_SHARED_LOCKING;
}

static unsigned flying_state(const struct dsm_core *core, uint32_t page)
{
	const struct flight *f = fetch__find(core, page);

	if (!f)
		return CS_INVALID;
	if (!f->ahead)
		return f->wanted ? CS_FETCHING : CS_FLYING;
	return f->wanted ? CS_FLYING_WANTED : CS_FLYING;
}

static unsigned client_state(const struct dsm_core *core, uint32_t page)
{
	const struct client_page *cp = &core->client[page];
	bool exclusive = cp->state == CLIENT_EXCLUSIVE;

	if (cp->flags & CLIENT_ZOMBIE)
		return cp->flags & CLIENT_KEPT	  ? CS_ZOMBIE_KEPT
		       : cp->flags & CLIENT_NEXT  ? CS_ZOMBIE_NEXT
		       : cp->flags & CLIENT_DIRTY ? CS_ZOMBIE_DIRTY
						  : CS_ZOMBIE;
	if (cp->state == CLIENT_INVALID && cp->flags & CLIENT_KEPT)
		return cp->flags & CLIENT_FLIES && fetch__find(core, page)->wanted ? CS_KEPT_WAITED : CS_KEPT;
	if (cp->state == CLIENT_INVALID)
		return flying_state(core, page);
	if (cp->flags & CLIENT_STICKY)
		return sticky_state(core, page);
	if (cp->flags & CLIENT_DIRTY)
		return dirty_state(core, page);
	if (cp->flags & CLIENT_AHEAD)
		return exclusive ? CS_EXCL_AHEAD : CS_SHARED_AHEAD;
	if (cp->rights == CORE_NONE)
		return exclusive ? CS_EXCL_CLOSED : CS_SHARED_CLOSED;
	if (!core->attempt.running)
		return exclusive ? CS_EXCL_IDLE : CS_SHARED_IDLE;
	return exclusive ? CS_EXCL_READ : CS_SHARED_READ;
}

static unsigned home_state(const struct dsm_core *core, uint32_t page)
{
	const struct dir_page *d = directory__find(core, page);
	const struct home_tx *t;

	if (!migrate__here(core, page))
		return HS_ELSEWHERE;
	if (!d)
		return HS_FREE;
	if (migrate__moving(core, d) != NOBODY)
		return HS_MOVING;
	if (loss__of_page(core, d) != NOBODY)
		return HS_LOST;
	if (d->lock != NOBODY) {
		t = core->tx[d->lock];
		if (home__recalled(core, d) != NOBODY)
			return HS_LOCK_RECALLED;
		if (t->waiting)
			return HS_LOCKING;
		return !t->unanswered ? HS_GRANTED : t->passed ? HS_PASSED : HS_ASKED;
	}
	if (home__recalled(core, d) != NOBODY)
		return HS_RECALLED;
	return d->owner != NOBODY ? HS_OWNED : d->holders.word ? HS_SHARED : HS_FREE;
}

static unsigned attempt_state(const struct dsm_core *core)
{
	const struct attempt *a = &core->attempt;

	if (core->mutator == MUTATOR_BARRIER)
		return AS_BARRIER;
	if (core->mutator == MUTATOR_RETRIES)
		return AS_RETRIES;
	if (!a->running)
		return AS_NONE;
	if (core->mutator == MUTATOR_CLAIMS)
		return AS_CLAIMS;
	if (core->mutator == MUTATOR_COMMITS)
		return AS_COMMITS;
	if (core->mutator == MUTATOR_FETCHES)
		return a->doomed ? AS_FETCHES_DOOMED : AS_FETCHES;
	return a->doomed ? AS_DOOMED : AS_RUNS;
}

/* ---- the hooks ---- */

void cover_tx__mutator(const struct dsm_core *core, const struct core_event *event)
{
	static const unsigned events[] = {
		[CORE_BEGIN] = AE_BEGIN,      [CORE_ACCESS] = AE_ACCESS, [CORE_COMMIT] = AE_COMMIT,
		[CORE_CANCEL] = AE_CANCEL,    [CORE_SAFE] = AE_SAFE,	 [CORE_BARRIER] = AE_ENTER,
		[CORE_IRREVOCABLE] = AE_SOLE, [CORE_RETRY] = AE_RETRY,	 [CORE_WAKE] = AE_WAKE};
	const struct attempt *a = &core->attempt;
	uint32_t page;

	met.attempt[attempt_state(core)][events[event->type]]++;
	if (event->type != CORE_ACCESS || (a->doomed && !event->pinned))
		return;
	for (page = event->page; page < event->page + (event->count ? event->count : 1); page++)
		met.client[client_state(core, page)][a->doomed	    ? CE_PINNED
						     : event->write ? CE_WRITE
								    : CE_READ]++;
}

/* An attempt ends, committed or not: what each page that it touched, or might have written, is just before.
 */
void cover_tx__end(const struct dsm_core *core, int committed)
{
	size_t i;

	for (i = 0; i < core->attempt.ntouches; i++)
		met.client[client_state(core, core->attempt.touches[i].page)]
			  [committed ? CE_COMMITTED : CE_UNDONE]++;
	for (i = 0; i < core->attempt.ndirty; i++)
		if (!core->client[core->attempt.dirty[i]].slot)
			met.client[client_state(core, core->attempt.dirty[i])]
				  [committed ? CE_COMMITTED : CE_UNDONE]++;
}

static bool has_waiter(const struct dsm_core *core, const struct dir_page *d, unsigned node)
{
	const struct waiter *queue;
	size_t i, n;

	queue = home__queue(core, d, &n);
	for (i = 0; i < n; i++)
		if (queue[i].node == node)
			return true;
	return false;
}

/* The loss of a node meets what the mutator does, each page that lives here and each that lived there. */
void cover_tx__lost(const struct dsm_core *core, unsigned node)
{
	const struct dir_page *d;
	uint32_t i, next = 0;
	unsigned state;

	met.attempt[attempt_state(core)][loss__waits_for(core, (uint16_t)node) ? AE_LOSS_NEEDED : AE_LOSS]++;
	for (i = 0; i < core->config.pages; i++)
		if (core__home(core, i) == node)
			met.client[client_state(core, i)][CE_HOME_LOST]++;
	while ((d = directory__next(core, &next))) {
		state = home_state(core, next - 1);
		met.home[state][HE_LOST_HOLDER] += home__holds(core, d, (uint16_t)node);
		met.home[state][HE_LOST_OWNER] += d->owner == node;
		met.home[state][HE_LOST_LOCKER] += d->lock == node;
		met.home[state][HE_LOST_WAITER] += has_waiter(core, d, node);
		met.home[state][HE_LOST_NEW] += migrate__moving(core, d) == node;
	}
}

static void cover_client_message(const struct dsm_core *core, const struct core_msg *msg)
{
	const struct core_entry *e;
	const struct flight *f;
	unsigned state;
	uint32_t i;

	for (i = 0; i < msg->npages; i++) {
		e = &msg->entries[i];
		state = client_state(core, e->page);
		f = fetch__find(core, e->page);
		if (msg->type == CORE_MSG_PAGE && e->flags & CORE_ENTRY_REFUSED)
			met.client[state][CE_PAGE_REFUSED]++;
		else if (msg->type == CORE_MSG_PAGE && e->flags & CORE_ENTRY_MOVED)
			met.client[state][CE_PAGE_MOVED]++;
		else if (msg->type == CORE_MSG_PAGE && e->flags & CORE_ENTRY_LOST)
			met.client[state][CE_PAGE_LOST]++;
		else if (msg->type == CORE_MSG_PAGE && f && e->stamp < f->invalidated)
			met.client[state][CE_PAGE_OVERTAKEN]++;
		else if (msg->type == CORE_MSG_PAGE)
			met.client[state][e->flags & CORE_ENTRY_EXCLUSIVE ? CE_PAGE_EXCL : CE_PAGE]++;
		else if (msg->type == CORE_MSG_RECALL)
			met.client[state][CE_RECALL]++;
		else if (msg->type == CORE_MSG_INVALIDATE)
			met.client[state][!(e->flags & CORE_ENTRY_UPDATE) ? CE_INVALIDATE
					  : e->flags & CORE_ENTRY_DECIDE  ? CE_LAST
									  : CE_OFFER]++;
		else if (msg->type == CORE_MSG_UPDATE)
			met.client[state][e->flags & CORE_ENTRY_LOST ? CE_UPDATE_LOST
					  : e->flags		     ? CE_UPDATE
								     : CE_UPDATE_NONE]++;
		else if (msg->type == CORE_MSG_EXCLUSIVE)
			met.client[state][CE_EXCLUSIVE]++;
	}
}

static bool is_current(const struct dsm_core *core, const struct core_msg *msg, uint32_t page)
{
	const struct dir_page *d = directory__find(core, page);
	const struct home_tx *t = core->tx[msg->tx.node];

	return d && d->lock == msg->tx.node && t && t->active && core_party__same(&t->party, &msg->tx);
}

static bool lock_is_stale(const struct dsm_core *core, const struct core_msg *msg, const struct core_entry *e)
{
	const struct dir_page *d = directory__find(core, e->page);

	if (!migrate__here(core, e->page))
		return false;
	return !d || d->version != e->version || !home__holds(core, d, msg->from) ||
	       (d->owner != NOBODY && d->owner != msg->from);
}

static void cover_home_page(const struct dsm_core *core, const struct core_msg *msg,
			    const struct core_entry *e)
{
	unsigned state = home_state(core, e->page);
	const struct dir_page *d = directory__find(core, e->page);
	bool current = is_current(core, msg, e->page);

	if (msg->type == CORE_MSG_FETCH)
		met.home[state][HE_FETCH]++;
	else if (msg->type == CORE_MSG_LOCK)
		met.home[state][lock_is_stale(core, msg, e) ? HE_LOCK_STALE : HE_LOCK]++;
	else if (msg->type == CORE_MSG_PUBLISH)
		met.home[state][HE_PUBLISH]++;
	else if (msg->type == CORE_MSG_ACK)
		met.home[state][current ? HE_ACK : HE_ACK_LATE]++;
	else if (msg->type == CORE_MSG_REFUSE)
		met.home[state][current ? HE_REFUSE : HE_REFUSE_LATE]++;
	else if (msg->type == CORE_MSG_HAND)
		met.home[state][HE_HAND]++;
	else if (msg->type == CORE_MSG_TAKEN)
		met.home[state][HE_TAKEN]++;
	else if (msg->type == CORE_MSG_DOWNGRADE)
		met.home[state][d && e->version > d->version ? HE_DOWNGRADE_NEWER : HE_DOWNGRADE_SAME]++;
}

static void cover_cancel(const struct dsm_core *core, const struct core_msg *msg)
{
	const struct home_tx *t = core->tx[msg->from];
	size_t i;

	if (!t || !t->active || t->decided || !core_party__same(&t->party, &msg->tx))
		return;
	for (i = 0; i < t->nlocked; i++)
		met.home[home_state(core, t->pages[i].page)][HE_CANCEL]++;
}

void cover_tx__message(const struct dsm_core *core, const struct core_msg *msg)
{
	bool ours = core_party__same(&msg->tx, &core->attempt.party) && core->mutator == MUTATOR_COMMITS;
	unsigned state = attempt_state(core);
	uint32_t i;

	switch ((enum core_msg_type)msg->type) {
	case CORE_MSG_GRANT:
		met.attempt[state][ours ? AE_GRANT : AE_GRANT_LATE]++;
		break;
	case CORE_MSG_DENY:
		met.attempt[state][ours ? AE_DENY : AE_DENY_LATE]++;
		break;
	case CORE_MSG_MOVED:
		met.attempt[state][ours ? AE_MOVED : AE_MOVED_LATE]++;
		break;
	case CORE_MSG_TURN:
		met.attempt[state][core->claim.active && core->claim.number == msg->number ? AE_TURN
											   : AE_TURN_LATE]++;
		break;
	case CORE_MSG_GO:
		met.attempt[state][state == AS_BARRIER ? AE_GO : AE_GO_LATE]++;
		break;
	case CORE_MSG_CANCEL:
		cover_cancel(core, msg);
		break;
	case CORE_MSG_PAGE:
	case CORE_MSG_RECALL:
	case CORE_MSG_INVALIDATE:
	case CORE_MSG_EXCLUSIVE:
	case CORE_MSG_UPDATE:
		cover_client_message(core, msg);
		break;
	default:
		for (i = 0; i < msg->npages && msg->type == CORE_MSG_HAND; i++)
			met.client[client_state(core, msg->entries[i].page)][CE_HAND]++;
		for (i = 0; i < msg->npages; i++)
			cover_home_page(core, msg, &msg->entries[i]);
	}
}

/* ---- the verdict ---- */

#define S(name, text) #name,
#define E(name)	      #name,
static const char *const client_states[] = {CLIENT_STATES(S)}, *const client_events[] = {CLIENT_EVENTS(E)};
static const char *const home_states[] = {HOME_STATES(S)}, *const home_events[] = {HOME_EVENTS(E)};
static const char *const attempt_states[] = {ATTEMPT_STATES(S)}, *const attempt_events[] = {
									 ATTEMPT_EVENTS(E)};
#undef S
#undef E

/* Why an event cannot meet a state. */
static const char *const reasons[128] = {
	['r'] = "possible, but needs a coincidence that few seeds have: may be met",
	['w'] = "the mutator waits",
	['n'] = "no attempt runs",
	['t'] = "the attempt has not touched it",
	['f'] = "a PAGE comes only to what was asked for",
	['j'] = "only what was asked for ahead of its use is refused",
	['o'] = "a RECALL goes to the owner: it is exclusive, or its grant is under way",
	['x'] = "EXCLUSIVE comes next behind its PUBLISH, to a shared copy",
	['k'] = "once the commit has begun, a written page is locking, deciding or silent",
	['d'] = "doomed: only pinned accesses are served, and it does not commit",
	['q'] = "EXCLUSIVE comes on the channel of INVALIDATE: an older one is here already",
	['h'] = "the home's own copy leaves the copyset in the step that invalidates it",
	['e'] = "nobody else holds a copy",
	['l'] = "only a page that is locked by it",
	['g'] = "the lock is not granted yet",
	['a'] = "nobody was asked for this lock, or all have answered",
	['N'] = "a new home has just changed the page itself, or has no copy",
	['H'] = "an entry comes only to who is not the page's home",
	['T'] = "only while the entry is on its way",
	['O'] = "all INVALIDATEs of a page are answered before its home moves",
	['E'] = "nothing is known of it here",
	['p'] = "only a page that is being recalled",
	['b'] = "the owner answers the RECALL before it sees the GRANT",
	['v'] = "its owner locked the version that the home has",
	['c'] = "it has given its claim back",
	['W'] = "that ends only the wait for a change",
	['m'] = "misuse: -EINVAL (tests/unit/core_test.c)",
	['i'] = "that answer comes only while waiting for it",
	['u'] = "it waits for nobody",
	['U'] = "at a barrier it waits for everybody",
	['z'] = "such a page has none of the kind",
	['K'] = "for a page that is kept no FETCH is sent",
	['P'] = "an UPDATE that committed goes to those who have kept their copies for it",
	['Y'] = "the home tells first what became of the commit for which it was kept",
	['Z'] = "nobody is given a copy before the holder that is to decide has answered",
};

/* READ WRITE PINNED PAGE PAGE_EXCL PAGE_OVERTAKEN PAGE_REFUSED PAGE_LOST RECALL INVALIDATE OFFER LAST
 * UPDATE UPDATE_NONE UPDATE_LOST EXCLUSIVE COMMITTED UNDONE HOME_LOST PAGE_MOVED HAND */
static const char *const client_expected[] = {
	[CS_INVALID] = "+++fffffo++rP+Pxtt+f+",
	[CS_FETCHING] = "www+++j+++++P+Pxtt+++",
	[CS_KEPT] = "+++fffffoYYY++rxttrfN",
	[CS_KEPT_WAITED] = "wwwKKKKKoYYY++rxttrKN",
	[CS_ZOMBIE_KEPT] = "dd+fffffoYYY++rxd+rfN",
	[CS_SHARED_CLOSED] = "+++fffffo+++P+P+tt+f+",
	[CS_SHARED_IDLE] = "nnnfffffo+++P+P+nn+f+",
	[CS_SHARED_READ] = "+++fffffo+++P+P++++f+",
	[CS_SHARED_DIRTY] = "+++fffffo+++P+P+k++f+",
	[CS_SHARED_LOCKING] = "wwwfffffo+++P+P++++f+",
	[CS_SHARED_SILENT] = "wwwfffffo+++P+Pr++rfr",
	[CS_EXCL_CLOSED] = "++rfffff+rrZPrPxttrf+",
	[CS_EXCL_IDLE] = "nnnfffff+rrZPrPxnn+f+",
	[CS_EXCL_READ] = "++rfffff+rrZPrPx+++f+",
	[CS_EXCL_DIRTY] = "++rfffff+rrZPrPxk++fr",
	[CS_EXCL_DECIDING] = "wwwfffff+rrZPrPx+++fr",
	[CS_EXCL_SILENT] = "wwwfffff+rrZPrPx++rfr",
	[CS_STICKY_IDLE] = "nnnfffff+rrZPrPxnnrf+",
	[CS_STICKY_CARRIED] = "++rfffff+rrZPrPxk+rf+",
	[CS_STICKY_CLEAN] = "wwwfffff+rrZPrPx++rfr",
	[CS_STICKY_DECIDING] = "wwwfffff+rrZPrPx++rfr",
	[CS_EXCL_LOCKING] = "wwwfffff+qrZPrPx++rfr",
	[CS_ZOMBIE] = "dd+fffffo++rP+Pxd++f+",
	[CS_ZOMBIE_DIRTY] = "ddrfffffo++rP+Pxd++f+",
	[CS_ZOMBIE_NEXT] = "ddrfffffor++P+Pxd+rfr",
	[CS_FLYING] = "++r++++r+++rP+Pxtt++r",
	[CS_FLYING_WANTED] = "www++++rr+rrPrPxttr+r",
	[CS_SHARED_AHEAD] = "+++fffffo+++P+Pxtt+fN",
	[CS_EXCL_AHEAD] = "++rfffff+rrZPrPxtt+fN",
};

/* FETCH LOCK LOCK_STALE CANCEL PUBLISH ACK ACK_LATE REFUSE REFUSE_LATE DOWNGRADE_NEWER DOWNGRADE_SAME
 * LOST_HOLDER LOST_OWNER LOST_LOCKER LOST_WAITER HAND TAKEN LOST_NEW */
static const char *const home_expected[] = {
	[HS_FREE] = "+erllararppzzzzHTT",	   [HS_SHARED] = "++rlla+a+pp+zzzHTT",
	[HS_OWNED] = "++rlla+arpp++zzHTT",	   [HS_RECALLED] = "++rlla+ar++++zrHTT",
	[HS_LOCKING] = "++r+ga+a+pprrrrHTT",	   [HS_ASKED] = "++r+g++++pp+r++HTT",
	[HS_PASSED] = "++r+g++++pprrrrHTT",	   [HS_GRANTED] = "+er++a+a+pp+r+rHTT",
	[HS_LOCK_RECALLED] = "rerrbarrrvrrrrrHTT", [HS_MOVING] = "++rllaOaOpp+rzrH++",
	[HS_ELSEWHERE] = "++EllaOaOppEEEE+TE",	   [HS_LOST] = "+srllararpprzzrHTT",
};

/* BEGIN ACCESS COMMIT CANCEL SAFE ENTER SOLE RETRY WAKE GRANT GRANT_LATE DENY DENY_LATE GO GO_LATE TURN
 * TURN_LATE LOSS LOSS_NEEDED MOVED MOVED_LATE */
static const char *const attempt_expected[] = {
	[AS_NONE] = "+mmmm+mmWi+i+ir+++uir",	       [AS_RUNS] = "m++++m++Wi+i+ii+++uir",
	[AS_DOOMED] = "m++++m++Wi+i+ii+r+uir",	       [AS_FETCHES] = "wwwwwwwwWi+i+ii++++i+",
	[AS_FETCHES_DOOMED] = "wwwwwwwwWi+i+iirr++ir", [AS_COMMITS] = "wwwwwwwwW++++ii+++++r",
	[AS_BARRIER] = "wwwwwwwwWirir+ic+U+ir",	       [AS_CLAIMS] = "wwwwwwwwWiririi+r++ir",
	[AS_RETRIES] = "wwwwwwww+irirric+++ir",
};

const struct cover_table cover_tx[] = {
	{"client", client_states, client_events, client_expected, reasons, CS_COUNT, CE_COUNT, met.client[0]},
	{"home", home_states, home_events, home_expected, reasons, HS_COUNT, HE_COUNT, met.home[0]},
	{"attempt", attempt_states, attempt_events, attempt_expected, reasons, AS_COUNT, AE_COUNT,
	 met.attempt[0]},
	{0}};
