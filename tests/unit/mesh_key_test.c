// SPDX-License-Identifier: BSD-2-Clause
/* Where the run's key comes from: a file that nobody else can read, or chance. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "dsmcore/launch/mesh.h"

static void test_key_file(void **state)
{
	static const struct {
		const char *text;
		mode_t mode;
		int rc;
		const char *why;
	} cases[] = {
		{"000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F\n", 0600, 0, ""},
		{"000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F", 0400, 0, ""},
		{"000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F\n", 0640, -EPERM, "0600"},
		{"000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F\n", 0602, -EPERM, "0600"},
		{"000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E", 0600, -EINVAL,
		 "openssl rand"},
		{"000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1Fx", 0600, -EINVAL, "64"},
		{"000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F\n\n", 0600, -EINVAL, "64"},
		{"000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1g\n", 0600, -EINVAL, "64"},
		{"", 0600, -EINVAL, "64"},
	};
	char path[] = "/tmp/mesh-key-XXXXXX", why[512];
	int fd = mkstemp(path);
	struct mesh_key key, other;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		*why = 0;
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, cases[i].text, strlen(cases[i].text), 0), strlen(cases[i].text));
		assert_int_equal(fchmod(fd, cases[i].mode), 0);
		assert_int_equal(mesh_key__read(path, &key, why, sizeof(why)), cases[i].rc);
		assert_non_null(strstr(why, cases[i].why));
		if (cases[i].rc)
			assert_non_null(strstr(why, path));
		for (unsigned b = 0; b < MESH_KEY && !cases[i].rc; b++)
			assert_int_equal(key.bytes[b], b);
	}
	if (geteuid() == 0) {
		assert_int_equal(fchmod(fd, 0600) | fchown(fd, 12345, 12345), 0);
		assert_int_equal(mesh_key__read(path, &key, why, sizeof(why)), -EPERM);
		assert_non_null(strstr(why, "another user"));
	}
	close(fd);
	unlink(path);
	assert_int_equal(mesh_key__read(path, &key, why, sizeof(why)), -ENOENT);
	assert_int_equal(mesh_key__read("/tmp", &key, why, sizeof(why)), -EINVAL);
	assert_int_equal(mesh_key__random(&key) | mesh_key__random(&other), 0);
	assert_memory_not_equal(&key, &other, sizeof(key));
	mesh_key__wipe(&key);
	memset(&other, 0, sizeof(other));
	assert_memory_equal(&key, &other, sizeof(key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_key_file)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
