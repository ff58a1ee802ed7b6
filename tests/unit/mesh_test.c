// SPDX-License-Identifier: BSD-2-Clause
/* The TCP mesh: all nodes find one another, whoever else knocks at the door. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "dsmcore/launch/mesh_parts.h"
#include "dsmcore/launch/options.h"
#include "dsmcore/transport/stream.h"
#include "tests/unit/mesh_member.h"

#define MESH 5

/* ---- strangers ---- */

static int dial(unsigned node)
{
	struct sockaddr_storage a;
	socklen_t len = address__to_socket(&addresses[node], &a);
	int fd = socket(a.ss_family, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&a, len), 0);
	return fd;
}

static int dial_and_say(unsigned node, const void *bytes, size_t n)
{
	int fd = dial(node);

	assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), n);
	return fd;
}

/* It gets nothing but perhaps an alert, then the end. */
static void check_shut_out(int fd)
{
	uint8_t bytes[64];
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

	if (n > 0) {
		assert_int_equal(bytes[0], 21);
		n = recv(fd, bytes, sizeof(bytes), 0);
	}
	assert_true(n <= 0);
	close(fd);
}

/* In clear: everything right but one thing. */
static int greeting(const struct mesh_key *key, unsigned wrong)
{
	struct greeting g = {0x314d5347, 3, 0, 0, {0}};

	memcpy(g.ask, key->bytes, sizeof(g.ask));
	g.ask[15] ^= wrong == 0;
	g.generation -= wrong == 1;
	g.node = wrong == 2 ? MESH - 1 : 0;
	g.channel = wrong == 3 ? 2 : 0;
	return dial_and_say(MESH - 1, &g, sizeof(g));
}

/* A silent one, one that says half a word, garbage; in clear also almost right greetings. */
static void test_mesh(void **state)
{
	static struct member m[MESH];
	bool clear = !strcmp(transport, "insecure-tcp");
	int strangers[6], silent, half;
	unsigned n = 0;
	const char *said;

	(void)state;
	for (uint16_t i = 0; i < MESH; i++)
		member__prepare(&m[i], i, MESH);
	silent = dial(MESH - 1);
	half = dial_and_say(MESH - 1, "\x16\x03\x01\x02", 4);
	strangers[n++] = dial_and_say(MESH - 1, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 35);
	strangers[n++] = dial_and_say(MESH - 1, "SSH-2.0-OpenSSH_9.9 and some more\r\n", 35);
	for (unsigned wrong = 0; clear && wrong < 4; wrong++)
		strangers[n++] = greeting(&m[0].key, wrong);
	errors__listen();
	for (unsigned i = 0; i < MESH; i++)
		member__start(&m[i]);
	for (unsigned i = 0; i < MESH; i++)
		pthread_join(m[i].thread, NULL);
	said = errors__heard();
	for (unsigned i = 0; i < MESH; i++)
		assert_int_equal(m[i].rc, 0);
	for (unsigned i = 0; i < n; i++)
		check_shut_out(strangers[i]);
	assert_int_equal(count(said, named("refused a connection from %s:")), n);
	assert_int_equal(count(said, "\n"),
			 n); /* and nothing else, not even a warning: it is all on one machine */
	check_shut_out(silent);
	check_shut_out(half);
	member__check_joined(m, MESH);
	for (unsigned i = 0; i < MESH; i++)
		member__leave(&m[i]);
}

static int setting(const struct member *m, int level, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(m->links.stream[!m->o.node][1]->fd, level, name, &value, &size) ? -errno : value;
}

