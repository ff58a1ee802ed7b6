/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core_port.h - memory for the unit tests of the core: pages of a few bytes, frames, twins, newer versions, and changes exact
 * to the byte.
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
	uint8_t frame[PORT_PAGES][PAGE_BYTES], twin[PORT_PAGES][PAGE_BYTES], next[PORT_PAGES][PAGE_BYTES];
	bool has_twin[PORT_PAGES], has_next[PORT_PAGES];
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

/* FRAME against TWIN. */
static inline void port__diff(const struct port_node *n, uint32_t page, struct changes *to)
{
	unsigned i;

	assert_true(n->has_twin[page]);
	to->mask = 0;
	for (i = 0; i < PAGE_BYTES; i++) {
		to->byte[i] = n->frame[page][i];
		if (to->byte[i] != n->twin[page][i])
			to->mask |= (uint16_t)(1u << i);
	}
}

static inline const uint8_t *port__committed(const struct port_node *n, uint32_t page)
{
	return n->has_next[page] ? n->next[page] : n->has_twin[page] ? n->twin[page] : n->frame[page];
}

static inline void port__send(struct port_node *n, const struct core_action *a, struct mail *mail)
{
	struct changes *data = calloc(a->msg.npages + 1, sizeof(*data));
	const struct core_entry *e;
	uint32_t i;

	assert_non_null(data);
	for (i = 0; i < a->msg.npages; i++) {
		e = &a->msg.entries[i];
		if (e->data == CORE_DATA_CHANGES && e->hold) {
			data[i] = n->hold[e->hold];
		} else if (e->data == CORE_DATA_CHANGES) {
			port__diff(n, e->page, &data[i]);
		} else if (e->data == CORE_DATA_COMMITTED) {
			data[i].mask = UINT16_MAX;
			memcpy(data[i].byte, port__committed(n, e->page), PAGE_BYTES);
		}
	}
	mail->data = data;
}

static inline void port__take(struct port_node *n, const struct core_action *a)
{
	assert_true(a->hold < PORT_HOLDS);
	port__diff(n, a->page, &n->hold[a->hold]);
	memcpy(n->twin[a->page], n->hold[a->hold].byte, PAGE_BYTES);
}

static inline void port__apply(uint8_t *to, const struct changes *changes)
{
	for (unsigned i = 0; i < PAGE_BYTES; i++)
		if (changes->mask >> i & 1)
			to[i] = changes->byte[i];
}

static inline void port__merge(struct port_node *n, const struct core_action *a,
			       const struct changes *changes)
{
	port__apply(n->frame[a->page], changes);
	if (n->has_twin[a->page])
		port__apply(n->twin[a->page], changes);
}

static inline void port__store_next(struct port_node *n, uint32_t page, const struct changes *changes)
{
	if (!n->has_next[page])
		memcpy(n->next[page], port__committed(n, page), PAGE_BYTES);
	n->has_next[page] = true;
	port__apply(n->next[page], changes);
}

/* What was written here goes on top of what others have made of the page. */
static inline void port__rebase(struct port_node *n, uint32_t page)
{
	struct changes own;

	assert_true(n->has_next[page]);
	port__diff(n, page, &own);
	for (unsigned i = 0; i < PAGE_BYTES; i++) /* nobody else has written the same byte */
		assert_false(own.mask >> i & 1 && n->next[page][i] != n->twin[page][i]);
	memcpy(n->twin[page], n->next[page], PAGE_BYTES);
	memcpy(n->frame[page], n->next[page], PAGE_BYTES);
	port__apply(n->frame[page], &own);
	n->has_next[page] = false;
}

static inline void port__twin(struct port_node *n, enum core_action_type type, uint32_t page)
{
	assert_int_equal(n->has_twin[page], type != CORE_DO_TWIN);
	if (type == CORE_DO_TWIN || type == CORE_DO_REFRESH)
		memcpy(n->twin[page], n->frame[page], PAGE_BYTES);
	else if (type != CORE_DO_UNTWIN)
		memcpy(n->frame[page], n->twin[page], PAGE_BYTES);
	n->has_twin[page] = type == CORE_DO_TWIN || type == CORE_DO_REFRESH || type == CORE_DO_RESET;
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
	case CORE_DO_UNTWIN:
	case CORE_DO_RESTORE:
	case CORE_DO_REFRESH:
	case CORE_DO_RESET:
		for (page = a->page; page < a->page + a->count; page++)
			port__twin(n, a->type, page);
		break;
	case CORE_DO_STORE_NEXT:
		port__store_next(n, a->page, changes_of(n, a, mail));
		break;
	case CORE_DO_REBASE:
		port__rebase(n, a->page);
		break;
	case CORE_DO_PROMOTE:
		assert_true(n->has_next[a->page] && !n->has_twin[a->page]);
		memcpy(n->frame[a->page], n->next[a->page], PAGE_BYTES);
		n->has_next[a->page] = false;
		break;
	case CORE_DO_STORE:
	case CORE_DO_MERGE:
		assert_true(a->type == CORE_DO_MERGE || (!n->has_twin[a->page] && !n->has_next[a->page]));
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

/* Nodes with memory, configured alike; `like` has all but who they are. port__end() frees all. */
static inline struct cluster *port__cluster_like(unsigned nodes, struct core_config like)
{
	struct cluster *c = cluster__open_like(nodes, like);

	c->memory = calloc(1, sizeof(struct port));
	assert_non_null(c->memory);
	c->port = port__do;
	c->changed = port__changed;
	return c;
}

/* Pages [sc_from, rc_from) of each home are of sequential consistency, the rest behind them of release consistency. */
static inline struct cluster *port__cluster(unsigned nodes, uint32_t pages, uint32_t per_home,
					    uint32_t sc_from, uint32_t rc_from)
{
	return port__cluster_like(nodes, (struct core_config){.pages = pages,
							      .pages_per_home = per_home,
							      .sc_from = sc_from,
							      .rc_from = rc_from});
}

static inline void port__end(struct cluster *c)
{
	free(c->memory);
	cluster__close(c);
}

#endif
