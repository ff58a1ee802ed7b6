// SPDX-License-Identifier: BSD-2-Clause
/* Launch: options, the control line's packets, the TCP mesh against strangers, and source lines. */
#include <arpa/inet.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "dsmcore/launch/proto.h"
#include "dsmcore/launch/where.h"

/* ---- options ---- */

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t bytes;
	} cases[] = {
		{"0", 0, 0},
		{"4096", 0, 4096},
		{"3k", 0, 3 << 10},
		{"64M", 0, 64 << 20},
		{"2G", 0, 2ull << 30},
		{"18446744073709551615", 0, UINT64_MAX},
		{"18446744073709551616", -ERANGE, 0},
		{"17179869184G", -ERANGE, 0},
		{"17179869183G", 0, 17179869183ull << 30},
		{"", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"1T", -EINVAL, 0},
		{"1MB", -EINVAL, 0},
		{"M", -EINVAL, 0},
		{"0x10", -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t v = 0;

		assert_int_equal(options__size(cases[i].text, &v), cases[i].rc);
		assert_int_equal(v, cases[i].bytes);
	}
}

static void test_numbers(void **state)
{
	uint64_t v = 99;

	(void)state;
	assert_int_equal(options__number("256", 1, 256, &v), 0);
	assert_int_equal(v, 256);
	assert_int_equal(options__number("257", 1, 256, &v), -ERANGE);
	assert_int_equal(options__number("0", 1, 256, &v), -ERANGE);
	assert_int_equal(options__number("+1", 1, 256, &v), -EINVAL);
	assert_int_equal(options__number("1 ", 1, 256, &v), -EINVAL);
	assert_int_equal(options__number("99999999999999999999", 0, UINT64_MAX, &v), -ERANGE);
	assert_int_equal(v, 256);
}

static void test_environment(void **state)
{
	struct run_options o;
	char why[6000];

	(void)state;
	assert_int_equal(options__from_env(&o, why, sizeof(why)), 0);
	assert_int_equal(o.nodes, 1);
	assert_int_equal(o.heap_bytes, 1ull << 30);
	setenv("DSM_HEAP", "1048577", 1);
	setenv("DSM_MICROSCOPE", "0", 1);
	assert_int_equal(options__from_env(&o, why, sizeof(why)), 0);
	assert_int_equal(o.heap_bytes, 1048576 + 4096); /* whole pages */
	assert_int_equal(o.microscope_permille, 0);
	setenv("DSM_PLAN", "/no/such/plan", 1);
	assert_int_equal(options__from_env(&o, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "DSM_PLAN"));
	assert_non_null(strstr(why, "/no/such/plan"));
	unsetenv("DSM_PLAN");
	unsetenv("DSM_HEAP");
	unsetenv("DSM_MICROSCOPE");
}

/* ---- packets ---- */

static void test_packets(void **state)
{
	struct proto_packet p;
	uint32_t head[2] = {PROTO_VERSION, PROTO_DONE};
	char raw[12];
	int line[2], pair[2], got[2];
	int32_t status = 42;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, line), 0);
	assert_int_equal(proto__recv(line[1], &p, got, MSG_DONTWAIT), -EAGAIN);
	assert_int_equal(proto__send(line[0], PROTO_DONE, &status, sizeof(status), NULL, 0), 0);
	assert_int_equal(proto__recv(line[1], &p, got, 0), 0);
	assert_true(p.type == PROTO_DONE && p.status == 42 && got[0] == -1 && got[1] == -1);

	/* descriptors really arrive */
	assert_int_equal(pipe(pair), 0);
	assert_int_equal(proto__send(line[0], PROTO_SOCKETS, &(uint32_t){3}, 4, pair, 2), 0);
	assert_int_equal(proto__recv(line[1], &p, got, 0), 0);
	assert_true(p.type == PROTO_SOCKETS && p.peer == 3 && got[0] >= 0 && got[1] >= 0);
	assert_int_equal(write(got[1], "x", 1), 1);
	assert_int_equal(read(pair[0], raw, 1), 1);
	for (int i = 0; i < 2; i++) {
		close(pair[i]);
		close(got[i]);
	}

	/* other version, wrong length, unknown type; descriptors with them are not leaked */
	memcpy(raw, head, 8);
	memcpy(raw + 8, &status, 4);
	raw[0]++;
	assert_int_equal(send(line[0], raw, 12, 0), 12);
	assert_int_equal(proto__recv(line[1], &p, got, 0), -EPROTO);
	raw[0]--;
	assert_int_equal(send(line[0], raw, 11, 0), 11);
	assert_int_equal(proto__recv(line[1], &p, got, 0), -EPROTO);
	assert_int_equal(send(line[0], raw, 3, 0), 3);
	assert_int_equal(proto__recv(line[1], &p, got, 0), -EPROTO);
	raw[4] = 99;
	assert_int_equal(send(line[0], raw, 12, 0), 12);
	assert_int_equal(proto__recv(line[1], &p, got, 0), -EPROTO);
	assert_int_equal(pipe(pair), 0);
	assert_int_equal(proto__send(line[0], 99, &status, 4, pair, 2), 0);
	close(pair[1]);
	assert_int_equal(proto__recv(line[1], &p, got, 0), -EPROTO);
	assert_int_equal(read(pair[0], raw, 1), 0); /* nobody else holds the writing end */
	close(pair[0]);

	close(line[0]);
	assert_int_equal(proto__recv(line[1], &p, got, 0), -EPIPE);
	close(line[1]);
}

