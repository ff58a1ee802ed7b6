/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_merge.c - any chunks, whose checksums hold, in the traces of two hosts that are made one.
 *
 * What comes out must be a trace that can be read to its end: nothing that the parts say may spoil the result.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "collector/merge.h"
#include "collector/trace.h"
#include "collector/trace_format.h"

#define PARTS 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put(int fd, const void *data, size_t size)
{
	if (write(fd, data, size) != (ssize_t)size)
		abort();
}

static void put_chunk(int fd, unsigned type, unsigned items, const void *data, size_t size)
{
	struct trace_chunk_header c = {.type = (uint16_t)type, .items = items};

	memcpy(c.sync, TRACE_SYNC, sizeof(c.sync));
	c.stored_bytes = c.raw_bytes = (uint32_t)size;
	c.payload_hash = XXH64(data, size, 0);
	c.header_hash = XXH64(&c, 40, 0);
	put(fd, &c, sizeof(c));
	put(fd, data, size);
}

/* Each part has a node, so that there is a run to merge. */
static int begin_part(unsigned part)
{
	struct trace_file_header f = {.version = TRACE_VERSION, .header_bytes = sizeof(f)};
	struct dsm_ev_node n = {
		.hdr = {.size = sizeof(n), .type = DSM_EV_NODE, .version = 1, .node = (uint16_t)part},
		.nodes = PARTS,
		.run_id = 7};
	int fd = memfd_create("part", MFD_CLOEXEC);

	if (fd < 0)
		abort();
	memcpy(f.magic, TRACE_MAGIC, sizeof(f.magic));
	f.hash = XXH64(&f, 24, 0);
	put(fd, &f, sizeof(f));
	put_chunk(fd, TRACE_CHUNK_RECORDS, 1, &n, sizeof(n));
	return fd;
}

/* Records are made to fit their chunk, so that more of them are seen than by chance. */
static size_t shape_records(uint8_t *bytes, size_t size)
{
	size_t at = 0;

	size &= ~(size_t)7;
	while (size - at >= sizeof(struct dsm_ev_hdr)) {
		struct dsm_ev_hdr *h = (void *)(bytes + at);
		size_t want = (h->size & 0x1f8u) + sizeof(*h);

		h->size = (uint16_t)(want < size - at ? want : size - at);
		h->node &= 0x83;
		at += h->size;
	}
	return at;
}

/* Which part (1 bit), which type (3), how many items (4); how many bytes (2); these. */
static void put_all(const int *fds, const uint8_t *data, size_t size)
{
	static _Alignas(8) uint8_t payload[65536];

	while (size >= 3) {
		unsigned type = 1 + (data[0] >> 1) % 7u, items = data[0] >> 4;
		int fd = fds[data[0] & 1];
		size_t n = data[1] | (size_t)data[2] << 8;

		data += 3;
		size -= 3;
		n = n < size ? n : size;
		memcpy(payload, data, n);
		put_chunk(fd, type, items, payload,
			  type == TRACE_CHUNK_RECORDS ? shape_records(payload, n) : n);
		data += n;
		size -= n;
	}
}

static void read_result(const char *path)
{
	struct trace_reader *r;
	struct trace_item item;

	if (trace_reader__open(&r, path))
		abort();
	do {
		if (trace_reader__next(r, &item))
			abort();
	} while (item.kind != TRACE_END_OF_FILE);
	trace_reader__close(r);
	unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char result[64], path[PARTS][64];
	const char *const paths[PARTS] = {path[0], path[1]};
	const struct merge_options o = {.output = result, .json = true};
	struct stat st;
	int fds[PARTS];

	if (!*result) {
		/* in memory, for it is synced */
		snprintf(result, sizeof(result), "/dev/shm/fuzz-merge-%d.dsmt", (int)getpid());
		/* What it says is not of interest; the descriptor stays the sanitizers'. */
		stdout = stderr = fopen("/dev/null", "w");
		if (!stdout)
			abort();
	}
	for (unsigned i = 0; i < PARTS; i++) {
		fds[i] = begin_part(i);
		snprintf(path[i], sizeof(path[i]), "/proc/self/fd/%d", fds[i]);
	}
	put_all(fds, data, size);
	(void)merge__traces(&o, paths, PARTS);
	if (stat(result, &st) == 0)
		read_result(result);
	for (unsigned i = 0; i < PARTS; i++)
		close(fds[i]);
	return 0;
}