/* Neither end waits long after a loss, nor for ever for the dead. */
static void test_patience(void **state)
{
	static const unsigned silence[] = {7, 0};

	(void)state;
	for (unsigned turn = 0; turn < 2; turn++) {
		static struct member m[2];

		for (uint16_t i = 0; i < 2; i++) {
			member__prepare(&m[i], i, 2);
			m[i].o.silence_s = silence[turn];
		}
		for (unsigned i = 0; i < 2; i++)
			member__start(&m[i]);
		for (unsigned i = 0; i < 2; i++) {
			pthread_join(m[i].thread, NULL);
			assert_int_equal(m[i].rc, 0);
		}
		for (unsigned i = 0; i < 2; i++) {
			int longest = setting(&m[i], IPPROTO_TCP, 44 /* TCP_RTO_MAX_MS */);
			int limit = longest < 0 ? 28000 : 7000; /* a kernel before 6.15 cannot hurry */

			if (longest >= 0)
				assert_int_equal(longest, 1000);
			assert_int_equal(setting(&m[i], IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS), 1);
			assert_int_equal(setting(&m[i], IPPROTO_TCP, TCP_USER_TIMEOUT),
					 silence[turn] ? limit : INT32_MAX);
			assert_int_equal(setting(&m[i], SOL_SOCKET, SO_KEEPALIVE), silence[turn] != 0);
		}
		member__leave(&m[0]);
		member__leave(&m[1]);
	}
}

/* Many more than there are places, and the nodes come after them. */
static void test_flood(void **state)
{
	static struct member m[2];
	int fd[300];
	const char *said;

	(void)state;
	member__prepare(&m[0], 0, 2);
	member__prepare(&m[1], 1, 2);
	for (unsigned i = 0; i < 300; i++)
		fd[i] = dial(1);
	errors__listen();
	member__start(&m[1]);
	usleep(50000);
	member__start(&m[0]);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(m[i].thread, NULL);
	said = errors__heard();
	assert_int_equal(m[0].rc, 0);
	assert_int_equal(m[1].rc, 0);
	member__check_joined(m, 2);
	assert_int_equal(count(said, "\n"), 9); /* eight by name, and how many more */
	assert_int_equal(count(said, "more connections"), 1);
	for (unsigned i = 0; i < 300; i++)
		close(fd[i]);
	member__leave(&m[0]);
	member__leave(&m[1]);
}

/* A node of another run, or with another key, neither gets in nor disturbs. */
static void test_wrong_key(void **state)
{
	static struct member m[2], wrong[3];
	const char *said;

	(void)state;
	member__prepare(&m[0], 0, 2);
	member__prepare(&m[1], 1, 2);
	for (unsigned i = 0; i < 3; i++) {
		wrong[i] = m[0];
		assert_int_equal(links__alloc(&wrong[i].links, 2), 0);
	}
	wrong[0].key.bytes[0] ^= 1;
	wrong[1].o.run_id++;
	wrong[2].o.generation--;
	errors__listen();
	member__start(&m[1]);
	for (unsigned i = 0; i < 3; i++) {
		member__start(&wrong[i]);
		pthread_join(wrong[i].thread, NULL);
	}
	member__start(&m[0]);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(m[i].thread, NULL);
	said = errors__heard();
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(wrong[i].rc, -EACCES);
		assert_null(wrong[i].links.stream[1][0]);
		assert_null(wrong[i].links.stream[1][1]);
		links__close(&wrong[i].links, 2);
	}
	/* Each one has tried once or twice, before it was told. */
	assert_in_range(count(said, "node 1: refused a connection from"), 3, 6);
	assert_int_equal(count(said, named("node 1 at %s:")), 3);
	assert_true(count(said, "it does not hold this run's key") >= 6);
	assert_int_equal(m[0].rc, 0);
	assert_int_equal(m[1].rc, 0);
	member__check_joined(m, 2);
	member__leave(&m[0]);
	member__leave(&m[1]);
}

/* Somebody who has recorded how node 0 came in says the same again, before it comes, and after it. */
struct relay {
	int from, to; /* a listener; a connection is made to `to` */
	uint8_t seen[2][8192];
	size_t bytes[2];
	pthread_t thread;
};

