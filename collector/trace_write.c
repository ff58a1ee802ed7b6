// SPDX-License-Identifier: BSD-2-Clause
/*
 * trace_write.c - writes a trace so that no moment of failure costs more than the last chunk.
 *
 * Records gather in a buffer; each chunk goes out compressed in one piece. After a failed write the
 * file is cut back to its last whole chunk. The name PATH appears only when all is synced.
 */
#include "collector/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>
#include <zstd.h>

#include "collector/trace_format.h"

/* Level 1: a collector must not take the processor from what it watches. */
#define TRACE_ZSTD_LEVEL 1
#define OPEN_TRIES	 100 /* each one more writer that finished in a moment of ours */

struct trace_writer {
	int fd;
	int error;     /* first one; sticky */
	bool in_place; /* PATH is no regular file (a pipe, /dev/null): nothing to rename or cut */
	char *path, *partial;
	uint64_t bytes; /* written: whole chunks only */
	uint64_t lost;
	uint64_t records;  /* in chunks that were written */
	uint32_t nrecords; /* gathered in raw */
	size_t used;
	uint8_t *raw;
	uint8_t *packed; /* chunk header and compressed payload, so that one write takes both */
	size_t packed_size;
	ZSTD_CCtx *zstd;
};

static int write_all(int fd, const void *data, size_t size)
{
	const uint8_t *p = data;

	while (size) {
		ssize_t n = write(fd, p, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

static int fail(struct trace_writer *w, int error)
{
	if (!w->error)
		w->error = error;
	if (!w->in_place && ftruncate(w->fd, (off_t)w->bytes) == 0)
		(void)lseek(w->fd, (off_t)w->bytes, SEEK_SET);
	return w->error;
}

static int put(struct trace_writer *w, const void *data, size_t size)
{
	int rc = write_all(w->fd, data, size);

	if (rc)
		return fail(w, rc);
	w->bytes += size;
	return 0;
}

/* Writes one chunk of any type; `raw_bytes` must be at most TRACE_RAW_MAX. */
static int put_chunk(struct trace_writer *w, uint16_t type, const void *raw, size_t raw_bytes, uint32_t items)
{
	struct trace_chunk_header h = {.type = type, .items = items, .raw_bytes = (uint32_t)raw_bytes};
	uint8_t *payload = w->packed + sizeof(h);
	size_t n;

	if (w->error)
		return w->error;
	n = ZSTD_compressCCtx(w->zstd, payload, w->packed_size - sizeof(h), raw, raw_bytes, TRACE_ZSTD_LEVEL);
	if (!ZSTD_isError(n) && n < raw_bytes) {
		h.flags = TRACE_CHUNK_ZSTD;
	} else {
		n = raw_bytes;
		if (n)
			memcpy(payload, raw, n);
	}
	memcpy(h.sync, TRACE_SYNC, sizeof(h.sync));
	h.stored_bytes = (uint32_t)n;
	h.lost = w->lost;
	h.payload_hash = XXH64(payload, n, 0);
	h.header_hash = XXH64(&h, offsetof(struct trace_chunk_header, header_hash), 0);
	memcpy(w->packed, &h, sizeof(h));
	return put(w, w->packed, sizeof(h) + n);
}

static int put_file_header(struct trace_writer *w)
{
	struct trace_file_header h = {.version = TRACE_VERSION, .header_bytes = sizeof(h)};
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	memcpy(h.magic, TRACE_MAGIC, sizeof(h.magic));
	h.created_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	h.hash = XXH64(&h, offsetof(struct trace_file_header, hash), 0);
	return put(w, &h, sizeof(h));
}

static void writer__free(struct trace_writer *w)
{
	if (w->fd >= 0)
		close(w->fd);
	ZSTD_freeCCtx(w->zstd);
	free(w->raw);
	free(w->packed);
	free(w->path);
	free(w->partial);
	free(w);
}

static bool is_named(int fd, const char *path)
{
	struct stat ours, named;

	return fstat(fd, &ours) == 0 && lstat(path, &named) == 0 && ours.st_dev == named.st_dev &&
	       ours.st_ino == named.st_ino;
}

/* The lock keeps two writers from one partial file; it goes with the descriptor. Between open and lock the
 * file's writer may finish: what we hold is then its trace, under the final name. */
static int open_partial(struct trace_writer *w)
{
	for (int tries = 0; tries < OPEN_TRIES; tries++) {
		w->fd = open(w->partial, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
		if (w->fd < 0)
			return -errno;
		if (flock(w->fd, LOCK_EX | LOCK_NB) < 0)
			return errno == EWOULDBLOCK ? -EBUSY : -errno;
		if (is_named(w->fd, w->partial))
			return ftruncate(w->fd, 0) < 0 ? -errno : 0;
		close(w->fd);
		w->fd = -1;
	}
	return -EBUSY;
}

static int open_target(struct trace_writer *w)
{
	struct stat st;

	if (strcmp(w->path, "-") == 0) {
		w->in_place = true;
		w->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		return w->fd < 0 ? -errno : 0;
	}
	if (stat(w->path, &st) == 0 && S_ISDIR(st.st_mode))
		return -EISDIR;
	if (stat(w->path, &st) == 0 && !S_ISREG(st.st_mode)) {
		w->in_place = true;
		w->fd = open(w->path, O_WRONLY | O_CLOEXEC);
		return w->fd < 0 ? -errno : 0;
	}
	return open_partial(w);
}

int trace_writer__open(struct trace_writer **out, const char *path)
{
	struct trace_writer *w = calloc(1, sizeof(*w));
	int rc = -ENOMEM;

	*out = NULL;
	if (!w)
		return -ENOMEM;
	w->fd = -1;
	w->packed_size = sizeof(struct trace_chunk_header) + ZSTD_compressBound(TRACE_RAW_MAX);
	w->path = strdup(path);
	w->raw = malloc(TRACE_RAW_TARGET);
	w->packed = malloc(w->packed_size);
	w->zstd = ZSTD_createCCtx();
	if (!w->path || !w->raw || !w->packed || !w->zstd || asprintf(&w->partial, "%s.partial", path) < 0)
		goto out;
	rc = open_target(w);
	if (rc)
		goto out;
	rc = put_file_header(w);
	if (rc && !w->in_place)
		unlink(w->partial);
out:
	if (rc)
		writer__free(w);
	else
		*out = w;
	return rc;
}

int trace_writer__flush(struct trace_writer *w)
{
	uint32_t n = w->nrecords;
	size_t used = w->used;
	int rc;

	if (!n || w->error)
		return w->error;
	w->nrecords = 0;
	w->used = 0;
	rc = put_chunk(w, TRACE_CHUNK_RECORDS, w->raw, used, n);
	if (!rc)
		w->records += n;
	return rc;
}

int trace_writer__record(struct trace_writer *w, const struct dsm_ev_hdr *record)
{
	if (w->error)
		return w->error;
	if (!trace_record__sane(record, record->size))
		return -EINVAL;
	if (w->used + record->size > TRACE_RAW_TARGET) {
		int rc = trace_writer__flush(w);
		if (rc)
			return rc;
	}
	memcpy(w->raw + w->used, record, record->size);
	w->used += record->size;
	w->nrecords++;
	return 0;
}

/* Splits an array over as many chunks as it needs. What the records before it mean must not depend
 * on what comes after, so the open records chunk ends first: file order is the order of calls. */
static int put_array(struct trace_writer *w, uint16_t type, const void *items, size_t count,
		     size_t item_bytes)
{
	const uint8_t *p = items;
	size_t most = TRACE_RAW_TARGET / item_bytes;
	int rc = trace_writer__flush(w);

	while (!rc && count) {
		size_t n = count < most ? count : most;
		rc = put_chunk(w, type, p, n * item_bytes, (uint32_t)n);
		p += n * item_bytes;
		count -= n;
	}
	return rc;
}

int trace_writer__pages(struct trace_writer *w, const struct trace_page_stat *pages, size_t count)
{
	return put_array(w, TRACE_CHUNK_PAGES, pages, count, sizeof(*pages));
}

int trace_writer__counters(struct trace_writer *w, const struct trace_counters *c, size_t count)
{
	return put_array(w, TRACE_CHUNK_COUNTERS, c, count, sizeof(*c));
}

int trace_writer__losses(struct trace_writer *w, const struct trace_loss *losses, size_t count)
{
	w->lost = 0;
	for (size_t i = 0; i < count; i++)
		w->lost += losses[i].count;
	return put_array(w, TRACE_CHUNK_LOSSES, losses, count, sizeof(*losses));
}

static int put_json(struct trace_writer *w, uint16_t type, const char *json)
{
	size_t n = strlen(json);
	int rc;

	if (!n || n > TRACE_RAW_MAX)
		return -EINVAL;
	rc = trace_writer__flush(w);
	return rc ? rc : put_chunk(w, type, json, n, 1);
}

int trace_writer__info(struct trace_writer *w, const char *json)
{
	return put_json(w, TRACE_CHUNK_INFO, json);
}

int trace_writer__summary(struct trace_writer *w, const char *json)
{
	return put_json(w, TRACE_CHUNK_SUMMARY, json);
}

/* Without this a crash of the machine may keep the data and lose the name. Best effort: some file
 * systems refuse to sync a directory. */
static void sync_folder(const char *path)
{
	char *folder = strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;
	int fd;

	if (slash)
		slash[slash == folder] = 0;
	fd = folder ? open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd >= 0) {
		(void)fsync(fd);
		close(fd);
	}
	free(folder);
}

int trace_writer__close(struct trace_writer *w)
{
	int rc = trace_writer__flush(w);

	if (!rc)
		rc = put_chunk(w, TRACE_CHUNK_END, NULL, 0, 0);
	if (!rc && !w->in_place && fsync(w->fd) < 0)
		rc = -errno;
	if (!rc && !w->in_place && rename(w->partial, w->path) < 0)
		rc = -errno;
	if (!rc && !w->in_place)
		sync_folder(w->path);
	if (rc && !w->in_place && !w->records)
		unlink(w->partial);
	writer__free(w);
	return rc;
}

void trace_writer__abandon(struct trace_writer *w)
{
	if (!w)
		return;
	if (!w->in_place)
		unlink(w->partial);
	writer__free(w);
}
