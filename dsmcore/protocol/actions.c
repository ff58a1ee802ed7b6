/* SPDX-License-Identifier: BSD-2-Clause */
/* actions.c - the growing answer of a step: actions, messages and the entries that they refer to. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/internal.h"

/* Entries of messages live in chunks that never move, so that actions may point at them. The first
 * chunk is kept from step to step: a normal step allocates nothing. */
struct chunk {
	struct chunk *next;
	size_t used, cap;
	struct core_entry entry[];
};

#define CHUNK_ENTRIES 512u

bool core__grow(struct dsm_core *core, void *list, size_t *cap, size_t need, size_t elem)
{
	size_t want = *cap ? *cap : 8;
	void *old, *new;

	if (need <= *cap)
		return true;
	while (want < need)
		want *= 2;
	memcpy(&old, list, sizeof(old));
	new = realloc(old, want * elem);
	if (!new) {
		core->nomem = true;
		return false;
	}
	memcpy(list, &new, sizeof(new));
	*cap = want;
	return true;
}

/* Zeroes what its type makes use of: most actions are far smaller than the largest. */
struct core_action *core__do(struct dsm_core *core, enum core_action_type type, uint32_t page)
{
	struct core_actions *a = &core->actions;
	struct core_action *new = &core->scratch;

	if (core__grow(core, &a->list, &core->actions_cap, a->count + 1, sizeof(*a->list)))
		new = &a->list[a->count++];
	memset(new, 0, offsetof(struct core_action, party));
	new->type = type;
	new->page = page;
	new->count = 1;
	return new;
}

void core__do_range(struct dsm_core *core, enum core_action_type type, uint32_t page)
{
	const struct core_actions *a = &core->actions;
	struct core_action *last = a->count ? &a->list[a->count - 1] : NULL;

	if (last && last->type == type && last->page + last->count == page)
		last->count++;
	else
		core__do(core, type, page);
}

void core__ask_tick(struct dsm_core *core)
{
	if (!core->sc.ticking)
		core__do(core, CORE_DO_TICK, 0);
	core->sc.ticking = true;
}

struct core_action *core__emit(struct dsm_core *core, enum core_emit_type type)
{
	struct core_action *a = core__do(core, CORE_DO_EMIT, 0);

	memset(&a->party, 0, offsetof(struct core_action, msg) - offsetof(struct core_action, party));
	a->emit = type;
	return a;
}

struct core_entry *core__entries(struct dsm_core *core, size_t count)
{
	struct chunk *c = core->arena;
	struct core_entry *entries;
	size_t cap;

	if (!c || c->cap - c->used < count) {
		cap = count > CHUNK_ENTRIES ? count : CHUNK_ENTRIES;
		c = malloc(sizeof(*c) + cap * sizeof(c->entry[0]));
		if (!c) {
			core->nomem = true;
			return NULL;
		}
		c->used = 0;
		c->cap = cap;
		c->next = core->arena;
		core->arena = c;
	}
	entries = &c->entry[c->used];
	c->used += count;
	memset(entries, 0, count * sizeof(*entries));
	return entries;
}

struct core_msg core__msg(struct dsm_core *core, enum core_msg_type type, uint16_t to,
			  const struct core_party *tx)
{
	struct core_msg msg = {.type = (uint8_t)type, .from = core->config.node, .to = to};

	msg.channel =
		type == CORE_MSG_FETCH || type == CORE_MSG_PAGE ? CORE_CHANNEL_FETCH : CORE_CHANNEL_MAIN;
	msg.generation = core->config.generation;
	msg.clock = ++core->clock;
	if (tx)
		msg.tx = *tx;
	return msg;
}

void core__send(struct dsm_core *core, const struct core_msg *msg)
{
	if (core->lost[msg->to])
		return;
	if (msg->to != core->config.node) {
		core__do(core, CORE_DO_SEND, 0)->msg = *msg;
		return;
	}
	if (core__grow(core, &core->queue, &core->queue_cap, core->nqueue + 1, sizeof(*core->queue)))
		core->queue[core->nqueue++] = *msg;
}

void core__send_entry(struct dsm_core *core, enum core_msg_type type, uint16_t to,
		      const struct core_party *tx, const struct core_entry *entry)
{
	struct core_msg msg = core__msg(core, type, to, tx);
	struct core_entry *copy = core__entries(core, 1);

	if (!copy)
		return;
	*copy = *entry;
	msg.entries = copy;
	msg.npages = 1;
	core__send(core, &msg);
}

static int by_entry(const void *a, const void *b)
{
	const struct core_entry *x = a, *y = b;

	return x->page < y->page ? -1 : x->page > y->page;
}

void core__sort(struct core_entry *entries, size_t count)
{
	if (count > 1)
		qsort(entries, count, sizeof(*entries), by_entry);
}

static int by_receiver(const void *a, const void *b)
{
	const struct copy *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	return x->entry.page < y->entry.page ? -1 : x->entry.page > y->entry.page;
}

static void sort_copies(struct copy *list, size_t count)
{
	size_t i = 1;

	while (i < count && by_receiver(&list[i - 1], &list[i]) <= 0)
		i++;
	if (i < count)
		qsort(list, count, sizeof(*list), by_receiver);
}

/* Messages with whole pages are kept short: the first is on its way, and stored, while the next are made; and each finds
 * room where it is sent from and where it comes to. Others say little of many pages. */
static size_t most_of(enum core_msg_type type)
{
	return type == CORE_MSG_PAGE || type == CORE_MSG_COPY ? CORE_COPY_PAGES : CORE_MSG_PAGES;
}

void core__send_gathered(struct dsm_core *core, enum core_msg_type type, const struct core_party *tx,
			 struct copy *list, size_t count)
{
	struct core_entry *entries;
	struct core_msg msg;
	size_t i, n;