static void *record(void *arg)
{
	struct relay *r = arg;
	struct pollfd p[4];
	int fd[2][2];

	for (int i = 0; i < 2; i++) {
		do {
			fd[i][0] = accept(r->from, NULL, NULL);
		} while (fd[i][0] < 0 && errno == EAGAIN);
		fd[i][1] = dial((unsigned)r->to);
	}
	for (;;) {
		for (int i = 0; i < 4; i++)
			p[i] = (struct pollfd){.fd = fd[i / 2][i % 2], .events = POLLIN};
		poll(p, 4, 10000);
		for (int i = 0; i < 4; i++) {
			uint8_t bytes[4096];
			ssize_t n = p[i].revents ? recv(p[i].fd, bytes, sizeof(bytes), MSG_DONTWAIT) : -1;

			if (n == 0)
				goto out;
			if (n < 0)
				continue;
			send(fd[i / 2][!(i % 2)], bytes, (size_t)n, MSG_NOSIGNAL);
			if (i % 2 == 0 && r->bytes[i / 2] + (size_t)n <= sizeof(r->seen[0])) {
				memcpy(r->seen[i / 2] + r->bytes[i / 2], bytes, (size_t)n);
				r->bytes[i / 2] += (size_t)n;
			}
		}
	}
out:
	for (int i = 0; i < 4; i++)
		close(fd[i / 2][i % 2]);
	return NULL;
}

static void test_replay(void **state)
{
	static struct member m[2], again[2];
	static struct relay r;
	struct address relays;
	const char *said;
	int replayed[2];

	(void)state;
	member__prepare(&m[0], 0, 2);
	member__prepare(&m[1], 1, 2);
	relays = loopback;
	r = (struct relay){.from = mesh__listen(&relays), .to = 1};
	pthread_create(&r.thread, NULL, record, &r);
	member__start(&m[1]);
	/* node 0 is told the relay's address, the relay knows the true one */
	{
		struct address theirs[2] = {addresses[0], relays};

		m[0].rc = mesh__connect(&m[0].o, m[0].listener, theirs, &m[0].key, 20, &m[0].links);
	}
	pthread_join(m[1].thread, NULL);
	assert_int_equal(m[0].rc, 0);
	assert_int_equal(m[1].rc, 0);
	member__check_joined(m, 2); /* through the relay: these messages are recorded too */
	member__leave(&m[0]);
	member__leave(&m[1]);
	pthread_join(r.thread, NULL);
	close(r.from);
	assert_true(r.bytes[0] > 200 && r.bytes[1] > 200);

	/* the same run, key and nodes once more */
	member__prepare(&again[0], 0, 2);
	member__prepare(&again[1], 1, 2);
	for (int i = 0; i < 2; i++)
		replayed[i] = dial_and_say(1, r.seen[i], r.bytes[i]);
	errors__listen();
	member__start(&again[1]);
	usleep(50000);
	member__start(&again[0]);
	for (int i = 0; i < 2; i++)
		pthread_join(again[i].thread, NULL);
	said = errors__heard();
	assert_int_equal(again[0].rc, 0);
	assert_int_equal(again[1].rc, 0);
	assert_int_equal(count(said, "refused a connection"), 2);
	member__check_joined(again, 2);
	for (int i = 0; i < 2; i++) {
		close(replayed[i]);
		member__leave(&again[i]);
	}
}

/* ---- those who are called ---- */

/* Whoever took a node's port does not hold the key. */
static void test_impostor(void **state)
{
	static struct member m;
	uint8_t said[1024];
	ssize_t n;
	int listener, fd;

	(void)state;
	member__prepare(&m, 0, 2);
	addresses[1] = loopback;
	listener = mesh__listen(&addresses[1]);
	errors__listen();
	member__start(&m);
	do {
		fd = accept(listener, NULL, NULL);
	} while (fd < 0 && errno == EAGAIN);
	n = recv(fd, said, sizeof(said), 0); /* only echoes */
	assert_true(n >= (ssize_t)sizeof(struct greeting));
	assert_null(memmem(said, (size_t)n, m.key.bytes, MESH_KEY));
	if (strcmp(transport, "tcp") == 0)
		assert_null(memmem(said, (size_t)n, m.key.bytes, 8));
	send(fd, said + (strcmp(transport, "tcp") ? 12 : 0), strcmp(transport, "tcp") ? 16 : (size_t)n,
	     MSG_NOSIGNAL);
	pthread_join(m.thread, NULL);
	assert_true(m.rc == -EACCES || m.rc == -EPROTO);
	assert_null(m.links.stream[1][0]);
	assert_int_equal(count(errors__heard(), named("connecting to node 1 at %s:")), 1);
	close(fd);
	close(listener);
	member__leave(&m);
}

