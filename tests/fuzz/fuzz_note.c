// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_note.c - any note from another node. The first two bytes are its type. What is let through can be read to its
 * end and no further; a ping is answered with what it said, a pong gives a time within what was measured, and an
 * object is found only where one lives.
 */
#include <stdlib.h>
#include <string.h>

#include "dsm_events.h"
#include "dsmcore/memory/objects.h"
#include "dsmcore/memory/objects_table.h"
#include "dsmcore/runtime/clocks.h"
#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/notes.h"
#include "dsmcore/transport/transport.h"

#define NOW 1000000000000ull

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct node node = {.options.nodes = 2};
static uint64_t pong[2];
static unsigned pongs, measured;

static void check(bool good)
{
	if (!good)
		abort();
}

/* ---- what clocks.c needs of a node ---- */

uint64_t events__now(void)
{
	return NOW;
}

bool events__wanted(enum dsm_ev_type type)
{
	return type == DSM_EV_CLOCK;
}

void events__emit(struct dsm_ev_hdr *event, enum dsm_ev_type type, size_t bytes, dsm_ev_page page,
		  uint64_t value)
{
	const struct dsm_ev_clock *r = (const struct dsm_ev_clock *)event;

	(void)page;
	check(type == DSM_EV_CLOCK && bytes == sizeof(*r) && r->peer == 1 && r->rtt_ns <= NOW &&
	      value == r->rtt_ns);
	measured++;
}

int transport__note(struct transport *t, uint16_t to, uint16_t type, const void *bytes, size_t n)
{
	(void)t;
	check(to == 1 && type == NOTE_CLOCK_PONG && n == sizeof(pong));
	memcpy(pong, bytes, n);
	pongs++;
	return 0;
}

/* ---- the objects of the others' frees ---- */

static void free_them(const uint8_t *bytes, size_t n)
{
	struct objects_table live = {0};

	for (uint64_t i = 1; i <= 500; i++)
		check(objects_table__add(&live, &(struct object){.offset = i * 4096}) == 0);
	for (size_t at = 0; at < n; at += sizeof(uint64_t)) {
		struct object *o;
		uint64_t offset;

		memcpy(&offset, bytes + at, sizeof(offset));
		o = objects_table__get(&live, offset);
		check(!o || (o->offset == offset && offset % 4096 == 0 && offset / 4096 <= 500));
		if (o)
			objects_table__remove(&live, o);
		check(!objects_table__get(&live, offset)); /* nobody frees it twice */
	}
	objects_table__clear(&live);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t number;
	uint16_t type;
	uint8_t *bytes;
	size_t n;

	if (size < sizeof(type))
		return 0;
	memcpy(&type, data, sizeof(type));
	n = size - sizeof(type);
	bytes = malloc(n ? n : 1); /* exactly as long: a read past the end is seen */
	check(bytes != NULL);
	memcpy(bytes, data + sizeof(type), n);
	pongs = measured = 0;
	if (notes__sane(type, bytes, n)) {
		memcpy(&number, bytes, sizeof(number));
		if (type == OBJECTS_NOTE_FREE)
			free_them(bytes, n);
		else if (type == NOTE_FINISHED)
			check(number + 1 != 0);
		else
			clocks__note(1, type, bytes, n);
		check(pongs == (type == NOTE_CLOCK_PING) &&
		      (!pongs || (pong[0] == number && pong[1] == NOW)));
		check(measured == (type == NOTE_CLOCK_PONG && number <= NOW));
	}
	free(bytes);
	return 0;
}
