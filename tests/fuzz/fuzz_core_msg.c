/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_core_msg.c - any sequence of messages and mutator's events, against one core. A message comes
 * as a peer could send it; what core_msg__sane() lets through must be answered or refused, never crash.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dsmcore/protocol/core.h"

#define NODES 4u
#define PAGES 24u

struct input {
	const uint8_t *data;
	size_t left;
};

static uint8_t byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->data++;
}

static uint64_t small(struct input *in)
{
	uint8_t b = byte(in);

	return b == 0xff ? UINT64_MAX : b;
}

static void read_party(struct input *in, struct core_party *party)
{
	party->node = byte(in);
	party->number = small(in);
	party->attempt = byte(in);
	party->birth = small(in);
}

static int message(struct dsm_core *core, struct input *in)
{
	struct core_entry entries[16];
	struct core_msg msg = {.to = 1, .generation = 1};
	struct core_event event = {.type = CORE_MESSAGE, .msg = &msg};
	const struct core_actions *actions;
	uint8_t counts;
	uint32_t i;

	msg.type = byte(in);
	msg.channel = msg.type == CORE_MSG_FETCH || msg.type == CORE_MSG_PAGE;
	msg.from = byte(in) % (NODES + 1);
	msg.clock = small(in);
	msg.number = small(in);
	read_party(in, &msg.tx);
	read_party(in, &msg.other);
	counts = byte(in);
	msg.npages = counts % 9;
	msg.nwset = counts / 9 % 8;
	for (i = 0; i < msg.npages + msg.nwset; i++)
		entries[i] = (struct core_entry){.page = byte(in),
						 .flags = byte(in) & 0xf,
						 .data = byte(in) & 3,
						 .version = small(in),
						 .stamp = small(in)};
	msg.entries = entries;
	if (!core_msg__sane(core, &msg))
		return 0;
	return core_step(core, &event, &actions);
}

static int mutator(struct dsm_core *core, struct input *in, uint8_t kind)
{
	static const enum core_event_type types[] = {CORE_BEGIN, CORE_ACCESS,  CORE_COMMIT,  CORE_CANCEL,
						     CORE_SAFE,	 CORE_BARRIER, CORE_ACQUIRE, CORE_RELEASE,
						     CORE_TICK,	 CORE_ACCESS,  CORE_LOST};
	struct core_event event = {.type = types[kind % (sizeof(types) / sizeof(types[0]))],
				   .page = byte(in)};
	const struct core_actions *actions;
	uint8_t bits = byte(in);
	bool changed[PAGES];
	unsigned i;

	for (i = 0; i < PAGES; i++)
		changed[i] = bits >> i % 8 & 1;
	event.changed = changed;
	event.write = bits & 1;
	event.pinned = bits & 2;
	event.count = bits >> 4 & 3;
	event.lock = event.page % 8;
	event.node = event.page;
	if (event.type == CORE_LOST && bits != 0x5a) /* it ends most conversations */
		return 0;
	return core_step(core, &event, &actions);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct core_config config = {.node = 1,
				     .nodes = NODES,
				     .pages = PAGES,
				     .pages_per_home = 6,
				     .generation = 1,
				     .elevate_after = 2};
	struct input in = {data, size};
	struct dsm_core *core;
	uint8_t kind;
	int rc;

	if (byte(&in) & 1) { /* of each home's pages: 2 of transactions, 2 of sc, 2 of rc */
		config.sc_from = 2;
		config.rc_from = 4;
	}
	if (core__open(&core, &config))
		abort();
	while (in.left) {
		kind = byte(&in);
		rc = kind & 1 ? message(core, &in) : mutator(core, &in, kind >> 1);
		if (rc && rc != -EPROTO && rc != -EINVAL)
			abort();
	}
	core__close(core);
	return 0;
}
