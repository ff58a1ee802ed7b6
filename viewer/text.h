/* SPDX-License-Identifier: BSD-2-Clause */
/* text.h - short, fixed-width words for figures, and strings from outside made safe to show. */
#ifndef PROCOPE_VIEWER_TEXT_H
#define PROCOPE_VIEWER_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Decodes one UTF-8 character of `s` into `*out`. Returns the bytes used, or 0 where `s` is not valid
 * UTF-8 (overlong forms, surrogates and values past U+10FFFF included) or at its end. */
size_t text__decode(const char *s, uint32_t *out);

/* Copies `src` into dst[size], cut at a character boundary, with every byte that could steer a terminal
 * or is not UTF-8 replaced by '?': C0 and C1 controls, DEL, and the bidirectional overrides, which can
 * make a name look like another. A null `src` gives "". Thread-safe. */
void text__copy(char *dst, size_t size, const char *src);

/* Each writes into dst[size] and returns dst. NAN ("not known yet") gives "-". */
char *text__count(char *dst, size_t size, double value);     /* 7, 1234, 12.3k, 4.56M; at most 5 columns */
char *text__bytes(char *dst, size_t size, double bytes);     /* 512B, 4.0K, 12.3M: powers of 1024 */
char *text__nanos(char *dst, size_t size, double ns);	     /* 120ns, 4.5us, 12.3ms, 1.25s, 12m05 */
char *text__share(char *dst, size_t size, double share);     /* 0.234 -> 23.4% */
char *text__ratio(char *dst, size_t size, double ratio);     /* 0.101 */
char *text__elapsed(char *dst, size_t size, double seconds); /* 1:02:03 or 2:03 */

#endif
