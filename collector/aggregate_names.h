/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * aggregate_names.h - what the identity records of a run have said: objects, types, roots; and which
 * of them a rundown only repeats. Part of aggregate.c.
 */
#ifndef PROCOPE_AGGREGATE_NAMES_H
#define PROCOPE_AGGREGATE_NAMES_H

#include <stdbool.h>

#include "collector/aggregate.h"
#include "collector/table.h"

struct names {
	struct table said;    /* (type and node, id) -> hash of the record's body: for repetitions */
	struct table types;   /* (node, id) -> name */
	struct table objects; /* (offset, 0) -> struct agg_object */
	struct table roots;   /* (offset, 0) -> struct names_root */
	/* The same by address, rebuilt when a question comes after a change: a program that allocates
	 * a million objects must not pay for order that nobody looks at. */
	void **by_offset;	/* struct agg_object */
	void **roots_by_offset; /* struct names_root */
	size_t nobjects, nroots, objects_size, roots_size;
	bool objects_changed, roots_changed;
	uint64_t longest; /* object ever seen, bytes: how far before a page one may begin that touches it */
};

struct names_root {
	uint64_t offset;
	char name[48];
};

/* 1: a rundown's repetition of what is known; 0: new or not an identity record; -ENOMEM. */
int names__record(struct names *n, const struct dsm_ev_hdr *record);
const struct agg_object *names__object_on(struct names *n, dsm_ev_page page, size_t *count);
const char *names__type(const struct names *n, uint16_t node, uint32_t id);
/* The first root at or behind offset, within bytes. */
const char *names__root(struct names *n, uint64_t offset, uint64_t bytes);
void names__free(struct names *n);

#endif
