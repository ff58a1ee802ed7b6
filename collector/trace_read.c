// SPDX-License-Identifier: BSD-2-Clause
/*
 * trace_read.c - reads a trace as a stream, whatever bytes it holds.
 *
 * Nothing from the file is believed before its checksum held; even then every length is bounded and
 * every record checked, because a checksum only proves that somebody computed it. After damage the
 * reader searches byte by byte for the next chunk header that holds, from right behind the damaged
 * header: bytes may have been lost, so the length it named is no guide.
 */
#include "collector/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include "collector/trace_format.h"

#define READ_AHEAD 65536u

enum state { READING, RESYNC, CUT, ENDED };

struct trace_reader {
	int fd;
	enum state state;
	bool eof;	     /* the file has no more bytes than are buffered */
	bool follow;	     /* it may have more later */
	bool header_damaged; /* told at the first call of next */
	uint64_t lost;
	uint8_t *buf; /* [pos, len) is unread */
	size_t pos, len, size;
	uint8_t *raw; /* the current chunk, decompressed */
	size_t raw_len, raw_pos, raw_size;
	void *items; /* the current array in this version's layout */
	ZSTD_DCtx *zstd;
};

/* Makes at least `want` unread bytes available unless the file ends first. */
static int fill(struct trace_reader *r, size_t want)
{
	if (r->len - r->pos >= want || r->eof)
		return 0;
	if (r->pos) {
		memmove(r->buf, r->buf + r->pos, r->len - r->pos);
		r->len -= r->pos;
		r->pos = 0;
	}
	if (want + READ_AHEAD > r->size) {
		uint8_t *grown = realloc(r->buf, want + READ_AHEAD);
		if (!grown)
			return -ENOMEM;
		r->buf = grown;
		r->size = want + READ_AHEAD;
	}
	while (r->len < want) {
		ssize_t n = read(r->fd, r->buf + r->len, r->size - r->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) {
			r->eof = !r->follow;
			break;
		}
		r->len += (size_t)n;
	}
	return 0;
}

static size_t unread(const struct trace_reader *r)
{
	return r->len - r->pos;
}

static void consume(struct trace_reader *r, size_t n)
{
	r->pos += n;
}

static int read_file_header(struct trace_reader *r)
{
	struct trace_file_header h;
	int rc = fill(r, sizeof(h));

	if (rc)
		return rc;
	if (unread(r) < sizeof(h.magic) || memcmp(r->buf + r->pos, TRACE_MAGIC, sizeof(h.magic)) != 0)
		return -EBADMSG;
	if (unread(r) < sizeof(h)) {
		r->state = CUT;
		return 0;
	}
	memcpy(&h, r->buf + r->pos, sizeof(h));
	if (h.hash != XXH64(&h, offsetof(struct trace_file_header, hash), 0)) {
		r->header_damaged = true;
		r->state = RESYNC;
		return 0;
	}
	if (h.version > TRACE_VERSION)
		return -EPROTONOSUPPORT;
	if (h.header_bytes < sizeof(h) || h.header_bytes > READ_AHEAD)
		return -EBADMSG;
	rc = fill(r, h.header_bytes);
	if (rc)
		return rc;
	if (unread(r) < h.header_bytes)
		r->state = CUT;
	else
		consume(r, h.header_bytes);
	return 0;
}

int trace_reader__open(struct trace_reader **out, const char *path)
{
	struct trace_reader *r = calloc(1, sizeof(*r));
	int rc = -ENOMEM;

	*out = NULL;
	if (!r)
		return -ENOMEM;
	r->zstd = ZSTD_createDCtx();
	r->fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC)
				  : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	if (r->fd < 0)
		rc = -errno;
	if (r->fd < 0 || !r->zstd)
		goto out;
	rc = read_file_header(r);
out:
	if (rc)
		trace_reader__close(r);
	else
		*out = r;
	return rc;
}

static bool header__valid(const struct trace_chunk_header *h)
{
	return memcmp(h->sync, TRACE_SYNC, sizeof(h->sync)) == 0 &&
	       h->header_hash == XXH64(h, offsetof(struct trace_chunk_header, header_hash), 0) &&
	       h->raw_bytes <= TRACE_RAW_MAX && h->stored_bytes <= TRACE_STORED_MAX;
}

static int damaged(struct trace_reader *r, size_t skip)
{
	consume(r, skip);
	r->state = RESYNC;
	return -EBADMSG;
}

