// SPDX-License-Identifier: BSD-2-Clause
#include "apps/mgs/vectors.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "apps/common/app.h"
#include "apps/common/random.h"

#define SEED	   20260101u
#define SEED_CHECK 7u

void vectors__fill_row(double *row, size_t n, size_t i)
{
	const double scale = 1 / sqrt((double)n);
	struct app_random r;

	app_random__seed(&r, SEED);
	app_random__skip(&r, (uint64_t)i * n);
	for (size_t j = 0; j < n; j++)
		row[j] = (2 * app_random__next(&r) - 1) * scale;
	row[i] += 2;
}

/* Four sums, so that an addition need not wait for the one before. Their order is fixed: it decides bits. */
static double dot(const double *a, const double *b, size_t n)
{
	double s[4] = {0};
	size_t j = 0;

	for (; j + 4 <= n; j += 4)
		for (size_t k = 0; k < 4; k++)
			s[k] += a[j + k] * b[j + k];
	for (; j < n; j++)
		s[0] += a[j] * b[j];
	return (s[0] + s[1]) + (s[2] + s[3]);
}

void vectors__normalise(double *row, size_t n)
{
	double length = sqrt(dot(row, row, n));

	for (size_t j = 0; j < n; j++)
		row[j] /= length;
}

void vectors__orthogonalise(double *row, const double *unit, size_t n)
{
	double part = dot(row, unit, n);

	for (size_t j = 0; j < n; j++)
		row[j] -= part * unit[j];
}

int vectors_check__open(struct vectors_check *c, size_t n)
{
	struct app_random r;

	*c = (struct vectors_check){.n = n, .hash = APP_HASH};
	c->x = malloc(n * sizeof(*c->x));
	c->back = calloc(n, sizeof(*c->back));
	if (!c->x || !c->back) {
		free(c->x);
		free(c->back);
		return -ENOMEM;
	}
	app_random__seed(&r, SEED_CHECK);
	for (size_t j = 0; j < n; j++)
		c->x[j] = 2 * app_random__next(&r) - 1;
	return 0;
}

void vectors_check__row(struct vectors_check *c, const double *row)
{
	double y = dot(row, c->x, c->n);

	for (size_t j = 0; j < c->n; j++) {
		c->back[j] += y * row[j];
		c->sum += row[j];
	}
	c->hash = app__hash(c->hash, row, c->n * sizeof(*row));
}

double vectors_check__close(struct vectors_check *c)
{
	double worst = 0;

	for (size_t j = 0; j < c->n; j++) {
		double off = fabs(c->back[j] - c->x[j]);
		if (!(off <= worst)) /* a NaN is the worst of all */
			worst = off;
	}
	free(c->x);
	free(c->back);
	return worst;
}
