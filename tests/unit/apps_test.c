// SPDX-License-Identifier: BSD-2-Clause
/* apps_test.c - what the example programs compute with, against what is known without them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "apps/common/rows.h"
#include "apps/hashmap/table.h"
#include "apps/lu/blocks.h"
#include "apps/mgs/vectors.h"
#include "apps/raytracer/trace.h"
#include "apps/sor/grid.h"
#include "apps/tsp/tour.h"

/* Every row has a place in its part, no two share one, and the parts are as large as they say. */
static void check_rows(struct rows r)
{
	static char memory[ROWS_NODES][64];
	bool taken[ROWS_NODES][64] = {0};
	long all = 0;

	r.pitch = 1;
	for (long node = 0; node < r.nodes; node++) {
		r.part[node] = memory[node];
		all += rows__in_part(&r, node);
	}
	assert_int_equal(all, r.count);
	for (long i = 0; i < r.count; i++) {
		const char *at = rows__at(&r, i);
		long node = (at - memory[0]) / 64, index = (at - memory[0]) % 64;
		assert_in_range(node, 0, r.nodes - 1);
		assert_in_range(index, 0, rows__in_part(&r, node) - 1);
		assert_false(taken[node][index]);
		taken[node][index] = true;
		if (r.order == ROWS_BLOCK && i >= r.shift) {
			long owner = rows__owner(r.count, r.nodes, i - r.shift);
			assert_int_equal(node, owner);
		}
	}
}

static void rows_have_places(void **state)
{
	(void)state;
	for (long count = 1; count < 40; count++)
		for (long nodes = 1; nodes < 9; nodes++) {
			check_rows((struct rows){.order = ROWS_FLAT, .count = count, .nodes = nodes});
			check_rows((struct rows){.order = ROWS_CYCLIC, .count = count, .nodes = nodes});
			for (long shift = 0; shift < 45; shift += 4)
				check_rows((struct rows){
					.order = ROWS_BLOCK, .count = count, .nodes = nodes, .shift = shift});
		}
}

/* ---- sor ---- */

static struct grid_row row_of(double *const *array, size_t pitch, size_t i)
{
	return (struct grid_row){{array[0] + i * pitch, array[1] + i * pitch}};
}

static void both_layouts_relax_alike(void **state)
{
	(void)state;
	for (size_t n = 1; n < 12; n++) {
		struct grid_sum sum[2];
		for (int tuned = 0; tuned < 2; tuned++) {
			struct grid g = {n, tuned ? APP_TUNED : APP_NATURAL};
			size_t pitch = grid__row_bytes(&g) / sizeof(double);
			double *array[2] = {calloc(n, pitch * sizeof(double)), NULL};
			array[1] = tuned ? calloc(n, pitch * sizeof(double)) : array[0];
			for (size_t i = 0; i < n; i++)
				grid__fill_row(&g, row_of(array, pitch, i), i);
			for (int half = 0; half < 6; half++)
				for (size_t i = 1; i + 1 < n; i++)
					grid__relax_row(&g, row_of(array, pitch, i),
							row_of(array, pitch, i - 1),
							row_of(array, pitch, i + 1), i, half & 1);
			grid_sum__init(&sum[tuned]);
			for (size_t i = 0; i < n; i++)
				grid_sum__row(&sum[tuned], &g, row_of(array, pitch, i), i);
			if (tuned)
				free(array[1]);
			free(array[0]);
		}
		assert_true(sum[0].cells == sum[1].cells);
	}
}

/* ---- tsp ---- */

static int try_all(const struct cities *c, int at, unsigned seen, int length)
{
	int best = INT32_MAX;

	if (seen == (1u << c->n) - 1)
		return length + c->distance[at][0];
	for (int to = 1; to < c->n; to++)
		if (!(seen >> to & 1)) {
			int one = try_all(c, to, seen | 1u << to, length + c->distance[at][to]);
			best = one < best ? one : best;
		}
	return best;
}

