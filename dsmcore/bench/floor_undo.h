/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * floor_undo.h - what it costs at least that a loop can be undone: the same loop on plain memory.
 *
 * The loop relaxes rows of two pages, as one colour of red-black SOR does where each colour has an array of its own: each
 * row is written once a sweep, from three rows of the other array. No code of dsmcore is here. The ways:
 *
 *   bare     the loop alone: the floor
 *   twins    before so many rows, their pages are copied
 *   rights   the same, and the pages are opened for it and closed behind it by mprotect(): a write that nobody foresaw
 *            would be noticed
 *   pieces   the same, 2 MiB at a time, where the processor has one entry for all of them
 *
 * The memory is a memfd mapped twice, as in a page-based DSM: one view with rights, one that is always open, from which
 * twins are made; its memory is in pieces of 2 MiB where the kernel can do that.
 */
#ifndef DSM_BENCH_FLOOR_UNDO_H
#define DSM_BENCH_FLOOR_UNDO_H

#include <stddef.h>

enum undo_way { UNDO_BARE, UNDO_TWINS, UNDO_RIGHTS, UNDO_PIECES, UNDO_WAYS };

#define UNDO_ROW   1024l /* doubles: two pages */
#define UNDO_PAGES 2l	 /* of a row */
#define UNDO_ROWS  1024l /* of each array, the first and the last stay as they are */

struct floor_undo;
/* Memory for one way. Errors: negative errno (-ENOTSUP: no pieces of 2 MiB here). */
int floor_undo__open(struct floor_undo **out, enum undo_way way);
void floor_undo__close(struct floor_undo *u);
/* One sweep over all rows but the first and last. Errors: negative errno of mprotect(). */
int floor_undo__sweep(struct floor_undo *u);

/* Rows of UNDO_ROW doubles: `at` from the three rows of the other array. */
void floor_undo__row(double *at, const double *up, const double *same, const double *down);

#endif
