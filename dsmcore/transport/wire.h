/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire.h - what the bytes between two nodes mean (docs/wire.md has the tables).
 *
 * A connection carries frames. A frame is a header, and then a core message (fixed part, entries,
 * page bytes) or a note (raw bytes). All integers are little-endian, every part is padded with zeros
 * to a multiple of 8, so that a frame in an aligned buffer has aligned parts.
 *
 * The decoder trusts nothing: it reads only inside the frame, accepts only what the encoder makes
 * (known kinds and types, zero padding, diffs that fit the page), and needs memory in proportion to
 * the bytes that really came. Whether a well-formed message makes sense is core_msg__sane()'s matter.
 */
#ifndef DSM_TRANSPORT_WIRE_H
#define DSM_TRANSPORT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dsmcore/protocol/core.h"
#include "dsmcore/transport/transport.h"

#define WIRE_MAGIC  0x314d5344u /* "DSM1" */
#define WIRE_HEADER 24u		/* bytes of every frame's first part */
#define WIRE_FIXED  112u	/* bytes of a core message before its entries, header included */
#define WIRE_ENTRY  32u		/* bytes of one entry */

/* The largest frame. A LOCK of 64 Ki pages with its write set takes 4 MiB; a PUBLISH of 16,000 whole
 * pages is what a transaction can change at one home. More fails with -EMSGSIZE at the sender. */
#define WIRE_LIMIT (64u << 20)

enum wire_kind { WIRE_KIND_CORE = 1, WIRE_KIND_NOTE = 2 };

struct wire_header {
	uint32_t bytes; /* of the frame, this header and padding included */
	uint8_t kind;	/* enum wire_kind */
	uint8_t channel;
	uint16_t type; /* enum core_msg_type, or the note's */
	uint16_t from, to;
	uint32_t generation;
	uint32_t payload; /* note: its bytes without padding; core: 0 */
};

/* A decoded frame. Owns its arrays, which are reused from frame to frame; blob and note bytes point
 * into the frame. Start with all zero, end with wire__free(). */
struct wire_frame {
	struct wire_header header;
	struct core_msg msg; /* kind core */
	const struct wire_blob *blobs;
	const uint8_t *note; /* kind note: header.payload bytes */
	struct core_entry *entry_room;
	struct wire_blob *blob_room;
	size_t room;
};

/* Checks the first WIRE_HEADER bytes of a frame and gives them out. Errors: -EPROTO (not a frame of
 * ours), -EMSGSIZE (longer than WIRE_LIMIT). Any thread. */
int wire__header(const uint8_t *bytes, struct wire_header *header);

/* Decodes the whole frame of `bytes` bytes. Errors: -EPROTO, -EMSGSIZE, -ENOMEM; `frame` is usable
 * again after an error. Any thread, one per frame object. */
int wire__decode(const uint8_t *bytes, size_t size, struct wire_frame *frame);
void wire__free(struct wire_frame *frame);

/* Sizes of a message on the wire: `head` bytes of header, fixed part and entries, `total` with the
 * padded blobs. Checks what the decoder will check. Errors: -EINVAL (the blobs do not fit the
 * entries, an insane diff, unknown type), -EMSGSIZE. blobs NULL: no entry has data. */
int wire__measure(const struct core_msg *msg, const struct wire_blob *blobs, size_t *head, size_t *total);
/* Writes the first `head` bytes of a measured message; the blobs follow it, each padded to
 * wire__padded() bytes. */
void wire__put_head(const struct core_msg *msg, const struct wire_blob *blobs, size_t total, uint8_t *out);
/* Writes the whole of a measured message. */
void wire__put(const struct core_msg *msg, const struct wire_blob *blobs, size_t total, uint8_t *out);
/* Writes a note's header (WIRE_HEADER bytes); the bytes follow, padded. Returns the frame's size. */
size_t wire__put_note(const struct wire_header *header, uint8_t *out);

static inline size_t wire__padded(size_t bytes)
{
	return (bytes + 7) & ~(size_t)7;
}

/* Is this a mask and its bytes, as transport.h defines it? */
bool wire__mask_sane(const uint8_t *mask, size_t bytes);
/* Is this a diff as transport.h defines it? Runs ascend, are disjoint, not empty, end in the page. */
bool wire__diff_sane(const uint8_t *diff, size_t bytes);

#endif
