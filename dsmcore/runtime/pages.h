/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pages.h - carries out those actions of a step that are about pages. The caller holds node.lock, always.
 */
#ifndef DSM_RUNTIME_PAGES_H
#define DSM_RUNTIME_PAGES_H

#include "dsmcore/protocol/core.h"
#include "dsmcore/transport/transport.h"

/* Once, before the first step; count: of the region. Errors: -ENOMEM. */
int pages__open(uint32_t count);
/* a[0] is a PROTECT; those of the n actions that follow it with the same rights, upwards, are carried out with it:
 * rows of pages that are opened or closed together cost less. Returns how many. */
size_t pages__protect(const struct core_action *a, size_t n);
/* TWIN, UNTWIN, RESTORE, REFRESH, RESET, PROMOTE, STORE, STORE_NEXT, HOLD, TAKE, MERGE or DROP. blobs: of the
 * message of this step, or NULL. */
void pages__carry_out(const struct core_action *a, const struct wire_blob *blobs);
/* What goes with an entry of a message that is sent now. room: DIFF_PAGE bytes, used as long as the result. */
struct wire_blob pages__attach(const struct core_entry *e, uint8_t *room);

/* The committed bytes behind a dirty page, or NULL. */
const uint8_t *pages__twin(uint32_t page);
/* The changes that the core keeps under this number. */
const struct wire_blob *pages__held(uint32_t hold);
/* For each page of core__dirty(): does it differ from its twin? For CORE_COMMIT, which follows at once; valid
 * until the next call. */
const bool *pages__changes(void);
/* The same for core__written(), for an event that needs it. */
const bool *pages__written(void);

#endif
