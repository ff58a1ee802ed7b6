// SPDX-License-Identifier: BSD-2-Clause
/* frame_test.c - frames between dsmrun and its agents. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dsmcore/launch/frame.h"

/* Whole frames come out, however the bytes were cut, and not before. */
static void pieces(void **state)
{
	static const char talk[] = "Welcome!\nprocope-agent-0\n" AGENT_HELLO;
	struct frame_reader r = {0};
	struct frame_head head;
	const uint8_t *payload;
	uint8_t bytes[512];
	int fds[2], rc;
	ssize_t n;
	unsigned frames = 0;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], talk, sizeof(talk) - 1), (ssize_t)sizeof(talk) - 1);
	assert_int_equal(frame__send(fds[1], FRAME_OUT, 3, "ab", 2, "cde", 3), 0);
	assert_int_equal(frame__send(fds[1], FRAME_PAIRS, FRAME_NO_NODE, NULL, 0, NULL, 0), 0);
	n = read(fds[0], bytes, sizeof(bytes));
	for (ssize_t i = 0; i < n; i++) {
		assert_int_equal(write(fds[1], bytes + i, 1), 1);
		assert_int_equal(frame__read(&r, fds[0]), 0);
		while (frame__next(&r, &head, &payload, &rc)) {
			if (frames++ == 0) {
				assert_int_equal(head.kind, FRAME_OUT);
				assert_int_equal(head.node, 3);
				assert_int_equal(head.bytes, 5);
				assert_memory_equal(payload, "abcde", 5);
				assert_int_equal(i, n - 1 - (ssize_t)sizeof(head));
			} else {
				assert_int_equal(head.kind, FRAME_PAIRS);
				assert_int_equal(i, n - 1);
			}
		}
		assert_int_equal(rc, 0);
	}
	assert_int_equal(frames, 2);
	close(fds[1]);
	assert_int_equal(frame__read(&r, fds[0]), -EPIPE);
	close(fds[0]);
	frame__free(&r);
}

static int refusal(const void *bytes, size_t n, bool greeted)
{
	struct frame_reader r = {.greeted = greeted};
	struct frame_head head;
	const uint8_t *payload;
	int fds[2], rc = 0;

	assert_int_equal(pipe(fds), 0);
	for (size_t at = 0; at < n && !rc;) { /* less than a pipe holds */
		size_t part = n - at < 4096 ? n - at : 4096;

		assert_int_equal(write(fds[1], (const char *)bytes + at, part), (ssize_t)part);
		assert_int_equal(frame__read(&r, fds[0]), 0);
		assert_false(frame__next(&r, &head, &payload, &rc));
		at += part;
	}
	close(fds[0]);
	close(fds[1]);
	frame__free(&r);
	return rc;
}

static void nonsense(void **state)
{
	static char talk[100000];
	struct frame_head large = {FRAME_MAX + 1, FRAME_OUT, 0}, kind = {0, FRAME_KINDS, 0}, none = {0, 0, 0};

	(void)state;
	memset(talk, 'y', sizeof(talk));
	assert_int_equal(refusal(&large, sizeof(large), true), -EPROTO);
	assert_int_equal(refusal(&kind, sizeof(kind), true), -EPROTO);
	assert_int_equal(refusal(&none, sizeof(none), true), -EPROTO);
	assert_int_equal(refusal(talk, 60000, false), 0); /* a talkative login shell */
	assert_int_equal(refusal(talk, sizeof(talk), false), -EPROTO);
	assert_int_equal(frame__send(-1, FRAME_PAIRS, 0, NULL, 0, NULL, 0), -EPIPE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces),
		cmocka_unit_test(nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
