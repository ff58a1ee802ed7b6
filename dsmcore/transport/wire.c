// SPDX-License-Identifier: BSD-2-Clause
#include "dsmcore/transport/wire.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Offsets in the header, the fixed part of a core message, a party and an entry. */
enum {
	H_MAGIC = 0,
	H_BYTES = 4,
	H_KIND = 8,
	H_CHANNEL = 9,
	H_TYPE = 10,
	H_FROM = 12,
	H_TO = 14,
	H_GENERATION = 16,
	H_PAYLOAD = 20,

	C_NPAGES = 24,
	C_NWSET = 28,
	C_CLOCK = 32,
	C_NUMBER = 40,
	C_TX = 48,
	C_OTHER = 80,

	P_NUMBER = 0,
	P_BIRTH = 8,
	P_ATTEMPT = 16,
	P_SITE = 20,
	P_NODE = 24,
	P_ZERO = 26, /* 6 bytes */

	E_PAGE = 0,
	E_FLAGS = 4,
	E_DATA = 6,
	E_VERSION = 8,
	E_STAMP = 16,
	E_BLOB = 24,
	E_ZERO = 26, /* 2 bytes */
	E_BYTES = 28,
};

static uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static void put16(uint8_t *p, uint16_t v)
{
	v = htole16(v);
	memcpy(p, &v, sizeof(v));
}