/* A node that never comes, and one that cannot be reached: an error in time, nothing left open. */
static void test_missing(void **state)
{
	static struct member m;
	const char *said;

	(void)state;
	member__prepare(&m, 1, 2);
	m.seconds = 1;
	errors__listen();
	member__join(&m);
	said = errors__heard();
	assert_int_equal(m.rc, -ETIMEDOUT);
	assert_int_equal(count(said, named("waiting for node 0 at %s:")), 1);
	assert_null(m.links.stream[0][0]);
	member__leave(&m);

	member__prepare(&m, 0, 2);
	addresses[1] = addresses[0];
	addresses[1].port = 1; /* nobody */
	errors__listen();
	member__join(&m);
	assert_int_equal(m.rc, -ECONNREFUSED);
	assert_int_equal(count(errors__heard(), named("connecting to node 1 at %s:1: Connection refused")),
			 1);
	member__leave(&m);
}

/* Only those who have a port are reached over TCP. */
static void test_mixed(void **state)
{
	static struct member m[3];

	(void)state;
	for (uint16_t i = 0; i < 3; i++)
		member__prepare(&m[i], i, 3);
	addresses[1].port = 0;
	member__start(&m[0]);
	member__start(&m[2]);
	pthread_join(m[0].thread, NULL);
	pthread_join(m[2].thread, NULL);
	assert_int_equal(m[0].rc, 0);
	assert_int_equal(m[2].rc, 0);
	assert_null(m[0].links.stream[1][0]);
	assert_non_null(m[0].links.stream[2][1]);
	for (unsigned i = 0; i < 3; i++)
		member__leave(&m[i]);
}

/* ---- in clear, and where somebody could listen ---- */

static void test_warning(void **state)
{
	static struct member m;
	const char *said;

	(void)state;
	for (uint16_t node = 0; node < 2; node++) {
		member__prepare(&m, node, 2);
		m.seconds = 1;
		assert_true(address__parse(loopback.family == 4 ? "192.0.2.1" : "2001:db8::1",
					   &addresses[!node]));
		addresses[!node].port = 9; /* nobody's */
		errors__listen();
		member__join(&m);
		said = errors__heard();
		assert_int_equal(count(said, "WARNING: insecure-tcp"),
				 !strcmp(transport, "insecure-tcp") && !node);
		member__leave(&m);
	}
}

static int over_clear(void **state)
{
	(void)state;
	transport = "insecure-tcp";
	return 0;
}

static int over_tls(void **state)
{
	(void)state;
	transport = "tcp";
	return 0;
}

/* Whether this machine has it. */
static bool choose(const char *text)
{
	struct address a;
	int fd;

	if (!address__parse(text, &loopback))
		return false;
	a = loopback;
	fd = mesh__listen(&a);
	if (fd < 0)
		printf("%s is not tested: %s\n", text, strerror(-fd));
	else
		close(fd);
	return fd >= 0;
}

int main(void)
{
	const struct CMUnitTest clear[] = {
		cmocka_unit_test(test_mesh),	 cmocka_unit_test(test_flood),
		cmocka_unit_test(test_impostor), cmocka_unit_test(test_missing),
		cmocka_unit_test(test_mixed),	 cmocka_unit_test(test_warning),
		cmocka_unit_test(test_patience),
	};
	const struct CMUnitTest encrypted[] = {
		cmocka_unit_test(test_mesh),	  cmocka_unit_test(test_flood),
		cmocka_unit_test(test_wrong_key), cmocka_unit_test(test_replay),
		cmocka_unit_test(test_impostor),  cmocka_unit_test(test_missing),
		cmocka_unit_test(test_mixed),	  cmocka_unit_test(test_warning),
		cmocka_unit_test(test_patience),
	};
	static const char *const loopbacks[] = {"127.0.0.1", "::1"};
	const struct tls_ops *tls;
	char why[1024];
	int rc = 0;

	for (unsigned i = 0; i < 2; i++) {
		if (!choose(loopbacks[i]))
			continue;
		rc += cmocka_run_group_tests(clear, over_clear, NULL);
		if (tls__load(&tls, why, sizeof(why)))
			printf("encrypted connections are not tested: %s\n", why);
		else
			rc += cmocka_run_group_tests(encrypted, over_tls, NULL);
	}
	return rc;
}
