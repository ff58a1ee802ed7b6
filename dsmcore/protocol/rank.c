/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rank.c - the one total order that decides who wins when two transactions meet.
 *
 * Every node that compares the same two attempts must come to the same answer, or both could die, or
 * both could refuse the other (design, invariant 4). The order uses only what the parties carry:
 * elevated before not elevated; two elevated: the older (birth, then node); otherwise the one that
 * commits before the one that runs, and of two that commit the lower node. The comparison happens
 * only at the node whose attempt is met (`a`), and the other (`b`) is always one that commits.
 */
#include "dsmcore/protocol/internal.h"

bool core_party__older(const struct core_party *a, const struct core_party *b)
{
	return a->birth != b->birth ? a->birth < b->birth : a->node < b->node;
}

bool core_rank__beats(const struct core_party *a, bool a_committing, const struct core_party *b)
{
	if (a->birth && b->birth)
		return core_party__older(a, b);
	if (a->birth || b->birth)
		return a->birth != 0;
	if (core_mutant(mutual_abort))
		return false;
	if (core_mutant(both_refuse))
		return a_committing;
	return a_committing && a->node < b->node;
}

/* Of two that are irrevocable one is lost, and it had its turn before: what it still asks for may be refused, and
 * its locks may be waited for. */
bool core_rank__sole(const struct core_party *a)
{
	return a->birth == CORE_BIRTH_IRREVOCABLE;
}

bool core_party__same(const struct core_party *a, const struct core_party *b)
{
	return a->node == b->node && a->number == b->number && a->attempt == b->attempt;
}
