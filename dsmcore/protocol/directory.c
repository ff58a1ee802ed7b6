/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * directory.c - where a home keeps what it knows of its pages.
 *
 * Each page in use has an entry of 48 bytes, in leaves of 64 pages that are made when one of these is first
 * used. What a page has only for a while is outside of it, in a record that goes back to the pool: a queue, a
 * recall, and who was offered to keep its copy for the commit that runs. So the directory of pages that are
 * all in use is 1.2 % of them (docs/ARCHITECTURE.md has the whole bill), however many nodes share each.
 */
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/internal.h"

#define POOL 64u /* records made at once */

struct dir_leaf {
	struct dir_page entry[DIR_LEAF];
};

_Static_assert(sizeof(struct dir_page) == 48, "see docs/ARCHITECTURE.md, What that costs");

int directory__open(struct dsm_core *core)
{
	core->dir.leaf = calloc((core->config.pages - 1) / DIR_LEAF + 1, sizeof(struct dir_leaf *));
	return core->dir.leaf ? 0 : -ENOMEM;
}

void directory__close(struct dsm_core *core)
{
	struct directory *dir = &core->dir;
	size_t i;

	for (i = 0; dir->leaf && i <= (core->config.pages - 1) / DIR_LEAF; i++)
		free(dir->leaf[i]);
	for (i = 0; i < dir->nmore; i++)
		free(dir->more[i / POOL][i % POOL].waiters);
	for (i = 0; i < dir->nmore; i += POOL)
		free(dir->more[i / POOL]);
	free(dir->leaf);
	free(dir->more);
	free(dir->free);
	copyset__free_all(core);
}

struct dir_page *directory__find(const struct dsm_core *core, uint32_t page)
{
	struct dir_leaf *leaf = core->dir.leaf[page / DIR_LEAF];

	return leaf && leaf->entry[page % DIR_LEAF].used ? &leaf->entry[page % DIR_LEAF] : NULL;
}

struct dir_page *directory__get(struct dsm_core *core, uint32_t page)
{
	struct dir_leaf **leaf = &core->dir.leaf[page / DIR_LEAF];
	struct dir_page *d;

	if (!*leaf)
		*leaf = calloc(1, sizeof(**leaf));
	if (!*leaf) {
		core->nomem = true;
		return NULL;
	}
	d = &(*leaf)->entry[page % DIR_LEAF];
	if (!d->used) {
		d->used = true;
		d->owner = d->lock = NOBODY;
	}
	return d;
}

struct dir_page *directory__next(const struct dsm_core *core, uint32_t *page)
{
	struct dir_page *d;

	while (*page < core->config.pages) {
		if (!core->dir.leaf[*page / DIR_LEAF]) {
			*page = (*page / DIR_LEAF + 1) * DIR_LEAF;
			continue;
		}
		d = directory__find(core, (*page)++);
		if (d)
			return d;
	}
	return NULL;
}

struct dir_more *directory__more(const struct dsm_core *core, const struct dir_page *d)
{
	return d->more ? &core->dir.more[(d->more - 1) / POOL][(d->more - 1) % POOL] : NULL;
}

static bool fill_pool(struct dsm_core *core)
{
	struct directory *dir = &core->dir;
	struct dir_more *new;
	uint32_t i;

	if (!core__grow(core, &dir->more, &dir->more_cap, dir->nmore / POOL + 1, sizeof(struct dir_more *)) ||
	    !core__grow(core, &dir->free, &dir->free_cap, dir->nmore + POOL, sizeof(*dir->free)))
		return false;
	new = calloc(POOL, sizeof(*new));
	if (!new) {
		core->nomem = true;
		return false;
	}
	dir->more[dir->nmore / POOL] = new;
	for (i = POOL; i > 0; i--)
		dir->free[dir->nfree++] = (uint32_t)dir->nmore + i;
	dir->nmore += POOL;
	return true;
}

struct dir_more *directory__make_more(struct dsm_core *core, struct dir_page *d)
{
	if (d->more)
		return directory__more(core, d);
	if (!core->dir.nfree && !fill_pool(core))
		return NULL;
	d->more = core->dir.free[--core->dir.nfree];
	directory__more(core, d)->recall = directory__more(core, d)->moving = NOBODY;
	return directory__more(core, d);
}

void directory__tidy(struct dsm_core *core, struct dir_page *d)
{
	struct dir_more *m = directory__more(core, d);

	if (!m || m->nwaiters || m->recall != NOBODY || m->told.word || m->kept.word || m->moving != NOBODY ||
	    m->open || m->leaves)
		return;
	core->dir.free[core->dir.nfree++] = d->more;
	d->more = 0;
}

void directory__drop(struct dsm_core *core, uint32_t page)
{
	struct dir_page *d = directory__find(core, page);
	struct dir_more *m = d ? directory__more(core, d) : NULL;

	if (!d)
		return;
	copyset__clear(core, &d->holders);
	copyset__clear(core, &d->updated);
	if (m) {
		copyset__clear(core, &m->told);
		copyset__clear(core, &m->kept);
		m->recall = m->moving = NOBODY;
		m->nwaiters = 0;
		m->open = 0;
		m->leaves = false;
		directory__tidy(core, d);
	}
	memset(d, 0, sizeof(*d));
}