static void put32(uint8_t *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

static void put64(uint8_t *p, uint64_t v)
{
	v = htole64(v);
	memcpy(p, &v, sizeof(v));
}

#define WIRE_MASK_BYTES (TRANSPORT_PAGE / 8)

static bool all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static bool known_type(unsigned type)
{
	switch (type) {
#define X(name, n) case CORE_MSG_##name:
		CORE_MESSAGES(X)
#undef X
		return true;
	}
	return false;
}

bool wire__diff_sane(const uint8_t *diff, size_t bytes)
{
	size_t at = 0, end = 0; /* end: of the run before, in the page */

	while (at < bytes) {
		size_t offset, length;

		if (bytes - at < 4)
			return false;
		offset = get16(diff + at);
		length = get16(diff + at + 2);
		at += 4;
		if (offset < end || length == 0 || offset + length > TRANSPORT_PAGE || length > bytes - at)
			return false;
		end = offset + length;
		at += length;
	}
	return true;
}

bool wire__mask_sane(const uint8_t *mask, size_t bytes)
{
	size_t set = 0;

	if (bytes <= WIRE_MASK_BYTES)
		return false;
	for (size_t i = 0; i < WIRE_MASK_BYTES; i += 8)
		set += (size_t)__builtin_popcountll(get64(mask + i));
	return bytes == WIRE_MASK_BYTES + set;
}

/* Changes that others' changes of the same page must not be lost under: exact to the byte. */
static bool exact(unsigned type)
{
	return type == CORE_MSG_FLUSH || type == CORE_MSG_SPREAD;
}

static bool blob_sane(unsigned kind, const uint8_t *data, size_t bytes)
{
	return kind == WIRE_DIFF ? wire__diff_sane(data, bytes)
				 : kind != WIRE_MASK || wire__mask_sane(data, bytes);
}

/* What may come with an entry follows from what its sender was told to attach. */
static bool blob_fits(unsigned type, unsigned data, unsigned kind, size_t bytes)
{
	switch (data) {
	case CORE_DATA_NONE:
		return kind == WIRE_NONE && bytes == 0;
	case CORE_DATA_COMMITTED:
		return kind == WIRE_PAGE && bytes == TRANSPORT_PAGE;
	case CORE_DATA_CHANGES:
		/* A diff may exceed the page by the headers of its runs; one byte in two is the worst case.
		 */
		if (exact(type))
			return (kind == WIRE_DIFF || kind == WIRE_MASK) &&
			       bytes <= TRANSPORT_PAGE + WIRE_MASK_BYTES;
		return (kind == WIRE_PAGE && bytes == TRANSPORT_PAGE) ||
		       (kind == WIRE_DIFF && bytes <= 3 * TRANSPORT_PAGE);
	}
	return false;
}

/* ---- decoding ---- */

int wire__header(const uint8_t *bytes, struct wire_header *h)
{
	if (get32(bytes + H_MAGIC) != WIRE_MAGIC)
		return -EPROTO;
	h->bytes = get32(bytes + H_BYTES);
	h->kind = bytes[H_KIND];
	h->channel = bytes[H_CHANNEL];
	h->type = get16(bytes + H_TYPE);
	h->from = get16(bytes + H_FROM);
	h->to = get16(bytes + H_TO);
	h->generation = get32(bytes + H_GENERATION);
	h->payload = get32(bytes + H_PAYLOAD);
	if (h->bytes > WIRE_LIMIT)
		return -EMSGSIZE;
	if (h->channel > CORE_CHANNEL_FETCH || h->bytes % 8)
		return -EPROTO;
	switch (h->kind) {
	case WIRE_KIND_CORE:
		return h->bytes >= WIRE_FIXED && h->payload == 0 && known_type(h->type) ? 0 : -EPROTO;
	case WIRE_KIND_NOTE:
		if (h->payload > WIRE_NOTE_MAX || h->bytes != WIRE_HEADER + wire__padded(h->payload))
			return -EPROTO;
		return h->channel == CORE_CHANNEL_MAIN ? 0 : -EPROTO;
	}
	return -EPROTO;
}

static int get_party(const uint8_t *p, struct core_party *party)
{
	party->number = get64(p + P_NUMBER);
	party->birth = get64(p + P_BIRTH);
	party->attempt = get32(p + P_ATTEMPT);
	party->site = get32(p + P_SITE);
	party->node = get16(p + P_NODE);
	return all_zero(p + P_ZERO, 6) ? 0 : -EPROTO;
}

static int make_room(struct wire_frame *f, size_t entries)
{
	struct core_entry *e;
	struct wire_blob *b;

	if (entries <= f->room)
		return 0;
	e = realloc(f->entry_room, entries * sizeof(*e));
	if (!e)
		return -ENOMEM;
	f->entry_room = e;
	b = realloc(f->blob_room, entries * sizeof(*b));
	if (!b)
		return -ENOMEM;
	f->blob_room = b;
	f->room = entries;
	return 0;
}

/* The entry at p and its blob, which begins at *at; moves *at behind the blob. */
static int get_entry(unsigned type, const uint8_t *bytes, size_t size, const uint8_t *p, size_t *at,
		     struct core_entry *e, struct wire_blob *b)
{
	size_t padded;

	e->page = get32(p + E_PAGE);
	e->flags = get16(p + E_FLAGS);
	e->data = get16(p + E_DATA);
	e->version = get64(p + E_VERSION);
	e->stamp = get64(p + E_STAMP);
	e->hold = 0;
	b->kind = get16(p + E_BLOB);
	b->bytes = get32(p + E_BYTES);
	if (!all_zero(p + E_ZERO, 2) || !blob_fits(type, e->data, b->kind, b->bytes))
		return -EPROTO;
	padded = wire__padded(b->bytes);
	if (padded > size - *at)
		return -EPROTO;
	b->data = b->bytes ? bytes + *at : NULL;
	if (!all_zero(bytes + *at + b->bytes, padded - b->bytes))
		return -EPROTO;
	if (!blob_sane(b->kind, bytes + *at, b->bytes))
		return -EPROTO;
	*at += padded;
	return 0;
}

static int decode_core(const uint8_t *bytes, size_t size, struct wire_frame *f)
{
	struct core_msg *m = &f->msg;
	uint64_t entries;
	size_t at;
	int rc;

	*m = (struct core_msg){
		.type = (uint8_t)f->header.type,
		.channel = f->header.channel,
		.from = f->header.from,
		.to = f->header.to,
		.generation = f->header.generation,
		.clock = get64(bytes + C_CLOCK),
		.number = get64(bytes + C_NUMBER),
		.npages = get32(bytes + C_NPAGES),
		.nwset = get32(bytes + C_NWSET),
	};
	if (get_party(bytes + C_TX, &m->tx) || get_party(bytes + C_OTHER, &m->other))
		return -EPROTO;
	entries = (uint64_t)m->npages + m->nwset;
	if (entries > (size - WIRE_FIXED) / WIRE_ENTRY)
		return -EPROTO;
	rc = make_room(f, entries);
	if (rc)
		return rc;
	at = WIRE_FIXED + entries * WIRE_ENTRY;
	for (size_t i = 0; i < entries; i++) {
		rc = get_entry(m->type, bytes, size, bytes + WIRE_FIXED + i * WIRE_ENTRY, &at,
			       &f->entry_room[i], &f->blob_room[i]);
		if (rc)
			return rc;
	}
	m->entries = f->entry_room;
	f->blobs = f->blob_room;
	return at == size ? 0 : -EPROTO;
}

int wire__decode(const uint8_t *bytes, size_t size, struct wire_frame *f)
{
	int rc;

	if (size < WIRE_HEADER)
		return -EPROTO;
	rc = wire__header(bytes, &f->header);
	if (rc)
		return rc;
	if (f->header.bytes != size)
		return -EPROTO;
	if (f->header.kind == WIRE_KIND_CORE)
		return decode_core(bytes, size, f);
	f->note = bytes + WIRE_HEADER;
	return all_zero(f->note + f->header.payload, size - WIRE_HEADER - f->header.payload) ? 0 : -EPROTO;
}

void wire__free(struct wire_frame *f)
{
	free(f->entry_room);
	free(f->blob_room);
	*f = (struct wire_frame){0};
}

/* ---- encoding ---- */

int wire__measure(const struct core_msg *m, const struct wire_blob *blobs, size_t *head, size_t *total)
{
	size_t entries = (size_t)m->npages + m->nwset;

	if (!known_type(m->type) || m->channel > CORE_CHANNEL_FETCH)
		return -EINVAL;
	if (entries > (WIRE_LIMIT - WIRE_FIXED) / WIRE_ENTRY)
		return -EMSGSIZE;
	*head = *total = WIRE_FIXED + entries * WIRE_ENTRY;
	for (size_t i = 0; i < entries; i++) {
		unsigned kind = blobs ? blobs[i].kind : WIRE_NONE;
		uint32_t bytes = kind == WIRE_NONE ? 0 : blobs[i].bytes;

		if (!blob_fits(m->type, m->entries[i].data, kind, bytes))
			return -EINVAL;
		if (bytes && !blob_sane(kind, blobs[i].data, bytes))
			return -EINVAL;
		*total += wire__padded(bytes);
		if (*total > WIRE_LIMIT)
			return -EMSGSIZE;
	}
	return 0;
}

static void put_header(const struct wire_header *h, uint8_t *out)
{
	put32(out + H_MAGIC, WIRE_MAGIC);
	put32(out + H_BYTES, h->bytes);
	out[H_KIND] = h->kind;
	out[H_CHANNEL] = h->channel;
	put16(out + H_TYPE, h->type);
	put16(out + H_FROM, h->from);
	put16(out + H_TO, h->to);
	put32(out + H_GENERATION, h->generation);
	put32(out + H_PAYLOAD, h->payload);
}

static void put_party(const struct core_party *party, uint8_t *p)
{
	put64(p + P_NUMBER, party->number);
	put64(p + P_BIRTH, party->birth);
	put32(p + P_ATTEMPT, party->attempt);
	put32(p + P_SITE, party->site);
	put16(p + P_NODE, party->node);
	memset(p + P_ZERO, 0, 6);
}

static void put_entry(const struct core_entry *e, const struct wire_blob *b, uint8_t *p)
{
	put32(p + E_PAGE, e->page);
	put16(p + E_FLAGS, e->flags);
	put16(p + E_DATA, e->data);
	put64(p + E_VERSION, e->version);
	put64(p + E_STAMP, e->stamp);
	put16(p + E_BLOB, b ? (uint16_t)b->kind : WIRE_NONE);
	put16(p + E_ZERO, 0);
	put32(p + E_BYTES, b && b->kind != WIRE_NONE ? b->bytes : 0);
}

void wire__put_head(const struct core_msg *m, const struct wire_blob *blobs, size_t total, uint8_t *out)
{
	size_t entries = (size_t)m->npages + m->nwset;
	struct wire_header h = {
		.bytes = (uint32_t)total,
		.kind = WIRE_KIND_CORE,
		.channel = m->channel,
		.type = m->type,
		.from = m->from,
		.to = m->to,
		.generation = m->generation,
	};

	put_header(&h, out);
	put32(out + C_NPAGES, m->npages);
	put32(out + C_NWSET, m->nwset);
	put64(out + C_CLOCK, m->clock);
	put64(out + C_NUMBER, m->number);
	put_party(&m->tx, out + C_TX);
	put_party(&m->other, out + C_OTHER);
	for (size_t i = 0; i < entries; i++)
		put_entry(&m->entries[i], blobs ? &blobs[i] : NULL, out + WIRE_FIXED + i * WIRE_ENTRY);
}

void wire__put(const struct core_msg *m, const struct wire_blob *blobs, size_t total, uint8_t *out)
{
	size_t entries = (size_t)m->npages + m->nwset;
	size_t at = WIRE_FIXED + entries * WIRE_ENTRY;

	wire__put_head(m, blobs, total, out);
	for (size_t i = 0; blobs && i < entries; i++) {
		size_t bytes = blobs[i].kind == WIRE_NONE ? 0 : blobs[i].bytes;

		if (!bytes)
			continue;
		memcpy(out + at, blobs[i].data, bytes);
		memset(out + at + bytes, 0, wire__padded(bytes) - bytes);
		at += wire__padded(bytes);
	}
}

size_t wire__put_note(const struct wire_header *header, uint8_t *out)
{
	struct wire_header h = *header;

	h.kind = WIRE_KIND_NOTE;
	h.channel = CORE_CHANNEL_MAIN;
	h.bytes = WIRE_HEADER + (uint32_t)wire__padded(h.payload);
	put_header(&h, out);
	return h.bytes;
}
