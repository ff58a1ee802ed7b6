// SPDX-License-Identifier: BSD-2-Clause
/* Launch: options, the control line's packets, and source lines. */
#include <errno.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "dsmcore/launch/proto.h"
#include "dsmcore/launch/where.h"
#include "dsmcore/transport/stream.h"

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
	assert_int_equal(o.silence_s, 30);
	setenv("DSM_SILENCE", "0", 1);
	assert_int_equal(options__from_env(&o, why, sizeof(why)), 0);
	assert_int_equal(o.silence_s, 0);
	setenv("DSM_SILENCE", "a while", 1);
	assert_int_equal(options__from_env(&o, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "DSM_SILENCE: 'a while': give whole seconds"));
	unsetenv("DSM_SILENCE");
	assert_int_equal(o.consistency, 0);
	setenv("DSM_CONSISTENCY", "rc", 1);
	assert_int_equal(options__from_env(&o, why, sizeof(why)), 0);
	assert_string_equal(options__model(o.consistency), "rc");
	setenv("DSM_CONSISTENCY", "lrc", 1);
	assert_int_equal(options__from_env(&o, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "DSM_CONSISTENCY: consistency 'lrc': give tx"));
	unsetenv("DSM_CONSISTENCY");
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

/* A line that another user has made gives no orders. */
static void test_line_of_another(void **state)
{
	struct control *control;
	struct run_options options;
	struct links links;
	char number[16], said[512] = "";
	int line[2], out[2], status;

	(void)state;
	if (geteuid() != 0) {
		print_message("not root: cannot be two users\n");
		skip();
	}
	assert_int_equal(pipe(out), 0);
	if (fork() == 0) {
		dup2(out[1], STDERR_FILENO);
		if (seteuid(12345) || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, line) || seteuid(0))
			_exit(99);
		snprintf(number, sizeof(number), "%d", line[0]);
		setenv(PROTO_FD_ENV, number, 1);
		_exit(control__open(&control, &options, &links) == -EPERM ? 0 : 1);
	}
	wait(&status);
	assert_int_equal(status, 0);
	assert_true(read(out[0], said, sizeof(said) - 1) > 0);
	assert_non_null(strstr(said, "made by another user"));
	close(out[0]);
	close(out[1]);
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
		cmocka_unit_test(test_sizes),		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_environment),	cmocka_unit_test(test_packets),
		cmocka_unit_test(test_line_of_another), cmocka_unit_test(test_where),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
