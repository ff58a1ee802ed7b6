/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * notes.h - types of the notes that runtimes send one another beside the protocol (transport__note()).
 */
#ifndef DSM_RUNTIME_NOTES_H
#define DSM_RUNTIME_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/* 1: OBJECTS_NOTE_FREE (memory/objects.h): u64 each, offsets of objects */
	NOTE_CLOCK_PING = 2, /* u64: the sender's clock */
	NOTE_CLOCK_PONG = 3, /* u64 as in the ping, u64: the answerer's clock */
	NOTE_FINISHED = 4,   /* u64: barriers passed; the sender's program has ended */
};

/* Whether a node can have sent this. `bytes` need not be aligned. */
bool notes__sane(uint16_t type, const void *bytes, size_t n);

#endif
