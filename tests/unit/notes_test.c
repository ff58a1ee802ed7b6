// SPDX-License-Identifier: BSD-2-Clause
/* Notes from other runtimes: each has its length, and what no node can have sent is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dsmcore/memory/objects.h"
#include "dsmcore/runtime/notes.h"

static bool sane(uint16_t type, uint64_t first, size_t n)
{
	uint8_t room[33] = {0};

	memcpy(room + 1, &first, sizeof(first)); /* as in a frame: not aligned */
	return notes__sane(type, room + 1, n);
}

static void test_lengths(void **state)
{
	(void)state;
	for (size_t n = 0; n <= 32; n++) {
		assert_int_equal(sane(OBJECTS_NOTE_FREE, 4096, n), n && n % 8 == 0);
		assert_int_equal(sane(NOTE_CLOCK_PING, 1, n), n == 8);
		assert_int_equal(sane(NOTE_CLOCK_PONG, 1, n), n == 16);
		assert_int_equal(sane(NOTE_FINISHED, 1, n), n == 8);
		assert_false(sane(0, 1, n));
		assert_false(sane(NOTE_FINISHED + 1, 1, n));
		assert_false(sane(UINT16_MAX, 1, n));
	}
}

/* The number of barriers is kept plus one; 0 means that the peer's program still runs. */
static void test_finished(void **state)
{
	(void)state;
	assert_true(sane(NOTE_FINISHED, 0, 8));
	assert_true(sane(NOTE_FINISHED, UINT64_MAX - 1, 8));
	assert_false(sane(NOTE_FINISHED, UINT64_MAX, 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_finished),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
