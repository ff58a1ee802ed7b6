/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mem.h - memory for a batch tool. An analyzer that runs out of memory can only stop: these print what
 * happened and exit with 1. Nothing half-written is left then, because results are written to a temporary
 * file and renamed.
 */
#ifndef ANALYZER_MEM_H
#define ANALYZER_MEM_H

#include <stddef.h>
#include <stdint.h>

void *mem__alloc(size_t bytes); /* zeroed */
void *mem__resize(void *old, size_t bytes);
char *mem__string(const char *text);
char *mem__format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Makes room for one element more than *n of `size` bytes; returns the (moved) array. */
void *mem__grow(void *array, size_t n, size_t *cap, size_t size);

/* A growable array: VEC(struct x) xs; then *VEC_ADD(&xs) = ... ; for (i < xs.n) xs.at[i]. */
#define VEC(type)                                                                                            \
	struct {                                                                                             \
		type *at;                                                                                    \
		size_t n, cap;                                                                               \
	}
#define VEC_ADD(v)                                                                                           \
	((v)->at = mem__grow((v)->at, (v)->n, &(v)->cap, sizeof(__typeof__(*(v)->at))), &(v)->at[(v)->n++])
#define VEC_FREE(v) (mem__free((v)->at), (v)->at = NULL, (v)->n = (v)->cap = 0)
void mem__free(void *p);
/* For what others have allocated: stops the program unless `err` is 0. */
void mem__need(int err);

/* A growing text, always NUL-terminated. */
struct text {
	char *at;
	size_t n, cap;
};
void text__add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text__free(struct text *t);

#endif