	sort_copies(list, count);
	for (i = 0; i < count; i += n) {
		for (n = 1; i + n < count && list[i + n].node == list[i].node && n < most_of(type);)
			n++;
		entries = core__entries(core, n);
		if (!entries)
			return;
		msg = core__msg(core, type, list[i].node, tx);
		for (msg.npages = 0; msg.npages < n; msg.npages++)
			entries[msg.npages] = list[i + msg.npages].entry;
		msg.entries = entries;
		core__send(core, &msg);
	}
}

static void set_tx_rights(struct dsm_core *core, uint32_t page, enum core_rights rights)
{
	core->client[page].rights = (uint8_t)rights;
	if (rights == CORE_NONE)
		core->mapped[page / 64] &= ~(1ull << (page % 64));
	else
		core->mapped[page / 64] |= 1ull << (page % 64);
}

static void set_rights(struct dsm_core *core, uint32_t page, enum core_rights rights)
{
	if (model__is(core, page, CORE_TX))
		set_tx_rights(core, page, rights);
	else /* no attempt reads it, in the sense that it could be invalidated */
		core->client[page].rights = (uint8_t)rights;
}

void core__protect(struct dsm_core *core, uint32_t page, enum core_rights rights)
{
	if (core->client[page].rights == rights)
		return;
	core__flush_rights(core); /* one of them may be of this page */
	set_rights(core, page, rights);
	core__do(core, CORE_DO_PROTECT, page)->rights = rights;
}

static void gather(struct dsm_core *core, uint32_t page, enum core_rights rights)
{
	if (!core__grow(core, &core->rights, &core->rights_cap, core->nrights + 1, sizeof(*core->rights)))
		return;
	core->rights[core->nrights] = (struct core_right){page, (uint32_t)core->nrights, rights};
	core->nrights++;
}

void core__gather_rights(struct dsm_core *core, uint32_t page, enum core_rights rights)
{
	if (core->client[page].rights == rights)
		return;
	set_rights(core, page, rights);
	gather(core, page, rights);
}

void core__gather_tx_rights(struct dsm_core *core, uint32_t page, enum core_rights rights)
{
	if (core->client[page].rights == rights)
		return;
	set_tx_rights(core, page, rights);
	gather(core, page, rights);
}

static int by_page(const void *a, const void *b)
{
	const struct core_right *x = a, *y = b;

	if (x->page != y->page)
		return x->page < y->page ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* Mostly they are: programs write upwards. */
static bool ascend(const struct core_right *list, size_t n)
{
	size_t i;

	for (i = 1; i < n; i++)
		if (list[i].page < list[i - 1].page)
			return false;
	return true;
}

void core__flush_rights(struct dsm_core *core)
{
	struct core_right *list = core->rights;
	struct core_action *run = NULL;
	size_t i;

	if (!ascend(list, core->nrights))
		qsort(list, core->nrights, sizeof(*list), by_page);
	for (i = 0; i < core->nrights; i++) {
		if (run && run->rights == list[i].rights && run->page + run->count == list[i].page) {
			run->count++;
			continue;
		}
		run = core__do(core, CORE_DO_PROTECT, list[i].page);
		run->rights = list[i].rights;
	}
	core->nrights = 0;
}

struct core_action *core__store(struct dsm_core *core, const struct core_msg *msg, uint32_t i, bool next)
{
	const struct core_entry *e = &msg->entries[i];
	struct core_action *emit;

	if (e->data == CORE_DATA_NONE)
		return NULL;
	core__do(core, next ? CORE_DO_STORE_NEXT : CORE_DO_STORE, e->page)->entry = i;
	emit = core__emit(core, CORE_EMIT_TRANSFER);
	emit->page = e->page;
	emit->version = e->version;
	emit->node = msg->from;
	return emit;
}

/* Room for all numbers ever made, so that core__drop() needs no memory. */
static uint32_t free_hold(struct dsm_core *core)
{
	if (!core->nholds) {
		if (!core__grow(core, &core->holds, &core->holds_cap, core->holds_made + 1,
				sizeof(*core->holds)))
			return 0;
		core->holds[core->nholds++] = ++core->holds_made;
	}
	return core->holds[--core->nholds];
}

uint32_t core__hold(struct dsm_core *core, uint32_t entry)
{
	uint32_t hold = free_hold(core);
	struct core_action *a;

	if (!hold)
		return 0;
	a = core__do(core, CORE_DO_HOLD, 0);
	a->entry = entry;
	a->hold = hold;
	return hold;
}

uint32_t core__take(struct dsm_core *core, uint32_t page)
{
	uint32_t hold = free_hold(core);

	if (hold)
		core__do(core, CORE_DO_TAKE, page)->hold = hold;
	return hold;
}

void core__drop(struct dsm_core *core, uint32_t hold)
{
	if (!hold)
		return;
	core__do(core, CORE_DO_DROP, 0)->hold = hold;
	core->holds[core->nholds++] = hold;
}

void core__reset_step(struct dsm_core *core)
{
	struct chunk *c;

	while (core->arena && core->arena->next) { /* the oldest chunk is the last one: keep it */
		c = core->arena;
		core->arena = c->next;
		free(c);
	}
	if (core->arena)
		core->arena->used = 0;
	core->actions.count = 0;
	core->nqueue = 0;
	core->ncopies = 0;
	core->verdict = VERDICT_NONE;
	core->ended = false;
	core->fault = CORE_FAULT_NONE;
}

void core__free_step(struct dsm_core *core)
{
	core__reset_step(core);
	free(core->arena);
	free(core->actions.list);
	free(core->queue);
	free(core->holds);
	free(core->rights);
}
