/* SPDX-License-Identifier: BSD-2-Clause */
#include "mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *p, size_t bytes)
{
	if (p || !bytes)
		return p;
	fprintf(stderr, "%s: out of memory (asked for %zu bytes); give it more, or a shorter trace\n",
		program_invocation_short_name, bytes);
	exit(1);
}

void *mem__alloc(size_t bytes)
{
	return checked(calloc(1, bytes ? bytes : 1), bytes);
}

void *mem__resize(void *old, size_t bytes)
{
	return checked(realloc(old, bytes ? bytes : 1), bytes);
}

void mem__need(int err)
{
	if (!err)
		return;
	fprintf(stderr, "%s: %s; give it more memory, or a shorter trace\n", program_invocation_short_name,
		strerror(-err));
	exit(1);
}

void mem__free(void *p)
{
	free(p);
}

char *mem__string(const char *text)
{
	return checked(strdup(text), strlen(text) + 1);
}

char *mem__format(const char *format, ...)
{
	va_list args;
	char *text = NULL;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	return checked(n < 0 ? NULL : text, 1);
}

void *mem__grow(void *array, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return array;
	*cap = *cap ? *cap * 2 : 8;
	return mem__resize(array, *cap * size);
}

void text__add(struct text *t, const char *format, ...)
{
	va_list args, again;
	int need;

	va_start(args, format);
	va_copy(again, args);
	need = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (need < 0)
		need = 0;
	if (t->n + (size_t)need + 1 > t->cap) {
		t->cap = (t->n + (size_t)need + 1) * 2;
		t->at = mem__resize(t->at, t->cap);
	}
	vsnprintf(t->at + t->n, (size_t)need + 1, format, again);
	va_end(again);
	t->n += (size_t)need;
}

void text__free(struct text *t)
{
	free(t->at);
	memset(t, 0, sizeof(*t));
}
