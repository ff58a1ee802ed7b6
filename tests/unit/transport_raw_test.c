// SPDX-License-Identifier: BSD-2-Clause
/* transport_raw_test.c - one transport against a raw socket, whose end is dead, broken or hostile. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/transport_end.h"

static struct end solo;
static int raw[2]; /* the peer's ends, node 1 */

static int open_solo(void **state)
{
	int fds[2][2] = {{-1, -1}, {-1, -1}};

	(void)state;
	for (unsigned ch = 0; ch < 2; ch++) {
		int pair[2];

		end__pair(false, 0, pair);
		fds[1][ch] = pair[0];
		raw[ch] = pair[1];
	}
	end__open(&solo, 0, 2, fds);
	return 0;
}

static int close_solo(void **state)
{
	(void)state;
	transport__close(solo.t);
	for (unsigned ch = 0; ch < 2; ch++)
		if (raw[ch] >= 0)
			close(raw[ch]);
	return 0;
}

/* A message with one page and one diff as bytes: both channels agree on its size. */
static size_t frame(uint8_t *out, unsigned channel, uint64_t k)
{
	static struct message m;
	size_t head, total;

	message__make(&m, 1, 0, channel, k);
	assert_int_equal(wire__measure(&m.msg, m.blobs, &head, &total), 0);
	wire__put(&m.msg, m.blobs, total, out);
	return total;
}

static uint8_t buffer[1 << 20];

static void spin(void)
{
	for (int i = 0; i < 40; i++)
		assert_true(transport__wait(solo.t, 1) >= 0);
}

static long resident_pages(void)
{
	long size, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &size, &resident), 2);
	fclose(f);
	return resident;
}

static void test_byte_by_byte(void **state)
{
	size_t n = 0;

	(void)state;
	for (uint64_t k = 0; k < 4; k++)
		n += frame(buffer + n, 0, k);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(send(raw[0], buffer + i, 1, 0), 1);
		assert_true(transport__wait(solo.t, 1000) >= 0);
	}
	assert_int_equal(solo.messages, 4);
	assert_int_equal(solo.bad, 0);
}

static void test_end_between_frames(void **state)
{
	size_t n = frame(buffer, 0, 0);

	(void)state;
	assert_int_equal(send(raw[0], buffer, n, 0), n);
	close(raw[1]); /* the other connection ends first: what is still on its way counts */
	close(raw[0]);
	raw[0] = raw[1] = -1;
	spin();
	assert_int_equal(solo.lost[1], 1);
	assert_int_equal(solo.lost_error[1], 0);
	assert_int_equal(solo.messages_at_loss, 1);
	assert_int_equal(solo.bad, 0);
	assert_int_equal(end__post(&solo, 1, 0, 0), -EPIPE);
	assert_int_equal(transport__note(solo.t, 1, 0, NULL, 0), -EPIPE);
	assert_true(transport__drained(solo.t));
	spin();
	assert_int_equal(solo.lost[1], 1);
}

static void test_end_within_frame(void **state)
{
	size_t n = frame(buffer, 1, 0);

	(void)state;
	assert_int_equal(send(raw[1], buffer, n - 1, 0), n - 1);
	spin();
	assert_int_equal(solo.lost[1], 0);
	close(raw[1]);
	raw[1] = -1;
	spin();
	assert_int_equal(solo.lost[1], 1);
	assert_int_equal(solo.lost_error[1], -ECONNRESET);
	assert_int_equal(solo.messages, 0);
}

static void test_killed_peer(void **state)
{
	struct timespec moment = {.tv_nsec = 20000000};
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		for (uint64_t k = 0;; k++) {
			size_t n = frame(buffer, 0, k), at = 0;

			/* in pieces, so that the kill falls into a frame */
			for (; at < n; at += 97)
				if (send(raw[0], buffer + at, n - at < 97 ? n - at : 97, MSG_NOSIGNAL) < 0)
					_exit(1);
		}
	}
	assert_true(pid > 0);
	close(raw[0]);
	close(raw[1]);
	raw[0] = raw[1] = -1;
	while (solo.messages < 50)
		assert_true(transport__wait(solo.t, 5000) >= 0);
	nanosleep(&moment, NULL);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	spin();
	assert_int_equal(solo.lost[1], 1);
	assert_true(solo.lost_error[1] == 0 || solo.lost_error[1] == -ECONNRESET);
	assert_int_equal(solo.bad, 0);
}

static void refused(size_t n, unsigned channel, int error)
{
	uint64_t before = solo.messages;

	assert_int_equal(send(raw[channel], buffer, n, 0), n);
	spin();
	assert_int_equal(solo.lost[1], 1);
	assert_int_equal(solo.lost_error[1], error);
	assert_int_equal(solo.messages, before);
}

