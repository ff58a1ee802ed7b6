/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * region.h - the DSM's memory in this process: one memfd mapped twice. The mutator's view, at the same
 * address on every node, is protected page by page through userfaultfd; the runtime's view is always
 * readable and writable.
 */
#ifndef DSM_MEMORY_REGION_H
#define DSM_MEMORY_REGION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dsmcore/protocol/core.h"

#ifndef DSM_BASE
#define DSM_BASE 0x200000000000ull /* clear of the sanitizers' shadow memory */
#endif
#define DSM_PAGE_LOG2  12
#define DSM_PAGE_BYTES (1u << DSM_PAGE_LOG2)

struct region;

/* Maps `bytes` at DSM_BASE. Errors: negative errno; then why[size] has the message with the remedy. */
int region__open(struct region **out, uint64_t bytes, char *why, size_t size);
void region__close(struct region *r);
/* Sets the mutator's rights on `count` pages from `page`. Any thread under node.lock. */
int region__protect(struct region *r, uint32_t page, uint32_t count, enum core_rights rights);
/* The same for several rows, ascending and apart: with nothing but closed pages between them they may cost as much
 * as one row. */
struct region_row {
	uint32_t page, count;
};
int region__protect_rows(struct region *r, const struct region_row *row, size_t n, enum core_rights rights);
/* Whether long rows of pages may have their rights by mapping (coarse.c; at first they may not): then a write
 * to a page that is not to be written may raise SIGSEGV (SEGV_ACCERR) instead of SIGBUS. Errors: negative errno. */
int region__coarse(struct region *r, bool allow);
/* Gives the mutator these rights on a page whatever the view's state is: for a page that faulted although the
 * rights set last allow the access. Errors: negative errno. */
int region__open_again(struct region *r, uint32_t page, enum core_rights rights);
/* The rights that were set last; the microscope may have taken away what the core granted. */
enum core_rights region__rights(const struct region *r, uint32_t page);
/* The runtime's view of a page. */
uint8_t *region__frame(struct region *r, uint32_t page);
/* Region offset of an address in the mutator's view, or -1. */
int64_t region__offset(const struct region *r, const void *address);
void *region__address(const struct region *r, uint64_t offset);
uint64_t region__bytes(const struct region *r);

#endif
