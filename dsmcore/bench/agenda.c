/* SPDX-License-Identifier: BSD-2-Clause */
#include "dsmcore/bench/agenda.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define ROOM_LEAST 256

static bool earlier(const struct due *a, const struct due *b)
{
	return a->time != b->time ? a->time < b->time : a->order < b->order;
}

static int grow(struct agenda *a)
{
	size_t room = a->room ? 2 * a->room : ROOM_LEAST;
	struct due *heap = realloc(a->heap, room * sizeof(*heap));

	if (!heap)
		return -ENOMEM;
	a->heap = heap;
	a->room = room;
	return 0;
}

int agenda__add(struct agenda *a, struct due due)
{
	size_t i = a->count;

	if (i == a->room && grow(a))
		return -ENOMEM;
	a->count++;
	due.order = a->order++;
	for (; i && earlier(&due, &a->heap[(i - 1) / 2]); i = (i - 1) / 2)
		a->heap[i] = a->heap[(i - 1) / 2];
	a->heap[i] = due;
	return 0;
}

struct due agenda__next(struct agenda *a)
{
	struct due top = a->heap[0], last = a->heap[--a->count];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < a->count) {
		if (child + 1 < a->count && earlier(&a->heap[child + 1], &a->heap[child]))
			child++;
		if (!earlier(&a->heap[child], &last))
			break;
		a->heap[i] = a->heap[child];
		i = child;
	}
	a->heap[i] = last;
	return top;
}