/* ---- TCP mesh ---- */

#define MESH 5

struct member {
	struct run_options o;
	int listener, rc;
	int fds[MESH][2];
	pthread_t thread;
};

static struct proto_address addresses[OPTIONS_NODES_MAX];
static struct proto_token token;

static void *join(void *arg)
{
	struct member *m = arg;

	m->rc = mesh__connect(&m->o, m->listener, addresses, &token, 20, m->fds);
	return NULL;
}

static void prepare(struct member *m, uint16_t node, uint16_t nodes)
{
	uint16_t port;

	*m = (struct member){.o = {.node = node, .nodes = nodes, .generation = 3}};
	memset(m->fds, 0xff, sizeof(m->fds));
	m->listener = mesh__listen(htonl(INADDR_LOOPBACK), &port);
	assert_true(m->listener >= 0);
	addresses[node] = (struct proto_address){.ip = htonl(INADDR_LOOPBACK), .port = port};
	for (unsigned i = 0; i < PROTO_TOKEN; i++) {
		token.ask[i] = (uint8_t)(i * 7 + 1);
		token.answer[i] = (uint8_t)(i * 5 + 2);
	}
}

static int dial(unsigned node)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_addr.s_addr = addresses[node].ip,
				.sin_port = htons(addresses[node].port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

struct greeting { /* as docs/wire.md defines it */
	uint32_t magic, generation;
	uint16_t node, channel;
	uint8_t ask[PROTO_TOKEN];
};

/* Strangers first: a silent one, a short one, garbage, a wrong token, a wrong generation. All nodes
 * must find one another all the same, and every stranger must see its connection closed. */
static void test_mesh(void **state)
{
	static struct member m[MESH];
	struct greeting g = {0x314d5347, 3, 0, 0, {0}};
	int strangers[4], silent;
	char byte;

	(void)state;
	for (uint16_t n = 0; n < MESH; n++)
		prepare(&m[n], n, MESH);
	silent = dial(MESH - 1);
	strangers[0] = dial(MESH - 1);
	assert_int_equal(send(strangers[0], "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 35, 0), 35);
	strangers[1] = dial(MESH - 1); /* everything right but the token */
	memcpy(g.ask, token.ask, PROTO_TOKEN);
	g.ask[PROTO_TOKEN - 1] ^= 1;
	assert_int_equal(send(strangers[1], &g, sizeof(g), 0), sizeof(g));
	strangers[2] = dial(MESH - 1);
	g.ask[PROTO_TOKEN - 1] ^= 1;
	g.generation = 2;
	assert_int_equal(send(strangers[2], &g, sizeof(g), 0), sizeof(g));
	strangers[3] = dial(MESH - 1); /* a node that may not connect to this one */
	g.generation = 3;
	g.node = MESH - 1;
	assert_int_equal(send(strangers[3], &g, sizeof(g), 0), sizeof(g));

	for (unsigned n = 0; n < MESH; n++)
		pthread_create(&m[n].thread, NULL, join, &m[n]);
	for (unsigned n = 0; n < MESH; n++)
		pthread_join(m[n].thread, NULL);
	for (unsigned n = 0; n < MESH; n++)
		assert_int_equal(m[n].rc, 0);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(recv(strangers[i], &byte, 1, 0) <= 0); /* no answer, closed */
		close(strangers[i]);
	}
	close(silent);
	/* the right ends are joined */
	for (unsigned a = 0; a < MESH; a++)
		for (unsigned b = 0; b < MESH; b++)
			for (unsigned ch = 0; ch < 2 && a != b; ch++) {
				uint8_t tag[3] = {(uint8_t)a, (uint8_t)b, (uint8_t)ch};

				assert_int_equal(send(m[a].fds[b][ch], tag, 3, 0), 3);
			}
	for (unsigned a = 0; a < MESH; a++)
		for (unsigned b = 0; b < MESH; b++)
			for (unsigned ch = 0; ch < 2 && a != b; ch++) {
				uint8_t tag[3];

				assert_int_equal(recv(m[a].fds[b][ch], tag, 3, MSG_WAITALL), 3);
				assert_true(tag[0] == b && tag[1] == a && tag[2] == ch);
			}
	for (unsigned a = 0; a < MESH; a++) {
		close(m[a].listener);
		for (unsigned b = 0; b < MESH * 2; b++)
			if (m[a].fds[b / 2][b % 2] >= 0)
				close(m[a].fds[b / 2][b % 2]);
	}
}

/* Whoever took a node's port does not know the answer. */
static void test_mesh_impostor(void **state)
{
	static struct member m;
	struct greeting heard;
	uint16_t port;
	int listener, fd;

	(void)state;
	prepare(&m, 0, 2);
	listener = mesh__listen(htonl(INADDR_LOOPBACK), &port);
	addresses[1] = (struct proto_address){.ip = htonl(INADDR_LOOPBACK), .port = port};
	pthread_create(&m.thread, NULL, join, &m);
	do {
		fd = accept(listener, NULL, NULL);
	} while (fd < 0 && errno == EAGAIN);
	assert_int_equal(recv(fd, &heard, sizeof(heard), MSG_WAITALL), sizeof(heard));
	assert_int_equal(send(fd, heard.ask, PROTO_TOKEN, 0), PROTO_TOKEN); /* only echoes */
	pthread_join(m.thread, NULL);
	assert_int_equal(m.rc, -EACCES);
	assert_int_equal(m.fds[1][0], -1);
	close(fd);
	close(listener);
	close(m.listener);
}

/* A node that never comes: an error in time, nothing left open. */
static void test_mesh_missing(void **state)
{
	static struct member m;

	(void)state;
	prepare(&m, 1, 2);
	m.rc = mesh__connect(&m.o, m.listener, addresses, &token, 1, m.fds);
	assert_int_equal(m.rc, -ETIMEDOUT);
	assert_int_equal(m.fds[0][0], -1);
	close(m.listener);
}

/* ---- source lines ---- */

static int main_program(struct dl_phdr_info *info, size_t size, void *arg)
{
	uint64_t *pc = arg; /* in: address; out: file offset */

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		uint64_t start = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type == PT_LOAD && *pc >= start && *pc < start + ph->p_filesz) {
			*pc = *pc - start + ph->p_offset;
			return 1;
		}
	}
	return 0;
}

