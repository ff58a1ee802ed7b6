/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * canvas.h - a grid of character cells.
 *
 * Everything dsmtop shows is drawn here first, without a terminal: ncurses copies the grid to the
 * screen, batch mode prints it, and the unit tests read it. Each cell holds one column, so a character
 * that takes none or two is drawn as '?' and no line can ever be pushed out of its place.
 */
#ifndef PROCOPE_VIEWER_CANVAS_H
#define PROCOPE_VIEWER_CANVAS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CANVAS_SIDE_MAX 4096 /* columns, rows */

enum style {
	STYLE_PLAIN,
	STYLE_DIM,
	STYLE_BOLD,
	STYLE_TITLE,	/* the top line */
	STYLE_HEADING,	/* column names */
	STYLE_SORTED,	/* the column that rows are ordered by */
	STYLE_SELECTED, /* a row */
	STYLE_ALARM,	/* losses, a source that went away */
	STYLE_GOOD,
	STYLE_WASTE,
	STYLE_WAIT,
	STYLE_GRAPH,
	STYLE_KEY,
	STYLE_OBJECT,
	STYLE_COUNT
};

struct cell {
	uint32_t ch; /* a code point of one column */
	uint8_t style;
};

struct canvas {
	int width, height;
	bool utf8; /* false: only ASCII comes out */
	struct cell *cells;
};

/* Makes an empty grid (the old one, if any, is freed first: zero the struct before the first call).
 * -ENOMEM, or -EINVAL for a size that is not positive or absurd. */
int canvas__resize(struct canvas *c, int width, int height, bool utf8);
void canvas__free(struct canvas *c);
void canvas__clear(struct canvas *c);

/* Draws UTF-8 text from column x of row y, clipped at column `limit` (or the edge, when limit is 0);
 * returns the column after it. Positions outside the grid are allowed and draw nothing. */
int canvas__text(struct canvas *c, int x, int y, int limit, enum style style, const char *text);
int canvas__textf(struct canvas *c, int x, int y, enum style style, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* Draws text so that it ends before column `end`. */
void canvas__right(struct canvas *c, int end, int y, enum style style, const char *text);
void canvas__cell(struct canvas *c, int x, int y, enum style style, uint32_t ch);
/* Gives a whole row a style; `keep` leaves cells alone that have a style already. */
void canvas__style_row(struct canvas *c, int y, enum style style, bool keep);

/* Prints rows [from, to) as UTF-8 lines without trailing blanks. Returns 0 or -EIO. */
int canvas__print(const struct canvas *c, FILE *out, int from, int to);
/* The same for one row into buf[size]; for tests and for messages. */
void canvas__row(const struct canvas *c, int y, char *buf, size_t size);

#endif
