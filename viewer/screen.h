/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * screen.h - a canvas on a real terminal, through ncurses.
 *
 * The terminal is given back whatever happens: screen__close() on every ordinary way out, and a handler
 * that writes the same sequences without ncurses when the program itself crashes. One screen at a time.
 */
#ifndef PROCOPE_VIEWER_SCREEN_H
#define PROCOPE_VIEWER_SCREEN_H

#include "viewer/canvas.h"

/* Takes the terminal over. -ENOTTY: input or output is none; -ENODEV: TERM names none that can be used. */
int screen__open(void);
void screen__close(void);

/* Columns and rows now; call after a resize. */
void screen__size(int *width, int *height);
/* After a stop: the terminal's modes are ours again, and the next screen is drawn anew, whatever is there. */
void screen__again(void);
void screen__draw(const struct canvas *c);
/* Next key without waiting: an enum ui_key, a character, or -1 when there is none. */
int screen__key(void);

/* What a colour is used for: none when NO_COLOR is set or the terminal has none. Set before open. */
void screen__allow_colour(bool allow);

#endif
