/* SPDX-License-Identifier: BSD-2-Clause */
/* text.h - short, fixed-width words for figures. */
#ifndef PROCOPE_VIEWER_TEXT_H
#define PROCOPE_VIEWER_TEXT_H

#include <stddef.h>

/* Each writes into dst[size] and returns dst. NAN ("not known yet") gives "-". */
char *text__count(char *dst, size_t size, double value);     /* 7, 1234, 12.3k, 4.56M; at most 5 columns */
char *text__bytes(char *dst, size_t size, double bytes);     /* 512B, 4.0K, 12.3M: powers of 1024 */
char *text__nanos(char *dst, size_t size, double ns);	     /* 120ns, 4.5us, 12.3ms, 1.25s, 12m05 */
char *text__share(char *dst, size_t size, double share);     /* 0.234 -> 23.4% */
char *text__ratio(char *dst, size_t size, double ratio);     /* 0.101 */
char *text__elapsed(char *dst, size_t size, double seconds); /* 1:02:03 or 2:03 */

#endif
