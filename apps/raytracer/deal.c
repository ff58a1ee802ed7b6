// SPDX-License-Identifier: BSD-2-Clause
#include "apps/raytracer/deal.h"

#include <dsm.h>

#include <string.h>

#include "apps/common/parts.h"

void deal__open(struct deal *d, long size)
{
	size_t n = (size_t)size;

	*d = (struct deal){.size = size};
	if (dsm_node() == 0) /* an object of a page, so nothing else is on it */
		dsm_root_set("next row", dsm_new_flat(long, DSM_PAGE_SIZE / sizeof(long)));
	parts__share("picture", dsm_new_rows(uint32_t, n, n), d->rows);
	parts__share("drawn", dsm_new_flat(long, n + 1), d->drawn);
	d->next = dsm_root("next row");
}

/* A node takes half of what would be its part of the rest: rows differ in what they cost, and nodes in their speed. */
static long share_of(long left)
{
	long parts = 2l * dsm_nodes();

	return (left + parts - 1) / parts;
}

/* The first of *count rows; 0 of them: all have been taken. */
static long take(const struct deal *d, long *count)
{
	long first = 0;

	DSM_TX_ON(d->next) {
		first = *d->next;
		*count = share_of(d->size - first);
		*d->next = first + *count;
	}
	return first;
}

/* A row takes milliseconds. So it is drawn outside the transaction: its pages are in use for a moment only. They are this
 * node's own until the barrier. */
static void draw(struct deal *d, const struct scene *scene, long y, uint32_t *line)
{
	uint32_t *rows = d->rows[dsm_node()];
	long *drawn = d->drawn[dsm_node()];

	trace__row(scene, d->size, y, line);
	DSM_TX_INDEPENDENT {
		memcpy(rows + d->count * d->size, line, (size_t)d->size * sizeof(*line));
		drawn[0] = d->count + 1;
		drawn[1 + d->count] = y;
		dsm_progress(1);
	}
	d->count++;
}

void deal__draw(struct deal *d, const struct scene *scene, uint32_t *line, const struct app *app)
{
	for (long turn = 0;; turn++) {
		long count = 0, first = take(d, &count);
		if (turn == 1)
			dsm_phase("steady");
		if (!count)
			break;
		for (long y = first; y < first + count; y++)
			draw(d, scene, y, line);
		app__progress(app, (double)(first + count) / (double)d->size, "rows");
	}
	app__progress_end(app);
}

void deal__gather(const struct deal *d, uint32_t *pixels)
{
	size_t row = (size_t)d->size * sizeof(*pixels);

	for (int node = 0; node < dsm_nodes(); node++) {
		const uint32_t *rows = d->rows[node];
		const long *drawn = d->drawn[node];
		long count, y;

		dsm_peek(&count, drawn, sizeof(count));
		for (long k = 0; k < count; k++) {
			dsm_peek(&y, drawn + 1 + k, sizeof(y));
			dsm_peek(pixels + y * d->size, rows + k * d->size, row);
		}
	}
}
