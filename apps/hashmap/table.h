/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.h - two hash tables from keys to (count, sum), for all programs of hashmap.
 *
 * chain: an array of pointers to chains of entries that are allocated one by one, and a count of all entries.
 * pages: an array of buckets of a page each, which hold their entries; what overflows goes to the next bucket of the
 * same node's part.
 */
#ifndef APPS_HASHMAP_TABLE_H
#define APPS_HASHMAP_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "apps/common/app.h"
#include "apps/common/rows.h"

struct value {
	uint64_t count, sum;
};

struct entry {
	uint64_t key;
	struct value value;
	struct entry *next;
};

struct chains {
	uint64_t buckets, used; /* used: entries */
	struct entry **bucket;
};

#define BUCKET_SLOTS 170
struct slot {
	uint64_t key;
	struct value value;
};
struct bucket { /* a page */
	uint64_t used;
	struct slot slot[BUCKET_SLOTS];
	uint64_t rest;
};

/* How to reach a table; the same in each process. */
struct table {
	struct chains *chains;	     /* natural layout, or NULL */
	struct entry **heads;	     /* of the chains */
	uint64_t places;	     /* chains, or buckets */
	struct entry *(*make)(void); /* a new entry, zeroed */
	struct rows pages;	     /* tuned layout: a row is a bucket */
};

/* How many buckets a table for so many keys has. */
uint64_t table__buckets(enum app_layout layout, long keys);

/* A key's first place (a chain, or a bucket), and what lies at one. Neither touches shared memory. */
uint64_t table__first(const struct table *t, uint64_t key);
void *table__place(const struct table *t, uint64_t place);

/* Buckets: where it goes on when a place is full. Each part is a ring of its own, so that a part is changed by one node. */
uint64_t table__next(const struct table *t, uint64_t place);

/* table__add() at one place: the key is not there and there is no room: go on at the next one. made: it is new. */
enum table_added { TABLE_ADDED, TABLE_MADE, TABLE_NEXT, TABLE_FAILED };
enum table_added table__add_at(const struct table *t, uint64_t place, uint64_t key, uint64_t amount);

/* Adds `amount` to a key's sum and 1 to its count; makes the key if it is new. false: the table is full. */
bool table__add(const struct table *t, uint64_t key, uint64_t amount);

/* The value of a key, or NULL. */
const struct value *table__find(const struct table *t, uint64_t key);

/* ---- what is put in ---- */

/* Key number k: all differ, and look random. */
uint64_t key__make(uint64_t k);
/* Each key is added twice, in operations i and 2 * keys - 1 - i. Operation i adds i + 1 to key__of(i). */
uint64_t key__of(long i, long keys);
/* Is this what all operations together give key number k? */
bool value__right(const struct value *v, long k, long keys);

#endif
