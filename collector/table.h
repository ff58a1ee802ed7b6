/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.h - a hash table from two words to a pointer. Open addressing, linear probing; removal moves
 * later entries back, so there are no tombstones and a long run does not slow down.
 */
#ifndef PROCOPE_TABLE_H
#define PROCOPE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table_key {
	uint64_t a, b;
};

struct table_slot {
	struct table_key key;
	void *value; /* NULL: the slot is free */
};

struct table { /* all zeros is an empty table */
	struct table_slot *slots;
	size_t size, used; /* size is a power of two */
};

/* The value, or NULL. */
void *table__get(const struct table *t, struct table_key key);
/* Puts or replaces; value must not be NULL. -ENOMEM leaves the table as it was. */
int table__put(struct table *t, struct table_key key, void *value);
/* Takes the entry out and returns its value, NULL when there is none. */
void *table__take(struct table *t, struct table_key key);
/* Next value at or after slot *at (start with 0), NULL at the end. No puts or takes meanwhile. */
void *table__next(const struct table *t, size_t *at);
/* Frees the table; `drop`, if given, frees each value. */
void table__free(struct table *t, void (*drop)(void *));

#endif
