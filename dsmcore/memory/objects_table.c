/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/memory/objects_table.h"

#include <errno.h>
#include <stdlib.h>

static size_t place(const struct objects_table *t, uint64_t offset)
{
	/* offsets are multiples of 16 and often of 4096: multiply so that their upper bits matter */
	return (offset * 0x9e3779b97f4a7c15u >> 20) & (t->room - 1);
}

static int grow(struct objects_table *t)
{
	struct objects_table wider = {.room = t->room ? 2 * t->room : 256};

	wider.slot = calloc(wider.room, sizeof(*wider.slot));
	if (!wider.slot)
		return -ENOMEM;
	for (size_t i = 0; i < t->room; i++)
		if (t->slot[i].offset)
			objects_table__add(&wider, &t->slot[i]);
	free(t->slot);
	*t = wider;
	return 0;
}

int objects_table__add(struct objects_table *t, const struct object *object)
{
	size_t i;

	if (4 * (t->count + 1) > 3 * t->room && grow(t))
		return -ENOMEM;
	for (i = place(t, object->offset); t->slot[i].offset; i = (i + 1) & (t->room - 1))
		;
	t->slot[i] = *object;
	t->count++;
	return 0;
}

struct object *objects_table__get(const struct objects_table *t, uint64_t offset)
{
	if (!t->room || !offset)
		return NULL;
	for (size_t i = place(t, offset); t->slot[i].offset; i = (i + 1) & (t->room - 1))
		if (t->slot[i].offset == offset)
			return &t->slot[i];
	return NULL;
}

/* Closes the gap instead of leaving a mark, so that lookups stay short however much is freed. */
void objects_table__remove(struct objects_table *t, struct object *object)
{
	size_t mask = t->room - 1, gap = object - t->slot;

	for (size_t i = (gap + 1) & mask; t->slot[i].offset; i = (i + 1) & mask) {
		size_t home = place(t, t->slot[i].offset);

		if (((i - home) & mask) >= ((i - gap) & mask)) {
			t->slot[gap] = t->slot[i];
			gap = i;
		}
	}
	t->slot[gap].offset = 0;
	t->count--;
}

void objects_table__clear(struct objects_table *t)
{
	free(t->slot);
	*t = (struct objects_table){0};
}