/* Moves to the next byte that could begin a valid chunk header. */
static int resync(struct trace_reader *r)
{
	struct trace_chunk_header h;

	for (;;) {
		uint8_t *at;
		int rc = fill(r, sizeof(h));
		if (rc)
			return rc;
		if (unread(r) < sizeof(h)) {
			if (r->follow)
				return -EAGAIN;
			r->state = CUT;
			return 0;
		}
		at = memchr(r->buf + r->pos, TRACE_SYNC[0] & 0xff, unread(r));
		if (!at) {
			consume(r, unread(r));
			continue;
		}
		consume(r, (size_t)(at - (r->buf + r->pos)));
		if (unread(r) < sizeof(h))
			continue;
		memcpy(&h, r->buf + r->pos, sizeof(h));
		if (header__valid(&h)) {
			r->state = READING;
			return 0;
		}
		consume(r, 1);
	}
}

static int reserve_raw(struct trace_reader *r, size_t size)
{
	uint8_t *grown;

	if (size <= r->raw_size)
		return 0;
	grown = realloc(r->raw, size);
	if (!grown)
		return -ENOMEM;
	r->raw = grown;
	r->raw_size = size;
	return 0;
}

/* The payload into r->raw, with a NUL behind it. */
static int unpack(struct trace_reader *r, const struct trace_chunk_header *h, const uint8_t *payload)
{
	size_t n;
	int rc = reserve_raw(r, h->raw_bytes + 1u);

	if (rc)
		return rc;
	if (h->flags & ~TRACE_CHUNK_ZSTD)
		return -EBADMSG;
	if (h->flags & TRACE_CHUNK_ZSTD) {
		n = ZSTD_decompressDCtx(r->zstd, r->raw, h->raw_bytes, payload, h->stored_bytes);
		if (ZSTD_isError(n))
			return -EBADMSG;
	} else {
		n = h->stored_bytes;
		if (n == h->raw_bytes)
			memcpy(r->raw, payload, n);
	}
	if (n != h->raw_bytes)
		return -EBADMSG;
	r->raw[n] = 0;
	return 0;
}

/* Elements as another version wrote them: longer ones are cut, shorter ones end in zeros. `key` is
 * what identifies an element and must be there. */
static int take_array(struct trace_reader *r, const struct trace_chunk_header *h, size_t size, size_t key,
		      struct trace_item *item)
{
	size_t stored, common;

	if (!h->items || h->raw_bytes % h->items)
		return -EBADMSG;
	stored = h->raw_bytes / h->items;
	if (stored < key)
		return -EBADMSG;
	common = stored < size ? stored : size;
	free(r->items);
	r->items = calloc(h->items, size);
	if (!r->items)
		return -ENOMEM;
	for (size_t i = 0; i < h->items; i++)
		memcpy((uint8_t *)r->items + i * size, r->raw + i * stored, common);
	item->count = h->items;
	item->pages = r->items;
	return 0;
}

static int take_json(struct trace_reader *r, const struct trace_chunk_header *h, struct trace_item *item)
{
	if (!h->raw_bytes || memchr(r->raw, 0, h->raw_bytes))
		return -EBADMSG;
	item->count = 1;
	item->json = (const char *)r->raw;
	return 0;
}

/* Turns the chunk in r->raw into an item. 1 = this chunk holds none, go on. */
static int take_chunk(struct trace_reader *r, const struct trace_chunk_header *h, struct trace_item *item)
{
	switch (h->type) {
	case TRACE_CHUNK_RECORDS:
		r->raw_pos = 0;
		r->raw_len = h->raw_bytes;
		return 1;
	case TRACE_CHUNK_PAGES:
		item->kind = TRACE_PAGES;
		return take_array(r, h, sizeof(*item->pages), offsetof(struct trace_page_stat, fetches),
				  item);
	case TRACE_CHUNK_COUNTERS:
		item->kind = TRACE_COUNTERS;
		return take_array(r, h, sizeof(*item->counters), offsetof(struct trace_counters, counters),
				  item);
	case TRACE_CHUNK_LOSSES:
		item->kind = TRACE_LOSSES;
		return take_array(r, h, sizeof(*item->losses), sizeof(*item->losses), item);
	case TRACE_CHUNK_INFO:
		item->kind = TRACE_INFO;
		return take_json(r, h, item);
	case TRACE_CHUNK_SUMMARY:
		item->kind = TRACE_SUMMARY;
		return take_json(r, h, item);
	case TRACE_CHUNK_END:
		r->state = ENDED;
		return 1;
	default:
		return 1;
	}
}

