/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worth.c - what would be saved if a page lived elsewhere (migrate.c moves it then).
 *
 * Each entry names a candidate, its writer, and counts the messages that it would not have needed as the home, less
 * those that the home's own client would have needed in their place. They come in pairs, a question and its answer,
 * and one pair may serve many pages: a LOCK, an INVALIDATE or a FETCH of 16 pages is saved once, and only if
 * all of them move. So each gets its part, and migrate.c lets pages that are written together go together. Where a
 * part of them has gone all the same, questions have doubled: what is asked at the other home in any case (`also`)
 * speaks for the way back there.
 */
#include "dsmcore/protocol/internal.h"

#define PARTS	   16		 /* a question and its answer, in parts that pages can share */
#define WORTH_MOST (255 * PARTS) /* what dir_page.score can tell */

/* What a move must save. */
uint32_t worth__price(const struct dsm_core *core, const struct dir_page *d)
{
	uint32_t parts = core->config.migrate_after / 2 * PARTS << d->left;

	if (core->config.migrate_after <= 1)
		return 1;
	return parts < WORTH_MOST ? parts : WORTH_MOST;
}

/* A question about several pages is saved only if all of them move: so each is credited with its part. What is left
 * over is given to all of them or to none, as the clock has it, so that they stay together. */
int32_t worth__share(const struct dsm_core *core, size_t npages)
{
	uint64_t any = (core->clock * 0x9e3779b97f4a7c15ull) >> 40;

	return (int32_t)(PARTS / npages + (any % npages < PARTS % npages));
}

static void credit(struct dir_page *d, int32_t parts)
{
	parts += (int32_t)d->score;
	d->score = parts < 0 ? 0 : parts > WORTH_MOST ? WORTH_MOST : (uint32_t)parts & 0xfff;
}

/* A page that has left its birth home goes back there also if that only reads. */
void worth__used(const struct dsm_core *core, uint32_t page, struct dir_page *d, uint16_t node, int32_t share)
{
	if (node != core->config.node && !d->score && node == core__birth(core, page))
		d->candidate = node;
	if (node == core->config.node)
		credit(d, -share);
	else if (node == d->candidate)
		credit(d, share);
}

/* A FETCH has come. This node's own would have gone to the birth home in any case, if it has asked there, too. */
void worth__fetched(const struct dsm_core *core, uint32_t page, struct dir_page *d, uint16_t node,
		    int32_t share)
{
	if (node != core->config.node || core__birth(core, page) != core->fetch.also)
		worth__used(core, page, d, node, share);
}

/* A holder is asked to give it up. If the page were with others of the commit at its birth home, that would ask for
 * all of them at once. */
void worth__told(const struct dsm_core *core, uint32_t page, struct dir_page *d, const struct home_tx *t,
		 uint16_t node, int32_t share)
{
	uint16_t birth = core__birth(core, page);

	if (birth == core->config.node || birth != t->also)
		worth__used(core, page, d, node, share);
	else if (node != core->config.node)
		worth__used(core, page, d, birth, share);
}

/* Another home that the commit asks in any case, because of other pages; or NOBODY. (The first one will do.) */
static uint16_t also_asked(const struct dsm_core *core, const struct home_tx *t)
{
	size_t i;

	for (i = 0; i < t->nwset; i++)
		if (!migrate__here(core, t->wset[i].page))
			return core__home(core, t->wset[i].page);
	return NOBODY;
}

/* Its writer would not save the LOCK that it sends because of another page. */
static bool other_stays(const struct dsm_core *core, const struct home_tx *t)
{
	const struct dir_page *d;
	size_t i;

	for (i = t->chunk; i < t->npages; i++) {
		d = directory__find(core, t->pages[i].page);
		if (d->score && d->candidate != t->party.node)
			return true;
	}
	return false;
}

static void wrote(const struct dsm_core *core, uint32_t page, struct dir_page *d, uint16_t node,
		  int32_t share)
{
	if (node != d->candidate && !d->score)
		d->candidate = node;
	if (node == d->candidate)
		worth__used(core, page, d, node, share);
	else
		credit(d, -share);
}

/* A commit has locked its pages from `chunk` on. */
void worth__locked(const struct dsm_core *core, struct home_tx *t)
{
	int32_t share = worth__share(core, t->npages - t->chunk);
	bool own = t->party.node == core->config.node, stays = !own && other_stays(core, t);
	struct dir_page *d;
	uint32_t page;
	size_t i;

	t->also = also_asked(core, t);
	for (i = t->chunk; i < t->npages; i++) {
		page = t->pages[i].page;
		d = directory__find(core, page);
		if (own && core__birth(core, page) != t->also)
			worth__used(core, page, d, core->config.node, share);
		else if (!own && !(stays && t->party.node == d->candidate))
			wrote(core, page, d, t->party.node, share);
	}
}
