/* SPDX-License-Identifier: BSD-2-Clause */
/* show.h - the shared scene, drawn live on the terminal by one node while it walks. */
#ifndef APPS_WORLD_SHOW_H
#define APPS_WORLD_SHOW_H

#include "apps/world/world.h"

/* Begins to show the world (of `nodes` nodes), on the terminal that is open. Returns 0 or -ENOMEM. */
int show__begin(const struct world *w, int nodes);
/* Draws all avatars as they stand now, if it is time to. steps: this node's; elapsed: seconds of the walk. When the
 * user leaves the view, gives the terminal back, and does nothing from then on; Ctrl-C ends this node by SIGINT. */
void show__step(const struct world *w, uint64_t steps, double elapsed);
/* The walk is over: gives the terminal back. */
void show__end(void);

#endif
