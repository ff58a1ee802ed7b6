/* SPDX-License-Identifier: BSD-2-Clause */
/* view.h - the model and what the user looks at, drawn on a canvas of any size. Pure. */
#ifndef PROCOPE_VIEWER_VIEW_H
#define PROCOPE_VIEWER_VIEW_H

#include "viewer/canvas.h"
#include "viewer/ui.h"

/* Draws the whole screen, help and menu included. Every size is allowed: what does not fit is left out,
 * the least important first. Moves ui->selected and ui->top into range and sets ui->visible. */
void view__draw(struct canvas *c, const struct model *m, struct ui *ui);

/* Draws a page of text for batch mode: header, all nodes, `pages` pages at most (0 = all). Returns the
 * rows used; the canvas must have view__batch_rows() of them. */
int view__batch_rows(const struct model *m, size_t pages);
int view__batch(struct canvas *c, const struct model *m, const struct ui *ui, size_t pages);

/* Draws the newest values of the rate of aborts (sc, rc: conflicts) in columns [x, x + width) of rows [y, y + height): braille,
 * two samples a column, or ASCII. Returns the value at the top of the scale. */
double view__graph(struct canvas *c, const struct model *m, int x, int y, int width, int height);

#endif
