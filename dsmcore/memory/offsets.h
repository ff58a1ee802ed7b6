/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * offsets.h - a list of region offsets that grows: objects that were freed and whose time has not come. {0} is an empty
 * one. The caller holds what guards it, and frees `at`.
 */
#ifndef DSM_MEMORY_OFFSETS_H
#define DSM_MEMORY_OFFSETS_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct offsets {
	uint64_t *at;
	size_t count, room;
};

/* Room for so many in all. Returns 0 or -ENOMEM; the list is as it was then. */
static inline int offsets__reserve(struct offsets *l, size_t count)
{
	size_t room = l->room ? l->room : 16;
	uint64_t *at;

	if (count <= l->room)
		return 0;
	while (room < count)
		room *= 2;
	at = realloc(l->at, room * sizeof(*at));
	if (!at)
		return -ENOMEM;
	l->at = at;
	l->room = room;
	return 0;
}

/* The same, and appends. */
static inline int offsets__add(struct offsets *l, uint64_t offset)
{
	int err = offsets__reserve(l, l->count + 1);

	if (!err)
		l->at[l->count++] = offset;
	return err;
}

#endif