static void the_shortest_tour_is_found(void **state)
{
	(void)state;
	for (int n = 1; n <= 8; n++)
		for (uint64_t seed = 0; seed < 20; seed++) {
			struct tour best, found;
			struct cities c;
			long count;
			cities__make(&c, n, seed);
			struct work *work = cities__work(&c, &count);
			best = cities__greedy(&c);
			assert_true(tour__valid(&best, &c));
			for (long i = 0; i < count; i++) {
				assert_true(i == 0 || work[i - 1].length <= work[i].length);
				cities__search(&c, &work[i], &best, &found);
				if (found.length < best.length)
					best = found;
			}
			assert_true(tour__valid(&best, &c));
			assert_int_equal(best.length, try_all(&c, 0, 1, 0));
			best.length--;
			assert_false(tour__valid(&best, &c));
			free(work);
		}
}

/* ---- the checks of mgs and lu see what is wrong ---- */

static void a_slanted_row_is_seen(void **state)
{
	enum { N = 20 };
	double q[N][N], off[2];
	struct vectors_check c;

	(void)state;
	for (size_t i = 0; i < N; i++)
		vectors__fill_row(q[i], N, i);
	for (size_t i = 0; i < N; i++) {
		vectors__normalise(q[i], N);
		for (size_t j = i + 1; j < N; j++)
			vectors__orthogonalise(q[j], q[i], N);
	}
	for (int wrong = 0; wrong < 2; wrong++) {
		q[7][3] += wrong * 1e-6;
		assert_int_equal(vectors_check__open(&c, N), 0);
		for (size_t i = 0; i < N; i++)
			vectors_check__row(&c, q[i]);
		off[wrong] = vectors_check__close(&c);
	}
	assert_true(off[0] <= VECTORS_TOLERANCE);
	assert_true(off[1] > VECTORS_TOLERANCE);
	double gap = 0; /* the long way, for the right rows */
	for (size_t i = 0; i < N; i++)
		for (size_t j = 0; j < i; j++) {
			double dot = 0;
			for (size_t k = 0; k < N; k++)
				dot += (q[i][k] - (i == 7 && k == 3 ? 1e-6 : 0)) *
				       (q[j][k] - (j == 7 && k == 3 ? 1e-6 : 0));
			gap = dot > gap ? dot : -dot > gap ? -dot : gap;
		}
	assert_true(gap < 1e-12);
}

static void a_wrong_factor_is_seen(void **state)
{
	enum { N = 11 };
	double a[N * N] = {0};
	struct blocks b;

	(void)state;
	blocks__set(&b, N, 4, 1, APP_NATURAL);
	b.part[0] = a;
	for (long i = 0; i < b.across; i++)
		for (long j = 0; j < b.across; j++)
			blocks__fill(&b, i, j);
	assert_false(blocks__check(a, N) <= BLOCKS_TOLERANCE); /* not factored yet */
	for (long k = 0; k < b.across; k++) {
		block__factor(blocks__at(&b, k, k));
		for (long j = k + 1; j < b.across; j++) {
			block__divide_left(blocks__at(&b, k, j), blocks__at(&b, k, k));
			block__divide_right(blocks__at(&b, j, k), blocks__at(&b, k, k));
		}
		for (long i = k + 1; i < b.across; i++)
			for (long j = k + 1; j < b.across; j++)
				block__update(blocks__at(&b, i, j), blocks__at(&b, i, k),
					      blocks__at(&b, k, j));
	}
	assert_true(blocks__check(a, N) <= BLOCKS_TOLERANCE);
	a[5 * N + 2] += 1e-6;
	assert_false(blocks__check(a, N) <= BLOCKS_TOLERANCE);
}

/* ---- hashmap ---- */

static struct entry *make_entry(void)
{
	return calloc(1, sizeof(struct entry));
}

