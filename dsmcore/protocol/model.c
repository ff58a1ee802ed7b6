/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model.c - which page promises what, and the intervals of pages without transactions.
 *
 * The model of a page follows from its place in the slab of its birth home by arithmetic alone, so every node knows it,
 * and no page ever changes it. Under sc and rc a node's run is cut into intervals by what synchronises: the end of one is
 * an ACQUIRE, a RELEASE or a BARRIER. An interval has a party like an attempt has, so that records and messages name
 * both alike; nobody ever aborts one.
 */
#include "dsmcore/protocol/internal.h"

enum core_model core__model(const struct dsm_core *core, uint32_t page)
{
	uint32_t at = page - core__birth(core, page) * core->config.pages_per_home;

	if (!core->config.rc_from || at < core->config.sc_from)
		return CORE_TX;
	return at < core->config.rc_from ? CORE_SC : CORE_RC;
}

bool model__is(const struct dsm_core *core, uint32_t page, enum core_model model)
{
	return core__model(core, page) == model;
}

struct core_party core__interval(const struct dsm_core *core)
{
	return core->interval;
}

void model__meet(struct dsm_core *core, const struct core_party *other, uint32_t page, uint64_t version,
		 bool write)
{
	const struct client_page *cp = &core->client[page];
	struct use *use = &core->use;

	if (cp->rights == CORE_NONE || use->nmeetings == CORE_MSG_PAGES ||
	    (use->nmeetings && !core_party__same(&use->other, other)))
		return;
	use->other = *other;
	use->meeting[use->nmeetings++] =
		(struct core_meeting){.page = page,
				      .version = cp->version,
				      .winner_version = version,
				      .read = true,
				      .wanted_write = write,
				      .written = cp->flags & CLIENT_DIRTY || cp->rights == CORE_WRITE,
				      .tracked = true};
}

/* At the end of a step, which has met one other interval at most. */
void model__emit_meetings(struct dsm_core *core)
{
	struct core_action *a;

	if (!core->use.nmeetings)
		return;
	a = core__emit(core, CORE_EMIT_MEET);
	a->party = core->interval;
	a->other = core->use.other;
	a->meetings = core->use.meeting;
	a->nmeetings = core->use.nmeetings;
	core->use.met = true;
}

void model__next_interval(struct dsm_core *core, uint32_t site)
{
	struct use *use = &core->use;
	struct core_action *a;

	if (use->nread || use->nwritten || use->met) {
		a = core__emit(core, CORE_EMIT_INTERVAL);
		a->party = core->interval;
		a->nread = use->nread;
		a->nwritten = use->nwritten;
	}
	use->nread = use->nwritten = 0;
	use->met = false;
	core->interval.number++;
	core->interval.site = site;
}