static int line_of_call;

__attribute__((noinline)) static uint64_t caller(void)
{
	return (uint64_t)__builtin_return_address(0) - 1;
}

__attribute__((noinline)) static uint64_t known_place(void)
{
	uint64_t pc = caller();

	line_of_call = __LINE__ - 2;
	return pc;
}

static void test_where(void **state)
{
	uint64_t place = known_place();
	struct where w;
	char self[1024] = "";

	(void)state;
	assert_int_equal(dl_iterate_phdr(main_program, &place), 1);
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	assert_int_equal(where__find(self, place, &w), 0);
	assert_string_equal(w.function, "known_place");
	assert_int_equal(w.line, line_of_call);
	assert_non_null(strstr(w.file, "tests/unit/control_test.c"));
	assert_int_equal(where__find(self, 1ull << 40, &w), -ENODATA);
	assert_int_equal(where__find("/no/such/file", 0, &w), -ENOENT);
	assert_int_equal(where__find("/proc/self/status", 0, &w), -ENOENT);
	assert_int_equal(where__find("", 0, &w), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),	     cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_environment),  cmocka_unit_test(test_packets),
		cmocka_unit_test(test_mesh),	     cmocka_unit_test(test_mesh_impostor),
		cmocka_unit_test(test_mesh_missing), cmocka_unit_test(test_where),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
