// SPDX-License-Identifier: BSD-2-Clause
/*
 * trace_test.c - reading trace files that are cut, damaged or of other versions.
 *
 * The rule that every case checks: what the reader returns is a subsequence of what was written,
 * byte for byte, and how it ends tells whether that is all.
 */
#include "collector/trace.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <xxhash.h>

#include "collector/trace_format.h"
#include "tests/collector/sample.h"

static uint8_t *load(const char *from, size_t *size)
{
	FILE *f = fopen(from, "rb");
	uint8_t *data = malloc(1 << 20);

	assert_non_null(f);
	*size = fread(data, 1, 1 << 20, f);
	fclose(f);
	return data;
}

static void store(const char *to, const void *data, size_t size)
{
	FILE *f;

	unlink(to); /* a file system may wait for the disk when a file is made short and written anew */
	f = fopen(to, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

/* ---- cases ---- */

static void test_round_trip(void **state)
{
	struct tally t;

	(void)state;
	write_trace(path);
	t = read_trace(path);
	assert_complete(&t);
	assert_int_equal(t.lost, 7);
}

static void test_from_pipe(void **state)
{
	size_t size;
	uint8_t *data;
	int ends[2], saved = dup(0);
	struct tally t;

	(void)state;
	write_trace(path);
	data = load(path, &size);
	assert_int_equal(pipe(ends), 0);
	assert_true(size < 60000);
	assert_int_equal(write(ends[1], data, size), size);
	close(ends[1]);
	dup2(ends[0], 0);
	t = read_trace("-");
	assert_complete(&t);
	dup2(saved, 0);
	close(saved);
	close(ends[0]);
	free(data);
}

static void test_large(void **state)
{
	struct trace_writer *w;
	struct trace_reader *r;
	struct trace_item item;
	struct dsm_ev_commit c = {.hdr = {.size = sizeof(c), .type = DSM_EV_COMMIT}};
	struct trace_page_stat *many = calloc(20000, sizeof(*many));
	uint64_t seen = 0, npages = 0;

	(void)state;
	assert_int_equal(trace_writer__open(&w, path), 0);
	for (uint64_t i = 1; i <= 50000; i++) {
		c.hdr.seq = i;
		c.duration_ns = i * 0x9e3779b97f4a7c15u;
		assert_int_equal(trace_writer__record(w, &c.hdr), 0);
	}
	for (unsigned i = 0; i < 20000; i++)
		many[i].page = DSM_EV_PAGE(4096ull * i, 12);
	assert_int_equal(trace_writer__pages(w, many, 20000), 0);
	assert_int_equal(trace_writer__close(w), 0);
	assert_int_equal(trace_reader__open(&r, path), 0);
	while (trace_reader__next(r, &item) == 0 && item.kind) {
		if (item.kind == TRACE_RECORD)
			assert_int_equal(item.record->seq, ++seen);
		for (size_t i = 0; item.kind == TRACE_PAGES && i < item.count; i++)
			assert_int_equal(item.pages[i].page, DSM_EV_PAGE(4096ull * npages++, 12));
	}
	assert_int_equal(seen, 50000);
	assert_int_equal(npages, 20000);
	trace_reader__close(r);
	free(many);
}

static void test_cut_at_every_byte(void **state)
{
	size_t size;
	uint8_t *data;
	unsigned most = 0;

	(void)state;
	write_trace(path);
	data = load(path, &size);
	for (size_t cut = sizeof(TRACE_MAGIC) - 1; cut < size; cut++) {
		struct tally t;
		store(path, data, cut);
		t = read_trace(path);
		assert_int_equal(t.end, -ENODATA);
		assert_int_equal(t.damaged, 0);
		assert_true(t.items[TRACE_RECORD] >= most); /* each whole chunk is there */
		most = t.items[TRACE_RECORD];
	}
	assert_int_equal(most, NRECORDS);
	for (size_t cut = 0; cut < sizeof(TRACE_MAGIC) - 1; cut++) {
		struct trace_reader *r;
		store(path, data, cut);
		assert_int_equal(trace_reader__open(&r, path), -EBADMSG);
	}
	free(data);
}

/* Read while it grows byte by byte, with a damaged stretch or without: what comes, and in which order, is as of the whole. */
static void follow(const uint8_t *data, size_t size, size_t damaged, struct tally *t)
{
	FILE *f = fopen(path, "wb");
	struct trace_reader *r = NULL;
	struct trace_item item;

	assert_non_null(f);
	for (size_t n = 0; n < size; n++) {
		int rc = 0;

		assert_true(fputc(n == damaged ? data[n] ^ 0x10 : data[n], f) != EOF);
		assert_int_equal(fflush(f), 0);
		if (n + 1 == 32) { /* the file's header */
			assert_int_equal(trace_reader__open(&r, path), 0);
			trace_reader__follow(r, true);
		}
		while (r && rc != -EAGAIN) {
			rc = trace_reader__next(r, &item);
			if (rc == -EBADMSG)
				t->damaged++;
			else if (!rc && item.kind == TRACE_END_OF_FILE)
				break;
			else if (!rc)
				t->items[item.kind]++;
			else
				assert_int_equal(rc, -EAGAIN);
		}
		assert_true(!r || rc || n == size - 1);
		t->end = rc;
	}
	t->lost = trace_reader__lost(r);
	trace_reader__close(r);
	fclose(f);
}

static void test_growing(void **state)
{
	struct tally t = {0}, u = {0};
	size_t size;
	uint8_t *data;

	(void)state;
	write_trace(path);
	data = load(path, &size);
	unlink(path);
	follow(data, size, SIZE_MAX, &t);
	assert_complete(&t);
	assert_int_equal(t.lost, 7);
	follow(data, size, 32 + 48 + 1, &u); /* in the first chunk */
	assert_int_equal(u.damaged, 1);
	assert_int_equal(u.end, 0);
	free(data);
}

/* A flipped bit costs one chunk, never another one, and never goes unseen. */
static void test_every_bit_flipped(void **state)
{
	size_t size;
	uint8_t *data;

	(void)state;
	write_trace(path);
	data = load(path, &size);
	for (size_t bit = 64; bit < size * 8; bit++) {
		struct tally t;
		unsigned chunks = 0;
		data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		store(path, data, size);
		t = read_trace(path);
		data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(t.damaged, 1);
		for (int kind = TRACE_PAGES; kind <= TRACE_SUMMARY; kind++)
			chunks += t.items[kind];
		assert_true((chunks == 5 && t.items[TRACE_RECORD] >= NRECORDS - 10) ||
			    (chunks == 4 && t.items[TRACE_RECORD] == NRECORDS));
	}
	free(data);
}

/* Bytes lost or inserted move all that follows; the search finds it again. */
static void test_bytes_missing_and_added(void **state)
{
	size_t size;
	uint8_t *data, *changed;

	(void)state;
	write_trace(path);
	data = load(path, &size);
	changed = malloc(size + 100);
	for (size_t at = 40; at + 60 < size; at += 7) {
		struct tally t;
		memcpy(changed, data, at);
		memcpy(changed + at, data + at + 30, size - at - 30);
		store(path, changed, size - 30);
		t = read_trace(path);
		assert_true(t.damaged >= 1);
		assert_true(t.items[TRACE_RECORD] >= NRECORDS - 20);
		memset(changed + at, TRACE_SYNC[0], 100);
		memcpy(changed + at + 100, data + at, size - at);
		store(path, changed, size + 100);
		t = read_trace(path);
		assert_true(t.damaged >= 1);
		assert_true(t.items[TRACE_RECORD] >= NRECORDS - 10);
	}
	store(path, changed, 0);
	memcpy(changed, data, size);
	changed[size] = 'x';
	store(path, changed, size + 1);
	assert_int_equal(read_trace(path).damaged, 1);
	free(changed);
	free(data);
}

static void test_no_trace(void **state)
{
	struct trace_reader *r;

	(void)state;
	assert_int_equal(trace_reader__open(&r, "/nonexistent/t.dsmt"), -ENOENT);
	store(path, "no trace at all", 15);
	assert_int_equal(trace_reader__open(&r, path), -EBADMSG);
	assert_int_equal(trace_reader__open(&r, folder), -EISDIR);
}

/* ---- other versions: chunks and headers built by hand ---- */

static size_t add_chunk(uint8_t *to, uint16_t type, uint16_t flags, const void *raw, uint32_t size,
			uint32_t items)
{
	struct trace_chunk_header h = {
		.type = type, .flags = flags, .items = items, .stored_bytes = size, .raw_bytes = size};

	memcpy(h.sync, TRACE_SYNC, 8);
	h.payload_hash = XXH64(raw, size, 0);
	h.header_hash = XXH64(&h, 40, 0);
	memcpy(to, &h, sizeof(h));
	if (size)
		memcpy(to + sizeof(h), raw, size);
	return sizeof(h) + size;
}

static size_t add_header(uint8_t *to, uint32_t version, uint32_t bytes)
{
	struct trace_file_header h = {.version = version, .header_bytes = bytes};

	memcpy(h.magic, TRACE_MAGIC, 8);
	h.hash = XXH64(&h, 24, 0);
	memset(to, 0xee, bytes);
	memcpy(to, &h, sizeof(h));
	return bytes;
}

static void test_newer_file(void **state)
{
	uint8_t file[256];
	struct trace_reader *r;

	(void)state;
	store(path, file, add_header(file, TRACE_VERSION + 1, 32));
	assert_int_equal(trace_reader__open(&r, path), -EPROTONOSUPPORT);
}

static void test_unknown_and_larger(void **state)
{
	static uint8_t file[8192];
	uint64_t body[512] = {0};
	struct dsm_ev_hdr *h = (void *)body;
	struct trace_reader *r;
	struct trace_item item;
	size_t n = add_header(file, TRACE_VERSION, 64); /* a longer file header */

	(void)state;
	n += add_chunk(file + n, 900, 0, "who knows", 9, 1); /* an unknown chunk */
	h->size = 40;					     /* an unknown record type */
	h->type = 30;
	h = (void *)(body + 5);
	h->size = sizeof(struct dsm_ev_free) + 16; /* a known one with more fields */
	h->type = DSM_EV_FREE;
	n += add_chunk(file + n, TRACE_CHUNK_RECORDS, 0, body, 40 + sizeof(struct dsm_ev_free) + 16, 2);
	memset(body, 0, sizeof(body));
	body[0] = 11; /* counters of a longer kind, two of them */
	body[1] = 1;
	body[50] = 12;
	body[51] = 2;
	n += add_chunk(file + n, TRACE_CHUNK_COUNTERS, 0, body, 800, 2);
	memset(body, 0, sizeof(body));
	body[0] = 21; /* and of a shorter kind */
	body[1] = 1;
	body[2] = 99;
	n += add_chunk(file + n, TRACE_CHUNK_COUNTERS, 0, body, 24, 1);
	n += add_chunk(file + n, TRACE_CHUNK_END, 0, NULL, 0, 0);
	store(path, file, n);

	assert_int_equal(trace_reader__open(&r, path), 0);
	assert_int_equal(trace_reader__next(r, &item), 0);
	assert_int_equal(item.kind, TRACE_RECORD);
	assert_int_equal(item.record->type, 30);
	assert_string_equal(trace_record__name(item.record->type), "type-30");
	assert_int_equal(trace_reader__next(r, &item), 0);
	assert_int_equal(item.record->type, DSM_EV_FREE);
	assert_int_equal(trace_reader__next(r, &item), 0);
	assert_int_equal(item.kind, TRACE_COUNTERS);
	assert_int_equal(item.count, 2);
	assert_int_equal(item.counters[1].time_ns, 12);
	assert_int_equal(item.counters[1].node, 2);
	assert_int_equal(trace_reader__next(r, &item), 0);
	assert_int_equal(item.count, 1);
	assert_int_equal(item.counters[0].counters.begins, 99);
	assert_int_equal(item.counters[0].counters.commits, 0);
	assert_int_equal(trace_reader__next(r, &item), 0);
	assert_int_equal(item.kind, TRACE_END_OF_FILE);
	trace_reader__close(r);
}

/* Checksums hold, contents lie. */
static void test_well_hashed_nonsense(void **state)
{
	static uint8_t file[1 << 16];
	uint64_t body[128] = {0};
	struct dsm_ev_abort *a = (void *)body;
	struct trace_reader *r;
	struct trace_item item;
	size_t n = add_header(file, TRACE_VERSION, 32);

	(void)state;
	n += add_chunk(file + n, TRACE_CHUNK_PAGES, 0, body, 100, 3);		   /* no whole element */
	n += add_chunk(file + n, TRACE_CHUNK_PAGES, 0, body, 8, 1);		   /* not even the key */
	n += add_chunk(file + n, TRACE_CHUNK_LOSSES, 0, body, 0, 0);		   /* none at all */
	n += add_chunk(file + n, TRACE_CHUNK_INFO, 0, "a\0b", 3, 1);		   /* NUL within text */
	n += add_chunk(file + n, TRACE_CHUNK_INFO, 8, "abc", 3, 1);		   /* unknown packing */
	n += add_chunk(file + n, TRACE_CHUNK_INFO, TRACE_CHUNK_ZSTD, "abc", 3, 1); /* no zstd */
	n += add_chunk(file + n, TRACE_CHUNK_RECORDS, 0, body, 64, 1);		   /* records of size 0 */
	a->hdr = (struct dsm_ev_hdr){.size = sizeof(*a), .type = DSM_EV_ABORT};
	a->nmeetings = DSM_EV_MEETINGS + 1;
	n += add_chunk(file + n, TRACE_CHUNK_RECORDS, 0, body, sizeof(*a), 1);
	n += add_chunk(file + n, TRACE_CHUNK_END, 0, NULL, 0, 0);
	store(path, file, n);
	assert_int_equal(trace_reader__open(&r, path), 0);
	for (int i = 0; i < 8; i++)
		assert_int_equal(trace_reader__next(r, &item), -EBADMSG);
	assert_int_equal(trace_reader__next(r, &item), 0);
	assert_int_equal(item.kind, TRACE_END_OF_FILE);
	trace_reader__close(r);
}

static void test_sanity(void **state)
{
	uint64_t body[DSM_EV_MAX / 8 + 8] = {0};
	struct dsm_ev_hdr *h = (void *)body;
	struct dsm_ev_writes *w = (void *)body;
	struct dsm_ev_root *root = (void *)body;
	struct dsm_ev_accesses *acc = (void *)body;
	struct dsm_ev_meet *meet = (void *)body;

	(void)state;
	h->size = 32;
	h->type = 31;
	assert_true(trace_record__sane(h, 32));
	assert_false(trace_record__sane(h, 31));
	h->size = 36;
	assert_false(trace_record__sane(h, 64));
	h->size = DSM_EV_MAX + 8;
	assert_false(trace_record__sane(h, sizeof(body)));
	h->type = DSM_EV_COMMIT;
	h->size = offsetof(struct dsm_ev_commit, between_ns); /* as it was at first */
	assert_true(trace_record__sane(h, sizeof(body)));
	h->size -= 8;
	assert_false(trace_record__sane(h, sizeof(body)));
	h->type = DSM_EV_ROOT;
	h->size = sizeof(*root);
	memset(root->name, 'x', sizeof(root->name));
	assert_false(trace_record__sane(h, sizeof(body)));
	root->name[47] = 0;
	assert_true(trace_record__sane(h, sizeof(body)));
	memset(body, 0, sizeof(body));
	h->type = DSM_EV_WRITES;
	h->size = sizeof(*w) + 8;
	w->nruns = 3;
	assert_false(trace_record__sane(h, sizeof(body)));
	w->nruns = 2;
	w->run[0] = (struct dsm_ev_run){100, 8};
	w->run[1] = (struct dsm_ev_run){104, 8};
	assert_false(trace_record__sane(h, sizeof(body))); /* they overlap */
	w->run[1].offset = 108;
	assert_true(trace_record__sane(h, sizeof(body)));
	h->type = DSM_EV_ACCESSES;
	h->size = sizeof(*acc);
	acc->naccesses = 1;
	assert_false(trace_record__sane(h, sizeof(body)));
	memset(body, 0, sizeof(body));
	h->type = DSM_EV_MEET;
	h->size = sizeof(*meet) + sizeof(meet->met[0]);
	meet->nmet = 2;
	assert_false(trace_record__sane(h, sizeof(body)));
	meet->nmet = 1;
	assert_true(trace_record__sane(h, sizeof(body)));
	h->size = sizeof(*meet) + 17 * sizeof(meet->met[0]);
	meet->nmet = 17;
	assert_false(trace_record__sane(h, sizeof(body))); /* more than a record may list */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_from_pipe),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_cut_at_every_byte),
		cmocka_unit_test(test_growing),
		cmocka_unit_test(test_every_bit_flipped),
		cmocka_unit_test(test_bytes_missing_and_added),
		cmocka_unit_test(test_no_trace),
		cmocka_unit_test(test_newer_file),
		cmocka_unit_test(test_unknown_and_larger),
		cmocka_unit_test(test_well_hashed_nonsense),
		cmocka_unit_test(test_sanity),
	};

	return cmocka_run_group_tests_name("trace", tests, setup, teardown);
}
