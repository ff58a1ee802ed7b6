// SPDX-License-Identifier: BSD-2-Clause
/* fabric_hear.c - what comes: completions, and the pieces of peers and of strangers. */
#include "dsmcore/transport/fabric_parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define READ   16 /* completions a call */
#define ROUNDS 8  /* of READ, so that a flood does not keep poll() from reporting */

static void complain(struct fabric *f)
{
	if (f->strangers++ == 0)
		fprintf(stderr,
			"dsm: node %u: refused a message that is not of this run (fabric provider %s); "
			"further ones are refused silently\n",
			f->config.node, f->provider);
}

/* Is this a piece of ours, in a stream of ours? */
static bool of_this_run(const struct fabric *f, const struct piece *h, size_t bytes)
{
	return h->magic == PIECE_MAGIC && h->key == f->key && h->generation == f->config.generation &&
	       h->to == f->config.node && h->from < f->config.nodes && h->from != f->config.node &&
	       h->channel < CHANNELS && h->kind >= PIECE_HELLO && h->kind <= PIECE_ALIVE && !h->zero &&
	       h->bytes == bytes - sizeof(*h) && (h->kind == PIECE_DATA) == (h->bytes != 0) &&
	       h->window == f->window;
}

static void hear_hello(struct fabric *f, struct peer *p, const struct piece *h)
{
	p->heard = true;
	p->answered |= (h->number & HELLO_HEARD) != 0;
	f->naps |= (h->number & HELLO_MUTE) != 0;
}

/* -EPROTO: it cannot be. */
static int hear_taken(struct fabric *f, struct lane *l, uint32_t taken)
{
	if (taken - l->passed > l->sent - l->passed)
		return -EPROTO;
	if (taken == l->passed)
		return 0;
	l->passed = taken;
	fabric__feed(f, l);
	return 0;
}

/* True: the slot is kept. */
static bool hear_data(struct fabric *f, struct lane *l, const struct piece *h, struct slot *s)
{
	if (l->ended || !l->open) { /* closed here: nobody reads it */
		l->next++;
		l->taken++;
		return false;
	}
	if (h->number != l->next || l->next - l->taken >= f->window) {
		fabric__lose(f, l->peer, -EPROTO);
		return false;
	}
	l->next++;
	s->at = sizeof(*h);
	s->end = (uint32_t)sizeof(*h) + h->bytes;
	s->next = NULL;
	*l->tail = s;
	l->tail = &s->next;
	fabric__list(f, l);
	return true;
}

static void hear_bye(struct fabric *f, struct lane *l, const struct piece *h)
{
	if (l->ended)
		return;
	l->ended = true;
	l->error = h->number == l->next ? 0 : -ECONNRESET;
	fabric__list(f, l);
}

static void received(struct fabric *f, struct slot *s, size_t bytes)
{
	struct piece h;
	struct lane *l;
	bool kept = false;

	if (bytes >= sizeof(h))
		memcpy(&h, s->data, sizeof(h));
	if (bytes < sizeof(h) || !of_this_run(f, &h, bytes)) {
		complain(f);
		fabric__repost(f, s);
		return;
	}
	l = fabric__lane(f, h.from, h.channel);
	f->peers[h.from].in_ns = f->now;
	if (f->peers[h.from].lost)
		;
	else if (h.kind == PIECE_HELLO)
		hear_hello(f, &f->peers[h.from], &h);
	else if (hear_taken(f, l, h.taken))
		fabric__lose(f, h.from, -EPROTO);
	else if (h.kind == PIECE_DATA)
		kept = hear_data(f, l, &h, s);
	else if (h.kind == PIECE_BYE)
		hear_bye(f, l, &h);
	if (!kept)
		fabric__repost(f, s);
}

static int as_errno(int fabric_error)
{
	return fabric_error > 0 && fabric_error < FI_ERRNO_OFFSET ? -fabric_error : -EIO;
}

/* Takes a failed operation off the queue. */
static void failed(struct fabric *f)
{
	struct fi_cq_err_entry e = {0};
	struct slot *s;

	if (fi_cq_readerr(f->cq, &e, 0) < 0 || !e.op_context)
		return;
	s = e.op_context;
	if (!s->sending) {
		if (e.err == FI_ETRUNC || e.err == FI_EMSGSIZE)
			complain(f);
		if (e.err != FI_ECANCELED)
			fabric__repost(f, s);
		return;
	}
	f->sending--;
	fabric__put_back(f, s);
	fabric__lose(f, s->peer, as_errno(e.err));
	fabric__feed_all(f);
}

void fabric__progress(struct fabric *f)
{
	struct fi_cq_msg_entry e[READ];

	for (int round = 0; round < ROUNDS; round++) {
		ssize_t n = fi_cq_read(f->cq, e, READ);
		bool sent = false;

		if (n == -FI_EAVAIL || n > 0)
			f->came++;
		if (n == -FI_EAVAIL)
			failed(f);
		else if (n < 0)
			return;
		for (ssize_t i = 0; i < n; i++) {
			struct slot *s = e[i].op_context;

			if (!s)
				continue;
			if (s->sending) {
				f->sending--;
				fabric__put_back(f, s);
				sent = true;
			} else {
				received(f, s, e[i].len);
			}
		}
		if (sent)
			fabric__feed_all(f);
		if (n >= 0 && n < READ)
			return;
	}
}
