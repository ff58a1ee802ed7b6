/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shown.h - names of programs, hosts, objects and files come from outside, and file names may hold any byte: this
 * makes them safe to show on a terminal, and in JSON, which must be UTF-8.
 */
#ifndef PROCOPE_COLLECTOR_SHOWN_H
#define PROCOPE_COLLECTOR_SHOWN_H

#include <stddef.h>
#include <stdint.h>

/* Decodes one UTF-8 character of `s` into `*out`. Returns the bytes used, or 0 where `s` is not valid
 * UTF-8 (overlong forms, surrogates and values past U+10FFFF included) or at its end. */
size_t shown__decode(const char *s, uint32_t *out);

/* Copies `src` into dst[size], cut at a character boundary, with every byte that could steer a terminal
 * or is not UTF-8 replaced by '?': C0 and C1 controls, DEL, and the bidirectional overrides, which can
 * make a name look like another. A null `src` gives "". Thread-safe. */
void shown__copy(char *dst, size_t size, const char *src);

#endif
