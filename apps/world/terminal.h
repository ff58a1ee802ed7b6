/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * terminal.h - the terminal that a run was started from, taken by one of its nodes for a while.
 *
 * A node of dsmrun is in the background: it may neither read the terminal nor set it up. So it makes its own process
 * group the foreground, and gives that back. However the node ends, even by SIGKILL, a child that only waits
 * for its end puts everything back as it was.
 */
#ifndef APPS_WORLD_TERMINAL_H
#define APPS_WORLD_TERMINAL_H

#include "apps/common/app.h"
#include "apps/world/picture.h"

/* Takes the terminal. Returns 0, or APP_USAGE after a message. */
int terminal__open(const struct app *app);
/* Gives it back. Nothing happens when it is not taken. */
void terminal__close(void);

/* Its size now. */
void terminal__size(int *width, int *height);
void terminal__draw(const struct picture *p);

enum terminal_key { TERMINAL_NONE, TERMINAL_LEAVE, TERMINAL_INTERRUPT };
/* What was pressed last of what means anything; does not wait. */
enum terminal_key terminal__key(void);

#endif
