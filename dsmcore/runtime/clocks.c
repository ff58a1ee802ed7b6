/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clocks.c - offset of a peer's clock by the midpoint of a ping (Cristian, "Probabilistic clock
 * synchronization", Distributed Computing 3, 1989): its error is at most half the round trip.
 */
#include "dsmcore/runtime/clocks.h"

#include <string.h>

#include "dsmcore/runtime/events.h"
#include "dsmcore/runtime/node.h"
#include "dsmcore/runtime/notes.h"
#include "dsmcore/transport/transport.h"

/* Each peer is pinged once in this time, and LEAST pings are sent in it where peers are few: a busy node answers late, and
 * the quickest answer is what tells. */
#define PERIOD_NS 1000000000ull
#define LEAST	  4

void clocks__tick(void)
{
	static uint64_t next;
	static uint16_t peer;
	uint64_t now = events__now();
	int peers = node.options.nodes - 1;

	if (now < next || !events__wanted(DSM_EV_CLOCK))
		return;
	next = now + PERIOD_NS / (uint64_t)(peers > LEAST ? peers : LEAST);
	peer = (uint16_t)((peer + 1) % node.options.nodes);
	if (peer == node.options.node)
		peer = (uint16_t)((peer + 1) % node.options.nodes);
	transport__note(node.transport, peer, NOTE_CLOCK_PING, &now, sizeof(now));
}

static void answer(uint16_t from, const void *bytes)
{
	uint64_t pong[2] = {0, events__now()};

	memcpy(pong, bytes, sizeof(pong[0]));
	transport__note(node.transport, from, NOTE_CLOCK_PONG, pong, sizeof(pong));
}

static void measure(uint16_t from, const void *bytes)
{
	uint64_t pong[2], now = events__now();

	memcpy(pong, bytes, sizeof(pong));
	if (now < pong[0] || !events__wanted(DSM_EV_CLOCK))
		return;
	struct dsm_ev_clock r = {.rtt_ns = now - pong[0], .peer = from};

	r.offset_ns = (int64_t)(pong[1] - (pong[0] + r.rtt_ns / 2));
	events__emit(&r.hdr, DSM_EV_CLOCK, sizeof(r), 0, r.rtt_ns);
}

void clocks__note(uint16_t from, uint16_t type, const void *bytes, size_t n)
{
	if (type == NOTE_CLOCK_PING && n == sizeof(uint64_t))
		answer(from, bytes);
	else if (type == NOTE_CLOCK_PONG && n == 2 * sizeof(uint64_t))
		measure(from, bytes);
}
