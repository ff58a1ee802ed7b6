/* SPDX-License-Identifier: BSD-2-Clause */
/* core.c - the protocol core as it is, compiled once more with the places where it can be broken. */
#define CORE_MUTANTS
#include "dsmcore/protocol/hooks.h"

enum core_mutant core_mutant_active;

#include "../../dsmcore/protocol/actions.c"
#include "../../dsmcore/protocol/attempt.c"
#include "../../dsmcore/protocol/barrier.c"
#include "../../dsmcore/protocol/claim.c"
#include "../../dsmcore/protocol/client.c"
#include "../../dsmcore/protocol/commit.c"
#include "../../dsmcore/protocol/core.c"
#include "../../dsmcore/protocol/copyset.c"
#include "../../dsmcore/protocol/directory.c"
#include "../../dsmcore/protocol/doubt.c"
#include "../../dsmcore/protocol/fetch.c"
#include "../../dsmcore/protocol/home.c"
#include "../../dsmcore/protocol/holders.c"
#include "../../dsmcore/protocol/lock.c"
#include "../../dsmcore/protocol/loss.c"
#include "../../dsmcore/protocol/message.c"
#include "../../dsmcore/protocol/migrate.c"
#include "../../dsmcore/protocol/worth.c"
#include "../../dsmcore/protocol/prefetch.c"
#include "../../dsmcore/protocol/ahead.c"
#include "../../dsmcore/protocol/rank.c"
#include "../../dsmcore/protocol/rows.c"
#include "../../dsmcore/protocol/sticky.c"
#include "../../dsmcore/protocol/update.c"