/* Reads one chunk. 0: item is set; 1: go on; negative: as trace_reader__next(). */
static int read_chunk(struct trace_reader *r, struct trace_item *item)
{
	struct trace_chunk_header h;
	const uint8_t *payload;
	int rc = fill(r, sizeof(h));

	if (rc)
		return rc;
	if (unread(r) < sizeof(h)) {
		if (r->follow)
			return -EAGAIN;
		r->state = CUT;
		return -ENODATA;
	}
	memcpy(&h, r->buf + r->pos, sizeof(h));
	if (!header__valid(&h))
		return damaged(r, 1);
	rc = fill(r, sizeof(h) + h.stored_bytes);
	if (rc)
		return rc;
	payload = r->buf + r->pos + sizeof(h);
	if (unread(r) < sizeof(h) + h.stored_bytes && r->follow)
		return -EAGAIN;
	if (unread(r) < sizeof(h) + h.stored_bytes) {
		/* A cut file ends here. One that only lost bytes in the middle may go on in what we
		 * hold, so look there before giving up; the search ends in CUT if it does not. */
		consume(r, sizeof(h));
		r->state = RESYNC;
		rc = resync(r);
		return rc ? rc : r->state == CUT ? -ENODATA : -EBADMSG;
	}
	if (XXH64(payload, h.stored_bytes, 0) != h.payload_hash)
		return damaged(r, sizeof(h));
	rc = unpack(r, &h, payload);
	if (!rc) {
		r->lost = h.lost;
		rc = take_chunk(r, &h, item);
	}
	/* The bytes are as they were written: what cannot be understood in them is skipped whole. */
	if (rc != -ENOMEM)
		consume(r, sizeof(h) + h.stored_bytes);
	return rc;
}

/* Next record of the current chunk; 1 = there is none left. */
static int next_record(struct trace_reader *r, struct trace_item *item)
{
	const struct dsm_ev_hdr *record;
	size_t left = r->raw_len - r->raw_pos;

	if (!left)
		return 1;
	record = (const void *)(r->raw + r->raw_pos);
	if (left < sizeof(*record) || record->size < sizeof(*record) || record->size % 8 ||
	    record->size > left) {
		r->raw_pos = r->raw_len; /* no way to find the next record */
		return -EBADMSG;
	}
	r->raw_pos += record->size;
	if (!trace_record__sane(record, left))
		return -EBADMSG;
	item->kind = TRACE_RECORD;
	item->count = 1;
	item->record = record;
	return 0;
}

/* Bytes behind the end chunk are damage, but nothing that they could say is part of this trace. */
static int at_end(struct trace_reader *r)
{
	int rc = fill(r, 1);

	if (rc)
		return rc;
	if (!unread(r))
		return 0;
	r->pos = r->len;
	r->eof = true;
	return -EBADMSG;
}

int trace_reader__next(struct trace_reader *r, struct trace_item *item)
{
	int rc;

	memset(item, 0, sizeof(*item));
	if (r->header_damaged) {
		r->header_damaged = false;
		return -EBADMSG;
	}
	for (;;) {
		rc = next_record(r, item);
		if (rc <= 0)
			return rc;
		if (r->state == RESYNC && (rc = resync(r)))
			return rc;
		if (r->state == CUT)
			return -ENODATA;
		if (r->state == ENDED)
			return at_end(r);
		rc = read_chunk(r, item);
		if (rc <= 0)
			return rc;
	}
}

void trace_reader__follow(struct trace_reader *r, bool follow)
{
	r->follow = follow;
}

void trace_losses__since(uint64_t told[DSM_EV_TYPE_MAX], const struct trace_loss *losses, size_t n,
			 uint64_t since[DSM_EV_TYPE_MAX])
{
	uint64_t now[DSM_EV_TYPE_MAX] = {0};

	for (size_t i = 0; i < n; i++)
		now[losses[i].type < DSM_EV_TYPE_MAX ? losses[i].type : 0] += losses[i].count;
	for (unsigned type = 0; type < DSM_EV_TYPE_MAX; type++) {
		since[type] = now[type] > told[type] ? now[type] - told[type] : 0;
		told[type] += since[type];
	}
}

uint64_t trace_reader__lost(const struct trace_reader *r)
{
	return r->lost;
}

void trace_reader__close(struct trace_reader *r)
{
	if (!r)
		return;
	if (r->fd >= 0)
		close(r->fd);
	ZSTD_freeDCtx(r->zstd);
	free(r->buf);
	free(r->raw);
	free(r->items);
	free(r);
}
