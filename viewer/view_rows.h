/* SPDX-License-Identifier: BSD-2-Clause */
/* view_rows.h - one node or page as one row of columns; wider screens get more columns. Which ones depends on the run's
 * consistency model: transactions that abort, or intervals that wait. Pure. */
#ifndef PROCOPE_VIEWER_VIEW_ROWS_H
#define PROCOPE_VIEWER_VIEW_ROWS_H

#include "viewer/canvas.h"
#include "viewer/model.h"

/* `active`: the pane has the keyboard. */
void view_rows__node_heading(struct canvas *c, const struct model *m, int y, bool active);
void view_rows__node(struct canvas *c, const struct model *m, const struct model_node *n, int y);
void view_rows__page_heading(struct canvas *c, const struct model *m, int y, bool active);
void view_rows__page(struct canvas *c, const struct model *m, const struct model_page *p, int y);
/* All that is known of one page in a line: what narrow columns had to cut. */
void view_rows__detail(struct canvas *c, const struct model *m, const struct model_page *p, int y);

#endif
