// SPDX-License-Identifier: BSD-2-Clause
/* tls_identity.c - a connection's identity as the calling end sends it. */
#include "dsmcore/transport/tls.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define IDENTITY_MAGIC 0x314d5354u /* "TSM1" */

struct wire_identity { /* little-endian */
	uint32_t magic, generation;
	uint64_t run_id;
	uint16_t from, to, channel, zero;
};

_Static_assert(sizeof(struct wire_identity) == TLS_IDENTITY, "the identity has no holes");

void tls_identity__encode(const struct tls_identity *id, uint8_t bytes[TLS_IDENTITY])
{
	struct wire_identity w = {
		.magic = htole32(IDENTITY_MAGIC),
		.generation = htole32(id->generation),
		.run_id = htole64(id->run_id),
		.from = htole16(id->from),
		.to = htole16(id->to),
		.channel = htole16(id->channel),
	};

	memcpy(bytes, &w, sizeof(w));
}

int tls_identity__decode(const uint8_t *bytes, size_t size, struct tls_identity *id)
{
	struct wire_identity w;

	if (size != sizeof(w))
		return -EPROTO;
	memcpy(&w, bytes, sizeof(w));
	if (w.magic != htole32(IDENTITY_MAGIC) || w.zero)
		return -EPROTO;
	*id = (struct tls_identity){
		.run_id = le64toh(w.run_id),
		.generation = le32toh(w.generation),
		.from = le16toh(w.from),
		.to = le16toh(w.to),
		.channel = le16toh(w.channel),
	};
	return 0;
}
