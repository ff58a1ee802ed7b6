/* SPDX-License-Identifier: BSD-2-Clause */
#include "collector/room.h"

#include <errno.h>
#include <stdlib.h>

#define LEAST 64

int room__for(void **items, size_t *room, size_t n, size_t size)
{
	size_t want = *room ? *room : LEAST;
	void *more;

	while (want < n)
		want *= 2;
	if (want == *room)
		return 0;
	more = reallocarray(*items, want, size);
	if (!more)
		return -ENOMEM;
	*items = more;
	*room = want;
	return 0;
}
