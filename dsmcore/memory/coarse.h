/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * coarse.h - parts of the mutator's view whose rights are those of their mappings (coarse.c), not of single
 * pages. Thread rules: under node.lock.
 */
#ifndef DSM_MEMORY_COARSE_H
#define DSM_MEMORY_COARSE_H

#include <stdbool.h>
#include <stdint.h>

struct coarse;

/* Nothing is coarse at first. rights: by page (enum core_rights), kept up to date by the caller after each
 * change; uffd: where the view, `pages` at app, is registered for all modes; frames: the runtime's view. -ENOMEM. */
int coarse__open(struct coarse **out, int uffd, uint8_t *app, uint8_t *frames, uint32_t pages,
		 const uint8_t *rights);
void coarse__close(struct coarse *c);
/* From now on some may become it, or (allow: false) all is as if none ever had. Errors: negative errno. */
int coarse__allow(struct coarse *c, bool allow);
bool coarse__has(const struct coarse *c, uint32_t page);
/* One past the last page from `page` on, before `end`, that is as coarse as that one. */
uint32_t coarse__same(const struct coarse *c, uint32_t page, uint32_t end);
/* Pages that are about to be opened for writing together: what fits of them becomes coarse. Opens nothing. Errors: negative
 * errno, if blocks can be neither coarse nor fine; there is no going on then. */
int coarse__take(struct coarse *c, uint32_t page, uint32_t count);
/* Makes the mappings of those that are coarse writable, or readable only; a closed page stays closed. Where single
 * pages have been asked for too often they are not coarse any more. Errors: negative errno. */
int coarse__set(struct coarse *c, uint32_t page, uint32_t count, bool write);
/* The page is not coarse any more. Rights stay. Errors: negative errno. */
int coarse__leave(struct coarse *c, uint32_t page);

#endif
