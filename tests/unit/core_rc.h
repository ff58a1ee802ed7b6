/* SPDX-License-Identifier: BSD-2-Clause */
/* core_rc.h - nodes with pages of release consistency, and what their mutators do with them. */
#ifndef CORE_RC_H
#define CORE_RC_H

#include "tests/unit/core_port.h"

#define PER_HOME 32u
#define RC	 16u /* pages of each home from here on are of rc */

static inline struct cluster *open_rc(unsigned nodes)
{
	return port__cluster(nodes, nodes * PER_HOME, PER_HOME, RC, RC);
}

/* The i-th page of rc that lives at a node. */
static inline uint32_t page_of(unsigned home, unsigned i)
{
	return home * PER_HOME + RC + i;
}

/* The mutator writes a byte, reads one: with the faults that this costs. */
static inline unsigned put(struct cluster *c, unsigned node, uint32_t page, unsigned at, uint8_t value)
{
	unsigned faults = 0;

	for (; port_of(c, node)->rights[page] != CORE_WRITE; faults++) {
		assert_true(faults < 2);
		assert_int_equal(WRITE(c, node, page), CORE_DO_RESUME);
	}
	port_of(c, node)->frame[page][at] = value;
	return faults;
}

static inline unsigned get(struct cluster *c, unsigned node, uint32_t page, unsigned at, uint8_t *value)
{
	unsigned faults = 0;

	for (; port_of(c, node)->rights[page] == CORE_NONE; faults++) {
		assert_true(faults < 2);
		assert_int_equal(READ(c, node, page), CORE_DO_RESUME);
	}
	*value = port_of(c, node)->frame[page][at];
	return faults;
}

static inline void expect(struct cluster *c, unsigned node, uint32_t page, unsigned at, uint8_t value)
{
	uint8_t got;

	get(c, node, page, at, &got);
	assert_int_equal(got, value);
}

/* A copy of a page for a node, which leaves it alone from then on: who writes the page has somebody to tell. */
static inline void share(struct cluster *c, unsigned node, uint32_t page)
{
	uint8_t value;

	get(c, node, page, 0, &value);
}

/* A node comes to a barrier; what it sends stays in the queue. */
static inline int arrive(struct cluster *c, unsigned node)
{
	return begin_step(c, node,
			  (struct core_event){.type = CORE_BARRIER, .changed = port__changed(c, node)});
}

/* All nodes come to a barrier and leave it. */
static inline void meet(struct cluster *c)
{
	bool through[CLUSTER_MAX] = {false};
	unsigned node;
	size_t i;
	int verdict;

	c->nlog = 0;
	for (node = 0; node < c->nodes; node++) {
		verdict = arrive(c, node);
		deliver(c, node, &verdict);
	}
	for (i = 0; i < c->nlog; i++)
		if (c->log[i].action.type == CORE_DO_RESUME)
			through[c->log[i].node] = true;
	for (node = 0; node < c->nodes; node++)
		assert_true(through[node]);
}

static inline void check_whole(struct cluster *c, uint32_t page)
{
	struct port_node *home = port_of(c, core__birth(c->core[0], page));
	unsigned node;

	for (node = 0; node < c->nodes; node++)
		if (port_of(c, node)->rights[page] != CORE_NONE)
			assert_memory_equal(port_of(c, node)->frame[page], home->frame[page], PAGE_BYTES);
}

#endif