static void test_garbage(void **state)
{
	(void)state;
	memset(buffer, 0x5a, 1000);
	refused(1000, 0, -EPROTO);
}

static void test_too_long(void **state)
{
	uint32_t bytes = WIRE_LIMIT + 8;

	(void)state;
	frame(buffer, 0, 0);
	memcpy(buffer + 4, &bytes, 4);
	refused(WIRE_HEADER, 0, -EMSGSIZE);
}

static void test_foreign_sender(void **state)
{
	uint16_t from = 0;
	size_t n = frame(buffer, 0, 0);

	(void)state;
	memcpy(buffer + 12, &from, 2);
	refused(n, 0, -EPROTO);
}

static void test_other_receiver(void **state)
{
	uint16_t to = 1;
	size_t n = frame(buffer, 0, 0);

	(void)state;
	memcpy(buffer + 14, &to, 2);
	refused(n, 0, -EPROTO);
}

static void test_other_channel(void **state)
{
	size_t n = frame(buffer, 1, 0);

	(void)state;
	refused(n, 0, -EPROTO);
}

static void test_other_generation(void **state)
{
	uint32_t generation = GENERATION - 1;
	size_t n = frame(buffer, 0, 0);

	(void)state;
	memcpy(buffer + 16, &generation, 4);
	refused(n, 0, -EPROTO);
}

/* A peer announces 64 MiB and sends little: that must not cost 64 MiB. Measured by the resident set. */
static void test_announced_memory(void **state)
{
	uint32_t bytes = WIRE_LIMIT;
	static uint8_t some[100000];
	long before = resident_pages();

	(void)state;
	frame(buffer, 0, 0);
	memcpy(buffer + 4, &bytes, 4);
	assert_int_equal(send(raw[0], buffer, WIRE_FIXED, 0), WIRE_FIXED);
	spin();
	assert_int_equal(send(raw[0], some, sizeof(some), 0), sizeof(some));
	spin();
	assert_int_equal(solo.lost[1], 0); /* still a possible frame */
	assert_true(resident_pages() - before < 1024);
	close(raw[0]);
	raw[0] = -1;
	spin();
	assert_int_equal(solo.lost_error[1], -ECONNRESET);
}

/* The peer closes only its reading side: no end of file comes, the sender notices. */
static void test_deaf_peer(void **state)
{
	(void)state;
	shutdown(raw[0], SHUT_RD);
	assert_int_equal(end__post(&solo, 1, 0, 0), -EPIPE);
	spin();
	assert_int_equal(solo.lost[1], 1);
	assert_int_equal(solo.lost_error[1], -EPIPE);
	assert_int_equal(end__post(&solo, 1, 1, 0), -EPIPE);
}

static void test_bad_arguments(void **state)
{
	static struct message m;

	(void)state;
	message__make(&m, 0, 0, 0, 0);
	assert_int_equal(transport__send(solo.t, &m.msg, m.blobs), -EINVAL); /* to itself */
	m.msg.to = 2;
	assert_int_equal(transport__send(solo.t, &m.msg, m.blobs), -EINVAL);
	m.msg.to = 1;
	m.msg.generation++;
	assert_int_equal(transport__send(solo.t, &m.msg, m.blobs), -EINVAL);
	m.msg.generation--;
	m.msg.from = 1;
	assert_int_equal(transport__send(solo.t, &m.msg, m.blobs), -EINVAL);
}

static void *kick_later(void *arg)
{
	(void)arg;
	end__nap();
	transport__kick(solo.t);
	return NULL;
}

static void test_kick(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(transport__wait(solo.t, 0), 0);
	pthread_create(&thread, NULL, kick_later, NULL);
	assert_int_equal(transport__wait(solo.t, -1), 0);
	pthread_join(thread, NULL);
	assert_int_equal(transport__wait(solo.t, 1), 0);
}

#define solo_test(f) cmocka_unit_test_setup_teardown(f, open_solo, close_solo)

int main(void)
{
	const struct CMUnitTest tests[] = {
		solo_test(test_byte_by_byte),	  solo_test(test_end_between_frames),
		solo_test(test_end_within_frame), solo_test(test_killed_peer),
		solo_test(test_garbage),	  solo_test(test_too_long),
		solo_test(test_foreign_sender),	  solo_test(test_other_receiver),
		solo_test(test_other_channel),	  solo_test(test_other_generation),
		solo_test(test_announced_memory), solo_test(test_deaf_peer),
		solo_test(test_bad_arguments),	  solo_test(test_kick),
	};

	alarm(300); /* a deadlock must end the test */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
