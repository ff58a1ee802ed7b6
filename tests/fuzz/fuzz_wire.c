// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_wire.c - any bytes as a frame. What the decoder accepts must be sane to touch, and encode to the
 * very bytes it came from.
 *
 * Half of the work of random input would be to guess magic and length, so the input is tried twice: as
 * it is, and with these two (and a known kind and channel) put right.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dsmcore/transport/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sink;

static void touch(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sink ^= p[i];
}

static void encode_again(const struct wire_frame *f, const uint8_t *bytes, size_t size)
{
	size_t head, total;
	uint8_t *out = malloc(size);

	if (!out || wire__measure(&f->msg, f->blobs, &head, &total) || total != size)
		abort();
	wire__put(&f->msg, f->blobs, total, out);
	if (memcmp(out, bytes, size) != 0)
		abort();
	free(out);
}

static void try(const uint8_t *bytes, size_t size)
{
	struct wire_frame f = {0};

	if (wire__decode(bytes, size, &f) == 0) {
		if (f.header.kind == WIRE_KIND_NOTE) {
			touch(f.note, f.header.payload);
		} else {
			for (size_t i = 0; i < (size_t)f.msg.npages + f.msg.nwset; i++) {
				if (f.blobs[i].kind == WIRE_DIFF &&
				    !wire__diff_sane(f.blobs[i].data, f.blobs[i].bytes))
					abort();
				if (f.blobs[i].kind == WIRE_MASK &&
				    !wire__mask_sane(f.blobs[i].data, f.blobs[i].bytes))
					abort();
				touch(f.blobs[i].data, f.blobs[i].bytes);
			}
			encode_again(&f, bytes, size);
		}
	}
	wire__free(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t head[2] = {WIRE_MAGIC, (uint32_t)size};
	uint8_t *copy;

	if (!size)
		return 0;
	copy = malloc(size); /* exactly as long: a read past the end is seen */
	if (!copy)
		abort();
	memcpy(copy, data, size);
	try(copy, size);
	if (size >= WIRE_HEADER) {
		memcpy(copy, head, sizeof(head));
		copy[8] = (uint8_t)(1 + (copy[8] & 1));
		copy[9] &= 1;
		try(copy, size);
	}
	free(copy);
	return 0;
}
