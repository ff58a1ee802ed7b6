// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_key.c - any file as a key file: what is accepted is 64 hexadecimal digits and perhaps a newline. */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dsmcore/launch/mesh.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	char path[64], why[512], again[2 * MESH_KEY + 1];
	struct mesh_key key;

	if (fd < 0 && ((fd = memfd_create("key", 0)) < 0 || fchmod(fd, 0600)))
		abort();
	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (mesh_key__read(path, &key, why, sizeof(why)))
		return 0;
	for (int i = 0; i < MESH_KEY; i++)
		snprintf(again + 2 * i, 3, "%02x", key.bytes[i]);
	if (size != 64 && (size != 65 || data[64] != '\n'))
		abort();
	for (int i = 0; i < 64; i++)
		if (tolower(data[i]) != again[i])
			abort();
	return 0;
}
