/* SPDX-License-Identifier: BSD-2-Clause */
/* Samples, quantiles and the common fields of dsmbench. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include <json-c/json.h>

#include "dsmcore/bench/bench.h"

static double number(struct json_object *o, const char *key)
{
	struct json_object *v;

	assert_true(json_object_object_get_ex(o, key, &v));
	return v ? json_object_get_double(v) : NAN;
}

/* 1000, 999 ... 1: the q-th quantile by nearest rank is q * 1000. */
static void quantiles_by_nearest_rank(void **state)
{
	struct results r = {0};

	(void)state;
	for (int i = 1000; i > 0; i--)
		assert_int_equal(results__sample(&r, "fault", "waiting", 2, i), 0);
	struct series *s = results__series(&r, "fault", "waiting", 2);
	assert_non_null(s);
	assert_int_equal(s->n, 1000);
	assert_float_equal(series__quantile(s, 0.5), 500, 0);
	assert_float_equal(series__quantile(s, 0.9), 900, 0);
	assert_float_equal(series__quantile(s, 0.999), 999, 0);
	assert_float_equal(series__quantile(s, 1), 1000, 0);
	assert_float_equal(series__quantile(s, 0), 1, 0);
	assert_float_equal(s->us[0], 1000, 0); /* the order of the samples stays */
	results__free(&r);
}

static void nothing_measured_is_null(void **state)
{
	struct json_object *o = figure__json("fault", "tcp", 2, "waiting", NULL, NULL), *v;

	(void)state;
	assert_true(isnan(series__quantile(NULL, 0.5)));
	assert_true(json_object_object_get_ex(o, "median_us", &v));
	assert_null(v);
	assert_true(json_object_object_get_ex(o, "ratio", &v));
	assert_null(v);
	assert_float_equal(number(o, "samples"), 0, 0);
	json_object_put(o);
}

static void series_are_told_apart(void **state)
{
	struct results r = {0};

	(void)state;
	results__sample(&r, "fault", "waiting", 2, 10);
	results__sample(&r, "fault", "computing", 2, 30);
	results__sample(&r, "floor", "waiting", 2, 5);
	results__sample(&r, "barrier", "", 2, 1);
	results__sample(&r, "barrier", "", 4, 2);
	assert_null(results__series(&r, "floor", "computing", 2));
	assert_float_equal(results__series(&r, "barrier", "", 4)->us[0], 2, 0);
	struct json_object *o =
		figure__json("fault", "tcp", 2, "waiting", results__series(&r, "fault", "waiting", 2),
			     results__series(&r, "floor", "waiting", 2));
	assert_float_equal(number(o, "median_us"), 10, 1e-9);
	assert_float_equal(number(o, "floor_us"), 5, 1e-9);
	assert_float_equal(number(o, "ratio"), 2, 1e-9);
	json_object_put(o);
	results__free(&r);
}

static void merging_numbers_the_names(void **state)
{
	struct results all = {0}, part = {0};

	(void)state;
	results__sample(&part, "commit", "", 1, 7);
	results__sample(&part, "commit", "", 1, 8);
	assert_int_equal(results__merge(&all, &part, 16), 0);
	struct series *s = results__series(&all, "commit16", "", 1);
	assert_non_null(s);
	assert_int_equal(s->n, 2);
	assert_float_equal(s->us[1], 8, 0);
	results__free(&part);
	results__free(&all);
}

static void newest_value_counts(void **state)
{
	struct results r = {0};

	(void)state;
	assert_true(isnan(results__number(&r, "rate")));
	results__value(&r, "rate", 1);
	results__value(&r, "rate", 2);
	assert_float_equal(results__number(&r, "rate"), 2, 0);
	results__free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_by_nearest_rank), cmocka_unit_test(nothing_measured_is_null),
		cmocka_unit_test(series_are_told_apart),     cmocka_unit_test(merging_numbers_the_names),
		cmocka_unit_test(newest_value_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