static void a_full_page_overflows(void **state)
{
	enum { KEYS = 2 * BUCKET_SLOTS };
	struct table t = {.places = 2, .pages = {.count = 2, .nodes = 1, .pitch = sizeof(struct bucket)}};

	(void)state;
	t.pages.part[0] = calloc(2, sizeof(struct bucket));
	for (long i = 0; i < 2 * KEYS; i++)
		assert_true(table__add(&t, key__of(i, KEYS), (uint64_t)i + 1));
	assert_false(table__add(&t, key__make(KEYS), 1)); /* no page has room */
	assert_null(table__find(&t, key__make(KEYS)));
	for (long k = 0; k < KEYS; k++)
		assert_true(value__right(table__find(&t, key__make((uint64_t)k)), k, KEYS));
	free(t.pages.part[0]);
}

/* A part is a ring: what overflows in it never comes to another node's. */
static void each_part_overflows_into_itself(void **state)
{
	struct table t = {.places = 7, .pages = {.count = 7, .nodes = 3}};

	(void)state;
	for (long node = 0; node < 3; node++)
		for (long place = rows__block(7, 3, node); place < rows__block(7, 3, node + 1); place++) {
			uint64_t next = table__next(&t, (uint64_t)place);
			assert_int_equal(rows__owner(7, 3, (long)next), node);
			assert_int_equal(next, place + 1 < rows__block(7, 3, node + 1)
						       ? place + 1
						       : rows__block(7, 3, node));
		}
}

static void chains_hold_all_keys(void **state)
{
	enum { KEYS = 100 };
	struct entry *bucket[4] = {0};
	struct chains chains = {.buckets = 4, .bucket = bucket};
	struct table t = {.chains = &chains, .heads = bucket, .places = 4, .make = make_entry};

	(void)state;
	for (long i = 0; i < 2 * KEYS; i++)
		assert_true(table__add(&t, key__of(i, KEYS), (uint64_t)i + 1));
	assert_int_equal(chains.used, KEYS);
	for (long k = 0; k < KEYS; k++)
		assert_true(value__right(table__find(&t, key__make((uint64_t)k)), k, KEYS));
	assert_null(table__find(&t, key__make(KEYS)));
	table__add(&t, key__make(3), 1); /* once too often */
	assert_false(value__right(table__find(&t, key__make(3)), 3, KEYS));
	for (int i = 0; i < 4; i++)
		for (struct entry *e = bucket[i], *next; e; e = next) {
			next = e->next;
			free(e);
		}
}

/* ---- raytracer ---- */

/* One light behind the eye, one sphere that only scatters: the middle is lit in full, the corner sees nothing. */
static void a_sphere_is_lit(void **state)
{
	struct sphere ball = {.colour = {1, 0.5, 0}, .radius = 1, .surface = {.diffuse = 1, .index = 1}};
	struct scene s = {.from = {0, 0, -10},
			  .up = {0, 1, 0},
			  .angle = 30,
			  .nlights = 1,
			  .nspheres = 1,
			  .light = {{{0, 0, -20}, 1}},
			  .sphere = &ball};
	uint32_t row[20];

	(void)state;
	trace__row(&s, 20, 10, row); /* pixel 10 of 20 looks straight ahead */
	assert_int_equal(row[10], 0xff7f00);
	assert_int_equal(row[0], 0);
	struct sphere two[] = {ball, ball};
	two[1].centre.z = -15; /* between the light and the ball, behind the eye */
	s.sphere = two;
	s.nspheres = 2;
	trace__row(&s, 20, 10, row);
	assert_int_equal(row[10], 0);
	assert_int_equal(trace__checksum((uint32_t[]){0x010203, 0xff0000}, 2), 6 + 255);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_have_places),
		cmocka_unit_test(both_layouts_relax_alike),
		cmocka_unit_test(the_shortest_tour_is_found),
		cmocka_unit_test(a_slanted_row_is_seen),
		cmocka_unit_test(a_wrong_factor_is_seen),
		cmocka_unit_test(a_full_page_overflows),
		cmocka_unit_test(each_part_overflows_into_itself),
		cmocka_unit_test(chains_hold_all_keys),
		cmocka_unit_test(a_sphere_is_lit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
