// SPDX-License-Identifier: BSD-2-Clause
/*
 * transport_test.c - the transport with real sockets: several nodes in one process, each with a service thread and
 * a lock as in the runtime.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/transport_end.h"

static uint64_t get(uint64_t *v)
{
	return __atomic_load_n(v, __ATOMIC_RELAXED);
}

/* Everybody floods everybody, the service threads read and write meanwhile. */
static void flood(uint16_t nodes, bool tcp, int buffer, uint64_t count)
{
	static struct end e[NODES_MAX];
	struct transport_stats total = {0}, s;

	end__open_all(e, nodes, tcp, buffer);
	for (unsigned n = 0; n < nodes; n++)
		end__start(&e[n]);
	for (uint64_t k = 0; k < count; k++)
		for (uint16_t from = 0; from < nodes; from++)
			for (uint16_t to = 0; to < nodes; to++)
				for (unsigned ch = 0; ch < 2 && from != to; ch++)
					assert_int_equal(end__post(&e[from], to, ch, k), 0);
	for (unsigned n = 0; n < nodes; n++)
		while (get(&e[n].messages) < count * 2 * (nodes - 1u))
			end__nap();
	for (unsigned n = 0; n < nodes; n++) {
		end__stop(&e[n]);
		assert_int_equal(e[n].bad, 0);
		assert_true(transport__drained(e[n].t));
		transport__stats(e[n].t, &s);
		total.messages_in += s.messages_in;
		total.messages_out += s.messages_out;
		total.bytes_in += s.bytes_in;
		total.bytes_out += s.bytes_out;
	}
	assert_int_equal(total.messages_in, total.messages_out);
	assert_int_equal(total.bytes_in, total.bytes_out);
	for (unsigned n = 0; n < nodes; n++)
		transport__close(e[n].t);
}

static void test_flood_unix(void **state)
{
	(void)state;
	flood(2, false, 0, 1500);
}

static void test_flood_tiny_buffers(void **state)
{
	(void)state;
	flood(2, false, 4608, 600); /* the kernel's least: nearly every message in several pieces */
}

static void test_flood_tcp(void **state)
{
	(void)state;
	flood(3, true, 0, 300);
}

static void test_flood_tcp_tiny(void **state)
{
	(void)state;
	flood(3, true, 20000, 100); /* smaller ones wait for timers of the kernel */
}

/* Handlers that send, on all nodes at once and in a ring: no lock order can be wrong. */
static void test_relay(void **state)
{
	static struct end e[3];
	struct message *m = malloc(sizeof(*m));
	const unsigned rings = 24, hops = 500;
	uint64_t sum;

	(void)state;
	end__open_all(e, 3, false, 4608);
	for (unsigned n = 0; n < 3; n++) {
		e[n].relay = true;
		end__start(&e[n]);
	}
	for (unsigned i = 0; i < rings; i++) {
		uint16_t n = i % 3;

		message__make(m, n, (n + 1) % 3, i & 1, i);
		m->msg.number = hops;
		pthread_mutex_lock(&e[n].lock);
		assert_int_equal(transport__send(e[n].t, &m->msg, m->blobs), 0);
		pthread_mutex_unlock(&e[n].lock);
	}
	do {
		end__nap();
		sum = get(&e[0].messages) + get(&e[1].messages) + get(&e[2].messages);
	} while (sum < rings * (hops + 1));
	for (unsigned n = 0; n < 3; n++) {
		end__stop(&e[n]);
		assert_int_equal(e[n].bad, 0);
		transport__close(e[n].t);
	}
	free(m);
}

/* A reader that sleeps: sending does not block, everything waits in our memory, nothing is lost. */
static void test_slow_reader(void **state)
{
	static struct end e[2];
	const uint64_t count = 2000;

	(void)state;
	end__open_all(e, 2, false, 0);
	end__start(&e[0]);
	alarm(60);
	for (uint64_t k = 0; k < count; k++)
		assert_int_equal(end__post(&e[0], 1, 0, k), 0);
	assert_false(transport__drained(e[0].t));
	end__start(&e[1]);
	while (get(&e[1].messages) < count)
		end__nap();
	end__stop(&e[0]);
	end__stop(&e[1]);
	assert_int_equal(e[1].bad, 0);
	assert_true(transport__drained(e[0].t));
	transport__close(e[0].t);
	transport__close(e[1].t);
}

static void test_notes(void **state)
{
	static struct end e[2];
	static const uint16_t sizes[] = {0, 1, 7, 8, 4096, 65535};
	uint8_t *bytes = malloc(WIRE_NOTE_MAX + 1);

	(void)state;
	end__open_all(e, 2, false, 4608);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		for (size_t b = 0; b < sizes[i]; b++)
			bytes[b] = (uint8_t)(sizes[i] + b);
		assert_int_equal(transport__note(e[0].t, 1, sizes[i], bytes, sizes[i]), 0);
	}
	assert_int_equal(transport__note(e[0].t, 1, 1, bytes, WIRE_NOTE_MAX + 1), -EMSGSIZE);
	assert_int_equal(transport__note(e[0].t, 0, 1, bytes, 1), -EINVAL);
	assert_int_equal(transport__note(e[0].t, 2, 1, bytes, 1), -EINVAL);
	end__start(&e[0]);
	end__start(&e[1]);
	while (get(&e[1].notes) < sizeof(sizes) / sizeof(*sizes))
		end__nap();
	end__stop(&e[0]);
	end__stop(&e[1]);
	assert_int_equal(e[1].bad, 0);
	transport__close(e[0].t);
	transport__close(e[1].t);
	free(bytes);
}

/* One node alone: no peers, waiting works all the same. */
static void test_alone(void **state)
{
	static struct end e;

	(void)state;
	end__open(&e, 0, 1, NULL);
	assert_int_equal(transport__wait(e.t, 1), 0);
	assert_true(transport__drained(e.t));
	transport__close(e.t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flood_unix), cmocka_unit_test(test_flood_tiny_buffers),
		cmocka_unit_test(test_flood_tcp),  cmocka_unit_test(test_flood_tcp_tiny),
		cmocka_unit_test(test_relay),	   cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_notes),	   cmocka_unit_test(test_alone),
	};

	alarm(300); /* a deadlock must end the test */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
