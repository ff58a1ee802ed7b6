/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * history.h - writes what each attempt read and wrote, for dsmverify (dsm_history.h has the format).
 */
#ifndef DSM_RUNTIME_HISTORY_H
#define DSM_RUNTIME_HISTORY_H

#include <stdbool.h>

#include "dsmcore/protocol/core.h"

/* Opens this node's file if the run keeps a history; where it cannot be written this ends the node. */
void history__open(void);
/* An attempt begins; it was served pages although doomed; it ends (before anything is undone). All under
 * node.lock. */
void history__begin(void);
void history__pinned(void);
void history__end(const struct core_party *attempt, bool committed);
void history__close(void);

#endif
