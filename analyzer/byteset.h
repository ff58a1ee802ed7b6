/* SPDX-License-Identifier: BSD-2-Clause */
/* byteset.h - sets of bytes as ascending, disjoint, non-adjacent spans [from, to). Pure. */
#ifndef ANALYZER_BYTESET_H
#define ANALYZER_BYTESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
	uint32_t from, to;
};

struct byteset {
	struct span *at;
	size_t n, cap;
};

/* Adds [from, to); nothing when empty. Cheap when spans come in ascending order. */
void byteset__add(struct byteset *s, uint32_t from, uint32_t to);
void byteset__add_all(struct byteset *s, const struct byteset *other);
bool byteset__meets(const struct byteset *a, const struct byteset *b);
/* True when every byte of `a` is in `b`. */
bool byteset__within(const struct byteset *a, const struct byteset *b);
bool byteset__has(const struct byteset *s, uint32_t from, uint32_t to); /* any byte of [from, to) */
/* out = a and b (out is cleared first). */
void byteset__common(struct byteset *out, const struct byteset *a, const struct byteset *b);
uint64_t byteset__count(const struct byteset *s);
void byteset__free(struct byteset *s);

#endif
