// SPDX-License-Identifier: BSD-2-Clause
#include "apps/sor/grid.h"

#include "apps/common/random.h"
#include "apps/common/rows.h"

#define OMEGA 1.25
#define SEED  10101010u

size_t grid__row_bytes(const struct grid *g)
{
	return g->layout == APP_TUNED ? rows__pages((g->n + 1) / 2 * sizeof(double)) : g->n * sizeof(double);
}

/* Column j of row i. */
static double *cell(const struct grid *g, const struct grid_row *row, size_t i, size_t j)
{
	return row->colour[(i + j) & 1] + (g->layout == APP_TUNED ? j / 2 : j);
}

void grid__fill_row(const struct grid *g, struct grid_row row, size_t i)
{
	struct app_random r;

	app_random__seed(&r, SEED);
	app_random__skip(&r, (uint64_t)i * g->n);
	for (size_t j = 0; j < g->n; j++)
		*cell(g, &row, i, j) = app_random__next(&r) * 1e-6;
}

static void relax_whole(double *cells, const double *up, const double *down, size_t n, size_t first)
{
	const double quarter = OMEGA * 0.25, rest = 1.0 - OMEGA;

	for (size_t j = first; j + 1 < n; j += 2)
		cells[j] = quarter * (up[j] + down[j] + cells[j - 1] + cells[j + 1]) + rest * cells[j];
}

/* The same on split rows: all but `mine` are of the other colour. Column j = 2 k + odd is at k, its
 * neighbours to the left and right at k - 1 + odd and k + odd. */
static void relax_split(double *restrict mine, const double *restrict other, const double *restrict up,
			const double *restrict down, size_t n, size_t odd)
{
	const double quarter = OMEGA * 0.25, rest = 1.0 - OMEGA;

	for (size_t k = odd ? 0 : 1; 2 * k + odd + 1 < n; k++)
		mine[k] = quarter * (up[k] + down[k] + other[k - 1 + odd] + other[k + odd]) + rest * mine[k];
}

void grid__relax_row(const struct grid *g, struct grid_row row, struct grid_row up, struct grid_row down,
		     size_t i, int colour)
{
	size_t odd = (i + (size_t)colour) & 1; /* this colour's columns are odd */
	double *mine = row.colour[colour];

	if (g->layout == APP_TUNED)
		relax_split(mine, row.colour[!colour], up.colour[!colour], down.colour[!colour], g->n, odd);
	else
		relax_whole(mine, up.colour[0], down.colour[0], g->n, odd ? 1 : 2);
}

void grid_sum__init(struct grid_sum *sum)
{
	sum->inner = 0;
	sum->cells = APP_HASH;
}

void grid_sum__row(struct grid_sum *sum, const struct grid *g, struct grid_row row, size_t i)
{
	size_t n = g->n;

	for (size_t j = 0; j < n; j++) {
		const double *at = cell(g, &row, i, j);
		sum->cells = app__hash(sum->cells, at, sizeof(*at));
		if (i > 0 && i + 1 < n && j > 0 && j + 1 < n)
			sum->inner += *at;
	}
}
