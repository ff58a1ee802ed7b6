/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * holders.c - whom the home tells of a commit, and what: one INVALIDATE a holder, with all of its pages.
 *
 * It says of each page whether the holder may keep its copy and hears later what became of the commit, or, where
 * the decision is left to it, brings the changes along. Who was told is on the transaction's list until it has
 * answered (lock.c).
 */
#include "dsmcore/protocol/internal.h"

size_t holders__find(struct dsm_core *core, struct home_tx *t, struct of_node **list)
{
	struct core_entry *pages = &t->pages[t->chunk];
	size_t i, n = t->npages - t->chunk;
	struct dir_page *d;

	for (i = 0; i < n; i++) {
		d = directory__find(core, pages[i].page);
		pages[i].stamp = home__stamp(d);
		pages[i].flags = CORE_ENTRY_EXCLUSIVE;
	}
	migrate__locked(core, t);
	n = home__collect(core, pages, n, HOME_HOLDERS, t->party.node, list);
	for (i = 0; i < n; i++)
		pages[(*list)[i].index].flags = CORE_ENTRY_CONTENDED;
	return n;
}

/* What the holder is told of one page: it may keep it if it would fetch it again. If the decision is left to
 * it, the changes come along; else it shall be told later what became of the commit. */
static void tell_page(struct dsm_core *core, struct home_tx *t, const struct of_node *v, int32_t share,
		      struct core_entry *e)
{
	struct dir_page *d;
	struct dir_more *m;

	*e = t->pages[t->chunk + v->index];
	d = directory__find(core, e->page);
	migrate__asked(core, d);
	worth__told(core, e->page, d, t, v->node, share);
	if (migrate__leaves(core, d) && !core_mutant(moved_shared))
		copyset__remove(core, &d->updated, v->node);
	e->flags = t->passed ? CORE_ENTRY_DECIDE : 0;
	if (copyset__has(core, d->updated, v->node)) {
		e->flags |= CORE_ENTRY_UPDATE;
		m = t->passed ? NULL : directory__make_more(core, d);
		if (m)
			copyset__add(core, &m->told, v->node);
		else if (v->node != core->config.node)
			e->data = CORE_DATA_CHANGES;
	}
	if (e->data == CORE_DATA_NONE)
		e->hold = 0;
}

void holders__tell(struct dsm_core *core, struct home_tx *t, const struct of_node *v, size_t n)
{
	struct core_msg msg = core__msg(core, CORE_MSG_INVALIDATE, v->node, &t->party);
	struct core_entry *entries = core__entries(core, n + t->nwset), *e;
	int32_t share = worth__share(core, n);
	size_t i;

	if (!entries)
		return;
	for (i = 0; i < n; i++) {
		e = &entries[core_mutant(lock_order) && t->party.node % 2 ? n - 1 - i : i];
		tell_page(core, t, &v[i], share, e);
	}
	for (i = 0; i < t->nwset; i++)
		entries[n + i] = t->wset[i];
	msg.entries = entries;
	msg.npages = (uint32_t)n;
	msg.nwset = (uint32_t)t->nwset;
	core__send(core, &msg);
	if (core__grow(core, &t->asked, &t->asked_cap, t->unanswered + 1, sizeof(*t->asked)))
		t->asked[t->unanswered++] = v->node;
}

bool holders__decide(struct dsm_core *core, const struct home_tx *t, const struct of_node *list, size_t n)
{
	struct core_action *emit;
	const struct dir_page *d;
	size_t i;

	if (!t->decide || !n || (list[0].node != list[n - 1].node && !core_mutant(passed_to_one_of_many)))
		return false;
	for (i = 0; i < n; i++) {
		d = directory__find(core, t->pages[t->chunk + list[i].index].page);
		if (!copyset__has(core, d->updated, list[i].node) ||
		    (migrate__leaves(core, d) && !core_mutant(moved_shared)))
			continue;
		emit = core__emit(core, CORE_EMIT_PASS);
		emit->party = t->party;
		emit->node = list[i].node;
		return true;
	}
	return false;
}
