/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "collector/shown.h"
#include "viewer/text.h"

static void figures(void **state)
{
	char t[32];

	(void)state;
	assert_string_equal(text__count(t, sizeof(t), 0), "0");
	assert_string_equal(text__count(t, sizeof(t), 7), "7");
	assert_string_equal(text__count(t, sizeof(t), 0.25), "0.25");
	assert_string_equal(text__count(t, sizeof(t), 1234), "1234");
	assert_string_equal(text__count(t, sizeof(t), 12345), "12.3k");
	assert_string_equal(text__count(t, sizeof(t), 999999), "1.00M");
	assert_string_equal(text__count(t, sizeof(t), 4.56e9), "4.56G");
	assert_string_equal(text__count(t, sizeof(t), NAN), "-");
	assert_string_equal(text__bytes(t, sizeof(t), 4096), "4.00K");
	assert_string_equal(text__bytes(t, sizeof(t), 512), "512B");
	assert_string_equal(text__nanos(t, sizeof(t), 120), "120ns");
	assert_string_equal(text__nanos(t, sizeof(t), 4500), "4.50us");
	assert_string_equal(text__nanos(t, sizeof(t), 1.25e9), "1.25s");
	assert_string_equal(text__nanos(t, sizeof(t), 725e9), "12m05");
	assert_string_equal(text__share(t, sizeof(t), 0.2345), "23.4%");
	assert_string_equal(text__ratio(t, sizeof(t), 0.101), "0.101");
	assert_string_equal(text__elapsed(t, sizeof(t), 3723), "1:02:03");
	assert_string_equal(text__elapsed(t, sizeof(t), 63.9), "1:03");
	assert_string_equal(text__elapsed(t, sizeof(t), NAN), "0:00");
}

/* Columns are five wide and more: no figure may ever push its neighbours. */
static void figures_stay_narrow(void **state)
{
	char t[64];

	(void)state;
	for (double v = 0.001; v < 1e18; v *= 1.07) {
		assert_true(strlen(text__count(t, sizeof(t), v)) <= 5);
		assert_true(strlen(text__bytes(t, sizeof(t), v)) <= 6);
	}
	for (double v = 0.1; v < 1e14; v *= 1.07)
		assert_true(strlen(text__nanos(t, sizeof(t), v)) <= 7);
}

static void hostile_strings(void **state)
{
	char t[32], tiny[4];

	(void)state;
	shown__copy(t, sizeof(t), "a\x1b[31mb\x07\r\n\x7f");
	assert_string_equal(t, "a?[31mb????");
	shown__copy(t, sizeof(t), "caf\xc3\xa9"); /* good UTF-8 stays */
	assert_string_equal(t, "caf\xc3\xa9");
	shown__copy(t, sizeof(t),
		    "x\xc2\x9b"
		    "31m"); /* C1 control sequence introducer */
	assert_string_equal(t, "x?31m");
	shown__copy(t, sizeof(t),
		    "\xe2\x80\xae"
		    "gnp"); /* right-to-left override */
	assert_string_equal(t, "?gnp");
	shown__copy(t, sizeof(t), "\xff\xc0\x80\xed\xa0\x80"); /* not UTF-8: overlong, surrogate */
	assert_string_equal(t, "??????");
	shown__copy(t, sizeof(t), "abc\xc3"); /* cut in a character */
	assert_string_equal(t, "abc?");
	shown__copy(tiny, sizeof(tiny), "ab\xc3\xa9z"); /* never half a character */
	assert_string_equal(tiny, "ab");
	shown__copy(t, sizeof(t), NULL);
	assert_string_equal(t, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures),
		cmocka_unit_test(figures_stay_narrow),
		cmocka_unit_test(hostile_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
