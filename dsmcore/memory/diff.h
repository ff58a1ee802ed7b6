/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * diff.h - the changed runs of a page against its twin. Pure.
 */
#ifndef DSM_MEMORY_DIFF_H
#define DSM_MEMORY_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dsm_events.h"

#define DIFF_PAGE     4096u
#define DIFF_RUNS_MAX (DIFF_PAGE / 2)

/* Do the pages differ at all? */
bool diff__any(const uint8_t *page, const uint8_t *twin);
/* Bit i: bytes [64 i, 64 i + 64) differ. 0: the pages are equal. */
uint64_t diff__blocks(const uint8_t *page, const uint8_t *twin);
/* Copies the blocks of diff__blocks(). */
void diff__copy_blocks(uint8_t *to, const uint8_t *from, uint64_t blocks);
/* Bit i % 64 of mask[i / 64]: byte i differs. */
#define DIFF_MASK_WORDS (DIFF_PAGE / 64)
void diff__mask(const uint8_t *page, const uint8_t *twin, uint64_t mask[DIFF_MASK_WORDS]);
/* The runs of set bits of a mask, ascending. runs has room for DIFF_RUNS_MAX. Returns how many. */
size_t diff__mask_runs(const uint64_t mask[DIFF_MASK_WORDS], struct dsm_ev_run *runs);
/* Encodes the changes as {u16 offset, u16 length, bytes}... into out (DIFF_PAGE bytes of room). Returns the
 * bytes used, or 0 when the whole page is shorter (or nothing changed). */
size_t diff__encode(const uint8_t *page, const uint8_t *twin, uint8_t *out);
/* Applies an encoded diff. Returns 0, or -EBADMSG when it does not fit the page (nothing is written). */
int diff__apply(uint8_t *page, const uint8_t *diff, size_t bytes);

/* The first byte in which both versions differ from their twin, DIFF_PAGE if there is none. */
size_t diff__both(const uint8_t *page, const uint8_t *other, const uint8_t *twin);
/* Gives the page what `other` has, but for the bytes in which it differs from its twin. The three do not overlap, and
 * nobody else writes the page meanwhile. */
void diff__rebase(uint8_t *page, const uint8_t *twin, const uint8_t *other);

/* ---- exact to the byte, for pages that several nodes write at once ---- */

/* The most bytes of an exact diff: every second byte as a mask, or so many runs. */
#define DIFF_MASK_BYTES	 (DIFF_PAGE / 8)
#define DIFF_EXACT_BYTES (DIFF_PAGE + DIFF_MASK_BYTES)

/* Encodes exactly the bytes that differ: as runs (*mask false, the form of diff__encode()) or, where that is
 * shorter, as a mask (bit i % 8 of byte i / 8: byte i of the page) and then the bytes of the set bits (*mask true).
 * out has room for DIFF_EXACT_BYTES. Returns the bytes used, 0: the pages are equal. `page` must not change
 * meanwhile. */
size_t diff__encode_exact(const uint8_t *page, const uint8_t *twin, uint8_t *out, bool *mask);
/* Is this a mask and as many bytes as it has bits? */
bool diff__mask_sane(const uint8_t *diff, size_t bytes);
/* Writes the bytes of a mask diff and touches no others, so that who writes those meanwhile loses nothing. Returns
 * 0, or -EBADMSG (nothing is written). */
int diff__apply_mask(uint8_t *page, const uint8_t *diff, size_t bytes);

#endif
