/* SPDX-License-Identifier: BSD-2-Clause */
/* table.h - interning: byte strings to small numbers 0, 1, 2 ... in order of their first appearance. */
#ifndef ANALYZER_TABLE_H
#define ANALYZER_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define TABLE_NONE UINT32_MAX

struct table {
	uint32_t *slot; /* open addressing: number + 1, 0 = free */
	size_t slots;
	struct table_key {
		uint64_t hash;
		size_t at, len; /* into bytes */
	} * key;
	size_t n, cap;
	char *bytes;
	size_t nbytes, bytes_cap;
};

/* The number of `key`, adding it if new. Not thread-safe. */
uint32_t table__intern(struct table *t, const void *key, size_t len);
/* TABLE_NONE when absent. */
uint32_t table__find(const struct table *t, const void *key, size_t len);
/* Valid until the next intern. Keys are aligned to 8 bytes. */
const void *table__key(const struct table *t, uint32_t number, size_t *len);
void table__free(struct table *t);

#endif
