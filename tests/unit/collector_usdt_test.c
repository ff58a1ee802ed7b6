// SPDX-License-Identifier: BSD-2-Clause
/*
 * collector_usdt_test.c - probe sites and their arguments, from text and from a program that has them.
 */
#include "collector/usdt.h"

#include <asm/ptrace.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "dsm_events.h"

static struct dsm_bpf_arg parsed(const char *text)
{
	struct dsm_bpf_arg arg;

	assert_int_equal(usdt__parse_arg(&text, &arg), 0);
	return arg;
}

static void test_arguments(void **state)
{
	struct dsm_bpf_arg a;
	const char *several = "8@%rdi 4@$7 -4@8(%rsp)";

	(void)state;
	a = parsed("8@%rdi");
	assert_int_equal(a.kind, DSM_BPF_ARG_REGISTER);
	assert_int_equal(a.reg, offsetof(struct pt_regs, rdi));
	assert_int_equal(a.shift, 0);
	assert_false(a.is_signed);
	a = parsed("-4@%r9d");
	assert_int_equal(a.reg, offsetof(struct pt_regs, r9));
	assert_int_equal(a.shift, 32);
	assert_true(a.is_signed);
	assert_int_equal(parsed("1@%al").shift, 56);
	assert_int_equal(parsed("2@%si").reg, offsetof(struct pt_regs, rsi));
	assert_int_equal(parsed("2@%r12w").reg, offsetof(struct pt_regs, r12));
	a = parsed("-8@$-1");
	assert_int_equal(a.kind, DSM_BPF_ARG_CONST);
	assert_int_equal(a.value, -1);
	assert_int_equal(parsed("4@$0x1F").value, 31);
	a = parsed("8@-16(%rbp)");
	assert_int_equal(a.kind, DSM_BPF_ARG_MEMORY);
	assert_int_equal(a.value, -16);
	assert_int_equal(a.reg, offsetof(struct pt_regs, rbp));
	assert_int_equal(parsed("8@(%rax)").value, 0);
	assert_int_equal(usdt__parse_arg(&several, &a), 0);
	assert_int_equal(usdt__parse_arg(&several, &a), 0);
	assert_int_equal(a.value, 7);
	assert_int_equal(usdt__parse_arg(&several, &a), 0);
	assert_int_equal(a.value, 8);
	assert_string_equal(several, "");
}

static void test_arguments_refused(void **state)
{
	static const char *const bad[] = {"",	      "8",	     "8@",
					  "3@%rdi",   "8@%xmm0",     "8@%rdix",
					  "8@%ah",    "4@opt(%rip)", "8@(%rax,%rbx)",
					  "8@8(%rax", "8@8(%rax)x",  "8@$",
					  "16@%rdi",  "8@%",	     "@%rdi",
					  "x@%rdi",   "8@8[%rax]",   "99999999999@%rdi"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *text = bad[i];
		struct dsm_bpf_arg a;
		if (usdt__parse_arg(&text, &a) != -ENOTSUP)
			fail_msg("\"%s\" was taken", bad[i]);
	}
}

static char node_path[4096]; /* a program with probes */
static char why[512];

static void test_program(void **state)
{
	static const char *const probes[] = {
#define X(name, number, probe) #probe,
		DSM_EV_TYPES(X)
#undef X
	};
	struct usdt_site *sites;
	size_t n;

	(void)state;
	assert_int_equal(usdt__find(node_path, "dsm", &sites, &n, why, sizeof(why)), 0);
	for (size_t p = 0; p < sizeof(probes) / sizeof(probes[0]); p++) {
		size_t found = 0;
		for (size_t i = 0; i < n; i++) {
			if (strcmp(sites[i].probe, probes[p]) != 0)
				continue;
			found++;
			assert_true(sites[i].offset > 0 && sites[i].semaphore > 0);
		}
		assert_true(found >= 1);
	}
	free(sites);
	assert_int_equal(usdt__find(node_path, "nobody", &sites, &n, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "nobody"));
	assert_int_equal(usdt__find("/nonexistent", "dsm", &sites, &n, why, sizeof(why)), -ENOENT);
	assert_int_equal(usdt__find("/etc/passwd", "dsm", &sites, &n, why, sizeof(why)), -ENOEXEC);
	assert_int_equal(usdt__find("/", "dsm", &sites, &n, why, sizeof(why)), -ENOEXEC);
}

/* A program that was cut or damaged: any answer will do but a crash. */
static void test_damaged_program(void **state)
{
	static uint8_t original[1 << 20], changed[1 << 20];
	FILE *f = fopen(node_path, "rb");
	size_t size, n;
	char path[64];
	int fd = memfd_create("elf", MFD_CLOEXEC);

	(void)state;
	assert_non_null(f);
	size = fread(original, 1, sizeof(original), f);
	fclose(f);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	srandom(7);
	for (unsigned i = 0; i < 1000; i++) {
		size_t length = i % 2 ? size : (size_t)random() % size;
		struct usdt_site *sites;
		memcpy(changed, original, size);
		for (unsigned k = 0; i % 2 && k < 1 + i % 64; k++)
			changed[(size_t)random() % (k % 2 ? 4096 : size)] = (uint8_t)random();
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, changed, length, 0), length);
		if (usdt__find(path, "dsm", &sites, &n, why, sizeof(why)) == 0)
			free(sites);
	}
	close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_arguments_refused),
		cmocka_unit_test(test_program),
		cmocka_unit_test(test_damaged_program),
	};
	char *slash;

	(void)argc;
	snprintf(node_path, sizeof(node_path), "%s",
		 argv[0]); /* BUILD/tests/unit/..., beside it BUILD/tests/collector */
	slash = strrchr(node_path, '/');
	snprintf(slash ? slash : node_path, 64, "%s", "/../collector/fake_node");
	return cmocka_run_group_tests_name("usdt", tests, NULL, NULL);
}
