// SPDX-License-Identifier: BSD-2-Clause
#include "apps/kmeans/points.h"

#include "apps/common/random.h"

#define SEED_PLACE 11u
#define SEED_POINT 12u
#define SPREAD	   8192

void point__make(struct point *p, long i, long groups)
{
	struct app_random place, noise;

	app_random__seed(&noise, SEED_POINT);
	app_random__skip(&noise, (uint64_t)i * (POINT_DIMENSIONS + 1));
	app_random__seed(&place, SEED_PLACE);
	app_random__skip(&place, (uint64_t)(app_random__next(&noise) * (double)groups) * POINT_DIMENSIONS);
	for (int d = 0; d < POINT_DIMENSIONS; d++)
		p->x[d] = (int32_t)(app_random__next(&place) * (65536 - SPREAD) +
				    app_random__next(&noise) * SPREAD);
}

static int64_t distance(const struct point *a, const struct point *b)
{
	int64_t sum = 0;

	for (int d = 0; d < POINT_DIMENSIONS; d++) {
		int64_t apart = a->x[d] - b->x[d];
		sum += apart * apart;
	}
	return sum;
}

int point__nearest(const struct point *p, const struct point *centre, int clusters, int64_t *square)
{
	int nearest = 0;

	*square = INT64_MAX;
	for (int c = 0; c < clusters; c++) {
		int64_t apart = distance(p, &centre[c]);
		if (apart < *square) {
			*square = apart;
			nearest = c;
		}
	}
	return nearest;
}

void sum__add(struct sum *sum, const struct point *p)
{
	for (int d = 0; d < POINT_DIMENSIONS; d++)
		sum->x[d] += p->x[d];
	sum->count++;
}

void sum__join(struct sum *sum, const struct sum *other)
{
	for (int d = 0; d < POINT_DIMENSIONS; d++)
		sum->x[d] += other->x[d];
	sum->count += other->count;
}

void tally__note(struct tally *tally, int32_t *label, int cluster, int64_t square)
{
	tally->distance += square;
	if (*label != cluster) {
		*label = cluster;
		tally->moved++;
	}
}

void centre__move(struct point *centre, const struct sum *sum)
{
	for (int d = 0; sum->count && d < POINT_DIMENSIONS; d++)
		centre->x[d] = (int32_t)(sum->x[d] / sum->count);
}
