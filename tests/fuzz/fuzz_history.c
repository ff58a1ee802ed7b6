/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_history.c - any bytes as a history's file: read, then checked as far as it was whole. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dsmcore/verify/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct dsm_history_file head;
	struct verify_result result;
	struct verify *v;
	char path[64];
	bool cut;

	if (fd < 0)
		fd = memfd_create("history", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (verify__open(&v, true))
		abort();
	verify__read_file(v, path, &head, &cut, NULL);
	if (verify__check(v, NULL, &result))
		abort();
	verify__close(v);
	return 0;
}
