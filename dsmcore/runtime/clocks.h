/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clocks.h - how far the peers' clocks are from ours, so that traces of several hosts can be merged.
 */
#ifndef DSM_RUNTIME_CLOCKS_H
#define DSM_RUNTIME_CLOCKS_H

#include <stddef.h>
#include <stdint.h>

/* Pings a peer now and then, one after the other. The caller holds node.lock (both calls). */
void clocks__tick(void);
/* A ping or pong came in; others are ignored. */
void clocks__note(uint16_t from, uint16_t type, const void *bytes, size_t n);

#endif
