/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * shadow.h - second copies of pages: twins, and newer versions that wait behind a doomed reader. Also used
 * to undo. Private memory in a pool; nothing is given back to the system before close.
 */
#ifndef DSM_MEMORY_SHADOW_H
#define DSM_MEMORY_SHADOW_H

#include <stdint.h>

struct shadow;

/* Lives as long as the process. Errors: -ENOMEM. */
int shadow__open(struct shadow **out, uint32_t pages);
/* The copy of a page, or NULL. */
uint8_t *shadow__get(const struct shadow *s, uint32_t page);
/* The copy of a page, made (with undefined content) if there is none; NULL without memory. */
uint8_t *shadow__make(struct shadow *s, uint32_t page);
void shadow__drop(struct shadow *s, uint32_t page);

#endif
