// SPDX-License-Identifier: BSD-2-Clause
#include "dsmcore/runtime/notes.h"

#include <string.h>

#include "dsmcore/memory/objects.h"

bool notes__sane(uint16_t type, const void *bytes, size_t n)
{
	uint64_t number;

	if (n < sizeof(number))
		return false;
	memcpy(&number, bytes, sizeof(number));
	switch (type) {
	case OBJECTS_NOTE_FREE:
		return n % sizeof(number) == 0;
	case NOTE_CLOCK_PING:
		return n == sizeof(number);
	case NOTE_CLOCK_PONG:
		return n == 2 * sizeof(number);
	case NOTE_FINISHED: /* one more is counted */
		return n == sizeof(number) && number < UINT64_MAX;
	}
	return false;
}
