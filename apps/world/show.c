// SPDX-License-Identifier: BSD-2-Clause
#include "apps/world/show.h"

#include <dsm.h>

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "apps/world/terminal.h"

#define PERIOD 0.08 /* seconds from one picture to the next */

static struct {
	bool on;
	int nodes;
	struct tile *tiles; /* a copy: the ground never changes */
	struct picture picture;
	double next;
	uint64_t steps; /* when the last rate was taken */
	double since, rate;
} show;

int show__begin(const struct world *w, int nodes)
{
	long cells = (long)w->scene.columns * w->scene.rows;

	show.tiles = calloc((size_t)cells, sizeof(*show.tiles));
	if (!show.tiles) {
		terminal__close();
		return -ENOMEM;
	}
	for (long i = 0; i < cells; i++)
		dsm_peek(&show.tiles[i], dsm_at(w->terrain, i), sizeof(*show.tiles));
	show.nodes = nodes;
	show.on = true;
	return 0;
}

void show__end(void)
{
	if (!show.on)
		return;
	terminal__close();
	picture__free(&show.picture);
	free(show.tiles);
	show.on = false;
}

static void write_texts(const struct world *w, uint64_t steps, double elapsed)
{
	struct score score;
	char text[256];

	if (elapsed - show.since >= 1) {
		show.rate = (double)(steps - show.steps) / (elapsed - show.since);
		show.since = elapsed;
		show.steps = steps;
	}
	dsm_peek(&score, w->score, sizeof(score));
	snprintf(text, sizeof(text),
		 " %s from node %d of %d   %.0f s   %" PRIu64 " steps here (%.0f/s)   %" PRIu64
		 " goals, last by %.15s",
		 w->scene.name, dsm_node(), show.nodes, elapsed, steps, show.rate, score.reached, score.last);
	picture__text(&show.picture, 0, text);
	picture__text(&show.picture, -1,
		      " 0-9, a-z: avatars of that node   A-F: goals   #: walls   q leaves the view   Ctrl-C "
		      "ends the run");
}

/* Each avatar as it was committed; not all at one moment, which would make the whole world one transaction. */
static void draw(const struct world *w, uint64_t steps, double elapsed)
{
	int width, height;
	struct avatar a;

	terminal__size(&width, &height);
	if ((width != show.picture.width || height != show.picture.height) &&
	    picture__fit(&show.picture, width, height, &w->scene))
		return;
	picture__ground(&show.picture, &w->scene, show.tiles);
	for (long i = 0; i < show.nodes * w->group; i++) {
		dsm_peek(&a, dsm_at(w->avatars, i), sizeof(a));
		picture__avatar(&show.picture, &w->scene, &a, (int)(i / w->group));
	}
	write_texts(w, steps, elapsed);
	terminal__draw(&show.picture);
}

void show__step(const struct world *w, uint64_t steps, double elapsed)
{
	if (!show.on || elapsed < show.next)
		return;
	show.next = elapsed + PERIOD;
	switch (terminal__key()) {
	case TERMINAL_INTERRUPT:
		show__end();
		signal(SIGINT, SIG_DFL);
		raise(SIGINT);
		return;
	case TERMINAL_LEAVE:
		show__end();
		return;
	case TERMINAL_NONE:
		draw(w, steps, elapsed);
	}
}
