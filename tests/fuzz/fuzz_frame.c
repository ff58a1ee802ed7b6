// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_frame.c - what comes from an agent, or to one, in pieces: frames lie within what has come. */
#include <stdlib.h>
#include <unistd.h>

#include "dsmcore/launch/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame_reader r = {.greeted = size && data[0] & 1};
	volatile uint8_t last;
	int fds[2], rc = 0;

	if (pipe(fds))
		abort();
	for (size_t at = 1; at < size && !rc;) {
		size_t part = 1 + data[0] * 16u;
		struct frame_head head;
		const uint8_t *payload;

		if (part > size - at)
			part = size - at;
		if (write(fds[1], data + at, part) != (ssize_t)part || frame__read(&r, fds[0]))
			abort();
		at += part;
		while (frame__next(&r, &head, &payload, &rc)) {
			if (head.bytes > FRAME_MAX || rc)
				abort();
			if (head.bytes)
				last = payload[head.bytes - 1];
		}
	}
	(void)last;
	close(fds[0]);
	close(fds[1]);
	frame__free(&r);
	return 0;
}
