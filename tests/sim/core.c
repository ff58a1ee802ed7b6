/* SPDX-License-Identifier: BSD-2-Clause */
/* core.c - which of the places where the core can be broken is. (tests/sim.mk compiles the core with them.) */
#define CORE_MUTANTS
#include "dsmcore/protocol/hooks.h"

enum core_mutant core_mutant_active;
