// SPDX-License-Identifier: BSD-2-Clause
#include "apps/world/world.h"

#include <stdio.h>
#include <string.h>

void avatar__place(const struct scene *s, struct avatar *a, long index, long group)
{
	const struct spot *at = &s->spawn[index % s->nspawns];

	snprintf(a->name, sizeof(a->name), "n%hu-%hu", (unsigned short)(index / group),
		 (unsigned short)(index % group));
	a->x = at->column + 0.5;
	a->y = at->row + 0.5;
	a->energy = 100;
	a->speed = 1.4;
	a->goal = (int)(index % s->ngoals);
}

uint64_t avatar__hash(uint64_t h, const struct avatar *a)
{
	uint64_t bits[2];

	memcpy(bits, (double[]){a->x, a->y}, sizeof(bits));
	for (int i = 0; i < 2; i++) {
		h = (h ^ bits[i]) * 0x100000001b3ull;
		h ^= h >> 32;
	}
	return h;
}
