// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_piece.c - any bytes as messages from a fabric: pieces of peers, or of strangers. What is kept for a stream is
 * in order, lies within what came and within the window; what cannot be ends its sender's streams, and nobody
 * else's.
 *
 * The input is a list of: a byte of choices, a byte of size, the message. Choices: bit 0 puts right what says that
 * it is of this run, 1 its number, 2 its length.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dsmcore/transport/fabric_parts.h"

#define NODES  3u
#define NODE   1u
#define WINDOW 4u
#define KEY    0x1122334455667788u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct peer peers[NODES];
static struct lane lanes[NODES * CHANNELS];
static struct slot *coming; /* what the completion queue has */
static size_t coming_bytes;
static unsigned slots;

static void check(bool good)
{
	if (!good)
		abort();
}

/* ---- the parts of the fabric around it ---- */

static void release(struct slot *s)
{
	free(s->data);
	free(s);
	slots--;
}

void fabric__repost(struct fabric *f, struct slot *s)
{
	(void)f;
	release(s);
}

void fabric__put_back(struct fabric *f, struct slot *s)
{
	(void)f, (void)s;
	abort(); /* nothing was sent */
}

void fabric__list(struct fabric *f, struct lane *l)
{
	(void)f, (void)l;
}

void fabric__feed(struct fabric *f, struct lane *l)
{
	(void)f, (void)l;
}

void fabric__feed_all(struct fabric *f)
{
	(void)f;
}

void fabric__lose(struct fabric *f, unsigned peer, int error)
{
	check(error != 0);
	f->peers[peer].lost = true;
}

static ssize_t read_queue(struct fid_cq *cq, void *buffer, size_t count)
{
	struct fi_cq_msg_entry *e = buffer;

	(void)cq;
	if (!coming)
		return -FI_EAGAIN;
	check(count > 0);
	*e = (struct fi_cq_msg_entry){.op_context = coming, .len = coming_bytes};
	coming = NULL;
	return 1;
}

static struct fi_ops_cq queue_ops = {.size = sizeof(queue_ops), .read = read_queue};
static struct fid_cq queue = {.ops = &queue_ops};

/* ---- one message ---- */

static void check_lanes(void)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < NODES * CHANNELS; i++) {
		const struct lane *l = &lanes[i];
		unsigned n = 0;

		for (const struct slot *s = l->head; s; s = s->next, n++)
			check(s->at == sizeof(struct piece) && s->at < s->end);
		check(n == (l->open ? l->next - l->taken : 0) && n <= WINDOW);
		check(l->sent - l->passed <= 5); /* what the peer has not taken of our five */
		kept += n;
	}
	check(kept == slots);
}

static void put_right(uint8_t *bytes, size_t size, uint8_t choices)
{
	struct piece h;

	if (size < sizeof(h))
		return;
	memcpy(&h, bytes, sizeof(h));
	if (choices & 1) {
		h.magic = PIECE_MAGIC;
		h.generation = 7;
		h.key = KEY;
		h.to = NODE;
		h.window = WINDOW;
		h.zero = 0;
		h.from = h.from % 2 ? 0 : 2;
		h.channel %= CHANNELS;
		h.kind = (uint8_t)(PIECE_HELLO + h.kind % PIECE_ALIVE);
	}
	if (choices & 2 && h.from < NODES && h.channel < CHANNELS)
		h.number = lanes[h.from * CHANNELS + h.channel].next;
	if (choices & 4)
		h.bytes = (uint32_t)(size - sizeof(h));
	memcpy(bytes, &h, sizeof(h));
}

static void hear(struct fabric *f, const uint8_t *bytes, size_t size, uint8_t choices)
{
	bool lost[NODES];
	unsigned from = NODES;
	struct piece h;

	coming = calloc(1, sizeof(*coming));
	check(coming != NULL);
	coming->data = malloc(size ? size : 1); /* exactly as long: a read past the end is seen */
	check(coming->data != NULL);
	memcpy(coming->data, bytes, size);
	put_right(coming->data, size, choices);
	coming_bytes = size;
	slots++;
	for (unsigned p = 0; p < NODES; p++)
		lost[p] = peers[p].lost;
	if (size >= sizeof(h)) {
		memcpy(&h, coming->data, sizeof(h));
		from = h.from;
	}
	f->strangers++; /* the first one is named on stderr */
	fabric__progress(f);
	check_lanes();
	for (unsigned p = 0; p < NODES; p++)
		check(peers[p].lost == lost[p] || p == from);
}

/* A reader takes the first piece of each stream. */
static void take(struct lane *l)
{
	struct slot *s = l->head;

	if (!s)
		return;
	l->head = s->next;
	if (!l->head)
		l->tail = &l->head;
	l->taken++;
	release(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fabric f = {.config = {.node = NODE, .nodes = NODES, .generation = 7},
			   .provider = "fuzz",
			   .key = KEY,
			   .window = WINDOW,
			   .cq = &queue,
			   .peers = peers,
			   .lanes = lanes};

	memset(peers, 0, sizeof(peers));
	memset(lanes, 0, sizeof(lanes));
	for (unsigned i = 0; i < NODES * CHANNELS; i++)
		lanes[i] = (struct lane){.fabric = &f,
					 .peer = (uint16_t)(i / CHANNELS),
					 .channel = i % CHANNELS,
					 .open = i != 4,	      /* one is closed here */
					 .sent = UINT32_MAX + 5u - 2, /* numbers go round */
					 .passed = UINT32_MAX - 2,
					 .next = UINT32_MAX - 1,
					 .taken = UINT32_MAX - 1};
	for (unsigned i = 0; i < NODES * CHANNELS; i++)
		lanes[i].tail = &lanes[i].head;
	while (size >= 2) {
		size_t n = data[1] < size - 2 ? data[1] : size - 2;

		hear(&f, data + 2, n, data[0]);
		if (data[0] & 8)
			take(&lanes[data[0] >> 4 & 3]);
		data += 2 + n;
		size -= 2 + n;
	}
	for (unsigned i = 0; i < NODES * CHANNELS; i++)
		while (lanes[i].head)
			take(&lanes[i]);
	check(slots == 0);
	return 0;
}
