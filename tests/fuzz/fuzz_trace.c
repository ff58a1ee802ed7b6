// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_trace.c - any bytes through the trace reader, every returned byte touched.
 *
 * Random bytes never pass a checksum, so the input is used twice: as a file, and wrapped in a valid
 * header and chunk (type and item count from its first bytes) to reach what lies behind the checksums.
 */
#include <errno.h>
#include <stdlib.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include "collector/trace.h"
#include "collector/trace_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sink;

static void touch(const void *data, size_t size)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < size; i++)
		sink ^= p[i];
}

static void touch_item(const struct trace_item *item)
{
	switch (item->kind) {
	case TRACE_RECORD:
		if (!trace_record__sane(item->record, item->record->size))
			abort();
		touch(item->record, item->record->size);
		break;
	case TRACE_PAGES:
		touch(item->pages, item->count * sizeof(*item->pages));
		break;
	case TRACE_COUNTERS:
		touch(item->counters, item->count * sizeof(*item->counters));
		break;
	case TRACE_LOSSES:
		touch(item->losses, item->count * sizeof(*item->losses));
		break;
	case TRACE_INFO:
	case TRACE_SUMMARY:
		touch(item->json, strlen(item->json));
		break;
	case TRACE_END_OF_FILE:
		break;
	}
}

static void read_file(int fd)
{
	struct trace_reader *r;
	struct trace_item item;
	char path[64];
	int rc;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (trace_reader__open(&r, path))
		return;
	do {
		rc = trace_reader__next(r, &item);
		if (rc == 0)
			touch_item(&item);
	} while (rc == -EBADMSG || (rc == 0 && item.kind != TRACE_END_OF_FILE));
	trace_reader__close(r);
}

static void put(int fd, const void *data, size_t size)
{
	if (write(fd, data, size) != (ssize_t)size)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct trace_file_header f = {.version = TRACE_VERSION, .header_bytes = sizeof(f)};
	struct trace_chunk_header c = {0};
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0)
		abort();
	put(fd, data, size);
	read_file(fd);
	if (size >= 4) {
		if (ftruncate(fd, 0) || lseek(fd, 0, SEEK_SET))
			abort();
		memcpy(f.magic, TRACE_MAGIC, sizeof(f.magic));
		f.hash = XXH64(&f, 24, 0);
		put(fd, &f, sizeof(f));
		memcpy(c.sync, TRACE_SYNC, sizeof(c.sync));
		c.type = data[0] % 9;
		c.flags = data[1] & 1;
		c.items = data[2];
		c.stored_bytes = (uint32_t)size - 4;
		c.raw_bytes = c.flags ? data[3] * 64u : c.stored_bytes;
		c.payload_hash = XXH64(data + 4, size - 4, 0);
		c.header_hash = XXH64(&c, 40, 0);
		put(fd, &c, sizeof(c));
		put(fd, data + 4, size - 4);
		read_file(fd);
	}
	close(fd);
	return 0;
}
