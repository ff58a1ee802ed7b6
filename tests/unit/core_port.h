/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core_port.h - memory for the unit tests of the core: pages of a few bytes, frames, twins, and changes exact to the byte.
 */
#ifndef CORE_PORT_H
#define CORE_PORT_H

#include "tests/unit/core_util.h"

#define PAGE_BYTES 16
#define PORT_PAGES 512
#define PORT_HOLDS 1024

struct changes {
	uint16_t mask; /* which bytes; PAGE_BYTES bits */
	uint8_t byte[PAGE_BYTES];
};

struct port_node {
	uint8_t frame[PORT_PAGES][PAGE_BYTES], twin[PORT_PAGES][PAGE_BYTES];
	bool has_twin[PORT_PAGES];
	enum core_rights rights[PORT_PAGES];
	struct changes hold[PORT_HOLDS];
	bool changed[PORT_PAGES]; /* of core__written() */
};

struct port {
	struct port_node node[CLUSTER_MAX];
};

static inline struct port_node *port_of(struct cluster *c, unsigned node)
{
	return &((struct port *)c->memory)->node[node];
}

static inline const struct changes *changes_of(struct port_node *n, const struct core_action *a,
					       const struct mail *mail)
{
	if (a->hold)
		return &n->hold[a->hold];
	if (!mail)
		abort(); /* a step without a message has nothing to store */
	return &((const struct changes *)mail->data)[a->entry];
}

static inline void port__send(struct port_node *n, const struct core_action *a, struct mail *mail)
{
	struct changes *data = calloc(a->msg.npages + 1, sizeof(*data));
	const struct core_entry *e;
	uint32_t i;

	assert_non_null(data);
	for (i = 0; i < a->msg.npages; i++) {
		e = &a->msg.entries[i];
		if (e->data == CORE_DATA_CHANGES) {
			assert_true(e->hold);
			data[i] = n->hold[e->hold];
		} else if (e->data == CORE_DATA_COMMITTED) {
			data[i].mask = UINT16_MAX;
			memcpy(data[i].byte, n->has_twin[e->page] ? n->twin[e->page] : n->frame[e->page],
			       PAGE_BYTES);
		}
	}
	mail->data = data;
}

static inline void port__take(struct port_node *n, const struct core_action *a)
{
	struct changes *h = &n->hold[a->hold];
	unsigned i;

	assert_true(n->has_twin[a->page] && a->hold < PORT_HOLDS);
	h->mask = 0;
	for (i = 0; i < PAGE_BYTES; i++) {
		h->byte[i] = n->frame[a->page][i];
		if (h->byte[i] != n->twin[a->page][i])
			h->mask |= (uint16_t)(1u << i);
		n->twin[a->page][i] = h->byte[i];
	}
}

static inline void port__merge(struct port_node *n, const struct core_action *a,
			       const struct changes *changes)
{
	unsigned i;

	for (i = 0; i < PAGE_BYTES; i++) {
		if (!(changes->mask >> i & 1))
			continue;
		n->frame[a->page][i] = changes->byte[i];
		if (n->has_twin[a->page])
			n->twin[a->page][i] = changes->byte[i];
	}
}

static inline void port__do(struct cluster *c, unsigned node, const struct core_action *a, struct mail *mail)
{
	struct port_node *n = port_of(c, node);
	uint32_t page;

	switch (a->type) {
	case CORE_DO_SEND:
		port__send(n, a, mail);
		break;
	case CORE_DO_PROTECT:
		for (page = a->page; page < a->page + a->count; page++)
			n->rights[page] = a->rights;
		break;
	case CORE_DO_TWIN:
		assert_false(n->has_twin[a->page]);
		n->has_twin[a->page] = true;
		memcpy(n->twin[a->page], n->frame[a->page], PAGE_BYTES);
		break;
	case CORE_DO_UNTWIN:
		assert_true(n->has_twin[a->page]);
		n->has_twin[a->page] = false;
		break;
	case CORE_DO_STORE:
	case CORE_DO_MERGE:
		assert_true(a->type == CORE_DO_MERGE || !n->has_twin[a->page]);
		port__merge(n, a, changes_of(n, a, mail));
		break;
	case CORE_DO_HOLD:
		assert_true(a->hold < PORT_HOLDS);
		if (!mail)
			abort();
		n->hold[a->hold] = ((const struct changes *)mail->data)[a->entry];
		break;
	case CORE_DO_TAKE:
		port__take(n, a);
		break;
	default:
		break;
	}
}

/* What the port must say of written pages before an event that may flush them. */
static inline const bool *port__changed(struct cluster *c, unsigned node)
{
	struct port_node *n = port_of(c, node);
	const uint32_t *written;
	size_t i, count;

	written = core__written(c->core[node], &count);
	for (i = 0; i < count; i++)
		n->changed[i] = memcmp(n->frame[written[i]], n->twin[written[i]], PAGE_BYTES) != 0;
	return n->changed;
}

/* Nodes with memory. Pages [sc_from, rc_from) of each home are of sequential consistency, the rest behind them of release
 * consistency. port__end() frees all. */
static inline struct cluster *port__cluster(unsigned nodes, uint32_t pages, uint32_t per_home,
					    uint32_t sc_from, uint32_t rc_from)
{
	struct cluster *c = cluster__open_like(nodes, (struct core_config){.pages = pages,
									   .pages_per_home = per_home,
									   .sc_from = sc_from,
									   .rc_from = rc_from});

	c->memory = calloc(1, sizeof(struct port));
	assert_non_null(c->memory);
	c->port = port__do;
	c->changed = port__changed;
	return c;
}

static inline void port__end(struct cluster *c)
{
	free(c->memory);
	cluster__close(c);
}

#endif
